"""The programs that are measured, built once in release, and the folder of a run."""

import json
import os
import shutil
import subprocess
import tempfile
import time

from process import Failed

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
RESULTS = os.path.join(TARGET, "bench")
PROGRAMS = os.path.join(RESULTS, "programs.json")
BENCHES = ("disk", "gunzip", "merge", "ring", "batch", "frame", "parser")
_work = None


def build():
    """Builds the programs and the benches; gives the seconds that it took. Without the benches only their rows fail."""
    began = time.monotonic()
    words = ["cargo", "build", "--release", "--locked", "--workspace", "--bins", "--keep-going"]
    # In one go: the benches want other features of the dependencies, and would build everything again.
    benches = [word for name in BENCHES for word in ("--bench", name)]
    done = subprocess.run(
        [*words, *benches, "--message-format=json-render-diagnostics"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    messages = map(json.loads, done.stdout.splitlines())
    found = {message["target"]["name"]: message["executable"] for message in messages if message.get("executable")}
    if not {"circlet", "circlet-load"} <= set(found):
        raise Failed("the build failed")
    os.makedirs(RESULTS, exist_ok=True)
    with open(PROGRAMS, "w") as file:
        json.dump({name: found[name] for name in BENCHES if name in found}, file)
    return time.monotonic() - began


def gateway():
    return os.environ.get("CIRCLET_BINARY") or os.path.join(TARGET, "release", "circlet")


def load_tool():
    return os.environ.get("CIRCLET_LOAD_BINARY") or os.path.join(TARGET, "release", "circlet-load")


def bench_program(name):
    """The path of one of benches/ as a program, as the last build left it."""
    with open(PROGRAMS) as file:
        path = json.load(file).get(name)
    if not path or not os.path.exists(path):
        raise Failed(f"the bench {name} is not built")
    return path


def work():
    """A folder of this run on the disk that is measured; it goes with the run."""
    global _work
    if _work is None:
        os.makedirs(RESULTS, exist_ok=True)
        _work = tempfile.mkdtemp(prefix="run-", dir=os.environ.get("BENCH_DIRECTORY", RESULTS))
    return _work


def clean():
    if _work is not None:
        shutil.rmtree(_work, ignore_errors=True)


def commit():
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
