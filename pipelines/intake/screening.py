"""A file read to its end and judged, before anything of it is stored.

A file with a direct identifier, or with too many bad rows, must leave no trace: so everything is read, checked
and typed first, while nothing is written. What was judged is kept in a spool meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute

from pipelines.errors import FileRejected
from pipelines.intake.adapters import Adapter, canonical_rows, check_header
from pipelines.intake.buffer import Spool
from pipelines.intake.identifiers import SAMPLE_PER_BLOCK, Gate, check_names
from pipelines.intake.lines import CHANGED, Meter, RawRows, lines_at
from pipelines.intake.reader import WHOLE_COLUMNS, Rows, is_read_answer
from pipelines.intake.validator import Validated, Validator, accepted_schema, distinct
from pipelines.settings import Settings, Source
from pipelines.statements import one_number, statement
from schemas.fields import CONTEXT_NAMES
from schemas.pack import Pack
from schemas.tables import quoted

INSTANT = pa.timestamp("us", "UTC")
RESOLVE_ROWS = 4_000_000  # rows whose hashes are compared at a time


@dataclass(frozen=True)
class _Processed:
    """One block: its judged rows and what became of its lines."""

    validated: Validated
    rows: int
    blank: int
    out_of_scope: int
    bad_rows: int
    first: datetime | None
    last: datetime | None


@dataclass
class _Counts:
    """The blocks of a file, added up."""

    rows: int = 0
    blank: int = 0
    out_of_scope: int = 0
    bad_rows: int = 0
    first: datetime | None = None
    last: datetime | None = None

    def add(self, block: _Processed) -> None:
        self.rows += block.rows
        self.blank += block.blank
        self.out_of_scope += block.out_of_scope
        self.bad_rows += block.bad_rows
        self.first = min(filter(None, (self.first, block.first)), default=None)
        self.last = max(filter(None, (self.last, block.last)), default=None)


@dataclass(frozen=True)
class Judged:
    """A file that may be stored.

    left_out: rows that share a report_id with another of the file (line_number, report_id, accepted, kind:
    duplicate or conflict). batches: calling it yields every judged batch, accepted rows typed as `incoming_schema`.
    """

    file_id: str
    counts: _Counts
    left_out: pa.Table
    batches: Callable[[], Iterator[Validated]]


class Judge:
    """Judges the rows of one file block by block, on several threads, in order.

    `work` is a DuckDB that leaves no trace. What is judged is good as long as `spool` is open. `earlier_ids`: as the
    gate wants them.
    """

    def __init__(
        self,
        rows: Rows,
        adapter: Adapter,
        settings: Settings,
        pack: Pack,
        work: duckdb.DuckDBPyConnection,
        spool: Spool,
        file_id: str | None = None,
        earlier_ids: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self.rows, self.delivery = rows, rows.delivery
        self.adapter, self.settings, self.pack = adapter, settings, pack
        self.work, self.spool = work, spool
        self.file_id = file_id
        self.validator = Validator(pack)
        self.gate_lock = threading.Lock()
        exempt = frozenset({"reported_at"}) | adapter.dates
        self.gate = Gate(exempt, frozenset({"report_id"}) | adapter.ids, adapter.ignores, earlier_ids)
        self.threads = settings.threads or os.cpu_count() or 1
        self.parse_time = time_sql(self.delivery.source)

    def judge(self) -> Judged:
        """Reads the whole file; raises FileRejected where it must not be stored."""
        check_names(self.rows.names(), frozenset((*CONTEXT_NAMES, *(field.name for field in self.pack.fields))))
        check_header(self.adapter, self.rows.names(), self.pack)
        self.work.execute("CREATE TABLE seen (id UBIGINT)")
        counts = _Counts()
        for block in self._processed(self._gated, self.rows):
            self.spool.add(block.validated.accepted)
            self.spool.add(block.validated.bad_cells)
            counts.add(block)
        self.gate.verdict()
        self._check_read(counts, self.rows.meter)
        self._check_share(counts.rows, counts.bad_rows, 0)  # before the work that many bad rows make
        left_out = self._left_out()
        conflicts = left_out.column("kind").to_pylist().count("conflict")
        otherwise_good = left_out.filter(left_out["accepted"])["kind"].to_pylist().count("conflict")
        self._check_share(counts.rows, counts.bad_rows, otherwise_good)
        if conflicts:
            counts.first, counts.last = _range_without(left_out, self._batches())
        return Judged(self.rows.meter.file_id, counts, left_out, self._batches)

    def _batches(self) -> Iterator[Validated]:
        """Every judged batch again."""
        tables = self.spool.tables()
        return (Validated(accepted, bad_cells) for accepted, bad_cells in zip(tables, tables, strict=True))

    def _check_read(self, counts: _Counts, meter: Meter) -> None:
        """Every line is a header, a row, a bad line or blank; and the bytes are those of the first look."""
        if 1 + counts.blank + counts.rows != meter.lines:
            raise FileRejected(f"{meter.lines} lines, but {counts.rows} rows and {counts.blank} blank lines")
        if self.file_id not in (None, meter.file_id):
            raise FileRejected(CHANGED, passing=True)

    def _check_share(self, rows: int, bad: int, conflicts: int) -> None:
        limit = self.settings.max_quarantined_share
        wrong = min(rows, bad + conflicts)
        if rows and wrong / rows > limit:
            reasons = ", ".join(self._common_reasons(conflicts))
            raise FileRejected(
                f"{wrong} of {rows} rows are bad ({wrong / rows:.0%}; at most {limit:.0%} are allowed): {reasons}"
            )

    def _common_reasons(self, conflicts: int) -> list[str]:
        """The three commonest, each with its number of cells and where the first one is: no value is told."""
        counts = Counter({"report_id: conflict": conflicts} if conflicts else {})
        first: dict[str, int] = {}
        with contextlib.closing(Rows(self.delivery, self.settings, self.rows.answers)) as again:
            for block in self._processed(self._judged, again):
                cells = block.validated.bad_cells.select(["line_number", "column_name", "check_name"])
                for line, column, check in zip(*cells.to_pydict().values(), strict=True):
                    reason = f"{column or 'line'}: {check}"
                    counts[reason] += 1
                    first.setdefault(reason, line)
        return [
            f"{reason} ({count}{f', first in line {first[reason]}' if reason in first else ''})"
            for reason, count in counts.most_common(3)
        ]

    def _processed(self, work: Callable[[RawRows], _Processed], rows: Rows) -> Iterator[_Processed]:
        """The blocks of rows through `work`, in order, a few ahead."""
        ahead: deque[Future[_Processed]] = deque()
        with ThreadPoolExecutor(self.threads) as pool:
            try:
                for raw in rows:
                    ahead.append(pool.submit(work, raw))
                    if len(ahead) > self.threads:
                        yield ahead.popleft().result()
                while ahead:
                    yield ahead.popleft().result()
            finally:
                for future in ahead:
                    future.cancel()

    def _gated(self, raw: RawRows) -> _Processed:
        """A block for the first time: its identifiers are looked for, its ids are noted."""
        with self.gate_lock:
            self._look_for_identifiers(raw)
        judged = self._judged(raw, note=True)
        self._look_at_refused(raw, judged.validated.bad_cells)
        return judged

    def _look_for_identifiers(self, raw: RawRows) -> None:
        for name in self.rows.names():
            if name in self.gate.exempt:
                continue
            column = raw.table.column(name)
            if name in WHOLE_COLUMNS:
                step = max(1, len(column) // SAMPLE_PER_BLOCK)
                column = column.take(pa.array(range(0, len(column), step), pa.int64()))
            filled = len(column) - column.null_count
            values, counts = ([], list) if is_read_answer(column) else distinct(column)  # yes and no identify nobody
            self.gate.see(name, values, filled, counts)
        for line in raw.bad_lines:
            self.gate.see_line(line.text, self.delivery.source.delimiter)

    def _look_at_refused(self, raw: RawRows, bad_cells: pa.Table) -> None:
        """Ids and times are judged by the share of a column, or not at all; but refused ones go to the quarantine."""
        names = pa.array(sorted(WHOLE_COLUMNS))
        refused = bad_cells.filter(pyarrow.compute.is_in(bad_cells["column_name"], names))["line_number"]
        if not len(refused):
            return
        rows = raw.table.filter(pyarrow.compute.is_in(raw.table["line_number"], refused.combine_chunks()))
        for name in set(self.rows.names()) & (self.gate.exempt | self.gate.judged_whole):
            for value in rows.column(name).unique().drop_null().to_pylist():
                self.gate.see_refused(name, value)

    def _judged(self, raw: RawRows, note: bool = False) -> _Processed:
        rows = canonical_rows(self.adapter, self.delivery.source, raw.table, self.file_id or "", self.pack)
        cursor = self.work.cursor()
        try:
            if note and "report_id" in rows.column_names:
                self._note_ids(cursor, rows)
            validated = self.validator.validate(rows, raw.bad_lines)
            accepted, first, last = self._with_instants(cursor, validated.accepted)
        finally:
            cursor.close()
        bad_rows = rows.num_rows - accepted.num_rows + len(raw.bad_lines)
        return _Processed(
            Validated(accepted, validated.bad_cells),
            rows=raw.table.num_rows + len(raw.bad_lines),
            blank=raw.blank_lines,
            out_of_scope=raw.table.num_rows - rows.num_rows,
            bad_rows=bad_rows,
            first=first,
            last=last,
        )

    def _note_ids(self, cursor: duckdb.DuckDBPyConnection, rows: pa.Table) -> None:
        cursor.register("ids", rows.select(["report_id"]))
        cursor.execute("INSERT INTO seen SELECT hash(report_id) FROM ids WHERE report_id IS NOT NULL")
        cursor.unregister("ids")

    def _with_instants(
        self, cursor: duckdb.DuckDBPyConnection, accepted: pa.Table
    ) -> tuple[pa.Table, datetime | None, datetime | None]:
        """Types reported_at; returns the first and the last instant too."""
        field = incoming_schema(self.pack).field("reported_at")
        column = instants(cursor, accepted.column("reported_at"), self.parse_time)
        ends = pa.compute.min_max(column).as_py()
        place = accepted.schema.get_field_index("reported_at")
        return accepted.set_column(place, field, column), ends["min"], ends["max"]

    def _left_out(self) -> pa.Table:
        """Rows that share a report_id with another row of the file: (line_number, report_id, accepted, kind)."""
        contested = self._contested()
        work = self.work
        work.execute(
            "CREATE TABLE candidates (line_number BIGINT, report_id VARCHAR, fingerprint UBIGINT, accepted BOOLEAN)"
        )
        if contested:
            for batch in self._batches():
                self._add_candidates(batch)
        work.execute(
            statement("intake", "repeated_ids")
        )  # a table of its own: DuckDB then knows that it is the smaller one
        return work.sql(statement("intake", "rows_left_out")).to_arrow_table()

    def _contested(self) -> int:
        """Fills the table `contested` with hashes of ids that stand twice; sorts a part of all hashes at a time."""
        parts = 1 + one_number(self.work, "SELECT count(*) FROM seen") // RESOLVE_ROWS
        self.work.execute("CREATE TABLE contested (id UBIGINT)")
        for part in range(parts):
            # written out: as parameters the numbers would make this a slow division of wide integers
            found = self.work.execute(f"SELECT id FROM seen WHERE id % {parts}::UBIGINT = {part}").fetchnumpy()
            ids = np.sort(np.asarray(found["id"], dtype=np.uint64))
            twice = pa.table({"id": np.unique(ids[1:][ids[1:] == ids[:-1]])})
            self.work.register("twice", twice)
            self.work.execute("INSERT INTO contested FROM twice")
            self.work.unregister("twice")
        self.work.execute("DROP TABLE seen")
        return one_number(self.work, "SELECT count(*) FROM contested")

    def _add_candidates(self, batch: Validated) -> None:
        """Accepted rows are compared as typed; bad rows as the text they came in."""
        names = incoming_schema(self.pack).names
        content = ", ".join(name for name in names if name not in ("line_number", "report_id"))
        self.work.register("batch", batch.accepted)
        self.work.execute(f"""INSERT INTO candidates
            SELECT line_number, report_id, hash({content}), TRUE FROM batch
            WHERE hash(report_id) IN (FROM contested)""")
        self.work.unregister("batch")
        self.work.register("bad", batch.bad_cells)
        rows = self.work.execute("""SELECT DISTINCT line_number, report_id FROM bad
            WHERE hash(report_id) IN (FROM contested) ORDER BY line_number""").fetchall()
        self.work.unregister("bad")
        if rows:
            self._add_bad_candidates(rows)

    def _add_bad_candidates(self, rows: list[tuple[int, str]]) -> None:
        numbers, ids = zip(*rows, strict=True)
        texts = dict(lines_at(self.delivery.path, self.settings, numbers))
        table = pa.table({"line_number": numbers, "report_id": ids, "text": [texts[number] for number in numbers]})
        self.work.register("bad", table)
        self.work.execute("INSERT INTO candidates SELECT line_number, report_id, hash(text), FALSE FROM bad")
        self.work.unregister("bad")


def instants(connection: duckdb.DuckDBPyConnection, texts: pa.ChunkedArray, parse_time: str) -> pa.ChunkedArray:
    """Accepted times as instants. `parse_time`: SQL for those without an offset, as of `time_sql`."""
    try:  # in most files every time has an offset, and nothing finer than a microsecond
        return texts.cast(INSTANT)
    except pa.ArrowInvalid:
        connection.register("texts", pa.table({"reported_at": texts}))
        column = connection.sql(f"SELECT {parse_time} AS reported_at FROM texts").to_arrow_table().column(0)
        connection.unregister("texts")
    if column.null_count:
        raise AssertionError("a time that the schema accepts could not be converted")
    return column.cast(INSTANT)


def incoming_schema(pack: Pack) -> pa.Schema:
    """Typed accepted rows: reported_at as an instant, everything else as validate.py packed it."""
    schema = accepted_schema(pack)
    return schema.set(schema.get_field_index("reported_at"), pa.field("reported_at", INSTANT))


def _range_without(left_out: pa.Table, batches: Iterator[Validated]) -> tuple[datetime | None, datetime | None]:
    """First and last report of the accepted rows that are in no conflict."""
    lines = left_out.filter(pa.compute.equal(left_out.column("kind"), "conflict")).column("line_number")
    conflicting = lines.combine_chunks().cast(pa.uint32())
    ends: list[datetime] = []
    for batch in batches:
        kept = pa.compute.invert(pa.compute.is_in(batch.accepted.column("line_number"), conflicting))
        found = pa.compute.min_max(batch.accepted.column("reported_at").filter(kept)).as_py()
        ends += [moment for moment in found.values() if moment is not None]
    return min(ends, default=None), max(ends, default=None)


def time_sql(source: Source) -> str:
    """SQL that types `reported_at`. In UTC (the session's zone) a time without offset needs no calendar."""
    # DuckDB 1.5 reads no offset behind a time without seconds
    shortened = "reported_at[:16] || ':00' || reported_at[17:]"
    text = f"CASE WHEN reported_at[17] IN ('Z', '+', '-') THEN {shortened} ELSE reported_at END"
    if source.time_zone == "UTC":
        return f"TRY_CAST({text} AS TIMESTAMPTZ)"
    offset = "length(reported_at) > 10 AND regexp_matches(reported_at, '(Z|[+-][0-9]{2}(:?[0-9]{2})?)$')"
    local = f"timezone({quoted(source.time_zone)}, TRY_CAST(reported_at AS TIMESTAMP))"
    return f"CASE WHEN {offset} THEN TRY_CAST({text} AS TIMESTAMPTZ) ELSE {local} END"
