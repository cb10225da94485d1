"""Every weekly series against its own history: `weekly_signals`, one row a covered week, series and method.

    History (senders' counts) -> comparable senders -> law of EARS C1 and C2, or of Farrington flexible -> alarms, level

With three whole years of comparable weeks a week is judged by Farrington flexible, before by EARS.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.signals.comparable import BASELINE, WINDOW, History, comparable_series, filled_counts
from pipelines.signals.ears_law import GAPS, Law, compare_weeks, ears_law
from pipelines.signals.families import ears_alarms, farrington_alarms, fingerprints, same_reports
from pipelines.signals.farrington import (
    FarringtonSettings,
    enough_cases,
    farrington_baseline,
    fit_expected,
    reference_weeks,
)
from pipelines.signals.laws import LOWER, UPPER, quantiles, upper_tail
from pipelines.signals.trend import TREND_WEEKS, trends

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Fits = dict[int, tuple[float, float]]  # key of what is fitted -> expected count and phi

LEAST_YEARS, MOST_YEARS = 3, 4  # of history: from so many on Farrington flexible, with at most so many
SHORT_HISTORY, FEW_CASES, RUNNING_WEEK = "short history", "too few cases", "running week"
FEW_SENDERS = "too few comparable senders"
FARRINGTON = "Farrington flexible"


@dataclass(frozen=True)
class SeriesWeeks:
    """What `weekly_signals` is judged from: covered weeks by place, which of them run, and who is left out of each."""

    starts: list[date]
    names: list[str]
    series: list[str]
    history: History
    covered: list[int]
    running: frozenset[int]
    expected: list[list[str]]  # by place: senders of which something was expected or came
    senders: list[str]


@dataclass(frozen=True)
class Compared:
    """The comparable senders of each week, their counts, and the marks of series with the same reports."""

    senders: Flags
    observed: Floats
    reports: Floats
    marks: NDArray[np.uint64]


def judge_weeks(weeks: SeriesWeeks, fits: Fits, least: int) -> tuple[pd.DataFrame, Fits]:
    """Return the rows of `weekly_signals`, and the fits that they needed; `fits` are those that were made before."""
    senders, observed = compare_weeks(weeks.history)
    reports = weeks.history.counts.sum(axis=1)
    has_senders = np.asarray(senders.any(axis=1))
    observed = np.where(has_senders[:, None], observed, reports)
    compared = Compared(senders, observed, reports, fingerprints(weeks.history.counts))
    laws = {method: ears_law(weeks.history, senders, observed, gap) for method, gap in GAPS.items()}
    parts, used = [], Fits()
    for place in weeks.covered:
        if place not in weeks.running and (found := _by_farrington(weeks, compared, place, fits, used)):
            parts.append(_farrington_rows(weeks, compared, place, found, laws, least))
        else:
            parts.append(_ears_rows(weeks, compared, place, laws, least))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(), used


# EARS


def _ears_rows(weeks: SeriesWeeks, compared: Compared, place: int, laws: dict[str, Law], least: int) -> pd.DataFrame:
    """Return the rows of one week by C1 and C2."""
    stands = same_reports(compared.marks[place], weeks.series)
    observed = compared.observed[place]
    why = _reason(weeks, compared, place)
    p_values = np.stack([law.p_value[place] for law in laws.values()])
    alarms = ears_alarms(p_values, weeks.series, stands)
    parts = []
    for row, (method, law) in enumerate(laws.items()):
        judged = {"expected": law.mean, "lower": law.lower, "upper": law.upper, "p_value": law.p_value}
        columns = {name: values[place] for name, values in judged.items()}
        reason = [why or (SHORT_HISTORY if unknown else None) for unknown in np.isnan(columns["expected"])]
        parts.append(
            _frame(weeks, compared, place, method, columns)
            | {"primary": row == 0, "reason": reason, "alarm": alarms[row] & (observed > columns["upper"])}
        )
    rows = pd.concat([pd.DataFrame(part) for part in parts], ignore_index=True)
    return _finished(rows, weeks, stands, _trend(weeks, compared, place, laws), least)


def _reason(weeks: SeriesWeeks, compared: Compared, place: int) -> str | None:
    """Return why nothing of the week can be judged, if so."""
    if place in weeks.running:
        return RUNNING_WEEK
    if compared.senders[place].any():
        return None
    before = weeks.history.whole[max(place - WINDOW, 0) : place].any(axis=1).sum()
    return SHORT_HISTORY if before < BASELINE else FEW_SENDERS


# Farrington flexible


@dataclass(frozen=True)
class _Fitted:
    years: int
    expected: Floats
    phi: Floats
    few: Flags


def _by_farrington(weeks: SeriesWeeks, compared: Compared, place: int, fits: Fits, used: Fits) -> _Fitted | None:
    """Fit every series of one week; None where there are less than three whole years of comparable weeks."""
    senders = compared.senders[place]
    if not senders.any():
        return None
    starts = pd.DatetimeIndex(weeks.starts)
    if reference_weeks(starts, place, LEAST_YEARS)[-1] < 0:
        return None
    counts, shares = comparable_series(weeks.history, senders, place)
    known = ~np.isnan(counts[:, 0])
    years = _whole_years(starts, known, place)
    settings = FarringtonSettings(b=years)
    baseline = farrington_baseline(starts, known, place, settings) if years >= LEAST_YEARS else None
    if baseline is None:
        return None
    few = np.array([not enough_cases(counts[:, column]) for column in range(counts.shape[1])])
    model = hashlib.sha256(baseline.design.tobytes() + baseline.row.tobytes() + shares[baseline.used].tobytes())
    found = np.full((2, counts.shape[1]), np.nan)
    for column in np.flatnonzero(~few):
        key = _key(model, counts[baseline.used, column])
        fit = fits.get(key) or used.get(key) or fit_expected(counts[:, column], baseline, shares, settings)
        used[key] = fit
        found[:, column] = fit
    return _Fitted(years, found[0], found[1], few)


def _key(model: Any, counts: Floats) -> int:
    own = model.copy()
    own.update(counts.tobytes())
    return int.from_bytes(own.digest()[:8], "little")


def _whole_years(starts: pd.DatetimeIndex, known: Flags, place: int) -> int:
    """Return how many years back in a row have a known week in the window around the reference week, at most 4."""
    window = FarringtonSettings().w
    for back, reference in enumerate(reference_weeks(starts, place, MOST_YEARS)[1:]):
        if reference < 0 or not known[max(reference - window, 0) : reference + window + 1].any():
            return back
    return MOST_YEARS


def _farrington_rows(
    weeks: SeriesWeeks, compared: Compared, place: int, found: _Fitted, laws: dict[str, Law], least: int
) -> pd.DataFrame:
    observed, variance = compared.observed[place], found.expected * found.phi
    stands = same_reports(compared.marks[place], weeks.series)
    p_value = upper_tail(observed, found.expected, variance)
    upper = quantiles(UPPER, found.expected, variance)
    columns = {"expected": found.expected, "lower": quantiles(LOWER, found.expected, variance), "upper": upper}
    missing = [FEW_CASES if is_few else SHORT_HISTORY for is_few in found.few]
    reason = [why if unknown else None for why, unknown in zip(missing, np.isnan(found.expected), strict=True)]
    alarm = farrington_alarms(p_value, stands) & (observed > upper)
    rows = _frame(weeks, compared, place, f"{FARRINGTON}, b={found.years}", columns | {"p_value": p_value})
    rows |= {"primary": True, "reason": reason, "alarm": alarm}
    return _finished(pd.DataFrame(rows), weeks, stands, _trend(weeks, compared, place, laws), least)


# What both have in common


def _frame(
    weeks: SeriesWeeks, compared: Compared, place: int, method: str, columns: dict[str, Floats]
) -> dict[str, Any]:
    senders = compared.senders[place]
    chosen = {weeks.senders[column] for column in np.flatnonzero(senders)}
    return {
        "week": weeks.names[place],
        "week_start": weeks.starts[place],
        "series": weeks.series,
        "observed": compared.observed[place].astype(np.int64),
        "reports": compared.reports[place].astype(np.int64),
        "method": method,
        "sources": int(senders.sum()),
        "left_out": ", ".join(name for name in weeks.expected[place] if name not in chosen),
        **columns,
    }


def _trend(weeks: SeriesWeeks, compared: Compared, place: int, laws: dict[str, Law]) -> list[str | None]:
    """Return each series' trend over the last four weeks of the same senders; None where they cannot be compared."""
    places = np.arange(place - TREND_WEEKS + 1, place + 1)
    if place in weeks.running or places[0] < 0 or not compared.senders[place].any():
        return [None] * len(weeks.series)
    counts = filled_counts(weeks.history, compared.senders[place], place, places)
    if counts is None:
        return [None] * len(weeks.series)
    return list(trends(counts, next(iter(laws.values())).phi[place]))


def _finished(
    rows: pd.DataFrame, weeks: SeriesWeeks, stands: NDArray[np.int64], trend: list[str | None], least: int
) -> pd.DataFrame:
    """Add status, rank, level and trend; take away the ranges of what was not judged."""
    copies = len(rows) // len(weeks.series)
    judged = rows["reason"].isna().to_numpy(bool)
    above = (rows["observed"] > rows["upper"]).to_numpy(bool)
    alarm = rows["alarm"].to_numpy(bool) & judged & (rows["observed"] >= least).to_numpy(bool)
    for row in np.flatnonzero(judged & above & np.tile(stands != np.arange(len(stands)), copies)):
        rows.loc[row, "reason"] = f"same reports as {weeks.series[stands[row % len(stands)]]}"
    rows["status"] = np.select([~judged, alarm], ["not_evaluable", "alarm"], "none")
    rows.loc[~judged, ["expected", "lower", "upper", "p_value"]] = np.nan
    rows["level"] = _levels(rows, judged, above)
    rows["trend"] = trend * copies
    rows["rank"] = _ranks(rows, alarm)
    return rows.drop(columns="alarm")


def _levels(rows: pd.DataFrame, judged: Flags, above: Flags) -> list[str | None]:
    """Return below, within or above the range; None for what was not judged, and for rows that are not primary."""
    shown = judged & rows["primary"].to_numpy(bool)
    below = (rows["observed"] < rows["lower"]).to_numpy(bool)
    found = np.select([above, below], ["above", "below"], "within").tolist()
    return [level if is_shown else None for level, is_shown in zip(found, shown, strict=True)]


def _ranks(rows: pd.DataFrame, alarm: Flags) -> pd.Series:
    """Return the order of the week's alarms by p-value, then by excess."""
    raised = rows[alarm].assign(excess=rows["expected"] - rows["observed"])
    order = raised.sort_values(["p_value", "excess", "series", "method"]).index
    ranks = pd.Series(pd.NA, index=rows.index, dtype="Int32")
    ranks[order] = range(1, len(order) + 1)
    return ranks
