"""Connections to DuckDB for readers: read-only and sandboxed, and such that Ctrl-C ends them."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb

from pipelines.errors import CalfwatchError, LockedError, StateError, UsageError
from schemas.tables import quoted

PUBLISH_ANEW = "`calfwatch run` publishes it anew from the records."
MEMORY_LIMIT = "1GB"


def read_only(path: Path) -> duckdb.DuckDBPyConnection:
    """A connection that sees this database and nothing else, and can change neither it nor its own settings.

    Raises UsageError where the file is not there, LockedError where a run is writing to it.
    """
    if not path.exists():
        raise UsageError(_missing(path))
    connection = duckdb.connect(":memory:")
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET memory_limit = ?", [MEMORY_LIMIT])
        connection.execute("SET temp_directory = ''")
        connection.execute("SET python_enable_replacements = false")
        connection.execute("SET autoinstall_known_extensions = false")
        connection.execute("SET autoload_known_extensions = false")
        connection.execute(f"ATTACH {quoted(str(path))} AS calfwatch (READ_ONLY)")
        connection.execute("USE calfwatch")
        connection.execute("SET enable_external_access = false")
        # that alone leaves the attached file and its write-ahead log open to COPY ... TO
        connection.execute("SET disabled_filesystems = 'LocalFileSystem'")
        connection.execute("SET lock_configuration = true")
    except duckdb.Error as error:
        connection.close()
        raise open_error(path, error) from error
    return connection


def _missing(path: Path) -> str:
    if path.name == "public.duckdb":
        return f"{path.name}: nothing has been released to the public yet; query --db summaries"
    return f"{path}: not there yet; try `calfwatch ingest PATH` first"


def open_error(path: Path, error: Exception) -> CalfwatchError:
    """The error to raise for a published database that DuckDB cannot open or read."""
    if "Could not set lock" in str(error):
        return LockedError(f"{path.name} is being written by a run; query --db summaries meanwhile, or try again")
    if not os.access(path, os.R_OK, effective_ids=True):
        return UsageError(f"{path}: may not be read; ask its owner, or mend its mode")
    advice = f". {PUBLISH_ANEW}" if path.name == "summaries.duckdb" else ""
    return StateError(f"{path} cannot be opened ({type(error).__name__}): it is damaged or no DuckDB file{advice}")


@contextlib.contextmanager
def interruptible(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Lets Ctrl-C end a query at once: while DuckDB works, it does not always look whether there was one."""
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
