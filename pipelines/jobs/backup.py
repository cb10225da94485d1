"""A copy of the records that can be trusted, and the way back from one.

The copy is bytes, taken while the lock keeps writers out; readers go on. It counts as a backup only once it was
opened and checked. What is restored was opened, checked and brought up to date before it takes the state's place.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import duckdb

from pipelines import clock, files
from pipelines.connections import connect, open_for_reading
from pipelines.errors import StateError, UsageError, write_error
from pipelines.files import name_log
from pipelines.jobs import publish as publish_job
from pipelines.jobs.check import check
from pipelines.jobs.erasing.holders import note_copy
from pipelines.release import ledger
from pipelines.release.public_database import Rows
from pipelines.settings import Settings
from pipelines.statements import fetch_number
from pipelines.store import audit, database
from pipelines.store.attachment import private_database, refuse_foreign_databases
from pipelines.store.home import Home, refuse_own_output
from schemas.pack import Pack
from schemas.tables import SCHEMA_VERSION


def write_backup(home: Home, target: Path, wait_seconds: float) -> int:
    """Write a checked copy of records.duckdb to a new file; return how many records it holds.

    Raises UsageError if the file is there already or cannot be written, StateError if the state is damaged.
    """
    refuse_own_output(target, home.path)
    for place in (target, name_log(target)):
        if os.path.lexists(place):
            raise UsageError(f"{place} is there already; name another file")
    new = files.name_temporary(target)
    try:
        with home.lock(wait_seconds):
            _check_state(home.records)  # a program that writes without our lock is told here
            _copy_with_log(home.records, new)
        records = _settle(new)
        new.chmod(0o600)
        files.put_where_nothing_is(new, target)
        note_copy(home.path, target)
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        for leftover in (new, name_log(new)):
            leftover.unlink(missing_ok=True)
    return records


def _copy_with_log(source: Path, target: Path) -> None:
    """What a killed run left in the write-ahead log belongs to the state."""
    files.copy(source, target)
    if name_log(source).exists():
        files.copy(name_log(source), name_log(target))


def _settle(path: Path) -> int:
    """Take the log into the copy, then read it all: what cannot be read must not be called a backup."""
    try:
        connect(path).close()
    except duckdb.Error as error:
        raise StateError(f"the copy {path} cannot be opened ({type(error).__name__}); nothing was backed up") from error
    return _check_state(path)


def _check_state(path: Path) -> int:
    """Open and check a state; return how many records it holds.

    The counts of an older schema version are checked when it is restored, and brought up to date for that.
    """
    with open_for_reading(path) as connection:
        database.check_version(connection, path, older_too=True)
        if database.get_state(connection, "schema_version") == str(SCHEMA_VERSION):
            database.check_levels(connection)
        return fetch_number(connection, "SELECT count(*) FROM records")


def restore(home: Home, settings: Settings, pack: Pack, source: Path, wait_seconds: float) -> tuple[int, Path | None]:
    """Put a backup in the place of the records and publish; return its records and where the old state is kept.

    Raises UsageError if the backup is not there, StateError if it is damaged; then nothing is changed.
    """
    if not source.is_file():
        raise UsageError(f"{source}: no such backup")
    if home.records.exists() and source.samefile(home.records):
        raise UsageError(f"{source} is the state of this home itself; name a backup")
    _check_state(source)
    with home.lock(wait_seconds), files.work_folder(home.path, "restore") as folder:
        with private_database(home, settings) as connection:
            refuse_foreign_databases(connection, home)
        made = Home(folder)
        made.make()
        _copy_with_log(source, made.records)
        kept = _name_old(home)
        with database.open_records(made, settings, pack) as connection:
            detail = f"from {source}" + (f"; the state before is kept as {kept.name}" if kept else "")
            audit.note(connection, "restore", source.name, detail)
            _keep_releases(connection, home)
        check(made, settings, pack, deep=True)
        _exchange(home, made, kept)
        with database.open_records(home, settings, pack) as connection:
            publish_job.publish(connection, home, settings)
            return fetch_number(connection, "SELECT count(*) FROM records"), kept


def _keep_releases(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """What the state before had released stays so: a backup from before it must not publish the week again."""
    releases, counts = _read_releases(home)
    with database.transaction(connection):
        ledger.take_over(connection, releases, counts)


def _read_releases(home: Home) -> tuple[list[ledger.Release], Rows]:
    """What the state before says of releases: nothing if there is none, it is damaged or from before there were any."""
    if home.records.exists():
        with contextlib.suppress(StateError, duckdb.Error), open_for_reading(home.records) as old:
            return ledger.read_releases(old), ledger.read_counts(old)
    return [], []


def _name_old(home: Home) -> Path | None:
    if not home.records.exists():
        return None
    return home.path / f"records.before-{clock.now():%Y%m%dT%H%M%S.%fZ}.duckdb"


def _exchange(home: Home, made: Home, kept: Path | None) -> None:
    """The old state stays in its place under its old name until the very moment the new one takes it."""
    if kept:
        with contextlib.suppress(duckdb.Error):  # a damaged one keeps its log beside it
            connect(home.records).close()
        os.link(home.records, kept)
        if name_log(home.records).exists():
            os.rename(name_log(home.records), name_log(kept))
    files.put_database_in_place(made.records, home.records, 0o600)
