"""How many values each hidden count of a week can still have, with everything of the week put together.

Each attribute divides the same unknown number of reports N. A cell lies in [lo, hi], so N lies between the largest sum
of lo and the smallest sum of hi of any attribute; and a cell is what N leaves beside the other cells of its attribute.
These bounds are sharp: every value between them occurs, with N and all other cells in their ranges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipelines.release.rounding import REGION, TOTAL, Cell

FEWEST_VALUES = 5
Range = tuple[int, int]


@dataclass(frozen=True)
class Narrowest:
    """The hidden count with the fewest possible values."""

    values: int
    cell: str


def narrow(ranges: Mapping[str, Sequence[Range]], open_ended: str | None = None) -> dict[str, list[Range]]:
    """Return the sharp range of every cell, attribute by attribute, in the order given.

    open_ended: an attribute that may have further cells of unknown number; its cells alone bound N from below only.
    """
    lows = {name: sum(low for low, _ in cells) for name, cells in ranges.items()}
    highs = {name: sum(high for _, high in cells) for name, cells in ranges.items()}
    least = max(lows.values())
    most = min(high for name, high in highs.items() if name != open_ended)

    def sharp(name: str, low: int, high: int) -> Range:
        others_most = highs[name] - high
        floor = low if name == open_ended else max(low, least - others_most)
        return floor, min(high, most - (lows[name] - low))

    return {name: [sharp(name, low, high) for low, high in cells] for name, cells in ranges.items()}


def find_narrowest(cells: Iterable[Cell], unlisted_regions: int | None, hide_up_to: int) -> Narrowest | None:
    """Return the hidden count with the fewest possible values; None if none is hidden.

    unlisted_regions: regions without a cell, each of which is hidden too; None if nobody knows how many.
    """
    unlisted = [Cell(REGION, "(not listed)", None, 0, hide_up_to)] * (unlisted_regions or 0)
    by_attribute: dict[str, list[Cell]] = {}
    for cell in (*cells, *unlisted):
        if cell.attribute != TOTAL:
            by_attribute.setdefault(cell.attribute, []).append(cell)
    ranges = {name: [(cell.at_least, cell.at_most) for cell in group] for name, group in by_attribute.items()}
    narrowed = narrow(ranges, REGION if unlisted_regions is None else None)
    found = [
        Narrowest(high - low + 1, f"{name} {cell.value}")
        for name, group in by_attribute.items()
        for cell, (low, high) in zip(group, narrowed[name], strict=True)
        if cell.is_hidden
    ]
    return min(found, key=lambda each: each.values, default=None)


def is_safe(narrowest: Narrowest | None) -> bool:
    """Return whether every hidden count keeps enough possible values."""
    return narrowest is None or narrowest.values >= FEWEST_VALUES
