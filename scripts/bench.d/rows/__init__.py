"""The rows of the table, by name, in their order. Each takes the run and gives a dict for the results."""

from rows import answers, cost, disk, growth, outage, parts, peers, second, shards, store

ROWS = {
    "cost": cost.plain,
    "vmagent": peers.vmagent,
    "second": second.second_tool,
    "gzip": cost.compressed,
    "requests": cost.requests,
    "shards": shards.two_against_one,
    "balance": shards.balance,
    "parser": parts.parser,
    "latency": disk.latency,
    "group": disk.group_commit,
    "hang": outage.hang,
    "dead": outage.dead,
    "catch-up": outage.catch_up,
    "growth": growth.growth,
    "answers": answers.answers,
    "parts": parts.parts,
}

# Of the embedded store: `scripts/bench store`.
STORE_ROWS = {
    "store-writes": store.writes,
    "store-questions": store.questions,
    "store-series": store.series,
}
