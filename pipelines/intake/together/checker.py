"""Check blocks to which the lines of several files are joined, and tell which files must be judged alone.

Lines are counted through all files of the batch. What would reject a file, or lies near it, is not decided here: the
file is marked, and judged alone by the checker of one file, with its words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute

from pipelines.errors import FileRejected
from pipelines.intake.anonymisation.gate import Gate
from pipelines.intake.anonymisation.identifiers import EMAIL_ADDRESS, PHONE_NUMBER, find_certain_kind
from pipelines.intake.block_checker import SAMPLE_PER_BLOCK, BlockChecker, Rules
from pipelines.intake.coded_columns import find_distinct_values
from pipelines.intake.csv_rows import RawRows, parse_at_once, parse_block
from pipelines.intake.duplicates import find_repeated
from pipelines.intake.lines import Block
from pipelines.intake.reader import MOST_OTHER_WORDS, WHOLE_COLUMNS, is_read_answer
from pipelines.intake.together.counts import BatchRows, Places, find_file_places

# report ids that cannot look like an identifier of any kind: fewer than four digits, or a short number behind a letter
PLAIN_ID = r"^(?:[A-Za-z._ -]*(?:[0-9][A-Za-z._ -]*){0,3}|[A-Za-z]?-?[0-9]{1,7})$"


class MarkingGate(Gate):
    """A gate that says what a value could be, and rejects nothing."""

    def refuse(self, reason: str) -> None:
        """Go on."""

    def find_kinds(self, column: str, value: str) -> frozenset[str]:
        """Return the kinds that a value could be, a certain one among them."""
        return self._find_kinds_once(column, value)


@dataclass(frozen=True)
class Piece:
    """Complete lines of a file, by its place in the batch; they are not copied until they are joined."""

    place: int
    first_line: int
    rows: memoryview
    lines: int


@dataclass(frozen=True)
class Joined:
    """A block of lines, and the pieces of files that it was joined from."""

    block: Block
    pieces: Sequence[Piece]


class BatchIds:
    """The report ids of a batch: which files have one twice. `scratch` is a DuckDB that leaves no trace.

    `are_distinct` says, once that was asked, whether no id stands twice in all files together.
    """

    def __init__(self, scratch: duckdb.DuckDBPyConnection, starts: Places) -> None:
        self.scratch, self.starts = scratch, starts
        self.are_distinct = False
        scratch.execute("CREATE TABLE seen_ids (id UBIGINT, place INTEGER)")

    def add(self, cursor: duckdb.DuckDBPyConnection, rows: pa.Table) -> None:
        """Take in the ids of a block's canonical rows, by a cursor of the calling thread."""
        if "report_id" not in rows.column_names:
            return
        places = pa.array(find_file_places(rows.column("line_number"), self.starts), pa.int32())
        cursor.register("ids", rows.select(["report_id"]).append_column("place", places))
        cursor.execute("INSERT INTO seen_ids SELECT hash(report_id), place FROM ids WHERE report_id IS NOT NULL")
        cursor.unregister("ids")

    def find_places(self) -> set[int]:
        """Return the files that have an id twice, once all ids were added."""
        ids = self.scratch.execute("SELECT id FROM seen_ids").fetchnumpy()["id"]
        repeated = find_repeated(np.asarray(ids, dtype=np.uint64))
        self.are_distinct = not len(repeated)
        if self.are_distinct:
            return set()
        keys = self.scratch.execute("SELECT hash(id, place) AS key FROM seen_ids").fetchnumpy()["key"]
        self.scratch.register("repeated", pa.table({"key": find_repeated(np.asarray(keys, dtype=np.uint64))}))
        found = self.scratch.execute("SELECT DISTINCT place FROM seen_ids WHERE hash(id, place) IN (FROM repeated)")
        places = {place for (place,) in found.fetchall()}
        self.scratch.unregister("repeated")
        return places


class BatchChecker(BlockChecker):
    """Check joined blocks. `starts` are the first lines of the files, `ids` a BatchIds.

    `alone` are the files to be judged alone; `early` those of which the verdict may need the sender's earlier ids.
    """

    def __init__(self, rules: Rules, gate: MarkingGate, ids: BatchIds, starts: Places, file_ids: Sequence[str]) -> None:
        super().__init__(rules, "", gate, ids)  # type: ignore[arg-type]
        self.marking, self.starts, self.ids_of_files = gate, starts, pa.array(file_ids, pa.string())
        self.alone: set[int] = set()
        self.early: set[int] = set()
        self.cells = np.zeros(len(file_ids), dtype=np.int64)
        self.kinds: dict[str, Places] = {}
        self._other_words = 0

    def check_joined(self, joined: Joined, names: Sequence[str], answers: frozenset[str]) -> BatchRows:
        """Parse and check a block; if it cannot be checked, its files are to be judged alone."""
        raw, blank = self._parse(joined, names, answers if self._other_words < MOST_OTHER_WORDS else frozenset())
        if not any(is_read_answer(raw.table.column(name)) for name in answers & set(names)):
            self._other_words += 1
        places = [piece.place for piece in joined.pieces]
        try:
            checked = self.check_rows(raw)
        except FileRejected:
            self.alone.update(places)
            checked = None
        lines = raw.table.column("line_number")
        return BatchRows(lines, raw.bad_lines, checked, dict(zip(places, blank, strict=True)))

    def _parse(self, joined: Joined, names: Sequence[str], answers: frozenset[str]) -> tuple[RawRows, list[int]]:
        """Return the rows, and the blank lines of each piece.

        If the block cannot be parsed at once, each piece is parsed by itself: one odd file makes no other slow.
        """
        delimiter = self.rules.source.delimiter
        raw = parse_at_once(joined.block, names, delimiter, WHOLE_COLUMNS, answers)
        if raw is not None:
            return raw, [0] * len(joined.pieces)
        blocks = [Block(piece.first_line, bytes(piece.rows), piece.lines) for piece in joined.pieces]
        parts = [parse_block(block, names, delimiter, WHOLE_COLUMNS) for block in blocks]
        table = pa.concat_tables([part.table for part in parts]).unify_dictionaries()
        bad = tuple(line for part in parts for line in part.bad_lines)
        blank = [part.blank_lines for part in parts]
        return RawRows(joined.block, table, bad, sum(blank)), blank

    def file_ids(self, raw: RawRows) -> pa.Array:
        """Return the id of every row's file."""
        return self.ids_of_files.take(pa.array(find_file_places(raw.table.column("line_number"), self.starts)))

    def look_for_identifiers(self, raw: RawRows) -> None:
        """Mark the files with a value that could be an identifier, and those with damaged lines."""
        for line in raw.bad_lines:
            self._mark(np.searchsorted(self.starts, [line.line_number], side="right") - 1, early=True)
        for name in raw.table.column_names:
            if name == "line_number" or name in self.gate.exempt or is_read_answer(raw.table.column(name)):
                continue
            if name in WHOLE_COLUMNS:
                self._look_at_ids(raw, name)
            else:
                self._look_at_values(raw, name)

    def _look_at_values(self, raw: RawRows, name: str) -> None:
        column = raw.table.column(name)
        values, _ = find_distinct_values(column)
        if found := [value for value in values if self.marking.find_kinds(name, value)]:
            is_in = pyarrow.compute.is_in(column.cast(pa.string()), pa.array(found, pa.string()))
            lines = raw.table.column("line_number").filter(is_in)
            self._mark(find_file_places(lines, self.starts), early=name in self.gate.judged_whole)

    def _look_at_ids(self, raw: RawRows, name: str) -> None:
        """Count what report ids could be, of a sample of each file: only the share matters."""
        places = find_file_places(raw.table.column("line_number"), self.starts)
        chosen = _sample(places)
        ids = raw.table.column(name).take(pa.array(chosen))
        filled = ids.is_valid().to_numpy()
        np.add.at(self.cells, places[chosen[filled]], 1)
        is_plain = pyarrow.compute.match_substring_regex(ids, PLAIN_ID).fill_null(True).to_numpy()
        for row in np.flatnonzero(~is_plain):
            for kind in self.marking.find_kinds(name, ids[row].as_py()):
                counts = self.kinds.setdefault(kind, np.zeros(len(self.cells), dtype=np.int64))
                counts[places[chosen[row]]] += 1

    def look_at_refused(self, rows: pa.Table) -> None:
        """Mark the files with an invalid id or time that could be an identifier."""
        places = find_file_places(rows.column("line_number"), self.starts)
        for name in set(rows.column_names) & (self.gate.exempt | self.gate.judged_whole):
            kinds = [value and find_certain_kind(value) for value in rows.column(name).cast(pa.string()).to_pylist()]
            certain = (EMAIL_ADDRESS, PHONE_NUMBER) if name not in self.gate.exempt else (EMAIL_ADDRESS,)
            self._mark(places[[kind in certain for kind in kinds]])

    def _mark(self, places: Places, early: bool = False) -> None:
        self.alone.update(places.tolist())
        if early:
            self.early.update(places.tolist())

    def decide(self) -> None:
        """Mark the files of which more than half of the ids look alike, and those with an id twice."""
        for counts in self.kinds.values():
            self._mark(np.flatnonzero(counts * 2 > self.cells), early=True)
        self.alone.update(self.ids.find_places())  # type: ignore[attr-defined]


def _sample(places: Places) -> Places:
    """Return the rows to look at: of every file so many as of a file alone."""
    firsts = np.flatnonzero(np.diff(places, prepend=-1))
    ends = [*firsts[1:].tolist(), len(places)] if len(firsts) else []
    parts = [
        np.arange(first, end, max(1, (end - first) // SAMPLE_PER_BLOCK))
        for first, end in zip(firsts.tolist(), ends, strict=True)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
