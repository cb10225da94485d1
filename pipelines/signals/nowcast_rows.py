"""The nowcast's arrays from the stored arrivals, and the rows of `weekly_nowcast` from its arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.signals.nowcast import (
    BATCHES,
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

CHANGES = {1: MORE, -1: FEWER, 0: NOT_CLEAR}


def sender_arrivals(
    starts: Sequence[date],
    senders: Sequence[Sender],
    whole: NDArray[np.bool_],
    rows: Sequence[Mapping[str, Any]],
    delivered: Mapping[str, Sequence[date]],
) -> list[SenderArrivals]:
    """Return when each sender's reports came; `rows` are those of arrivals.sql, `delivered` its deliveries' clocks."""
    ends = [start + timedelta(days=6) for start in starts]
    counts = {sender.name: np.zeros((len(SERIES), len(starts), LAST_AGE + 1)) for sender in senders}
    for row in rows:
        place = (row["week_start"] - starts[0]).days // 7
        if row["source"] not in counts or place >= len(starts):
            continue
        age = min(max((row["clock"] - ends[place]).days // 7, 0), LAST_AGE)
        counts[row["source"]][0, place, age] += row["reports"]
        if (name := f"triage_level={row['triage_level']}") in SERIES:
            counts[row["source"]][SERIES.index(name), place, age] += row["reports"]
    return [
        SenderArrivals(
            np.cumsum(counts[sender.name], axis=2),
            _ages(ends, sender.clock),
            _entering(starts, delivered[sender.name]),
            whole[:, column],
        )
        for column, sender in enumerate(senders)
    ]


def _ages(ends: Sequence[date], clock: date | None) -> NDArray[np.int64]:
    """Return the age of each week by a clock; negative before its end."""
    return np.array([-1 if clock is None else (clock - end).days // 7 for end in ends], dtype=np.int64)


def _entering(starts: Sequence[date], clocks: Sequence[date]) -> NDArray[np.bool_]:
    """Return which weeks the sender delivered within 7 days of their end."""
    found = np.zeros(len(starts), dtype=bool)
    for clock in clocks:
        place = (clock - starts[0] - timedelta(days=6)).days // 7
        if 0 <= place < len(found):
            found[place] = True
    return found


def rows_of(
    found: Nowcast,
    starts: Sequence[date],
    names: Sequence[str],
    senders: Sequence[str],
    whole: NDArray[np.bool_],
) -> pd.DataFrame:
    """Return the rows of `weekly_nowcast`: every week, series and age that the week has reached."""
    rows = []
    for place in np.flatnonzero(found.age >= 0).tolist():
        for age in range(int(found.age[place]) + 1):
            counted = found.counted[:, place, age]
            lacking = whole[place] & ~counted
            lacking = whole[place] & ~counted
            left_out = [name for name, is_lacking in zip(senders, lacking, strict=True) if is_lacking]
            common = {
                "week": names[place],
                "week_start": starts[place],
                "age_weeks": age,
                "is_latest": age == found.age[place],
                "sources": int(counted.sum()),
                "left_out": ", ".join(left_out),
            }
            rows += [common | _values(found, series, int(place), age) for series in range(len(SERIES))]
    return pd.DataFrame(rows)


def _values(found: Nowcast, series: int, place: int, age: int) -> dict[str, Any]:
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
