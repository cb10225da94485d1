"""A document as PDF, set by typst: equal values give equal bytes, with the fonts that typst brings along.

Values reach the template as JSON, so none of them can become markup or code there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any
from xml.etree import ElementTree

from pipelines.pages.document import (
    Beside,
    Block,
    Callout,
    Chart,
    Document,
    Folded,
    Gallery,
    Group,
    Layout,
    LegendEntry,
    List,
    Note,
    Row,
    Section,
    Table,
)
from pipelines.pages.style import read_template
from pipelines.pages.svg import PALETTE, render_file
from pipelines.pages.values import Cell, Column, Kind, format_cell, format_note
from pipelines.text import escape_hidden

FONT = "Libertinus Serif"
TEXT_UNITS = {1: 11, 2: 15, 5: 19}  # size of a chart's words if so many stand side by side
METERS_ACROSS = 3
SENTENCE = 60  # signs; a cell with more is set over several lines
PAINTS = PALETTE["light"]

Json = dict[str, Any]  # what typst reads: texts, numbers, lists and objects of them


def render_pdf(document: Document) -> bytes:
    """Return the document as a tagged PDF of A4 pages."""
    import typst  # no other command needs it, and it takes a tenth of a second to load

    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=True)
    template = read_template("pages/document.typ").encode()
    content = {"content": json.dumps(_escape_hidden(build_paper_content(document)), ensure_ascii=False)}
    made = typst.compile(template, format="pdf", font_paths=fonts, ignore_system_fonts=True, sys_inputs=content)
    if not isinstance(made, bytes):
        raise TypeError(f"typst returned {type(made).__name__} instead of one PDF")
    return made


def _escape_hidden(value: Any) -> Any:
    """Return a value in which what would be hidden on paper is an escape."""
    match value:
        case str():
            return escape_hidden(value)
        case dict():
            return {name: _escape_hidden(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_escape_hidden(inner) for inner in value]
    return value


def build_paper_content(document: Document) -> Json:
    """Return what the template sets: texts, tables of texts, and charts as SVG."""
    return {
        "title": document.title,
        "footer": f"{document.title}, {document.audience.lower()}: {document.handling}",
        "dates": document.dates,
        "headline": document.headline,
        "as_of": document.as_of,
        "notices": [notice.text for notice in document.notices],
        "disclaimer": document.disclaimer,
        "sections": [_build_section(section) for section in (*document.opening, *document.sections)],
        "facts": "; ".join(f"{label}: {value}" for label, value in document.facts),
        "colors": {name: PAINTS[name] for name in ("soft", "line", "contact_doctor")},
    }


def _build_section(section: Section) -> Json:
    return {"title": section.title, "lead": section.lead, "blocks": _build_blocks(section.blocks)}


def _build_blocks(blocks: Iterable[Block]) -> list[Json]:
    return [found for block in blocks for found in _build_block(block)]


def _build_block(block: Block) -> list[Json]:
    """A block as what the template knows; links, data files and numbers folded under a chart are for a screen."""
    match block:
        case Table():
            return _build_table(block)
        case Chart():
            return [_build_charts([block], 1, block.legend)]
        case Gallery():
            return [_build_charts(block.charts, block.across, block.legend), *_build_small_print(block.caption)]
        case Note():
            return _build_small_print(block.on_paper)
        case Callout():
            return [{"kind": "callout", "text": block.text}]
        case List():
            items = [_build_item(i.text, i.reference, i.paint) for i in block.items]
            return [{"kind": "list", "title": block.title, "columns": _split_in_columns(items, block.columns)}]
        case Folded(on_paper=True) | Group():
            return [{"kind": "heading", "text": block.title}, *_build_blocks(block.blocks)]
        case Beside():
            return [
                {
                    "kind": "beside",
                    "even": block.even,
                    "left": _build_block(block.left),
                    "right": _build_block(block.right),
                }
            ]
    return []


def _build_item(text: str, reference: str, paint: str) -> Json:
    return {"text": text, "reference": reference, "color": PAINTS[paint] if paint else ""}


def _split_in_columns(items: Sequence[Json], number: int) -> list[Sequence[Json]]:
    """Items side by side in columns of about the same length."""
    lengths = [len(item["text"]) + len(item["reference"]) for item in items]
    ends = list(accumulate(lengths))
    places = [
        min(number - 1, number * (end - length // 2) // ends[-1]) for end, length in zip(ends, lengths, strict=True)
    ]
    columns = [[item for item, at in zip(items, places, strict=True) if at == place] for place in range(number)]
    return [column for column in columns if column]


def _build_table(table: Table) -> list[Json]:
    if not table.rows:
        return _build_small_print(table.empty)
    shown = [(i, column) for i, column in enumerate(table.columns) if column.title and column.kind is not Kind.BARS]
    rows = [*table.shown, *([table.total] if table.total else [])]
    found = {
        "kind": "table",
        "name": table.name,
        "caption": table.caption,
        "left_out": table.left_out,
        "across": METERS_ACROSS if table.layout is Layout.METERS else 1,
        "columns": [column.title for _, column in shown],
        "numbers": [column.is_number for _, column in shown],
        "rows": (texts := [_build_row(row, shown) for row in rows]),
        "widest": _find_widest(texts),
    }
    return [found]


def _find_widest(rows: Sequence[Sequence[Json]]) -> int:
    """Return the column of sentences, which takes the room that the others leave; -1 if there is none."""
    longest = [max(len(cell["text"]) + len(cell["note"]) for cell in column) for column in zip(*rows, strict=True)]
    return longest.index(max(longest)) if max(longest) > SENTENCE else -1


def _build_small_print(text: str) -> list[Json]:
    return [{"kind": "note", "text": text}] if text else []


def _build_row(row: Row, shown: Sequence[tuple[int, Column]]) -> list[Json]:
    return [_build_cell(row.cells[i], column) for i, column in shown]


def _build_cell(cell: Cell, column: Column) -> Json:
    return {"text": format_cell(cell, column.kind), "note": format_note(cell)}


def _build_charts(charts: Sequence[Chart], across: int, legend: Sequence[LegendEntry]) -> Json:
    return {
        "kind": "charts",
        "across": across,
        "charts": [_build_chart(chart, TEXT_UNITS[across]) for chart in charts],
        "legend": [_build_sign(entry) for entry in legend],
    }


def _build_sign(entry: LegendEntry) -> Json:
    return {"label": entry.label, "color": PAINTS[entry.paint], "shape": entry.shape}


def _build_chart(chart: Chart, text_units: int) -> Json:
    """Return a chart as a file in a font that typst has, its title, and the text that stands for it."""
    title, description = list(ElementTree.fromstring(chart.svg))[:2]  # noqa: S314 - drawn by this program
    svg = re.sub(r"font-family:[^}]*", f"font-family:{FONT}", render_file(chart.svg))
    svg = svg.replace("font-size:11px", f"font-size:{text_units}px", 1)
    alt = f"{title.text}. {description.text}"
    return {"svg": svg, "title": chart.label or chart.title, "alt": alt, "caption": chart.caption}
