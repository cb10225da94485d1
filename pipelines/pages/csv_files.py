"""The tables of a document as CSVs: every row, exact values."""

from __future__ import annotations

from pipelines.pages.document import Document, Table
from pipelines.pages.values import export_value
from pipelines.text import format_csv


def render_csvs(document: Document) -> dict[str, str]:
    """Map the name of each exported table to its CSV."""
    return {table.name: render_csv(table) for table in document.list_exported_tables()}


def render_csv(table: Table) -> str:
    """Return all rows of a table as CSV: the columns that have a name there."""
    named = [(place, column.name) for place, column in enumerate(table.columns) if column.name]
    rows = ([export_value(row.cells[place]) for place, _ in named] for row in table.rows)
    return format_csv([name for _, name in named], rows)
