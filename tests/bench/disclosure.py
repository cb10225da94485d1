"""Figures of docs/publishing.md: what an attacker finds, what is held back, how much is shown, what a release costs.

    .venv/bin/python -m tests.bench.disclosure FOLDER [SEEDS]

Generated homes of 2,000, 20,000 and 100,000 reports, SEEDS (default 4) of each, are made in FOLDER through the real
commands; every complete week is released. The attacker reads public/WEEK/weekly_counts.csv and nothing else.
"""

from __future__ import annotations

import csv
import itertools
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pipelines.cli.app import main
from pipelines.release.audit import find_narrowest, is_safe, narrow
from pipelines.release.rounding import disclose, disclose_count
from schemas.pack_file import load_pack
from tests.conftest import opened
from tests.release.test_audit import fewest_values_for_one_who_knows_the_algorithm
from tests.support import attacker
from tests.support.weeks import Counts, random_size, random_week

SIZES = (2_000, 20_000, 100_000)
FEWEST = 5
ATTRIBUTES = ("triage_level", "likely_cause", "region", "age_band", "sex")
CROSSED = (("region", "triage_level"), ("age_band", "sex"))
Exact = dict[tuple[str, ...], int]


@dataclass
class Found:
    """Sums over the weeks of the homes of one size."""

    weeks: int = 0
    held_back: int = 0
    hidden: int = 0
    narrow: int = 0
    outside: int = 0
    cells: int = 0
    shown: int = 0
    error: float = 0
    total_error: float = 0
    controls: int = 0
    own_total: int = 0
    crossed: int = 0
    exact_small: int = 0
    small: int = 0
    seconds: list[float] = field(default_factory=list)


def quiet(*words: str) -> int:
    """A command without its output."""
    kept = os.dup(1), os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        try:
            return main(words)
        finally:
            sys.stdout.flush()
            os.dup2(kept[0], 1)
            os.dup2(kept[1], 2)
            os.close(kept[0])
            os.close(kept[1])


def make_home(folder: Path, reports: int, seed: int) -> Path:
    """A home with 26 generated weeks."""
    home, csvs = folder / f"home-{reports}-{seed}", folder / f"csv-{reports}-{seed}"
    if not home.exists():
        words = ("--reports", str(reports), "--seed", str(seed), "--end", "2026-11-22")
        assert quiet("generate", "--out", str(csvs), *words) == 0
        assert quiet("ingest", "--home", str(home), str(csvs / "reports")) == 0
    return home


def weeks_of(home: Path) -> list[tuple[str, date]]:
    with opened(home / "records.duckdb") as connection:
        return connection.execute("SELECT DISTINCT week, week_start FROM calendar ORDER BY week_start").fetchall()


def exact_counts(home: Path, start: date) -> Exact:
    """The truth of a week: every count of one attribute and of the crossed tables."""
    names = {"region": "SELECT region AS v FROM daily_summary", "likely_cause": "SELECT likely_cause AS v FROM causes"}
    of_week = f"(FROM daily_summary WHERE report_date BETWEEN DATE '{start}' AND DATE '{start}' + 6)"
    exact: Exact = {}
    with opened(home / "records.duckdb") as connection:
        for name in ATTRIBUTES:
            known = connection.execute(names.get(name, f"SELECT {name} AS v FROM daily_summary")).fetchall()
            exact |= {(name, value): 0 for (value,) in known}
            rows = connection.execute(f"SELECT {name}, sum(reports)::BIGINT FROM {of_week} GROUP BY ALL").fetchall()
            exact |= {(name, value): n for value, n in rows}
        for a, b in CROSSED:
            values = {name: [key[1] for key in exact if key[0] == name] for name in (a, b)}
            exact |= {(a, v, b, w): 0 for v in values[a] for w in values[b]}
            rows = connection.execute(f"SELECT {a}, {b}, sum(reports)::BIGINT FROM {of_week} GROUP BY ALL").fetchall()
            exact |= {(a, v, b, w): n for v, w, n in rows}
    return exact


def attack(home: Path, week: str, exact: Exact, found: Found) -> None:
    """Attack what was published of a week, and measure it."""
    with open(home / "public" / week / "weekly_counts.csv", encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    rows = [(row["attribute"], row["value"], row["reports"], row["at_least"], row["at_most"]) for row in table]
    hidden = [(row[0], row[1]) for row in rows if not row[2]]
    for key, (low, high) in attacker.possible_values(attacker.from_rows(rows), hidden).items():
        found.hidden += 1
        found.narrow += high - low + 1 < FEWEST
        found.outside += not low <= exact.get(key, 0) <= high
    reports = sum(n for key, n in exact.items() if key[0] == "sex")
    shown = {(row[0], row[1]): int(row[2]) for row in rows if row[2]}
    found.total_error += abs(shown.pop(("total", "all")) - reports) / reports
    found.error += sum(abs(n - exact[key]) for key, n in shown.items())
    found.shown += len(shown)
    found.cells += sum(n > 0 for key, n in exact.items() if len(key) == 2)


def control(exact: Exact, found: Found) -> None:
    """The same week, published in the naive ways."""
    singles = {key: n for key, n in exact.items() if len(key) == 2}
    hidden = [key for key, n in singles.items() if n <= 7]
    reports = sum(n for key, n in singles.items() if key[0] == "sex")
    cells = {key: attacker.blurred(n) for key, n in singles.items()}
    own = attacker.Known(cells, attacker.round_to_5(reports), {}, frozenset())
    found.own_total += any_narrow(own, hidden)
    crossed = {key: attacker.blurred(n) for key, n in exact.items() if len(key) == 4}
    small = [key for key, n in exact.items() if n <= 7]
    found.crossed += any_narrow(attacker.Known(cells, own.total, crossed, frozenset()), small)
    bare = {key: attacker.suppressed(n) for key, n in singles.items()}
    ranges = attacker.possible_values(attacker.Known(bare, (reports, reports), {}, frozenset()), hidden)
    found.small += len(hidden)
    found.exact_small += sum(low == high for low, high in ranges.values())


def any_narrow(known: attacker.Known, hidden: list[attacker.Key]) -> bool:
    """Whether a hidden count keeps fewer than five values; stops at the first."""
    return any(
        high - low + 1 < FEWEST for key in hidden for low, high in attacker.possible_values(known, [key]).values()
    )


def release_all(home: Path, found: Found) -> Iterator[tuple[str, date]]:
    """Release every week; yields those that are published."""
    for week, start in weeks_of(home):
        begin = time.process_time()
        code = quiet("release", "--home", str(home), week)
        if code == 0:
            found.seconds.append(time.process_time() - begin)
        assert code in (0, 6)
        found.weeks += 1
        found.held_back += not (home / "public" / week).exists()
        if (home / "public" / week).exists():
            yield week, start


def homes(folder: Path, seeds: int) -> None:
    print(f"\nHomes of rule pack {load_pack().number}, calfwatch {version('calfwatch')}; controls on every week")
    print(
        "\n| reports a home | weeks | held back | hidden counts attacked | with fewer than 5 values | truth outside |"
        " shown of non-zero counts | mean error | error of the total | own total: weeks | and crossed tables |"
        " suppression: exact |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    sums = {size: Found() for size in SIZES}
    for seed, size in itertools.product(range(1, seeds + 1), SIZES):
        attack_home(make_home(folder, size, seed), sums[size])
        print(f"| {size:,}, up to seed {seed} | " + " | ".join(row_of(sums[size])) + " |", flush=True)


def attack_home(home: Path, found: Found) -> None:
    """Release and attack every week of a home, and the same week published in the naive ways."""
    for week, start in release_all(home, found):
        exact = exact_counts(home, start)
        attack(home, week, exact, found)
        found.controls += 1
        control(exact, found)


def row_of(found: Found) -> list[str]:
    """The cells of a size's row."""
    released = found.weeks - found.held_back
    counts = [f"{n:,}" for n in (found.weeks, found.held_back, found.hidden, found.narrow, found.outside)]
    shown = [f"{found.shown / found.cells:.1%}", f"{found.error / found.shown:.2f}"]
    naive = [f"{n / max(1, found.controls):.0%}" for n in (found.own_total, found.crossed)]
    exact = f"{found.exact_small / max(1, found.small):.0%}"
    return [*counts, *shown, f"{found.total_error / released:.2%}", *naive, exact]


def random_weeks(number: int) -> None:
    """How many random weeks are held back, and how many of the others a total that is rounded on its own gives away."""
    print("\n| regions | random weeks of 10-4,800 reports | held back | given away by a total rounded on its own |")
    print("|---|---|---|---|")
    for regions in (2, 4, 8, 13, 40):
        draw = np.random.default_rng(regions)
        held = given_away = 0
        for _ in range(number):
            week = random_week(draw, random_size(draw), regions)
            found = disclose(week, 7, ())
            safe = is_safe(find_narrowest(found.cells, found.unlisted_regions, 7))
            held += not safe
            given_away += safe and is_given_away(week)
        print(f"| {regions} | {number:,} | {held / number:.2%} | {given_away / (number - held):.0%} |", flush=True)


def is_given_away(week: Counts) -> bool:
    """Whether a hidden count keeps fewer than five values if a total, rounded on its own, is published too."""
    ranges = {name: [attacker.blurred(n) for n in of.values()] for name, of in week.items()}
    own = {"total": [attacker.round_to_5(sum(week["sex"].values()))]}
    narrowed = narrow(ranges | own)
    return any(
        n <= 7 and high - low + 1 < FEWEST
        for name, of in week.items()
        for n, (low, high) in zip(of.values(), narrowed[name], strict=True)
    )


def one_more() -> None:
    """How often somebody who knows all other reports of a cell sees whether one more is there."""
    counts = range(8, 5008)
    seen = sum(disclose_count("", "", n, 7) != disclose_count("", "", n + 1, 7) for n in counts)
    print(f"\nOne who knows all other reports of a shown count sees one more in {seen / len(counts):.1%} of cases")


def two_senders(weeks: int) -> None:
    """What one of two equal senders finds out about the other's counts of 1-4, its own being subtracted."""
    print("\n| reports a week, two equal senders | counts of 1-4 of the other | four values or fewer | exact |")
    print("|---|---|---|---|")
    for reports in (77, 770, 3_850):
        draw = np.random.default_rng(reports)
        small = narrowed = exact = 0
        for _ in range(weeks):
            week = random_week(draw, reports, 12)
            values = [widths for widths in other_sender(draw, week) if 1 <= widths[0] <= 4]
            small += len(values)
            narrowed += sum(width < FEWEST for _, width in values)
            exact += sum(width == 1 for _, width in values)
        print(f"| {reports:,} | {small:,} | {narrowed / small:.1%} | {exact / small:.2%} |", flush=True)


def other_sender(draw: np.random.Generator, week: Counts) -> Iterator[tuple[int, int]]:
    """Each count of the second sender, and how many values the first one leaves it."""
    found = disclose(week, 7, ())
    if not is_safe(find_narrowest(found.cells, found.unlisted_regions, 7)):
        return
    listed = {(cell.attribute, cell.value): (cell.at_least, cell.at_most) for cell in found.cells}
    first = one_half(draw, week)
    ranges, truths = {}, {}
    for name, of in week.items():
        bounds = [listed.get((name, value), (0, 7)) for value in of]
        own = [first[name][value] for value in of]
        ranges[name] = [(max(0, low - n), high - n) for (low, high), n in zip(bounds, own, strict=True)]
        truths[name] = [n - first[name][value] for value, n in of.items()]
    for name, narrowed in narrow(ranges).items():
        yield from ((n, high - low + 1) for n, (low, high) in zip(truths[name], narrowed, strict=True))


def one_half(draw: np.random.Generator, week: Counts) -> Counts:
    """What one of two equal senders sent: half of the reports, drawn without regard to what is in them."""
    reports = sum(week["sex"].values())
    half = int(draw.binomial(reports, 0.5))
    return {
        name: dict(zip(of, map(int, draw.multivariate_hypergeometric(list(of.values()), half)), strict=True))
        for name, of in week.items()
    }


def algorithm() -> None:
    """What is left to one who knows the algorithm, over every output."""
    print("\n| shape | reports to | outputs | fewest values of a hidden count | of a count of a week held back |")
    print("|---|---|---|---|---|")
    for shape, most in (((2, 2, 2), 40), ((2, 2, 3), 30), ((2, 3, 2), 30)):
        released, held, outputs = fewest_values_for_one_who_knows_the_algorithm(shape, most)
        print(f"| {shape} | {most} | {outputs:,} | {released} | {held} |", flush=True)


def cost(folder: Path) -> None:
    """A release in a home of 40 regions and 26 weeks, all others released before."""
    home, csvs = folder / "forty", folder / "csv-forty"
    if not home.exists():
        words = ("--reports", "100000", "--seed", "9", "--end", "2026-11-22")
        assert quiet("generate", "--out", str(csvs), *words) == 0
        draw = random.Random(1)
        for path in sorted((csvs / "reports").glob("*.csv")):
            with open(path, encoding="utf-8", newline="") as file:
                lines = list(csv.DictReader(file))
            for line in lines:
                line["region"] = f"region_{draw.randrange(40):02}"
            with open(path, "w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(lines[0]))
                writer.writeheader()
                writer.writerows(lines)
        assert quiet("ingest", "--home", str(home), str(csvs / "reports")) == 0
    found = Found()
    published = len(list(release_all(home, found)))
    last, slowest = found.seconds[-1], max(found.seconds)
    print(f"\n40 regions, 26 weeks: {published} released; the last one took {last:.2f} processor seconds", end="")
    print(f", the slowest {slowest:.2f}, in one process", flush=True)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    random_weeks(20_000)
    one_more()
    two_senders(1_000)
    cost(place)
    algorithm()
    homes(place, int(sys.argv[2]) if len(sys.argv) > 2 else 4)
