"""accepted rows + rule pack -> tags: the pack compiled to one vectorised, three-valued SELECT.

A record's answers come as two bit masks in the order of the pack's fields: `answered` and `yes`. A condition
is compiled to a pair of tests on the masks: when it is TRUE, and when it is FALSE; where neither holds, an
unknown answer decides, and it is UNKNOWN. The pairs combine as in Kleene's logic, which is also SQL's:
AND is TRUE where all parts are and FALSE where one is, OR the other way round, NOT swaps the two. So an
unknown answer is never read as no. (Tests hold this against SQL's own NULLs and a slow evaluator; testing
bits takes a third of the time of unpacking every answer to a nullable column.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlglot import exp

from schemas.pack import LEVELS, Evidence, Pack, TriageRule, condition_fields, parse_condition
from schemas.record_layout import TAG_COLUMNS as TAG_COLUMNS
from schemas.record_layout import all_field_bits, code_of, field_bit, missing_bit, rule_bit, scores_sql


class Truth(NamedTuple):
    """Two SQL tests of one condition, neither of them ever NULL."""

    true: str
    false: str


def condition_sql(when: str) -> str:
    """A pack's condition as plain DuckDB SQL over nullable columns, rebuilt from its syntax tree."""
    return str(parse_condition(when).sql(dialect="duckdb", comments=False, identify=True))


def condition_tests(pack: Pack, when: str) -> Truth:
    """A pack's condition as tests on the masks `yes` and `no` (and on the numeric columns)."""
    return _tests(pack, parse_condition(when))


def _tests(pack: Pack, tree: exp.Expression) -> Truth:
    if isinstance(tree, exp.Paren):
        return _tests(pack, tree.this)
    if isinstance(tree, exp.Not):
        inner = _tests(pack, tree.this)
        return Truth(inner.false, inner.true)
    if isinstance(tree, exp.Column):
        bit = field_bit(pack, tree.name)
        return Truth(f"(yes & {bit}) <> 0", f"(no & {bit}) <> 0")
    if isinstance(tree, exp.And | exp.Or):
        return _combined(pack, _parts(tree, type(tree)), isinstance(tree, exp.And))
    if tree.this.name in pack.choices:
        return _choice_tests(pack, tree)
    compared = tree.sql(dialect="duckdb")
    return Truth(f"coalesce({compared}, FALSE)", f"coalesce(NOT ({compared}), FALSE)")


def _choice_tests(pack: Pack, tree: exp.Expression) -> Truth:
    """A choice is stored as 1 + its place among the values, 0 where it is unknown."""
    name, code = tree.this.name, code_of(pack.choices[tree.this.name], tree.expression.name)
    chosen, other = f"{name} = {code}", f"{name} NOT IN (0, {code})"
    return Truth(chosen, other) if isinstance(tree, exp.EQ) else Truth(other, chosen)


def _parts(tree: exp.Expression, kind: type[exp.Expression]) -> list[exp.Expression]:
    """The operands of a chain of ANDs, or of ORs."""
    if isinstance(tree, exp.Paren):
        return _parts(tree.this, kind)
    if isinstance(tree, kind):
        return _parts(tree.left, kind) + _parts(tree.right, kind)
    return [tree]


def _combined(pack: Pack, parts: Sequence[exp.Expression], every: bool) -> Truth:
    """AND (`every`) or OR of parts; the plain fields among them are one test on the mask."""
    bits = 0
    for part in parts:
        bits |= field_bit(pack, part.name) if isinstance(part, exp.Column) else 0
    tests = [_tests(pack, part) for part in parts if not isinstance(part, exp.Column)]
    if bits:
        all_yes, some_no = f"(yes & {bits}) = {bits}", f"(no & {bits}) <> 0"
        some_yes, all_no = f"(yes & {bits}) <> 0", f"(no & {bits}) = {bits}"
        tests.insert(0, Truth(all_yes, some_no) if every else Truth(some_yes, all_no))
    true, false = zip(*tests, strict=True)
    return Truth(_join(" AND " if every else " OR ", true), _join(" OR " if every else " AND ", false))


def tag_sql(pack: Pack, relation: str, open_rules: bool = False) -> str:
    """SELECT every column of `relation` and its tags.

    The tags are packed as schemas.record_layout says; with `open_rules`, also rules_open: bit i is set where triage
    rule i is UNKNOWN.
    """
    unknown = ((f"NOT (true_{i} OR false_{i})", rule_bit(i)) for i in range(len(pack.triage)))
    more = f",\n    {_bits(unknown)} AS rules_open" if open_rules else ""
    return f"""WITH answers AS (
  SELECT *, xor(answered, yes) AS no FROM {relation}
), states AS (
  SELECT *,
    {_states(pack)},
    {_points(pack)}
  FROM answers
), levels AS (
  SELECT *,
    {_some_true(pack, "emergency")} AS emergency_true,
    {_some_true(pack, "contact_doctor")} AS contact_doctor_true,
    {_all_false(pack, "emergency")} AS emergency_false,
    {_all_false(pack, "contact_doctor")} AS contact_doctor_false,
    {_scores(pack)}
  FROM states
)
SELECT * EXCLUDE ({", ".join(_scratch(pack))}),
    CASE WHEN emergency_true THEN {LEVELS.index("emergency")}
         WHEN contact_doctor_true THEN {LEVELS.index("contact_doctor")}
         WHEN contact_doctor_false THEN {LEVELS.index("self_care")}
         ELSE {LEVELS.index("unresolved")} END::UTINYINT AS triage_level,
    CASE WHEN NOT emergency_false THEN {LEVELS.index("emergency")}
         WHEN NOT contact_doctor_false THEN {LEVELS.index("contact_doctor")}
         ELSE {LEVELS.index("self_care")} END::UTINYINT AS triage_ceiling,
    {_bits((f"true_{i}", rule_bit(i)) for i in range(len(pack.triage)))} AS rules_true,
    {_missing(pack)} AS missing,
    {_likely_cause(pack)}::UTINYINT AS likely_cause,
    ({scores_sql(f"score_{i}" for i in range(len(pack.categories)))}) AS scores{more}
FROM levels"""


def _states(pack: Pack) -> str:
    pairs = [condition_tests(pack, rule.when) for rule in pack.triage]
    return ",\n    ".join(f"{pair.true} AS true_{i}, {pair.false} AS false_{i}" for i, pair in enumerate(pairs))


def _scratch(pack: Pack) -> list[str]:
    rules = [f"{state}_{i}" for i in range(len(pack.triage)) for state in ("true", "false")]
    levels = [f"{level}_{state}" for level in ("emergency", "contact_doctor") for state in ("true", "false")]
    points = [f"points_{i}" for i in range(len(pack.causes))]
    return ["no", *rules, *levels, *points, *(f"score_{i}" for i in range(len(pack.categories)))]


def _at_least(pack: Pack, level: str) -> list[int]:
    """The places of the rules that call for a level or a higher one."""
    floor = LEVELS.index(level)
    return [i for i, rule in enumerate(pack.triage) if LEVELS.index(rule.level) >= floor]


def _some_true(pack: Pack, level: str) -> str:
    return _join(" OR ", (f"true_{i}" for i in _at_least(pack, level)), none="FALSE")


def _all_false(pack: Pack, level: str) -> str:
    return _join(" AND ", (f"false_{i}" for i in _at_least(pack, level)), none="TRUE")


def _missing(pack: Pack) -> str:
    """Unknown fields of the unknown rules above the level: what to ask to settle the record."""
    open_rules = (
        (f"NOT (true_{i} OR false_{i} OR {rule.level}_true)", _field_bits(pack, rule))
        for i, rule in enumerate(pack.triage)
    )
    yes_no = all_field_bits(pack)
    unknown = [(f"{name} IS NULL", missing_bit(pack, name)) for name in pack.numbers]
    unknown += [(f"{name} = 0", missing_bit(pack, name)) for name in pack.choices]
    return f"({_bits(open_rules)} & (xor(answered, {yes_no}::UINTEGER) | {_bits(unknown)}))"


def _field_bits(pack: Pack, rule: TriageRule) -> int:
    return sum(missing_bit(pack, name) for name in condition_fields(rule.when))


def _points(pack: Pack) -> str:
    return ",\n    ".join(
        f"{_join(' + ', (_worth(pack, row) for row in pack.evidence if row.cause == cause.name))} AS points_{i}"
        for i, cause in enumerate(pack.causes)
    )


def _worth(pack: Pack, row: Evidence) -> str:
    """Evidence counts only where it is TRUE."""
    return f"(CASE WHEN {condition_tests(pack, row.when).true} THEN {row.points}::UTINYINT ELSE 0::UTINYINT END)"


def _scores(pack: Pack) -> str:
    sums = (
        _join(" + ", (f"points_{i}" for i, cause in enumerate(pack.causes) if cause.category == category.name))
        for category in pack.categories
    )
    return ",\n    ".join(f"{total} AS score_{i}" for i, total in enumerate(sums))


def _likely_cause(pack: Pack) -> str:
    """The strongest cause of the strongest category; ties go to the earlier one in the pack."""
    branches = []
    for i, category in enumerate(pack.categories):
        if not pack.causes_of(category.name):
            continue
        others = [f"score_{i} >= score_{j}" for j in range(len(pack.categories)) if j != i]
        test = " AND ".join([f"score_{i} > 0", *others])
        branches.append(f"WHEN {test} THEN {_strongest(pack, category.name)}")
    return f"(CASE {' '.join(branches)} ELSE 0 END)"


def _strongest(pack: Pack, category: str) -> str:
    places = [pack.causes.index(cause) for cause in pack.causes_of(category)]
    branches = []
    for i in places:
        others = " AND ".join(f"points_{i} >= points_{j}" for j in places if j != i) or "TRUE"
        branches.append(f"WHEN {others} THEN {i + 1}")
    return f"(CASE {' '.join(branches)} ELSE 0 END)"


def _bits(tests: Iterable[tuple[str, int]]) -> str:
    """A mask of the bits whose test holds."""
    return _join(" | ", (f"(CASE WHEN {test} THEN {bits}::UINTEGER ELSE 0::UINTEGER END)" for test, bits in tests))


def _join(operator: str, terms: Iterable[str], none: str = "0") -> str:
    return f"({operator.join(terms) or none})"
