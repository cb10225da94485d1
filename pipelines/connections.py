"""Connections to DuckDB for readers: read-only and sandboxed, and such that Ctrl-C ends them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb

from pipelines.errors import (
    WHAT_TO_DO,
    CalfwatchError,
    DiskError,
    LockedError,
    StateError,
    UsageError,
    find_disk_failure,
)
from pipelines.files import refuse_odd_path
from schemas.tables import quoted_sql

PUBLISH_ANEW = "`calfwatch run` publishes it anew from the records."
MEMORY_LIMIT = "1GB"
OPENINGS = 100  # a snapshot is replaced every few seconds at most
KEEP_ORDER = "SET preserve_insertion_order = true"


def connect(
    path: Path | None = None, writing: bool = True, config: Mapping[str, Any] | None = None
) -> duckdb.DuckDBPyConnection:
    """Open a database as it is, or one in memory. Nothing else calls `duckdb.connect`.

    Raises duckdb.Error if the file is locked, missing (without `writing`), or none of DuckDB's, UsageError for a path
    that DuckDB would not take as it is.
    """
    if path is not None:
        refuse_odd_path(path)
    return duckdb.connect(":memory:" if path is None else str(path), read_only=not writing, config=dict(config or {}))


def path_sql(path: Path) -> str:
    """Return a database's path as a SQL literal. Raises UsageError for one that DuckDB would not take as it is."""
    refuse_odd_path(path)
    return quoted_sql(str(path))


@contextlib.contextmanager
def open_for_reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """As `read_only`, closed afterwards; damage that DuckDB finds meanwhile is raised as StateError."""
    with contextlib.closing(read_only(path)) as connection, damage_told(path):
        yield connection


def read_only(path: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection that sees this database and nothing else, and can change neither it nor its own settings.

    Raises UsageError if the file is not there, LockedError if a run is writing to it.
    """
    if not path.exists():
        raise UsageError(_describe_missing(path))
    for _ in range(OPENINGS - 1):
        before = identify_file(path)
        try:
            connection = _open_sandboxed(path)
        except CalfwatchError:
            if identify_file(path) == before:
                raise
            continue
        if identify_file(path) == before:
            return connection
        connection.close()
    return _open_sandboxed(path)


def identify_file(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from the one that takes its place: DuckDB opens a path three times, and would go on with
    the headers of one file and the blocks of another."""
    with contextlib.suppress(OSError):
        found = path.stat()
        return found.st_ino, found.st_mtime_ns
    return None


def _open_sandboxed(path: Path) -> duckdb.DuckDBPyConnection:
    place, connection = path_sql(path), connect()
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET memory_limit = ?", [MEMORY_LIMIT])
        connection.execute("SET temp_directory = ''")
        connection.execute("SET python_enable_replacements = false")
        connection.execute("SET autoinstall_known_extensions = false")
        connection.execute("SET autoload_known_extensions = false")
        connection.execute(f"ATTACH {place} AS calfwatch (READ_ONLY)")
        connection.execute("USE calfwatch")
        connection.execute("SET enable_external_access = false")
        # that alone leaves the attached file and its write-ahead log open to COPY ... TO
        connection.execute("SET disabled_filesystems = 'LocalFileSystem'")
        connection.execute("SET lock_configuration = true")
    except duckdb.Error as error:
        connection.close()
        raise open_error(path, error) from error
    return connection


def _describe_missing(path: Path) -> str:
    if path.name == "public.duckdb":
        return f"{path.name}: nothing has been released to the public yet; query --db summaries"
    return f"{path}: not there yet; try `calfwatch ingest PATH` first"


def open_error(path: Path, error: Exception) -> CalfwatchError:
    """Return the error to raise for a published database that DuckDB cannot open or read."""
    if "Could not set lock" in str(error):
        return lock_error(path, error, "query --db summaries meanwhile, or try again")
    if not os.access(path, os.R_OK, effective_ids=True):
        return UsageError(f"{path}: may not be read; ask its owner, or mend its mode")
    name = type(error).__name__
    return StateError(f"{path} cannot be opened ({name}): it is damaged or no DuckDB file. {_advise(path)}".rstrip())


def lock_error(path: Path, error: Exception, advice: str) -> LockedError:
    """Return an error that names the process which has a database open, as far as DuckDB tells it."""
    holder = re.search(r"PID (\d+)", str(error))
    return LockedError(f"{path} is open in {f'process {holder[1]}' if holder else 'another program'}; {advice}")


def _advise(path: Path) -> str:
    """Return what to do about a damaged database; that of public.duckdb is told by who reads it."""
    return {"summaries.duckdb": PUBLISH_ANEW, "records.duckdb": WHAT_TO_DO}.get(path.name, "")


@contextlib.contextmanager
def interruptible(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let Ctrl-C end a query at once: while DuckDB works, it does not always look whether there was one."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    heard, told = os.pipe()
    os.set_blocking(told, False)

    def listen() -> None:
        if os.read(heard, 1):  # nothing, where it was closed
            connection.interrupt()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    before = signal.set_wakeup_fd(told)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(told)
        listener.join()
        os.close(heard)


@contextlib.contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """What DuckDB meets in a damaged file, told as what it is: StateError."""
    try:
        yield
    except duckdb.Error as error:
        raise damage_error(path, error) from error


def damage_error(path: Path, error: duckdb.Error) -> DiskError | StateError | UsageError:
    if isinstance(error, duckdb.OutOfMemoryException):
        return UsageError(f"{path} needs more memory than it may take; raise memory_limit")
    if failure := find_disk_failure(str(error)):
        return DiskError(path.parent, failure)
    if isinstance(error, duckdb.BinderException | duckdb.CatalogException):
        return StateError(f"{path} has not the tables of this version; `calfwatch run` brings it up to date")
    advice = PUBLISH_ANEW if path.name == "summaries.duckdb" else WHAT_TO_DO
    return StateError(f"{path} cannot be read ({type(error).__name__}): it is damaged. {advice}")


@contextlib.contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit at the end, or roll everything back. A COMMIT after a failed statement would report success."""
    connection.execute("BEGIN TRANSACTION")
    try:
        yield
    except BaseException:
        with contextlib.suppress(duckdb.Error):
            connection.execute("ROLLBACK")
            connection.execute(KEEP_ORDER)
        raise
    connection.execute("COMMIT")


@contextlib.contextmanager
def in_any_order(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Rows may be written in any order, on every thread, which saves a fifth of the time. Within a `transaction`:
    its rollback ends this too, for after a failed statement nothing can be set."""
    connection.execute("SET preserve_insertion_order = false")
    yield
    connection.execute(KEEP_ORDER)
