"""What the week says, in sentences that each follow from numbers shown further down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

from pipelines.pages.labels import LEVELS, UNKNOWN, series_label
from pipelines.pages.words import decimal, percent, percent_change, share
from pipelines.report.alarms import Alarm, find_standing
from pipelines.report.key_numbers import KeyNumber
from pipelines.report.levels_and_causes import cause_label, sort_causes, sort_levels
from pipelines.report.quality import LATE_DAYS, find_quality, find_usual_late_share
from pipelines.report.revisions import find_revised_weeks
from pipelines.report.rows import CauseCount, RegionCount
from pipelines.report.rules_and_questions import question_label, sort_open_answers, sort_rules
from pipelines.report.week import WeekTables
from pipelines.text import many
from schemas.pack import UNDETERMINED, Pack

ALARMS_SAID = 2
ENDING = "in files that end this week"  # which bring other weeks' reports too, and not all of this one's
STILL_GROWS = timedelta(weeks=5)  # from its first day: four weeks after its end it is said no more

Counted = TypeVar("Counted", CauseCount, RegionCount)


@dataclass(frozen=True)
class Message:
    """A sentence that follows from the numbers; `paint` is the level it is about."""

    paint: str
    text: str


def find_notices(tables: WeekTables, pack: Pack) -> list[str]:
    """Return what a reader must know before reading any number."""
    notices = []
    if not tables.is_complete:
        notices.append(
            "This week is not complete yet: its numbers will still grow, and a change against the week before compares "
            "a part of a week with a whole one. This report is preliminary and not kept."
        )
    if lacking := _name_lacking(tables, tables.start):
        notices.append(
            f"Not every expected source has reported for this week ({lacking}): its numbers are not whole, and neither "
            "are changes against the week before."
        )
    elif lacking := _name_lacking(tables, tables.start - timedelta(weeks=1)):
        notices.append(
            f"Not every expected source has reported for the week before ({lacking}): changes against it are too large "
            "or too small."
        )
    if tables.about.rule_pack != pack.version:
        notices.append(
            f"The records were tagged with rule pack {tables.about.rule_pack}, and this page explains "
            f"them with {pack.version}: rules and labels may differ."
        )
    return notices


def _name_lacking(tables: WeekTables, week_start: date) -> str:
    """Name who sent nothing, or a part only, for a week, each with its usual number; empty if nobody is lacking."""
    words = {"missing": "sent nothing", "partial": "sent a part only"}
    lacking = [row for row in tables.senders if row.week_start == week_start and row.state in words]
    return "; ".join(
        f"{row.source} {words[row.state]}" + ("" if row.usual is None else f", usually {row.usual:,.0f} reports")
        for row in lacking
    )


def _lacks_senders(tables: WeekTables) -> bool:
    """Whether somebody sent nothing, or a part only, for the week or the one before."""
    return any(_name_lacking(tables, tables.start - timedelta(weeks=back)) for back in (0, 1))


def find_messages(tables: WeekTables, pack: Pack, key_numbers: Iterable[KeyNumber]) -> list[Message]:
    """Return the sentences in the order of what a lead needs first."""
    numbers = {number.name: number for number in key_numbers}
    candidates = [
        ("emergency" if find_standing(tables).alarms else "plain", _say_alarms(tables, pack)),
        ("plain", _say_reports(tables, numbers["reports"])),
        ("emergency", _say_emergencies(tables, pack, numbers["emergency"])),
        ("emergency", _say_open_ended(tables, numbers["could_be_emergency"])),
        ("unresolved", _say_unresolved(tables, pack, numbers["unresolved"])),
        ("plain", _say_causes(tables, pack)),
        ("plain", _say_regions(tables)),
        ("plain", _say_quality(tables, pack)),
        ("plain", _say_revisions(tables)),
    ]
    return [Message(paint, text) for paint, text in candidates if text]


def _say_alarms(tables: WeekTables, pack: Pack) -> str:
    found = find_standing(tables)
    if not found.series:
        return "Whether this week is more than expected has not been evaluated yet."
    if not found.judged:
        return f"Whether this week is more than expected cannot be judged: {found.reasons[0][0]}."
    judged = many(found.judged, "series judged", "series judged")
    if not found.alarms and not found.above:
        return f"No alarm: of {judged}, none is above its expected range."
    if not found.alarms:
        above = "1 is above its" if found.above == 1 else f"{found.above:,} are above their"
        return f"No alarm: of {judged}, {above} expected range, but none stands out among so many series."
    strongest = "; ".join(_say_alarm(alarm, pack) for alarm in found.alarms[:ALARMS_SAID])
    return f"{many(len(found.alarms), 'alarm')}, of {judged}. The strongest: {strongest}."


def _say_alarm(alarm: Alarm, pack: Pack) -> str:
    row = alarm.strongest
    return f"{series_label(row.series, pack)}, {row.observed:,} where {decimal(row.expected)} were expected"


def _say_reports(tables: WeekTables, reports: KeyNumber) -> str:
    opening = f"{many(reports.now, 'report')} this week"
    if not tables.is_complete:
        return f"{opening} so far."
    if _lacks_senders(tables):
        return f"{opening}; how many more or fewer cannot be said, as not every expected source has reported."
    if reports.before is not None:
        return f"{opening}, {_compared(reports)}."
    if tables.start == min(tables.covered):
        return f"{opening}. It is the first week with data, so there is nothing to compare it with."
    return f"{opening}. No file covers the week before, so there is nothing to compare it with."


def _say_emergencies(tables: WeekTables, pack: Pack, emergencies: KeyNumber) -> str:
    if not emergencies.now:
        return "No report met an emergency criterion."
    opening = f"{many(emergencies.now, 'report')}{_of(emergencies)} met an emergency criterion"
    opening += _than_before(tables, emergencies)
    sentences = {rule.id: rule.sentence for rule in pack.triage}
    fired = [row for row in sort_rules(tables) if row.triage_level == "emergency" and row.rule_id in sentences]
    if not fired or not fired[0].reports:
        return f"{opening}."
    return f"{opening}. Most often ({fired[0].reports:,}): {_first_sentence(sentences[fired[0].rule_id])}"


def _say_open_ended(tables: WeekTables, open_ended: KeyNumber) -> str:
    if not open_ended.now:
        return "No other report could still turn out to be an emergency."
    parts = [
        f"{row.could_be_emergency:,} now {LEVELS[row.triage_level].lower()}"
        for row in sort_levels(tables)
        if row.could_be_emergency and row.triage_level != "emergency"
    ]
    what = "an emergency" if open_ended.now == 1 else "emergencies"
    opening = f"{many(open_ended.now, 'more report')}{_of(open_ended)} could still be {what}"
    return f"{opening}, as answers are missing: {', '.join(parts)}."


def _say_unresolved(tables: WeekTables, pack: Pack, unresolved: KeyNumber) -> str:
    if not unresolved.now:
        return "No report is unresolved."
    verb = "is" if unresolved.now == 1 else "are"
    opening = f"{many(unresolved.now, 'report')}{_of(unresolved)} {verb} unresolved"
    opening += _than_before(tables, unresolved)
    asked = [row for row in sort_open_answers(tables) if row.unresolved]
    if not asked:
        return f"{opening}."
    question = question_label(asked[0], pack).lower()
    told = f"{opening}. Most often open ({asked[0].unresolved:,} of them): {question}."
    alone = sum(row.settles for row in asked)
    return f"{told} {alone:,} {'waits' if alone == 1 else 'wait'} for one answer alone." if alone else told


def _say_causes(tables: WeekTables, pack: Pack) -> str:
    named = [row for row in sort_causes(tables, pack) if row.likely_cause != UNDETERMINED and row.reports]
    if not named:
        return ""
    top = max(named, key=lambda row: row.reports)
    told = f"Most frequent likely cause: {cause_label(top, pack).lower()}, {many(top.reports, 'report')}."
    risen = _find_most_risen(tables, named)
    if risen is None:
        return told
    if risen is top:
        return f"{told} It also rose most, {_from_to(risen)}."
    return f"{told} Largest increase: {cause_label(risen, pack).lower()}, {_from_to(risen)}."


def _say_regions(tables: WeekTables) -> str:
    named = [row for row in tables.now(tables.regions) if row.region != UNKNOWN and row.reports]
    if len(named) < 2:
        return ""
    top = max(named, key=lambda row: (row.emergency, row.reports))
    of_reports = f"{top.emergency:,} of {many(top.reports, 'report')}"
    told = f"Most emergencies: region {top.region} ({of_reports})." if top.emergency else ""
    risen = _find_most_risen(tables, named)
    if risen is None:
        return told
    return f"{told} Largest increase in reports: region {risen.region}, {_from_to(risen)}.".strip()


def _say_quality(tables: WeekTables, pack: Pack) -> str:
    found = find_quality(tables, pack)
    if not found.sources:
        return "Data: nothing is recorded about this week's deliveries."
    parts = []
    if rejected := found.count("files_rejected"):
        parts.append(f"{many(rejected, 'file')} rejected")
    if quarantined := found.count("rows_quarantined"):
        parts.append(f"{many(quarantined, 'row')} of {found.count('rows_read'):,} quarantined {ENDING}")
    if late := found.total.late_share:
        parts.append(f"{percent(late)} of the reports came in files that end over {LATE_DAYS} days later")
    nothing = f"no file rejected, no row quarantined {ENDING}, no report over {LATE_DAYS} days late"
    return f"Data: {'; '.join(parts) or nothing}. {_say_still_to_come(tables)}".strip()


def _say_still_to_come(tables: WeekTables) -> str:
    usual = find_usual_late_share(tables)
    known_for = date.fromisoformat(tables.about.published_at[:10]) - tables.start
    if not usual or usual < 0.005 or known_for > STILL_GROWS:
        return ""
    return f"Of an earlier week's reports, {percent(usual)} came over {LATE_DAYS} days late: this week may still grow."


def _say_revisions(tables: WeekTables) -> str:
    weeks = find_revised_weeks(tables)
    changed = [week for week in weeks if week.is_compared]
    if not changed:
        cut = f"{many(len(weeks), 'week')} published earlier {'was' if len(weeks) == 1 else 'were'} cut otherwise"
        return f"{cut} (time zone or week system) and cannot be compared." if weeks else ""
    latest, verb = changed[0], "has" if len(changed) == 1 else "have"
    told = f"{many(len(changed), 'week')} published earlier {verb} changed since, the latest {latest.week}"
    total = latest.find("all")
    if not total:
        return f"{told}."
    if total.as_known_now is None:  # no longer covered
        return f"{told}: {', '.join(latest.reasons)}."
    return f"{told}: {many(total.as_reported, 'report')} then, {total.as_known_now:,} now."


def _find_most_risen(tables: WeekTables, rows: Sequence[Counted]) -> Counted | None:
    """The row with the largest rise since the week before, if it is more than the scatter of such counts."""
    if _lacks_senders(tables):
        return None
    most = max(rows, key=_rise)
    return most if _rise(most) > (most.reports + (most.previous_week or 0)) ** 0.5 else None


def _rise(row: CauseCount | RegionCount) -> float:
    return -1 if row.previous_week is None else row.reports - row.previous_week


def _from_to(row: CauseCount | RegionCount) -> str:
    return f"from {row.previous_week or 0:,} to {row.reports:,}"


def _than_before(tables: WeekTables, number: KeyNumber) -> str:
    """The difference if there is a week before; a part of a week is not compared with a whole one."""
    is_comparable = tables.is_complete and number.before is not None and not _lacks_senders(tables)
    return f", {_compared(number)}" if is_comparable else ""


def _compared(number: KeyNumber) -> str:
    """The difference to the week before, in words."""
    before = number.before or 0
    if number.now == before:
        return "as many as the week before"
    word = "more" if number.now > before else "fewer"
    relative = percent_change(number.now, before)
    return f"{abs(number.now - before):,} {word} than the week before" + (f" ({relative})" if relative else "")


def _of(number: KeyNumber) -> str:
    part = share(number.now, number.base)
    return f" ({part})" if part else f" of {number.base:,}"


def _first_sentence(text: str) -> str:
    return text.split(". ")[0].rstrip(".") + "."
