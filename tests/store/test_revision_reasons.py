"""Why a published week differs from what is known now: histories by hand and at random, against a plain account."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.revision_histories import History, Version

LATE, CORRECTED, WITHDRAWN, PACK = "late records", "corrected records", "withdrawn file", "another rule pack"


def version(
    week: int = 0, level: str = "self_care", region: str | None = "north", day: int = 3, after: str = ""
) -> Version:
    return Version(week, day, level, region, "cramp", after or level)


def reports(*names: str, **said: object) -> Mapping[str, Version]:
    return {name: version(**said) for name in names}  # type: ignore[arg-type]


def said(history: History) -> dict[tuple[int, str], tuple[int | None, int | None, str]]:
    """What the product says, which must be the plain account."""
    found = history.revisions()
    assert found == history.account()
    return {(int(week.split()[1]), name): row for (week, name), row in found.items()}


@pytest.fixture
def history() -> History:
    """Ten reports of a clinic in each of two weeks."""
    history = History()
    names = [f"r{place}" for place in range(10)]
    history.deliver("clinic", reports(*names) | reports(*[f"s{name}" for name in names], week=1))
    return history


def test_a_correction_that_was_known_when_the_week_was_frozen_explains_nothing(history: History) -> None:
    history.deliver("clinic", reports("r1", region="south"))
    history.freeze(0)
    history.deliver("clinic", reports("new", region="south"))
    found = said(history)
    assert found[0, "region=south"] == (1, 2, LATE)
    assert found[0, "all"] == (10, 11, LATE)
    assert (0, "region=north") not in found


def test_a_record_corrected_before_and_after_is_a_correction(history: History) -> None:
    history.deliver("clinic", reports("r1", region="south"))
    history.freeze(0)
    history.deliver("clinic", reports("r1", region="west"))
    assert said(history) == {(0, "region=south"): (1, 0, CORRECTED), (0, "region=west"): (0, 1, CORRECTED)}


def test_two_frozen_weeks_change_in_different_ways(history: History) -> None:
    history.freeze(0)
    history.deliver("clinic", reports("r1", level="emergency"))
    history.freeze(1)
    history.deliver("clinic", reports("late", week=1))
    found = said(history)
    assert {reason for (week, _), (*_, reason) in found.items() if week == 0} == {CORRECTED}
    assert {reason for (week, _), (*_, reason) in found.items() if week == 1} == {LATE}


def test_what_a_week_knew_is_new_to_the_week_that_was_frozen_before_it(history: History) -> None:
    history.freeze(0)
    history.deliver("clinic", reports("late") | reports("too", week=1))
    history.freeze(1)
    found = said(history)
    assert {week for week, _ in found} == {0}
    assert found[0, "all"] == (10, 11, LATE)


def test_a_report_moved_from_one_frozen_week_to_another(history: History) -> None:
    history.freeze(0)
    history.freeze(1)
    history.deliver("clinic", reports("r1", week=1))
    found = said(history)
    assert found[0, "all"] == (10, 9, CORRECTED)
    assert found[1, "all"] == (10, 11, CORRECTED)


def test_a_late_record_and_a_withdrawal_in_different_regions_of_one_week(history: History) -> None:
    wrong = history.deliver("ward", reports("a", "b", region="south"))
    history.freeze(0)
    history.deliver("clinic", reports("late", region="north"))
    history.withdraw(wrong)
    found = said(history)
    assert found[0, "region=north"] == (10, 11, LATE)
    assert found[0, "region=south"] == (2, 0, WITHDRAWN)
    assert found[0, "all"] == (12, 11, f"{LATE}, {WITHDRAWN}")


def test_a_withdrawal_before_the_report_explains_nothing(history: History) -> None:
    history.withdraw(history.deliver("ward", reports("a")))
    history.freeze(0)
    history.deliver("clinic", reports("late"))
    assert {reason for *_, reason in said(history).values()} == {LATE}


def test_a_published_series_that_no_longer_exists_is_zero_and_of_a_week_no_longer_covered_unknown(
    history: History,
) -> None:
    wrong = history.deliver("ward", reports("a", week=2) | reports("b", region="south"))
    history.freeze(0)
    history.freeze(2)
    history.withdraw(wrong)
    found = said(history)
    assert found[0, "region=south"] == (1, 0, WITHDRAWN)
    assert found[2, "all"] == (1, None, WITHDRAWN)
    assert found[2, "region=north"] == (1, None, WITHDRAWN)


def test_another_pack_explains_levels_alone_and_none_that_were_frozen_under_it(history: History) -> None:
    history.deliver("ward", {"a": version(after="emergency"), "b": version(week=1, after="emergency")})
    history.freeze(0)
    history.retag()
    history.freeze(1)
    found = said(history)
    assert {week for week, _ in found} == {0}
    assert found[0, "triage_level=emergency"] == (0, 1, PACK)
    assert found[0, "region=north,triage_level=emergency"] == (0, 1, PACK)
    assert (0, "all") not in found


def test_equal_contents_of_two_senders_are_told_apart(history: History) -> None:
    first = {"r1": version(region="south"), "x": version()}
    history.deliver("ward", {"r1": version(region="south")})
    history.freeze(0)
    history.deliver("clinic", first, "same")
    history.deliver("ward", first, "same")
    found = said(history)
    assert found[0, "region=south"] == (1, 2, CORRECTED)
    assert found[0, "region=north"] == (10, 11, f"{LATE}, {CORRECTED}")
    assert found[0, "all"] == (11, 13, f"{LATE}, {CORRECTED}")


@pytest.mark.parametrize("day", [0, 6])
def test_the_first_and_the_last_day_of_a_week_are_its_own(history: History, day: int) -> None:
    history.freeze(0)
    history.freeze(1)
    history.deliver("clinic", reports("late", week=1, day=day))
    found = said(history)
    assert {week for week, _ in found} == {1}
    assert found[1, "all"] == (10, 11, LATE)


LEVELS = st.sampled_from(["emergency", "self_care", "unresolved"])
VERSIONS = st.builds(
    Version,
    st.integers(0, 2),
    st.sampled_from([0, 3, 6]),
    LEVELS,
    st.sampled_from(["north", "south", None]),
    st.sampled_from(["cramp", None]),
    LEVELS,
)
SAID = st.dictionaries(st.sampled_from("abcdef"), VERSIONS, min_size=1, max_size=4)
DEEDS = st.one_of(
    st.tuples(st.just("deliver"), st.sampled_from(["clinic", "ward"]), SAID),
    st.tuples(st.just("deliver"), st.sampled_from(["clinic", "ward"]), SAID),
    st.tuples(st.just("both"), SAID),
    st.tuples(st.just("freeze"), st.integers(0, 2)),
    st.tuples(st.just("withdraw"), st.integers(1, 5)),
    st.tuples(st.just("retag")),
)


def played(deeds: list[tuple[object, ...]]) -> History:
    history = History()
    for name, *values in deeds:
        if name == "both":  # the same bytes from two senders
            for source in ("clinic", "ward"):
                history.deliver(source, values[0], f"both{history.moment // 2}-{len(deeds)}")  # type: ignore[arg-type]
        else:
            getattr(history, str(name))(*values)
    return history


def check(deeds: list[tuple[object, ...]]) -> None:
    history = played(deeds)
    assert history.revisions() == history.account()


HISTORIES = st.tuples(st.lists(DEEDS, max_size=3), st.integers(0, 1), st.lists(DEEDS, min_size=2, max_size=8)).map(
    lambda parts: [*parts[0], ("deliver", "clinic", {}), ("freeze", parts[1]), *parts[2]]
)


@settings(max_examples=25)
@given(HISTORIES)
def test_histories_at_random(deeds: list[tuple[object, ...]]) -> None:
    check(deeds)


@pytest.mark.slow
@settings(max_examples=400)
@given(HISTORIES)
def test_many_more_histories_at_random(deeds: list[tuple[object, ...]]) -> None:
    check(deeds)
