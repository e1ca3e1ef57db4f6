"""How fast answers pass: read through Circlet against read from the backend."""

import os
import sys
import urllib.parse

import process
import sample
from gateway import Gateway
from process import Failed, Process

FORWARDED_MUST, MERGED_MUST = 0.8, 0.3
ORIGIN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "origin.py")


class Origin:
    """A backend whose answers are large."""

    def __init__(self, work, mebibytes, measurement):
        self.port = process.free_ports(1)[0]
        words = [sys.executable, ORIGIN, self.port, mebibytes, measurement]
        self.process = Process(words, os.path.join(work, f"origin.{self.port}.log"))
        self.url = f"http://127.0.0.1:{self.port}"
        process.wait_until(self._answers, 10, f"the origin: {self.process.tail()}")

    def _answers(self):
        try:
            return process.run(["curl", "-sf", "-m", "2", f"{self.url}/ping"], 5) is not None
        except Failed:
            return False


def _read(url, text):
    """Bytes a second with which curl reads the answer to a question."""
    words = urllib.parse.urlencode({"db": "bench", "q": text, "chunked": "true", "epoch": "ns"})
    said = process.run(["curl", "-sS", "-f", "-o", "/dev/null", "-w", "%{size_download} %{time_total}",
                        f"{url}/query?{words}"], 300)
    size, seconds = said.split()
    return float(size), float(size) / float(seconds)


def answers(run):
    """Reading an answer through Circlet against reading it from its backend, and Circlet's memory meanwhile."""
    found = {}
    mebibytes = run.pick(1024, 128)
    one, other = (Origin(run.work, mebibytes, name) for name in ("cpu", "mem"))
    with Gateway(run.work, "forward", [[one.url]]) as gateway:
        text = "SELECT v FROM cpu"
        found["forwarded"] = _pair(run, gateway, one, text, FORWARDED_MUST)
    with Gateway(run.work, "merge", [[one.url, other.url]]) as gateway:
        text = "SELECT v FROM cpu, mem"
        found["merged"] = _pair(run, gateway, one, text, MERGED_MUST)
    return found


def _pair(run, gateway, origin, text, must):
    before = gateway.process.rss_bytes()
    taken = sample.in_turn(run.pick(5, 3), direct=lambda: _read(origin.url, text),
                           through=lambda: _read(gateway.url, text))
    ratios = [through[1] / direct[1] for direct, through in zip(taken["direct"], taken["through"])]
    found = sample.ratios(ratios)
    found["bytes"] = taken["through"][0][0]
    found["direct_mb_s"] = sample.median([speed / 1e6 for _, speed in taken["direct"]])
    found["memory_mb"] = (gateway.process.rss_bytes() - before) / 1e6
    found["must"] = must
    run.say(f"{gateway.name}: {found['ratio']:.2f} of the backend's {found['direct_mb_s']:.0f} MB/s, must {must}; "
            f"{found['memory_mb']:.0f} MB more in memory")
    return found
