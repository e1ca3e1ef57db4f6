"""A stand-in for InfluxDB 2 that answers only what was recorded: flux_server.py PORT VECTORS.

Queries with a recorded text get the recorded bytes, all others 404. Writes are counted and kept;
`GET /written` gives them back. It listens on loopback only.
"""

import gzip
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

ORG = {"id": "d2b231d467570e13", "name": "klec-org"}
BUCKET = {"id": "aef21d4cd6d516b7", "orgID": ORG["id"], "type": "user", "name": "flux", "retentionRules": []}


def annotations(dialect):
    return tuple((dialect or {}).get("annotations") or ())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers = {}
    written = []
    lock = threading.Lock()

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", kind="application/json; charset=utf-8", headers=()):
        self.send_response(status)
        self.send_header("X-Influxdb-Version", "v2.7.12")
        self.send_header("X-Influxdb-Build", "OSS")
        for name, value in headers:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204 and self.command != "HEAD":
            self.wfile.write(body)

    def json(self, status, value):
        self.answer(status, json.dumps(value).encode())

    def refuse(self, status, code, message):
        body = json.dumps({"code": code, "message": message}).encode()
        self.answer(status, body, headers=[("X-Platform-Error-Code", code)])

    def body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            data = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = urlparse(self.path).path
        if path == "/ping":
            self.answer(204)
        elif path == "/health":
            self.json(200, {"name": "influxdb", "message": "ready for queries and writes", "status": "pass", "checks": []})
        elif path == "/ready":
            self.json(200, {"status": "ready"})
        elif path == "/api/v2/buckets":
            name = parse_qs(urlparse(self.path).query).get("name", [BUCKET["name"]])[0]
            self.json(200, {"links": {}, "buckets": [BUCKET] if name == BUCKET["name"] else []})
        elif path == "/api/v2/orgs":
            self.json(200, {"links": {}, "orgs": [ORG]})
        elif path == "/written":
            with self.lock:
                self.answer(200, b"".join(self.written), "text/plain")
        else:
            self.refuse(404, "not found", "path not found")

    def do_POST(self):
        path = urlparse(self.path).path
        body = self.body()
        if path == "/api/v2/write":
            with self.lock:
                self.written.append(body if body.endswith(b"\n") else body + b"\n")
            self.answer(204)
        elif path == "/api/v2/query":
            self.query(body)
        else:
            self.refuse(404, "not found", "path not found")

    def query(self, body):
        if self.headers.get("Content-Type", "").startswith("application/vnd.flux"):
            text, dialect = body.decode(), None
        else:
            question = json.loads(body)
            text, dialect = question["query"], question.get("dialect")
        row = self.answers.get((text, annotations(dialect)))
        if row is None:
            self.refuse(404, "not found", "this question was not recorded")
        else:
            self.answer(row["status"], row["csv"].encode(), "text/csv; charset=utf-8")


def main():
    with open(sys.argv[2], encoding="utf-8") as file:
        for row in map(json.loads, file):
            dialect = None if row["raw"] else row["dialect"]
            Handler.answers.setdefault((row["query"], annotations(dialect)), row)
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()


main()
