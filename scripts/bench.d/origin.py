#!/usr/bin/env python3
"""A backend that answers every question with a large answer, as fast as one core can send it.

    origin.py PORT MEBIBYTES MEASUREMENT

The answer is what InfluxDB 1.x sends for `chunked=true`: one JSON object a line, 10,000 rows in each, all of one
series. It goes out in chunks, one for each object.
"""

import socket
import sys
import threading

DATABASES = (b'{"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],'
             b'"values":[["bench"]]}]}]}\n')
PLAN = (b'{"results":[{"statement_id":0,"series":[{"columns":["QUERY PLAN"],"values":[["EXPRESSION: <nil>"],'
        b'["AUXILIARY FIELDS: v::float"],["NUMBER OF SHARDS: 1"],["NUMBER OF SERIES: 1"]]}]}]}\n')
ROWS = 10_000


def part(name, is_last):
    """One JSON object."""
    rows = b",".join(b"[%d,%d.25]" % (1700000000000000000 + number, number) for number in range(ROWS))
    more = b"" if is_last else b',"partial":true'
    return (b'{"results":[{"statement_id":0,"series":[{"name":"%s","columns":["time","v"],"values":[%s]%s}]%s}]}\n'
            % (name, rows, more, more))


def chunk(body):
    return b"%x\r\n%s\r\n" % (len(body), body)


def head_of(connection):
    """The next head, with the body that follows it; none at the end."""
    request = b""
    while b"\r\n\r\n" not in request:
        piece = connection.recv(65536)
        if not piece:
            return None
        request += piece
    head, _, body = request.partition(b"\r\n\r\n")
    length = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while length and len(body) < int(length[0]):
        body += connection.recv(65536)
    return head + body


def serve(connection, mebibytes, more, last):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while request := head_of(connection):
        if request.split(b" ")[1].startswith((b"/ping", b"/write")):
            connection.sendall(b"HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 1.6.7\r\n\r\n")
        elif b"DATABASES" in request or b"EXPLAIN" in request:
            body = DATABASES if b"DATABASES" in request else PLAN
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            connection.sendall(head % len(body) + body)
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                               b"Transfer-Encoding: chunked\r\n\r\n")
            for _ in range(mebibytes * 1048576 // len(more)):
                connection.sendall(more)
            connection.sendall(last + b"0\r\n\r\n")


def run(connection, *rest):
    try:
        serve(connection, *rest)
    except OSError:
        pass  # It has left.
    finally:
        connection.close()


def main(port, mebibytes, measurement):
    name = measurement.encode()
    more, last = chunk(part(name, False)), chunk(part(name, True))
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=64)
    while True:
        connection, _ = listener.accept()
        arguments = (connection, int(mebibytes), more, last)
        threading.Thread(target=run, args=arguments, daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
