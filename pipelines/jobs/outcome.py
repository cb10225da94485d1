"""Say what became of the files of a batch."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.intake.deliveries import Delivery, IsLeftOut, find_other_files
from pipelines.settings import SCHEME
from pipelines.store.ledger import Outcome
from pipelines.text import format_path, pluralise, say


class Lines:
    """Report progress as one line a file on stderr."""

    def start(self, deliveries: Sequence[Delivery]) -> None:
        """Do nothing before the first file."""

    def done(self, outcome: Outcome) -> None:
        """Print a line after each file."""
        say(describe(outcome), stream=sys.stderr)


def describe(outcome: Outcome) -> str:
    """Return one line about a file; its path may hold anything, so it is shown without control characters."""
    path = f"{format_path(outcome.path)} ({outcome.source})"
    if outcome.status == "rejected":
        return f"rejected  {path}: {outcome.reason}"
    if outcome.status == "known":
        return f"known     {path}: {outcome.reason or 'nothing new'}"
    parts = [pluralise(outcome.rows_read, "row"), f"{outcome.rows_accepted:,} accepted"]
    for count, word in (
        (outcome.rows_quarantined, "quarantined"),
        (outcome.rows_duplicate, "duplicate"),
        (outcome.rows_out_of_scope, "out of scope"),
        (_count_replaced(outcome), "superseding"),
    ):
        parts += [f"{count:,} {word}"] if count else []
    return f"accepted  {path}: {', '.join(parts)}" + (f"; {outcome.notes}" if outcome.notes else "")


def tell_other_files(paths: Sequence[str], is_left_out: IsLeftOut) -> list[Path]:
    """Say on stderr, and return, what lies in folders of deliveries and is no CSV: nobody else would notice it."""
    if others := find_other_files(paths, is_left_out):
        say(f"no CSV    {describe_other_files(others)}", stream=sys.stderr)
    return others


def is_object(path: Path) -> bool:
    """Return whether a path is what is left of an address: a path has no two slashes."""
    return path.parts[:1] == (SCHEME.rstrip("/"),)


def describe_other_files(others: Sequence[Path]) -> str:
    """Name files that are no CSVs; three of them in full."""
    texts = (SCHEME + "/".join(path.parts[1:]) if is_object(path) else str(path) for path in others[:3])
    names = ", ".join(map(format_path, texts)) + (", ..." if len(others) > 3 else "")
    return f"{pluralise(len(others), 'file')} passed over: {names}; export as .csv, .csv.gz or .csv.zst"


def describe_totals(outcomes: Sequence[Outcome]) -> str:
    """Return one line about a batch."""
    accepted = [outcome for outcome in outcomes if outcome.status == "accepted"]
    known = sum(outcome.status == "known" for outcome in outcomes)
    replaced, removed = sum(map(_count_replaced, accepted)), sum(outcome.rows_removed or 0 for outcome in accepted)
    records = sum(outcome.rows_accepted for outcome in accepted) - replaced
    others = [f"{count:,} {word}" for count, word in ((replaced, "replaced"), (removed, "taken out")) if count]
    quarantined = sum(outcome.rows_quarantined for outcome in accepted)
    return (
        f"{pluralise(len(outcomes), 'file')}: {len(accepted)} accepted, {known} known already, "
        f"{count_rejected(outcomes)} rejected; "
        f"{', '.join([pluralise(records, 'new record'), *others])}, {pluralise(quarantined, 'row')} quarantined"
    )


def _count_replaced(outcome: Outcome) -> int:
    """Count the rows that stand in the place of a stored record; the ledger counts what was taken out with them."""
    return outcome.rows_superseded - (outcome.rows_removed or 0)


def count_rejected(outcomes: Sequence[Outcome]) -> int:
    """Count the rejected files."""
    return sum(outcome.status == "rejected" for outcome in outcomes)


def describe_rejected(rejected: int, files: int) -> str:
    """Say that files were rejected, and that the others, if there are any, were not stopped by it."""
    return f"{rejected} of {pluralise(files, 'file')} rejected" + ("; the others are done" if rejected < files else "")
