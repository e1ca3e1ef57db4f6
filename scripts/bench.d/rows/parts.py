"""The parts alone: what `cargo bench` says of each bench and of its reference in the same run."""

import json
import os
import re
import subprocess

import build
from process import Failed

MUST = {"simd": {"tsbs": 15, "telegraf": 15, "small": 15}, "nom": {"tsbs": 5, "telegraf": 5, "small": 5}}
GOAL = {"simd": {"tsbs": 22, "telegraf": 22, "small": 24}}


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
    """Benches of the parts, each against its reference: ring, batch, gunzip."""
    found = {}
    for bench in ("ring", "batch", "gunzip"):
        found[bench] = times = _criterion(run, bench)
        for name, ns in sorted(times.items()):
            run.say(f"{name}: {ns:.0f} ns")
    return found
