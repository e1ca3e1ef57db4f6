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
_work = None


def build():
    """Builds both programs; gives the seconds that it took."""
    began = time.monotonic()
    done = subprocess.run(
        ["cargo", "build", "--release", "--locked", "--workspace", "--bins"], cwd=ROOT)
    if done.returncode != 0:
        raise Failed("the build failed")
    return time.monotonic() - began


def gateway():
    return os.environ.get("CIRCLET_BINARY") or os.path.join(TARGET, "release", "circlet")


def load_tool():
    return os.environ.get("CIRCLET_LOAD_BINARY") or os.path.join(TARGET, "release", "circlet-load")


def build_benches():
    """Builds the benches that rows run; gives the seconds that it took. One that cannot be built fails its rows."""
    began = time.monotonic()
    words = ["cargo", "bench", "--locked", "--no-run", "--message-format=json"]
    for name in BENCHES:
        done = subprocess.run(
            [*words, "--bench", name], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        paths = [message["executable"] for message in map(json.loads, done.stdout.splitlines())
                 if message.get("executable") and message["target"]["name"] == name]
        if done.returncode == 0 and paths:
            _bench_programs[name] = paths[-1]
        else:
            _bench_programs[name] = Failed(f"bench {name} was not built: {done.stderr.strip()[-300:]}")
    return time.monotonic() - began


def bench_program(name):
    """The path of one of benches/ as a program."""
    if not _bench_programs:
        build_benches()
    if isinstance(_bench_programs[name], Failed):
        raise _bench_programs[name]
    return _bench_programs[name]


BENCHES = ("disk", "gunzip", "ring", "batch", "frame", "parser")
_bench_programs = {}


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
