"""The sections on guidance that the week needs, and on the method."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from pipelines.pages.document import Block, Folded, Group, Item, List, Section
from pipelines.report.sections.causes import label_cause, sort_causes
from pipelines.report.week import WeekTables
from pipelines.report.wording import HOME_CARE_LEAD, METHOD
from schemas.pack import ANY_CAUSE, KINDS_BESIDE_A_CRITERION, UNDETERMINED, Guidance, Pack

HOME_CARE = "Home care: for self-care reports alone"
DOCTORS = "What doctors do, and what can follow"


def make_guidance_section(tables: WeekTables, pack: Pack) -> Section:
    """State home care in one block, for the causes that self-care reports have; then what is for a doctor to do."""
    cared = _find_causes_at_home(tables, pack)
    seen = [row.likely_cause for row in sort_causes(tables, pack) if row.reports and row.likely_cause != UNDETERMINED]
    at_home = [entry for entry in pack.guidance if not _is_for_doctors(entry)]
    doctors = [entry for entry in pack.guidance if _is_for_doctors(entry)]
    parts = [(HOME_CARE, _list_advice(at_home, cared, pack)), (DOCTORS, _list_advice(doctors, seen, pack))]
    blocks: list[Block] = [Group(title, [List(items, columns=2)]) for title, items in parts if items]
    lead = f"What the article “{pack.article}” says, in other words. {HOME_CARE_LEAD} {pack.disclaimer}"
    return Section("guidance", "Guidance for this week", blocks, lead, short="Guidance")


def _find_causes_at_home(tables: WeekTables, pack: Pack) -> list[str]:
    """Return the causes of self-care reports that have no sign of a serious one, in the order of danger."""
    cared = {
        row.likely_cause
        for row in tables.cause_levels
        if row.triage_level == "self_care" and row.reports > row.serious and row.likely_cause not in pack.serious_causes
    }
    return [cause.name for cause in pack.causes if cause.name in cared]


def _is_for_doctors(entry: Guidance) -> bool:
    return entry.kind in KINDS_BESIDE_A_CRITERION and not entry.only_self_care


def _list_advice(entries: Sequence[Guidance], causes: Sequence[str], pack: Pack) -> list[Item]:
    """Return what is for any cause, then for each cause, then for its whole category, which is said once."""
    if not causes:
        return []
    categories = [cause.category for cause in pack.causes if cause.name in causes]
    places = list(dict.fromkeys([ANY_CAUSE, *causes, *categories]))
    chosen = sorted((entry for entry in entries if entry.cause in places), key=lambda entry: places.index(entry.cause))
    return [
        _make_item("" if cause == ANY_CAUSE else _name_cause(cause, pack), list(group))
        for (cause, _), group in groupby(chosen, key=lambda entry: (entry.cause, entry.kind))
    ]


def _name_cause(cause: str, pack: Pack) -> str:
    categories = {category.name: category.label for category in pack.categories}
    return categories.get(cause) or label_cause(cause, pack)


def _make_item(title: str, entries: Sequence[Guidance]) -> Item:
    """What is said of one cause, read in one go; a reference that begins as the one before names its end alone."""
    text = " ".join(entry.text for entry in entries)
    places: list[str] = []
    before = ""
    for reference in dict.fromkeys(entry.reference for entry in entries):
        start, _, end = reference.rpartition(", ")
        places.append(end if start and start == before else reference)
        before = start
    return Item(f"{title}: {text}" if title else text, reference="; ".join(places))


def make_method_section(tables: WeekTables, pack: Pack) -> Section:
    """State how the numbers came about; a screen shows how the article is read, which `rules show` prints."""
    system, zone = tables.about.week_system.upper(), tables.about.time_zone
    weeks = f"Weeks are {system} weeks in the time zone {zone}. A week that no file covers is missing, not zero."
    notes = List([Item(note) for note in pack.notes], columns=2)
    reading = Folded("How the article is read: the rule pack's notes", [notes])
    methods = sorted({row.method for row in tables.signals_now if row.is_primary})
    used = [f"This week's expected ranges: {', '.join(methods)}."] if methods else []
    points = [Item(note) for note in (*METHOD, *used, weeks)]
    return Section("method", "Method", [List(points, columns=2), reading])
