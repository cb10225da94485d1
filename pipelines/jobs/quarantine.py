"""Rows that were set aside: why, counted by reason over all files; or every bad cell of them, as CSV."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import duckdb

from pipelines.connections import open_for_reading
from pipelines.errors import UsageError
from pipelines.statements import fetch_first_row
from pipelines.store.state import check_version
from pipelines.text import escape_for_stream, escape_formula, escape_unprintable, pluralise

REASONS = """
SELECT coalesce(column_name, 'line') || ': ' || check_name AS reason, any_value(allowed),
  count(*) FILTER (corrected_by IS NULL), count(corrected_by),
  count(DISTINCT delivery_no) FILTER (corrected_by IS NULL),
  coalesce(arg_min(path, delivery_no) FILTER (corrected_by IS NULL), '')
FROM quarantine JOIN files USING (delivery_no) WHERE starts_with(quarantine.file_id, ?)
GROUP BY 1 ORDER BY 3 DESC, 1"""
CELLS = """
SELECT path, quarantine.*
FROM quarantine JOIN files USING (delivery_no) WHERE starts_with(quarantine.file_id, ?)
ORDER BY delivery_no, line_number, column_name NULLS FIRST"""
ROWS_AT_A_TIME = 10_000


def describe_reasons(records: Path, file_id: str = "") -> list[str]:
    """Return a line for each reason with its number of open cells and their files, and a line of sums.

    A cell is open until its row came right, in a later file of its sender.

    `file_id` may be the first characters of an id. Raises UsageError if no file of the ledger has such an id.
    """
    with _open_quarantine(records, file_id) as connection:
        rows = connection.execute(REASONS, [file_id]).fetchall()
    if not rows:
        return ["nothing in the quarantine"]
    lines = [
        f"{cells:>8,}  {reason}  (allowed: {allowed})  {_describe_places(files, path)}"
        for reason, allowed, cells, _, files, path in rows
        if cells
    ]
    corrected = sum(row[3] for row in rows)
    return [*lines, f"{pluralise(sum(row[2] for row in rows), 'open cell')}, {corrected:,} corrected by later files"]


def _describe_places(files: int, path: str) -> str:
    return escape_unprintable(path) if files == 1 else f"in {files:,} files, the first {escape_unprintable(path)}"


def write_cells(records: Path, file_id: str, stream: TextIO) -> None:
    """Write every bad cell as CSV for a spreadsheet. Raises UsageError as `describe_reasons`."""
    writer = csv.writer(stream)
    with _open_quarantine(records, file_id) as connection:
        result = connection.execute(CELLS, [file_id])
        writer.writerow([column[0] for column in result.description or []])
        while rows := result.fetchmany(ROWS_AT_A_TIME):
            writer.writerows([[escape_for_stream(stream, escape_formula(cell)) for cell in row] for row in rows])


@contextlib.contextmanager
def _open_quarantine(records: Path, file_id: str) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_for_reading(records) as connection:
        check_version(connection, records)
        known = fetch_first_row(connection, "SELECT 1 FROM files WHERE starts_with(file_id, ?) LIMIT 1", [file_id])
        if file_id and not known:
            raise UsageError(
                f"no file of the ledger has an id that begins with '{file_id}'; "
                "`calfwatch query --db records 'FROM files'` lists them"
            )
        yield connection
