"""The nowcast against a slow account of it, written week by week in plain loops."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import poisson, t

from pipelines.signals.nowcast import SERIES, SenderArrivals, nowcast
from pipelines.signals.nowcast_rows import find_sender_arrivals
from pipelines.signals.senders import Sender
from tests.support.drawing import examples

LAST = 8  # weeks of age: what comes later counts no more
AGES = range(LAST + 1)
UNKNOWN = math.nan


def drawn_sender(seed: int, weeks: int, late: int, is_sparse: bool) -> SenderArrivals:
    """Reports that come over nine weeks, by three series; the sender's clock is `late` weeks behind the last one."""
    draw = np.random.default_rng(seed)
    rate = 40 * 0.5 ** np.arange(LAST + 1) if not is_sparse else np.full(LAST + 1, 0.7)
    new = draw.poisson(rate, (3, weeks, LAST + 1)).astype(float)
    age = np.arange(weeks)[::-1] - late
    new[:, age[:, None] < np.arange(LAST + 1)] = 0  # nothing has come of ages that are not reached
    enters, whole = draw.random((2, weeks)) < 0.93
    return SenderArrivals(np.cumsum(new, axis=2), age, enters, whole)


@functools.cache
def t_quantile(number: int) -> float:
    return float(t.ppf(0.95, number))


class SlowSender:
    """What one sender's weeks were expected to come to, worked out from its arrivals alone."""

    def __init__(self, sender: SenderArrivals) -> None:
        self.sender = sender
        self.weeks = len(sender.age)
        self.entering = [week for week in range(self.weeks) if sender.enters[week] and sender.whole[week]]

    def count(self, series: int, week: int, age: int) -> float:
        return float(self.sender.counts[series, week, age])

    def has_reached(self, week: int, age: int) -> bool:
        return bool(self.sender.age[week] >= age and self.sender.whole[week])

    def is_batch(self, week: int, age: int) -> bool:
        before = [entering for entering in self.entering if entering < week][-8:]
        return any(self.count(0, each, age) == 0 and self.count(0, each, LAST) >= 6 for each in before)

    def known_weeks(self, week: int, age: int, step: int) -> list[int]:
        """The eight latest weeks of which the ages `step` and `step` + 1 were known when `week` was `age` old."""
        return [entering for entering in self.entering if entering + step + 1 <= week + age][-8:]

    def expected(self, series: int, week: int, age: int) -> float:
        if not self.has_reached(week, age) or self.is_batch(week, age):
            return UNKNOWN
        if age < LAST and len(self.known_weeks(week, age, age)) < 8:
            return UNKNOWN
        total = self.count(series, week, age)
        for step in range(age, LAST):
            known = self.known_weeks(week, age, step)
            before = sum(self.count(series, entering, step) for entering in known)
            after = sum(self.count(series, entering, step + 1) for entering in known)
            total *= after / before if before else 1
        return total

    def final(self, series: int, week: int) -> float:
        age = int(self.sender.age[week])
        return UNKNOWN if age < 0 else self.expected(series, week, min(age, LAST))


class SlowNowcast:
    """The sums over senders, and how far off they were before."""

    def __init__(self, senders: Sequence[SenderArrivals]) -> None:
        self.senders = [SlowSender(sender) for sender in senders]
        self.weeks = self.senders[0].weeks
        self.memory: dict[Any, Any] = {}

    def expected(self, sender: int, series: int, week: int, age: int) -> float:
        key = sender, series, week, age
        if key not in self.memory:
            self.memory[key] = self.senders[sender].expected(series, week, age)
        return float(self.memory[key])

    def counted(self, week: int, age: int) -> list[int]:
        """The senders whose nowcast of a week is known at an age."""
        return [place for place in range(len(self.senders)) if not math.isnan(self.expected(place, 0, week, age))]

    def is_batch(self, week: int, age: int) -> bool:
        return any(sender.has_reached(week, age) and sender.is_batch(week, age) for sender in self.senders)

    def reported(self, series: int, week: int, age: int) -> float:
        return sum(self.senders[place].count(series, week, age) for place in self.counted(week, age))

    def total(self, series: int, week: int, age: int) -> float:
        counted = self.counted(week, age)
        if not counted or self.is_batch(week, age):
            return UNKNOWN
        return sum(self.expected(place, series, week, age) for place in counted)

    def error(self, series: int, week: int, age: int) -> float:
        """How far off a nowcast was, once it is known what became of the week: two weeks later."""
        counted, total = self.counted(week, age), self.total(series, week, age)
        needed = min(age + 2, LAST)
        if math.isnan(total) or any(self.senders[place].sender.age[week] < needed for place in counted):
            return UNKNOWN
        finals = [self.senders[place].final(series, week) for place in counted]
        final = sum(0 if math.isnan(found) else found for found in finals)
        return math.log((final + 0.5) / (total + 0.5))

    def spread(self, series: int, week: int, age: int) -> tuple[float, int]:
        """The root mean square of the last 26 errors that were known by then, and their number; at least 8."""
        key = "errors", series, age
        if key not in self.memory:
            errors = [(place, self.error(series, place, age)) for place in range(self.weeks)]
            self.memory[key] = [(place, error) for place, error in errors if not math.isnan(error)]
        known = [error for place, error in self.memory[key] if place <= week - 2][-26:]
        mean = sum(error**2 for error in known) / max(len(known), 1)
        return (math.sqrt(mean) if len(known) >= 8 else UNKNOWN), len(known)

    def bounds(self, series: int, week: int, age: int) -> tuple[float, float]:
        """By the errors of before, and at least the Poisson range of what is missing."""
        total, reported = self.total(series, week, age), self.reported(series, week, age)
        spread, number = self.spread(series, week, age)
        if math.isnan(total) or math.isnan(spread):
            return UNKNOWN, UNKNOWN
        width = t_quantile(number) * spread
        low, high = poisson.ppf([0.05, 0.95], max(total - reported, 0))
        return min(total * math.exp(-width), reported + low), max(total * math.exp(width), reported + high)

    def previous(self, series: int, week: int, age: int) -> float:
        """The week before, as it stood at the same age, of the senders that count in both."""
        if not week:
            return 0
        both = set(self.counted(week, age)) & set(self.counted(week - 1, age))
        return sum(self.senders[place].count(series, week - 1, age) for place in both)

    def width(self, series: int, week: int, age: int) -> float:
        if week < 0:
            return 0
        total = self.total(series, week, age)
        spread, _ = self.spread(series, week, age)
        missing = max(total - self.reported(series, week, age), 0)  # or NaN, which stays
        return max(spread, math.sqrt(missing) / max(total, 1)) if not math.isnan(spread + total) else UNKNOWN

    def change(self, series: int, week: int, age: int) -> int:
        """Whether the week will have more than the one before, which is a week older then."""
        older = min(age + 1, LAST)
        both = set(self.counted(week, age)) & set(self.counted(week - 1, older)) if week else set()
        now = sum(self.expected(place, series, week, age) for place in both)
        then = sum(self.expected(place, series, week - 1, older) for place in both)
        number = self.spread(series, week, age)[1]
        width = math.hypot(self.width(series, week, age), self.width(series, week - 1, older))
        width *= t_quantile(max(number, 1))
        ratio = math.log((now + 0.5) / (then + 0.5))
        return 0 if not both or math.isnan(width) or abs(ratio) <= width else round(math.copysign(1, ratio))

    def age(self, week: int) -> int:
        """The highest age that senders of half of the week's reports have reached."""
        weights = {
            min(int(each.sender.age[week]), LAST): 0.0
            for each in self.senders
            if each.sender.whole[week] and each.sender.age[week] >= 0
        }
        for each in self.senders:
            if each.sender.whole[week] and each.sender.age[week] >= 0:
                weights[min(int(each.sender.age[week]), LAST)] += each.count(0, week, LAST) + 1e-9
        reached = [
            wanted
            for wanted in AGES
            if weights and 2 * sum(weight for age, weight in weights.items() if age >= wanted) >= sum(weights.values())
        ]
        return max(reached, default=-1)


SENDERS = st.lists(
    st.tuples(st.integers(0, 10_000), st.sampled_from([-1, 0, 0, 1, 3]), st.sampled_from([False, False, True])),
    min_size=1,
    max_size=3,
)


@settings(max_examples=examples(10), deadline=None)
@example([(5, 0, False), (6, 1, False)], 48, 0)  # more than 26 errors are known of its last weeks
@given(SENDERS, st.sampled_from([15, 25, 48]), st.integers(0, 5))
def test_the_nowcast_equals_a_slow_account_of_every_week_age_and_series(
    drawn: list[tuple[int, int, bool]], weeks: int, shown: int
) -> None:
    senders = [drawn_sender(seed, weeks, late, is_sparse) for seed, late, is_sparse in drawn]
    found, slow = nowcast(senders), SlowNowcast(senders)
    assert [int(age) for age in found.age] == [slow.age(week) for week in range(weeks)]
    for week in sorted({0, 1, weeks // 2, *range(max(weeks - 12 - shown, 0), weeks)}):
        for age in AGES:
            assert bool(found.batches[week, age]) == slow.is_batch(week, age)
            assert list(np.flatnonzero(found.counted[:, week, age])) == slow.counted(week, age)
            for series in range(3):
                at, where = (series, week, age), f"series {series}, week {week} at age {age}"
                wanted = [slow.reported(*at), slow.total(*at), *slow.bounds(*at), slow.previous(*at)]
                given = [found.reported, found.expected, found.lower, found.upper, found.previous]
                np.testing.assert_allclose([values[at] for values in given], wanted, rtol=1e-9, err_msg=where)
                assert int(found.change[at]) == slow.change(*at), where


def test_arrivals_are_counted_by_week_age_and_level_and_what_has_no_place_hides_nothing_after_it() -> None:
    first = date(2026, 11, 2)
    starts = [first + timedelta(weeks=week) for week in range(3)]
    north = Sender("north", "weekly", np.zeros((3, 7), dtype=np.int64), starts[2] + timedelta(days=13))

    def row(source: str, week: int, level: str, days_after_end: int, reports: int) -> dict[str, Any]:
        start = first + timedelta(weeks=week)
        clock = start + timedelta(days=6 + days_after_end)
        return {"source": source, "week_start": start, "triage_level": level, "clock": clock, "reports": reports}

    rows = [
        row("north", 0, "emergency", -3, 5),  # before the week's end: of age 0
        row("somebody", 0, "emergency", 0, 100),
        row("north", 7, "emergency", 0, 100),  # a week that nobody has begun
        row("north", 0, "self_care", 7, 3),
        row("north", 1, "contact_doctor", 400, 2),
    ]
    (found,) = find_sender_arrivals(starts, [north], np.ones((3, 1), dtype=bool), rows, {"north": [starts[1]]})
    assert len(SERIES) == len(found.counts) == 3
    assert [list(found.counts[0, 0, :3]), found.counts[0, 1, LAST], found.counts[:, 2].sum()] == [[5, 8, 8], 2, 0]
    assert [list(found.counts[1, 0, :2]), found.counts[1, 1, LAST], found.counts[2, 1, LAST]] == [[5, 5], 0, 2]
    assert list(found.age) == [3, 2, 1]
    assert list(found.enters) == [True, False, False]


END = date(2026, 8, 2)  # a Sunday, of the first week
WEEKS = 50


def nowcast_of(days: Sequence[int], later: Sequence[tuple[int, int, int]], now: int) -> Any:
    """Return the nowcast of a sender that delivers on these days after END, `now` being the last of them; `later` are
    week, day of its delivery after END, and reports."""
    starts = [END - timedelta(days=6) + timedelta(weeks=week) for week in range(WEEKS)]
    at = {"source": "a", "triage_level": "self_care"}
    rows = [
        at | {"week_start": starts[week], "clock": END + timedelta(days=day), "reports": reports}
        for week, day, reports in later
        if day <= now
    ]
    sender = Sender("a", "weekly", np.zeros((WEEKS, 7), dtype=np.int64), END + timedelta(days=now))
    delivered = [END + timedelta(days=day) for day in days if day <= now]
    whole = (np.arange(WEEKS) * 7 <= now + 3)[:, None]
    return nowcast(find_sender_arrivals(starts, [sender], whole, rows, {"a": delivered}))


@pytest.mark.parametrize(("now", "so_far"), [(0, 80), (1, 90), (2, 95), (3, 100), (-2, 60)])
def test_a_past_week_is_taken_as_it_stood_on_the_same_weekday(now: int, so_far: int) -> None:
    """Of a daily sender, what comes on the Monday to Wednesday after a week is still to come on the Sunday."""
    parts = ((-2, 60), (0, 20), (1, 10), (2, 5), (3, 5))
    later = [(week, 7 * week + day, reports) for week in range(WEEKS) for day, reports in parts]
    week = 40
    found = nowcast_of(range(-6, 7 * WEEKS), later, 7 * week + now)
    assert (found.age[week], found.reported[0, week, 0], found.previous[0, week, 0]) == (0, so_far, so_far)
    assert math.isclose(found.expected[0, week, 0], 100)
    assert found.upper[0, week, 0] >= 100
    assert found.change[0, week, 0] == 0


@pytest.mark.parametrize("now", [-3, -1, 0, 2, 3])
def test_a_weekly_delivery_is_the_same_one_on_whatever_weekday_its_last_report_lies(now: int) -> None:
    side = 1 if now < 0 else -1  # the other deliveries are up to three days later than this one, or earlier
    days = [7 * week + now + side * (week * 5 % 4) for week in range(WEEKS)]
    later = [(week, day, 80) for week, day in enumerate(days)]
    later += [(week, day, 20) for week, day in enumerate(days[1:])]
    found = nowcast_of([*days[:40], 280 + now], [*later[:40], (40, 280 + now, 80), *later[WEEKS:]], 280 + now)
    assert (found.age[40], found.reported[0, 40, 0]) == (0, 80)
    assert math.isclose(found.expected[0, 40, 0], 100)


@pytest.mark.parametrize(("late", "is_batch"), [(0, False), (5, False), (6, True)])
def test_a_week_without_a_report_is_no_batch_but_one_of_which_all_comes_later_is(late: int, is_batch: bool) -> None:
    later = [(week, 7 * week, 8) for week in range(WEEKS) if week != 36]
    later += [(36, 7 * 37, late)] if late else []
    found = nowcast_of(range(0, 7 * WEEKS, 7), later, 280)
    assert math.isnan(found.expected[0, 40, 0]) == bool(found.batches[40, 0]) == is_batch
