"""Reading a report page as its readers see it, for comparing with the tables behind it."""

from __future__ import annotations

import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb

from pipelines.report import write_report
from schemas.pack import Pack

NONE, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"


class Page(HTMLParser):
    """What a reader sees, for comparing: the text, the rows of each table by key, the key numbers."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.words: list[str] = []
        self.tables: dict[str, dict[str, list[str]]] = {}
        self.numbers: dict[str, list[str]] = {}
        self.figures: dict[str, list[str]] = {}
        self.table, self.cells, self.hidden = "", None, 0  # type: str, list[str] | None, int
        self.feed(html)
        self.text = " ".join("".join(self.words).split())
        for cells in self._all_cells():
            cells[:] = [" ".join(cell.split()) for cell in cells]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        self.hidden += tag in ("style", "script", "svg")
        name = found.get("id", "")
        if tag == "table":
            self.table = name.removeprefix("table-")
            self.tables[self.table] = {}
        elif tag == "tr":
            rows = self.tables[self.table]
            self.cells = rows.setdefault(found.get("data-key", str(len(rows))), [])
        elif tag == "figure" and "data-key" in found:
            self.cells = self.figures.setdefault(found["data-key"], [])
        elif name.startswith("key-"):
            self.cells = self.numbers.setdefault(name.removeprefix("key-"), [])
        if self.cells is not None and tag in ("td", "th", "dt", "dd", "b", "h3"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("style", "script", "svg")
        if tag in ("tr", "figure", "dl"):
            self.cells = None
        if tag in ("p", "li", "td", "th", "dd", "dt", "span", "b", "h1", "h2", "summary"):
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        if self.hidden:
            return
        self.words.append(data)
        if self.cells:
            self.cells[-1] += data

    def _all_cells(self) -> list[list[str]]:
        rows = [row for table in self.tables.values() for row in table.values()]
        return [*rows, *self.numbers.values(), *self.figures.values()]


def page_of(folder: Path) -> Page:
    return Page((folder / "internal.html").read_text(encoding="utf-8"))


def changed_page(summaries: Path, folder: Path, pack: Pack, *statements: str, week: str = "latest") -> Page:
    """The page of a copy of some summaries, which SQL statements have changed."""
    copied = Path(shutil.copy(summaries, folder))
    with duckdb.connect(str(copied)) as db:
        for statement in statements:
            db.execute(statement)
    return page_of(write_report(copied, pack, folder / "reports", week))


def rows_of(database: Path, sql: str, *parameters: object, **named: object) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(database), read_only=True) as db:
        return db.execute(sql, named or list(parameters)).fetchall()


def shown(count: int | None) -> str:
    """How the page writes a count; worked out apart from the code under test."""
    return NONE if count is None else f"{count:,}"


def signed(difference: int) -> str:
    """How the page writes a difference."""
    return f"{difference:+,}".replace("-", MINUS) if difference else "±0"
