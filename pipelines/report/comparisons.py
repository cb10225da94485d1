"""What stands beside a count: whether it is as expected, where it is going, and the same week a year before."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from pipelines.pages.values import Cell, Column, Kind, Text
from pipelines.report.curves import count_series
from pipelines.report.rows import IndicatorCount, SenderWeek, Signal
from pipelines.report.week import YEAR_BEFORE, WeekTables
from pipelines.text import describe_sender

ALARM = "above, alarm"
NOT_JUDGED = "not judged"
BELOW, BELOW_SO_FAR = "below", "below so far"  # a week of which reports are still to come is compared with whole ones
ARRIVAL_WEEKS = 8  # as many as make a sender silent
TRENDS = {"rising": "▲ rising", "falling": "▼ falling", "steady": "steady"}


def make_comparison_columns(tables: WeekTables) -> tuple[Column, ...]:
    """Return the columns beside a count; that of the year before only where there is such a week."""
    year = (Column("Year before", Kind.COUNT, "year_before"),) if tables.has_year_before else ()
    return (Column("Expected", name="expectation"), Column("Trend", name="trend"), *year)


def make_comparison_cells(tables: WeekTables, series: str) -> tuple[Cell, ...]:
    """Return the cells of one series; the words are those of the row that it is judged by."""
    level = describe_level(tables, series)
    found = _find_judged(tables, series)
    trend = TRENDS.get((found.trend if found else None) or "", "")
    year = (count_a_year_before(tables, series),) if tables.has_year_before else ()
    return (Text(level, strong=level == ALARM), Text(trend), *year)


def describe_level(tables: WeekTables, series: str) -> str:
    """Return below, within or above; an alarm of any method is told."""
    found = _find_judged(tables, series)
    if any(row.is_alarm for row in tables.signals_now if row.series == series):
        return ALARM
    level = found.level if found and found.level else NOT_JUDGED
    return BELOW_SO_FAR if level == BELOW and _may_grow(tables) else level


def _may_grow(tables: WeekTables) -> bool:
    """Return whether reports of the week are still to come, as far as that is known."""
    row = tables.nowcasts.get("all")
    return row is not None and row.upper is not None and row.upper >= row.reported_so_far + 1


def _find_judged(tables: WeekTables, series: str) -> Signal | IndicatorCount | None:
    named = {row.indicator: row for row in tables.now(tables.indicators)}
    return tables.judged_now.get(series) or named.get(series)


def name_lacking(tables: WeekTables, weeks_back: int) -> str:
    """Name who sent nothing, or a part only, for a week, each with its usual number; empty if nobody is lacking."""
    week_start = tables.start - timedelta(weeks=weeks_back)
    rows = [row for row in tables.senders if row.week_start == week_start and row.state in ("missing", "partial")]
    return "; ".join(
        describe_sender(row.source, row.week, None if row.state == "missing" else row.reports, row.usual)
        for row in rows
    )


def find_arrived(tables: WeekTables) -> list[SenderWeek]:
    """Return who sent reports, and less than a tenth of them for the eight weeks before: so a total moved by it.

    Where no other sender reported in these weeks, there is no total to compare with.
    """
    first, before = tables.start - timedelta(weeks=ARRIVAL_WEEKS), Counter[str]()
    for row in tables.senders:
        if first <= row.week_start < tables.start:
            before[row.source] += row.reports
    arrived = [row for row in tables.now(tables.senders) if 10 * before[row.source] < row.reports]
    return [row for row in arrived if before.total() > before[row.source]]


def count_week_before(tables: WeekTables, series: str, now: int) -> int | None:
    """Return the count of the week before as it stood at the same age; None if it is not of the senders of `now`."""
    nowcast = tables.nowcasts.get(series)
    is_like = nowcast is not None and nowcast.reported_so_far == now and not name_lacking(tables, weeks_back=1)
    return nowcast.previous_so_far if nowcast and is_like and not find_arrived(tables) else None


def count_a_year_before(tables: WeekTables, series: str) -> int | None:
    """Return the count of the same week a year before; None if it is not covered."""
    return count_series(tables, series, [tables.start - YEAR_BEFORE])[0]
