"""Before the week is over: the seven days up to each day against the weeks before, for senders that deliver daily.

Seven days in a row hold every weekday once, so there is no weekday effect to model. The law is that of EARS C1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from pipelines.signals.comparable import History
from pipelines.signals.ears_law import GAPS, Law, compare_weeks, fit_ears_law
from pipelines.signals.families import compute_fingerprints, find_ears_alarms, find_same_reports
from pipelines.signals.senders import DUE_DAYS, FEW, LEAST_WEEKS, USABLE, USUAL_WEEKS, Sender, SenderWeek

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

RHYTHMS = ("daily", "weekdays")
WEEKS_BACK, WEEKS_SHOWN = 60, 8  # of seven days: read, to have predictions of before; and judged
EPISODE_DAYS = 14  # without an alarm: then the next one tells again


@dataclass(frozen=True)
class DayJudged:
    """One row of `daily_signals` without its week; `alarm` is None where it cannot be judged."""

    day: date
    series: str
    observed: float
    law: tuple[float, float, float, float]  # expected, lower, upper, p-value
    alarm: bool | None
    sources: int


def find_whole_days(starts: list[date], senders: list[Sender], rows: list[list[SenderWeek]], today: date) -> Flags:
    """Return days x senders: the sender's day is reported whole. Of the running week as far as its clock has come."""
    found = np.zeros((len(starts) * 7, len(senders)), dtype=bool)
    for column, sender in enumerate(senders):
        states = [next((row.state for row in week if row.source == sender.name), None) for week in rows]
        usable = [place for place, state in enumerate(states) if state in USABLE]
        for place, start in enumerate(starts):
            if start + timedelta(days=7) <= today:
                found[place * 7 : place * 7 + 7, column] = states[place] in USABLE
            elif sender.clock is not None:
                before = [week for week in usable if week < place][-USUAL_WEEKS:]
                found[place * 7 : place * 7 + 7, column] = _find_days_so_far(sender, place, start, before)
    return found


def _find_days_so_far(sender: Sender, place: int, start: date, before: list[int]) -> list[bool]:
    """Return for each day of a week that runs whether the sender's reports of it are there."""
    found = []
    for offset in range(7):
        day = start + timedelta(days=offset)
        usual = sender.days[before, offset]
        is_due = day.weekday() in DUE_DAYS[sender.rhythm]
        is_small = len(usual) < LEAST_WEEKS or float(np.median(usual)) < FEW
        came = bool(sender.days[place, offset]) or day in sender.empty or not is_due or is_small
        found.append(sender.clock is not None and day <= sender.clock and came)
    return found


def judge_days(counts: Floats, whole: Flags, last: date, names: list[str], least: int) -> list[DayJudged]:
    """Judge every day of the latest eight weeks up to `last`, which the last of `counts` is.

    `counts` is days x senders x series, `whole` is days x senders, both of whole weeks of days.
    """
    found = []
    for back in range(7):
        history = _sum_windows(counts, whole, back)
        senders, observed = compare_weeks(history)
        law = fit_ears_law(history, senders, observed, GAPS["EARS C1"])
        marks = compute_fingerprints(np.rint(history.counts).astype(np.int64).astype(float))
        for place in range(max(len(observed) - WEEKS_SHOWN, 0), len(observed)):
            day = last - timedelta(days=back + 7 * (len(observed) - 1 - place))
            alarms = find_ears_alarms(law.p_value[place][None], names, find_same_reports(marks[place], names))[0]
            alarms &= (observed[place] > law.upper[place]) & (observed[place] >= least)
            found += _make_rows(day, names, observed[place], law, place, alarms, int(senders[place].sum()))
    return sorted(found, key=lambda row: (row.day, row.series))


def _sum_windows(counts: Floats, whole: Flags, back: int) -> History:
    """Return the sums of seven days that end so many days before the last one, and the weeks before them."""
    weeks = (len(counts) - back) // 7
    start = len(counts) - back - 7 * weeks
    days = counts[start : start + 7 * weeks].reshape(weeks, 7, *counts.shape[1:])
    is_whole = whole[start : start + 7 * weeks].reshape(weeks, 7, whole.shape[1])
    return History(days.sum(axis=1), np.asarray(is_whole.all(axis=1)), 0)


def _make_rows(
    day: date, names: list[str], observed: Floats, law: Law, place: int, alarms: Flags, sources: int
) -> list[DayJudged]:
    values = np.stack([law.mean[place], law.lower[place], law.upper[place], law.p_value[place]], axis=1)
    return [
        DayJudged(
            day,
            name,
            float(observed[column]),
            (float(values[column, 0]), float(values[column, 1]), float(values[column, 2]), float(values[column, 3])),
            None if np.isnan(values[column, 0]) else bool(alarms[column]),
            sources,
        )
        for column, name in enumerate(names)
    ]


def find_first_alarms(rows: list[DayJudged]) -> set[tuple[date, str]]:
    """Return the alarms that tell: those without an alarm of the same series in the 14 days before."""
    told, latest = set(), dict[str, date]()
    for row in rows:
        if row.alarm:
            before = latest.get(row.series)
            if before is None or (row.day - before).days > EPISODE_DAYS:
                told.add((row.day, row.series))
            latest[row.series] = row.day
    return told
