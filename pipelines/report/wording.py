"""The report's fixed sentences: what stands under a section's title, and the method."""

from __future__ import annotations

from pipelines.pages.words import SMALLEST_BASE
from schemas.fields import SEVERE_PAIN

PHONE_LEAD = (
    "Both lists need a call: a report at a lower level can be an emergency while the question beside it is open."
)
KEY_LEAD = (
    "Expected: below, within or above the range of such weeks. The week before is counted as it stood at the same age."
)
LEVELS_LEAD = "A report counts at its highest level that is certain."
CAUSES_LEAD = (
    "For counting, and no diagnosis. A cause leads where its signs are the most urgent and it is 2 points or more "
    "ahead; where another is as near, neither is the answer. One weak sign alone counts as leading."
)
RULES_LEAD = (
    "A report can meet several. Stated: the article says it. Inferred: the rule pack puts a number on a word of the "
    "article, or concludes it."
)
UNANSWERED_LEAD = (
    "Questions whose answer could still raise a report's level: what to ask first. A report can wait for several, so "
    "the numbers do not add up."
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
RATES_NOTE = "Rates are per 100,000 of the region's {of}; a region without such a number has no rate."
HOME_CARE_LEAD = (
    "Where an emergency or doctor criterion is met, or a sign of a serious cause is there, no home care is shown. "
    "It is listed by a report's first likely cause; where another is as near, calfwatch explain shows that one's too."
)
NO_ASSESSMENT = (
    "None was written before this week was published. One that is written later (calfwatch assess) stands in the list "
    "of weeks, index.html beside this folder; this page does not change."
)
METHOD = (
    "A blank answer is unknown and never counts as no. A report's level is the highest one with a criterion that is "
    "met; it is self-care only if none is met and none is open, and unresolved otherwise.",
    "“Could still be an emergency”: the level now is lower, and open answers could make it one.",
    f"Severe pain is a score of {SEVERE_PAIN} or more. A delay counts from a report to the end of the file that "
    "brought it.",
    "Expected: the count of the senders that can be compared, beside the range in which 95 of 100 such weeks "
    "lie; above and below are outside of it. Where three whole years are there, Farrington's flexible method gives the "
    "range, else EARS C1 on seven weeks before. An alarm is stronger: it stands out even among so many counts "
    "(false-discovery rate 5%, of it 1% for those above their range the week before too, which are compared with weeks "
    "that end three weeks before; for all reports and for emergencies p at most 0.005).",
    "Trend: four weeks of the same senders, told as rising or falling if chance alone would seldom do that.",
    "What is still to come is worked out from each sender's own delays of the latest eight weeks, with a 90% range. "
    "The week before is counted as it stood at the same age, so that like is compared with like.",
    "Year before: the week that begins 52 weeks earlier.",
    "A published week is frozen. Late, corrected or withdrawn records show up under “What has changed since it was "
    "published”.",
    f"Percentages are left out where the whole is smaller than {SMALLEST_BASE}.",
)
CLOSING = (
    "Everything with its curves, regions, criteria, data quality, and whom to phone: internal.html or report.pdf "
    "beside this file; the numbers: data/."
)
