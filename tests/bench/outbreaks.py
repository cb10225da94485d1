"""`python -m tests.bench.outbreaks`: false alarms on calm histories, sensitivity and delay on injected outbreaks.

Weekly counts are negative binomial (Poisson where phi is 1) around a level with a yearly season and a slow trend.
An outbreak adds a Poisson number of cases with a mean of k standard deviations of the half year before, spread over
four weeks as 10, 40, 30 and 20 %. Every method judges the same series.
  alarm rate   share of calm weeks with an alarm, to be held against the nominal rate
  sensitivity  share of outbreaks with an alarm in one of their four weeks
  delay        weeks from the outbreak's first week to the first alarm, over the outbreaks found

usage: outbreaks.py [--histories 100] [--seed 1]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np
import pandas as pd

from pipelines.signals import ears, farrington_flexible

WEEKS, JUDGED = 260, 4
LEVELS, PHIS, SIZES = (3, 20, 100), (1.0, 2.0), (2, 5, 10)
SHAPE = (0.1, 0.4, 0.3, 0.2)
FARRINGTON_1996 = {
    "no_periods": 1,
    "past_weeks_not_included": 3,
    "p_threshold_trend": 0.05,
    "weights_threshold": 1.0,
    "threshold_method": "delta",
}
Judge = Callable[[pd.Series], pd.Series]
METHODS: dict[str, tuple[float, Judge]] = {
    "Farrington flexible": (0.05, lambda counts: farrington_flexible(counts, counts.index[-JUDGED:])["alarm"]),
    "Farrington 1996": (
        0.05,
        lambda counts: farrington_flexible(counts, counts.index[-JUDGED:], **FARRINGTON_1996)["alarm"],
    ),
    "EARS C1": (0.001, lambda counts: ears(counts, "C1")["alarm"].iloc[-JUDGED:]),
    "EARS C2": (0.001, lambda counts: ears(counts, "C2")["alarm"].iloc[-JUDGED:]),
    "EARS C3": (0.025, lambda counts: ears(counts, "C3")["alarm"].iloc[-JUDGED:]),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=100, help="for each level and overdispersion")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    found = " | ".join(f"{size} sd: found | delay" for size in SIZES)
    print(f"| level | phi | method | nominal | alarm rate | {found} |")
    print("|" + "---|" * (5 + 2 * len(SIZES)))
    rng = np.random.default_rng(options.seed)
    for level in LEVELS:
        for phi in PHIS:
            calm = [history(rng, level, phi) for _ in range(options.histories)]
            with_outbreak = {size: [outbreak(rng, counts, size) for counts in calm] for size in SIZES}
            for name, (nominal, judge) in METHODS.items():
                rate = np.mean([judge(counts).mean() for counts in calm])
                results = " | ".join(found_and_delay(judge, with_outbreak[size]) for size in SIZES)
                print(f"| {level} | {phi:g} | {name} | {nominal:g} | {rate:.3f} | {results} |", flush=True)
    return 0


def history(rng: np.random.Generator, level: float, phi: float) -> pd.Series:
    """Five years of weeks; the series ends at another time of the year each time."""
    start = pd.Timestamp("2021-01-04") + pd.Timedelta(weeks=int(rng.integers(52)))
    weeks = pd.date_range(start, periods=WEEKS, freq="7D")
    season = 0.3 * np.sin(2 * np.pi * weeks.day_of_year.to_numpy() / 365.25)
    mean = level * np.exp(season + 0.001 * np.arange(WEEKS))
    counts = rng.poisson(mean) if phi == 1 else rng.negative_binomial(mean / (phi - 1), 1 / phi)
    return pd.Series(counts.astype(float), index=weeks)


def outbreak(rng: np.random.Generator, counts: pd.Series, size: int) -> pd.Series:
    """The history with an outbreak in its last four weeks; the standard deviation is that of the last half year."""
    cases = rng.poisson(size * counts.iloc[-30:-JUDGED].std())
    added = counts.copy()
    added.iloc[-JUDGED:] += rng.multinomial(cases, SHAPE)
    return added


def found_and_delay(judge: Judge, series: list[pd.Series]) -> str:
    """Share of outbreaks found, and the mean number of weeks to the first alarm."""
    alarms = np.array([judge(counts).to_numpy(bool) for counts in series])
    seen = alarms.any(axis=1)
    delay = f"{alarms[seen].argmax(axis=1).mean():.1f}" if seen.any() else "-"
    return f"{seen.mean():.2f} | {delay}"


if __name__ == "__main__":
    sys.exit(main())
