"""The weekly report as one document: what is said, in which order. A new section is a line in `_make_sections`."""

from __future__ import annotations

from datetime import timedelta

from pipelines.pages.calls import WeekCalls
from pipelines.pages.document import Block, Callout, Document, Item, List, Note, Section
from pipelines.pages.words import format_span
from pipelines.report.messages import find_headline, find_messages, find_notices
from pipelines.report.sections.alarms import make_alarm_section
from pipelines.report.sections.causes import make_cause_section
from pipelines.report.sections.guidance import make_guidance_section, make_method_section
from pipelines.report.sections.key_numbers import find_key_counts, make_key_number_section, make_level_section
from pipelines.report.sections.phone import make_phone_section
from pipelines.report.sections.quality import make_quality_section
from pipelines.report.sections.regions_and_people import make_people_section, make_region_section
from pipelines.report.sections.revisions import make_revision_section
from pipelines.report.sections.rules_and_questions import make_rule_section, make_unanswered_section
from pipelines.report.week import WeekTables
from pipelines.report.wording import NO_ASSESSMENT
from pipelines.text import describe_signatures
from schemas.pack import Pack


def make_weekly_document(tables: WeekTables, pack: Pack, calls: WeekCalls | None = None) -> Document:
    """State the report of one week. calls: its single records; without them the report has counts alone."""
    about = tables.about
    as_of = f"{about.published_at[:16]} ({about.time_zone})"
    return Document(
        subject=pack.complaint.capitalize(),
        issue=f"week {tables.week}",
        dates=format_span(tables.start, tables.start + timedelta(days=6)),
        audience="Internal",
        handling="exact counts, for staff; not for publication",
        as_of=as_of,
        headline=find_headline(tables, pack),
        notices=[Callout(notice) for notice in find_notices(tables, pack)],
        disclaimer=pack.disclaimer,
        opening=[_make_message_section(tables, pack), make_key_number_section(tables, pack)],
        sections=_make_sections(tables, pack, calls),
        facts=[
            ("Signature", _describe_signature(tables)),
            ("Article", pack.article),
            ("Data as of", as_of),
            ("Reports from", f"{about.first_report[:10]} to {about.last_report[:10]}"),
            ("Made by", f"calfwatch {about.version}"),
        ],
    )


def _make_sections(tables: WeekTables, pack: Pack, calls: WeekCalls | None) -> list[Section]:
    total = find_key_counts(tables)["reports"].now
    return [
        _make_assessment_section(tables),
        *([make_phone_section(calls)] if calls else []),
        make_alarm_section(tables, pack, calls or WeekCalls()),
        make_level_section(tables),
        make_cause_section(tables, pack),
        make_region_section(tables),
        make_people_section(tables),
        make_rule_section(tables, pack, total),
        make_unanswered_section(tables, pack),
        make_quality_section(tables, pack),
        make_revision_section(tables, pack),
        make_guidance_section(tables, pack),
        make_method_section(tables, pack),
    ]


def _make_message_section(tables: WeekTables, pack: Pack) -> Section:
    items = [Item(message.text, message.paint) for message in find_messages(tables, pack)]
    return Section("messages", "Summary of the week", [List(items, marked=True)])


def _make_assessment_section(tables: WeekTables) -> Section:
    blocks: list[Block] = [Note(NO_ASSESSMENT)]
    if tables.assessments:
        zone = tables.about.time_zone
        items = [
            Item(f"{row.text} ({row.name}, {row.written_at[:16]} {zone}; contact: {row.contact})")
            for row in tables.assessments
        ]
        blocks = [List(items)]
    return Section("assessment", "Assessment by the clinical lead", blocks, short="Assessment", brief=True)


def _describe_signature(tables: WeekTables) -> str:
    signed = [{"name": row.name, "role": row.role, "signed_on": row.signed_on} for row in tables.signatures]
    return describe_signatures(tables.about.rule_pack, signed).rstrip(".")
