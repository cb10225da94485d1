"""What a formula over a pack's answers can be, decided exactly.

The search is Davis, Putnam, Logemann and Loveland's with three additions: forced parts are followed first, answers
that do nothing another one does not do are left out, and what failed is kept. It is exact, and like every exact
method exponential in the worst case; docs/rules.md has the worst that was met.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterator
from functools import reduce
from itertools import product

from pipelines.rules.formulas import (
    AtLeast,
    Effort,
    Formula,
    Masks,
    OneOf,
    Space,
    TooMuchEffortError,
    every,
    list_alternatives,
)


def find_model(
    formula: Formula, space: Space, effort: Effort | None = None, possible: Masks | None = None
) -> Masks | None:
    """Return an answer for which the formula holds, one a field (unknown where it does not matter), or None.

    `possible` are the answers to choose from, else every one. Raises TooMuchEffortError once the searches that share
    `effort` have used it up.
    """
    found = _search(formula, possible or space.everything(), set(), effort or space.effort or Effort())
    return found and {name: 1 << (mask.bit_length() - 1) for name, mask in found.items()}


def find_counterexample(space: Space, when: str, by: str) -> Masks | None:
    """Return an answer for which the condition `when` is TRUE and `by` is not, or None."""
    # way by way: where `when` is a long OR or `by` a long AND, each of its parts alone is soon decided
    pairs = product(list_alternatives(space.true(when)), list_alternatives(space.not_true(by)))
    return next((found for pair in pairs if (found := find_model(every(pair), space))), None)


def _search(formula: Formula, possible: Masks, failed: set[tuple[object, ...]], effort: Effort) -> Masks | None:
    formula, possible = _propagate(formula, possible)
    if isinstance(formula, bool):
        return possible if formula else None
    counts = Counter(statement.field for statement in _list_statements(formula))
    effort.statements -= counts.total()
    if effort.statements < 0:
        raise TooMuchEffortError
    key = (formula, *((name, possible[name]) for name in sorted(counts)))
    if key in failed:
        return None
    field = max(counts, key=lambda name: (counts[name], name))
    for bit in _split_bits(possible[field]):
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
        for statement in _find_forced(formula):
            narrowed[statement.field] &= statement.values
        if not all(narrowed.values()):
            return False, possible
        narrowed = narrowed if narrowed != possible else _drop_idle(formula, possible)
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


def _find_forced(formula: Formula) -> Iterator[OneOf]:
    """Yield the statements without which the formula cannot hold."""
    if isinstance(formula, OneOf):
        yield formula
    elif isinstance(formula, AtLeast):
        slack = sum(weight for weight, _ in formula.parts) - formula.least
        for weight, part in formula.parts:
            if weight > slack:
                yield from _find_forced(part)


def _list_statements(formula: Formula) -> Iterator[OneOf]:
    if isinstance(formula, OneOf):
        yield formula
    elif isinstance(formula, AtLeast):
        for _, part in formula.parts:
            yield from _list_statements(part)


def _drop_idle(formula: Formula, possible: Masks) -> Masks:
    """Of each field only answers that make some statement hold which no other answer makes hold with all of its own.

    Formulas have no NOT, so that an answer which fulfils more statements can take the place of one that fulfils fewer.
    """
    made: dict[str, list[int]] = {}
    for field, values in set(_list_statements(formula)):
        made.setdefault(field, []).append(values)
    return possible | {field: _keep_useful(possible[field], values) for field, values in made.items()}


def _keep_useful(possible: int, statements: list[int]) -> int:
    does: dict[int, int] = {}  # which statements an answer fulfils -> the last answer that fulfils just these
    for bit in _split_bits(possible):
        does[sum(1 << i for i, values in enumerate(statements) if values & bit)] = bit
    best = (bit for done, bit in does.items() if not any(done & more == done != more for more in does))
    return reduce(operator.or_, best)


def _split_bits(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest
        mask ^= lowest
