"""How urgent a row of evidence is: the level that its condition alone establishes, decided exactly."""

from __future__ import annotations

from functools import lru_cache

from pipelines.errors import UsageError
from pipelines.rules.formulas import Effort, Formula, Space, TooMuchEffortError, every, list_alternatives
from pipelines.rules.solver import find_model
from schemas.pack import LEVELS, RULE_LEVELS, Pack

MOST_STATEMENTS = 200_000  # that the searches for one pack may read together; the shipped pack needs a hundredth


@lru_cache(maxsize=16)
def find_evidence_urgencies(pack: Pack) -> tuple[str, ...]:
    """Return the urgency of every evidence row: the lowest level of the fully answered records in which it is TRUE.

    Raises UsageError for a pack of which that cannot be decided within bounds.
    """
    space, effort = Space(pack), Effort(MOST_STATEMENTS)
    try:
        return tuple(_find_urgency(pack, space, row.when, effort) for row in pack.evidence)
    except TooMuchEffortError as error:
        raise UsageError(
            f"rule pack {pack.version}: how urgent its evidence is cannot be decided: its conditions are too long; "
            "write them with fewer ANDs and ORs"
        ) from error


def _find_urgency(pack: Pack, space: Space, when: str, effort: Effort) -> str:
    known = {name: mask & ~space.unknown(name) for name, mask in space.everything().items()}
    for level in RULE_LEVELS:  # the lowest first
        higher = [space.false(rule.when) for rule in pack.triage if LEVELS.index(rule.level) >= LEVELS.index(level)]
        ways: list[Formula] = [every([way, *higher]) for way in list_alternatives(space.true(when))]
        if any(find_model(way, space, effort, known) for way in ways):
            return ("self_care", *RULE_LEVELS)[RULE_LEVELS.index(level)]
    return RULE_LEVELS[-1]
