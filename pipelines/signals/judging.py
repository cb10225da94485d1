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

from pipelines.signals.comparable import BASELINE, WINDOW, History, fill_counts, sum_comparable_series
from pipelines.signals.ears_law import GAPS, Law, compare_weeks, fit_ears_law
from pipelines.signals.families import compute_fingerprints, find_ears_alarms, find_farrington_alarms, find_same_reports
from pipelines.signals.farrington import (
    FarringtonSettings,
    find_reference_weeks,
    fit_expected,
    has_enough_cases,
    select_baseline,
)
from pipelines.signals.laws import LOWER, UPPER, quantiles, upper_tail
from pipelines.signals.trend import TREND_WEEKS, find_trends

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Fits = dict[int, tuple[float, float]]  # key of what is fitted -> expected count and phi
Used = dict[tuple[date, int], tuple[float, float]]  # the week, and the key, for which a fit was needed

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


Block = dict[str, Any]  # column -> values of the rows of one week and method; a single value stands for all of them


def judge_weeks(weeks: SeriesWeeks, fits: Fits, least: int, first: int = 0) -> tuple[pd.DataFrame, Used]:
    """Return the rows of `weekly_signals` from the place `first` on, and the fits that they needed.

    `fits` are those that were made before. What is found of a week depends on no later one.
    """
    senders, observed = compare_weeks(weeks.history)
    reports = weeks.history.counts.sum(axis=1)
    has_senders = np.asarray(senders.any(axis=1))
    observed = np.where(has_senders[:, None], observed, reports)
    compared = Compared(senders, observed, reports, compute_fingerprints(weeks.history.counts))
    laws = {method: fit_ears_law(weeks.history, senders, observed, gap, first - 1) for method, gap in GAPS.items()}
    blocks, used = [], Used()
    for place in (place for place in weeks.covered if place >= first):
        found = None if place in weeks.running else _fit_farrington(weeks, compared, place, fits, used)
        stands = find_same_reports(compared.marks[place], weeks.series)
        if found is None:
            judged = _judge_by_ears(weeks, compared, place, laws, stands)
        else:
            judged = [_make_farrington_block(compared.observed[place], found, stands)]
        common = _make_common_block(weeks, compared, place) | {"trend": _find_trends(weeks, compared, place, laws)}
        blocks += _finish_blocks([common | block for block in judged], weeks, stands, least)
    return _make_frame(blocks, len(weeks.series)), used


def _make_frame(blocks: list[Block], each: int) -> pd.DataFrame:
    """Return the blocks as rows; blocks are of `each` rows."""
    if not blocks:
        return pd.DataFrame()
    columns = {name: [_spread_values(block[name], each) for block in blocks] for name in blocks[0]}
    return pd.DataFrame({name: np.concatenate(parts) for name, parts in columns.items()}).astype({"rank": "Int32"})


def _spread_values(values: Any, each: int) -> NDArray[Any]:
    if isinstance(values, np.ndarray):
        return values
    found = np.empty(each, dtype=object)
    found[:] = values
    return found


# EARS


def _judge_by_ears(
    weeks: SeriesWeeks, compared: Compared, place: int, laws: dict[str, Law], stands: NDArray[np.int64]
) -> list[Block]:
    """Return the rows of one week by C1 and C2."""
    why = _find_reason(weeks, compared, place)
    p_values = np.stack([law.p_value[place] for law in laws.values()])
    alarms = find_ears_alarms(p_values, weeks.series, stands, _find_above_range(compared, laws, place - 1))
    return [
        {
            "method": method,
            "is_primary": row == 0,
            "expected": law.mean[place],
            "lower": law.lower[place],
            "upper": law.upper[place],
            "p_value": law.p_value[place],
            "reason": why or _list_reasons(np.isnan(law.mean[place]), np.zeros(len(stands), dtype=bool)),
            "alarm": alarms[row],
        }
        for row, (method, law) in enumerate(laws.items())
    ]


def _find_above_range(compared: Compared, laws: dict[str, Law], place: int) -> Flags:
    """Return which series were above the range of the primary row, C1; none where the week was not judged."""
    upper = next(iter(laws.values())).upper
    return np.asarray(compared.observed[place] > upper[place]) if place >= 0 else np.zeros(upper.shape[1], dtype=bool)


def _list_reasons(unknown: Flags, few: Flags) -> list[str | None]:
    """Return why single series cannot be judged."""
    return [
        (FEW_CASES if is_few else SHORT_HISTORY) if lacks else None for lacks, is_few in zip(unknown, few, strict=True)
    ]


def _find_reason(weeks: SeriesWeeks, compared: Compared, place: int) -> str | None:
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


def _fit_farrington(weeks: SeriesWeeks, compared: Compared, place: int, fits: Fits, used: Used) -> _Fitted | None:
    """Fit every series of one week; None where there are less than three whole years of comparable weeks."""
    senders = compared.senders[place]
    if not senders.any():
        return None
    starts = pd.DatetimeIndex(weeks.starts)
    if find_reference_weeks(starts, place, LEAST_YEARS)[-1] < 0:
        return None
    counts, shares = sum_comparable_series(weeks.history, senders, place)
    known = ~np.isnan(counts[:, 0])
    years = _count_whole_years(starts, known, place)
    settings = FarringtonSettings(b=years)
    baseline = select_baseline(starts, known, place, settings) if years >= LEAST_YEARS else None
    if baseline is None:
        return None
    few = np.array([not has_enough_cases(counts[:, column]) for column in range(counts.shape[1])])
    model = hashlib.sha256(baseline.design.tobytes() + baseline.row.tobytes() + shares[baseline.used].tobytes())
    found = np.full((2, counts.shape[1]), np.nan)
    for column in np.flatnonzero(~few):
        key = _hash_fit(model, counts[baseline.used, column])
        fit = fits.get(key) or fit_expected(counts[:, column], baseline, shares, settings)
        used[weeks.starts[place], key] = fit
        found[:, column] = fit
    return _Fitted(years, found[0], found[1], few)


def _hash_fit(model: Any, counts: Floats) -> int:
    own = model.copy()
    own.update(counts.tobytes())
    return int.from_bytes(own.digest()[:8], "little")


def _count_whole_years(starts: pd.DatetimeIndex, known: Flags, place: int) -> int:
    """Return how many years back in a row have a known week in the window around the reference week, at most 4."""
    window = FarringtonSettings().w
    for back, reference in enumerate(find_reference_weeks(starts, place, MOST_YEARS)[1:]):
        if reference < 0 or not known[max(reference - window, 0) : reference + window + 1].any():
            return back
    return MOST_YEARS


def _make_farrington_block(observed: Floats, found: _Fitted, stands: NDArray[np.int64]) -> Block:
    """Return the rows of one week by Farrington flexible."""
    variance = found.expected * found.phi
    p_value = upper_tail(observed, found.expected, variance)
    return {
        "method": f"{FARRINGTON}, b={found.years}",
        "is_primary": True,
        "expected": found.expected,
        "lower": quantiles(LOWER, found.expected, variance),
        "upper": quantiles(UPPER, found.expected, variance),
        "p_value": p_value,
        "reason": _list_reasons(np.isnan(found.expected), found.few),
        "alarm": find_farrington_alarms(p_value, stands),
    }


# What both have in common


def _make_common_block(weeks: SeriesWeeks, compared: Compared, place: int) -> Block:
    senders = compared.senders[place]
    chosen = {weeks.senders[column] for column in np.flatnonzero(senders)}
    return {
        "week": weeks.names[place],
        "week_start": weeks.starts[place],
        "series": weeks.series,
        "observed": compared.observed[place].astype(np.int64),
        "reports": compared.reports[place].astype(np.int64),
        "sources": int(senders.sum()),
        "left_out": ", ".join(name for name in weeks.expected[place] if name not in chosen),
    }


def _find_trends(weeks: SeriesWeeks, compared: Compared, place: int, laws: dict[str, Law]) -> list[str] | None:
    """Return each series' trend over the last four weeks of the same senders; None where they cannot be compared."""
    places = np.arange(place - TREND_WEEKS + 1, place + 1)
    if place in weeks.running or places[0] < 0 or not compared.senders[place].any():
        return None
    counts = fill_counts(weeks.history, compared.senders[place], place, places)
    return None if counts is None else find_trends(counts, next(iter(laws.values())).phi[place])


def _finish_blocks(blocks: list[Block], weeks: SeriesWeeks, stands: NDArray[np.int64], least: int) -> list[Block]:
    """Add status, level and rank to the rows of one week; take away the ranges of what was not judged."""
    copies = stands != np.arange(len(stands))
    for block in blocks:
        reasons = _spread_values(block["reason"], len(stands))
        judged = np.array([reason is None for reason in reasons], dtype=bool)
        for name in ("expected", "lower", "upper", "p_value"):
            block[name] = np.where(judged, block[name], np.nan)
        above = judged & (block["observed"] > block["upper"])
        block["alarm"] = block["alarm"] & above & (block["observed"] >= least)
        for column in np.flatnonzero(above & copies):
            reasons[column] = f"same reports as {weeks.series[stands[column]]}"
        block["reason"] = reasons
        block["status"] = np.select([~judged, block["alarm"]], ["not_evaluable", "alarm"], "none").astype(object)
        block["level"] = _choose_levels(block, judged, above) if block["is_primary"] else None
    return _rank_alarms(blocks, weeks.series)


def _choose_levels(block: Block, judged: Flags, above: Flags) -> NDArray[Any]:
    """Return below, within or above the range; None for what was not judged."""
    found = np.select([above, block["observed"] < block["lower"]], ["above", "below"], "within").astype(object)
    found[~judged] = None
    return found


def _rank_alarms(blocks: list[Block], series: list[str]) -> list[Block]:
    """Add the order of the week's alarms, by p-value, then by excess."""
    raised = [
        (block["p_value"][column], block["expected"][column] - block["observed"][column], series[column], row, column)
        for row, block in enumerate(blocks)
        for column in np.flatnonzero(block["alarm"])
    ]
    for block in blocks:
        block["rank"] = np.full(len(series), None, dtype=object)
        del block["alarm"]
    for rank, (*_, row, column) in enumerate(sorted(raised), 1):
        blocks[row]["rank"][column] = rank
    return blocks
