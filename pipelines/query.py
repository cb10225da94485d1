"""Read-only SQL over a published database, in a sandbox: no files, no network, no settings, bounded."""

from __future__ import annotations

import csv
import json
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import duckdb
import pyarrow as pa

from pipelines.errors import CalfwatchError, LockedError, StateError, UsageError
from pipelines.statements import quoted

MEMORY_LIMIT = "1GB"
CELL_WIDTH = 60


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
        connection.execute("SET lock_configuration = true")
    except duckdb.Error as error:
        connection.close()
        raise _open_error(path, error) from error
    return connection


def _missing(path: Path) -> str:
    if path.name == "public.duckdb":
        return f"{path.name}: nothing has been released to the public yet; query --db summaries"
    return f"{path}: not there yet; try `calfwatch ingest PATH` first"


def _open_error(path: Path, error: duckdb.Error) -> CalfwatchError:
    if "lock" in str(error).lower():
        return LockedError(f"{path.name} is being written by a run; query --db summaries meanwhile, or try again")
    return StateError(f"{path} cannot be opened ({type(error).__name__}): it is damaged or no DuckDB file")


def run_query(path: Path, sql: str, timeout_seconds: float = 60) -> pa.Table:
    """One statement's result. Raises UsageError for SQL that DuckDB refuses, or that takes too long."""
    connection = read_only(path)
    timer = threading.Timer(timeout_seconds, connection.interrupt)
    try:
        if len(connection.extract_statements(sql)) != 1:
            raise UsageError("one SQL statement at a time")
        timer.start()
        relation = connection.sql(sql)
        return pa.table({}) if relation is None else relation.to_arrow_table()
    except duckdb.InterruptException as error:
        raise UsageError(f"the query took longer than {timeout_seconds:g} s; narrow it, or raise --timeout") from error
    except duckdb.Error as error:
        raise UsageError(f"SQL: {_first_lines(error)}") from error
    finally:
        timer.cancel()
        connection.close()


def _first_lines(error: duckdb.Error) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return "\n".join(lines[:4])


def write_result(table: pa.Table, form: str, out: str | None) -> None:
    """Writes a result as table, csv, json or parquet, to a file or to standard output."""
    if form == "parquet":
        _write_parquet(table, out)
    elif out:
        with open(out, "w", encoding="utf-8", newline="") as stream:
            _write_text(table, form, stream)
    else:
        _write_text(table, form, sys.stdout)


def _write_parquet(table: pa.Table, out: str | None) -> None:
    import pyarrow.parquet

    if not out and sys.stdout.isatty():
        raise UsageError("parquet is not for a terminal: add --out FILE, or redirect the output")
    pyarrow.parquet.write_table(table, out or sys.stdout.buffer)


def _write_text(table: pa.Table, form: str, stream: TextIO) -> None:
    names = table.column_names
    rows = [list(row) for row in zip(*(column.to_pylist() for column in table.columns), strict=True)]
    if form == "csv":
        csv.writer(stream, lineterminator="\n").writerows([names, *rows])
    elif form == "json":
        json.dump([dict(zip(names, row, strict=True)) for row in rows], stream, indent=1, default=str)
        stream.write("\n")
    else:
        stream.write(text_table(names, rows))


def text_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Aligned columns; numbers to the right, unknown as a dash, long cells cut."""
    cells = [[_shown(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    numeric = [bool(rows) and all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(names))]
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
    text = f"{cell:.4g}" if isinstance(cell, float) else str(cell)
    text = "".join(sign if sign.isprintable() else " " for sign in text)
    return text if len(text) <= CELL_WIDTH else f"{text[: CELL_WIDTH - 1]}…"
