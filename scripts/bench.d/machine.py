"""The machine: what it is, and how much of it others took while something was measured."""

import hashlib
import os
import platform
import time

from process import TICKS_PER_SECOND

_PROBE = bytes(1 << 20)


def describe():
    """What a reader needs to judge absolute figures."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "kernel": platform.release(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _processor():
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return " ".join(line.split(":", 1)[1].split())
    return platform.machine()


def file_system(path):
    """Kind and device of the file system that holds a path."""
    path, best = os.path.realpath(path), ("", "", "")
    with open("/proc/mounts") as file:
        for line in file:
            device, where, kind = line.split()[:3]
            inside = path == where or path.startswith(where.rstrip("/") + "/")
            if inside and len(where) >= len(best[0]):
                best = (where, kind, device)
    return f"{best[1]} on {best[2]}"


def probe_ns():
    """Nanoseconds for a byte of SHA-256, which only computes: it rises when a neighbour shares the core."""
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        hashlib.sha256(_PROBE).digest()
        best = min(best, time.perf_counter() - began)
    return best * 1e9 / len(_PROBE)


def busy_s():
    """Seconds of processor time that all programs, the kernel and the host's thieves have taken so far."""
    return _busy_s()["cpu"]


def _busy_s():
    """The same for the machine ("cpu") and for each core ("cpu0", ...)."""
    with open("/proc/stat") as file:
        rows = [line.split() for line in file if line.startswith("cpu")]
    # user, nice, system, idle, waiting for a disk, irq, softirq, steal
    return {name: sum(map(int, times[:3] + times[5:8])) / TICKS_PER_SECOND for name, *times in rows}


class Cores:
    """How busy each core was between the start and `busy`, whoever kept it so."""

    def __init__(self):
        self.began, self.before = time.monotonic(), _busy_s()

    def busy(self):
        """Shares, 0 to 1, lowest first."""
        took = time.monotonic() - self.began
        after = _busy_s()
        return sorted((after[name] - self.before[name]) / took for name in after if name != "cpu")


class Watch:
    """How much of the machine was taken by others than us between the start and `others_share`."""

    def __init__(self, ours_s):
        self.ours_s = ours_s
        self.began, self.busy, self.ours = time.monotonic(), busy_s(), ours_s()

    def others_share(self):
        """Share of all cores, 0 to 1."""
        took = max(time.monotonic() - self.began, 1e-3) * os.cpu_count()
        others = (busy_s() - self.busy) - (self.ours_s() - self.ours)
        return max(0.0, others / took)
