"""Screen small files with the same header together: each becomes a checked file, or is to be judged alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.errors import FileRejected
from pipelines.intake.block_checker import Rules
from pipelines.intake.csv_rows import parse_header
from pipelines.intake.layouts.adapters import find_answer_columns, open_scratch
from pipelines.intake.lines import BLOCK_BYTES, MOST_LINES, Block, find_cuts
from pipelines.intake.screening import (
    check_columns,
    choose_gate_columns,
    describe_allowed,
    describe_file,
    find_no_postal,
    map_in_order,
)
from pipelines.intake.together.checker import BatchChecker, BatchIds, Joined, MarkingGate, Piece
from pipelines.intake.together.counts import OWN_FIRST, BatchRows, Places, count_files
from pipelines.intake.together.small_files import SmallFile
from schemas.checked_file import CELLS, ROWS_LEFT_OUT, CheckedBlock, CheckedFile, RowCounts, make_accepted_schema


@dataclass(frozen=True)
class Alone:
    """A file to be judged alone; `needs_earlier`: perhaps with the sender's earlier ids."""

    needs_earlier: bool = True


def screen_batch(files: list[SmallFile], rules: Rules, folder: Path) -> list[CheckedFile | Alone]:
    """Screen files of one source that have the same header line; their rows are taken out of the list meanwhile."""
    try:
        names = parse_header(files[0].header, rules.source.delimiter)
        check_columns(rules, names)
    except FileRejected:
        return [Alone(False) for _ in files]
    starts = np.cumsum([OWN_FIRST, *(file.lines for file in files)], dtype=np.int64)[:-1]
    with contextlib.closing(open_scratch(folder)) as work:
        gate = MarkingGate(*choose_gate_columns(rules), (), find_no_postal(rules))
        ids = BatchIds(work, starts)
        checker = BatchChecker(rules, gate, ids, starts, [file.file_id for file in files])
        check = partial(checker.check_joined, names=names, answers=find_answer_columns(rules.adapter, rules.pack))
        threads = rules.settings.threads or os.cpu_count() or 1
        found = list(map_in_order(check, _join(files, starts), threads))
        checker.decide()
    note = describe_allowed(rules, names)
    finished = [
        _finish(each, files[place], names, rules, note) for place, each in enumerate(_make_part(checker, found, files))
    ]
    contents = frozenset(file.file_id for file in files if ids.are_distinct)
    return [replace(each, distinct_among=contents) if isinstance(each, CheckedFile) else each for each in finished]


def _join(files: list[SmallFile], starts: Places) -> Iterator[Joined]:
    """Join the lines of consecutive files to blocks; a file that fills a block is cut as if it were alone.

    What is joined is taken out of the list: the rows of a group need more room than all that is kept of them.
    """
    waiting: list[Piece] = []
    lines = size = 0  # of what waits
    for place, file in enumerate(files):
        pieces = _cut_pieces(place, int(starts[place]), file.rows)
        more_lines, more_size = sum(piece.lines for piece in pieces), len(file.rows)
        files[place] = file = file.without_rows()
        is_full = lines + more_lines > MOST_LINES or size + more_size > BLOCK_BYTES
        if waiting and (len(pieces) > 1 or is_full):
            yield _join_block(waiting)
            waiting, lines, size = [], 0, 0
        if len(pieces) > 1:
            yield from (_join_block([piece]) for piece in pieces)
        else:
            waiting += pieces
            lines, size = lines + more_lines, size + more_size
    if waiting:
        yield _join_block(waiting)


def _cut_pieces(place: int, first_line: int, rows: memoryview) -> list[Piece]:
    pieces = []
    for start, end, lines in find_cuts(rows):
        pieces.append(Piece(place, first_line, rows[start:end], lines))
        first_line += lines
    return pieces


def _join_block(pieces: list[Piece]) -> Joined:
    data = b"".join(piece.rows for piece in pieces)
    return Joined(Block(pieces[0].first_line, data, sum(piece.lines for piece in pieces)), pieces)


def _make_part(
    checker: BatchChecker, found: Sequence[BatchRows], files: Sequence[SmallFile]
) -> Iterator[tuple[CheckedBlock, RowCounts] | Alone]:
    """Part the checked rows of a batch by files, with lines counted in each."""
    tables = _join_tables(checker, found)
    counts = count_files(found, tables["accepted"], tables["warned"], checker.starts)
    ends = {name: _find_ends(table, checker.starts) for name, table in tables.items()}
    for place, file in enumerate(files):
        counted = counts[place]
        if place in checker.alone or not _is_plain(counted, file, checker.rules.settings.max_quarantined_share):
            yield Alone(place in checker.early)
            continue
        shift = int(checker.starts[place]) - OWN_FIRST
        parts = [_shift_lines(table.slice(*ends[name][place]), shift) for name, table in tables.items()]
        yield CheckedBlock(*parts), counted


def _is_plain(counts: RowCounts, file: SmallFile, limit: float) -> bool:
    """Return whether every line is a row or blank, and not too many rows are bad."""
    if counts.rows + counts.blank != file.lines:
        return False
    return not counts.rows or counts.bad_rows / counts.rows <= limit


def _join_tables(checker: BatchChecker, found: Sequence[BatchRows]) -> dict[str, pa.Table]:
    blocks = [each.checked.block for each in found if each.checked]
    schemas = {"accepted": make_accepted_schema(checker.rules.pack), **CELLS}
    return {
        name: pa.concat_tables([schema.empty_table(), *(getattr(block, name) for block in blocks)]).combine_chunks()
        for name, schema in schemas.items()
    }


def _find_ends(table: pa.Table, starts: Places) -> list[tuple[int, int]]:
    """Return each file's first row and number of rows in a table that is sorted by line."""
    firsts = np.searchsorted(table.column("line_number").to_numpy(), starts)
    ends = [*firsts[1:].tolist(), table.num_rows]
    return [(first, end - first) for first, end in zip(firsts.tolist(), ends, strict=True)]


def _shift_lines(table: pa.Table, shift: int) -> pa.Table:
    """Return rows with the lines as they are counted in their file."""
    if not shift or not table.num_rows:
        return table
    place, field = table.schema.get_field_index("line_number"), table.schema.field("line_number")
    own = pa.array(table.column("line_number").to_numpy() - shift, field.type)
    return table.set_column(place, field, own)


def _finish(
    found: tuple[CheckedBlock, RowCounts] | Alone, file: SmallFile, names: Sequence[str], rules: Rules, note: str | None
) -> CheckedFile | Alone:
    if isinstance(found, Alone):
        return found
    block, counts = found
    nothing = ROWS_LEFT_OUT.empty_table()
    checked = CheckedFile(file.file_id, rules.source.name, counts, nothing, (block,), note=note)
    return describe_file(checked, file.delivery, names, file.is_whole, rules)
