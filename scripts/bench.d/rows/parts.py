"""The parts alone: what `cargo bench` says of each bench and of its reference in the same run."""

import json
import os
import re
import subprocess

import build
import process
import sample
from load import KINDS
from process import Failed

# What the parser's bench calls its ways -> must and goal, in times the crate.
WAYS = {
    "circlet": {"must": {"tsbs": 15, "telegraf": 15, "small": 15}, "goal": {"tsbs": 22, "telegraf": 22, "small": 24}},
    "circlet, nom alone": {"must": {"tsbs": 5, "telegraf": 5, "small": 5}, "goal": {}},
    "circlet, portable": {"must": {}, "goal": {}},
}


def parser(run):
    """Full validation on one core against the crate influxdb-line-protocol on the same bytes, and nom alone."""
    found = {way: {} for way in WAYS}
    tables = [_parser_table() for _ in range(run.pick(5, 1))]
    for way, aims in WAYS.items():
        for kind in KINDS:
            row = sample.ratios([table[kind, way]["times"] for table in tables])
            row["gb_s"] = sample.median([table[kind, way]["gb_s"] for table in tables])
            row.update({aim: aims[aim][kind] for aim in aims if kind in aims[aim]})
            found[way][kind] = row
            run.say(f"{way}, {kind}: {row['ratio']:.1f} times the crate, {row['gb_s']:.2f} GB/s")
    return found


def _parser_table():
    """The table that the bench prints after criterion's figures, for which nothing is asked here."""
    said = process.run([build.bench_program("parser"), "--bench", "none of them"], 300)
    found = {}
    for line in said.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if len(cells) == 5 and cells[0] in KINDS:
            found[cells[0], cells[1]] = {"gb_s": float(cells[2]), "times": float(cells[4])}
    if not found:
        raise Failed("the bench of the parser printed no table")
    return found


def _criterion(run, bench):
    """Runs a bench; gives the median nanoseconds of each of its measurements, by their names."""
    words = run.pick(["--warm-up-time", "0.5", "--measurement-time", "2"],
                     ["--warm-up-time", "0.1", "--measurement-time", "0.4", "--sample-size", "10"])
    home = os.path.join(run.work, f"criterion-{bench}")
    done = subprocess.run(
        [build.bench_program(bench), "--bench", "--noplot", *words], cwd=run.work, stdin=subprocess.DEVNULL,
        env={**os.environ, "CRITERION_HOME": home}, capture_output=True, text=True, timeout=900)
    if done.returncode != 0:
        raise Failed(f"bench {bench}: {' '.join(done.stderr.strip().splitlines()[-3:])}")
    found = {}
    for folder, _, names in os.walk(home):
        if folder.endswith("/new") and "estimates.json" in names:
            with open(os.path.join(folder, "benchmark.json")) as file:
                name = json.load(file)["full_id"]
            with open(os.path.join(folder, "estimates.json")) as file:
                found[name] = json.load(file)["median"]["point_estimate"]
    if not found:
        raise Failed(f"bench {bench} left no estimates")
    return found


def parts(run):
    """Benches of the parts, each against its reference: ring, batch, gunzip, merging."""
    found = {}
    for bench in ("ring", "batch", "gunzip", "merge"):
        found[bench] = times = _criterion(run, bench)
        for name, ns in sorted(times.items()):
            run.say(f"{name}: {ns:.0f} ns")
    return found
