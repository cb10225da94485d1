"""EARS and Farrington flexible against what the R package printed, and properties on other series."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist, fmean, stdev
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipelines.signals import ears, farrington_flexible
from pipelines.signals.farrington import FarringtonSettings, _build_design, _number_periods

ORACLE = Path(__file__).parents[1] / "oracle"
METHODS = ("C1", "C2", "C3")
SETTINGS: dict[str, dict[str, Any]] = {
    "noufaily": {},
    "noufaily_a005": {"alpha": 0.005},
    "noufaily_delta": {"threshold_method": "delta"},
    "noufaily_muan": {"threshold_method": "muan"},
    "farrington96": {
        "no_periods": 1,
        "past_weeks_not_included": 3,
        "p_threshold_trend": 0.05,
        "weights_threshold": 1.0,
        "threshold_method": "delta",
    },
    "defaults": {
        "no_periods": 1,
        "past_weeks_not_included": 3,
        "p_threshold_trend": 0.05,
        "threshold_method": "delta",
    },
}


@cache
def printed(name: str) -> pd.DataFrame:
    """A file of the oracle, by week start."""
    return pd.read_csv(ORACLE / f"salmonella_agona_{name}.csv", parse_dates=["date"], index_col="date")


def salmonella() -> pd.Series:
    return printed("series")["observed"]


@pytest.mark.parametrize("name", SETTINGS)
def test_farrington_flexible_prints_what_the_r_package_prints(name: str) -> None:
    wanted = printed(f"ff_{name}")
    found = farrington_flexible(salmonella(), weeks=wanted.index, **SETTINGS[name])
    assert (found["alarm"] == wanted["alarm"].astype(bool)).all()
    assert (found["trend"] == wanted["trend"].astype(bool)).all()
    columns = {"expected": "expected", "upper": "upperbound", "phi": "phi", "p_value": "pvalue"}
    for column, theirs in columns.items():
        np.testing.assert_allclose(found[column], wanted[theirs], rtol=1e-9, err_msg=column)
    if name.startswith("noufaily") and name != "noufaily_delta":
        assert (found["upper"] == wanted["upperbound"]).all(), "a quantile of counts is a count, exactly"


@pytest.mark.parametrize("method", METHODS)
def test_ears_statistics_are_the_documented_ones(method: str) -> None:
    wanted = printed("ears_statistics_minsigma05")[method]
    found = ears(salmonella(), method, min_sigma=0.5)["statistic"]
    assert wanted.notna().sum() > 290
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("min_sigma", "ending"), [(0.5, "_minsigma05"), (0.0, "")])
@pytest.mark.parametrize("method", ["C1", "C2"])
def test_ears_bounds_and_alarms_are_those_of_the_r_package(method: str, min_sigma: float, ending: str) -> None:
    wanted = printed(f"ears_{method}{ending}")
    found = ears(salmonella(), method, min_sigma)
    assert list(found.index[found["upper"].notna()]) == list(wanted.index), "from the week that the baseline allows"
    found = found.loc[wanted.index]
    np.testing.assert_allclose(found["upper"], wanted["upperbound"], rtol=1e-9)
    assert list(found["alarm"]) == list(wanted["alarm"].astype(bool))


def test_the_r_package_leaves_the_current_week_out_of_c3() -> None:
    """The difference that docs/signals.md tells, with its numbers."""
    theirs, ours = printed("ears_C3_minsigma05"), ears(salmonella(), "C3")
    c2 = ears(salmonella(), "C2")
    sigma = (c2["upper"] - c2["expected"]) / 3.090232306167813
    excess = (c2["statistic"] - 1).clip(lower=0)
    two_weeks = (salmonella() + sigma * (1.959963984540054 - excess.shift(1) - excess.shift(2))).clip(lower=0)
    np.testing.assert_allclose(two_weeks.loc[theirs.index], theirs["upperbound"], rtol=1e-9, atol=1e-9)
    alarms = ours.loc[theirs.index, "alarm"]
    assert (int(alarms.sum()), int(theirs["alarm"].sum())) == (60, 36)
    assert int((alarms & (theirs["alarm"] == 1)).sum()) == 36, "and every one of theirs is one of ours"


# Other series ----------------------------------------------------------------------------------------------


def weekly(counts: Any, start: str = "2021-01-04") -> pd.Series:
    return pd.Series(counts, index=pd.date_range(start, periods=len(counts), freq="7D"), dtype=float)


def poisson(mean: float, weeks: int = 230, seed: int = 7) -> pd.Series:
    return weekly(np.random.default_rng(seed).poisson(mean, weeks))


def last_week(counts: pd.Series, **kwargs: Any) -> pd.Series:
    return farrington_flexible(counts, weeks=[counts.index[-1]], **kwargs).iloc[0]


# slow and plain computations of the same, written from the published formulas and not from pipelines/signals


def seasonal(level: float, seed: int, weeks: int = 240, outbreak: int = 0) -> pd.Series:
    """Counts with a season, a slow rise, overdispersion, and an outbreak in the second year and at the end."""
    rng, places = np.random.default_rng(seed), np.arange(weeks)
    mean = level * np.exp(0.5 * np.sin(2 * np.pi * places / 52.18) + 0.002 * places)
    counts = rng.negative_binomial(mean / 0.8, 1 / 1.8)
    counts[70:74] += outbreak
    counts[-1] += outbreak
    return weekly(counts, "2021-02-15")


def poisson_glm(counts: Any, design: Any, prior: Any) -> tuple[Any, Any, Any, Any]:
    """Coefficients, their unscaled covariance, means and working weights, as R's glm.fit finds them."""
    mean, deviance = counts + 0.1, np.inf
    for _ in range(25):
        working = prior * mean
        response = np.log(mean) + (counts - mean) / mean
        covariance = np.linalg.inv(design.T @ np.diag(working) @ design)
        coefficients = covariance @ design.T @ (working * response)
        mean = np.exp(design @ coefficients)
        logs = np.where(counts > 0, counts * np.log(np.where(counts > 0, counts, 1) / mean), 0)
        before, deviance = deviance, 2 * float(np.sum(prior * (logs - counts + mean)))
        if abs(deviance - before) / (abs(deviance) + 0.1) < 1e-8:
            break
    return coefficients, covariance, mean, working


def noufaily_by_hand(counts: pd.Series, years: int) -> tuple[float, float, float, float]:
    """Expected, upper bound, phi and p-value of the last week, with Noufaily's settings."""
    days = [day.date() for day in counts.index]
    targets = [days[-1].replace(year=days[-1].year - back) for back in range(years + 1)]
    references = [min(range(len(days)), key=lambda i: abs((days[i] - target).days)) for target in targets]
    group = dict.fromkeys(range(len(days)), 0)
    for later, reference in pairwise(references):
        parts = np.array_split(np.arange(reference + 4, later - 3), 9)
        group |= {int(place): number for number, part in enumerate(parts, 1) for place in part}
        group |= dict.fromkeys(range(max(reference - 3, 0), reference + 4), 10)
    used = [place for place in range(len(days) - 1 - 26) if group[place]]
    levels = [level for level in range(1, 10) if level in {group[place] for place in used}]
    rows = [[1.0, *(float(group[place] == level) for level in levels), place - used[0]] for place in used]
    design, seen = np.array(rows), counts.to_numpy()[used]
    now = np.array([1.0, *(0.0 for _ in levels), len(days) - 1 - used[0]])
    weights = np.ones(len(used))
    freedom = len(used) - len(now)
    for again in (True, False):
        coefficients, covariance, mean, working = poisson_glm(seen, design, weights)
        phi = max(float(np.sum(working * ((seen - mean) / mean) ** 2)) / freedom, 1.0)
        if again:
            leverage = np.diag(np.diag(working) @ design @ covariance @ design.T)
            residuals = 1.5 * (seen ** (2 / 3) * mean ** (-1 / 6) - mean**0.5) / np.sqrt(phi * (1 - leverage))
            weights = np.where(residuals > 2.58, np.where(residuals > 2.58, residuals, 1) ** -2.0, 1.0)
            weights *= len(used) / weights.sum()
    expected = float(np.exp(now @ coefficients))
    law = stats.nbinom(expected / (phi - 1), 1 / phi) if phi > 1 else stats.poisson(expected)
    return expected, float(law.ppf(0.95)), phi, float(1 - law.cdf(counts.iloc[-1] - 1))


@pytest.mark.parametrize("years", [3, 4])
@pytest.mark.parametrize(("level", "outbreak"), [(2, 0), (4, 30), (25, 0), (25, 60), (300, 0), (300, 500)])
def test_farrington_flexible_is_what_the_formulas_give_by_hand(level: float, outbreak: int, years: int) -> None:
    whole = seasonal(level, seed=level + outbreak, outbreak=outbreak)
    alarms = []
    for last in (222, 231, 240):
        counts = whole.iloc[:last]
        judged = last_week(counts, b=years)
        expected, upper, phi, p_value = noufaily_by_hand(counts, years)
        found = judged[["expected", "upper", "phi", "p_value"]].astype(float)
        np.testing.assert_allclose(found, [expected, upper, phi, p_value], rtol=1e-6, atol=1e-12)
        alarms.append(bool(judged["alarm"]))
        assert judged["alarm"] == (counts.iloc[-1] > upper)
    assert alarms[-1] == bool(outbreak), "the outbreak in the last week is found, and no calm one"


@pytest.mark.parametrize("min_sigma", [0.5, 0.0])
@pytest.mark.parametrize("level", [0.3, 5, 80])
def test_ears_is_what_the_formulas_give_by_hand(level: float, min_sigma: float) -> None:
    counts = [float(count) for count in seasonal(level, seed=5, weeks=90, outbreak=9)]
    excess: dict[int, float] = {}
    found = {method: ears(weekly(counts, "2021-02-15"), method, min_sigma) for method in METHODS}
    for t in range(len(counts)):
        for method, gap in (("C1", 1), ("C2", 3)):
            first = t - gap - 6
            row = found[method].iloc[t]
            if first < 0:
                assert np.isnan(row["upper"])
                continue
            baseline = counts[first : first + 7]
            sigma = max(stdev(baseline), min_sigma)
            upper = fmean(baseline) + NormalDist().inv_cdf(0.999) * sigma
            np.testing.assert_allclose([row["expected"], row["upper"]], [fmean(baseline), upper], rtol=1e-9, atol=1e-12)
            assert row["alarm"] == (counts[t] > row["upper"])
            if method == "C2" and sigma:
                excess[t] = max(0.0, (counts[t] - fmean(baseline)) / sigma - 1)
        if {t, t - 1, t - 2} <= set(excess):
            total = excess[t] + excess[t - 1] + excess[t - 2]
            assert found["C3"]["statistic"].iloc[t] == pytest.approx(total, rel=1e-9, abs=1e-9)
            assert found["C3"]["alarm"].iloc[t] == (total >= NormalDist().inv_cdf(0.975))
    assert len(excess) > 20


FEW = settings(max_examples=40, deadline=None, derandomize=True)
HISTORY = st.lists(st.integers(0, 60), min_size=214, max_size=260)


@FEW
@given(st.lists(st.integers(0, 200), min_size=1, max_size=40), st.sampled_from(METHODS), st.integers(2, 9))
def test_ears_statistics_do_not_depend_on_the_unit(counts: list[int], method: str, factor: int) -> None:
    once, scaled = ears(weekly(counts), method, 0.5), ears(weekly(counts) * factor, method, 0.5 * factor)
    np.testing.assert_allclose(once["statistic"], scaled["statistic"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(once["upper"] * factor, scaled["upper"], rtol=1e-9)


@FEW
@given(HISTORY, st.sampled_from(["nb_plugin", "delta", "muan"]), st.sampled_from([0.005, 0.05]), st.integers(1, 10))
def test_farrington_p_value_agrees_with_its_alarm(history: list[int], method: Any, alpha: float, periods: int) -> None:
    judged = last_week(weekly(history), threshold_method=method, alpha=alpha, no_periods=periods)
    if not np.isnan(judged["upper"]):
        assert judged["alarm"] == (history[-1] > judged["upper"])
        assert judged["phi"] >= 1
        assert abs(judged["p_value"] - alpha) < 1e-9 or judged["alarm"] == (judged["p_value"] < alpha)


@pytest.mark.parametrize("method", ["C1", "C2"])
def test_a_constant_series_is_never_an_alarm_and_one_more_is_within_the_least_sigma(method: Any) -> None:
    assert not ears(weekly([4] * 30), method)["alarm"].any()
    counts = weekly([4] * 29 + [5])
    assert not ears(counts, method)["alarm"].any(), "4 + 3.09 x 0.5 is above 5"
    assert ears(counts, method, min_sigma=0)["alarm"].iloc[-1], "without a least sigma every step is an alarm"


@pytest.mark.parametrize(("level", "jump"), [(0, 40), (5, 60), (1000, 2000)])
def test_farrington_judges_constant_and_empty_histories(level: int, jump: int) -> None:
    calm = weekly([level] * 260)
    assert not last_week(calm)["alarm"]
    outbreak = last_week(weekly([level] * 259 + [jump]))
    assert outbreak["alarm"]
    assert outbreak["expected"] == pytest.approx(level, rel=1e-6, abs=1e-6)


def test_a_gap_in_the_history_is_no_zero() -> None:
    whole = poisson(30)
    gone = whole.index[100:104]
    as_missing, as_nan = whole.drop(gone), whole.where(~whole.index.isin(gone))
    as_zero = whole.where(~whole.index.isin(gone), 0)
    expected = last_week(as_missing)["expected"]
    assert expected == last_week(as_nan)["expected"]
    assert abs(expected - 30) < abs(last_week(as_zero)["expected"] - 30)
    for method in METHODS:
        judged = ears(as_missing, method)
        pd.testing.assert_frame_equal(judged, ears(as_nan, method).loc[as_missing.index])
        assert judged.loc[whole.index[105], "expected"] != judged.loc[whole.index[105], "expected"], "not judged"
        assert judged["expected"].iloc[-1] > 20


@pytest.mark.parametrize(("recent", "judged"), [([0, 0, 0, 4], False), ([1, 0, 0, 4], True), ([5, 0, 0, 0], True)])
def test_farrington_needs_five_cases_in_four_weeks(recent: list[int], judged: bool) -> None:
    result = last_week(weekly([2] * 226 + [9] + recent))
    assert (not np.isnan(result["upper"])) == judged
    assert not (not judged and result["alarm"])


def test_farrington_needs_its_years_and_judges_by_default_what_it_can() -> None:
    counts = poisson(20)
    for years in (3, 4):
        found = farrington_flexible(counts, b=years)
        first = found.index[0]
        assert (first - counts.index[0]).days in range(365 * years - 4, 365 * years + 5)
        assert found["upper"].notna().all()
        before = farrington_flexible(counts, weeks=[first - pd.Timedelta(weeks=1)], b=years)
        assert before["upper"].isna().all()
        assert not before["alarm"].any()
    assert farrington_flexible(counts.iloc[:100]).empty


def test_a_missing_week_is_not_judged() -> None:
    counts = poisson(20)
    counts.iloc[-1] = np.nan
    assert np.isnan(last_week(counts)["expected"])
    assert not last_week(counts)["alarm"]


@pytest.mark.parametrize("index", ["dates", "timestamps"])
def test_the_index_that_came_in_comes_out(index: str) -> None:
    counts = poisson(20)
    counts.index = counts.index.date if index == "dates" else counts.index
    assert list(ears(counts, "C1").index) == list(counts.index)
    assert list(farrington_flexible(counts, weeks=list(counts.index[-2:])).index) == list(counts.index[-2:])


def test_what_cannot_be_a_weekly_series_is_refused() -> None:
    crooked = pd.Series([1, 2, 3], index=pd.to_datetime(["2026-01-05", "2026-01-12", "2026-01-20"]))
    for call in (lambda: ears(crooked), lambda: farrington_flexible(crooked)):
        with pytest.raises(ValueError, match="whole weeks apart"):
            call()
    with pytest.raises(ValueError, match="C1, C2 or C3"):
        ears(poisson(5), "C4")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="threshold_method"):
        farrington_flexible(poisson(5), threshold_method="nbPlugin")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not in counts"):
        farrington_flexible(poisson(5), weeks=[pd.Timestamp("1999-01-04")])
    assert ears(weekly([])).empty


@pytest.mark.parametrize("hidden", range(1, 5))
def test_a_seasonal_period_that_no_known_week_is_of_has_no_column(hidden: int) -> None:
    """The weeks of one period are unknown in every year: the others are fitted as if it had never been."""
    counts = poisson(30)
    settings = FarringtonSettings()
    place = len(counts) - 1
    starts = pd.Index(counts.index)
    periods = _number_periods(starts, place, settings)
    known = np.append(periods[:-1] != hidden, True)
    used = np.flatnonzero((periods > 0) & known)
    design, row = _build_design(periods[used], used, place, settings.no_periods)
    assert design.shape[1] == len(row) == settings.no_periods
    assert np.linalg.matrix_rank(design) == design.shape[1], "a column of zeros has no estimate"
    assert (design[:, 1:-1].sum(axis=0) > 0).all()
    whole, _ = _build_design(periods[periods > 0], np.flatnonzero(periods > 0), place, settings.no_periods)
    assert whole.shape[1] == design.shape[1] + 1
