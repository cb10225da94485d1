"""The section on triage levels: their weeks as columns."""

from __future__ import annotations

from pipelines.pages.charts import Look, Series
from pipelines.pages.document import Block, Chart, DataFiles, Folded, Layout, LegendEntry, Section, Table
from pipelines.pages.labels import LEVELS
from pipelines.pages.plots import WeeklyColumns
from pipelines.pages.values import Column, Kind
from pipelines.report.curves import count_series
from pipelines.report.trends import week_rows
from pipelines.report.week import WEEKS_SHOWN, WeekTables
from pipelines.report.wording import LEVELS_LEAD

LEVEL_LEGEND = tuple(LegendEntry(label, name) for name, label in LEVELS.items())


def level_section(tables: WeekTables) -> Section:
    """State the triage levels of the weeks shown; this week's stand among the key numbers."""
    blocks: list[Block] = [_level_chart(tables), _trend_table(tables), DataFiles(("weekly_triage",))]
    return Section("triage", f"Triage levels over {WEEKS_SHOWN} weeks", blocks, LEVELS_LEAD, short="Triage levels")


def _level_chart(tables: WeekTables) -> Chart:
    series = [Series(label, name, count_series(tables, f"triage_level={name}")) for name, label in LEVELS.items()]
    signs = "Emergencies at the bottom. The short bar under the axis marks this week."
    return Chart(
        "triage",
        "Reports a week by triage level",
        WeeklyColumns(tables.axis, series, Look((560, 180))),
        caption=f"{signs} {_gaps_in_words(tables)}".strip(),
        legend=LEVEL_LEGEND,
    )


def _gaps_in_words(tables: WeekTables) -> str:
    """How many of the weeks shown are gaps; empty where none is."""
    missing = sum(day not in tables.covered for day in tables.starts)
    if not missing:
        return ""
    covered = f"{missing} of the {WEEKS_SHOWN} weeks {'is' if missing == 1 else 'are'} covered by no file"
    return f"{covered} and shown as dashed gaps; a gap is not a zero."


def _trend_table(tables: WeekTables) -> Folded:
    columns = (Column("Week"), *(Column(label, Kind.COUNT) for label in LEVELS.values()))
    rows = week_rows(tables, *(count_series(tables, f"triage_level={name}") for name in LEVELS))
    return Folded(f"The {WEEKS_SHOWN} weeks as a table", [Table("trend", columns, rows, layout=Layout.TIGHT)])
