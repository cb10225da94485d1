"""The section "More than expected?": every alarm with its curve, its days, its regions and ages, and its records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from pipelines.pages.calls import WeekCalls
from pipelines.pages.charts import Expected, Series, Week
from pipelines.pages.document import (
    Beside,
    Block,
    Chart,
    DataFiles,
    Folded,
    Gallery,
    Group,
    Layout,
    LegendEntry,
    Note,
    Row,
    Section,
    Table,
)
from pipelines.pages.labels import UNKNOWN, label_series
from pipelines.pages.plots import DAYS, EpidemicCurve, WeeklyColumns
from pipelines.pages.values import Column, Kind, Text
from pipelines.pages.words import format_date, format_decimal
from pipelines.report.alarms import Alarm, Standing, find_standing
from pipelines.report.curves import Curve, find_curves, list_week_rows
from pipelines.report.rows import SeriesDay
from pipelines.report.week import ALWAYS_CURVED, DAYS_SHOWN, WEEKS_SHOWN, WeekTables
from pipelines.text import pluralise
from schemas.fields import AGE_BANDS
from schemas.pack import Pack

ALARMS_SHOWN = 15
OVERALL = "Overall"
PLACES_SHOWN = 6
CURVE_LEGEND = (
    LegendEntry("Reports a week", "plain"),
    LegendEntry("Emergencies a week", "emergency"),
    LegendEntry("Expected", shape="step"),
    LegendEntry("Upper end of the range", shape="dashed"),
    LegendEntry("Alarm", "emergency", shape="tip"),
)


def make_alarm_section(tables: WeekTables, pack: Pack, calls: WeekCalls) -> Section:
    """State the alarms, each with what is known of it, and the curves of all reports and of the emergencies."""
    standing, curves = find_standing(tables), {curve.series: curve for curve in find_curves(tables)}
    blocks: list[Block] = [_make_alarm_table(tables, standing, pack)] if standing.alarms else []
    told = [alarm for alarm in standing.alarms if alarm.series in tables.days]
    blocks += [_make_alarm_group(tables, alarm, curves[alarm.series], pack, calls) for alarm in told]
    if others := [curves[series] for series in ALWAYS_CURVED if series not in tables.days]:
        charts = [_make_curve_chart(tables, curve, pack) for curve in others]
        caption = f"Each curve has its own scale.{_say_whose(others)}"
        gallery = Gallery(charts, legend=() if told else CURVE_LEGEND, caption=caption)
        blocks.append(Group(OVERALL, [gallery]) if told else gallery)
    blocks.append(
        DataFiles(("alarms", "weekly_signals", "curves") if standing.alarms else ("weekly_signals", "curves"))
    )
    return Section("signals", "More than expected?", blocks, _describe_judged(standing), brief=True)


def _make_alarm_table(tables: WeekTables, standing: Standing, pack: Pack) -> Table:
    columns = (
        Column("", name="series"),
        Column("Alarms: new ones first, the strongest first", name="label"),
        Column("Reports", Kind.COUNT, "observed"),
        Column("Expected", Kind.DECIMAL, "expected"),
        Column("", name="lower"),
        Column("", name="upper"),
        Column("Expected range"),
        Column("Since", name="since"),
        Column("What was found out", name="note"),
        Column("", name="rank"),
    )
    rows = [_make_alarm_row(alarm, pack) for alarm in standing.alarms]
    return Table("alarms", columns, rows, most=ALARMS_SHOWN, thing="alarm", exported=True)


def _make_alarm_row(alarm: Alarm, pack: Pack) -> Row:
    found, episode = alarm.found, alarm.episode
    since = "new" if episode is None else f"{episode.first_week}, {pluralise(episode.weeks, 'week')}"
    if alarm.is_new:
        since = f"{since}; closed before, now twice as many" if alarm.has_risen else "new"
    cells = (
        found.series,
        label_series(found.series, pack),
        found.observed,
        found.expected,
        found.lower,
        found.upper,
        _format_range(alarm),
        f"{since}, closed" if alarm.is_closed else since,
        (episode.note or "") if episode else "",
        found.rank,
    )
    return Row(cells, key=found.series)


def _format_range(alarm: Alarm) -> str:
    return f"{format_decimal(alarm.found.lower)} to {format_decimal(alarm.found.upper)}"


def _make_alarm_group(tables: WeekTables, alarm: Alarm, curve: Curve, pack: Pack, calls: WeekCalls) -> Group:
    days = tables.days[alarm.series]
    by_week = replace(_make_curve_chart(tables, curve, pack), label=f"By week, the last {WEEKS_SHOWN} weeks")
    charts = [by_week, _make_daily_chart(tables, curve, days, pack)]
    regions = _make_spread_table(tables, f"{curve.name}-regions", "Region", days, lambda row: row.region)
    ages = _make_spread_table(tables, f"{curve.name}-ages", "Age", days, lambda row: row.age_band)
    spread: list[Block] = [ages] if any(row.age_band != UNKNOWN for row in days) else []
    if len(regions.rows) > 1:
        spread = [Beside(regions, ages, even=True)] if spread else [regions]
    legend = CURVE_LEGEND if alarm.series == next(iter(tables.days)) else ()  # once is enough
    blocks: list[Block] = [Gallery(charts, legend=legend, caption=_say_whose([curve]).strip()), *spread]
    if alarm.series in calls.alarms:
        page, number = calls.alarms[alarm.series]
        blocks.append(Note("", link=(f"Its records: {number:,}", f"explain/{page}")))
    return Group(label_series(alarm.series, pack), blocks)


def _make_daily_chart(tables: WeekTables, curve: Curve, days: Sequence[SeriesDay], pack: Pack) -> Chart:
    last = tables.start + timedelta(days=6)
    axis = [last - timedelta(days=back) for back in reversed(range(DAYS_SHOWN))]
    counts = dict.fromkeys(axis, 0)
    for row in days:
        counts[row.report_date] += row.reports
    covered = [day for start in tables.covered for day in (start + timedelta(days=i) for i in range(7))]
    known = [counts[day] if day in set(covered) else None for day in axis]
    label = f"By day, the last {DAYS_SHOWN // 7} weeks"
    plot = WeeklyColumns([Week(format_date(day), day) for day in axis], [Series("Reports", _paint(curve), known)], DAYS)
    return Chart(f"{curve.name}-days", f"{label_series(curve.series, pack)}: reports a day", plot, label=label)


def _make_spread_table(
    tables: WeekTables, name: str, title: str, days: Sequence[SeriesDay], place: Callable[[SeriesDay], str]
) -> Table:
    """This week's reports of a series by region or age, beside the mean of the weeks before that are shown."""
    this_week, before, weeks = {}, {}, DAYS_SHOWN // 7 - 1  # type: dict[str, int], dict[str, int], int
    for row in days:
        counts = this_week if row.report_date >= tables.start else before
        counts[place(row)] = counts.get(place(row), 0) + row.reports
    covered = sum(tables.start - timedelta(weeks=back) in tables.covered for back in range(1, weeks + 1))
    order = sorted({*this_week, *before}, key=lambda key: _find_place(key, this_week))
    columns = (Column(title), Column("This week", Kind.COUNT), Column("Usual week", Kind.DECIMAL))
    rows = [Row((key, this_week.get(key, 0), before.get(key, 0) / covered if covered else None)) for key in order]
    return Table(name, columns, rows[:PLACES_SHOWN] if title == "Region" else rows, layout=Layout.TIGHT)


def _find_place(key: str, counts: dict[str, int]) -> tuple[int, int, str]:
    """Ages in their order, regions by their reports."""
    return (AGE_BANDS.index(key), 0, key) if key in AGE_BANDS else (len(AGE_BANDS), -counts.get(key, 0), key)


def _paint(curve: Curve) -> str:
    return "emergency" if curve.series.endswith("triage_level=emergency") else "plain"


def _make_curve_chart(tables: WeekTables, curve: Curve, pack: Pack) -> Chart:
    label = label_series(curve.series, pack)
    expected = Expected(curve.expected, curve.lower, curve.upper, curve.alarms)
    numbers = Folded(f"{label}: the {WEEKS_SHOWN} weeks as a table", [_make_curve_table(tables, curve)])
    return Chart(
        curve.name,
        f"{label}: reports a week and the expected range",
        EpidemicCurve(tables.axis, Series("Reports", _paint(curve), curve.observed), expected),
        label=label,
        numbers=numbers,
    )


def _say_whose(curves: Sequence[Curve]) -> str:
    """Say whose reports the columns are, where they are not everybody's."""
    if all(curve.observed == curve.counts for curve in curves):
        return ""
    return " Columns are the reports of senders that can be compared with their past; the CSV has all reports too."


def _make_curve_table(tables: WeekTables, curve: Curve) -> Table:
    columns = (
        Column("Week"),
        Column("Reports" if curve.observed == curve.counts else "Compared", Kind.COUNT),
        Column("Expected", Kind.DECIMAL),
        Column("From", Kind.DECIMAL),
        Column("To", Kind.DECIMAL),
        Column("Alarm"),
    )
    alarms = [Text("alarm" if alarm else "") for alarm in curve.alarms]
    rows = list_week_rows(tables, curve.observed, curve.expected, curve.lower, curve.upper, alarms)
    return Table(curve.name, columns, rows, layout=Layout.TIGHT)


def _describe_judged(standing: Standing) -> str:
    if not standing.series:
        return "Not judged yet: no expected numbers are stored for this week. The curves show the counts alone."
    reasons = "; ".join(f"{number:,}: {reason}" for reason, number in standing.reasons)
    unjudged = f" Not judged: {reasons}." if reasons else ""
    told = f"{standing.judged:,} of {standing.series:,} counts could be judged against their own past."
    if not standing.alarms:
        return f"{told} No alarm.{unjudged}"
    return f"{told} An alarm is a reason to look and no finding.{unjudged}"
