"""Where the time of the gateway goes under load, by samples of its stacks; and the instructions of checking,
routing and copying alone, by callgrind. Needs perf and valgrind; says which of them is missing."""

import os
import re
import shutil
import subprocess
import time
from collections import Counter

import build
import capture
import document
import load as loads
import process
from gateway import Circles
from load import KINDS, Load

SECONDS = 4
# Kinds of work of the kernel, by what stands anywhere in the stack; the first that fits counts.
KERNEL = [
    ("kernel: network", re.compile(r"tcp_|inet_|sock_|__sys_(sendto|recvfrom|sendmsg|recvmsg)|net_rx|skb_")),
    ("kernel: disk", re.compile(r"ext4|xfs|blk_|bio_|iomap|virtblk|fdatasync|vfs_fsync|jbd2|submit_bio")),
    ("kernel: io_uring", re.compile(r"io_uring|io_submit|io_issue|io_cqring|io_wq|io_worker|__io_")),
    ("kernel: memory", re.compile(r"page_fault|madvise|munmap|mmap|clear_page")),
]
SHOWN = 14


def profile(run):
    """Profiles of the three data sets; gives the markdown for the document."""
    text = []
    for data in KINDS:
        text += [f"### {data}", "", _time(run, data), "", _instructions(run, data), ""]
        run.say(f"{data}\n" + "\n".join(text[-4:]))
    return "\n".join(text).rstrip()


def _time(run, data):
    if not shutil.which("perf"):
        return "No profile by time: perf is not installed."
    file = os.path.join(run.work, f"perf-{data}")
    with Circles(run.work, f"profile-{data}") as gateway:
        load = Load(data=data, seconds=SECONDS + 2)
        running = loads.Running(gateway.url, load)
        time.sleep(1)
        process.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "-g", "-p", gateway.gateway.process.pid,
                     "-o", file, "--", "sleep", SECONDS], 60)
        running.finish()
    said = process.run(["perf", "script", "-i", file, "-F", "comm,ip,sym"], 120)
    kinds, symbols = Counter(), Counter()
    for stack in said.split("\n\n"):
        # The first line names the thread, then come addresses and names from the innermost.
        names = [line.split(None, 1)[1] if " " in line.strip() else "?" for line in stack.strip().splitlines()[1:]]
        if names:
            kinds[_kind(names)] += 1
            symbols[_short(names[0])] += 1
    all_samples = sum(kinds.values())
    lines = [f"By time, {all_samples:,} samples:", "", "| where | share |", "|---|---|"]
    lines += [f"| {name} | {100 * count / all_samples:.1f} % |" for name, count in kinds.most_common()]
    return "\n".join([*lines, "", *_functions(symbols, all_samples)])


def _functions(counts, total):
    """The most frequent ones; as text, because names of functions are no words of ours."""
    rows = [f"{100 * count / total:5.1f} %  {name}" for name, count in counts.most_common(SHOWN)]
    return ["```text", *rows, "```"]


def _kind(names):
    text = " ".join(name for name in names if "::" not in name)
    if any("entry_SYSCALL" in name or "asm_" in name or name in ("ret_from_fork_asm", "ret_from_fork") for name in names):
        return next((kind for kind, pattern in KERNEL if pattern.search(text)), "kernel: other")
    return "Circlet, and its libraries"


def _short(name):
    """Without the hash at the end and without type parameters."""
    name = re.sub(r"::h[0-9a-f]{16}$", "", name)
    while "<" in name[1:]:
        smaller = re.sub(r"(?<=.)<[^<>]*>", "", name)
        if smaller == name:
            break
        name = smaller
    return name.replace("|", "/")[:90]


def _instructions(run, data):
    if not shutil.which("valgrind"):
        return "No profile by instructions: valgrind is not installed."
    body = capture.body(run, Load(data=data))
    out = os.path.join(run.work, f"callgrind-{data}")
    rounds = 3
    process.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", build.bench_program("frame"), rounds, body], 300)
    with open(body, "rb") as file:
        lines_made = file.read().count(b"\n")
    said = process.run(["callgrind_annotate", "--threshold=100", "--auto=no", "--tree=none", out], 120)
    total, functions = 0, Counter()
    for line in said.splitlines():
        found = re.match(r"\s*([\d,]+) \([ \d.]+%\)\s+(.*)", line)
        if not found:
            continue
        count = int(found[1].replace(",", ""))
        if "PROGRAM TOTALS" in found[2]:
            total = count
        else:
            name = re.sub(r"^[^:]*:(?!:)", "", found[2].split(" [")[0])
            functions[_short(name)] += count
    text = [f"By instructions, of checking, routing and copying alone (`benches/frame.rs`, {lines_made:,} lines a body; valgrind has no AVX-512):", "",
            *_functions(functions, total)]
    return "\n".join(text)


def main(run):
    text = profile(run)
    document.write_profile(text)
    return text
