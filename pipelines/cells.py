"""Tables as CSV text that a spreadsheet may open: no cell of it becomes a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence


def harmless(cell: object) -> object:
    """A text that a spreadsheet would take for a formula is led by an apostrophe; numbers stay numbers."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A header and rows as CSV; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return text.getvalue()
