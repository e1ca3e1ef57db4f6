"""The embedded store and influxd 1.6.7 as two servers with the same handles."""

import os
import shutil
import time
import urllib.parse

import build
import process
from process import Failed, Process

INFLUXD = """
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
dir = "{home}/meta"
[data]
dir = "{home}/data"
wal-dir = "{home}/wal"
query-log-enabled = false
cache-snapshot-write-cold-duration = "5s"
max-series-per-database = 0
max-values-per-tag = 0
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
max-body-size = 0
"""

# Both are quiet when they used less of a core than this for so long.
IDLE_SHARE, IDLE_S = 0.05, 3.0


class Store:
    """One server over one directory; it can be stopped and started again."""

    copies = 0

    def __init__(self, work, kind):
        self.kind = kind
        self.home = os.path.join(work, f"store.{kind}")
        shutil.rmtree(self.home, ignore_errors=True)
        os.makedirs(self.home)
        self.port = process.free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()
        self.ask("CREATE DATABASE bench", method="POST")

    def start(self):
        self.process = Process(self._words(), os.path.join(os.path.dirname(self.home), f"{self.kind}.log"),
                               {"HOME": self.home})
        process.wait_until(self._answers, 120, f"{self.kind}: {self.process.tail()}", 0.01)

    def _words(self):
        if self.kind == "circlet":
            return [build.gateway(), "store", "--listen", f"127.0.0.1:{self.port}", "--data-dir", self.home,
                    "--max-series", "0", "--max-tag-values", "0"]
        config = os.path.join(self.home, "influxdb.conf")
        with open(config, "w") as file:
            file.write(INFLUXD.format(home=self.home, port=self.port))
        return ["influxd", "run", "-config", config]

    def _answers(self):
        if not self.process.alive():
            raise Failed(f"{self.kind} ended: {self.process.tail()}")
        try:
            return process.run(["curl", "-sf", "-m", "2", "-o", "/dev/null", f"{self.url}/ping"], 5) is not None
        except Failed:
            return False

    def ask(self, text, method="GET", **words):
        """The answer to a question, whole."""
        words = urllib.parse.urlencode({"db": "bench", "q": text, **words})
        return process.run(["curl", "-sS", "-X", method, f"{self.url}/query?{words}"], 600)

    def read_s(self, text, **words):
        """Seconds until the last byte of an answer, and its bytes."""
        words = urllib.parse.urlencode({"db": "bench", "q": text, "epoch": "ns", **words})
        said = process.run(["curl", "-sS", "-f", "-o", "/dev/null", "-w", "%{size_download} %{time_total}",
                            f"{self.url}/query?{words}"], 600)
        size, seconds = said.split()
        return float(seconds), float(size)

    def write_file(self, path):
        process.run(["curl", "-sS", "-f", "-X", "POST", "--data-binary", f"@{path}",
                     f"{self.url}/write?db=bench"], 300)

    def settle(self, limit_s=180):
        """Until it has nothing to do any more."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            before = self.cpu_s()
            time.sleep(IDLE_S)
            if self.cpu_s() - before < IDLE_SHARE * IDLE_S:
                return
        raise Failed(f"{self.kind} does not come to rest")

    def restart(self):
        """Seconds from the start of the process until it answers a question about its points."""
        self.process.stop(120)
        began = time.monotonic()
        self.start()
        return began

    def end_cpu_s(self):
        """Ends it, and gives the CPU time of its whole life: what it still had to put into files is in it."""
        self.process.popen.terminate()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.popen.returncode = os.waitstatus_to_exitcode(status)
        process.forget(self.process)
        return usage.ru_utime + usage.ru_stime

    def cpu_s(self):
        return self.process.cpu_s()

    def all_cpu_s(self):
        return self.process.cpu_s()

    def rss_bytes(self):
        return self.process.rss_bytes()

    def disk_bytes(self):
        """What its files take."""
        total = 0
        for folder, _, names in os.walk(self.home):
            for name in names:
                # influxd's series file is sparse: what is not there takes nothing.
                total += os.stat(os.path.join(folder, name)).st_blocks * 512
        return total

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop(60)
        shutil.rmtree(self.home, ignore_errors=True)
