"""The section on data quality."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.pages.charts import Series
from pipelines.pages.document import (
    Block,
    Callout,
    Chart,
    DataFiles,
    Folded,
    Gallery,
    Group,
    Layout,
    Row,
    Section,
    Table,
)
from pipelines.pages.plots import WIDE, WeeklyColumns
from pipelines.pages.values import Bars, Cell, Column, Kind, Text
from pipelines.report.quality import COUNT_MEASURES, LATE_DAYS, Quality, SourceQuality, find_quality
from pipelines.report.rows import SenderWeek
from pipelines.report.week import WEEKS_SHOWN, WeekTables
from pipelines.report.wording import BALANCED, QUALITY_LEAD, UNBALANCED
from schemas.pack import Pack

REASONS_SHOWN, FIELDS_SHOWN = 12, 9
# a soft hyphen says where a heading may be broken in a narrow column
COUNT_TITLES = (
    "Files",
    "Files rejected",
    "Rows read",
    "Accepted",
    "Quaran\N{SOFT HYPHEN}tined",
    "Dupli\N{SOFT HYPHEN}cate",
    "Out of scope",
    "Replaced a record",
)
TRENDS = {
    "late-reports": ("late_share", f"Reports that came over {LATE_DAYS} days late, percent"),
    "answers-given": ("completeness", "Answers given, percent"),
}


def make_quality_section(tables: WeekTables, pack: Pack) -> Section:
    """State what each source delivered, what was refused, and how complete the answers are."""
    found = find_quality(tables, pack)
    blocks: list[Block] = [_make_source_table(tables, found)]
    if not found.sources:
        return Section("quality", "Data quality", [*blocks, DataFiles(("weekly_quality",))])
    if trends := _make_trend_charts(tables):
        drawn: list[Block] = [Gallery(trends, name="quality-trends"), DataFiles(("quality_trend",))]
        blocks.append(Folded(f"How late and how complete the {WEEKS_SHOWN} weeks were", drawn))
    if not found.is_balanced:
        blocks.append(Callout(UNBALANCED))
    if found.reasons:
        blocks.append(Group("Why cells were quarantined", [_make_reason_table(found)]))
    if found.completeness:
        title = "Completeness: share of this week's reports with an answer, the least complete first"
        blocks.append(Group(title, [_make_completeness_table(found)]))
    lead = f"{QUALITY_LEAD} {BALANCED}" if found.is_balanced else QUALITY_LEAD
    return Section("quality", "Data quality", [*blocks, DataFiles(("weekly_quality",))], lead)


def _make_source_table(tables: WeekTables, found: Quality) -> Table:
    columns = (
        Column("Sender"),
        Column("Reports of this week", Kind.COUNT),
        Column("Usual week", Kind.DECIMAL),
        *(Column(title, Kind.COUNT) for title in COUNT_TITLES),
        Column("Median delay, days", Kind.TENTHS),
        Column(f"Over {LATE_DAYS} days late", Kind.PERCENT),
    )
    weeks = {row.source: row for row in tables.now(tables.senders)}
    rows = [Row(_make_sender_cells(source, weeks.get(source.source)), key=source.source) for source in found.sources]
    came = [row.reports for row in weeks.values()]
    total = (
        Row((found.total.source, sum(came), Text(""), *_make_count_cells(found.total, Text(""))))
        if len(rows) > 1
        else None
    )
    return Table("quality", columns, rows, total, empty="Nothing is recorded about this week's deliveries.")


def _make_sender_cells(source: SourceQuality, week: SenderWeek | None) -> tuple[Cell, ...]:
    counts = _make_count_cells(source, source.median_delay_days)
    if week is None:
        return Text(source.source), None, None, *counts
    state = week.state.replace("_", " ")
    return Text(source.source, f"{state}, new" if week.joined else state), week.reports, week.usual, *counts


def _make_count_cells(source: SourceQuality, delay: Cell) -> tuple[Cell, ...]:
    return *(source.counts[measure] for measure in COUNT_MEASURES), delay, source.late_share


def _make_trend_charts(tables: WeekTables) -> Sequence[Chart]:
    """Return how late and how complete the weeks were, in whole percent; a week without reports is a gap."""
    charts = []
    for name, (measure, title) in TRENDS.items():
        shares = {row.week_start: round(100 * row.share) for row in tables.quality_trend if row.measure == measure}
        if shares:
            series = [Series("Percent", "plain", [shares.get(day) for day in tables.starts])]
            charts.append(Chart(name, title, WeeklyColumns(tables.axis, series, WIDE), label=title))
    return charts


def _make_reason_table(found: Quality) -> Table:
    columns = (Column("Column: check"), Column("Cells drawn", Kind.BARS), Column("Cells", Kind.COUNT))
    most = found.reasons[0][1]
    rows = [
        Row((Text(reason, code=True), Bars([("plain", cells)], most), cells), key=reason)
        for reason, cells in found.reasons
    ]
    return Table("reasons", columns, rows, most=REASONS_SHOWN, thing="reason")


def _make_completeness_table(found: Quality) -> Table:
    columns = (Column("Field"), Column("Answered", Kind.PERCENT))
    return Table(
        "completeness", columns, [Row(pair) for pair in found.completeness], layout=Layout.METERS, most=FIELDS_SHOWN
    )
