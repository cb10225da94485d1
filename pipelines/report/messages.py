"""The first screen: what the week says in one sentence, then in a few that each follow from numbers shown below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.pages.labels import LEVELS, label_series
from pipelines.pages.words import format_decimal, format_share
from pipelines.report.alarms import Alarm, Standing, find_standing
from pipelines.report.comparisons import describe_level, find_arrived, name_lacking
from pipelines.report.quality import find_quality
from pipelines.report.rows import Nowcast
from pipelines.report.sections.causes import CauseTotals, add_up_causes, label_cause
from pipelines.report.sections.key_numbers import find_key_counts
from pipelines.report.sections.revisions import find_revised_weeks
from pipelines.report.sections.rules_and_questions import sort_rules
from pipelines.report.week import WeekTables
from pipelines.text import describe_arrival, pluralise
from schemas.pack import Pack

ALARMS_SAID = 2
NO_MORE = "; no more are expected"
EMERGENCY = "triage_level=emergency"
AS_EXPECTED = {
    "within": "within the expected range",
    "below": "below the expected range",
    "below so far": "below the expected range so far, and more reports are to come",
    "above": "above the expected range, but no alarm",
    "above, alarm": "more than expected",
}


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
            "This week is not complete yet: its numbers will still grow. This report is preliminary and not kept."
        )
    if lacking := name_lacking(tables, weeks_back=0):
        notices.append(
            f"Not every expected sender has reported: {lacking}. This week's counts are not whole; what is compared "
            "is compared among the senders that reported."
        )
    if tables.about.rule_pack != pack.version:
        notices.append(
            f"The records were tagged with rule pack {tables.about.rule_pack}, and this page explains "
            f"them with {pack.version}: rules and labels may differ."
        )
    return notices


def find_headline(tables: WeekTables, pack: Pack) -> str:
    """Return the week in one sentence: alarms before all, else how far there is nothing to say."""
    found = find_standing(tables)
    emergencies = find_key_counts(tables)["emergency"].now
    if found.new:
        return f"{pluralise(len(found.new), 'new alarm')}: {_say_alarm(found.new[0], pack)}{_describe_rest(found.new)}."
    told = pluralise(emergencies, "emergency", "emergencies")
    if early := _name_early_alarms(tables, pack):
        return f"{pluralise(len(tables.daily_alarms), 'alarm')} before the week is over: {early[0]}."
    if not found.judged:
        return f"{told} this week; whether that is more than expected cannot be judged yet."
    go_on = len(found.going_on) + len(found.quiet)
    among = " among those who reported" if name_lacking(tables, weeks_back=0) else ""
    alarms = f"No new alarm{among}, {go_on} going on" if go_on else f"No alarm{among}"
    return f"{alarms}: {told} this week, {_describe_expected(tables, EMERGENCY)}."


def _describe_rest(alarms: Sequence[Alarm]) -> str:
    return f"; {len(alarms) - 1} more below" if len(alarms) > 1 else ""


def _describe_expected(tables: WeekTables, series: str) -> str:
    return AS_EXPECTED.get(describe_level(tables, series), "not judged against expected numbers yet")


def find_messages(tables: WeekTables, pack: Pack) -> list[Message]:
    """Return the sentences in the order of what a lead needs first."""
    found = find_standing(tables)
    candidates = [
        ("emergency" if name_lacking(tables, weeks_back=0) else "plain", _say_senders(tables)),
        ("emergency" if found.new or _name_early_alarms(tables, pack) else "plain", _say_alarms(tables, found, pack)),
        ("emergency", _say_emergencies(tables, pack)),
        ("emergency" if find_key_counts(tables)["could_be_emergency"].now else "plain", _say_open_ended(tables)),
        ("plain", _say_still_to_come(tables)),
        ("self_care", _say_serious(tables)),
        ("plain", _say_causes(tables, pack)),
        ("plain", _say_rejected(tables, pack)),
        ("plain", _say_revisions(tables)),
    ]
    return [Message(paint, text) for paint, text in candidates if text]


def _say_senders(tables: WeekTables) -> str:
    rows = tables.now(tables.senders)
    if not rows:
        return ""
    silent = [row.source + _format_usual(row.usual) for row in rows if row.state == "silent"]
    came = [row for row in rows if row.state in ("reported", "zero", "partial")]
    lacking = name_lacking(tables, weeks_back=0)
    told = f"Senders: {lacking}." if lacking else f"Senders: every one that was expected has reported ({len(came)})."
    if not tables.is_complete:
        some = pluralise(len(came), "sender")
        told = f"Senders: {some} sent something so far; what is due is known when the week is over."
    arrived = find_arrived(tables)
    joined = [row.source for row in came if row.joined and row not in arrived]
    told += "".join(f" {describe_arrival(row.source, row.week, row.reports, row.joined)}." for row in arrived)
    if joined and len(joined) < len(rows):  # in a home of the first weeks all of them would be
        told += f" New, in the first eight weeks: {', '.join(joined)}."
    if silent:
        told += f" Nothing for more than eight weeks: {', '.join(silent)}."
    before = name_lacking(tables, weeks_back=1)
    return f"{told} The week before lacked some: {before}." if before else told


def _format_usual(usual: float | None) -> str:
    return "" if usual is None else f" (usual were {usual:,.0f} a week)"


def _name_early_alarms(tables: WeekTables, pack: Pack) -> list[str]:
    """Name the first alarms of daily counts in a week that still runs."""
    if tables.is_complete:
        return []
    return [
        f"{label_series(row.series, pack)}, {row.observed:,} in the seven days to {row.report_date} where "
        f"{format_decimal(row.expected)} were expected"
        for row in tables.daily_alarms[:ALARMS_SAID]
    ]


def _say_alarms(tables: WeekTables, found: Standing, pack: Pack) -> str:
    daily = _name_early_alarms(tables, pack)
    early = f" Before the week is over: {'; '.join(daily)}." if daily else ""
    if not found.judged:
        reason = found.reasons[0][0] if found.reasons else "no expected numbers are stored"
        return f"Alarms: whether this week is more than expected cannot be judged, {reason}.{early}"
    parts = [f"no new alarm among {pluralise(found.judged, 'count')} judged"]
    if found.new:
        told = "; ".join(_say_alarm(alarm, pack) for alarm in found.new[:ALARMS_SAID])
        left = len(found.new) - ALARMS_SAID
        parts = [f"{len(found.new)} new: {told}" + (f"; {left} more" if left > 0 else "")]
    go_on = [alarm.series for alarm in found.going_on] + [row.series for row in found.quiet]
    if go_on:
        named, left = [label_series(name, pack) for name in go_on[:ALARMS_SAID]], len(go_on) - ALARMS_SAID
        parts.append(f"{len(go_on)} going on: {', '.join(named)}" + (f"; {left} more" if left > 0 else ""))
    closed = sum(alarm.is_closed for alarm in found.alarms)
    parts += [f"{closed} closed"] if closed else []
    return f"Alarms: {'. '.join(parts)}.{early}"


def _say_alarm(alarm: Alarm, pack: Pack) -> str:
    row = alarm.found
    again = " (closed before, now twice as many)" if alarm.has_risen else ""
    return (
        f"{label_series(row.series, pack)}{again}, {row.observed:,} where {format_decimal(row.expected)} were expected"
    )


def _say_emergencies(tables: WeekTables, pack: Pack) -> str:
    counts = find_key_counts(tables)
    now, total = counts["emergency"].now, counts["reports"].now
    if not now:
        return "Emergencies: no report met an emergency criterion."
    expected = _describe_expected(tables, EMERGENCY)
    told = f"Emergencies: {now:,} of {pluralise(total, 'report')}{_format_share(now, total)}, {expected}"
    sentences = {rule.id: rule.sentence for rule in pack.triage}
    fired = [row for row in sort_rules(tables) if row.triage_level == "emergency" and row.rule_id in sentences]
    if not fired or not fired[0].reports:
        return f"{told}."
    return f"{told}. Most often ({fired[0].reports:,}): {_take_first_sentence(sentences[fired[0].rule_id])}"


def _format_share(now: int, total: int) -> str:
    part = format_share(now, total)
    return f" ({part})" if part else ""


def _say_open_ended(tables: WeekTables) -> str:
    now = find_key_counts(tables)["could_be_emergency"].now
    if not now:
        return "No other report could still turn out to be an emergency."
    by_level = {row.triage_level: row.could_be_emergency for row in tables.now(tables.levels)}
    parts = [
        f"{by_level[name]:,} now {LEVELS[name].lower()}"
        for name in ("contact_doctor", "unresolved")
        if by_level.get(name)
    ]
    what = "an emergency" if now == 1 else "emergencies"
    return f"{pluralise(now, 'more report')} could still be {what}, as answers are missing: {', '.join(parts)}."


def _say_still_to_come(tables: WeekTables) -> str:
    """Compare with the week before as it stood at the same age; claim no change that is not clear."""
    row = tables.nowcasts.get("all")
    if row is None:
        return ""
    told = f"Still to come: {pluralise(row.reported_so_far, 'report')} so far"
    if row.expected_final is None or math.isnan(row.expected_final):
        return f"{told}; how many more will come cannot be told ({row.reason})."
    if row.upper is not None and round(row.upper) == row.reported_so_far:
        told += NO_MORE
    else:
        told += f"; about {row.expected_final:,.0f} are expected in the end{_format_interval(row)}"
    without = f" Without {row.left_out}." if row.left_out else ""
    if row.previous_so_far is None or name_lacking(tables, weeks_back=1):  # then it is not like with like
        return f"{told}.{without}"
    ends = {
        "more": "in the end this week will have more",
        "fewer": "in the end this week will have fewer",
        "not clear": "which will have more in the end is not clear",
    }
    arrived = [row.source for row in find_arrived(tables)]
    if arrived:
        without = f" It had hardly any of {', '.join(arrived)}.{without}"
    is_whole = not (name_lacking(tables, weeks_back=0) or name_lacking(tables, weeks_back=1) or arrived)
    is_said = row.change in ("more", "fewer") or not told.endswith(NO_MORE)
    end = f"; {ends[row.change]}" if row.change in ends and not row.reason and is_whole and is_said else ""
    return f"{told}. The week before stood at {row.previous_so_far:,} at the same age{end}.{without}"


def _format_interval(row: Nowcast) -> str:
    if row.lower is None or row.upper is None or math.isnan(row.lower):
        return ""
    return f" ({row.lower:,.0f} to {row.upper:,.0f})"


def _say_serious(tables: WeekTables) -> str:
    number = sum(row.serious for row in tables.cause_levels)
    if not number:
        return ""
    has, it = ("has", "it") if number == 1 else ("have", "them")
    return (
        f"{pluralise(number, 'self-care report')} {has} signs that can belong to a serious cause: the home care below "
        f"is not for {it}."
    )


def _say_causes(tables: WeekTables, pack: Pack) -> str:
    totals = add_up_causes(tables)
    everything = CauseTotals.of_all(totals)
    if not everything.reports:
        return ""
    named = {name: row.leading for name, row in totals.items() if row.leading}
    most = max(named, key=lambda name: named[name], default=None)
    often = f", most often {label_cause(most, pack).lower()} ({named[most]:,})" if most else ""
    close = f"; in {everything.close:,} it cannot be told apart from another" if everything.close else ""
    leads = f"Causes: one leads in {pluralise(everything.leading, 'report')}{often}"
    return f"{leads}{close}; {everything.undetermined:,} are undetermined."


def _say_rejected(tables: WeekTables, pack: Pack) -> str:
    found = find_quality(tables, pack)
    parts = []
    if rejected := found.count("files_rejected"):
        parts.append(f"{pluralise(rejected, 'file')} rejected")
    if quarantined := found.count("rows_quarantined"):
        parts.append(f"{pluralise(quarantined, 'row')} of {found.count('rows_read'):,} set aside in this week's files")
    return f"Data: {'; '.join(parts)}." if parts else ""


def _say_revisions(tables: WeekTables) -> str:
    weeks = find_revised_weeks(tables)
    changed = [week for week in weeks if week.is_compared]
    if not changed:
        cut = f"{pluralise(len(weeks), 'week')} published earlier {'was' if len(weeks) == 1 else 'were'} cut otherwise"
        return f"{cut} (time zone or week system) and cannot be compared." if weeks else ""
    latest, verb = changed[0], "has" if len(changed) == 1 else "have"
    told = f"{pluralise(len(changed), 'week')} published earlier {verb} changed since, the latest {latest.week}"
    total = latest.find("all")
    if not total:
        return f"{told}."
    if total.as_known_now is None:  # no longer covered
        return f"{told}: {', '.join(latest.reasons)}."
    return f"{told}: {pluralise(total.as_reported, 'report')} then, {total.as_known_now:,} now."


def _take_first_sentence(text: str) -> str:
    return text.split(". ")[0].rstrip(".") + "."
