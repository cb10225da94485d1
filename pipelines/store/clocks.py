"""The sender's own time: which days a delivery brought, which are typed wrong, the clock, a report's first delivery.

A clock depends on contents and order alone, so a home that is built again from the same files has the same clocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

import duckdb

from pipelines.statements import create_sql, read_statement
from pipelines.store.erasing import erasure
from schemas.record_layout import report_day_sql
from schemas.tables import (
    ALARM_EPISODES,
    ALARM_NOTES,
    DAILY_SIGNALS,
    DELIVERY_DAYS,
    SIGNAL_COUNTS,
    SIGNAL_FITS,
    SIGNAL_INPUTS,
    WEEKLY_SIGNAL_TABLES,
)

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.store.ledger import Group

LONGEST_GAP = timedelta(days=91)  # without a report: it parts a sender's time
FEW, SMALL_SHARE = 2, 0.01
NEAR = timedelta(days=2)  # no report's day is further from its instant, whatever the time zone
Days = Sequence[tuple[date, int]]


def format_period(first: date, last: date) -> str:
    """Return the days from `first` to `last` as the ledger keeps a file's period."""
    return first.isoformat() if first == last else f"{first.isoformat()}/{last.isoformat()}"


def parse_period(period: str) -> tuple[date, date]:
    """Return the first and the last day of a period of the ledger."""
    first, _, last = period.partition("/")
    return date.fromisoformat(first), date.fromisoformat(last or first)


def find_plausible_range(days: Days) -> tuple[date, date] | None:
    """Return the first and last of days (each with its number of reports, ascending) without those typed wrong."""
    kept = [part for part, is_plausible in _part_days(days) if is_plausible]
    return (kept[0][0][0], kept[-1][-1][0]) if kept else None


def _part_days(days: Days) -> list[tuple[Days, bool]]:
    """Part days at long gaps; return the parts, and whether each is plausible: the law of sql/store/plausible_days.sql.

    Implausible are those with next to nothing, beside a larger one.
    """
    starts = [0, *(i for i, (a, b) in enumerate(pairwise(days), 1) if b[0] - a[0] > LONGEST_GAP), len(days)]
    parts = [days[start:end] for start, end in pairwise(starts) if end > start]
    sizes = [sum(count for _, count in part) for part in parts]
    limit = max(FEW, sum(sizes) * SMALL_SHARE)
    kept = [size > limit or size == max(sizes) for size in sizes]
    if 2 * sum(size for size, is_kept in zip(sizes, kept, strict=True) if is_kept) <= sum(sizes):
        kept = [True] * len(parts)  # a report now and then has such gaps
    return list(zip(parts, kept, strict=True))


def count_implausible(connection: duckdb.DuckDBPyConnection, group: Group, time_zone: str) -> dict[int, int]:
    """Count the new records of implausible days per delivery: judged by what its source brought up to it."""
    brought = dict(
        connection.execute(
            """SELECT report_date, sum(reports)::BIGINT FROM delivery_days JOIN files USING (delivery_no)
               WHERE source = ? AND status = 'accepted' AND delivery_no < ? GROUP BY 1""",
            [group.source.name, min(group.files)],
        ).fetchall()
    )
    moments = [each for checked in group.files.values() for each in (checked.counts.first, checked.counts.last) if each]
    if not _may_be_parted([*brought, *(moment.date() for moment in moments)]):
        return {}
    sql = f"""SELECT delivery_no, {report_day_sql(time_zone)} AS day, count(*) FROM records
        WHERE delivery_no BETWEEN $first AND $last GROUP BY ALL ORDER BY ALL"""
    found = {}
    for number, rows in groupby(connection.execute(sql, group.numbers).fetchall(), key=lambda row: int(row[0])):
        new = {day: count for _, day, count in rows}
        brought |= {day: count + brought.get(day, 0) for day, count in new.items()}
        found[number] = sum(
            new.get(day, 0)
            for part, is_plausible in _part_days(sorted(brought.items()))
            if not is_plausible
            for day, _ in part
        )
    return found


def _may_be_parted(days: Iterable[date]) -> bool:
    """Return whether some gap may be a long one; further days between these only make it shorter."""
    return any(later - earlier > LONGEST_GAP - 2 * NEAR for earlier, later in pairwise(sorted(days)))


def add_delivery_days(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the days of the deliveries that are being counted: the table `day_sums` has them already."""
    connection.execute(
        "INSERT INTO delivery_days SELECT delivery_no, report_date, reports FROM day_sums WHERE sign = 1"
    )


def delivery_days_sql(settings: Settings) -> str:
    """Return the SELECT that counts the days of every delivery from all records, replaced ones included."""
    counted = read_statement("store", "delivery_days", day=report_day_sql(settings.time_zone))
    return erasure.with_erased_sql(DELIVERY_DAYS, counted)


def rebuild_delivery_days(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Count the days of every delivery again, after a change of the time zone or of the stored records."""
    connection.execute("DELETE FROM delivery_days")
    connection.execute(f"INSERT INTO delivery_days BY NAME {delivery_days_sql(settings)}")


def clocks_sql() -> str:
    """Return the SELECT of every accepted delivery's clock."""
    return read_statement("store", "clocks", plausible_days=read_statement("store", "plausible_days"))


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
    kept = (SIGNAL_COUNTS, SIGNAL_FITS, SIGNAL_INPUTS)
    for table in (*WEEKLY_SIGNAL_TABLES, DAILY_SIGNALS, ALARM_EPISODES, ALARM_NOTES, *kept):
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
