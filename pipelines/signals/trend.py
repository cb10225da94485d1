"""Rising, falling or steady: a Poisson likelihood ratio test of a log-linear trend over four weeks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TREND_WEEKS = 4
RISING, FALLING, STEADY = "rising", "falling", "steady"
CHI_SQUARE = 3.841458820694124  # 0.95 quantile, one degree of freedom
NEWTON_STEPS = 30


def find_trends(counts: Floats, phi: Floats) -> list[str]:
    """Return the trend of each series over four weeks (4 x series), at a significance of 0.05, scaled by `phi`."""
    slope = _fit_slopes(counts)
    ratio = 2 * (_compute_log_likelihood(counts, slope) - _compute_log_likelihood(counts, np.zeros(counts.shape[1])))
    moves = ratio / phi > CHI_SQUARE
    return [
        (RISING if up else FALLING) if is_moving else STEADY for is_moving, up in zip(moves, slope > 0, strict=True)
    ]


def _fit_slopes(counts: Floats) -> Floats:
    """Return the slope that fits best, by Newton's method: the mean week must be the same in counts and in the fit."""
    weeks = np.arange(TREND_WEEKS)[:, None] - (TREND_WEEKS - 1) / 2
    total = np.maximum(counts.sum(axis=0), 1e-9)
    centre = np.clip((weeks * counts).sum(axis=0) / total, weeks[0] + 0.01, weeks[-1] - 0.01)
    slope = np.zeros(counts.shape[1])
    for _ in range(NEWTON_STEPS):
        share = np.exp(slope * weeks)
        share /= share.sum(axis=0)
        mean = (weeks * share).sum(axis=0)
        variance = (weeks**2 * share).sum(axis=0) - mean**2
        slope = np.clip(slope + np.clip((centre - mean) / np.maximum(variance, 1e-6), -1, 1), -8, 8)
    return np.asarray(slope)


def _compute_log_likelihood(counts: Floats, slope: Floats) -> Floats:
    """Return the log-likelihood of how the sum is shared out over the weeks; the sum itself says nothing of a trend."""
    weeks = np.arange(TREND_WEEKS)[:, None] - (TREND_WEEKS - 1) / 2
    logits = slope * weeks
    return np.asarray((counts * (logits - np.log(np.exp(logits).sum(axis=0)))).sum(axis=0))
