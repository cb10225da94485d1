"""The nowcast's arrays from the stored arrivals, and the rows of `weekly_nowcast` from its arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.signals.nowcast import (
    BATCHES,
    FACTOR_WEEKS,
    FEWER,
    LAST_AGE,
    MORE,
    NOT_CLEAR,
    SERIES,
    SHORT_HISTORY,
    Nowcast,
    SenderArrivals,
)
from pipelines.signals.senders import Sender

NEAR = 3  # days: a clock so near to a week's end, on either side, stands at that end
CHANGES = {1: MORE, -1: FEWER, 0: NOT_CLEAR}


def find_sender_arrivals(
    starts: Sequence[date],
    senders: Sequence[Sender],
    whole: NDArray[np.bool_],
    rows: Sequence[Mapping[str, Any]],
    delivered: Mapping[str, Sequence[date]],
) -> list[SenderArrivals]:
    """Return when each sender's reports came; `rows` are those of arrivals.sql, `delivered` its deliveries' clocks."""
    ends = [start + timedelta(days=6) for start in starts]
    ages = {sender.name: _Ages(ends, sender.clock, delivered[sender.name]) for sender in senders if sender.clock}
    counts = {sender.name: np.zeros((len(SERIES), len(starts), LAST_AGE + 1)) for sender in senders}
    for row in rows:
        place = (row["week_start"] - starts[0]).days // 7
        if row["source"] not in ages or place >= len(starts):
            continue
        age = min(max(ages[row["source"]].count_weeks(row["clock"], ends[place]), 0), LAST_AGE)
        counts[row["source"]][0, place, age] += row["reports"]
        if (name := f"triage_level={row['triage_level']}") in SERIES:
            counts[row["source"]][SERIES.index(name), place, age] += row["reports"]
    return [
        SenderArrivals(
            np.cumsum(counts[sender.name], axis=2),
            ages[sender.name].now(ends),
            ages[sender.name].entering(ends),
            whole[:, column],
        )
        for column, sender in enumerate(senders)
    ]


class _Ages:
    """The ages of one sender's weeks, counted from the weekday on which its clock stands now.

    So a past week at an age is what it was when the clock stood where it stands now, to the day: of a sender that
    delivers daily, what comes on the days after a week's end is still to come on the Monday. Deliveries that are
    further apart do not come on the same weekday each time: half of their usual distance is the same delivery.
    """

    def __init__(self, ends: Sequence[date], clock: date, delivered: Sequence[date]) -> None:
        self.clock, self.delivered = clock, delivered
        self.days = ((clock - ends[0]).days + NEAR) % 7 - NEAR  # from the nearest week's end
        self.slack = _find_half_distance([each for each in delivered if clock - each < timedelta(weeks=FACTOR_WEEKS)])

    def count_weeks(self, clock: date, end: date) -> int:
        """Return the age of the week with this end when the clock stood there; negative before it had age 0."""
        return -((self.days + self.slack - (clock - end).days) // 7)

    def now(self, ends: Sequence[date]) -> NDArray[np.int64]:
        return np.array([self.count_weeks(self.clock, end) for end in ends], dtype=np.int64)

    def entering(self, ends: Sequence[date]) -> NDArray[np.bool_]:
        """Return which weeks the sender delivered when they had age 0."""
        places = {self.count_weeks(clock, ends[0]) for clock in self.delivered}
        return np.array([place in places for place in range(len(ends))], dtype=bool)


def _find_half_distance(clocks: Sequence[date]) -> int:
    """Return the days that are nearer to a usual delivery than to the next one, on one side; those of a weekly sender
    if there is nothing to know it by."""
    days = sorted(set(clocks))
    if len(days) < 2:
        return NEAR
    distance = median((later - day).days for day, later in pairwise(days))
    return min(int(distance - 1) // 2, NEAR)


def make_rows(
    found: Nowcast,
    starts: Sequence[date],
    names: Sequence[str],
    senders: Sequence[str],
    sent: NDArray[np.bool_],
) -> pd.DataFrame:
    """Return the rows of `weekly_nowcast`: every week, series and age that the week has reached.

    `sent` is weeks x senders: where there is something of the sender that could be counted.
    """
    rows = []
    for place in np.flatnonzero(found.age >= 0).tolist():
        for age in range(int(found.age[place]) + 1):
            counted = found.counted[:, place, age]
            lacking = sent[place] & ~counted
            left_out = [name for name, is_lacking in zip(senders, lacking, strict=True) if is_lacking]
            common = {
                "week": names[place],
                "week_start": starts[place],
                "age_weeks": age,
                "is_latest": age == found.age[place],
                "sources": int(counted.sum()),
                "left_out": ", ".join(left_out),
            }
            rows += [common | _make_values(found, series, int(place), age) for series in range(len(SERIES))]
    return pd.DataFrame(rows)


def _make_values(found: Nowcast, series: int, place: int, age: int) -> dict[str, Any]:
    expected, lower, upper = (float(part[series, place, age]) for part in (found.expected, found.lower, found.upper))
    reason = None
    if np.isnan(expected):
        reason = BATCHES if found.batches[place, age] else SHORT_HISTORY
    elif np.isnan(lower):
        reason = SHORT_HISTORY
    return {
        "series": SERIES[series],
        "reported_so_far": int(found.reported[series, place, age]),
        "expected_final": expected,
        "lower": lower,
        "upper": upper,
        "previous_so_far": int(found.previous[series, place, age]),
        "change": CHANGES[int(found.change[series, place, age])],
        "reason": reason,
    }
