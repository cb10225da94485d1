"""Conditions of a pack as formulas over the finitely many answers that its fields allow.

A field's answers are yes and no, a list of values, or the ranges into which the numbers named in conditions cut
a number; and unknown. "The condition is TRUE" and "it is FALSE" are each a formula without NOT over statements
"the answer is one of these" (a sign is TRUE for yes, FALSE for no, and for unknown neither), so that Kleene's
three-valued logic needs no third value here. One kind of node, a weighted count of its parts, does for AND, OR and
the points of evidence. What such formulas can be is decided in pipelines/rules/solver.py.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
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


def list_conditions(pack: Pack) -> list[str]:
    """Return every condition of the pack."""
    return [rule.when for rule in pack.triage] + [row.when for row in pack.evidence]


@dataclass
class Effort:
    """How many statements searches may still read together; without a limit a search always ends with the answer."""

    statements: float = math.inf


class TooMuchEffortError(Exception):
    """A search was given up."""


class Space:
    """The answers that a pack's fields allow, as far as its conditions tell them apart."""

    def __init__(self, pack: Pack, effort: Effort | None = None) -> None:
        self.effort = effort  # that every search in this space shares, unless it has its own
        trees = {when: parse_condition(when) for when in list_conditions(pack)}
        cuts = _find_cuts(trees.values())
        self.values: dict[str, tuple[Value, ...]] = dict.fromkeys(pack.field_names, (True, False, None))
        self.values |= {name: (*_cut_ranges(*ends, cuts.get(name, set())), None) for name, ends in pack.numbers.items()}
        self.values |= {name: (*values, None) for name, values in pack.choices.items()}
        self._formulas = {when: self._make_pair(tree) for when, tree in trees.items()}

    def true(self, when: str) -> Formula:
        """Hold if the condition is TRUE."""
        return self._formulas[when][0]

    def false(self, when: str) -> Formula:
        """Hold if the condition is FALSE."""
        return self._formulas[when][1]

    def not_true(self, when: str) -> Formula:
        """Hold if the condition is FALSE or UNKNOWN."""
        return self.negate(self.true(when))

    def negate(self, formula: Formula) -> Formula:
        """Hold if the formula does not."""
        if isinstance(formula, bool):
            return not formula
        if isinstance(formula, OneOf):
            return OneOf(formula.field, self._make_full_mask(formula.field) & ~formula.values)
        total = sum(weight for weight, _ in formula.parts)
        parts = tuple((weight, self.negate(part)) for weight, part in formula.parts)
        return AtLeast(total - formula.least + 1, parts)

    def everything(self) -> Masks:
        """State that every answer of every field is possible."""
        return {name: self._make_full_mask(name) for name in self.values}

    def unknown(self, name: str) -> int:
        """Return the bit of the unknown answer, the last of every field."""
        return 1 << (len(self.values[name]) - 1)

    def masks(self, answers: Mapping[str, bool | int | str | None]) -> Masks:
        """Return one record's answers, each the only possible one."""
        return {name: 1 << self._find_place(name, answers[name]) for name in self.values}

    def _find_place(self, name: str, answer: bool | int | str | None) -> int:
        values = self.values[name]
        return next(i for i, v in enumerate(values) if (answer in v if isinstance(v, range) else answer == v))

    def _make_full_mask(self, name: str) -> int:
        return (1 << len(self.values[name])) - 1

    def _make_pair(self, tree: exp.Expression) -> tuple[Formula, Formula]:
        """Return the formulas for TRUE and for FALSE."""
        if isinstance(tree, exp.Paren):
            return self._make_pair(tree.this)
        if isinstance(tree, exp.Not):
            true, false = self._make_pair(tree.this)
            return false, true
        if isinstance(tree, exp.And | exp.Or):
            pairs = [self._make_pair(part) for part in _list_operands(tree, type(tree))]
            trues, falses = [true for true, _ in pairs], [false for _, false in pairs]
            return (every(trues), some(falses)) if isinstance(tree, exp.And) else (some(trues), every(falses))
        return self._make_statement(tree, True), self._make_statement(tree, False)

    def _make_statement(self, tree: exp.Expression, wanted: bool) -> OneOf:
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


def list_alternatives(formula: Formula) -> Iterator[Formula]:
    """Yield the formulas of which one must hold: the parts of an OR, else the formula itself."""
    if isinstance(formula, AtLeast) and formula.least == 1:
        yield from (part for _, part in formula.parts)
    else:
        yield formula
