"""EARS C1 and C2 with p-values: a negative binomial law with the baseline's mean and a pooled dispersion.

Seven weeks say little of how much a series scatters; what its predictions of before missed by says more, and what all
series missed by says the rest. A season moves a large count further in a month than chance does: where the seven weeks
clearly rise or fall, their line is followed in place of their mean, but never beyond the highest or lowest of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.signals.comparable import BASELINE, History, fill_baseline, find_comparable_senders, sum_observed_counts
from pipelines.signals.laws import LEAST_MEAN, LOWER, UPPER, quantiles, upper_tail

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

GAPS = {"EARS C1": 1, "EARS C2": 3}  # weeks from the baseline's last week to the judged one
WIDENING = (BASELINE + 1) / BASELINE  # the mean of seven weeks is uncertain too
PREDICTIONS, PRIOR_WEIGHT, MOST_SQUARE = 26, 6, 9.0
CLEAR_SLOPE = 4.032142983557536  # standard errors: 0.995 quantile of Student's t, for a line through seven weeks


@dataclass(frozen=True)
class Law:
    """The law of every week and series by one method, weeks x series; NaN where it is not known, or was not asked."""

    mean: Floats
    variance: Floats
    phi: Floats
    p_value: Floats
    lower: Floats
    upper: Floats


def compare_weeks(history: History) -> tuple[Flags, Floats]:
    """Return the comparable senders of every week (weeks x senders) and their counts (weeks x series)."""
    weeks = range(len(history.whole))
    senders = np.array([find_comparable_senders(history.whole, place) for place in weeks]).reshape(history.whole.shape)
    counts = [sum_observed_counts(history, senders[place], place) for place in weeks]
    return senders, np.array(counts).reshape(len(history.whole), history.counts.shape[2])


def fit_ears_law(history: History, senders: Flags, observed: Floats, gap: int, first: int = 0) -> Law:
    """Return the law of the counts of every week from `first` on, by the baselines that end `gap` weeks before."""
    first = max(first, 0)
    mean = _expect_weeks(history, senders, gap, first)
    squares = np.minimum((observed - mean) ** 2 / (mean * WIDENING), MOST_SQUARE)
    phi = pool_phi(squares, gap, first)
    mean[:first] = np.nan  # an earlier week was a prediction to learn from, and is not judged
    variance = phi * WIDENING * mean
    p_value = upper_tail(observed, mean, variance)
    return Law(mean, variance, phi, p_value, quantiles(LOWER, mean, variance), quantiles(UPPER, mean, variance))


def _expect_weeks(history: History, senders: Flags, gap: int, first: int) -> Floats:
    """Return what is expected of every week from `first` on, and of as many before it as their dispersion needs."""
    mean = np.full((len(senders), history.counts.shape[2]), np.nan)
    before = 0
    for place in np.flatnonzero(senders.any(axis=1))[::-1]:
        if before == PREDICTIONS:
            break
        baseline = fill_baseline(history, senders[place], int(place), gap)
        if baseline is not None:
            mean[place] = expect_next(baseline, gap)
            before += place <= first - gap
    return mean


def expect_next(baseline: Floats, gap: int) -> Floats:
    """Return what the seven weeks (7 x series) let expect of the week that is `gap` weeks after the last of them.

    Their mean; where a line through them is clearly no level one, the line there, within their range. At least 1/7.
    """
    places = np.arange(BASELINE) - (BASELINE - 1) / 2
    mean, room = np.maximum(baseline.mean(axis=0), LEAST_MEAN), float((places**2).sum())
    slope = places @ baseline / room
    missed = ((baseline - baseline.mean(axis=0) - np.outer(places, slope)) ** 2).sum(axis=0)
    error = np.sqrt(np.maximum(missed / (BASELINE - 2), mean) / room)  # no smaller than a Poisson count's
    line = np.clip(mean + slope * (places[-1] + gap), baseline.min(axis=0), baseline.max(axis=0))
    return np.asarray(np.where(np.abs(slope) > CLEAR_SLOPE * error, np.maximum(line, LEAST_MEAN), mean))


def pool_phi(squares: Floats, gap: int, first: int = 0) -> Floats:
    """Return the dispersion of every week from `first` on, and series, from what its earlier predictions missed by.

    Of the last 26 or fewer predictions that end before the baseline's gap; they are drawn towards the median of all
    series with the weight of 6 predictions. At least 1.
    """
    phi = np.ones(squares.shape)
    predicted = ~np.isnan(squares).all(axis=1) if squares.shape[1] else np.zeros(len(squares), dtype=bool)
    places = np.flatnonzero(predicted)
    for place in range(first, len(squares)):
        used = places[: np.searchsorted(places, place - gap, side="right")][-PREDICTIONS:]
        if len(used):
            sums = squares[used].sum(axis=0)
            prior = max(1.0, float(np.median(sums / len(used))))
            phi[place] = np.maximum(1.0, (sums + PRIOR_WEIGHT * prior) / (len(used) + PRIOR_WEIGHT))
    return phi
