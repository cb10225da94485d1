"""How often the guards between files reject an honest history: python -m tests.bench.guard_alarms [HISTORIES [KIND]].

A history is six weekly files of one sender, of a size drawn from 1 to 60 reports a week, with late reports (1 in 20),
corrected answers (1 in 30) and corrected days (1 in 300). Detailed reports have a time, a person and 24 answers; coarse
ones a date, one of three regions and two answers. Files hold a week's reports, or all so far; ids hold for ever, or
count from 1 in each file, and then corrections come as the file sent again under its name. The verdict is that of
`guards.judge`, over counts of guard_model.py, which a test holds against those of the store: no database is written.
"""

from __future__ import annotations

import itertools
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from pipelines.settings import Source
from pipelines.store import guards
from schemas.checked_file import ROWS_LEFT_OUT, CheckedFile, RowCounts, make_per_file_id
from tests.bench.guard_model import Memory

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


def stored_reports(file: File, kind: Kind) -> dict[str, Report]:
    """Return a file's reports by the id under which they are stored."""
    return {make_per_file_id(file.name, str(r["id"])) if kind.per_file else str(r["id"]): r for r in file.reports}


def find_rejection(files: Iterable[File], kind: Kind) -> tuple[str | None, int]:
    """Return why a guard rejects a file of a history, None if all are taken; and the number of files up to it."""
    source = Source("bench", report_ids="per_file" if kind.per_file else "for_ever", cumulative=kind.cumulative)
    memory, number = Memory(kind.cumulative), 0
    for number, file in enumerate(files, 1):
        reports = stored_reports(file, kind)
        counts = memory.count(reports)
        checked = CheckedFile(file.name, source.name, RowCounts(len(reports)), ROWS_LEFT_OUT.empty_table(), ())
        if rejection := guards.judge(counts, checked, source):
            return rejection.reason, number
        memory.take(reports, counts)
    return None, number


def main(histories: int, only: str = "") -> None:
    print("| kind of history | histories | files | rejected histories | seconds |", flush=True)
    for seed, marks in enumerate(itertools.product((True, False), repeat=3)):
        kind = Kind(*marks)
        if not kind.name.startswith(only):
            continue
        began, files, reasons = time.monotonic(), 0, Counter[str]()
        for number in range(histories):
            reason, taken = find_rejection(make_history(np.random.default_rng([seed, number]), kind), kind)
            files += taken
            reasons.update([re.sub(r"[0-9,]+", "N", reason)[:60]] if reason else [])
        seconds = time.monotonic() - began
        print(f"| {kind.name} | {histories} | {files} | {reasons.total()} | {seconds:.0f} |", flush=True)
        for reason, times in reasons.most_common():
            print(f"    {times} x {reason}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, *sys.argv[2:])
