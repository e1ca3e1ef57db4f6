"""docs/performance.md: what stands between its markers is made from the results; the prose is not touched."""

import json
import os
import re

import build
import picture
import table
from process import Failed

DOCUMENT = os.path.join(build.ROOT, "docs", "performance.md")
PICTURE = os.path.join(build.ROOT, "docs", "performance-growth.svg")


def results():
    """Of the last whole run, or of a quick one where there was none."""
    paths = [os.path.join(build.RESULTS, name) for name in ("full.json", "quick.json")]
    there = [path for path in paths if os.path.exists(path)]
    if not there:
        raise Failed("there are no results yet")
    with open(there[0]) as file:
        return json.load(file)


def write(found):
    """Fills the parts of the document for which there are results, and draws the picture."""
    with open(DOCUMENT) as file:
        text = file.read()
    parts = {"run": _run(found), "table": _markdown(["what", "must", "goal", "measured", ""], table.rows(found))}
    rows = found["rows"]
    if _there(rows, "requests"):
        heads = ["requests", "us a line", "null sink", "ratio", "us a request", "null sink"]
        parts["requests"] = _markdown(heads, table.requests(rows["requests"]))
    if _there(rows, "growth"):
        heads = ["grows", "to", "us a line", "null sink", "null sinks", "against the step before", "memory, MB"]
        parts["growth"] = _markdown(heads, table.growth(rows["growth"]))
        with open(PICTURE, "w") as file:
            file.write(picture.growth(rows["growth"]))
    if _there(rows, "parts"):
        parts["parts"] = _markdown(["part", "us", "against", "us", "times as fast"], table.parts(rows["parts"]))
    for name, content in parts.items():
        text = fill(text, name, content)
    with open(DOCUMENT, "w") as file:
        file.write(text)


def write_store(found):
    """The part of the embedded store, which is measured by itself."""
    cells = _markdown(["what", "must", "measured", ""], [[what, must, measured, verdict]
                      for what, must, _, measured, verdict in table.store_rows(found)])
    with open(DOCUMENT) as file:
        text = file.read()
    with open(DOCUMENT, "w") as file:
        file.write(fill(text, "store", f"{_run(found)}\n\n{cells}"))


def write_profile(content):
    with open(DOCUMENT) as file:
        text = file.read()
    with open(DOCUMENT, "w") as file:
        file.write(fill(text, "profile", content))


def fill(text, name, content):
    """Puts content between the two markers of a part."""
    pattern = re.compile(rf"(<!-- bench:{name} -->\n).*?(<!-- /bench:{name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"docs/performance.md has no markers for {name}")
    return pattern.sub(lambda found: f"{found[1]}{content}\n{found[2]}", text)


def _there(rows, name):
    return name in rows and "failed" not in rows[name]


def _markdown(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join(lines)


def _dates(found):
    """When and of which version the rows are; rows may be measured anew alone."""
    runs = {}
    for name, row in found["rows"].items():
        runs.setdefault((row.get("date", found["date"]), row.get("commit", found["commit"])), []).append(name)
    if len(runs) < 2:
        return [f"- Date and version: {found['date']}, commit {found['commit']}; `{found['command']}` took {found['took_s'] // 60} min."]
    parts = [f"{date}, commit {commit}: `{','.join(names)}`" for (date, commit), names in sorted(runs.items())]
    return ["- Date and version, by `scripts/bench --no-build --rows …`: " + "; ".join(parts) + "."]


def _run(found):
    machine = found["machine"]
    noisy = sum(one["noisy"] for row in found["rows"].values() for one in row.values()
                if isinstance(one, dict) and "noisy" in one)
    short = ["- A quick run: short samples and few of them, so the figures are rough."] if found["quick"] else []
    return "\n".join([
        *_dates(found),
        f"- Machine: {machine['processor']}, {machine['cores']} cores that programs may use, {machine['memory_gb']} GB of memory, "
        f"Linux {machine['kernel']}, {found['disk']}.",
        f"- Load of the machine before: {machine['load_before']}. Samples of CPU per line during which others took more than 8 % "
        f"of it, or the probe was slow, after up to three tries: {noisy}.",
        *short,
    ])
