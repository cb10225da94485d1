"""The typed columns and cells of a table: what a cell holds, and how it reads as text and in a CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from pipelines.pages import words
from pipelines.pages.labels import LEVELS


class Kind(Enum):
    """What the values of a column are. BARS are seen on a page alone: a column beside them has the numbers."""

    TEXT = "text"
    COUNT = "count"
    DECIMAL = "decimal"
    TENTHS = "tenths"
    PERCENT = "percent"
    SHARE = "share"
    BARS = "bars"


@dataclass(frozen=True)
class Column:
    """A column of a table. title: its heading, empty if only the CSV has it; name: in the CSV, empty if it has none."""

    title: str
    kind: Kind = Kind.TEXT
    name: str = ""

    @property
    def is_number(self) -> bool:
        """Whether its values are set to the right."""
        return self.kind not in (Kind.TEXT, Kind.BARS)


@dataclass(frozen=True)
class Text:
    """Words with a note under them.

    tag: a word of a fixed set before the note; code: a name of the database; strong: it must be seen; link: the
    address that the words lead to.
    """

    text: str
    note: str = ""
    tag: str = ""
    code: bool = False
    strong: bool = False
    link: str = ""

    @property
    def value(self) -> str:
        """The words."""
        return self.text


@dataclass(frozen=True)
class Level:
    """A triage level, with a note under it."""

    name: str
    note: str = ""

    @property
    def text(self) -> str:
        """What the level is called."""
        return LEVELS[self.name]

    @property
    def value(self) -> str:
        """The level's name in the tables."""
        return self.name


@dataclass(frozen=True)
class Share:
    """A part of a whole."""

    part: int
    whole: int

    @property
    def text(self) -> str:
        """A percentage; empty if the whole is too small for one."""
        return words.format_share(self.part, self.whole)

    @property
    def value(self) -> float | None:
        """The share, 0 to 1."""
        return self.part / self.whole if self.whole else None


@dataclass(frozen=True)
class ThenNow:
    """A count as it was published and as it is known now."""

    then: int | None
    now: int | None

    @property
    def text(self) -> str:
        """Both counts."""
        return f"{words.format_count(self.then)} → {words.format_count(self.now)}"

    @property
    def value(self) -> int | None:
        """The count as it is known now."""
        return self.now


@dataclass(frozen=True)
class Bars:
    """Parts of a bar, each with its paint; a bar of `whole` is as wide as the column. For the eye alone."""

    parts: Sequence[tuple[str, float]]
    whole: float

    @property
    def text(self) -> str:
        """Nothing: a column beside it has the numbers."""
        return ""

    @property
    def value(self) -> None:
        """Nothing, either."""

    @property
    def length(self) -> float:
        """The length of all parts together, as a percentage of the column."""
        return round(100 * sum(part for _, part in self.parts) / self.whole, 1) if self.whole else 0


TypedCell = Text | Level | Share | ThenNow | Bars  # each has a text for people, a value for a CSV
Cell = str | int | float | None | tuple[str, ...] | TypedCell

NUMBERS: Mapping[Kind, Callable[[float], str]] = {
    Kind.COUNT: lambda value: words.format_count(int(value)),
    Kind.DECIMAL: words.format_decimal,
    Kind.TENTHS: lambda value: f"{value:,.1f}",
    Kind.PERCENT: words.format_percent,
}


def format_cell(cell: Cell, kind: Kind) -> str:
    """Return a cell as people read it, without the note under it; a dash if there is no value."""
    match cell:
        case None:
            return words.NONE
        case str():
            return cell
        case tuple():
            return ", ".join(cell)
        case int() | float():
            return NUMBERS[kind](cell)
    return cell.text


def format_note(cell: Cell) -> str:
    """Return the note under a cell, with the tag before it; empty if it has none."""
    if isinstance(cell, Text):
        return ": ".join(filter(None, (cell.tag, cell.note)))
    return cell.note if isinstance(cell, Level) else ""


def export_value(cell: Cell) -> object:
    """Return a cell as a CSV holds it: exact, and one value."""
    if isinstance(cell, tuple):
        return "; ".join(cell)
    return cell.value if isinstance(cell, TypedCell) else cell


@dataclass(frozen=True)
class Card:
    """A row as a card shows it: its first words as the title, its first count large; `others` by their titles."""

    title: Text
    count: int
    share: str
    others: Sequence[tuple[str, Text]]


def make_card(cells: Sequence[Cell], columns: Sequence[Column]) -> Card:
    """Sort the cells of a row for a card; an empty one is left out. Raises ValueError without words or a count."""
    shown = [(column, cell) for column, cell in zip(columns, cells, strict=True) if column.title]
    title = next((cell for _, cell in shown if isinstance(cell, Text)), None)
    count = next((cell for column, cell in shown if column.kind is Kind.COUNT and isinstance(cell, int)), None)
    if title is None or count is None:
        raise ValueError(f"not a title and a count: {[column.title for column, _ in shown]}")
    share = next((cell.text for _, cell in shown if isinstance(cell, Share)), "")
    first = next(place for place, (column, _) in enumerate(shown) if column.kind is Kind.COUNT)
    rest = [(column, cell) for column, cell in shown[first + 1 :] if not isinstance(cell, Share) and cell is not None]
    others = [
        (column.title, cell if isinstance(cell, Text) else Text(format_cell(cell, column.kind)))
        for column, cell in rest
    ]
    return Card(title, count, share, [(name, text) for name, text in others if text.text])
