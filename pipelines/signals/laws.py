"""Negative binomial laws of a count: p-values of such a count or a higher one, and quantiles, over whole arrays.

A law is given by its mean and its variance; where the variance is the mean, it is Poisson's.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEAST_MEAN = 1 / 7  # reports a week: a baseline of seven zeros does not say that a report is impossible
LOWER, UPPER = 0.025, 0.975


def upper_tail(counts: Any, mean: Any, variance: Any) -> Floats:
    """Return the probability of such a count or a higher one; NaN where the law is not known."""
    counts, mean, variance = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (counts, mean, variance)))
    known = ~np.isnan(mean) & ~np.isnan(counts)
    if not known.any():
        return np.full(mean.shape, np.nan)
    from scipy.special import betainc, gammainc

    spread = _is_spread(mean, variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        size, failure = mean**2 / (variance - mean), 1 - mean / variance
        tail = np.where(
            spread,
            betainc(np.maximum(counts, 1), np.where(spread, size, 1), np.where(spread, failure, 0.5)),
            gammainc(np.maximum(counts, 1), mean),
        )
    return np.where(known, np.where(counts >= 1, tail, 1.0), np.nan)


def quantiles(probability: float, mean: Any, variance: Any) -> Floats:
    """Return the smallest count of which the law has at least `probability` up to it; NaN where it is not known."""
    mean, variance = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (mean, variance)))
    found = np.full(mean.shape, np.nan)
    known = ~np.isnan(mean)
    if known.any():
        found[known] = _search_quantiles(probability, mean[known], variance[known])
    return found


def _search_quantiles(probability: float, mean: Floats, variance: Floats) -> Floats:
    """Return quantiles: from a guess by three moments, a step at a time up, and then down, until each is right."""
    normal = NormalDist().inv_cdf(probability)
    skew = (2 * variance - mean) / np.maximum(mean, LEAST_MEAN)  # the skewness times the standard deviation
    guess = mean + np.sqrt(variance) * normal + (normal**2 - 1) * skew / 6
    count = np.maximum(np.rint(guess), 0)
    wrong = np.arange(len(count))
    while len(wrong := wrong[_up_to(count[wrong], mean[wrong], variance[wrong]) < probability]):
        count[wrong] += 1
    wrong = np.flatnonzero(count > 0)
    while len(wrong := wrong[_up_to(count[wrong] - 1, mean[wrong], variance[wrong]) >= probability]):
        count[wrong] -= 1
        wrong = wrong[count[wrong] > 0]
    return count


def _up_to(counts: Floats, mean: Floats, variance: Floats) -> Floats:
    """Return the probability of such a count or a lower one."""
    from scipy.special import betainc, gammaincc

    spread, share = _is_spread(mean, variance), np.empty(len(mean))
    mean_of, variance_of = mean[spread], variance[spread]
    share[spread] = betainc(mean_of**2 / (variance_of - mean_of), counts[spread] + 1, mean_of / variance_of)
    share[~spread] = gammaincc(counts[~spread] + 1, mean[~spread])
    return share


def _is_spread(mean: Floats, variance: Floats) -> NDArray[np.bool_]:
    return variance > mean * (1 + 1e-9)
