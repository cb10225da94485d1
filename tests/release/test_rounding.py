"""Hide up to 7, round to 5, count no total: both sides of every boundary."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.release.rounding import (
    Cell,
    disclose,
    disclose_count,
    find_total,
    name_method,
    parse_hidden_limit,
)
from pipelines.settings import HIDEABLE

LIMITS = st.integers(1, 20).map(lambda n: 2 + 5 * n)


@pytest.mark.parametrize(
    ("exact", "limit", "reports", "at_least", "at_most"),
    [
        (0, 7, None, 0, 7),
        (1, 7, None, 0, 7),
        (7, 7, None, 0, 7),
        (8, 7, 10, 8, 12),
        (12, 7, 10, 8, 12),
        (13, 7, 15, 13, 17),
        (4321, 7, 4320, 4318, 4322),
        (4323, 7, 4325, 4323, 4327),
        (12, 12, None, 0, 12),
        (13, 12, 15, 13, 17),
    ],
)
def test_a_count_is_hidden_or_rounded(exact: int, limit: int, reports: int | None, at_least: int, at_most: int) -> None:
    assert disclose_count("sex", "male", exact, limit) == Cell("sex", "male", reports, at_least, at_most)


@given(st.integers(0, 100_000), LIMITS)
def test_the_truth_lies_in_its_interval_and_every_number_of_it_looks_the_same(exact: int, limit: int) -> None:
    cell = disclose_count("sex", "male", exact, limit)
    assert cell.at_least <= exact <= cell.at_most
    assert {disclose_count("sex", "male", n, limit) for n in range(cell.at_least, cell.at_most + 1)} == {cell}


@pytest.mark.parametrize(("limit", "fits"), [(2, False), (7, True), (8, False), (10, False), (12, True), (17, True)])
def test_only_limits_that_fit_the_rounding(limit: int, fits: bool) -> None:
    assert HIDEABLE.passes(limit) is fits
    assert not fits or disclose_count("sex", "male", limit + 1, limit).at_least == limit + 1


@pytest.mark.parametrize(
    ("low", "high", "reports"),
    [(0, 28, 15), (8, 33, 20), (10, 15, 15), (9, 15, 10), (712, 728, 720)],
    ids=["14 is nearer to 15", "20.5", "12.5 goes up", "12", "720"],
)
def test_the_total_is_the_sum_of_what_the_levels_show(low: int, high: int, reports: int) -> None:
    cells = [Cell("triage_level", "a", None, low, high), Cell("sex", "male", 5000, 4998, 5002)]
    assert find_total(cells) == Cell("total", "all", reports, low, high)


def test_a_region_has_a_cell_only_once_it_was_shown() -> None:
    counts = {
        "triage_level": {"emergency": 20, "self_care": 3},
        "region": {"north": 20, "new_valley": 1, "old_mill": 2, "none": 0},
    }
    found = disclose(counts, 7, {"old_mill", "gone"})
    regions = [cell for cell in found.cells if cell.attribute == "region"]
    assert regions == [
        Cell("region", "gone", None, 0, 7),
        Cell("region", "north", 20, 18, 22),
        Cell("region", "old_mill", None, 0, 7),
    ]
    assert (found.unlisted_regions, found.hidden_cells) == (2, 5)
    assert list(found.cells) == sorted(found.cells, key=lambda cell: (cell.attribute, cell.value))


def test_the_method_names_its_limit() -> None:
    assert name_method(7) == "hide up to 7, round to 5"
    assert parse_hidden_limit(name_method(12)) == 12
    assert parse_hidden_limit("another method") is None
