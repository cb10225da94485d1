"""Senders that can be compared: who reported this week and usually does, and what the same senders sent before.

No week falls silent because of one sender, and no sender's outbreak is lost because another one is untidy: a week is
judged by the senders that reported it, against baselines of the same senders, in which a week that one of them lacks is
filled with its own mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

WINDOW, LEAST_REPORTED = 15, 5  # weeks before the guard, and in how many of them a sender must have reported
LONGEST_GAP = 3  # weeks from the window's last week to the judged one, of the method that leaves most out
BASELINE = 7
LEAST_SHARE = 0.5  # of the usual reports of the senders: a week with less is no part of a baseline


@dataclass(frozen=True)
class History:
    """Counts of all senders over unbroken weeks.

    `counts` is weeks x senders x series; `whole` is weeks x senders: where the sender reported, or said zero; `total`
    is the place of the series of all reports.
    """

    counts: Floats
    whole: Flags
    total: int


def find_comparable_senders(whole: Flags, place: int) -> Flags:
    """Return which senders reported the week, and at least 5 of the 15 weeks before the guard."""
    window = whole[_find_window(place, LONGEST_GAP)]
    return np.asarray(whole[place] & (window.sum(axis=0) >= LEAST_REPORTED))


def _find_window(place: int, gap: int) -> slice:
    """Return the places of the 15 weeks that end `gap` weeks before the week, as far as there are any."""
    return slice(max(place - gap - WINDOW + 1, 0), max(place - gap + 1, 0))


def sum_observed_counts(history: History, senders: Flags, place: int) -> Floats:
    """Return the week's count of every series, of these senders."""
    return np.asarray(history.counts[place, senders].sum(axis=0))


def fill_baseline(history: History, senders: Flags, place: int, gap: int) -> Floats | None:
    """Return the senders' latest 7 weeks in the window, 7 x series; None if there are not so many.

    A week counts if those of the senders that reported it make at least half of the mean of all of them; what the
    others lack there is filled with the sender's own mean of the series.
    """
    window = _find_window(place, gap)
    shares = compute_reported_shares(history, senders, place, gap)[window]
    used = np.flatnonzero(shares >= LEAST_SHARE)[-BASELINE:] + window.start
    return _fill_window(history, senders, window, used) if len(used) == BASELINE else None


def fill_counts(history: History, senders: Flags, place: int, places: NDArray[np.int64]) -> Floats | None:
    """Return the counts of these weeks, weeks x series, filled alike; None if too few of the senders reported one."""
    if (compute_reported_shares(history, senders, place)[places] < LEAST_SHARE).any():
        return None
    return _fill_window(history, senders, _find_window(place, LONGEST_GAP), places)


def _fill_window(history: History, senders: Flags, window: slice, places: NDArray[np.int64]) -> Floats:
    """Return the senders' sums in these weeks; a sender-week that lacks is the sender's mean in the window."""
    inside = history.whole[window][:, senders, None]
    sums = np.where(inside, history.counts[window][:, senders], 0).sum(axis=0)
    means = sums / np.maximum(inside.sum(axis=0), 1)
    return np.asarray(
        np.where(history.whole[places][:, senders, None], history.counts[places][:, senders], means).sum(axis=1)
    )


def compute_reported_shares(history: History, senders: Flags, place: int, gap: int = LONGEST_GAP) -> Floats:
    """Return for every week which share of the senders' usual reports was reported, by their means in the window."""
    window = _find_window(place, gap)
    whole = history.whole[:, senders]
    inside = whole[window]
    totals = np.where(inside, history.counts[window][:, senders, history.total], 0).sum(axis=0)
    usual = totals / np.maximum(inside.sum(axis=0), 1)
    if not usual.sum():
        usual = np.ones(len(usual))
    return np.asarray(whole @ usual / max(usual.sum(), 1e-12))


def sum_comparable_series(history: History, senders: Flags, place: int) -> tuple[Floats, Floats]:
    """Return the counts of these senders in every week up to this one (weeks x series), NaN where too few of them
    reported it, and the share of their usual reports that was reported."""
    shares = compute_reported_shares(history, senders, place)[: place + 1]
    whole = history.whole[: place + 1][:, senders]
    # matrix products, as an outer sum over weeks x senders x series would be a copy of everything for each week
    counts = np.einsum("ws,wsk->wk", whole.astype(float), history.counts[: place + 1][:, senders])
    counts[shares < LEAST_SHARE] = np.nan
    return counts, shares
