"""Find which series had more reports than expected this week, and how far the week can be judged.

A series has a row of weekly_signals for each week and method.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from pipelines.report.rows import Signal
from pipelines.report.week import WeekTables

NOT_EVALUATED, AS_EXPECTED, RAISED = "not evaluated yet", "within the expected range", "more than expected"
ABOVE = "above its range, but no alarm among so many series"
NO_REASON = "no reason given"


@dataclass(frozen=True)
class Alarm:
    """A series that alarms: the strongest method's numbers, and all methods that agree."""

    strongest: Signal
    methods: Sequence[str]
    rank: int | None

    @property
    def series(self) -> str:
        """The series, as weekly_signals names it."""
        return self.strongest.series


@dataclass(frozen=True)
class Standing:
    """How many series were judged this week, which of them alarm, and why the others could not be judged.

    above: how many are above a bound without an alarm; reasons: the most frequent first; methods: all that were used.
    """

    series: int
    judged: int
    above: int
    alarms: Sequence[Alarm]
    reasons: Sequence[tuple[str, int]]
    methods: frozenset[str]


def find_standing(tables: WeekTables) -> Standing:
    """Judge the week by its signals."""
    by_series = _by_series(tables.signals_now)
    silent = [rows for rows in by_series.values() if not _is_judged(rows)]
    reasons = Counter(_reason(rows) for rows in silent)
    return Standing(
        series=len(by_series),
        judged=len(by_series) - len(silent),
        above=sum(any(row.is_above for row in rows) and not _has_alarm(rows) for rows in by_series.values()),
        alarms=find_alarms(tables),
        reasons=sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0])),
        methods=frozenset(row.method for row in tables.signals_now),
    )


def find_alarms(tables: WeekTables) -> list[Alarm]:
    """Return the series that alarm this week, the strongest first."""
    found = [_alarm(rows) for rows in _by_series(tables.signals_now).values() if _has_alarm(rows)]
    return sorted(found, key=lambda alarm: (alarm.rank is None, alarm.rank or 0, alarm.series))


def _alarm(rows: Sequence[Signal]) -> Alarm:
    raised = [row for row in rows if row.status == "alarm"]
    strongest = min((row for row in raised if row.is_alarm), key=lambda row: row.preference)
    ranks = [row.rank for row in raised if row.rank is not None]
    return Alarm(strongest, sorted(row.method for row in raised), min(ranks, default=None))


def describe_verdict(tables: WeekTables, series: str) -> str:
    """Say what is known of one series this week, in a few words."""
    rows = [row for row in tables.signals_now if row.series == series]
    if not rows:
        return NOT_EVALUATED
    if _has_alarm(rows):
        return RAISED
    if not _is_judged(rows):
        return f"cannot be judged: {_reason(rows)}"
    return ABOVE if any(row.is_above for row in rows) else AS_EXPECTED


def find_alarm_weeks(tables: WeekTables, series: str) -> list[bool]:
    """Return for each week shown whether the series alarmed then."""
    days = {row.week_start for row in tables.signals if row.series == series and row.is_alarm}
    return [day in days for day in tables.starts]


def _by_series(rows: Iterable[Signal]) -> dict[str, list[Signal]]:
    ordered = sorted(rows, key=lambda row: row.series)
    return {series: list(found) for series, found in groupby(ordered, key=lambda row: row.series)}


def _has_alarm(rows: Iterable[Signal]) -> bool:
    return any(row.is_alarm for row in rows)


def _is_judged(rows: Iterable[Signal]) -> bool:
    return not all(row.status == "not_evaluable" for row in rows)


def _reason(rows: Iterable[Signal]) -> str:
    return min(rows, key=lambda row: row.preference).reason or NO_REASON
