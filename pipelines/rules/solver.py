"""What a condition can be, decided exactly over the finitely many answers that its fields allow.

A field's answers are yes and no, a list of values, or the ranges into which the numbers named in conditions cut
a number; and unknown. "The condition is TRUE" and "it is FALSE" are each a formula without NOT over statements
"the answer is one of these" (a sign is TRUE for yes, FALSE for no, and for unknown neither), so that Kleene's
three-valued logic needs no third value here. One kind of node, a weighted count of its parts, does for AND, OR and
the points of evidence. The search below is Davis, Putnam, Logemann and Loveland's with three additions: forced
parts are followed first, answers that do nothing another one does not do are left out, and what failed is kept.
It is exact, and like every exact method exponential in the worst case; docs/rules.md has the worst that was met.
"""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise, product
from typing import Any, NamedTuple, TypeAlias, Union

from sqlglot import exp

from schemas.conditions import parse_condition
from schemas.pack import Pack

COMPARE: dict[type[exp.Expression], Callable[[Any, Any], bool]] = {
    exp.GT: operator.gt,
    exp.GTE: operator.ge,
    exp.LT: operator.lt,
    exp.LTE: operator.le,
    exp.EQ: operator.eq,
    exp.NEQ: operator.ne,
}

Value: TypeAlias = bool | str | range | None  # None is unknown; a number's answers are ranges
Formula: TypeAlias = Union[bool, "OneOf", "AtLeast"]
Masks: TypeAlias = dict[str, int]  # field -> bit i is set where its value i is possible


class OneOf(NamedTuple):
    """The answer to a field is one of some values: bit i stands for value i of the field."""

    field: str
    values: int


class AtLeast(NamedTuple):
    """The weights (positive) of the parts that hold add up to at least `least`."""

    least: int
    parts: tuple[tuple[int, Formula], ...]


def every(parts: Iterable[Formula]) -> AtLeast:
    """State that all parts hold."""
    weighted = tuple((1, part) for part in parts)
    return AtLeast(len(weighted), weighted)


def some(parts: Iterable[Formula]) -> AtLeast:
    """State that at least one part holds."""
    return AtLeast(1, tuple((1, part) for part in parts))


def conditions(pack: Pack) -> list[str]:
    """Return every condition of the pack."""
    return [rule.when for rule in pack.triage] + [row.when for row in pack.evidence]


class Space:
    """The answers that a pack's fields allow, as far as its conditions tell them apart."""

    def __init__(self, pack: Pack, effort: Effort | None = None) -> None:
        self.effort = effort  # that every search in this space shares, unless it has its own
        trees = {when: parse_condition(when) for when in conditions(pack)}
        cuts = _find_cuts(trees.values())
        self.values: dict[str, tuple[Value, ...]] = dict.fromkeys(pack.field_names, (True, False, None))
        self.values |= {name: (*_cut_ranges(*ends, cuts.get(name, set())), None) for name, ends in pack.numbers.items()}
        self.values |= {name: (*values, None) for name, values in pack.choices.items()}
        self._formulas = {when: self._pair(tree) for when, tree in trees.items()}

    def true(self, when: str) -> Formula:
        """Hold if the condition is TRUE."""
        return self._formulas[when][0]

    def false(self, when: str) -> Formula:
        """Hold if the condition is FALSE."""
        return self._formulas[when][1]

    def not_true(self, when: str) -> Formula:
        """Hold if the condition is FALSE or UNKNOWN."""
        return self.opposite(self.true(when))

    def opposite(self, formula: Formula) -> Formula:
        """Hold if the formula does not."""
        if isinstance(formula, bool):
            return not formula
        if isinstance(formula, OneOf):
            return OneOf(formula.field, self._all(formula.field) & ~formula.values)
        total = sum(weight for weight, _ in formula.parts)
        parts = tuple((weight, self.opposite(part)) for weight, part in formula.parts)
        return AtLeast(total - formula.least + 1, parts)

    def everything(self) -> Masks:
        """State that every answer of every field is possible."""
        return {name: self._all(name) for name in self.values}

    def unknown(self, name: str) -> int:
        """Return the bit of the unknown answer, the last of every field."""
        return 1 << (len(self.values[name]) - 1)

    def masks(self, answers: Mapping[str, bool | int | str | None]) -> Masks:
        """Return one record's answers, each the only possible one."""
        return {name: 1 << self._place(name, answers[name]) for name in self.values}

    def _place(self, name: str, answer: bool | int | str | None) -> int:
        values = self.values[name]
        return next(i for i, v in enumerate(values) if (answer in v if isinstance(v, range) else answer == v))

    def _all(self, name: str) -> int:
        return (1 << len(self.values[name])) - 1

    def _pair(self, tree: exp.Expression) -> tuple[Formula, Formula]:
        """Return the formulas for TRUE and for FALSE."""
        if isinstance(tree, exp.Paren):
            return self._pair(tree.this)
        if isinstance(tree, exp.Not):
            true, false = self._pair(tree.this)
            return false, true
        if isinstance(tree, exp.And | exp.Or):
            pairs = [self._pair(part) for part in _list_operands(tree, type(tree))]
            trues, falses = [true for true, _ in pairs], [false for _, false in pairs]
            return (every(trues), some(falses)) if isinstance(tree, exp.And) else (some(trues), every(falses))
        return self._statement(tree, True), self._statement(tree, False)

    def _statement(self, tree: exp.Expression, wanted: bool) -> OneOf:
        column = tree if isinstance(tree, exp.Column) else tree.this
        known = self.values[column.name][:-1]
        found = [value if column is tree else _compare_value(tree, value) for value in known]
        return OneOf(column.name, sum(1 << place for place, truth in enumerate(found) if truth is wanted))


def _compare_value(tree: exp.Expression, value: Value) -> bool:
    """A range lies on one side of the number named: its first one speaks for all."""
    compare, other = COMPARE[type(tree)], tree.expression.name
    return bool(compare(value.start, int(other)) if isinstance(value, range) else compare(value, other))


def _list_operands(tree: exp.Expression, kind: type[exp.Expression]) -> list[exp.Expression]:
    """Return the operands of a chain of ANDs, or of ORs. A chain may be long: the left side is walked, not nested."""
    parts: list[exp.Expression] = []
    while isinstance(tree, kind):
        parts.append(tree.right)
        tree = tree.left
    return [tree, *reversed(parts)]


def _find_cuts(trees: Iterable[exp.Expression]) -> dict[str, set[int]]:
    """Return the numbers that conditions name, by field."""
    cuts: dict[str, set[int]] = {}
    for tree in trees:
        for node in tree.find_all(*COMPARE):
            if not node.expression.is_string:
                cuts.setdefault(node.this.name, set()).add(int(node.expression.name))
    return cuts


def _cut_ranges(smallest: int, largest: int, cuts: set[int]) -> list[range]:
    """Return the whole numbers from smallest to largest, cut before and after every number named."""
    starts = {smallest, largest + 1} | {cut + step for cut in cuts for step in (0, 1)}
    return [range(a, b) for a, b in pairwise(sorted(s for s in starts if smallest <= s <= largest + 1))]


def holds(formula: Formula, masks: Masks) -> bool:
    """Return whether a formula holds for one record (Space.masks)."""
    if isinstance(formula, bool):
        return formula
    if isinstance(formula, OneOf):
        return bool(masks[formula.field] & formula.values)
    return sum(weight for weight, part in formula.parts if holds(part, masks)) >= formula.least


@dataclass
class Effort:
    """How many statements searches may still read together; without a limit a search always ends with the answer."""

    statements: float = math.inf


class TooMuchEffortError(Exception):
    """A search was given up."""


def model(formula: Formula, space: Space, effort: Effort | None = None, possible: Masks | None = None) -> Masks | None:
    """Return an answer for which the formula holds, one a field (unknown where it does not matter), or None.

    `possible` are the answers to choose from, else every one. Raises TooMuchEffortError once the searches that share
    `effort` have used it up.
    """
    found = _search(formula, possible or space.everything(), set(), effort or space.effort or Effort())
    return found and {name: 1 << (mask.bit_length() - 1) for name, mask in found.items()}


def counterexample(space: Space, when: str, by: str) -> Masks | None:
    """Return an answer for which the condition `when` is TRUE and `by` is not, or None."""
    # way by way: where `when` is a long OR or `by` a long AND, each of its parts alone is soon decided
    pairs = product(alternatives(space.true(when)), alternatives(space.not_true(by)))
    return next((found for pair in pairs if (found := model(every(pair), space))), None)


def alternatives(formula: Formula) -> Iterator[Formula]:
    """Yield the formulas of which one must hold: the parts of an OR, else the formula itself."""
    if isinstance(formula, AtLeast) and formula.least == 1:
        yield from (part for _, part in formula.parts)
    else:
        yield formula


def _search(formula: Formula, possible: Masks, failed: set[tuple[object, ...]], effort: Effort) -> Masks | None:
    formula, possible = _propagate(formula, possible)
    if isinstance(formula, bool):
        return possible if formula else None
    counts = Counter(statement.field for statement in _statements(formula))
    effort.statements -= counts.total()
    if effort.statements < 0:
        raise TooMuchEffortError
    key = (formula, *((name, possible[name]) for name in sorted(counts)))
    if key in failed:
        return None
    field = max(counts, key=lambda name: (counts[name], name))
    for bit in _bits(possible[field]):
        if found := _search(formula, possible | {field: bit}, failed, effort):
            return found
    failed.add(key)
    return None


def _propagate(formula: Formula, possible: Masks) -> tuple[Formula, Masks]:
    """Follow what must hold, and leave out idle answers, until nothing changes."""
    while True:
        formula = _reduce(formula, possible)
        if isinstance(formula, bool):
            return formula, possible
        narrowed = dict(possible)
        for statement in _forced(formula):
            narrowed[statement.field] &= statement.values
        if not all(narrowed.values()):
            return False, possible
        narrowed = narrowed if narrowed != possible else _without_idle(formula, possible)
        if narrowed == possible:
            return formula, possible
        possible = narrowed


def _reduce(formula: Formula, possible: Masks) -> Formula:
    """Return the formula with everything decided that the possible answers decide."""
    if isinstance(formula, bool):
        return formula
    if isinstance(formula, OneOf):
        kept = formula.values & possible[formula.field]
        return bool(kept) if kept in (0, possible[formula.field]) else OneOf(formula.field, kept)
    least, parts = formula.least, []
    for weight, part in formula.parts:
        smaller = _reduce(part, possible)
        if smaller is True:
            least -= weight
        elif smaller is not False:
            parts.append((weight, smaller))
    if least <= 0 or sum(weight for weight, _ in parts) < least:
        return least <= 0
    return parts[0][1] if len(parts) == 1 else AtLeast(least, tuple(parts))


def _forced(formula: Formula) -> Iterator[OneOf]:
    """Yield the statements without which the formula cannot hold."""
    if isinstance(formula, OneOf):
        yield formula
    elif isinstance(formula, AtLeast):
        slack = sum(weight for weight, _ in formula.parts) - formula.least
        for weight, part in formula.parts:
            if weight > slack:
                yield from _forced(part)


def _statements(formula: Formula) -> Iterator[OneOf]:
    if isinstance(formula, OneOf):
        yield formula
    elif isinstance(formula, AtLeast):
        for _, part in formula.parts:
            yield from _statements(part)


def _without_idle(formula: Formula, possible: Masks) -> Masks:
    """Of each field only answers that make some statement hold which no other answer makes hold with all of its own.

    Formulas have no NOT, so that an answer which fulfils more statements can take the place of one that fulfils fewer.
    """
    made: dict[str, list[int]] = {}
    for field, values in set(_statements(formula)):
        made.setdefault(field, []).append(values)
    return possible | {field: _useful(possible[field], values) for field, values in made.items()}


def _useful(possible: int, statements: list[int]) -> int:
    does: dict[int, int] = {}  # which statements an answer fulfils -> the last answer that fulfils just these
    for bit in _bits(possible):
        does[sum(1 << i for i, values in enumerate(statements) if values & bit)] = bit
    best = (bit for done, bit in does.items() if not any(done & more == done != more for more in does))
    return reduce(operator.or_, best)


def _bits(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest
        mask ^= lowest
