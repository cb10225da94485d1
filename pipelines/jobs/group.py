"""Ingest a group of files of one source: known? -> checked files or rejections -> one transaction -> outcomes.

A transaction holds whole files, in delivery order. A file that must not be stored beside those before it is taken out,
and what follows it is judged again: so every verdict is that of files ingested one by one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version

import duckdb

from pipelines.errors import FileRejected
from pipelines.intake.adapters import Adapter, answer_columns, load_adapter
from pipelines.intake.batch_screening import Alone, screen_batch
from pipelines.intake.block_checker import Rules
from pipelines.intake.buffer import BufferedBlocks
from pipelines.intake.deliveries import CHANGED, Delivery, has_changed
from pipelines.intake.opening import open_delivery
from pipelines.intake.reader import PrefetchingReader
from pipelines.intake.screening import TOO_LARGE, screen_file
from pipelines.intake.small_files import SmallFile
from pipelines.settings import Settings, Source
from pipelines.store import clocks, daily_counts, guards, ledger, load
from pipelines.store.database import Home, transaction
from pipelines.store.group import Group
from pipelines.store.ledger import Attempt, Entry, Outcome
from pipelines.store.load import LoadedRows
from schemas.checked_file import DUPLICATE, CheckedFile, Rejection
from schemas.pack import Pack


@dataclass(frozen=True)
class Run:
    """What every file of a run needs. `whole`: a file without a last line end is no unfinished upload."""

    home: Home
    settings: Settings
    pack: Pack
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    whole: bool = False


@dataclass(frozen=True)
class Member:
    """A file of a group: read, if it is small, and what is known of it so far; Alone if it is still to be judged."""

    delivery: Delivery
    small: SmallFile | None = None
    verdict: CheckedFile | Rejection | Alone = field(default_factory=Alone)


@dataclass(frozen=True)
class Candidate:
    """A file as it comes to its transaction: what became of it already, or what may be stored, or why nothing may."""

    delivery: Delivery
    attempt: Attempt
    verdict: CheckedFile | Rejection | Outcome
    has_changed: Callable[[], bool] = lambda: False


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
        part = _cut(waiting, limit)
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


def _cut(waiting: Sequence[Member], limit: int) -> list[Member]:
    """Return the files of the next transaction: not two of the same content, and alone what needs it.

    A whole list of its days takes out what it lacks: what earlier files of the group brought must be stored by then.
    """
    part = [waiting[0]]
    seen = {waiting[0].small.file_id} if waiting[0].small else set()
    if not waiting[0].small or waiting[0].delivery.source.cumulative:
        return part
    for member in waiting[1:limit]:
        needs_earlier = isinstance(member.verdict, Alone) and member.verdict.needs_earlier
        if not member.small or needs_earlier or member.small.file_id in seen:
            break
        part.append(member)
        seen.add(member.small.file_id)
    return part


def _ingest_part(
    connection: duckdb.DuckDBPyConnection, part: Sequence[Member], run: Run, prefetched: PrefetchingReader | None
) -> list[Outcome]:
    """Store some files by one transaction. Raises StruckError, or OutOfMemoryException, if not all of them can be."""
    with contextlib.ExitStack() as held:
        rules = make_rules(part[0].delivery.source, run)
        candidates = _compare_forms(
            connection, _find_candidates(connection, part, Judge(rules, run, held, prefetched)), run
        )
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


def make_rules(source: Source, run: Run) -> Rules:
    """Return what a source's files are checked against. Raises UsageError if its adapter cannot be read."""
    return Rules(source, load_adapter(source, run.home.path), run.pack, run.settings)


@dataclass(frozen=True)
class Judge:
    """What judging a file alone needs; `held` closes what it keeps until the file is stored."""

    rules: Rules
    run: Run
    held: contextlib.ExitStack
    prefetched: PrefetchingReader | None = None

    def judge(self, connection: duckdb.DuckDBPyConnection, member: Member) -> Candidate:
        """Read and check a file that was not screened with others."""
        run, rules = self.run, self.rules
        answers = answer_columns(rules.adapter, run.pack)
        delivery, refuse = member.delivery, run.home.refuse_as_delivery
        with open_delivery(delivery, run.settings, answers, self.prefetched, refuse) as opened:
            attempt = self.attempt(delivery, opened.file_id)
            verdict: CheckedFile | Rejection | Outcome | None = ledger.find(connection, [attempt])[0]
            if verdict is None and member.small and member.small.file_id != attempt.file_id:
                verdict = Rejection(CHANGED, is_passing=True)
            if verdict is None:
                blocks = self.held.enter_context(contextlib.closing(BufferedBlocks(run.home.scratch)))
                verdict = screen_file(opened, rules, blocks, ledger.find_earlier_ids(connection, rules.source.name))
            return Candidate(delivery, attempt, verdict, opened.has_changed)

    def attempt(self, delivery: Delivery, file_id: str | None) -> Attempt:
        """Return the try of a content, or of a file that cannot be read."""
        path, run = delivery.path, self.run
        tried_with = fingerprint(self.rules.adapter, self.rules.source, run)
        known_by = file_id or ledger.unread_id(path)
        return Attempt(
            known_by, ledger.path_text(path), self.rules.source.name, tried_with, run.pack.version, run.run_id
        )


def fingerprint(adapter: Adapter, source: Source, run: Run) -> str:
    """Return what changes if a rejected file could fare otherwise: settings, adapter, rule pack or version."""
    settings = run.settings
    parts = [asdict(source), adapter.digest, settings.max_quarantined_share, settings.max_expansion]
    parts += [run.pack.version, version("calfwatch"), run.whole]
    parts += [[each.name, each.patterns] for each in settings.sources]  # a file may be another source's then
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _find_candidates(connection: duckdb.DuckDBPyConnection, part: Sequence[Member], judge: Judge) -> list[Candidate]:
    """Find what the ledger knows already; judge alone what is not judged yet."""
    if part[0].small is None:
        return [judge.judge(connection, part[0])]
    first = judge.attempt(part[0].delivery, part[0].small.file_id)
    attempts = [
        replace(first, file_id=member.small.file_id, path=ledger.path_text(member.delivery.path))
        for member in part
        if member.small
    ]
    candidates = []
    for member, attempt, known in zip(part, attempts, ledger.find(connection, attempts), strict=True):
        if known is None and isinstance(member.verdict, Alone):
            candidates.append(judge.judge(connection, member))
        else:
            candidates.append(_candidate(member, attempt, known))
    return candidates


def _candidate(member: Member, attempt: Attempt, known: Outcome | None) -> Candidate:
    assert known or not isinstance(member.verdict, Alone)
    assert member.small
    looked_at = member.small.identity
    verdict = known or member.verdict
    return Candidate(member.delivery, attempt, verdict, lambda: has_changed(member.delivery.path, looked_at))  # type: ignore[arg-type]


def _compare_forms(connection: duckdb.DuckDBPyConnection, candidates: Sequence[Candidate], run: Run) -> list[Candidate]:
    """Compare the columns and the last line end of each file with the sender's files before, those of the group too."""
    source = candidates[0].attempt.source
    columns, whole = ledger.find_last_columns(connection, source), ledger.were_whole(connection, source)
    compared = []
    for each in candidates:
        verdict = each.verdict
        if isinstance(verdict, CheckedFile) and not verdict.is_whole and not run.whole and whole:
            verdict = ledger.find_unfinished(connection, each.attempt)
        if isinstance(verdict, CheckedFile):
            gone = tuple(name for name in columns if name not in verdict.columns)
            verdict = replace(verdict, columns_gone=gone, is_whole=verdict.is_whole or run.whole)
            columns, whole = verdict.columns, verdict.is_whole and whole is not False
        compared.append(replace(each, verdict=verdict))
    return compared


def _store(connection: duckdb.DuckDBPyConnection, candidates: Sequence[Candidate], run: Run) -> list[Outcome]:
    """Store records, superseded ones, quarantine, ledger and daily counts in one transaction, or nothing."""
    attempts = [each.attempt for each in candidates if not isinstance(each.verdict, Outcome)]
    entries: list[Entry] = []
    if attempts:
        with transaction(connection):
            first = ledger.next_delivery_no(connection, attempts)
            entries = _load(connection, candidates, first, run)
    written = iter(entries)
    return [each.verdict if isinstance(each.verdict, Outcome) else next(written).outcome for each in candidates]


def _load(connection: duckdb.DuckDBPyConnection, candidates: Sequence[Candidate], first: int, run: Run) -> list[Entry]:
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


def _make_entry(candidate: Candidate, place: int, number: int, loaded: dict[int, LoadedRows], group: Group) -> Entry:
    """Return a file's row of the ledger; a verdict that may pass leaves no trace of what it was tried with."""
    attempt, verdict = candidate.attempt, candidate.verdict
    if isinstance(verdict, Rejection):
        outcome = Outcome(attempt.path, attempt.source, "rejected", attempt.file_id, verdict.reason)
        return Entry(replace(attempt, tried_with="") if verdict.is_passing else attempt, outcome, number)
    assert isinstance(verdict, CheckedFile)
    if rejection := guards.judge(loaded[number].counts, verdict, group.source):
        is_sure = len(group.files) == 1 or guards.is_counted_exactly(loaded[number].counts, verdict, group.source)
        raise StruckError(place, rejection if is_sure else None)
    try:
        outcome = _account(verdict, attempt, loaded[number])
    except FileRejected as error:
        raise StruckError(place, Rejection(error.reason, error.passing)) from error
    period = candidate.delivery.period
    text = clocks.period_text(*period) if period else None
    return Entry(attempt, outcome, number, (verdict.counts.first, verdict.counts.last), text)


def _account(checked: CheckedFile, attempt: Attempt, loaded: LoadedRows) -> Outcome:
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
        notes=guards.note(loaded.counts, checked),
    )
    if not outcome.adds_up():
        raise FileRejected(f"the accounts do not add up: {outcome}")
    return outcome


def screen_members(files: Sequence[tuple[Delivery, SmallFile | None]], run: Run, known: set[str]) -> list[Member]:
    """Screen small files of one source together, those of the same header; what is `known` need not be read again."""
    rules = make_rules(files[0][0].source, run)
    members = [Member(delivery, small) for delivery, small in files]
    alike: dict[tuple[bytes, bool], list[int]] = {}
    for place, (_, small) in enumerate(files):
        if small and small.file_id not in known:
            alike.setdefault((small.header, b'"' in small.body.data), []).append(place)
    for places in alike.values():
        chosen = [small for place in places if (small := files[place][1])]
        for place, verdict in zip(places, screen_batch(chosen, rules, run.home.scratch), strict=True):
            members[place] = replace(members[place], verdict=verdict)
    return members
