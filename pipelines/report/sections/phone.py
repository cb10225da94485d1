"""The section "Whom to phone": emergencies, and beside them what could still be one."""

from __future__ import annotations

from pipelines.pages.calls import Call, CallList, WeekCalls
from pipelines.pages.document import Beside, Block, Note, Row, Section, Table
from pipelines.pages.values import Column, Text
from pipelines.report.wording import PHONE_LEAD
from pipelines.text import pluralise

CALLS_SHOWN = 6
LIST_PAGE = "explain/index.html"


def make_phone_section(calls: WeekCalls) -> Section:
    """State whom to phone first; single records have no place in a mail."""
    title, reasons, questions = "Whom to phone", "Why it is one", "Ask, to decide whether it is one"
    emergencies = _make_table("phone_emergencies", "Emergencies, the latest first", calls.emergencies, reasons)
    possible = _make_table("phone_possible", "Could still be one, fewest questions first", calls.possible, questions)
    blocks: list[Block] = [emergencies, possible]
    if emergencies.rows and possible.rows:  # else the only one has the whole width
        blocks = [Beside(emergencies, possible, even=True)]
    if calls.pages:
        words = (
            f"{pluralise(len(calls.emergencies.calls) + len(calls.possible.calls), 'record')} with the reasons of each"
        )
        blocks.append(Note("; it says how many were left out, and how to get them.", link=(words, LIST_PAGE)))
    return Section("phone", title, blocks, PHONE_LEAD)


def _make_table(name: str, title: str, found: CallList, reasons: str) -> Table:
    columns = (Column("Report"), Column(reasons), Column("Age, region, time"))
    rows = [_make_row(call) for call in found.calls[:CALLS_SHOWN]]
    caption = f"{title}: {len(rows):,} of {found.total:,}"
    return Table(name, columns, rows, caption=caption, empty=f"{title}: none.")


def _make_row(call: Call) -> Row:
    asked = Text("; or ".join(call.ask), f"{call.reason} {call.cause}")
    reason = asked if call.ask else Text(call.reason, call.cause)
    link = f"explain/{call.page}" if call.page else ""
    cells = (
        Text(call.report_id, call.source, link=link),
        reason,
        Text(f"{call.age_band}, {call.region}", call.reported),
    )
    return Row(cells, record=(call.source, call.report_id))
