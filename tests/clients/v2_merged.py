"""The PyPI client `influxdb-client` asks what takes several backends: v2_merged.py URL TOKEN ORG VECTORS.

Each answer must decode to the same rows as the recorded bytes do: the same tables in any order, as their
numbers are not part of what they say. Prints how many were asked.
"""

import io
import json
import sys

from influxdb_client import InfluxDBClient
from influxdb_client.client.flux_csv_parser import FluxCsvParser, FluxSerializationMode


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
    def row(record):
        return sorted((name, str(value)) for name, value in record.values.items() if name != "table")

    return sorted([row(record) for record in table.records] for table in tables)


def wanted(row):
    annotations = row["dialect"].get("annotations") or []
    is_plain = not row["raw"] and len(annotations) == 3 and row["dialect"].get("delimiter") == ","
    return row["class"] in ("union", "schema") and is_plain


def main():
    url, token, org, vectors = sys.argv[1:5]
    with open(vectors, encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if wanted(row)]
    with InfluxDBClient(url=url, token=token, org=org, timeout=20_000) as client:
        ask = client.query_api()
        for row in rows:
            assert plain(ask.query(row["query"])) == plain(tables_of(row["csv"])), row["name"]
    print(len(rows))


main()
