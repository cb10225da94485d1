"""weekly_signals -> which series had more reports than expected, and the expected range of each curve.

A series has a row a week and method. A method without a bound of counts (EARS C3) supports the others and
raises no alarm of its own here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from pipelines.report.labels import series_label
from pipelines.report.week import ALWAYS_CURVED, Row, Table, WeekTables
from pipelines.text import many
from schemas.pack import Pack

CURVES_SHOWN = 6
ALARMS_SHOWN = 15
EMERGENCY_IN = ",triage_level=emergency"
NOT_EVALUATED, AS_EXPECTED, RAISED = "not evaluated yet", "within the expected range", "more than expected"
ABOVE = "above its range, but no alarm among so many series"
ALARM_COLUMNS = ("series", "label", "observed", "expected", "upper", "p_value", "methods", "rank")
CURVE_COLUMNS = ("series", "week", "week_start", "reports", "expected", "upper", "alarm")


@dataclass(frozen=True)
class Curve:
    """One series over the weeks shown: counts, expected range and alarms, None where there is none.

    ranges: whose range is shown, and why covered weeks have none.
    """

    name: str
    series: str
    label: str
    counts: Sequence[int | None]
    expected: Sequence[float | None]
    upper: Sequence[float | None]
    alarms: Sequence[bool]
    ranges: str


def alarms(tables: WeekTables, pack: Pack) -> list[Row]:
    """The series that alarm this week, the strongest first: counts, bound, and the methods that agree."""
    by_series = _by_series(tables.now("weekly_signals"))
    found = [_alarm(series, rows, pack) for series, rows in by_series.items() if _alarms(rows)]
    return sorted(found, key=lambda row: (row["rank"] is None, row["rank"] or 0, row["series"]))


def _alarm(series: str, rows: list[Row], pack: Pack) -> Row:
    raised = [row for row in rows if row["status"] == "alarm"]
    strongest = min((row for row in raised if row["upper"] is not None), key=_preference)
    ranks = [row["rank"] for row in raised if row["rank"] is not None]
    return strongest | {
        "label": series_label(series, pack),
        "methods": sorted(row["method"] for row in raised),
        "rank": min(ranks, default=None),
    }


def standing(tables: WeekTables, pack: Pack) -> Row:
    """How many series were judged this week, how many alarm, and why the others could not be judged."""
    by_series = _by_series(tables.now("weekly_signals"))
    raised = alarms(tables, pack)
    silent = [rows for rows in by_series.values() if all(row["status"] == "not_evaluable" for row in rows)]
    reasons: dict[str, int] = {}
    for rows in silent:
        reason = min(rows, key=_preference)["reason"] or "no reason given"
        reasons[reason] = reasons.get(reason, 0) + 1
    return {
        "series": len(by_series),
        "judged": len(by_series) - len(silent),
        "above": sum(_is_above(rows) and not _alarms(rows) for rows in by_series.values()),
        "lead": _lead(len(by_series), len(by_series) - len(silent), len(raised)),
        "method": _method_in_words({row["method"] for rows in by_series.values() for row in rows}),
        "alarms": raised[:ALARMS_SHOWN],
        "alarm_count": len(raised),
        "reasons": sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0])),
    }


def _lead(series: int, judged: int, raised: int) -> str:
    if not series:
        return "Not evaluated yet: no expected ranges are stored for this week. The curves show the counts alone."
    if not judged:
        return f"None of the {series:,} series can be judged against its own history."
    told = f"{judged:,} of {series:,} series could be judged against their own history; {raised or 'none'}"
    if not raised:
        return f"{told} raises an alarm."
    caution = "An alarm is a reason to look and no finding: with so many series some alarm by chance."
    return f"{told} {'raises' if raised == 1 else 'raise'} an alarm. {caution}"


def _method_in_words(methods: set[str]) -> str:
    """What judges the week: all its series have the same history behind them."""
    if farrington := sorted(filter(_is_farrington, methods)):
        years = farrington[-1].partition("b=")[2]
        return (
            f"Method: Farrington flexible, on the same season of {years or 'the'} years before. An alarm is above its "
            "upper bound and stands out even among so many series (false-discovery rate 5%)."
        )
    if methods:
        return (
            "Method: EARS C1 and C2, on seven weeks shortly before, whatever the season. Farrington "
            "flexible needs three whole years of history, which this week does not have."
        )
    return ""


def verdict(tables: WeekTables, series: str) -> str:
    """What is known of one series this week, in a few words."""
    rows = [row for row in tables.now("weekly_signals") if row["series"] == series]
    if not rows:
        return NOT_EVALUATED
    if _alarms(rows):
        return RAISED
    if all(row["status"] == "not_evaluable" for row in rows):
        return f"cannot be judged: {min(rows, key=_preference)['reason'] or 'no reason given'}"
    return ABOVE if _is_above(rows) else AS_EXPECTED


def curves(tables: WeekTables, pack: Pack) -> list[Curve]:
    """The curves of the page: all reports, emergencies, then the series that alarm, the strongest first."""
    raised = [row["series"] for row in alarms(tables, pack)]
    wanted = list(dict.fromkeys([*ALWAYS_CURVED, *raised]))[:CURVES_SHOWN]
    return [_curve(tables, series, f"curve-{i}", pack) for i, series in enumerate(wanted, 1)]


def _curve(tables: WeekTables, series: str, name: str, pack: Pack) -> Curve:
    """One method's range throughout: a line that changes its method from week to week would mislead.

    It is that of the method that the table of alarms shows, else of the preferred one.
    """
    rows = [row for row in tables.signals if row["series"] == series]
    bounded = [row for row in rows if row["upper"] is not None]
    raised = [row for row in bounded if row["week_start"] == tables.start and row["status"] == "alarm"]
    shown = min(map(_preference, raised or bounded), default=None)
    ranges = {row["week_start"]: row for row in bounded if _preference(row) == shown}
    return Curve(
        name=name,
        series=series,
        label=series_label(series, pack),
        counts=series_counts(tables, series),
        expected=[ranges[day]["expected"] if day in ranges else None for day in tables.starts],
        upper=[ranges[day]["upper"] if day in ranges else None for day in tables.starts],
        alarms=[_alarms(row for row in rows if row["week_start"] == day) for day in tables.starts],
        ranges=_ranges_in_words(rows, ranges),
    )


def _ranges_in_words(rows: Sequence[Row], ranges: Mapping[date, Row]) -> str:
    """Whose range a curve shows, which alarms it does not explain, and for how many weeks there is none, by reason."""
    method = next((_base_method(row["method"]) for row in ranges.values()), None)
    told = f"Range: {method}.{_alarms_of_others(rows, ranges)}" if method else ""
    without: dict[date, Row] = {}
    for row in sorted(rows, key=_preference, reverse=True):  # the preferred row of a week stays
        if row["week_start"] not in ranges:
            without[row["week_start"]] = row
    reasons = Counter(row["reason"] or f"judged by {row['method']}" for row in without.values())
    named = "; ".join(f"{many(weeks, 'week')}, {reason}" for reason, weeks in reasons.most_common())
    return f"{told} Without a range: {named}.".strip() if named else told


def _alarms_of_others(rows: Iterable[Row], ranges: Mapping[date, Row]) -> str:
    """Alarms over columns that do not reach the upper bound that is shown."""
    explained = {day for day, row in ranges.items() if row["status"] == "alarm"}
    others = [row for row in rows if _alarms([row]) and row["week_start"] in ranges.keys() - explained]
    if not others:
        return ""
    weeks = len({row["week_start"] for row in others})
    return f" {many(weeks, 'alarm')} by {', '.join(sorted({row['method'] for row in others}))} alone."


def _base_method(method: str) -> str:
    """A method without the number of years that it looks back, which differs from week to week."""
    return method.split(",")[0]


def series_counts(tables: WeekTables, series: str) -> list[int | None]:
    """The counts of a series over the weeks shown, from the weekly tables; none for a series of no known kind."""
    if series == "all":
        return tables.trend("weekly_triage", lambda row: True)
    kind, _, value = series.partition("=")
    if kind == "region" and value.endswith(EMERGENCY_IN):
        region = value.removesuffix(EMERGENCY_IN)
        return tables.trend("weekly_regions", lambda row: row["region"] == region, "emergency")
    table = {
        "triage_level": "weekly_triage",
        "cause_category": "weekly_causes",
        "likely_cause": "weekly_causes",
        "region": "weekly_regions",
    }.get(kind)
    return tables.trend(table, lambda row: row[kind] == value) if table else [None] * len(tables.starts)


def alarm_weeks(tables: WeekTables, series: str) -> list[bool]:
    """For each week shown, whether the series alarmed then."""
    rows = [row for row in tables.signals if row["series"] == series]
    return [_alarms(row for row in rows if row["week_start"] == day) for day in tables.starts]


def curve_table(tables: WeekTables, drawn: Iterable[Curve]) -> Table:
    """What the curves draw, as a table: a row for each series and week shown."""
    rows = [
        (curve.series, week.label, week.start, *numbers)
        for curve in drawn
        for week, *numbers in zip(tables.axis, curve.counts, curve.expected, curve.upper, curve.alarms, strict=True)
    ]
    return Table(CURVE_COLUMNS, [dict(zip(CURVE_COLUMNS, row, strict=True)) for row in rows])


def alarm_table(tables: WeekTables, pack: Pack) -> Table:
    """Every alarm of the week, the strongest first; methods are separated by semicolons."""
    rows = [row | {"methods": "; ".join(row["methods"])} for row in alarms(tables, pack)]
    return Table(ALARM_COLUMNS, [{name: row[name] for name in ALARM_COLUMNS} for row in rows])


def _by_series(rows: Iterable[Row]) -> dict[str, list[Row]]:
    ordered = sorted(rows, key=lambda row: row["series"])
    return {series: list(found) for series, found in groupby(ordered, key=lambda row: row["series"])}


def _alarms(rows: Iterable[Row]) -> bool:
    return any(row["status"] == "alarm" and row["upper"] is not None for row in rows)


def _is_above(rows: Iterable[Row]) -> bool:
    """Whether the count is above a bound, alarm or not: among many series some are by chance."""
    return any(row["upper"] is not None and row["observed"] > row["upper"] for row in rows)


def _preference(row: Row) -> tuple[bool, bool, str]:
    """Farrington before EARS, and C2 before C1: its two weeks' distance keeps an outbreak out of its own baseline."""
    method = row["method"]
    return (not _is_farrington(method), "C2" not in method, "" if _is_farrington(method) else method)


def _is_farrington(method: str) -> bool:
    return method.lower().startswith("farrington")  # what follows is how many years it looks back
