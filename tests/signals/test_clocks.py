"""The sender's clock, implausible days and delays, against accounts by loops and on both sides of every boundary."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as rules_of_search
from hypothesis import strategies as st

from pipelines.statements import read_statement
from pipelines.store import clocks
from pipelines.store.clocks import format_period, parse_period
from tests.support.drawing import examples
from tests.support.histories import Store, empty_store

DAY = date(2026, 3, 2)

Delivered = list[dict[int, int]]  # reports by day, counted from DAY


@pytest.fixture
def store() -> Iterator[Store]:
    made = empty_store()
    yield made
    made.connection.close()


def sent(store: Store, *deliveries: dict[int, int], source: str = "a") -> list[int]:
    """Stores deliveries and returns the clock after each, as days from DAY."""
    for counts in deliveries:
        store.deliver(source, {DAY + timedelta(days=day): reports for day, reports in counts.items()})
    return [(clock - DAY).days for clock in store.clocks() if clock]


def test_the_clock_is_the_last_report_day_and_never_goes_back(store: Store) -> None:
    assert sent(store, {0: 5, 6: 5}, {2: 3}, {7: 5, 13: 5}) == [6, 6, 13]


@pytest.mark.parametrize(
    ("counts", "clock"),
    [
        ({0: 50, 1: 50, 4: 1}, 4),  # 3 days after the row before
        ({0: 50, 1: 50, 5: 1}, 1),  # 4 days
        ({0: 50, 1: 50, 5: 2}, 5),  # two rows of 102 are more than 1 %
        ({0: 150, 1: 50, 5: 2}, 1),  # two rows of 202 are not
        ({0: 50, 1: 50, 5: 1, 9: 1}, 5),  # one row alone is left out
        ({0: 1}, 0),
    ],
)
def test_stray_rows_at_the_end_of_a_delivery(store: Store, counts: dict[int, int], clock: int) -> None:
    assert sent(store, counts) == [clock]


def test_one_row_of_another_century_is_no_time_of_the_sender(store: Store) -> None:
    assert sent(store, {0: 50, 6: 50}, {7: 50, 13: 50, 13_000: 2}, {20: 5, -20_000: 1}) == [6, 13, 20]


@pytest.mark.parametrize(("gap", "stray", "clock"), [(91, 2, 97), (92, 2, 6), (92, 3, 98)])
def test_few_rows_parted_by_more_than_13_weeks_are_implausible(store: Store, gap: int, stray: int, clock: int) -> None:
    assert sent(store, dict.fromkeys(range(7), 10), {6 + gap: stray})[-1] == clock


def test_a_sender_with_a_report_now_and_then_has_only_plausible_ones(store: Store) -> None:
    assert sent(store, {0: 1}, {100: 1}, {200: 1}, {300: 2}) == [0, 100, 200, 300]


def test_another_sender_s_rows_make_nobody_s_time(store: Store) -> None:
    assert sent(store, {0: 5, 6: 5}, source="a") + sent(store, {40: 9}, source="b")[1:] == [6, 40]


def test_a_period_ends_the_delivery_unless_most_rows_lie_outside_it(store: Store) -> None:
    def delivered(counts: dict[int, int], first: int, last: int) -> int:
        text = format_period(DAY + timedelta(days=first), DAY + timedelta(days=last))
        days = {DAY + timedelta(days=day): reports for day, reports in counts.items()}
        return store.deliver("a", days, period=text)

    delivered({0: 10, 4: 10}, 0, 6)
    delivered({}, 7, 13)  # a header alone
    delivered({15: 10, 20: 10}, 21, 21)  # a Monday export holds the week before
    delivered({21: 10, 22: 10, 28: 10}, 21, 27)
    assert [(clock - DAY).days for clock in store.clocks() if clock] == [6, 13, 20, 27]


@pytest.mark.parametrize("days", [(DAY, DAY), (DAY, DAY + timedelta(days=6))])
def test_a_period_reads_back_as_it_was_written(days: tuple[date, date]) -> None:
    assert parse_period(format_period(*days)) == days


def test_withdrawn_and_rejected_deliveries_have_no_clock(store: Store) -> None:
    sent(store, {0: 5}, {9: 5}, {12: 5})
    store.connection.execute("UPDATE files SET status = 'withdrawn' WHERE delivery_no = 2")
    store.connection.execute("UPDATE files SET status = 'rejected' WHERE delivery_no = 3")
    store.connection.execute("DELETE FROM delivery_days WHERE delivery_no > 1")
    assert store.clocks() == [DAY, None, None]


def slow_clocks(deliveries: Delivered) -> list[int | None]:
    """The clocks by plain lists of rows, as the page on signals says."""
    rows = sorted(day for counts in deliveries for day, number in counts.items() for _ in range(number))
    groups: list[list[int]] = []
    for day in rows:
        if not groups or day - groups[-1][-1] > 7 * 13:
            groups.append([])
        groups[-1].append(day)
    biggest = max(map(len, groups), default=0)
    small = [group for group in groups if len(group) <= max(2, len(rows) * 0.01) and len(group) < biggest]
    is_minority = sum(map(len, small)) * 2 < len(rows)
    implausible = {day for group in small for day in group} if is_minority else set()
    clock, found = None, list[int | None]()
    for counts in deliveries:
        own = sorted(day for day, number in counts.items() for _ in range(number) if day not in implausible)
        budget, dropped = max(1, len(own) // 100), 0
        ends = list(own)
        while len(ends) > 1:
            last = [day for day in ends if day == ends[-1]]
            rest = ends[: -len(last)]
            tail = _tail(ends)
            if len(tail) == len(ends) or dropped + len(tail) > budget or not rest:
                break
            dropped += len(tail)
            ends = ends[: -len(tail)]
        if ends:
            clock = ends[-1] if clock is None else max(clock, ends[-1])
        found.append(clock)
    return found


def _tail(days: list[int]) -> list[int]:
    """The rows at the end without a gap of more than 3 days between them."""
    tail = [days[-1]]
    for day in reversed(days[:-1]):
        if tail[0] - day > 3:
            break
        tail.insert(0, day)
    return tail


days = st.one_of(st.integers(0, 30), st.integers(0, 400), st.sampled_from([-20_000, 13_000]))
counts = st.dictionaries(days, st.sampled_from([1, 1, 2, 3, 40, 150]), max_size=6)


@rules_of_search(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(counts, min_size=1, max_size=5))
def test_clocks_equal_the_slow_account(deliveries: Delivered) -> None:
    store = empty_store()
    try:
        for delivered in deliveries:
            store.deliver("a", {DAY + timedelta(days=day): reports for day, reports in delivered.items()})
        found = [None if clock is None else (clock - DAY).days for clock in store.clocks()]
        assert found == slow_clocks(deliveries)
    finally:
        store.connection.close()


def test_implausible_days_open_no_weeks(store: Store) -> None:
    sent(store, dict.fromkeys(range(14), 10), {13_000: 1}, {-15_000: 1})
    sql = read_statement("store", "plausible_days")
    assert store.ask(f"SELECT count(*) FILTER (is_plausible), count(*) FROM ({sql})") == [(14, 16)]
    clocks.update_clocks(store.connection)
