"""What judging is given: weeks by name, days that files without a row are about, years back that are known."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.signals.inputs import _find_empty_days, name_week
from pipelines.signals.judging import _count_whole_years
from pipelines.store.clocks import format_period
from tests.store.test_daily_counts import week_of


@given(st.dates(date(1990, 1, 1), date(2060, 12, 31)), st.sampled_from(["iso", "mmwr"]))
def test_a_week_is_named_as_the_calendar_names_it(day: date, system: str) -> None:
    name, start = week_of(day, system)
    assert name_week(start, "W" if system == "iso" else "MW") == name


def test_only_files_without_a_row_say_that_days_were_empty() -> None:
    first = date(2026, 11, 9)
    week = format_period(first, first + timedelta(days=6))
    rows = [
        {"source": "north", "period": week, "has_rows": False},
        {"source": "north", "period": format_period(date(2026, 12, 1), date(2026, 12, 1)), "has_rows": False},
        {"source": "south", "period": week, "has_rows": True},
        {"source": "east", "period": None, "has_rows": False},
        {"source": "west", "period": None, "has_rows": True},
    ]
    assert _find_empty_days(rows) == {"north": {*(first + timedelta(days=day) for day in range(7)), date(2026, 12, 1)}}


@pytest.mark.parametrize(
    ("weeks_off", "years"), [(-4, 0), (-3, 1), (-1, 1), (0, 1), (2, 1), (3, 1), (4, 0)], ids=lambda value: str(value)
)
def test_a_year_back_is_known_if_any_week_near_its_reference_is(weeks_off: int, years: int) -> None:
    starts = pd.date_range("2024-01-01", periods=120, freq="7D")
    place = 110
    reference = next(i for i, start in enumerate(starts) if abs((starts[place] - start).days - 364) <= 3)
    known = np.zeros(len(starts), dtype=bool)
    known[reference + weeks_off] = True
    assert _count_whole_years(starts, known, place) == years
