"""Explanations as pages: one record's, and those of a week that a clinical lead should look at. Private, like a record.

week_pages(records, "2026-W47") -> index.html and a page a record, which the weekly report links to
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import duckdb

from pipelines.errors import UsageError
from pipelines.explain.explanation import explanation, withdrawn_note
from pipelines.pages.labels import KIND_LABELS
from pipelines.pages.style import render
from pipelines.rules.solver import Space
from pipelines.statements import Row, rows_by_name, statement
from pipelines.store.database import get_state, stored_pack
from schemas.pack import Pack

MOST_PAGES = 200
NUMBER_LABELS = {"pain_score": "Pain score, 0 to 10", "duration_days": "How long the pain has lasted, days"}
STATE_ORDER = ("TRUE", "UNKNOWN", "FALSE")


def explanation_page(found: Row) -> str:
    """An explanation (explain_report) as a self-contained page. Every value is escaped: a cell may hold anything."""
    return render(
        "explain/explain.html.jinja",
        found=found,
        rules=sorted(found.get("rules", []), key=lambda rule: STATE_ORDER.index(rule["state"])),
        label=partial(_label, NUMBER_LABELS | found.get("labels", {})),
        moment=_moment,
        kinds=KIND_LABELS,
        cause_label=partial(_label, found.get("cause_labels", {})),
    )


def _label(labels: dict[str, str], name: str | None) -> str:
    """A name in words; undetermined has no label of its own."""
    return labels.get(name or "", (name or "undetermined").replace("_", " ").capitalize())


def _moment(text: str) -> str:
    """An instant of the records, which are read in UTC, to the minute as `status` writes it."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def week_pages(connection: duckdb.DuckDBPyConnection, week: str, most: int = MOST_PAGES) -> dict[str, str]:
    """File name -> page: a week's emergencies, then its unresolved records that could still be one, the latest first;
    at most `most`, and `index.html`, which says how many were left out.

    Raises UsageError for a week that no file covers.
    """
    rows = _rows_of_week(connection, week)
    found = _explained(connection, rows[:most])
    total = rows[0]["total"] if rows else 0
    index = render("explain/explain_index.html.jinja", week=week, pages=found, total=total, moment=_moment)
    return {"index.html": index, **{name: explanation_page(each) for name, each in found.items()}}


def _rows_of_week(connection: duckdb.DuckDBPyConnection, week: str) -> list[Row]:
    if not rows_by_name(connection, "FROM calendar WHERE week = ?", [week]):
        note = withdrawn_note(connection)
        raise UsageError(f"week {week} is not covered by any file; the view weekly_triage lists those that are{note}")
    select = statement("explain", "records_to_explain", time_zone=get_state(connection, "time_zone"))
    return rows_by_name(connection, select, [week])


def _explained(connection: duckdb.DuckDBPyConnection, rows: list[Row]) -> dict[str, Row]:
    """File name -> explanation. An id may hold a dot or a dash, so that a number keeps two senders' names apart."""
    packs: dict[str, tuple[Pack, Space]] = {}
    pages = {}
    for number, record in enumerate(rows, 1):
        version = record["rule_pack"]
        if version not in packs:
            pack = stored_pack(connection, version)
            packs[version] = pack, Space(pack)
        pages[f"{number:03}-{record['report_id']}.html"] = explanation(connection, *packs[version], record)
    return pages
