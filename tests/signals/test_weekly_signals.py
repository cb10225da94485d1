"""The tables of signals as a home fills them: comparable senders, methods, reasons, alarms, days, nowcast, episodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.cli.app import main
from pipelines.settings import Settings, Source
from pipelines.signals import farrington_flexible
from tests.support.histories import MONDAY, TODAY, Rows, Store, empty_store, monday

TWO = Settings(sources=(Source("a"), Source("b")))


@pytest.fixture
def store() -> Iterator[Store]:
    made = empty_store()
    yield made
    made.connection.close()


def noise(mean: float, weeks: int, seed: int = 3) -> dict[int, int]:
    """Poisson counts by weeks back, the last week being 0."""
    drawn = np.random.default_rng(seed).poisson(mean, weeks)
    return {weeks - 1 - place: int(count) for place, count in enumerate(drawn)}


def of_week(store: Store, what: str, series: str = "all", back: int = 0) -> Rows:
    sql = f"SELECT {what} FROM weekly_signals WHERE series = ? AND week_start = ? ORDER BY method"
    return store.ask(sql, series, monday(back))


def test_one_sender_silent_and_all_reports_of_the_other_are_emergencies(store: Store) -> None:
    store.weekly("a", dict.fromkeys(range(1, 20), 180))
    store.weekly("a", dict.fromkeys(range(1, 20), 20), level="emergency")
    store.weekly("b", dict.fromkeys(range(1, 20), 200))
    store.weekly("a", {0: 200}, level="emergency")
    store.judge(TWO)
    found = of_week(store, "observed, reports, status, sources, left_out, level", "triage_level=emergency")
    assert found[0] == (200, 200, "alarm", 1, "b", "above")
    assert of_week(store, "observed, round(expected), status")[0] == (200, 200, "none")
    assert store.states("b")[-1] == "missing"
    assert store.ask("SELECT series, state, weeks, peak FROM alarm_episodes") == [
        ("triage_level=emergency", "new", 1, 200)
    ]


def test_one_late_row_makes_a_missing_delivery_no_whole_one(store: Store) -> None:
    for source in "ab":
        store.weekly(source, dict.fromkeys(range(2, 12), 40))
    store.weekly("a", {1: 40, 0: 40})
    store.deliver("b", {monday(0) - timedelta(days=1): 1, **{monday(0) + timedelta(days=day): 6 for day in range(7)}})
    store.judge(TWO)
    assert store.states("b")[-2:] == ["partial", "reported"]
    assert of_week(store, "observed, reports, sources, left_out", back=1)[0] == (40, 41, 1, "b")
    assert of_week(store, "observed, sources, left_out")[0] == (82, 2, "")


def test_ten_senders_with_missing_deliveries_are_judged_every_week(store: Store) -> None:
    rng = np.random.default_rng(5)
    names = [f"s{number}" for number in range(10)]
    for name in names:
        store.weekly(name, {back: 21 for back in range(40) if back == 39 or rng.random() > 0.1})
    store.judge(Settings(sources=tuple(map(Source, names))))
    reasons = store.ask(
        """SELECT DISTINCT reason FROM weekly_signals
        WHERE series = 'all' AND is_primary AND week_start >= ?""",
        monday(31),
    )
    assert reasons == [(None,)]


def test_no_row_is_judged_before_its_baseline_nor_in_a_running_week(store: Store) -> None:
    store.weekly("a", noise(30, 12))
    store.deliver("a", {MONDAY: 200})
    store.judge(TWO)
    reasons = [of_week(store, "reason", back=back) for back in (11, 5, 4, 3, 2)]
    assert [[reason for (reason,) in rows] for rows in reasons] == [
        ["short history"] * 2,
        ["short history"] * 2,
        [None, "short history"],
        [None, "short history"],
        [None, None],
    ]
    assert of_week(store, "reports, status, reason, level, trend, expected", back=-1)[0] == (
        *(200, "not_evaluable", "running week"),
        *(None, None, None),
    )


def test_a_new_sender_alone_is_not_compared_with_another_one(store: Store) -> None:
    store.weekly("a", dict.fromkeys(range(3, 20), 50))
    store.weekly("b", dict.fromkeys(range(3), 50))
    store.judge(TWO)
    assert of_week(store, "observed, status, reason, sources, left_out")[0] == (
        *(50, "not_evaluable", "too few comparable senders"),
        *(0, "a, b"),
    )


def test_an_alarm_needs_the_least_count_that_is_set(store: Store) -> None:
    store.weekly("a", dict.fromkeys(range(1, 30), 30))
    store.weekly("a", {0: 26})
    store.weekly("a", {0: 4}, level="emergency")
    store.judge(Settings(min_alarm_count=4))
    assert of_week(store, "status", "triage_level=emergency")[0] == ("alarm",)
    store.connection.execute("DELETE FROM state")
    store.judge(Settings(min_alarm_count=5))
    assert of_week(store, "status, level", "triage_level=emergency")[0] == ("none", "above")


def test_severe_pain_and_what_could_be_an_emergency_have_level_and_trend_and_no_alarm(store: Store) -> None:
    store.weekly("a", dict.fromkeys(range(30), 70))
    store.connection.execute("UPDATE daily_summary SET severe_pain = 2")
    store.connection.execute("UPDATE daily_summary SET severe_pain = 9 WHERE report_date >= ?", [monday(0)])
    store.weekly("a", {0: 14}, level="emergency")
    store.connection.execute("UPDATE daily_summary SET triage_ceiling = 'emergency' WHERE report_date = ?", [monday(3)])
    store.judge()
    where = "FROM weekly_indicators WHERE indicator = ? AND week_start = ?"
    what = f"reports, observed, expected, method, level, trend {where}"
    assert store.ask(f"SELECT {what}", "severe_pain", monday(0)) == [(63, 63, 14.0, "EARS C1", "above", "rising")]
    assert store.ask(f"SELECT {what}", "could_be_emergency", monday(3))[0][:2] == (10, 10)
    assert store.ask(f"SELECT {what}", "could_be_emergency", monday(0))[0][:2] == (0, 0)
    assert store.ask("SELECT count(*), count(DISTINCT week) FROM weekly_indicators") == [(90, 30)]
    assert store.ask("SELECT count(*) FROM alarm_episodes WHERE series NOT LIKE '%emergency'") == [(0,)]


def test_series_with_the_same_reports_are_one_alarm(store: Store) -> None:
    store.weekly("a", dict.fromkeys(range(1, 30), 30))
    store.weekly("a", {0: 90})
    store.judge(TWO)
    assert of_week(store, "status")[0] == ("alarm",)
    assert of_week(store, "status, reason", "region=north")[0] == ("none", "same reports as all")


def test_ranges_never_contradict_alarms_and_ranks_are_in_order(store: Store) -> None:
    for number in range(12):
        store.weekly("a", noise(15, 40, number) | {0: 60 if number < 3 else 15}, region=f"r{number}")
    store.judge(TWO)
    raised = store.ask(
        """SELECT observed > upper, rank, p_value FROM weekly_signals
        WHERE status = 'alarm' AND week_start = ? ORDER BY rank""",
        monday(0),
    )
    assert len(raised) >= 6
    assert all(above for above, *_ in raised)
    assert [rank for _, rank, _ in raised] == list(range(1, len(raised) + 1))
    assert [p for *_, p in raised] == sorted(p for *_, p in raised)
    assert store.ask("SELECT count(*) FROM weekly_signals WHERE (status = 'alarm') <> (rank IS NOT NULL)") == [(0,)]
    assert store.ask("SELECT count(*) FROM weekly_signals WHERE (observed > upper) <> (p_value <= 0.025)") == [(0,)]


def test_three_years_of_whole_weeks_are_judged_by_farrington_as_the_public_function_does(store: Store) -> None:
    counts = noise(30, 170)
    store.weekly("a", counts)
    store.judge(TWO)
    import pandas as pd

    weeks = sorted(counts, reverse=True)
    series = pd.Series(
        [float(counts[back]) for back in weeks], index=pd.DatetimeIndex([monday(back) for back in weeks])
    )
    wanted = farrington_flexible(series, [series.index[-1]], b=3).iloc[0]
    ((method, expected, p_value),) = of_week(store, "method, expected, p_value")
    assert method == "Farrington flexible, b=3"
    assert (expected, p_value) == pytest.approx((wanted["expected"], wanted["p_value"]))


def test_a_sender_that_joined_lately_does_not_look_like_a_rise_to_farrington(store: Store) -> None:
    store.weekly("a", noise(60, 175))
    store.weekly("b", noise(40, 20, seed=4))
    store.judge(TWO)
    ((method, expected, status, sources),) = of_week(store, "method, expected, status, sources")
    assert method.startswith("Farrington")
    assert 80 < expected < 120
    assert (status, sources) == ("none", 2)


def test_fits_that_were_kept_give_what_fitting_again_gives(store: Store) -> None:
    store.weekly("a", noise(20, 165))
    store.judge(TWO)
    store.deliver("a", {monday(30): 9}, level="emergency")
    store.deliver("a", {monday(1): 9})
    store.judge(TWO)
    kept = store.ask("FROM weekly_signals ORDER BY ALL")
    for table in ("signal_counts", "signal_fits", "signal_inputs", "state"):
        store.connection.execute(f"DELETE FROM {table}")
    store.judge(TWO)
    assert store.ask("FROM weekly_signals ORDER BY ALL") == kept


def test_nothing_is_worked_out_again_while_nothing_has_changed(store: Store) -> None:
    store.weekly("a", noise(20, 20))
    store.judge(TWO)
    store.connection.execute("UPDATE weekly_signals SET expected = -1")
    store.judge(TWO)
    assert store.ask("SELECT DISTINCT expected FROM weekly_signals") == [(-1,)]
    store.deliver("a", {monday(1): 1})
    store.judge(TWO)
    judged = store.ask("SELECT DISTINCT week_start FROM weekly_signals WHERE expected IS DISTINCT FROM -1 ORDER BY 1")
    assert judged == [(monday(1),), (monday(0),)]  # from the first week on that changed
    store.judge(Settings(sources=TWO.sources, min_alarm_count=7))
    assert (-1,) not in store.ask("SELECT DISTINCT expected FROM weekly_signals")


def test_one_row_of_another_century_opens_no_weeks(store: Store) -> None:
    store.weekly("a", noise(20, 20))
    for year in (1970, 2062, 2099):
        store.deliver("a", {date(year, 6, 1): 1})
    store.judge(TWO)
    assert store.ask("SELECT count(DISTINCT week_start) FROM weekly_sources")[0][0] in (20, 21)
    assert store.ask("SELECT count(DISTINCT week_start) FROM calendar") == [(20,)]
    assert store.ask("SELECT max(clock) FROM files") == [(monday(0) + timedelta(days=6),)]


def test_no_delivery_gives_no_row(store: Store) -> None:
    store.judge()
    for table in (
        "weekly_signals",
        "weekly_indicators",
        "weekly_sources",
        "weekly_nowcast",
        "daily_signals",
        "alarm_episodes",
        "calendar",
    ):
        assert store.ask(f"SELECT count(*) FROM {table}") == [(0,)]


def test_a_doubled_day_of_a_daily_sender_is_an_alarm_on_that_day_and_tells_once(store: Store) -> None:
    first = TODAY - timedelta(days=140)
    for back in range((TODAY - first).days, -1, -1):
        number = store.deliver("a", {TODAY - timedelta(days=back): 37})
        store.add(number, "a", TODAY - timedelta(days=back), 30 if back < 2 else 3, "north", "emergency")
    settings = Settings(sources=(Source("a", rhythm="daily"),))
    store.judge(settings)
    found = store.ask("""SELECT report_date, status, is_first FROM daily_signals
        WHERE series = 'triage_level=emergency' ORDER BY 1 DESC LIMIT 3""")
    assert [row[1:] for row in found] == [("alarm", False), ("alarm", True), ("none", False)]
    assert store.ask("SELECT count(DISTINCT report_date) FROM daily_signals") == [(56,)]


def late_history(store: Store, weeks: int, late: int) -> None:
    """Stores a delivery a week of 100 reports, of which some come with the delivery after."""
    for back in reversed(range(weeks)):
        days = {monday(back) + timedelta(days=day): (100 - late) // 7 + (day < (100 - late) % 7) for day in range(7)}
        if back < weeks - 1:
            days |= {monday(back + 1) + timedelta(days=3): late}
        store.deliver("a", days)


def test_the_nowcast_adds_what_usually_still_comes(store: Store) -> None:
    late_history(store, 30, 20)
    store.judge(TWO)
    latest = store.ask(
        """SELECT age_weeks, reported_so_far, round(expected_final), previous_so_far, change, reason
        FROM weekly_nowcast WHERE series = 'all' AND is_latest AND week_start >= ? ORDER BY week_start""",
        monday(1),
    )
    assert latest == [(1, 100, 100, 100, "not clear", None), (0, 80, 100, 80, "not clear", None)]
    (bounds,) = store.ask(
        "SELECT lower, upper FROM weekly_nowcast WHERE series = 'all' AND is_latest AND week_start = ?", monday(0)
    )
    assert bounds == (80 + 13, 80 + 28), "the Poisson range of the twenty that are missing"


def test_whoever_is_not_counted_in_a_nowcast_is_named(store: Store) -> None:
    late_history(store, 30, 20)
    store.weekly("b", {back: 300 if back else 9 for back in range(30)})
    store.judge(TWO)
    row = "SELECT left_out, sources FROM weekly_nowcast WHERE series = 'all' AND is_latest AND week_start = ?"
    assert store.states("b")[-1] == "partial"
    assert store.ask(row, monday(0)) == [("b", 1)]
    assert store.ask(row, monday(1)) == [("", 2)]


def test_there_is_no_nowcast_of_batches_nor_of_a_short_history(store: Store) -> None:
    late_history(store, 8, 20)
    store.judge(TWO)
    reasons = "SELECT DISTINCT reason, change FROM weekly_nowcast WHERE week_start = ? AND is_latest"
    assert store.ask(reasons, monday(0)) == [("short history", "not clear")]


def test_a_run_fills_the_published_tables_and_a_rebuild_gives_the_same(
    write_csv: Callable[..., Path], ask: Callable[..., Rows], home: Any
) -> None:
    days = [datetime(2026, 7, 27, 10, tzinfo=UTC) + timedelta(days=day) for day in range(84)]
    files = [
        write_csv([{"report_id": f"r{day:%Y%m%d}", "reported_at": day.isoformat()} for day in week], f"{n}.csv")
        for n, week in enumerate(days[at : at + 7] for at in range(0, 84, 7))
    ]
    burst = [{"report_id": f"x{number}", "reported_at": days[-1].isoformat()} for number in range(60)]
    run = ["ingest", "--quiet", "--home", str(home.path), *map(str, files)]
    assert main(run) == 0
    assert main([*run, str(write_csv(burst, "burst.csv"))]) == 0
    published = ask(
        "SELECT method, observed, status FROM weekly_signals WHERE series = 'all' AND week = '2026-W42' ORDER BY 1",
        path=home.summaries,
    )
    assert published == [(f"EARS C{number}", 67, "alarm") for number in (1, 2)]
    tables = (
        "weekly_sources",
        "weekly_signals",
        "weekly_indicators",
        "weekly_nowcast",
        "alarm_episodes",
        "weekly_quality",
    )
    once = {table: ask(f"SELECT * FROM {table} ORDER BY ALL", path=home.summaries) for table in tables}
    assert all(once[table] for table in ("weekly_sources", "weekly_signals", "alarm_episodes"))
    for path in home.path.glob("*.duckdb*"):
        path.unlink()
    assert main([*run, str(home.path.parent / "burst.csv")]) == 0
    assert {table: ask(f"SELECT * FROM {table} ORDER BY ALL", path=home.summaries) for table in tables} == once
