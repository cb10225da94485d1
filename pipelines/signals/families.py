"""Which p-values of a week are alarms: two series stand for themselves, all others are one family.

A rise that goes on is soon part of the weeks that it is compared with. So a fifth of the family's rate is kept for the
few series that were above their range the week before too: these are judged once more among themselves, by the
baseline that leaves the latest weeks out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ALONE, ALONE_P_VALUE = ("all", "triage_level=emergency"), 0.005
FALSE_DISCOVERY_RATE = 0.05
SECOND_LOOK_RATE = 0.01  # of it: for series that were above their range the week before
# which of several series with the same reports stands for them: the first kind here
KINDS = ("all", "triage_level", "region", "cause_category", "likely_cause")


def adjust_p_values(p_values: Floats) -> Floats:
    """Return p-values after Benjamini and Hochberg; NaN is no test and stays NaN."""
    adjusted = np.full(p_values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    if len(tested):
        order = tested[np.argsort(p_values[tested], kind="stable")]
        scaled = p_values[order] * len(order) / np.arange(1, len(order) + 1)
        adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)
    return adjusted


def compute_fingerprints(counts: Floats) -> NDArray[np.uint64]:
    """Return a number for each week and series that is the same for series with the same counts in all weeks so far.

    `counts` is weeks x senders x series of whole numbers. Sums of counts times fixed random numbers, modulo 2^64.
    """
    weeks, senders, _ = counts.shape
    factors = np.random.default_rng(20261128).integers(1, 2**63, size=(weeks, senders), dtype=np.uint64)
    sums = np.einsum("ws,wsk->wk", factors, counts.astype(np.uint64))
    return np.asarray(np.cumsum(sums, axis=0, dtype=np.uint64))


def find_same_reports(marks: NDArray[np.uint64], names: Sequence[str]) -> NDArray[np.int64]:
    """Return for each series the place of the series that stands for it: itself, or one with the same counts."""
    order = sorted(range(len(names)), key=lambda place: (_kind(names[place]), names[place]))
    first: dict[int, int] = {}
    stands = {place: first.setdefault(int(marks[place]), place) for place in order}
    return np.array([stands[place] for place in range(len(names))], dtype=np.int64)


def _kind(name: str) -> tuple[int, int]:
    kind = name.partition("=")[0]
    return (KINDS.index(kind) if kind in KINDS else len(KINDS), name.count(","))


def find_ears_alarms(
    p_values: Floats, names: Sequence[str], stands: NDArray[np.int64], above_before: Flags | None = None
) -> Flags:
    """Return the alarms of one week, methods x series, of p-values alike; a series that another stands for has none.

    `above_before`: which series were above their range the week before; they are looked at again by the last method.
    """
    alone = np.isin(np.asarray(names, dtype=object), ALONE)
    own = stands == np.arange(len(names))
    family = np.where(own & ~alone & ~np.isin(stands, np.flatnonzero(alone)), p_values, np.nan)
    rate = FALSE_DISCOVERY_RATE if above_before is None else FALSE_DISCOVERY_RATE - SECOND_LOOK_RATE
    found = adjust_p_values(family.ravel()).reshape(family.shape) <= rate
    if above_before is not None:
        found[-1] |= adjust_p_values(np.where(above_before, family[-1], np.nan)) <= SECOND_LOOK_RATE
    return np.asarray(found | (alone & own & (p_values <= ALONE_P_VALUE)))


def find_farrington_alarms(p_values: Floats, stands: NDArray[np.int64]) -> Flags:
    """Return the alarms of one week by Farrington flexible: all series are one family."""
    own = stands == np.arange(len(p_values))
    return np.asarray(adjust_p_values(np.where(own, p_values, np.nan)) <= FALSE_DISCOVERY_RATE)
