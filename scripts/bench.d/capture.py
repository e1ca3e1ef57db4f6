"""A body as the load sends it, kept in a file: for what is measured without a gateway."""

import http.server
import os
import threading

import load as loads


class _Keeper(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    body = None

    def do_POST(self):  # noqa: N802: the name is given
        body = self._chunks() if "chunked" in self.headers.get("Transfer-Encoding", "") else (
            self.rfile.read(int(self.headers["Content-Length"])))
        if _Keeper.body is None:
            _Keeper.body = body
        self.send_response(204)
        self.end_headers()

    def _chunks(self):
        body = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return body

    def log_message(self, *_):
        pass


def body(run, load):
    """The path of a file with the first body of this load, packed where the load packs it."""
    _Keeper.body = None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Keeper)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        loads.write(f"http://127.0.0.1:{server.server_port}", load.but(connections=1, seconds=0.05))
    finally:
        server.shutdown()
        server.server_close()
    path = os.path.join(run.work, f"body-{load.data}-{load.lines}{'.gz' if load.gzip else ''}")
    with open(path, "wb") as file:
        file.write(_Keeper.body)
    return path
