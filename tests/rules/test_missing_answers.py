"""What is asked is exactly what can change the level: held against trying every answer."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipelines.rules.formulas import AtLeast, OneOf, Space
from pipelines.rules.missing_sql import missing_sql
from pipelines.rules.terms import (
    MOST_TERMS,
    TooManyTermsError,
    find_asked_terms,
    find_level_terms,
    find_over_asked,
    list_terms,
)
from schemas.conditions import list_condition_fields
from schemas.pack import LEVELS, Pack
from tests.rules.test_compiler import (
    NAMES,
    NUMBERS,
    _named_pack,
    _rule,
    answers,
    compiled,
    conditions,
    packs,
    thoroughly,
)
from tests.support import kleene
from tests.support.kleene import Answers

JOINT = (
    "redness",
    "calf_swelling",
    "leg_swelling",
    "warmth",
    "fever",
    "shortness_of_breath",
    "tenderness",
    "skin_break",
)


class Levels:
    """The level of every complete record of a pack, as far as its rules tell answers apart."""

    def __init__(self, pack: Pack) -> None:
        read = {name for rule in pack.triage for name in list_condition_fields(rule.when)}
        self.values = {name: kleene.tried_values(pack, name) for name in pack.askable if name in read}
        self.of = {
            values: level(pack, dict(zip(self.values, values, strict=True)))
            for values in itertools.product(*self.values.values())
        }

    def asked(self, record: Answers) -> list[str]:
        """The unknown fields whose answer changes the level, under some answers to the other unknown ones."""
        return [name for name in self.values if record[name] is None and self._changes(record, name)]

    def _changes(self, record: Answers, name: str) -> bool:
        place = list(self.values).index(name)
        free = [tried if record[other] is None else (record[other],) for other, tried in self.values.items()]
        free[place] = (None,)
        for rest in itertools.product(*free):
            if len({self._level((*rest[:place], value, *rest[place + 1 :])) for value in self.values[name]}) > 1:
                return True
        return False

    def _level(self, values: tuple[Any, ...]) -> str:
        return self.of[tuple(map(self._representative, self.values.items(), values))]

    @staticmethod
    def _representative(field: tuple[str, Sequence[Any]], value: Any) -> Any:
        """A number that no rule tells apart from this one."""
        tried = field[1]
        return value if value in tried else max((each for each in tried if each <= value), default=tried[0])


def level(pack: Pack, record: Answers) -> str:
    return kleene.triage_level(pack, {rule.id: kleene.state(rule.when, record) for rule in pack.triage})


@thoroughly
@given(packs(negated=False, operators=(">=", ">")), st.lists(answers, min_size=1, max_size=3))
def test_without_not_a_field_is_asked_if_and_only_if_its_answer_can_change_the_level(
    pack: Pack, records: list[Answers]
) -> None:
    # a condition that every number meets, or none, is unknown without one: it is asked, though all its answers agree
    assume(not any(re.search(r">= 0\b|> 10\b", rule.when) for rule in pack.triage))
    space = Space(pack)
    assert find_over_asked(find_level_terms(pack, space), space) == []
    assert [tags.missing_answers for tags in compiled(pack, records)] == list(map(Levels(pack).asked, records))


@thoroughly
@given(packs(), answers)
def test_with_not_no_field_is_missing_from_what_is_asked(pack: Pack, record: Answers) -> None:
    (found,) = compiled(pack, [record])
    assert set(Levels(pack).asked(record)) <= set(found.missing_answers)


@thoroughly
@given(st.lists(conditions(False, (">=", "<")), min_size=1, max_size=5), answers)
def test_what_rules_check_calls_exact_is_exact(texts: list[str], record: Answers) -> None:
    rules = tuple(_rule(f"rule_{i}", ("emergency", "contact_doctor")[i % 2], text) for i, text in enumerate(texts))
    pack = _named_pack(NAMES, triage=rules)
    space = Space(pack)
    (found,) = compiled(pack, [record])
    always = any(re.search(r">= 0\b|> 10\b", text) for text in texts)
    if not always and not find_over_asked(find_level_terms(pack, space), space):
        assert found.missing_answers == Levels(pack).asked(record)


def joint_records(pack: Pack) -> Iterator[dict[str, Any]]:
    """Every combination of yes, no and unknown to the signs that rules share, the others denied."""
    rest: dict[str, Any] = dict.fromkeys(pack.field_names, False) | {"pain_score": 3, "duration_days": 2}
    for values in itertools.product((True, False, None), repeat=len(JOINT)):
        yield rest | dict(zip(JOINT, values, strict=True))


def test_the_shipped_pack_asks_exactly_over_all_joint_signs(pack: Pack) -> None:
    """6,561 records; each answer that is asked for, and no other, changes the level under some answers to the rest."""
    records = list(joint_records(pack))
    levels = {
        values: level(pack, {**records[0], **dict(zip(JOINT, values, strict=True))})
        for values in itertools.product((True, False), repeat=len(JOINT))
    }
    wrong = [
        (record, tags.missing_answers)
        for record, tags in zip(records, compiled(pack, records), strict=True)
        if set(tags.missing_answers) != set(_joint_asked(levels, record))
    ]
    assert wrong == []


def _joint_asked(levels: dict[tuple[bool, ...], str], record: Answers) -> Iterator[str]:
    free = [(True, False) if record[name] is None else (bool(record[name]),) for name in JOINT]
    for place, name in enumerate(JOINT):
        others = [*free[:place], (True,), *free[place + 1 :]]
        turned = ((*rest[:place], False, *rest[place + 1 :]) for rest in itertools.product(*others))
        if record[name] is None and any(
            levels[rest] != levels[other] for rest, other in zip(itertools.product(*others), turned, strict=True)
        ):
            yield name


def test_the_terms_evaluated_in_python_ask_for_what_the_sql_asks_for(pack: Pack) -> None:
    space = Space(pack)
    terms = find_level_terms(pack, space)
    random = Random(14)
    records = [record for record in joint_records(pack) if random.random() < 0.1]
    for record, tags in zip(records, compiled(pack, records), strict=True):
        masks = space.masks(record)
        asked = {
            n for part in (terms.emergency, terms.any_level) for t in find_asked_terms(part, space, masks) for n in t
        }
        assert sorted(asked) == sorted(tags.missing_answers)


def test_numbers_with_overlapping_limits_absorb_each_other() -> None:
    rules = (_rule("high", "emergency", "pain_score >= 9 AND zinc"), _rule("low", "emergency", "pain_score >= 7"))
    pack = _named_pack(NAMES, triage=rules)
    blank: dict[str, Any] = dict.fromkeys(NAMES) | dict.fromkeys(NUMBERS)
    (found,) = compiled(pack, [blank])
    assert found.missing_answers == ["pain_score"]


def test_opposite_answers_are_named() -> None:
    rules = (_rule("a", "emergency", "NOT zinc AND amber"), _rule("b", "emergency", "zinc AND moss"))
    pack = _named_pack(NAMES, triage=rules)
    space = Space(pack)
    assert find_over_asked(find_level_terms(pack, space), space) == ["zinc"]


def test_conditions_of_too_many_terms_ask_for_every_field_of_the_open_rules() -> None:
    names = [f"sign_{i}" for i in range(24)]
    when = " AND ".join(f"({a} OR {b} OR {c})" for a, b, c in zip(names[::3], names[1::3], names[2::3], strict=True))
    pack = _named_pack(names, triage=(_rule("wide", "emergency", when),))
    with pytest.raises(TooManyTermsError):
        find_level_terms(pack, Space(pack))
    assert MOST_TERMS < 3**8
    assert len(missing_sql(pack)) < 10_000
    record: dict[str, Any] = dict.fromkeys(names) | dict.fromkeys(NUMBERS)
    (found,) = compiled(pack, [record])
    assert found.missing_answers == names


def test_a_record_that_misses_something_is_not_settled_and_one_that_misses_nothing_is(pack: Pack) -> None:
    for tags in compiled(pack, list(joint_records(pack))):
        assert bool(tags.missing_answers) == (LEVELS.index(tags.triage_level) < LEVELS.index(tags.triage_ceiling)) or (
            tags.triage_level == "unresolved"
        )


def test_128_terms_of_a_level_are_taken_and_one_more_is_not() -> None:
    either = [
        AtLeast(1, tuple((1, OneOf(f"sign_{n}", 1)) for n in range(size))) for size in (MOST_TERMS, MOST_TERMS + 1)
    ]
    assert len(list_terms(either[0])) == 128
    with pytest.raises(TooManyTermsError):
        list_terms(either[1])
