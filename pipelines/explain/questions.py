"""What to ask to settle a record's triage level: what each answer would lead to, and how few answers can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any

from pipelines.rules.formulas import (
    AtLeast,
    Effort,
    Formula,
    Masks,
    OneOf,
    Space,
    TooMuchEffortError,
    Value,
    every,
    holds,
)
from pipelines.rules.solver import find_model
from pipelines.rules.terms import LevelTerms, TooManyTermsError, find_asked_terms, find_level_terms
from schemas.pack import LEVELS, RULE_LEVELS, Pack

Answers = Mapping[str, bool | int | str | None]
MOST_STATEMENTS = 100_000  # that the searches of one command may read together; the shipped pack needs 26 a record


def make_space(pack: Pack) -> Space:
    """Return the answers that a pack allows, for the questions about any number of records, searched within bounds."""
    return Space(pack, Effort(MOST_STATEMENTS))


def list_questions(pack: Pack, space: Space, answers: Answers, missing: list[str]) -> list[dict[str, Any]]:
    """Return for each missing field, in the pack's order, what every answer would lead to, alone.

    An answer has `answer` (yes, no, a value, or a range of numbers such as 7-10), the `triage_level` and
    `triage_ceiling` that would follow, and `settles`: whether the two would be the same.
    """
    now = space.masks(answers)
    return [_make_question(pack, space, now, name) for name in missing]


def _make_question(pack: Pack, space: Space, now: Masks, name: str) -> dict[str, Any]:
    led = [
        (value, find_levels(pack, space, now | {name: 1 << place}))
        for place, value in enumerate(space.values[name][:-1])
    ]
    found = []
    for (level, ceiling), group in groupby(led, key=lambda pair: pair[1]):
        for shown in _join_ranges([value for value, _ in group]):
            found.append(
                {"answer": shown, "triage_level": level, "triage_ceiling": ceiling, "settles": level == ceiling}
            )
    return {"field": name, "answers": found, "settles": any(answer["settles"] for answer in found)}


def _join_ranges(values: list[Value]) -> list[str]:
    """Return answers in words; neighbouring ranges that lead to the same are one."""
    first, last = values[0], values[-1]
    if isinstance(first, range) and isinstance(last, range):
        return [format_answer(range(first.start, last.stop))]
    return [format_answer(value) for value in values]


def format_answer(value: Value) -> str:
    """Return an answer in words."""
    if isinstance(value, range):
        return str(value.start) if len(value) == 1 else f"{value.start}-{value.stop - 1}"
    if isinstance(value, str):
        return value
    return "unknown" if value is None else "yes" if value else "no"


def find_levels(pack: Pack, space: Space, record: Masks) -> tuple[str, str]:
    """Return triage level and ceiling of one record (docs/rules.md)."""
    true = [rule.level for rule in pack.triage if holds(space.true(rule.when), record)]
    ceilings = [rule.level for rule in pack.triage if not holds(space.false(rule.when), record)]
    ceiling = max(ceilings, key=LEVELS.index, default="self_care")
    return max(true, key=LEVELS.index, default="unresolved" if ceilings else "self_care"), ceiling


def plan_questions(pack: Pack, space: Space, answers: Answers, missing: list[str]) -> dict[str, Any]:
    """Return what to ask: the missing answers in the order in which to ask, what each would lead to, and two
    short lists: the fewest answers that rule out every level above (None without a question, if answers on which
    the tags stood are no longer stored, or if the search is given up), and the single answers that settle it at once.
    """
    ordered = sorted(missing, key=_order_questions(pack, space, answers))
    found = list_questions(pack, space, answers, ordered)
    return {
        "missing_answers": ordered,
        "questions": found,
        "rule_out": _rule_out_if_found(pack, space, answers, ordered),
        "settle_at_once": [
            {"field": question["field"], "answer": answer["answer"], "triage_level": answer["triage_level"]}
            for question in found
            for answer in question["answers"]
            if answer["settles"]
        ],
    }


def find_emergency_questions(terms: LevelTerms, space: Space, answers: Answers) -> list[tuple[str, ...]]:
    """Return the groups of missing answers that could still make a record an emergency, the smallest first."""
    return sorted(find_asked_terms(terms.emergency, space, space.masks(answers)), key=len)


def _order_questions(pack: Pack, space: Space, answers: Answers) -> Callable[[str], tuple[int, int, int]]:
    """Return the order of questions: those that decide the highest open level with the fewest other answers first."""
    order = {name: (len(RULE_LEVELS), len(pack.askable), place) for place, name in enumerate(pack.askable)}
    try:
        terms = find_level_terms(pack, space)
    except TooManyTermsError:
        return order.__getitem__
    record = space.masks(answers)
    for place, part in enumerate((terms.emergency, terms.any_level)):
        for term in find_asked_terms(part, space, record):
            for name in term:
                order[name] = min(order[name], (place, len(term), pack.askable.index(name)))
    return order.__getitem__


def _rule_out_if_found(pack: Pack, space: Space, answers: Answers, missing: list[str]) -> dict[str, Any] | None:
    try:
        return _rule_out(pack, space, answers, missing)
    except TooMuchEffortError:
        return None


def _rule_out(pack: Pack, space: Space, answers: Answers, missing: list[str]) -> dict[str, Any] | None:
    """Return the fewest answers after which no level above is possible. Exact: every smaller number is tried before."""
    now = space.masks(answers)
    level, _ = find_levels(pack, space, now)
    higher = [r for r in pack.triage if level == "unresolved" or LEVELS.index(r.level) > LEVELS.index(level)]
    possible = now | {name: space.everything()[name] for name in missing}
    unasked: list[Formula] = [OneOf(name, space.unknown(name)) for name in missing]
    for count in range(1, len(missing) + 1):
        few = AtLeast(len(missing) - count, tuple((1, statement) for statement in unasked))
        if found := find_model(every([few, *(space.false(rule.when) for rule in higher)]), space, possible=possible):
            given = {name: found[name] for name in missing if found[name] != space.unknown(name)}
            words = {name: format_answer(space.values[name][mask.bit_length() - 1]) for name, mask in given.items()}
            return {"count": len(words), "answers": words, "triage_level": find_levels(pack, space, now | given)[0]}
    return None
