"""What to ask to settle a record's triage level: what each answer would lead to, and how few answers can do."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from pipelines.rules.solver import AtLeast, Formula, Masks, OneOf, Space, Value, every, holds, model, some
from schemas.pack import LEVELS, RULE_LEVELS, Pack

Answers = Mapping[str, bool | int | str | None]


def questions(pack: Pack, space: Space, answers: Answers, missing: list[str]) -> list[dict[str, Any]]:
    """For each missing field, in the pack's order: what every answer would lead to, alone.

    An answer has `answer` (yes, no, a value, or a range of numbers such as 7-10), the `triage_level` and
    `triage_ceiling` that would follow, and `settles`: whether the two would be the same.
    """
    now = space.masks(answers)
    return [_question(pack, space, now, name) for name in missing]


def _question(pack: Pack, space: Space, now: Masks, name: str) -> dict[str, Any]:
    led = [
        (value, levels(pack, space, now | {name: 1 << place})) for place, value in enumerate(space.values[name][:-1])
    ]
    found = []
    for (level, ceiling), group in groupby(led, key=lambda pair: pair[1]):
        for shown in _together([value for value, _ in group]):
            found.append(
                {"answer": shown, "triage_level": level, "triage_ceiling": ceiling, "settles": level == ceiling}
            )
    return {"field": name, "answers": found, "settles": any(answer["settles"] for answer in found)}


def _together(values: list[Value]) -> list[str]:
    """Answers in words; neighbouring ranges that lead to the same are one."""
    first, last = values[0], values[-1]
    if isinstance(first, range) and isinstance(last, range):
        return [shown(range(first.start, last.stop))]
    return [shown(value) for value in values]


def shown(value: Value) -> str:
    """An answer in words."""
    if isinstance(value, range):
        return str(value.start) if len(value) == 1 else f"{value.start}-{value.stop - 1}"
    if isinstance(value, str):
        return value
    return "unknown" if value is None else "yes" if value else "no"


def levels(pack: Pack, space: Space, record: Masks) -> tuple[str, str]:
    """Triage level and ceiling of one record (docs/rules.md)."""
    true = [rule.level for rule in pack.triage if holds(space.true(rule.when), record)]
    ceilings = [rule.level for rule in pack.triage if not holds(space.false(rule.when), record)]
    ceiling = max(ceilings, key=LEVELS.index, default="self_care")
    return max(true, key=LEVELS.index, default="unresolved" if ceilings else "self_care"), ceiling


def fewest_answers(pack: Pack, space: Space, answers: Answers, missing: list[str]) -> dict[str, Any] | None:
    """The fewest questions of which some answers settle the level, with such answers: count, answers, triage_level.

    Exact: the numbers of questions are tried upwards, and each search looks at every set of that many questions.
    None where nothing is missing, or where answers on which the tags stood are no longer stored.
    """
    now = space.masks(answers)
    possible = now | {name: space.everything()[name] for name in missing}
    unasked: list[Formula] = [OneOf(name, space.unknown(name)) for name in missing]
    for count in range(1, len(missing) + 1):
        few = AtLeast(len(missing) - count, tuple((1, statement) for statement in unasked))
        if found := model(every([few, _settled(pack, space)]), space, possible=possible):
            given = {name: found[name] for name in missing if found[name] != space.unknown(name)}
            words = {name: shown(space.values[name][mask.bit_length() - 1]) for name, mask in given.items()}
            return {"count": count, "answers": words, "triage_level": levels(pack, space, now | given)[0]}
    return None


def _settled(pack: Pack, space: Space) -> Formula:
    """Some rule of a level is TRUE and every higher one FALSE, or all are FALSE."""
    whens = {level: [rule.when for rule in pack.triage if rule.level == level] for level in RULE_LEVELS}
    no_emergency = every(space.false(when) for when in whens["emergency"])
    no_doctor = every(space.false(when) for when in whens["contact_doctor"])
    doctor = some(space.true(when) for when in whens["contact_doctor"])
    emergency = some(space.true(when) for when in whens["emergency"])
    return some([emergency, every([no_emergency, some([doctor, no_doctor])])])
