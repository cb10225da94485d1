"""Are the clinical cases sharp enough? Every small change of the pack, or of how blanks are read, must fail one.

Each mutant is tagged by the real compiled SQL. Those that no case can tell from the pack are listed with the
reason, and a listed one that is caught, or another one that is not, fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from schemas.conditions import find_condition_problem
from schemas.fields import NUMERIC_FIELDS
from schemas.pack import CATEGORY_POINTS, Evidence, Pack, TriageRule
from tests.rules.test_cases import CASES, wrong
from tests.rules.test_compiler import SHIPPED, fetch_tags, pack_records

Rule = TriageRule | Evidence
CONNECTORS = (exp.And, exp.Or)
COMPARED = {">": exp.GT, "<=": exp.LTE, "<": exp.LT, "=": exp.EQ, "<>": exp.NEQ}


@dataclass(frozen=True)
class Mutant:
    """A changed pack, or the shipped one over a changed reading of the records (`relation`)."""

    kind: str
    name: str
    pack: Pack = SHIPPED
    relation: str = "packed"

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"


# ------------------------------------------------------------------------- changes of the pack


def rules() -> Iterator[tuple[str, int, Rule]]:
    """Every row with a condition: its table, its place there, and itself."""
    for table in ("triage", "evidence"):
        for place, rule in enumerate(getattr(SHIPPED, table)):
            yield table, place, rule


def with_rows(table: str, rows: list[Any]) -> Pack:
    return replace(SHIPPED, **{table: tuple(rows)})


def with_rule(table: str, place: int, **changes: Any) -> Pack:
    rows = list(getattr(SHIPPED, table))
    rows[place] = replace(rows[place], **changes)
    return with_rows(table, rows)


def rules_dropped() -> Iterator[Mutant]:
    for table, place, rule in rules():
        rows = list(getattr(SHIPPED, table))
        del rows[place]
        yield Mutant("rule dropped", rule.id, with_rows(table, rows))


def conditions_changed(kind: str, change: Callable[[str], Iterator[tuple[str, str]]]) -> Iterator[Mutant]:
    """Mutants of every rule by a function from its condition to changed ones, each with its name."""
    for table, place, rule in rules():
        for name, when in change(rule.when):
            yield Mutant(kind, f"{rule.id}: {name}", with_rule(table, place, when=when))


def edited(when: str, chosen: Callable[[exp.Expression], bool], new: Callable[[Any], Any]) -> Iterator[tuple[str, str]]:
    """Each chosen node of the condition replaced, one at a time, with the new condition for a name."""
    count = sum(chosen(node) for node in sqlglot.parse_one(when, read="duckdb").walk())
    for number in range(count):
        root = exp.Paren(this=sqlglot.parse_one(when, read="duckdb"))
        node = [node for node in root.this.walk() if chosen(node)][number]
        node.replace(new(node))
        text = root.this.sql(dialect="duckdb")
        yield text, text


def is_sign(node: exp.Expression) -> bool:
    return isinstance(node, exp.Column) and node.name in SHIPPED.field_names


def is_connector(node: exp.Expression) -> bool:
    return isinstance(node, CONNECTORS)


def signs_dropped(when: str) -> Iterator[tuple[str, str]]:
    """One sign out of a rule of several: its connector gives way to what stands on the other side."""
    count = sum(is_sign(node) for node in sqlglot.parse_one(when, read="duckdb").walk())
    for number in range(count):
        tree = exp.Paren(this=sqlglot.parse_one(when, read="duckdb"))
        sign = [node for node in tree.this.walk() if is_sign(node)][number]
        joined = sign.find_ancestor(*CONNECTORS)
        if joined is not None:
            other = joined.right if sign in joined.left.walk() else joined.left
            joined.replace(other.copy())
            yield f"without {sign.name}, number {number}", tree.this.sql(dialect="duckdb")


def _each_sign(when: str) -> Iterator[tuple[str, exp.Expression]]:
    names = [node.name for node in sqlglot.parse_one(when, read="duckdb").walk() if is_sign(node)]
    for name in dict.fromkeys(names):
        yield name, exp.Paren(this=sqlglot.parse_one(when, read="duckdb"))


def connectors_swapped(when: str) -> Iterator[tuple[str, str]]:
    def swapped(node: Any) -> exp.Expression:
        other = exp.Or if isinstance(node, exp.And) else exp.And
        sides = {side: exp.Paren(this=getattr(node, side).copy()) for side in ("left", "right")}
        return exp.Paren(this=other(this=sides["left"], expression=sides["right"]))

    return edited(when, is_connector, swapped)


def numbers_shifted(when: str) -> Iterator[tuple[str, str]]:
    for step in (-1, 1):
        yield from edited(
            when, lambda node: isinstance(node, exp.Literal), lambda n, s=step: exp.Literal.number(int(n.name) + s)
        )


def comparisons_changed(when: str) -> Iterator[tuple[str, str]]:
    for kind in COMPARED.values():
        yield from edited(
            when,
            lambda node: isinstance(node, exp.GTE),
            lambda node, k=kind: k(this=node.this.copy(), expression=node.expression.copy()),
        )


def signs_negated(when: str) -> Iterator[tuple[str, str]]:
    return edited(when, is_sign, lambda node: exp.Not(this=node.copy()))


def signs_replaced(when: str) -> Iterator[tuple[str, str]]:
    """Each sign by the field after it in the pack."""
    names = SHIPPED.field_names
    return edited(when, is_sign, lambda node: exp.column(names[(names.index(node.name) + 1) % len(names)]))


def levels_changed() -> Iterator[Mutant]:
    other = {"emergency": "contact_doctor", "contact_doctor": "emergency"}
    for place, rule in enumerate(SHIPPED.triage):
        yield Mutant("level changed", rule.id, with_rule("triage", place, level=other[rule.level]))


def points_shifted() -> Iterator[Mutant]:
    for place, row in enumerate(SHIPPED.evidence):
        for points in (row.points - 1, row.points + 1):
            yield Mutant("points shifted", f"{row.id}: {points}", with_rule("evidence", place, points=points))


def places_changed(table: str) -> Iterator[Mutant]:
    rows = list(getattr(SHIPPED, table))
    for a, b in combinations(range(len(rows)), 2):
        order = list(range(len(rows)))
        order[a], order[b] = b, a
        name = f"{rows[a].name} and {rows[b].name}"
        yield Mutant(f"{table} change places", name, with_rows(table, [rows[place] for place in order]))


# ------------------------------------------------------------------------- changes of how a blank is read


def blanks_of_fields() -> Iterator[Mutant]:
    for bit, name in enumerate(SHIPPED.field_names):
        answered = f"(answered | {1 << bit})::UINTEGER AS answered"
        yes = f"(CASE WHEN answered & {1 << bit} = 0 THEN yes | {1 << bit} ELSE yes END)::UINTEGER AS yes"
        yield Mutant("blank read as no", name, relation=f"(SELECT * REPLACE ({answered}) FROM packed)")
        yield Mutant("blank read as yes", name, relation=f"(SELECT * REPLACE ({answered}, {yes}) FROM packed)")


def blanks_of_numbers() -> Iterator[Mutant]:
    for name, limits in NUMERIC_FIELDS.items():
        for word, value in zip(("least", "most"), limits, strict=True):
            relation = f"(SELECT * REPLACE (coalesce({name}, {value}) AS {name}) FROM packed)"
            yield Mutant(f"blank read as the {word}", name, relation=relation)


def blanks_of_signs() -> Iterator[Mutant]:
    """A blank read as no or as yes by one rule alone: the rule reads a field of its own, made of the other.

    Evidence counts only if it is TRUE, and has no NOT: there no and unknown are the same.
    """
    for table, place, rule in rules():
        for name, tree in _each_sign(rule.when):
            for column in [node for node in tree.this.walk() if is_sign(node) and node.name == name]:
                column.replace(exp.column("as_read"))
            read = replace(SHIPPED.fields[0], name="as_read")
            pack = with_rule(table, place, when=tree.this.sql(dialect="duckdb"))
            pack = replace(pack, fields=(*SHIPPED.fields, read))
            for word in ("no", "yes") if table == "triage" else ("yes",):
                yield Mutant(f"blank read as {word} by one rule", f"{rule.id}: {name}", pack, _as_read(name, word))


def _as_read(name: str, word: str) -> str:
    bit, new = 1 << SHIPPED.field_names.index(name), 1 << len(SHIPPED.fields)
    yes = f"yes & {bit} <> 0" + (f" OR answered & {bit} = 0" if word == "yes" else "")
    return f"""(SELECT * REPLACE ((answered | {new})::UINTEGER AS answered,
        (CASE WHEN {yes} THEN yes | {new} ELSE yes END)::UINTEGER AS yes) FROM packed)"""


def all_mutants() -> list[Mutant]:
    return [
        *rules_dropped(),
        *conditions_changed("sign dropped", signs_dropped),
        *conditions_changed("AND and OR swapped", connectors_swapped),
        *conditions_changed("number shifted", numbers_shifted),
        *blanks_of_fields(),
        *blanks_of_numbers(),
        *blanks_of_signs(),
        *conditions_changed("comparison changed", comparisons_changed),
        *conditions_changed("sign negated", signs_negated),
        *conditions_changed("sign replaced", signs_replaced),
        *levels_changed(),
        *points_shifted(),
        Mutant("leading cause", "by points of the category", replace(SHIPPED, leading_cause=CATEGORY_POINTS)),
        *places_changed("causes"),
    ]


MUTANTS = all_mutants()
HOW_MANY = {
    "rule dropped": 15 + 20,
    "sign dropped": 22 + 21,  # of the triage rules and of the evidence rows with more than one
    "AND and OR swapped": 16 + 13,
    "number shifted": 2 * 2,
    "blank read as no": 24,
    "blank read as yes": 24,
    "blank read as the least": 2,
    "blank read as the most": 2,
}

# ------------------------------------------------------------------------- those that nothing can tell apart

NO_TRIAGE = "No triage rule reads this field, and evidence counts only where it is TRUE: no and unknown do the same."
COVERED = "Whenever this rule is TRUE, that of other concerning symptoms is TRUE as well: it decides nothing."
NO_TIE = (
    "The order of causes decides a tie. These two never tie, with each other or with those between: their evidence "
    "is of other urgency, or has other points (a cramp 3 or 4, a strain 2)."
)
EQUIVALENT = {
    **{f"blank read as no: {name}": NO_TRIAGE for name in (
        "cramping", "dehydration", "direct_blow", "overuse", "visible_veins",
    )},
    "blank read as no: lump": COVERED,
    **{f"blank read as no by one rule: doctor_streaks_with_tenderness_or_lump: {name}": COVERED for name in (
        "streaks", "tenderness", "lump",
    )},
    **{f"causes change places: {name}": NO_TIE for name in (
        "muscle_or_tendon_tear and varicose_veins",
        "muscle_or_tendon_tear and overuse_strain",
        "muscle_cramp and overuse_strain",
    )},
}  # fmt: skip


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as opened:
        cases = pack_records(SHIPPED, [case.answers for case in CASES])
        opened.register("cases", cases)
        opened.execute("CREATE TABLE packed AS FROM cases")
        yield opened


def caught_by(connection: duckdb.DuckDBPyConnection, mutant: Mutant) -> list[str]:
    """The sentences of the cases that come out otherwise than they say."""
    found = fetch_tags(connection, mutant.pack, mutant.relation)
    return [case.says for case, tags in zip(CASES, found, strict=True) if wrong(case, tags)]


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if str(m) not in EQUIVALENT], ids=str)
def test_caught(mutant: Mutant, connection: duckdb.DuckDBPyConnection) -> None:
    assert caught_by(connection, mutant), "no clinical case notices: write one, or list the mutant with the reason"


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if str(m) in EQUIVALENT], ids=str)
def test_equivalent(mutant: Mutant, connection: duckdb.DuckDBPyConnection) -> None:
    assert caught_by(connection, mutant) == [], "this one can be told apart after all: take it off the list"


def test_the_shipped_pack_is_caught_by_no_case(connection: duckdb.DuckDBPyConnection) -> None:
    assert caught_by(connection, Mutant("nothing", "changed")) == []


def test_every_listed_equivalent_is_a_mutant() -> None:
    assert set(EQUIVALENT) - {str(mutant) for mutant in MUTANTS} == set()


def test_no_two_mutants_have_one_name() -> None:
    assert [name for name, count in Counter(map(str, MUTANTS)).items() if count > 1] == []


def test_there_are_as_many_mutants_of_each_kind_as_the_pack_has_places() -> None:
    made = Counter(mutant.kind for mutant in MUTANTS)
    assert {kind: made[kind] for kind in HOW_MANY} == HOW_MANY
    assert len(MUTANTS) >= 450


def test_every_mutant_is_a_pack_that_could_be_loaded_and_differs_from_the_shipped_one() -> None:
    for mutant in MUTANTS:
        rows = (*mutant.pack.triage, *mutant.pack.evidence)
        assert [row.id for row in rows if find_condition_problem(row.when, mutant.pack)] == []
        assert mutant.pack != SHIPPED or mutant.relation != "packed"
