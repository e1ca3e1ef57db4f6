"""The embedded store against influxd 1.6.7 under the same load and questions, one after the other in one run."""

import json
import os
import time

import load as loads
import process
import sample
from load import KINDS, Load
from stores import Store

BASE_NS = 1_700_000_000_000_000_000
STEP_NS = 10_000_000_000
WRITES_MUST, DISK_MUST, RANGE_MUST, MEAN_MUST, SERIES_MUST, START_MUST = 5, 1.05, 3, 3, 1, 1
PAIR = ("circlet", "influxd")


def _both(work):
    return {kind: Store(work, kind) for kind in PAIR}


def _end(stores):
    for store in stores.values():
        store.__exit__()


def writes(run):
    """Points that a CPU-second takes in, all work in the background included, and the bytes that they take on disk."""
    found = {}
    for data in KINDS:
        cost = {}
        for kind in PAIR:
            with Store(run.work, kind) as store:
                loads.write(store.url, Load(data=data, seconds=0.5))
                store.settle()
                before = store.cpu_s()
                outcome = loads.write(store.url, Load(data=data, seconds=run.pick(10, 3)))
                store.settle()
                cost[kind] = (store.end_cpu_s() - before) * 1e6 / outcome.lines
                found.setdefault("lines_s", {}).setdefault(data, {})[kind] = round(outcome.lines_s)
        found[data] = {"ratio": cost["influxd"] / cost["circlet"], "us_per_line": cost, "must": WRITES_MUST}
        run.say(f"{data}: {cost['circlet']:.2f} us a line against {cost['influxd']:.2f}: "
                f"{found[data]['ratio']:.1f} times as many points for a CPU-second, must {WRITES_MUST}")
    return found


def _points(path, series, first, count):
    """Lines of `count` points in time of each series: a counter and a measured value of three digits."""
    with open(path, "w") as file:
        for at in range(first, first + count):
            stamp = BASE_NS + at * STEP_NS
            for number in range(series):
                value = ((at * 7919 + number * 104729) % 1000) / 10
                file.write(f"m,host=h{number} v={value},c={at}i {stamp}\n")


def questions(run):
    """A raw range of a million points, and a mean over ten million by time, in seconds; the disk that they take."""
    series, times = run.pick(100, 20), run.pick(100_000, 5_000)
    block = 1_000
    stores = _both(run.work)
    path = os.path.join(run.work, "points.lp")
    for first in range(0, times, block):
        _points(path, series, first, block)
        for store in stores.values():
            store.write_file(path)
    os.remove(path)
    for store in stores.values():
        store.settle()
        store.restart()
        store.settle()
    points = series * times * 2
    disk = {kind: store.disk_bytes() / points for kind, store in stores.items()}
    found = {"points": points, "disk": {"ratio": disk["circlet"] / disk["influxd"], "bytes": disk, "must": DISK_MUST}}
    hosts = max(1, 1_000_000 // times) if series * times >= 1_000_000 else series
    some = "|".join(f"h{number}" for number in range(hosts))
    raw = f"SELECT v FROM m WHERE host =~ /^({some})$/"
    mean = f"SELECT mean(v) FROM m WHERE time >= {BASE_NS} AND time < {BASE_NS + times * STEP_NS} GROUP BY time(1h)"
    same = {kind: store.ask(mean + " fill(none) LIMIT 50", epoch="ns") for kind, store in stores.items()}
    found["same_mean"] = _alike(same)
    for name, text, must, words in (("range", raw, RANGE_MUST, {"chunked": "true"}), ("mean", mean, MEAN_MUST, {})):
        taken = sample.in_turn(run.pick(5, 3), **{
            kind: (lambda store=store: store.read_s(text, **words)) for kind, store in stores.items()})
        pairs = [theirs[0] / ours[0] for ours, theirs in zip(taken["circlet"], taken["influxd"])]
        found[name] = {**sample.ratios(pairs), "must": must, "bytes": taken["circlet"][0][1],
                       "seconds": {kind: sample.median([one[0] for one in taken[kind]]) for kind in PAIR}}
        run.say(f"{name}: {found[name]['ratio']:.1f} times as fast, must {must}: {found[name]['seconds']}")
    _end(stores)
    return found


def _alike(answers):
    """Whether both tell the same means, but for the last digits of their sums."""
    def rows(text):
        return json.loads(text)["results"][0]["series"][0]["values"]
    ours, theirs = (rows(answers[kind]) for kind in PAIR)
    alike = len(ours) == len(theirs) and all(
        one[0] == other[0] and abs(one[1] - other[1]) <= 1e-9 * abs(other[1]) for one, other in zip(ours, theirs))
    if not alike:
        raise process.Failed("the two answer differently")
    return True


def series(run):
    """Memory with a million series, and how long a start with them takes."""
    count, block = run.pick(1_000_000, 50_000), 10_000
    stores = _both(run.work)
    path = os.path.join(run.work, "series.lp")
    for first in range(0, count, block):
        with open(path, "w") as file:
            for number in range(first, first + block):
                file.write(f"cpu,host=server{number:07},region=r{number % 10} v={number % 100} {BASE_NS}\n")
        for store in stores.values():
            store.write_file(path)
    os.remove(path)
    found = {"series": count}
    memory, start = {}, {}
    question = f"SELECT v FROM cpu WHERE host = 'server{count - 1:07}'"
    for kind, store in stores.items():
        store.settle()
        store.restart()
        store.settle()
        began = store.restart()
        process.wait_until(lambda: '"values"' in store.ask(question), 300, f"{kind} finds its last series", 0.02)
        start[kind] = time.monotonic() - began
        store.settle()
        memory[kind] = store.rss_bytes() / 1e6
    found["memory"] = {"ratio": memory["circlet"] / memory["influxd"], "mb": memory, "must": SERIES_MUST}
    found["start"] = {"ratio": start["circlet"] / start["influxd"], "seconds": start, "must": START_MUST}
    run.say(f"{count:,} series: memory {found['memory']['ratio']:.2f} of influxd's {memory['influxd']:.0f} MB, "
            f"start {found['start']['ratio']:.2f} of its {start['influxd']:.1f} s")
    _end(stores)
    return found
