"""Read summaries.duckdb into WeekTables: what the report of one week is made of."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar

import duckdb

from pipelines.connections import read_only
from pipelines.errors import StateError, UsageError
from pipelines.pages import charts
from pipelines.report.rows import (
    About,
    CauseCount,
    GroupCount,
    LevelCount,
    Measure,
    OpenAnswer,
    RegionCount,
    Revision,
    RuleCount,
    SenderWeek,
    Signal,
    WeekShare,
)
from pipelines.statements import statement

WEEKS_SHOWN = 26
# read for all the weeks shown
TRENDS = ("weekly_triage", "weekly_causes", "weekly_regions", "weekly_revisions", "weekly_sources")
SINGLE_WEEK = (
    "weekly_signals",
    "weekly_demographics",
    "weekly_rules",
    "weekly_missing_answers",
    "weekly_quality",
)
ABOUT = """SELECT rule_pack, time_zone, week_system, latest_week, version,
  CAST(first_report AT TIME ZONE time_zone AS VARCHAR) AS first_report,
  CAST(last_report AT TIME ZONE time_zone AS VARCHAR) AS last_report,
  CAST(published_at AT TIME ZONE time_zone AS VARCHAR) AS published_at FROM about"""
COVERED = "SELECT DISTINCT week, week_start FROM weekly_triage ORDER BY week_start"
BY_SOURCE = """SELECT source, CAST(sum(reports) AS BIGINT) AS reports FROM daily_summary
  WHERE report_date BETWEEN ? AND ? GROUP BY source ORDER BY source"""
# what the curves and the heat map draw: the series that always have a curve, those that alarm now, every alarm before
SIGNALS_SHOWN = """SELECT * FROM weekly_signals WHERE week_start BETWEEN ? AND ? AND (status = 'alarm'
  OR list_contains(?, series)
  OR series IN (SELECT series FROM weekly_signals WHERE week_start = ? AND status = 'alarm')) ORDER BY ALL"""
ALWAYS_CURVED = ("all", "triage_level=emergency")


class OfWeek(Protocol):
    """A row that belongs to a week."""

    @property
    def week_start(self) -> date:
        """The first day of the week."""
        ...


AnyRow = TypeVar("AnyRow")
WeekRow = TypeVar("WeekRow", bound=OfWeek)


@dataclass(frozen=True)
class RawTable:
    """Rows of one summary table as they are stored, for its CSV; the columns are known without rows too."""

    columns: Sequence[str]
    rows: Sequence[tuple[Any, ...]]

    def typed(self, row_type: type[AnyRow]) -> list[AnyRow]:
        """Return the rows as objects of a dataclass, which picks its columns by name."""
        names = [field.name for field in fields(row_type)]  # type: ignore[arg-type]
        places = [self.columns.index(name) for name in names]
        return [row_type(*(row[place] for place in places)) for row in self.rows]


@dataclass(frozen=True)
class WeekTables:
    """What one report is made of.

    covered: first day -> name of every covered week of the database; raw: the tables by name, for their CSVs. Levels,
    causes, regions, revisions and the quality trend are of all weeks shown; signals too, of the series that may be
    drawn; the others are of the report's week.
    """

    week: str
    start: date
    about: About
    covered: dict[date, str]
    raw: dict[str, RawTable]
    levels: list[LevelCount]
    causes: list[CauseCount]
    regions: list[RegionCount]
    groups: list[GroupCount]
    rules: list[RuleCount]
    open_answers: list[OpenAnswer]
    measures: list[Measure]
    quality_trend: list[WeekShare]
    signals_now: list[Signal]
    signals: list[Signal]
    revisions: list[Revision]
    senders: list[SenderWeek]
    reports_by_source: dict[str, int]

    @cached_property
    def starts(self) -> list[date]:
        """The first days of the weeks shown, oldest first, covered or not."""
        return [self.start - timedelta(weeks=back) for back in reversed(range(WEEKS_SHOWN))]

    @cached_property
    def axis(self) -> list[charts.Week]:
        """The weeks shown, for the charts."""
        return [charts.Week(self.covered.get(day, "no data"), day) for day in self.starts]

    @cached_property
    def is_complete(self) -> bool:
        """Whether the week had ended when its summaries were published."""
        ended = [day for day, name in self.covered.items() if name == self.about.latest_week]
        return bool(ended) and self.start <= ended[0]

    def now(self, rows: Iterable[WeekRow]) -> list[WeekRow]:
        """Return the rows of the report's week."""
        return [row for row in rows if row.week_start == self.start]

    def count_by_week(self, counts: Iterable[tuple[date, int]]) -> list[int | None]:
        """Sum counts, each with the first day of its week, for every week shown; None if a week is not covered."""
        sums = {day: 0 for day in self.starts if day in self.covered}
        for day, count in counts:
            if day in sums:
                sums[day] += count
        return [sums.get(day) for day in self.starts]


def read_week(summaries: Path, week: str = "latest") -> WeekTables:
    """Read what the report of one week needs. Raises the errors of `write_report`."""
    if not summaries.is_file():
        raise UsageError(f"there are no summaries yet at {summaries}; make them first with: calfwatch run PATH...")
    try:
        with contextlib.closing(read_only(summaries)) as connection:
            return _read(connection, week)
    except duckdb.Error as error:
        first_line = str(error).splitlines()[0]
        raise StateError(f"{summaries} cannot be read: {first_line}") from error


def _read(connection: duckdb.DuckDBPyConnection, week: str) -> WeekTables:
    about = _about(connection)
    covered = {start: name for name, start in _select(connection, COVERED).rows}
    name, start = _choose(week, about.latest_week, covered)
    first = start - timedelta(weeks=WEEKS_SHOWN - 1)
    spans = dict.fromkeys(TRENDS, (first, start)) | dict.fromkeys(SINGLE_WEEK, (start, start))
    raw = {table: _weekly(connection, table, *span) for table, span in spans.items()}
    raw["quality_trend"] = _select(connection, statement("report", "quality_trend"), {"first": first, "last": start})
    return WeekTables(
        week=name,
        start=start,
        about=about,
        covered=covered,
        raw=raw,
        levels=raw["weekly_triage"].typed(LevelCount),
        causes=raw["weekly_causes"].typed(CauseCount),
        regions=raw["weekly_regions"].typed(RegionCount),
        groups=raw["weekly_demographics"].typed(GroupCount),
        rules=raw["weekly_rules"].typed(RuleCount),
        open_answers=raw["weekly_missing_answers"].typed(OpenAnswer),
        measures=raw["weekly_quality"].typed(Measure),
        quality_trend=raw["quality_trend"].typed(WeekShare),
        signals_now=raw["weekly_signals"].typed(Signal),
        signals=_select(connection, SIGNALS_SHOWN, first, start, list(ALWAYS_CURVED), start).typed(Signal),
        revisions=raw["weekly_revisions"].typed(Revision),
        senders=raw["weekly_sources"].typed(SenderWeek),
        reports_by_source=dict(_select(connection, BY_SOURCE, start, start + timedelta(days=6)).rows),
    )


def _about(connection: duckdb.DuckDBPyConnection) -> About:
    rows = _select(connection, ABOUT).typed(About)
    if not rows:
        raise UsageError("the summaries are empty; bring in reports first with: calfwatch run PATH...")
    return rows[0]


def _choose(week: str, latest: str | None, covered: dict[date, str]) -> tuple[str, date]:
    if not covered:
        raise UsageError("the summaries hold no week yet; bring in reports first with: calfwatch run PATH...")
    days = {name: day for day, name in covered.items()}
    names = list(days)
    spanned = f"{len(names)} covered weeks, {names[0]} to {names[-1]}"
    if week == "latest" and latest is None:
        raise UsageError(f"no week is complete yet ({spanned}); name one with: --week {names[-1]}")
    wanted = latest if week == "latest" and latest else week
    if wanted not in days:
        raise UsageError(f"week {wanted!r} is not covered by any report ({spanned}); try --week {names[-1]}")
    return wanted, days[wanted]


def _weekly(connection: duckdb.DuckDBPyConnection, table: str, first: date, last: date) -> RawTable:
    return _select(connection, f"SELECT * FROM {table} WHERE week_start BETWEEN ? AND ? ORDER BY ALL", first, last)


def _select(connection: duckdb.DuckDBPyConnection, sql: str, *values: Any) -> RawTable:
    """Run a query with values in order for `?`, or with one dict of them for `$name`."""
    named = values[0] if values and isinstance(values[0], dict) else list(values)
    found = connection.execute(sql, named)
    return RawTable([column[0] for column in found.description or ()], found.fetchall())
