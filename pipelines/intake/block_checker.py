"""Check one block of raw rows: identifiers, layout, cells, times; what is left is a CheckedBlock and its counts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import duckdb
import pyarrow as pa
import pyarrow.compute

from pipelines.intake.anonymisation.gate import SHOWS_IDENTIFIER, Gate
from pipelines.intake.coded_columns import find_distinct_values
from pipelines.intake.csv_rows import RawRows
from pipelines.intake.duplicates import RepeatedIds
from pipelines.intake.instants import instant_sql, parse_times
from pipelines.intake.layouts.adapters import ADAPTER_WARNING, Adapter, select_canonical_rows
from pipelines.intake.layouts.warnings import find_warned_cells
from pipelines.intake.line_keeper import KeptLine, LineKeeper
from pipelines.intake.reader import WHOLE_COLUMNS, is_read_answer
from pipelines.intake.validator import Validator
from pipelines.settings import Settings, Source
from schemas.checked_file import BAD_CELLS, LINES_SHOWN, RAW_LINES, CheckedBlock, RowCounts, make_accepted_schema
from schemas.pack import Pack

SAMPLE_PER_BLOCK = 256  # report ids that are looked at in each block
RAW_LINE_CUT = 4096


@dataclass(frozen=True)
class Rules:
    """What a file is checked against."""

    source: Source
    adapter: Adapter
    pack: Pack
    settings: Settings


@dataclass(frozen=True)
class CheckedRows:
    """What checking leaves of a block, and which of its lines are rows in scope."""

    block: CheckedBlock
    in_scope: pa.ChunkedArray


class BlockChecker:
    """Check the blocks of one file; shared by the threads that read it."""

    def __init__(self, rules: Rules, file_id: str, gate: Gate, ids: RepeatedIds) -> None:
        self.rules, self.file_id, self.gate, self.ids = rules, file_id, gate, ids
        self.gate_lock = threading.Lock()
        self.validator = Validator(rules.pack, rules.source.regions)
        self.instant_sql = instant_sql(rules.source)
        self.instant_field = make_accepted_schema(rules.pack).field("reported_at")

    def check(self, raw: RawRows) -> tuple[CheckedBlock, RowCounts]:
        """Check a block. Raises FileRejected for a direct identifier, or if the source's adapter fails."""
        checked = self.check_rows(raw)
        return checked.block, _count_rows(raw, checked)

    def check_rows(self, raw: RawRows) -> CheckedRows:
        """Check a block, and count nothing. Raises as `check`."""
        with self.gate_lock:
            self.look_for_identifiers(raw)
        rows, warnings = _split_warnings(self._translate(raw))
        validated = self.validator.validate(rows, raw.bad_lines)
        with contextlib.closing(self.ids.scratch.cursor()) as cursor:
            self.ids.add(cursor, rows)
            accepted = self._add_times(cursor, validated.accepted)
        self._look_at_refused(raw, validated.bad_cells)
        block = self._make_block(raw, accepted, validated.bad_cells)
        block = replace(block, warned=find_warned_cells(warnings, accepted))
        return CheckedRows(block, rows.column("line_number"))

    def _translate(self, raw: RawRows) -> pa.Table:
        rules = self.rules
        if rules.adapter.is_canonical:
            return raw.table
        return select_canonical_rows(rules.adapter, rules.source, raw.table, self.file_ids(raw), rules.pack)

    def file_ids(self, _: RawRows) -> pa.Scalar | pa.Array:
        """Return the id of the file, or one for every row."""
        return pa.scalar(self.file_id)

    def _make_block(self, raw: RawRows, accepted: pa.Table, bad_cells: pa.Table) -> CheckedBlock:
        """Return the block; a line that must not be kept leaves neither its text nor a cell that holds it."""
        numbers = sorted(set(bad_cells.column("line_number").to_pylist()))
        keeper = LineKeeper(self.gate, _list_columns(raw), self.rules.source.delimiter)
        with self.gate_lock:
            lines = [keeper.keep(number, text) for number, text in raw.block.texts(numbers)]
        return CheckedBlock(accepted, _hide_values(bad_cells, lines), make_raw_lines(lines))

    def look_for_identifiers(self, raw: RawRows) -> None:
        """Let the gate look at every column of a block, and at its damaged lines."""
        for name in raw.table.column_names:
            if name == "line_number" or name in self.gate.exempt:
                continue
            column = raw.table.column(name)
            if name in WHOLE_COLUMNS:
                step = max(1, len(column) // SAMPLE_PER_BLOCK)
                column = column.take(pa.array(range(0, len(column), step), pa.int64()))
            filled = len(column) - column.null_count
            # yes and no identify nobody
            values, counts = ([], list) if is_read_answer(column) else find_distinct_values(column)
            self.gate.see(name, values, filled, counts)
        for line in raw.bad_lines:
            self.gate.see_line(line.text, self.rules.source.delimiter, _list_columns(raw))

    def _look_at_refused(self, raw: RawRows, bad_cells: pa.Table) -> None:
        """Look at invalid ids and times: of good ones only the share counts, but these go to the quarantine."""
        names = pa.array(sorted(WHOLE_COLUMNS))
        refused = bad_cells.filter(pyarrow.compute.is_in(bad_cells["column_name"], names))["line_number"]
        if len(refused):
            rows = raw.table.filter(pyarrow.compute.is_in(raw.table["line_number"], refused.combine_chunks()))
            self.look_at_refused(rows)

    def look_at_refused(self, rows: pa.Table) -> None:
        """Let the gate look at rows of which the id or the time is invalid."""
        for name in set(rows.column_names) & (self.gate.exempt | self.gate.judged_whole):
            for value in rows.column(name).unique().drop_null().to_pylist():
                self.gate.see_refused(name, value)

    def _add_times(self, cursor: duckdb.DuckDBPyConnection, accepted: pa.Table) -> pa.Table:
        place = accepted.schema.get_field_index("reported_at")
        instants, dates = parse_times(cursor, accepted.column(place), self.instant_sql)
        accepted = accepted.set_column(place, self.instant_field, instants)
        return accepted.set_column(accepted.schema.get_field_index("stated_date"), "stated_date", dates)


def _split_warnings(rows: pa.Table) -> tuple[pa.Table, dict[int, str]]:
    """Return the rows without the adapter's warnings, and these by their lines."""
    if ADAPTER_WARNING not in rows.column_names:
        return rows, {}
    warned = rows.filter(rows.column(ADAPTER_WARNING).is_valid())
    texts = dict(zip(warned["line_number"].to_pylist(), warned[ADAPTER_WARNING].to_pylist(), strict=True))
    return rows.drop_columns([ADAPTER_WARNING]), texts


def _count_rows(raw: RawRows, checked: CheckedRows) -> RowCounts:
    accepted = checked.block.accepted
    lines = checked.block.warned["line_number"].unique().to_pylist()
    ends = pyarrow.compute.min_max(accepted.column("reported_at")).as_py()
    return RowCounts(
        rows=raw.table.num_rows + len(raw.bad_lines),
        blank=raw.blank_lines,
        out_of_scope=raw.table.num_rows - len(checked.in_scope),
        bad_rows=len(checked.in_scope) - accepted.num_rows + len(raw.bad_lines),
        first=ends["min"],
        last=ends["max"],
        warned=len(lines),
        warned_lines=tuple(sorted(lines)[:LINES_SHOWN]),
    )


def _list_columns(raw: RawRows) -> list[str]:
    return [name for name in raw.table.column_names if name != "line_number"]


def _hide_values(bad_cells: pa.Table, lines: Sequence[KeptLine]) -> pa.Table:
    """Blank what bad cells tell of lines that are not kept: the whole line, and any cell if an identifier shows."""
    dropped = pa.array([line.number for line in lines if line.dropped], pa.int64())
    showing = pa.array([line.number for line in lines if line.dropped == SHOWS_IDENTIFIER], pa.int64())
    if not len(dropped):
        return bad_cells
    compute, numbers = pyarrow.compute, bad_cells["line_number"]
    is_line = compute.and_(compute.is_null(bad_cells["column_name"]), compute.is_in(numbers, dropped))
    is_hidden = compute.or_(is_line, compute.is_in(numbers, showing))
    shown = compute.if_else(is_hidden, pa.scalar(None, pa.string()), bad_cells["value"])
    return bad_cells.set_column(bad_cells.schema.get_field_index("value"), BAD_CELLS.field("value"), shown)


def make_raw_lines(lines: Iterable[KeptLine]) -> pa.Table:
    """Return lines as RAW_LINES."""
    rows = [(line.number, line.text[:RAW_LINE_CUT], line.fingerprint) for line in lines]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(RAW_LINES)
    return pa.table([pa.array(c, t) for c, t in zip(columns, RAW_LINES.types, strict=True)], schema=RAW_LINES)
