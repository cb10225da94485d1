"""A private DuckDB in memory, to which the records are attached as a database."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from pipelines import files
from pipelines.connections import connect, identify_file, lock_error, path_sql
from pipelines.errors import WHAT_TO_DO, CalfwatchError, DiskError, StateError, UsageError, find_disk_failure
from pipelines.settings import Settings
from pipelines.statements import fetch_number
from pipelines.store.home import Home

STORAGE_VERSION = "v1.4.0"  # readable by DuckDB 1.4 and later, which BI tools still ship
STATE_TABLES = {"files", "records", "state"}  # every state has all of these
SNAPSHOT_TABLES = {"weekly_triage"}
_OBJECTS_SQL = " + ".join(
    f"(SELECT count(*) FROM {kind}() WHERE database_name = 'looked_at' AND NOT internal)"
    for kind in ("duckdb_tables", "duckdb_views", "duckdb_schemas", "duckdb_types", "duckdb_functions")
)


@contextlib.contextmanager
def private_database(home: Home, settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB in memory, to attach the records to; its log and overflow too are for their owner alone."""
    before = os.umask(0o077)
    try:
        with (
            files.work_folder(home.scratch, "work") as spill,
            contextlib.closing(connect()) as connection,
        ):
            _configure(connection, spill, settings)
            yield connection
    finally:
        os.umask(before)


def _configure(connection: duckdb.DuckDBPyConnection, spill: Path, settings: Settings) -> None:
    for zone in (settings.time_zone, *(source.time_zone for source in settings.sources if source.time_zone), "UTC"):
        try:
            connection.execute("SET TimeZone = ?", [zone])  # the last is what stays
        except duckdb.Error as error:
            text = f"calfwatch.toml: DuckDB knows no time zone '{zone}'; take one such as Europe/Berlin or UTC"
            raise UsageError(text) from error
    connection.execute("SET temp_directory = ?", [str(spill)])
    connection.execute("SET autoinstall_known_extensions = false")
    try:
        connection.execute("SET memory_limit = ?", [settings.memory_limit])
    except duckdb.Error as error:
        raise UsageError(f"memory_limit '{settings.memory_limit}' is not a size; try 512MB") from error
    if settings.threads:
        connection.execute("SET threads = ?", [settings.threads])


def attach(
    connection: duckdb.DuckDBPyConnection, home: Home, mode: str = "READ_WRITE", wait_seconds: float = 0
) -> None:
    """Attach the records and use them; read-only again if others took their place meanwhile: see `identify_file`.

    Raises LockedError if another program has them until then, DiskError, StateError if they cannot be opened.
    """
    until = time.monotonic() + wait_seconds
    while True:
        before = identify_file(home.records)
        error = _attach_error(connection, home, mode)
        if mode == "READ_ONLY" and identify_file(home.records) != before:
            if error is None:
                detach(connection)
        elif error is None:
            return
        elif "Could not set lock" in str(error) and time.monotonic() < until:
            time.sleep(0.1)
        else:
            raise _tell_error(home, error, wait_seconds) from error


def _tell_error(home: Home, error: duckdb.Error, wait_seconds: float) -> CalfwatchError:
    if "Could not set lock" in str(error):
        then = "try a longer --wait" if wait_seconds else "try again"
        return lock_error(home.records, error, f"close it there, or {then}")
    if failure := find_disk_failure(str(error)):
        return DiskError(home.path, failure)
    return StateError(
        f"{home.records} cannot be opened ({type(error).__name__}): it is damaged or no DuckDB file. {WHAT_TO_DO}"
    )


def _attach_error(connection: duckdb.DuckDBPyConnection, home: Home, mode: str) -> duckdb.Error | None:
    """Attach the records and uses them, or says why that is not possible."""
    path = path_sql(home.records)
    try:
        connection.execute(f"ATTACH {path} AS calfwatch ({mode}, STORAGE_VERSION '{STORAGE_VERSION}')")
        connection.execute("USE calfwatch")
    except duckdb.Error as error:
        return error
    return None


def detach(connection: duckdb.DuckDBPyConnection) -> None:
    """Close the file: DuckDB's lock on it would be lost if this process opened it a second time."""
    connection.execute("USE memory")
    connection.execute("DETACH calfwatch")


# --- databases of somebody else under a name of the home


def refuse_foreign_databases(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """Raise StateError if the records or the summaries are somebody else's, or a log lies there without its database.

    They are looked at read-only: opened for writing, DuckDB would take a log into its database, which changes both.
    What cannot be read is not judged here: damaged records are told by who opens them, damaged summaries are replaced.
    """
    log = files.name_log(home.records)
    if log.exists() and not home.records.exists():
        raise StateError(
            f"{log} is there without {home.records.name}, and would be lost; bring that back, or move the log away"
        )
    if home.summaries.is_file() and not _is_duckdb(home.summaries):
        raise StateError(f"{home.summaries} is no DuckDB file, and is left as it is; move it away")
    for path, tables in ((home.records, STATE_TABLES), (home.summaries, SNAPSHOT_TABLES)):
        if path.exists() and _is_foreign(connection, path, tables):
            raise StateError(f"{path} is a DuckDB file of something else, and is left as it is; name another --home")


def _is_duckdb(path: Path) -> bool:
    """Return whether a file begins as every database of DuckDB does: damage behind that is replaced, a text is not."""
    with open(path, "rb") as file:
        return file.read(12)[8:] == b"DUCK"


def _is_foreign(connection: duckdb.DuckDBPyConnection, path: Path, ours: set[str]) -> bool:
    """Return whether a database holds anything, but not all tables that mark it as ours."""
    try:
        connection.execute(f"ATTACH {path_sql(path)} AS looked_at (READ_ONLY)")
    except duckdb.Error:
        return False
    try:
        rows = connection.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'looked_at'").fetchall()
        return not ours <= {name for (name,) in rows} and fetch_number(connection, f"SELECT {_OBJECTS_SQL}") > 0
    except duckdb.Error:
        return False
    finally:
        connection.execute("DETACH looked_at")
