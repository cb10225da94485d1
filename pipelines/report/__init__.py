"""One week's summary tables -> the weekly report: page, PDF and mail, the CSVs behind them, the charts as SVG.

    week (reads summaries.duckdb) -> rows (typed) -> document (one function a section) -> html, paper, markdown and
    csv_files of pages -> folder; index over all weeks

Every number of the report comes from the tables read here; the forms only arrange. A week that no file covers is None
all the way to the page, never a zero.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.pages.calls import WeekCalls
from pipelines.pages.csv_files import render_csvs
from pipelines.pages.html import render_html
from pipelines.pages.markdown import render_markdown
from pipelines.pages.paper import render_pdf
from pipelines.pages.svg import render_file
from pipelines.report.curves import find_curves, render_curves_csv
from pipelines.report.document import make_weekly_document
from pipelines.report.folder import publish
from pipelines.report.index import write_index
from pipelines.report.week import read_week
from pipelines.report.wording import CLOSING
from pipelines.text import format_csv
from schemas.pack import Pack

__all__ = ["write_index", "write_report"]


def write_report(summaries: Path, pack: Pack, out: Path, week: str = "latest", calls: WeekCalls | None = None) -> Path:
    """Write the report of one week into `out/WEEK/` and return that folder, which is replaced as a whole.

    week: a covered week, `2026-W47`, or `latest`, the last complete one. calls: its single records; their pages
    are put into `explain/` and linked from the page. Folders are private (0700), files too (0600). Raises UsageError
    without summaries or for a week that is not covered, StateError if the summaries cannot be read.
    """
    tables = read_week(summaries, week)
    document = make_weekly_document(tables, pack, calls)
    contents: dict[str, str | bytes] = {
        "internal.html": render_html(document),
        "report.md": render_markdown(document, CLOSING),
        "report.pdf": render_pdf(document),
    }
    contents |= {f"charts/{chart.name}.svg": render_file(chart.svg) for chart in document.list_charts()}
    contents |= {f"data/{name}.csv": format_csv(table.columns, table.rows) for name, table in tables.raw.items()}
    contents |= {f"data/{name}.csv": text for name, text in render_csvs(document).items()}
    contents["data/curves.csv"] = render_curves_csv(tables, find_curves(tables))
    contents |= {f"explain/{name}": text for name, text in (calls.pages if calls else {}).items()}
    return publish(out, tables.week, contents)
