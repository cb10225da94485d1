"""Find delivered files, who sent each, and whether a file is still the one that was looked at."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import FileRejected, UsageError
from pipelines.settings import Settings, Source

SUFFIXES = (".csv", ".csv.gz", ".csv.zst")
CHANGED = "changed while it was read; it is tried again in the next run"

FileIdentity = tuple[int, int, int]
IsLeftOut = Callable[[Path], bool]


@dataclass(frozen=True)
class Delivery:
    """One file to ingest: where it lies and who sent it."""

    path: Path
    source: Source


def leave_nothing_out(_: Path) -> bool:
    """Say of no file or folder that a search passes over it."""
    return False


def find_deliveries(
    paths: Sequence[str], settings: Settings, source: str | None, is_left_out: IsLeftOut = leave_nothing_out
) -> list[Delivery]:
    """Find the CSVs under files, folders and globs: in argument order, then by path in byte order, each once.

    `is_left_out` says of a folder, and of a file that a glob finds, whether the search passes over it.
    Raises UsageError for a path that is not there.
    """
    found: dict[Path, None] = {}
    for given in paths:
        for path in sorted(_find_paths(given, is_left_out), key=lambda p: os.fsencode(p)):
            found.setdefault(path.absolute())
    return assign_sources(list(found), settings, source)


def assign_sources(paths: Sequence[Path], settings: Settings, source: str | None) -> list[Delivery]:
    """Give each file its sender; whether the file is still there shows when it is read."""
    return [Delivery(path, _find_source(path, settings, source)) for path in paths]


def _find_paths(given: str, is_left_out: IsLeftOut) -> list[Path]:
    """Return the files an argument names.

    A folder that cannot be listed is an error, or its files would be lost silently.
    """
    if not given:
        raise UsageError("an argument is an empty path; name a file, a folder or a glob")
    try:
        return _match(given, is_left_out)
    except OSError as error:
        raise UsageError(f"{error.filename or given}: cannot be listed: {error.strerror}") from error


def _match(given: str, is_left_out: IsLeftOut) -> list[Path]:
    path = Path(given)
    if path.is_dir():
        inside = _walk(path, is_left_out)
        return [p for p in inside if p.name.lower().endswith(SUFFIXES) and not p.name.startswith(".")]
    if path.exists() or path.is_symlink():
        return [path]
    is_pattern = any(sign in given for sign in "*?[")
    matches = [Path(name) for name in glob.glob(given, recursive=True)] if is_pattern else []
    if not matches and not is_pattern:
        raise UsageError(f"{given}: no such file or folder")
    kept = [match for match in matches if match.is_dir() or not is_left_out(match)]
    return [p for match in kept for p in ([match] if not match.is_dir() else _match(str(match), is_left_out))]


def _walk(top: Path, is_left_out: IsLeftOut) -> Iterator[Path]:
    """Yield the files at any depth, links to folders followed; each folder once, because links may go in circles."""
    seen = set()
    for folder, folders, names in os.walk(top, onerror=_raise, followlinks=True):
        found = os.stat(folder)
        if (found.st_dev, found.st_ino) in seen or is_left_out(Path(folder)):
            folders.clear()
            continue
        seen.add((found.st_dev, found.st_ino))
        folders.sort(key=os.fsencode)
        yield from (Path(folder) / name for name in names)


def _raise(error: OSError) -> None:
    raise error


def _find_source(path: Path, settings: Settings, name: str | None) -> Source:
    if name:
        return settings.source(name)
    for source in settings.sources:
        if any(fnmatch.fnmatchcase(path.name, pattern) for pattern in source.patterns):
            return source
    return settings.source("canonical")


def file_identity(path: Path) -> FileIdentity:
    """Return what differs once a file is replaced or written to: inode, size in bytes, time of change in ns.

    Raises FileRejected, for now, if the file cannot be looked at.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise FileRejected(f"cannot be read: {error.strerror}", passing=True) from error
    return found.st_ino, found.st_size, found.st_mtime_ns


def has_changed(path: Path, before: FileIdentity | None) -> bool:
    """Whether the file is another one than before, or gone."""
    try:
        return file_identity(path) != before
    except FileRejected:
        return True
