"""Random rules over numbers and choices that a pack declares: both forms of its SQL equal the slow evaluator."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.pack import Pack
from schemas.pack_file import load_pack
from tests.rules.test_compiler import NEGATED, SHAPES, fetch_tags, pack_records, thoroughly
from tests.rules.test_own_fields import WRIST
from tests.rules.test_plain_sql import printed
from tests.support import kleene
from tests.support.drawing import examples
from tests.support.kleene import Tags

PACK = load_pack(WRIST)
COMPARISONS = ("{} > {}", "{} >= {}", "{} < {}", "{} <= {}", "{} = {}", "{} <> {}")
NUMBERS = {"grip_kg": (0, 1, 45, 89, 90), "pain_score": (0, 1, 9, 10)}
VALUES: dict[str, tuple[Any, ...]] = NUMBERS | PACK.choices | dict.fromkeys(PACK.field_names, (True, False))


def compared(name: str, values: tuple[Any, ...], shapes: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.builds(str.format, st.sampled_from(shapes), st.just(name), st.sampled_from(values))


leaves = st.one_of(
    st.sampled_from(PACK.field_names),
    *(compared(name, values, COMPARISONS) for name, values in NUMBERS.items()),
    *(compared(name, values, ("{} = '{}'", "{} <> '{}'")) for name, values in PACK.choices.items()),
)
shapes = st.sampled_from(SHAPES + NEGATED)
pairs = st.builds(str.format, shapes, leaves, leaves)
conditions = st.lists(st.one_of(leaves, pairs, st.builds(str.format, shapes, pairs, pairs)), min_size=1, max_size=6)
records = st.lists(
    st.fixed_dictionaries(
        {"duration_days": st.none()} | {name: st.sampled_from((None, *values)) for name, values in VALUES.items()}
    ),
    min_size=1,
    max_size=20,
)


def with_conditions(rows: tuple[Any, ...], texts: list[str]) -> tuple[Any, ...]:
    """As many rows as conditions, made of the given ones in turn."""
    turns = zip(itertools.cycle(rows), texts, strict=False)
    return tuple(replace(row, id=f"{row.id}_{place}", when=text) for place, (row, text) in enumerate(turns))


def compiled(pack: Pack, answers: list[dict[str, Any]]) -> list[Tags]:
    """The tags of records stored as an ingest does: own numbers in columns, of a choice 1 + the place of its value."""
    table = pack_records(pack, answers)
    for name in pack.own_numbers:
        table = table.append_column(name, pa.array([row[name] for row in answers], pa.uint16()))
    for name, values in pack.choices.items():
        codes = [(None, *values).index(row[name]) for row in answers]
        table = table.append_column(name, pa.array(codes, pa.uint8()))
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("packed", table)
        return fetch_tags(connection, pack)


def tagged_as_the_slow_evaluator_says(rules: list[str], rows: list[str], answers: list[dict[str, Any]]) -> None:
    pack = replace(PACK, triage=with_conditions(PACK.triage, rules), evidence=with_conditions(PACK.evidence, rows))
    expected = [kleene.tags(pack, row) for row in answers]
    assert compiled(pack, answers) == expected
    assert printed(pack, answers) == expected


@settings(thoroughly, max_examples=examples(40))
@given(conditions, conditions, records)
def test_numbers_and_choices_of_a_pack_tag_as_the_slow_evaluator_says(
    rules: list[str], rows: list[str], answers: list[dict[str, Any]]
) -> None:
    tagged_as_the_slow_evaluator_says(rules, rows, answers)


@pytest.mark.slow
@settings(thoroughly, max_examples=200)
@given(conditions, conditions, records)
def test_they_do_so_in_many_more_packs(rules: list[str], rows: list[str], answers: list[dict[str, Any]]) -> None:
    tagged_as_the_slow_evaluator_says(rules, rows, answers)


def test_a_way_that_wants_one_of_the_values_that_another_takes_alone_asks_for_nothing_more() -> None:
    rules = ["side <> 'left'", "numb_fingers", "numb_fingers", "numb_fingers AND grip_kg > 0 AND side = 'right'"]
    nothing = dict.fromkeys(("duration_days", *VALUES))
    tagged_as_the_slow_evaluator_says(rules, ["numb_fingers"], [nothing])
    pack = replace(PACK, triage=with_conditions(PACK.triage, rules))
    assert compiled(pack, [nothing])[0].missing_answers == ["numb_fingers", "side"]


def test_of_two_rules_that_no_answer_fulfils_the_one_that_lacks_less_is_asked_for() -> None:
    nothing = dict.fromkeys(("duration_days", *VALUES))
    rules = ["pain_score < 0", "numb_fingers AND NOT (pain_score <= 10)"]
    tagged_as_the_slow_evaluator_says(rules, ["numb_fingers"], [nothing])
