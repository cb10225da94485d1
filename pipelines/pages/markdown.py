"""A document for mail and chat as Markdown: its opening and its brief sections, nothing drawn.

Values are escaped so that none of them can become a heading, a link, a mention, markup or a table cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pipelines.pages.document import (
    Beside,
    Block,
    Callout,
    Document,
    Folded,
    Group,
    List,
    Note,
    Section,
    Table,
)
from pipelines.pages.values import Cell, Column, Kind, cell_note, cell_text
from pipelines.text import escape_hidden

_MARKUP = re.compile(r"[\\`*\[\]<>&|~#@$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)|(?<=www)\.|!(?=\[)")
_GAP = re.compile(r"[\t\r\n]+")
_SOFT_HYPHEN = "\N{SOFT HYPHEN}"


def as_markdown(document: Document, closing: str) -> str:
    """Return the document as Markdown with tables (GitHub's kind). closing: a sentence that says where the rest is."""
    sections = [*document.opening, *(section for section in document.sections if section.brief)]
    paragraphs = [
        f"# {escaped(document.title)}",
        escaped(f"{document.dates}. {document.audience}: {document.handling}."),
        f"**{escaped(document.headline)}**",
        *(_block(notice) for notice in document.notices),
        *(paragraph for section in sections for paragraph in _section(section)),
        escaped(closing),
        escaped("; ".join(f"{label}: {value}" for label, value in document.facts) + "."),
        escaped(document.disclaimer),
    ]
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is, on one line."""
    return _MARKUP.sub(r"\\\g<0>", escape_hidden(_GAP.sub(" ", text.replace(_SOFT_HYPHEN, ""))))


def _section(section: Section) -> Iterable[str]:
    yield f"## {escaped(section.title)}"
    yield escaped(section.lead)
    yield from map(_block, section.blocks)


def _block(block: Block) -> str:
    """Return a block as paragraphs; charts, folded numbers and links to files have no place in a mail."""
    match block:
        case Table():
            return "\n\n".join(filter(None, (escaped(block.caption), _table(block), escaped(block.left_out))))
        case Note():
            return escaped(block.on_paper)
        case Callout():
            return f"**{escaped(block.text)}**"
        case List():
            title = f"### {escaped(block.title)}\n\n" if block.title else ""
            return title + "\n".join(f"- {escaped(item.text)}" for item in block.items)
        case Folded(on_paper=True) | Group():
            return "\n\n".join(filter(None, [f"### {escaped(block.title)}", *map(_block, block.blocks)]))
        case Beside():
            return "\n\n".join(filter(None, map(_block, (block.left, block.right))))
    return ""


def _table(table: Table) -> str:
    if not table.rows:
        return escaped(table.empty)
    shown = [(i, column) for i, column in enumerate(table.columns) if column.title and column.kind is not Kind.BARS]
    rows = [*table.shown, *([table.total] if table.total else [])]
    lines = [
        _line([escaped(column.title) for _, column in shown]),
        _line(["--:" if column.is_number else "---" for _, column in shown]),
        *(_line([_cell(row.cells[i], column) for i, column in shown]) for row in rows),
    ]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell, column: Column) -> str:
    note = cell_note(cell)
    return escaped(cell_text(cell, column.kind) + (f" ({note})" if note else ""))
