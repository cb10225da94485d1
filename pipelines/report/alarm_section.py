"""The section "More than expected?": alarms, what could not be judged, and the curves."""

from __future__ import annotations

from pipelines.pages.charts import Expected, Series
from pipelines.pages.document import (
    Block,
    Chart,
    DataFiles,
    Folded,
    Gallery,
    Layout,
    LegendEntry,
    Note,
    Row,
    Section,
    Table,
)
from pipelines.pages.labels import series_label
from pipelines.pages.plots import EpidemicCurve
from pipelines.pages.values import Column, Kind, Text
from pipelines.pages.words import count
from pipelines.report.alarms import Alarm, Standing, find_standing
from pipelines.report.curves import Curve, find_curves
from pipelines.report.trends import week_rows
from pipelines.report.week import WEEKS_SHOWN, WeekTables
from schemas.pack import Pack

ALARMS_SHOWN = 15
CURVE_LEGEND = (
    LegendEntry("Reports a week", "plain"),
    LegendEntry("Emergencies a week", "emergency"),
    LegendEntry("Expected", shape="step"),
    LegendEntry("Upper bound", shape="dashed"),
    LegendEntry("Alarm", "emergency", shape="tip"),
)


def alarm_section(tables: WeekTables, pack: Pack) -> Section:
    """State the alarms, what could not be judged, and the curves."""
    standing = find_standing(tables)
    blocks: list[Block] = [_alarm_table(standing, pack)]
    if standing.reasons:
        reasons = "; ".join(f"{count(number)} series, {reason}" for reason, number in standing.reasons)
        blocks.append(Note(f"Not judged: {reasons}."))
    curves = [_curve_chart(tables, curve, pack) for curve in find_curves(tables)]
    blocks += [
        Gallery(curves, legend=CURVE_LEGEND, caption="Each curve has its own scale."),
        DataFiles(("alarms", "weekly_signals", "curves")),
    ]
    lead = f"{_judged_in_words(standing)} {_method_in_words(standing)}".strip()
    return Section("signals", "More than expected?", blocks, lead, brief=True)


def _alarm_table(standing: Standing, pack: Pack) -> Table:
    columns = (
        Column("", name="series"),
        Column("Alarms, the strongest first", name="label"),
        Column("Reports", Kind.COUNT, "observed"),
        Column("Expected", Kind.DECIMAL, "expected"),
        Column("Upper bound", Kind.DECIMAL, "upper"),
        Column("p\N{NON-BREAKING HYPHEN}value", Kind.PROBABILITY, "p_value"),
        Column("Method", name="methods"),
        Column("", name="rank"),
    )
    rows = [_alarm_row(alarm, pack) for alarm in standing.alarms]
    return Table("alarms", columns, rows, most=ALARMS_SHOWN, thing="alarm", exported=True)


def _alarm_row(alarm: Alarm, pack: Pack) -> Row:
    found = alarm.strongest
    cells = (
        found.series,
        series_label(found.series, pack),
        found.observed,
        found.expected,
        found.upper,
        found.p_value,
        tuple(alarm.methods),
        alarm.rank,
    )
    return Row(cells, key=found.series)


def _curve_chart(tables: WeekTables, curve: Curve, pack: Pack) -> Chart:
    label = series_label(curve.series, pack)
    paint = "emergency" if curve.series.endswith("triage_level=emergency") else "plain"
    seen = Series("Reports", paint, curve.counts)
    numbers = Folded(f"{label}: the {WEEKS_SHOWN} weeks as a table", [_curve_table(tables, curve)])
    return Chart(
        curve.name,
        f"{label}: reports a week and the expected range",
        EpidemicCurve(tables.axis, seen, Expected(curve.expected, curve.upper, curve.alarms)),
        label=label,
        caption=curve.ranges,
        numbers=numbers,
    )


def _curve_table(tables: WeekTables, curve: Curve) -> Table:
    columns = (
        Column("Week"),
        Column("Reports", Kind.COUNT),
        Column("Expected", Kind.DECIMAL),
        Column("Upper bound", Kind.DECIMAL),
        Column("Alarm"),
    )
    alarms = [Text("alarm" if alarm else "") for alarm in curve.alarms]
    rows = week_rows(tables, curve.counts, curve.expected, curve.upper, alarms)
    return Table(curve.name, columns, rows, layout=Layout.TIGHT)


def _judged_in_words(standing: Standing) -> str:
    if not standing.series:
        return "Not evaluated yet: no expected ranges are stored for this week. The curves show the counts alone."
    if not standing.judged:
        return f"None of the {standing.series:,} series can be judged against its own history."
    raised = len(standing.alarms)
    told = (
        f"{standing.judged:,} of {standing.series:,} series could be judged against their own history; "
        f"{raised or 'none'}"
    )
    if not raised:
        return f"{told} raises an alarm."
    caution = "An alarm is a reason to look and no finding: with so many series some alarm by chance."
    return f"{told} {'raises' if raised == 1 else 'raise'} an alarm. {caution}"


def _method_in_words(standing: Standing) -> str:
    """What judges the week: all its series have the same history behind them."""
    if farrington := sorted(method for method in standing.methods if method.lower().startswith("farrington")):
        years = farrington[-1].partition("b=")[2]
        return (
            f"Method: Farrington flexible, on the same season of {years or 'the'} years before. An alarm is above its "
            "upper bound and stands out even among so many series (false-discovery rate 5%)."
        )
    if standing.methods:
        return (
            "Method: EARS C1 and C2, on seven weeks shortly before, whatever the season. Farrington "
            "flexible needs three whole years of history, which this week does not have."
        )
    return ""
