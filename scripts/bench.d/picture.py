"""The picture of growth: a panel for each axis, cost per line over what grows, both in powers."""

import math
from xml.sax.saxutils import escape

from table import AXES

PANEL, GAP, LEFT, TOP, HEIGHT = 170, 26, 58, 46, 250

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.paper { fill: #ffffff; } .grid { stroke: #d0d7de; } .ours { stroke: #0969da; fill: none; stroke-width: 2.2; }
.dot { fill: #0969da; } .null { stroke: #8c959f; fill: none; stroke-width: 1.6; stroke-dasharray: 4 3; }
.nulldot { fill: #8c959f; } .title { font-weight: 600; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .paper { fill: #0d1117; } .grid { stroke: #30363d; }
  .ours { stroke: #58a6ff; } .dot { fill: #58a6ff; } .null { stroke: #9198a1; } .nulldot { fill: #9198a1; }
}
"""


def growth(row):
    axes = [axis for axis in AXES if row.get(axis)]
    every = [one[key] for axis in axes for one in row[axis] for key in ("us_per_line", "null_us_per_line")]
    low, high = math.floor(math.log10(min(every))), math.ceil(math.log10(max(every)))
    width = LEFT + len(axes) * (PANEL + GAP)
    full = TOP + HEIGHT + 62
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {full}" width="{width}" height="{full}" role="img">',
        "<title>Microseconds of processor time a line, as things grow</title>",
        f"<style>{STYLE}</style>", f'<rect class="paper" width="{width}" height="{full}"/>',
        f'<text class="title" x="{LEFT}" y="18">CPU a line in microseconds: Circlet (solid), the null sink (dashed)</text>',
    ]
    parts += _grid(low, high, LEFT + len(axes) * (PANEL + GAP) - GAP)
    for place, axis in enumerate(axes):
        parts += _panel(LEFT + place * (PANEL + GAP), AXES[axis], row[axis], low, high)
    return "\n".join(parts) + "\n</svg>\n"


def _y(value, low, high):
    return TOP + HEIGHT * (high - math.log10(value)) / (high - low)


def _grid(low, high, right):
    for power in range(low, high + 1):
        y = _y(10 ** power, low, high)
        yield f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10 ** power:g}</text>'


def _panel(x, title, steps, low, high):
    first, last = math.log10(steps[0]["at"]), math.log10(steps[-1]["at"])
    places = [x + 12 + (PANEL - 24) * (math.log10(one["at"]) - first) / max(last - first, 1e-9) for one in steps]
    for key, line, dot in (("null_us_per_line", "null", "nulldot"), ("us_per_line", "ours", "dot")):
        points = [(place, _y(one[key], low, high)) for place, one in zip(places, steps)]
        yield f'<polyline class="{line}" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in points)}"/>'
        yield from (f'<circle class="{dot}" cx="{a:.1f}" cy="{b:.1f}" r="3"/>' for a, b in points)
    for place, one in zip(places, steps):
        yield f'<text x="{place:.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{_short(one["at"])}</text>'
    yield f'<text class="title" x="{x + PANEL / 2}" y="{TOP + HEIGHT + 42}" text-anchor="middle">{escape(title)}</text>'


def _short(count):
    if count >= 1_000_000:
        return f"{count // 1_000_000}M"
    return f"{count // 1000}k" if count >= 1000 else str(count)
