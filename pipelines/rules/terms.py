"""What to ask: the rules of a level as an OR of AND-terms, and which unknown answers can still change it.

A level is reached if some term of its rules is TRUE. Take a record's known answers out of every term, and drop a term
that holds a wrong one: what is left of the terms is what must be answered. A term is superfluous if what is left of
another one is part of it, and the fields of the terms that remain are those whose answer can change the level. This is
exact if no field is asked for opposite answers (`find_over_asked` lists those that are); else it names a field too many
at times, never one too few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

from pipelines.rules.formulas import Formula, Masks, OneOf, Space, some
from schemas.pack import Pack

MOST_TERMS = 128  # of one level; the statement that tags grows with their square

Term = tuple[OneOf, ...]  # each field once, in the order of names; all of them must hold


class TooManyTermsError(Exception):
    """The rules of a level have more terms than can be compared with each other."""


class Cover(NamedTuple):
    """What makes a term superfluous: every statement of `needed` is TRUE, and not every one of `unless`.

    `unless` is there where two terms can have the same left: then the earlier one stays.
    """

    needed: Term
    unless: Term


@dataclass(frozen=True)
class OpenTerm:
    """A term with what can make it superfluous in a record."""

    term: Term
    covers: tuple[Cover, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that the term reads."""
        return tuple(statement.field for statement in self.term)


@dataclass(frozen=True)
class LevelTerms:
    """The terms of the emergency rules; and those of all rules, which say whether any level is reached."""

    emergency: tuple[OpenTerm, ...]
    any_level: tuple[OpenTerm, ...]


def find_level_terms(pack: Pack, space: Space) -> LevelTerms:
    """Return the terms of a pack's rules. Raises TooManyTermsError."""
    emergency = some(space.true(rule.when) for rule in pack.triage if rule.level == "emergency")
    any_level = some(space.true(rule.when) for rule in pack.triage)
    return LevelTerms(_open_terms(emergency), _open_terms(any_level))


def _open_terms(formula: Formula) -> tuple[OpenTerm, ...]:
    terms = sorted(list_terms(formula), key=lambda term: (len(term), term))
    return tuple(OpenTerm(term, tuple(_find_covers(terms, place))) for place, term in enumerate(terms))


def list_terms(formula: Formula) -> list[Term]:
    """Return the formula, which is made of AND and OR alone, as an OR of terms; none of them is part of another."""
    if isinstance(formula, bool):
        return [()] if formula else []
    if isinstance(formula, OneOf):
        return [(formula,)]
    parts = [list_terms(part) for _, part in formula.parts]
    if formula.least == 1:
        return _drop_superfluous(term for part in parts for term in part)
    return reduce(lambda left, right: _drop_superfluous(_join(a, b) for a in left for b in right), parts)


def _drop_superfluous(terms: Iterable[Term]) -> list[Term]:
    """Return the terms without those that another one makes superfluous in every record."""
    kept: list[Term] = []
    for term in dict.fromkeys(terms):
        if not any(not _subtract(other, term) for other in kept):
            kept = [other for other in kept if _subtract(term, other)] + [term]
        if len(kept) > MOST_TERMS:
            raise TooManyTermsError
    return kept


def _join(left: Term, right: Term) -> Term:
    values = dict(left)
    for name, mask in right:
        values[name] = values.get(name, mask) & mask
    return tuple(OneOf(name, values[name]) for name in sorted(values))


def _subtract(term: Term, other: Term) -> Term:
    """Return the statements of `term` that do not follow from `other`."""
    given = dict(other)
    return tuple(each for each in term if each.field not in given or given[each.field] & ~each.values)


def _find_covers(terms: list[Term], place: int) -> Iterator[Cover]:
    term = terms[place]
    for number, other in enumerate(terms):
        needed = _subtract(other, term)
        if number == place or needed == other:  # nothing in common: where it is TRUE the level is reached
            continue
        back = _subtract(term, other)
        yield Cover(needed, back if number > place and back != term else ())


def find_asked_terms(terms: tuple[OpenTerm, ...], space: Space, record: Masks) -> list[tuple[str, ...]]:
    """Return the unknown fields of every term that decides in a record; nothing if the level is reached."""

    def is_true(statement: OneOf) -> bool:
        return bool(record[statement.field] & statement.values)

    def is_unknown(statement: OneOf) -> bool:
        return record[statement.field] == space.unknown(statement.field)

    if any(all(map(is_true, each.term)) for each in terms):
        return []
    asked = []
    for each in terms:
        alive = all(is_true(statement) or is_unknown(statement) for statement in each.term)
        if alive and not any(_holds(cover, is_true) for cover in each.covers):
            asked.append(tuple(statement.field for statement in each.term if is_unknown(statement)))
    return asked


def _holds(cover: Cover, is_true: Callable[[OneOf], bool]) -> bool:
    return all(map(is_true, cover.needed)) and not (cover.unless and all(map(is_true, cover.unless)))


def find_over_asked(terms: LevelTerms, space: Space) -> list[str]:
    """Return the fields of which a record's missing answers may name one too many: rules want opposite answers to them.

    For every other field the tests can be told apart: each has an answer that fulfils it and no test but those that
    it implies, and some answer fulfils none. If that holds of all fields, what is asked is exact.
    """
    masks: dict[str, set[int]] = {}
    for each in (*terms.emergency, *terms.any_level):
        for name, values in each.term:
            masks.setdefault(name, set()).add(values)
    return [name for name, found in masks.items() if not _are_apart(found, space.unknown(name) - 1)]


def _are_apart(masks: set[int], every: int) -> bool:
    union = reduce(int.__or__, masks)
    alone = (mask & ~reduce(int.__or__, (other for other in masks if mask & ~other), 0) for mask in masks)
    return union != every and all(alone)
