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
from pipelines.pages.values import Cell, Column, Kind, format_cell, format_note
from pipelines.text import escape_hidden

_MARKUP = re.compile(r"[\\`*\[\]<>&|~#@$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)|(?<=www)\.|!(?=\[)")
_GAP = re.compile(r"[\t\r\n]+")
_SOFT_HYPHEN = "\N{SOFT HYPHEN}"


def render_markdown(document: Document, closing: str) -> str:
    """Return the document as Markdown with tables (GitHub's kind). closing: a sentence that says where the rest is."""
    sections = [*document.opening, *(section for section in document.sections if section.brief)]
    paragraphs = [
        f"# {escape_markdown(document.title)}",
        escape_markdown(f"{document.dates}. {document.audience}: {document.handling}."),
        f"**{escape_markdown(document.headline)}**",
        *(_render_block(notice) for notice in document.notices),
        *(paragraph for section in sections for paragraph in _render_section(section)),
        escape_markdown(closing),
        escape_markdown("; ".join(f"{label}: {value}" for label, value in document.facts) + "."),
        escape_markdown(document.disclaimer),
    ]
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def escape_markdown(text: str) -> str:
    """Return a text that Markdown shows as it is, on one line."""
    return _MARKUP.sub(r"\\\g<0>", escape_hidden(_GAP.sub(" ", text.replace(_SOFT_HYPHEN, ""))))


def _render_section(section: Section) -> Iterable[str]:
    yield f"## {escape_markdown(section.title)}"
    yield escape_markdown(section.lead)
    yield from map(_render_block, section.blocks)


def _render_block(block: Block) -> str:
    """Return a block as paragraphs; charts, folded numbers and links to files have no place in a mail."""
    match block:
        case Table():
            return "\n\n".join(
                filter(None, (escape_markdown(block.caption), _render_table(block), escape_markdown(block.left_out)))
            )
        case Note():
            return escape_markdown(block.on_paper)
        case Callout():
            return f"**{escape_markdown(block.text)}**"
        case List():
            title = f"### {escape_markdown(block.title)}\n\n" if block.title else ""
            return title + "\n".join(f"- {escape_markdown(item.text)}" for item in block.items)
        case Folded(on_paper=True) | Group():
            return "\n\n".join(filter(None, [f"### {escape_markdown(block.title)}", *map(_render_block, block.blocks)]))
        case Beside():
            return "\n\n".join(filter(None, map(_render_block, (block.left, block.right))))
    return ""


def _render_table(table: Table) -> str:
    if not table.rows:
        return escape_markdown(table.empty)
    shown = [(i, column) for i, column in enumerate(table.columns) if column.title and column.kind is not Kind.BARS]
    rows = [*table.shown, *([table.total] if table.total else [])]
    lines = [
        _join_cells([escape_markdown(column.title) for _, column in shown]),
        _join_cells(["--:" if column.is_number else "---" for _, column in shown]),
        *(_join_cells([_render_cell(row.cells[i], column) for i, column in shown]) for row in rows),
    ]
    return "\n".join(lines)


def _join_cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _render_cell(cell: Cell, column: Column) -> str:
    note = format_note(cell)
    return escape_markdown(format_cell(cell, column.kind) + (f" ({note})" if note else ""))
