"""The compiled pack: SQL equals the slow evaluator on any pack, and tags move only the way that answers allow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.rules.compiler import TAG_COLUMNS, tag_sql
from pipelines.rules.condition_sql import compile_condition, condition_sql, true_bits_sql
from schemas.fields import NUMERIC_FIELDS
from schemas.pack import (
    CATEGORY_POINTS,
    CERTAINTIES,
    LEVELS,
    RANKINGS,
    UNDETERMINED,
    Category,
    Cause,
    Evidence,
    Field,
    Pack,
    TriageRule,
)
from schemas.pack_file import load_pack
from tests.support import kleene
from tests.support.drawing import examples
from tests.support.kleene import Answers, Tags

SHIPPED = load_pack()

# ------------------------------------------------------------------------- records in, tags out


def pack_records(pack: Pack, records: Sequence[Answers]) -> pa.Table:
    """Records as an ingest packs them: a bit a field for answered and for yes, and the numbers."""
    return pa.table(
        {
            "place": pa.array(range(len(records)), pa.uint32()),
            "pain_score": pa.array([record["pain_score"] for record in records], pa.uint8()),
            "duration_days": pa.array([record["duration_days"] for record in records], pa.uint16()),
            "answered": pa.array([_mask(pack, record, (True, False)) for record in records], pa.uint32()),
            "yes": pa.array([_mask(pack, record, (True,)) for record in records], pa.uint32()),
        }
    )


def _mask(pack: Pack, record: Answers, values: tuple[bool, ...]) -> int:
    return sum(1 << bit for bit, name in enumerate(pack.field_names) if record[name] in values)


def fetch_tags(connection: duckdb.DuckDBPyConnection, pack: Pack, relation: str = "packed") -> list[Tags]:
    """The tags of a relation's records in the order of `place`, by one run of the compiled pack."""
    sql = f"SELECT {', '.join(TAG_COLUMNS)} FROM ({tag_sql(pack, relation)}) ORDER BY place"
    return [decoded(pack, dict(zip(TAG_COLUMNS, row, strict=True))) for row in connection.execute(sql).fetchall()]


def decoded(pack: Pack, row: dict[str, int]) -> Tags:
    """The stored numbers of a record's tags as words."""
    cause = pack.causes[row["likely_cause"] - 1] if row["likely_cause"] else None
    return Tags(
        LEVELS[row["triage_level"]],
        LEVELS[row["triage_ceiling"]],
        _named(row["rules_true"], [rule.id for rule in pack.triage]),
        _named(row["missing"], pack.askable),
        cause.category if cause else UNDETERMINED,
        cause.name if cause else "",
        CERTAINTIES[row["cause_certainty"]],
        _points(pack, row["evidence_true"]),
    )


def _points(pack: Pack, evidence: int) -> dict[str, int]:
    """The causes that have points, from the mask of the evidence that is TRUE."""
    true = [row for bit, row in enumerate(pack.evidence) if evidence >> bit & 1]
    points = {cause.name: sum(row.points for row in true if row.cause == cause.name) for cause in pack.causes}
    return {name: number for name, number in points.items() if number}


def _named(mask: int, names: Sequence[str]) -> list[str]:
    assert mask >> len(names) == 0, "a bit that has no name"
    return [name for bit, name in enumerate(names) if mask >> bit & 1]


def compiled(pack: Pack, records: Sequence[Answers]) -> list[Tags]:
    """The tags of some records by the SQL that the pack compiles to."""
    connection = _database()
    connection.register("packed", pack_records(pack, records))
    return fetch_tags(connection, pack)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One for the whole module: opening one takes longer than tagging."""
    return duckdb.connect(config={"threads": 1})


# ------------------------------------------------------------------------- random packs and records

NAMES = ("zinc", "amber", "moss", "birch", "yarrow", "clay")  # not in the order of the alphabet, on purpose
NUMBERS = {"pain_score": 10, "duration_days": 12}
PEACEFUL = HealthCheck.too_slow, HealthCheck.data_too_large
thoroughly = settings(max_examples=examples(100), deadline=None, suppress_health_check=PEACEFUL, database=None)


def comparisons(operators: Sequence[str]) -> st.SearchStrategy[str]:
    name = st.sampled_from(sorted(NUMBERS))
    return name.flatmap(
        lambda n: st.builds("{} {} {}".format, st.just(n), st.sampled_from(operators), st.integers(0, NUMBERS[n]))
    )


SHAPES = ("{} AND {}", "{} OR {}", "({}) AND {}", "{} AND ({})", "({}) OR {}", "{} OR ({})", "({}) and ({})")
NEGATED = ("NOT {}", "NOT ({})", "NOT {} AND {}", "{} OR NOT ({})", "{} AND NOT ({})", "NOT ({}) OR ({})")


def conditions(negated: bool, operators: Sequence[str]) -> st.SearchStrategy[str]:
    """Conditions as a person types them: parentheses here and there, precedence elsewhere."""
    sign = st.sampled_from(NAMES)
    leaf = st.one_of(sign, sign, sign, comparisons(operators))
    shape = st.sampled_from(SHAPES + NEGATED if negated else SHAPES)
    pair = st.builds(str.format, shape, leaf, leaf)
    nested = st.builds(str.format, shape, pair, st.one_of(leaf, pair))
    return st.one_of(leaf, pair, nested, st.builds(str.format, shape, nested, pair))


ALL_COMPARISONS = (">", ">=", "<", "<=", "=", "<>", "!=")


# texts that no tag depends on, which would make every failing example 50 kB long
WITHOUT_WORDS: dict[str, Any] = {"text": "", "notes": (), "open_readings": (), "synonyms": {}}


@st.composite
def packs(draw: Any, negated: bool = True, operators: Sequence[str] = ALL_COMPARISONS) -> Pack:
    """A pack of up to 8 rules, and of causes in up to 4 categories whose order is not that of the alphabet."""
    when = conditions(negated, operators)
    categories = draw(st.permutations(("vessels", "bones", "nerves", "air")))[: draw(st.integers(1, 4))]
    causes = [
        Cause(name, draw(st.sampled_from(categories)), "A cause")
        for name in draw(st.permutations(("sprain", "gout", "clot", "burn", "ache")))[: draw(st.integers(1, 5))]
    ]
    return replace(
        SHIPPED,
        fields=tuple(Field(name, "A sign", "yes_no", "A sign", "Nowhere") for name in NAMES),
        triage=tuple(
            TriageRule(f"rule_of_{place}", draw(st.sampled_from(("emergency", "contact_doctor"))), text, "-", "-", "-")
            for place, text in enumerate(draw(st.lists(when, min_size=1, max_size=8)))
        ),
        categories=tuple(Category(name, "A category") for name in categories),
        causes=tuple(causes),
        evidence=tuple(
            Evidence(f"row_{place}", draw(st.sampled_from(causes)).name, text, draw(st.integers(1, 3)), "-", "-", "-")
            for place, text in enumerate(draw(st.lists(when, min_size=1, max_size=8)))
        ),
        guidance=(),
        leading_cause=draw(st.sampled_from(RANKINGS)),
        **WITHOUT_WORDS,
    )


yes_no_unknown = st.sampled_from((True, False, None))
answers = st.fixed_dictionaries(
    dict.fromkeys(NAMES, yes_no_unknown) | {name: st.none() | st.integers(0, most) for name, most in NUMBERS.items()}
)
record_lists = st.lists(answers, min_size=1, max_size=25)


@thoroughly
@given(packs(), record_lists)
def test_the_compiled_sql_equals_the_slow_evaluator(pack: Pack, records: list[Answers]) -> None:
    assert compiled(pack, records) == [kleene.tags(pack, record) for record in records]


@thoroughly
@given(st.lists(conditions(True, ALL_COMPARISONS), min_size=1, max_size=20), record_lists)
def test_a_condition_means_the_same_as_typed_as_rebuilt_as_tests_on_bits_and_to_the_slow_evaluator(
    texts: list[str], records: list[Answers]
) -> None:
    assert_one_meaning(texts, records)


def test_every_condition_of_three_signs_means_the_same_for_every_combination_of_answers() -> None:
    texts = sorted(set(three_signs()))
    assert len(texts) == 160
    combinations = itertools.product((True, False, None), repeat=3)
    answered = [dict(zip(NAMES, values, strict=False)) for values in combinations]
    assert_one_meaning(texts, [dict.fromkeys(NAMES) | BLANK_NUMBERS | some for some in answered])


def assert_one_meaning(texts: list[str], records: list[Answers]) -> None:
    """Each text is run as it stands too, so that the parsers must agree on what binds more strongly."""
    expected = [[kleene.state(text, record) for text in texts] for record in records]
    assert _run(records, texts) == expected
    assert _run(records, [condition_sql(text) for text in texts]) == expected
    tests = [compile_condition(_named_pack(NAMES), text) for text in texts]
    assert _run(records, [test.true for test in tests]) == [[state is True for state in row] for row in expected]
    assert _run(records, [test.false for test in tests]) == [[state is False for state in row] for row in expected]


def three_signs() -> Iterator[str]:
    """Every way to join three signs by AND, OR, parentheses and NOT, at most one NOT before each."""
    operators, nots = ("AND", "OR"), ("", "NOT ")
    for first, second in itertools.product(operators, repeat=2):
        for a, b, c, outer in itertools.product(nots, repeat=4):
            yield f"{a}zinc {first} {b}amber {second} {c}moss"
            yield f"{outer}({a}zinc {first} {b}amber) {second} {c}moss"
            yield f"{a}zinc {first} {outer}({b}amber {second} {c}moss)"


def _run(records: list[Answers], expressions: list[str]) -> list[list[bool | None]]:
    """Each expression on each record, whose answers are there as columns and as the masks `yes` and `no`."""
    relation = " UNION ALL ".join(_as_select(place, record) for place, record in enumerate(records))
    columns = ", ".join(f"({expression}) AS value_{i}" for i, expression in enumerate(expressions))
    rows = _database().execute(f"SELECT {columns} FROM ({relation}) ORDER BY place").fetchall()
    return [list(row) for row in rows]


def _as_select(place: int, record: Answers) -> str:
    masks = {word: _mask(_named_pack(NAMES), record, (value,)) for word, value in (("yes", True), ("no", False))}
    columns = {"place": str(place)} | {word: str(mask) for word, mask in masks.items()}
    columns |= {name: f"{_literal(record[name])}::BOOLEAN" for name in NAMES}
    columns |= {name: f"{_literal(record[name])}::INTEGER" for name in NUMBERS}
    return "SELECT " + ", ".join(f"{value} AS {name}" for name, value in columns.items())


def _literal(value: bool | int | None) -> str:
    return "NULL" if value is None else str(value)


def random_records(pack: Pack, count: int) -> list[Answers]:
    """Records of all kinds from nearly all blank to nearly all answered, few and many of them yes; always the same."""
    random = Random(2026)
    return [_random_record(pack, random) for _ in range(count)]


def _random_record(pack: Pack, random: Random) -> Answers:
    blank, yes = random.random(), random.random()
    record: dict[str, bool | int | None] = {
        name: None if random.random() < blank else random.random() < yes for name in pack.field_names
    }
    record["pain_score"] = None if random.random() < blank else random.randint(0, 10)
    record["duration_days"] = None if random.random() < blank else random.choice((0, 2, 13, 14, 15, 3650))
    return record


def test_the_shipped_pack_equals_the_slow_evaluator_on_3000_records(pack: Pack) -> None:
    records = random_records(pack, 3000)
    assert compiled(pack, records) == [kleene.tags(pack, record) for record in records]


# ------------------------------------------------------------------------- packs at their limits


def _named_pack(names: Sequence[str], **parts: Any) -> Pack:
    """A pack of some fields with one rule that is never true; `parts` are other parts of a Pack."""
    fields = tuple(Field(name, "A sign", "yes_no", "A sign", "-") for name in names)
    category, cause = (Category("vessels", "Vessels"),), (Cause("clot", "vessels", "Clot"),)
    small = {"triage": (_rule("never", "emergency", "pain_score > 10"),), "categories": category, "causes": cause}
    return replace(SHIPPED, **{"fields": fields, "evidence": (), "guidance": ()} | small | parts)


def _rule(name: str, level: str, when: str) -> TriageRule:
    return TriageRule(name, level, when, "-", "stated", "-")


def _row(name: str, cause: str, when: str, points: int) -> Evidence:
    return Evidence(name, cause, when, points, "-", "stated", "-")


BLANK_NUMBERS = {"pain_score": None, "duration_days": None}


def test_30_fields_and_32_rules_fill_the_masks() -> None:
    names = [f"sign_{place}" for place in range(30)]
    rules = tuple(_rule(f"rule_of_{i}", ("emergency", "contact_doctor")[i % 2], names[i % 30]) for i in range(32))
    full = _named_pack(names, triage=rules)
    records = [
        {name: place == yes for place, name in enumerate(names)} | {"pain_score": 1, "duration_days": None}
        for yes in range(31)
    ] + [dict.fromkeys(names, True) | BLANK_NUMBERS, dict.fromkeys(names) | BLANK_NUMBERS]
    assert compiled(full, records) == [kleene.tags(full, record) for record in records]
    assert len(compiled(full, records)[-1].missing_answers) == 30
    assert len(compiled(full, records)[-2].triage_rules) == 32


def test_255_points_in_each_of_4_categories_and_64_causes_are_kept() -> None:
    # 64 evidence rows can be stored: 16 of a category, some of more points than a pack may give to one row
    categories = tuple(Category(name, name) for name in ("vessels", "bones", "nerves", "air"))
    causes = tuple(Cause(f"cause_{i}", categories[i % 4].name, "A cause") for i in range(64))
    rows = [_row(f"row_{i}_{j}", causes[-1 - i].name, "zinc", points) for i in range(4) for j, points in _points_255()]
    full = _named_pack(NAMES, categories=categories, causes=causes, evidence=tuple(rows))
    (found,) = compiled(full, [dict.fromkeys(NAMES, True) | BLANK_NUMBERS])
    assert found.cause_scores == {"cause_60": 255, "cause_61": 255, "cause_62": 255, "cause_63": 255}
    assert (found.cause_category, found.likely_cause) == ("vessels", "cause_60")


def _points_255() -> list[tuple[int, int]]:
    return list(enumerate([16] * 15 + [15]))


def test_the_last_of_64_causes_can_be_the_likely_one() -> None:
    causes = tuple(Cause(f"cause_{i}", "vessels", "A cause") for i in range(64))
    full = _named_pack(NAMES, causes=causes, evidence=(_row("row", "cause_63", "zinc", 1),))
    (found,) = compiled(full, [dict.fromkeys(NAMES, True) | BLANK_NUMBERS])
    assert found.likely_cause == "cause_63"


def test_a_category_without_causes_is_empty_and_does_no_harm() -> None:
    categories = (Category("bones", "Bones"), Category("vessels", "Vessels"))
    lonely = _named_pack(NAMES, categories=categories, evidence=(_row("row", "clot", "zinc", 1),))
    (found,) = compiled(lonely, [dict.fromkeys(NAMES, True) | BLANK_NUMBERS])
    assert (found.cause_category, found.cause_scores) == ("vessels", {"clot": 1})


def test_a_tie_goes_to_the_category_that_the_pack_names_first_whatever_the_alphabet_says() -> None:
    for order in itertools.permutations(("vessels", "bones", "air")):
        categories = tuple(Category(name, name) for name in order)
        causes = tuple(Cause(f"{name}_cause", name, name) for name in ("air", "bones", "vessels"))
        evidence = tuple(_row(cause.name + "_row", cause.name, "zinc", 2) for cause in causes)
        tied = _named_pack(
            NAMES, categories=categories, causes=causes, evidence=evidence, leading_cause=CATEGORY_POINTS
        )
        (found,) = compiled(tied, [dict.fromkeys(NAMES, True) | BLANK_NUMBERS])
        assert (found.cause_category, found.likely_cause) == (order[0], f"{order[0]}_cause")


def test_a_tie_inside_the_category_goes_to_the_cause_that_the_pack_names_first() -> None:
    for order in itertools.permutations(("zoster", "clot", "ache")):
        causes = tuple(Cause(name, "vessels", name) for name in order)
        evidence = tuple(_row(name + "_row", name, "zinc", 2) for name in ("ache", "clot", "zoster"))
        tied = _named_pack(NAMES, causes=causes, evidence=evidence)
        (found,) = compiled(tied, [dict.fromkeys(NAMES, True) | BLANK_NUMBERS])
        assert found.likely_cause == order[0]


@pytest.mark.parametrize("level", ["emergency", "contact_doctor"])
def test_a_pack_of_one_level_reaches_that_level_and_no_other(level: str) -> None:
    single = _named_pack(NAMES, triage=(_rule("only", level, "zinc"),))
    records = [dict.fromkeys(NAMES, value) | BLANK_NUMBERS for value in (True, False, None)]
    found = [(tags.triage_level, tags.triage_ceiling) for tags in compiled(single, records)]
    assert found == [(level, level), ("self_care", "self_care"), ("unresolved", level)]


def test_a_rule_that_contradicts_itself_keeps_a_ceiling_that_no_answer_reaches() -> None:
    """The known limit of Kleene's logic, and the reason why reaching the ceiling is tested without NOT alone."""
    absurd = _named_pack(NAMES, triage=(_rule("absurd", "emergency", "zinc AND NOT zinc"),))
    records = [dict.fromkeys(NAMES, value) | BLANK_NUMBERS for value in (None, True, False)]
    ceilings = [tags.triage_ceiling for tags in compiled(absurd, records)]
    assert ceilings == ["emergency", "self_care", "self_care"]


@pytest.mark.parametrize("number", [1, 31, 32, 33, 64])
def test_bit_i_of_a_mask_says_whether_condition_i_is_true_whatever_moves_to_it(number: int) -> None:
    draw = Random(number)
    names = SHIPPED.field_names
    forms = ("{a}", "{a}", "NOT {a}", "{a} AND {b}", "{a} OR pain_score >= 7")
    whens = [draw.choice(forms).format(a=draw.choice(names), b=draw.choice(names)) for _ in range(number)]
    records = [{name: draw.choice((True, False, None)) for name in names} for _ in range(200)]
    for record in records:
        record |= {"pain_score": draw.choice((None, 6, 7)), "duration_days": None}
    mask = true_bits_sql(SHIPPED, whens, [compile_condition(SHIPPED, when).true for when in whens])
    packed = pack_records(SHIPPED, records)
    with duckdb.connect() as connection:
        connection.register("packed", packed)
        rows = connection.execute(
            f"SELECT {mask} FROM (SELECT *, xor(answered, yes) AS no FROM packed) ORDER BY place"
        ).fetchall()
    slow = [sum((kleene.state(when, record) is True) << i for i, when in enumerate(whens)) for record in records]
    assert [mask for (mask,) in rows] == slow


def test_tagging_adds_its_columns_to_those_of_the_relation_in_the_types_that_are_stored(pack: Pack) -> None:
    connection = _database()
    connection.register("packed", pack_records(pack, random_records(pack, 3)))
    described = connection.execute(f"DESCRIBE {tag_sql(pack, 'packed')}").fetchall()
    before = connection.execute("DESCRIBE FROM packed").fetchall()
    small, wide = "UTINYINT", "UINTEGER"
    types = [small, small, wide, wide, small, small, "UBIGINT"]
    assert [row[:2] for row in described[: len(before)]] == [row[:2] for row in before]
    assert [row[0] for row in described[len(before) :]] == list(TAG_COLUMNS)
    assert [row[1] for row in described[len(before) :]] == types


# ------------------------------------------------------------------------- how tags may move

Pair = tuple[Answers, Answers]
place_of = LEVELS.index


def moved(pack: Pack, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, Tags, Tags]]:
    """Each pair of records with the tags of both."""
    found = compiled(pack, [record for pair in pairs for record in pair])
    return zip(pairs, found[::2], found[1::2], strict=True)


def one_more_yes(pack: Pack, record: Answers) -> list[Pair]:
    """The record beside each one in which one no or unknown is a yes."""
    return [(record, {**record, name: True}) for name in pack.field_names if not record[name]]


def one_more_answer(pack: Pack, record: Answers) -> list[Pair]:
    """The record beside each one in which one unknown is answered."""
    unknown = [name for name, known in record.items() if known is None]
    return [(record, {**record, name: value}) for name in unknown for value in possible(pack, name)]


def possible(pack: Pack, name: str) -> tuple[bool | int, ...]:
    """Every answer to a yes/no question; of a number the most, the least, and some between."""
    return (True, False) if name in pack.field_names else (NUMERIC_FIELDS[name][1], 7, 3, 0)


def assert_yes_never_lowers(pack: Pack, records: Sequence[Answers]) -> None:
    for pair, before, after in moved(pack, [pair for record in records for pair in one_more_yes(pack, record)]):
        assert place_of(after.triage_level) >= place_of(before.triage_level), pair
        assert place_of(after.triage_ceiling) >= place_of(before.triage_ceiling), pair


def assert_answers_stay_inside(pack: Pack, records: Sequence[Answers]) -> None:
    """The ceiling never rises, and the level stays between the level (unresolved: self_care) and the ceiling."""
    for pair, before, after in moved(pack, [pair for record in records for pair in one_more_answer(pack, record)]):
        floor = 0 if before.triage_level == "unresolved" else place_of(before.triage_level)
        assert floor <= place_of(after.triage_level) <= place_of(before.triage_ceiling), pair
        assert floor <= place_of(after.triage_ceiling) <= place_of(before.triage_ceiling), pair


def assert_ceiling_is_reached(pack: Pack, record: Answers) -> None:
    """Over every combination of answers to what is missing: the highest level is the ceiling, and all are settled."""
    (before,) = compiled(pack, [record])
    names = before.missing_answers
    combinations = itertools.product(*(possible(pack, name) for name in names))
    found = compiled(pack, [{**record, **dict(zip(names, values, strict=True))} for values in combinations])
    assert max(place_of(tags.triage_level) for tags in found) == place_of(before.triage_ceiling), record
    assert all(tags.triage_level == tags.triage_ceiling and not tags.missing_answers for tags in found), record


@thoroughly
@given(packs(negated=False), record_lists)
def test_without_not_one_more_yes_never_lowers_level_or_ceiling(pack: Pack, records: list[Answers]) -> None:
    assert_yes_never_lowers(pack, records)


def test_one_more_yes_never_lowers_level_or_ceiling_of_the_shipped_pack(pack: Pack) -> None:
    assert_yes_never_lowers(pack, random_records(pack, 300))


@thoroughly
@given(packs(), record_lists)
def test_an_answer_never_raises_the_ceiling_nor_leaves_the_interval(pack: Pack, records: list[Answers]) -> None:
    assert_answers_stay_inside(pack, records)


def test_an_answer_never_raises_the_ceiling_nor_leaves_the_interval_of_the_shipped_pack(pack: Pack) -> None:
    assert_answers_stay_inside(pack, random_records(pack, 300))


@thoroughly
@given(packs(negated=False, operators=(">=",)), answers)
def test_without_not_some_answers_to_what_is_missing_reach_the_ceiling(pack: Pack, record: Answers) -> None:
    assert_ceiling_is_reached(pack, record)


@thoroughly
@given(packs(), answers, st.integers(0, 1))
def test_answers_to_all_that_is_missing_settle_the_record(pack: Pack, record: Answers, choice: int) -> None:
    missing = compiled(pack, [record])[0].missing_answers
    (after,) = compiled(pack, [{**record, **{name: possible(pack, name)[choice] for name in missing}}])
    assert (after.triage_level, after.missing_answers) == (after.triage_ceiling, [])
