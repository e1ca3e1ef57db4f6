"""The PyPI client `influxdb-client` asks what was recorded: v2_query.py URL TOKEN ORG VECTORS.

Each answer must decode to the same tables as the recorded bytes do. Prints how many were asked.
"""

import io
import json
import sys

from influxdb_client import InfluxDBClient
from influxdb_client.client.flux_csv_parser import FluxCsvParser, FluxSerializationMode
from influxdb_client.rest import ApiException


class Recorded(io.BytesIO):
    """What the parser wants of an HTTP answer."""

    def read(self, amount=-1, **_):
        return super().read(amount)

    def release_conn(self):
        pass


def tables_of(text):
    answer = Recorded(text.encode())
    parser = FluxCsvParser(response=answer, serialization_mode=FluxSerializationMode.tables)
    list(parser.generator())
    return parser.table_list()


def plain(tables):
    return [[record.values for record in table.records] for table in tables]


def wanted(row):
    annotations = row["dialect"] and row["dialect"].get("annotations")
    return row["class"] == "owner" and row["status"] == 200 and not row["raw"] and len(annotations or []) == 3


def main():
    url, token, org, vectors = sys.argv[1:5]
    with open(vectors, encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if wanted(row)]
    assert len(rows) > 20, len(rows)
    with InfluxDBClient(url=url, token=token, org=org, timeout=20_000) as client:
        ask = client.query_api()
        for row in rows:
            found = plain(ask.query(row["query"]))
            assert str(found) == str(plain(tables_of(row["csv"]))), row["name"]
        try:
            ask.query('from(bucket: "flux") |> range(start: 0) |> filter(fn: (r) => r._measurement == "never")')
        except ApiException as error:
            assert error.status == 404 and "not recorded" in str(error.body), error
        else:
            raise AssertionError("what was not recorded raises")
    print(len(rows))


main()
