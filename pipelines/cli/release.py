"""What `calfwatch release` prints."""

from __future__ import annotations

import sys

from pipelines.cli.output import text_table
from pipelines.errors import ReleaseRefused
from pipelines.jobs.release import Done
from pipelines.jobs.release_decision import Decision, held_back_words
from pipelines.text import many


def print_preview(decision: Decision) -> None:
    """Print what would be published. Raises ReleaseRefused, after the rows, for a week that would be held back."""
    week = decision.release.week
    print(f"{week}: nothing is written; this is what a release would publish ({decision.release.method})")
    rows = [
        (cell.attribute, cell.value, cell.reports, cell.at_least, cell.at_most) for cell in decision.disclosure.cells
    ]
    print(text_table(("attribute", "value", "reports", "at_least", "at_most"), rows), end="")
    print(_audit_line(decision))
    _print_warnings(decision)
    if decision.is_held_back:
        raise ReleaseRefused(held_back_words(decision).replace(" is held back", " would be held back"))


def print_release(done: Done) -> None:
    """Print what was published and where."""
    decision, total = done.decision, done.decision.disclosure.total
    week = decision.release.week
    print(f"{week} released: about {total.reports:,} reports ({total.at_least:,} to {total.at_most:,})")
    print(_audit_line(decision))
    _print_warnings(decision)
    print(done.page)


def _audit_line(decision: Decision) -> str:
    hidden, unlisted = decision.disclosure.hidden_cells, decision.disclosure.unlisted_regions
    line = f"{many(hidden, 'count')} hidden"
    if unlisted:
        line += f", {unlisted} of them of regions without a row"
    if decision.narrowest is None:
        return line
    return f"{line}; the fewest possible values: {decision.narrowest.values} ({decision.narrowest.cell})"


def _print_warnings(decision: Decision) -> None:
    if decision.release.incomplete:
        print("warning: the week lacks reports of an expected source", file=sys.stderr)
    for warning in decision.warnings:
        print(f"warning: {warning}", file=sys.stderr)
