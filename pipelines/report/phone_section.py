"""The section "Whom to phone": emergencies, and beside them what could still be one."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.pages.calls import Call, CallList, WeekCalls
from pipelines.pages.document import Beside, Block, Note, Row, Section, Table
from pipelines.pages.values import Column, Text
from pipelines.report.wording import PHONE_LEAD
from pipelines.text import many

CALLS_SHOWN = 10
LIST_PAGE = "explain/index.html"


def phone_section(calls: WeekCalls) -> Section:
    """State whom to phone first; single records have no place in a mail."""
    title, reasons, questions = "Whom to phone", "Why it is one", "Ask, to decide whether it is one"
    emergencies = _table("phone_emergencies", "Emergencies, the latest first", calls.emergencies, reasons)
    possible = _table("phone_possible", "Could still be one, fewest questions first", calls.possible, questions)
    blocks: list[Block] = [Beside(emergencies, possible, even=True)]
    if calls.pages:
        words = f"{many(len(calls.emergencies.calls) + len(calls.possible.calls), 'record')} with the reasons of each"
        blocks.append(Note("; it says how many were left out, and how to get them.", link=(words, LIST_PAGE)))
    return Section("phone", title, blocks, PHONE_LEAD)


def _table(name: str, title: str, found: CallList, reasons: str) -> Table:
    columns = (Column("Report"), Column(reasons), Column("Age, region"))
    rows = [_row(call) for call in found.calls[:CALLS_SHOWN]]
    caption = f"{title}: {len(rows):,} of {found.total:,}"
    return Table(name, columns, rows, caption=caption, empty=f"{title}: none.")


def _row(call: Call) -> Row:
    told: Sequence[str] = [call.reason, call.cause]
    if call.ask:
        reason = Text("; ".join(call.ask), " ".join(told))
    else:
        reason = Text(call.reason, call.cause)
    link = f"explain/{call.page}" if call.page else ""
    cells = (
        Text(call.report_id, f"{call.source}, {call.reported}", link=link),
        reason,
        Text(call.age_band, call.region),
    )
    return Row(cells, key=call.report_id)
