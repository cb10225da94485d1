"""The anonymisation gate: a file with a direct identifier is rejected.

One e-mail address, phone number or birth date in any cell is enough; numbers with a check digit and postal codes need
more than half of a column. One report id alone is no column: a file of a row or two is judged together with the
sender's earlier ids. A finding names column and kind, never a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from pipelines.errors import FileRejected
from pipelines.intake.identifiers import (
    BIRTH_DATE,
    CHECKED,
    EMAIL_ADDRESS,
    ISO_TIME,
    PHONE_NUMBER,
    POSTAL_CODE,
    certain_kind,
    likely_kinds,
)

REMEMBERED_VALUES = 100_000
LONGEST_REMEMBERED = 1_000  # characters; a file of nothing but long cells would fill the memory
ENOUGH_IDS = 3  # report ids with a good check digit; one random number has one by chance, three hardly


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
    ) -> None:
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
        kinds = [self._kinds(column, value) for value in values]
        if any(kinds):
            for found, count in zip(kinds, counts(), strict=True):
                for kind in found:
                    self.kinds[column, kind] += count

    def _kinds(self, column: str, value: str) -> frozenset[str]:
        """Find the kinds that a value could be, once for each distinct value of the usual length."""
        if len(value) > LONGEST_REMEMBERED:
            return self._find_kinds(column, value)
        if (column, value) not in self.looked_at:
            if len(self.looked_at) > REMEMBERED_VALUES:
                self.looked_at.clear()
            self.looked_at[column, value] = self._find_kinds(column, value)
        return self.looked_at[column, value]

    def _find_kinds(self, column: str, value: str) -> frozenset[str]:
        certain = certain_kind(value)
        if certain and column not in self.judged_whole:
            raise FileRejected(f"column {column[:40]!a} holds {certain}; remove it at the sender")
        likely = set() if column in self.certain_only else likely_kinds(value)
        if column in self.judged_whole:
            likely.discard(POSTAL_CODE)  # reports that are counted from 1 have five digits for a long time
        return frozenset(likely | ({certain} if certain else set()))

    def see_refused(self, column: str, value: str) -> None:
        """Take in an invalid id or time: one e-mail address is enough there too, and one phone number for an id."""
        kind = certain_kind(value)
        if kind == EMAIL_ADDRESS or (kind == PHONE_NUMBER and column not in self.exempt):
            raise FileRejected(f"column {column[:40]!a} holds {kind}; remove it at the sender")

    def see_line(self, text: str, delimiter: str) -> None:
        """Take in a line that is no row: its cells belong to no column, and its first dates may be exempt ones."""
        cells = [cell.strip(' "') for cell in text.split(delimiter)]
        dates = [place for place, cell in enumerate(cells) if ISO_TIME.fullmatch(cell) or BIRTH_DATE.fullmatch(cell)]
        for place, cell in enumerate(cells):
            kind = certain_kind(cell)
            if kind and place not in dates[: len(self.exempt)]:
                raise FileRejected(f"a damaged line holds {kind}; remove it at the sender")

    def decide(self) -> None:
        """Raise FileRejected for a column of which more than half looks like one kind of identifier."""
        for (column, kind), count in sorted(self.kinds.items()):
            if count * 2 > self.cells[column] and self._is_more_than_chance(column, kind, count):
                raise FileRejected(f"column {column[:40]!a} holds {kind} in most rows; remove it at the sender")

    def _is_more_than_chance(self, column: str, kind: str, count: int) -> bool:
        """Whether chance alone does not explain it; few report ids are judged with the sender's earlier ones."""
        if count >= ENOUGH_IDS or kind not in CHECKED or column not in self.judged_whole:
            return True
        count += sum(kind in likely_kinds(value) for value in self.earlier_ids)
        return count > 1 and count * 2 > self.cells[column] + len(self.earlier_ids)
