"""EARS: a week's count against seven weeks shortly before it, as published.

A week that is not in the series, or is NaN, is missing: it is never a zero. Only more than expected is an alarm.
Hutwagner et al., J Urban Health 80 (2003); Fricker et al., Stat Med 27 (2008).
"""

from __future__ import annotations

from functools import cache
from statistics import NormalDist
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BASELINE = 7  # points of an EARS baseline
GAP = {"C1": 1, "C2": 3, "C3": 3}  # weeks from the baseline's last point to the judged week
EARS_QUANTILE, C3_QUANTILE = 0.999, 0.975


def ears(counts: pd.Series, method: Literal["C1", "C2", "C3"] = "C1", min_sigma: float = 0.5) -> pd.DataFrame:
    """Judge every week of `counts` (reports a week, indexed by week start) against seven weeks before it.

    Returns, by week, `expected` and `upper` (reports), `statistic` (standard deviations above expected; for C3 the
    sum of documented C2 excesses over three weeks) and `alarm`. C3 has no bound on the count: its `upper` is NaN.
    A week without a whole baseline is NaN and no alarm. Raises ValueError for another method or irregular weeks.
    """
    if method not in GAP:
        raise ValueError(f"method must be C1, C2 or C3, not {method!r}")
    grid = make_weekly_grid(counts)
    expected, upper, statistic = compute_ears(grid.to_numpy(float)[:, None], method, min_sigma)
    alarm = find_ears_alarms(grid.to_numpy(float)[:, None], upper, statistic, method)
    columns = {"expected": expected, "upper": upper, "statistic": statistic, "alarm": alarm}
    judged = pd.DataFrame({name: values[:, 0] for name, values in columns.items()}, index=grid.index)
    return judged.loc[pd.DatetimeIndex(counts.index)].set_axis(counts.index)


def compute_ears(counts: Floats, method: str, min_sigma: float = 0.5) -> tuple[Floats, Floats, Floats]:
    """Expected, upper bound and statistic, each weeks x series like `counts`; NaN where there is no baseline."""
    expected, sigma = _compute_baseline(counts, GAP[method], min_sigma)
    with np.errstate(divide="ignore", invalid="ignore"):  # min_sigma 0 and a constant baseline
        statistic = (counts - expected) / sigma
    if method != "C3":
        return expected, expected + normal_quantile(EARS_QUANTILE) * sigma, statistic
    excess = np.where(np.isnan(statistic), np.nan, np.maximum(statistic - 1, 0))
    total = np.full(counts.shape, np.nan)
    total[2:] = excess[2:] + excess[1:-1] + excess[:-2]
    return expected, np.full(counts.shape, np.nan), total


def _compute_baseline(counts: Floats, gap: int, min_sigma: float) -> tuple[Floats, Floats]:
    """Mean and standard deviation (n - 1) of the seven points that end `gap` weeks before each week."""
    mean, sigma = np.full(counts.shape, np.nan), np.full(counts.shape, np.nan)
    first = BASELINE + gap - 1
    if len(counts) > first:
        windows = np.lib.stride_tricks.sliding_window_view(counts, BASELINE, axis=0)[: len(counts) - first]
        mean[first:] = windows.mean(axis=-1)
        sigma[first:] = np.maximum(windows.std(axis=-1, ddof=1), min_sigma)
    return mean, sigma


def find_ears_alarms(counts: Floats, upper: Floats, statistic: Floats, method: str) -> NDArray[np.bool_]:
    """Where the method alarms; never where there is no baseline."""
    return statistic >= normal_quantile(C3_QUANTILE) if method == "C3" else counts > upper


@cache
def normal_quantile(probability: float) -> float:
    """Quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(probability)


def make_weekly_grid(counts: pd.Series) -> pd.Series:
    """Return the counts on an unbroken weekly grid, missing weeks as NaN."""
    starts = pd.DatetimeIndex(counts.index)
    series = pd.Series(counts.to_numpy(dtype=float, na_value=np.nan), index=starts).sort_index()
    grid = pd.date_range(series.index.min(), series.index.max(), freq="7D") if len(series) else starts
    if series.index.has_duplicates or not series.index.isin(grid).all():
        raise ValueError("counts must be indexed by week starts, each once and whole weeks apart")
    return series.reindex(grid)
