"""CPU per line with two shards against one, and how evenly two are busy."""

import time

import load as loads
import machine
import process
import sample
from gateway import Circles
from load import Load

MUST, GOAL = 1.15, 1.05
# The less busy shard against the busier one, with four fat connections.
BALANCE_MUST = 0.8
FAT = Load(data="tsbs", connections=1)
THIN = Load(data="small", connections=50, lines=10, rate=5000)
MIXES = {
    "4 fat connections": [FAT.but(connections=4)],
    "8 fat connections": [FAT.but(connections=8)],
    "3 fat connections": [FAT.but(connections=3)],
    "1 fat connection beside 50 thin ones": [FAT, THIN],
}


def two_against_one(run):
    """CPU per line of 2 shards against 1 at the same offered load: half of what 1 takes; 8 connections."""
    found = {"must": MUST, "goal": GOAL}
    for data in run.pick(["tsbs", "telegraf", "small"], ["tsbs"]):
        with Circles(run.work, "one", shards=1) as one, Circles(run.work, "two", shards=2) as two:
            top = sample.cost(one, Load(data=data, connections=8, seconds=run.pick(2, 0.8)))
            rate = round(top.outcome.lines_s / 2)
            load = Load(data=data, connections=8, seconds=run.pick(3, 1.2), rate=rate)
            taken = sample.in_turn(
                run.pick(4, 2), one=lambda: sample.cost(one, load), two=lambda: sample.cost(two, load))
        ratios = [two.us_per_line / one.us_per_line for one, two in zip(taken["one"], taken["two"])]
        found[data] = sample.ratios(ratios)
        found[data]["rate"] = rate
        found[data]["us_per_line"] = {
            name: sample.median([one.us_per_line for one in some]) for name, some in taken.items()}
        found[data]["taken"] = {name: [one.json() for one in some] for name, some in taken.items()}
        run.say(f"{data} at {rate} lines/s: {found[data]['ratio']:.3f}, must {MUST}, goal {GOAL}")
    return found


def balance(run):
    """Busy time of the less busy of two shards against the other one, closed loop, for some mixes of connections.
    Each turn with a gateway of its own: connections are placed anew."""
    found = {"must": BALANCE_MUST}
    for mix, some in MIXES.items():
        shards, cores = zip(*(_busy(run, some) for _ in range(run.pick(5, 1))))
        found[mix] = sample.ratios([one[0] / one[-1] for one in shards])
        found[mix] |= {"busy": _medians(shards), "cores": _medians(cores)}
        run.say(f"{mix}: busy {', '.join(f'{one:.0%}' for one in found[mix]['busy'])} of the time: {found[mix]['ratio']:.2f}; "
                f"the cores {', '.join(f'{one:.0%}' for one in found[mix]['cores'])}")
    return found


def _medians(turns):
    """Of the less busy ones of all turns, then of the others."""
    return [round(sample.median(side), 3) for side in zip(*turns)]


def _busy(run, some):
    """For which parts of the time the shards were busy under these loads, and the cores; the less busy one first."""
    seconds = run.pick(4, 1.5)
    with Circles(run.work, "balance", shards=2) as gateway:
        running = [loads.Running(gateway.url, load.but(seconds=seconds + 1)) for load in some]
        time.sleep(0.7)  # Connections are placed by how busy the shards were of late.
        before, began = process.threads_s(gateway.gateway.process.pid), time.monotonic()
        cores = machine.Cores()
        time.sleep(seconds - 0.5)
        after, took_s = process.threads_s(gateway.gateway.process.pid), time.monotonic() - began
        cores_busy = sorted(cores.busy())
        for one in running:
            one.finish()
    shards = sorted((after[name] - before.get(name, 0)) / took_s for name in after if name.startswith("shard-"))
    return shards, cores_busy
