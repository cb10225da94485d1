"""The numbers at the top of the page, each with what it asks of the patient and what it is compared with; the weeks of
the triage levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.pages.charts import Look, Series
from pipelines.pages.document import Block, Chart, DataFiles, Folded, Layout, LegendEntry, Row, Section, Table
from pipelines.pages.labels import LEVELS
from pipelines.pages.plots import Sparkline, WeeklyColumns
from pipelines.pages.values import Cell, Column, Kind, Share, Text
from pipelines.report.comparisons import count_week_before, make_comparison_cells, make_comparison_columns
from pipelines.report.curves import count_series, list_week_rows
from pipelines.report.week import WEEKS_SHOWN, WeekTables
from pipelines.report.wording import KEY_LEAD, LEVELS_LEAD
from schemas.fields import SEVERE_PAIN
from schemas.pack import Pack

LEVEL_LEGEND = tuple(LegendEntry(label, name) for name, label in LEVELS.items())


@dataclass(frozen=True)
class KeyCount:
    """One of the numbers at the top: this week's count, out of `base`, and the weeks shown (the last one is now).

    series: what weekly_signals or weekly_indicators calls it.
    """

    name: str
    label: str
    paint: str
    base: int
    counts: Sequence[int | None]
    series: str

    @property
    def now(self) -> int:
        """This week's count."""
        return self.counts[-1] or 0


def find_key_counts(tables: WeekTables) -> dict[str, KeyCount]:
    """Return the key numbers by name in reading order, the number of reports first."""
    reports = count_series(tables, "all")
    total = reports[-1] or 0
    found = [
        KeyCount("reports", "Reports", "plain", 0, reports, "all"),
        _count_level(tables, "emergency", "Emergencies", total),
        _count_indicator(tables, "could_be_emergency", ("Could still be emergencies", "emergency"), total),
        _count_level(tables, "contact_doctor", LEVELS["contact_doctor"], total),
        _count_level(tables, "unresolved", LEVELS["unresolved"], total),
        _count_level(tables, "self_care", LEVELS["self_care"], total),
        _count_indicator(tables, "serious_signs", ("Self-care with serious signs", "self_care"), total),
        _count_indicator(tables, "severe_pain", (f"Severe pain ({SEVERE_PAIN} to 10)", "plain"), total),
    ]
    return {number.name: number for number in found}


def _count_indicator(tables: WeekTables, name: str, look: tuple[str, str], total: int) -> KeyCount:
    """A count that is no triage level; `look` is its label and its paint."""
    return KeyCount(name, *look, total, count_series(tables, name), name)


def _count_level(tables: WeekTables, name: str, label: str, total: int) -> KeyCount:
    series = f"triage_level={name}"
    return KeyCount(name, label, name, total, count_series(tables, series), series)


def make_key_number_section(tables: WeekTables, pack: Pack) -> Section:
    """State the key numbers: cards on the page, a table elsewhere."""
    columns = (
        Column("", name="name"),
        Column("What is counted, and what it asks of the patient", name="label"),
        Column("This week", Kind.COUNT, "reports"),
        Column("Share", Kind.SHARE),
        *make_comparison_columns(tables),
        Column("Week before", Kind.COUNT, "previous_week"),
    )
    numbers = list(find_key_counts(tables).values())
    table = Table(
        "key_numbers",
        columns,
        [_make_row(tables, number, pack) for number in numbers],
        layout=Layout.CARDS,
        charts=[_draw_trend(number) for number in numbers],
        charts_note=f"Small columns: the last {WEEKS_SHOWN} weeks, each on its own scale.",
        exported=True,
    )
    return Section("numbers", "Key numbers, and what each level asks", [table], KEY_LEAD)


def _make_row(tables: WeekTables, number: KeyCount, pack: Pack) -> Row:
    cells: tuple[Cell, ...] = (
        number.name,
        Text(number.label, _find_action(number, pack)),
        number.now,
        Share(number.now, number.base),
        *make_comparison_cells(tables, number.series),
        count_week_before(tables, number.series, number.now),
    )
    return Row(cells, key=number.name)


def _find_action(number: KeyCount, pack: Pack) -> str:
    """Return what the level asks of the patient; what could still be an emergency is asked about first."""
    if number.name == "could_be_emergency":
        return "Ask the open questions first. Until then an unresolved one is treated as an emergency."
    if number.name == "unresolved":
        return pack.actions["unresolved"].rstrip(":").rstrip() + "."
    if number.name == "serious_signs":
        return "Signs that can belong to a serious cause: no home care is shown for them."
    return pack.actions.get(number.name, "")


def _draw_trend(number: KeyCount) -> Chart:
    title = f"{number.label}: the last {WEEKS_SHOWN} weeks"
    return Chart(f"trend-{number.name}", title, Sparkline(number.paint, number.counts))


def make_level_section(tables: WeekTables) -> Section:
    """State the triage levels of the weeks shown; this week's stand among the key numbers."""
    blocks: list[Block] = [_draw_levels(tables), _make_trend_table(tables), DataFiles(("weekly_triage",))]
    return Section("triage", f"Triage levels over {WEEKS_SHOWN} weeks", blocks, LEVELS_LEAD, short="Triage levels")


def _draw_levels(tables: WeekTables) -> Chart:
    series = [Series(label, name, count_series(tables, f"triage_level={name}")) for name, label in LEVELS.items()]
    signs = "Emergencies at the bottom. The short bar under the axis marks this week."
    return Chart(
        "triage",
        "Reports a week by triage level",
        WeeklyColumns(tables.axis, series, Look((560, 180))),
        caption=f"{signs} {_describe_gaps(tables)}".strip(),
        legend=LEVEL_LEGEND,
    )


def _describe_gaps(tables: WeekTables) -> str:
    """Return how many of the weeks shown are gaps; empty if none is."""
    missing = sum(day not in tables.covered for day in tables.starts)
    if not missing:
        return ""
    covered = f"{missing} of the {WEEKS_SHOWN} weeks {'is' if missing == 1 else 'are'} covered by no file"
    return f"{covered} and shown as dashed gaps; a gap is not a zero."


def _make_trend_table(tables: WeekTables) -> Folded:
    columns = (Column("Week"), *(Column(label, Kind.COUNT) for label in LEVELS.values()))
    rows = list_week_rows(tables, *(count_series(tables, f"triage_level={name}") for name in LEVELS))
    return Folded(f"The {WEEKS_SHOWN} weeks as a table", [Table("trend", columns, rows, layout=Layout.TIGHT)])
