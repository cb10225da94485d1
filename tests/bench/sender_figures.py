"""`python -m tests.bench.sender_figures`: weeks judged and senders kept when deliveries are missing.

Each home has so many weekly senders of 20 to 60 reports a week over 104 weeks, and each delivery is missing with the
given probability. States are found as for `weekly_sources`, and weeks judged as for `weekly_signals`.
  weeks judged   share of weeks from the 18th on of which `all` is judged
  senders kept   share of the senders that reported a week which are compared in it
  p <= 0.01      share of judged weeks of a calm history with such a p-value (C1)
  first edition  share of weeks judged where every sender must have reported the week and the seven before it
The last lines: two senders of 200 reports, one of them missing, all reports of the other emergencies.

usage: sender_figures.py [--histories 10] [--seed 1]
"""

from __future__ import annotations

import argparse
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from pipelines.signals.comparable import History
from pipelines.signals.ears_law import GAPS, compare_weeks, fit_ears_law
from pipelines.signals.judging import SeriesWeeks, judge_weeks
from pipelines.signals.senders import USABLE, Sender, judge_sender_weeks

WEEKS, LEARNING = 104, 17
START = date(2024, 1, 1)


def states(days: NDArray[np.int64], came: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return weeks x senders: where the sender's week can be compared; `days` is senders x weeks x 7."""
    starts = [START + timedelta(weeks=week) for week in range(days.shape[1])]
    senders = []
    for number, counts in enumerate(days):
        clock = starts[int(np.flatnonzero(came[:, number])[-1])] + timedelta(days=6)
        senders.append(Sender(f"s{number:03}", "weekly", counts * came[:, number, None], clock))
    grid = judge_sender_weeks(starts, senders, starts[-1] + timedelta(days=7))
    return np.array([[row.state in USABLE for row in week] for week in grid])


def figures(rng: np.random.Generator, senders: int, missing: float) -> tuple[float, float, float, float]:
    """Return share of weeks judged, senders kept, p <= 0.01, and weeks judged by the first edition."""
    came = rng.random((WEEKS, senders)) >= missing
    came[0] = True
    days = rng.poisson(rng.uniform(20, 60, senders)[:, None, None] / 7, size=(senders, WEEKS, 7))
    whole = states(days, came)
    history = History((days.sum(axis=2).T * came)[:, :, None].astype(float), whole, 0)
    chosen, observed = compare_weeks(history)
    p_value = fit_ears_law(history, chosen, observed, GAPS["EARS C1"]).p_value[LEARNING:, 0]
    judged = ~np.isnan(p_value)
    kept = chosen[LEARNING:].sum() / max(came[LEARNING:].sum(), 1)
    every = came.all(axis=1)
    first = np.mean([every[week - 7 : week + 1].all() for week in range(LEARNING, WEEKS)])
    return float(judged.mean()), float(kept), float((p_value[judged] <= 0.01).mean()), float(first)


def silent_sender() -> str:
    """Return what the last week says, of which one of two senders is missing and the other sent emergencies alone."""
    rng = np.random.default_rng(1)
    counts = np.zeros((20, 2, 2))
    counts[:, :, 0] = 200
    counts[:, :, 1] = rng.binomial(200, 0.1, size=(20, 2))
    counts[19, 0, 1], counts[19, 1] = 200, 0
    whole = np.ones((20, 2), dtype=bool)
    whole[19, 1] = False
    starts = [START + timedelta(weeks=week) for week in range(20)]
    names = ["all", "triage_level=emergency"]
    history, labels = History(counts, whole, 0), [str(start) for start in starts]
    weeks = SeriesWeeks(starts, labels, names, history, list(range(20)), frozenset(), [["a", "b"]] * 20, ["a", "b"])
    rows, _ = judge_weeks(weeks, {}, 5)
    last = rows[(rows["week"] == labels[-1]) & rows["is_primary"]]
    lines = ["| series | observed | expected | upper | status | left out |", "|---|---|---|---|---|---|"]
    for row in last.itertuples():
        lines.append(
            f"| {row.series} | {row.observed} | {row.expected:.1f} | {row.upper:.0f} | {row.status} | {row.left_out} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| senders | missing | weeks judged | senders kept | p <= 0.01 | first edition judged |")
    print("|---|---|---|---|---|---|")
    for senders in (2, 10, 40, 100):
        for missing in (0.02, 0.05, 0.1, 0.2):
            rng = np.random.default_rng(options.seed)
            found = np.mean([figures(rng, senders, missing) for _ in range(options.histories)], axis=0)
            print(f"| {senders} | {missing:.0%} | " + " | ".join(f"{value:.3f}" for value in found) + " |", flush=True)
    print()
    print(silent_sender())


if __name__ == "__main__":
    main()
