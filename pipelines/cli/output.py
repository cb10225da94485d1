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

from pipelines.errors import UsageError, write_error
from pipelines.files import open_output
from pipelines.text import escape_for_stream, escape_formula, escape_unprintable, pluralise

CELL_WIDTH = 60
TABLE_ROWS = 10_000  # of a table in a pipe; the other formats have no limit
WRAPPED_WIDTH = 16  # a text on a terminal is not wrapped into less than this
CUT = "…"
GAP = 2  # between two columns
SCREEN_ROWS = 1_000  # nobody reads more on a terminal
BATCH_ROWS = 10_000  # turned into Python values at a time


def choose_format(out: str | None) -> str:
    """Return the format that a file's ending names; else a table to read."""
    ending = Path(out or "").suffix.lower().removeprefix(".")
    return ending if ending in ("csv", "json", "parquet") else "table"


def write_result(table: pa.Table, form: str, out: str | None, whole: bool = False) -> None:
    """Write a result as table, csv, json or parquet, to a file or to standard output; `whole` cuts no text of a table.

    Raises UsageError if it cannot be written there, or not in that form.
    """
    try:
        if out:
            with open_output(Path(out)) as stream:
                _write(table, form, stream, whole)
        else:
            sys.stdout.flush()
            _write(table, form, sys.stdout.buffer, whole)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise write_error(out or "standard output", error) from error
    except (pa.ArrowException, OverflowError, ValueError) as error:
        raise UsageError(f"{form} cannot hold this result: {error}; cast the column, or try another format") from error


def _write(table: pa.Table, form: str, stream: BinaryIO, whole: bool) -> None:
    if form == "parquet":
        _write_parquet(table, stream)
        return
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")  # whatever the locale says: a pipe gets UTF-8
    try:
        if form == "table":
            _write_table(table, text, whole)
        else:
            {"csv": _write_csv, "json": _write_json}[form](table, text)
    finally:
        text.detach()


def _write_parquet(table: pa.Table, stream: BinaryIO) -> None:
    import pyarrow.parquet

    if stream.isatty():
        raise UsageError("parquet is not for a terminal: add --out FILE, or redirect the output")
    pyarrow.parquet.write_table(table, stream)


def _iterate_rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    for batch in table.to_batches(BATCH_ROWS):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _write_csv(table: pa.Table, stream: TextIO) -> None:
    """NULL is an empty cell; lists and structs are JSON within their cell; no text becomes a spreadsheet's formula."""
    writer = csv.writer(stream, lineterminator="\n")
    for row in itertools.chain([table.column_names], _iterate_rows(table)):  # a PIVOT makes names of cells
        writer.writerow([escape_for_stream(stream, _format_csv_cell(cell)) for cell in row])


def _format_csv_cell(cell: Any) -> Any:
    if isinstance(cell, list | dict):
        return json.dumps(_convert_to_json(cell), ensure_ascii=False)
    return cell.isoformat() if isinstance(cell, date | time) else escape_formula(cell)


def _write_json(table: pa.Table, stream: TextIO) -> None:
    """An array of objects, one a line; NaN and infinity, which JSON has not, are null."""
    stream.write("[")
    for place, row in enumerate(_iterate_rows(table)):
        stream.write(",\n " if place else "\n ")
        cells = {name: _convert_to_json(cell) for name, cell in zip(table.column_names, row, strict=True)}
        stream.write(json.dumps(cells, allow_nan=False))
    stream.write("\n]\n")


def _convert_to_json(cell: Any) -> Any:
    """Return a cell in JSON's own types: times in ISO 8601, decimals as numbers."""
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
            return {str(key): _convert_to_json(value) for key, value in cell.items()}
        case list() | tuple():
            return [_convert_to_json(value) for value in cell]
    return str(cell)


def _write_table(table: pa.Table, stream: TextIO, whole: bool = False) -> None:
    if not table.column_names:
        stream.write("(no result)\n")
        return
    on_terminal = stream.isatty()
    some = table.slice(0, SCREEN_ROWS if on_terminal else TABLE_ROWS)
    rows = list(_iterate_rows(some))
    if on_terminal:
        _print_on_terminal(table.column_names, rows, stream)
    else:
        text = format_table(table.column_names, rows, None if whole else CELL_WIDTH)
        stream.write(text)
        if CUT in text and not whole:
            stream.write("long texts are cut; --whole or --format csv writes them whole\n")
    stream.write(f"({len(rows)} {'row' if len(rows) == 1 else 'rows'})\n")
    if some.num_rows < table.num_rows:
        stream.write(f"and {pluralise(table.num_rows - some.num_rows, 'row')} more; --format csv writes them all\n")


def _print_on_terminal(names: Sequence[str], rows: Sequence[Sequence[Any]], stream: TextIO) -> None:
    """Print a table that fits the terminal: long texts are wrapped; if not even that fits, plain lines."""
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream, highlight=False)
    screen = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    cells, least = [[escape_unprintable(name) for name in names], *_format_cells(rows)], 0
    for column, is_number in zip(zip(*cells, strict=True), _find_number_columns(names, rows), strict=True):
        longest = max(map(cell_len, column))
        width = longest if is_number else min(longest, WRAPPED_WIDTH)  # a number is never wrapped
        screen.add_column(Text(column[0]), justify="right" if is_number else "left", overflow="fold", min_width=width)
        least += width + GAP
    for row in cells[1:]:
        screen.add_row(*map(Text, row))  # as Text: brackets in a cell are no markup
    if least - GAP > console.width:  # rich would leave out what does not fit, and not say so
        stream.write(format_table(names, rows))
    else:
        console.print(screen)


def format_table(names: Sequence[str], rows: Sequence[Sequence[Any]], widest: int | None = CELL_WIDTH) -> str:
    """Return aligned columns for a pipe: numbers to the right, unknown as a dash, cells cut at `widest` characters."""
    numeric = _find_number_columns(names, rows)
    names = [escape_unprintable(name) for name in names]
    cells = [[_cut_text(cell, widest) for cell in row] for row in _format_cells(rows)]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    lines = [names, ["-" * width for width in widths], *cells]
    return "".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        + "\n"
        for line in lines
    )


def _find_number_columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[bool]:
    """Return for each column whether it holds numbers alone."""
    return [
        bool(rows) and all(isinstance(row[place], int | float | Decimal | None) for row in rows)
        for place in range(len(names))
    ]


def _format_cells(rows: Sequence[Sequence[Any]]) -> list[list[str]]:
    return [[_format_cell(cell) for cell in row] for row in rows]


def _format_cell(cell: Any) -> str:
    if cell is None:
        return "-"
    text = _format_number(cell) if isinstance(cell, float) else str(cell)
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _cut_text(text: str, widest: int | None) -> str:
    return text if widest is None or len(text) <= widest else text[: widest - 1] + CUT


def _format_number(number: float) -> str:
    """Return four digits, without an exponent if people would write the number out."""
    return f"{number:.1f}".removesuffix(".0") if 1000 <= abs(number) < 1e15 else f"{number:.4g}"
