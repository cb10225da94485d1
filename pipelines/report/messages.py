"""What the week says, in sentences that each follow from numbers shown further down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from pipelines.pages.words import decimal, percent, percent_change, share
from pipelines.report.alarms import alarms, standing
from pipelines.report.indicators import KeyNumber
from pipelines.report.labels import LEVELS, UNKNOWN
from pipelines.report.quality import LATE_DAYS, quality, usual_late_share
from pipelines.report.sections import causes, levels, revisions, rules, unanswered
from pipelines.report.week import Row, WeekTables
from pipelines.text import many
from schemas.pack import UNDETERMINED, Pack

ALARMS_SAID = 2
ENDING = "in files that end this week"  # which bring other weeks' reports too, and not all of this one's
STILL_GROWS = timedelta(weeks=5)  # from its first day: four weeks after its end it is said no more


@dataclass(frozen=True)
class Message:
    """A sentence that follows from the numbers; `paint` is the level it is about."""

    paint: str
    text: str


def messages(tables: WeekTables, pack: Pack, key_numbers: Iterable[KeyNumber]) -> list[Message]:
    """The sentences in the order of what a lead needs first."""
    numbers = {number.name: number for number in key_numbers}
    candidates = [
        ("emergency" if alarms(tables, pack) else "plain", _say_alarms(tables, pack)),
        ("plain", _say_reports(tables, numbers["reports"])),
        ("emergency", _say_emergencies(tables, pack, numbers["emergency"])),
        ("emergency", _say_open_ended(tables, numbers["could_be_emergency"])),
        ("unresolved", _say_unresolved(tables, pack, numbers["unresolved"])),
        ("plain", _say_causes(tables, pack)),
        ("plain", _say_regions(tables)),
        ("plain", _say_quality(tables, pack)),
        ("plain", _say_revisions(tables, pack)),
    ]
    return [Message(paint, text) for paint, text in candidates if text]


def _say_alarms(tables: WeekTables, pack: Pack) -> str:
    found = standing(tables, pack)
    if not found["series"]:
        return "Whether this week is more than expected has not been evaluated yet."
    if not found["judged"]:
        return f"Whether this week is more than expected cannot be judged: {found['reasons'][0][0]}."
    judged = f"{many(found['judged'], 'series judged', 'series judged')}"
    if not found["alarms"] and not found["above"]:
        return f"No alarm: of {judged}, none is above its expected range."
    if not found["alarms"]:
        above = "1 is above its" if found["above"] == 1 else f"{found['above']:,} are above their"
        return f"No alarm: of {judged}, {above} expected range, but none stands out among so many series."
    strongest = "; ".join(_say_alarm(row) for row in found["alarms"][:ALARMS_SAID])
    return f"{many(found['alarm_count'], 'alarm')}, of {judged}. The strongest: {strongest}."


def _say_alarm(row: Row) -> str:
    return f"{row['label']}, {row['observed']:,} where {decimal(row['expected'])} were expected"


def _say_reports(tables: WeekTables, reports: KeyNumber) -> str:
    opening = f"{many(reports.now, 'report')} this week"
    if not tables.is_complete:
        return f"{opening} so far."
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
    fired = [row for row in rules(tables, pack) if row["triage_level"] == "emergency" and row["rule"]]
    if not fired or not fired[0]["reports"]:
        return f"{opening}."
    return f"{opening}. Most often ({fired[0]['reports']:,}): {_first_sentence(fired[0]['rule'].sentence)}"


def _say_open_ended(tables: WeekTables, open_ended: KeyNumber) -> str:
    if not open_ended.now:
        return "No other report could still turn out to be an emergency."
    parts = [
        f"{row['could_be_emergency']:,} now {LEVELS[row['triage_level']].lower()}"
        for row in levels(tables)
        if row["could_be_emergency"] and row["triage_level"] != "emergency"
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
    asked = [row for row in unanswered(tables, pack) if row["unresolved"]]
    if not asked:
        return f"{opening}."
    told = f"{opening}. Most often open ({asked[0]['unresolved']:,} of them): {asked[0]['label'].lower()}."
    alone = sum(row["settles"] for row in asked)
    return f"{told} {alone:,} {'waits' if alone == 1 else 'wait'} for one answer alone." if alone else told


def _say_causes(tables: WeekTables, pack: Pack) -> str:
    named = [row for row in causes(tables, pack) if row["likely_cause"] != UNDETERMINED and row["reports"]]
    if not named:
        return ""
    top = max(named, key=lambda row: row["reports"])
    told = f"Most frequent likely cause: {top['label'].lower()}, {many(top['reports'], 'report')}."
    risen = _most_risen(named)
    if risen is None:
        return told
    if risen is top:
        return f"{told} It also rose most, {_from_to(risen)}."
    return f"{told} Largest increase: {risen['label'].lower()}, {_from_to(risen)}."


def _say_regions(tables: WeekTables) -> str:
    named = [row for row in tables.now("weekly_regions") if row["region"] != UNKNOWN and row["reports"]]
    if len(named) < 2:
        return ""
    top = max(named, key=lambda row: (row["emergency"], row["reports"]))
    of_reports = f"{top['emergency']:,} of {many(top['reports'], 'report')}"
    told = f"Most emergencies: region {top['region']} ({of_reports})." if top["emergency"] else ""
    risen = _most_risen(named)
    if risen is None:
        return told
    return f"{told} Largest increase in reports: region {risen['region']}, {_from_to(risen)}.".strip()


def _say_quality(tables: WeekTables, pack: Pack) -> str:
    found = quality(tables, pack)
    total = found["total"]
    if not found["sources"]:
        return "Data: nothing is recorded about this week's deliveries."
    parts = []
    if total["files_rejected"]:
        parts.append(f"{many(total['files_rejected'], 'file')} rejected")
    if total["rows_quarantined"]:
        read = total["rows_read"] or 0
        parts.append(f"{many(total['rows_quarantined'], 'row')} of {read:,} quarantined {ENDING}")
    if found["late_share"]:
        late = percent(found["late_share"])
        parts.append(f"{late} of the reports came in files that end over {LATE_DAYS} days later")
    nothing = f"no file rejected, no row quarantined {ENDING}, no report over {LATE_DAYS} days late"
    return f"Data: {'; '.join(parts) or nothing}. {_say_still_to_come(tables)}".strip()


def _say_still_to_come(tables: WeekTables) -> str:
    usual = usual_late_share(tables)
    known_for = date.fromisoformat(tables.about["published_at"][:10]) - tables.start
    if not usual or usual < 0.005 or known_for > STILL_GROWS:
        return ""
    return f"Of an earlier week's reports, {percent(usual)} came over {LATE_DAYS} days late: this week may still grow."


def _say_revisions(tables: WeekTables, pack: Pack) -> str:
    found = revisions(tables, pack)
    number, otherwise = found["changed"], found["not_compared"]
    if not number:
        cut = f"{many(otherwise, 'week')} published earlier {'was' if otherwise == 1 else 'were'} cut otherwise"
        return f"{cut} (time zone or week system) and cannot be compared." if otherwise else ""
    latest = found["latest_changed"]
    told = f"{many(number, 'week')} published earlier {'has' if number == 1 else 'have'} changed since"
    if not latest["all"]:
        return f"{told}, the latest {latest['week']}."
    reported, now = latest["all"]["as_reported"], latest["all"]["as_known_now"]
    if now is None:  # no longer covered
        return f"{told}, the latest {latest['week']}: {', '.join(latest['reasons'])}."
    return f"{told}, the latest {latest['week']}: {many(reported, 'report')} then, {now:,} now."


def _most_risen(rows: Iterable[Row]) -> Row | None:
    """The row with the largest rise since the week before, where it is more than the scatter of such counts."""
    compared = (row for row in rows if row["previous_week"] is not None)
    most = max(compared, key=lambda row: row["reports"] - row["previous_week"], default=None)
    if most is None or most["reports"] - most["previous_week"] <= (most["reports"] + most["previous_week"]) ** 0.5:
        return None
    return most


def _from_to(row: Row) -> str:
    return f"from {row['previous_week']:,} to {row['reports']:,}"


def _than_before(tables: WeekTables, number: KeyNumber) -> str:
    """The difference where there is a week before; a part of a week is not compared with a whole one."""
    return f", {_compared(number)}" if tables.is_complete and number.before is not None else ""


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
