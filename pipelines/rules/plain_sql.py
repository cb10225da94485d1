"""A rule pack as plain SQL: what a clinician or an analyst can run, and read, over the view `reports`.

It gives the tags that an ingest stores, from the answers as columns and by SQL's own three-valued logic: NULL is
unknown. The ingest itself tests bits (pipelines/rules/compiler.py), so that each of the two is a check of the other.
Made-up column names hold a blank: no field of a pack can have one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipelines.rules.condition_sql import condition_sql
from pipelines.rules.formulas import OneOf, Space
from pipelines.rules.terms import OpenTerm, Term, TooManyTermsError, find_level_terms
from pipelines.rules.urgency import find_evidence_urgencies
from schemas.conditions import list_condition_fields
from schemas.pack import LEVELS, UNDETERMINED, URGENCY, Cause, Pack
from schemas.tables import quoted_sql

# the levels that rules call for, each with its column: whether a rule of that level or a higher one is TRUE
LEVEL_COLUMNS = {"emergency": '"emergency level"', "contact_doctor": '"contact_doctor or higher"'}


def plain_sql(pack: Pack, relation: str = "reports", keys: str = "source, report_id") -> str:
    """Return one SELECT over `reports`: source, report_id and the tags of each record, named and typed as there."""
    opened = dict(_open_columns(pack))
    asked = (f'"{name}" IS NULL AND ({test})' for name, test in _find_asked(pack, opened).items())
    return f"""-- One row a record of `reports`: its tags, worked out anew from its answers by rule pack {pack.version}.
WITH rules AS (
  -- the triage rules: TRUE, FALSE, or NULL where unknown answers decide
  SELECT *,
{_columns_sql(f"({condition_sql(rule.when)}) AS {_quote_name('rule', rule.id)}" for rule in pack.triage)}
  FROM {relation}
), levels AS (
  -- TRUE where some rule is, FALSE where all are, else NULL
  SELECT *,
    {_some_rule_sql(pack, "emergency")} AS "emergency level",
    {_some_rule_sql(pack, "contact_doctor")} AS "contact_doctor or higher"
  FROM rules
), questions AS (
  -- the ways in which unknown answers can still reach a level, without those that another way makes superfluous
  SELECT *,
{_columns_sql(f"{test} AS {name}" for name, (_, test) in opened.items())}
  FROM levels
), evidence AS (
  -- only evidence that is TRUE gives points
  SELECT *,
{_columns_sql(f"({condition_sql(row.when)}) IS TRUE AS {_quote_name('evidence', row.id)}" for row in pack.evidence)}
  FROM questions
), points AS (
  SELECT *,
{_columns_sql(f"{_points(pack, cause)} AS {_quote_name('points', cause.name)}" for cause in pack.causes)}
  FROM evidence
), ranked AS (
  -- the causes that have points, the leading one first: {_describe_ranking(pack)}
  SELECT *, list_reverse_sort(list_filter([
{_columns_sql(_ranked_sql(pack, cause) for cause in pack.causes)}
  ], lambda cause: cause.points > 0)) AS "the ranking"
  FROM points
), led AS (
  SELECT *,
    "the ranking"[1].points AS "points that lead",
    list_max(list_transform("the ranking"[2:], lambda cause: cause.points)) AS "points behind"
  FROM ranked
)
SELECT
  {keys},
  CASE WHEN "emergency level" THEN 'emergency'
       WHEN "contact_doctor or higher" THEN 'contact_doctor'
       WHEN NOT "contact_doctor or higher" THEN 'self_care'
       ELSE 'unresolved' END AS triage_level,
  CASE WHEN "emergency level" IS NOT FALSE THEN 'emergency'
       WHEN "contact_doctor or higher" IS NOT FALSE THEN 'contact_doctor'
       ELSE 'self_care' END AS triage_ceiling,
  {_names_sql((_quote_name("rule", rule.id), rule.id) for rule in pack.triage)} AS triage_rules,
  -- what to ask: unknown fields whose answer can change the level
  {_names_sql(zip(asked, _find_asked(pack, opened), strict=True))} AS missing_answers,
  coalesce("the ranking"[1].category, '{UNDETERMINED}') AS cause_category,
  "the ranking"[1].cause AS likely_cause,
  CASE WHEN len("the ranking") = 0 THEN 'none'
       WHEN "points that lead" = 1 THEN 'weak'
       WHEN len("the ranking") = 1 THEN 'only'
       WHEN "points behind" + 1 >= "points that lead" THEN 'close'
       ELSE 'leading' END AS cause_certainty,
  map_from_entries(list_filter([
{_columns_sql(f"{{k: {quoted_sql(c.name)}, v: {_quote_name('points', c.name)}::UTINYINT}}" for c in pack.causes)}
  ], lambda entry: entry.v > 0)) AS cause_scores
FROM led"""


def _quote_name(kind: str, name: str) -> str:
    return f'"{kind} {name}"'


def _columns_sql(columns: Iterable[str]) -> str:
    return ",\n".join(f"    {column}" for column in columns)


def _some_rule_sql(pack: Pack, level: str) -> str:
    floor = LEVELS.index(level)
    return _joined_sql(
        " OR", (_quote_name("rule", rule.id) for rule in pack.triage if LEVELS.index(rule.level) >= floor), "FALSE"
    )


def _joined_sql(operator: str, terms: Iterable[str], none: str) -> str:
    """Terms in parentheses, one a line; `none` if there are none."""
    line_end = f"{operator}\n      "
    return f"({line_end.join(terms) or none})"


# ------------------------------------------------------------------------- what to ask


def _open_columns(pack: Pack) -> Iterator[tuple[str, tuple[tuple[str, ...], str]]]:
    """Column -> the fields of a way to a level, and the SQL that says whether it is still open and decides."""
    space = Space(pack)
    try:
        terms = find_level_terms(pack, space)
    except TooManyTermsError:
        yield from _open_rules(pack)
        return
    for level, opened in (("emergency", terms.emergency), ("contact_doctor", terms.any_level)):
        for number, each in enumerate(opened, 1):
            test = f"({LEVEL_COLUMNS[level]} IS NOT TRUE AND {_decides_sql(space, each)})"
            yield f'"{level} {number}"', (each.fields, test)


def _open_rules(pack: Pack) -> Iterator[tuple[str, tuple[tuple[str, ...], str]]]:
    for rule in pack.triage:
        test = f"({LEVEL_COLUMNS[rule.level]} IS NOT TRUE AND {_quote_name('rule', rule.id)} IS NULL)"
        yield _quote_name("open", rule.id), (list_condition_fields(rule.when), test)


def _decides_sql(space: Space, each: OpenTerm) -> str:
    alive = f"({_term_sql(space, each.term)}) IS NOT FALSE"
    covers = [
        f"({_term_sql(space, cover.needed)}) IS TRUE"
        + (f" AND ({_term_sql(space, cover.unless)}) IS NOT TRUE" if cover.unless else "")
        for cover in each.covers
    ]
    return f"{alive} AND NOT ({' OR '.join(f'({cover})' for cover in covers)})" if covers else alive


def _term_sql(space: Space, term: Term) -> str:
    return " AND ".join(_statement_sql(space, each) for each in term)


def _statement_sql(space: Space, each: OneOf) -> str:
    """TRUE if the answer is one of some values, FALSE if it is another one, NULL if it is unknown."""
    name, known = f'"{each.field}"', space.values[each.field][:-1]
    chosen = [value for place, value in enumerate(known) if each.values >> place & 1]
    if not chosen:
        return f"({name} <> {name})"
    tests = [
        f"{name} BETWEEN {value.start} AND {value.stop - 1}"
        if isinstance(value, range)
        else f"{name} = {quoted_sql(value)}"
        if isinstance(value, str)
        else (name if value else f"NOT {name}")
        for value in chosen
    ]
    return tests[0] if len(tests) == 1 else f"({' OR '.join(tests)})"


def _find_asked(pack: Pack, opened: dict[str, tuple[tuple[str, ...], str]]) -> dict[str, str]:
    """Field -> when it is asked for, in the pack's order; without the fields that no triage rule reads."""
    tests = {
        name: " OR ".join(column for column, (fields, _) in opened.items() if name in fields) for name in pack.askable
    }
    return {name: test for name, test in tests.items() if test}


# ------------------------------------------------------------------------- causes


def _points(pack: Pack, cause: Cause) -> str:
    rows = (
        f"CASE WHEN {_quote_name('evidence', row.id)} THEN {row.points} ELSE 0 END"
        for row in pack.evidence
        if row.cause == cause.name
    )
    return _joined_sql(" +", rows, "0")


def _describe_ranking(pack: Pack) -> str:
    if pack.leading_cause == URGENCY:
        return "by the urgency of its evidence, its points, its danger"
    return "by the points of its category, its own points, its place in the pack"


def _ranked_sql(pack: Pack, cause: Cause) -> str:
    """Return one cause of the ranking: what decides first stands first."""
    danger = len(pack.causes) - pack.causes.index(cause)
    last = f"points: {_quote_name('points', cause.name)}, danger: {danger}, cause: {quoted_sql(cause.name)}"
    last += f", category: {quoted_sql(cause.category)}"
    if pack.leading_cause == URGENCY:
        return f"{{urgency: {_urgency_sql(pack, cause)}, {last}}}"
    members = " + ".join(_quote_name("points", each.name) for each in pack.list_causes(cause.category))
    names = [category.name for category in pack.categories]
    return f"{{category_points: {members}, category_danger: {len(names) - names.index(cause.category)}, {last}}}"


def _urgency_sql(pack: Pack, cause: Cause) -> str:
    """Return the highest level that evidence of the cause establishes alone, as a number."""
    rows = list(zip(pack.evidence, find_evidence_urgencies(pack), strict=True))
    branches = []
    for level in ("emergency", "contact_doctor"):
        names = [
            _quote_name("evidence", row.id) for row, urgency in rows if (row.cause, urgency) == (cause.name, level)
        ]
        branches += [f"WHEN {' OR '.join(names)} THEN {LEVELS.index(level)}"] if names else []
    return f"CASE {' '.join(branches)} ELSE 0 END" if branches else "0"


def _names_sql(tests: Iterable[tuple[str, str]]) -> str:
    """Return a list of the names whose test is TRUE."""
    parts = [f"CASE WHEN {test} THEN [{quoted_sql(name)}] ELSE [] END" for test, name in tests]
    return "\n    || ".join(["[]::VARCHAR[]", *parts])
