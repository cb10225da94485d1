"""The clinical cases of tests/cases, each a sentence: through the compiled pack, the view, and a CSV."""

from __future__ import annotations

import itertools
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.rules.compiler import tag_sql
from pipelines.store.database import reports_sql
from schemas.conditions import list_condition_fields
from schemas.fields import NUMERIC_FIELDS
from schemas.pack import LEVELS, Pack
from tests.rules.test_compiler import SHIPPED, fetch_tags, pack_records
from tests.support import kleene
from tests.support.kleene import Tags

WORDS = {"yes": True, "no": False, "unknown": None}
EXPECTED = tuple(Tags.__dataclass_fields__)
KEYS = {"says", "others", *WORDS, *NUMERIC_FIELDS, *EXPECTED}
TAGGED_FIELDS = ("triage_level", "triage_ceiling", "triage_rules", "missing_answers", "cause_category", "likely_cause")


@dataclass(frozen=True)
class Case:
    """A sentence, the answers of a record, and the tags that are written down for it."""

    file: str
    says: str
    answers: dict[str, bool | int | None]
    expected: dict[str, Any]


def read_cases(pack: Pack) -> list[Case]:
    folder = Path(__file__).parents[1] / "cases"
    return [
        _case(pack, path.name, raw)
        for path in sorted(folder.glob("*.toml"))
        for raw in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
    ]


def _case(pack: Pack, file: str, raw: dict[str, Any]) -> Case:
    assert set(raw) <= KEYS, f"{raw['says']}: unknown {set(raw) - KEYS}"
    listed = [name for word in WORDS for name in raw.get(word, [])]
    assert set(listed) <= set(pack.field_names), f"{raw['says']}: unknown field in {listed}"
    assert len(listed) == len(set(listed)), f"{raw['says']}: a field stands twice in {listed}"
    answers: dict[str, bool | int | None] = dict.fromkeys(pack.field_names, WORDS[raw["others"]])
    for word, value in WORDS.items():
        answers |= dict.fromkeys(raw.get(word, []), value)
    answers |= {name: raw.get(name) for name in NUMERIC_FIELDS}
    return Case(file, raw["says"], answers, {key: raw[key] for key in EXPECTED if key in raw})


def wrong(case: Case, found: Tags) -> dict[str, tuple[Any, Any]]:
    """What the case expects and what came out, for every tag that differs."""
    got = asdict(found)
    return {key: (value, got[key]) for key, value in case.expected.items() if _differs(value, got[key])}


def _differs(expected: Any, got: Any) -> bool:
    return bool(got != expected)


CASES = read_cases(SHIPPED)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.register("packed", pack_records(SHIPPED, [case.answers for case in CASES]))
        yield opened


@pytest.fixture(scope="module")
def tagged(connection: duckdb.DuckDBPyConnection) -> dict[str, Tags]:
    """Every case through the compiled pack, in one query."""
    found = fetch_tags(connection, SHIPPED)
    return {case.says: tags for case, tags in zip(CASES, found, strict=True)}


@pytest.fixture(scope="module")
def shown(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    """Every case as the view `reports` shows it, in one query."""
    records = f"""SELECT 'clinic' AS source, place::VARCHAR AS report_id, now() AS reported_at, NULL AS region,
        0 AS age_band, 0 AS sex, 1 AS delivery_no, 1 AS first_delivery_no, NULL::DATE AS stated_date,
        place + 2 AS line_number, *
        FROM ({tag_sql(SHIPPED, "packed")})"""
    connection.execute("CREATE TABLE files AS SELECT 1 AS delivery_no, 'file' AS file_id, 'pack' AS rule_pack")
    view = connection.execute(f"FROM ({reports_sql(SHIPPED, f'({records})', 'UTC')}) ORDER BY line_number")
    return {case.says: row for case, row in zip(CASES, _dicts(view), strict=True)}


def _dicts(result: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def as_tags(row: dict[str, Any]) -> Tags:
    """The tags of a row of the view `reports`."""
    values = {key: row[key] for key in EXPECTED}
    return Tags(**values | {"likely_cause": row["likely_cause"] or ""})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_case(case: Case, tagged: dict[str, Tags], shown: dict[str, dict[str, Any]]) -> None:
    assert wrong(case, tagged[case.says]) == {}
    row = shown[case.says]
    assert wrong(case, as_tags(row)) == {}
    assert {name: row[name] for name in case.answers} == case.answers
    danger = [cause.name for cause in SHIPPED.causes]
    assert list(row["cause_scores"]) == sorted(row["cause_scores"], key=danger.index)


def test_the_slow_evaluator_agrees_on_every_case_and_on_what_the_case_leaves_open(
    pack: Pack, tagged: dict[str, Tags]
) -> None:
    assert {case.says: kleene.tags(pack, case.answers) for case in CASES} == tagged


@pytest.mark.parametrize("case", [case for case in CASES if None in case.answers.values()], ids=lambda case: case.says)
def test_the_ceiling_is_reached_by_some_answers_to_what_is_missing_and_all_of_them_settle_the_record(
    case: Case, tagged: dict[str, Tags], connection: duckdb.DuckDBPyConnection
) -> None:
    """Tries every combination of answers, a million for a blank record; of a number the least and the most."""
    before = tagged[case.says]
    tried = tag_sql(SHIPPED, f"({every_answer(SHIPPED, case.answers, before.missing_answers)})")
    sql = f"SELECT max(triage_level), count(*) FILTER (triage_level <> triage_ceiling OR missing <> 0) FROM ({tried})"
    ((reached, unsettled),) = connection.execute(sql).fetchall()
    assert LEVELS[reached] == before.triage_ceiling
    assert unsettled == 0


def every_answer(pack: Pack, answers: Mapping[str, bool | int | None], names: Sequence[str]) -> str:
    """A SELECT of packed records: the given one with every combination of two answers to each of the named fields."""
    packed = pack_records(pack, [answers]).to_pylist()[0]
    numbers = [f"{_number(name, packed[name], names)} AS {name}" for name in NUMERIC_FIELDS]
    asked = [(1 << place, 1 << pack.field_names.index(n)) for place, n in enumerate(names) if n in pack.field_names]
    yes = "".join(f" | CASE WHEN n & {bit} <> 0 THEN {mask} ELSE 0 END" for bit, mask in asked)
    answered = packed["answered"] | sum(mask for _, mask in asked)
    return f"""SELECT {", ".join(numbers)}, {answered}::UINTEGER AS answered,
        ({packed["yes"]}{yes})::UINTEGER AS yes FROM range({1 << len(names)}) AS every(n)"""


def _number(name: str, known: int | None, names: Sequence[str]) -> str:
    if name not in names:
        return "NULL::INTEGER" if known is None else str(known)
    least, most = NUMERIC_FIELDS[name]
    return f"CASE WHEN n & {1 << names.index(name)} <> 0 THEN {most} ELSE {least} END"


def test_every_sentence_stands_once() -> None:
    assert [says for says, count in Counter(case.says for case in CASES).items() if count > 1] == []
    assert len(CASES) >= 257


def test_every_case_expects_something() -> None:
    assert [case.says for case in CASES if not case.expected] == []


def test_the_cases_meet_every_rule_and_evidence_row_true_false_and_unknown(pack: Pack) -> None:
    states = {
        row.id: {kleene.state(row.when, case.answers) for case in CASES} for row in (*pack.triage, *pack.evidence)
    }
    assert {name: found for name, found in states.items() if found != {True, False, None}} == {}


def test_every_rule_has_a_case_in_which_each_of_its_signs_alone_is_unknown(pack: Pack) -> None:
    """The rule is unknown and exactly one of its fields is."""
    for rule in pack.triage:
        unknown = {_only_unknown(rule.when, case) for case in CASES if kleene.state(rule.when, case.answers) is None}
        names = set(list_condition_fields(rule.when))
        assert names <= unknown, f"{rule.id}: {names - unknown}"


BORDERS = {"pain_score": (6, 7, None), "duration_days": (13, 14, None)}  # just below, just above, unknown
SIDES = {(True, False), (True, None), (False, None)}


def test_every_sign_of_every_rule_is_crossed_by_cases_that_differ_in_it_alone(pack: Pack) -> None:
    """From TRUE to FALSE, from TRUE to UNKNOWN and from FALSE to UNKNOWN, by one answer and nothing else."""
    written = {tuple(case.answers.items()) for case in CASES}
    for row in (*pack.triage, *pack.evidence):
        for name in list_condition_fields(row.when):
            values = BORDERS.get(name, (True, False, None))
            crossed = set()
            for case in CASES:
                beside = [{**case.answers, name: value} for value in values]
                states = [kleene.state(row.when, one) for one in beside if tuple(one.items()) in written]
                crossed |= set(itertools.permutations(states, 2))
            assert crossed >= SIDES, (row.id, name)


def test_every_answer_is_the_only_unknown_one_of_some_case(pack: Pack) -> None:
    unknown = [[name for name, value in case.answers.items() if value is None] for case in CASES]
    assert {names[0] for names in unknown if len(names) == 1} == set(pack.askable)


def _only_unknown(when: str, case: Case) -> str | None:
    names = [name for name in list_condition_fields(when) if case.answers[name] is None]
    return names[0] if len(names) == 1 else None


def as_row(case: Case) -> dict[str, str]:
    """The case's answers as cells of a canonical CSV."""
    words = {True: "yes", False: "no", None: ""}
    numbers = {name: case.answers[name] for name in NUMERIC_FIELDS}
    cells = {name: words[value] for name, value in case.answers.items() if name not in NUMERIC_FIELDS}
    return cells | {name: "" if value is None else str(value) for name, value in numbers.items()}


def test_the_cases_come_out_the_same_when_they_are_ingested_as_a_csv(write_csv, ingest, ask) -> None:
    rows = [{"report_id": f"case-{place}"} | as_row(case) for place, case in enumerate(CASES)]
    (outcome,) = ingest(write_csv(rows))
    assert (outcome.status, outcome.rows_accepted) == ("accepted", len(CASES))
    stored = ask(f"SELECT {', '.join(EXPECTED)} FROM reports ORDER BY line_number")
    found = [as_tags(dict(zip(EXPECTED, row, strict=True))) for row in stored]
    assert {case.says: wrong(case, tags) for case, tags in zip(CASES, found, strict=True) if wrong(case, tags)} == {}


PROMISED = {
    "no answer at all": ({"others": "", "pain_score": "", "duration_days": ""}, ("unresolved", "emergency")),
    "all no, mild recent pain": ({"pain_score": "3", "duration_days": "2"}, ("self_care", "self_care")),
    "all no, just below both numbers": ({"pain_score": "6", "duration_days": "13"}, ("self_care", "self_care")),
    "all no, pain not given": ({"pain_score": "", "duration_days": "2"}, ("unresolved", "contact_doctor")),
    "all no, duration not given": ({"pain_score": "3", "duration_days": ""}, ("unresolved", "contact_doctor")),
    "all no, neither given": ({"pain_score": "", "duration_days": ""}, ("unresolved", "contact_doctor")),
    "all no, severe": ({"pain_score": "7", "duration_days": "2"}, ("contact_doctor", "contact_doctor")),
    "all no, persistent": ({"pain_score": "3", "duration_days": "14"}, ("contact_doctor", "contact_doctor")),
}


def test_a_blank_record_is_unresolved_and_all_no_with_mild_recent_pain_is_self_care(
    write_csv, ingest, ask, pack: Pack
) -> None:
    rows = [
        {"report_id": str(place)} | dict.fromkeys(pack.field_names, cells.get("others", "no")) | cells
        for place, (cells, _) in enumerate(PROMISED.values())
    ]
    ingest(write_csv(rows))
    found = ask("SELECT triage_level, triage_ceiling FROM reports ORDER BY line_number")
    assert dict(zip(PROMISED, found, strict=True)) == {name: levels for name, (_, levels) in PROMISED.items()}
