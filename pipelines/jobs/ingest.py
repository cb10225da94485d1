"""One file from its bytes to the store: judge it, then tag, store and summarise it in one transaction."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.errors import FileRejected
from pipelines.intake.adapters import Adapter, load_adapter, scratch
from pipelines.intake.buffer import Spool
from pipelines.intake.identifiers import EARLIER_IDS
from pipelines.intake.lines import CHANGED, Delivery, content_id, lines_at
from pipelines.intake.reader import Rows, file_identity, plain_answers
from pipelines.intake.screening import Judge, Judged, incoming_schema
from pipelines.intake.validator import BAD_CELLS
from pipelines.rules.compiler import tag_sql
from pipelines.settings import Settings, Source
from pipelines.statements import first_row, one_number, statement
from pipelines.store import daily_counts
from pipelines.store.database import Home, in_any_order, reports_sql, transaction
from schemas.pack import Pack

RAW_LINE_CUT = 4096
TOO_LARGE = "needs more memory than there is for one file; deliver it in parts, or raise memory_limit"
UNREAD = "unread-"  # begins the id of a file that could not be read; the rest is its path's hash


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


def ingest_file(
    connection: duckdb.DuckDBPyConnection, delivery: Delivery, context: Context, ahead: Rows | None = None
) -> Outcome:
    """Takes one file in, or rejects it whole; the ledger says which. The same content again changes nothing.

    `ahead`: rows whose reading has begun, used where they are those of this file, and closed.
    """
    adapter = load_adapter(delivery.source, context.home.path)
    tried_with = fingerprint(adapter, delivery.source, context)
    file_id = before = None
    try:
        before = file_identity(delivery.path)  # one that is gone is tried again, whatever else would be found
        if not adapter.identity or _path_known(connection, delivery.path):
            file_id = content_id(delivery.path, context.settings)
            known = _known(connection, delivery, file_id, tried_with)
            if known:
                return known
        folder = context.home.scratch
        with (
            contextlib.closing(scratch(folder)) as work,
            contextlib.closing(Spool(folder)) as spool,
            contextlib.closing(_rows(delivery, adapter, context, ahead)) as rows,
        ):
            earlier = partial(_earlier_ids, connection, delivery.source)
            judged = Judge(rows, adapter, context.settings, context.pack, work, spool, file_id, earlier).judge()
            file_id = judged.file_id
            known = _known(connection, delivery, file_id, tried_with)
            if known:
                return known
            return _store(connection, delivery, context, judged, tried_with, rows.identity)
    except (FileRejected, duckdb.OutOfMemoryException) as error:
        rejection = error if isinstance(error, FileRejected) else FileRejected(TOO_LARGE, passing=True)
        file_id = file_id or _id_of_rejected(delivery.path, context.settings)
        if not rejection.passing and _changed(delivery.path, before):  # then the id is not that of what was judged
            rejection = FileRejected(CHANGED, passing=True)
        known = _known(connection, delivery, file_id, tried_with)
        if known and known.status == "known":  # accepted once, it stays accepted
            return known
        return _reject(
            connection, delivery, context, file_id, rejection.reason, "" if rejection.passing else tried_with
        )
    finally:
        if ahead:
            ahead.close()


def _rows(delivery: Delivery, adapter: Adapter, context: Context, ahead: Rows | None) -> Rows:
    """The rows read ahead where they are those of the file as it is now, else new ones."""
    wanted = (delivery, plain_answers(adapter, context.pack), file_identity(delivery.path))
    if ahead and (ahead.delivery, ahead.answers, ahead.identity) == wanted:
        return ahead
    return Rows(delivery, context.settings, wanted[1])


def _changed(path: Path, before: tuple[int, int, int] | None) -> bool:
    """Whether the file is another one than before, or gone."""
    try:
        return file_identity(path) != before
    except FileRejected:
        return True


def _earlier_ids(connection: duckdb.DuckDBPyConnection, source: Source) -> list[str]:
    """The sender's last stored report ids."""
    sql = "SELECT report_id FROM records WHERE source = ? ORDER BY delivery_no DESC, line_number DESC LIMIT ?"
    return [str(row[0]) for row in connection.execute(sql, [source.name, EARLIER_IDS]).fetchall()]


def _path_known(connection: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Whether a file from this place was seen before: then its content probably was, and hashing alone tells."""
    return first_row(connection, "SELECT 1 FROM files WHERE path = ? LIMIT 1", [_path_text(path)]) is not None


def _path_text(path: Path) -> str:
    """A path as the ledger keeps it: any bytes, as text."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def fingerprint(adapter: Adapter, source: Source, context: Context) -> str:
    """Changes when a rejected file could fare otherwise: settings, adapter, rule pack or version."""
    settings = context.settings
    parts = [asdict(source), adapter.digest, settings.max_quarantined_share, settings.max_expansion]
    parts += [context.pack.version, version("calfwatch")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _known(connection: duckdb.DuckDBPyConnection, delivery: Delivery, file_id: str, tried_with: str) -> Outcome | None:
    """The ledger's word on content seen before: a rejected file is tried again when it could fare otherwise,
    a withdrawn one stays out."""
    row = first_row(
        connection,
        "SELECT status, reason, tried_with FROM files WHERE file_id = ? AND source = ?",
        [file_id, delivery.source.name],
    )
    if row is None or (row[0] == "rejected" and row[2] != tried_with):
        return None
    status = "rejected" if row[0] == "rejected" else "known"
    return Outcome(_path_text(delivery.path), delivery.source.name, status, file_id, row[1])


def _store(
    connection: duckdb.DuckDBPyConnection,
    delivery: Delivery,
    context: Context,
    judged: Judged,
    tried_with: str,
    before: tuple[int, int, int],
) -> Outcome:
    """One transaction: records, superseded, quarantine, ledger and summaries, or nothing."""
    with transaction(connection):
        delivery_no = _next_delivery(connection, judged.file_id, delivery.source.name)
        connection.register("left_out", judged.left_out)
        inserted, stored_before = _insert(connection, delivery.source, context.pack, judged, delivery_no)
        replaced = _supersede(connection, delivery.source, context.pack, judged.file_id, delivery_no)
        quarantined = _quarantine(connection, delivery, context, judged, delivery_no)
        connection.unregister("left_out")
        outcome = Outcome(
            _path_text(delivery.path),
            delivery.source.name,
            "accepted",
            judged.file_id,
            rows_read=judged.counts.rows,
            rows_accepted=inserted,
            rows_quarantined=quarantined,
            rows_duplicate=stored_before + judged.left_out.column("kind").to_pylist().count("duplicate"),
            rows_out_of_scope=judged.counts.out_of_scope,
            rows_superseded=replaced,
        )
        _account(outcome)
        _write_ledger(connection, outcome, context, delivery_no, tried_with, judged.counts.first, judged.counts.last)
        daily_counts.add_changes(connection, context.settings, context.pack, delivery_no, replaced > 0)
        if file_identity(delivery.path) != before:
            raise FileRejected(CHANGED, passing=True)
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
        with _incoming(connection, judged, pack):
            connection.execute(statement("store", "stored_matches"), words)
        with _incoming(connection, judged, pack):
            already = one_number(connection, _for_pack("stored_already", pack))
    else:
        connection.execute("CREATE OR REPLACE TEMP TABLE stored_matches AS FROM records LIMIT 0")
    sql = _for_pack("insert_records", pack, tagged=tag_sql(pack, "incoming"))
    with in_any_order(connection), _incoming(connection, judged, pack):  # rows know their line
        return one_number(connection, sql, words | {"delivery_no": delivery_no}), already


def _for_pack(step: str, pack: Pack, **values: object) -> str:
    """A step's SQL, with the columns that the pack's own numbers and choices have."""
    words = {
        "own": "".join(f", {name}" for name in pack.columns),
        "own_stored": "".join(f", stored.{name}" for name in pack.columns),
        "own_incoming": "".join(f", incoming.{name}" for name in pack.columns),
        "own_same": "".join(f" AND stored.{name} IS NOT DISTINCT FROM tagged.{name}" for name in pack.columns),
    }
    return statement("store", step, **words, **values)


@contextlib.contextmanager
def _incoming(connection: duckdb.DuckDBPyConnection, judged: Judged, pack: Pack) -> Iterator[None]:
    """The accepted rows as a relation that is read once, batch by batch.

    What ends the reading, such as Ctrl-C, is raised as itself: DuckDB tells it as an error of the relation.
    """
    ended: list[BaseException] = []

    def stream() -> Iterator[pa.RecordBatch]:
        try:
            for batch in judged.batches():
                yield from batch.accepted.to_batches()
        except BaseException as error:
            ended.append(error)
            raise

    connection.register("incoming", pa.RecordBatchReader.from_batches(incoming_schema(pack), stream()))
    try:
        yield
    except duckdb.Error as error:
        raise (ended or [error])[0] from error
    finally:
        with contextlib.suppress(duckdb.Error):  # within a transaction that failed nothing can be unregistered
            connection.unregister("incoming")


def _supersede(
    connection: duckdb.DuckDBPyConnection, source: Source, pack: Pack, file_id: str, delivery_no: int
) -> int:
    """Moves stored records that the delivery replaces to `superseded`; returns how many."""
    connection.execute(statement("store", "records_replaced"), {"delivery_no": delivery_no})
    count = one_number(connection, "SELECT count(*) FROM replaced")
    if count:
        old = reports_sql(pack, "replaced")
        connection.execute(
            f"INSERT INTO superseded BY NAME SELECT *, ? AS superseded_by, now() AS superseded_at FROM ({old})",
            [file_id],
        )
        connection.execute(
            """DELETE FROM records WHERE source = ? AND delivery_no < ?
               AND report_id IN (SELECT report_id FROM replaced)""",
            [source.name, delivery_no],
        )
    return count


def _quarantine(
    connection: duckdb.DuckDBPyConnection, delivery: Delivery, context: Context, judged: Judged, delivery_no: int
) -> int:
    """Stores every bad cell, and every row of a conflict, with its raw line; returns the number of rows."""
    if not judged.counts.bad_rows and not judged.left_out.num_rows:
        return 0
    # named columns: DuckDB 2.0.0 loses sight of many rows inserted into a table made by a SELECT without rows
    columns = ", ".join(f"{name} VARCHAR" for name in BAD_CELLS.names if name != "line_number")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE cells (line_number BIGINT, {columns})")
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
    _with_raw_lines(connection, delivery, context, [judged.file_id, delivery_no])
    return one_number(
        connection, "SELECT count(DISTINCT line_number) FROM quarantine WHERE delivery_no = ?", [delivery_no]
    )


def _with_raw_lines(
    connection: duckdb.DuckDBPyConnection, delivery: Delivery, context: Context, ids: list[object]
) -> None:
    """Moves the cells to the quarantine, each with the line it stands on."""
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
               SELECT ? AS file_id, ? AS delivery_no, line_number, report_id, column_name, check_name, allowed,
                 value, text AS raw_line
               FROM cells JOIN raw_lines USING (line_number)
               ORDER BY line_number, column_name NULLS FIRST""",
            ids,
        )
        connection.unregister("raw_lines")


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
    """Keeps the verdict alone."""
    outcome = Outcome(
        _path_text(delivery.path),
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


def _id_of_rejected(path: Path, settings: Settings) -> str:
    """The content's hash; a file that cannot be read is known by its path instead."""
    try:
        return content_id(path, settings)
    except FileRejected:
        return UNREAD + hashlib.sha256(os.fsencode(path)).hexdigest()
