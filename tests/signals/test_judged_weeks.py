"""Weeks judged from the first changed one on, against all weeks judged from nothing, over drawn histories."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.settings import Settings, Source
from pipelines.signals import weekly_signals
from pipelines.signals.judged_weeks import JUDGED_TABLES
from tests.support.drawing import examples
from tests.support.histories import TODAY, Rows, Store, empty_store, monday

SOURCES = (Source("a", rhythm="weekly"), Source("b", rhythm="daily"), Source("c"))
DELIVERY = st.tuples(
    st.sampled_from("abcd"),
    st.one_of(st.integers(-1, 3), st.integers(-1, 45)),
    st.integers(0, 60),
    st.sampled_from(["emergency", "unresolved"]),
    st.sampled_from(["north", "south", "east"]),
)
STEP = st.tuples(st.lists(DELIVERY, max_size=3), st.sampled_from([0, 0, 0, 1, 7, 21]), st.sampled_from([5, 5, 5, 3]))


def read_judged(store: Store) -> dict[str, Rows]:
    return {
        table: store.ask(f"FROM {table} ORDER BY ALL") for table in ("signal_counts", *JUDGED_TABLES, "alarm_episodes")
    }


def judge(store: Store, days: int, least: int) -> None:
    chosen = Settings(sources=SOURCES, min_alarm_count=least)
    weekly_signals.update_signals(store.connection, chosen, TODAY + timedelta(days=days))


def judge_from_nothing(store: Store, days: int, least: int) -> None:
    for table in ("signal_counts", "signal_inputs", "signal_fits", "state"):
        store.connection.execute(f"DELETE FROM {table}")
    judge(store, days, least)


def deliver(store: Store, source: str, back: int, reports: int, level: str, region: str) -> None:
    """A file about one week; one without reports says that there were none."""
    start = monday(back)
    days = {start + timedelta(days=day): reports // 7 + 1 for day in range(7)} if reports else {}
    period = None if reports else f"{start}/{start + timedelta(days=6)}"
    store.deliver(source, days, region, level, period)


@settings(max_examples=examples(20))
@given(steps=st.lists(STEP, min_size=2, max_size=5), weeks=st.integers(8, 45))
def test_weeks_that_are_kept_are_those_that_judging_all_again_gives(steps: list, weeks: int) -> None:
    store = empty_store()
    try:
        for source, count in (("a", 70), ("b", 35)):
            store.weekly(source, {back: count + back % 5 for back in range(weeks)})
        judge(store, 0, 5)
        today = 0
        for deliveries, later, least in steps:
            for delivery in deliveries:
                deliver(store, *delivery)
            today += later
            judge(store, today, least)
        kept = read_judged(store)
        judge_from_nothing(store, today, least)
        assert read_judged(store) == kept
    finally:
        store.connection.close()


def test_years_of_weeks_by_farrington_keep_what_did_not_change() -> None:
    store = empty_store()
    store.weekly("a", {back: 50 + back % 7 for back in range(175)})
    judge(store, 0, 5)
    for back in (0, 9, 170):
        store.weekly("a", {back: 20}, level="emergency")
        judge(store, 0, 5)
    kept = read_judged(store)
    judge_from_nothing(store, 0, 5)
    assert {row[0] for row in store.ask("SELECT split_part(method, ',', 1) FROM weekly_signals")} == {
        "EARS C1", "EARS C2", "Farrington flexible",
    }  # fmt: skip
    assert read_judged(store) == kept
    store.connection.close()


def test_a_home_without_any_week_left_has_no_judged_one() -> None:
    store = empty_store()
    store.weekly("a", dict.fromkeys(range(10), 20))
    judge(store, 0, 5)
    store.connection.execute("INSERT INTO touched_days SELECT DISTINCT report_date FROM daily_summary")
    for table in ("files", "delivery_days", "daily_arrivals", "daily_summary"):
        store.connection.execute(f"DELETE FROM {table}")
    judge(store, 0, 5)
    assert all(not rows for rows in read_judged(store).values())
    store.connection.close()


def test_counts_of_weeks_are_read_again_where_a_day_was_touched_and_all_of_them_where_they_are_counted_otherwise() -> (
    None
):
    store = empty_store()
    store.weekly("a", dict.fromkeys(range(3), 20))
    judge(store, 0, 5)
    store.connection.execute("UPDATE signal_counts SET reports = -1")
    store.connection.execute("DELETE FROM touched_days")
    store.deliver("b", {monday(1): 3})
    judge(store, 0, 5)
    of_all = "SELECT week_start, source, reports FROM signal_counts WHERE series = 'all' ORDER BY ALL"
    assert store.ask(of_all) == [
        (monday(2), "a", -1), (monday(1), "a", 20), (monday(1), "b", 3), (monday(0), "a", -1),
    ]  # fmt: skip
    store.connection.execute("INSERT INTO audit (action) VALUES ('withdraw')")
    judge(store, 0, 5)
    assert [reports for *_, reports in store.ask(of_all)] == [20, 20, 3, 20]
    store.connection.close()
