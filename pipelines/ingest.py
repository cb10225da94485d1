"""One file from its bytes to the store: read -> validate -> tag -> store -> summarise, in one transaction.

First everything is read and judged while nothing is written (a file with a direct identifier must leave no
trace); then the accepted rows go in. What was judged is held, compressed, up to a bound; rows of a larger
file beyond it are read a second time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from pipelines import summarise
from pipelines.adapt import Adapter, canonical_rows, check_header, load_adapter, scratch
from pipelines.errors import FileRejected
from pipelines.identifiers import SAMPLE_PER_BLOCK, Gate, check_names
from pipelines.read import (
    Block,
    Delivery,
    RawRows,
    Scan,
    blocks,
    header_names,
    lines_at,
    raw_rows,
    scan,
    split_header,
)
from pipelines.settings import Settings, Source
from pipelines.statements import first_row, one_number, statement
from pipelines.store import Home, reports_sql, transaction
from pipelines.tag import tag_sql
from pipelines.validate import ACCEPTED, WHOLE_COLUMNS, Validated, Validator, distinct
from schemas.pack import Pack
from schemas.tables import quoted

HELD_BYTES = 320 << 20  # judged rows kept in memory, compressed, so that most files are read once
RAW_LINE_CUT = 4096
RESOLVE_ROWS = 4_000_000  # rows whose hashes are compared at a time

# The typed accepted rows: reported_at as an instant, everything else as validate.py packed it.
INCOMING = ACCEPTED.set(ACCEPTED.get_field_index("reported_at"), pa.field("reported_at", pa.timestamp("us", "UTC")))


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


@dataclass(frozen=True)
class Context:
    """What every file of a run needs."""

    home: Home
    settings: Settings
    pack: Pack
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass
class Judged:
    """A file that has been read to its end, before anything is stored."""

    scan: Scan
    rows_read: int
    rows_out_of_scope: int
    bad_rows: int
    first_report: datetime | None
    last_report: datetime | None
    left_out: pa.Table
    batches: Callable[[], Iterator[Validated]]


def ingest_file(connection: duckdb.DuckDBPyConnection, delivery: Delivery, context: Context) -> Outcome:
    """Takes one file in, or rejects it whole; the ledger says which. The same content again changes nothing."""
    adapter = load_adapter(delivery.source, context.home.path)
    tried_with = fingerprint(adapter, delivery.source, context)
    file_id = ""
    try:
        before = _identity(delivery.path)
        found = scan(delivery.path, context.settings)
        file_id = found.file_id
        known = _known(connection, delivery, file_id, tried_with)
        if known:
            return known
        with contextlib.closing(scratch(context.settings, context.home.scratch)) as work:
            judged = _Reader(delivery, adapter, context, work, found).judge()
            if _identity(delivery.path) != before:
                raise FileRejected("changed while it was read; it is tried again in the next run")
            return _store(connection, delivery, context, judged, tried_with)
    except FileRejected as rejection:
        return _reject(connection, delivery, context, file_id, rejection.reason, tried_with)


def fingerprint(adapter: Adapter, source: Source, context: Context) -> str:
    """Changes when a rejected file could fare otherwise: settings, adapter, rule pack or version."""
    settings = context.settings
    parts = [asdict(source), adapter.digest, settings.max_quarantined_share, settings.max_expansion]
    parts += [context.pack.version, version("calfwatch")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _identity(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise FileRejected(f"cannot be read: {error.strerror}") from error
    return found.st_ino, found.st_size, found.st_mtime_ns


def _known(connection: duckdb.DuckDBPyConnection, delivery: Delivery, file_id: str, tried_with: str) -> Outcome | None:
    """The ledger's word on content seen before; a rejected file counts as new when it could fare otherwise."""
    row = first_row(
        connection,
        "SELECT status, reason, tried_with FROM files WHERE file_id = ? AND source = ?",
        [file_id, delivery.source.name],
    )
    if row is None or (row[0] == "rejected" and row[2] != tried_with):
        return None
    status = "known" if row[0] == "accepted" else "rejected"
    return Outcome(str(delivery.path), delivery.source.name, status, file_id, row[1])


class _Reader:
    """Reads one file block by block, on several threads, in order."""

    def __init__(
        self,
        delivery: Delivery,
        adapter: Adapter,
        context: Context,
        work: duckdb.DuckDBPyConnection,
        found: Scan,
    ) -> None:
        self.delivery, self.adapter, self.context, self.work, self.scan = (
            delivery,
            adapter,
            context,
            work,
            found,
        )
        self.validator = Validator(context.pack)
        self.delimiter = delivery.source.delimiter
        self.names: list[str] = []
        self.gate_lock = threading.Lock()
        exempt = frozenset({"reported_at"}) | adapter.ignores | adapter.dates
        self.gate = Gate(exempt, frozenset({"report_id"}))
        self.threads = context.settings.threads or os.cpu_count() or 1
        self.parse_time = _parse_time(delivery.source)

    def judge(self) -> Judged:
        """Reads the whole file; raises FileRejected where it must not be stored."""
        self.work.execute("CREATE TABLE seen (id UBIGINT)")
        held = _Held()
        rows = bad = blank = scoped_out = 0
        first = last = None
        for block in self._processed(self._gated):
            held.add(block.validated)
            rows += block.rows
            blank += block.blank
            scoped_out += block.out_of_scope
            bad += block.bad_rows
            first = min(filter(None, (first, block.first)), default=None)
            last = max(filter(None, (last, block.last)), default=None)
        self.gate.verdict()
        if 1 + blank + rows != self.scan.lines:
            raise FileRejected(f"{self.scan.lines} lines, but {rows} rows, {blank} blank lines and a header were read")
        batches = self._batches(held)
        left_out = self._left_out(batches)
        conflicts = sum(kind == "conflict" for kind in left_out.column("kind").to_pylist())
        self._check_share(rows, bad, conflicts)
        return Judged(self.scan, rows, scoped_out, bad, first, last, left_out, batches)

    def _check_share(self, rows: int, bad: int, conflicts: int) -> None:
        limit = self.context.settings.max_quarantined_share
        wrong = min(rows, bad + conflicts)
        if rows and wrong > limit * rows:
            reasons = ", ".join(f"{reason} ({count})" for reason, count in self._common_reasons(conflicts))
            raise FileRejected(
                f"{wrong} of {rows} rows are bad ({wrong / rows:.0%}; at most {limit:.0%} are allowed): {reasons}"
            )

    def _common_reasons(self, conflicts: int) -> list[tuple[str, int]]:
        counts: dict[str, int] = {"report_id: conflict": conflicts} if conflicts else {}
        for block in self._processed(self._plain):
            for column, check in zip(
                block.validated.bad_cells.column("column_name").to_pylist(),
                block.validated.bad_cells.column("check_name").to_pylist(),
                strict=True,
            ):
                counts[f"{column or 'line'}: {check}"] = counts.get(f"{column or 'line'}: {check}", 0) + 1
        return sorted(counts.items(), key=lambda item: -item[1])[:3]

    def _batches(self, held: _Held) -> Callable[[], Iterator[Validated]]:
        """Every judged batch again: the held ones from memory, the rest read anew."""

        def again() -> Iterator[Validated]:
            yield from held.batches()
            if held.full:
                yield from (block.validated for block in self._processed(self._plain, skip=len(held.parts)))

        return again

    def _processed(self, work: Callable[[Block], _Processed], skip: int = 0) -> Iterator[_Processed]:
        """The file's blocks through `work`, in order, a few ahead."""
        ahead: deque[Future[_Processed]] = deque()
        with ThreadPoolExecutor(self.threads) as pool:
            try:
                for place, block in enumerate(self._blocks()):
                    if place >= skip:
                        ahead.append(pool.submit(work, block))
                    if len(ahead) > self.threads:
                        yield ahead.popleft().result()
                while ahead:
                    yield ahead.popleft().result()
            finally:
                for future in ahead:
                    future.cancel()

    def _blocks(self) -> Iterator[Block]:
        """The blocks of rows; the header is checked on the way."""
        stream = blocks(self.delivery.path, self.context.settings)
        first = next(stream, None)
        if first is None:
            raise FileRejected("the file is empty; a header line is required")
        line, rest = split_header(first)
        if not self.names:
            names = header_names(line, self.delimiter)
            check_names(names)
            check_header(self.adapter, names, self.context.pack)
            self.names = names
        if rest.lines:
            yield rest
        yield from stream

    def _gated(self, block: Block) -> _Processed:
        """A block for the first time: its identifiers are looked for, its ids are noted."""
        raw = raw_rows(block, self.names, self.delimiter, WHOLE_COLUMNS)
        with self.gate_lock:
            self._look_for_identifiers(raw)
        return self._judged(block, raw, note=True)

    def _plain(self, block: Block) -> _Processed:
        raw = raw_rows(block, self.names, self.delimiter, WHOLE_COLUMNS)
        return self._judged(block, raw, note=False)

    def _look_for_identifiers(self, raw: RawRows) -> None:
        for name in self.names:
            if name in self.gate.exempt:
                continue
            column = raw.table.column(name)
            if name in WHOLE_COLUMNS:
                step = max(1, len(column) // SAMPLE_PER_BLOCK)
                column = column.take(pa.array(range(0, len(column), step), pa.int64()))
            values, counts = distinct(column)
            self.gate.see(name, values, len(column) - column.null_count, counts)
        for line in raw.bad_lines:
            self.gate.see_line(line.text, self.delimiter)

    def _judged(self, block: Block, raw: RawRows, note: bool) -> _Processed:
        cursor = self.work.cursor()
        try:
            rows = canonical_rows(
                cursor, self.adapter, self.delivery.source, raw.table, self.scan.file_id, self.context.pack
            )
            if note and "report_id" in rows.column_names:
                self._note_ids(cursor, rows)
            validated = self.validator.validate(rows, raw.bad_lines)
            accepted, first, last = self._with_instants(cursor, validated.accepted)
        finally:
            cursor.close()
        bad_rows = rows.num_rows - accepted.num_rows + len(raw.bad_lines)
        return _Processed(
            Validated(accepted, validated.bad_cells),
            rows=block.lines - raw.blank_lines,
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
        """Types reported_at: text without an offset is in the source's time zone."""
        place = INCOMING.get_field_index("reported_at")
        cursor.register("accepted", accepted.select(["reported_at"]))
        instants = cursor.sql(f"SELECT {self.parse_time} AS reported_at FROM accepted").to_arrow_table()
        cursor.unregister("accepted")
        column = instants.column(0).cast(INCOMING.field(place).type)
        if column.null_count:
            raise AssertionError("a time that the schema accepts could not be converted")
        ends = pa.compute.min_max(column).as_py()
        return accepted.set_column(place, INCOMING.field(place), column), ends["min"], ends["max"]

    def _left_out(self, batches: Callable[[], Iterator[Validated]]) -> pa.Table:
        """Rows that share a report_id with another row of the file: (line_number, report_id, accepted, kind)."""
        contested = self._contested()
        work = self.work
        work.execute(
            "CREATE TABLE candidates (line_number BIGINT, report_id VARCHAR, fingerprint UBIGINT, accepted BOOLEAN)"
        )
        if contested:
            for batch in batches():
                self._add_candidates(batch)
        return work.sql(statement("steps", "left_out")).to_arrow_table()

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
        content = ", ".join(name for name in INCOMING.names if name not in ("line_number", "report_id"))
        self.work.register("batch", batch.accepted)
        self.work.execute(f"""INSERT INTO candidates
            SELECT line_number, report_id, hash({content}), TRUE FROM batch
            WHERE hash(report_id) IN (FROM contested)""")
        self.work.unregister("batch")
        self.work.register("bad", batch.bad_cells)
        rows = self.work.execute("""SELECT DISTINCT line_number, report_id FROM bad
            WHERE hash(report_id) IN (FROM contested) ORDER BY line_number""").fetchall()
        self.work.unregister("bad")
        texts = dict(lines_at(self.delivery.path, self.context.settings, [number for number, _ in rows]))
        for number, report_id in rows:
            self.work.execute(
                "INSERT INTO candidates VALUES (?, ?, hash(?), FALSE)", [number, report_id, texts[number]]
            )


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


class _Held:
    """Judged batches in memory, compressed, up to a bound; never on disk, where a rejected file would leave traces."""

    def __init__(self) -> None:
        self.parts: list[tuple[pa.Buffer, pa.Buffer]] = []
        self.bytes = 0
        self.full = False

    def add(self, batch: Validated) -> None:
        if self.full:
            return
        pair = (_packed(batch.accepted), _packed(batch.bad_cells))
        self.bytes += sum(part.size for part in pair)
        self.parts.append(pair)
        self.full = self.bytes > HELD_BYTES

    def batches(self) -> Iterator[Validated]:
        for accepted, bad in self.parts:
            yield Validated(_unpacked(accepted), _unpacked(bad))


def _packed(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _unpacked(buffer: pa.Buffer) -> pa.Table:
    with pa.ipc.open_stream(buffer) as reader:
        return reader.read_all()


def _parse_time(source: Source) -> str:
    """SQL that types `reported_at`. In UTC (the session's zone) a time without offset needs no calendar."""
    if source.time_zone == "UTC":
        return "TRY_CAST(reported_at AS TIMESTAMPTZ)"
    offset = "length(reported_at) > 10 AND regexp_matches(reported_at, '(Z|[+-][0-9]{2}(:?[0-9]{2})?)$')"
    local = f"timezone({quoted(source.time_zone)}, TRY_CAST(reported_at AS TIMESTAMP))"
    return f"CASE WHEN {offset} THEN TRY_CAST(reported_at AS TIMESTAMPTZ) ELSE {local} END"


def _store(
    connection: duckdb.DuckDBPyConnection,
    delivery: Delivery,
    context: Context,
    judged: Judged,
    tried_with: str,
) -> Outcome:
    """One transaction: records, superseded, quarantine, ledger and summaries, or nothing."""
    with transaction(connection):
        delivery_no = _next_delivery(connection, judged.scan.file_id, delivery.source.name)
        connection.register("left_out", judged.left_out)
        inserted, stored_before = _insert(connection, delivery.source, context.pack, judged, delivery_no)
        replaced = _supersede(connection, delivery.source, context.pack, judged.scan.file_id, delivery_no)
        quarantined = _quarantine(connection, delivery, context, judged)
        connection.unregister("left_out")
        outcome = Outcome(
            str(delivery.path),
            delivery.source.name,
            "accepted",
            judged.scan.file_id,
            rows_read=judged.rows_read,
            rows_accepted=inserted,
            rows_quarantined=quarantined,
            rows_duplicate=stored_before + judged.left_out.column("kind").to_pylist().count("duplicate"),
            rows_out_of_scope=judged.rows_out_of_scope,
            rows_superseded=replaced,
        )
        _account(outcome)
        _write_ledger(connection, outcome, context, delivery_no, tried_with, judged.first_report, judged.last_report)
        summarise.add_changes(connection, context.settings, context.pack, delivery_no, replaced > 0)
    return outcome


def _next_delivery(connection: duckdb.DuckDBPyConnection, file_id: str, source: str) -> int:
    """A number after every earlier one; an earlier rejection of this content makes room."""
    number = one_number(connection, "SELECT coalesce(max(delivery_no), 0) + 1 FROM files")
    connection.execute("DELETE FROM files WHERE file_id = ? AND source = ? AND status = 'rejected'", [file_id, source])
    return number


def _insert(
    connection: duckdb.DuckDBPyConnection, source: Source, pack: Pack, judged: Judged, delivery_no: int
) -> tuple[int, int]:
    """Tags and stores the accepted rows that are new or differ; returns how many, and how many were stored already.

    The two are counted by statements of their own, so that the accounts can fail to add up.
    """
    words = {"source": source.name}
    already = 0
    if first_row(connection, "SELECT 1 FROM records WHERE source = ? LIMIT 1", [source.name]):
        with _incoming(connection, judged):
            connection.execute(statement("steps", "stored_matches"), words)
        with _incoming(connection, judged):
            already = one_number(connection, statement("steps", "stored_already"))
    else:
        connection.execute("CREATE OR REPLACE TEMP TABLE stored_matches AS FROM records LIMIT 0")
    sql = statement("steps", "insert_records", tagged=tag_sql(pack, "incoming"))
    with _incoming(connection, judged):
        inserted = one_number(connection, sql, words | {"delivery_no": delivery_no})
    return inserted, already


@contextlib.contextmanager
def _incoming(connection: duckdb.DuckDBPyConnection, judged: Judged) -> Iterator[None]:
    """The accepted rows as a relation that is read once, batch by batch."""
    stream = (part for batch in judged.batches() for part in batch.accepted.to_batches())
    connection.register("incoming", pa.RecordBatchReader.from_batches(INCOMING, stream))
    try:
        yield
    finally:
        connection.unregister("incoming")


def _supersede(
    connection: duckdb.DuckDBPyConnection, source: Source, pack: Pack, file_id: str, delivery_no: int
) -> int:
    """Moves stored records that the delivery replaces to `superseded`; returns how many."""
    connection.execute(statement("steps", "replaced"), {"delivery_no": delivery_no})
    count = one_number(connection, "SELECT count(*) FROM replaced")
    if count:
        old = reports_sql(pack, "replaced")
        connection.execute(f"INSERT INTO superseded SELECT *, ?, now() FROM ({old})", [file_id])
        connection.execute(
            """DELETE FROM records WHERE source = ? AND delivery_no < ?
               AND report_id IN (SELECT report_id FROM replaced)""",
            [source.name, delivery_no],
        )
    return count


def _quarantine(connection: duckdb.DuckDBPyConnection, delivery: Delivery, context: Context, judged: Judged) -> int:
    """Stores every bad cell, and every row of a conflict, with its raw line; returns the number of rows."""
    if not judged.bad_rows and not judged.left_out.num_rows:
        return 0
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE cells AS SELECT *, NULL::VARCHAR AS raw_line FROM quarantine LIMIT 0"
    )
    for batch in judged.batches():
        if batch.bad_cells.num_rows:
            connection.register("bad", batch.bad_cells)
            connection.execute(
                "INSERT INTO cells BY NAME FROM bad "
                "WHERE line_number NOT IN (SELECT line_number FROM left_out WHERE kind = 'duplicate')"
            )
            connection.unregister("bad")
    connection.execute("""INSERT INTO cells BY NAME
        SELECT line_number, report_id, 'report_id' AS column_name, 'conflict' AS check_name,
          'one content for one report_id within a file' AS allowed, report_id AS value
        FROM left_out WHERE kind = 'conflict'""")
    return _with_raw_lines(connection, delivery, context, judged.scan.file_id)


def _with_raw_lines(connection: duckdb.DuckDBPyConnection, delivery: Delivery, context: Context, file_id: str) -> int:
    rows = connection.execute("SELECT DISTINCT line_number FROM cells ORDER BY line_number").fetchall()
    wanted = [int(row[0]) for row in rows]
    texts = lines_at(delivery.path, context.settings, wanted)
    for some in _chunked(texts, 50_000):
        numbers, lines = zip(*some, strict=True)
        table = pa.table(
            {"line_number": pa.array(numbers, pa.int64()), "text": [line[:RAW_LINE_CUT] for line in lines]}
        )
        connection.register("raw_lines", table)
        connection.execute(
            """INSERT INTO quarantine BY NAME
               SELECT ? AS file_id, line_number, report_id, column_name, check_name, allowed, value, text AS raw_line
               FROM cells JOIN raw_lines USING (line_number)
               ORDER BY line_number, column_name NULLS FIRST""",
            [file_id],
        )
        connection.unregister("raw_lines")
    return len(wanted)


def _chunked(items: Iterable[tuple[int, str]], size: int) -> Iterator[list[tuple[int, str]]]:
    chunk: list[tuple[int, str]] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _account(outcome: Outcome) -> None:
    """Nothing lost: accepted + quarantined + duplicates + out of scope = read, or the file is rejected."""
    parts = (
        outcome.rows_accepted,
        outcome.rows_quarantined,
        outcome.rows_duplicate,
        outcome.rows_out_of_scope,
    )
    if sum(parts) != outcome.rows_read or min(parts) < 0:
        raise FileRejected(f"the accounts do not add up: {outcome.rows_read} rows read, {parts} accounted for")


def _write_ledger(
    connection: duckdb.DuckDBPyConnection,
    outcome: Outcome,
    context: Context,
    delivery_no: int,
    tried_with: str,
    first: datetime | None = None,
    last: datetime | None = None,
) -> None:
    row = asdict(outcome) | {
        "delivery_no": delivery_no,
        "first_report": first,
        "last_report": last,
        "rule_pack": context.pack.version,
        "ingested_at": datetime.now(UTC),
        "run_id": context.run_id,
        "tried_with": tried_with,
    }
    names = ", ".join(row)
    marks = ", ".join(f"${name}" for name in row)
    connection.execute(f"INSERT INTO files ({names}) VALUES ({marks})", row)


def _reject(
    connection: duckdb.DuckDBPyConnection,
    delivery: Delivery,
    context: Context,
    file_id: str,
    reason: str,
    tried_with: str,
) -> Outcome:
    """Keeps the verdict alone; a file that cannot be read is known by its path instead of its content."""
    file_id = file_id or "unread-" + hashlib.sha256(os.fsencode(delivery.path)).hexdigest()
    outcome = Outcome(
        os.fsencode(delivery.path).decode("utf-8", "backslashreplace"),
        delivery.source.name,
        "rejected",
        file_id,
        reason,
    )
    with transaction(connection):
        _write_ledger(
            connection,
            outcome,
            context,
            _next_delivery(connection, file_id, delivery.source.name),
            tried_with,
        )
    return outcome


def ingest_all(
    connection: duckdb.DuckDBPyConnection,
    deliveries: Sequence[Delivery],
    context: Context,
    tell: Callable[[Outcome], None],
) -> list[Outcome]:
    """Every file in order; `tell` hears of each as it is done."""
    outcomes = []
    for delivery in deliveries:
        outcome = ingest_file(connection, delivery, context)
        tell(outcome)
        outcomes.append(outcome)
    return outcomes
