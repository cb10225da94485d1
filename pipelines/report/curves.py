"""Draw the series of the week as curves: counts, expected range and alarms over the weeks shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.report.alarms import find_alarm_weeks, find_alarms
from pipelines.report.rows import Signal
from pipelines.report.week import ALWAYS_CURVED, WeekTables
from pipelines.text import many

CURVES_SHOWN = 6
EMERGENCY_IN = ",triage_level=emergency"


@dataclass(frozen=True)
class Curve:
    """One series over the weeks shown, None where there is no value.

    ranges: whose range is shown, and why covered weeks have none.
    """

    name: str
    series: str
    counts: Sequence[int | None]
    expected: Sequence[float | None]
    upper: Sequence[float | None]
    alarms: Sequence[bool]
    ranges: str


def find_curves(tables: WeekTables) -> list[Curve]:
    """Return the curves of the report: all reports, emergencies, then the series that alarm, the strongest first."""
    raised = [alarm.series for alarm in find_alarms(tables)]
    chosen = list(dict.fromkeys([*ALWAYS_CURVED, *raised]))[:CURVES_SHOWN]
    return [_curve(tables, series, f"curve-{i}") for i, series in enumerate(chosen, 1)]


def _curve(tables: WeekTables, series: str, name: str) -> Curve:
    """One method's range throughout: a line that changes its method from week to week would mislead.

    It is that of the method that the table of alarms shows, else of the preferred one.
    """
    rows = [row for row in tables.signals if row.series == series]
    bounded = [row for row in rows if row.upper is not None]
    raised = [row for row in bounded if row.week_start == tables.start and row.is_alarm]
    shown = min((row.preference for row in raised or bounded), default=None)
    ranges = {row.week_start: row for row in bounded if row.preference == shown}
    return Curve(
        name=name,
        series=series,
        counts=count_series(tables, series),
        expected=[ranges[day].expected if day in ranges else None for day in tables.starts],
        upper=[ranges[day].upper if day in ranges else None for day in tables.starts],
        alarms=find_alarm_weeks(tables, series),
        ranges=_ranges_in_words(rows, ranges),
    )


def _ranges_in_words(rows: Sequence[Signal], ranges: Mapping[date, Signal]) -> str:
    """Whose range a curve shows, which alarms it does not explain, and for how many weeks there is none, by reason."""
    method = next((_base_method(row.method) for row in ranges.values()), None)
    told = f"Range: {method}.{_alarms_of_others(rows, ranges)}" if method else ""
    without: dict[date, Signal] = {}
    for row in sorted(rows, key=lambda row: row.preference, reverse=True):  # the preferred row of a week stays
        if row.week_start not in ranges:
            without[row.week_start] = row
    reasons = Counter(row.reason or f"judged by {row.method}" for row in without.values())
    named = "; ".join(f"{many(weeks, 'week')}, {reason}" for reason, weeks in reasons.most_common())
    return f"{told} Without a range: {named}.".strip() if named else told


def _alarms_of_others(rows: Iterable[Signal], ranges: Mapping[date, Signal]) -> str:
    """Alarms over columns that do not reach the upper bound that is shown."""
    explained = {day for day, row in ranges.items() if row.status == "alarm"}
    others = [row for row in rows if row.is_alarm and row.week_start in ranges.keys() - explained]
    if not others:
        return ""
    weeks = len({row.week_start for row in others})
    return f" {many(weeks, 'alarm')} by {', '.join(sorted({row.method for row in others}))} alone."


def _base_method(method: str) -> str:
    """A method without the number of years that it looks back, which differs from week to week."""
    return method.split(",")[0]


def count_series(tables: WeekTables, series: str) -> list[int | None]:
    """Count a series over the weeks shown, from the weekly tables; none for a series of no known kind."""
    kind, _, value = series.partition("=")
    levels, causes, regions = tables.levels, tables.causes, tables.regions
    region = value.removesuffix(EMERGENCY_IN)
    counts = {
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
    return tables.count_by_week(counts[kind]) if kind in counts else [None] * len(tables.starts)
