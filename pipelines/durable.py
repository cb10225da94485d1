"""Files that are whole or not there: written beside under `NAME.new`, synced, then renamed over."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def copy(source: Path, target: Path) -> None:
    """A synced copy for its owner alone. The caller sees to it that nobody writes to `source` meanwhile."""
    with open(source, "rb") as original, open(target, "wb", opener=_private) as handle:
        shutil.copyfileobj(original, handle, 1 << 20)
        handle.flush()
        os.fsync(handle.fileno())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def put_in_place(new: Path, target: Path, mode: int) -> None:
    """Makes a finished file take the place of another; a reader meets the one or the other, also after a crash."""
    with open(new, "rb") as handle:
        os.fsync(handle.fileno())
    new.chmod(mode)
    target.with_name(target.name + ".wal").unlink(missing_ok=True)
    os.replace(new, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
