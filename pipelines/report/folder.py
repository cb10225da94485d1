"""A report's files -> its folder, private and replaced as a whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from pipelines.files import sync_folder


def publish(out: Path, week: str, contents: Mapping[str, str | bytes]) -> Path:
    """Write the files into a folder beside the final one and renames it, so that no half report is seen.

    What an interrupted run left there is put right first. One writer at a time: the caller holds the lock.
    """
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    final, fresh, old = out / week, out / f".{week}.new", out / f".{week}.old"
    if old.exists() and not final.exists():
        old.rename(final)
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    for name, content in contents.items():
        write_private(fresh, name, content)
    for folder in {fresh, *((fresh / name).parent for name in contents)}:
        sync_folder(folder)
    if final.exists():
        final.rename(old)
    fresh.rename(final)
    sync_folder(out)
    shutil.rmtree(old, ignore_errors=True)
    return final


def write_private(folder: Path, name: str, content: str | bytes) -> None:
    """Write a new file of mode 0600 into a folder of mode 0700, down to the disk."""
    path = folder / name
    for parent in dict.fromkeys((folder, path.parent)):
        parent.mkdir(exist_ok=True)
        parent.chmod(0o700)  # mkdir's own mode is subject to the umask
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
