"""The PyPI client `influxdb-client`, unmodified: v2_write.py URL TOKEN ORG BUCKET.

Writes 300 points of the measurement `python2`, and 100 of `python2_gzip`; writes and deletes others,
makes, finds, changes and removes a bucket. Exits 0 when all is as it should be.
"""

import sys

from influxdb_client import BucketRetentionRules, InfluxDBClient, Point, WriteOptions, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException


def points(measurement, count):
    for number in range(count):
        point = Point(measurement).tag("host", "a b").tag("n", str(number))
        point = point.field("value", number + 0.5).field("whole", number)
        yield point.time(1_700_000_000 + number, WritePrecision.S)


def delete(client, org, bucket):
    write = client.write_api(write_options=SYNCHRONOUS)
    write.write(bucket=bucket, record=list(points("python2_gone", 10)), write_precision=WritePrecision.S)
    start, stop = "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"
    deletes = client.delete_api()
    deletes.delete(start, stop, '_measurement="python2_gone" AND host="a b"', bucket=bucket, org=org)
    try:
        deletes.delete(start, stop, '_measurement="a" OR host="b"', bucket=bucket, org=org)
    except ApiException as error:
        assert error.status == 400 and "OR is not supported" in str(error.body), error
    else:
        raise AssertionError("OR raises")


def buckets(client, org):
    api = client.buckets_api()
    rules = BucketRetentionRules(type="expire", every_seconds=7200)
    made = api.create_bucket(bucket_name="python_bucket", org=org, retention_rules=rules)
    found = api.find_bucket_by_name("python_bucket")
    assert found.id == made.id and found.retention_rules[0].every_seconds == 7200, found
    assert api.find_bucket_by_id(made.id).name == "python_bucket"
    found.retention_rules[0].every_seconds = 10_800
    found.retention_rules[0].shard_group_duration_seconds = None
    api.update_bucket(found)
    assert api.find_bucket_by_name("python_bucket").retention_rules[0].every_seconds == 10_800
    write = client.write_api(write_options=SYNCHRONOUS)
    write.write(bucket="python_bucket", record="m v=1")
    api.delete_bucket(found)
    assert api.find_bucket_by_name("python_bucket") is None
    assert client.organizations_api().find_organizations(org=org)[0].name == org


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
        delete(client, org, bucket)
        buckets(client, org)
        with client.write_api(write_options=WriteOptions(batch_size=50, flush_interval=100)) as batches:
            for point in points("python2", 300):
                batches.write(bucket=bucket, record=point, write_precision=WritePrecision.S)
    with InfluxDBClient(url=url, token=token, org=org, enable_gzip=True) as client:
        write = client.write_api(write_options=SYNCHRONOUS)
        write.write(bucket=bucket, record=list(points("python2_gzip", 100)), write_precision=WritePrecision.S)


main()
