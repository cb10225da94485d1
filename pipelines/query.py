"""Read-only SQL over a published database, in a sandbox: no files, no network, no settings, bounded."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import math
import os
import resource
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import duckdb
import pyarrow as pa

from pipelines.cells import harmless, printable, shown_in
from pipelines.errors import CalfwatchError, LockedError, StateError, UsageError, is_damage
from pipelines.plurals import many
from schemas.tables import quoted

PUBLISH_ANEW = "`calfwatch run` publishes it anew from the records."
MEMORY_LIMIT = "1GB"
RESULT_BYTES = 1 << 30  # a larger result is refused
PROCESS_BYTES = 3 << 30  # what a query may add to the process; DuckDB's own limit leaves out long strings and lists
GRACE_SECONDS = 5  # for a query that is over time to stop by itself
CELL_WIDTH = 60
TABLE_ROWS = 10_000  # nobody reads more on a screen
BATCH_ROWS = 10_000
NUMBER = int | float | Decimal | None


def read_only(path: Path) -> duckdb.DuckDBPyConnection:
    """A connection that sees this database and nothing else, and can change neither it nor its own settings.

    Raises UsageError where the file is not there, LockedError where a run is writing to it.
    """
    if not path.exists():
        raise UsageError(_missing(path))
    connection = duckdb.connect(":memory:")
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET memory_limit = ?", [MEMORY_LIMIT])
        connection.execute("SET temp_directory = ''")
        connection.execute("SET python_enable_replacements = false")
        connection.execute("SET autoinstall_known_extensions = false")
        connection.execute("SET autoload_known_extensions = false")
        connection.execute(f"ATTACH {quoted(str(path))} AS calfwatch (READ_ONLY)")
        connection.execute("USE calfwatch")
        connection.execute("SET enable_external_access = false")
        # that alone leaves the attached file and its write-ahead log open to COPY ... TO
        connection.execute("SET disabled_filesystems = 'LocalFileSystem'")
        connection.execute("SET lock_configuration = true")
    except duckdb.Error as error:
        connection.close()
        raise _open_error(path, error) from error
    return connection


def _missing(path: Path) -> str:
    if path.name == "public.duckdb":
        return f"{path.name}: nothing has been released to the public yet; query --db summaries"
    return f"{path}: not there yet; try `calfwatch ingest PATH` first"


def _open_error(path: Path, error: Exception) -> CalfwatchError:
    if "Could not set lock" in str(error):
        return LockedError(f"{path.name} is being written by a run; query --db summaries meanwhile, or try again")
    if not os.access(path, os.R_OK, effective_ids=True):
        return UsageError(f"{path}: may not be read; ask its owner, or mend its mode")
    advice = f". {PUBLISH_ANEW}" if path.name == "summaries.duckdb" else ""
    return StateError(f"{path} cannot be opened ({type(error).__name__}): it is damaged or no DuckDB file{advice}")


def run_query(path: Path, sql: str, timeout_seconds: float = 60, force: bool = False) -> pa.Table:
    """One statement's result: unique column names, whole numbers as integers where they fit, intervals as text.

    With `force`, a query that does not heed its interrupt within GRACE_SECONDS ends with the process.
    Raises UsageError for SQL that DuckDB refuses, that takes too long or that returns too much.
    """
    if not timeout_seconds > 0:
        raise UsageError("--timeout must be more than 0 seconds")
    connection = read_only(path)
    timers = [_timer(timeout_seconds, connection.interrupt)]
    if force:
        timers.append(_timer(timeout_seconds + GRACE_SECONDS, _end_process, timeout_seconds))
    try:
        with _bounded_memory(), _interruptible(connection):
            if _statements(connection, sql) != 1:
                raise UsageError("one SQL statement at a time")
            for timer in timers:
                timer.start()
            return _plain(_read(connection.sql(sql)))
    except (duckdb.Error, pa.ArrowException, OSError, MemoryError) as error:
        if timers[0].finished.is_set():
            raise UsageError(_too_long(timeout_seconds)) from error
        if is_damage(error):
            raise _open_error(path, error) from error
        raise UsageError(_refusal(error)) from error
    finally:
        for timer in timers:
            timer.cancel()
        connection.close()


@contextlib.contextmanager
def _interruptible(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Lets Ctrl-C end a query at once: while DuckDB works, it does not always look whether there was one."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    heard, told = os.pipe()
    os.set_blocking(told, False)

    def listen() -> None:
        if os.read(heard, 1):  # nothing, where it was closed
            connection.interrupt()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    before = signal.set_wakeup_fd(told)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(told)
        listener.join()
        os.close(heard)


def _timer(seconds: float, function: Callable[..., None], *values: object) -> threading.Timer:
    return threading.Timer(min(seconds, threading.TIMEOUT_MAX), function, values)


def _too_long(timeout_seconds: float) -> str:
    return f"the query took longer than {timeout_seconds:g} s; narrow it, or raise --timeout"


def _end_process(timeout_seconds: float) -> None:
    """The last resort: a function over one very long text hears no interrupt before it is done with it."""
    print(f"calfwatch: {_too_long(timeout_seconds)}", file=sys.stderr, flush=True)
    os._exit(UsageError.exit_code)


def _statements(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    """How many were typed; DuckDB 1.5 makes several, without text, of one PIVOT."""
    texts = [statement.query for statement in connection.extract_statements(sql)]
    return sum(bool(text) for text in texts) + ("" in texts)


def _read(relation: duckdb.DuckDBPyRelation | None) -> pa.Table:
    """Takes a result in piece by piece, up to RESULT_BYTES; a statement without a result is a table of no columns."""
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


@contextlib.contextmanager
def _bounded_memory() -> Iterator[None]:
    """Lets the system refuse what DuckDB does not count; on Linux alone, elsewhere nothing is changed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = _data_bytes() + PROCESS_BYTES
    if limit == PROCESS_BYTES or 0 <= soft <= limit or 0 <= hard <= limit:
        yield
        return
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_bytes() -> int:
    """What the process has allocated so far; 0 where the system does not say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def _refusal(error: BaseException) -> str:
    if isinstance(error, MemoryError | duckdb.OutOfMemoryException):
        return f"the query needs more than {MEMORY_LIMIT} of memory; narrow it, or take it in parts"
    lines = [line for line in str(error).splitlines() if line.strip()]
    return "SQL: " + "\n".join(lines[:4])


def _plain(table: pa.Table) -> pa.Table:
    """What every format can carry: no column name twice, no 38-digit sums, no intervals."""
    names: list[str] = []
    for name in table.column_names:
        places = (name, *(f"{name}_{place}" for place in range(1, len(table.column_names))))
        names.append(next(free for free in places if free not in names))
    return pa.table([_plain_column(column) for column in table.columns], names=names)


def _plain_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_decimal(column.type) and column.type.scale == 0:
        with contextlib.suppress(pa.ArrowInvalid):
            return column.cast(pa.int64())
    if pa.types.is_interval(column.type):
        return pa.chunked_array([pa.array([_interval_text(value) for value in column.to_pylist()], pa.string())])
    return column


def _interval_text(value: Any) -> str | None:
    """Such as `1 month 26 days 03:00:00`."""
    if value is None:
        return None
    parts = [f"{n} {word}" + ("" if abs(n) == 1 else "s") for n, word in ((value[0], "month"), (value[1], "day")) if n]
    if value[2] or not parts:
        minutes, micros = divmod(abs(value[2]) // 1000, 60_000_000)
        seconds = f"{micros // 1_000_000:02}" + (f".{micros % 1_000_000:06}" if micros % 1_000_000 else "")
        parts.append(f"{'-' if value[2] < 0 else ''}{minutes // 60:02}:{minutes % 60:02}:{seconds}")
    return " ".join(parts)


def write_result(table: pa.Table, form: str, out: str | None) -> None:
    """Writes a result as table, csv, json or parquet, to a file or to standard output.

    Raises UsageError where it cannot be written there, or not in that form.
    """
    try:
        if out:
            with open(out, "wb", opener=_private) as stream:
                _write(table, form, stream)
        else:
            sys.stdout.flush()
            _write(table, form, sys.stdout.buffer)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"{out or 'standard output'}: cannot be written: {error.strerror or error}") from error
    except (pa.ArrowException, OverflowError, ValueError) as error:
        raise UsageError(f"{form} cannot hold this result: {error}; cast the column, or try another format") from error


def _private(path: str, flags: int) -> int:
    """Opens a file for its owner alone, also one that was there and open to others; a device stays as it is."""
    descriptor = os.open(path, flags, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.fchmod(descriptor, 0o600)
    return descriptor


def _write(table: pa.Table, form: str, stream: BinaryIO) -> None:
    if form == "parquet":
        _write_parquet(table, stream)
        return
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")  # whatever the locale says: a pipe gets UTF-8
    try:
        {"csv": _write_csv, "json": _write_json}.get(form, _write_table)(table, text)
    finally:
        text.detach()


def _write_parquet(table: pa.Table, stream: BinaryIO) -> None:
    import pyarrow.parquet

    if stream.isatty():
        raise UsageError("parquet is not for a terminal: add --out FILE, or redirect the output")
    pyarrow.parquet.write_table(table, stream)


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    for batch in table.to_batches(BATCH_ROWS):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _write_csv(table: pa.Table, stream: TextIO) -> None:
    """NULL is an empty cell; lists and structs are JSON within their cell; no text becomes a spreadsheet's formula."""
    writer = csv.writer(stream, lineterminator="\n")
    for row in itertools.chain([table.column_names], _rows(table)):  # a PIVOT makes names of cells
        writer.writerow([shown_in(stream, _csv_cell(cell)) for cell in row])


def _csv_cell(cell: Any) -> Any:
    if isinstance(cell, list | dict):
        return json.dumps(_json_value(cell), ensure_ascii=False)
    return cell.isoformat() if isinstance(cell, date | time) else harmless(cell)


def _write_json(table: pa.Table, stream: TextIO) -> None:
    """An array of objects, one a line; NaN and infinity, which JSON has not, are null."""
    stream.write("[")
    for place, row in enumerate(_rows(table)):
        stream.write(",\n " if place else "\n ")
        cells = {name: _json_value(cell) for name, cell in zip(table.column_names, row, strict=True)}
        stream.write(json.dumps(cells, allow_nan=False))
    stream.write("\n]\n")


def _json_value(cell: Any) -> Any:
    """A cell in JSON's own types: times in ISO 8601, decimals as numbers."""
    match cell:
        case bool() | int() | str() | None:
            return cell
        case float():
            return cell if math.isfinite(cell) else None
        case Decimal():
            return float(cell)
        case date() | time():
            return cell.isoformat()
        case dict():
            return {str(key): _json_value(value) for key, value in cell.items()}
        case list() | tuple():
            return [_json_value(value) for value in cell]
    return str(cell)


def _write_table(table: pa.Table, stream: TextIO) -> None:
    if not table.column_names:
        stream.write("(no result)\n")
        return
    some = table.slice(0, TABLE_ROWS)
    stream.write(text_table(table.column_names, list(_rows(some))))
    if some.num_rows < table.num_rows:
        stream.write(f"and {many(table.num_rows - some.num_rows, 'row')} more; --format csv writes them all\n")


def text_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Aligned columns; numbers to the right, unknown as a dash, long cells cut."""
    names = [printable(name) for name in names]
    cells = [[_shown(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    numeric = [
        bool(rows) and all(isinstance(row[i], int | float | Decimal | None) for row in rows) for i in range(len(names))
    ]
    lines = [names, ["-" * width for width in widths], *cells]
    text = "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )
    return f"{text}\n({len(rows)} {'row' if len(rows) == 1 else 'rows'})\n"


def _shown(cell: Any) -> str:
    if cell is None:
        return "-"
    text = _number_text(cell) if isinstance(cell, float) else str(cell)
    text = "".join(sign if sign.isprintable() else " " for sign in text)
    return text if len(text) <= CELL_WIDTH else f"{text[: CELL_WIDTH - 1]}…"


def _number_text(number: float) -> str:
    """Four digits, and never an exponent for a number that people would write out."""
    return f"{number:.1f}".removesuffix(".0") if 1000 <= abs(number) < 1e15 else f"{number:.4g}"
