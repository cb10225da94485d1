"""Read summaries.duckdb into WeekTables: what the report of one week is made of."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar

import duckdb

from pipelines.connections import read_only
from pipelines.errors import StateError, UsageError
from pipelines.pages import charts
from pipelines.pages.calls import DETAILED_ALARMS
from pipelines.pages.labels import split_series
from pipelines.report.rows import (
    About,
    Assessment,
    CauseCount,
    CauseLevel,
    DailyAlarm,
    Episode,
    GroupCount,
    IndicatorCount,
    LevelCount,
    Measure,
    Nowcast,
    OpenAnswer,
    Rate,
    RegionCount,
    Revision,
    RuleCount,
    SenderWeek,
    SeriesDay,
    Signal,
    Signature,
    WeekShare,
)
from pipelines.statements import read_statement

WEEKS_SHOWN = 26
YEAR_BEFORE = timedelta(weeks=52)  # the week nearest to the same date of the year before
DAYS_SHOWN = 56  # of an alarm's days
# read for all the weeks shown, and the same week a year before
TRENDS = ("weekly_triage", "weekly_causes", "weekly_regions", "weekly_indicators", "weekly_revisions", "weekly_sources")
SINGLE_WEEK = (
    "weekly_signals",
    "weekly_demographics",
    "weekly_rules",
    "weekly_missing_answers",
    "weekly_quality",
    "weekly_nowcast",
    "weekly_rates",
)
ABOUT = """SELECT rule_pack, time_zone, week_system, latest_week, version,
  CAST(first_report AT TIME ZONE time_zone AS VARCHAR) AS first_report,
  CAST(last_report AT TIME ZONE time_zone AS VARCHAR) AS last_report,
  CAST(published_at AT TIME ZONE time_zone AS VARCHAR) AS published_at FROM about"""
ASSESSMENTS = """SELECT CAST(written_at AT TIME ZONE time_zone AS VARCHAR) AS written_at, name, contact, text
  FROM assessments, about WHERE week = ? ORDER BY ALL"""
SIGNATURES = (
    "SELECT name, role, signed_on FROM signatures, about WHERE signatures.rule_pack = about.rule_pack ORDER BY ALL"
)
EPISODES = "SELECT * FROM alarm_episodes WHERE first_start <= ? ORDER BY ALL"
DAILY_ALARMS = "SELECT * FROM daily_signals WHERE week_start = ? AND is_first ORDER BY report_date, p_value, series"
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

    def where(self, flag: str) -> RawTable:
        """Return the rows of which a column is true."""
        place = self.columns.index(flag)
        return RawTable(self.columns, [row for row in self.rows if row[place]])


@dataclass(frozen=True)
class WeekTables:
    """What one report is made of.

    covered: first day -> name of every covered week of the database; raw: the tables by name, for their CSVs. Levels,
    causes, regions, revisions, senders and the quality trend are of all weeks shown, and of the same week a year
    before; signals too, of the series that may be drawn; days: of the first alarms, those of the last eight weeks;
    the others are of the report's week.
    """

    week: str
    start: date
    about: About
    covered: dict[date, str]
    raw: dict[str, RawTable]
    levels: list[LevelCount]
    causes: list[CauseCount]
    regions: list[RegionCount]
    indicators: list[IndicatorCount]
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
    cause_levels: list[CauseLevel]
    nowcasts: dict[str, Nowcast]
    episodes: list[Episode]
    daily_alarms: list[DailyAlarm]
    days: dict[str, list[SeriesDay]]
    rates: dict[str, Rate]
    assessments: list[Assessment]
    signatures: list[Signature]

    @cached_property
    def starts(self) -> list[date]:
        """The first days of the weeks shown, oldest first, covered or not."""
        return [self.start - timedelta(weeks=back) for back in reversed(range(WEEKS_SHOWN))]

    @cached_property
    def axis(self) -> list[charts.Week]:
        """The weeks shown, for the charts."""
        return [charts.Week(self.covered.get(day, "no data"), day) for day in self.starts]

    @cached_property
    def judged_now(self) -> dict[str, Signal]:
        """Return the row of each series from which the week's level and trend are read."""
        return {row.series: row for row in self.signals_now if row.is_primary}

    @property
    def has_year_before(self) -> bool:
        """Whether the same week a year before is covered."""
        return self.start - YEAR_BEFORE in self.covered

    @cached_property
    def is_complete(self) -> bool:
        """Whether the week had ended when its summaries were published."""
        ended = [day for day, name in self.covered.items() if name == self.about.latest_week]
        return bool(ended) and self.start <= ended[0]

    def now(self, rows: Iterable[WeekRow]) -> list[WeekRow]:
        """Return the rows of the report's week."""
        return [row for row in rows if row.week_start == self.start]

    def count_by_week(self, counts: Iterable[tuple[date, int]], days: Sequence[date] | None = None) -> list[int | None]:
        """Sum counts, each with the first day of its week, for these weeks, else those shown; None if not covered."""
        wanted = self.starts if days is None else days
        sums = {day: 0 for day in wanted if day in self.covered}
        for day, count in counts:
            if day in sums:
                sums[day] += count
        return [sums.get(day) for day in wanted]


def read_week(summaries: Path, week: str = "latest") -> WeekTables:
    """Read what the report of one week needs. Raises the errors of `write_report`."""
    if not summaries.is_file():
        raise UsageError(f"there are no summaries yet at {summaries}; make them first with: calfwatch run PATH...")
    try:
        with contextlib.closing(read_only(summaries)) as connection:
            return _read_tables(connection, week)
    except duckdb.Error as error:
        first_line = str(error).splitlines()[0]
        raise StateError(f"{summaries} cannot be read: {first_line}") from error


def _read_tables(connection: duckdb.DuckDBPyConnection, week: str) -> WeekTables:
    about = _read_about(connection)
    covered = {start: name for name, start in _select(connection, COVERED).rows}
    name, start = _choose_week(week, about.latest_week, covered)
    first = start - timedelta(weeks=WEEKS_SHOWN - 1)
    spans = dict.fromkeys(TRENDS, (first, start)) | dict.fromkeys(SINGLE_WEEK, (start, start))
    raw = {table: _read_weekly(connection, table, *span) for table, span in spans.items()}
    shown, this_week = {"first": first, "last": start}, {"first": start, "last": start + timedelta(days=6)}
    raw["quality_trend"] = _select(connection, read_statement("report", "quality_trend"), shown)
    raw["cause_levels"] = _select(connection, read_statement("report", "cause_levels"), this_week)
    return WeekTables(
        week=name,
        start=start,
        about=about,
        covered=covered,
        raw=raw,
        levels=raw["weekly_triage"].typed(LevelCount),
        causes=raw["weekly_causes"].typed(CauseCount),
        regions=raw["weekly_regions"].typed(RegionCount),
        indicators=raw["weekly_indicators"].typed(IndicatorCount),
        quality_trend=raw["quality_trend"].typed(WeekShare),
        signals_now=raw["weekly_signals"].typed(Signal),
        signals=_select(connection, SIGNALS_SHOWN, first, start, list(ALWAYS_CURVED), start).typed(Signal),
        revisions=raw["weekly_revisions"].typed(Revision),
        senders=raw["weekly_sources"].typed(SenderWeek),
        reports_by_source=dict(_select(connection, BY_SOURCE, *this_week.values()).rows),
        days=_read_alarm_days(connection, name, start),
        **_read_one_week(connection, raw, name, start),
    )


def _read_one_week(
    connection: duckdb.DuckDBPyConnection, raw: Mapping[str, RawTable], name: str, start: date
) -> dict[str, Any]:
    latest = raw["weekly_nowcast"].where("is_latest").typed(Nowcast)
    return {
        "groups": raw["weekly_demographics"].typed(GroupCount),
        "rules": raw["weekly_rules"].typed(RuleCount),
        "open_answers": raw["weekly_missing_answers"].typed(OpenAnswer),
        "measures": raw["weekly_quality"].typed(Measure),
        "cause_levels": raw["cause_levels"].typed(CauseLevel),
        "nowcasts": {row.series: row for row in latest},
        "rates": {row.region: row for row in raw["weekly_rates"].where("is_whole_region").typed(Rate)},
        "episodes": _select(connection, EPISODES, start).typed(Episode),
        "daily_alarms": _select(connection, DAILY_ALARMS, start).typed(DailyAlarm),
        "assessments": _select(connection, ASSESSMENTS, name).typed(Assessment),
        "signatures": _select(connection, SIGNATURES).typed(Signature),
    }


def _read_alarm_days(connection: duckdb.DuckDBPyConnection, week: str, start: date) -> dict[str, list[SeriesDay]]:
    """Read the days of the first alarms, each part of a series that is not narrowed being None."""
    chosen = _select(
        connection, read_statement("pages", "alarms_of_week"), {"week": week, "most": DETAILED_ALARMS}
    ).rows
    last = start + timedelta(days=6)
    span = {"first": last - timedelta(days=DAYS_SHOWN - 1), "last": last}
    sql = read_statement("report", "series_days")
    return {series: _select(connection, sql, span | split_series(series)).typed(SeriesDay) for (series,) in chosen}


def _read_about(connection: duckdb.DuckDBPyConnection) -> About:
    rows = _select(connection, ABOUT).typed(About)
    if not rows:
        raise UsageError("the summaries are empty; bring in reports first with: calfwatch run PATH...")
    return rows[0]


def _choose_week(week: str, latest: str | None, covered: dict[date, str]) -> tuple[str, date]:
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


def _read_weekly(connection: duckdb.DuckDBPyConnection, table: str, first: date, last: date) -> RawTable:
    """Return a weekly table's rows; where more than a week is asked for, the same week a year before is among them."""
    earlier = last - YEAR_BEFORE if first < last else first
    sql = f"SELECT * FROM {table} WHERE week_start BETWEEN ? AND ? OR week_start = ? ORDER BY ALL"
    return _select(connection, sql, first, last, earlier)


def _select(connection: duckdb.DuckDBPyConnection, sql: str, *values: Any) -> RawTable:
    """Run a query with values in order for `?`, or with one dict of them for `$name`."""
    named = values[0] if values and isinstance(values[0], dict) else list(values)
    found = connection.execute(sql, named)
    return RawTable([column[0] for column in found.description or ()], found.fetchall())
