"""accepted rows + rule pack -> tags: the pack compiled to one vectorised, three-valued SELECT.

SQL's TRUE, FALSE and NULL are the answer's yes, no and unknown; AND, OR and NOT are Kleene's, so an
unknown answer is never read as no. The compiled statement reads `answered` and `yes` (a bit a field,
in the order of the pack), `pain_score` and `duration_days`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.fields import NUMERIC_FIELDS
from schemas.pack import LEVELS, Evidence, Pack, TriageRule, condition_fields, parse_condition

TAG_COLUMNS = ("triage_level", "triage_ceiling", "rules_true", "missing", "likely_cause", "scores")


def condition_sql(when: str) -> str:
    """A pack's condition as DuckDB SQL, rebuilt from its syntax tree: nothing is passed through as text."""
    return parse_condition(when).sql(dialect="duckdb")


def answers_sql(pack: Pack) -> str:
    """A select list that unpacks the masks: one nullable BOOLEAN per field."""
    return ",\n    ".join(
        f"CASE WHEN (answered & {1 << bit}) <> 0 THEN (yes & {1 << bit}) <> 0 END AS {name}"
        for bit, name in enumerate(pack.field_names)
    )


def tag_sql(pack: Pack, relation: str) -> str:
    """SELECT every column of `relation` and its tags.

    triage_level, triage_ceiling: places in schemas.pack.LEVELS; rules_true: bit i is triage rule i;
    missing: bit i is field i of Pack.askable; likely_cause: 0 for undetermined, else 1 + place in
    Pack.causes; scores: byte i is category i's points.
    """
    return f"""WITH answers AS (
  SELECT *,
    {answers_sql(pack)}
  FROM {relation}
), states AS (
  SELECT *,
    {_states(pack.triage)},
    {_points(pack)}
  FROM answers
), levels AS (
  SELECT *,
    {_level(pack)} AS triage_level,
    {_ceiling(pack)} AS triage_ceiling,
    {_scores(pack)}
  FROM states
)
SELECT * EXCLUDE ({", ".join(_scratch(pack))}),
    {_bits(f"rule_{i} IS TRUE" for i in range(len(pack.triage)))} AS rules_true,
    {_missing(pack)} AS missing,
    {_likely_cause(pack)}::UTINYINT AS likely_cause,
    {_sum(f"(score_{i}::UINTEGER << {8 * i})" for i in range(len(pack.categories)))} AS scores
FROM levels"""


def _scratch(pack: Pack) -> list[str]:
    return [
        *pack.field_names,
        *(f"rule_{i}" for i in range(len(pack.triage))),
        *(f"points_{i}" for i in range(len(pack.causes))),
        *(f"score_{i}" for i in range(len(pack.categories))),
    ]


def _states(rules: Sequence[TriageRule]) -> str:
    return ",\n    ".join(f"({condition_sql(rule.when)}) AS rule_{i}" for i, rule in enumerate(rules))


def _any_of(pack: Pack, at_least: str) -> str:
    """Kleene OR of the rules of a level or higher: NULL where an unknown answer could still make it TRUE."""
    floor = LEVELS.index(at_least)
    names = [f"rule_{i}" for i, rule in enumerate(pack.triage) if LEVELS.index(rule.level) >= floor]
    return f"({' OR '.join(names) or 'FALSE'})"


def _level(pack: Pack) -> str:
    doctor = _any_of(pack, "contact_doctor")
    return (
        f"CASE WHEN {_any_of(pack, 'emergency')} THEN {LEVELS.index('emergency')}"
        f" WHEN {doctor} THEN {LEVELS.index('contact_doctor')}"
        f" WHEN NOT {doctor} THEN {LEVELS.index('self_care')}"
        f" ELSE {LEVELS.index('unresolved')} END::UTINYINT"
    )


def _ceiling(pack: Pack) -> str:
    return (
        f"CASE WHEN {_any_of(pack, 'emergency')} IS NOT FALSE THEN {LEVELS.index('emergency')}"
        f" WHEN {_any_of(pack, 'contact_doctor')} IS NOT FALSE THEN {LEVELS.index('contact_doctor')}"
        f" ELSE {LEVELS.index('self_care')} END::UTINYINT"
    )


def _missing(pack: Pack) -> str:
    """Unknown fields of the unknown rules above the level: what to ask to settle the record."""
    wanted = _join(
        " | ",
        (
            f"(CASE WHEN rule_{i} IS NULL AND {_any_of(pack, rule.level)} IS NOT TRUE"
            f" THEN {_field_bits(pack, rule)}::UINTEGER ELSE 0::UINTEGER END)"
            for i, rule in enumerate(pack.triage)
        ),
    )
    yes_no = (1 << len(pack.field_names)) - 1
    numeric = "".join(
        f" | (CASE WHEN {name} IS NULL THEN {1 << (len(pack.field_names) + i)}::UINTEGER ELSE 0::UINTEGER END)"
        for i, name in enumerate(NUMERIC_FIELDS)
    )
    return f"(({wanted}) & (xor(answered, {yes_no}::UINTEGER){numeric}))"


def _field_bits(pack: Pack, rule: TriageRule) -> int:
    return sum(1 << pack.askable.index(name) for name in condition_fields(rule.when))


def _points(pack: Pack) -> str:
    return ",\n    ".join(
        f"{_sum(_worth(row) for row in pack.evidence if row.cause == cause.name)} AS points_{i}"
        for i, cause in enumerate(pack.causes)
    )


def _worth(row: Evidence) -> str:
    return f"(CASE WHEN {condition_sql(row.when)} THEN {row.points}::UTINYINT ELSE 0::UTINYINT END)"


def _scores(pack: Pack) -> str:
    sums = (
        _sum(f"points_{i}" for i, cause in enumerate(pack.causes) if cause.category == category.name)
        for category in pack.categories
    )
    return ",\n    ".join(f"{total} AS score_{i}" for i, total in enumerate(sums))


def _likely_cause(pack: Pack) -> str:
    """The strongest cause of the strongest category; ties go to the earlier one in the pack."""
    branches = []
    for i, category in enumerate(pack.categories):
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


def _bits(tests: Iterable[str]) -> str:
    return _join(
        " | ",
        (f"(CASE WHEN {test} THEN {1 << i}::UINTEGER ELSE 0::UINTEGER END)" for i, test in enumerate(tests)),
    )


def _sum(terms: Iterable[str]) -> str:
    return _join(" + ", terms)


def _join(operator: str, terms: Iterable[str]) -> str:
    return f"({operator.join(terms) or '0'})"
