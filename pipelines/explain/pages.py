"""A record's explanation as a page. Private, like a record."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from pipelines.explain.explanation import IS_MET
from pipelines.pages.labels import KIND_LABELS
from pipelines.pages.style import render
from pipelines.statements import Row

NUMBER_LABELS = {"pain_score": "Pain score, 0 to 10", "duration_days": "How long the pain has lasted, days"}
STATE_ORDER = ("TRUE", "UNKNOWN", "FALSE")


def render_explanation_page(found: Row) -> str:
    """An explanation (explain_report) as a self-contained page. Every value is escaped: a cell may hold anything."""
    return render(
        "explain/explain.html.jinja",
        found=found,
        rules=sorted(found.get("rules", []), key=lambda rule: STATE_ORDER.index(rule["state"])),
        label=partial(_label_name, NUMBER_LABELS | found.get("labels", {})),
        is_met=IS_MET,
        moment=format_moment,
        kinds=KIND_LABELS,
        cause_label=partial(_label_name, found.get("cause_labels", {})),
    )


def _label_name(labels: dict[str, str], name: str | None) -> str:
    """Return a name in words; undetermined has no label of its own."""
    return labels.get(name or "", (name or "undetermined").replace("_", " ").capitalize())


def format_moment(text: str) -> str:
    """Return an instant of the records, which are read in UTC, to the minute as `status` writes it."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
