"""What is still to come of the latest weeks: a chain ladder for each sender by its own clock, summed over senders.

A week's age is counted in whole weeks, from the weekday on which the sender's clock stands now: a past week is taken as
it stood at the same moment. The factor from one age to the next is taken from the latest eight weeks of which both are
known, so a change of the sender's delays is followed in two months. How far off the method was at that age before is
its interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.signals.laws import quantiles

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

SERIES = ("all", "triage_level=emergency", "triage_level=contact_doctor")
LAST_AGE = 8  # weeks: what comes later counts with what had come by then
FACTOR_WEEKS = 8
BATCH = 6  # reports: so many that came later, after nothing at an age, are a batch and no chance
ERRORS, LEAST_ERRORS = 26, 8
SETTLED_AFTER = 2  # weeks older: then what became of a week is known well enough to see how far off its nowcast was
COVERAGE = 0.9
SHORT_HISTORY, BATCHES = "short history", "reports come in batches"
MORE, FEWER, NOT_CLEAR = "more", "fewer", "not clear"


@dataclass(frozen=True)
class SenderArrivals:
    """When one sender's reports came.

    `counts` is series x weeks x ages, cumulative over ages; `age` is each week's age now, negative before its end;
    `enters` is whether the sender delivered within 7 days of the week's end; `whole` is whether it reported the week.
    """

    counts: Floats
    age: NDArray[np.int64]
    enters: Flags
    whole: Flags


@dataclass(frozen=True)
class SenderNowcast:
    """Expected final counts of one sender, series x weeks x ages; NaN without one. `batches` is why, weeks x ages."""

    expected: Floats
    batches: Flags
    final: Floats  # series x weeks: by what is known now


def nowcast_sender(arrivals: SenderArrivals) -> SenderNowcast:
    """Return what one sender's weeks were expected to come to at every age that they have reached."""
    counts, weeks = arrivals.counts, arrivals.counts.shape[1]
    places = np.arange(weeks)
    entering = np.flatnonzero(arrivals.enters & arrivals.whole)
    expected = np.full(counts.shape, np.nan)
    batches = np.zeros((weeks, LAST_AGE + 1), dtype=bool)
    for age in range(LAST_AGE + 1):
        factor, known = np.ones((len(counts), weeks)), None
        for step in range(age, LAST_AGE):
            ratio, used = _compute_factors(counts, entering, step, places + age)
            factor, known = factor * ratio, used if known is None else known
        batches[:, age] = _has_batches(counts[0, :, age], counts[0, :, -1], entering)
        reached = (arrivals.age >= age) & arrivals.whole & ~batches[:, age]
        if known is not None:
            reached &= known >= FACTOR_WEEKS
        expected[:, :, age] = np.where(reached, counts[:, :, age] * factor, np.nan)
    now = np.clip(arrivals.age, 0, LAST_AGE)
    final = np.where(arrivals.age >= 0, expected[:, places, now], np.nan)
    return SenderNowcast(expected, batches, final)


def _compute_factors(
    counts: Floats, entering: NDArray[np.int64], step: int, until: NDArray[np.int64]
) -> tuple[Floats, NDArray[np.int64]]:
    """Return the factors from one age to the next (series x weeks), as they were known when the week `until` ended, and
    from how many weeks."""
    sums = np.zeros((2, len(counts), len(entering) + 1))
    sums[:, :, 1:] = np.cumsum(np.stack([counts[:, entering, step], counts[:, entering, step + 1]]), axis=2)
    last = np.searchsorted(entering, until - step - 1, side="right")
    first = np.maximum(last - FACTOR_WEEKS, 0)
    before, after = sums[:, :, last] - sums[:, :, first]
    return np.where(before > 0, after / np.maximum(before, 1), 1.0), last - first


def _has_batches(counts: Floats, later: Floats, entering: NDArray[np.int64]) -> Flags:
    """Return for each week whether reports come in batches: one of the eight weeks before had nothing at that age, and
    more than a few `later`. A week that stays without a report, or a few late ones of a small sender, say nothing."""
    is_batch = (counts[entering] == 0) & (later[entering] >= BATCH)
    batches = np.concatenate([[0], np.cumsum(is_batch)])
    last = np.searchsorted(entering, np.arange(len(counts)), side="left")
    return np.asarray(batches[last] - batches[np.maximum(last - FACTOR_WEEKS, 0)] > 0)


@dataclass(frozen=True)
class Nowcast:
    """The sums over senders, series x weeks x ages; `counted` is senders x weeks x ages; `age` is each week's age."""

    reported: Floats
    expected: Floats
    lower: Floats
    upper: Floats
    previous: Floats
    change: NDArray[np.int64]  # 1 more, -1 fewer, 0 not clear
    counted: Flags
    batches: Flags  # weeks x ages: a sender's reports come in batches
    age: NDArray[np.int64]


def nowcast(senders: list[SenderArrivals]) -> Nowcast:
    """Return the nowcast of all senders together, at every age that their weeks have reached."""
    each = [nowcast_sender(sender) for sender in senders]
    counts = np.stack([sender.counts for sender in senders])
    expected = np.stack([found.expected for found in each])
    final = np.stack([found.final for found in each])
    age = np.stack([sender.age for sender in senders])
    whole = np.stack([sender.whole for sender in senders])
    ages = np.arange(LAST_AGE + 1)
    reached = (age[:, :, None] >= ages) & whole[:, :, None]
    batches = np.asarray((np.stack([found.batches for found in each]) & reached).any(axis=0))
    counted = ~np.isnan(expected[:, 0]) & reached
    reported, total = _sum_senders(counts, counted), _sum_senders(expected, counted)
    total = np.where(counted.any(axis=0) & ~batches, total, np.nan)
    errors = _compute_errors(
        total, _sum_senders(np.repeat(final[:, :, :, None], LAST_AGE + 1, axis=3), counted), age, counted
    )
    spread, found = _compute_spread(errors)
    lower, upper = _compute_interval(reported, total, spread, found)
    change = _change(counts, expected, counted, (reported, total), (spread, found))
    previous = _sum_senders(_shift_by_a_week(counts), counted & _shift_by_a_week(counted[:, None])[:, 0])
    return Nowcast(
        reported, total, lower, upper, previous, change, counted, batches, _find_latest_age(counts, age, whole)
    )


def _sum_senders(values: Floats, counted: Flags) -> Floats:
    """Return the sum over the senders that count, series x weeks x ages."""
    return np.asarray(np.where(counted[:, None], np.nan_to_num(values), 0).sum(axis=0))


def _shift_by_a_week(values: Any) -> NDArray[Any]:
    """Return the values of the week before, at the same age; zero or False before the first."""
    shifted: NDArray[Any] = np.zeros_like(values)
    shifted[:, :, 1:] = values[:, :, :-1]
    return shifted


def _find_latest_age(counts: Floats, age: NDArray[np.int64], whole: Flags) -> NDArray[np.int64]:
    """Return each week's age now: the highest one that senders of at least half of its reports have reached."""
    now = np.where(whole, np.minimum(age, LAST_AGE), -1)
    weights = np.where(now >= 0, counts[:, 0, :, -1] + 1e-9, 0)
    reaching = [np.where(now >= wanted, weights, 0).sum(axis=0) for wanted in range(LAST_AGE + 1)]
    half = np.array(reaching) * 2 >= np.maximum(weights.sum(axis=0), 1e-12)
    return np.asarray(half.sum(axis=0) - 1)


def _compute_errors(total: Floats, final: Floats, age: NDArray[np.int64], counted: Flags) -> Floats:
    """Return the log errors of every nowcast of which it is known what became of it, series x weeks x ages."""
    needed = np.minimum(np.arange(LAST_AGE + 1) + SETTLED_AFTER, LAST_AGE)
    is_settled = (np.where(counted, age[:, :, None], LAST_AGE) >= needed).all(axis=0)
    return np.where(is_settled & ~np.isnan(total), np.log((final + 0.5) / (total + 0.5)), np.nan)


def _compute_spread(errors: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return the root mean square of the latest 26 or fewer errors that were known by then, and their number."""
    spread, number = np.full(errors.shape, np.nan), np.zeros(errors.shape, dtype=np.int64)
    for series, age in np.ndindex(errors.shape[0], errors.shape[2]):
        column = errors[series, :, age]
        known = np.flatnonzero(~np.isnan(column))
        squares = np.concatenate([[0], np.cumsum(column[known] ** 2)])
        last = np.searchsorted(known, np.arange(len(column)) - SETTLED_AFTER, side="right")
        first = np.maximum(last - ERRORS, 0)
        number[series, :, age] = last - first
        mean = np.maximum(squares[last] - squares[first], 0) / np.maximum(last - first, 1)
        spread[series, :, age] = np.where(last - first >= LEAST_ERRORS, np.sqrt(mean), np.nan)
    return spread, number


def _t_quantile(number: NDArray[np.int64]) -> Floats:
    """Return the quantile by the number of errors; NaN, and nothing imported, if there are nowhere enough."""
    if (number < LEAST_ERRORS).all():
        return np.full(number.shape, np.nan)
    from scipy.special import stdtrit

    return np.asarray(stdtrit(np.maximum(number, 1), (1 + COVERAGE) / 2))


def _compute_interval(
    reported: Floats, total: Floats, spread: Floats, number: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Return the 90 % interval: by the errors of before, and at least that of a Poisson count of what is missing."""
    width = _t_quantile(number) * spread
    missing = np.where(np.isnan(width), np.nan, np.maximum(total - reported, 0))
    low, high = (quantiles(share, missing, missing) for share in ((1 - COVERAGE) / 2, (1 + COVERAGE) / 2))
    return np.minimum(total * np.exp(-width), reported + low), np.maximum(total * np.exp(width), reported + high)


def _change(
    counts: Floats,
    expected: Floats,
    counted: Flags,
    sums: tuple[Floats, Floats],
    errors: tuple[Floats, NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Return 1 where the week will have more than the one before, -1 where fewer, 0 where the interval holds both.

    Of the senders that are counted in both; the week before is one week older then.
    """
    older = np.minimum(np.arange(LAST_AGE + 1) + 1, LAST_AGE)
    before = _shift_by_a_week(expected)[:, :, :, older]
    both = counted & ~np.isnan(before[:, 0]) & _shift_by_a_week(counted[:, None])[:, 0][:, :, older]
    now, then = _sum_senders(expected, both), _sum_senders(before, both)
    open_now = np.maximum(sums[1] - sums[0], 0)
    spread, number = errors
    mine = np.maximum(spread, np.sqrt(open_now) / np.maximum(sums[1], 1))
    shifted = _shift_by_a_week(mine[None])[0][:, :, older]
    width = _t_quantile(number) * np.sqrt(mine**2 + shifted**2)
    ratio = np.log((now + 0.5) / (then + 0.5))
    known = both.any(axis=0) & ~np.isnan(width) & (np.abs(ratio) > width) & (now != then) & ~np.isnan(sums[1])
    return np.where(known, np.sign(ratio), 0).astype(np.int64)
