"""What to ask: every answer leads where the slow evaluator finds it, and no smaller set of answers settles a record."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from pipelines.explain.questions import format_answer, list_questions, plan_questions
from pipelines.rules.formulas import Space
from pipelines.rules.solver import find_model
from schemas.pack import Pack
from schemas.pack_file import load_pack
from tests.rules.test_compiler import SHIPPED, answers, packs, random_records, thoroughly
from tests.rules.test_own_fields import WRIST
from tests.rules.test_solver import tiny_packs
from tests.support import kleene
from tests.support.drawing import examples
from tests.support.kleene import Answers

WRISTS = load_pack(WRIST)
WORDS: dict[Any, str] = {True: "yes", False: "no"}


def missing(pack: Pack, record: Answers) -> list[str]:
    return kleene.tags(pack, record).missing_answers


def levels(pack: Pack, record: Answers) -> tuple[str, str]:
    found = kleene.tags(pack, record)
    return found.triage_level, found.triage_ceiling


def possible(pack: Pack, name: str) -> tuple[Any, ...]:
    """Every answer to a question."""
    if name in pack.numbers:
        smallest, largest = pack.numbers[name]
        return tuple(range(smallest, min(largest, 50) + 1))  # no condition here names a larger number
    return pack.choices.get(name, (True, False))


def assert_each_answer_leads_there(pack: Pack, space: Space, record: Answers) -> None:
    found = list_questions(pack, space, record, missing(pack, record))
    assert [question["field"] for question in found] == missing(pack, record)
    for question in found:
        name, led = question["field"], question["answers"]
        for value in possible(pack, name):
            (answer,) = [answer for answer in led if _says(answer["answer"], value)]
            assert (answer["triage_level"], answer["triage_ceiling"]) == levels(pack, {**record, name: value})
            assert answer["settles"] == (answer["triage_level"] == answer["triage_ceiling"])
        assert question["settles"] == any(answer["settles"] for answer in led)


def _says(shown: str, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int):
        return shown == WORDS.get(value, value)
    first, _, last = shown.partition("-")
    return int(first) <= value <= int(last or first)


@settings(thoroughly, max_examples=examples(60))
@given(packs(), answers)
def test_each_answer_leads_where_the_slow_evaluator_finds_it(pack: Pack, record: Answers) -> None:
    assert_each_answer_leads_there(pack, Space(pack), record)


@pytest.mark.parametrize("pack", [SHIPPED, WRISTS], ids=lambda pack: pack.name)
def test_each_answer_leads_there_in_packs_as_they_are_written(pack: Pack) -> None:
    space = Space(pack)
    for record in records_of(pack, 60):
        assert_each_answer_leads_there(pack, space, record)


def records_of(pack: Pack, count: int) -> Iterator[Answers]:
    """Random records, with a choice or a number of the pack's own now known and now not."""
    for place, record in enumerate(random_records(pack, count)):
        offered = {name: (None, *few_of(pack, name)) for name in pack.columns}
        yield {**record, **{name: values[place % len(values)] for name, values in offered.items()}}


def few_of(pack: Pack, name: str) -> tuple[Any, ...]:
    """Every answer that is no number; of numbers those around every boundary here."""
    if name in pack.numbers:
        return tuple(number for number in (0, 4, 5, 7, 12, 14, 20, 21) if number <= pack.numbers[name][1])
    return possible(pack, name)


def floor(pack: Pack, record: Answers) -> str:
    """The level that is left when every level above is ruled out."""
    level, _ = levels(pack, record)
    return "self_care" if level == "unresolved" else level


def ruled_out(pack: Pack, record: Answers, count: int) -> bool:
    """Whether some answers to that many of the missing questions rule out every level above: tries every one."""
    for names in itertools.combinations(missing(pack, record), count):
        for values in itertools.product(*(few_of(pack, name) for name in names)):
            answered = {**record, **dict(zip(names, values, strict=True))}
            if levels(pack, answered) == (floor(pack, record),) * 2:
                return True
    return False


def assert_fewest(pack: Pack, space: Space, record: Answers) -> None:
    found = plan_questions(pack, space, record, missing(pack, record))["rule_out"]
    if found is None:
        assert not any(ruled_out(pack, record, count) for count in range(1, 4))
        return
    given = {name: _value(pack, name, answer) for name, answer in found["answers"].items()}
    assert len(given) == found["count"]
    assert set(given) <= set(missing(pack, record))
    assert levels(pack, {**record, **given}) == (found["triage_level"],) * 2 == (floor(pack, record),) * 2
    assert not any(ruled_out(pack, record, count) for count in range(1, min(found["count"], 3)))


def _value(pack: Pack, name: str, answer: str) -> Any:
    if name in pack.numbers:
        return int(answer.partition("-")[0])
    return answer if name in pack.choices else answer == "yes"


@settings(thoroughly, max_examples=examples(60))
@given(tiny_packs(), answers)
def test_no_fewer_answers_can_rule_out_every_level_above(pack: Pack, record: Answers) -> None:
    if missing(pack, record):
        assert_fewest(pack, Space(pack), record)


@pytest.mark.slow
@pytest.mark.parametrize("pack", [SHIPPED, WRISTS], ids=lambda pack: pack.name)
def test_no_fewer_answers_can_rule_out_every_level_above_of_a_pack_as_it_is_written(pack: Pack) -> None:
    space = Space(pack)
    unsettled = [record for record in records_of(pack, 120) if missing(pack, record)]
    assert len(unsettled) > 20
    for record in unsettled:
        assert_fewest(pack, space, record)


ALL_NO = dict.fromkeys(SHIPPED.field_names, False) | {"pain_score": 3, "duration_days": 2}
TWO_NEEDED = {"calf_swelling": None, "shortness_of_breath": None}
FOUR_SIGNS = dict.fromkeys(("redness", "warmth", "fever"), None) | {"calf_swelling": True, "pain_after_sitting": True}


@pytest.mark.parametrize(
    ("unknown", "count", "level", "at_once"),
    [
        ({"sensation_loss": None}, 1, "self_care", ["sensation_loss yes", "sensation_loss no"]),
        ({"cooler_leg": None, "paler_leg": None}, 1, "self_care", ["cooler_leg no", "paler_leg no"]),
        ({"cooler_leg": True, "paler_leg": None}, 1, "self_care", ["paler_leg yes", "paler_leg no"]),
        (TWO_NEEDED, 1, "self_care", ["shortness_of_breath no"]),
        (FOUR_SIGNS, 1, "contact_doctor", ["redness no", "warmth no", "fever no"]),
        ({"redness": True, "warmth": True, "fever": True, **TWO_NEEDED}, 1, "contact_doctor", ["calf_swelling yes"]),
    ],
)
def test_the_two_short_lists_in_words(unknown: dict[str, Any], count: int, level: str, at_once: list[str]) -> None:
    record = ALL_NO | unknown
    found = plan_questions(SHIPPED, Space(SHIPPED), record, missing(SHIPPED, record))
    assert (found["rule_out"]["count"], found["rule_out"]["triage_level"]) == (count, level)
    assert {f"{each['field']} {each['answer']}" for each in found["settle_at_once"]} >= set(at_once)


def test_questions_come_by_the_highest_open_level_and_then_by_how_few_answers_decide() -> None:
    blank: Answers = dict.fromkeys(SHIPPED.askable)
    found = plan_questions(SHIPPED, Space(SHIPPED), blank, missing(SHIPPED, blank))["missing_answers"]
    assert found[0] == "cannot_bear_weight"
    assert set(found[1:4]) == {"calf_swelling", "leg_swelling", "shortness_of_breath"}
    assert set(found[4:7]) == {"redness", "warmth", "fever"}
    assert found[-1] == "tenderness"


def test_neighbouring_numbers_that_lead_to_the_same_are_one_answer() -> None:
    record = ALL_NO | {"pain_score": None}
    (question,) = list_questions(SHIPPED, Space(SHIPPED), record, ["pain_score"])
    found = [(answer["answer"], answer["triage_level"]) for answer in question["answers"]]
    assert found == [("0-6", "self_care"), ("7-10", "contact_doctor")]


def test_the_ceiling_of_every_record_is_reached_by_some_answers_to_what_is_missing() -> None:
    space = Space(SHIPPED)
    for record in random_records(SHIPPED, 500):
        before = kleene.tags(SHIPPED, record)
        if before.triage_level != before.triage_ceiling:
            possible_now = space.masks(record) | {name: space.everything()[name] for name in before.missing_answers}
            ways = [space.true(rule.when) for rule in SHIPPED.triage if rule.level == before.triage_ceiling]
            assert any(find_model(way, space, possible=possible_now) for way in ways), record


def test_a_range_of_one_number_is_that_number() -> None:
    assert [format_answer(range(10, 11)), format_answer(range(7, 11)), format_answer(range(7, 9))] == [
        "10",
        "7-10",
        "7-8",
    ]
