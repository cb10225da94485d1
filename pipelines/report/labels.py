"""What levels, kinds of guidance and fields are called on the page."""

from __future__ import annotations

from pipelines.pages.words import SMALLEST_BASE
from schemas.fields import SEVERE_PAIN
from schemas.pack import Pack

UNKNOWN = "unknown"

# the order of danger, which is also the stacking order from the base line up
LEVELS = {
    "emergency": "Emergency",
    "contact_doctor": "Contact a doctor",
    "unresolved": "Unresolved",
    "self_care": "Self-care",
}
LEVEL_MEANINGS = {
    "emergency": "an emergency criterion is met",
    "contact_doctor": "a criterion for seeing a doctor is met",
    "unresolved": "open answers could still change the level",
    "self_care": "every criterion is answered with no",
}
KIND_LABELS = {
    "self_care": "Self-care",
    "treatment": "Treatment",
    "complication": "Possible complications",
    "prevention": "Prevention",
    "question": "Questions people ask",
}
# what stands under a section's title, on the page and in the PDF
LEADS = {
    "causes": "The cause with most evidence points in each report, the most dangerous group first. Each panel has "
    "its own scale. A likely cause is for counting and is no diagnosis.",
    "unanswered": "Questions whose missing answer could still raise a report's level: what to ask first. Sorted by "
    "the unresolved reports that wait for it. A report can wait for several answers: that number is the most that this "
    "one answer could settle, and the numbers do not add up. “Settles” counts those that wait for nothing else: they "
    "are settled by this answer, whatever it is.",
    "levels": "A report counts at its highest level that is certain.",
    "quality": "Files count in the week of their last report, a rejected one in the week it was tried; so rows and "
    "this week's reports can differ.",
    "revisions": "Weeks whose numbers are no longer those of their report, which stays as it was published.",
}
METHOD = (
    "A blank answer is unknown and never counts as no. A report's level is the highest one with a rule that is "
    "true; it is self-care only when every rule is false, and unresolved otherwise.",
    "“Could still be an emergency”: the level now is lower, and an emergency rule is not false, since answers to "
    "it are missing.",
    f"Severe pain is a score of {SEVERE_PAIN} or more. A delay counts from a report to the end of the file that "
    "brought it.",
    "Changes compare with the week before and are differences of counts: they say nothing about chance or season. "
    "“More than expected?” does, by comparing a series with its own history: Farrington's flexible method where "
    "three whole years are there, else the EARS methods C1 and C2 on the latest weeks. A curve shows the range "
    "of one of them, and a triangle where any of those with an upper bound alarms.",
    "A published week is frozen. Late, corrected or withdrawn records show up under “What has changed since it was "
    "published”.",
    f"Percentages are left out where the whole is smaller than {SMALLEST_BASE}.",
)


def plain(name: str) -> str:
    """A name of the database as words."""
    return name.replace("_", " ").capitalize()


def field_labels(pack: Pack) -> dict[str, str]:
    """Field -> its name for people."""
    labels = {question.name: question.label for question in pack.fields}
    return labels | {"pain_score": "Pain score", "duration_days": "How long the pain has lasted"}


def cause_labels(pack: Pack) -> dict[str, str]:
    """Likely cause -> its name for people."""
    return {cause.name: cause.label for cause in pack.causes}


def category_labels(pack: Pack) -> dict[str, str]:
    """Cause category -> its name for people."""
    return {category.name: category.label for category in pack.categories}


def series_label(series: str, pack: Pack) -> str:
    """A series of weekly_signals in words, such as `Emergency in region north`."""
    if series == "all":
        return "All reports"
    kind, _, value = series.partition("=")
    region, _, level = value.partition(",triage_level=")
    if kind == "region":
        return f"{LEVELS.get(level, plain(level))} in region {region}" if level else f"Region {region}"
    groups = {name: f"{label} (group of causes)" for name, label in category_labels(pack).items()}
    names = {"triage_level": LEVELS, "likely_cause": cause_labels(pack), "cause_category": groups}
    other = f"{plain(value)} (group of causes)" if kind == "cause_category" else plain(value)
    return names.get(kind, {}).get(value, other if value else series)
