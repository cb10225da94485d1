"""The home: its paths, which of them are its own, and the one writer's lock.

Nothing behind a link is written to: a name of the home that leads elsewhere is refused before anything is opened.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import fnmatch
import grp
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines import files
from pipelines.errors import FileRejected, LockedError, UsageError, write_error
from pipelines.processes import refuse_foreign_json
from pipelines.text import format_path, say

DATABASES = ("records.duckdb", "summaries.duckdb", "public.duckdb")
JSON_FILES = ("status.json", "notices.json", "objects.json")
OWN_NAMES = (
    *DATABASES,
    *(f"{name}.wal" for name in DATABASES),
    "records.before-*.duckdb*",
    "records.schema-*.duckdb",
    "writer.lock",
    "calfwatch.toml",
    "reports",
    "public",
    "prefect",
    "tmp",
    "status.json",
    "status.lock",
    "serve.lock",
    "notices.json",
    "objects.json",
    "notify",
    "forget.key",
    "backups.csv",
    f"{files.PREFIX}*",
)
NO_LINKS = (
    *DATABASES,
    *(f"{name}.wal" for name in DATABASES),
    "writer.lock",
    "reports",
    "public",
    "prefect",
    "tmp",
    "demo",
    "status.lock",
    "serve.lock",
    *JSON_FILES,
)
LONGEST_PID = 20
OWN_FILE = "leads to a file of the home itself, and is not read; deliver a copy"


@dataclass(frozen=True)
class Home:
    """The state directory and the names in it."""

    path: Path

    @property
    def records(self) -> Path:
        return self.path / "records.duckdb"

    @property
    def summaries(self) -> Path:
        return self.path / "summaries.duckdb"

    @property
    def public(self) -> Path:
        return self.path / "public.duckdb"

    @property
    def reports(self) -> Path:
        return self.path / "reports"

    @property
    def scratch(self) -> Path:
        return self.path / "tmp"

    def make(self) -> None:
        """Create the folders that are missing, for their owner alone whatever the umask.

        Raises UsageError if that is not possible, or if a name of the home is a link.
        """
        for folder in (self.path, self.scratch, self.reports):
            try:
                if not folder.is_dir():
                    folder.mkdir(parents=True)
                    folder.chmod(0o700)
            except OSError as error:
                self.refuse_links()
                raise UsageError(f"{folder}: cannot be used as home: {error.strerror}") from error
        self.refuse_links()

    def refuse_links(self) -> None:
        """Raise UsageError if a name that calfwatch writes to leads out of the home."""
        for name in NO_LINKS:
            if (self.path / name).is_symlink():
                raise UsageError(
                    f"{self.path / name} is a link; calfwatch writes to nothing behind it: "
                    "move it away, or link the home as a whole"
                )

    def owns(self, path: Path) -> bool:
        """Return whether a path leads, by name, link or hard link, to something that only calfwatch may write."""
        home, place = Path(os.path.realpath(self.path)), Path(os.path.realpath(path))
        if place.is_relative_to(home):
            inner = place.relative_to(home).parts
            return not inner or any(fnmatch.fnmatchcase(inner[0], name) for name in OWN_NAMES)
        return self._is_hard_link(place)

    def refuse_as_delivery(self, path: Path) -> None:
        """Raise FileRejected for a file of the home itself, before anything opens it.

        If this process opened the database a second time and closed it, DuckDB's lock on it would be gone.
        """
        if self.owns(path):
            raise FileRejected(OWN_FILE, passing=True)

    def leaves_out(self, path: Path) -> bool:
        """Return, and say on stderr, whether a search for deliveries passes over a folder or file: the home itself."""
        if left_out := self.owns(path):
            say(f"skipped   {format_path(str(path))}: it is the home's own", stream=sys.stderr)
        return left_out

    def _is_hard_link(self, place: Path) -> bool:
        """Return whether a path is another name of a file in the home."""
        with contextlib.suppress(OSError):
            found = place.stat()
            return found.st_nlink > 1 and any(
                own.is_file() and os.path.samestat(own.stat(), found) for own in self._list_own_files()
            )
        return False

    def _list_own_files(self) -> Iterator[Path]:
        for name in OWN_NAMES:
            for path in self.path.glob(name):
                yield from path.rglob("*") if path.is_dir() else [path]

    @contextlib.contextmanager
    def lock(self, wait_seconds: float = 60) -> Iterator[None]:
        """The one writer's lock, which the system frees when its process ends.

        Raises LockedError after `wait_seconds`, naming the process that holds it.
        """
        self.refuse_links()
        for name in JSON_FILES:
            refuse_foreign_json(self.path / name)
        handle = open_lock(self.path / "writer.lock")
        try:
            self._take(handle, time.monotonic() + wait_seconds, wait_seconds)
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(handle)

    def _take(self, handle: int, until: float, wait_seconds: float) -> None:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < until:
                    time.sleep(0.1)
                    continue
                holder = os.pread(handle, LONGEST_PID, 0).decode() or "unknown"
                raise LockedError(
                    f"{self.path} is being written by process {holder}; waited {wait_seconds:g} s. "
                    "Try again later, or with a longer --wait."
                ) from None
            return


def open_lock(path: Path) -> int:
    """Open one of the home's files for locks, which hold a process number or nothing; return its descriptor.

    Raises UsageError if it cannot be written, or holds anything else: then it is not ours.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        advice = "; try another --home"
        if error.errno in (errno.EISDIR, errno.ENXIO):
            raise UsageError(f"{path.parent}: cannot be written: it is no file{advice}") from error
        raise write_error(path.parent, error, advice) from error
    holder = os.pread(handle, LONGEST_PID + 1, 0)
    if holder and (len(holder) > LONGEST_PID or not holder.isdigit()):
        os.close(handle)
        raise UsageError(f"{path} was not written by calfwatch, and is left as it is; move it away")
    return handle


def is_home(folder: Path) -> bool:
    """Return whether a folder is somebody's home of calfwatch."""
    return (folder / "writer.lock").exists() and any((folder / name).exists() for name in DATABASES)


def refuse_own_output(target: Path, home: Path) -> None:
    """Raise UsageError if a file or folder that a user wants written is one of this or another home's own."""
    place = Path(os.path.realpath(target))
    homes = [Home(home), *(Home(above) for above in place.parents if is_home(above))]
    for each in homes:
        if each.owns(target) or (place.is_file() and place.is_relative_to(os.path.realpath(each.path))):
            raise UsageError(f"{target} is one of the files of the home {each.path}; name another file")


def find_group(name: str) -> int:
    """Return the number of a group of this machine. Raises UsageError if there is none of that name."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise UsageError(f"share_with_group: this machine has no group '{name}'; `getent group` lists them") from error


def give_to_group(path: Path, group: int, mode: int) -> None:
    """Give a file or folder to a group, and a mode. Raises UsageError if this account may not."""
    found = path.stat()
    try:
        if found.st_gid != group:
            os.chown(path, -1, group)
        if found.st_mode & 0o777 != mode:
            path.chmod(mode)
    except PermissionError as error:
        raise UsageError(
            f"{path}: cannot be given to the group of share_with_group; add this account to the group"
        ) from error
