"""weekly_signals: what each row says, on both sides of every rule, and that keeping old fits changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control

from pipelines.jobs.ingest import Outcome
from pipelines.settings import Settings, Source
from pipelines.signals import ears, farrington_flexible
from pipelines.signals.weekly_signals import update_signals
from schemas.pack import load_pack
from schemas.tables import create_sql, stored_tables

PACK = load_pack()
MONDAY = datetime.now(UTC).date() - timedelta(days=datetime.now(UTC).weekday())  # of the running week
INCOMPLETE, RUNNING, SHORT, FEW = "incomplete reporting", "running week", "short history", "too few cases"
SENDERS = Settings(sources=(Source("a"), Source("b")))

Rows = list[tuple[Any, ...]]


@dataclass
class Counts:
    """The tables that signals are judged from, filled by week; weeks count back from the last complete one, 0."""

    connection: duckdb.DuckDBPyConnection

    def week_start(self, back: int) -> date:
        return MONDAY - timedelta(weeks=back + 1)

    def cover(self, first: int, last: int, source: str = "a") -> None:
        """A file of a source whose reports range from week `first` to week `last`."""
        ends = (self.week_start(first), self.week_start(last) + timedelta(days=6))
        sql = "INSERT INTO files (source, status, first_report, last_report) VALUES (?, 'accepted', ?, ?)"
        self.connection.execute(sql, [source, *(datetime.combine(day, datetime.min.time(), UTC) for day in ends)])
        days = [self.week_start(first) + timedelta(days=day) for day in range((ends[1] - ends[0]).days + 1)]
        rows = [(day, f"week of {start}", start) for day in days for start in [day - timedelta(days=day.weekday())]]
        self.connection.executemany("INSERT INTO calendar VALUES (?, ?, ?)", rows)
        self.connection.execute("CREATE OR REPLACE TABLE calendar AS SELECT DISTINCT * FROM calendar")

    def add(self, back: int, reports: int, region: str = "north", level: str = "unresolved") -> None:
        row = [self.week_start(back), "a", region, "18-29", "female", level, level, "undetermined", "undetermined"]
        marks = ", ".join("?" * (len(row) + 2))
        self.connection.execute(f"INSERT INTO daily_summary VALUES ({marks})", [*row, reports, 0])

    def fill(self, counts: Mapping[int, int] | list[int], **kwargs: str) -> None:
        """A list is the last weeks, oldest first."""
        pairs = (
            counts.items() if isinstance(counts, Mapping) else zip(reversed(range(len(counts))), counts, strict=True)
        )
        for back, reports in pairs:
            self.add(back, reports, **kwargs)

    def forget(self, back: int) -> None:
        """No file covers the weeks before any more."""
        self.connection.execute("DELETE FROM calendar WHERE week_start < ?", [self.week_start(back)])

    def judge(self, settings: Settings | None = None) -> None:
        update_signals(self.connection, settings or Settings())

    def rows(self, what: str = "method, status, reason", series: str = "all", back: int = 0) -> Rows:
        sql = f"SELECT {what} FROM weekly_signals WHERE series = ? AND week_start = ? ORDER BY method"
        return self.connection.execute(sql, [series, self.week_start(back)]).fetchall()

    def everything(self) -> Rows:
        return self.connection.execute("FROM weekly_signals ORDER BY week_start, series, method").fetchall()


@pytest.fixture
def counts() -> Iterator[Counts]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for table in stored_tables(PACK):
            connection.execute(create_sql(table))
        causes = [(cause.category, cause.name, cause.label) for cause in PACK.causes]
        connection.executemany("INSERT INTO causes VALUES (?, ?, ?)", [*causes, ("undetermined",) * 3])
        yield Counts(connection)


def noise(mean: float, weeks: int, seed: int = 3) -> list[int]:
    return [int(value) for value in np.random.default_rng(seed).poisson(mean, weeks)]


def ears_rows(*statuses: str, reason: str | None = None) -> Rows:
    return [(f"EARS C{number}", status, reason) for number, status in enumerate(statuses, 1)]


NOT_JUDGED = ("not_evaluable",) * 3


def test_there_is_a_row_for_every_covered_week_series_and_method(counts: Counts) -> None:
    counts.cover(4, 0)
    counts.cover(8, 7)
    counts.add(0, 3, "south", "emergency")
    counts.add(4, 2, "north")
    counts.judge()
    found = counts.connection.execute("SELECT series, week_start, observed, method FROM weekly_signals").fetchall()
    named = {series for series, *_ in found}
    assert {"all", "region=south,triage_level=emergency", "region=north,triage_level=emergency"} <= named
    assert {f"triage_level={level}" for level in PACK_LEVELS} <= named
    assert {f"likely_cause={cause.name}" for cause in PACK.causes} <= named
    assert {f"cause_category={category.name}" for category in PACK.categories} <= named
    covered = {counts.week_start(back) for back in (8, 7, 4, 3, 2, 1, 0)}
    methods = {"EARS C1", "EARS C2", "EARS C3"}
    assert {row[1] for row in found} == covered, "weeks that no file covers are missing, not zero"
    assert len(found) == len(covered) * len(named) * len(methods)
    assert counts.rows("observed", "region=south,triage_level=emergency") == [(3,)] * 3
    assert counts.rows("observed", "region=south", back=4) == [(0,)] * 3


PACK_LEVELS = ("emergency", "contact_doctor", "unresolved", "self_care")


@pytest.mark.parametrize(
    ("history", "now", "expected"),
    [
        ([10] * 11, 10, ears_rows("none", "none", "none")),
        ([10] * 11, 11, ears_rows("none", "none", "none")),
        ([10] * 11, 12, ears_rows("alarm", "alarm", "alarm")),
        ([10] * 11, 0, ears_rows("none", "none", "none")),
        ([10] * 9 + [20, 10], 10, ears_rows("none", "none", "alarm")),
        ([10] * 6, 99, ears_rows(*NOT_JUDGED, reason=SHORT)),
        ([10] * 7, 99, [("EARS C1", "alarm", None), *ears_rows(*NOT_JUDGED, reason=SHORT)[1:]]),
    ],
)
def test_a_short_history_is_judged_by_ears(counts: Counts, history: list[int], now: int, expected: Rows) -> None:
    counts.cover(len(history), 0)
    counts.fill([*history, now])
    counts.judge()
    assert counts.rows() == expected
    assert counts.rows("p_value") == [(None,)] * 3
    assert counts.rows("upper")[2] == (None,), "C3 has no bound on the count"


def test_rows_carry_what_the_public_functions_say(counts: Counts) -> None:
    history = noise(12, 215)
    counts.cover(214, 0)
    counts.fill(history)
    counts.judge()
    weeks = pd.DatetimeIndex([counts.week_start(back) for back in reversed(range(215))])
    series = pd.Series(history, index=weeks, dtype=float)
    for back in (0, 3, 214 - 160):
        week = pd.Timestamp(counts.week_start(back))
        b = 4 if back < 5 else 3
        judged = farrington_flexible(series, weeks=[week], b=b).iloc[0]
        found = counts.rows("method, expected, upper, p_value", back=back)
        assert found == [(f"Farrington flexible, b={b}", *judged[["expected", "upper", "p_value"]])]
    week = pd.Timestamp(counts.week_start(100))
    for method, expected, upper in counts.rows("method, expected, upper", back=100)[:2]:
        judged = ears(series, method.split()[1]).loc[week]
        assert (expected, upper) == (judged["expected"], judged["upper"])


@pytest.mark.parametrize("years", [2, 3, 4, 5])
def test_the_years_of_history_choose_the_method(counts: Counts, years: int) -> None:
    weeks = round(years * 365.25 / 7)
    counts.cover(weeks, 0)
    counts.fill([*noise(20, weeks), 20])
    counts.judge()
    (first, *more) = counts.rows("method")
    assert first == (("EARS C1",) if years < 3 else (f"Farrington flexible, b={min(4, years)}",))
    assert len(more) == (2 if years < 3 else 0)
    if years == 3:
        assert counts.rows("method", back=2)[0] == ("EARS C1",), "a week short of three years"


@pytest.mark.parametrize(
    ("recent", "expected"),
    [
        ([9, 9, 9, 9], ("none", None)),
        ([9, 9, 9, 60], ("alarm", None)),
        ([1, 1, 1, 1], ("not_evaluable", FEW)),
        ([1, 1, 1, 2], ("none", None)),
    ],
)
def test_farrington_says_alarm_none_or_too_few_cases(
    counts: Counts, recent: list[int], expected: tuple[str, str | None]
) -> None:
    counts.cover(215, 0)
    counts.fill([*noise(9, 212), *recent])
    counts.judge()
    assert counts.rows("status, reason") == [expected]
    judged = counts.rows("p_value IS NULL, expected IS NULL, upper IS NULL")
    assert judged == [(expected[0] == "not_evaluable",) * 3]


def test_the_running_week_is_not_judged_and_the_one_before_is(counts: Counts) -> None:
    counts.cover(20, -1)
    counts.fill(dict.fromkeys(range(21), 5) | {-1: 90})
    counts.judge()
    assert counts.rows(back=-1) == ears_rows(*NOT_JUDGED, reason=RUNNING)
    assert counts.rows("observed", back=-1) == [(90,)] * 3
    assert counts.rows() == ears_rows("none", "none", "none")


@pytest.mark.parametrize(
    ("last_of_b", "settings", "expected"),
    [
        (0, SENDERS, ears_rows("alarm", "alarm", "alarm")),
        (1, SENDERS, ears_rows(*NOT_JUDGED, reason=INCOMPLETE)),
        (1, Settings(), ears_rows("alarm", "alarm", "alarm")),
        (1, Settings(sources=(Source("a"), Source("b", rhythm="none"))), ears_rows("alarm", "alarm", "alarm")),
        (1, Settings(sources=(Source("a"), Source("never_heard_of"))), ears_rows("alarm", "alarm", "alarm")),
    ],
    ids=["complete", "missing", "nothing expected", "no rhythm", "never delivered"],
)
def test_a_week_without_an_expected_source_is_incomplete(
    counts: Counts, last_of_b: int, settings: Settings, expected: Rows
) -> None:
    counts.cover(15, 0, "a")
    counts.cover(12, last_of_b, "b")
    counts.fill([5] * 15 + [50])
    counts.judge(settings)
    assert counts.rows() == expected
    assert counts.rows("status", back=4)[0] == ("none",), "before b began it was not expected"


def test_incomplete_and_missing_weeks_are_no_part_of_a_baseline(counts: Counts) -> None:
    counts.cover(30, 0, "a")
    counts.cover(30, 13, "b")
    counts.cover(11, 0, "b")
    counts.fill([8] * 31)
    counts.judge(SENDERS)
    assert counts.rows(back=12)[0][1:] == ("not_evaluable", INCOMPLETE)
    assert [counts.rows(back=back)[0][1:] for back in (11, 5)] == [("not_evaluable", SHORT)] * 2
    assert counts.rows(back=4)[0][1:] == ("none", None)


def test_alarms_are_ranked_by_strength_and_c3_comes_last(counts: Counts) -> None:
    counts.cover(20, 0)
    for region, now in (("weak", 12), ("strong", 90), ("calm", 10)):
        counts.fill([10] * 20 + [now], region=region)
    counts.judge()
    ranked = counts.connection.execute(
        """SELECT rank, series, method FROM weekly_signals
        WHERE week_start = ? AND rank IS NOT NULL ORDER BY rank""",
        [counts.week_start(0)],
    ).fetchall()
    assert [rank for rank, *_ in ranked] == list(range(1, len(ranked) + 1))
    order = [(series, method) for _, series, method in ranked if series.startswith("region=")]
    direct = [series for series, method in order if method != "EARS C3"]
    assert direct == ["region=strong"] * 2 + ["region=weak"] * 2
    assert [method for *_, method in ranked][-2:] == ["EARS C3"] * 2
    alarms = counts.connection.execute("SELECT count(*) FROM weekly_signals WHERE (status = 'alarm') <> (rank > 0)")
    assert alarms.fetchall() == [(0,)]


def test_the_false_discovery_rate_is_controlled_over_the_series_of_a_week(counts: Counts) -> None:
    counts.cover(158, 0)
    for number in range(30):
        recent = {0: 24, 1: 60}.get(number, 14)
        counts.fill([*noise(14, 158, seed=number), recent], region=f"r{number}")
    counts.judge()
    rows = counts.connection.execute(
        """SELECT series, observed > upper, status, p_value, rank FROM weekly_signals
        WHERE week_start = ? AND p_value IS NOT NULL ORDER BY p_value, rank""",
        [counts.week_start(0)],
    ).fetchall()
    adjusted = false_discovery_control([p_value for *_, p_value, _ in rows])
    wanted = [over and p_value <= 0.05 for (_, over, *_), p_value in zip(rows, adjusted, strict=True)]
    assert [status == "alarm" for _, _, status, *_ in rows] == wanted
    unadjusted = sum(over for _, over, *_ in rows)
    assert 0 < sum(wanted) < unadjusted
    assert [rank for *_, rank in rows if rank] == list(range(1, sum(wanted) + 1))


def test_keeping_old_fits_gives_what_judging_anew_gives(counts: Counts) -> None:
    counts.cover(160, 1)
    counts.fill(noise(9, 161)[:-1], region="south")
    counts.fill(noise(4, 161, seed=9)[:-1], region="north", level="emergency")
    counts.judge()
    changes: list[Callable[[], None]] = [
        lambda: counts.add(20, 30, "north", "emergency"),
        lambda: (counts.cover(1, 0), counts.add(0, 25, "south"))[0],
        lambda: counts.add(3, 2, "nowhere yet"),
        lambda: counts.cover(164, 161),
    ]
    for change in changes:
        change()
        counts.judge()
        kept = counts.everything()
        counts.connection.execute("DELETE FROM state")
        counts.connection.execute("DELETE FROM weekly_signals")
        counts.judge()
        assert kept == counts.everything()


def test_no_fit_is_kept_when_the_years_of_history_are_others(counts: Counts) -> None:
    counts.cover(211, 0)
    counts.fill(noise(9, 212))
    counts.judge()
    assert counts.rows("method") == [("Farrington flexible, b=4",)]
    four_years = counts.rows("expected")
    counts.forget(205)
    counts.judge()
    assert counts.rows("method") == [("Farrington flexible, b=3",)]
    assert counts.rows("expected") != four_years


def test_nothing_is_judged_again_while_nothing_changed(counts: Counts) -> None:
    counts.cover(160, 0)
    counts.fill(noise(9, 161))
    counts.judge()
    before = counts.everything()
    counts.connection.execute("UPDATE weekly_signals SET expected = -1 WHERE series = 'all'")
    counts.judge()
    marked = "expected = -1", "all"
    assert all(row == (True,) for back in (0, 100) for row in counts.rows(*marked, back=back))
    counts.add(0, 1)
    counts.judge()
    assert counts.rows(*marked) == [(False,)]
    assert counts.rows(*marked, back=1) == [(True,)], "a fit of earlier weeks is kept"
    assert len(counts.everything()) == len(before)


def test_no_covered_week_gives_no_row(counts: Counts) -> None:
    counts.judge()
    assert counts.everything() == []


def test_four_hundred_regions(counts: Counts) -> None:
    counts.cover(30, 0)
    counts.connection.execute("""INSERT INTO daily_summary BY NAME
        SELECT day AS report_date, 'a' AS source, 'r' || region AS region, 'unknown' AS age_band, 'unknown' AS sex,
          'emergency' AS triage_level, 'emergency' AS triage_ceiling, 'undetermined' AS cause_category,
          'undetermined' AS likely_cause, 5 AS reports, 0 AS severe_pain
        FROM (SELECT DISTINCT week_start AS day FROM calendar), range(400) AS regions (region)""")
    counts.judge()
    assert counts.rows("observed, status") == [(2000, "none")] * 3
    assert counts.rows("observed, status", "region=r399,triage_level=emergency") == [(5, "none")] * 3


def test_a_run_fills_the_published_table(
    write_csv: Callable[..., Path], ingest: Callable[..., list[Outcome]], ask: Callable[..., Rows], home: Any
) -> None:
    days = [datetime(2026, 7, 27, tzinfo=UTC) + timedelta(days=day) for day in range(84)]
    rows = [{"report_id": f"r{number}", "reported_at": day.isoformat()} for number, day in enumerate(days)]
    burst = [{"report_id": f"x{number}", "reported_at": days[-1].isoformat()} for number in range(60)]
    ingest(write_csv(rows + burst))
    published = ask(
        "SELECT method, observed, status FROM weekly_signals WHERE series = 'all' AND week = '2026-W42' ORDER BY 1",
        path=home.summaries,
    )
    assert published == [(f"EARS C{number}", 67, "alarm") for number in (1, 2, 3)]


@pytest.mark.parametrize(("quiet_weeks", "begins_anew"), [(12, False), (13, True), (200, True)])
def test_a_row_with_a_wrong_year_makes_no_years_of_zeros(counts: Counts, quiet_weeks: int, begins_anew: bool) -> None:
    first = 12 + quiet_weeks
    counts.cover(first, 0)
    counts.fill({first: 1, **dict.fromkeys(range(12), 30)})
    counts.judge()
    assert (counts.rows("method, reason", back=5)[0] == ("EARS C1", "short history")) == begins_anew
    assert counts.rows("method, status, expected")[:2] == [("EARS C1", "none", 30.0), ("EARS C2", "none", 30.0)]
