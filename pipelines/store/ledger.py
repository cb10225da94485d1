"""The ledger of files: what became of every delivered content, and whether it is known."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines import clock
from pipelines.errors import UsageError
from pipelines.settings import Source
from pipelines.statements import fetch_first_row, fetch_number
from schemas.checked_file import CheckedFile, Rejection, make_per_file_id
from schemas.pack import Pack

WITHDRAWN = "it was withdrawn, and stays out; `calfwatch withdraw --undo` lets it in again"
UNREAD = "unread-"  # begins the id of a file that could not be read; the rest is its path's hash
UNFINISHED = "the last line has no line end, as the sender's files so far had: "
STILL_COMING = "an unfinished upload? It is tried again in the next run"
CUT_OFF = "it looks cut off, and lies there unchanged; deliver it whole, or take it as it is with `ingest --whole`"
_COUNTS = ("read", "accepted", "quarantined", "duplicate", "out_of_scope", "superseded", "moved", "removed")
_MOMENT = pa.timestamp("us", "UTC")
TYPES = {f"rows_{name}": pa.int64() for name in _COUNTS} | {
    "columns": pa.list_(pa.string()),
    "is_whole": pa.bool_(),
    "delivery_no": pa.int32(),
    "first_report": _MOMENT,
    "last_report": _MOMENT,
    "ingested_at": _MOMENT,
}
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
        """Return whether nothing is lost: accepted + quarantined + duplicates + out of scope = read."""
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


def encode_path(path: Path) -> str:
    """Return a path as the ledger keeps it: any bytes, as text."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def make_unread_id(path: Path) -> str:
    """Return the id of a file that cannot be read: it is known by its path."""
    return UNREAD + hashlib.sha256(os.fsencode(path)).hexdigest()


def find(connection: duckdb.DuckDBPyConnection, attempts: Sequence[Attempt]) -> list[Outcome | None]:
    """Return what the ledger says of contents of one source seen before, or None of one that is to be tried.

    A rejected file is tried again if it could fare otherwise, or could not be read; a withdrawn one stays out.
    """
    sql = "SELECT file_id, status, reason, tried_with, path FROM files WHERE source = ? AND file_id IN (FROM unnest(?))"
    values = [attempts[0].source, [attempt.file_id for attempt in attempts]]
    rows = connection.execute(sql, values).fetchall()
    entries = {row[0]: row[1:] for row in rows}
    return [_explain_entry(attempt, entries.get(attempt.file_id)) for attempt in attempts]


def _explain_entry(attempt: Attempt, entry: tuple[str, str | None, str, str] | None) -> Outcome | None:
    if entry is None or attempt.file_id.startswith(UNREAD):
        return None
    status, reason, tried_with, path = entry
    if status == "rejected" and (tried_with, path) != (attempt.tried_with, attempt.path):
        return None  # it may fare otherwise, or lies in another place, which the ledger is to name
    kept = "rejected" if status == "rejected" else "known"
    return Outcome(attempt.path, attempt.source, kept, attempt.file_id, reason)


def find_next_delivery_no(connection: duckdb.DuckDBPyConnection, attempts: Sequence[Attempt]) -> int:
    """Return a number after every earlier one; earlier rejections of these contents of a source make room."""
    number = fetch_number(connection, "SELECT coalesce(max(delivery_no), 0) + 1 FROM files")
    connection.execute(
        "DELETE FROM files WHERE source = ? AND file_id IN (SELECT unnest(?)) AND status = 'rejected'",
        [attempts[0].source, [attempt.file_id for attempt in attempts]],
    )
    return number


@dataclass(frozen=True)
class Group:
    """Files of one source, or one, that are stored in one transaction, by the number of their delivery, ascending."""

    source: Source
    pack: Pack
    files: Mapping[int, CheckedFile]

    @property
    def is_tagged(self) -> bool:
        """Whether the accepted rows have their tags: all files' or none's."""
        return all(each.is_tagged for each in self.files.values())

    @property
    def is_distinct(self) -> bool:
        """Whether it is known that no report stands in two of the files."""
        files, contents = list(self.files.values()), {each.file_id for each in self.files.values()}
        return len(files) == 1 or (len(contents) == len(files) and all(contents <= f.distinct_among for f in files))

    @property
    def numbers(self) -> dict[str, object]:
        """Return the first and the last delivery number, as parameters of statements."""
        return {"first": min(self.files), "last": max(self.files)}


@dataclass(frozen=True)
class NewEntry:
    """A row of the ledger: what became of a try; `reported` are the instants of the first and the last report.

    `period` are the days that the file's name gives.
    """

    attempt: Attempt
    outcome: Outcome
    delivery_no: int
    reported: tuple[datetime | None, datetime | None] = (None, None)
    period: str | None = None


def write(connection: duckdb.DuckDBPyConnection, entries: Sequence[NewEntry]) -> None:
    """Write the rows of files, all by one statement: one each would take a millisecond."""
    now = clock.now()
    rows = [_make_entry_row(entry) | {"ingested_at": now} for entry in entries]
    schema = pa.schema([(name, TYPES.get(name, pa.string())) for name in rows[0]])
    connection.register("entries", pa.Table.from_pylist(rows, schema=schema))
    connection.execute("INSERT INTO files BY NAME FROM entries")
    connection.unregister("entries")


def _make_entry_row(entry: NewEntry) -> dict[str, object]:
    outcome, attempt = entry.outcome, entry.attempt
    return vars(outcome) | {
        "columns": None if outcome.columns is None else list(outcome.columns),
        "delivery_no": entry.delivery_no,
        "period": entry.period,
        "first_report": entry.reported[0],
        "last_report": entry.reported[1],
        "rule_pack": attempt.rule_pack,
        "run_id": attempt.run_id,
        "tried_with": attempt.tried_with,
    }


def find_last_columns(connection: duckdb.DuckDBPyConnection, source: str) -> tuple[str, ...]:
    """Return the columns of the sender's last accepted file; none if they were not noted."""
    row = fetch_first_row(
        connection,
        "SELECT columns FROM files WHERE source = ? AND status = 'accepted' ORDER BY delivery_no DESC LIMIT 1",
        [source],
    )
    return tuple(row[0] or ()) if row else ()


def were_whole(connection: duckdb.DuckDBPyConnection, source: str) -> bool | None:
    """Return whether every accepted file of a sender had a last line end; None if it has none yet."""
    row = fetch_first_row(
        connection,
        "SELECT bool_and(is_whole) FROM files WHERE source = ? AND status = 'accepted' AND is_whole IS NOT NULL",
        [source],
    )
    return row[0] if row else None


def find_unfinished(connection: duckdb.DuckDBPyConnection, attempt: Attempt) -> Rejection:
    """Reject a file without a last line end whose sender's files had one so far: it may still be on its way.

    It is tried again; if the same bytes lie there then, the verdict stands.
    """
    before = fetch_first_row(
        connection,
        "SELECT 1 FROM files WHERE file_id = ? AND source = ? AND status = 'rejected' AND starts_with(reason, ?)",
        [attempt.file_id, attempt.source, UNFINISHED],
    )
    return Rejection(f"{UNFINISHED}{CUT_OFF if before else STILL_COMING}", is_passing=not before)


def find_earlier_ids(connection: duckdb.DuckDBPyConnection, source: str) -> tuple[str, ...]:
    """Return the sender's last stored report ids, from its last files alone: all of its records may be many."""
    oldest = fetch_number(
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


def find_known_ids(connection: duckdb.DuckDBPyConnection, source: str) -> frozenset[str]:
    """Return which contents a source has delivered before, and had accepted or taken back."""
    sql = "SELECT file_id FROM files WHERE source = ? AND status <> 'rejected'"
    return frozenset(file_id for (file_id,) in connection.execute(sql, [source]).fetchall())


def describe_ids_of_files(connection: duckdb.DuckDBPyConnection, report_id: str, source: str | None) -> str:
    """Tell the stored ids that a sender's id has, where ids hold for one file alone; nothing if it has none."""
    rows = connection.execute(
        "SELECT DISTINCT source, path FROM files WHERE status = 'accepted' AND source = coalesce(?, source)", [source]
    ).fetchall()
    ids = {make_per_file_id(Path(path).name, report_id): f"{Path(path).name} of {sender}" for sender, path in rows}
    known = connection.execute(
        """SELECT DISTINCT report_id FROM (SELECT report_id FROM records UNION ALL SELECT report_id FROM superseded)
           WHERE report_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY ALL""",
        [list(ids)],
    ).fetchall()
    told = ", ".join(f"{stored} for {ascii(ids[stored])[1:-1]}" for (stored,) in known[:3])
    return told and f"ids count from 1 in each file there, and are stored as hashes, such as {told}"


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
        """UPDATE files SET status = 'withdrawn', reason = ?, rows_read = 0, rows_accepted = 0, rows_quarantined = 0,
             rows_duplicate = 0, rows_out_of_scope = 0, rows_superseded = 0, first_report = NULL,
             last_report = NULL, rows_moved = NULL, rows_removed = NULL WHERE delivery_no = ?""",
        [WITHDRAWN, entry.delivery_no],
    )
