"""The files of a group as they come to their transaction: known already, or checked, or why nothing may be stored."""

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

import duckdb

from pipelines.intake.block_checker import Rules
from pipelines.intake.buffer import BufferedBlocks
from pipelines.intake.deliveries import CHANGED, Delivery, has_changed
from pipelines.intake.layouts.adapters import Adapter, find_answer_columns, load_adapter
from pipelines.intake.opening import open_delivery
from pipelines.intake.reader import PrefetchingReader
from pipelines.intake.screening import screen_file
from pipelines.intake.together.screening import Alone
from pipelines.intake.together.small_files import SmallFile
from pipelines.settings import Settings, Source
from pipelines.store import ledger
from pipelines.store.database import Home
from pipelines.store.erasing import erasure
from pipelines.store.ledger import Attempt, Outcome
from schemas.checked_file import CheckedFile, Rejection
from schemas.pack import Pack

_find_version = cache(version)  # looked up on the disk, which a file a time is too dear


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
        answers = find_answer_columns(rules.adapter, run.pack)
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
        known_by = file_id or ledger.make_unread_id(Path(delivery.address or path))
        tried_with = compute_fingerprint(self.rules.adapter, self.rules.source, run)
        return Attempt(
            known_by, _name_place(delivery), self.rules.source.name, tried_with, run.pack.version, run.run_id
        )


def _name_place(delivery: Delivery) -> str:
    """Return where a delivery lies, as the ledger keeps it."""
    return delivery.address or ledger.encode_path(delivery.path)


def compute_fingerprint(adapter: Adapter, source: Source, run: Run) -> str:
    """Return what changes if a rejected file could fare otherwise: settings, adapter, rule pack or version."""
    settings = run.settings
    parts = [asdict(source), adapter.digest, settings.max_quarantined_share, settings.max_expansion]
    parts += [run.pack.version, _find_version("calfwatch"), run.whole]
    parts += [[each.name, each.patterns] for each in settings.sources]  # a file may be another source's then
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def find_candidates(connection: duckdb.DuckDBPyConnection, part: Sequence[Member], judge: Judge) -> list[Candidate]:
    """Find what the ledger knows already; judge alone what is not judged yet."""
    if part[0].small is None:
        return [judge.judge(connection, part[0])]
    first = judge.attempt(part[0].delivery, part[0].small.file_id)
    attempts = [
        replace(first, file_id=member.small.file_id, path=_name_place(member.delivery))
        for member in part
        if member.small
    ]
    candidates = []
    for member, attempt, known in zip(part, attempts, ledger.find(connection, attempts), strict=True):
        if known is None and isinstance(member.verdict, Alone):
            candidates.append(judge.judge(connection, member))
        else:
            candidates.append(_make_candidate(member, attempt, known))
    return candidates


def _make_candidate(member: Member, attempt: Attempt, known: Outcome | None) -> Candidate:
    assert known or not isinstance(member.verdict, Alone)
    assert member.small
    looked_at = member.small.identity
    verdict = known or member.verdict
    is_changed = partial(has_changed, member.delivery.path, looked_at) if looked_at else lambda: False
    return Candidate(member.delivery, attempt, verdict, is_changed)  # type: ignore[arg-type]


def compare_forms(connection: duckdb.DuckDBPyConnection, candidates: Sequence[Candidate], run: Run) -> list[Candidate]:
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


def leave_out_erased(
    connection: duckdb.DuckDBPyConnection, candidates: Sequence[Candidate], run: Run
) -> list[Candidate]:
    """Leave out the rows of erased reports; most sources have none, which is asked once."""
    left, may_have = [], True
    for each in candidates:
        verdict = each.verdict
        if may_have and isinstance(verdict, CheckedFile):
            verdict = erasure.leave_out_erased(connection, verdict, run.home)
            may_have = erasure.has_marks(connection)
        left.append(replace(each, verdict=verdict))
    return left
