"""Ingest a group of files of one source: known? -> checked files or rejections -> one transaction -> outcomes.

A transaction holds whole files, in delivery order. A file that must not be stored beside those before it is taken out,
and what follows it is judged again: so every verdict is that of files ingested one by one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import duckdb

from pipelines.errors import FileRejected
from pipelines.intake.deliveries import CHANGED
from pipelines.intake.reader import PrefetchingReader
from pipelines.intake.screening import TOO_LARGE
from pipelines.intake.together.screening import Alone
from pipelines.jobs.candidates import (
    Candidate,
    Judge,
    Member,
    Run,
    compare_forms,
    find_candidates,
    leave_out_erased,
    make_rules,
)
from pipelines.store import clocks, daily_counts, guards, ledger, load
from pipelines.store.database import transaction
from pipelines.store.ledger import Attempt, Group, NewEntry, Outcome
from pipelines.store.load import LoadedRows
from schemas.checked_file import DUPLICATE, CheckedFile, Rejection


class StruckError(Exception):
    """A file, by its place among the candidates, must not be stored: rejected, or None if it is to be judged alone."""

    def __init__(self, place: int, rejection: Rejection | None) -> None:
        super().__init__(place)
        self.place, self.rejection = place, rejection


def ingest_members(
    connection: duckdb.DuckDBPyConnection,
    members: Sequence[Member],
    run: Run,
    prefetched: PrefetchingReader | None = None,
) -> Iterator[list[Outcome]]:
    """Store files of one source in delivery order, some in each transaction; yield their outcomes after its commit.

    `prefetched` is used if it reads the first file as it is now, and closed in any case. After a file that was taken
    out a transaction holds one file, then twice as many each time: where many are, little is done in vain.
    """
    waiting, limit, then = list(members), len(members), len(members)
    while waiting:
        part = _cut_transaction(waiting, limit)
        try:
            outcomes = _ingest_part(connection, part, run, prefetched)
        except StruckError as struck:
            limit, then = _take_out(waiting, struck), 1
            continue
        except duckdb.OutOfMemoryException:
            limit, then = 1, 1
            continue
        finally:
            prefetched = None
        yield outcomes
        waiting, limit, then = waiting[len(part) :], then, 2 * then


def _take_out(waiting: list[Member], struck: StruckError) -> int:
    """Note a verdict; return how many files the next transaction may hold."""
    if struck.rejection is None:
        return max(struck.place, 1)
    waiting[struck.place] = replace(waiting[struck.place], verdict=struck.rejection)
    return struck.place + 1


def _cut_transaction(waiting: Sequence[Member], limit: int) -> list[Member]:
    """Return the files of the next transaction: not two of the same content, alone what needs it, all tagged or none.

    A whole list of its days takes out what it lacks: what earlier files of the group brought must be stored by then.
    """
    part = [waiting[0]]
    is_tagged = _is_tagged(waiting[0])
    seen = {waiting[0].small.file_id} if waiting[0].small else set()
    if not waiting[0].small or waiting[0].delivery.source.cumulative:
        return part
    for member in waiting[1:limit]:
        needs_earlier = isinstance(member.verdict, Alone) and member.verdict.needs_earlier
        if not member.small or needs_earlier or member.small.file_id in seen or _is_tagged(member) != is_tagged:
            break
        part.append(member)
        seen.add(member.small.file_id)
    return part


def _is_tagged(member: Member) -> bool:
    return isinstance(member.verdict, CheckedFile) and member.verdict.is_tagged


def _ingest_part(
    connection: duckdb.DuckDBPyConnection, part: Sequence[Member], run: Run, prefetched: PrefetchingReader | None
) -> list[Outcome]:
    """Store some files by one transaction. Raises StruckError, or OutOfMemoryException, if not all of them can be."""
    with contextlib.ExitStack() as held:
        rules = make_rules(part[0].delivery.source, run)
        found = find_candidates(connection, part, Judge(rules, run, held, prefetched))
        candidates = leave_out_erased(connection, compare_forms(connection, found, run), run)
        try:
            return _store(connection, candidates, run)
        except StruckError as struck:
            if len(candidates) > 1:
                raise
            rejection = struck.rejection
        except duckdb.OutOfMemoryException:
            if len(candidates) > 1:
                raise
            rejection = Rejection(TOO_LARGE, is_passing=True)
        assert rejection is not None
        return _store(connection, [replace(candidates[0], verdict=rejection)], run)


def _store(connection: duckdb.DuckDBPyConnection, candidates: Sequence[Candidate], run: Run) -> list[Outcome]:
    """Store records, superseded ones, quarantine, ledger and daily counts in one transaction, or nothing."""
    attempts = [each.attempt for each in candidates if not isinstance(each.verdict, Outcome)]
    entries: list[NewEntry] = []
    if attempts:
        with transaction(connection):
            first = ledger.find_next_delivery_no(connection, attempts)
            entries = _load(connection, candidates, first, run)
    written = iter(entries)
    return [each.verdict if isinstance(each.verdict, Outcome) else next(written).outcome for each in candidates]


def _load(
    connection: duckdb.DuckDBPyConnection, candidates: Sequence[Candidate], first: int, run: Run
) -> list[NewEntry]:
    """Load the files and write their entries, inside the caller's transaction. Raises StruckError."""
    places = [place for place, each in enumerate(candidates) if not isinstance(each.verdict, Outcome)]
    numbers = {place: first + number for number, place in enumerate(places)}
    files = {numbers[place]: each for place in places if isinstance(each := candidates[place].verdict, CheckedFile)}
    group = Group(candidates[0].delivery.source, run.pack, files)
    loaded = load.load_files(connection, group) if files else {}
    entries = [_make_entry(candidates[place], place, numbers[place], loaded, group) for place in places]
    ledger.write(connection, entries)
    if files:
        load.supersede(connection, group)
        daily_counts.add_changes(connection, run.settings, group)
        for place in places:
            if numbers[place] in files and candidates[place].has_changed():
                raise StruckError(place, Rejection(CHANGED, is_passing=True))
    return entries


def _make_entry(candidate: Candidate, place: int, number: int, loaded: dict[int, LoadedRows], group: Group) -> NewEntry:
    """Return a file's row of the ledger; a verdict that may pass leaves no trace of what it was tried with."""
    attempt, verdict = candidate.attempt, candidate.verdict
    if isinstance(verdict, Rejection):
        outcome = Outcome(attempt.path, attempt.source, "rejected", attempt.file_id, verdict.reason)
        return NewEntry(replace(attempt, tried_with="") if verdict.is_passing else attempt, outcome, number)
    assert isinstance(verdict, CheckedFile)
    if rejection := guards.judge(loaded[number].counts, verdict, group.source):
        is_sure = len(group.files) == 1 or guards.is_counted_exactly(loaded[number].counts, verdict, group.source)
        raise StruckError(place, rejection if is_sure else None)
    try:
        outcome = _account_for_rows(verdict, attempt, loaded[number])
    except FileRejected as error:
        raise StruckError(place, Rejection(error.reason, error.passing)) from error
    period = candidate.delivery.period
    text = clocks.format_period(*period) if period else None
    return NewEntry(attempt, outcome, number, (verdict.counts.first, verdict.counts.last), text)


def _account_for_rows(checked: CheckedFile, attempt: Attempt, loaded: LoadedRows) -> Outcome:
    """Return what became of every row. Raises FileRejected if the accounts do not add up."""
    outcome = Outcome(
        attempt.path,
        attempt.source,
        "accepted",
        checked.file_id,
        rows_read=checked.counts.rows,
        rows_accepted=loaded.inserted,
        rows_quarantined=loaded.quarantined,
        rows_duplicate=loaded.repeated + checked.count_left_out(DUPLICATE),
        rows_out_of_scope=checked.counts.out_of_scope,
        rows_superseded=loaded.replaced,
        rows_moved=loaded.counts.moved,
        rows_removed=loaded.counts.removed,
        columns=checked.columns,
        is_whole=checked.is_whole,
        notes=guards.describe_file(loaded.counts, checked),
    )
    if not outcome.adds_up():
        raise FileRejected(f"the accounts do not add up: {outcome}")
    return outcome
