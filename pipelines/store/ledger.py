"""The ledger of files: what became of every delivered content, and whether it is known."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from pipelines import clock
from pipelines.errors import UsageError
from pipelines.statements import first_row, one_number
from schemas.checked_file import Rejection

WITHDRAWN = "it was withdrawn, and stays out; `calfwatch withdraw --undo` lets it in again"
UNREAD = "unread-"  # begins the id of a file that could not be read; the rest is its path's hash
UNFINISHED = "the last line has no line end, as the sender's files so far had: "
STILL_COMING = "an unfinished upload? It is tried again in the next run"
CUT_OFF = "it looks cut off, and lies there unchanged; deliver it whole, or take it as it is with `ingest --whole`"
EARLIER_IDS = 16  # report ids of a sender that a file with few ids of its own is judged with


@dataclass(frozen=True)
class Outcome:
    """What became of one file: a row of the ledger. `status` is accepted, rejected or known (seen before)."""

    path: str
    source: str
    status: str
    file_id: str = ""
    reason: str | None = None
    rows_read: int = 0
    rows_accepted: int = 0
    rows_quarantined: int = 0
    rows_duplicate: int = 0
    rows_out_of_scope: int = 0
    rows_superseded: int = 0
    rows_moved: int | None = None
    rows_removed: int | None = None
    columns: Sequence[str] | None = None
    is_whole: bool | None = None
    notes: str | None = None

    def adds_up(self) -> bool:
        """Whether nothing is lost: accepted + quarantined + duplicates + out of scope = read."""
        parts = (self.rows_accepted, self.rows_quarantined, self.rows_duplicate, self.rows_out_of_scope)
        return sum(parts) == self.rows_read and min(parts) >= 0


@dataclass(frozen=True)
class Attempt:
    """A try to ingest one content of one sender, and what it was tried with; so far nothing is said of its outcome."""

    file_id: str
    path: str
    source: str
    tried_with: str
    rule_pack: str
    run_id: str


def path_text(path: Path) -> str:
    """Return a path as the ledger keeps it: any bytes, as text."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def unread_id(path: Path) -> str:
    """Return the id of a file that cannot be read: it is known by its path."""
    return UNREAD + hashlib.sha256(os.fsencode(path)).hexdigest()


def find(connection: duckdb.DuckDBPyConnection, attempt: Attempt) -> Outcome | None:
    """Return what the ledger says of a content seen before, or None if it is to be tried.

    A rejected file is tried again if it could fare otherwise, or could not be read; a withdrawn one stays out.
    """
    row = first_row(
        connection,
        "SELECT status, reason, tried_with, path FROM files WHERE file_id = ? AND source = ?",
        [attempt.file_id, attempt.source],
    )
    if row is None or attempt.file_id.startswith(UNREAD):
        return None
    if row[0] == "rejected" and (row[2], row[3]) != (attempt.tried_with, attempt.path):
        return None  # it may fare otherwise, or lies in another place, which the ledger is to name
    status = "rejected" if row[0] == "rejected" else "known"
    return Outcome(attempt.path, attempt.source, status, attempt.file_id, row[1])


def next_delivery_no(connection: duckdb.DuckDBPyConnection, attempt: Attempt) -> int:
    """Return a number after every earlier one; an earlier rejection of this content makes room."""
    number = one_number(connection, "SELECT coalesce(max(delivery_no), 0) + 1 FROM files")
    connection.execute(
        "DELETE FROM files WHERE file_id = ? AND source = ? AND status = 'rejected'", [attempt.file_id, attempt.source]
    )
    return number


def write(
    connection: duckdb.DuckDBPyConnection,
    attempt: Attempt,
    outcome: Outcome,
    delivery_no: int,
    reported: tuple[datetime | None, datetime | None] = (None, None),
) -> None:
    """Write a file's row; `reported` are the instants of its first and last report."""
    row = asdict(outcome) | {
        "columns": None if outcome.columns is None else list(outcome.columns),
        "delivery_no": delivery_no,
        "first_report": reported[0],
        "last_report": reported[1],
        "rule_pack": attempt.rule_pack,
        "ingested_at": clock.now(),
        "run_id": attempt.run_id,
        "tried_with": attempt.tried_with,
    }
    names = ", ".join(row)
    marks = ", ".join(f"${name}" for name in row)
    connection.execute(f"INSERT INTO files ({names}) VALUES ({marks})", row)


def find_last_columns(connection: duckdb.DuckDBPyConnection, source: str) -> tuple[str, ...]:
    """Return the columns of the sender's last accepted file; none if they were not noted."""
    row = first_row(
        connection,
        "SELECT columns FROM files WHERE source = ? AND status = 'accepted' ORDER BY delivery_no DESC LIMIT 1",
        [source],
    )
    return tuple(row[0] or ()) if row else ()


def find_unfinished(connection: duckdb.DuckDBPyConnection, attempt: Attempt) -> Rejection | None:
    """Reject a file without a last line end whose sender's files had one so far: it may still be on its way.

    It is tried again; if the same bytes lie there then, the verdict stands.
    """
    ends = first_row(
        connection,
        "SELECT bool_and(is_whole) FROM files WHERE source = ? AND status = 'accepted' AND is_whole IS NOT NULL",
        [attempt.source],
    )
    if not ends or not ends[0]:
        return None
    before = first_row(
        connection,
        "SELECT 1 FROM files WHERE file_id = ? AND source = ? AND status = 'rejected' AND starts_with(reason, ?)",
        [attempt.file_id, attempt.source, UNFINISHED],
    )
    return Rejection(f"{UNFINISHED}{CUT_OFF if before else STILL_COMING}", is_passing=not before)


def find_earlier_ids(connection: duckdb.DuckDBPyConnection, source: str) -> tuple[str, ...]:
    """Return the sender's last stored report ids, from its last files alone: all of its records may be many."""
    oldest = one_number(
        connection,
        """SELECT coalesce(min(delivery_no), 0) FROM (
             SELECT delivery_no FROM files WHERE source = ? AND rows_accepted > 0 ORDER BY delivery_no DESC LIMIT ?)""",
        [source, EARLIER_IDS],
    )
    rows = connection.execute(
        """SELECT report_id FROM records WHERE source = ? AND delivery_no >= ?
           ORDER BY delivery_no DESC, line_number DESC LIMIT ?""",
        [source, oldest, EARLIER_IDS],
    ).fetchall()
    return tuple(str(row[0]) for row in rows)


@dataclass(frozen=True)
class Entry:
    """One file of the ledger."""

    delivery_no: int
    file_id: str
    source: str
    status: str
    path: str
    rows: int
    accepted: int


def find_entry(connection: duckdb.DuckDBPyConnection, file_id: str, source: str | None) -> Entry:
    """Return the one file whose id begins so. Raises UsageError if there is none, or more than one."""
    entries = find_entries(
        connection, "starts_with(file_id, ?) AND (source = ? OR ? IS NULL)", [file_id, source, source]
    )
    if not file_id or not entries:
        raise UsageError(
            f"no file of the ledger has an id that begins with '{file_id}';"
            ' `calfwatch query --db records "FROM files"` lists them'
        )
    if len(entries) > 1:
        some = ", ".join(f"{entry.file_id[:12]} of {entry.source}" for entry in entries[:3])
        raise UsageError(f"'{file_id}' begins {len(entries)} ids ({some}); give more of it, or --source")
    return entries[0]


def find_entries(connection: duckdb.DuckDBPyConnection, condition: str, values: Sequence[object]) -> list[Entry]:
    """Return the files of the ledger that meet a condition, in the order of their deliveries."""
    columns = "delivery_no, file_id, source, status, path, rows_read, rows_accepted"
    rows = connection.execute(f"SELECT {columns} FROM files WHERE {condition} ORDER BY delivery_no", values).fetchall()
    return [Entry(*row) for row in rows]


def mark_withdrawn(connection: duckdb.DuckDBPyConnection, entry: Entry) -> None:
    """Keep the file in the ledger as withdrawn, with all its counts at zero."""
    connection.execute(
        """UPDATE files SET status = 'withdrawn', reason = ?, rows_read = 0, rows_accepted = 0,
             rows_quarantined = 0, rows_duplicate = 0, rows_out_of_scope = 0, rows_superseded = 0,
             first_report = NULL, last_report = NULL, rows_moved = NULL, rows_removed = NULL
           WHERE delivery_no = ?""",
        [WITHDRAWN, entry.delivery_no],
    )
