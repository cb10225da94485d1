"""A pack's condition -> SQL: when it is TRUE and when it is FALSE, over a record's packed answers.

A record's answers come as two bit masks in the order of the pack's fields: `answered` and `yes`. A condition
is compiled to a pair of tests on the masks: when it is TRUE, and when it is FALSE; if neither holds, an
unknown answer decides, and it is UNKNOWN. The pairs combine as in Kleene's logic, which is also SQL's:
AND is TRUE if all parts are and FALSE if one is, OR the other way round, NOT swaps the two. So an
unknown answer is never read as no. (Tests hold this against SQL's own NULLs and a slow evaluator; testing
bits takes a third of the time of unpacking every answer to a nullable column.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlglot import exp

from schemas.conditions import parse_condition
from schemas.pack import Pack


class Truth(NamedTuple):
    """Two SQL tests of one condition, neither of them ever NULL."""

    true: str
    false: str


def condition_sql(when: str) -> str:
    """Return a pack's condition as plain DuckDB SQL over nullable columns, rebuilt from its syntax tree."""
    return str(parse_condition(when).sql(dialect="duckdb", comments=False, identify=True))


def compile_condition(pack: Pack, when: str) -> Truth:
    """Return a pack's condition as tests on the masks `yes` and `no` (and on the numeric columns)."""
    return _compile_tree(pack, parse_condition(when))


def _compile_tree(pack: Pack, tree: exp.Expression) -> Truth:
    if isinstance(tree, exp.Paren):
        return _compile_tree(pack, tree.this)
    if isinstance(tree, exp.Not):
        inner = _compile_tree(pack, tree.this)
        return Truth(inner.false, inner.true)
    if isinstance(tree, exp.Column):
        bit = find_field_bit(pack, tree.name)
        return Truth(f"(yes & {bit}) <> 0", f"(no & {bit}) <> 0")
    if isinstance(tree, exp.And | exp.Or):
        return _combine(pack, _split_operands(tree, type(tree)), isinstance(tree, exp.And))
    if tree.this.name in pack.choices:
        return _compile_choice(pack, tree)
    compared = tree.sql(dialect="duckdb")
    return Truth(f"coalesce({compared}, FALSE)", f"coalesce(NOT ({compared}), FALSE)")


def _compile_choice(pack: Pack, tree: exp.Expression) -> Truth:
    """A choice is stored as 1 + its place among the values, 0 where it is unknown."""
    name, code = tree.this.name, 1 + pack.choices[tree.this.name].index(tree.expression.name)
    chosen, other = f"{name} = {code}", f"{name} NOT IN (0, {code})"
    return Truth(chosen, other) if isinstance(tree, exp.EQ) else Truth(other, chosen)


def _split_operands(tree: exp.Expression, kind: type[exp.Expression]) -> list[exp.Expression]:
    """Return the operands of a chain of ANDs, or of ORs."""
    if isinstance(tree, exp.Paren):
        return _split_operands(tree.this, kind)
    if isinstance(tree, kind):
        return _split_operands(tree.left, kind) + _split_operands(tree.right, kind)
    return [tree]


def _combine(pack: Pack, parts: Sequence[exp.Expression], every: bool) -> Truth:
    """AND (`every`) or OR of parts; the plain fields among them are one test on the mask."""
    bits = 0
    for part in parts:
        bits |= find_field_bit(pack, part.name) if isinstance(part, exp.Column) else 0
    tests = [_compile_tree(pack, part) for part in parts if not isinstance(part, exp.Column)]
    if bits:
        all_yes, some_no = f"(yes & {bits}) = {bits}", f"(no & {bits}) <> 0"
        some_yes, all_no = f"(yes & {bits}) <> 0", f"(no & {bits}) = {bits}"
        tests.insert(0, Truth(all_yes, some_no) if every else Truth(some_yes, all_no))
    true, false = zip(*tests, strict=True)
    return Truth(joined_sql(" AND " if every else " OR ", true), joined_sql(" OR " if every else " AND ", false))


def find_field_bit(pack: Pack, field: str) -> int:
    """Return the bit of a yes/no field in the masks."""
    return 1 << pack.field_names.index(field)


def bits_sql(tests: Iterable[tuple[str, int]], kind: str = "UINTEGER") -> str:
    """Return a mask of the bits whose test holds."""
    return joined_sql(
        " | ", (f"(CASE WHEN {test} THEN {bits}::{kind} ELSE 0::{kind} END)" for test, bits in tests), f"0::{kind}"
    )


def true_bits_sql(pack: Pack, conditions: Sequence[str], tests: Sequence[str]) -> str:
    """Return a mask in which bit i is set if condition i is TRUE; `tests` say when, in SQL that is never NULL.

    Fields that move by the same number of places are moved together, and a bit is shifted out where its test does not
    hold: a CASE takes three times as long, and a shift to the left ten times.
    """
    kind = "UINTEGER" if len(conditions) <= 32 else "UBIGINT"
    moved: dict[int, int] = {}
    parts = []
    for i, (condition, test) in enumerate(zip(conditions, tests, strict=True)):
        tree = parse_condition(condition)
        places = pack.field_names.index(tree.name) - i if isinstance(tree, exp.Column) else -1
        if places >= 0:
            moved[places] = moved.get(places, 0) | 1 << (i + places)
        else:
            parts.append(f"(({1 << i}::{kind} >> (NOT ({test}))::{kind}) & {1 << i}::{kind})")
    parts += [f"((yes & {bits}) >> {places})::{kind}" for places, bits in moved.items()]
    return joined_sql(" | ", parts, f"0::{kind}")


def joined_sql(operator: str, terms: Iterable[str], none: str = "0") -> str:
    """Return the terms in parentheses, or `none` if there are none."""
    return f"({operator.join(terms) or none})"
