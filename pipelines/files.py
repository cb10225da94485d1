"""Files that are whole or not there: written beside under `NAME.new`, synced, then renamed over."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path


def copy(source: Path, target: Path) -> None:
    """A synced copy for its owner alone. The caller sees to it that nobody writes to `source` meanwhile."""
    with open(source, "rb") as original, open(target, "wb", opener=private) as handle:
        shutil.copyfileobj(original, handle, 1 << 20)
        handle.flush()
        os.fsync(handle.fileno())


def private(path: str, flags: int) -> int:
    """Opens a file for its owner alone, also one that was there and open to others; a device stays as it is.

    For `open(..., opener=private)`.
    """
    descriptor = os.open(path, flags, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.fchmod(descriptor, 0o600)
    return descriptor


def log_of(database: Path) -> Path:
    """DuckDB's write-ahead log of a database."""
    return database.with_name(database.name + ".wal")


def put_in_place(new: Path, target: Path, mode: int) -> None:
    """Makes a finished file take the place of another; a reader meets the one or the other, also after a crash."""
    with open(new, "rb") as handle:
        os.fsync(handle.fileno())
    new.chmod(mode)
    log_of(target).unlink(missing_ok=True)  # it belongs to what is replaced
    os.replace(new, target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Puts a folder's list of names on the disk: without it a crash can undo a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
