"""What a sender did in each week: both sides of every boundary, and a plain reading of the page on signals."""

from __future__ import annotations

from datetime import date, timedelta
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as rules_of_search
from hypothesis import strategies as st
from scipy.stats import nbinom, poisson

from pipelines.signals.senders import Sender, SenderWeek, judge_sender_weeks
from tests.support.drawing import examples

START = date(2026, 1, 5)  # a Monday

Grid = list[list[SenderWeek]]


def starts(weeks: int) -> list[date]:
    return [START + timedelta(weeks=week) for week in range(weeks)]


def sender(counts: list[int], name: str = "a", rhythm: str = "weekly", **more: object) -> Sender:
    """A sender of so many reports a week, all on Monday; its clock is the end of its last week with reports."""
    days = np.zeros((len(counts), 7), dtype=np.int64)
    days[:, 0] = counts
    last = max((week for week, count in enumerate(counts) if count), default=None)
    clock = None if last is None else START + timedelta(days=7 * last + 6)
    return Sender(name, rhythm, days, more.pop("clock", clock), **more)  # type: ignore[arg-type]


def judged(*senders: Sender, weeks: int | None = None) -> Grid:
    number = weeks or len(senders[0].days)
    return judge_sender_weeks(starts(number), list(senders), START + timedelta(weeks=number))


def states(*senders: Sender, of: str = "a") -> list[str]:
    return [row.state for week in judged(*senders) for row in week if row.source == of]


def test_before_its_first_week_nothing_is_expected_then_it_reports_or_is_missing() -> None:
    assert states(sender([0, 0, 9, 9, 0, 9])) == ["not_expected"] * 2 + ["reported", "reported", "missing", "reported"]


def test_nothing_is_missing_of_a_sender_without_rhythm_nor_after_its_last_day() -> None:
    assert states(sender([9, 0, 9], rhythm="none")) == ["reported", "not_expected", "reported"]
    until = START + timedelta(days=13)
    assert states(sender([9, 0, 0], until=until)) == ["reported", "missing", "not_expected"]


@pytest.mark.parametrize(("usual", "passed", "state"), [(5, 1, "zero"), (6, 1, "missing"), (5, 0, "missing")])
def test_a_small_sender_s_empty_week_is_a_zero_if_its_clock_has_passed_it(usual: int, passed: int, state: str) -> None:
    clock = START + timedelta(days=7 * 3 + 5 + passed)
    assert states(sender([usual] * 3 + [0], clock=clock))[3] == state


def test_a_sender_of_less_than_three_weeks_has_no_usual_count() -> None:
    clock = START + timedelta(weeks=9)
    assert states(sender([2, 2, 0, 2], clock=clock)) == ["reported", "reported", "missing", "reported"]
    assert [week[0].usual for week in judged(sender([2, 4, 6, 8]))] == [None, None, None, 4]


def test_a_file_without_rows_says_zero_a_daily_sender_says_it_for_every_due_day() -> None:
    monday = START + timedelta(weeks=1)
    week = [monday + timedelta(days=day) for day in range(7)]
    assert states(sender([50, 0, 50], empty=frozenset(week[:1])))[1] == "zero"
    assert states(sender([50, 0, 50], rhythm="weekdays", empty=frozenset(week[:5])))[1] == "zero"
    assert states(sender([50, 0, 50], rhythm="weekdays", empty=frozenset(week[:4])))[1] == "missing"


@pytest.mark.parametrize(("count", "state"), [(100, "reported"), (99, "partial"), (8, "partial")])
def test_below_half_of_the_usual_count_is_a_part(count: int, state: str) -> None:
    assert states(sender([200] * 5 + [count]))[-1] == state


@pytest.mark.parametrize(("count", "state"), [(1, "partial"), (2, "reported")])
def test_a_low_count_that_its_own_law_allows_is_no_part(count: int, state: str) -> None:
    assert poisson.ppf(0.001, 10) == 2
    assert nbinom.ppf(0.001, 10 / (9 / 8 - 1), 8 / 9) == 2, "eight weeks of ten reports widen the law a little"
    assert states(sender([10] * 8 + [count]))[-1] == state


def test_after_four_partial_weeks_that_is_the_new_level() -> None:
    assert states(sender([200] * 8 + [60] * 6))[8:] == ["partial"] * 4 + ["reported"] * 2
    assert judged(sender([200] * 8 + [60] * 6))[-1][0].usual == 60


def test_a_holiday_of_most_senders_is_no_fault_of_any_but_two_are_too_few_to_tell() -> None:
    low = [[100] * 6 + [20] for _ in range(3)]
    three = [sender(counts, name) for counts, name in zip(low, "abc", strict=True)]
    assert states(*three)[-1] == "reported"
    assert states(*three[:2])[-1] == "partial"
    others = [sender([100] * 7, name) for name in "de"]
    assert states(*three[:2], *others)[-1] == "partial", "half is not more than half"


def test_missing_for_more_than_eight_weeks_is_silent_and_a_return_is_a_report() -> None:
    assert states(sender([9] + [0] * 10 + [9]))[1:] == ["missing"] * 8 + ["silent"] * 2 + ["reported"]


def test_the_first_eight_weeks_are_those_of_a_sender_that_joined() -> None:
    assert [week[0].joined for week in judged(sender([0, *[9] * 10]))] == [False, *[True] * 8, False, False]


def test_of_a_running_week_only_who_has_sent_has_a_row() -> None:
    rows = judge_sender_weeks(starts(3), [sender([9, 9, 1]), sender([9, 9, 0], "b")], START + timedelta(weeks=2))
    assert [(row.source, row.state, row.reports) for row in rows[2]] == [("a", "reported", 1)]


def daily(days: list[list[int]], clock: int, rhythm: str = "daily") -> list[str]:
    one = Sender("a", rhythm, np.array(days, dtype=np.int64), START + timedelta(days=clock))
    return [week[0].state for week in judged(one)]


@pytest.mark.parametrize(
    ("usual", "clock", "rhythm", "state"),
    [
        (6, 34, "daily", "partial"),  # such a day is never empty
        (5, 34, "daily", "reported"),  # it may be, and the sender has gone on
        (5, 33, "daily", "partial"),  # nothing came of it yet
        (6, 34, "weekdays", "reported"),  # Sunday is not due
    ],
)
def test_a_due_day_that_lacks_makes_the_week_a_part(usual: int, clock: int, rhythm: str, state: str) -> None:
    assert daily([[usual] * 7] * 4 + [[usual] * 6 + [0]], clock, rhythm)[-1] == state


def slow_states(counts: list[int], clock: date | None) -> list[str]:
    """A weekly sender's states by a plain reading: no holidays, no files without rows."""
    found: list[str] = []
    usable: list[int] = []
    whole: list[int] = []
    for week, count in enumerate(counts):
        if not any(counts[: week + 1]):
            found.append("not_expected")
            continue
        run = len(found) - len([*_without_run(found, "partial")])
        if count and run >= 4:
            usable = usable[-4:]
            whole = list(usable)
        usual = median(usable[-8:]) if len(usable) >= 3 else None
        if count == 0:
            is_past = clock is not None and clock >= START + timedelta(days=7 * week + 6)
            run = len(found) - len([*_without_run(found, "missing", "silent")])
            state = "zero" if usual is not None and usual < 6 and is_past else "silent" if run >= 8 else "missing"
        else:
            is_low = usual is not None and count < usual / 2 and len(whole) > 1 and count < _low(whole[-8:])
            state = "partial" if is_low else "reported"
            usable.append(count)
            whole += [count] * (state == "reported")
        found.append(state)
    return found


def _without_run(found: list[str], *ending: str) -> list[str]:
    """The states without those of a kind at the end."""
    kept = list(found)
    while kept and kept[-1] in ending:
        kept.pop()
    return kept


def _low(counts: list[int]) -> float:
    mean = sum(counts) / len(counts)
    spread = max(1.0, sum((count - mean) ** 2 for count in counts) / (len(counts) - 1) / mean)
    variance = spread * mean * (len(counts) + 1) / len(counts)
    return float(nbinom.ppf(0.001, mean**2 / (variance - mean), mean / variance))


weekly_counts = st.lists(st.sampled_from([0, 0, 1, 4, 6, 20, 60, 100, 110]), min_size=1, max_size=30)


@rules_of_search(max_examples=examples(200), deadline=None)
@given(weekly_counts, st.integers(0, 35))
def test_states_equal_a_plain_reading(counts: list[int], clock: int) -> None:
    time = START + timedelta(weeks=clock, days=6)
    assert states(sender(counts, clock=time)) == slow_states(counts, time)
