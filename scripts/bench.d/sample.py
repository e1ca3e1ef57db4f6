"""Samples: one measurement with the noise around it, taken in turns, and what many of them come to."""

import statistics
import time
from dataclasses import dataclass

import load as loads
import machine
import process
from process import Failed

# A sample is taken again when others had more of the machine than this, or the probe ran slower by this.
OTHERS_MAX, PROBE_MAX = 0.08, 1.35
TRIES = 3
# Seconds of a run that may go into samples taken again; `main` sets it.
patience_s = 0.0

_quiet_probe_ns = float("inf")


@dataclass
class Cost:
    """Processor time of a server for a line, until everything that it owes has arrived."""

    us_per_line: float
    outcome: loads.Outcome
    rss_bytes: int
    others_share: float
    probe_ns: float
    noisy: bool

    def json(self):
        return {
            "us_per_line": round(self.us_per_line, 5), "lines": self.outcome.lines,
            "lines_s": round(self.outcome.lines_s), "requests_s": round(self.outcome.requests_s),
            "bytes_per_line": round(self.outcome.bytes / max(1, self.outcome.lines), 1),
            "p99_us": self.outcome.p99_us, "rss_mb": round(self.rss_bytes / 1e6, 1),
            "others": round(self.others_share, 3), "probe_ns": round(self.probe_ns, 3),
            "noisy": self.noisy,
        }


def probe():
    """The probe now, and whether it is far above the best one of this run."""
    global _quiet_probe_ns
    now = machine.probe_ns()
    _quiet_probe_ns = min(_quiet_probe_ns, now)
    return now, now > _quiet_probe_ns * PROBE_MAX


def warm_up(server, load):
    """A short load that nobody counts, so that what happens once in a life is over."""
    _cost(server, load.but(seconds=0.3, rate=0), 60)


def cost(server, load, wait_s=60):
    """One sample of the cost per line; taken again while others disturb it, the quietest one counts."""
    global patience_s
    best = _cost(server, load, wait_s)
    for _ in range(TRIES - 1):
        if not best.noisy or patience_s <= 0:
            break
        began = time.monotonic()
        best = min(best, _cost(server, load, wait_s), key=lambda found: found.others_share)
        patience_s -= time.monotonic() - began
    return best


def _cost(server, load, wait_s):
    before_ns, slow_before = probe()
    had, cpu = server.delivered(), server.cpu_s()
    running = None

    def ours_s():
        return server.all_cpu_s() + time.process_time() + (running.usage_s if running else 0)

    watch = machine.Watch(ours_s)
    running = loads.Running(server.url, load)
    outcome = running.finish()
    wait_for_sinks(server, had, outcome, wait_s)
    cpu = server.cpu_s() - cpu
    others = watch.others_share()
    after_ns, slow_after = probe()
    if outcome.lines == 0:
        raise Failed("nothing was acknowledged")
    noisy = others > OTHERS_MAX or slow_before or slow_after
    rss = server.rss_bytes()
    return Cost(cpu * 1e6 / outcome.lines, outcome, rss, others, max(before_ns, after_ns), noisy)


def wait_for_sinks(server, had, outcome, wait_s=60):
    """Until the sinks, which had `had` lines before, have all lines of this load."""
    owed = outcome.lines * server.copies
    process.wait_until(
        lambda: server.delivered() - had >= owed, wait_s,
        f"{owed} lines at the sinks, {server.delivered() - had} are there")


def ratios(pairs):
    """Median, lowest and highest of a list of ratios."""
    pairs = sorted(pairs)
    return {"ratio": statistics.median(pairs), "low": pairs[0], "high": pairs[-1], "samples": len(pairs)}


def in_turn(times, begin=None, **takes):
    """Takes each sample in turn, `times` times over, `begin` before each time; gives a list for each name."""
    found = {name: [] for name in takes}
    for turn in range(times):
        if begin:
            begin()
        # The other way round every second time, so that nothing is always the first after the other.
        order = list(takes) if turn % 2 == 0 else list(takes)[::-1]
        for name in order:
            found[name].append(takes[name]())
    return found


def median(values):
    return statistics.median(values)
