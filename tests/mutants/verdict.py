"""What a run over the sample found: a table by package, and whether enough was killed in each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from tests.mutants.sample import SHARES

LEAST_KILLED = 0.95


def table(found: Mapping[str, Mapping[str, Any]], reasons: Mapping[str, str]) -> list[str]:
    """Return a Markdown table, a row a package."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, each in found.items():
        counts[each["package"]]["equivalent" if name in reasons else each["outcome"]] += 1
    lines = ["| package | killed | equivalent | survived | killed of the others |", "|---|---|---|---|---|"]
    for package in SHARES:
        of = counts[package]
        lines.append(_row(package, of))
    return [*lines, _row("all", sum(counts.values(), Counter()))]


def _row(name: str, of: Mapping[str, int]) -> str:
    others = of["killed"] + of["survived"]
    share = f"{of['killed'] / others:.0%}" if others else "none tried"
    return f"| {name} | {of['killed']} | {of['equivalent']} | {of['survived']} | {share} |"


def is_enough(found: Mapping[str, Mapping[str, Any]], reasons: Mapping[str, str]) -> bool:
    """Whether of every package enough of what is not equivalent was killed."""
    by_package: dict[str, list[bool]] = defaultdict(list)
    for name, each in found.items():
        if name not in reasons:
            by_package[each["package"]].append(each["outcome"] == "killed")
    return all(sum(killed) >= LEAST_KILLED * len(killed) for killed in by_package.values())
