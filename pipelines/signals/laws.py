"""Negative binomial laws of a count: p-values of such a count or a higher one, and quantiles, over whole arrays.

A law is given by its mean and its variance; where the variance is the mean, it is Poisson's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEAST_MEAN = 1 / 7  # reports a week: a baseline of seven zeros does not say that a report is impossible
LOWER, UPPER = 0.025, 0.975


def upper_tail(counts: Any, mean: Any, variance: Any) -> Floats:
    """Return the probability of such a count or a higher one; NaN where the law is not known."""
    from scipy.special import betainc, gammainc

    counts, mean, variance = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (counts, mean, variance)))
    spread = variance > mean * (1 + 1e-9)
    with np.errstate(divide="ignore", invalid="ignore"):
        size, failure = mean**2 / (variance - mean), 1 - mean / variance
        tail = np.where(
            spread,
            betainc(np.maximum(counts, 1), np.where(spread, size, 1), np.where(spread, failure, 0.5)),
            gammainc(np.maximum(counts, 1), mean),
        )
    known = ~np.isnan(mean) & ~np.isnan(counts)
    return np.where(known, np.where(counts >= 1, tail, 1.0), np.nan)


def quantiles(probability: float, mean: Any, variance: Any) -> Floats:
    """Return the smallest count of which the law has at least `probability` up to it; NaN where it is not known."""
    from scipy.stats import nbinom, poisson

    mean, variance = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (mean, variance)))
    found = np.full(mean.shape, np.nan)
    known = ~np.isnan(mean)
    spread = known & (variance > mean * (1 + 1e-9))
    flat = known & ~spread
    found[spread] = nbinom.ppf(
        probability, mean[spread] ** 2 / (variance[spread] - mean[spread]), mean[spread] / variance[spread]
    )
    found[flat] = poisson.ppf(probability, mean[flat])
    return found
