"""A rule pack as plain SQL: what a clinician or an analyst can run, and read, over the view `reports`.

It gives the tags that an ingest stores, from the answers as columns and by SQL's own three-valued logic: NULL is
unknown. The ingest itself tests bits (pipelines/tag.py), so that each of the two is a check of the other.
Made-up column names hold a blank: no field of a pack can have one.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.rules.compiler import condition_sql
from schemas.pack import LEVELS, UNDETERMINED, Evidence, Pack, TriageRule, condition_fields
from schemas.tables import quoted


def plain_sql(pack: Pack) -> str:
    """One SELECT over `reports`: source, report_id and the tags of each record, named and typed as there."""
    return f"""-- One row a record of `reports`: its tags, worked out anew from its answers by rule pack {pack.version}.
WITH rules AS (
  -- the triage rules: TRUE, FALSE, or NULL where unknown answers decide
  SELECT *,
{_columns(_rule(rule) for rule in pack.triage)}
  FROM reports
), levels AS (
  -- TRUE where some rule is, FALSE where all are, else NULL
  SELECT *,
    {_some_rule(pack, "emergency")} AS "emergency level",
    {_some_rule(pack, "contact_doctor")} AS "contact_doctor or higher"
  FROM rules
), evidence AS (
  -- only evidence that is TRUE gives points
  SELECT *,
{_columns(_points(row) for row in pack.evidence)}
  FROM levels
), causes AS (
  SELECT *,
{_columns(_cause(pack, cause.name) for cause in pack.causes)}
  FROM evidence
), categories AS (
  SELECT *,
{_columns(_category(pack, category.name) for category in pack.categories)}
  FROM causes
), ranked AS (
  -- most points; a tie goes to the category that the pack names first, the more dangerous one
  SELECT *,
    {_leader([(category.name, _name("score", category.name)) for category in pack.categories])} AS "leading category"
  FROM categories
)
SELECT
  source, report_id,
  CASE WHEN "emergency level" THEN 'emergency'
       WHEN "contact_doctor or higher" THEN 'contact_doctor'
       WHEN NOT "contact_doctor or higher" THEN 'self_care'
       ELSE 'unresolved' END AS triage_level,
  CASE WHEN "emergency level" IS NOT FALSE THEN 'emergency'
       WHEN "contact_doctor or higher" IS NOT FALSE THEN 'contact_doctor'
       ELSE 'self_care' END AS triage_ceiling,
  {_names((_name("rule", rule.id), rule.id) for rule in pack.triage)} AS triage_rules,
  -- what to ask: unknown fields of unknown rules above the level
  {_names((test, name) for name in pack.askable if (test := _open(pack, name)))} AS missing_answers,
  coalesce("leading category", '{UNDETERMINED}') AS cause_category,
  {_likely(pack)} AS likely_cause,
  {{{", ".join(f"{quoted(c.name)}: {_name('score', c.name)}::UTINYINT" for c in pack.categories)}}} AS cause_scores
FROM ranked"""


# the levels that rules call for, each with its column: whether a rule of that level or a higher one is TRUE
LEVEL_COLUMNS = {"emergency": '"emergency level"', "contact_doctor": '"contact_doctor or higher"'}


def _name(kind: str, name: str) -> str:
    return f'"{kind} {name}"'


def _columns(columns: Iterable[str]) -> str:
    return ",\n".join(f"    {column}" for column in columns)


def _rule(rule: TriageRule) -> str:
    return f"({condition_sql(rule.when)}) AS {_name('rule', rule.id)}"


def _points(row: Evidence) -> str:
    return f"CASE WHEN {condition_sql(row.when)} THEN {row.points} ELSE 0 END AS {_name('points', row.id)}"


def _some_rule(pack: Pack, level: str) -> str:
    floor = LEVELS.index(level)
    return _joined(
        " OR", (_name("rule", rule.id) for rule in pack.triage if LEVELS.index(rule.level) >= floor), "FALSE"
    )


def _joined(operator: str, terms: Iterable[str], none: str) -> str:
    """Terms in parentheses, one a line; `none` where there are none."""
    line_end = f"{operator}\n      "
    return f"({line_end.join(terms) or none})"


def _cause(pack: Pack, cause: str) -> str:
    rows = (_name("points", row.id) for row in pack.evidence if row.cause == cause)
    return f"{_joined(' +', rows, '0')} AS {_name('cause', cause)}"


def _category(pack: Pack, category: str) -> str:
    causes = (_name("cause", cause.name) for cause in pack.causes_of(category))
    return f"{_joined(' +', causes, '0')} AS {_name('score', category)}"


def _leader(contenders: list[tuple[str, str]]) -> str:
    """The first name with the most points, NULL where nobody has any."""
    most = f"greatest({', '.join(points for _, points in contenders)})"
    branches = "\n         ".join(f"WHEN {points} THEN {quoted(name)}" for name, points in contenders)
    return f"CASE nullif({most}, 0)\n         {branches} END"


def _likely(pack: Pack) -> str:
    branches = []
    for category in pack.categories:
        causes = [(cause.name, _name("cause", cause.name)) for cause in pack.causes_of(category.name)]
        branches += [f"WHEN {quoted(category.name)} THEN {_leader(causes)}"] if causes else []
    return 'CASE "leading category"\n    ' + "\n    ".join(branches) + " END"


def _open(pack: Pack, field: str) -> str:
    """When asking for a field could raise or settle the level; empty where no triage rule reads it."""
    tests = []
    for level, column in LEVEL_COLUMNS.items():
        rules = [rule for rule in pack.triage if rule.level == level and field in condition_fields(rule.when)]
        unknown = " OR ".join(f"{_name('rule', rule.id)} IS NULL" for rule in rules)
        tests += [f"({column} IS NOT TRUE AND ({unknown}))"] if rules else []
    return f'"{field}" IS NULL AND ({" OR ".join(tests)})' if tests else ""


def _names(tests: Iterable[tuple[str, str]]) -> str:
    """A list of the names whose test is TRUE."""
    parts = [f"CASE WHEN {test} THEN [{quoted(name)}] ELSE [] END" for test, name in tests]
    return "\n    || ".join(["[]::VARCHAR[]", *parts])
