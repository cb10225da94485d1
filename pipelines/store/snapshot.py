"""The published snapshot: the tables of counts copied, then summaries.duckdb replaced as a whole.

Readers never wait for the writer, and never see half of a snapshot: it is written beside and renamed over.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import duckdb

from pipelines import files
from pipelines.clock import day_of
from pipelines.connections import connect, in_any_order, path_sql, transaction
from pipelines.settings import Settings
from pipelines.statements import fetch_first_row, list_sql, read_statement
from pipelines.store import daily_counts
from pipelines.store.attachment import STORAGE_VERSION
from pipelines.store.home import Home, find_group, give_to_group
from pipelines.store.schema import comment
from schemas.tables import DAILY_SUMMARY, PUBLISHED_CALENDAR, Table, list_published_tables


def is_stale(connection: duckdb.DuckDBPyConnection, home: Home, settings: Settings, moment: datetime) -> bool:
    """Return whether a delivery, a deed, a setting or the end of a week is younger than the snapshot, at a moment."""
    _make_about(connection, settings, moment)
    facts = "last_delivery, deeds, time_zone, week_system, latest_week, version"
    now = fetch_first_row(connection, f"SELECT {facts} FROM temp.about")
    connection.execute("DROP TABLE temp.about")
    try:
        with contextlib.closing(connect(home.summaries, writing=False)) as published:
            return fetch_first_row(published, f"SELECT {facts} FROM about") != now
    except duckdb.Error:  # none, a damaged one, or one of an older calfwatch
        return True


def write_snapshot(connection: duckdb.DuckDBPyConnection, home: Home, settings: Settings, moment: datetime) -> None:
    """Replace summaries.duckdb by a copy of the published tables; from an explicit list, so that no record gets in.

    `moment` is now: it decides which week is the latest that has ended.
    """
    with transaction(connection):
        _make_about(connection, settings, moment)
    new = files.name_temporary(home.summaries)
    if not _renew(connection, home, new):
        new.unlink(missing_ok=True)
        files.name_log(new).unlink(missing_ok=True)
        with _attached(connection, new), transaction(connection):  # one, or each comment would be a commit of its own
            _copy_published(connection, list_published_tables())
    connection.execute("DROP TABLE IF EXISTS temp.about")
    files.put_database_in_place(new, home.summaries, _give_to_readers(new, settings))


@contextlib.contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, new: Path) -> Iterator[None]:
    connection.execute(f"ATTACH {path_sql(new)} AS snapshot (STORAGE_VERSION '{STORAGE_VERSION}')")
    try:
        yield
    finally:
        connection.execute("USE calfwatch")
        connection.execute("DETACH snapshot")


def _renew(connection: duckdb.DuckDBPyConnection, home: Home, new: Path) -> bool:
    """Make a snapshot of the one before, of which the daily summary is by far the largest part: its other days stay.

    Return False, whatever lies at `new`, if it must be copied as a whole: it is not there, damaged, or of another
    version or layout, something was taken out of the records, or old values have come to a third of the file.
    """
    if not home.summaries.exists():
        return False
    try:
        files.copy(home.summaries, new)
        with _attached(connection, new), transaction(connection):
            if not fetch_first_row(connection, read_statement("store", "renewable_snapshot", tables=_list_names())):
                return False
            connection.execute(read_statement("store", "changed_days", cells=", ".join(DAILY_SUMMARY.column_names)))
            connection.execute("DELETE FROM snapshot.daily_summary WHERE report_date IN (FROM changed_days)")
            rows = _published_sql(DAILY_SUMMARY)
            connection.execute(
                f"INSERT INTO snapshot.daily_summary {rows} WHERE report_date IN (FROM changed_days) ORDER BY ALL"
            )
            _copy_published(connection, [each for each in list_published_tables() if each is not DAILY_SUMMARY])
    except duckdb.InterruptException:  # Ctrl-C is no damage
        raise
    except (duckdb.Error, OSError):  # a full disk is told by the whole copy
        return False
    return True


def _list_names() -> str:
    return list_sql(tuple(sorted(table.name for table in list_published_tables())))


def _copy_published(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> None:
    for table in tables:
        many = table is DAILY_SUMMARY  # which lie by day already, block by block
        with in_any_order(connection) if many else contextlib.nullcontext():
            order = "" if many else "ORDER BY ALL"
            connection.execute(f"CREATE OR REPLACE TABLE snapshot.{table.name} AS {_published_sql(table)} {order}")
    connection.execute("DROP TABLE temp.about")  # or the comments would go to it
    connection.execute("USE snapshot")
    for table in tables:
        comment(connection, table)


def _give_to_readers(new: Path, settings: Settings) -> int:
    """Give a finished snapshot to the group that may read it, if there is one; return the mode that it shall have."""
    if not settings.share_with_group:
        return 0o400
    give_to_group(new, find_group(settings.share_with_group), 0o440)
    return 0o440


def _published_sql(table: Table) -> str:
    """Return the SELECT of a published table: its declared columns, so that no other gets in."""
    relation = f"({read_statement('store', 'published_calendar')})" if table is PUBLISHED_CALENDAR else table.name
    return f"SELECT {', '.join(table.column_names)} FROM {relation}"


def _make_about(connection: duckdb.DuckDBPyConnection, settings: Settings, moment: datetime) -> None:
    facts = read_statement(
        "store", "about", version=version("calfwatch"), **daily_counts.make_week_placeholders(settings)
    )
    values = {"now": moment, "today": day_of(moment, settings.time_zone)}
    connection.execute(f"CREATE OR REPLACE TEMP TABLE about AS {facts}", values)
