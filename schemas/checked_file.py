"""A checked file: what reading and checking a delivered file leaves, as plain values that a store can take."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import pyarrow as pa

from schemas.pack import Pack

INSTANT = pa.timestamp("us", "UTC")
LINES_SHOWN = 5  # of those with a warning
DUPLICATE, CONFLICT = "duplicate", "conflict"  # why a row that shares its report id is left out

BAD_CELLS = pa.schema(
    [
        ("line_number", pa.int64()),
        ("report_id", pa.string()),
        ("column_name", pa.string()),
        ("check_name", pa.string()),
        ("allowed", pa.string()),
        ("value", pa.string()),
    ]
)
# the delivered lines of rows with a bad cell, cut; the fingerprint is that of the whole line
RAW_LINES = pa.schema([("line_number", pa.int64()), ("text", pa.string()), ("fingerprint", pa.uint64())])
# what the adapter could not read in a row that is accepted; `report_id` is the stored one
WARNED_CELLS = pa.schema(
    [
        ("line_number", pa.int64()),
        ("report_id", pa.string()),
        ("column_name", pa.string()),
        ("kind", pa.string()),
        ("value", pa.string()),
    ]
)
# rows that share a report id with another row of their file; `accepted` if every cell of the row is good
ROWS_LEFT_OUT = pa.schema(
    [("line_number", pa.int64()), ("report_id", pa.string()), ("accepted", pa.bool_()), ("kind", pa.string())]
)
# beside the accepted rows, what a block holds of them and of the others
CELLS = {"bad_cells": BAD_CELLS, "raw_lines": RAW_LINES, "warned": WARNED_CELLS}
_PACKED = pa.schema(
    [
        ("line_number", pa.uint32()),
        ("report_id", pa.string()),
        ("reported_at", INSTANT),
        ("region", pa.string()),
        ("age_band", pa.uint8()),
        ("sex", pa.uint8()),
        ("pain_score", pa.uint8()),
        ("duration_days", pa.uint16()),
        ("answered", pa.uint32()),
        ("yes", pa.uint32()),
        ("stated_date", pa.date32()),  # of a report without a time
    ]
)
_TAGS = pa.schema(
    [
        ("triage_level", pa.uint8()),
        ("triage_ceiling", pa.uint8()),
        ("rules_true", pa.uint32()),
        ("missing", pa.uint32()),
        ("likely_cause", pa.uint8()),
        ("cause_certainty", pa.uint8()),
        ("evidence_true", pa.uint64()),
    ]
)


def make_accepted_schema(pack: Pack, is_tagged: bool = False) -> pa.Schema:
    """Return the columns of accepted rows as they are packed; the pack's numbers and choices have one each.

    Rows that were tagged before they are stored have their tags, too.
    """
    own = [(name, pa.uint16()) for name in pack.own_numbers] + [(name, pa.uint8()) for name in pack.choices]
    return pa.schema([*_PACKED, *(pa.field(name, kind) for name, kind in own), *(_TAGS if is_tagged else ())])


def list_content_columns(pack: Pack) -> list[str]:
    """Return the columns of what a report says, and when; of a correction at least one differs."""
    return [name for name in make_accepted_schema(pack).names if name not in ("line_number", "report_id")]


def make_per_file_id(name: str, report_id: str) -> str:
    """Return the id of a report among all files, of an id that holds for the file of this name alone."""
    return hashlib.blake2b(f"{name}\0{report_id}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Rejection:
    """Why a file is not stored. `is_passing`: it may fare otherwise the next time, with the same settings."""

    reason: str
    is_passing: bool = False


@dataclass(frozen=True)
class CheckedBlock:
    """Some rows of a file: the accepted ones, every bad cell of the others, and their lines as delivered.

    `warned` are what was not understood of the accepted ones. The tables are as `make_accepted_schema`, BAD_CELLS,
    RAW_LINES and WARNED_CELLS.
    """

    accepted: pa.Table
    bad_cells: pa.Table
    raw_lines: pa.Table
    warned: pa.Table = field(default_factory=WARNED_CELLS.empty_table)


@dataclass(frozen=True)
class RowCounts:
    """What became of the lines of a file or a block, and the first and last instant of its accepted rows.

    `warned` counts the accepted rows of which the adapter understood a part, `warned_lines` are the first of them.
    """

    rows: int = 0
    blank: int = 0
    out_of_scope: int = 0
    bad_rows: int = 0
    first: datetime | None = None
    last: datetime | None = None
    warned: int = 0
    warned_lines: tuple[int, ...] = ()

    def __add__(self, other: RowCounts) -> RowCounts:
        return RowCounts(
            self.rows + other.rows,
            self.blank + other.blank,
            self.out_of_scope + other.out_of_scope,
            self.bad_rows + other.bad_rows,
            min(filter(None, (self.first, other.first)), default=None),
            max(filter(None, (self.last, other.last)), default=None),
            self.warned + other.warned,
            tuple(sorted(self.warned_lines + other.warned_lines)[:LINES_SHOWN]),
        )


@dataclass(frozen=True, eq=False)
class DayCounts:
    """Daily counts of the tagged rows of some files, counted before these are stored, as if every row were new.

    `tables`: by the name of each daily table, what the rows add to it; in place of the number of a delivery stands a
    key of `files`, which are the contents.
    """

    files: Mapping[int, str]
    tables: Mapping[str, pa.Table]


@dataclass(frozen=True)
class CheckedFile:
    """A file that may be stored.

    `rows_left_out` is as ROWS_LEFT_OUT. `blocks` can be read as often as needed; the last ones hold the cells of
    conflicts. `columns` are those of its header that the adapter reads, `absent` the canonical ones that it therefore
    says nothing of, `columns_gone` those that the sender's last file had. `is_whole`: the last line has a line end.
    `period` are the days that its name says it is about. `ids_of` is the file's name if ids hold for one file alone.
    `note` is what the ledger should tell of a file that is taken. `is_tagged`: the accepted rows have their tags, and
    `counted` are the daily counts of the files that were tagged together. `distinct_among`: contents, its own among
    them, of which it is known that no report stands in two.
    """

    file_id: str
    source: str
    counts: RowCounts
    rows_left_out: pa.Table
    blocks: Iterable[CheckedBlock]
    columns: tuple[str, ...] = ()
    absent: frozenset[str] = frozenset()
    columns_gone: tuple[str, ...] = ()
    is_whole: bool = True
    period: tuple[date, date] | None = None
    ids_of: str = ""
    note: str | None = None
    is_tagged: bool = False
    counted: DayCounts | None = field(default=None, compare=False)
    distinct_among: frozenset[str] = field(default=frozenset(), compare=False)

    def make_stored_id(self, report_id: str) -> str:
        """Return the id under which a report is stored: of ids that count from 1 in each file, a hash with its name."""
        return make_per_file_id(self.ids_of, report_id) if self.ids_of else report_id

    def count_left_out(self, kind: str) -> int:
        """Count the rows left out for one reason."""
        return int(self.rows_left_out.column("kind").to_pylist().count(kind))
