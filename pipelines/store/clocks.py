"""The sender's own time: which days a delivery brought, the clock that they give, and the first delivery of a report.

A clock depends on contents and order alone, so a home that is built again from the same files has the same clocks.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import duckdb

from pipelines.statements import create_sql, statement
from pipelines.store.erasing import erasure
from schemas.record_layout import report_day_sql
from schemas.tables import (
    ALARM_EPISODES,
    ALARM_NOTES,
    DAILY_SIGNALS,
    DELIVERY_DAYS,
    SIGNAL_FITS,
    WEEKLY_SIGNAL_TABLES,
)

if TYPE_CHECKING:
    from pipelines.settings import Settings


def period_text(first: date, last: date) -> str:
    """Return the days from `first` to `last` as the ledger keeps a file's period."""
    return first.isoformat() if first == last else f"{first.isoformat()}/{last.isoformat()}"


def period_days(period: str) -> tuple[date, date]:
    """Return the first and the last day of a period of the ledger."""
    first, _, last = period.partition("/")
    return date.fromisoformat(first), date.fromisoformat(last or first)


def add_delivery_days(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the days of the deliveries that are being counted: the table `day_sums` has them already."""
    connection.execute(
        "INSERT INTO delivery_days SELECT delivery_no, report_date, reports FROM day_sums WHERE sign = 1"
    )


def delivery_days_sql(settings: Settings) -> str:
    """Return the SELECT that counts the days of every delivery from all records, replaced ones included."""
    counted = statement("store", "delivery_days", day=report_day_sql(settings.time_zone))
    return erasure.with_erased_sql(DELIVERY_DAYS, counted)


def rebuild_delivery_days(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Count the days of every delivery again, after a change of the time zone or of the stored records."""
    connection.execute("DELETE FROM delivery_days")
    connection.execute(f"INSERT INTO delivery_days BY NAME {delivery_days_sql(settings)}")


def clocks_sql() -> str:
    """Return the SELECT of every accepted delivery's clock."""
    return statement("store", "clocks", plausible_days=statement("store", "plausible_days"))


def update_clocks(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring `files.clock` up to date, inside the caller's transaction; a file that is not accepted has none."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE clocks AS {clocks_sql()}")
    connection.execute(
        """UPDATE files SET clock = clocks.clock FROM clocks
           WHERE files.delivery_no = clocks.delivery_no AND files.clock IS DISTINCT FROM clocks.clock"""
    )
    connection.execute("UPDATE files SET clock = NULL WHERE status <> 'accepted' AND clock IS NOT NULL")
    connection.execute("DROP TABLE clocks")


def add_clocks_and_signals(connection: duckdb.DuckDBPyConnection) -> None:
    """Take a state of version 3 to the tables and columns of clocks and signals; the caller counts afterwards."""
    connection.execute("ALTER TABLE files ADD COLUMN period VARCHAR")
    connection.execute("ALTER TABLE files ADD COLUMN clock DATE")
    connection.execute("ALTER TABLE records ADD COLUMN first_delivery_no INTEGER")
    connection.execute("ALTER TABLE superseded ADD COLUMN first_delivery_no INTEGER")
    _fill_first_deliveries(connection)
    connection.execute("DROP TABLE daily_delays")
    connection.execute("""CREATE TABLE daily_arrivals (report_date DATE, source VARCHAR, triage_level VARCHAR,
        first_delivery_no INTEGER, reports BIGINT)""")
    connection.execute("CREATE TABLE delivery_days (delivery_no INTEGER, report_date DATE, reports BIGINT)")
    connection.execute("DROP TABLE weekly_signals")
    for table in (*WEEKLY_SIGNAL_TABLES, DAILY_SIGNALS, ALARM_EPISODES, ALARM_NOTES, SIGNAL_FITS):
        connection.execute(create_sql(table))
    connection.execute("DELETE FROM state WHERE key = 'signals'")


def _fill_first_deliveries(connection: duckdb.DuckDBPyConnection) -> None:
    """Find each report's first delivery among its versions; where only one is stored, that one brought it."""
    connection.execute("UPDATE records SET first_delivery_no = delivery_no")
    connection.execute("""CREATE OR REPLACE TEMP TABLE firsts AS
        SELECT superseded.source, report_id, min(files.delivery_no) AS first_delivery_no
        FROM superseded JOIN files USING (file_id, source) GROUP BY ALL""")
    for table in ("records", "superseded"):
        connection.execute(f"""UPDATE {table} SET first_delivery_no = firsts.first_delivery_no FROM firsts
            WHERE firsts.source = {table}.source AND firsts.report_id = {table}.report_id""")
    connection.execute("DROP TABLE firsts")
