"""The week's tables -> every chart of the report, by name."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.pages import charts, crosstabs
from pipelines.report.alarms import Curve, alarm_weeks, curves, series_counts
from pipelines.report.indicators import KeyNumber, is_level
from pipelines.report.labels import LEVELS
from pipelines.report.quality import LATE_DAYS
from pipelines.report.sections import age_bands, causes, regions_shown
from pipelines.report.week import WEEKS_SHOWN, Row, WeekTables
from schemas.pack import Pack

QUALITY_TRENDS = {
    "late-reports": ("late_share", f"Reports that came over {LATE_DAYS} days late, percent"),
    "answers-given": ("completeness", "Answers given, percent"),
}


def draw(tables: WeekTables, pack: Pack, key_numbers: Iterable[KeyNumber]) -> dict[str, str]:
    """Every chart of the page by name."""
    drawn = {f"trend-{k.name}": _spark(k) for k in key_numbers}
    levels = [
        charts.Series(label, name, tables.trend("weekly_triage", is_level(name))) for name, label in LEVELS.items()
    ]
    drawn["triage"] = charts.weekly_columns("triage", "Reports a week by triage level", tables.axis, levels)
    for cause in causes(tables, pack):
        drawn[cause["chart"]] = _cause_columns(tables, cause)
    drawn |= {curve.name: _epidemic_curve(tables, curve) for curve in curves(tables, pack)}
    if regions_shown(tables):
        drawn["regions-by-week"] = _heat_map(tables)
    drawn |= _quality_trends(tables)
    drawn["age-and-sex"] = _pyramid(tables)
    return drawn


def _spark(number: KeyNumber) -> str:
    title = f"{number.label}: the last {WEEKS_SHOWN} weeks"
    return charts.sparkline(f"trend-{number.name}", title, number.paint, number.counts)


def _cause_columns(tables: WeekTables, cause: Row) -> str:
    counts = tables.trend("weekly_causes", lambda row: row["likely_cause"] == cause["likely_cause"])
    series = [charts.Series("Reports", "plain", counts)]
    title = f"{cause['label']}: reports a week"
    return charts.weekly_columns(cause["chart"], title, tables.axis, series, size=(270, 112))


def _epidemic_curve(tables: WeekTables, curve: Curve) -> str:
    paint = "emergency" if curve.series.endswith("triage_level=emergency") else "plain"
    expected = charts.Expected(curve.expected, curve.upper, curve.alarms)
    title = f"{curve.label}: reports a week and the expected range"
    seen = charts.Series("Reports", paint, curve.counts)
    return charts.epidemic_curve(curve.name, title, tables.axis, seen, expected)


def _heat_map(tables: WeekTables) -> str:
    rows = []
    for row in regions_shown(tables):
        series = f"region={row['region']}"
        rows.append(crosstabs.HeatRow(row["region"], series_counts(tables, series), alarm_weeks(tables, series)))
    return crosstabs.heat_map("regions-by-week", "Reports by region and week", tables.axis, rows)


def _quality_trends(tables: WeekTables) -> dict[str, str]:
    """How late and how complete the weeks were, in whole percent; a week without reports is a gap."""
    rows = tables.tables["quality_trend"].rows
    drawn = {}
    for name, (measure, title) in QUALITY_TRENDS.items():
        shares = {row["week_start"]: round(100 * row["share"]) for row in rows if row["measure"] == measure}
        series = [charts.Series("Percent", "plain", [shares.get(day) for day in tables.starts])]
        if shares:
            drawn[name] = charts.weekly_columns(name, title, tables.axis, series, size=(560, 140))
    return drawn


def _pyramid(tables: WeekTables) -> str:
    cells = {(row["age_band"], row["sex"]): row for row in tables.now("weekly_demographics")}
    nothing = {"reports": 0, "emergency": 0}
    rows = []
    for band in age_bands(tables):
        female, male = cells.get((band, "female"), nothing), cells.get((band, "male"), nothing)
        counts = (female["reports"], male["reports"], female["emergency"], male["emergency"])
        rows.append(crosstabs.Pair(band, *counts))
    return crosstabs.pyramid("age-and-sex", "Reports by age and sex", ("Female", "Male"), rows, "emergencies")
