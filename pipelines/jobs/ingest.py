"""Ingest deliveries: groups of files, each group in one transaction -> publish."""

from __future__ import annotations

import contextlib
import itertools
import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import duckdb

from pipelines.intake.deliveries import Delivery
from pipelines.intake.reader import PrefetchingReader
from pipelines.intake.together.small_files import FilesAhead
from pipelines.jobs import publish as publish_job
from pipelines.jobs.candidates import Member, Run
from pipelines.jobs.fetching.objects import Objects
from pipelines.jobs.group import ingest_members
from pipelines.jobs.members import MembersAhead, read_members
from pipelines.jobs.outcome import Lines
from pipelines.jobs.prefetch import plan_groups
from pipelines.settings import Settings
from pipelines.store import database, ledger
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from pipelines.store.packs import load_configured_pack

if TYPE_CHECKING:
    from pipelines.jobs.cluster.handover import Preparer

__all__ = ["Run", "ingest_batch", "ingest_file", "ingest_group"]


def ingest_batch(
    home: Home,
    settings: Settings,
    deliveries: Sequence[Delivery],
    wait_seconds: float,
    progress: Lines,
    publish: bool = True,
    run_id: str = "",
    prefetched: PrefetchingReader | FilesAhead | None = None,
    whole: bool = False,
    preparer: Preparer | None = None,
) -> list[Outcome]:
    """Ingest files in delivery order behind the home's lock, and publish a snapshot; return an outcome a file.

    `prefetched` reads the first file or group; `whole` as in Run; a `preparer` has other machines read and check.
    Raises LockedError, StateError, UsageError or ClusterError.
    """
    configured = load_configured_pack(home, settings)
    progress.start(deliveries)
    with database.writing(home, settings, configured, wait_seconds) as connection:
        run = Run(home, settings, database.find_pack_in_use(connection, configured), run_id or uuid.uuid4().hex, whole)
        known = (objects := Objects(home)).find_known(connection, deliveries, run)
        outcomes = dict(_tell(list(known), iter([list(known.values())]), progress))
        groups = plan_groups(deliveries, known)
        parts = [[deliveries[place] for place in group] for group in groups]
        ingest = preparer.ingest if preparer else partial(_ingest_groups, prefetched=prefetched)
        ingested = ingest(connection, parts, run, objects)
        for group, (files, stored) in zip(groups, ingested, strict=True):
            outcomes.update(_tell(group, stored, progress))
            objects.note(files, [outcomes[place] for place in group])
        if publish:
            publish_job.publish_or_share(connection, home, settings)
    return [outcomes[place] for place in range(len(deliveries))]


def _tell(group: Sequence[int], stored: Iterator[list[Outcome]], progress: Lines) -> Iterator[tuple[int, Outcome]]:
    """Yield the outcomes of a group, each with the place of its file; a line appears after the commit."""
    for place, outcome in zip(group, itertools.chain.from_iterable(stored), strict=True):
        progress.done(outcome)
        yield place, outcome


def _ingest_groups(
    connection: duckdb.DuckDBPyConnection,
    groups: Sequence[Sequence[Delivery]],
    run: Run,
    objects: Objects,
    prefetched: PrefetchingReader | FilesAhead | None,
) -> Iterator[tuple[list[Delivery], Iterator[list[Outcome]]]]:
    """Yield each group, with copies of objects, and what becomes of it; the next is screened meanwhile."""
    ahead: PrefetchingReader | FilesAhead | MembersAhead | None = prefetched
    try:
        for group, following in itertools.zip_longest(groups, groups[1:], fillvalue=()):
            with objects.fetched(group) as copies:
                members, reader = _take_members(connection, copies, run, ahead)
                ahead = _begin_to_screen(connection, following, run)
                yield copies, ingest_members(connection, members, run, reader)
    finally:
        if ahead:
            ahead.close()


def _begin_to_screen(connection: duckdb.DuckDBPyConnection, group: Sequence[Delivery], run: Run) -> MembersAhead | None:
    """Screen several files ahead; what lies in a bucket is still to be fetched."""
    if len(group) < 2 or any(each.stored for each in group):
        return None
    return MembersAhead(group, run, ledger.find_known_ids(connection, group[0].source.name))


def _take_members(
    connection: duckdb.DuckDBPyConnection,
    deliveries: Sequence[Delivery],
    run: Run,
    ahead: PrefetchingReader | FilesAhead | MembersAhead | None,
) -> tuple[list[Member], PrefetchingReader | None]:
    """Return the files of a group, screened if there are several, else the reader of the one, if it has begun."""
    if isinstance(ahead, MembersAhead):
        with contextlib.closing(ahead):
            return ahead.take(), None
    if len(deliveries) == 1:
        return [Member(deliveries[0])], ahead if isinstance(ahead, PrefetchingReader) else None
    theirs = ahead if isinstance(ahead, FilesAhead) and ahead.deliveries == deliveries else None
    known = ledger.find_known_ids(connection, deliveries[0].source.name)
    return read_members(deliveries, run, known, theirs), None


def ingest_group(
    connection: duckdb.DuckDBPyConnection,
    deliveries: Sequence[Delivery],
    run: Run,
    prefetched: PrefetchingReader | FilesAhead | None = None,
) -> Iterator[list[Outcome]]:
    """Store files of one source, or reject them; the ledger says which. The same content again changes nothing.

    Yields outcomes after the commit of their transaction.
    """
    members, reader = _take_members(connection, deliveries, run, prefetched)
    return ingest_members(connection, members, run, reader)


def ingest_file(
    connection: duckdb.DuckDBPyConnection, delivery: Delivery, run: Run, prefetched: PrefetchingReader | None = None
) -> Outcome:
    """Ingest a file as a group of one."""
    ((outcome,),) = ingest_group(connection, [delivery], run, prefetched)
    return outcome
