"""Release one week to the public, preview it, or withdraw it: decide, record, then write the files from the record.

The record is committed first. A run that is killed after that leaves files that are older than the record; the next
command writes them from the stored rows, never from newer ones.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import duckdb

from pipelines import clock
from pipelines.errors import ReleaseRefused, UsageError
from pipelines.files import name_temporary, put_in_place
from pipelines.jobs.releasing.decision import (
    Asked,
    Decision,
    choose_week,
    decide_week,
    explain_held_back,
    locate_page,
    recall_decision,
)
from pipelines.release import ledger, public_page
from pipelines.release.ledger import HELD_BACK, RELEASED, WITHDRAWN
from pipelines.release.public_database import read_public_database, write_public_database
from pipelines.release.rounding import STEP
from pipelines.settings import Settings
from pipelines.store import audit, database
from pipelines.store.database import Home
from pipelines.store.packs import load_configured_pack
from pipelines.text import pluralise
from schemas.pack import Pack

METHOD = (
    f"A number is rounded to the nearest {STEP} and means that number, 2 less to 2 more. A small count is hidden. "
    "Each table divides the same reports by one thing; tables are never crossed."
)


@dataclass(frozen=True)
class Done:
    """What was decided, the page that was written, and whether it only finished a release that was killed."""

    decision: Decision
    page: Path
    was_killed: bool = False


def preview_week(home: Home, settings: Settings, asked: Asked) -> Decision:
    """Return what `release_week` would decide, and write nothing. Raises the same errors, but for a week held back."""
    with database.open_read_only(home, settings) as connection:
        history = ledger.read_history(connection, read_public_database(home.public))
        return decide_week(connection, home, settings, history, asked)


def release_week(home: Home, settings: Settings, asked: Asked, wait_seconds: float = 60) -> Done:
    """Release one week, record it and write the public files.

    A week whose release was killed after it was recorded is finished with the rows of then. Raises ReleaseRefused if
    the week may not be released; one whose audit fails is recorded as held back first.
    """
    pack = load_configured_pack(home, settings)
    with database.writing(home, settings, pack, wait_seconds) as connection:
        pack = database.find_pack_in_use(connection, pack)
        killed, finished = _bring_up_to_date(connection, home, pack)
        asked = replace(asked, week=choose_week(connection, asked.week))
        if asked.week in killed and (recorded := recall_decision(connection, asked.week)):
            return Done(recorded, locate_page(home, asked.week), was_killed=True)
        with _add_finished(finished):
            decision = decide_week(connection, home, settings, ledger.read_history(connection), asked)
        with database.transaction(connection):
            cells = () if decision.is_held_back else decision.disclosure.cells
            ledger.record_release(connection, decision.release, cells)
        _write_files(connection, home, pack)
    if decision.is_held_back:
        raise ReleaseRefused(explain_held_back(decision))
    return Done(decision, locate_page(home, decision.release.week))


def withdraw_week(home: Home, settings: Settings, week: str, reason: str, wait_seconds: float = 60) -> None:
    """Take a released week's rows and page away for good; `reason` is published as its note.

    Raises ReleaseRefused if the week is not released, UsageError without a reason.
    """
    if not reason.strip():
        raise UsageError("--withdraw needs --reason TEXT; the text is published as the week's note")
    pack = load_configured_pack(home, settings)
    with database.writing(home, settings, pack, wait_seconds) as connection:
        pack = database.find_pack_in_use(connection, pack)
        killed, finished = _bring_up_to_date(connection, home, pack)
        status = next((each.status for each in ledger.read_releases(connection) if each.week == week), "not released")
        if week in killed and status == WITHDRAWN:
            return
        with _add_finished(finished):
            if status != RELEASED:
                raise ReleaseRefused(f"{week} cannot be withdrawn: it is {status}")
        with database.transaction(connection):
            ledger.record_withdrawal(connection, week, reason.strip(), audit.name_account(), clock.now())
        _write_files(connection, home, pack)


def find_lagging_weeks(connection: duckdb.DuckDBPyConnection, home: Home) -> set[str]:
    """Return the weeks on record of which the public files do not tell as recorded."""
    published, wanted = read_public_database(home.public), ledger.read_public_rows(connection)
    shown = {row[0]: row for row in published.releases} if published else {}
    lagging = {row[0] for row in wanted.releases if shown.get(row[0]) != row}
    if not lagging and wanted.releases and published and published.weekly_counts != wanted.weekly_counts:
        lagging = {row[0] for row in {*published.weekly_counts} ^ {*wanted.weekly_counts}}
    released = {row[0] for row in wanted.releases if row[2] == RELEASED}
    return lagging | {week for week in released if not locate_page(home, week).exists()}


# --- the record and the files


def _bring_up_to_date(connection: duckdb.DuckDBPyConnection, home: Home, pack: Pack) -> tuple[set[str], set[str]]:
    """Take over what only public.duckdb knows, then finish what a killed run left.

    Return the weeks that such a run had decided on, and those of which the public files did not tell as recorded.
    """
    published = read_public_database(home.public)
    if published:
        with database.transaction(connection):
            releases = ledger.list_published_releases(connection, published)
            ledger.take_over(connection, releases, published.weekly_counts)
    killed = {each.week for each in ledger.read_releases(connection) if not each.published}
    lagging = find_lagging_weeks(connection, home)
    if killed or lagging:
        _write_files(connection, home, pack)
    return killed, lagging


@contextlib.contextmanager
def _add_finished(finished: set[str]) -> Iterator[None]:
    """Add to a refusal what was done all the same."""
    try:
        yield
    except ReleaseRefused as error:
        if not finished:
            raise
        weeks = ", ".join(sorted(finished))
        raise ReleaseRefused(f"{error}. The public files of {weeks} were not finished; they are now") from error


def _write_files(connection: duckdb.DuckDBPyConnection, home: Home, pack: Pack) -> None:
    """Build the public files anew from the record. The database takes its place last, and so ends the work."""
    new = name_temporary(home.public)
    about = (version("calfwatch"), pack.complaint, METHOD, pack.disclaimer, ledger.list_time_zones(connection))
    try:
        write_public_database(new, ledger.read_public_rows(connection, about))
        public_page.write_public_pages(new)
        put_in_place(new, home.public, public_page.READABLE)
    finally:
        new.unlink(missing_ok=True)
    with database.transaction(connection):
        ledger.mark_published(connection)


def describe_releases(connection: duckdb.DuckDBPyConnection, home: Home) -> tuple[str, list[str]]:
    """Return words about the last release for `status`, empty before the first, and what needs attention."""
    releases = ledger.read_releases(connection)
    if not releases:
        return "", []
    released = [each for each in releases if each.status == RELEASED]
    last = max(released, key=lambda each: (each.released_on, each.week_start), default=None)
    told = f"last {last.week} on {last.released_on}" if last else "none"
    others = {status: sum(each.status == status for each in releases) for status in (HELD_BACK, WITHDRAWN)}
    rest = "".join(f", {number} {status.replace('_', ' ')}" for status, number in others.items() if number)
    lagging = sorted(find_lagging_weeks(connection, home))
    mend = [f"public files lack what was decided on {', '.join(lagging)}; `calfwatch release` finishes it"]
    return f"{told}; {pluralise(len(released), 'week')} released{rest}", mend if lagging else []
