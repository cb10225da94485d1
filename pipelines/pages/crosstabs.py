"""Two-way tables -> drawings as SVG text: ages by sex as a pyramid, regions by week as a heat map. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from xml.etree import ElementTree

from pipelines.pages.charts import MONTH_WIDTH, Week, month_starts
from pipelines.pages.svg import MONTHS, day, drawing, node, text_of

# from this multiple of the row's median on: the opacity of a cell, five steps that the eye keeps apart
STEPS = ((1.5, 1.0), (1.2, 0.72), (0.8, 0.44), (0.5, 0.22), (0.0, 0.07))
CELLS_LEFT, CELLS_RIGHT = 142, 508
LABEL_SIGNS = 15  # that fit left of the cells in the largest text, the phone's


@dataclass(frozen=True)
class Pair:
    """One row of a pyramid: counts to the left and to the right, and the marked part of each."""

    label: str
    left: int
    right: int
    left_marked: int
    right_marked: int


@dataclass(frozen=True)
class HeatRow:
    """One row of a heat map: a count a week, None where the week is not covered, and the weeks with an alarm."""

    label: str
    counts: Sequence[int | None]
    alarms: Sequence[bool]


def pyramid(name: str, title: str, sides: tuple[str, str], rows: Sequence[Pair], marked: str) -> str:
    """Two sets of bars back to back, one row per pair, on one scale; the marked part starts at the middle."""
    size = (560, 34 + 30 * len(rows))
    peak = max([1, *(count for row in rows for count in (row.left, row.right))])
    root = drawing(name, title, _pyramid_sentence(sides, rows, marked), size)
    root.append(node("text", sides[0], x=236, y=16, text_anchor="end", class_="strong"))
    root.append(node("text", sides[1], x=324, y=16, class_="strong"))
    for i, row in enumerate(rows):
        root.append(_pyramid_row(row, 28 + 30 * i, 190 / peak, sides, marked))
    return text_of(root)


def _pyramid_sentence(sides: tuple[str, str], rows: Iterable[Pair], marked: str) -> str:
    left, right = (side.lower() for side in sides)
    return "; ".join(
        f"{row.label}: {row.left:,} {left}, {row.left_marked:,} {marked}, "
        f"{row.right:,} {right}, {row.right_marked:,} {marked}"
        for row in rows
    )


def _pyramid_row(row: Pair, y: float, scale: float, sides: tuple[str, str], marked: str) -> ElementTree.Element:
    hint = _pyramid_sentence(sides, [row], marked)
    middle = node("text", row.label, x=280, y=y + 15, text_anchor="middle", class_="strong")
    group = node("g", node("title", hint), middle)
    left, right = row.left * scale, row.right * scale
    for x, width, paint in (
        (236 - left, left, "plain"),
        (324, right, "plain"),
        (236 - row.left_marked * scale, row.left_marked * scale, "emergency"),
        (324, row.right_marked * scale, "emergency"),
    ):
        group.append(node("rect", x=x, y=y, width=width, height=22, class_=paint))
    group.append(node("text", f"{row.left:,}", x=232 - left, y=y + 15, text_anchor="end"))
    group.append(node("text", f"{row.right:,}", x=328 + right, y=y + 15))
    return group


def heat_map(name: str, title: str, weeks: Sequence[Week], rows: Sequence[HeatRow]) -> str:
    """Rows by weeks, each row measured by its own median: a large row must not make the others look quiet.

    At the right stands the last week's count; a triangle marks a week with an alarm.
    """
    bottom = 8 + 20 * len(rows)
    root = drawing(name, title, _heat_sentence(weeks, rows), (560, bottom + 24))
    for i, row in enumerate(rows):
        root.append(_heat_row(row, weeks, 8 + 20 * i))
    width = _cell_width(weeks)
    for i in month_starts(weeks):
        x = CELLS_LEFT + width * i
        if CELLS_RIGHT - x > MONTH_WIDTH:
            root.append(node("text", MONTHS[weeks[i].start.month - 1], x=x, y=bottom + 18))
    return text_of(root)


def _cell_width(weeks: Sequence[Week]) -> float:
    return (CELLS_RIGHT - CELLS_LEFT) / len(weeks)


def _heat_row(row: HeatRow, weeks: Sequence[Week], y: float) -> ElementTree.Element:
    label = row.label if len(row.label) <= LABEL_SIGNS else row.label[: LABEL_SIGNS - 1] + "…"
    group = node("g", node("title", _heat_hint(row)), node("text", label, x=0, y=y + 14, class_="strong"))
    usual = median([count for count in row.counts if count is not None] or [0])
    for i, week in enumerate(weeks):
        group.append(_cell(row, week, i, y, _cell_width(weeks), usual))
    last = row.counts[-1]
    group.append(node("text", "" if last is None else f"{last:,}", x=560, y=y + 14, text_anchor="end"))
    return group


def _cell(row: HeatRow, week: Week, i: int, y: float, width: float, usual: float) -> ElementTree.Element:
    count, x = row.counts[i], CELLS_LEFT + width * i
    box = {"x": x + 0.5, "y": y, "width": width - 1, "height": 19.0}
    hint = f"{row.label}, {week.label if count is not None else 'no data'} (from {day(week.start)})"
    if count is None:
        return node("g", node("title", hint), node("rect", class_="gap", **box))
    cell = node("g", node("title", f"{hint}: {count:,}"), class_="week")
    cell.append(node("rect", class_="cell", opacity=f"{_shade(count, usual):g}", **box))
    if row.alarms[i]:
        cell.append(node("path", d=f"M{x + width / 2:.1f},{y + 15:.1f} l-6,-10 l12,0 Z", class_="alarm"))
    return cell


def _shade(count: int, usual: float) -> float:
    """The opacity of a cell; where the usual week has no report, any report stands out."""
    if not usual:
        return STEPS[0][1] if count else STEPS[-1][1]
    return next(opacity for least, opacity in STEPS if count >= least * usual)


def _heat_hint(row: HeatRow) -> str:
    known = [count for count in row.counts if count is not None]
    if not known:
        return f"{row.label}: no data"
    alarms = sum(row.alarms)
    marked = f", {alarms} week{'' if alarms == 1 else 's'} with an alarm" if alarms else ""
    return f"{row.label}: {min(known):,} to {max(known):,} a week, {known[-1]:,} in the last week with data{marked}"


def _heat_sentence(weeks: Sequence[Week], rows: Iterable[HeatRow]) -> str:
    span = f"{len(weeks)} weeks from {day(weeks[0].start)} to the week of {day(weeks[-1].start)}."
    return f"{span} {'; '.join(_heat_hint(row) for row in rows)}."
