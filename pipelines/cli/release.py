"""The command that publishes, and what it prints."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pipelines.cli.options import DEFAULT_WAIT, HomeOption, WaitOption, refresh_status, require_home
from pipelines.errors import ReleaseRefused, UsageError
from pipelines.text import pluralise, say

if TYPE_CHECKING:
    from pipelines.jobs.releasing.decision import Decision
    from pipelines.jobs.releasing.release import Done


def release(
    week: Annotated[str | None, Parameter(name="WEEK", help="else the one before the latest complete one")] = None,
    /,
    *,
    home: HomeOption = None,
    preview: Annotated[bool, Parameter(help="print what would be published; write nothing")] = False,
    incomplete: Annotated[bool, Parameter(help="release it though an expected source is missing")] = False,
    withdraw: Annotated[bool, Parameter(help="take the released WEEK away for good; needs --reason")] = False,
    reason: Annotated[str, Parameter(metavar="TEXT", help="why; it is published as the week's note")] = "",
    wait: WaitOption = DEFAULT_WAIT,
) -> None:
    """Release one week to the public, once; exit code 6 if it is refused."""
    from pipelines.jobs.releasing import release as job
    from pipelines.jobs.releasing.decision import Asked
    from pipelines.settings import load_settings
    from pipelines.store.database import Home

    place = Home(require_home(home))
    settings, asked = load_settings(place.path), Asked(week, incomplete)
    if preview and not (withdraw or reason):
        print_preview(job.preview_week(place, settings, asked))
        return
    if withdraw or reason:
        if not (withdraw and week) or preview or incomplete:
            raise UsageError("to withdraw a week: calfwatch release --withdraw WEEK --reason TEXT")
        job.withdraw_week(place, settings, week, reason, wait)
        say(f"{week} withdrawn; its rows and its page are no longer published, and it stays so")
    else:
        print_release(job.release_week(place, settings, asked, wait))
    refresh_status(place.path)


def print_preview(decision: Decision) -> None:
    """Print what would be published. Raises ReleaseRefused, after the rows, for a week that would be held back."""
    from pipelines.cli.output import format_table
    from pipelines.jobs.releasing.decision import explain_held_back

    week = decision.release.week
    say(f"{week}: nothing is written; this is what a release would publish ({decision.release.method})")
    rows = [
        (cell.attribute, cell.value, cell.reports, cell.at_least, cell.at_most) for cell in decision.disclosure.cells
    ]
    say(*format_table(("attribute", "value", "reports", "at_least", "at_most"), rows).rstrip().split("\n"))
    say(_describe_audit(decision))
    _print_warnings(decision)
    if decision.is_held_back:
        raise ReleaseRefused(explain_held_back(decision).replace(" is held back", " would be held back"))


def print_release(done: Done) -> None:
    """Print what was published and where."""
    decision, total = done.decision, done.decision.disclosure.total
    week = decision.release.week
    if done.was_killed:
        say(f"finished what a killed run had decided on {decision.release.released_on}, with the numbers of then")
    say(f"{week} released: about {total.reports:,} reports ({total.at_least:,} to {total.at_most:,})")
    say(_describe_audit(decision))
    _print_warnings(decision)
    say(str(done.page))


def _describe_audit(decision: Decision) -> str:
    hidden, unlisted = decision.disclosure.hidden_cells, decision.disclosure.unlisted_regions
    line = f"{pluralise(hidden, 'count')} hidden"
    if unlisted:
        line += f", {unlisted} of them of regions without a row"
    if decision.narrowest is None:
        return line
    return f"{line}; the fewest possible values: {decision.narrowest.values} ({decision.narrowest.cell})"


def _print_warnings(decision: Decision) -> None:
    if decision.release.incomplete:
        say("warning: the week lacks reports of an expected source", stream=sys.stderr)
    for warning in decision.warnings:
        say(f"warning: {warning}", stream=sys.stderr)
