"""One week's summary tables -> the weekly report: page, PDF and mail, the CSVs behind them, the charts as SVG.

    week (reads summaries.duckdb) -> indicators, sections, quality, messages (plain values) and drawings (SVG)
    -> page (HTML), outline -> markdown and pdf -> folder; index over all weeks

Every number on the page comes from the tables read here; the template only arranges. A week that no file
covers is None all the way to the page, never a zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipelines.pages.svg import as_file
from pipelines.report.alarms import alarm_table, curve_table, curves
from pipelines.report.drawings import draw
from pipelines.report.folder import publish
from pipelines.report.index import write_index
from pipelines.report.indicators import key_number_table, key_numbers
from pipelines.report.markdown import as_markdown
from pipelines.report.page import as_html, page_values
from pipelines.report.pdf import as_pdf
from pipelines.report.week import Table, read_week
from pipelines.text import csv_text
from schemas.pack import Pack

__all__ = ["write_index", "write_report"]


def write_report(
    summaries: Path, pack: Pack, out: Path, week: str = "latest", explanations: Mapping[str, str] | None = None
) -> Path:
    """Writes the report of one week into `out/WEEK/` and returns that folder, which is replaced as a whole.

    week: a covered week, `2026-W47`, or `latest`, the last complete one. explanations: pages by file name, put into
    `explain/` and linked from the page. Folders are private (0700), files
    too (0600). Raises UsageError without summaries or for a week that is not covered, StateError when the
    summaries cannot be read.
    """
    tables = read_week(summaries, week)
    numbers = key_numbers(tables)
    drawn = draw(tables, pack, numbers)
    page = page_values(tables, pack, numbers, drawn) | {"explained": len(explanations or ())}
    contents: dict[str, str | bytes] = {
        "internal.html": as_html(page),
        "report.md": as_markdown(page),
        "report.pdf": as_pdf(page, drawn),
    }
    contents |= {f"charts/{name}.svg": as_file(drawing) for name, drawing in drawn.items()}
    contents |= {f"data/{name}.csv": _csv(table) for name, table in tables.tables.items()}
    contents["data/key_numbers.csv"] = _csv(key_number_table(numbers))
    contents["data/alarms.csv"] = _csv(alarm_table(tables, pack))
    contents["data/curves.csv"] = _csv(curve_table(tables, curves(tables, pack)))
    contents |= {f"explain/{name}": text for name, text in (explanations or {}).items()}
    return publish(out, tables.week, contents)


def _csv(table: Table) -> str:
    return csv_text(table.columns, ([row[name] for name in table.columns] for row in table.rows))
