"""`python -m tests.bench.alarm_figures`: alarms in calm weeks, doubled series found, and how soon, beside raw EARS.

A home of 46 series: `all` is the sum of 10 regions by 4 levels and of 14 causes, with a season and, where phi is above
1, more scatter than Poisson. Each history has 60 weeks; the last 26 are judged. The doubled series is one region of 20
reports a week, doubled for four weeks, in twice as many histories.
  alarms a week   series with an alarm, a calm week
  week 1, 4       share of doubled series found in the first week, within four weeks
  delay           weeks to the first alarm, of those found
The second line is the same without a second look at what was above its range the week before; the third is that with
the mean of the seven weeks alone, as it was before lines were followed.
Raw EARS is C1 or C2 above its published bound; t is C1 or C2 by Student's t, p <= 0.001. The last two lines are of
other histories, of 230 weeks: `weekly_signals` by Farrington flexible with four years, and Farrington flexible alone,
at its 0.05.

usage: alarm_figures.py [--histories 60] [--long 20] [--seed 1]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from pipelines.signals.aberration import compute_ears
from pipelines.signals.comparable import History
from pipelines.signals.judging import SeriesWeeks, judge_weeks

Floats = NDArray[np.float64]
Drawn = tuple[list[str], Floats]
Alarms = Sequence[NDArray[np.bool_]]

WEEKS, LONG, JUDGED = 60, 230, 26
REGIONS, LEVELS, CAUSES = 10, (0.10, 0.25, 0.25, 0.40), 14
EMERGENCY = "triage_level=emergency"


def home(rng: np.random.Generator, total: float, phi: float, doubled: bool, long: bool = False) -> Drawn:
    """Return the names of 46 series and their counts, weeks x series; one may be doubled in the last four weeks."""
    weeks = np.arange(LONG if long else WEEKS)
    season = np.exp(0.2 * np.sin(2 * np.pi * (weeks + rng.integers(52)) / 52))
    weights = (
        np.r_[20 / 580, np.full(REGIONS - 1, (1 - 20 / 580) / (REGIONS - 1))] if total < 1000 else np.full(10, 0.1)
    )
    mean = total * season[:, None, None] * weights[None, :, None] * np.array(LEVELS)[None, None, :]
    if doubled:
        mean[-4:, 0] *= 2
    scatter = rng.gamma(1 / (phi - 1), phi - 1, size=(len(weeks), REGIONS, 1)) if phi > 1 else 1.0
    # a shared factor a region and week whose variance gives a region's weekly count about the variance phi x mean
    spread = 1 + (scatter - 1) / np.sqrt(np.maximum(mean.sum(axis=2, keepdims=True), 1))
    counts = rng.poisson(mean * np.maximum(spread, 0))
    causes = np.stack([rng.multinomial(number, np.full(CAUSES, 1 / CAUSES)) for number in counts.sum(axis=(1, 2))])
    names = ["all", *(f"triage_level={level}" for level in ("emergency", "contact_doctor", "unresolved", "self_care"))]
    columns = [counts.sum(axis=(1, 2)), *counts.sum(axis=1).T]
    for region in range(REGIONS):
        names += [f"region=r{region}", f"region=r{region},{EMERGENCY}"]
        columns += [counts[:, region].sum(axis=1), counts[:, region, 0]]
    names += [f"likely_cause=c{cause}" for cause in range(CAUSES)] + [f"cause_category=k{k}" for k in range(7)]
    columns += [*causes.T, *(causes[:, 2 * k] + causes[:, 2 * k + 1] for k in range(7))]
    return names, np.array(columns, dtype=float).T


def ours(names: list[str], counts: Floats, last: int) -> NDArray[np.bool_]:
    """Return the alarms of `weekly_signals` in the last weeks, weeks x series."""
    return judged(names, counts, last)[0]


def judged(names: list[str], counts: Floats, last: int = JUDGED) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the alarms of `weekly_signals` in the last weeks, and where a p-value alone is at most 0.05."""
    starts = [date(2022, 1, 3) + timedelta(weeks=week) for week in range(len(counts))]
    whole = np.ones((len(counts), 1), dtype=bool)
    history = History(counts[:, None, :], whole, names.index("all"))
    places = list(range(len(counts)))[-last:]
    labels = [str(start) for start in starts]
    weeks = SeriesWeeks(starts, labels, names, history, places, frozenset(), [["a"]] * len(counts), ["a"])
    rows, _ = judge_weeks(weeks, {}, 5)
    alarms, alone = np.zeros((2, *counts.shape), dtype=bool)
    is_low = (rows["p_value"] <= 0.05) & (rows["observed"] >= 5)
    for found, chosen in ((alarms, rows[rows["status"] == "alarm"]), (alone, rows[is_low])):
        for label, series in zip(chosen["week"], chosen["series"], strict=True):
            found[labels.index(label), names.index(series)] = True
    return alarms, alone


def by_one_look(names: list[str], counts: Floats, last: int) -> NDArray[np.bool_]:
    """Return the alarms as they would be if no series were ever looked at again."""
    with patch("pipelines.signals.judging._find_above_range", return_value=None):
        return ours(names, counts, last)


def by_mean_alone(names: list[str], counts: Floats, last: int) -> NDArray[np.bool_]:
    """Return the alarms as they would be if, besides, no line through the seven weeks were ever followed."""
    with patch("pipelines.signals.ears_law.CLEAR_SLOPE", np.inf):
        return by_one_look(names, counts, last)


def raw_ears(names: list[str], counts: Floats, last: int) -> NDArray[np.bool_]:
    """Return where C1 or C2 is above its published bound, at 5 reports or more."""
    with np.errstate(invalid="ignore"):
        return (counts >= 5) & np.any([counts > compute_ears(counts, method)[1] for method in ("C1", "C2")], axis=0)


def by_t(names: list[str], counts: Floats, last: int) -> NDArray[np.bool_]:
    """Return where C1 or C2 has a p-value of at most 0.001 by Student's t."""
    found = []
    for method in ("C1", "C2"):
        expected, upper, _ = compute_ears(counts, method)
        sigma = (upper - expected) / 3.0902323061678132
        found.append(student.sf((counts - expected) / (sigma * np.sqrt(8 / 7)), 6) <= 0.001)
    return (counts >= 5) & np.any(found, axis=0)


METHODS: dict[str, Callable[[list[str], Floats, int], NDArray[np.bool_]]] = {
    "weekly_signals": ours,
    "one look": by_one_look,
    "one look, the mean alone": by_mean_alone,
    "raw EARS C1, C2": raw_ears,
    "Student's t, 0.001": by_t,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=60)
    parser.add_argument("--long", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| reports a week | phi | method | alarms a week, calm | found in week 1 | within 4 weeks | delay |")
    print("|---|---|---|---|---|---|---|")
    for total in (580, 3900):
        for phi in (1.0, 1.5):
            rng = np.random.default_rng(options.seed)
            small = total < 1000  # of the large ones, where no series of 20 is, the calm weeks alone
            calm = [home(rng, total, phi, False) for _ in range(options.histories)]
            doubled = [home(rng, total, phi, True) for _ in range(2 * options.histories if small else 0)]
            for method, judge in METHODS.items():
                found = [judge(*drawn, JUDGED) for drawn in calm], [judge(*drawn, 4) for drawn in doubled]
                print_line(total, phi, method, *found, calm[0][0])
            if not options.long:
                continue
            calm = [home(rng, total, phi, False, long=True) for _ in range(options.long)]
            doubled = [home(rng, total, phi, True, long=True) for _ in range(2 * options.long if small else 0)]
            judged_calm = [judged(*drawn) for drawn in calm]
            judged_doubled = [judged(*drawn, last=4) for drawn in doubled]
            for place, method in enumerate(("weekly_signals, four years", "Farrington alone, 0.05")):
                found = [both[place] for both in judged_calm], [both[place] for both in judged_doubled]
                print_line(total, phi, method, *found, calm[0][0])


def print_line(total: float, phi: float, method: str, calm: Alarms, doubled: Alarms, names: list[str]) -> None:
    rate = np.mean([found[-JUDGED:].sum(axis=1).mean() for found in calm])
    print(f"| {total:,} | {phi:g} | {method} | {rate:.2f} | {found_figures(doubled, names)} |", flush=True)


def found_figures(alarms: Alarms, names: list[str]) -> str:
    """Return shares found in week 1 and within four weeks, and the delay, of the region of 20 reports a week."""
    if not len(alarms):
        return "- | - | -"
    seen = np.array([found[-4:, names.index("region=r0")] for found in alarms])
    within = seen.any(axis=1)
    delay = f"{seen[within].argmax(axis=1).mean():.1f}" if within.any() else "-"
    return f"{seen[:, 0].mean():.2f} | {within.mean():.2f} | {delay}"


if __name__ == "__main__":
    main()
