"""A gateway of a run: its configuration, its life, and what it says of itself."""

import json
import os
import re
import shutil
import urllib.request

import build
import process
from load import DATABASE, Sink
from process import Failed, Process


class Gateway:
    """Circlet with circles of backends at the given URLs: a list of lists."""

    def __init__(self, work, name, circles, shards=1, ack="durable", extra="", kind="influxdb1"):
        self.work, self.name = work, name
        self.port = process.free_ports(1)[0]
        self.directory = os.path.join(work, f"{name}.data")
        self.config = os.path.join(work, f"{name}.toml")
        shutil.rmtree(self.directory, ignore_errors=True)
        with open(self.config, "w") as file:
            file.write(_config(self.port, self.directory, circles, shards, ack, extra, kind))
        log = os.path.join(work, f"{name}.log")
        self.process = Process([build.gateway(), "run", "-c", self.config], log)
        process.wait_until(self._ready, 30, f"circlet {name}: {self.process.tail()}")

    def _ready(self):
        if not self.process.alive():
            raise Failed(f"circlet {self.name} ended: {self.process.tail()}")
        try:
            return urllib.request.urlopen(f"{self.url}/ready", timeout=2).status == 200
        except OSError:
            return False

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def cpu_s(self):
        return self.process.cpu_s()

    def metric(self, name):
        """Sum over all labels; None if there is no such metric."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        found = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
        return sum(float(value) for value in found) if found else None

    def log_bytes(self):
        """What the segments of its logs take on the disk; the one that is being filled, what it holds so far."""
        said = process.run([build.gateway(), "wal", "ls", "-c", self.config, "--json"], 120)
        rows = [row for row in map(json.loads, said.splitlines()) if "segment" in row]
        return sum(row["used_bytes"] if row["state"] == "open" else row["bytes"] for row in rows)

    def stop(self):
        """Killed: at its end it would deliver and sync, which nobody here waits for."""
        self.process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def _config(port, directory, circles, shards, ack, extra, kind):
    lines = [f'listen = "127.0.0.1:{port}"', f'data_dir = "{directory}"', f"shards = {shards}",
             "[write]", f'ack = "{ack}"', extra]
    for number, urls in enumerate(circles, 1):
        lines += ["[[circle]]", f'name = "circle-{number}"']
        for place, url in enumerate(urls, 1):
            lines += ["[[circle.backend]]", f'name = "backend-{number}-{place}"', f'url = "{url}"',
                      f'kind = "{kind}"']
    return "\n".join(lines) + "\n"


class Circles:
    """A gateway before circles of null backends that live in one process."""

    def __init__(self, work, name, circles=2, backends=2, shards=1, ack="durable", extra=""):
        self.copies = circles
        self.sink = Sink(work, f"{name}-sinks", circles * backends)
        urls = self.sink.urls
        rings = [urls[at:at + backends] for at in range(0, len(urls), backends)]
        try:
            self.gateway = Gateway(work, name, rings, shards, ack, extra)
        except Exception:
            self.sink.stop()
            raise

    @property
    def url(self):
        return self.gateway.url

    def cpu_s(self):
        return self.gateway.cpu_s()

    def all_cpu_s(self):
        """Of the gateway and of its backends."""
        return self.gateway.cpu_s() + self.sink.cpu_s()

    def rss_bytes(self):
        return self.gateway.process.rss_bytes()

    def delivered(self):
        return self.sink.counted()

    def stop(self):
        self.gateway.stop()
        self.sink.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Null:
    """The null sink alone: what the same load costs a server that does nothing with it."""

    copies = 1

    def __init__(self, work, name="null"):
        self.sink = Sink(work, name, 1)
        self.url = self.sink.urls[0]

    def cpu_s(self):
        return self.sink.cpu_s()

    def all_cpu_s(self):
        return self.sink.cpu_s()

    def rss_bytes(self):
        return self.sink.process.rss_bytes()

    def delivered(self):
        return self.sink.counted()

    def stop(self):
        self.sink.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
