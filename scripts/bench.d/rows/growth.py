"""What grows: circles, backends, measurements, lines of a request, connections, and what a line costs then."""

import sample
from gateway import Circles, Null
from load import Load
from rows.cost import compare

BASE = Load(data="telegraf")
THIN = BASE.but(lines=100)
# The lines of a load are made beforehand; so many are made that most measurements are among them.
MANY = Load(data="small", lines=10_000, connections=32)

# Name of the axis -> what is written at each step, and how the gateway differs.
AXES = {
    "circles": [(count, BASE, {"circles": count}) for count in (1, 2, 3)],
    # A thousand measurements, so that every backend gets some.
    "backends": [(count, BASE.but(measurements=1000), {"backends": count}) for count in (2, 8, 32, 64)],
    "measurements": [(count, MANY.but(measurements=count, cardinality=count), {})
                     for count in (10, 1000, 100_000, 1_000_000)],
    "lines": [(count, BASE.but(lines=count), {}) for count in (1, 10, 100, 1000, 10_000)],
    "connections": [(count, THIN.but(connections=count), {}) for count in (1, 4, 64, 500, 2000)],
}


def growth(run):
    """Growth: circles, backends, measurements, lines per request, connections: cost per line at each step."""
    found = {}
    for axis, steps in AXES.items():
        found[axis] = rows = []
        for count, load, circles in run.pick(steps, [steps[0], steps[-1]]):
            rows.append({"at": count, **_step(run, load.but(seconds=run.pick(2, 0.5)), circles)})
            run.say(f"{axis} {count}: {rows[-1]['us_per_line']:.3f} us a line, {rows[-1]['ratio']:.1f} null sinks")
        for one, other in zip(rows, rows[1:]):
            other["growth"] = other["us_per_line"] / one["us_per_line"]
    return found


def _step(run, load, circles):
    with Circles(run.work, "growth", **circles) as gateway, Null(run.work) as null:
        if not run.quick:
            sample.warm_up(gateway, load)
            sample.warm_up(null, load)
        taken = sample.in_turn(
            run.pick(2, 1), gateway=lambda: sample.cost(gateway, load), null=lambda: sample.cost(null, load))
    row = compare(taken)
    row["rss_mb"] = max(one.rss_bytes for one in taken["gateway"]) / 1e6
    row["taken"] = {name: [one.json() for one in some] for name, some in taken.items()}
    return row
