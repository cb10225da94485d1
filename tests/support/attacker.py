"""Somebody who knows the public files alone, and linear programming: what can each hidden count still be?

Own code, on purpose: it shares nothing with pipelines.release, and reads weekly_counts as anybody could.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linprog

Key = tuple[str, ...]
Interval = tuple[int, int]


@dataclass(frozen=True)
class Known:
    """What was published of a week: an interval for each count, keyed by attribute and value.

    crossed: intervals of tables that cross two attributes, keyed (attribute, value, attribute, value); total: an
    interval for all reports; partial: attributes of which values may be missing.
    """

    cells: Mapping[Key, Interval]
    total: Interval
    crossed: Mapping[Key, Interval]
    partial: frozenset[str] = frozenset({"region"})


def from_rows(rows: Iterable[Sequence[Any]]) -> Known:
    """Rows (attribute, value, reports, at_least, at_most) of one week in weekly_counts."""
    cells = {(str(row[0]), str(row[1])): (int(row[3]), int(row[4])) for row in rows}
    total = cells.pop(("total", "all"))
    return Known(cells, total, {})


def possible_values(known: Known, wanted: Iterable[Key]) -> dict[Key, Interval]:
    """The smallest and the largest whole number that each wanted count can be."""
    keys = [*known.cells, *known.crossed]
    place = {key: i for i, key in enumerate(keys)}
    attributes = sorted({key[0] for key in known.cells})
    slack = {name: len(keys) + 1 + i for i, name in enumerate(sorted(known.partial & set(attributes)))}
    width = len(keys) + 1 + len(slack)
    rows = [
        _sum_row(width, [i for k, i in place.items() if len(k) == 2 and k[0] == name], slack.get(name), len(keys))
        for name in attributes
    ]
    rows += _crossed_rows(known, place, width)
    bounds = [*(known.cells.get(key) or known.crossed[key] for key in keys), known.total, *[(0, None)] * len(slack)]
    equal = np.array(rows)
    return {key: _range(equal, bounds, place[key]) for key in wanted}


def _sum_row(width: int, members: list[int], slack: int | None, total: int) -> np.ndarray[Any, Any]:
    row = np.zeros(width)
    row[members] = 1
    if slack is not None:
        row[slack] = 1
    row[total] = -1
    return row


def _crossed_rows(known: Known, place: Mapping[Key, int], width: int) -> list[np.ndarray[Any, Any]]:
    """A row of a crossed table adds up to its value's count, both ways; of whole tables alone."""
    margins: dict[Key, list[int]] = {}
    for key in known.crossed:
        for margin, other in ((key[:2], key[2]), (key[2:], key[0])):
            if other not in known.partial:
                margins.setdefault((*margin, other), []).append(place[key])
    rows = []
    for margin, members in margins.items():
        row = np.zeros(width)
        row[members] = 1
        row[place[margin[:2]]] = -1
        rows.append(row)
    return rows


def _range(equal: np.ndarray[Any, Any], bounds: Sequence[Any], i: int) -> Interval:
    ends = []
    for sign in (1, -1):
        cost = np.zeros(equal.shape[1])
        cost[i] = sign
        found = linprog(cost, A_eq=equal, b_eq=np.zeros(len(equal)), bounds=bounds, method="highs")
        assert found.status == 0, found.message
        ends.append(sign * found.fun)
    return math.ceil(ends[0] - 1e-6), math.floor(ends[1] + 1e-6)


def round_to_5(n: int) -> Interval:
    middle = 5 * ((n + 2) // 5)
    return middle - 2, middle + 2


def blurred(n: int) -> Interval:
    """As published: hidden up to 7, rounded to 5."""
    return (0, 7) if n <= 7 else round_to_5(n)


def suppressed(n: int) -> Interval:
    """Primary suppression: small counts hidden, the others exact."""
    return (0, 7) if n <= 7 else (n, n)
