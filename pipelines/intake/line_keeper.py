"""Keep the text of a line that is set aside, unless it shows what must not be stored."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.intake.anonymisation.gate import Gate
from pipelines.intake.csv_rows import split_line


@dataclass(frozen=True)
class KeptLine:
    """A line with what is kept of its text; the fingerprint is that of the whole line as it was delivered.

    `dropped` is why its text is not kept, or None.
    """

    number: int
    text: str
    fingerprint: int
    dropped: str | None


@dataclass(frozen=True)
class LineKeeper:
    """Decides what of a file's lines is kept; `names` are the header's."""

    gate: Gate
    names: Sequence[str]
    delimiter: str

    def keep(self, number: int, text: str) -> KeptLine:
        """Return the line, with a reason in the place of a text that must not be kept."""
        cells = split_line(text, self.delimiter) or [cell.strip(' "') for cell in text.split(self.delimiter)]
        reason = self.gate.find_reason_to_drop(self.names, cells)
        kept = text if reason is None else f"(not kept: {reason})"
        return KeptLine(number, kept, _hash_line(text), reason)


def _hash_line(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")
