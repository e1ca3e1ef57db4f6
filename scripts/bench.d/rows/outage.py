"""Backends that hang, that are dead, and that come back."""

import signal
import time

import load as loads
import memory
import process
import sample
from gateway import Gateway
from load import Load, Sink

MEGA = 1e6


class Apart:
    """A gateway before 2 circles of 2 backends; each backend of its own process where `apart`, else each circle."""

    def __init__(self, run, name, ack="durable", apart=False, shards=1):
        self.sinks = [Sink(run.work, f"{name}-{number}", 1 if apart else 2) for number in range(4 if apart else 2)]
        urls = [url for sink in self.sinks for url in sink.urls]
        self.gateway = Gateway(run.work, name, [urls[:2], urls[2:]], shards=shards, ack=ack)
        self.url = self.gateway.url

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gateway.stop()
        for sink in self.sinks:
            sink.stop()


def hang(run):
    """A backend that hangs: client throughput against no such backend, and the growth of memory; ack durable and delivered."""
    seconds = run.pick(60, 2)
    found = {"seconds": seconds, "rss_must_mb": 64}
    for ack, must in (("durable", 0.95), ("delivered", 0.9)):
        found[ack] = row = _hang(run, ack, seconds)
        row["must"] = must
        run.say(f"{ack}: {row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f}) of the throughput without, must {must}; "
                f"memory grew by {row['rss_growth_mb']:.0f} MB")
    return found


def _hang(run, ack, seconds):
    """Two gateways under load in turn, one with a backend that hangs: a machine is not the same a minute later."""
    load = Load(data="tsbs", seconds=run.pick(10, 1))
    with Apart(run, f"calm-{ack}", ack=ack, apart=True) as calm, Apart(run, f"hang-{ack}", ack=ack, apart=True) as circles:
        for each in (calm, circles):
            loads.write(each.url, load.but(seconds=run.pick(5, 0.5)))
        rss = circles.gateway.process.rss_bytes()
        stuck = circles.sinks[0].process
        stuck.send(signal.SIGSTOP)
        with memory.Memory(circles.gateway.process) as seen:
            # Until it is known that it hangs, ack delivered waits for it.
            if ack == "delivered":
                loads.write(circles.url, load.but(seconds=run.pick(6, 4)))
            taken = sample.in_turn(
                round(seconds / load.seconds), without=lambda: loads.write(calm.url, load), during=lambda: loads.write(circles.url, load))
        stuck.send(signal.SIGCONT)
    lines = {name: [round(outcome.lines_s) for outcome in outcomes] for name, outcomes in taken.items()}
    return {
        **sample.ratios([one / other for one, other in zip(lines["during"], lines["without"])]),
        "rss_growth_mb": (seen.most() - rss) / MEGA, "rss_before_mb": rss / MEGA, "lines_s": lines,
        "p99_us": {name: [outcome.p99_us for outcome in outcomes] for name, outcomes in taken.items()},
    }


def dead(run):
    """All backends dead under full load: memory, and bytes on disk per byte of lines."""
    found = {"disk_must": 1.1}
    cases = [("2 x 2", 2, 1, Load(data="tsbs")), ("2 x 2, 2 shards", 2, 2, Load(data="tsbs")),
             ("2 x 64, 1,000 measurements", 64, 1, Load(data="tsbs", measurements=1000))]
    for name, backends, shards, load in run.pick(cases, [cases[0], cases[2]]):
        found[name] = row = _dead(run, backends, shards, load.but(seconds=run.pick(20, 4)))
        run.say(f"{name}: memory {row['rss_mb']:.0f} MB, must be below {row['rss_must_mb']}, last third against "
                f"the middle {row['rss_last_third_mb']:+.1f} MB; {row['disk_per_byte']:.3f} bytes on disk a byte, must 1.1")
    return found


def _dead(run, backends, shards, load):
    ports = process.free_ports(2 * backends)
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    with Gateway(run.work, "dead", [urls[:backends], urls[backends:]], shards=shards) as gateway:
        with memory.Memory(gateway.process) as seen:
            outcome = loads.write(gateway.url, load)
        segments = gateway.log_bytes()
        everything = memory.taken_bytes(gateway.directory)
        lost = gateway.metric("circlet_lost_points_total")
    thirds = seen.thirds()
    return {
        "rss_mb": seen.most() / MEGA, "rss_must_mb": 80 + 20 * shards,
        "rss_thirds_mb": [round(third / MEGA, 1) for third in thirds],
        "rss_last_third_mb": (thirds[-1] - thirds[-2]) / MEGA,
        "disk_per_byte": segments / outcome.bytes, "all_files_per_byte": everything / outcome.bytes,
        "line_bytes": outcome.bytes, "segment_bytes": segments, "lines_s": round(outcome.lines_s), "lost": lost,
        "rss": [(round(at, 1), round(bytes_ / MEGA, 1)) for at, bytes_ in seen.seen[::5]],
    }


def catch_up(run):
    """Catch-up of a circle after an outage against the live rate, which is a quarter of full load and goes on."""
    turns = [_catch_up(run) for _ in range(run.pick(3, 1))]
    middle = sorted(turns, key=lambda one: one["ratio"])[len(turns) // 2]
    found = {**middle, **sample.ratios([one["ratio"] for one in turns]), "turns": turns}
    found.update(must=3, p99_must=2, p99=sample.ratios([one["p99_ratio"] for one in turns]))
    run.say(f"{found['ratio']:.2f} times the live rate ({found['low']:.2f} to {found['high']:.2f}), must 3; live p99 "
            f"{found['p99']['ratio']:.2f} times ({found['p99']['low']:.2f} to {found['p99']['high']:.2f}), must 2")
    return found


def _catch_up(run):
    with Apart(run, "catch-up") as circles:
        alive, broken = circles.sinks
        top = loads.write(circles.url, Load(data="tsbs", seconds=run.pick(3, 1)))
        rate = top.lines_s / 4
        live = Load(data="tsbs", rate=round(rate), seconds=run.pick(8, 2))
        process.wait_until(lambda: alive.counted() == broken.counted(), 60, "both circles are even")
        before = loads.write(circles.url, live)
        process.wait_until(lambda: alive.counted() == broken.counted(), 60, "both circles are even")
        even = alive.counted()
        broken.stop()
        loads.write(circles.url, live.but(seconds=run.pick(40, 5)))
        running = loads.Running(circles.url, live.but(seconds=run.pick(10, 2.5)))
        broken.start()
        rates, caught_s = _follow(alive, broken, even, rate)
        during = running.finish()
    return {
        "ratio": rates / rate, "live_lines_s": round(rate), "catch_up_lines_s": round(rates), "caught_up_s": caught_s,
        "p99_without_us": before.p99_us, "p99_with_us": during.p99_us, "p99_ratio": during.p99_us / before.p99_us,
    }


def _follow(alive, broken, even, rate):
    """Lines a second to the circle that came back, from its first line until it is even; and the seconds of that."""
    process.wait_until(lambda: broken.counted() > 0, 30, "the first line after the outage")
    began, had = time.monotonic(), broken.counted()
    # What is on its way does not count: a tenth of a second of live lines.
    process.wait_until(
        lambda: alive.counted() - even - broken.counted() <= rate / 10, 240, "the circle has caught up", 0.01)
    took = time.monotonic() - began
    return (broken.counted() - had) / took, took
