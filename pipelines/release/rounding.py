"""Exact counts -> disclosed cells: hide up to a limit, round to 5, count no total."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

STEP = 5
HALF = STEP // 2  # a rounded count means itself, give or take this
TOTAL, WHOLE, REGION, TOTAL_OF = "total", "all", "region", "triage_level"


@dataclass(frozen=True, order=True)
class Cell:
    """One count as it is disclosed: `reports` is None if it is hidden; the true count lies in at_least..at_most."""

    attribute: str
    value: str
    reports: int | None
    at_least: int
    at_most: int

    @property
    def is_hidden(self) -> bool:
        return self.reports is None


@dataclass(frozen=True)
class Disclosure:
    """What one week would publish: its cells by attribute and name, and how many regions stay without a row."""

    cells: tuple[Cell, ...]
    unlisted_regions: int
    hide_up_to: int

    @property
    def total(self) -> Cell:
        return next(cell for cell in self.cells if cell.attribute == TOTAL)

    @property
    def hidden_cells(self) -> int:
        return self.unlisted_regions + sum(cell.is_hidden for cell in self.cells)


def name_method(hide_up_to: int) -> str:
    """Return the method as the public table `releases` names it."""
    return f"hide up to {hide_up_to}, round to {STEP}"


def parse_hidden_limit(method: str) -> int | None:
    """Return the largest hidden count of a method as named by `name_method`; None if it is another."""
    found = re.fullmatch(rf"hide up to (\d{{1,4}}), round to {STEP}", method)
    return int(found[1]) if found else None


def disclose_count(attribute: str, value: str, exact: int, hide_up_to: int) -> Cell:
    """Hide a count up to the limit, else round it to the nearest 5."""
    if exact <= hide_up_to:
        return Cell(attribute, value, None, 0, hide_up_to)
    rounded = (exact + HALF) // STEP * STEP
    return Cell(attribute, value, rounded, rounded - HALF, rounded + HALF)


def find_total(cells: Iterable[Cell]) -> Cell:
    """Return the total that the triage table shows; `reports` is the multiple of 5 nearest to the middle, halves up."""
    levels = [cell for cell in cells if cell.attribute == TOTAL_OF]
    low, high = sum(cell.at_least for cell in levels), sum(cell.at_most for cell in levels)
    return Cell(TOTAL, WHOLE, (low + high + STEP) // (2 * STEP) * STEP, low, high)


def disclose(counts: Mapping[str, Mapping[str, int]], hide_up_to: int, shown_before: Collection[str]) -> Disclosure:
    """Make one week's exact counts, by attribute and value, into what is published.

    A region has a cell only if it is shown now or is among `shown_before`; those have one even if nothing of them is
    stored any more. Cells are sorted by attribute and name.
    """
    named = dict(counts) | {REGION: dict.fromkeys(shown_before, 0) | dict(counts[REGION])}
    every = [
        disclose_count(name, value, n, hide_up_to) for name, values in named.items() for value, n in values.items()
    ]
    listed = [cell for cell in every if cell.attribute != REGION or not cell.is_hidden or cell.value in shown_before]
    cells = sorted([*listed, find_total(listed)], key=lambda cell: (cell.attribute, cell.value))
    return Disclosure(tuple(cells), len(every) - len(listed), hide_up_to)
