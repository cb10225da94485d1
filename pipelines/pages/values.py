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
    PROBABILITY = "probability"
    SHARE = "share"
    CHANGE = "change"
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

    tag: a word of a fixed set before the note; code: a name of the database; strong: it must be seen.
    """

    words: str
    note: str = ""
    tag: str = ""
    code: bool = False
    strong: bool = False

    @property
    def full_note(self) -> str:
        """The note, and the tag before it."""
        return ": ".join(filter(None, (self.tag, self.note)))


@dataclass(frozen=True)
class Level:
    """A triage level, with a note under it."""

    name: str
    note: str = ""


@dataclass(frozen=True)
class Share:
    """A part of a whole."""

    part: int
    whole: int


@dataclass(frozen=True)
class Change:
    """A count and the one before it. None where there is none."""

    now: int | None
    before: int | None


@dataclass(frozen=True)
class ThenNow:
    """A count as it was published and as it is known now."""

    then: int | None
    now: int | None


@dataclass(frozen=True)
class Dated:
    """A count and the week that it is of."""

    count: int
    week: str


@dataclass(frozen=True)
class Bars:
    """Parts of a bar, each with its paint; a bar of `whole` is as wide as the column."""

    parts: Sequence[tuple[str, float]]
    whole: float

    @property
    def length(self) -> float:
        """The length of all parts together, as a percentage of the column."""
        return round(100 * sum(part for _, part in self.parts) / self.whole, 1) if self.whole else 0


Cell = str | int | float | None | tuple[str, ...] | Text | Level | Share | Change | ThenNow | Dated | Bars

NUMBERS: Mapping[Kind, Callable[[float], str]] = {
    Kind.COUNT: lambda value: words.count(int(value)),
    Kind.DECIMAL: words.decimal,
    Kind.TENTHS: lambda value: f"{value:,.1f}",
    Kind.PERCENT: words.percent,
    Kind.PROBABILITY: words.probability,
}


def cell_text(cell: Cell, kind: Kind) -> str:
    """Return a cell as people read it, without the note under it; a dash if there is no value."""
    match cell:
        case None:
            return words.NONE
        case str():
            return cell
        case tuple():
            return ", ".join(cell)
        case Text():
            return cell.words
        case Level():
            return LEVELS[cell.name]
        case Share():
            return words.share(cell.part, cell.whole)
        case Change():
            return words.change(cell.now, cell.before)
        case ThenNow():
            return f"{words.count(cell.then)} → {words.count(cell.now)}"
        case Dated():
            return f"{words.count(cell.count)} ({cell.week})"
        case Bars():
            return ""
    return NUMBERS[kind](cell)


def cell_note(cell: Cell) -> str:
    """Return the note under a cell; empty if it has none."""
    match cell:
        case Text():
            return cell.full_note
        case Level():
            return cell.note
    return ""


def cell_value(cell: Cell) -> object:
    """Return a cell as a CSV holds it: exact, one value; of a change the count before."""
    match cell:
        case tuple():
            return "; ".join(cell)
        case Text():
            return cell.words
        case Level():
            return cell.name
        case Share():
            return cell.part / cell.whole if cell.whole else None
        case Change():
            return cell.before
        case ThenNow():
            return cell.now
        case Dated():
            return cell.count
        case Bars():
            return None
    return cell


@dataclass(frozen=True)
class Summary:
    """A row as a card or a panel shows it, by the kinds of its columns."""

    title: Text
    group: Text
    count: int
    share: Share
    change: Change


def summary_of(cells: Sequence[Cell], columns: Sequence[Column]) -> Summary:
    """Sort the cells of a row: its first text is the title, the second its group; one count, share and change.

    Raises ValueError if the columns are of other kinds.
    """
    shown = [(column.kind, cell) for column, cell in zip(columns, cells, strict=True) if column.title]
    title, group = (cell if isinstance(cell, Text) else Text(str(cell)) for kind, cell in shown if kind is Kind.TEXT)
    match [cell for kind, cell in shown if kind is not Kind.TEXT]:
        case [int() as count, Share() as share, Change() as change]:
            return Summary(title, group, count, share, change)
    raise ValueError(f"not a title, a group, a count, a share and a change: {[kind.value for kind, _ in shown]}")
