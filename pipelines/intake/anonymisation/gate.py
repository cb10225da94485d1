"""The anonymisation gate: a file with a direct identifier is rejected.

One e-mail address, phone number or birth date in any cell is enough; numbers with a check digit and postal codes need
more than half of a column. One report id alone is no column: a file of a row or two is judged together with the
sender's earlier ids. A finding names column and kind, never a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from pipelines.errors import FileRejected
from pipelines.intake.anonymisation.identifiers import (
    BIRTH_DATE,
    CHECKED,
    EMAIL_ADDRESS,
    ISO_TIME,
    PHONE_NUMBER,
    POSTAL_CODE,
    find_certain_kind,
    find_likely_kinds,
)

REMEMBERED_VALUES = 100_000
LONGEST_REMEMBERED = 1_000  # characters; a file of nothing but long cells would fill the memory
SHOWS_IDENTIFIER = "it shows what could be a direct identifier"
HINTS = {POSTAL_CODE: ", or list the codes as `regions` of the source if they are regions"}
SHORTEST = 5  # characters of an identifier
ENOUGH_IDS = 3  # report ids with a good check digit; one random number has one by chance, three hardly


@dataclass(frozen=True)
class NoPostal:
    """What is no postal code though it looks like one: columns of numbers, and declared regions (small letters)."""

    columns: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()


class Gate:
    """Look for identifiers in the cells of one file as they are read.

    `exempt` columns hold the date of the report. Of `judged_whole` columns only the share counts: the report id, which
    may be any number. `certain_only` are those in which one value may still be enough, but numbers mean nothing:
    ignored columns. `earlier_ids` are the sender's last stored report ids, for a file that has too few.
    """

    def __init__(
        self,
        exempt: frozenset[str],
        judged_whole: frozenset[str],
        certain_only: frozenset[str] = frozenset(),
        earlier_ids: Sequence[str] = (),
        no_postal: NoPostal = NoPostal(),
    ) -> None:
        self.no_postal = no_postal
        self.earlier_ids = earlier_ids
        self.exempt = exempt
        self.judged_whole = judged_whole
        self.certain_only = certain_only
        self.cells: Counter[str] = Counter()
        self.kinds: Counter[tuple[str, str]] = Counter()
        self.looked_at: dict[tuple[str, str], frozenset[str]] = {}

    def see(self, column: str, values: Sequence[str], cells: int, counts: Callable[[], Sequence[int]]) -> None:
        """Take in a block's distinct values of a column and its number of filled cells.

        `counts` gives each value's number of cells, and is called only if it matters. Raises FileRejected at once for
        a value of which one is enough.
        """
        if column in self.exempt:
            return
        self.cells[column] += cells
        kinds = [self._find_kinds_once(column, value) for value in values]
        if any(kinds):
            for found, count in zip(kinds, counts(), strict=True):
                for kind in found:
                    self.kinds[column, kind] += count

    def _find_kinds_once(self, column: str, value: str) -> frozenset[str]:
        """Find the kinds that a value could be, once for each distinct value of the usual length."""
        if len(value) > LONGEST_REMEMBERED:
            return self._find_kinds(column, value)
        if (column, value) not in self.looked_at:
            if len(self.looked_at) > REMEMBERED_VALUES:
                self.looked_at.clear()
            self.looked_at[column, value] = self._find_kinds(column, value)
        return self.looked_at[column, value]

    def _find_kinds(self, column: str, value: str) -> frozenset[str]:
        if (certain := find_certain_kind(value)) and column not in self.judged_whole:
            self.refuse(f"column {column[:40]!a} holds {certain}; remove it at the sender")
        likely = set() if column in self.certain_only else find_likely_kinds(value)
        # reports that are counted from 1 have five digits for a long time
        numbers = column in self.judged_whole or column in self.no_postal.columns
        if numbers or value.lower() in self.no_postal.regions:
            likely.discard(POSTAL_CODE)
        return frozenset(likely | ({certain} if certain else set()))

    def see_refused(self, column: str, value: str) -> None:
        """Take in an invalid id or time: one e-mail address is enough there too, and one phone number for an id."""
        kind = find_certain_kind(value)
        if kind == EMAIL_ADDRESS or (kind == PHONE_NUMBER and column not in self.exempt):
            self.refuse(f"column {column[:40]!a} holds {kind}; remove it at the sender")

    def see_line(self, text: str, delimiter: str, names: Sequence[str] = ()) -> None:
        """Take in a line that is no row. Its cells count for the columns that stand at their place in `names`.

        Cells may be shifted, so that its first dates may be those of exempt columns wherever they stand.
        """
        cells = [cell.strip(' "') for cell in text.split(delimiter)]
        dates = [place for place, cell in enumerate(cells) if ISO_TIME.fullmatch(cell) or BIRTH_DATE.fullmatch(cell)]
        for place, cell in enumerate(cells):
            kind = find_certain_kind(cell)
            if kind and place not in dates[: len(self.exempt)]:
                self.refuse(f"a damaged line holds {kind}; remove it at the sender")
        for name, cell in zip(names, cells, strict=False):
            if cell and name not in self.exempt and not find_certain_kind(cell):
                self.see(name, [cell], 1, lambda: [1])

    def find_reason_to_drop(self, names: Sequence[str], cells: Sequence[str]) -> str | None:
        """Return why the text of a line that is set aside must not be kept, or None.

        A line of another width than the header's is damaged: its cells may belong to any column.
        """
        is_damaged = len(names) != len(cells)
        if is_damaged and self.certain_only & set(names):
            return "the line is damaged, and a column of the file is ignored"
        for name, cell in zip_longest(names, cells, fillvalue=""):
            if cell and name in self.certain_only:
                return "an ignored column has a value in it"
            if len(cell) >= SHORTEST and name not in self.exempt and self._shows_identifier(name, cell, is_damaged):
                return SHOWS_IDENTIFIER
        return None

    def _shows_identifier(self, column: str, cell: str, is_damaged: bool) -> bool:
        if is_damaged and (ISO_TIME.fullmatch(cell) or BIRTH_DATE.fullmatch(cell)):
            return False  # looked at in `see_line`: that of the report
        if column in self.judged_whole:
            return find_certain_kind(cell) in (EMAIL_ADDRESS, PHONE_NUMBER)  # the id itself is kept in any case
        return bool(self._find_kinds_once(column, cell))

    def refuse(self, reason: str) -> None:
        """Raise FileRejected."""
        raise FileRejected(reason)

    def decide(self) -> None:
        """Raise FileRejected for a column of which more than half looks like one kind of identifier."""
        for (column, kind), count in sorted(self.kinds.items()):
            if count * 2 > self.cells[column] and self._is_more_than_chance(column, kind, count):
                what = f"column {column[:40]!a} holds {kind} in most rows"
                self.refuse(f"{what}; remove it at the sender{HINTS.get(kind, '')}")

    def _is_more_than_chance(self, column: str, kind: str, count: int) -> bool:
        """Return whether chance alone does not explain it; few report ids are judged with the sender's earlier ones."""
        if count >= ENOUGH_IDS or kind not in CHECKED or column not in self.judged_whole:
            return True
        count += sum(kind in find_likely_kinds(value) for value in self.earlier_ids)
        return count > 1 and count * 2 > self.cells[column] + len(self.earlier_ids)
