"""The sections on guidance for the causes seen, and on the method."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.pages.document import Accordion, Folded, Item, List, Section
from pipelines.pages.labels import KIND_LABELS
from pipelines.report.levels_and_causes import cause_label, sort_causes
from pipelines.report.week import WeekTables
from pipelines.report.wording import METHOD
from pipelines.text import many
from schemas.pack import ANY_CAUSE, GUIDANCE_KINDS, UNDETERMINED, Guidance, Pack


def guidance_section(tables: WeekTables, pack: Pack) -> Section:
    """State the guidance for each cause seen this week, the most frequent first, then that for any cause."""
    seen = [row for row in sort_causes(tables, pack) if row.reports and row.likely_cause != UNDETERMINED]
    parts = [
        _advice(cause_label(row, pack), pack, row.likely_cause, row.cause_category, note=many(row.reports, "report"))
        for row in sorted(seen, key=lambda row: -row.reports)
    ]
    general = _advice(f"Any {pack.complaint}", pack, ANY_CAUSE)
    lead = f"What the article “{pack.article}” advises, in other words. {pack.disclaimer}"
    title = "Guidance for the causes seen this week"
    return Section("guidance", title, [Accordion([*parts, general])], lead, short="Guidance")


def _advice(title: str, pack: Pack, *causes: str, note: str = "") -> Folded:
    """State what the pack advises for a cause, and for all of its category."""
    entries = [entry for entry in pack.guidance if entry.cause in causes]
    lists = [_advice_of_kind(kind, [entry for entry in entries if entry.kind == kind]) for kind in GUIDANCE_KINDS]
    return Folded(title, [found for found in lists if found.items], note, on_paper=True)


def _advice_of_kind(kind: str, entries: Iterable[Guidance]) -> List:
    return List([Item(entry.text, reference=entry.reference) for entry in entries], title=KIND_LABELS[kind])


def method_section(tables: WeekTables, pack: Pack) -> Section:
    """State how the numbers came about and how the article is read."""
    system, zone = tables.about.week_system.upper(), tables.about.time_zone
    weeks = f"Weeks are {system} weeks in the time zone {zone}. A week that no file covers is missing, not zero."
    notes = List([Item(note) for note in pack.notes], columns=2)
    reading = Folded("How the article is read: the rule pack's notes", [notes], on_paper=True)
    return Section("method", "Method", [List([Item(note) for note in (*METHOD, weeks)]), reading])
