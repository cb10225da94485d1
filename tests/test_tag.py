"""The compiled pack: SQL equals the slow evaluator on any pack, and tags move only the way that answers allow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.tag import TAG_COLUMNS, condition_sql, tag_sql
from schemas.pack import LEVELS, UNDETERMINED, Category, Cause, Evidence, Field, Pack, TriageRule, load_pack
from tests import kleene
from tests.kleene import Answers, Tags

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
        {category.name: row["scores"] >> 8 * place & 255 for place, category in enumerate(pack.categories)},
    )


def _named(mask: int, names: Sequence[str]) -> list[str]:
    assert mask >> len(names) == 0, "a bit that has no name"
    return [name for bit, name in enumerate(names) if mask >> bit & 1]


def compiled(pack: Pack, records: Sequence[Answers]) -> list[Tags]:
    """The tags of some records by the SQL that the pack compiles to."""
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        connection.register("packed", pack_records(pack, records))
        return fetch_tags(connection, pack)


# ------------------------------------------------------------------------- random packs and records

NAMES = ("zinc", "amber", "moss", "birch", "yarrow", "clay")  # not in the order of the alphabet, on purpose
NUMBERS = {"pain_score": 10, "duration_days": 12}
PEACEFUL = HealthCheck.too_slow, HealthCheck.data_too_large
thoroughly = settings(max_examples=60, deadline=None, suppress_health_check=PEACEFUL, database=None)


def comparisons(operators: Sequence[str]) -> st.SearchStrategy[str]:
    name = st.sampled_from(sorted(NUMBERS))
    return name.flatmap(
        lambda n: st.builds("{} {} {}".format, st.just(n), st.sampled_from(operators), st.integers(0, NUMBERS[n]))
    )


def conditions(negated: bool, operators: Sequence[str]) -> st.SearchStrategy[str]:
    """Conditions as a person types them: parentheses here and there, precedence elsewhere."""
    leaf = st.one_of(st.sampled_from(NAMES), st.sampled_from(NAMES), comparisons(operators))

    def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        joined = st.builds("{} {} {}".format, inner, st.sampled_from(("AND", "OR", "and")), inner)
        wrapped = st.builds("({})".format, inner)
        return st.one_of(joined, joined, wrapped, st.builds("NOT {}".format, inner)) if negated else joined | wrapped

    return st.recursive(leaf, grown, max_leaves=6)


ALL_COMPARISONS = (">", ">=", "<", "<=", "=", "<>", "!=")


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
        load_pack(),
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
    )


yes_no_unknown = st.sampled_from((True, False, None))
answers = st.fixed_dictionaries(
    dict.fromkeys(NAMES, yes_no_unknown)
    | {name: st.none() | st.integers(0, most) for name, most in NUMBERS.items()}
)
record_lists = st.lists(answers, min_size=1, max_size=25)


@thoroughly
@given(packs(), record_lists)
def test_the_compiled_sql_equals_the_slow_evaluator(pack: Pack, records: list[Answers]) -> None:
    assert compiled(pack, records) == [kleene.tags(pack, record) for record in records]


@thoroughly
@given(st.lists(conditions(True, ALL_COMPARISONS), min_size=1, max_size=20), answers)
def test_a_condition_means_the_same_as_typed_as_rebuilt_and_to_the_slow_evaluator(
    texts: list[str], record: Answers
) -> None:
    """The text is run as it stands, so that both parsers must agree on what binds more strongly."""
    types = {True: "TRUE", False: "FALSE", None: "NULL::BOOLEAN"}
    values = [types[record[name]] for name in NAMES] + [f"{_sql(record[name])}::INTEGER" for name in NUMBERS]
    columns = ", ".join(f"{value} AS {name}" for value, name in zip(values, (*NAMES, *NUMBERS), strict=True))
    expected = [kleene.state(text, record) for text in texts]
    for written in (texts, [condition_sql(text) for text in texts]):
        (found,) = duckdb.execute(f"SELECT {', '.join(written)} FROM (SELECT {columns})").fetchall()
        assert list(found) == expected


def _sql(value: bool | int | None) -> str:
    return "NULL" if value is None else str(value)


# ------------------------------------------------------------------------- how tags may move

Pair = tuple[Answers, Answers]
place_of = LEVELS.index


def moved(pack: Pack, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, Tags, Tags]]:
    """Each pair of records with the tags of both."""
    found = compiled(pack, [record for pair in pairs for record in pair])
    return zip(pairs, found[::2], found[1::2], strict=True)


def with_one_more_yes(record: Answers) -> list[Pair]:
    """The record and the ones in which one no or unknown is a yes."""
    return [(record, {**record, name: True}) for name, value in record.items() if value in (False, None)]


def _yes_no(pack: Pack, pairs: list[Pair]) -> list[Pair]:
    return [pair for pair in pairs if all(pair[0][name] == pair[1][name] for name in NUMBERS)]


def with_one_more_answer(pack: Pack, record: Answers) -> list[Pair]:
    """The record and the ones in which one unknown is answered; of a number only edges and the most."""
    return [
        (record, {**record, name: value})
        for name, known in record.items()
        if known is None
        for value in possible(pack, name)
    ]


def possible(pack: Pack, name: str) -> tuple[bool | int, ...]:
    return (True, False) if name in pack.field_names else (0, 3, 7, NUMBERS_MOST[name])


NUMBERS_MOST = {"pain_score": 10, "duration_days": 3650}


def assert_yes_never_lowers(pack: Pack, records: Sequence[Answers]) -> None:
    pairs = [pair for record in records for pair in _yes_no(pack, with_one_more_yes(record))]
    for pair, before, after in moved(pack, pairs):
        assert place_of(after.triage_level) >= place_of(before.triage_level), pair
        assert place_of(after.triage_ceiling) >= place_of(before.triage_ceiling), pair


def assert_answers_stay_inside(pack: Pack, records: Sequence[Answers]) -> None:
    """The ceiling never rises, and the level stays between the level (unresolved: self_care) and the ceiling."""
    pairs = [pair for record in records for pair in with_one_more_answer(pack, record)]
    for pair, before, after in moved(pack, pairs):
        floor = 0 if before.triage_level == "unresolved" else place_of(before.triage_level)
        assert place_of(after.triage_ceiling) <= place_of(before.triage_ceiling), pair
        assert floor <= place_of(after.triage_level) <= place_of(before.triage_ceiling), pair
        assert place_of(after.triage_ceiling) >= floor, pair


def assert_ceiling_is_reached(pack: Pack, record: Answers) -> None:
    """Over every combination of answers to what is missing: the highest level is the ceiling, and all are settled."""
    (before,) = compiled(pack, [record])
    names = before.missing_answers
    combinations = itertools.product(*(possible(pack, name) for name in names))
    found = compiled(pack, [{**record, **dict(zip(names, values, strict=True))} for values in combinations])
    assert max(found, key=lambda tags: place_of(tags.triage_level)).triage_level == before.triage_ceiling, record
    assert all(tags.triage_level == tags.triage_ceiling and not tags.missing_answers for tags in found), record


@thoroughly
@given(packs(negated=False), record_lists)
def test_without_not_one_more_yes_never_lowers_level_or_ceiling(pack: Pack, records: list[Answers]) -> None:
    assert_yes_never_lowers(pack, records)


@thoroughly
@given(packs(), record_lists)
def test_an_answer_never_raises_the_ceiling_nor_leaves_the_interval(pack: Pack, records: list[Answers]) -> None:
    assert_answers_stay_inside(pack, records)


@thoroughly
@given(packs(negated=False, operators=(">=",)), answers)
def test_without_not_some_answers_to_what_is_missing_reach_the_ceiling(pack: Pack, record: Answers) -> None:
    assert_ceiling_is_reached(pack, record)


@thoroughly
@given(packs(), answers)
def test_answers_to_all_that_is_missing_settle_the_record(pack: Pack, record: Answers) -> None:
    missing = compiled(pack, [record])[0].missing_answers
    (after,) = compiled(pack, [{**record, **{name: possible(pack, name)[0] for name in missing}}])
    assert (after.triage_level, after.missing_answers) == (after.triage_ceiling, [])
