"""The PyPI client `influxdb` over TLS: v1_tls.py HOST PORT AUTHORITY. Exits 0 when all is as it should be."""

import sys

from influxdb import InfluxDBClient


def main():
    host, port, authority = sys.argv[1:]
    client = InfluxDBClient(host, int(port), database="d", ssl=True, verify_ssl=authority, timeout=20)
    assert client.ping(), "ping gives a version"
    assert client.write(["secure v=7i 1700000000000000000"], {"db": "d"}, 204, "line")
    found = list(client.query("SELECT v FROM secure").get_points())
    assert [point["v"] for point in found] == [7], found


main()
