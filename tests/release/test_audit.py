"""The audit's closed form against brute force, an attacker who knows the algorithm, and one with linear programming."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from pipelines.release.audit import FEWEST_VALUES, Range, find_narrowest, is_safe, narrow
from pipelines.release.rounding import Cell, disclose, disclose_count
from tests.support import attacker
from tests.support.weeks import Counts, random_size, random_week

ATTRIBUTES = ("triage_level", "sex", "region")


def brute(ranges: dict[str, list[Range]]) -> dict[str, list[Range]]:
    """Every whole number that a cell can be, by going through all of them."""

    def sums(cells: Sequence[Range]) -> set[int]:
        found = {0}
        for low, high in cells:
            found = {n + value for n in found for value in range(low, high + 1)}
        return found

    totals = set.intersection(*(sums(cells) for cells in ranges.values()))
    found: dict[str, list[Range]] = {}
    for name, cells in ranges.items():
        for i, (low, high) in enumerate(cells):
            others = sums([*cells[:i], *cells[i + 1 :]])
            values = [v for v in range(low, high + 1) if any(n - v in others for n in totals)]
            assert values == list(range(values[0], values[-1] + 1))
            found.setdefault(name, []).append((values[0], values[-1]))
    return found


def small_week(draw: random.Random) -> Counts:
    """A truth: each attribute divides the same number of reports."""
    reports = draw.randrange(0, 46)
    week = {}
    for name in ATTRIBUTES[: draw.choice((2, 3, 3))]:
        parts = draw.randint(2, 4)
        cuts = sorted(draw.randint(0, reports) for _ in range(parts - 1))
        values = [b - a for a, b in itertools.pairwise([0, *cuts, reports])]
        week[name] = {f"{name}{i}": n for i, n in enumerate(values)}
    return week


def test_the_closed_form_is_brute_force() -> None:
    draw, differences, unsafe = random.Random(18), 0, 0
    for _ in range(10_000):
        limit = draw.choice((7, 7, 7, 12))
        week = small_week(draw)
        cells = {name: [disclose_count(name, v, n, limit) for v, n in of.items()] for name, of in week.items()}
        ranges = {name: [(cell.at_least, cell.at_most) for cell in of] for name, of in cells.items()}
        found = narrow(ranges)
        differences += found != brute(ranges)
        unsafe += not is_safe(find_narrowest([cell for of in cells.values() for cell in of], 0, limit))
    assert differences == 0
    assert 100 < unsafe < 9_000  # both kinds of weeks were among them


def test_an_attribute_that_may_have_more_cells_bounds_the_total_from_below_only() -> None:
    ranges = {"sex": [(8, 12), (0, 7)], "region": [(13, 17), (0, 7)]}
    assert narrow(ranges) == {"sex": [(8, 12), (1, 7)], "region": [(13, 17), (0, 6)]}
    assert narrow(ranges, "region") == {"sex": [(8, 12), (1, 7)], "region": [(13, 17), (0, 6)]}
    tight = {"sex": [(8, 12), (0, 7)], "region": [(0, 7)]}
    assert narrow(tight, "region")["sex"] == [(8, 12), (0, 7)]


Shape = tuple[int, ...]
Output = tuple[tuple[Cell, ...], ...]


def splits(reports: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (reports,)
        return
    for first in range(reports + 1):
        for rest in splits(reports - first, parts - 1):
            yield (first, *rest)


def published(name: str, values: Sequence[int]) -> tuple[Cell, ...]:
    return tuple(disclose_count(name, f"{i}", n, 7) for i, n in enumerate(values))


Seen = dict[tuple[Cell, ...], dict[int, list[set[int]]]]


def what_is_seen(name: str, parts: int, most: int) -> Seen:
    """What is published of one attribute -> number of reports -> for each cell the values that it then has."""
    tables: Seen = defaultdict(dict)
    for reports in range(most):
        for values in splits(reports, parts):
            of = tables[published(name, values)].setdefault(reports, [set() for _ in range(parts)])
            for i, value in enumerate(values):
                of[i].add(value)
    return tables


def fewest_values_for_one_who_knows_the_algorithm(shape: Shape, most: int) -> tuple[int, int, int]:
    """Go through every output for up to `most` reports; return the fewest values of a hidden cell in any released
    output, the fewest values of any cell given that its week was held back, and how many outputs there are."""
    seen = [what_is_seen(name, parts, most + 40) for name, parts in zip(ATTRIBUTES, shape, strict=True)]
    fewest, outputs = 99, 0
    held: dict[tuple[int, int], set[int]] = defaultdict(set)
    for output in itertools.product(*seen):
        totals = set.intersection(*(set(tables[each]) for tables, each in zip(seen, output, strict=True)))
        if not totals or min(totals) > most:
            continue
        outputs += 1
        safe = is_safe(find_narrowest([cell for each in output for cell in each], 0, 7))
        for a, i in ((a, i) for a, each in enumerate(output) for i in range(len(each))):
            values = set().union(*(seen[a][output[a]][n][i] for n in totals))
            if not safe:
                held[a, i] |= values
            elif output[a][i].is_hidden:
                fewest = min(fewest, len(values))
    return fewest, min(map(len, held.values())), outputs


@pytest.mark.parametrize(
    ("shape", "most"),
    [
        ((2, 2, 2), 40),
        pytest.param((2, 2, 3), 30, marks=pytest.mark.slow),
        pytest.param((2, 3, 2), 30, marks=pytest.mark.slow),
    ],
)
def test_one_who_knows_the_algorithm_is_left_with_five_values(shape: Shape, most: int) -> None:
    released, held_back, outputs = fewest_values_for_one_who_knows_the_algorithm(shape, most)
    print(f"{shape} to {most}: {outputs} outputs, fewest values {released}, of a week held back {held_back}")
    assert outputs > 300
    assert released >= FEWEST_VALUES
    assert held_back >= FEWEST_VALUES


def attacked(week: Counts) -> dict[attacker.Key, attacker.Interval]:
    """What linear programming finds of the hidden cells of a published week."""
    found = disclose(week, 7, ())
    rows = [(c.attribute, c.value, c.reports, c.at_least, c.at_most) for c in found.cells]
    known = attacker.from_rows(rows)
    return attacker.possible_values(known, [(row[0], row[1]) for row in rows if row[2] is None])


def weeks_not_held_back(number: int) -> Iterator[Counts]:
    draw = np.random.default_rng(4)
    while number:
        week = random_week(draw, random_size(draw), 12)
        found = disclose(week, 7, ())
        if is_safe(find_narrowest(found.cells, found.unlisted_regions, 7)):
            number -= 1
            yield week


def test_an_attacker_with_linear_programming_finds_nothing() -> None:
    hidden = 0
    for week in weeks_not_held_back(25):
        for (attribute, value), (low, high) in attacked(week).items():
            hidden += 1
            assert low <= week[attribute][value] <= high
            assert high - low + 1 >= FEWEST_VALUES
    assert hidden > 150


@pytest.mark.slow
def test_the_attacker_succeeds_if_the_total_is_rounded_on_its_own() -> None:
    """A control: the same weeks, with one more number published."""
    narrowed = 0
    for week in weeks_not_held_back(80):
        # with all regions listed, as a total of its own tempts to
        rows = {(a, v): attacker.blurred(n) for a, of in week.items() for v, n in of.items()}
        total = attacker.round_to_5(sum(week["sex"].values()))
        known = attacker.Known(rows, total, {}, frozenset())
        hidden = [(a, v) for a, of in week.items() for v, n in of.items() if n <= 7]
        found = attacker.possible_values(known, hidden)
        narrowed += any(high - low + 1 < FEWEST_VALUES for low, high in found.values())
    assert narrowed >= 2


def test_the_attacker_succeeds_on_primary_suppression() -> None:
    """A control: only small counts are hidden, and the total is exact."""
    exact = small = 0
    for week in weeks_not_held_back(25):
        rows = {(a, v): attacker.suppressed(n) for a, of in week.items() for v, n in of.items()}
        reports = sum(week["sex"].values())
        known = attacker.Known(rows, (reports, reports), {}, frozenset())
        hidden = [(a, v) for a, of in week.items() for v, n in of.items() if n <= 7]
        found = attacker.possible_values(known, hidden)
        small += len(hidden)
        exact += sum(low == high for low, high in found.values())
    assert exact / small > 0.02


def test_the_crafted_week_is_held_back() -> None:
    """14 reports; regions 7 and 7, sexes 13 and 1: the regions say at most 14, so the small sex is 0 or 1."""
    week = {
        "triage_level": {"emergency": 0, "contact_doctor": 0, "unresolved": 0, "self_care": 14},
        "sex": {"female": 13, "male": 1},
        "region": {"north": 7, "south": 7},
    }
    found = disclose(week, 7, ())
    narrowest = find_narrowest(found.cells, found.unlisted_regions, 7)
    assert narrowest is not None
    assert (narrowest.values, narrowest.cell) == (2, "sex male")
    assert not is_safe(narrowest)
