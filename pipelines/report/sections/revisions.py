"""The published weeks whose numbers have changed since, and the section that states them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.pages.document import Block, DataFiles, Row, Section, Table
from pipelines.pages.labels import label_series
from pipelines.pages.values import Cell, Column, Kind, Text, ThenNow, format_cell
from pipelines.report.rows import Revision
from pipelines.report.week import WEEKS_SHOWN, WeekTables
from pipelines.report.wording import REVISIONS_LEAD
from schemas.pack import Pack

REVISIONS_SHOWN = 12
TITLE = "What has changed since it was published"


@dataclass(frozen=True)
class RevisedWeek:
    """What became of one published week: all reports, the emergencies, and the other series that moved most.

    is_compared: False for a week that is cut otherwise now; nothing is known of what is not in `rows` then.
    """

    week: str
    rows: Sequence[Revision]

    def find(self, series: str) -> Revision | None:
        """Return the change of one series; None if its count did not change."""
        return next((row for row in self.rows if row.series == series), None)

    @property
    def is_compared(self) -> bool:
        """Whether the counts of now could be compared with those of the report."""
        return not any((row.reason or "").startswith("not compared") for row in self.rows)

    @property
    def reasons(self) -> list[str]:
        """Why the week changed, each reason once."""
        return sorted({reason for row in self.rows if row.reason for reason in row.reason.split(", ")})

    @property
    def moved_most(self) -> Revision | None:
        """The series that changed most, besides all reports and the emergencies."""
        others = [row for row in self.rows if row.series not in ("all", "triage_level=emergency")]
        return max(others, key=lambda row: (abs(row.difference or row.as_reported), row.series), default=None)


def find_revised_weeks(tables: WeekTables) -> list[RevisedWeek]:
    """Return the published weeks whose numbers have changed since, the latest first."""
    by_week: dict[date, list[Revision]] = {}
    for row in tables.revisions:
        by_week.setdefault(row.week_start, []).append(row)
    return [RevisedWeek(rows[0].week, rows) for _, rows in sorted(by_week.items(), reverse=True)]


def make_revision_section(tables: WeekTables, pack: Pack) -> Section:
    """State the published weeks that have changed."""
    columns = (
        Column("Week"),
        Column("All reports: then, now"),
        Column("Emergencies: then, now"),
        Column("Counts changed", Kind.COUNT),
        Column("Moved most, besides"),
        Column("Why"),
    )
    weeks = find_revised_weeks(tables)
    rows = [_make_row(week, pack) for week in weeks]
    empty = f"No change of a published week is recorded among the last {WEEKS_SHOWN} weeks."
    table = Table("revisions", columns, rows, empty=empty, most=REVISIONS_SHOWN, thing="week")
    blocks: list[Block] = [table, DataFiles(("weekly_revisions",))]
    lead = REVISIONS_LEAD if weeks else ""
    return Section("revisions", TITLE, blocks, lead, short="Changed since", brief=True)


def _make_row(week: RevisedWeek, pack: Pack) -> Row:
    most = week.moved_most
    moved = f"{label_series(most.series, pack)}: {_format_then_and_now(most)}" if most else ""
    cells = (
        week.week,
        _make_then_and_now(week, "all"),
        _make_then_and_now(week, "triage_level=emergency"),
        len(week.rows),
        Text(moved),
        "; ".join(week.reasons),
    )
    return Row(cells, key=week.week)


def _make_then_and_now(week: RevisedWeek, series: str) -> Cell:
    if found := week.find(series):
        return ThenNow(found.as_reported, found.as_known_now)
    return "as published" if week.is_compared else None


def _format_then_and_now(row: Revision) -> str:
    return format_cell(ThenNow(row.as_reported, row.as_known_now), Kind.COUNT)
