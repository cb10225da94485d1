"""Families, duplicates, laws, comparable senders, trends and episodes: each against a slow obvious account."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as rules_of_search
from hypothesis import strategies as st
from scipy import stats

from pipelines.signals.comparable import History, compute_reported_shares, fill_baseline, find_comparable_senders
from pipelines.signals.ears_law import expect_next, pool_phi
from pipelines.signals.episodes import Episode, JudgedWeek, Note, add_notes, find_episodes
from pipelines.signals.families import adjust_p_values, compute_fingerprints, find_ears_alarms, find_same_reports
from pipelines.signals.judging import SeriesWeeks, judge_weeks
from pipelines.signals.laws import quantiles, upper_tail
from pipelines.signals.trend import find_trends
from tests.support.drawing import examples

MONDAY = date(2026, 1, 5)


# laws


@pytest.mark.parametrize(("mean", "variance"), [(0.2, 0.3), (5, 5), (20, 45.5), (400, 400), (1 / 7, 8 / 49)])
def test_tails_and_quantiles_are_those_of_scipy(mean: float, variance: float) -> None:
    size = mean**2 / (variance - mean) if variance > mean else 0
    law = stats.nbinom(size, mean / variance) if size else stats.poisson(mean)
    counts = np.arange(0, 60)
    assert upper_tail(counts, mean, variance) == pytest.approx(law.sf(counts - 1), rel=1e-9)
    assert [float(quantiles(q, mean, variance)) for q in (0.025, 0.975)] == [law.ppf(0.025), law.ppf(0.975)]
    above = counts > float(quantiles(0.975, mean, variance))
    assert (above == (upper_tail(counts, mean, variance) <= 0.025)).all(), "a range never contradicts its p-value"


@rules_of_search(max_examples=100, deadline=None)
@given(st.floats(1e-3, 1e5), st.floats(1, 20), st.floats(0.001, 0.999))
def test_quantiles_are_those_of_scipy(mean: float, spread: float, probability: float) -> None:
    variance = mean * spread
    law = stats.nbinom(mean / (spread - 1), 1 / spread) if variance > mean * (1 + 1e-9) else stats.poisson(mean)
    assert float(quantiles(probability, mean, variance)) == law.ppf(probability)


def test_of_a_mean_of_zero_every_quantile_is_zero() -> None:
    assert quantiles(0.975, [0.0, np.nan, 3.0], [0.0, np.nan, 3.0]).tolist()[::2] == [0, stats.poisson(3).ppf(0.975)]


def test_what_is_not_known_stays_unknown() -> None:
    assert np.isnan(upper_tail([1.0, np.nan], [np.nan, 2.0], [np.nan, 2.0])).all()
    assert np.isnan(quantiles(0.5, [np.nan], [np.nan])).all()


# families


@rules_of_search(max_examples=examples(100), deadline=None)
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=30))
def test_adjusted_p_values_are_those_of_scipy(p_values: list[float]) -> None:
    values = np.array([*p_values, np.nan])
    adjusted = adjust_p_values(values)
    assert adjusted[:-1] == pytest.approx(stats.false_discovery_control(p_values, method="bh"))
    assert np.isnan(adjusted[-1])


def test_series_with_the_same_reports_are_one_test_until_they_part() -> None:
    counts = np.zeros((3, 2, 3))
    counts[:, :, 0] = counts[:, :, 2] = [[1, 2], [3, 4], [5, 6]]
    counts[2, 0, 2] = 9
    counts[:, :, 1] = counts[:, ::-1, 0]  # the same sums, of other senders
    names = ["likely_cause=x", "region=north", "cause_category=y"]
    marks = compute_fingerprints(counts)
    assert [find_same_reports(marks[week], names).tolist() for week in range(3)] == [[2, 1, 2], [2, 1, 2], [0, 1, 2]]


def test_two_series_stand_for_themselves_and_all_others_are_one_family() -> None:
    names = ["all", "triage_level=emergency", "region=a", "region=b", "region=c", "region=d"]
    stands = np.array([0, 1, 0, 3, 4, 4])
    p_values = np.array([[0.005, 0.006, 1e-9, 0.012, 0.5, 0.5], [0.9, 0.9, 0.9, 0.9, 0.9, 0.9]])
    found = find_ears_alarms(p_values, names, stands)
    assert found[0].tolist() == [True, False, False, True, False, False], "of four tests, 0.05 / 4 is the first bound"
    p_values[0, 3] = 0.013
    assert not find_ears_alarms(p_values, names, stands)[0, 3]


def test_what_was_above_its_range_the_week_before_is_looked_at_again_among_its_like() -> None:
    names, stands = [f"region={place}" for place in range(40)], np.arange(40)
    p_values = np.full((2, 40), 0.5)
    p_values[:, [0, 1]] = [[0.02], [0.004]]
    none = np.zeros(40, dtype=bool)
    assert not find_ears_alarms(p_values, names, stands, none).any(), "0.004 is no alarm among 80 tests"
    above = none.copy()
    above[0] = True
    found = find_ears_alarms(p_values, names, stands, above)
    assert np.argwhere(found).tolist() == [[1, 0]], "alone among its like it is one, by the last method"
    above[:3] = True
    assert np.argwhere(find_ears_alarms(p_values, names, stands, above)).tolist() == [[1, 0], [1, 1]], "0.01 * 2 / 3"
    p_values[1, 1] = 0.5
    assert not find_ears_alarms(p_values, names, stands, above).any(), "of three tests, 0.01 / 3 is the first bound"
    p_values[0, 9] = 0.0006
    assert not find_ears_alarms(p_values, names, stands, above).any(), "0.04 / 80 is left for the first look"
    assert np.argwhere(find_ears_alarms(p_values, names, stands)).tolist() == [[0, 9]], "of the days: no second look"


@pytest.mark.parametrize(("before", "alarms"), [(20, []), (31, [("EARS C2", "region=0")])])
def test_a_rise_that_goes_on_is_found_by_the_second_look_of_a_judged_week(before: int, alarms: list[Any]) -> None:
    counts = np.random.default_rng(4).integers(18, 23, size=(30, 40)).astype(float)
    counts[-2:, 0] = before, 34
    names = ["all", *(f"region={place}" for place in range(40))]
    history = History(np.c_[counts.sum(axis=1), counts][:, None], np.ones((30, 1), dtype=bool), 0)
    starts = [MONDAY + timedelta(weeks=week) for week in range(30)]
    weeks = SeriesWeeks(starts, list(map(str, starts)), names, history, [29], frozenset(), [["a"]] * 30, ["a"])
    rows, _ = judge_weeks(weeks, {}, 5)
    found = rows[rows["status"] == "alarm"]
    assert list(zip(found["method"], found["series"], strict=True)) == alarms


# dispersion


@rules_of_search(max_examples=examples(60), deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 45), st.integers(1, 4), st.sampled_from([1, 3]))
def test_pooled_phi_equals_a_loop(seed: int, weeks: int, series: int, gap: int) -> None:
    rng = np.random.default_rng(seed)
    squares = rng.gamma(0.5, 3, size=(weeks, series))
    squares[rng.random(weeks) < 0.3] = np.nan
    found = pool_phi(squares, gap)
    for week in range(weeks):
        used = [row for row in squares[: max(week - gap + 1, 0)] if not np.isnan(row[0])][-26:]
        prior = max(1, float(np.median([np.mean([row[k] for row in used]) for k in range(series)]))) if used else 1
        for k in range(series):
            wanted = max(1, (sum(row[k] for row in used) + 6 * prior) / (len(used) + 6)) if used else 1
            assert found[week, k] == pytest.approx(wanted)


# a line through the baseline


@given(st.lists(st.integers(0, 60), min_size=7, max_size=7), st.sampled_from([1, 3]))
@example([100, 110, 120, 130, 140, 150, 160], 1)
@example([160, 150, 140, 130, 120, 110, 100], 3)
@example([0] * 7, 1)
def test_a_line_is_followed_only_where_scipy_finds_it_clear_and_only_within_its_weeks(
    counts: list[int], gap: int
) -> None:
    found = float(expect_next(np.array(counts, dtype=float)[:, None], gap)[0])
    mean, line = float(np.mean(counts)), stats.linregress(range(7), counts)
    poisson = np.sqrt(max(mean, 1 / 7) / 28)
    clear = abs(line.slope) > stats.t.ppf(0.995, 5) * max(line.stderr, poisson)
    ahead = min(max(line.intercept + line.slope * (6 + gap), min(counts)), max(counts))
    assert found == pytest.approx(max(ahead if clear else mean, 1 / 7))


# comparable senders


@rules_of_search(max_examples=examples(60), deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from([1, 3]), st.floats(0.3, 1))
def test_comparable_senders_and_filled_baselines_equal_a_loop(seed: int, senders: int, gap: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    whole = rng.random((30, senders)) < share
    counts = rng.poisson(rng.uniform(0, 30, senders)[:, None], size=(30, senders, 2)).astype(float)
    history = History(counts, whole, 0)
    for place in range(30):
        window = [week for week in range(place - 17, place - 2) if week >= 0]
        chosen = [s for s in range(senders) if whole[place, s] and sum(whole[week, s] for week in window) >= 5]
        flags = find_comparable_senders(whole, place)
        assert np.flatnonzero(flags).tolist() == chosen
        if chosen:
            assert_same_baseline(fill_baseline(history, flags, place, gap), history, chosen, (place, gap))


def assert_same_baseline(found: Any, history: History, chosen: list[int], of: tuple[int, int]) -> None:
    place, gap = of
    window = [week for week in range(place - gap - 14, place - gap + 1) if week >= 0]
    mean = {s: _own_mean(history, s, window) for s in chosen}
    usual = {s: mean[s][0] for s in chosen}
    if not sum(usual.values()):
        usual = dict.fromkeys(chosen, 1.0)
    enough = [
        week
        for week in window
        if sum(usual[s] for s in chosen if history.whole[week, s]) >= 0.5 * sum(usual.values()) - 1e-12
    ]
    if len(enough) < 7:
        assert found is None
        return
    wanted = [
        sum(history.counts[week, s] if history.whole[week, s] else mean[s] for s in chosen) for week in enough[-7:]
    ]
    assert found == pytest.approx(np.array(wanted))


def _own_mean(history: History, sender: int, window: list[int]) -> Any:
    own = [history.counts[week, sender] for week in window if history.whole[week, sender]]
    return np.mean(own, axis=0) if own else np.zeros(history.counts.shape[2])


def test_the_share_of_the_usual_reports_is_that_of_the_senders_that_reported() -> None:
    counts = np.full((20, 2, 1), 30.0)
    counts[:, 1] = 10
    whole = np.ones((20, 2), dtype=bool)
    whole[4, 0] = whole[5, 1] = False
    shares = compute_reported_shares(History(counts, whole, 0), np.array([True, True]), 19)
    assert shares[[3, 4, 5]] == pytest.approx([1, 0.25, 0.75])


# trend


@rules_of_search(max_examples=examples(100), deadline=None)
@given(st.lists(st.integers(0, 80), min_size=4, max_size=4))
def test_the_trend_is_that_of_a_poisson_regression(counts: list[int]) -> None:
    if not sum(counts):
        assert find_trends(np.array(counts, dtype=float)[:, None], np.ones(1)) == ["steady"]
        return
    weeks, values = np.arange(4) - 1.5, np.array(counts, dtype=float)

    def likelihood(slope: float) -> float:
        share = np.exp(slope * weeks)
        return float((values * np.log(share / share.sum())).sum())

    grid = np.linspace(-8, 8, 4001)
    fits = [likelihood(slope) for slope in grid]
    ratio = 2 * (max(fits) - likelihood(0))
    if abs(ratio - stats.chi2.ppf(0.95, 1)) < 0.02:
        return  # on the boundary, where a grid does not tell
    wanted = "steady" if ratio < stats.chi2.ppf(0.95, 1) else "rising" if grid[np.argmax(fits)] > 0 else "falling"
    assert find_trends(values[:, None], np.ones(1)) == [wanted]


def test_a_scattered_series_needs_more_to_be_called_rising() -> None:
    counts = np.array([[20, 26, 33, 40.0]]).T
    assert find_trends(counts, np.array([1.0])) == ["rising"]
    assert find_trends(counts, np.array([3.0])) == ["steady"]


# episodes

found_weeks = st.lists(st.sampled_from([None, False, False, True]), max_size=25)


def judged_weeks(alarms: list[bool | None], counts: list[int] | None = None) -> list[JudgedWeek]:
    return [
        JudgedWeek(MONDAY + timedelta(weeks=week), alarm, counts[week] if counts else 10 + week)
        for week, alarm in enumerate(alarms)
    ]


def spans(episodes: list[Episode]) -> list[tuple[int, int, int, str]]:
    return [((e.first_start - MONDAY).days // 7, (e.last_start - MONDAY).days // 7, e.weeks, e.state) for e in episodes]


@rules_of_search(max_examples=examples(200), deadline=None)
@given(found_weeks)
def test_episodes_equal_a_tiny_state_machine(alarms: list[bool | None]) -> None:
    machine: list[list[Any]] = []
    quiet = 99
    judged = [week for week, alarm in enumerate(alarms) if alarm is not None]
    for week in judged:
        if alarms[week]:
            if quiet >= 2:
                machine.append([week, week, 0, "new"])
            machine[-1][1], machine[-1][2], quiet = week, machine[-1][2] + 1, 0
        else:
            quiet += 1
        if machine:
            latest = machine[-1]
            latest[3] = "over" if quiet >= 2 else "new" if latest[0] == week else "continuing"
        for earlier in machine[:-1]:
            earlier[3] = "over"
    assert spans(find_episodes("s", judged_weeks(alarms))) == [tuple(row) for row in machine]


def test_an_episode_ends_after_two_judged_weeks_and_weeks_that_cannot_be_judged_do_not_count() -> None:
    assert spans(find_episodes("s", judged_weeks([True, False, True, False]))) == [(0, 2, 2, "continuing")]
    assert spans(find_episodes("s", judged_weeks([True, False, None, False]))) == [(0, 0, 1, "over")]
    assert spans(find_episodes("s", judged_weeks([True, None, None, False]))) == [(0, 0, 1, "continuing")]
    assert spans(find_episodes("s", judged_weeks([False, True]))) == [(1, 1, 1, "new")]


def note(action: str, week: int, reports: int = 0, series: str = "s") -> Note:
    start = MONDAY + timedelta(weeks=week)
    return Note(datetime(2026, 1, 1, tzinfo=UTC), "lead", action, series, start, start, reports, f"{action} {week}")


def noted(alarms: list[bool | None], counts: list[int], *notes: Note) -> list[tuple[str, str | None]]:
    found = add_notes(find_episodes("s", judged_weeks(alarms, counts)), notes)
    return [(episode.state, episode.note and episode.note.text) for episode in found]


def test_a_closed_alarm_stays_closed_until_it_has_twice_its_count_or_is_over() -> None:
    close = note("close", 0, 30)
    assert noted([True, True], [30, 59], close) == [("closed", "close 0")]
    assert noted([True, True], [30, 60], close) == [("new", "close 0")], "it has risen"
    assert noted([True, True, False], [30, 60, 9], close) == [("continuing", "close 0")], "it rose a week ago"
    assert noted([True, True, True], [30, 60, 70], close) == [("continuing", "close 0")], "so it did here"
    again = note("close", 1, 60)
    assert noted([True, True, True], [30, 60, 119], close, again) == [("closed", "close 1")]
    assert noted([True, True, True], [30, 60, 120], close, again) == [("new", "close 1")]
    assert noted([True, True], [30, 40], close, note("reopen", 1, 40)) == [("continuing", "reopen 1")]
    assert noted([True, False, False], [30, 9, 9], close) == [("over", "close 0")]


def test_a_note_is_found_again_when_the_weeks_of_its_alarm_move_but_not_on_the_next_alarm() -> None:
    assert noted([False, True, True], [9, 30, 30], note("note", 0)) == [("continuing", "note 0")]
    assert noted([False, False, False, True], [9] * 4, note("note", 0)) == [("new", None)]
    assert noted([True], [30], note("note", 0, series="another")) == [("new", None)]
