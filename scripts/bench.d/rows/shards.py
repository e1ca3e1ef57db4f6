"""CPU per line with two shards against one."""

import sample
from gateway import Circles
from load import Load

MUST, GOAL = 1.15, 1.05


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
