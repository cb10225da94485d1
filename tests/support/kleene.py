"""A record's tags worked out slowly and obviously from the reading of the article; no SQL runs here.

Written from the design page on how the article is read, not from pipelines/tag.py: the two must agree on every
pack and every record. An answer is True, False or None (unknown); a number is an int or None, a choice a text or None.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product

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
    cause_certainty: str
    cause_scores: dict[str, int]


def tags(pack: Pack, answers: Answers) -> Tags:
    """Every tag of a record; `answers` has every field of the pack, pain_score and duration_days."""
    states = {rule.id: state(rule.when, answers) for rule in pack.triage}
    leader = likely_cause(pack, answers)
    category = next((cause.category for cause in pack.causes if cause.name == leader), "undetermined")
    return Tags(
        triage_level(pack, states),
        triage_ceiling(pack, states),
        [rule.id for rule in pack.triage if states[rule.id] is True],
        missing_answers(pack, states, answers),
        category,
        leader,
        certainty(pack, answers),
        {name: points for name, points in cause_points(pack, answers).items() if points},
    )


def state(when: str, answers: Answers) -> bool | None:
    """A condition is TRUE, FALSE or, where unknown answers decide it, None."""
    return _state(when, *_select(when, answers))


def _select(when: str, answers: Answers) -> list[bool | int | str | None]:
    """The answers that a condition reads: records that give the same ones are not worked out again."""
    return [answers[name] for name in _names(when)]


@cache
def _names(when: str) -> list[str]:
    return sorted({column.name for column in _tree(when).find_all(exp.Column)})


@lru_cache(maxsize=100_000, typed=True)
def _state(when: str, *selected: bool | int | str | None) -> bool | None:
    return _value(_tree(when), dict(zip(_names(when), selected, strict=True)))


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
    """The unknown fields that can still decide whether a level is reached, in the pack's order.

    A level's rules are written out as all the ways to fulfil them; a way is what it still lacks of the record, and one
    that lacks all that another lacks, and more, is left out.
    """
    asked: set[str] = set()
    allowed: Allowed = tuple((name, tuple(values)) for name, values in pack.choices.items())
    allowed += tuple((name, range(first, last + 1)) for name, (first, last) in pack.numbers.items())
    for levels in (("emergency",), ("emergency", "contact_doctor")):
        rules = [rule.when for rule in pack.triage if rule.level in levels]
        ways = [way for when in rules for way in _ways_to_true(when, allowed, *_select(when, answers))]
        asked.update(name for way in ways if not any(_is_less(other, way) for other in ways) for name, _ in way)
    return [name for name in pack.askable if name in asked]


Way = frozenset[tuple[str, frozenset[object]]]  # what is lacking: fields, each with the answers that would do
Values = tuple[str, ...] | range
Allowed = tuple[tuple[str, Values], ...]  # numbers and choices, each with the answers that there are


@lru_cache(maxsize=100_000, typed=True)
def _ways_to_true(when: str, allowed: Allowed, *selected: bool | int | str | None) -> list[Way]:
    return _ways(_tree(when), True, dict(zip(_names(when), selected, strict=True)), allowed)


def _ways(node: exp.Expression, wanted: bool, answers: Answers, allowed: Allowed) -> list[Way]:
    if isinstance(node, exp.Paren):
        return _ways(node.this, wanted, answers, allowed)
    if isinstance(node, exp.Not):
        return _ways(node.this, not wanted, answers, allowed)
    if isinstance(node, exp.And | exp.Or):
        left, right = (_ways(side, wanted, answers, allowed) for side in (node.left, node.right))
        if isinstance(node, exp.And) is wanted:
            return [_both(a, b) for a in left for b in right]
        return left + right
    name = node.name if isinstance(node, exp.Column) else node.left.name
    if answers[name] is not None:
        return [frozenset()] if _value(node, answers) is wanted else []
    return [frozenset([(name, _answers_that_do(node.sql("duckdb"), name, wanted, dict(allowed).get(name, ())))])]


@cache
def _answers_that_do(test: str, name: str, wanted: bool, values: Values) -> frozenset[object]:
    node = _tree(test)
    domain = (True, False) if isinstance(node, exp.Column) else values
    return frozenset(value for value in domain if _value(node, {name: value}) is wanted)


def _both(left: Way, right: Way) -> Way:
    values = dict(left)
    for name, do in right:
        values[name] = values.get(name, do) & do
    return frozenset(values.items())


def _is_less(other: Way, way: Way) -> bool:
    """Whether `way` lacks everything that `other` lacks, and something more."""

    def follows(left: Way, right: Way) -> bool:
        given = dict(right)
        return all(name in given and given[name] <= do for name, do in left)

    return follows(other, way) and not follows(way, other)


def cause_points(pack: Pack, answers: Answers) -> dict[str, int]:
    """Points of each cause: of the evidence that is TRUE."""
    points = {cause.name: 0 for cause in pack.causes}
    for row in pack.evidence:
        if state(row.when, answers) is True:
            points[row.cause] += row.points
    return points


def likely_cause(pack: Pack, answers: Answers) -> str:
    """The cause that leads, '' without points."""
    points = cause_points(pack, answers)
    with_points = [cause for cause in pack.causes if points[cause.name]]
    if pack.leading_cause == "urgency":
        urgent = {cause.name: urgency(pack, cause.name, answers) for cause in pack.causes}
        leaders = sorted(with_points, key=lambda c: (-urgent[c.name], -points[c.name], pack.causes.index(c)))
    else:  # packs before number 2: the category with most points, and the cause with most points in it
        names = [category.name for category in pack.categories]
        totals = {name: sum(points[c.name] for c in pack.causes if c.category == name) for name in names}
        leaders = sorted(
            with_points,
            key=lambda c: (-totals[c.category], names.index(c.category), -points[c.name], pack.causes.index(c)),
        )
    return leaders[0].name if leaders else ""


def urgency(pack: Pack, cause: str, answers: Answers) -> int:
    """The highest urgency of the cause's TRUE evidence."""
    rows = [row for row in pack.evidence if row.cause == cause and state(row.when, answers) is True]
    return max((LEVELS.index(evidence_urgency(pack, row.when)) for row in rows), default=0)


@cache
def evidence_urgency(pack: Pack, when: str) -> str:
    """The lowest level of the records, all of whose answers are known, in which a condition is TRUE: all are tried.

    All combinations of the answers that rules read, if they are few. Else of those that the condition reads, with the
    other signs all no and all yes, which is enough for rules without NOT.
    """
    lowest = "emergency"
    for answers in _complete_answers(pack, when):
        if state(when, answers) is True:
            states = {rule.id: state(rule.when, answers) for rule in pack.triage}
            lowest = min(lowest, triage_level(pack, states), key=LEVELS.index)
        if lowest == "self_care":
            break
    return lowest


def _complete_answers(pack: Pack, when: str) -> Iterator[dict[str, bool | int | str | None]]:
    read = {column.name for rule in (*pack.triage,) for column in _tree(rule.when).find_all(exp.Column)}
    own = {column.name for column in _tree(when).find_all(exp.Column)}
    few = len(read | own) <= 9
    tried = [name for name in pack.askable if name in own or (few and name in read)]
    values = [tried_values(pack, name) for name in tried]
    for other in (False, True):
        rest = dict.fromkeys(pack.field_names, other) | dict.fromkeys(pack.numbers, 0)
        rest |= {name: values[0] for name, values in pack.choices.items()}
        for combination in product(*values):
            yield rest | dict(zip(tried, combination, strict=True))


def tried_values(pack: Pack, name: str) -> Sequence[bool | int | str]:
    """Answers to a field, enough to tell apart whatever the pack's conditions tell apart."""
    if name in pack.field_names:
        return (False, True)
    if name in pack.choices:
        return pack.choices[name]
    named = {
        int(node.right.name)
        for row in (*pack.triage, *pack.evidence)
        for node in _tree(row.when).find_all(*COMPARISONS)
        if node.left.name == name
    }
    least, most = pack.numbers[name]
    return sorted({least, most, *(n + step for n in named for step in (-1, 0, 1) if least <= n + step <= most)})


def certainty(pack: Pack, answers: Answers) -> str:
    """How sure the likely cause is: the first that holds."""
    leader = likely_cause(pack, answers)
    points = {name: number for name, number in cause_points(pack, answers).items() if number}
    if not leader:
        return "none"
    if points[leader] == 1:
        return "weak"
    others = [number for name, number in points.items() if name != leader]
    if not others:
        return "only"
    return "close" if max(others) >= points[leader] - 1 else "leading"
