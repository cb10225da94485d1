"""Everything the page shows as plain values, and the page itself: the template only arranges."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from pipelines.pages import crosstabs, svg
from pipelines.pages.words import change, count, decimal, in_words, percent, probability, share, span
from pipelines.report.alarms import curves, standing
from pipelines.report.drawings import QUALITY_TRENDS
from pipelines.report.indicators import KeyNumber
from pipelines.report.labels import LEADS, LEVELS, METHOD
from pipelines.report.messages import messages
from pipelines.report.quality import LATE_DAYS, quality
from pipelines.report.sections import (
    by_kind,
    causes,
    guidance,
    levels,
    notices,
    people_part,
    region_part,
    revisions,
    rules,
    trend_rows,
    unanswered,
)
from pipelines.report.week import WEEKS_SHOWN, WeekTables
from schemas.pack import Pack


def page_values(
    tables: WeekTables, pack: Pack, key_numbers: list[KeyNumber], drawings: dict[str, str]
) -> dict[str, Any]:
    """Everything the template shows, as plain values."""
    return {
        "week": tables.week,
        "dates": span(tables.start, tables.start + timedelta(days=6)),
        "about": tables.about,
        "pack": pack,
        "notices": notices(tables, pack),
        "key_numbers": key_numbers,
        "total": key_numbers[0].now,
        "has_previous": key_numbers[0].before is not None,
        "messages": messages(tables, pack, key_numbers),
        "charts": {name: Markup(drawn) for name, drawn in drawings.items()},  # noqa: S704 - built from XML nodes
        "chart_style": Markup(svg.STYLE),  # noqa: S704 - constant
        "paints": svg.PAINTS,
        "levels": levels(tables),
        "level_labels": LEVELS,
        "trend": trend_rows(tables),
        "gaps": _gaps(tables),
        "causes": causes(tables, pack),
        "standing": standing(tables, pack),
        "curves": curves(tables, pack),
        **region_part(tables),
        **people_part(tables),
        "rules": rules(tables, pack),
        "unanswered": unanswered(tables, pack),
        "quality": quality(tables, pack),
        "quality_trends": [(name, title) for name, (_, title) in QUALITY_TRENDS.items() if name in drawings],
        **revisions(tables, pack),
        "guidance": guidance(tables, pack),
        "general_guidance": by_kind(entry for entry in pack.guidance if entry.cause == "any"),
        "leads": LEADS,
        "method": [*METHOD, _week_note(tables)],
        "late_days": LATE_DAYS,
        "heat_steps": _heat_steps(),
        "weeks_shown": WEEKS_SHOWN,
    }


def _gaps(tables: WeekTables) -> str:
    """How many of the weeks shown are gaps; empty where none is."""
    missing = sum(day not in tables.covered for day in tables.starts)
    if not missing:
        return ""
    covered = f"{missing} of the {WEEKS_SHOWN} weeks {'is' if missing == 1 else 'are'} covered by no file"
    return f"{covered} and shown as dashed gaps; a gap is not a zero."


def _week_note(tables: WeekTables) -> str:
    system, zone = tables.about["week_system"].upper(), tables.about["time_zone"]
    return f"Weeks are {system} weeks in the time zone {zone}. A week that no file covers is missing, not zero."


def _heat_steps() -> list[tuple[str, float]]:
    """The heat map's legend: from which multiple of the median on a cell is how dark."""
    least = [(f"from {multiple:g} times the median", opacity) for multiple, opacity in crosstabs.STEPS if multiple]
    return [*least, ("less", crosstabs.STEPS[-1][1])]


def as_html(values: dict[str, Any]) -> str:
    """The page as HTML."""
    return _template().render(values)


@cache
def _template() -> Template:
    # StrictUndefined: a name that the page lacks is an error here and not a hole in what a clinician reads
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"count": count, "share": share, "percent": percent, "change": change, "day": in_words}
    environment.filters |= {"decimal": decimal, "probability": probability}
    return environment.from_string(
        (files("pipelines.report.templates") / "page.html.jinja").read_text(encoding="utf-8")
    )
