"""Every error a user can meet, with the exit code it ends the command with.

The command line prints the message alone, without a traceback: where, what, what is allowed, what to try.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

WHAT_TO_DO = "Restore a backup (`calfwatch restore FILE`), or ingest the archived CSVs into a new home."
DISK_FAILURES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
# DuckDB's words for a signal: the first where it works itself, the second where it asks an object of Python for rows
STOP_WORDS = re.compile(
    r"Query interrupted|Invalid Input Error: [a-z ]+ registered as '.*\b(KeyboardInterrupt|TerminationSignal)\b",
    re.DOTALL,
)


class CalfwatchError(Exception):
    """Something a user can mend. Each argument is a line of the message, and stays one line whatever name is in it."""

    exit_code = 1

    def __str__(self) -> str:
        return "\n".join(map(str, self.args))


class UsageError(CalfwatchError):
    """Wrong usage, settings, SQL, rule pack or id."""

    exit_code = 2


class FilesRejectedError(CalfwatchError):
    """The run went on to its end, but some file was rejected; nothing of that file is stored."""

    exit_code = 3


class LockedError(CalfwatchError):
    """Another process is writing to this home."""

    exit_code = 4


class StateError(CalfwatchError):
    """The stored state is damaged, contradicts itself or was written by another version."""

    exit_code = 5


class ReleaseRefused(CalfwatchError):  # noqa: N818 - a decision, not a failure of the program
    """A week may not be released to the public; nothing changed but the record of a week held back."""

    exit_code = 6


class DiskError(CalfwatchError):
    """The disk is full, or may not be written any more; what was committed is kept."""

    def __init__(self, where: object, reason: str) -> None:
        super().__init__(
            f"{where}: {reason}; whatever was committed is kept. Make room, or mend it, and run the same again."
        )


def write_error(where: object, error: OSError, advice: str = "") -> CalfwatchError:
    """Return what to raise where something cannot be written: a full or failing disk is nobody's wrong usage."""
    if error.errno in DISK_FAILURES:
        return DiskError(where, str(error.strerror))
    return UsageError(f"{where}: cannot be written: {error.strerror or error}{advice}")


def is_stop(error: BaseException | None) -> bool:
    """Return whether an error is a stop: Ctrl-C, or the signal by which Prefect ends a run.

    A signal that comes while DuckDB works is raised by it as an error of its own, which may have become another since.
    """
    while error:
        says_so = not isinstance(error, CalfwatchError) and STOP_WORDS.match(str(error))
        if says_so or isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def find_disk_failure(text: str) -> str | None:
    """Return the system's words for a full or failing disk where a library's message repeats them."""
    return next((words for words in map(os.strerror, DISK_FAILURES) if words in text), None)


def lost_records(records: Path) -> StateError:
    """What was stored once is gone: a new state would take its place silently."""
    return StateError(f"{records} is gone, but summaries.duckdb tells of what was stored. {WHAT_TO_DO}")


def is_damage(error: BaseException) -> bool:
    """Return whether DuckDB met bytes that it did not write so, or fewer of them."""
    return "orrupt" in str(error) or "enough bytes" in str(error)


class ClusterError(CalfwatchError):
    """A cluster, or what it shares, failed while it worked for a run; what was committed is kept."""


class FileRejected(Exception):  # noqa: N818 - a verdict on one file, not a failure of the program
    """One delivered file cannot be used; the reason goes to the ledger and never quotes the file's values."""

    def __init__(self, reason: str, passing: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.passing = passing  # it may fare otherwise the next time, with the same settings


class OtherDelimiter(FileRejected):
    """The cells of a file are separated by another character than its source says."""

    def __init__(self, delimiter: str, words: str) -> None:
        super().__init__(f"cells are separated by {words}; set `delimiter` for this source, or export with commas")
        self.delimiter = delimiter
        self.toml = {"\t": '"\\t"'}.get(delimiter, f'"{delimiter}"')
