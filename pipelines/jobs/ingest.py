"""Ingest deliveries: groups of files, each group in one transaction -> publish."""

from __future__ import annotations

import contextlib
import itertools
import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import duckdb

from pipelines.intake.deliveries import Delivery, has_changed
from pipelines.intake.reader import PrefetchingReader
from pipelines.intake.together.small_files import FilesAhead, SmallFile, read_small_file
from pipelines.jobs import publish as publish_job
from pipelines.jobs.candidates import Member, Run, make_rules
from pipelines.jobs.fetching.objects import Objects
from pipelines.jobs.group import ingest_members, screen_members
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
    """Yield each group, with copies of objects, and what becomes of it; the next one is read while one is stored."""
    reading = prefetched
    try:
        for group, following in itertools.zip_longest(groups, groups[1:], fillvalue=()):
            with objects.fetched(group) as copies:
                files, reader = _read_group(copies, run, reading)
                reading = _begin_to_read(following, run)
                yield copies, _ingest_files(connection, files, run, reader)
    finally:
        if reading:
            reading.close()


def _begin_to_read(group: Sequence[Delivery], run: Run) -> FilesAhead | None:
    """Read several files ahead; what lies in a bucket is still to be fetched."""
    if len(group) < 2 or any(each.stored for each in group):
        return None
    return FilesAhead(group, run.settings, run.home.refuse_as_delivery)


def ingest_group(
    connection: duckdb.DuckDBPyConnection,
    deliveries: Sequence[Delivery],
    run: Run,
    prefetched: PrefetchingReader | FilesAhead | None = None,
) -> Iterator[list[Outcome]]:
    """Store files of one source, or reject them; the ledger says which. The same content again changes nothing.

    Yields outcomes after the commit of their transaction.
    """
    files, reader = _read_group(deliveries, run, prefetched)
    return _ingest_files(connection, files, run, reader)


def _read_group(
    deliveries: Sequence[Delivery], run: Run, reading: PrefetchingReader | FilesAhead | None
) -> tuple[list[tuple[Delivery, SmallFile | None]], PrefetchingReader | None]:
    """Return the files of a group, read if there are several, else the reader of the one, if it has begun."""
    if len(deliveries) == 1:
        return [(deliveries[0], None)], reading if isinstance(reading, PrefetchingReader) else None
    ahead = reading if isinstance(reading, FilesAhead) and reading.deliveries == deliveries else None
    with contextlib.closing(ahead or FilesAhead(deliveries, run.settings, run.home.refuse_as_delivery)) as files:
        return [(delivery, _read_again_if_changed(delivery, files.take(), run)) for delivery in deliveries], None


def _ingest_files(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[tuple[Delivery, SmallFile | None]],
    run: Run,
    reader: PrefetchingReader | None,
) -> Iterator[list[Outcome]]:
    if len(files) == 1:
        return ingest_members(connection, [Member(files[0][0])], run, reader)
    source = files[0][0].source
    known = ledger.find_known_ids(connection, source.name, [small.file_id for _, small in files if small])
    return ingest_members(connection, screen_members(files, make_rules(source, run), run.home.scratch, known), run)


def _read_again_if_changed(delivery: Delivery, small: SmallFile | None, run: Run) -> SmallFile | None:
    """Return a file that was read ahead, or read it again: it may have changed while the run waited for its lock."""
    if small and has_changed(delivery.path, small.identity):
        return read_small_file(delivery, run.settings, run.home.refuse_as_delivery)
    return small


def ingest_file(
    connection: duckdb.DuckDBPyConnection, delivery: Delivery, run: Run, prefetched: PrefetchingReader | None = None
) -> Outcome:
    """Ingest a file as a group of one."""
    ((outcome,),) = ingest_group(connection, [delivery], run, prefetched)
    return outcome
