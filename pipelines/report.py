"""One week's summary tables -> the weekly report: internal.html, the CSVs behind it, its charts as SVG.

    read_week (summaries.duckdb) -> WeekTables -> _drawings, _page (plain values) -> template -> folder

Every number on the page comes from the tables read here; the template only arranges. A week that no file
covers is None all the way to the page, never a zero.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from pipelines import charts
from pipelines.errors import StateError, UsageError
from schemas.fields import AGE_BANDS, SEVERE_PAIN, SEXES
from schemas.pack import GUIDANCE_KINDS, UNDETERMINED, Guidance, Pack
from schemas.tables import quoted

WEEKS_SHOWN = 26
REGIONS_SHOWN = 20
REASONS_SHOWN = 12
SMALLEST_BASE = 50  # of fewer than this, a percentage says less than the count and looks like more
LATE_DAYS = 7
UNKNOWN = "unknown"
NONE, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"

# the order of danger, which is also the stacking order from the base line up
LEVELS = {
    "emergency": "Emergency",
    "contact_doctor": "Contact a doctor",
    "unresolved": "Unresolved",
    "self_care": "Self-care",
}
LEVEL_MEANINGS = {
    "emergency": "an emergency criterion is met",
    "contact_doctor": "a criterion for seeing a doctor is met",
    "unresolved": "open answers could still change the level",
    "self_care": "every criterion is answered with no",
}
KIND_LABELS = {
    "self_care": "Self-care",
    "treatment": "Treatment",
    "complication": "Possible complications",
    "prevention": "Prevention",
    "question": "Questions people ask",
}
ROW_MEASURES = ("rows_accepted", "rows_quarantined", "rows_duplicate", "rows_out_of_scope")
COUNT_MEASURES = ("files_accepted", "files_rejected", "rows_read", *ROW_MEASURES, "rows_superseded")

TRENDS = ("weekly_triage", "weekly_causes")  # read for all the weeks shown
SINGLE_WEEK = (
    "weekly_regions",
    "weekly_demographics",
    "weekly_rules",
    "weekly_missing_answers",
    "weekly_quality",
)
ABOUT = """SELECT rule_pack, complaint, time_zone, week_system, latest_week, version,
  CAST(first_report AS VARCHAR) AS first_report, CAST(last_report AS VARCHAR) AS last_report,
  CAST(published_at AS VARCHAR) AS published_at FROM about"""
COVERED = "SELECT DISTINCT week, week_start FROM weekly_triage ORDER BY week_start"
SEVERE = """SELECT week_start, CAST(sum(severe_pain) AS BIGINT) AS reports FROM weekly_regions
  WHERE week_start BETWEEN ? AND ? GROUP BY week_start ORDER BY week_start"""
BY_SOURCE = """SELECT source, CAST(sum(reports) AS BIGINT) AS reports FROM daily_summary
  WHERE report_date BETWEEN ? AND ? GROUP BY source ORDER BY source"""

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """Rows of one summary table, with the column names kept for the case of no rows."""

    columns: tuple[str, ...]
    rows: list[Row]


@dataclass(frozen=True)
class WeekTables:
    """What one report is made of. `covered`: first day -> name of every covered week of the database."""

    week: str
    start: date
    about: Row
    covered: dict[date, str]
    tables: dict[str, Table]
    severe_by_week: dict[date, int]
    reports_by_source: dict[str, int]

    @cached_property
    def starts(self) -> list[date]:
        """The first days of the weeks shown, oldest first, covered or not."""
        return [self.start - timedelta(weeks=back) for back in reversed(range(WEEKS_SHOWN))]

    @cached_property
    def axis(self) -> list[charts.Week]:
        """The weeks shown, for the charts."""
        return [charts.Week(self.covered.get(day, "no data"), day) for day in self.starts]

    def now(self, table: str) -> list[Row]:
        """The rows of the report's week."""
        return [row for row in self.tables[table].rows if row["week_start"] == self.start]

    def trend(self, table: str, wanted: Callable[[Row], bool], column: str = "reports") -> list[int | None]:
        """A count for each week shown: the sum over the rows wanted, None where the week is not covered."""
        sums = {day: 0 for day in self.starts if day in self.covered}
        for row in filter(wanted, self.tables[table].rows):
            sums[row["week_start"]] += row[column]
        return [sums.get(day) for day in self.starts]


@dataclass(frozen=True)
class KeyNumber:
    """One of the numbers at the top: this week's count, out of `base`, and its trend (last one is now)."""

    name: str
    label: str
    meaning: str
    paint: str
    base: int
    counts: Sequence[int | None]

    @property
    def now(self) -> int:
        return self.counts[-1] or 0

    @property
    def before(self) -> int | None:
        """The week before; None where it is not covered."""
        return self.counts[-2]


@dataclass(frozen=True)
class Message:
    """A sentence that follows from the numbers; `paint` is the level it is about."""

    paint: str
    text: str


def write_report(summaries: Path, pack: Pack, out: Path, week: str = "latest") -> Path:
    """Writes the report of one week into `out/WEEK/` and returns that folder, which is replaced as a whole.

    week: a covered week, `2026-W47`, or `latest`, the last complete one. Folders are private (0700), files
    too (0600). Raises UsageError without summaries or for a week that is not covered, StateError when the
    summaries cannot be read.
    """
    tables = read_week(summaries, week)
    key_numbers = _key_numbers(tables)
    drawings = _drawings(tables, pack, key_numbers)
    contents = {"internal.html": _template().render(_page(tables, pack, key_numbers, drawings))}
    contents |= {f"charts/{name}.svg": charts.as_file(svg) for name, svg in drawings.items()}
    contents |= {f"data/{name}.csv": _csv(table) for name, table in tables.tables.items()}
    contents["data/key_numbers.csv"] = _csv(_key_number_table(key_numbers))
    return _publish(out, tables.week, contents)


# ------------------------------------------------------------------------------------------------- read


def read_week(summaries: Path, week: str = "latest") -> WeekTables:
    """Reads what the report of one week needs. Errors as in `write_report`."""
    if not summaries.is_file():
        raise UsageError(f"there are no summaries yet at {summaries}; make them first with: calfwatch run PATH...")
    try:
        with duckdb.connect(str(summaries), read_only=True) as connection:
            return _read(connection, week)
    except duckdb.Error as error:
        first_line = str(error).splitlines()[0]
        raise StateError(f"{summaries} cannot be read: {first_line}") from error


def _read(connection: duckdb.DuckDBPyConnection, week: str) -> WeekTables:
    about = _about(connection)
    covered = {row["week_start"]: row["week"] for row in _select(connection, COVERED).rows}
    name, start = _choose(week, about["latest_week"], covered)
    first = start - timedelta(weeks=WEEKS_SHOWN - 1)
    spans = dict.fromkeys(TRENDS, (first, start)) | dict.fromkeys(SINGLE_WEEK, (start, start))
    by_source = _select(connection, BY_SOURCE, start, start + timedelta(days=6))
    return WeekTables(
        week=name,
        start=start,
        about=about,
        covered=covered,
        tables={table: _weekly(connection, table, *span) for table, span in spans.items()},
        severe_by_week={r["week_start"]: r["reports"] for r in _select(connection, SEVERE, first, start).rows},
        reports_by_source={row["source"]: row["reports"] for row in by_source.rows},
    )


def _about(connection: duckdb.DuckDBPyConnection) -> Row:
    """The row of `about`, its instants as text in the reporting time zone."""
    zone = connection.execute("SELECT time_zone FROM about").fetchone()
    if zone is None:
        raise UsageError("the summaries are empty; bring in reports first with: calfwatch run PATH...")
    connection.execute(f"SET TimeZone = {quoted(zone[0])}")
    return _select(connection, ABOUT).rows[0]


def _choose(week: str, latest: str | None, covered: dict[date, str]) -> tuple[str, date]:
    if not covered:
        raise UsageError("the summaries hold no week yet; bring in reports first with: calfwatch run PATH...")
    days = {name: day for day, name in covered.items()}
    names = list(days)
    spanned = f"{len(names)} covered weeks, {names[0]} to {names[-1]}"
    if week == "latest" and latest is None:
        raise UsageError(f"no week is complete yet ({spanned}); name one with: --week {names[-1]}")
    wanted = latest if week == "latest" and latest else week
    if wanted not in days:
        raise UsageError(f"week {wanted!r} is not covered by any report ({spanned}); try --week {names[-1]}")
    return wanted, days[wanted]


def _weekly(connection: duckdb.DuckDBPyConnection, table: str, first: date, last: date) -> Table:
    return _select(connection, f"SELECT * FROM {table} WHERE week_start BETWEEN ? AND ? ORDER BY ALL", first, last)


def _select(connection: duckdb.DuckDBPyConnection, statement: str, *parameters: object) -> Table:
    found = connection.execute(statement, list(parameters))
    columns = tuple(column[0] for column in found.description or ())
    return Table(columns, [dict(zip(columns, row, strict=True)) for row in found.fetchall()])


# ------------------------------------------------------------------------------------------ key numbers


def _key_numbers(tables: WeekTables) -> list[KeyNumber]:
    reports = tables.trend("weekly_triage", lambda row: True)
    open_ended = tables.trend("weekly_triage", _is_below_emergency, "could_be_emergency")
    severe = [tables.severe_by_week.get(day, 0) if day in tables.covered else None for day in tables.starts]
    total = reports[-1] or 0

    def level(name: str, label: str) -> KeyNumber:
        counts = tables.trend("weekly_triage", _is_level(name))
        return KeyNumber(name, label, LEVEL_MEANINGS[name], name, total, counts)

    still = "a lower level now; open answers could raise it"
    return [
        KeyNumber("reports", "Reports", "accepted records", "plain", 0, reports),
        level("emergency", "Emergencies"),
        KeyNumber("could_be_emergency", "Could be emergencies", still, "emergency", total, open_ended),
        level("contact_doctor", LEVELS["contact_doctor"]),
        level("unresolved", LEVELS["unresolved"]),
        KeyNumber("severe_pain", "Severe pain", f"pain {SEVERE_PAIN} to 10 of 10", "plain", total, severe),
    ]


def _is_level(level: str) -> Callable[[Row], bool]:
    return lambda row: row["triage_level"] == level


def _is_below_emergency(row: Row) -> bool:
    return bool(row["triage_level"] != "emergency")


def _key_number_table(key_numbers: Iterable[KeyNumber]) -> Table:
    columns = ("name", "label", "reports", "previous_week")
    return Table(columns, [dict(zip(columns, (k.name, k.label, k.now, k.before), strict=True)) for k in key_numbers])


# --------------------------------------------------------------------------------------------- drawings


def _drawings(tables: WeekTables, pack: Pack, key_numbers: Iterable[KeyNumber]) -> dict[str, str]:
    """Every chart of the page by name."""
    drawn = {f"trend-{k.name}": _spark(k) for k in key_numbers}
    levels = [
        charts.Series(label, name, tables.trend("weekly_triage", _is_level(name))) for name, label in LEVELS.items()
    ]
    drawn["triage"] = charts.weekly_columns("triage", "Reports a week by triage level", tables.axis, levels)
    for cause in _causes(tables, pack):
        drawn[cause["chart"]] = _cause_columns(tables, cause)
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


def _pyramid(tables: WeekTables) -> str:
    cells = {(row["age_band"], row["sex"]): row for row in tables.now("weekly_demographics")}
    nothing = {"reports": 0, "emergency": 0}
    rows = []
    for band in _age_bands(tables):
        female, male = cells.get((band, "female"), nothing), cells.get((band, "male"), nothing)
        counts = (female["reports"], male["reports"], female["emergency"], male["emergency"])
        rows.append(charts.Pair(band, *counts))
    return charts.pyramid("age-and-sex", "Reports by age and sex", ("Female", "Male"), rows, "emergencies")


# ------------------------------------------------------------------------------------------------- page


def _page(tables: WeekTables, pack: Pack, key_numbers: list[KeyNumber], drawings: dict[str, str]) -> dict[str, object]:
    """Everything the template shows, as plain values."""
    return {
        "week": tables.week,
        "dates": _span(tables.start, tables.start + timedelta(days=6)),
        "about": tables.about,
        "pack": pack,
        "notices": _notices(tables, pack),
        "key_numbers": key_numbers,
        "total": key_numbers[0].now,
        "has_previous": key_numbers[0].before is not None,
        "messages": _messages(tables, pack, key_numbers),
        "charts": {name: Markup(svg) for name, svg in drawings.items()},  # noqa: S704 - built from XML nodes
        "chart_style": Markup(charts.STYLE),  # noqa: S704 - constant
        "paints": charts.PAINTS,
        "levels": _levels(tables),
        "level_labels": LEVELS,
        "trend": _trend_rows(tables),
        "missing_weeks": sum(day not in tables.covered for day in tables.starts),
        "causes": _causes(tables, pack),
        **_region_part(tables),
        **_people_part(tables),
        "rules": _rules(tables, pack),
        "unanswered": _unanswered(tables, pack),
        "quality": _quality(tables, pack),
        "guidance": _guidance(tables, pack),
        "general_guidance": _by_kind(entry for entry in pack.guidance if entry.cause == "any"),
        "severe_from": SEVERE_PAIN,
        "late_days": LATE_DAYS,
        "smallest_base": SMALLEST_BASE,
        "weeks_shown": WEEKS_SHOWN,
    }


def _notices(tables: WeekTables, pack: Pack) -> list[str]:
    """What a reader must know before reading any number."""
    notices = []
    complete = [day for day, name in tables.covered.items() if name == tables.about["latest_week"]]
    if not complete or tables.start > complete[0]:
        notices.append("This week is not complete yet: its numbers will still grow.")
    if tables.about["rule_pack"] != pack.version:
        notices.append(
            f"The records were tagged with rule pack {tables.about['rule_pack']}, and this page explains "
            f"them with {pack.version}: rules and labels may differ."
        )
    return notices


def _levels(tables: WeekTables) -> list[Row]:
    rows = {row["triage_level"]: row for row in tables.now("weekly_triage")}
    return [
        rows[name] | {"label": label, "meaning": LEVEL_MEANINGS[name]} for name, label in LEVELS.items() if name in rows
    ]


def _trend_rows(tables: WeekTables) -> list[Row]:
    """The triage chart as a table, newest week first."""
    by_level = {level: tables.trend("weekly_triage", _is_level(level)) for level in LEVELS}
    return [
        {"week": week.label, "start": week.start, "counts": [counts[i] for counts in by_level.values()]}
        for i, week in reversed(list(enumerate(tables.axis)))
    ]


def _causes(tables: WeekTables, pack: Pack) -> list[Row]:
    """This week's causes in the pack's order of danger, undetermined last."""
    order = [cause.name for category in pack.categories for cause in pack.causes_of(category.name)]
    labels = {cause.name: cause.label for cause in pack.causes}
    categories = {category.name: category.label for category in pack.categories}
    rows = [
        row
        | {
            "label": labels.get(row["likely_cause"], _plain(row["likely_cause"])),
            "category": categories.get(row["cause_category"], ""),
            "chart": f"cause-{row['likely_cause'].replace('_', '-')}",
        }
        for row in tables.now("weekly_causes")
    ]
    places = {name: place for place, name in enumerate([*order, UNDETERMINED])}
    return sorted(rows, key=lambda row: places.get(row["likely_cause"], len(places)))


def _region_part(tables: WeekTables) -> Row:
    """The regions with most reports; the region that is not known comes last and counts as no region."""
    rows = tables.now("weekly_regions")
    named = sorted((r for r in rows if r["region"] != UNKNOWN), key=lambda r: (-r["reports"], r["region"]))
    unknown = [row for row in rows if row["region"] == UNKNOWN and row["reports"]]
    rest = named[REGIONS_SHOWN:]
    return {
        "regions": named[:REGIONS_SHOWN] + unknown,
        "regions_more": len(rest),
        "regions_more_reports": sum(row["reports"] for row in rest),
        "most_in_a_region": max((row["reports"] for row in rows), default=0),
    }


def _age_bands(tables: WeekTables) -> list[str]:
    """The oldest first, as a pyramid has them."""
    seen = {row["age_band"] for row in tables.now("weekly_demographics")}
    return [*reversed(AGE_BANDS), *sorted(seen - {*AGE_BANDS, UNKNOWN}), UNKNOWN]


def _people_part(tables: WeekTables) -> Row:
    """Age bands by sex as a table."""
    rows = tables.now("weekly_demographics")
    cells = {(row["age_band"], row["sex"]): row["reports"] for row in rows}
    sexes = [*SEXES, *sorted({row["sex"] for row in rows} - set(SEXES))]
    bands = _age_bands(tables)
    people = [{"band": band, "counts": [cells.get((band, sex), 0) for sex in sexes]} for band in bands]
    totals = [sum(cells.get((band, sex), 0) for band in bands) for sex in sexes]
    return {"sexes": [_plain(sex) for sex in sexes], "people": people, "people_totals": totals}


def _rules(tables: WeekTables, pack: Pack) -> list[Row]:
    """The triage rules by level, then by how often they fired."""
    known = {rule.id: rule for rule in pack.triage}
    rows = [row | {"rule": known.get(row["rule_id"])} for row in tables.now("weekly_rules")]
    places = list(LEVELS)
    return sorted(rows, key=lambda row: (places.index(row["triage_level"]), -row["reports"], row["rule_id"]))


def _unanswered(tables: WeekTables, pack: Pack) -> list[Row]:
    """The open questions that some record still waits for, most unresolved records first."""
    labels = _field_labels(pack)
    rows = [
        row | {"label": labels.get(row["field"], _plain(row["field"]))}
        for row in tables.now("weekly_missing_answers")
        if row["reports"]
    ]
    return sorted(rows, key=lambda row: (-row["unresolved"], -row["reports"], row["field"]))


def _guidance(tables: WeekTables, pack: Pack) -> list[Row]:
    """The guidance for each cause seen this week, the most frequent first."""
    seen = [row for row in _causes(tables, pack) if row["reports"] and row["likely_cause"] != UNDETERMINED]
    return [
        row | {"kinds": _by_kind(entry for entry in pack.guidance if entry.cause == row["likely_cause"])}
        for row in sorted(seen, key=lambda row: -row["reports"])
    ]


def _by_kind(entries: Iterable[Guidance]) -> list[tuple[str, list[Guidance]]]:
    listed = list(entries)
    kinds = [(KIND_LABELS[kind], [e for e in listed if e.kind == kind]) for kind in GUIDANCE_KINDS]
    return [(label, found) for label, found in kinds if found]


# ---------------------------------------------------------------------------------------------- quality


def _quality(tables: WeekTables, pack: Pack) -> Row:
    """Data quality of the week: by source, in total, why cells were refused, how complete the answers are."""
    rows = tables.now("weekly_quality")
    sources = [
        {"source": source} | _measures(row for row in rows if row["source"] == source)
        for source in sorted({row["source"] for row in rows})
    ]
    total = {name: _sum(source[name] for source in sources) for name in COUNT_MEASURES}
    reasons = _reasons(rows)
    return {
        "sources": sources,
        "total": total,
        "late_share": _weighted(tables, [r for r in rows if r["measure"] == "late_share"]),
        "balanced": (total["rows_read"] or 0) == sum(total[name] or 0 for name in ROW_MEASURES),
        "reasons": reasons[:REASONS_SHOWN],
        "reasons_more": len(reasons[REASONS_SHOWN:]),
        "most_cells": max((cells for _, cells in reasons), default=0),
        "completeness": _completeness(tables, pack, rows),
    }


def _measures(rows: Iterable[Row]) -> Row:
    """One source's measures; None where the week has no such row."""
    found = {row["measure"]: row["value"] for row in rows if row["item"] is None}
    counts = {name: _whole(found.get(name)) for name in COUNT_MEASURES}
    return counts | {name: found.get(name) for name in ("median_delay_days", "late_share")}


def _reasons(rows: Iterable[Row]) -> list[tuple[str, int]]:
    cells: dict[str, int] = {}
    for row in rows:
        if row["measure"] == "quarantine_reason":
            cells[row["item"]] = cells.get(row["item"], 0) + round(row["value"])
    return sorted(cells.items(), key=lambda pair: (-pair[1], pair[0]))


def _completeness(tables: WeekTables, pack: Pack, rows: Iterable[Row]) -> list[tuple[str, float]]:
    """Label and share answered of each field over all sources, the least complete first."""
    by_field: dict[str, list[Row]] = {}
    for row in rows:
        if row["measure"] == "completeness":
            by_field.setdefault(row["item"], []).append(row)
    labels = _field_labels(pack)
    shares = [(labels.get(name, _plain(name)), _weighted(tables, found)) for name, found in by_field.items()]
    known = [(label, value) for label, value in shares if value is not None]
    return sorted(known, key=lambda pair: (pair[1], pair[0]))


def _weighted(tables: WeekTables, rows: Iterable[Row]) -> float | None:
    """A share over all sources: each source's share weighs as many reports as it has this week."""
    known = [(row["value"], tables.reports_by_source.get(row["source"], 0)) for row in rows]
    known = [(value, weight) for value, weight in known if value is not None]
    weights = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / weights if weights else None


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


# --------------------------------------------------------------------------------------------- messages


def _messages(tables: WeekTables, pack: Pack, key_numbers: Iterable[KeyNumber]) -> list[Message]:
    """What the week says, in sentences, each from numbers that the page shows further down."""
    numbers = {number.name: number for number in key_numbers}
    candidates = [
        ("plain", _say_reports(tables, numbers["reports"])),
        ("emergency", _say_emergencies(tables, pack, numbers["emergency"])),
        ("emergency", _say_open_ended(tables, numbers["could_be_emergency"])),
        ("unresolved", _say_unresolved(tables, pack, numbers["unresolved"])),
        ("plain", _say_causes(tables, pack)),
        ("plain", _say_regions(tables)),
        ("plain", _say_quality(tables, pack)),
    ]
    return [Message(paint, text) for paint, text in candidates if text]


def _say_reports(tables: WeekTables, reports: KeyNumber) -> str:
    opening = f"{_many(reports.now, 'report')} this week"
    if reports.before is not None:
        return f"{opening}, {_compared(reports)}."
    if tables.start == min(tables.covered):
        return f"{opening}. It is the first week with data, so there is nothing to compare it with."
    return f"{opening}. No file covers the week before, so there is nothing to compare it with."


def _say_emergencies(tables: WeekTables, pack: Pack, emergencies: KeyNumber) -> str:
    if not emergencies.now:
        return "No report met an emergency criterion."
    opening = f"{_many(emergencies.now, 'report')}{_of(emergencies)} met an emergency criterion"
    opening += "" if emergencies.before is None else f", {_compared(emergencies)}"
    fired = [row for row in _rules(tables, pack) if row["triage_level"] == "emergency" and row["rule"]]
    if not fired or not fired[0]["reports"]:
        return f"{opening}."
    return f"{opening}. Most often ({fired[0]['reports']:,}): {_first_sentence(fired[0]['rule'].sentence)}"


def _say_open_ended(tables: WeekTables, open_ended: KeyNumber) -> str:
    if not open_ended.now:
        return "No other report could still turn out to be an emergency."
    parts = [
        f"{row['could_be_emergency']:,} now {LEVELS[row['triage_level']].lower()}"
        for row in _levels(tables)
        if row["could_be_emergency"] and row["triage_level"] != "emergency"
    ]
    what = "an emergency" if open_ended.now == 1 else "emergencies"
    opening = f"{_many(open_ended.now, 'more report')}{_of(open_ended)} could still be {what}"
    return f"{opening}, as answers are missing: {', '.join(parts)}."


def _say_unresolved(tables: WeekTables, pack: Pack, unresolved: KeyNumber) -> str:
    if not unresolved.now:
        return "No report is unresolved."
    verb = "is" if unresolved.now == 1 else "are"
    opening = f"{_many(unresolved.now, 'report')}{_of(unresolved)} {verb} unresolved"
    opening += "" if unresolved.before is None else f", {_compared(unresolved)}"
    asked = [row for row in _unanswered(tables, pack) if row["unresolved"]]
    if not asked:
        return f"{opening}."
    return f"{opening}. Most often open ({asked[0]['unresolved']:,} of them): {asked[0]['label'].lower()}."


def _say_causes(tables: WeekTables, pack: Pack) -> str:
    named = [row for row in _causes(tables, pack) if row["likely_cause"] != UNDETERMINED and row["reports"]]
    if not named:
        return ""
    top = max(named, key=lambda row: row["reports"])
    told = f"Most frequent likely cause: {top['label'].lower()}, {_many(top['reports'], 'report')}."
    risen = _most_risen(named)
    if risen is None:
        return told
    if risen is top:
        return f"{told} It also rose most, {_from_to(risen)}."
    return f"{told} Largest increase: {risen['label'].lower()}, {_from_to(risen)}."


def _say_regions(tables: WeekTables) -> str:
    named = [row for row in tables.now("weekly_regions") if row["region"] != UNKNOWN and row["reports"]]
    if len(named) < 2:
        return ""
    top = max(named, key=lambda row: (row["emergency"], row["reports"]))
    of_reports = f"{top['emergency']:,} of {_many(top['reports'], 'report')}"
    told = f"Most emergencies: region {top['region']} ({of_reports})." if top["emergency"] else ""
    risen = _most_risen(named)
    if risen is None:
        return told
    return f"{told} Largest increase in reports: region {risen['region']}, {_from_to(risen)}.".strip()


def _say_quality(tables: WeekTables, pack: Pack) -> str:
    quality = _quality(tables, pack)
    total = quality["total"]
    if not quality["sources"]:
        return "Data: nothing is recorded about this week's deliveries."
    parts = []
    if total["files_rejected"]:
        parts.append(f"{_many(total['files_rejected'], 'file')} rejected")
    if total["rows_quarantined"]:
        read = total["rows_read"] or 0
        parts.append(f"{_many(total['rows_quarantined'], 'row')} of {read:,} quarantined")
    if quality["late_share"]:
        late = percent(quality["late_share"])
        parts.append(f"{late} of the reports came in files that end over {LATE_DAYS} days later")
    return f"Data: {'; '.join(parts) or 'no file rejected, no row quarantined, nothing late'}."


def _most_risen(rows: Iterable[Row]) -> Row | None:
    """The row with the largest rise since the week before, when there is one."""
    compared = (row for row in rows if row["previous_week"] is not None)
    most = max(compared, key=lambda row: row["reports"] - row["previous_week"], default=None)
    return most if most and most["reports"] > most["previous_week"] else None


def _from_to(row: Row) -> str:
    return f"from {row['previous_week']:,} to {row['reports']:,}"


def _compared(number: KeyNumber) -> str:
    """The difference to the week before, in words."""
    before = number.before or 0
    if number.now == before:
        return "as many as the week before"
    word = "more" if number.now > before else "fewer"
    relative = percent_change(number.now, before)
    return f"{abs(number.now - before):,} {word} than the week before" + (f" ({relative})" if relative else "")


def _of(number: KeyNumber) -> str:
    part = share(number.now, number.base)
    return f" ({part})" if part else f" of {number.base:,}"


def _first_sentence(text: str) -> str:
    return text.split(". ")[0].rstrip(".") + "."


# ------------------------------------------------------------------------------------- numbers in words


def count(value: int | None) -> str:
    """A count with thousands separators; a dash where there is none."""
    return NONE if value is None else f"{value:,}"


def share(part: int | None, whole: int | None) -> str:
    """A percentage as precise as it deserves to be; nothing when the whole is smaller than SMALLEST_BASE."""
    if part is None or whole is None or whole < SMALLEST_BASE:
        return ""
    return percent(part / whole)


def percent(value: float) -> str:
    """A share of 0-1 as a percentage: one decimal below 10 %, and never rounded to none or to all."""
    hundred = value * 100
    if 0 < hundred < 0.1:
        return "<0.1%"
    if 99 < hundred < 100:
        return ">99%"
    return f"{hundred:.1f}%" if 0 < hundred < 9.95 else f"{hundred:.0f}%"


def change(now: int | None, before: int | None) -> str:
    """The difference to the week before, signed; a dash where the week before is not covered."""
    if now is None or before is None:
        return NONE
    difference = now - before
    if not difference:
        return "±0"
    percent_of_it = percent_change(now, before)
    return _signed(f"{difference:+,}") + (f" ({percent_of_it})" if percent_of_it else "")


def percent_change(now: int, before: int) -> str:
    """The relative change, signed; nothing when it rounds to none or is one of fewer than SMALLEST_BASE."""
    if before < SMALLEST_BASE:
        return ""
    hundred = round(100 * (now - before) / before)
    return _signed(f"{hundred:+,}%") if hundred else ""


def _signed(text: str) -> str:
    """With a minus sign as wide as the plus, in place of a hyphen."""
    return text.replace("-", MINUS)


def _many(number: int, thing: str) -> str:
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def _plain(name: str) -> str:
    """A name of the database as words."""
    return name.replace("_", " ").capitalize()


def _field_labels(pack: Pack) -> dict[str, str]:
    labels = {question.name: question.label for question in pack.fields}
    return labels | {"pain_score": "Pain score", "duration_days": "How long the pain has lasted"}


def _span(first: date, last: date) -> str:
    """Both dates in words, with nothing said twice: 9 to 15 Nov 2026."""
    month = charts.MONTHS[first.month - 1]
    year = "" if first.year == last.year else f" {first.year}"
    opening = f"{first.day}" if first.month == last.month else f"{first.day} {month}{year}"
    return f"{opening} to {in_words(last)}"


def in_words(value: date) -> str:
    """A date in words: 15 Nov 2026."""
    return f"{value.day} {charts.MONTHS[value.month - 1]} {value.year}"


# ------------------------------------------------------------------------------------------------ write


@cache
def _template() -> Template:
    # StrictUndefined: a name that the page lacks is an error here and not a hole in what a clinician reads
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"count": count, "share": share, "percent": percent, "change": change, "day": in_words}
    return environment.from_string((files("pipelines") / "report.html.jinja").read_text(encoding="utf-8"))


def _csv(table: Table) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, table.columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table.rows)
    return text.getvalue()


def _publish(out: Path, week: str, contents: dict[str, str]) -> Path:
    """Writes the files into a folder beside the final one and renames it, so that no half report is seen.

    What an interrupted run left there is put right first. One writer at a time: the caller holds the lock.
    """
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    final, fresh, old = out / week, out / f".{week}.new", out / f".{week}.old"
    if old.exists() and not final.exists():
        old.rename(final)
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    for name, text in contents.items():
        _write_private(fresh, name, text)
    if final.exists():
        final.rename(old)
    fresh.rename(final)
    shutil.rmtree(old, ignore_errors=True)
    return final


def _write_private(folder: Path, name: str, text: str) -> None:
    path = folder / name
    for parent in dict.fromkeys((folder, path.parent)):
        parent.mkdir(exist_ok=True)
        parent.chmod(0o700)  # mkdir's own mode is subject to the umask
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
