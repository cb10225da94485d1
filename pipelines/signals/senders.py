"""What each sender did in each week: reported, said zero, sent a part, or nothing where something was due.

    days and deliveries of a home (frames) -> `Weeks` -> one state a week and sender -> `weekly_sources`

A week is judged by the weeks before it, so the states are found from the first week to the last. All is plain counting
over weeks x senders: a few thousand cells.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from statistics import median

import numpy as np
from numpy.typing import NDArray

from pipelines.signals.laws import quantiles

REPORTED, ZERO, PARTIAL = "reported", "zero", "partial"
MISSING, SILENT, NOT_EXPECTED = "missing", "silent", "not_expected"
USABLE = (REPORTED, ZERO)  # whole: such a sender-week can be compared
COVERING = (REPORTED, ZERO, PARTIAL)
USUAL_WEEKS, LEAST_WEEKS = 8, 3  # of a median: the latest so many weeks, at least so many
JOINED_WEEKS = 8
FEW = 6  # reports: with a lower usual count nothing at all is no surprise
NEW_LEVEL = 4  # partial weeks running
SILENT_WEEKS = 8
HOLIDAY_SENDERS = 3
PARTIAL_QUANTILE = 0.001
DUE_DAYS = {"daily": range(7), "weekdays": range(5), "weekly": range(0), "none": range(0)}  # 0 is Monday


@dataclass(frozen=True)
class Sender:
    """What is known of one sender over the weeks of `Weeks`.

    `days` are its reports, weeks x 7 days; `clock` is its time by its last delivery; `empty` are the days that files
    without any data row are about; `until` is its last day, if it has stopped.
    """

    name: str
    rhythm: str
    days: NDArray[np.int64]
    clock: date | None
    empty: frozenset[date] = frozenset()
    until: date | None = None

    @property
    def counts(self) -> NDArray[np.int64]:
        return np.asarray(self.days.sum(axis=1))


@dataclass(frozen=True)
class SenderWeek:
    """One row of `weekly_sources` without its week."""

    source: str
    state: str
    reports: int
    usual: float | None
    joined: bool
    rhythm: str


@dataclass
class _History:
    """What a sender did so far: the places of its weeks that count for `usual`, those of whole ones, and its runs.

    The law of its counts is that of the whole weeks: one partial week among them would make another one look usual.
    """

    first: int | None = None
    places: list[int] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    partial: int = 0
    missing: int = 0


def judge_sender_weeks(starts: list[date], senders: list[Sender], today: date) -> list[list[SenderWeek]]:
    """Return the row of every sender for each week, oldest first.

    `starts` are the first days of unbroken weeks. Of a week that runs on `today` only senders with reports have a row:
    nothing is due yet.
    """
    histories = {sender.name: _History(first=_find_first_week(sender, starts)) for sender in senders}
    return [_judge_week(place, starts, senders, histories, today) for place in range(len(starts))]


def _find_first_week(sender: Sender, starts: list[date]) -> int | None:
    """Return the place of the first week with reports, or with a file that says that there are none."""
    reporting = np.flatnonzero(sender.counts > 0)
    said = [place for place, start in enumerate(starts) if _has_said_zero(sender, start)]
    return min([*map(int, reporting[:1]), *said[:1]], default=None)


def _judge_week(
    place: int, starts: list[date], senders: list[Sender], histories: dict[str, _History], today: date
) -> list[SenderWeek]:
    start, rows = starts[place], []
    if start + timedelta(days=7) > today:
        running = [sender for sender in senders if sender.counts[place]]
        return [_make_row(sender, histories[sender.name], place, REPORTED) for sender in running]
    states = {sender.name: _choose_state(sender, histories[sender.name], place, start) for sender in senders}
    if _is_holiday(states, histories):
        states = {name: REPORTED if state == PARTIAL else state for name, state in states.items()}
    for sender in senders:
        history, state = histories[sender.name], states[sender.name]
        state = _note(history, state, place)
        rows.append(_make_row(sender, history, place, state))
        if state in (REPORTED, PARTIAL):
            history.places.append(place)
        if state == REPORTED:
            history.whole.append(place)
    return rows


def _make_row(sender: Sender, history: _History, place: int, state: str) -> SenderWeek:
    joined = history.first is not None and 0 <= place - history.first < JOINED_WEEKS
    usual = _find_usual(sender, history)
    return SenderWeek(sender.name, state, int(sender.counts[place]), usual, joined, sender.rhythm)


def _find_usual(sender: Sender, history: _History) -> float | None:
    places = history.places[-USUAL_WEEKS:]
    return float(median(sender.counts[places].tolist())) if len(places) >= LEAST_WEEKS else None


def _choose_state(sender: Sender, history: _History, place: int, start: date) -> str:
    """Return the state of a week that is over, by the sender's own history alone."""
    if history.first is None or place < history.first or (sender.until is not None and start > sender.until):
        return NOT_EXPECTED
    if not sender.counts[place]:
        return _choose_state_without_reports(sender, history, start)
    if sender.rhythm == "none":
        return REPORTED
    if history.partial >= NEW_LEVEL:  # so much is usual from now on
        history.places = history.places[-NEW_LEVEL:]
        history.whole = list(history.places)
    is_part = _is_below_usual(sender, history, place) or _lacks_a_day(sender, history, place, start)
    return PARTIAL if is_part else REPORTED


def _choose_state_without_reports(sender: Sender, history: _History, start: date) -> str:
    usual = _find_usual(sender, history)
    passed = sender.clock is not None and sender.clock >= start + timedelta(days=6)
    if _has_said_zero(sender, start) or (usual is not None and usual < FEW and passed):
        return ZERO
    return NOT_EXPECTED if sender.rhythm == "none" else MISSING


def _has_said_zero(sender: Sender, start: date) -> bool:
    """Return whether files without a data row are about the week: for a daily sender about each due day."""
    week = {start + timedelta(days=day) for day in range(7)}
    due = {day for day in week if day.weekday() in DUE_DAYS[sender.rhythm]}
    return due <= sender.empty if due else not week.isdisjoint(sender.empty)


def _is_below_usual(sender: Sender, history: _History, place: int) -> bool:
    """Return whether the count is below half of the usual one and below the 0.001 quantile of the sender's own law."""
    usual, count = _find_usual(sender, history), int(sender.counts[place])
    if usual is None or count >= usual / 2:
        return False
    return len(history.whole) > 1 and count < _compute_low_quantile(sender.counts[history.whole[-USUAL_WEEKS:]])


def _compute_low_quantile(counts: NDArray[np.int64]) -> float:
    """Return the 0.001 quantile of the next count after these: negative binomial, at least as wide as Poisson."""
    mean = float(counts.mean())
    phi = max(1.0, float(counts.var(ddof=1)) / mean)
    return float(quantiles(PARTIAL_QUANTILE, mean, phi * mean * (len(counts) + 1) / len(counts)))


def _lacks_a_day(sender: Sender, history: _History, place: int, start: date) -> bool:
    """Return whether nothing came of a day that was due; of a day that is usually small, if the clock is before it."""
    for offset in range(7):
        day = start + timedelta(days=offset)
        if day.weekday() not in DUE_DAYS[sender.rhythm] or sender.days[place, offset] or day in sender.empty:
            continue
        if history.first == place and not sender.days[place, :offset].any():
            continue  # the sender began later in this week
        if sender.until is not None and day > sender.until:
            continue
        before = sender.days[history.places[-USUAL_WEEKS:], offset]
        is_small = len(before) < LEAST_WEEKS or float(np.median(before)) < FEW
        if not (is_small and sender.clock is not None and sender.clock >= day):
            return True
    return False


def _is_holiday(states: dict[str, str], histories: dict[str, _History]) -> bool:
    """Return whether more than half of three or more reporting senders sent a part: then the week was a quiet one."""
    sent = [name for name, state in states.items() if state in (REPORTED, PARTIAL)]
    return len(sent) >= HOLIDAY_SENDERS and sum(states[name] == PARTIAL for name in sent) * 2 > len(sent)


def _note(history: _History, state: str, place: int) -> str:
    """Keep the runs of partial and missing weeks; return the state, silent after eight missing weeks."""
    history.partial = history.partial + 1 if state == PARTIAL else 0
    history.missing = history.missing + 1 if state == MISSING else 0
    return SILENT if history.missing > SILENT_WEEKS else state
