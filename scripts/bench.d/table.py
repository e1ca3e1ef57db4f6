"""What the results come to in words: the rows of the table in docs/performance.md."""

KINDS = ("tsbs", "telegraf", "small")
MISSED, MET = "**missed**", "met"
# Memory is flat when the last third of the time adds less than this part of the limit.
FLAT = 10


def rows(results):
    """Lists of cells: what, must, goal, measured, verdict."""
    return _rows(results, WRITERS)


def store_rows(results):
    """The same of the embedded store."""
    return _rows(results, STORE_WRITERS)


def _rows(results, writers):
    made = []
    for name, write in writers:
        row = results["rows"].get(name)
        if row is None:
            made.append([TITLES[name], "", "", "not measured", ""])
        elif "failed" in row:
            made.append([TITLES[name], "", "", f"failed: {row['failed'][:120]}", ""])
        else:
            made.extend(write(row))
    return made


def number(value):
    """Three digits, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(row):
    low, high = number(row["low"]), number(row["high"])
    return f"{number(row['ratio'])} ({low} to {high})" if row["samples"] > 1 else number(row["ratio"])


def at_most(value, must, goal=None):
    if goal is not None and value <= goal:
        return "goal met"
    return (MET if goal is None else "must met") if value <= must else MISSED


def at_least(value, must, goal=None):
    if goal is not None and value >= goal:
        return "goal met"
    return (MET if goal is None else "must met") if value >= must else MISSED


def _cost(row, what):
    for kind in KINDS:
        if kind in row:
            one = row[kind]
            yield [f"{what}, {kind}", f"<= {one['must']}", f"{one['goal']}",
                   f"{spread(one)}: {one['us_per_line']:.3f} us against {one['null_us_per_line']:.3f}",
                   at_most(one["ratio"], one["must"], one["goal"])]


def _plain(row):
    return _cost(row, "CPU per line in null sinks")


def _gzip(row):
    for cells, kind in zip(_cost(row, "the same, gzip + chunked, less inflating alone"), KINDS):
        one = row[kind]
        cells[3] += f"; with inflating {number(one['with_inflating'])}, of which {number(one['inflate_sinks'])}"
        yield cells


def _vmagent(row):
    if "not_installed" in row:
        return [["vmagent beside it", "", "", "not installed", ""]]
    text = ", ".join(f"{kind} {number(row[kind]['ratio'])}" for kind in KINDS if kind in row)
    return [[f"vmagent {row['version']} under the same load, in null sinks", "", "", text, ""]]


def _second(row):
    if "left_out" in row:
        return []
    text = ", ".join(f"{kind} {number(row[kind]['ratio'])}" for kind in KINDS if kind in row)
    return [["the first three rows with another load generator and sink", "", "", text, ""]]


def _shards(row):
    for kind in KINDS:
        if kind in row:
            one = row[kind]
            yield [f"CPU per line, 2 shards against 1, {kind} at {one['rate']:,} lines/s", f"<= {row['must']}",
                   f"{row['goal']}", spread(one), at_most(one["ratio"], row["must"], row["goal"])]


def _balance(row):
    for mix, one in row.items():
        if isinstance(one, dict):
            must = row["must"] if int(mix.split()[0]) >= 4 else None
            busy, cores = (" and ".join(f"{share:.0%}" for share in one[name]) for name in ("busy", "cores"))
            yield [f"2 shards, {mix}: busy time of the less busy one against the other", f">= {must}" if must else "", "",
                   f"{spread(one)}: {busy} of the time; the cores, with load and backends, {cores}", at_least(one["ratio"], must) if must else ""]


def _parser(row):
    for way, title in (("circlet", "full validation, one core, against the crate influxdb-line-protocol"),
                       ("circlet, nom alone", "the nom grammar alone, the same")):
        for kind in KINDS:
            one = row[way][kind]
            yield [f"{title}, {kind}", f">= {one['must']}", f"{one.get('goal', '')}",
                   f"{spread(one)}: {one['gb_s']:.2f} GB/s", at_least(one["ratio"], one["must"], one.get("goal"))]


def _latency(row):
    middle, null = (_middle(row[name]) for name in ("write_p99_us", "null_p99_us"))
    bare = _middle([one["p99_us"] for one in row["bare"]])
    return [[f"p99 of a 5 KB write at half load ({row['rate']:,.0f} a second) against bare 4 KiB write + fdatasync", "<= 3", "2",
             f"{spread(row)}: {middle:,.0f} us against {bare:,.0f}", at_most(row["ratio"], 3, 2)],
            ["the same load on a null sink, which touches no disk", "", "", f"{number(null / bare)}: {null:,.0f} us", ""]]


def _group(row):
    acks, bare, null = (_middle(row[name]) for name in ("acks_s", "bare_s", "null_s"))
    return [["group commit: acks a second of 16 writers against bare write + fdatasync a second", ">= 6", "12",
             f"{spread(row)}: {acks:,} against {bare:,}", at_least(row["ratio"], 6, 12)],
            ["the same writers on a null sink, which touches no disk", "", "", f"{number(null / bare)}: {null:,}", ""]]


def _middle(some):
    return sorted(some)[len(some) // 2]


def _hang(row):
    for ack in ("durable", "delivered"):
        one = row[ack]
        when = "" if ack == "durable" else " (after it is not current)"
        yield [f"a backend hangs for {row['seconds']} s: throughput against the same without, ack {ack}{when}", f">= {one['must']}", "",
               f"{spread(one)}: {_middle(one['lines_s']['during']):,} lines/s against {_middle(one['lines_s']['without']):,}",
               at_least(one["ratio"], one["must"])]
        yield [f"the same: growth of memory, ack {ack}", f"< {row['rss_must_mb']} MB", "",
               f"{one['rss_growth_mb']:.0f} MB", at_most(one["rss_growth_mb"], row["rss_must_mb"])]


def _dead(row):
    for case, one in row.items():
        if isinstance(one, dict):
            yield [f"all backends dead under full load, {case}: memory", f"< {one['rss_must_mb']} MB, flat", "",
                   f"{one['rss_mb']:.0f} MB, last third against the middle {one['rss_last_third_mb']:+.0f} MB",
                   at_most(max(one["rss_mb"], FLAT * one["rss_last_third_mb"]), one["rss_must_mb"])]
            yield ["the same: bytes on disk per byte of lines", f"<= {row['disk_must']}", "",
                   f"{one['disk_per_byte']:.3f} ({one['line_bytes'] / 1e9:.1f} GB of lines)",
                   at_most(one["disk_per_byte"], row["disk_must"])]


def _catch_up(row):
    return [["catch-up after an outage against the live rate, live traffic going on", ">= 3", "",
             f"{spread(row)}: {row['catch_up_lines_s']:,} lines/s beside {row['live_lines_s']:,}",
             at_least(row["ratio"], 3)],
            ["the same: live p99 then against live p99 without", "<= 2", "",
             f"{spread(row['p99'])}; {row['p99_with_us'] / 1e3:.1f} ms against {row['p99_without_us'] / 1e3:.1f} in the turn above",
             at_most(row["p99"]["ratio"], 2)]]


def _answers(row):
    for name, what in (("forwarded", "one backend's answer passed on"), ("merged", "answers of two backends merged")):
        one = row[name]
        yield [f"{what}, {one['bytes'] / 1e9:.1f} GB: speed against reading from the backend", f">= {one['must']}", "",
               f"{spread(one)}: {one['ratio'] * one['direct_mb_s']:,.0f} MB/s against {one['direct_mb_s']:,.0f}",
               at_least(one["ratio"], one["must"])]
        yield ["the same: growth of memory", "< 64 MB", "", f"{one['memory_mb']:.0f} MB",
               at_most(one["memory_mb"], 64)]


def _store_writes(row):
    for kind in KINDS:
        if kind in row:
            one = row[kind]
            us = one["us_per_line"]
            yield [f"embedded store: points for a CPU-second against influxd 1.6.7, {kind}", f">= {one['must']}", "",
                   f"{number(one['ratio'])}: {us['circlet']:.2f} us a line against {us['influxd']:.2f}",
                   at_least(one["ratio"], one["must"])]


def _store_questions(row):
    disk = row["disk"]
    yield [f"the same: bytes on disk for a point, {row['points']:,} points", f"<= {disk['must']}", "",
           f"{number(disk['ratio'])}: {disk['bytes']['circlet']:.2f} against {disk['bytes']['influxd']:.2f}",
           at_most(disk["ratio"], disk["must"])]
    for name, what in (("range", "a range of a million points"), ("mean", "a mean by time over half of them")):
        one = row[name]
        seconds = one["seconds"]
        yield [f"the same: {what}, times as fast", f">= {one['must']}", "",
               f"{spread(one)}: {seconds['circlet']:.2f} s against {seconds['influxd']:.2f}",
               at_least(one["ratio"], one["must"])]


def _store_series(row):
    memory, start = row["memory"], row["start"]
    yield [f"the same: memory with {row['series']:,} series", f"<= {memory['must']}", "",
           f"{number(memory['ratio'])}: {memory['mb']['circlet']:.0f} MB against {memory['mb']['influxd']:.0f}",
           at_most(memory["ratio"], memory["must"])]
    yield [f"the same: start with {row['series']:,} series", f"<= {start['must']}", "",
           f"{number(start['ratio'])}: {start['seconds']['circlet']:.1f} s against {start['seconds']['influxd']:.1f}",
           at_most(start["ratio"], start["must"])]


WRITERS = [("cost", _plain), ("vmagent", _vmagent), ("second", _second), ("gzip", _gzip), ("shards", _shards), ("balance", _balance), ("parser", _parser),
           ("latency", _latency), ("group", _group), ("hang", _hang), ("dead", _dead), ("catch-up", _catch_up),
           ("answers", _answers)]

STORE_WRITERS = [("store-writes", _store_writes), ("store-questions", _store_questions),
                 ("store-series", _store_series)]

TITLES = {
    "cost": "CPU per line in null sinks", "vmagent": "vmagent under the same load", "second": "the same with another tool",
    "gzip": "the same, gzip + chunked, less inflating alone", "shards": "CPU per line, 2 shards against 1", "balance": "how evenly two shards are busy",
    "parser": "full validation against the crate influxdb-line-protocol, and the nom grammar alone", "latency": "p99 of a 5 KB write",
    "group": "group commit", "hang": "a backend hangs", "dead": "all backends dead under full load",
    "catch-up": "catch-up after an outage", "answers": "large answers", "requests": "smaller requests", "growth": "growth", "parts": "parts",
    "store-writes": "embedded store: points for a CPU-second", "store-questions": "embedded store: questions",
    "store-series": "embedded store: a million series",
}


def requests(row):
    """Cells of the table of smaller requests."""
    for name, one in row.items():
        if isinstance(one, dict):
            yield [name + " lines", f"{one['us_per_line']:.3f}", f"{one['null_us_per_line']:.3f}", spread(one),
                   f"{one['us_per_request']:.1f}", f"{one['null_us_per_request']:.1f}"]


AXES = {"circles": "circles", "backends": "backends a circle", "measurements": "measurements",
        "lines": "lines a request", "connections": "connections"}


def growth(row):
    """Cells of the table of growth; a step that more than doubles is marked."""
    for axis, title in AXES.items():
        for one in row.get(axis, []):
            step = one.get("growth")
            mark = "" if step is None else f"{step:.2f}" + (" **(more than double)**" if step > 2 else "")
            yield [title, f"{one['at']:,}", f"{one['us_per_line']:.3f}", f"{one['null_us_per_line']:.3f}",
                   number(one["ratio"]), mark, f"{one['rss_mb']:.0f}"]


def parts(row):
    """Cells of the table of parts: each bench beside its references."""
    for bench in ("ring", "batch", "gunzip", "merge"):
        times = row.get(bench, {})
        ours = {name: ns for name, ns in times.items() if name.split("/")[1].startswith("circlet")}
        for name, ns in sorted(ours.items()):
            for other, other_ns in sorted(times.items()):
                words = other.split("/")
                if not words[1].startswith("circlet") and words[2:] == name.split("/")[2:]:
                    case = bench + name.split("/")[1].removeprefix("circlet")
                    for word in words[2:]:
                        case += f", {int(word):,} measurements" if word.isdigit() else f", {word}"
                    yield [case, f"{ns / 1e3:.1f}", words[1], f"{other_ns / 1e3:.1f}", number(other_ns / ns)]
