"""Moves between the levels, or the ceilings, of two packs, and the rules that did it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import duckdb

from pipelines.statements import Row, fetch_rows
from schemas.pack import LEVELS, Pack
from schemas.record_layout import find_rules

# which of the compared records move by their level, and which by the highest level still possible alone
BY_LEVEL = "triage_level_before AS was, triage_level AS now FROM compared WHERE triage_level_before <> triage_level"
BY_CEILING = """triage_ceiling_before AS was, triage_ceiling AS now FROM compared
    WHERE triage_ceiling_before <> triage_ceiling AND triage_level_before = triage_level"""


def count_level_moves(connection: duckdb.DuckDBPyConnection, before: Pack, after: Pack, moved: str) -> list[Row]:
    """Moves, the gravest fall first, each with how many records each rule moved."""
    rows = fetch_rows(connection, f"SELECT states, records, {moved}")
    holding = _find_holding if moved == BY_LEVEL else _find_possible
    found: dict[tuple[int, int], Counter[str]] = {}
    totals: Counter[tuple[int, int]] = Counter()
    for row in rows:
        pair = row["was"], row["now"]
        totals[pair] += row["records"]
        for rule in _find_movers(row, before, after, holding):
            found.setdefault(pair, Counter())[rule] += row["records"]
    order = sorted(totals, key=lambda pair: (pair[1] - pair[0], -totals[pair]))
    return [
        {"from": LEVELS[a], "to": LEVELS[b], "records": totals[a, b], "rules": dict(found[a, b].most_common())}
        for a, b in order
    ]


def _find_movers(row: Row, before: Pack, after: Pack, holding: Callable[[Pack, int, int, int], list[str]]) -> list[str]:
    """Return the rules that hold a record at the higher of its two levels, and do so under one pack alone."""
    states = row["states"]
    was = holding(before, row["was"], states["rules_true_before"], states["rules_open_before"])
    now = holding(after, row["now"], states["rules_true"], states["rules_open"])
    higher, lower = (now, was) if row["now"] > row["was"] else (was, now)
    return [rule for rule in higher if rule not in lower] or higher


def _find_holding(pack: Pack, level: int, true: int, unknown: int) -> list[str]:
    """The rules to which a record owes its level: the TRUE ones of that level; for `unresolved` the UNKNOWN ones."""
    if LEVELS[level] == "unresolved":
        return [rule.id for rule in find_rules(pack, unknown)]
    return [rule.id for rule in find_rules(pack, true) if rule.level == LEVELS[level]]


def _find_possible(pack: Pack, ceiling: int, true: int, unknown: int) -> list[str]:
    """Return the rules by which a ceiling is still possible: those of its level that are not FALSE."""
    return [rule.id for rule in find_rules(pack, true | unknown) if rule.level == LEVELS[ceiling]]
