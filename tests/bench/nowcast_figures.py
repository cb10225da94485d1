"""`python -m tests.bench.nowcast_figures`: coverage of the 90 % interval, and signs of the change to the week before.

A sender delivers weekly; a report of a week arrives with the delivery 0, 1, 2 ... weeks after the week's end.
  constant   70, 18, 8, 4 %          drifting   the first share goes from 80 to 50 % over the history
  jump       from 75 to 50 % at once half way      batches  everything of four weeks comes with the fourth
Weeks 30 to 100 of 110 are looked at as they stood on the Monday after them; what they came to is known in the end.
  nowcast     share of weeks with a nowcast and an interval
  coverage    share of them of which the interval holds what the week came to
  said        share of them with "more" or "fewer" than the week before; wrong: how many of these were wrong
  as printed  how many of the weeks have the wrong sign if what is there on Monday is compared
The last table is the power of the trend's test.

usage: nowcast_figures.py [--histories 30] [--seed 1]
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from pipelines.signals.nowcast import LAST_AGE, SERIES, SenderArrivals, nowcast
from pipelines.signals.trend import RISING, STEADY, trends

WEEKS, FIRST, LAST = 110, 30, 100
SHARES = (0.70, 0.18, 0.08, 0.04)


def first_share(kind: str, week: int) -> float:
    """Return the share of a week's reports that arrive with the first delivery."""
    if kind == "drifting":
        return 0.8 - 0.3 * week / WEEKS
    return {"constant": 0.7, "jump": 0.75 if week < WEEKS // 2 else 0.5}[kind]


def arrivals(rng: np.random.Generator, kind: str, level: float) -> NDArray[np.float64]:
    """Return new reports, series x weeks x ages; the first series is the sum of what the levels are."""
    mean = level * np.exp(0.2 * np.sin(2 * np.pi * np.arange(WEEKS) / 52 + rng.uniform(0, 6)))
    counts = np.zeros((len(SERIES), WEEKS, LAST_AGE + 1))
    for week in range(WEEKS):
        for series, share in ((1, 0.1), (2, 0.3), (0, 0.6)):
            total = rng.poisson(mean[week] * share)
            if kind == "batches":
                counts[series, week, 3 - week % 4] = total
                continue
            first = first_share(kind, week)
            rest = (1 - first) * np.array(SHARES[1:]) / sum(SHARES[1:])
            counts[series, week, :4] = rng.multinomial(total, [first, *rest])
    counts[0] += counts[1] + counts[2]
    return counts


def figures(rng: np.random.Generator, kind: str, level: float) -> dict[str, NDArray[np.float64]]:
    """Return by figure the sums over weeks, one for each series."""
    cumulative = np.cumsum(arrivals(rng, kind, level), axis=2)
    weeks, final = np.arange(WEEKS), cumulative[:, :, -1]
    everything = np.ones(WEEKS, dtype=bool)
    found = nowcast([SenderArrivals(cumulative, WEEKS - 1 - weeks, everything, everything)])
    chosen = slice(FIRST, LAST)
    lower, upper, change = (part[:, chosen, 0] for part in (found.lower, found.upper, found.change))
    came = np.sign(final[:, chosen] - final[:, FIRST - 1 : LAST - 1])
    printed = np.sign(cumulative[:, chosen, 0] - cumulative[:, FIRST - 1 : LAST - 1, 1])
    known = ~np.isnan(lower)
    return {
        "weeks": np.full(len(SERIES), LAST - FIRST),
        "known": known.sum(axis=1),
        "held": (known & (lower <= final[:, chosen]) & (final[:, chosen] <= upper)).sum(axis=1),
        "said": (change != 0).sum(axis=1),
        "wrong": (change * came < 0).sum(axis=1),
        "printed": (printed * came < 0).sum(axis=1),
    }


def trend_table(rng: np.random.Generator, drawn: int) -> str:
    """Return how often a series is called rising, and moving, by its start and end over four weeks."""
    lines = ["| from | to | phi | called rising | called moving |", "|---|---|---|---|---|"]
    for start, end in ((20, 40), (20, 30), (20, 20), (100, 120), (100, 100), (5, 5)):
        for phi in (1.0, 1.5):
            mean = np.linspace(start, end, 4)[:, None] * np.ones(drawn)
            counts = rng.poisson(mean) if phi == 1 else rng.negative_binomial(mean / (phi - 1), 1 / phi)
            called = np.array(trends(counts.astype(float), np.full(drawn, phi)))
            lines.append(
                f"| {start} | {end} | {phi:g} | {(called == RISING).mean():.2f} | {(called != STEADY).mean():.2f} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| delays | reports a week | series | nowcast | coverage | said | wrong | as printed |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in ("constant", "drifting", "jump", "batches"):
        for level in (60, 600):
            rng = np.random.default_rng(options.seed)
            drawn = [figures(rng, kind, level) for _ in range(options.histories)]
            sums = {name: np.sum([one[name] for one in drawn], axis=0) for name in drawn[0]}
            for place, series in enumerate(SERIES):
                weeks, known, held, said, wrong, printed = (int(values[place]) for values in sums.values())
                cover = f"{held / known:.3f}" if known else "-"
                print(
                    f"| {kind} | {level} | {series} | {known / weeks:.2f} | {cover} | {said / weeks:.2f} "
                    f"| {wrong} of {said} | {printed} of {weeks} |",
                    flush=True,
                )
    print()
    print(trend_table(np.random.default_rng(options.seed), 4000))


if __name__ == "__main__":
    main()
