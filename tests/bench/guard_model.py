"""What the guards between files count, worked out a second time, in Python and without a database.

`Memory` holds one sender's stored reports as dicts. tests/store/test_guard_model.py holds it against the store's SQL;
guard_alarms.py judges thousands of histories with it. Ids stand once in a file, and every row is accepted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from pipelines.store.clocks import find_plausible_range
from pipelines.store.guards import GuardCounts

Report = Mapping[str, object]
MOMENT = ("reported_at", "stated_date")
CONTENT = ("region", "age_band", "sex", "pain_score", "duration_days", "answered", "yes")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
BEFORE = timedelta(days=28)


def day_of(report: Report) -> date:
    """Return the day of a report, in UTC."""
    stated, moment = report["stated_date"], report["reported_at"]
    assert isinstance(moment, datetime)
    return stated if isinstance(stated, date) else moment.date()


def content_of(report: Report) -> tuple[object, ...]:
    """Return what a report says, without when."""
    return tuple(report[name] for name in CONTENT)


def plain_id(report_id: str) -> str:
    """Return an id without what spreadsheets and data frames do to it."""
    if found := re.fullmatch(r"(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01])", report_id):
        return f"{found[2].lstrip('0')}-{MONTHS[int(found[1]) - 1]}"
    if re.fullmatch(r"[0-9]+([.]0+)?", report_id):
        whole = report_id.partition(".")[0]
        digits = whole.lstrip("0")
        return (digits[:15] + "0" * (len(digits) - 15) if len(whole) > 15 else digits) or "0"
    return report_id.lstrip("0").lower()


@dataclass
class Memory:
    """A sender's stored reports by id, and of its accepted files the last moment, rows and rows moved."""

    cumulative: bool = False
    stored: dict[str, Report] = field(default_factory=dict)
    files: list[tuple[datetime, int, int]] = field(default_factory=list)

    def count(self, reports: Mapping[str, Report]) -> GuardCounts:
        """Count how a file, its reports by stored id, stands to what is stored."""
        if not self.stored:
            return GuardCounts(len(reports))
        named = [(self.stored[key], new) for key, new in reports.items() if key in self.stored]
        moved = [(old, new) for old, new in named if day_of(old) != day_of(new)]
        same_plain_id, same_content = self._count_rewritten(reports)
        lacking, covered = self._find_lacking(reports)
        last = max(_moments(reports))
        before = [(rows, moves) for end, rows, moves in self.files if end > last - BEFORE]
        return GuardCounts(
            rows=len(reports),
            rows_before=sum(rows for rows, _ in before),
            moved_before=sum(moves for _, moves in before),
            moved=len(moved),
            exchanged=sum(content_of(old) != content_of(new) for old, new in moved),
            same_plain_id=same_plain_id,
            same_content=same_content,
            removed=len(lacking),
            covered=covered,
        )

    def take(self, reports: Mapping[str, Report], counts: GuardCounts) -> None:
        """Store a file that was counted."""
        for key in self._find_lacking(reports)[0]:
            del self.stored[key]
        self.stored.update(reports)
        self.files.append((max(_moments(reports)), len(reports), counts.moved))

    def _count_rewritten(self, reports: Mapping[str, Report]) -> tuple[int, int]:
        new = {key: report for key, report in reports.items() if key not in self.stored}
        others = {key: report for key, report in self.stored.items() if key not in reports}
        known = {(plain_id(key), day_of(report)) for key, report in others.items()}
        once_new, once_stored = (
            {content for content, times in Counter(map(_whole, each.values())).items() if times == 1}
            for each in (new, others)
        )
        plain = sum((plain_id(key), day_of(report)) in known for key, report in new.items())
        return plain, len(once_new & once_stored)

    def _find_lacking(self, reports: Mapping[str, Report]) -> tuple[Sequence[str], int]:
        """Return the ids of the stored reports of a whole list's days that it lacks, and how many these days have."""
        if not self.cumulative or not self.stored:
            return [], 0
        days, clock = (
            find_plausible_range(sorted(Counter(map(day_of, each.values())).items())) for each in (reports, self.stored)
        )
        if days is None or clock is None or days[1] < clock[1]:
            return [], 0
        covered = [key for key, report in self.stored.items() if days[0] <= day_of(report) <= days[1]]
        return [key for key in covered if key not in reports], len(covered)


def _whole(report: Report) -> tuple[object, ...]:
    return (*(report[name] for name in MOMENT), *content_of(report))


def _moments(reports: Mapping[str, Report]) -> list[datetime]:
    return [moment for report in reports.values() if isinstance(moment := report["reported_at"], datetime)]
