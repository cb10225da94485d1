"""Find delivered files, who sent each, in which order, and whether a file is still the one that was looked at."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from pipelines.errors import FileRejected, UsageError
from pipelines.intake.archive_list import is_archive_list, read_archive
from pipelines.intake.file_names import Period, match_name, natural_key, normalise_name
from pipelines.intake.objects.bucket import StoredObject, find_objects, locate_objects
from pipelines.settings import Settings, Source, is_address

SUFFIXES = (".csv", ".csv.gz", ".csv.zst")
NO_DATA = (".part", ".md5", ".sha1", ".sha256", ".sha512", ".sig", ".asc")  # belong to deliveries, and are none
FALLBACK, NOBODY = "canonical", "unassigned"
CHANGED = "changed while it was read; it is tried again in the next run"

FileIdentity = tuple[int, int, int, int]
IsLeftOut = Callable[[Path], bool]


@dataclass(frozen=True)
class Delivery:
    """One file to ingest: where it lies, who sent it, and the days that its name says it is about.

    `name` is that under which it was delivered, if it lies elsewhere now. `fault` says why it has no sender. An object
    of a bucket is `stored`; its path is that of a copy once it was fetched, and `unread` says why it could not be.
    """

    path: Path
    source: Source
    period: Period | None = None
    name: str = ""
    fault: str = ""
    stored: StoredObject | None = None
    unread: str = ""

    @property
    def address(self) -> str:
        """The address of an object, or nothing."""
        return self.stored.address if self.stored else ""

    @property
    def delivered_name(self) -> str:
        """The plain name of the file, whether compressed or not."""
        name = normalise_name(self.name or self.path.name)
        return name.removesuffix(".gz").removesuffix(".zst")


def leave_nothing_out(_: Path) -> bool:
    """Say of no file or folder that a search passes over it."""
    return False


def find_deliveries(
    paths: Sequence[str],
    settings: Settings,
    source: str | None,
    is_left_out: IsLeftOut = leave_nothing_out,
    in_order: bool = False,
) -> list[Delivery]:
    """Find the CSVs under files, folders and globs, each once, in delivery order.

    That is by the period in the name, then by path in natural order, over everything that is given; `in_order` keeps
    the order of the arguments. `is_left_out` says of a folder, and of a file that a glob finds, whether the search
    passes over it. The files of an archive keep the order and the senders that its list tells, and come first. Raises
    UsageError for a path that is not there. An s3:// address is a folder of a bucket, or an object.
    """
    found: dict[Path, StoredObject | None] = {}
    archived: dict[Path, str] = {}
    for given in paths:
        if is_address(given):
            found |= {Path(each.address): each for each in find_objects(given) if _is_delivered(each, given)}
            continue
        for path in sorted(_find_paths(given, is_left_out), key=_path_key):
            found.setdefault(path.absolute(), None)
        archived |= {path.absolute(): name for path, name in read_archive(Path(given))}
    new = {path: stored for path, stored in found.items() if path not in archived}
    deliveries = [replace(_assign_source(path, settings, source), stored=stored) for path, stored in new.items()]
    first = [_assign_source(path, settings, source or name) for path, name in archived.items()]
    return first + (deliveries if in_order else sorted(deliveries, key=_delivery_key))


def _path_key(path: Path) -> tuple[object, bytes]:
    return natural_key(path), os.fsencode(path)


def _delivery_key(delivery: Delivery) -> tuple[date, date, object]:
    """Return what sorts deliveries; those of which the name tells no days come first."""
    first, last = delivery.period or (date.min, date.min)
    return last, first, _path_key(delivery.path)


def _is_delivered(stored: StoredObject, given: str) -> bool:
    """Whether an object is a delivery: it was named itself, or is a CSV by its name."""
    name = stored.address.rpartition("/")[2]
    return stored.address == given or (name.lower().endswith(SUFFIXES) and not name.startswith("."))


def assign_sources(paths: Sequence[str], settings: Settings, source: str | None) -> list[Delivery]:
    """Give each file or object its sender; whether it is still there shows when it is read."""
    stored = locate_objects([path for path in paths if is_address(path)])
    return [replace(_assign_source(Path(path), settings, source), stored=stored.get(path)) for path in paths]


def _assign_source(path: Path, settings: Settings, name: str | None) -> Delivery:
    """Give a file the named sender, else the one whose pattern it matches.

    What matches none is the fallback's, if the home names no sources, or the fallback among them; else, and if it
    matches two, it has a fault.
    """
    matches = {each.name: period for each in settings.sources for period in _find_periods(path, each)}
    if name:
        return Delivery(path, settings.source(name), matches.get(name))
    if len(matches) == 1:
        ((found, period),) = matches.items()
        return Delivery(path, settings.source(found), period)
    if not matches and FALLBACK in [each.name for each in settings.sources or (settings.source(FALLBACK),)]:
        return Delivery(path, settings.source(FALLBACK))
    fault = f"matches the patterns of {' and '.join(matches)}" if matches else "matches the patterns of no source"
    return Delivery(
        path,
        Source(NOBODY, time_zone=settings.time_zone),
        fault=f"its name {fault}; mend `patterns` in calfwatch.toml, or name it with --source",
    )


def _find_periods(path: Path, source: Source) -> list[Period | None]:
    """Return the period that the first fitting pattern of a source gives; nothing if none fits."""
    found = (match_name(path.name, pattern) for pattern in source.patterns)
    return [period for fits, period in found if fits][:1]


def find_other_files(paths: Sequence[str], is_left_out: IsLeftOut = leave_nothing_out) -> list[Path]:
    """Find what lies in folders of deliveries and is no CSV by its name, such as a workbook or an archive.

    Hidden files, files that are still being written, checksums and READMEs are none of them.
    """
    folders = (Path(given) for given in paths if given and Path(given).is_dir())
    found = {path.absolute() for folder in folders for path in _walk(folder, is_left_out) if _is_other(path)}
    found |= {Path(each.address) for given in paths if is_address(given) for each in _find_other_objects(given)}
    return sorted(found, key=_path_key)


def _find_other_objects(given: str) -> list[StoredObject]:
    return [each for each in find_objects(given) if each.address != given and _is_other(Path(each.address))]


def _is_other(path: Path) -> bool:
    name = path.name.lower()
    return not (name.endswith((*SUFFIXES, *NO_DATA)) or name.startswith((".", "readme")))


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
        csvs = (p for p in inside if p.name.lower().endswith(SUFFIXES) and not p.name.startswith("."))
        return [p for p in csvs if not is_archive_list(p)]
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


def read_file_identity(path: Path) -> FileIdentity:
    """Return what differs once a file is replaced or written to: inode, size in bytes, its two times in ns.

    A writer can set the time of modification back; that of change is the system's own.

    Raises FileRejected, for now, if the file cannot be looked at.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise FileRejected(f"cannot be read: {error.strerror}", passing=True) from error
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def has_changed(path: Path, before: FileIdentity | None) -> bool:
    """Return whether the file is another one than before, or gone."""
    try:
        return read_file_identity(path) != before
    except FileRejected:
        return True
