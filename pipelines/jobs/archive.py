"""Move delivered files that were taken in out of the incoming folders, into a folder a month, with a list of them.

Each is moved only if it still is, byte for byte, what was taken in. deliveries.csv beside them tells the order, for an
ingest of the archive into a new home must follow it.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from pipelines import files
from pipelines.errors import FileRejected, UsageError
from pipelines.intake.archive_list import HEADER, LIST
from pipelines.intake.lines import hash_content
from pipelines.settings import Settings, is_address
from pipelines.store import database, ledger
from pipelines.store.clocks import parse_period
from pipelines.store.database import Home, transaction
from pipelines.store.home import refuse_own_output
from pipelines.store.packs import load_configured_pack
from pipelines.text import format_path, pluralise


@dataclass(frozen=True)
class Taken:
    """A file of the ledger that was taken in."""

    delivery_no: int
    file_id: str
    source: str
    path: str
    ingested_at: datetime
    period: str | None


def archive_files(home: Home, settings: Settings, folder: Path, wait_seconds: float) -> list[str]:
    """Move what was taken in and lies in the incoming folders to `folder`; return what was done, a line each.

    Raises UsageError if the archive lies in the home's own files or in an incoming folder.
    """
    refuse_own_output(folder, home.path)
    incoming = [(home.path / pattern).resolve() for pattern in settings.incoming if not is_address(pattern)]
    if any(folder.resolve().is_relative_to(each) for each in incoming):
        raise UsageError(f"{folder} lies in an incoming folder, where it would be taken in again; name another one")
    done, told = 0, []
    with database.writing(home, settings, load_configured_pack(home, settings), wait_seconds) as connection:
        for taken in _list_taken_in(connection):
            place = Path(taken.path)
            if not _lies_in(place, incoming) or not place.is_file():
                continue
            if problem := _find_problem(place, taken, settings):
                told.append(f"left      {format_path(taken.path)}: {problem}")
                continue
            _archive(connection, taken, folder)
            done += 1
        connection.execute("CHECKPOINT calfwatch")
    return [*told, f"{pluralise(done, 'file')} moved to {folder}"]


def _list_taken_in(connection: duckdb.DuckDBPyConnection) -> list[Taken]:
    rows = connection.execute(
        """SELECT delivery_no, file_id, source, path, ingested_at, period FROM files WHERE status = 'accepted'
           ORDER BY delivery_no"""
    ).fetchall()
    return [Taken(*row) for row in rows]


def _lies_in(path: Path, incoming: list[Path]) -> bool:
    return any(path.resolve().match(str(each)) or path.resolve().is_relative_to(each) for each in incoming)


def _find_problem(path: Path, taken: Taken, settings: Settings) -> str:
    """Say why a file is left where it is, or nothing."""
    if path.is_symlink():
        return "it is a link"
    try:
        found = hash_content(path, settings, parse_period(taken.period) if taken.period else None)
    except FileRejected as error:
        return error.reason
    return "" if found == taken.file_id else "it is not what was taken in any more"


def _archive(connection: duckdb.DuckDBPyConnection, taken: Taken, folder: Path) -> None:
    """Move one file, list it, and note in the ledger where it lies now.

    The list comes before the move: killed between the two, the file is moved and listed again by the next run.
    """
    path = Path(taken.path)
    month = folder / f"{taken.ingested_at:%Y-%m}"
    month.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = _choose_free_name(month, path.name)
    with _read_listed(folder) as rows:
        rows.writerow([taken.source, taken.delivery_no, taken.file_id, target.relative_to(folder)])
    _move(path, target)
    with transaction(connection):
        values = [ledger.encode_path(target), taken.delivery_no]
        connection.execute("UPDATE files SET path = ? WHERE delivery_no = ?", values)


def _choose_free_name(folder: Path, name: str) -> Path:
    """Return a place of that name that is not taken: two senders may call their files alike, and a name tells days."""
    target, number = folder / name, 2
    while os.path.lexists(target):
        target, number = folder / str(number) / name, number + 1
    target.parent.mkdir(mode=0o700, exist_ok=True)
    return target


@contextlib.contextmanager
def _read_listed(folder: Path) -> Iterator[Any]:
    path = folder / LIST
    is_new = not path.exists()
    with open(path, "a", encoding="utf-8", errors="surrogateescape", newline="", opener=files.open_private) as file:
        writer = csv.writer(file, lineterminator="\n")
        if is_new:
            writer.writerow(HEADER)
        yield writer
        file.flush()
        os.fsync(file.fileno())


def _move(path: Path, target: Path) -> None:
    """Give a file another place: by a rename, or onto another file system by a synced copy that takes its place."""
    try:
        os.rename(path, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        new = files.name_temporary(target)
        files.copy(path, new)
        os.utime(new, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
        files.put_where_nothing_is(new, target)
        path.unlink()
    files.sync_folder(target.parent)
    files.sync_folder(path.parent)
