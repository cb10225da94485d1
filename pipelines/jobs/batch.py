"""One batch: every file in order, then the published snapshot; and what changes the history as a whole.

These are the steps that the flows and the plain commands share; they know nothing of Prefect.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.explain.comparison import Comparison, compare
from pipelines.intake.lines import Delivery, find_deliveries
from pipelines.intake.reader import Rows
from pipelines.jobs import retag, withdraw
from pipelines.jobs.ingest import Context, Outcome, ingest_file
from pipelines.settings import Settings
from pipelines.store import database, snapshot
from pipelines.store.database import Home
from pipelines.store.packs import configured_pack
from pipelines.text import many, shown_path
from schemas.pack_file import load_pack


class Lines:
    """Tells progress as one line a file on stderr."""

    def start(self, deliveries: Sequence[Delivery]) -> None:
        """Before the first file."""

    def done(self, outcome: Outcome) -> None:
        """After each file."""
        print(describe(outcome), file=sys.stderr)


def describe(outcome: Outcome) -> str:
    """One line about a file; its path may hold anything, so it is shown without control characters."""
    path = shown_path(outcome.path)
    if outcome.status == "rejected":
        return f"rejected  {path}: {outcome.reason}"
    if outcome.status == "known":
        return f"known     {path}: {outcome.reason or 'nothing new'}"
    parts = [many(outcome.rows_read, "row"), f"{outcome.rows_accepted:,} accepted"]
    for count, word in (
        (outcome.rows_quarantined, "quarantined"),
        (outcome.rows_duplicate, "duplicate"),
        (outcome.rows_out_of_scope, "out of scope"),
        (outcome.rows_superseded, "superseding"),
    ):
        parts += [f"{count:,} {word}"] if count else []
    return f"accepted  {path}: {', '.join(parts)}"


def totals(done: Sequence[Outcome]) -> str:
    """One line about a batch."""
    new = [outcome for outcome in done if outcome.status == "accepted"]
    known = sum(outcome.status == "known" for outcome in done)
    rejected = sum(outcome.status == "rejected" for outcome in done)
    rows = sum(outcome.rows_accepted for outcome in new)
    set_aside = sum(outcome.rows_quarantined for outcome in new)
    return (
        f"{many(len(done), 'file')}: {len(new)} accepted, {known} known already, {rejected} rejected; "
        f"{many(rows, 'new record')}, {many(set_aside, 'row')} quarantined"
    )


def rejected_told(rejected: int, files: int) -> str:
    """That files were rejected, and that the others, where there are any, were not stopped by it."""
    return f"{rejected} of {many(files, 'file')} rejected" + ("; the others are done" if rejected < files else "")


def ingest_batch(
    home: Home,
    settings: Settings,
    deliveries: Sequence[Delivery],
    wait_seconds: float,
    tell: Lines,
    publish: bool = True,
    run_id: str = "",
    ahead: Rows | None = None,
) -> list[Outcome]:
    """Ingests files in delivery order behind the home's lock, and publishes a snapshot. `ahead`: as of `read_ahead`.

    Raises LockedError, StateError or UsageError; a rejected file raises nothing and is in the result.
    """
    configured = configured_pack(home, settings)
    tell.start(deliveries)
    outcomes = []
    with database.writing(home, settings, configured, wait_seconds) as connection:
        pack = database.pack_in_use(connection, configured)
        context = Context(home, settings, pack, run_id) if run_id else Context(home, settings, pack)
        for delivery in deliveries:
            outcomes.append(ingest_file(connection, delivery, context, ahead))
            tell.done(outcomes[-1])
        if publish:
            snapshot.publish(connection, home, settings)
    return outcomes


def publish_snapshot(home: Home, settings: Settings, wait_seconds: float) -> None:
    """Publishes the summaries of now."""
    pack = configured_pack(home, settings)
    with database.writing(home, settings, pack, wait_seconds) as connection:
        snapshot.publish(connection, home, settings)


def retag_history(home: Home, settings: Settings, pack_file: str | None, wait_seconds: float) -> str:
    """Tags the history with a pack file, else the configured pack, and publishes; returns what was done."""
    wanted = load_pack(Path(pack_file)) if pack_file else configured_pack(home, settings)
    with database.writing(home, settings, wanted, wait_seconds) as connection:
        text = retag.retag(connection, settings, database.pack_in_use(connection, wanted), wanted)
        snapshot.publish(connection, home, settings)
    return text


def compare_packs(home: Home, settings: Settings, before: str, after: str) -> Comparison:
    """How two packs would tag the history; each a file, or `stored` for what tagged it. Writes nothing."""
    with database.open_read_only(home, settings) as connection:
        stored = database.stored_pack(connection, database.get_state(connection, "rule_pack"))
        packs = [stored if name == "stored" else load_pack(Path(name)) for name in (before, after)]
        return compare(connection, stored, packs[0], packs[1])


def withdraw_file(
    home: Home,
    settings: Settings,
    file_id: str,
    source: str | None,
    csvs: Sequence[str],
    undo: bool,
    wait_seconds: float,
) -> str:
    """Takes a file back, or undoes that, and publishes the summaries of now; returns what was done."""
    configured = configured_pack(home, settings)
    with database.writing(home, settings, configured, wait_seconds) as connection:
        if undo:
            return withdraw.undo(connection, file_id, source)
        context = Context(home, settings, database.pack_in_use(connection, configured))
        places = find_deliveries(csvs, settings, source) if csvs else []
        text = withdraw.withdraw(connection, context, file_id, source, places)
        snapshot.publish(connection, home, settings)
    return text
