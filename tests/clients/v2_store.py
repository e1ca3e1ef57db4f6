"""The PyPI client `influxdb-client` asks what `v2_write.py` has written: v2_store.py URL TOKEN ORG BUCKET.

Prints how many points of `python2` it found.
"""

import sys

from influxdb_client import InfluxDBClient


def main():
    url, token, org, bucket = sys.argv[1:5]
    source = f'from(bucket: "{bucket}") |> range(start: 0) |> filter(fn: (r) => r._measurement == "python2" and r._field == "whole")'
    with InfluxDBClient(url=url, token=token, org=org, timeout=20_000) as client:
        ask = client.query_api()
        records = [record for table in ask.query(source) for record in table.records]
        assert sorted(record.get_value() for record in records) == list(range(300)), records
        assert {record["host"] for record in records} == {"a b"}
        total = ask.query(source + " |> group() |> sum()")
        assert total[0].records[0].get_value() == sum(range(300)), total
        names = {row.name for row in client.buckets_api().find_buckets().buckets}
        assert bucket in names, names
        listed = {record.values["name"] for table in ask.query("buckets()") for record in table.records}
        assert bucket in listed, listed
    print(len(records))


main()
