"""The PyPI client `influxdb-client`, unmodified: v2_write.py URL TOKEN ORG BUCKET.

Writes 300 points of the measurement `python2`, and 100 of `python2_gzip`. Exits 0 when all is as
it should be.
"""

import sys

from influxdb_client import InfluxDBClient, Point, WriteOptions, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException


def points(measurement, count):
    for number in range(count):
        point = Point(measurement).tag("host", "a b").tag("n", str(number))
        point = point.field("value", number + 0.5).field("whole", number)
        yield point.time(1_700_000_000 + number, WritePrecision.S)


def main():
    url, token, org, bucket = sys.argv[1:5]
    with InfluxDBClient(url=url, token=token, org=org, timeout=20_000) as client:
        assert client.ping(), "ping"
        write = client.write_api(write_options=SYNCHRONOUS)
        write.write(bucket=bucket, record=list(points("python2", 100)), write_precision=WritePrecision.S)
        try:
            write.write(bucket=bucket, record=["python2 value=1 1", "no fields here"])
        except ApiException as error:
            assert error.status == 400 and "unable to parse 'no fields here'" in str(error.body), error
        else:
            raise AssertionError("a bad line raises")
        try:
            write.write(bucket="nosuch", record="python2 value=1 1")
        except ApiException as error:
            assert error.status == 404 and "nosuch" in str(error.body), error
        else:
            raise AssertionError("an unknown bucket raises")
        with client.write_api(write_options=WriteOptions(batch_size=50, flush_interval=100)) as batches:
            for point in points("python2", 300):
                batches.write(bucket=bucket, record=point, write_precision=WritePrecision.S)
    with InfluxDBClient(url=url, token=token, org=org, enable_gzip=True) as client:
        write = client.write_api(write_options=SYNCHRONOUS)
        write.write(bucket=bucket, record=list(points("python2_gzip", 100)), write_precision=WritePrecision.S)


main()
