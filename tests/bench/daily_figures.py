"""`python -m tests.bench.daily_figures`: alarms before the week is over, in calm weeks and in weeks that double.

Daily senders, 60 weeks of emergencies in 10 regions, Poisson with a season of 20 % up and down; every day of the latest
eight weeks is judged as in `daily_signals`.
  told            alarms that tell (the first of an episode), a calm week: all emergencies and the regions together
  by day 3, 7     share of homes in which all emergencies, doubled from the Monday of the last week on, are an alarm by
                  the Wednesday, by the Sunday
The last line is a home of 3 emergencies a day with 30 on the Tuesday and 30 on the Wednesday of the running week.

usage: daily_figures.py [--homes 30] [--seed 1]
"""

from __future__ import annotations

import argparse
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from pipelines.signals.daily import WEEKS_SHOWN, DayJudged, find_first_alarms, judge_days

WEEKS, REGIONS = 60, 10
EMERGENCY = "triage_level=emergency"
NAMES = [EMERGENCY, *(f"region=r{region},{EMERGENCY}" for region in range(REGIONS))]
MONDAY = date(2026, 11, 16)  # of the last week


def draw(rng: np.random.Generator, weekly: float, times: float) -> NDArray[np.float64]:
    """Return counts, days x senders x series: all emergencies, then each region's; the last week's mean is so many
    times the usual one."""
    days = np.arange(WEEKS * 7)
    mean = weekly / 7 / REGIONS * np.exp(0.2 * np.sin(2 * np.pi * (days + rng.integers(365)) / 365))
    mean[-7:] *= times
    regions = rng.poisson(mean[:, None] * np.ones(REGIONS))
    return np.concatenate([regions.sum(axis=1)[:, None], regions], axis=1)[:, None].astype(float)


def judge(counts: NDArray[np.float64]) -> list[DayJudged]:
    """Return the rows of the days up to the last of these."""
    last = MONDAY + timedelta(days=6 - (WEEKS * 7 - len(counts)))
    return judge_days(counts, np.ones((len(counts), 1), dtype=bool), last, NAMES, 5)


def is_found(rows: list[DayJudged], by: int) -> bool:
    """Tell whether all emergencies are an alarm on a day of the last week, up to day `by` of it."""
    return any(
        row.alarm and row.series == EMERGENCY and MONDAY <= row.day < MONDAY + timedelta(days=by) for row in rows
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--homes", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| emergencies a week | told a calm week | doubled: by day 3 | by day 7 |")
    print("|---|---|---|---|")
    for weekly in (20, 60, 200):
        rng = np.random.default_rng(options.seed)
        told = [len(find_first_alarms(judge(draw(rng, weekly, 1)))) / WEEKS_SHOWN for _ in range(options.homes)]
        found = [judge(draw(rng, weekly, 2)) for _ in range(options.homes)]
        by_day = " | ".join(f"{np.mean([is_found(rows, day) for rows in found]):.2f}" for day in (3, 7))
        print(f"| {weekly} | {np.mean(told):.2f} | {by_day} |", flush=True)
    counts = np.full((WEEKS * 7 - 4, 1, len(NAMES)), 0.3)
    counts[:, :, 0] = 3
    counts[-2:] *= 10
    rows = [row for row in judge(np.round(counts)) if row.series == EMERGENCY and row.day >= MONDAY]
    print("\n| day | emergencies in seven days | expected | upper | status |\n|---|---|---|---|---|")
    for row in rows:
        expected, _, upper, _ = row.law
        print(
            f"| {row.day:%A} | {row.observed:.0f} | {expected:.1f} | {upper:.0f} | {'alarm' if row.alarm else 'none'} |"
        )


if __name__ == "__main__":
    main()
