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


def main():
    host, port, database = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    for gzip in (False, True):
        write_and_ask(host, port, database, gzip)


main()
