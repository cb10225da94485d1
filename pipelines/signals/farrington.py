"""Farrington flexible: a week against the same season of earlier years, as the R package surveillance computes it.

A week that is not in the series, or is NaN, is missing: it is never a zero. Only more than expected is an alarm.
Farrington et al., JRSS A 159 (1996); Noufaily et al., Stat Med 32 (2013); computed as surveillance 1.20.3 does, with
which the tests compare it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.signals.aberration import make_weekly_grid, normal_quantile
from pipelines.signals.quasi_poisson import Floats, ReweightedFit, fit_reweighted

CASES, CASES_WEEKS = 5, 4  # fewer cases than this in so many weeks, the current one included: not evaluable


@dataclass(frozen=True)
class FarringtonSettings:
    """What can be set; the defaults are Noufaily's. Half window, gap and years are in weeks and years."""

    b: int = 4
    w: int = 3
    no_periods: int = 10
    past_weeks_not_included: int = 26
    p_threshold_trend: float = 1.0
    weights_threshold: float = 2.58
    alpha: float = 0.05
    threshold_method: str = "nb_plugin"


def farrington_flexible(
    counts: pd.Series,
    weeks: Any = None,
    b: int = 4,
    w: int = 3,
    no_periods: int = 10,
    past_weeks_not_included: int = 26,
    p_threshold_trend: float = 1.0,
    weights_threshold: float = 2.58,
    alpha: float = 0.05,
    threshold_method: Literal["nb_plugin", "delta", "muan"] = "nb_plugin",
) -> pd.DataFrame:
    """Judge weeks of `counts` (reports a week, indexed by week start) against `b` years before each.

    `weeks` are the index values to judge; by default every week that has `b` years before it. Returns, by week,
    `expected` and `upper` (reports), `alarm`, `phi` (overdispersion, at least 1), `trend` (whether a trend was kept)
    and `p_value` (of such a count or a higher one). A week that cannot be judged (missing, short history, fewer than
    five cases in four weeks) has NaN and no alarm. Raises ValueError for a method or weeks that are not known.
    """
    if threshold_method not in ("nb_plugin", "delta", "muan"):
        raise ValueError(f"threshold_method must be nb_plugin, delta or muan, not {threshold_method!r}")
    grid = make_weekly_grid(counts)
    settings = FarringtonSettings(
        b, w, no_periods, past_weeks_not_included, p_threshold_trend, weights_threshold, alpha, threshold_method
    )
    places = {start: place for place, start in enumerate(grid.index)}
    wanted = list(counts.index) if weeks is None else list(weeks)
    if unknown := [week for week in wanted if pd.Timestamp(week) not in places]:
        raise ValueError(f"weeks that are not in counts: {unknown[:3]}")
    if weeks is None:
        wanted = [week for week in wanted if find_reference_weeks(grid.index, places[pd.Timestamp(week)], b)[-1] >= 0]
    values = grid.to_numpy(dtype=float)
    rows = []
    for place in (places[pd.Timestamp(week)] for week in wanted):
        baseline = select_baseline(grid.index, ~np.isnan(values), place, settings)
        rows.append(judge_week(values[: place + 1], baseline, settings))
    return pd.DataFrame([vars(row) for row in rows], index=wanted, columns=list(vars(NOT_JUDGED)))


@dataclass(frozen=True)
class Judged:
    """One week against its history, by Farrington flexible."""

    expected: float
    upper: float
    alarm: bool
    phi: float
    trend: bool
    p_value: float


NOT_JUDGED = Judged(math.nan, math.nan, False, math.nan, False, math.nan)


@dataclass(frozen=True)
class Baseline:
    """The weeks that a week is judged against: their places, the model matrix, and the judged week's row of it."""

    used: NDArray[np.int64]
    design: Floats
    row: Floats


def select_baseline(
    starts: pd.Index[Any], known: NDArray[np.bool_], place: int, settings: FarringtonSettings
) -> Baseline | None:
    """The baseline of the week at `place` of unbroken weeks, of which `known` are there; None where it is too short.

    It depends on the weeks alone, so that series with the same weeks can share it.
    """
    periods = _number_periods(starts, place, settings)
    used = np.flatnonzero((periods > 0) & known[: place + 1])
    if not (periods[used] == settings.no_periods).any():
        return None
    design, row = _build_design(periods[used], used, place, settings.no_periods)
    return Baseline(used, design, row) if len(used) > design.shape[1] else None


def judge_week(
    counts: Floats, baseline: Baseline | None, settings: FarringtonSettings, shares: Floats | None = None
) -> Judged:
    """Judge the last week of `counts` (unbroken weeks, a missing one is NaN) against its baseline.

    `shares` (0-1) say for each week which part of the usual reports its senders make; by default all of them.
    """
    if baseline is None or np.isnan(counts[-1]) or not has_enough_cases(counts):
        return NOT_JUDGED
    offset = np.zeros(len(baseline.used)) if shares is None else np.log(shares[baseline.used])
    fit, trend = _choose_trend(counts[baseline.used], offset, baseline, settings)
    if fit is None:
        return NOT_JUDGED
    return _judge(counts[-1], fit, baseline.row[: len(fit.coefficients)], trend, settings)


def fit_expected(
    counts: Floats, baseline: Baseline, shares: Floats, settings: FarringtonSettings
) -> tuple[float, float]:
    """Fit the baseline's weeks of `counts` and return the expected count and phi; NaN without convergence."""
    fit, _ = _choose_trend(counts[baseline.used], np.log(shares[baseline.used]), baseline, settings)
    if fit is None:
        return math.nan, math.nan
    return math.exp(fit.predict(baseline.row[: len(fit.coefficients)])[0]), fit.phi


def has_enough_cases(counts: Floats) -> bool:
    """Return whether the last four weeks hold five cases."""
    return bool(np.nansum(counts[-CASES_WEEKS:]) >= CASES)


def find_reference_weeks(starts: pd.Index[Any], place: int, years: int) -> list[int]:
    """Places of the judged week and of the week nearest to its date in each year before; may be negative."""
    today = starts[place]
    gaps = [(today - (today - pd.DateOffset(years=back))).days for back in range(years + 1)]
    return [place - (days + 3) // 7 for days in gaps]


def _number_periods(starts: pd.Index[Any], place: int, settings: FarringtonSettings) -> NDArray[np.int64]:
    """Seasonal period 1..no_periods of every week up to the judged one, 0 where it is no part of the baseline.

    The last period are the windows around the reference weeks; the weeks between two windows are shared out evenly
    over the others, the first ones taking what is left over. Windows end where the series begins.
    """
    periods = np.zeros(place + 1, dtype=np.int64)
    references = find_reference_weeks(starts, place, settings.b)
    if references[-1] < 0:
        return periods
    for later, reference in pairwise(references):
        after = reference + settings.w + 1
        between = later - settings.w - after
        others = np.sort(np.arange(between) % (settings.no_periods - 1)) + 1 if settings.no_periods > 1 else 0
        periods[after : after + between] = others
        periods[max(reference - settings.w, 0) : after] = settings.no_periods
    periods[max(place - settings.past_weeks_not_included, 0) :] = 0
    return periods


def _build_design(periods: NDArray[np.int64], used: NDArray[np.int64], place: int, last: int) -> tuple[Floats, Floats]:
    """Return the model matrix of the baseline and the judged week's row; the trend, in weeks, is the last column."""
    others = [period for period in range(1, last) if (periods == period).any()]
    columns = [np.ones(len(used)), *((periods == period).astype(float) for period in others), used - used[0]]
    return np.column_stack(columns).astype(float), np.array([1.0, *(0.0 for _ in others), place - used[0]])


def _choose_trend(
    counts: Floats, offset: Floats, baseline: Baseline, settings: FarringtonSettings
) -> tuple[ReweightedFit | None, bool]:
    """Return the fit with a trend, or without where it is not to be trusted or does not converge."""
    fit = fit_reweighted(counts, offset, baseline.design, settings.weights_threshold)
    if fit is not None and _keeps_trend(fit, counts, baseline.row, settings):
        return fit, True
    return fit_reweighted(counts, offset, baseline.design[:, :-1], settings.weights_threshold), False


def _keeps_trend(fit: ReweightedFit, counts: Floats, row: Floats, settings: FarringtonSettings) -> bool:
    """Always at threshold 1; otherwise: significant, three years, and no prediction above every count before."""
    if settings.p_threshold_trend >= 1:
        return True
    from scipy.special import stdtr

    error = math.sqrt(fit.covariance[-1, -1] * fit.spread)
    p_value = 2 * stdtr(fit.degrees_of_freedom, -abs(fit.coefficients[-1]) / error)
    predicted = math.exp(fit.predict(row)[0])
    return bool(p_value < settings.p_threshold_trend and settings.b >= 3 and predicted <= counts.max())


def _judge(observed: float, fit: ReweightedFit, row: Floats, trend: bool, settings: FarringtonSettings) -> Judged:
    """Return the upper bound and the p-value by the chosen method."""
    predictor, error = fit.predict(row)
    expected, phi = math.exp(predictor), fit.phi
    if settings.threshold_method == "delta":
        upper, p_value = _bound_by_delta(observed, expected, error, phi, settings.alpha)
    else:
        shift = normal_quantile(1 - settings.alpha) * error if settings.threshold_method == "muan" else 0.0
        upper, p_value = _bound_by_negative_binomial(observed, math.exp(predictor + shift), phi, settings.alpha)
    return Judged(expected, upper, observed > upper, phi, trend, p_value)


def _bound_by_delta(observed: float, expected: float, error: float, phi: float, alpha: float) -> tuple[float, float]:
    """Bound and p-value of a normal distribution on the scale of counts to the power 2/3."""
    tau = phi + expected * error**2
    sigma = math.sqrt(4 / 9 * expected ** (1 / 3) * tau)
    centre = expected ** (2 / 3)
    upper = (centre + normal_quantile(1 - alpha) * sigma) ** 1.5
    return upper, NormalDist().cdf((centre - observed ** (2 / 3)) / sigma)


def _bound_by_negative_binomial(observed: float, mean: float, phi: float, alpha: float) -> tuple[float, float]:
    """Bound and p-value of a negative binomial with variance phi x mean; Poisson where phi is 1."""
    from scipy import stats

    law, parameters = (stats.nbinom, (mean / (phi - 1), 1 / phi)) if phi > 1 else (stats.poisson, (mean,))
    return float(law.ppf(1 - alpha, *parameters)), float(law.sf(observed - 1, *parameters))
