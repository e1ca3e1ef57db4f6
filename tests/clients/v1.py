"""The PyPI client `influxdb`, unmodified: v1.py HOST PORT DB. Exits 0 when all is as it should be."""

import sys

from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError


def write_and_ask(host, port, database, gzip):
    client = InfluxDBClient(host, port, database=database, gzip=gzip, timeout=20)
    assert client.ping(), "ping gives a version"
    client.create_database(database)
    measurement = "python_gzip" if gzip else "python"
    points = [
        {
            "measurement": measurement,
            "tags": {"host": "a b", "n": str(number)},
            "time": 1_700_000_000_000 + number,
            "fields": {"value": number + 0.5, "text": 'say "hi"', "good": True},
        }
        for number in range(100)
    ]
    assert client.write_points(points, time_precision="ms", batch_size=30)
    line = f"{measurement},host=line value=7.5 1700000001000000000"
    assert client.write([line], {"db": database}, 204, "line")

    found = list(client.query(f'SELECT count("value") FROM "{measurement}"').get_points())
    assert found[0]["count"] == 101, found
    found = list(
        client.query(
            f'SELECT "value", "text", "good" FROM "{measurement}" WHERE n = $n',
            bind_params={"n": "42"},
            epoch="ms",
        ).get_points()
    )
    expected = {"time": 1_700_000_000_042, "value": 42.5, "text": 'say "hi"', "good": True}
    assert found == [expected], found

    try:
        client.write(["no fields here", f"{measurement} value=8.5 1700000002000000000"], {"db": database}, 204, "line")
    except InfluxDBClientError as error:
        assert error.code == 400 and "partial write" in str(error), error
    else:
        raise AssertionError("a bad line raises")
    found = list(client.query(f'SELECT count("value") FROM "{measurement}"').get_points())
    assert found[0]["count"] == 102, found
    client.close()


def change(host, port):
    """Policies, deletes and drops, in a database of its own."""
    client = InfluxDBClient(host, port, database="py_gone", timeout=20)
    client.create_database("py_gone")
    client.create_retention_policy("short", "2h", 1, database="py_gone")
    client.alter_retention_policy("short", database="py_gone", duration="3h")
    client.create_retention_policy("none", "2h", 1, database="py_gone")
    client.drop_retention_policy("none", database="py_gone")
    policies = {row["name"]: row["duration"] for row in client.get_list_retention_policies("py_gone")}
    assert policies == {"autogen": "0s", "short": "3h0m0s"}, policies
    lines = [f"{name},host={host} v=1 1700000000000000000" for name in "abc" for host in "xy"]
    assert client.write(lines, {"db": "py_gone"}, 204, "line")
    client.delete_series(measurement="a", tags={"host": "x"})
    client.drop_measurement("b")
    client.query("DELETE FROM c WHERE time < now() AND host = 'y'", method="POST")
    kept = [(name, row["host"]) for name in "abc" for row in client.query(f"SELECT * FROM {name}").get_points()]
    assert kept == [("a", "y"), ("c", "x")], kept
    client.drop_database("py_gone")
    assert "py_gone" not in [row["name"] for row in client.get_list_database()]
    client.close()


def main():
    host, port, database = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    for gzip in (False, True):
        write_and_ask(host, port, database, gzip)
    change(host, port)


main()
