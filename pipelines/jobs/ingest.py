"""Ingest deliveries: known? -> checked file or rejection -> store -> account -> publish."""

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version

import duckdb

from pipelines.errors import FileRejected
from pipelines.intake.block_checker import Rules
from pipelines.intake.buffer import BufferedBlocks
from pipelines.intake.deliveries import CHANGED, Delivery
from pipelines.intake.layouts.adapters import Adapter, answer_columns, load_adapter
from pipelines.intake.opening import OpenDelivery, open_delivery
from pipelines.intake.reader import PrefetchingReader
from pipelines.intake.screening import TOO_LARGE, screen_file
from pipelines.jobs import publish as publish_job
from pipelines.jobs.outcome import Lines
from pipelines.settings import Settings, Source
from pipelines.store import clocks, daily_counts, database, guards, ledger
from pipelines.store.database import Home, transaction
from pipelines.store.erasing import erasure
from pipelines.store.ledger import Attempt, Outcome
from pipelines.store.load import LoadedRows, load_file
from pipelines.store.packs import configured_pack
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


def ingest_batch(
    home: Home,
    settings: Settings,
    deliveries: Sequence[Delivery],
    wait_seconds: float,
    progress: Lines,
    publish: bool = True,
    run_id: str = "",
    prefetched: PrefetchingReader | None = None,
    whole: bool = False,
) -> list[Outcome]:
    """Ingest files in delivery order behind the home's lock, and publish a snapshot.

    `prefetched` is a reader of the first file (`prefetch_first`); `whole` as in Run. Raises LockedError,
    StateError or UsageError; a rejected file raises nothing and is in the result.
    """
    configured = configured_pack(home, settings)
    progress.start(deliveries)
    outcomes = []
    with database.writing(home, settings, configured, wait_seconds) as connection:
        run = Run(home, settings, database.pack_in_use(connection, configured), run_id or uuid.uuid4().hex, whole)
        for delivery in deliveries:
            outcomes.append(ingest_file(connection, delivery, run, prefetched))
            progress.done(outcomes[-1])
        if publish:
            publish_job.publish(connection, home, settings)
    return outcomes


def ingest_file(
    connection: duckdb.DuckDBPyConnection, delivery: Delivery, run: Run, prefetched: PrefetchingReader | None = None
) -> Outcome:
    """Store one file, or reject it whole; the ledger says which. The same content again changes nothing.

    `prefetched` is used if it reads this file as it is now, and closed in any case.
    """
    source = delivery.source
    adapter = load_adapter(source, run.home.path)
    rules = Rules(source, adapter, run.pack, run.settings)
    answers = answer_columns(adapter, run.pack)
    with open_delivery(delivery, run.settings, answers, prefetched, run.home.refuse_as_delivery) as opened:
        attempt = _make_attempt(opened, rules, run)
        if known := ledger.find(connection, attempt):
            return known
        with contextlib.closing(BufferedBlocks(run.home.scratch)) as blocks:
            checked = screen_file(opened, rules, blocks, ledger.find_earlier_ids(connection, source.name))
            if isinstance(checked, CheckedFile):
                checked = _compare_form(connection, checked, attempt, run)
            if isinstance(checked, CheckedFile):
                checked = erasure.leave_out_erased(connection, checked, run.home)
            stored = checked if isinstance(checked, Rejection) else _store(connection, opened, checked, attempt, run)
    return _reject(connection, attempt, stored) if isinstance(stored, Rejection) else stored


def _make_attempt(opened: OpenDelivery, rules: Rules, run: Run) -> Attempt:
    path = opened.delivery.path
    file_id = opened.file_id or ledger.unread_id(path)
    tried_with = fingerprint(rules.adapter, rules.source, run)
    return Attempt(file_id, ledger.path_text(path), rules.source.name, tried_with, run.pack.version, run.run_id)


def fingerprint(adapter: Adapter, source: Source, run: Run) -> str:
    """Return what changes if a rejected file could fare otherwise: settings, adapter, rule pack or version."""
    settings = run.settings
    parts = [asdict(source), adapter.digest, settings.max_quarantined_share, settings.max_expansion]
    parts += [run.pack.version, version("calfwatch"), run.whole]
    parts += [[each.name, each.patterns] for each in settings.sources]  # a file may be another source's then
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _compare_form(
    connection: duckdb.DuckDBPyConnection, checked: CheckedFile, attempt: Attempt, run: Run
) -> CheckedFile | Rejection:
    """Compare a file's columns and its last line end with the sender's files before."""
    if not checked.is_whole and not run.whole and (unfinished := ledger.find_unfinished(connection, attempt)):
        return unfinished
    gone = tuple(n for n in ledger.find_last_columns(connection, attempt.source) if n not in checked.columns)
    return replace(checked, columns_gone=gone, is_whole=checked.is_whole or run.whole)


def _store(
    connection: duckdb.DuckDBPyConnection, opened: OpenDelivery, checked: CheckedFile, attempt: Attempt, run: Run
) -> Outcome | Rejection:
    """Store records, superseded ones, quarantine, ledger and daily counts in one transaction, or nothing."""
    try:
        with transaction(connection):
            delivery_no = ledger.next_delivery_no(connection, attempt)
            loaded = load_file(connection, checked, opened.delivery.source, run.pack, delivery_no)
            if rejection := guards.judge(loaded.counts, checked, opened.delivery.source):
                raise FileRejected(rejection.reason)
            outcome = _account(checked, attempt, loaded)
            ledger.write(connection, attempt, outcome, delivery_no, (checked.counts.first, checked.counts.last))
            clocks.set_period(connection, delivery_no, _period_text(opened.delivery))
            daily_counts.add_changes(connection, run.settings, run.pack, delivery_no, loaded.replaced > 0)
            if opened.has_changed():
                raise FileRejected(CHANGED, passing=True)
    except FileRejected as error:
        return Rejection(error.reason, error.passing)
    except duckdb.OutOfMemoryException:
        return Rejection(TOO_LARGE, is_passing=True)
    return outcome


def _period_text(delivery: Delivery) -> str | None:
    return clocks.period_text(*delivery.period) if delivery.period else None


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


def _reject(connection: duckdb.DuckDBPyConnection, attempt: Attempt, rejection: Rejection) -> Outcome:
    """Keep the verdict alone; one that may pass leaves no trace of what it was tried with, so it is tried again."""
    outcome = Outcome(attempt.path, attempt.source, "rejected", attempt.file_id, rejection.reason)
    if rejection.is_passing:
        attempt = Attempt(**asdict(attempt) | {"tried_with": ""})
    with transaction(connection):
        ledger.write(connection, attempt, outcome, ledger.next_delivery_no(connection, attempt))
    return outcome
