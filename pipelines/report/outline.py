"""The page's values -> the same report as titles, sentences and tables of plain text, for paper and for mail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.pages.words import NONE, change, count, decimal, percent, probability, share
from pipelines.report.alarms import Curve
from pipelines.report.indicators import KeyNumber
from pipelines.report.labels import LEADS, LEVELS, UNKNOWN
from pipelines.report.quality import COUNT_MEASURES, LATE_DAYS
from pipelines.report.week import Row
from pipelines.text import many

PYRAMID_LEGEND = (("reports", "plain"), ("of these, emergencies", "emergency"))
CURVE_SIGNS = "Solid line: expected; dashed line: upper bound; triangle: alarm."
HEAT_SIGNS = "A triangle marks an alarm of all the region's reports, a dashed cell a week without data."

Cells = tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """A table as text. The first `texts` columns hold words, the others numbers."""

    columns: Cells
    rows: Sequence[Cells]
    texts: int = 1
    title: str = ""


@dataclass(frozen=True)
class Part:
    """One section: a sentence on top, charts by name in `across` columns with a legend of labels and paints, or of
    labels and how opaque they are, tables, points."""

    title: str
    lead: str = ""
    charts: Sequence[str] = ()
    across: int = 1
    legend: Sequence[tuple[str, str]] = ()
    grids: Sequence[Grid] = ()
    points: Sequence[str] = field(default_factory=list)
    shades: Sequence[tuple[str, float]] = ()


def key_number_grid(numbers: Iterable[KeyNumber]) -> Grid:
    """The key numbers with their share, change and verdict."""
    rows = [(n.label, n.verdict or NONE, count(n.now), _share(n.now, n.base), change(n.now, n.before)) for n in numbers]
    return Grid(("Key number", "Against its own history", "This week", "Share", "Change"), rows, texts=2)


def parts(page: dict[str, Any]) -> list[Part]:
    """The sections in the order of the page."""
    return [
        Part(
            "More than expected?",
            _standing(page),
            [curve.name for curve in page["curves"]],
            2,
            [("reports", "plain"), ("emergencies", "emergency")],
            _filled(alarm_grid(page["standing"])),
        ),
        Part(
            "Triage levels",
            f"{LEADS['levels']} {page['gaps']}".strip(),
            ["triage"],
            1,
            [(label, name) for name, label in LEVELS.items()],
            [_levels(page)],
        ),
        Part("Likely causes", LEADS["causes"], [row["chart"] for row in page["causes"]], 5, (), _filled(_causes(page))),
        Part(
            "Regions",
            _regions_lead(page),
            _drawn(page, "regions-by-week"),
            shades=page["heat_steps"],
            grids=_filled(_regions(page)),
        ),
        Part("Age and sex", "", ["age-and-sex"], 1, PYRAMID_LEGEND, [_people(page)]),
        Part("Triage rules that fired", "A report can meet several.", grids=_filled(_rules(page))),
        Part("What was left unanswered", LEADS["unanswered"], grids=_filled(_unanswered(page))),
        Part(
            "Data quality",
            LEADS["quality"],
            [name for name, _ in page["quality_trends"]],
            2,
            (),
            _filled(_sources(page), _reasons(page), _completeness(page)),
        ),
        Part("What has changed since it was published", _revisions_lead(page), grids=_filled(revision_grid(page))),
        *_guidance(page),
        Part("Method", points=[*page["method"], *page["pack"].notes]),
    ]


def alarm_grid(standing: Row) -> Grid:
    """The alarms, the strongest first."""
    rows = [
        (
            row["label"],
            ", ".join(row["methods"]),
            count(row["observed"]),
            decimal(row["expected"]),
            decimal(row["upper"]),
            probability(row["p_value"]),
        )
        for row in standing["alarms"]
    ]
    return Grid(("Alarm", "Method", "Reports", "Expected", "Upper bound", "p-value"), rows, texts=2)


def revision_grid(page: dict[str, Any]) -> Grid:
    """The published weeks that have changed."""
    rows = [
        (
            row["week"],
            "; ".join(row["reasons"]),
            _then_now(row["all"], row["compared"]),
            _then_now(row["emergency"], row["compared"]),
            count(row["series"]),
        )
        for row in page["revised_weeks"]
    ]
    return Grid(("Week", "Why", "All reports: then, now", "Emergencies: then, now", "Series changed"), rows, texts=2)


def alarms_left_out(standing: Row) -> str:
    """How many alarms `alarm_grid` leaves out; empty where it has them all."""
    return _left_out(standing["alarm_count"] - len(standing["alarms"]), "alarm")


def revisions_left_out(page: dict[str, Any]) -> str:
    """How many weeks `revision_grid` leaves out; empty where it has them all."""
    return _left_out(page["revised_more"], "week")


def _left_out(number: int, thing: str) -> str:
    return f"{many(number, f'more {thing}')} {'is' if number == 1 else 'are'} in the CSV." if number else ""


def _filled(*grids: Grid) -> list[Grid]:
    return [grid for grid in grids if grid.rows]


def _drawn(page: dict[str, Any], name: str) -> list[str]:
    return [name] if name in page["charts"] else []


def _share(part: int, whole: int) -> str:
    return share(part, whole) or NONE


def _then_now(row: Row | None, compared: bool) -> str:
    if row is None:
        return "as published" if compared else NONE
    return f"{count(row['as_reported'])} → {count(row['as_known_now'])}"


def _standing(page: dict[str, Any]) -> str:
    standing = page["standing"]
    reasons = "; ".join(f"{count(number)} series, {reason}" for reason, number in standing["reasons"])
    told = f"{standing['lead']} {standing['method']}".strip()
    told += f" Not judged: {reasons}." if reasons else ""
    told = f"{told} {alarms_left_out(standing)}".strip()
    if not standing["series"]:
        return told
    return f"{told} {CURVE_SIGNS} {_ranges(page['curves'])}".strip()


def _ranges(curves: Iterable[Curve]) -> str:
    """Whose range each curve shows, said once of curves that agree."""
    labels: dict[str, list[str]] = {}
    for curve in curves:
        labels.setdefault(curve.ranges, []).append(curve.label)
    if len(labels) == 1:
        return next(iter(labels))
    return " ".join(f"{', '.join(found)}: {ranges}" for ranges, found in labels.items() if ranges)


def _levels(page: dict[str, Any]) -> Grid:
    rows = [(row["label"], row["meaning"], *_counted(row, page["total"]), _could_be(row)) for row in page["levels"]]
    columns = ("Level", "Meaning", "Reports", "Share", "Change", "Could be emergencies")
    return Grid(columns, rows, texts=2)


def _could_be(row: Row) -> str:
    """How many of a lower level could still be emergencies; an emergency is one already."""
    return NONE if row["triage_level"] == "emergency" else count(row["could_be_emergency"])


def _counted(row: Row, total: int) -> Cells:
    return count(row["reports"]), _share(row["reports"], total), change(row["reports"], row["previous_week"])


def _causes(page: dict[str, Any]) -> Grid:
    rows = [(row["label"], row["category"], *_counted(row, page["total"])) for row in page["causes"]]
    return Grid(("Likely cause", "Group", "Reports", "Share", "Change"), rows, texts=2)


def _regions_lead(page: dict[str, Any]) -> str:
    if not page["regions"]:
        return "No regions are recorded for this week."
    told = f"Each region is measured by its own median week. At the right: this week. {HEAT_SIGNS}"
    if not page["regions_more"]:
        return told
    more, reports = page["regions_more"], many(page["regions_more_reports"], "report")
    verb = "is" if more == 1 else "are"
    return f"{told} The regions with most reports; {more:,} more with {reports} together {verb} in the CSV."


def _regions(page: dict[str, Any]) -> Grid:
    rows = [
        (
            row["region"] if row["region"] != UNKNOWN else "not known",
            count(row["reports"]),
            change(row["reports"], row["previous_week"]),
            *(count(row[name]) for name in (*LEVELS, "severe_pain")),
        )
        for row in page["regions"]
    ]
    return Grid(("Region", "Reports", "Change", *LEVELS.values(), "Severe pain"), rows)


def _people(page: dict[str, Any]) -> Grid:
    rows = [(row["band"], *map(count, row["counts"])) for row in page["people"]]
    return Grid(("Age", *page["sexes"]), [*rows, ("All", *map(count, page["people_totals"]))])


def _rules(page: dict[str, Any]) -> Grid:
    rows = [
        (
            row["rule"].sentence if row["rule"] else row["rule_id"],
            f"{row['rule'].reference} ({row['rule'].basis})" if row["rule"] else "not in this rule pack",
            LEVELS[row["triage_level"]],
            *_counted(row, page["total"]),
        )
        for row in page["rules"]
    ]
    return Grid(("Rule", "Place in the article", "Level", "Reports", "Share", "Change"), rows, texts=3)


def _unanswered(page: dict[str, Any]) -> Grid:
    rows = [
        (
            row["label"],
            *(count(row[name]) for name in ("unresolved", "settles", "reports")),
            change(row["reports"], row["previous_week"]),
        )
        for row in page["unanswered"]
    ]
    return Grid(("Question", "Unresolved reports", "Settles", "All reports", "Change, all"), rows)


def _sources(page: dict[str, Any]) -> Grid:
    rows = [
        (
            row["source"],
            *(count(row[name]) for name in COUNT_MEASURES),
            decimal(row["median_delay_days"]),
            NONE if row["late_share"] is None else percent(row["late_share"]),
        )
        for row in page["quality"]["sources"]
    ]
    counts = ("Files", "Rejected", "Rows", "Accepted", "Quarantined", "Duplicate", "Out of scope", "Replaced")
    return Grid(("Source", *counts, "Median delay, days", f"Over {LATE_DAYS} days late"), rows)


def _reasons(page: dict[str, Any]) -> Grid:
    rows = [(reason, count(cells)) for reason, cells in page["quality"]["reasons"]]
    more = _left_out(page["quality"]["reasons_more"], "reason")
    return Grid(("Column: check", "Cells"), rows, title=f"Why cells were quarantined. {more}".strip())


def _completeness(page: dict[str, Any]) -> Grid:
    rows = [(label, percent(answered)) for label, answered in page["quality"]["completeness"]]
    return Grid(("Field", "Answered"), rows, title="Completeness, the least complete first")


def _revisions_lead(page: dict[str, Any]) -> str:
    if not page["revised_weeks"]:
        return "No change of a published week is recorded."
    return f"{LEADS['revisions']} {revisions_left_out(page)}".strip()


def _guidance(page: dict[str, Any]) -> list[Part]:
    """A section for each cause seen, and one for any of them."""
    named = [(row["label"], row["kinds"]) for row in page["guidance"]]
    return [
        Part(f"Guidance: {label}", points=[f"{kind}: {entry.text}" for kind, entries in kinds for entry in entries])
        for label, kinds in [*named, (f"any {page['pack'].complaint}", page["general_guidance"])]
    ]
