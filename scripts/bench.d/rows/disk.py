"""What a durable write costs in time, against the bare disk."""

import json

import build
import load as loads
import process
import sample
from gateway import Circles, Null
from load import Load

# 15 lines of tsbs are 5.2 KB.
FIVE_KB = Load(data="tsbs", lines=15, connections=16)
WRITERS = Load(data="small", lines=1, connections=16)


def bare(run):
    """4 KiB direct writes, each with fdatasync, one after the other, over a file of zeros."""
    return json.loads(process.run([build.bench_program("disk"), run.work, run.pick(2, 0.8)], 120))


def _delivered(gateway, load):
    """The load, which ends when the sinks have all its lines."""
    had = gateway.delivered()
    outcome = loads.write(gateway.url, load)
    sample.wait_for_sinks(gateway, had, outcome)
    return outcome


def _beside_bare(run, gateway, load_of_turn):
    """The load, the bare disk, and the same load to a null sink, in turn. The null sink touches no disk: what it
    takes is the machine's own part."""
    load = None

    def begin():
        nonlocal load
        load = load_of_turn()

    with Null(run.work) as null:
        return sample.in_turn(
            run.pick(5, 2), begin, write=lambda: _delivered(gateway, load), bare=lambda: bare(run),
            null=lambda: loads.write(null.url, load))


def latency(run):
    """p99 of a 5 KB write, ack durable, at half load, against p99 of a bare 4 KiB direct write + fdatasync."""
    rates = []

    def half():
        # Anew each time: on a shared machine, half of what went a minute ago may be more than goes now.
        top = _delivered(gateway, FIVE_KB.but(seconds=run.pick(2, 0.6)))
        rates.append(top.requests_s / 2)
        return FIVE_KB.but(seconds=run.pick(3, 1.2), rate=round(top.lines_s / 2))

    with Circles(run.work, "latency") as gateway:
        taken = _beside_bare(run, gateway, half)
    found = sample.ratios([one.p99_us / other["p99_us"] for one, other in zip(taken["write"], taken["bare"])])
    found.update(must=3, goal=2, rate=sample.median(rates), rates=rates)
    found["write_p99_us"] = [round(one.p99_us, 1) for one in taken["write"]]
    found["write_p50_us"] = [round(one.p50_us, 1) for one in taken["write"]]
    found["null_p99_us"] = [round(one.p99_us, 1) for one in taken["null"]]
    found["bare"] = taken["bare"]
    run.say(f"p99 {sample.median(found['write_p99_us']):.0f} us at {found['rate']:.0f} writes/s, bare "
            f"{sample.median([one['p99_us'] for one in taken['bare']]):.0f} us: {found['ratio']:.2f}, must 3, goal 2; "
            f"null sink {sample.median(found['null_p99_us']):.0f} us")
    return found


def group_commit(run):
    """Acks per second of 16 writers of one line each, ack durable, against bare 4 KiB write + fdatasync per second."""
    load = WRITERS.but(seconds=run.pick(3, 1.2))
    with Circles(run.work, "group") as gateway:
        taken = _beside_bare(run, gateway, lambda: load)
    pairs = zip(taken["write"], taken["bare"])
    found = sample.ratios([one.requests_s / other["writes_s"] for one, other in pairs])
    found.update(must=6, goal=12)
    found["acks_s"] = [round(one.requests_s) for one in taken["write"]]
    found["null_s"] = [round(one.requests_s) for one in taken["null"]]
    found["bare_s"] = [round(one["writes_s"]) for one in taken["bare"]]
    run.say(f"{sample.median(found['acks_s']):.0f} acks/s, bare {sample.median(found['bare_s']):.0f}/s: "
            f"{found['ratio']:.2f}, must 6, goal 12; null sink {sample.median(found['null_s']):.0f}/s")
    return found
