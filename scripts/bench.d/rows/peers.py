"""Another program under the same load."""

import os
import re
import shutil
import urllib.request

import process
import sample
from gateway import Null
from load import KINDS, Load, Sink
from process import Failed, Process

WATCHED = r"^(?:vm_persistentqueue_bytes_pending|vmagent_remotewrite_pending_data_bytes)(?:\{[^}]*\})? (\S+)$"


class Vmagent:
    """vmagent before two null servers, as two circles. It turns lines into a protocol of its own, so what
    arrives cannot be counted; it has sent everything when it says that nothing is pending."""

    copies = 0

    def __init__(self, work, program):
        self.sink = Sink(work, "vmagent-sinks", 2)
        self.port = process.free_ports(1)[0]
        self.directory = os.path.join(work, "vmagent.data")
        shutil.rmtree(self.directory, ignore_errors=True)
        words = [program, f"-httpListenAddr=127.0.0.1:{self.port}", f"-remoteWrite.tmpDataPath={self.directory}"]
        words += [f"-remoteWrite.url={url}/write" for url in self.sink.urls]
        self.process = Process(words, os.path.join(work, "vmagent.log"))
        self.url = f"http://127.0.0.1:{self.port}"
        process.wait_until(self._answers, 20, f"vmagent: {self.process.tail()}")

    def _answers(self):
        try:
            return urllib.request.urlopen(f"{self.url}/health", timeout=2).status == 200
        except OSError:
            return False

    def cpu_s(self):
        return self.process.cpu_s()

    def all_cpu_s(self):
        return self.process.cpu_s() + self.sink.cpu_s()

    def rss_bytes(self):
        return self.process.rss_bytes()

    def delivered(self):
        """0 when nothing is pending, below that otherwise."""
        pending = re.findall(WATCHED, self._metrics(), re.MULTILINE)
        if not pending:
            raise Failed("vmagent does not say what is pending")
        return -sum(float(value) for value in pending)

    def _metrics(self):
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            return answer.read().decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.sink.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def _version():
    """Debian's build does not know its own version, its package does."""
    try:
        return process.run(["dpkg-query", "--show", "--showformat=${Version}", "victoria-metrics"], 20) + " of Debian"
    except (OSError, Failed):
        return "of unknown version"


def vmagent(run):
    """CPU per line of vmagent before 2 null servers in null sinks, where it is installed."""
    program = os.environ.get("VMAGENT") or shutil.which("vmagent")
    if not program:
        return {"not_installed": "no vmagent (Debian: victoria-metrics)"}
    found = {}
    for data in KINDS:
        load = Load(data=data, seconds=run.pick(3, 1))
        with Vmagent(run.work, program) as agent, Null(run.work) as null:
            found["version"] = _version()
            sample.warm_up(agent, load)
            taken = sample.in_turn(
                run.pick(2, 1), agent=lambda: sample.cost(agent, load), null=lambda: sample.cost(null, load))
        pairs = zip(taken["agent"], taken["null"])
        found[data] = sample.ratios([one.us_per_line / other.us_per_line for one, other in pairs])
        found[data]["us_per_line"] = sample.median([one.us_per_line for one in taken["agent"]])
        found[data]["taken"] = {name: [one.json() for one in some] for name, some in taken.items()}
        run.say(f"{data}: {found[data]['ratio']:.0f} null sinks")
    return found
