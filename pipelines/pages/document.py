"""What a page says, stated once: sections of tables, charts, lists and notes. No node carries markup.

html, paper, markdown and csv_files turn a Document into a form that people read or load. A form leaves out what it has
no room for: a chart has no place in a mail, a folded table none on paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Protocol

from pipelines.pages.values import Cell, Column
from pipelines.text import pluralise


class Plot(Protocol):
    """The data of one chart, and how it is drawn."""

    def draw(self, name: str, title: str) -> str:
        """Return the drawing as SVG text; `name` is unique on the page."""
        ...


class Layout(Enum):
    """How a page arranges a table; on paper and in Markdown every layout is a plain table."""

    ROWS = "rows"  # on a phone a card for each row
    TIGHT = "tight"  # few columns, a table on a phone too
    CARDS = "cards"  # a card for each row, with its chart
    METERS = "meters"  # a label, a bar and a share for each row


@dataclass(frozen=True)
class Row:
    """The cells of a table's row, one for each column.

    key: names the row on the page, for links and tests; quiet: nothing happened in it; record: the sender and the id
    of the one report that the row is about, by which it is found again when that report is erased.
    """

    cells: Sequence[Cell]
    key: str = ""
    quiet: bool = False
    record: tuple[str, str] | None = None


@dataclass(frozen=True)
class LegendEntry:
    """A sign of a chart and its meaning. shape: `swatch`, `step`, `dashed` or `tip`."""

    label: str
    paint: str = "plain"
    shape: str = "swatch"


@dataclass(frozen=True)
class Table:
    """Rows with typed columns.

    name: unique in the document, and the name of its CSV if it is `exported`; most: how many rows people see, the CSV
    has all; thing: what a row is; empty: the sentence in place of a table without rows; charts: one for each row,
    with a note that is shown with them; legend: of its bars.
    """

    name: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    total: Row | None = None
    caption: str = ""
    empty: str = ""
    layout: Layout = Layout.ROWS
    most: int | None = None
    thing: str = "row"
    charts: Sequence[Chart] = ()
    charts_note: str = ""
    legend: Sequence[LegendEntry] = ()
    exported: bool = False

    @property
    def shown(self) -> Sequence[Row]:
        """The rows that people see."""
        return self.rows[: self.most]

    @property
    def left_out(self) -> str:
        """How many rows people do not see, as a sentence; empty if they see all."""
        number = len(self.rows) - len(self.shown)
        return (
            f"{pluralise(number, f'more {self.thing}')} {'is' if number == 1 else 'are'} in the CSV." if number else ""
        )


@dataclass(frozen=True)
class Chart:
    """A drawing with its title, its legend and, folded under it, its numbers.

    label: a heading above it, shorter than the title.
    """

    name: str
    title: str
    plot: Plot
    label: str = ""
    caption: str = ""
    legend: Sequence[LegendEntry] = ()
    numbers: Folded | None = None

    @cached_property
    def svg(self) -> str:
        """The drawing as SVG text."""
        return self.plot.draw(self.name, self.title)


@dataclass(frozen=True)
class Gallery:
    """Charts of one kind beside each other, with one legend and one caption."""

    charts: Sequence[Chart]
    across: int = 2  # more than two are small ones
    legend: Sequence[LegendEntry] = ()
    name: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Note:
    """A sentence of small print. link: words and the address that they lead to, before the text."""

    text: str
    link: tuple[str, str] | None = None

    @property
    def on_paper(self) -> str:
        """The sentence with the address in words."""
        return f"{self.link[0]} ({self.link[1]}){self.text}" if self.link else self.text


@dataclass(frozen=True)
class Callout:
    """A sentence that must not be missed."""

    text: str


@dataclass(frozen=True)
class Item:
    """A point of a list. paint: the level that it is about; reference: where it is from."""

    text: str
    paint: str = ""
    reference: str = ""


@dataclass(frozen=True)
class List:
    """Points, under a title of their own if they have one. marked: each shows its paint; columns: if there is room."""

    items: Sequence[Item]
    title: str = ""
    marked: bool = False
    columns: int = 1


@dataclass(frozen=True)
class Folded:
    """What a reader opens. on_paper: shown there, opened; else only a screen has it."""

    title: str
    blocks: Sequence[Block]
    note: str = ""
    on_paper: bool = False


@dataclass(frozen=True)
class Beside:
    """Two blocks next to each other, neither below the other if there is room. even: each has half of it."""

    left: Block
    right: Block
    even: bool = False


@dataclass(frozen=True)
class Group:
    """Blocks under a heading inside a section."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class DataFiles:
    """The names of the CSVs that hold the numbers; only the page links to them."""

    names: Sequence[str]


Block = Table | Chart | Gallery | Note | Callout | List | Folded | Beside | Group | DataFiles


@dataclass(frozen=True)
class Section:
    """A titled part of a document.

    name: its address on the page; short: its title in the page's list of sections; brief: also told in a mail.
    """

    name: str
    title: str
    blocks: Sequence[Block]
    lead: str = ""
    short: str = ""
    brief: bool = False


@dataclass(frozen=True)
class Document:
    """A page, a paper or a mail.

    headline: the week in one sentence; opening: the sections of the first screen, beside each other; facts: label and
    value, at the end.
    """

    subject: str
    issue: str
    dates: str
    audience: str
    handling: str
    as_of: str
    headline: str
    notices: Sequence[Callout]
    disclaimer: str
    opening: Sequence[Section]
    sections: Sequence[Section]
    facts: Sequence[tuple[str, str]]

    @property
    def title(self) -> str:
        """Subject and issue in one line."""
        return f"{self.subject}: {self.issue}"

    def list_charts(self) -> list[Chart]:
        """Return every chart, in reading order."""
        return [block for block in self._walk() if isinstance(block, Chart)]

    def list_exported_tables(self) -> list[Table]:
        """Return the tables that have a CSV of their own."""
        return [block for block in self._walk() if isinstance(block, Table) and block.exported]

    def _walk(self) -> Iterator[Block]:
        for section in (*self.opening, *self.sections):
            yield from walk(section.blocks)


def walk(blocks: Iterable[Block]) -> Iterator[Block]:
    """Yield the blocks and all that they hold, in reading order."""
    for block in blocks:
        yield block
        yield from walk(_list_children(block))


def _list_children(block: Block) -> Sequence[Block]:
    match block:
        case Table() | Gallery():
            return block.charts
        case Folded() | Group():
            return block.blocks
        case Beside():
            return (block.left, block.right)
        case Chart(numbers=Folded() as numbers):
            return (numbers,)
    return ()
