"""Weekly values as tables: for people the newest week first, for the CSV of the curves the oldest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipelines.pages.document import Row
from pipelines.pages.values import Cell
from pipelines.pages.words import in_words
from pipelines.report.curves import Curve
from pipelines.report.week import WeekTables
from pipelines.text import csv_text

CURVE_COLUMNS = ("series", "week", "week_start", "reports", "expected", "lower", "upper", "alarm")


def week_rows(tables: WeekTables, *values: Sequence[Cell]) -> list[Row]:
    """Return a row for each week shown: its name, or its first day if it is not covered, and its values."""
    names = [tables.covered.get(day) or in_words(day) for day in tables.starts]
    return [Row(cells) for cells in reversed(list(zip(names, *values, strict=True)))]


def curves_csv(tables: WeekTables, curves: Iterable[Curve]) -> str:
    """Return what the curves draw as CSV: a row for each series and week shown."""
    rows = [
        (curve.series, week.label, week.start, *numbers)
        for curve in curves
        for week, *numbers in zip(
            tables.axis, curve.counts, curve.expected, curve.lower, curve.upper, curve.alarms, strict=True
        )
    ]
    return csv_text(CURVE_COLUMNS, rows)
