"""`python -m tests.bench.nowcast_figures`: coverage of the 90 % interval, and signs of the change to the week before.

A sender delivers weekly; a report of a week arrives with the delivery 0, 1, 2 ... weeks after the week's end.
  constant   70, 18, 8, 4 %          drifting   the first share goes from 80 to 50 % over the history
  jump       from 75 to 50 % at once half way      batches  everything of four weeks comes with the fourth
  daily      files every day, or on weekdays: 60, 20, 10, 5, 3, 2 % come 0 to 5 deliveries after their day
Weeks 30 to 100 of 110 are looked at as they stood on the Monday after them; what they came to is known in the end.
  nowcast     share of weeks with a nowcast and an interval
  coverage    share of them of which the interval holds what the week came to
  said        share of them with "more" or "fewer" than the week before; wrong: how many of these were wrong
  as printed  how many of the weeks have the wrong sign if what is there on Monday is compared
The last table is the power of the trend's test. With --home, only the lines of that home: its weeks with a nowcast at
their first age, of which all has come since.

usage: nowcast_figures.py [--histories 30] [--seed 1] [--home HOME]
"""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from pipelines.signals.nowcast import LAST_AGE, SERIES, SenderArrivals, nowcast
from pipelines.signals.nowcast_rows import find_sender_arrivals
from pipelines.signals.senders import Sender
from pipelines.signals.trend import RISING, STEADY, find_trends

WEEKS, FIRST, LAST = 110, 30, 100
SHARES = (0.70, 0.18, 0.08, 0.04)
OF_DAYS = {"daily": 7, "weekdays": 5}  # on which a sender delivers
DAILY_SHARES = (0.60, 0.20, 0.10, 0.05, 0.03, 0.02)
LEVELS = {"emergency": 0.1, "contact_doctor": 0.3, "self_care": 0.6}
KEPT = 50  # weeks before a Monday that its nowcast may look at
START = date(2024, 1, 1)
Floats = NDArray[Any]
Figures = dict[str, Floats]


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


def figures(rng: np.random.Generator, kind: str, level: float) -> Figures:
    """Return by figure the sums over weeks, one for each series."""
    if kind in OF_DAYS:
        return daily_figures(rng, kind, level)
    cumulative = np.cumsum(arrivals(rng, kind, level), axis=2)
    weeks, final = np.arange(WEEKS), cumulative[:, :, -1]
    everything = np.ones(WEEKS, dtype=bool)
    found = nowcast([SenderArrivals(cumulative, WEEKS - 1 - weeks, everything, everything)])
    chosen = slice(FIRST, LAST)
    lower, upper, change = (part[:, chosen, 0] for part in (found.lower, found.upper, found.change))
    came = np.sign(final[:, chosen] - final[:, FIRST - 1 : LAST - 1])
    printed = np.sign(cumulative[:, chosen, 0] - cumulative[:, FIRST - 1 : LAST - 1, 1])
    return sums(lower, upper, change, final[:, chosen], (came, printed))


def sums(lower: Floats, upper: Floats, change: Floats, final: Floats, signs: tuple[Floats, Floats]) -> Figures:
    """Return the sums of series x weeks; `signs` are those of the change that came, and of the one that was printed."""
    came, printed = signs
    known = ~np.isnan(lower)
    return {
        "weeks": np.full(len(SERIES), lower.shape[1]),
        "known": known.sum(axis=1),
        "held": (known & (lower <= final) & (final <= upper)).sum(axis=1),
        "said": (change != 0).sum(axis=1),
        "wrong": (change * came < 0).sum(axis=1),
        "printed": (printed * came < 0).sum(axis=1),
    }


def daily_figures(rng: np.random.Generator, rhythm: str, level: float) -> Figures:
    """Return by figure the sums over Mondays, each with the deliveries up to the Sunday or Friday before."""
    found = [
        on_monday(rows, rhythm, week) for rows in [daily_arrivals(rng, rhythm, level)] for week in range(FIRST, LAST)
    ]
    lower, upper, change, final, came, printed = (np.array(part).T for part in zip(*found, strict=True))
    return sums(lower, upper, change, final, (came, printed))


def daily_arrivals(rng: np.random.Generator, rhythm: str, level: float) -> NDArray[np.int64]:
    """Return new reports, levels x days x days of delivery after the first day."""
    due = [day for day in range(WEEKS * 7) if day % 7 < OF_DAYS[rhythm]]
    season = np.exp(0.2 * np.sin(2 * np.pi * np.array(due) / 364 + rng.uniform(0, 6)))
    found = np.zeros((len(LEVELS), WEEKS * 7, WEEKS * 7), dtype=np.int64)
    for place, share in enumerate(LEVELS.values()):
        for number, day in enumerate(due[: -len(DAILY_SHARES)]):
            reports = rng.poisson(level * share / OF_DAYS[rhythm] * season[number])
            found[place, day, due[number : number + len(DAILY_SHARES)]] = rng.multinomial(reports, DAILY_SHARES)
    return found


def on_monday(arrived: NDArray[np.int64], rhythm: str, week: int) -> list[Floats]:
    """Return what the Monday after a week says, one for each series: interval, change, and what is known in the end."""
    clock = week * 7 + OF_DAYS[rhythm] - 1
    first = max(week - KEPT, 0)
    rows: list[dict[str, Any]] = [
        {
            "source": "a",
            "week_start": START + timedelta(weeks=int(day) // 7),
            "clock": START + timedelta(days=int(came)),
            "triage_level": list(LEVELS)[level],
            "reports": int(arrived[level, day, came]),
        }
        for level, day, came in np.argwhere(arrived[:, :, : clock + 1] > 0).tolist()
        if day >= first * 7
    ]
    starts = [START + timedelta(weeks=each) for each in range(first, week + 1)]
    clocks = [START + timedelta(days=day) for day in range(clock + 1) if day % 7 < OF_DAYS[rhythm]]
    sender = Sender("a", rhythm, np.zeros((len(starts), 7), dtype=np.int64), clocks[-1])
    whole = np.ones((len(starts), 1), dtype=bool)
    found = nowcast(find_sender_arrivals(starts, [sender], whole, rows, {"a": clocks}))
    by_week = arrived.reshape(len(LEVELS), WEEKS, 7, -1)[:, week - 1 : week + 1].sum(axis=2)
    by_series = np.stack([by_week.sum(axis=0), *by_week[:2]])  # series x the two weeks x days of delivery
    came = np.diff(by_series.sum(axis=2), axis=1)[:, 0]
    printed = np.diff(by_series[:, :, : clock + 1].sum(axis=2), axis=1)[:, 0]
    bounds = [part[:, -1, 0] for part in (found.lower, found.upper, found.change)]
    return [*bounds, by_series[:, 1].sum(axis=1), np.sign(came), np.sign(printed)]


def trend_table(rng: np.random.Generator, drawn: int) -> str:
    """Return how often a series is called rising, and moving, by its start and end over four weeks."""
    lines = ["| from | to | phi | called rising | called moving |", "|---|---|---|---|---|"]
    for start, end in ((20, 40), (20, 30), (20, 20), (100, 120), (100, 100), (5, 5)):
        for phi in (1.0, 1.5):
            mean = np.linspace(start, end, 4)[:, None] * np.ones(drawn)
            counts = rng.poisson(mean) if phi == 1 else rng.negative_binomial(mean / (phi - 1), 1 / phi)
            called = np.array(find_trends(counts.astype(float), np.full(drawn, phi)))
            lines.append(
                f"| {start} | {end} | {phi:g} | {(called == RISING).mean():.2f} | {(called != STEADY).mean():.2f} |"
            )
    return "\n".join(lines)


OF_HOME = """WITH first AS (
  SELECT * FROM weekly_nowcast WHERE age_weeks = 0
), came AS (
  SELECT series, week_start, reported_so_far AS final,
    reported_so_far - lag(reported_so_far) OVER (PARTITION BY series ORDER BY week_start) AS difference
  FROM weekly_nowcast WHERE is_latest AND age_weeks >= 4
), second AS (
  SELECT series, week_start + 7 AS week_start, reported_so_far FROM weekly_nowcast WHERE age_weeks = 1
)
SELECT series, count(*) AS weeks, count(first.lower) AS known,
  count(*) FILTER (final BETWEEN first.lower AND first.upper) AS held,
  count(*) FILTER (change <> 'not clear') AS said,
  count(*) FILTER (CASE change WHEN 'more' THEN difference < 0 WHEN 'fewer' THEN difference > 0 END) AS wrong,
  count(*) FILTER (sign(first.reported_so_far - second.reported_so_far) * sign(difference) < 0) AS printed
FROM first JOIN came USING (series, week_start) JOIN second USING (series, week_start)
WHERE difference IS NOT NULL
GROUP BY series ORDER BY series"""


def print_home(home: Path) -> None:
    """Print the lines of a home."""
    with duckdb.connect(str(home / "summaries.duckdb"), read_only=True) as connection:
        for series, weeks, known, held, said, wrong, printed in connection.execute(OF_HOME).fetchall():
            cover = f"{held / known:.3f}" if known else "-"
            print(
                f"| {home.name} | | {series} | {known / weeks:.2f} | {cover} | {said / weeks:.2f} "
                f"| {wrong} of {said} | {printed} of {weeks} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    if options.home:
        print_home(options.home)
        return
    print("| delays | reports a week | series | nowcast | coverage | said | wrong | as printed |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in ("constant", "drifting", "jump", "batches", *OF_DAYS):
        for level in (60, 600):
            rng = np.random.default_rng(options.seed)
            drawn = [figures(rng, kind, level) for _ in range(options.histories)]
            added = {name: np.sum([one[name] for one in drawn], axis=0) for name in drawn[0]}
            for place, series in enumerate(SERIES):
                weeks, known, held, said, wrong, printed = (int(values[place]) for values in added.values())
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
