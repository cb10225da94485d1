"""The week's tables -> the rows of each section of the page, in the order they are read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from statistics import median

from pipelines.report.alarms import alarm_weeks, series_counts
from pipelines.report.indicators import is_level
from pipelines.report.labels import (
    KIND_LABELS,
    LEVEL_MEANINGS,
    LEVELS,
    UNKNOWN,
    category_labels,
    cause_labels,
    field_labels,
    plain,
    series_label,
)
from pipelines.report.week import Row, WeekTables
from schemas.fields import AGE_BANDS, SEXES
from schemas.pack import GUIDANCE_KINDS, UNDETERMINED, Guidance, Pack

REGIONS_SHOWN = 20
REVISIONS_SHOWN = 12


def notices(tables: WeekTables, pack: Pack) -> list[str]:
    """What a reader must know before reading any number."""
    notices = []
    if not tables.is_complete:
        notices.append(
            "This week is not complete yet: its numbers will still grow, and a change against the week before compares "
            "a part of a week with a whole one. This report is preliminary and not kept."
        )
    lacking = [row for row in tables.tables["weekly_sources"].rows if row["state"] in ("missing", "partial")]
    incomplete = {row["week_start"] for row in lacking}
    if tables.start in incomplete:
        notices.append(
            "Not every expected source has reported for this week: its numbers are not whole, and neither are changes "
            "against the week before."
        )
    elif tables.start - timedelta(weeks=1) in incomplete:
        notices.append(
            "Not every expected source has reported for the week before: changes against it are too large or too small."
        )
    if tables.about["rule_pack"] != pack.version:
        notices.append(
            f"The records were tagged with rule pack {tables.about['rule_pack']}, and this page explains "
            f"them with {pack.version}: rules and labels may differ."
        )
    return notices


def levels(tables: WeekTables) -> list[Row]:
    rows = {row["triage_level"]: row for row in tables.now("weekly_triage")}
    return [
        rows[name] | {"label": label, "meaning": LEVEL_MEANINGS[name]} for name, label in LEVELS.items() if name in rows
    ]


def trend_rows(tables: WeekTables) -> list[Row]:
    """The triage chart as a table, newest week first."""
    by_level = {level: tables.trend("weekly_triage", is_level(level)) for level in LEVELS}
    return [
        {"week": week.label, "start": week.start, "counts": [counts[i] for counts in by_level.values()]}
        for i, week in reversed(list(enumerate(tables.axis)))
    ]


def causes(tables: WeekTables, pack: Pack) -> list[Row]:
    """This week's causes in the pack's order of danger, undetermined last."""
    order = [cause.name for category in pack.categories for cause in pack.causes_of(category.name)]
    labels, categories = cause_labels(pack), category_labels(pack)
    rows = [
        row
        | {
            "label": labels.get(row["likely_cause"], plain(row["likely_cause"])),
            "category": categories.get(row["cause_category"], ""),
            "chart": f"cause-{row['likely_cause'].replace('_', '-')}",
        }
        for row in tables.now("weekly_causes")
    ]
    places = {name: place for place, name in enumerate([*order, UNDETERMINED])}
    return sorted(rows, key=lambda row: places.get(row["likely_cause"], len(places)))


def regions_shown(tables: WeekTables) -> list[Row]:
    """The regions with most reports this week; the region that is not known is none of them."""
    return _named_regions(tables)[:REGIONS_SHOWN]


def _named_regions(tables: WeekTables) -> list[Row]:
    rows = (row for row in tables.now("weekly_regions") if row["region"] != UNKNOWN)
    return sorted(rows, key=lambda row: (-row["reports"], row["region"]))


def region_part(tables: WeekTables) -> Row:
    """The regions with most reports, each with its range over the weeks shown; the one not known comes last."""
    rows = tables.now("weekly_regions")
    unknown = [row for row in rows if row["region"] == UNKNOWN and row["reports"]]
    rest = _named_regions(tables)[REGIONS_SHOWN:]
    return {
        "regions": [*regions_shown(tables), *unknown],
        "region_ranges": [_region_range(tables, row["region"]) for row in regions_shown(tables)],
        "regions_more": len(rest),
        "regions_more_reports": sum(row["reports"] for row in rest),
        "most_in_a_region": max((row["reports"] for row in rows), default=0),
    }


def _region_range(tables: WeekTables, region: str) -> Row:
    """The heat map's row as numbers: the lowest, middle and highest week and this one."""
    counts = series_counts(tables, f"region={region}")
    known = [(count, week) for count, week in zip(counts, tables.axis, strict=True) if count is not None]
    highest = max(known, key=lambda pair: pair[0])
    return {
        "region": region,
        "lowest": min(count for count, _ in known),
        "median": median(count for count, _ in known),
        "highest": highest[0],
        "highest_week": highest[1].label,
        "reports": counts[-1],
        "alarms": sum(alarm_weeks(tables, f"region={region}")),
    }


def age_bands(tables: WeekTables) -> list[str]:
    """The oldest first, as a pyramid has them."""
    seen = {row["age_band"] for row in tables.now("weekly_demographics")}
    return [*reversed(AGE_BANDS), *sorted(seen - {*AGE_BANDS, UNKNOWN}), UNKNOWN]


def people_part(tables: WeekTables) -> Row:
    """Age bands by sex as a table."""
    rows = tables.now("weekly_demographics")
    cells = {(row["age_band"], row["sex"]): row["reports"] for row in rows}
    sexes = [*SEXES, *sorted({row["sex"] for row in rows} - set(SEXES))]
    bands = age_bands(tables)
    people = [{"band": band, "counts": [cells.get((band, sex), 0) for sex in sexes]} for band in bands]
    totals = [sum(cells.get((band, sex), 0) for band in bands) for sex in sexes]
    return {"sexes": [plain(sex) for sex in sexes], "people": people, "people_totals": totals}


def rules(tables: WeekTables, pack: Pack) -> list[Row]:
    """The triage rules by level, then by how often they fired."""
    known = {rule.id: rule for rule in pack.triage}
    rows = [row | {"rule": known.get(row["rule_id"])} for row in tables.now("weekly_rules")]
    places = list(LEVELS)
    return sorted(rows, key=lambda row: (places.index(row["triage_level"]), -row["reports"], row["rule_id"]))


def unanswered(tables: WeekTables, pack: Pack) -> list[Row]:
    """The open questions that some record still waits for, most unresolved records first."""
    labels = field_labels(pack)
    rows = [
        row | {"label": labels.get(row["field"], plain(row["field"]))}
        for row in tables.now("weekly_missing_answers")
        if row["reports"]
    ]
    return sorted(rows, key=lambda row: (-row["unresolved"], -row["reports"], row["field"]))


def revisions(tables: WeekTables, pack: Pack) -> Row:
    """The published weeks whose numbers have moved since, the latest first, and the reasons."""
    by_week: dict[date, list[Row]] = {}
    for row in tables.tables["weekly_revisions"].rows:
        by_week.setdefault(row["week_start"], []).append(row)
    weeks = [_revised_week(rows, pack) for _, rows in sorted(by_week.items(), reverse=True)]
    changed = sum(week["compared"] for week in weeks)
    return {
        "revised_weeks": weeks[:REVISIONS_SHOWN],
        "revised_more": len(weeks[REVISIONS_SHOWN:]),
        "changed": changed,
        "not_compared": len(weeks) - changed,
        "latest_changed": next((week for week in weeks if week["compared"]), None),
    }


def _revised_week(rows: list[Row], pack: Pack) -> Row:
    """One week: what became of all reports and of the emergencies, and the series that moved most.

    One that is cut otherwise now is not compared: nothing is known of what is not in `rows`.
    """
    by_series = {row["series"]: row for row in rows}
    others = [row for row in rows if row["series"] not in ("all", "triage_level=emergency")]
    most = max(others, key=lambda row: (abs(row["difference"] or row["as_reported"]), row["series"]), default=None)
    return {
        "week": rows[0]["week"],
        "all": by_series.get("all"),
        "emergency": by_series.get("triage_level=emergency"),
        "series": len(rows),
        "most": most | {"label": series_label(most["series"], pack)} if most else None,
        "compared": not any((row["reason"] or "").startswith("not compared") for row in rows),
        "reasons": sorted({reason for row in rows if row["reason"] for reason in row["reason"].split(", ")}),
    }


def guidance(tables: WeekTables, pack: Pack) -> list[Row]:
    """The guidance for each cause seen this week, the most frequent first."""
    seen = [row for row in causes(tables, pack) if row["reports"] and row["likely_cause"] != UNDETERMINED]
    return [
        row | {"kinds": by_kind(entry for entry in pack.guidance if entry.cause == row["likely_cause"])}
        for row in sorted(seen, key=lambda row: -row["reports"])
    ]


def by_kind(entries: Iterable[Guidance]) -> list[tuple[str, list[Guidance]]]:
    listed = list(entries)
    kinds = [(KIND_LABELS[kind], [e for e in listed if e.kind == kind]) for kind in GUIDANCE_KINDS]
    return [(label, found) for label, found in kinds if found]
