"""A query's result -> a table to read, CSV, JSON or Parquet, on a terminal, in a pipe or in a private file."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import sys
from collections.abc import Iterator, Sequence
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import pyarrow as pa

from pipelines.errors import UsageError
from pipelines.files import open_output
from pipelines.text import harmless, many, printable, shown_in

CELL_WIDTH = 60
TABLE_ROWS = 10_000  # nobody reads more on a screen
BATCH_ROWS = 10_000  # turned into Python values at a time


def write_result(table: pa.Table, form: str, out: str | None) -> None:
    """Writes a result as table, csv, json or parquet, to a file or to standard output.

    Raises UsageError where it cannot be written there, or not in that form.
    """
    try:
        if out:
            with open_output(Path(out)) as stream:
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
