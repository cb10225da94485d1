"""What the store counts for the guards gives the verdicts of a second reading in Python: tests/bench/guard_model.py."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from pipelines.settings import Settings, Source
from pipelines.store import daily_counts, database, guards, ledger, load
from pipelines.store.database import Home
from pipelines.store.guards import GuardCounts
from pipelines.store.ledger import Attempt, Group, NewEntry, Outcome
from schemas.checked_file import (
    BAD_CELLS,
    RAW_LINES,
    ROWS_LEFT_OUT,
    CheckedBlock,
    CheckedFile,
    RowCounts,
    make_accepted_schema,
)
from schemas.pack import Pack
from tests.bench.guard_alarms import File, Kind, Report, make_history, stored_reports
from tests.bench.guard_model import Memory
from tests.support.drawing import spread

KINDS = [Kind(*marks) for marks in itertools.product((True, False), repeat=3)]
EXACT = ("rows", "moved", "exchanged", "removed", "covered")  # the others are counted where they could decide


def spoil(random: np.random.Generator, file: File) -> File:
    """Return a file as it comes when ids restart, are written anew, or are new ones; or as it was; or a part of it."""
    match random.integers(6):
        case 0:
            ids = map(str, itertools.count(1))
        case 1:
            ids = (str(report["id"]).zfill(5) for report in file.reports)
        case 2:
            ids = (f"{report['id']}.0" for report in file.reports)
        case 3:
            ids = (f"new-{report['id']}" for report in file.reports)
        case 4:
            return File(file.name, file.reports[: 1 + len(file.reports) // 2])
        case _:
            return file
    return File(file.name, [report | {"id": each} for report, each in zip(file.reports, ids, strict=False)])


def checked_file(reports: Mapping[str, Report], source: str, number: int, pack: Pack) -> CheckedFile:
    schema, rows = make_accepted_schema(pack), list(reports.values())
    values = {"report_id": list(reports), "line_number": list(range(2, len(rows) + 2))}
    columns = [values.get(name) or [report.get(name, 0) for report in rows] for name in schema.names]
    accepted = pa.table([pa.array(c, t) for c, t in zip(columns, schema.types, strict=True)], schema=schema)
    times = [report["reported_at"] for report in rows]
    counts = RowCounts(len(rows), first=min(times), last=max(times))  # type: ignore[type-var]
    block = CheckedBlock(accepted, BAD_CELLS.empty_table(), RAW_LINES.empty_table())
    return CheckedFile(f"{source}-{number}", source, counts, ROWS_LEFT_OUT.empty_table(), [block])


def store(connection: duckdb.DuckDBPyConnection, checked: CheckedFile, source: Source, pack: Pack) -> GuardCounts:
    """Load a file and keep it, whatever a guard would say."""
    attempt = Attempt(checked.file_id, checked.file_id, source.name, "", pack.version, "test")
    with database.transaction(connection):
        number = ledger.find_next_delivery_no(connection, [attempt])
        group = Group(source, pack, {number: checked})
        counts = load.load_files(connection, group)[number].counts
        outcome = Outcome(
            attempt.path, source.name, "accepted", attempt.file_id, rows_read=counts.rows, rows_moved=counts.moved
        )
        reported = (checked.counts.first, checked.counts.last)
        ledger.write(connection, [NewEntry(attempt, outcome, number, reported)])
        load.supersede(connection, group)
        daily_counts.add_changes(connection, Settings(threads=1), group)
    return counts


def spoiled_history(random: np.random.Generator, kind: Kind) -> Iterator[File]:
    for place, file in enumerate(make_history(random, kind)):
        if len(file.reports) < 400:
            yield spoil(random, file) if place else file


@pytest.mark.parametrize("kind", spread(KINDS, 4), ids=lambda kind: kind.name)
def test_the_store_counts_what_a_second_reading_counts(kind: Kind, home: Home, pack: Pack) -> None:
    home.make()
    source = Source("s", report_ids="per_file" if kind.per_file else "for_ever", cumulative=kind.cumulative)
    rejected = 0
    with home.lock(0), database.open_records(home, Settings(threads=1), pack) as connection:
        memory = Memory(kind.cumulative)
        for number, file in enumerate(spoiled_history(np.random.default_rng(KINDS.index(kind) + 49), kind)):
            reports = stored_reports(file, kind)
            expected = memory.count(reports)
            memory.take(reports, expected)
            checked = checked_file(reports, source.name, number, pack)
            counts = store(connection, checked, source, pack)
            assert [getattr(counts, name) for name in EXACT] == [getattr(expected, name) for name in EXACT]
            verdict = guards.judge(counts, checked, source)
            assert verdict == guards.judge(expected, checked, source)
            rejected += verdict is not None
    assert rejected or (kind.per_file and not kind.cumulative), "a history without a rejection shows little"


@pytest.mark.parametrize("covered", [100, 1000])
def test_a_whole_list_may_lack_exactly_the_share_that_is_allowed(covered: int) -> None:
    most = round(covered * guards.SHARE_REMOVED)
    assert most == covered * guards.SHARE_REMOVED >= guards.FEWEST_REMOVED
    assert guards.find_removed_records(guards.GuardCounts(covered, removed=most, covered=covered)) is None
    told = guards.find_removed_records(guards.GuardCounts(covered, removed=most + 1, covered=covered))
    assert told is not None
    assert f"lacks {most + 1:,} of the {covered:,} stored records" in told.reason
