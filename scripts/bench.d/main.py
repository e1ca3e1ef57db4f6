"""The command line, and the order of a run."""

import argparse
import datetime
import json
import os
import signal
import sys
import time

import build
import document
import machine
import process
import profiles
import sample
from process import Failed
from rows import ROWS, STORE_ROWS


class Run:
    """What every row is given: how long to take, where to work, and how to say something."""

    def __init__(self, quick):
        self.quick = quick
        self.work = build.work()
        self.began = time.monotonic()

    def pick(self, full, quick):
        return quick if self.quick else full

    def say(self, text):
        print(f"[{time.monotonic() - self.began:5.0f} s] {text}", file=sys.stderr, flush=True)


def _arguments(words, doc):
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("word", nargs="?", choices=["run", "store", "profile", "write"], default="run")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true", help="print the results")
    parser.add_argument("--rows", default="", help="names, with commas between")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--no-build", action="store_true", help="take the programs that are there")
    return parser.parse_args(words)


def main(words, doc):
    arguments = _arguments(words, doc)
    if arguments.list:
        print("\n".join(f"{name:14} {row.__doc__.strip().splitlines()[0]}" for name, row in {**ROWS, **STORE_ROWS}.items()))
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    try:
        if arguments.word == "profile":
            if not arguments.no_build:
                build.build()
            print(profiles.main(Run(arguments.quick)))
            return 0
        if arguments.word == "write":
            document.write(document.results())
            return 0
        return measure(arguments)
    except Failed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        process.end_all()
        build.clean()


def measure(arguments):
    known = {**ROWS, **STORE_ROWS}
    usual = STORE_ROWS if arguments.word == "store" else ROWS
    names = [name for name in arguments.rows.split(",") if name] or list(usual)
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no such row: {', '.join(unknown)} (see --list)", file=sys.stderr)
        return 2
    build_s = 0 if arguments.no_build else build.build()
    run = Run(arguments.quick)
    sample.patience_s = run.pick(300, 0)
    results = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "command": " ".join(["scripts/bench", *sys.argv[1:]]), "quick": arguments.quick,
        "commit": build.commit(), "build_s": round(build_s), "machine": machine.describe(),
        "disk": machine.file_system(run.work), "rows": {},
    }
    for name in names:
        results["rows"][name] = _row(run, name)
    results["took_s"] = round(time.monotonic() - run.began)
    path = _keep(results, arguments)
    run.say(f"written to {os.path.relpath(path)}")
    if arguments.word == "store":
        document.write_store(results)
    elif not arguments.quick:
        document.write(document.results())
    if arguments.json:
        print(json.dumps(results))
    return 1 if any("failed" in row for row in results["rows"].values()) else 0


def _row(run, name):
    """One row; whatever goes wrong in it is its result."""
    began = time.monotonic()
    run.say(f"== {name}")
    try:
        found = {**ROWS, **STORE_ROWS}[name](run)
    except Exception as error:  # noqa: BLE001: one row must not stop the others
        reason = str(error) if isinstance(error, Failed) else f"{type(error).__name__}: {error}"
        run.say(f"{name} FAILED: {reason}")
        found = {"failed": reason}
        if not isinstance(error, Failed) and os.environ.get("BENCH_TRACE"):
            raise
    finally:
        process.end_all()
    found["took_s"] = round(time.monotonic() - began, 1)
    return found


def _keep(results, arguments):
    """Some rows only go into the results of the last run of their kind, in place of the old ones."""
    os.makedirs(build.RESULTS, exist_ok=True)
    kind = ("store-" if arguments.word == "store" else "") + ("quick.json" if arguments.quick else "full.json")
    path = os.path.join(build.RESULTS, kind)
    if arguments.rows and os.path.exists(path):
        with open(path) as file:
            old = json.load(file)
        for name, row in results["rows"].items():
            row["date"], row["commit"] = results["date"], results["commit"]
            old["rows"][name] = row
        results = old
    with open(path, "w") as file:
        json.dump(results, file, indent=1)
    return path
