"""The series of the week as curves: counts, expected range and alarms over the weeks shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.pages.document import Row
from pipelines.pages.values import Cell
from pipelines.pages.words import format_date
from pipelines.report.alarms import find_alarm_weeks
from pipelines.report.rows import Signal
from pipelines.report.week import ALWAYS_CURVED, WeekTables
from pipelines.text import format_csv

CURVE_COLUMNS = ("series", "week", "week_start", "reports", "observed", "expected", "lower", "upper", "alarm")
EMERGENCY_IN = ",triage_level=emergency"


@dataclass(frozen=True)
class Curve:
    """One series over the weeks shown, None if there is no value; the range is that of the row it is judged by, and in
    a week of an alarm of the row that alarms.

    `observed` are the reports that the range is about: those of the senders that can be compared, where it was judged.
    """

    name: str
    series: str
    counts: Sequence[int | None]
    observed: Sequence[int | None]
    expected: Sequence[float | None]
    lower: Sequence[float | None]
    upper: Sequence[float | None]
    alarms: Sequence[bool]


def find_curves(tables: WeekTables) -> list[Curve]:
    """Return the curves of the report: all reports, emergencies, then the series that alarm, the strongest first."""
    chosen = list(dict.fromkeys([*ALWAYS_CURVED, *tables.days]))
    return [_make_curve(tables, series, f"curve-{i}") for i, series in enumerate(chosen, 1)]


def _make_curve(tables: WeekTables, series: str, name: str) -> Curve:
    own = [row for row in tables.signals if row.series == series]
    judged = {row.week_start: row for row in own if row.is_primary}
    judged |= {row.week_start: row for row in own if row.is_alarm and not _is_alarm(judged.get(row.week_start))}
    rows = [judged.get(day) for day in tables.starts]
    counts = count_series(tables, series)
    judged_counts = [row.observed if row and row.upper is not None else None for row in rows]
    return Curve(
        name=name,
        series=series,
        counts=counts,
        observed=[
            own if own is not None else all_of_them for own, all_of_them in zip(judged_counts, counts, strict=True)
        ],
        expected=[row.expected if row else None for row in rows],
        lower=[row.lower if row else None for row in rows],
        upper=[row.upper if row else None for row in rows],
        alarms=find_alarm_weeks(tables, series),
    )


def _is_alarm(row: Signal | None) -> bool:
    return row is not None and row.is_alarm


def count_series(tables: WeekTables, series: str, days: Sequence[date] | None = None) -> list[int | None]:
    """Count a series in the weeks that start on these days, else in those shown; None if a week is not covered."""
    kind, _, value = series.partition("=")
    region = value.removesuffix(EMERGENCY_IN)
    levels, causes, regions = tables.levels, tables.causes, tables.regions
    if any(row.indicator == series for row in tables.indicators):
        found = ((row.week_start, row.reports) for row in tables.indicators if row.indicator == series)
        return tables.count_by_week(found, days)
    counts: dict[str, Iterable[tuple[date, int]]] = {
        "all": ((row.week_start, row.reports) for row in levels),
        "triage_level": ((row.week_start, row.reports) for row in levels if row.triage_level == value),
        "cause_category": ((row.week_start, row.reports) for row in causes if row.cause_category == value),
        "likely_cause": ((row.week_start, row.reports) for row in causes if row.likely_cause == value),
        "region": (
            (row.week_start, row.emergency if region != value else row.reports)
            for row in regions
            if row.region == region
        ),
    }
    wanted = tables.starts if days is None else days
    return tables.count_by_week(counts[kind], wanted) if kind in counts else [None] * len(wanted)


def list_week_rows(tables: WeekTables, *values: Sequence[Cell]) -> list[Row]:
    """Return a row for each week shown: its name, or its first day if it is not covered, and its values."""
    names = [tables.covered.get(day) or format_date(day) for day in tables.starts]
    return [Row(cells) for cells in reversed(list(zip(names, *values, strict=True)))]


def render_curves_csv(tables: WeekTables, curves: Iterable[Curve]) -> str:
    """Return what the curves draw as CSV: a row for each series and week shown."""
    rows = [
        (curve.series, week.label, week.start, *numbers)
        for curve in curves
        for week, *numbers in zip(
            tables.axis,
            curve.counts,
            curve.observed,
            curve.expected,
            curve.lower,
            curve.upper,
            curve.alarms,
            strict=True,
        )
    ]
    return format_csv(CURVE_COLUMNS, rows)
