"""Load and null backends: `circlet-load write` and `circlet-load sink`, and what they say."""

import json
import os
import resource
import subprocess
import threading
import time
import urllib.request
from dataclasses import dataclass, replace

import build
import process
from process import Failed, Process

DATABASE = "bench"
# How many measurements the lines of each kind are spread over, so that all backends get some.
MEASUREMENTS = {"tsbs": 20, "telegraf": 14, "small": 50}
KINDS = list(MEASUREMENTS)


@dataclass(frozen=True)
class Load:
    """What is written. `rate` is in lines a second: an open loop; 0 is a closed one."""

    data: str = "tsbs"
    connections: int = 4
    lines: int = 1000
    seconds: float = 3.0
    rate: float = 0
    gzip: bool = False
    chunked: bool = False
    measurements: int = 0
    cardinality: int = 0
    seed: int = 1

    def but(self, **changes):
        return replace(self, **changes)

    def words(self, url):
        count = self.measurements or MEASUREMENTS[self.data]
        words = [build.load_tool(), "write", url, "--db", DATABASE, "--json", "--data", self.data,
                 "--connections", self.connections, "--lines", self.lines,
                 "--duration", f"{self.seconds}s", "--measurements", count, "--seed", self.seed]
        words += ["--rate", self.rate] if self.rate else []
        words += ["--chunked"] if self.chunked else []
        words += ["--gzip"] if self.gzip else []
        words += ["--cardinality", self.cardinality] if self.cardinality else []
        return [str(word) for word in words]


@dataclass
class Outcome:
    """What a run of the load came to."""

    lines: int
    bytes: int
    requests: int
    seconds: float
    p50_us: float
    p99_us: float
    max_us: float
    errors: int
    first_error: str

    @property
    def lines_s(self):
        return self.lines / self.seconds

    @property
    def requests_s(self):
        return self.requests / self.seconds


def _read(text):
    try:
        found = json.loads(text.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise Failed(f"the load said {text[-200:]!r}") from None
    latency = found.get("latency_us") or {}
    errors = found.get("errors") or {}
    return Outcome(
        lines=found["lines_acknowledged"], bytes=found["bytes_acknowledged"],
        requests=found["requests_acknowledged"], seconds=found["duration_s"], p50_us=latency.get("p50", 0),
        p99_us=latency.get("p99", 0), max_us=latency.get("max", 0),
        errors=sum(error["requests"] for error in errors.values()),
        first_error=next((f"{kind}: {error['first']}" for kind, error in errors.items()), ""))


class Running:
    """A load under way."""

    def __init__(self, url, load):
        self.load = load
        self.popen = subprocess.Popen(
            load.words(url), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, preexec_fn=process.before_exec)
        self.pid = self.popen.pid
        self.usage_s = 0.0
        self._text, self._complaint = "", ""
        self._reader = threading.Thread(target=self._wait, daemon=True)
        process.ends_with_us(self)
        self._reader.start()

    def _wait(self):
        before = _children_s()
        self._text, self._complaint = self.popen.communicate()
        self.usage_s = _children_s() - before
        process.forget(self)

    def kill(self):
        self.popen.kill()
        self._reader.join()

    def running(self):
        return self._reader.is_alive()

    def finish(self, errors_allowed=False):
        self._reader.join(self.load.seconds + 120)
        if self.running():
            self.kill()
            raise Failed("the load did not end")
        if not self._text.strip():
            raise Failed(f"the load said nothing but {self._complaint.strip()[-200:]!r}")
        outcome = _read(self._text)
        if outcome.errors and not errors_allowed:
            raise Failed(f"{outcome.errors} requests were not acknowledged: {outcome.first_error[:200]}")
        return outcome


def _children_s():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def write(url, load, errors_allowed=False):
    return Running(url, load).finish(errors_allowed)


class Sink:
    """Null backends in one process: they read, count and answer 204."""

    def __init__(self, work, name, count, ports=None):
        self.work, self.name = work, name
        self.ports = ports or process.free_ports(count)
        self.start()

    def start(self):
        addresses = [f"127.0.0.1:{port}" for port in self.ports]
        log = os.path.join(self.work, f"{self.name}.log")
        self.process = Process([build.load_tool(), "sink", *addresses, "--databases", DATABASE], log)
        process.wait_until(self._answers, 10, f"sink {self.name}: {self.process.tail()}")

    def _answers(self):
        if not self.process.alive():
            raise Failed(f"sink {self.name} ended: {self.process.tail()}")
        try:
            return self.counted("lines") >= 0
        except OSError:
            return False

    @property
    def urls(self):
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    def counted(self, what="lines"):
        """Of all its backends together, since it was started."""
        return sum(_ask(f"{url}/stats")[what] for url in self.urls)

    def cpu_s(self):
        return self.process.cpu_s()

    def stop(self):
        self.process.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def _ask(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)
