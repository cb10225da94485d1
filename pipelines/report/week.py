"""summaries.duckdb -> WeekTables: what the report of one week is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

from pipelines.errors import StateError, UsageError
from pipelines.pages import charts
from pipelines.statements import statement
from schemas.tables import quoted

WEEKS_SHOWN = 26
TRENDS = (
    "weekly_triage",
    "weekly_causes",
    "weekly_regions",
    "weekly_revisions",
    "weekly_sources",
)  # read for all the weeks shown
SINGLE_WEEK = (
    "weekly_signals",
    "weekly_demographics",
    "weekly_rules",
    "weekly_missing_answers",
    "weekly_quality",
)
ABOUT = """SELECT rule_pack, complaint, time_zone, week_system, latest_week, version,
  CAST(first_report AS VARCHAR) AS first_report, CAST(last_report AS VARCHAR) AS last_report,
  CAST(published_at AS VARCHAR) AS published_at FROM about"""
COVERED = "SELECT DISTINCT week, week_start FROM weekly_triage ORDER BY week_start"
BY_SOURCE = """SELECT source, CAST(sum(reports) AS BIGINT) AS reports FROM daily_summary
  WHERE report_date BETWEEN ? AND ? GROUP BY source ORDER BY source"""
# what the curves and the heat map draw: the series that always have a curve, those that alarm now, every alarm before
SIGNALS_SHOWN = """SELECT * FROM weekly_signals WHERE week_start BETWEEN ? AND ? AND (status = 'alarm'
  OR list_contains(?, series)
  OR series IN (SELECT series FROM weekly_signals WHERE week_start = ? AND status = 'alarm')) ORDER BY ALL"""
ALWAYS_CURVED = ("all", "triage_level=emergency")

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """Rows of one summary table, with the column names kept for the case of no rows."""

    columns: tuple[str, ...]
    rows: list[Row]


@dataclass(frozen=True)
class WeekTables:
    """What one report is made of.

    covered: first day -> name of every covered week of the database; signals: rows of weekly_signals over the
    weeks shown, of the series that may be drawn.
    """

    week: str
    start: date
    about: Row
    covered: dict[date, str]
    tables: dict[str, Table]
    signals: list[Row]
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
        ended = [day for day, name in self.covered.items() if name == self.about["latest_week"]]
        return bool(ended) and self.start <= ended[0]

    def now(self, table: str) -> list[Row]:
        """The rows of the report's week."""
        return [row for row in self.tables[table].rows if row["week_start"] == self.start]

    def trend(self, table: str, wanted: Callable[[Row], bool], column: str = "reports") -> list[int | None]:
        """A count for each week shown: the sum over the rows wanted, None where the week is not covered."""
        sums = {day: 0 for day in self.starts if day in self.covered}
        for row in filter(wanted, self.tables[table].rows):
            sums[row["week_start"]] += row[column]
        return [sums.get(day) for day in self.starts]


def read_week(summaries: Path, week: str = "latest") -> WeekTables:
    """Reads what the report of one week needs. Errors as in `write_report`."""
    if not summaries.is_file():
        raise UsageError(f"there are no summaries yet at {summaries}; make them first with: calfwatch run PATH...")
    try:
        with duckdb.connect(str(summaries), read_only=True) as connection:
            return _read(connection, week)
    except duckdb.Error as error:
        first_line = str(error).splitlines()[0]
        raise StateError(f"{summaries} cannot be read: {first_line}") from error


def _read(connection: duckdb.DuckDBPyConnection, week: str) -> WeekTables:
    about = _about(connection)
    covered = {row["week_start"]: row["week"] for row in _select(connection, COVERED).rows}
    name, start = _choose(week, about["latest_week"], covered)
    first = start - timedelta(weeks=WEEKS_SHOWN - 1)
    spans = dict.fromkeys(TRENDS, (first, start)) | dict.fromkeys(SINGLE_WEEK, (start, start))
    by_source = _select(connection, BY_SOURCE, start, start + timedelta(days=6))
    trend = _select(connection, statement("report", "quality_trend"), {"first": first, "last": start})
    tables = {table: _weekly(connection, table, *span) for table, span in spans.items()}
    return WeekTables(
        week=name,
        start=start,
        about=about,
        covered=covered,
        tables=tables | {"quality_trend": trend},
        signals=_select(connection, SIGNALS_SHOWN, first, start, list(ALWAYS_CURVED), start).rows,
        reports_by_source={row["source"]: row["reports"] for row in by_source.rows},
    )


def _about(connection: duckdb.DuckDBPyConnection) -> Row:
    """The row of `about`, its instants as text in the reporting time zone."""
    zone = connection.execute("SELECT time_zone FROM about").fetchone()
    if zone is None:
        raise UsageError("the summaries are empty; bring in reports first with: calfwatch run PATH...")
    connection.execute(f"SET TimeZone = {quoted(zone[0])}")
    return _select(connection, ABOUT).rows[0]


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


def _weekly(connection: duckdb.DuckDBPyConnection, table: str, first: date, last: date) -> Table:
    return _select(connection, f"SELECT * FROM {table} WHERE week_start BETWEEN ? AND ? ORDER BY ALL", first, last)


def _select(connection: duckdb.DuckDBPyConnection, sql: str, *values: Any) -> Table:
    """Values in order for `?`, or one dict of them for `$name`."""
    named = values[0] if values and isinstance(values[0], dict) else list(values)
    found = connection.execute(sql, named)
    columns = tuple(column[0] for column in found.description or ())
    return Table(columns, [dict(zip(columns, row, strict=True)) for row in found.fetchall()])
