"""What levels, kinds of guidance, causes, fields and series are called on every page."""

from __future__ import annotations

from schemas.pack import Pack

UNKNOWN = "unknown"

# the order of danger, which is also the stacking order from the base line up
LEVELS = {
    "emergency": "Emergency",
    "contact_doctor": "Contact a doctor",
    "unresolved": "Unresolved",
    "self_care": "Self-care",
}
KIND_LABELS = {
    "self_care": "Self-care",
    "treatment": "Treatment",
    "complication": "Possible complications",
    "prevention": "Prevention",
    "question": "Questions people ask",
}


def spell_out(name: str) -> str:
    """Return a name of the database as words."""
    return name.replace("_", " ").capitalize()


def label_fields(pack: Pack) -> dict[str, str]:
    """Map each field to its name for people."""
    labels = {question.name: question.label for question in pack.fields}
    return labels | {"pain_score": "Pain score", "duration_days": "How long the pain has lasted"}


def label_causes(pack: Pack) -> dict[str, str]:
    """Map each likely cause to its name for people."""
    return {cause.name: cause.label for cause in pack.causes}


def label_categories(pack: Pack) -> dict[str, str]:
    """Map each cause category to its name for people."""
    return {category.name: category.label for category in pack.categories}


def split_series(series: str) -> dict[str, str | None]:
    """Return what a series of weekly_signals narrows its reports to; None for what it does not narrow."""
    kind, _, value = series.partition("=")
    region, _, level = value.partition(",triage_level=") if kind == "region" else ("", "", "")
    narrowed = {kind: value} | ({"region": region, "triage_level": level} if level else {})
    return {name: narrowed.get(name) for name in ("triage_level", "cause_category", "likely_cause", "region")}


def label_series(series: str, pack: Pack) -> str:
    """Name a series of weekly_signals in words, such as `Emergency in region north`."""
    if series == "all":
        return "All reports"
    kind, _, value = series.partition("=")
    region, _, level = value.partition(",triage_level=")
    if kind == "region":
        return f"{LEVELS.get(level, spell_out(level))} in region {region}" if level else f"Region {region}"
    groups = {name: f"{label} (group of causes)" for name, label in label_categories(pack).items()}
    names = {"triage_level": LEVELS, "likely_cause": label_causes(pack), "cause_category": groups}
    other = f"{spell_out(value)} (group of causes)" if kind == "cause_category" else spell_out(value)
    return names.get(kind, {}).get(value, other if value else series)
