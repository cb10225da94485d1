"""Open a file only if it is an ordinary one: a pipe or a device in its place is refused, and never waited for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MOST_TEXT = 4 << 20  # of what people write: settings, a pack, an adapter; none of a tenth of it is known


def open_ordinary(path: Path) -> int:
    """Return a descriptor for reading. Raises OSError if the file cannot be opened, or is no ordinary one.

    What was opened is looked at, not what lay there before.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    return descriptor


def read_text_file(path: Path, encoding: str = "utf-8", most: int = MOST_TEXT) -> str:
    """Return a text of at most so many bytes.

    Raises OSError, also for one that is longer, or UnicodeDecodeError.
    """
    with open(open_ordinary(path), "rb") as file:
        content: bytes | None = file.read(most + 1)
    if content is None:  # a file of /proc that has nothing to say yet
        raise OSError(errno.EAGAIN, "has nothing to read", str(path))
    if len(content) > most:
        raise OSError(errno.EFBIG, f"is larger than {most >> 20} MB", str(path))
    return content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
