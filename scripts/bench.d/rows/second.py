"""The first row once more with a second tool, which shares no code with ours: GWBENCH names the program.

It must know `sink ADDR...` and `load URL --pid P --conns N --lines L --secs S --data KIND --sinks A,B --copies C`,
and print `cpu_us/line`."""

import os
import re

import process
import sample
from gateway import Gateway
from load import DATABASE, KINDS
from process import Failed, Process


def second_tool(run):
    """The first row with the tool that GWBENCH names; left out without it."""
    program = os.environ.get("GWBENCH")
    if not program:
        return {"left_out": "GWBENCH is not set"}
    found = {}
    for data in KINDS:
        ports = process.free_ports(5)
        addresses = [f"127.0.0.1:{port}" for port in ports]
        urls = [f"http://{address}" for address in addresses]
        with Process([program, "sink", *addresses], os.path.join(run.work, "second.log")) as sink, \
                Gateway(run.work, "second", [urls[:2], urls[2:4]], kind="line-protocol") as gateway:
            taken = sample.in_turn(
                run.pick(4, 1),
                gateway=lambda: _load(run, program, gateway.url, gateway.process.pid, data, addresses[:4], 2),
                null=lambda: _load(run, program, urls[4], sink.pid, data, addresses[4:], 1))
        found[data] = sample.ratios([one / other for one, other in zip(taken["gateway"], taken["null"])])
        found[data]["taken"] = taken
        run.say(f"{data}: {found[data]['ratio']:.2f} null sinks")
    return found


def _load(run, program, url, pid, data, sinks, copies):
    said = process.run(
        [program, "load", f"{url}/write?db={DATABASE}", "--pid", pid, "--conns", 4, "--lines", 1000,
         "--secs", run.pick(3, 1), "--data", data, "--sinks", ",".join(sinks), "--copies", copies], 120)
    cost, bad = re.search(r"cpu_us/line (\S+)", said), re.search(r"bad (\d+)", said)
    if not cost or (bad and int(bad[1])):
        raise Failed(f"the second tool said {said.strip()[-200:]}")
    return float(cost[1])
