"""A record's tags worked out slowly and obviously from the reading of the article; no SQL runs here.

Written from the design page on how the article is read, not from pipelines/tag.py: the two must agree on every
pack and every record. An answer is True, False or None (unknown); a number is an int or None, a choice a text or None.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import sqlglot
from sqlglot import exp

from schemas.pack import Pack

Answers = Mapping[str, bool | int | str | None]

LEVELS = ("self_care", "unresolved", "contact_doctor", "emergency")  # lowest first
TRUTH = (False, None, True)  # AND takes the lowest of its sides, OR the highest
COMPARISONS = {
    exp.GT: operator.gt,
    exp.GTE: operator.ge,
    exp.LT: operator.lt,
    exp.LTE: operator.le,
    exp.EQ: operator.eq,
    exp.NEQ: operator.ne,
}


@dataclass(frozen=True)
class Tags:
    """What a record is tagged with; `likely_cause` is '' without points, as in the clinical cases."""

    triage_level: str
    triage_ceiling: str
    triage_rules: list[str]
    missing_answers: list[str]
    cause_category: str
    likely_cause: str
    cause_scores: dict[str, int]


def tags(pack: Pack, answers: Answers) -> Tags:
    """Every tag of a record; `answers` has every field of the pack, pain_score and duration_days."""
    states = {rule.id: state(rule.when, answers) for rule in pack.triage}
    scores = category_scores(pack, answers)
    category = strongest([c.name for c in pack.categories], scores)
    return Tags(
        triage_level(pack, states),
        triage_ceiling(pack, states),
        [rule.id for rule in pack.triage if states[rule.id] is True],
        missing_answers(pack, states, answers),
        category or "undetermined",
        likely_cause(pack, answers, category),
        scores,
    )


def state(when: str, answers: Answers) -> bool | None:
    """A condition is TRUE, FALSE or, where unknown answers decide it, None."""
    return _value(_tree(when), answers)


@cache
def _tree(when: str) -> exp.Expression:
    return sqlglot.parse_one(when, read="duckdb")


def _value(node: exp.Expression, answers: Answers) -> bool | None:
    if isinstance(node, exp.Paren):
        return _value(node.this, answers)
    if isinstance(node, exp.Column):
        return answers[node.name]
    if isinstance(node, exp.Not):
        return {True: False, False: True, None: None}[_value(node.this, answers)]
    if isinstance(node, exp.And):
        return min(_value(node.left, answers), _value(node.right, answers), key=TRUTH.index)
    if isinstance(node, exp.Or):
        return max(_value(node.left, answers), _value(node.right, answers), key=TRUTH.index)
    answer = answers[node.left.name]
    wanted = node.right.name if node.right.is_string else int(node.right.name)
    return None if answer is None else COMPARISONS[type(node)](answer, wanted)


def highest(levels: Sequence[str]) -> str:
    return max(levels, key=LEVELS.index)


def triage_level(pack: Pack, states: Mapping[str, bool | None]) -> str:
    """The highest level with a TRUE rule; self_care only where every rule is FALSE."""
    true = [rule.level for rule in pack.triage if states[rule.id] is True]
    if true:
        return highest(true)
    return "self_care" if all(value is False for value in states.values()) else "unresolved"


def triage_ceiling(pack: Pack, states: Mapping[str, bool | None]) -> str:
    """The highest level with a rule that is not FALSE."""
    return highest(["self_care", *(rule.level for rule in pack.triage if states[rule.id] is not False)])


def missing_answers(pack: Pack, states: Mapping[str, bool | None], answers: Answers) -> list[str]:
    """The unknown fields of unknown rules above the level (for unresolved: of any level), in the pack's order."""
    level = triage_level(pack, states)
    asked = set()
    for rule in pack.triage:
        above = level == "unresolved" or LEVELS.index(rule.level) > LEVELS.index(level)
        if states[rule.id] is None and above:
            asked.update(column.name for column in _tree(rule.when).find_all(exp.Column))
    return [name for name in pack.askable if name in asked and answers[name] is None]


def cause_points(pack: Pack, answers: Answers) -> dict[str, int]:
    """Points of each cause: of the evidence that is TRUE."""
    points = {cause.name: 0 for cause in pack.causes}
    for row in pack.evidence:
        if state(row.when, answers) is True:
            points[row.cause] += row.points
    return points


def category_scores(pack: Pack, answers: Answers) -> dict[str, int]:
    """A category's score is the sum of the points of its causes."""
    points = cause_points(pack, answers)
    scores = {category.name: 0 for category in pack.categories}
    for cause in pack.causes:
        scores[cause.category] += points[cause.name]
    return scores


def strongest(names: Sequence[str], points: Mapping[str, int]) -> str:
    """The name with most points, the first of a tie; '' where nobody has any."""
    best = ""
    for name in names:
        if points[name] > (points[best] if best else 0):
            best = name
    return best


def likely_cause(pack: Pack, answers: Answers, category: str) -> str:
    """The cause with most points inside the category, the earlier one of a tie."""
    inside = [cause.name for cause in pack.causes if cause.category == category]
    return strongest(inside, cause_points(pack, answers))
