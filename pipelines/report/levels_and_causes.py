"""The sections on triage levels and likely causes."""

from __future__ import annotations

from pipelines.pages.charts import Series
from pipelines.pages.document import Beside, Block, Chart, DataFiles, Folded, Layout, LegendEntry, Row, Section, Table
from pipelines.pages.labels import LEVEL_MEANINGS, LEVELS, category_labels, cause_labels, plain
from pipelines.pages.plots import SMALL, WeeklyColumns
from pipelines.pages.values import Change, Column, Kind, Level, Share, Text
from pipelines.pages.words import count
from pipelines.report.curves import count_series
from pipelines.report.rows import CauseCount, LevelCount
from pipelines.report.trends import week_rows
from pipelines.report.week import WEEKS_SHOWN, WeekTables
from pipelines.report.wording import CAUSES_LEAD, LEVELS_LEAD
from schemas.pack import UNDETERMINED, Pack

LEVEL_LEGEND = tuple(LegendEntry(label, name) for name, label in LEVELS.items())


def sort_levels(tables: WeekTables) -> list[LevelCount]:
    """Return this week's levels in the order of danger."""
    order = list(LEVELS)
    return sorted(tables.now(tables.levels), key=lambda row: order.index(row.triage_level))


def triage_section(tables: WeekTables) -> Section:
    """State the triage levels: the weeks as columns, this week as a table."""
    blocks: list[Block] = [
        Beside(_level_chart(tables), _level_table(tables)),
        _trend_table(tables),
        DataFiles(("weekly_triage",)),
    ]
    return Section("triage", f"Triage levels over {WEEKS_SHOWN} weeks", blocks, LEVELS_LEAD, short="Triage levels")


def _level_chart(tables: WeekTables) -> Chart:
    series = [Series(label, name, count_series(tables, f"triage_level={name}")) for name, label in LEVELS.items()]
    signs = "Reports a week, emergencies at the bottom. The short bar under the axis marks this week."
    return Chart(
        "triage",
        "Reports a week by triage level",
        WeeklyColumns(tables.axis, series),
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


def _level_table(tables: WeekTables) -> Table:
    columns = (
        Column("Level"),
        Column("Reports", Kind.COUNT),
        Column("Share", Kind.SHARE),
        Column("Change", Kind.CHANGE),
    )
    reports = count_series(tables, "all")
    total = reports[-1] or 0
    rows = [
        Row(
            (
                Level(row.triage_level, _level_note(row)),
                row.reports,
                Share(row.reports, total),
                Change(row.reports, row.previous_week),
            ),
            key=row.triage_level,
        )
        for row in sort_levels(tables)
    ]
    all_levels = Row(("All", total, Text(""), Change(total, reports[-2])))
    return Table("triage", columns, rows, all_levels, caption="This week", layout=Layout.TIGHT)


def _level_note(row: LevelCount) -> str:
    """What the level means; an emergency is one already, of a lower level some could become one."""
    meaning = LEVEL_MEANINGS[row.triage_level]
    if row.triage_level == "emergency" or not row.could_be_emergency:
        return meaning
    return f"{meaning}; {count(row.could_be_emergency)} could be emergencies"


def _trend_table(tables: WeekTables) -> Folded:
    columns = (Column("Week"), *(Column(label, Kind.COUNT) for label in LEVELS.values()))
    rows = week_rows(tables, *(count_series(tables, f"triage_level={name}") for name in LEVELS))
    return Folded(f"The {WEEKS_SHOWN} weeks as a table", [Table("trend", columns, rows, layout=Layout.TIGHT)])


def sort_causes(tables: WeekTables, pack: Pack) -> list[CauseCount]:
    """Return this week's causes in the pack's order of danger, undetermined last."""
    order = [cause.name for category in pack.categories for cause in pack.causes_of(category.name)]
    places = {name: place for place, name in enumerate([*order, UNDETERMINED])}
    return sorted(tables.now(tables.causes), key=lambda row: places.get(row.likely_cause, len(places)))


def cause_label(row: CauseCount, pack: Pack) -> str:
    """Return what a cause is called; one of another pack by its name."""
    return cause_labels(pack).get(row.likely_cause, plain(row.likely_cause))


def cause_section(tables: WeekTables, pack: Pack, total: int) -> Section:
    """State the likely causes: a panel for each on the page, small charts and a table elsewhere."""
    causes = sort_causes(tables, pack)
    columns = (
        Column("Likely cause"),
        Column("Group"),
        Column("Reports", Kind.COUNT),
        Column("Share", Kind.SHARE),
        Column("Change", Kind.CHANGE),
    )
    table = Table(
        "causes",
        columns,
        [_cause_row(row, pack, total) for row in causes],
        empty="No causes are recorded for this week.",
        layout=Layout.PANELS,
        charts=[_cause_chart(tables, row, pack) for row in causes],
    )
    title = f"Likely causes over {WEEKS_SHOWN} weeks"
    return Section("causes", title, [table, DataFiles(("weekly_causes",))], CAUSES_LEAD, short="Likely causes")


def _cause_row(row: CauseCount, pack: Pack, total: int) -> Row:
    cells = (
        cause_label(row, pack),
        category_labels(pack).get(row.cause_category, ""),
        row.reports,
        Share(row.reports, total),
        Change(row.reports, row.previous_week),
    )
    return Row(cells, key=row.likely_cause)


def _cause_chart(tables: WeekTables, row: CauseCount, pack: Pack) -> Chart:
    label = cause_label(row, pack)
    series = [Series("Reports", "plain", count_series(tables, f"likely_cause={row.likely_cause}"))]
    name = f"cause-{row.likely_cause.replace('_', '-')}"
    return Chart(name, f"{label}: reports a week", WeeklyColumns(tables.axis, series, SMALL), label=label)
