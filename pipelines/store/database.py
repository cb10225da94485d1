"""The records opened: for writing behind the home's lock, or for reading."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator

import duckdb

from pipelines import files
from pipelines.connections import damage_error, interruptible
from pipelines.connections import damage_told as damage_told
from pipelines.connections import in_any_order as in_any_order
from pipelines.connections import transaction as transaction
from pipelines.errors import UsageError, find_disk_failure, is_damage, lost_records
from pipelines.settings import Settings
from pipelines.store.attachment import STORAGE_VERSION as STORAGE_VERSION
from pipelines.store.attachment import attach, private_database, refuse_foreign_databases
from pipelines.store.home import Home as Home
from pipelines.store.packs import find_pack_in_use as find_pack_in_use
from pipelines.store.packs import load_stored_pack as load_stored_pack
from pipelines.store.schema import comment as comment
from pipelines.store.schema import is_declared as is_declared
from pipelines.store.schema import reports_sql as reports_sql
from pipelines.store.schema import use_pack as use_pack
from pipelines.store.schema import view_sql as view_sql
from pipelines.store.state import check_counts as check_counts
from pipelines.store.state import check_levels as check_levels
from pipelines.store.state import check_version as check_version
from pipelines.store.state import get_state as get_state
from pipelines.store.state import set_state as set_state
from pipelines.store.upgrade import upgrade
from pipelines.text import say
from schemas.pack import Pack

_KEPT = re.compile(r"records\.before-\d{8}T\d{6}\.\d{6}Z\.duckdb")  # the name that `restore` gives
OLDEST_DUCKDB = (1, 5, 6)  # older ones emptied a table on a full disk


@contextlib.contextmanager
def writing(home: Home, settings: Settings, pack: Pack, wait_seconds: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """The records for writing, behind the home's lock: as `lock` and `open_records`."""
    with home.lock(wait_seconds), open_records(home, settings, pack, wait_seconds) as connection:
        yield connection


@contextlib.contextmanager
def open_records(
    home: Home, settings: Settings, pack: Pack, wait_seconds: float = 0
) -> Iterator[duckdb.DuckDBPyConnection]:
    """records.duckdb for writing; the caller holds the lock. Made where there is none, checked where there is.

    Waits for programs that read it: our lock keeps writers out, DuckDB's own keeps out who would write beside readers.
    `pack` is for a home without a history; one that has a history keeps the pack that tagged it (`find_pack_in_use`).
    Raises StateError for a damaged or foreign state, LockedError if a reader does not close it, UsageError if it
    may not be written, DiskError for a full disk.
    """
    _check_library()
    _check_writable(home)
    _clear_leftovers(home)
    with private_database(home, settings) as connection:
        if home.summaries.exists() and not home.records.exists():
            raise lost_records(home.records)
        refuse_foreign_databases(connection, home)
        attach(connection, home, wait_seconds=wait_seconds)
        with damage_told(home.records):
            for line in upgrade(connection, home, settings, pack):
                say(line, stream=sys.stderr)
        try:
            yield connection
        except duckdb.Error as error:  # a damaged block that only the run's own work touched, or a full disk
            if is_damage(error) or find_disk_failure(str(error)):
                raise damage_error(home.records, error) from error
            raise


@contextlib.contextmanager
def open_read_only(home: Home, settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """records.duckdb for reading, with room to spill for long work. Raises LockedError if a run is writing to it."""
    with private_database(home, settings) as connection:
        attach(connection, home, "READ_ONLY")
        with damage_told(home.records):
            check_version(connection, home.records)
        try:
            with interruptible(connection):
                yield connection
        except duckdb.Error as error:
            if is_damage(error):
                raise damage_error(home.records, error) from error
            raise


def _check_writable(home: Home) -> None:
    for path in (home.path, home.scratch, home.records, files.name_log(home.records)):
        if path.exists() and not os.access(path, os.W_OK, effective_ids=True):
            raise UsageError(f"{path}: may not be written; try another --home, or mend its mode")


def _check_library() -> None:
    found = tuple(int(part) for part in duckdb.__version__.split(".")[:3] if part.isdigit())
    if found < OLDEST_DUCKDB:
        raise UsageError(f"duckdb {duckdb.__version__} is too old; 1.5.6 or later is needed")


def _clear_leftovers(home: Home) -> None:
    """Remove what killed runs left, known by names that only calfwatch gives."""
    for folder in (home.path, home.scratch):
        files.clear_temporaries(folder)
    for path in home.path.glob("records.before-*.duckdb"):
        if _KEPT.fullmatch(path.name) and home.records.exists() and path.samefile(home.records):
            path.unlink()  # a restore that got no further: no copy, but another name of the records
