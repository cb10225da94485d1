"""Counts by week, sender and series that are kept: where no day of a week changed, the daily summary is not read again.

    touched days -> the weeks they are in -> these counted anew -> signal_counts

Where they were counted otherwise (another version, zone, kind of week or pack) or something was taken out of the
records since, all weeks are.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version

import duckdb

from pipelines.settings import Settings
from pipelines.signals.inputs import named_counts_sql
from pipelines.statements import fetch_first_row, read_statement
from pipelines.store.daily_counts import make_week_placeholders


def update_weekly_counts(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Bring `signal_counts` up to date, inside the caller's transaction."""
    week = _week_start_sql(settings)
    weeks = f"SELECT DISTINCT {week} AS week_start FROM touched_days"
    of_weeks, of_days = f"week_start IN ({weeks})", f"report_date IN ({_days_of_weeks_sql(weeks)})"
    if not _is_counted_alike(connection, settings):
        of_weeks = of_days = "true"
    connection.execute(f"DELETE FROM signal_counts WHERE {of_weeks}")
    words = {"step": week, "of_days": of_days}
    counts = f"({named_counts_sql(**words)}) UNION ALL ({read_statement('signals', 'indicator_counts', **words)})"
    connection.execute(f"INSERT INTO signal_counts SELECT start, source, series, reports FROM ({counts})")


def _week_start_sql(settings: Settings) -> str:
    """Return the first day of the week of `report_date`."""
    words = make_week_placeholders(settings)
    return f"report_date - {words['days_into_week']}(report_date)::INTEGER + {words['first_day_number']}"


def _days_of_weeks_sql(weeks: str) -> str:
    """Return the days of weeks, by which DuckDB passes over the blocks of other days, as it does not by their weeks."""
    return f"SELECT week_start + day::INTEGER FROM ({weeks}), range(7) AS days(day)"


def _is_counted_alike(connection: duckdb.DuckDBPyConnection, settings: Settings) -> bool:
    """Return whether weeks of which no day was touched would be counted as they are stored."""
    found = fetch_first_row(
        connection, "SELECT (SELECT value FROM state WHERE key = 'signal_counts'), EXISTS (FROM signal_counts)"
    )
    return found == (describe_counting(connection, settings), True)


def describe_counting(connection: duckdb.DuckDBPyConnection, settings: Settings) -> str:
    """Return a digest of what the counts of a day that nobody touched still depend on."""
    deeds = fetch_first_row(
        connection, "SELECT (SELECT count(*) FROM audit), (SELECT value FROM state WHERE key = 'rule_pack')"
    )
    facts = (deeds, settings.time_zone, settings.week_system, version("calfwatch"))
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
