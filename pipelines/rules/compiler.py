"""accepted rows + rule pack -> tags: the pack compiled to one vectorised, three-valued SELECT."""

from __future__ import annotations

import functools

from pipelines.rules.cause_sql import LIKELY_CAUSE, best_rank_sql, certainty_sql, evidence_sql, ranks_sql
from pipelines.rules.condition_sql import bits_sql, compile_condition, joined_sql, true_bits_sql
from pipelines.rules.missing_sql import missing_sql
from schemas.pack import LEVELS, Pack
from schemas.record_layout import TAG_COLUMNS as TAG_COLUMNS


@functools.lru_cache(maxsize=32)  # a run asks for each of its files
def tag_sql(pack: Pack, relation: str, open_rules: bool = False) -> str:
    """SELECT every column of `relation` and its tags.

    triage_level, triage_ceiling: places in schemas.pack.LEVELS; rules_true: bit i is triage rule i;
    missing: bit i is field i of Pack.askable; likely_cause: 0 for undetermined, else 1 + place in
    Pack.causes; cause_certainty: place in CERTAINTIES; evidence_true: bit i is evidence row i; with `open_rules`, also
    rules_open: bit i is set if triage rule i is UNKNOWN.
    """
    ranked, ranks = best_rank_sql(pack, "levels")
    unknown = ((f"NOT (true_{i} OR false_{i})", 1 << i) for i in range(len(pack.triage)))
    more = f",\n    {bits_sql(unknown)} AS rules_open" if open_rules else ""
    return f"""WITH answers AS (
  SELECT *, xor(answered, yes) AS no FROM {relation}
), states AS (
  SELECT *,
    {_states_sql(pack)},
    {evidence_sql(pack)} AS evidence_true
  FROM answers
), levels AS (
  SELECT *,
    {_some_true_sql(pack, "emergency")} AS emergency_true,
    {_some_true_sql(pack, "contact_doctor")} AS contact_doctor_true,
    {_all_false_sql(pack, "emergency")} AS emergency_false,
    {_all_false_sql(pack, "contact_doctor")} AS contact_doctor_false,
    {ranks_sql(pack)}
  FROM states
)
SELECT * EXCLUDE ({", ".join(_list_scratch_columns(pack) + ranks)}),
    CASE WHEN emergency_true THEN {LEVELS.index("emergency")}
         WHEN contact_doctor_true THEN {LEVELS.index("contact_doctor")}
         WHEN contact_doctor_false THEN {LEVELS.index("self_care")}
         ELSE {LEVELS.index("unresolved")} END::UTINYINT AS triage_level,
    CASE WHEN NOT emergency_false THEN {LEVELS.index("emergency")}
         WHEN NOT contact_doctor_false THEN {LEVELS.index("contact_doctor")}
         ELSE {LEVELS.index("self_care")} END::UTINYINT AS triage_ceiling,
    {_rules_true_sql(pack)} AS rules_true,
    {missing_sql(pack)} AS missing,
    {LIKELY_CAUSE} AS likely_cause,
    {certainty_sql(pack)} AS cause_certainty,
    evidence_true::UBIGINT AS evidence_true{more}
FROM {ranked}"""


def _states_sql(pack: Pack) -> str:
    pairs = [compile_condition(pack, rule.when) for rule in pack.triage]
    return ",\n    ".join(f"{pair.true} AS true_{i}, {pair.false} AS false_{i}" for i, pair in enumerate(pairs))


def _rules_true_sql(pack: Pack) -> str:
    return true_bits_sql(pack, [rule.when for rule in pack.triage], [f"true_{i}" for i in range(len(pack.triage))])


def _list_scratch_columns(pack: Pack) -> list[str]:
    rules = [f"{state}_{i}" for i in range(len(pack.triage)) for state in ("true", "false")]
    levels = [f"{level}_{state}" for level in ("emergency", "contact_doctor") for state in ("true", "false")]
    return ["no", *rules, *levels, "evidence_true"]


def _find_rules_at_least(pack: Pack, level: str) -> list[int]:
    """Return the places of the rules that call for a level or a higher one."""
    floor = LEVELS.index(level)
    return [i for i, rule in enumerate(pack.triage) if LEVELS.index(rule.level) >= floor]


def _some_true_sql(pack: Pack, level: str) -> str:
    return joined_sql(" OR ", (f"true_{i}" for i in _find_rules_at_least(pack, level)), none="FALSE")


def _all_false_sql(pack: Pack, level: str) -> str:
    return joined_sql(" AND ", (f"false_{i}" for i in _find_rules_at_least(pack, level)), none="TRUE")
