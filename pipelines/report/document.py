"""The weekly report as one document: what is said, in which order. A new section is a line in `_sections`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from pipelines.pages.document import Block, Callout, Document, Item, List, Note, Section
from pipelines.pages.words import span
from pipelines.report.alarm_section import alarm_section
from pipelines.report.guidance import guidance_section, method_section
from pipelines.report.key_numbers import KeyNumber, find_key_numbers, key_number_section
from pipelines.report.levels_and_causes import cause_section, triage_section
from pipelines.report.messages import find_messages, find_notices
from pipelines.report.quality_section import quality_section
from pipelines.report.regions_and_people import people_section, region_section
from pipelines.report.revisions import revision_section
from pipelines.report.rules_and_questions import rule_section, unanswered_section
from pipelines.report.week import WeekTables
from pipelines.text import many
from schemas.pack import Pack


def weekly_document(tables: WeekTables, pack: Pack, explained: int = 0) -> Document:
    """State the report of one week. explained: how many records have a page in `explain/`."""
    about, numbers = tables.about, find_key_numbers(tables)
    as_of = f"{about.published_at[:16]} ({about.time_zone})"
    return Document(
        subject=pack.complaint.capitalize(),
        issue=f"week {tables.week}",
        dates=span(tables.start, tables.start + timedelta(days=6)),
        audience="Internal",
        handling="exact counts, for staff; not for publication",
        as_of=as_of,
        notices=[Callout(notice) for notice in find_notices(tables, pack)],
        disclaimer=pack.disclaimer,
        opening=[_message_section(tables, pack, numbers, explained), key_number_section(numbers)],
        sections=_sections(tables, pack, total=numbers[0].now),
        facts=[
            ("Rule pack", about.rule_pack),
            ("Article", pack.article),
            ("Data as of", as_of),
            ("Reports from", f"{about.first_report[:10]} to {about.last_report[:10]}"),
            ("Made by", f"calfwatch {about.version}"),
        ],
    )


def _sections(tables: WeekTables, pack: Pack, total: int) -> list[Section]:
    return [
        alarm_section(tables, pack),
        triage_section(tables),
        cause_section(tables, pack, total),
        region_section(tables),
        people_section(tables),
        rule_section(tables, pack, total),
        unanswered_section(tables, pack),
        quality_section(tables, pack),
        revision_section(tables, pack),
        guidance_section(tables, pack),
        method_section(tables, pack),
    ]


def _message_section(tables: WeekTables, pack: Pack, numbers: Sequence[KeyNumber], explained: int) -> Section:
    items = [Item(message.text, message.paint) for message in find_messages(tables, pack, numbers)]
    blocks: list[Block] = [List(items, marked=True)]
    if explained:
        rest = (
            ": this week's emergencies, then the unresolved records that could still be one, record by record: "
            f"{many(explained, 'page')}. The list there says whether any were left out."
        )
        blocks.append(Note(rest, link=("Why records were tagged so", "explain/index.html")))
    return Section("messages", "Key messages", blocks)
