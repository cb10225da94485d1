"""How often the guards between files reject an honest history: python -m tests.bench.guard_alarms [HISTORIES [KIND]].

A history is six weekly files of one sender, of a size drawn from 1 to 60 reports a week, with late reports (1 in 20),
corrected answers (1 in 30) and corrected days (1 in 300). Detailed reports have a time, a person and 24 answers; coarse
ones a date, one of three regions and two answers. Files hold a week's reports, or all so far; ids hold for ever, or
count from 1 in each file, and then corrections come as the file sent again under its name. Every file goes through the
store's own load and guards; the reading of a CSV is left out, and so are the tags, which no verdict of a guard reads.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from pipelines.errors import FileRejected
from pipelines.settings import Settings, Source
from pipelines.store import database, guards, ledger, load
from pipelines.store.ledger import Attempt, Group, NewEntry, Outcome
from schemas.checked_file import (
    BAD_CELLS,
    RAW_LINES,
    ROWS_LEFT_OUT,
    CheckedBlock,
    CheckedFile,
    RowCounts,
    accepted_schema,
    per_file_id,
)
from schemas.pack import Pack, load_pack
from schemas.record_layout import TAG_COLUMNS

WEEKS = 6
FIRST = datetime.fromisoformat("2026-06-01T00:00:00+00:00")
SIZES = (1, 3, 10, 30, 60)
Report = dict[str, object]


@dataclass(frozen=True)
class Kind:
    """A kind of history."""

    detailed: bool
    cumulative: bool
    per_file: bool

    @property
    def name(self) -> str:
        words = ("detailed" if self.detailed else "coarse", "cumulative" if self.cumulative else "once")
        return " ".join((*words, "ids per file" if self.per_file else "ids for ever"))


@dataclass(frozen=True)
class File:
    """One file of a history: its name and reports, `id` being the sender's number."""

    name: str
    reports: list[Report]


def make_report(random: np.random.Generator, kind: Kind, number: int, week: int) -> Report:
    day = FIRST + timedelta(7 * week + int(random.integers(7)))
    report: Report = {"id": str(number), "region": f"r{random.integers(8 if kind.detailed else 3)}"}
    if not kind.detailed:
        return report | {"reported_at": day + timedelta(hours=12), "stated_date": day.date(), "answered": 3} | {
            "yes": int(random.integers(4)), "age_band": 0, "sex": 0, "pain_score": None, "duration_days": None
        }  # fmt: skip
    answered = int(random.integers(1 << 24)) | int(random.integers(1 << 24))
    return report | {
        "reported_at": day + timedelta(minutes=int(random.integers(1440))),
        "stated_date": None,
        "age_band": int(random.integers(7)),
        "sex": int(random.integers(3)),
        "pain_score": int(random.integers(11)),
        "duration_days": int(random.geometric(0.1)),
        "answered": answered,
        "yes": answered & int(random.integers(1 << 24)) & int(random.integers(1 << 24)),
    }


def correct(random: np.random.Generator, report: Report) -> Report:
    """Return the report with another answer; one in ten has another day instead."""
    if random.random() < 0.1:
        moved = timedelta(int(random.integers(1, 4)))
        stated = report["stated_date"]
        later = {"stated_date": stated + moved} if isinstance(stated, date) else {}
        assert isinstance(report["reported_at"], datetime)
        return report | {"reported_at": report["reported_at"] + moved} | later
    assert isinstance(report["yes"], int)
    return report | {"yes": report["yes"] ^ 1, "answered": 3 | int(str(report["answered"]))}


def make_history(random: np.random.Generator, kind: Kind) -> Iterator[File]:
    """Yield the files of an honest sender in delivery order."""
    mean = int(random.choice(SIZES))
    known: list[Report] = []
    sent: list[list[Report]] = []
    for week in range(WEEKS):
        for place, report in enumerate(known):
            if random.random() < 1 / 30:
                known[place] = correct(random, report)
        changed = [new for new, old in zip(known, itertools.chain(*sent), strict=False) if new != old]
        fresh = []
        for _ in range(max(1, random.poisson(mean))):
            late = week and random.random() < 1 / 20
            number = len(known) + len(fresh) + 1
            fresh.append(make_report(random, kind, number, week - 1 if late else week))
        if kind.per_file:
            yield from _per_file(random, kind, week, fresh, known)
            known += fresh
            continue
        known += fresh
        sent = [list(known)]
        yield File(f"w{week}.csv", list(known) if kind.cumulative else [*fresh, *changed])


def _per_file(
    random: np.random.Generator, kind: Kind, week: int, fresh: list[Report], known: list[Report]
) -> Iterator[File]:
    """Yield a week's file, of which ids count from 1; and one time in five sent again with corrections and more rows.

    A cumulative sender has one file, which grows.
    """
    reports = [*known, *fresh] if kind.cumulative else fresh
    numbered = [report | {"id": str(number)} for number, report in enumerate(reports, 1)]
    name = "all.csv" if kind.cumulative else f"w{week}.csv"
    yield File(name, numbered)
    if random.random() < 0.2:
        more = make_report(random, kind, len(numbered) + 1, week)
        again = [correct(random, report) if random.random() < 1 / 30 else report for report in numbered]
        yield File(name, [*again, more] if not kind.cumulative else again)


def checked_file(file: File, source: Source, pack: Pack, number: int) -> CheckedFile:
    schema = accepted_schema(pack)
    reports = file.reports
    ids = [per_file_id(file.name, str(r["id"])) if source.report_ids == "per_file" else r["id"] for r in reports]
    values = {"report_id": ids, "line_number": list(range(2, len(reports) + 2))}
    columns = [values.get(name) or [report.get(name, 0) for report in reports] for name in schema.names]
    accepted = pa.table([pa.array(c, t) for c, t in zip(columns, schema.types, strict=True)], schema=schema)
    times = [report["reported_at"] for report in reports]
    counts = RowCounts(len(reports), first=min(times), last=max(times))  # type: ignore[type-var]
    block = CheckedBlock(accepted, BAD_CELLS.empty_table(), RAW_LINES.empty_table())
    return CheckedFile(f"{source.name}-{number}", source.name, counts, ROWS_LEFT_OUT.empty_table(), [block])


def is_rejected(connection: duckdb.DuckDBPyConnection, source: Source, checked: CheckedFile, pack: Pack) -> bool:
    """Load a file as ingest does; return whether a guard rejects it."""
    attempt = Attempt(checked.file_id, checked.file_id, source.name, "", pack.version, "bench")
    try:
        with database.transaction(connection):
            number = ledger.next_delivery_no(connection, [attempt])
            group = Group(source, pack, {number: checked})
            loaded = load.load_files(connection, group)[number]
            if rejection := guards.judge(loaded.counts, checked, source):
                raise FileRejected(rejection.reason)
            outcome = Outcome(
                attempt.path, source.name, "accepted", checked.file_id, rows_read=checked.counts.rows,
                rows_moved=loaded.counts.moved,
            )  # fmt: skip
            reported = (checked.counts.first, checked.counts.last)
            ledger.write(connection, [NewEntry(attempt, outcome, number, reported)])
            load.supersede(connection, group)
    except FileRejected as error:
        print(f"  {source.name}: {error.reason[:110]}", flush=True)
        return True
    return False


def measure(kind: Kind, histories: int, seed: int, home: database.Home, pack: Pack) -> tuple[int, int]:
    """Return how many histories met a guard, and the number of files."""
    alarms = files = 0
    with home.lock(0), database.open_records(home, Settings(threads=1), pack) as connection:
        for number in range(histories):
            random = np.random.default_rng([seed, number])
            source = Source(
                f"{kind.name.replace(' ', '-')}-{number}",
                report_ids="per_file" if kind.per_file else "for_ever",
                cumulative=kind.cumulative,
            )
            rejected = False
            for place, file in enumerate(make_history(random, kind)):
                files += 1
                rejected |= is_rejected(connection, source, checked_file(file, source, pack, place), pack)
            alarms += rejected
            if not (number + 1) % 25:
                print(f"  {kind.name}: {alarms} of {number + 1} histories rejected", flush=True)
            for table in ("records", "superseded", "files"):
                connection.execute(f"DELETE FROM {table}")
    return alarms, files


def without_tags(_: Pack, relation: str) -> str:
    """Return the SELECT of rows of which every tag is 0."""
    return f"SELECT *, {', '.join(f'0 AS {name}' for name in TAG_COLUMNS)} FROM {relation}"


def main(histories: int, only: str = "") -> None:
    pack = load_pack()
    load.tag_sql = without_tags  # type: ignore[assignment]
    print("| kind of history | histories | files | rejected histories | seconds |", flush=True)
    for seed, marks in enumerate(itertools.product((True, False), repeat=3)):
        kind = Kind(*marks)
        if not kind.name.startswith(only):
            continue
        with tempfile.TemporaryDirectory() as folder:
            home = database.Home(Path(folder) / "home")
            home.make()
            began = time.monotonic()
            alarms, files = measure(kind, histories, seed, home, pack)
        print(f"| {kind.name} | {histories} | {files} | {alarms} | {time.monotonic() - began:.0f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, *sys.argv[2:])
