"""Screen a file: read it to its end and check it, before anything of it is stored.

A file with a direct identifier, or with too many bad rows, must leave no trace: so everything is read, checked and
typed first, and kept in an encrypted buffer meanwhile. No open records are needed for it.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TypeVar

import duckdb
import pyarrow as pa
import pyarrow.compute

from pipelines.errors import FileRejected
from pipelines.intake.anonymisation.column_names import check_names, find_refused_names
from pipelines.intake.anonymisation.gate import Gate, NoPostal
from pipelines.intake.block_checker import BlockChecker, Rules, make_raw_lines
from pipelines.intake.buffer import BufferedBlocks
from pipelines.intake.columns import find_absent_columns
from pipelines.intake.deliveries import CHANGED, Delivery
from pipelines.intake.duplicates import RepeatedIds
from pipelines.intake.layouts.adapters import check_header, open_scratch
from pipelines.intake.line_keeper import LineKeeper
from pipelines.intake.lines import read_lines_at
from pipelines.intake.opening import OpenDelivery
from pipelines.intake.per_file_ids import PerFileIds
from pipelines.intake.reader import PrefetchingReader
from schemas.checked_file import (
    BAD_CELLS,
    CONFLICT,
    CheckedBlock,
    CheckedFile,
    Rejection,
    RowCounts,
    make_accepted_schema,
)
from schemas.fields import CONTEXT_NAMES, NUMERIC_FIELDS

TOO_LARGE = "needs more memory than there is for one file; deliver it in parts, or raise memory_limit"
CONFLICTS_AT_A_TIME = 50_000
Given = TypeVar("Given")
Found = TypeVar("Found")


def screen_file(
    opened: OpenDelivery, rules: Rules, blocks: BufferedBlocks, earlier_ids: Sequence[str] = ()
) -> CheckedFile | Rejection:
    """Check an open delivery to its end; return what may be stored, or why nothing may.

    The checked file can be read as long as `blocks` are open. `earlier_ids` are the sender's last stored report ids.
    """
    if opened.reader is None:
        rejection = opened.rejection or Rejection("cannot be read")
    else:
        try:
            with contextlib.closing(open_scratch(blocks.folder)) as work:
                checked = _check_file(opened.reader, rules, blocks, RepeatedIds(work, rules.pack), earlier_ids)
                is_whole = opened.reader.meter.last in (b"", b"\n")
                return describe_file(checked, opened.delivery, opened.reader.names(), is_whole, rules)
        except FileRejected as error:
            rejection = Rejection(error.reason, error.passing)
        except duckdb.OutOfMemoryException:
            rejection = Rejection(TOO_LARGE, is_passing=True)
    if not rejection.is_passing and opened.has_changed():  # then the id is not that of what was checked
        return Rejection(CHANGED, is_passing=True)
    return rejection


def _check_file(
    reader: PrefetchingReader, rules: Rules, blocks: BufferedBlocks, ids: RepeatedIds, earlier_ids: Sequence[str]
) -> CheckedFile:
    """Raise FileRejected if the file must not be stored."""
    check_columns(rules, reader.names())
    gate = _make_gate(rules, earlier_ids)
    checker = BlockChecker(rules, reader.file_id(), gate, ids)
    counts = RowCounts()
    for block, found in map_in_order(checker.check, reader, rules.settings.threads or os.cpu_count() or 1):
        blocks.add(block)
        counts += found
    gate.decide()
    _check_complete(reader, counts)
    _check_share(rules, counts, blocks)  # before the work that many bad rows make
    left_out, note = ids.find_rows_left_out(blocks), describe_allowed(rules, reader.names())
    checked = CheckedFile(reader.file_id(), rules.source.name, counts, left_out, blocks, note=note)
    return _add_conflicts(checked, reader, rules, blocks) if checked.count_left_out(CONFLICT) else checked


def check_columns(rules: Rules, names: list[str]) -> None:
    """Raise FileRejected if a header has a column that no file may have, or lacks one."""
    known = frozenset((*CONTEXT_NAMES, *(field.name for field in rules.pack.fields)))
    check_names(names, known, rules.adapter.allow)
    check_header(rules.adapter, names, rules.pack)


def describe_file(
    checked: CheckedFile, delivery: Delivery, names: Sequence[str], is_whole: bool, rules: Rules
) -> CheckedFile:
    """Add what the guards between files need; ids that hold for one file alone get the file's name in them.

    `names` are the header's; `is_whole`: the last line has a line end.
    """
    columns = tuple(name for name in names if name not in rules.adapter.ignores)
    name = delivery.delivered_name if rules.source.report_ids == "per_file" else ""
    return replace(
        checked,
        blocks=PerFileIds(checked.blocks, name) if name else checked.blocks,
        columns=columns,
        absent=find_absent_columns(rules.adapter, columns, checked.blocks, rules.pack),
        is_whole=is_whole,
        period=delivery.period,
        ids_of=name,
    )


def describe_allowed(rules: Rules, names: Sequence[str]) -> str | None:
    """Tell the columns of a file that are in it only because the adapter lets them in."""
    allowed = [name for name in names if name in rules.adapter.allow and find_refused_names([name], frozenset())]
    return f"let in by the adapter: {', '.join(allowed)}" if allowed else None


def _make_gate(rules: Rules, earlier_ids: Sequence[str]) -> Gate:
    return Gate(*choose_gate_columns(rules), earlier_ids, find_no_postal(rules))


def choose_gate_columns(rules: Rules) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return the columns that the gate exempts, judges as a whole, and looks at for certain values alone."""
    adapter = rules.adapter
    return frozenset({"reported_at"}) | adapter.dates, frozenset({"report_id"}) | adapter.ids, adapter.ignores


def find_no_postal(rules: Rules) -> NoPostal:
    """Return what of a file looks like a postal code and is declared to be something else."""
    numbers = frozenset((*NUMERIC_FIELDS, *rules.pack.own_numbers))
    return NoPostal(numbers, frozenset(region.lower() for region in rules.source.regions))


def map_in_order(check: Callable[[Given], Found], rows: Iterable[Given], threads: int) -> Iterator[Found]:
    """Yield the checked blocks in order, a few of them checked ahead."""
    pending: deque[Future[Found]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for raw in rows:
                pending.append(pool.submit(check, raw))
                if len(pending) > threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _check_complete(reader: PrefetchingReader, counts: RowCounts) -> None:
    """Every line is a header, a row, a bad line or blank; and the bytes are those of the first look."""
    meter = reader.meter
    if 1 + counts.blank + counts.rows != meter.lines:
        raise FileRejected(f"{meter.lines} lines, but {counts.rows} rows and {counts.blank} blank lines")
    if reader.file_id() != meter.file_id:
        raise FileRejected(CHANGED, passing=True)


def _check_share(rules: Rules, counts: RowCounts, blocks: BufferedBlocks, good_conflicts: int = 0) -> None:
    """Raise FileRejected if too many rows are bad; rows in conflict count, `good_conflicts` of them are no bad rows."""
    limit = rules.settings.max_quarantined_share
    wrong = min(counts.rows, counts.bad_rows + good_conflicts)
    if counts.rows and wrong / counts.rows > limit:
        raise FileRejected(
            f"{wrong} of {counts.rows} rows are bad ({wrong / counts.rows:.0%}; at most {limit:.0%} are allowed): "
            + ", ".join(_find_common_reasons(blocks, good_conflicts))
        )


def _find_common_reasons(blocks: BufferedBlocks, conflicts: int) -> list[str]:
    """Return the three commonest, each with what is allowed, its cells and the first one's line: no value is told."""
    counts = Counter({"report_id: conflict": conflicts} if conflicts else {})
    told: dict[str, str] = {}
    for block in blocks:
        cells = block.bad_cells.select(["line_number", "column_name", "check_name", "allowed"])
        for line, column, check, allowed in zip(*cells.to_pydict().values(), strict=True):
            reason = f"{column or 'line'}: {check}"
            counts[reason] += 1
            told.setdefault(reason, f", first in line {line}" + (f"; allowed: {allowed}" if allowed else ""))
    return [f"{reason} ({count}{told.get(reason, '')})" for reason, count in counts.most_common(3)]


def _add_conflicts(
    checked: CheckedFile, reader: PrefetchingReader, rules: Rules, blocks: BufferedBlocks
) -> CheckedFile:
    """Add the rows in conflict to the bad cells, and take their times out of the file's range."""
    conflicts = checked.rows_left_out.filter(pyarrow.compute.equal(checked.rows_left_out["kind"], CONFLICT))
    _check_share(rules, checked.counts, blocks, conflicts.filter(conflicts["accepted"]).num_rows)
    first, last = _find_range(checked.blocks, conflicts["line_number"])
    lines = read_lines_at(reader.delivery.path, rules.settings, conflicts["line_number"].to_pylist())
    keeper = LineKeeper(_make_gate(rules, ()), reader.names(), rules.source.delimiter)
    for ids in _split_in_chunks(conflicts["report_id"].to_pylist(), CONFLICTS_AT_A_TIME):
        raw_lines = make_raw_lines(keeper.keep(*line) for line in islice(lines, len(ids)))
        empty = make_accepted_schema(rules.pack).empty_table()
        blocks.add(CheckedBlock(empty, _make_conflict_cells(raw_lines["line_number"], ids), raw_lines))
    return replace(checked, counts=replace(checked.counts, first=first, last=last))


def _make_conflict_cells(line_numbers: pa.ChunkedArray, ids: list[str]) -> pa.Table:
    allowed = "one content for one report_id within a file"
    texts = [[text] * len(ids) for text in ("report_id", CONFLICT, allowed)]
    return pa.table(
        [line_numbers, pa.array(ids, pa.string()), *map(pa.array, texts), pa.array(ids, pa.string())], schema=BAD_CELLS
    )


def _split_in_chunks(items: list[str], size: int) -> Iterator[list[str]]:
    return (items[place : place + size] for place in range(0, len(items), size))


def _find_range(blocks: Iterable[CheckedBlock], conflicts: pa.ChunkedArray) -> tuple[datetime | None, datetime | None]:
    """Return the first and last instant of the accepted rows that are in no conflict."""
    conflicting = conflicts.combine_chunks().cast(pa.uint32())
    ends: list[datetime] = []
    for block in blocks:
        kept = pyarrow.compute.invert(pyarrow.compute.is_in(block.accepted["line_number"], conflicting))
        found = pyarrow.compute.min_max(block.accepted["reported_at"].filter(kept)).as_py()
        ends += [moment for moment in found.values() if moment is not None]
    return min(ends, default=None), max(ends, default=None)
