"""What an adapter could not read in a row that it could read otherwise, as one row for each word."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute

from pipelines.intake.anonymisation.identifiers import find_certain_kind, find_likely_kinds
from schemas.checked_file import WARNED_CELLS

OWN_WORDS = "adapter"  # the kind of a warning that an adapter tells in words of its own
MOST_OF_A_ROW = 20  # warnings; a cell may hold thousands of words
LONGEST_VALUE = 80  # characters
_WARNING = re.compile(r"(\w+): (\w+)(?:: (.*))?")


def find_warned_cells(warnings: Mapping[int, str], accepted: pa.Table) -> pa.Table:
    """Return the warnings of accepted rows, of which each line of text is one: `column: kind: value`, or other words.

    A value that could be a direct identifier is left out.
    """
    if not warnings:
        return WARNED_CELLS.empty_table()
    lines = accepted["line_number"].cast(pa.int64())
    rows = accepted.filter(pyarrow.compute.is_in(lines, pa.array(warnings, pa.int64())))
    found = [
        (line, report_id, *_read_warning(text))
        for line, report_id in zip(rows["line_number"].to_pylist(), rows["report_id"].to_pylist(), strict=True)
        for text in warnings[line].split("\n")[:MOST_OF_A_ROW]
    ]
    columns = list(zip(*found, strict=True)) if found else [()] * len(WARNED_CELLS)
    return pa.table([pa.array(c, t) for c, t in zip(columns, WARNED_CELLS.types, strict=True)], schema=WARNED_CELLS)


def _read_warning(text: str) -> tuple[str | None, str, str | None]:
    """Return column, kind and value."""
    parts = _WARNING.fullmatch(text)
    column, kind, value = parts.groups() if parts else (None, OWN_WORDS, text)
    if value and (find_certain_kind(value) or find_likely_kinds(value)):
        value = None
    return column, kind, value and value[:LONGEST_VALUE]
