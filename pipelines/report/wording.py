"""The report's fixed sentences: what stands under a section's title, and the method."""

from __future__ import annotations

from pipelines.pages.words import SMALLEST_BASE
from schemas.fields import SEVERE_PAIN

LEVELS_LEAD = "A report counts at its highest level that is certain."
CAUSES_LEAD = (
    "The cause with most evidence points in each report, the most dangerous group first. Each panel has its own scale. "
    "A likely cause is for counting and is no diagnosis."
)
RULES_LEAD = (
    "How often each rule was true; a report can meet several. Stated: the article says it. Inferred: the rule pack "
    "puts a number on a word of the article."
)
UNANSWERED_LEAD = (
    "Questions whose missing answer could still raise a report's level: what to ask first. Sorted by the unresolved "
    "reports that wait for it. A report can wait for several answers: that number is the most that this one answer "
    "could settle, and the numbers do not add up. “Settles” counts those that wait for nothing else: they are settled "
    "by this answer, whatever it is."
)
QUALITY_LEAD = (
    "Files count in the week of their last report, a rejected one in the week it was tried; so rows and this week's "
    "reports can differ."
)
BALANCED = "Every row read is accounted for: accepted, quarantined, duplicate or out of scope."
UNBALANCED = (
    "The rows do not add up: read is not accepted, quarantined, duplicate and out of scope together. Please run: "
    "calfwatch status"
)
REVISIONS_LEAD = "Weeks whose numbers are no longer those of their report, which stays as it was published."
HEAT_MAP_CAPTION = (
    "Each region is measured by its own median week. At the right: this week. A triangle marks an alarm of all its "
    "reports, a dashed cell a week without data."
)
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
CLOSING = (
    "Everything with its curves, regions, rules and data quality: internal.html or report.pdf beside this file; the "
    "numbers: data/."
)
