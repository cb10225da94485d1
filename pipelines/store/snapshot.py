"""The published snapshot: the tables of counts copied, then summaries.duckdb replaced as a whole.

Readers never wait for the writer, and find no half of a snapshot: it is written beside and renamed over (of one that is
replaced while DuckDB opens it, see `connections.read_only`). Of a home with a long history most of it stays as it is:
only weeks of which a day, or the calendar, changed are counted anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import duckdb

from pipelines import files
from pipelines.clock import day_of
from pipelines.connections import connect, in_any_order, path_sql, transaction
from pipelines.errors import is_stop
from pipelines.settings import Settings
from pipelines.statements import fetch_first_row, list_sql, read_statement
from pipelines.store import daily_counts
from pipelines.store.attachment import STORAGE_VERSION
from pipelines.store.erasing import erasure
from pipelines.store.home import Home, find_group, give_to_group
from pipelines.store.schema import comment
from pipelines.store.state import set_state
from schemas.tables import DAILY_SUMMARY, PUBLISHED_CALENDAR, Table, list_counted_weekly, list_published_tables

# in the table `state`: which file it is, the moment that stands in it, and that another is made
PUBLISHED, MOMENT, UNFINISHED = "published", "published_at", "unfinished"
SHARED = 0o440
HEADERS = 3 * 4096  # bytes at the beginning of a DuckDB file


def is_stale(connection: duckdb.DuckDBPyConnection, home: Home, settings: Settings, moment: datetime) -> bool:
    """Return whether a delivery, a deed, a setting or the end of a week is younger than the snapshot, at a moment.

    So it is while a run that began to publish has not come to its end, and where the file is another one.
    """
    if not _is_published(connection, home, settings) or _read(connection, UNFINISHED):
        return True
    _make_about(connection, settings, moment)
    facts = "last_delivery, deeds, time_zone, week_system, latest_week, version"
    now = fetch_first_row(connection, f"SELECT {facts} FROM temp.about")
    connection.execute("DROP TABLE temp.about")
    try:
        with contextlib.closing(connect(home.summaries, writing=False)) as published:
            found = fetch_first_row(published, f"SELECT {facts}, epoch_us(published_at)::VARCHAR FROM about")
            return found != (*(now or ()), _read(connection, MOMENT))
    except duckdb.Error:  # none, a damaged one, or one of an older calfwatch
        return True


def write_snapshot(connection: duckdb.DuckDBPyConnection, home: Home, settings: Settings, moment: datetime) -> None:
    """Replace summaries.duckdb by a copy of the published tables; from an explicit list, so that no record gets in.

    `moment` is now: it decides which week is the latest that has ended.
    """
    with transaction(connection):
        _make_about(connection, settings, moment)
    new = files.name_temporary(home.summaries)
    if not _renew(connection, home, settings, new):
        new.unlink(missing_ok=True)
        files.name_log(new).unlink(missing_ok=True)
        with _attached(connection, new), transaction(connection):  # one, or each comment would be a commit of its own
            _copy_published(connection)
    connection.execute("DROP TABLE IF EXISTS temp.about")
    files.put_database_in_place(new, home.summaries, _give_to_readers(new, settings))
    _note_published(connection, home, moment)


def note_unfinished(connection: duckdb.DuckDBPyConnection) -> None:
    """Note, in the caller's transaction, that what is published is about to change."""
    set_state(connection, UNFINISHED, "yes")


def _note_published(connection: duckdb.DuckDBPyConnection, home: Home, moment: datetime) -> None:
    with transaction(connection):
        set_state(connection, PUBLISHED, _identify(home.summaries))
        set_state(connection, MOMENT, str((moment - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)))
        connection.execute("DELETE FROM state WHERE key = ?", [UNFINISHED])
        connection.execute("DELETE FROM touched_days")


def _is_published(connection: duckdb.DuckDBPyConnection, home: Home, settings: Settings) -> bool:
    """Return whether the snapshot is the file that was published last, for the readers of now."""
    try:
        found = home.summaries.stat()
        if _read(connection, PUBLISHED) != _identify(home.summaries):
            return False
    except OSError:
        return False
    is_theirs = not settings.share_with_group or found.st_gid == find_group(settings.share_with_group)
    return is_theirs and stat.S_IMODE(found.st_mode) == _choose_mode(settings)


def _read(connection: duckdb.DuckDBPyConnection, key: str) -> str | None:
    row = fetch_first_row(connection, "SELECT value FROM state WHERE key = ?", [key])
    return row[0] if row else None


def _identify(path: Path) -> str:
    """Return what tells a database from another one, and from itself before somebody wrote to it; a copy is the same.

    DuckDB writes one of the two headers that follow the first at each checkpoint. Two that were made of the same one
    may have the same headers: the moment that stands in them tells these apart.
    """
    with open(path, "rb") as file:
        headers = file.read(HEADERS)
    return f"{path.stat().st_size} {hashlib.sha256(headers).hexdigest()[:32]}"


@contextlib.contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, new: Path) -> Iterator[None]:
    connection.execute(f"ATTACH {path_sql(new)} AS snapshot (STORAGE_VERSION '{STORAGE_VERSION}')")
    try:
        yield
    finally:
        connection.execute("USE calfwatch")
        connection.execute("DETACH snapshot")


def _renew(connection: duckdb.DuckDBPyConnection, home: Home, settings: Settings, new: Path) -> bool:
    """Make a snapshot of the one before: days of the daily summary that did not change stay, and rows of their weeks.

    Return False, whatever lies at `new`, if it must be copied as a whole: it is not the file that was published last,
    or of another version or layout, something was taken out of the records, or old values have come to a third of it.
    """
    if not _is_published(connection, home, settings):
        return False
    try:
        files.copy(home.summaries, new)
        with _attached(connection, new), transaction(connection):
            if not fetch_first_row(connection, read_statement("store", "renewable_snapshot", tables=_list_names())):
                return False
            _renew_weeks(connection, settings)
            _renew_days(connection)
            renewed = (DAILY_SUMMARY, *list_counted_weekly())
            for table in (table for table in list_published_tables() if table not in renewed):
                _replace_rows(connection, table, f"{_published_sql(table)} ORDER BY ALL")
    except (duckdb.Error, OSError) as error:  # a full disk is told by the whole copy
        if isinstance(error, duckdb.InterruptException) or is_stop(error):
            raise
        return False
    return True


def _renew_days(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring the days that changed up to date, row by row where they lie: see `daily_counts`."""
    same, counts = daily_counts.same_key_sql(DAILY_SUMMARY, "new"), erasure.COUNTS[DAILY_SUMMARY.name]
    new = f"{_published_sql(DAILY_SUMMARY)} WHERE report_date IN (FROM touched_days)"
    connection.execute(f"""DELETE FROM snapshot.daily_summary AS old
        WHERE report_date IN (FROM touched_days) AND NOT EXISTS (FROM ({new}) AS new WHERE {same})""")
    differ = " OR ".join(f"old.{name} <> new.{name}" for name in counts)
    connection.execute(f"""MERGE INTO snapshot.daily_summary AS old USING ({new}) AS new ON {same}
        WHEN MATCHED AND ({differ}) THEN UPDATE SET {", ".join(f"{name} = new.{name}" for name in counts)}
        WHEN NOT MATCHED THEN INSERT BY NAME""")


def _renew_weeks(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Count the weeks that changed anew: the views are asked with a calendar of them and of the weeks before them."""
    words = daily_counts.make_view_placeholders(settings)
    connection.execute(read_statement("store", "counted_weeks", **words))
    connection.execute("""CREATE TEMP TABLE calendar AS FROM calfwatch.calendar
        WHERE week_start IN (SELECT week_start FROM counted_weeks UNION SELECT week_start - 7 FROM counted_weeks)""")
    for table in list_counted_weekly():
        counted = f"SELECT {', '.join(table.column_names)} FROM ({read_statement('views', table.name, **words)})"
        connection.execute(f"""CREATE OR REPLACE TEMP TABLE renewed AS
            FROM snapshot.{table.name} WHERE week_start NOT IN (FROM counted_weeks)
            UNION ALL FROM ({counted}) WHERE week_start IN (FROM counted_weeks)""")
        _replace_rows(connection, table, "FROM renewed ORDER BY ALL")
    connection.execute("DROP TABLE temp.calendar")


def _replace_rows(connection: duckdb.DuckDBPyConnection, table: Table, rows: str) -> None:
    """Put rows in place of those that a table of the snapshot has; what it means stays written beside it."""
    connection.execute(f"DELETE FROM snapshot.{table.name}")
    connection.execute(f"INSERT INTO snapshot.{table.name} {rows}")


def _list_names() -> str:
    return list_sql(tuple(sorted(table.name for table in list_published_tables())))


def _copy_published(connection: duckdb.DuckDBPyConnection) -> None:
    """Copy every published table, and write what it means beside it."""
    for table in list_published_tables():
        many = table is DAILY_SUMMARY  # which lie by day already, block by block
        with in_any_order(connection) if many else contextlib.nullcontext():
            order = "" if many else "ORDER BY ALL"
            connection.execute(f"CREATE TABLE snapshot.{table.name} AS {_published_sql(table)} {order}")
    connection.execute("DROP TABLE temp.about")  # or the comments would go to it
    connection.execute("USE snapshot")
    for table in list_published_tables():
        comment(connection, table)


def _give_to_readers(new: Path, settings: Settings) -> int:
    """Give a finished snapshot to the group that may read it, if there is one; return the mode that it shall have."""
    if settings.share_with_group:
        give_to_group(new, find_group(settings.share_with_group), SHARED)
    return _choose_mode(settings)


def _choose_mode(settings: Settings) -> int:
    return SHARED if settings.share_with_group else 0o400


def _published_sql(table: Table) -> str:
    """Return the SELECT of a published table: its declared columns, so that no other gets in."""
    relation = f"({read_statement('store', 'published_calendar')})" if table is PUBLISHED_CALENDAR else table.name
    return f"SELECT {', '.join(table.column_names)} FROM {relation}"


def _make_about(connection: duckdb.DuckDBPyConnection, settings: Settings, moment: datetime) -> None:
    facts = read_statement(
        "store", "about", version=version("calfwatch"), **daily_counts.make_week_placeholders(settings)
    )
    days = fetch_first_row(connection, read_statement("store", "reported_days")) or (None, None)
    values = {"now": moment, "today": day_of(moment, settings.time_zone), "first_day": days[0], "last_day": days[1]}
    connection.execute(f"CREATE OR REPLACE TEMP TABLE about AS {facts}", values)
