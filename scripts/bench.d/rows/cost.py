"""CPU per line against the null sink: plain, compressed, and with smaller requests."""

import json
import os

import build
import capture
import process
import sample
from gateway import Circles, Null
from load import KINDS, Load

PLAIN = {"tsbs": (10, 6), "telegraf": (12, 7), "small": (12, 7)}
COMPRESSED = {"tsbs": (11, 7), "telegraf": (13, 8), "small": (13, 8)}


def plain(run):
    """CPU per line in null sinks: 4 connections, 1,000-line bodies, 2 x 2 null backends, 1 shard, ack durable."""
    found = {}
    for data in KINDS:
        load = Load(data=data, seconds=run.pick(3, 1))
        found[data] = against_null(run, run.pick(5, 2), load)
        found[data]["must"], found[data]["goal"] = PLAIN[data]
        run.say(f"{data}: {found[data]['ratio']:.2f} null sinks, must {PLAIN[data][0]}, goal {PLAIN[data][1]}")
    return found


def against_null(run, turns, load, null_load=None, **circles):
    """The gateway and the null sink under the same load, in turn."""
    with Circles(run.work, f"cost-{load.data}", **circles) as gateway, Null(run.work) as null:
        sample.warm_up(gateway, load)
        taken = sample.in_turn(
            turns, gateway=lambda: sample.cost(gateway, load),
            null=lambda: sample.cost(null, null_load or load))
    return compare(taken)


def compare(taken):
    """The ratio turn by turn, and what it is made of."""
    pairs = zip(taken["gateway"], taken["null"])
    found = sample.ratios([one.us_per_line / other.us_per_line for one, other in pairs])
    found["us_per_line"] = sample.median([one.us_per_line for one in taken["gateway"]])
    found["null_us_per_line"] = sample.median([one.us_per_line for one in taken["null"]])
    found["lines_s"] = sample.median([one.outcome.lines_s for one in taken["gateway"]])
    found["noisy"] = sum(one.noisy for one in taken["gateway"] + taken["null"])
    found["taken"] = {name: [one.json() for one in some] for name, some in taken.items()}
    return found


def compressed(run):
    """The same with gzip + chunked, less what inflating the same bodies alone costs; the sink gets them plain."""
    found = {}
    for data in KINDS:
        plain_load = Load(data=data, seconds=run.pick(3, 1))
        load = plain_load.but(gzip=True, chunked=True)
        body = capture.body(run, load)
        with Circles(run.work, f"gzip-{data}") as gateway, Null(run.work) as null:
            sample.warm_up(gateway, load)
            taken = sample.in_turn(
                run.pick(5, 1), gateway=lambda: sample.cost(gateway, load),
                null=lambda: sample.cost(null, plain_load), inflate=lambda: inflate_alone(run, body))
        found[data] = _less_inflating(taken)
        found[data]["must"], found[data]["goal"] = COMPRESSED[data]
        run.say(f"{data}: {found[data]['ratio']:.2f} null sinks beside {found[data]['inflate_sinks']:.2f} for inflating, "
                f"must {COMPRESSED[data][0]}, goal {COMPRESSED[data][1]}")
    return found


def inflate_alone(run, body):
    """Microseconds a line of every way to inflate this body: Circlet's two, zlib-rs, libdeflate."""
    return json.loads(process.run([build.bench_program("gunzip"), "alone", body, run.pick(1, 0.4)], 60))


def _less_inflating(taken):
    inflates = taken.pop("inflate")
    # The cheapest way counts, so that a slow one of ours would not make the rest look cheap.
    least = [min(inflate["us_per_line"].values()) for inflate in inflates]
    found = compare(taken)
    ratios = [(one.us_per_line - less) / null.us_per_line
              for one, null, less in zip(taken["gateway"], taken["null"], least)]
    found["with_inflating"] = found["ratio"]
    found.update(sample.ratios(ratios))
    found["inflate_us_per_line"] = {
        way: sample.median([inflate["us_per_line"][way] for inflate in inflates]) for way in inflates[0]["us_per_line"]}
    found["inflate_sinks"] = sample.median(least) / found["null_us_per_line"]
    found["packed_share"] = inflates[0]["packed_share"]
    return found


def requests(run):
    """The same with 100-line and 10-line requests."""
    found = {}
    for data in run.pick(KINDS, KINDS[:1]):
        for lines in (100, 10):
            load = Load(data=data, lines=lines, seconds=run.pick(2, 0.8))
            found[f"{data} {lines}"] = row = against_null(run, run.pick(3, 1), load)
            per_request = row["us_per_line"] * lines
            row["us_per_request"], row["null_us_per_request"] = per_request, row["null_us_per_line"] * lines
            run.say(f"{data}, {lines} lines: {row['ratio']:.2f} null sinks, {per_request:.1f} us a request")
    return found
