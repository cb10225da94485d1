"""Read-only SQL over a published database, in a sandbox: no files, no network, no settings, bounded."""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.bounds import bounded_memory, bounded_time
from pipelines.connections import MEMORY_LIMIT, interruptible, open_error, read_only
from pipelines.errors import UsageError, is_damage
from schemas.tables import SMALL_TABLES, list_published_tables

STDIN = "-"
NOTHING_TYPED = "there is no SQL statement in it; try `SELECT * FROM weekly_triage`"
RESULT_BYTES = 1 << 30  # a larger result is refused
PROCESS_BYTES = 4 << 30  # of the whole process: DuckDB's own limit leaves out long strings and lists
BATCH_ROWS = 10_000


def run_query(path: Path, sql: str, timeout_seconds: float = 60, force: bool = False) -> pa.Table:
    """Return the result of one statement: unique column names, integers where they fit, intervals as text.

    With `force`, the process ends if the query goes on GRACE_SECONDS after it was interrupted.
    Raises UsageError for SQL that DuckDB refuses, that takes too long or that returns too much.
    """
    if not timeout_seconds > 0:
        raise UsageError("--timeout must be more than 0 seconds")
    late = _describe_timeout(timeout_seconds)
    connection = read_only(path)
    with contextlib.closing(connection), bounded_time(connection, timeout_seconds, late if force else None) as over:
        try:
            with interruptible(connection), bounded_memory(lambda: PROCESS_BYTES):
                if (typed := _count_statements(connection, sql)) != 1:
                    raise UsageError("one SQL statement at a time" if typed else NOTHING_TYPED)
                return _convert_table(_read_result(connection.sql(sql)))
        except (duckdb.Error, pa.ArrowException, OSError, MemoryError) as error:
            if over.is_set():
                raise UsageError(late) from error
            if is_damage(error):
                raise open_error(path, error) from error
            raise UsageError(*_describe_error(error), *_name_other_database(path, str(error))) from error


def read_sql(sql: str | None, file: str | None) -> str:
    """Return the SQL that was typed, or that stands in a file; - is standard input. Raises UsageError."""
    if (sql is None) == (file is None):
        raise UsageError("give one SQL statement, or --file FILE with one in it (- is standard input)")
    place = file or (STDIN if sql == STDIN else "")
    try:
        return sql or "" if not place else sys.stdin.read() if place == STDIN else Path(place).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{place}: cannot be read as SQL in UTF-8: {error}") from error


def _describe_timeout(timeout_seconds: float) -> str:
    return f"the query took longer than {timeout_seconds:g} s; narrow it, or raise --timeout"


def _count_statements(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    """Count the statements that were typed; DuckDB 1.5 makes several, without text, of one PIVOT."""
    texts = [statement.query for statement in connection.extract_statements(sql)]
    return sum(bool(text) for text in texts) + ("" in texts)


def _read_result(relation: duckdb.DuckDBPyRelation | None) -> pa.Table:
    """Read a result in batches, up to RESULT_BYTES; a statement without a result gives a table without columns."""
    if relation is None:
        return pa.table({})
    reader = relation.to_arrow_reader(BATCH_ROWS)
    batches, size = [], 0
    for batch in reader:
        size += batch.nbytes
        if size > RESULT_BYTES:
            raise UsageError(f"the result is larger than {RESULT_BYTES >> 20} MB; narrow it, or take fewer columns")
        batches.append(batch)
    return pa.Table.from_batches(batches, reader.schema)


def _describe_error(error: BaseException) -> list[str]:
    if isinstance(error, MemoryError | duckdb.OutOfMemoryException):
        return [f"the query needs more than {MEMORY_LIMIT} of memory; narrow it, or take it in parts"]
    lines = [line for line in f"SQL: {error}".splitlines() if line.strip()]
    return lines[:4]


def _name_other_database(path: Path, error: str) -> list[str]:
    """Return a line about where a table is that the queried database has not; none if it is nowhere."""
    found = re.search(r"Table with name (\w+) does not exist", error)
    name = found[1].lower() if found else ""
    published = {table.name for table in list_published_tables()}
    private = {*(table.name for table in SMALL_TABLES), "reports", "records", "superseded"}
    if path.name != "records.duckdb" and name in private - published:
        return [f"{name} is in records.duckdb: add --db records"]
    if path.name != "summaries.duckdb" and name in published:
        return [f"{name} is in summaries.duckdb: leave out --db"]
    return []


def _convert_table(table: pa.Table) -> pa.Table:
    """Return a table that every format can hold: no column name twice, no 38-digit sums, no intervals."""
    names: list[str] = []
    for name in table.column_names:
        places = (name, *(f"{name}_{place}" for place in range(1, len(table.column_names))))
        names.append(next(free for free in places if free not in names))
    return pa.table([_convert_column(column) for column in table.columns], names=names)


def _convert_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_decimal(column.type) and column.type.scale == 0:
        with contextlib.suppress(pa.ArrowInvalid):
            return column.cast(pa.int64())
    if pa.types.is_interval(column.type):
        return pa.chunked_array([pa.array([_format_interval(value) for value in column.to_pylist()], pa.string())])
    return column


def _format_interval(value: Any) -> str | None:
    """Return an interval such as `1 month 26 days 03:00:00`."""
    if value is None:
        return None
    parts = [f"{n} {word}" + ("" if abs(n) == 1 else "s") for n, word in ((value[0], "month"), (value[1], "day")) if n]
    if value[2] or not parts:
        minutes, micros = divmod(abs(value[2]) // 1000, 60_000_000)
        seconds = f"{micros // 1_000_000:02}" + (f".{micros % 1_000_000:06}" if micros % 1_000_000 else "")
        parts.append(f"{'-' if value[2] < 0 else ''}{minutes // 60:02}:{minutes % 60:02}:{seconds}")
    return " ".join(parts)
