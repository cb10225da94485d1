"""Files and folders that are whole or not there, and temporaries that are known by a name only calfwatch gives.

A temporary is `.calfwatch-PURPOSE-` and 16 random hex digits. Nothing else is ever taken for one: not `*.new`, and not
whatever lies in a folder called `tmp`. A folder is removed only if it holds the marker that calfwatch put there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
import unicodedata
from collections.abc import Callable, Iterator, Set
from pathlib import Path
from typing import BinaryIO

from pipelines.errors import UsageError, write_error
from pipelines.text import format_path

PREFIX = ".calfwatch-"
MARKER = ".calfwatch-made"  # in a folder that calfwatch made: the names of what it put there, a line each
_TEMPORARY = re.compile(r"\.calfwatch-[a-z]+-[0-9a-f]{16}(\.wal|-.*)?")
_FOREIGN_TO_FILES = ("/dev", "/proc")  # what stands there is no file that could be replaced
_FILES_IN_MEMORY = "/dev/shm"  # noqa: S108 - but here


def refuse_odd_path(path: Path) -> None:
    """Raise UsageError for a path that DuckDB would read as another one: it cuts at `?`, and turns backslashes.

    Neither can it open a name that is no UTF-8. Control characters would break the lines that name the path.
    """
    if any(sign in "?\\" or unicodedata.category(sign) in ("Cc", "Cs") for sign in str(path)):
        raise UsageError(
            f"{format_path(str(path))}: a path with ?, a backslash, a control character or bytes that are no UTF-8 "
            "cannot hold a database; choose another path"
        )


def name_temporary(target: Path, purpose: str = "new") -> Path:
    """Return a name of ours, not taken, in the folder of `target`."""
    return target.with_name(f"{PREFIX}{purpose}-{secrets.token_hex(8)}")


@contextlib.contextmanager
def work_folder(parent: Path, purpose: str) -> Iterator[Path]:
    """A private folder of our own that is gone afterwards. While it is in use, its marker is locked."""
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = name_temporary(parent / purpose, purpose)
    folder.mkdir()
    folder.chmod(0o700)  # mkdir's own mode is subject to the umask
    marker = os.open(folder / MARKER, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(marker, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(marker)


def clear_temporaries(folder: Path) -> None:
    """Remove what killed runs left in a folder: our files by their name, our folders also by their marker."""
    if folder.is_symlink() or not folder.is_dir():
        return
    for path in folder.iterdir():
        if _TEMPORARY.fullmatch(path.name) and (found := path.lstat()).st_uid == os.geteuid():
            if stat.S_ISREG(found.st_mode):
                path.unlink()
            elif stat.S_ISDIR(found.st_mode) and _is_abandoned(path):
                shutil.rmtree(path, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    """Return whether a folder is one of ours that no process uses any more."""
    try:
        return not is_locked(folder / MARKER)
    except OSError:  # killed before the marker was written
        return not any(folder.iterdir())


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock of a file. Raises OSError if it cannot be opened."""
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def copy(source: Path, target: Path) -> None:
    """Write a synced, private copy to a new file. The caller ensures that nobody writes to `source` meanwhile."""
    with open(source, "rb") as original, open(target, "xb", opener=open_private) as handle:
        shutil.copyfileobj(original, handle, 1 << 20)
        handle.flush()
        os.fsync(handle.fileno())


def open_private(path: str, flags: int) -> int:
    """Open a file for its owner alone, for `open(..., opener=private)`. A link is not followed."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, 0o600)  # whatever the umask
    return descriptor


def name_log(database: Path) -> Path:
    """DuckDB's write-ahead log of a database."""
    return database.with_name(database.name + ".wal")


def put_in_place(new: Path, target: Path, mode: int) -> None:
    """Make a finished file take the place of another: readers find one or the other, also after a crash."""
    _sync_file(new)
    new.chmod(mode)
    os.replace(new, target)
    sync_folder(target.parent)


def put_database_in_place(new: Path, target: Path, mode: int) -> None:
    """As `put_in_place`, for one of the home's databases: the log of the replaced database goes with it."""
    name_log(target).unlink(missing_ok=True)
    put_in_place(new, target, mode)


def put_where_nothing_is(new: Path, target: Path) -> None:
    """Give a finished file its name, durably. Raises FileExistsError if the name is taken by now."""
    _sync_file(new)
    try:
        os.link(new, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK):
            raise
        if os.path.lexists(target):  # a file system without hard links
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        os.replace(new, target)
    else:
        new.unlink()
    sync_folder(target.parent)


def _sync_file(path: Path) -> None:
    with open(path, "rb") as handle:
        os.fsync(handle.fileno())


def sync_folder(folder: Path) -> None:
    """Put a folder's list of names on the disk: without it a crash can undo a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def open_output(target: Path) -> Iterator[BinaryIO]:
    """A stream to a private file that takes the place of `target` once it is whole; if it fails, the old one stays.

    A link is followed to the file it names. Devices and pipes, also behind /dev/stdout, are written to as they are.
    """
    place = Path(os.path.realpath(target))
    if _is_device(target) or (place.exists() and not place.is_file()):
        with open(target, "ab") as stream:  # a redirected /dev/stdout is a file, and may hold something already
            yield stream
        return
    new = name_temporary(place)
    try:
        with open(new, "xb", opener=open_private) as stream:
            yield stream
        put_in_place(new, place, 0o600)
    finally:
        new.unlink(missing_ok=True)


def _is_device(target: Path) -> bool:
    place = target.absolute()
    return any(map(place.is_relative_to, _FOREIGN_TO_FILES)) and not place.is_relative_to(_FILES_IN_MEMORY)


def write_output(target: Path, content: bytes) -> None:
    """Write a private file for a user, whole or not at all. Raises UsageError if that is not possible."""
    try:
        with open_output(target) as stream:
            stream.write(content)
    except OSError as error:
        raise write_error(target, error) from error


def write_private(folder: Path, name: str, content: str | bytes) -> None:
    """Write a new file of mode 0600 into a folder of ours, of mode 0700, down to the disk."""
    path = folder / name
    for parent in dict.fromkeys((folder, path.parent)):
        if not parent.exists():
            parent.mkdir()
            parent.chmod(0o700)  # mkdir's own mode is subject to the umask
    with open(path, "xb", opener=open_private) as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())


def replace_folder(final: Path, fill: Callable[[Path], None]) -> Path:
    """Put a folder that `fill` writes into the place of `final`, so that no half of one is ever seen.

    What a killed run left is put right first; one writer at a time. Raises UsageError if `final` is there and holds
    anything that calfwatch did not put there, or is a link.
    """
    final.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _put_right(final)
    refuse_foreign_folder(final)
    with work_folder(final.parent, "fresh") as fresh:
        fill(fresh)
        move_folder(fresh, final)
    return final


def move_folder(fresh: Path, final: Path) -> None:
    """Mark a finished folder and give it its name, in place of one of ours or an empty one that has it."""
    mark_folder(fresh)
    refuse_foreign_folder(final)
    old = _name_old(final)
    if final.exists():
        final.rename(old)
    fresh.rename(final)
    sync_folder(final.parent)
    shutil.rmtree(old, ignore_errors=True)


def _name_old(final: Path) -> Path:
    name = name_temporary(final, "old").name
    return final.with_name(f"{name}-{final.name}")


def _put_right(final: Path) -> None:
    """Give a folder its name back if a run was killed between its two renames; then drop what is left over."""
    for old in final.parent.glob(f"{PREFIX}old-*-{final.name}"):
        if _is_ours(old) and not os.path.lexists(final):
            old.rename(final)
    clear_temporaries(final.parent)


def _is_ours(folder: Path) -> bool:
    return bool(_TEMPORARY.fullmatch(folder.name)) and not folder.is_symlink() and (folder / MARKER).is_file()


def mark_folder(folder: Path, foreign: Set[str] = frozenset()) -> None:
    """Write the marker of a finished folder, which names every file in it but the foreign, and sync its lists."""
    with open(folder / MARKER, "w", encoding="utf-8", opener=open_private) as marker:
        marker.writelines(f"{name}\n" for name in sorted(_list_names(folder) - foreign))
        marker.flush()
        os.fsync(marker.fileno())
    for inner in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        sync_folder(inner)


def refuse_foreign_folder(folder: Path) -> None:
    """Raise UsageError unless a folder is not there, is empty, or holds only what its marker names."""
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise UsageError(f"{folder} is no folder of calfwatch's, and is left as it is; move it away")
    if foreign := sorted(find_foreign(folder)):
        raise UsageError(
            f"{folder} holds {ascii(foreign[0])[1:-1]}, which calfwatch did not put there; move the folder away"
        )


def find_foreign(folder: Path) -> set[str]:
    """Name what lies in a folder of ours and is not named by its marker."""
    marked = set()
    with contextlib.suppress(OSError, UnicodeDecodeError):
        marked = set((folder / MARKER).read_text(encoding="utf-8").splitlines())
    return _list_names(folder) - marked


def remove_folder(folder: Path) -> None:
    """Remove a folder of ours, if it is there. Raises UsageError if it holds anything else."""
    refuse_foreign_folder(folder)
    if folder.exists():
        shutil.rmtree(folder)


def _list_names(folder: Path) -> set[str]:
    """Return the files at any depth, and folders without any, by their place within the folder."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir() or not any(path.iterdir()):
            found.add(path.relative_to(folder).as_posix())
    return found - {MARKER}
