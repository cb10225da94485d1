"""The section on likely causes: how many lead, how many cannot be told apart, and the emergencies among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipelines.pages.charts import Series
from pipelines.pages.document import Block, Chart, DataFiles, Gallery, Row, Section, Table
from pipelines.pages.labels import label_causes, spell_out
from pipelines.pages.plots import SMALL, WeeklyColumns
from pipelines.pages.values import Cell, Column, Kind, Text
from pipelines.report.comparisons import make_comparison_cells, make_comparison_columns
from pipelines.report.curves import count_series
from pipelines.report.rows import CauseCount
from pipelines.report.week import WEEKS_SHOWN, WeekTables
from pipelines.report.wording import CAUSES_LEAD
from schemas.pack import UNDETERMINED, Pack


@dataclass(frozen=True)
class CauseTotals:
    """A week's reports of one likely cause: those in which it leads, and those in which another is as near (close)."""

    leading: int = 0
    close: int = 0
    undetermined: int = 0
    emergency: int = 0

    @property
    def reports(self) -> int:
        """All of them."""
        return self.leading + self.close + self.undetermined

    @staticmethod
    def of_all(totals: Mapping[str, CauseTotals]) -> CauseTotals:
        """Return the sums over all causes."""
        rows = list(totals.values())
        return CauseTotals(
            sum(row.leading for row in rows),
            sum(row.close for row in rows),
            sum(row.undetermined for row in rows),
            sum(row.emergency for row in rows),
        )


def add_up_causes(tables: WeekTables) -> dict[str, CauseTotals]:
    """Return the week's counts of each likely cause."""
    found: dict[str, CauseTotals] = {}
    for row in tables.cause_levels:
        so_far = found.get(row.likely_cause, CauseTotals())
        is_known = row.likely_cause != UNDETERMINED
        found[row.likely_cause] = CauseTotals(
            so_far.leading + (row.reports - row.close if is_known else 0),
            so_far.close + row.close,
            so_far.undetermined + (0 if is_known else row.reports),
            so_far.emergency + (row.reports if row.triage_level == "emergency" else 0),
        )
    return found


def sort_causes(tables: WeekTables, pack: Pack) -> list[CauseCount]:
    """Return this week's causes in the pack's order of danger, undetermined last."""
    places = {name: place for place, name in enumerate([*(cause.name for cause in pack.causes), UNDETERMINED])}
    return sorted(tables.now(tables.causes), key=lambda row: places.get(row.likely_cause, len(places)))


def label_cause(name: str, pack: Pack) -> str:
    """Return what a cause is called; one of another pack by its name."""
    return label_causes(pack).get(name, spell_out(name))


def make_cause_section(tables: WeekTables, pack: Pack) -> Section:
    """State the likely causes: a table, then their weeks as small charts."""
    columns = (
        Column("Likely cause, by danger"),
        Column("Emergencies", Kind.COUNT),
        Column("Reports", Kind.COUNT),
        Column("It leads", Kind.COUNT),
        Column("Not told apart", Kind.COUNT),
        *make_comparison_columns(tables),
    )
    causes, totals = sort_causes(tables, pack), add_up_causes(tables)
    rows = [_make_cause_row(tables, row, totals.get(row.likely_cause, CauseTotals()), pack) for row in causes]
    table = Table(
        "causes", columns, rows, _make_total_row(columns, totals), empty="No causes are recorded for this week."
    )
    seen = [row for row in causes if any(count_series(tables, f"likely_cause={row.likely_cause}"))]
    never = ", ".join(label_cause(row.likely_cause, pack) for row in causes if row not in seen)
    caption = f"No report in these {WEEKS_SHOWN} weeks: {never}." if never else ""
    charts = [_make_cause_chart(tables, row, pack) for row in seen]
    gallery = Gallery(charts, caption=caption, across=5, name="cause-curves")
    blocks: list[Block] = [table, *([gallery] if charts else []), DataFiles(("weekly_causes", "cause_levels"))]
    return Section("causes", "Likely causes", blocks, CAUSES_LEAD)


def _make_cause_row(tables: WeekTables, row: CauseCount, totals: CauseTotals, pack: Pack) -> Row:
    is_known = row.likely_cause != UNDETERMINED
    cells: tuple[Cell, ...] = (
        label_cause(row.likely_cause, pack),
        totals.emergency,
        row.reports,
        totals.leading if is_known else Text(""),
        totals.close if is_known else Text(""),
        *make_comparison_cells(tables, f"likely_cause={row.likely_cause}"),
    )
    return Row(cells, key=row.likely_cause, quiet=not row.reports)


def _make_total_row(columns: Iterable[Column], totals: Mapping[str, CauseTotals]) -> Row:
    found = CauseTotals.of_all(totals)
    counts: list[Cell] = ["All", found.emergency, found.reports, found.leading, found.close]
    return Row([*counts, *(Text("") for _ in list(columns)[len(counts) :])])


def _make_cause_chart(tables: WeekTables, row: CauseCount, pack: Pack) -> Chart:
    label = label_cause(row.likely_cause, pack)
    series = [Series("Reports", "plain", count_series(tables, f"likely_cause={row.likely_cause}"))]
    name = f"cause-{row.likely_cause.replace('_', '-')}"
    title = f"{label}: reports a week over {WEEKS_SHOWN} weeks"
    return Chart(name, title, WeeklyColumns(tables.axis, series, SMALL), label=label)
