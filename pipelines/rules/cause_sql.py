"""Which cause leads, and how surely, as SQL over a record's packed answers."""

from __future__ import annotations

from pipelines.rules.condition_sql import bits_sql, condition_tests, joined_sql
from pipelines.rules.urgency import evidence_urgencies
from schemas.pack import CERTAINTIES, LEVELS, URGENCY, Cause, Pack
from schemas.tables import quoted

# A cause's rank is a number: what decides first is its highest bits, and its place in the pack the lowest six.
PLACE_BITS, POINT_BITS, CATEGORY_BITS = 6, 8, 2
LAST_PLACE = (1 << PLACE_BITS) - 1
# 0 for undetermined, else 1 + place in Pack.causes
LIKELY_CAUSE = f"(CASE WHEN best = 0 THEN 0 ELSE {LAST_PLACE + 1} - (best & {LAST_PLACE}) END)::UTINYINT"


def evidence_sql(pack: Pack) -> str:
    """Evidence counts only if it is TRUE."""
    tests = ((condition_tests(pack, row.when).true, 1 << i) for i, row in enumerate(pack.evidence))
    return bits_sql(tests, "UBIGINT")


def points_sql(pack: Pack) -> str:
    return ",\n    ".join(f"{_points_of(pack, cause)} AS points_{i}" for i, cause in enumerate(pack.causes))


def _points_of(pack: Pack, cause: Cause) -> str:
    rows = ((i, row) for i, row in enumerate(pack.evidence) if row.cause == cause.name)
    tests = (f"(CASE WHEN (evidence_true & {1 << i}) <> 0 THEN {row.points} ELSE 0 END)::UINTEGER" for i, row in rows)
    return joined_sql(" + ", tests, none="0::UINTEGER")


def best_rank_sql(pack: Pack) -> str:
    ranks = [_rank(pack, place) for place in range(len(pack.causes))]
    return f"greatest({', '.join(ranks)})" if len(ranks) > 1 else ranks[0]


def _rank(pack: Pack, place: int) -> str:
    """A number that is higher for the cause that leads, 0 without points; equal for no two causes."""
    points = f"(points_{place} << {PLACE_BITS}) + {LAST_PLACE - place}"
    first = _urgency_of(pack, place) if pack.leading_cause == URGENCY else _category_rank(pack, place)
    return f"(CASE WHEN points_{place} = 0 THEN 0 ELSE {first}{points} END)::UINTEGER"


def _urgency_of(pack: Pack, place: int) -> str:
    """The highest urgency of the cause's evidence that is TRUE, above the bits of its points."""
    masks = dict.fromkeys(LEVELS, 0)
    for i, (row, level) in enumerate(zip(pack.evidence, evidence_urgencies(pack), strict=True)):
        masks[level] |= (1 << i) if row.cause == pack.causes[place].name else 0
    branches = [
        f"WHEN (evidence_true & {masks[level]}) <> 0 THEN {LEVELS.index(level) << (PLACE_BITS + POINT_BITS)}"
        for level in ("emergency", "contact_doctor")
        if masks[level]
    ]
    return f"(CASE {' '.join(branches)} ELSE 0 END) + " if branches else ""


def _category_rank(pack: Pack, place: int) -> str:
    """The points of the cause's category, a tie for the category that the pack names first: packs before number 2."""
    category = pack.causes[place].category
    points = joined_sql(" + ", (f"points_{i}" for i, cause in enumerate(pack.causes) if cause.category == category))
    names = [each.name for each in pack.categories]
    shift, order = PLACE_BITS + POINT_BITS, len(names) - 1 - names.index(category)
    return f"({points} << {shift + CATEGORY_BITS}) + {order << shift} + "


def certainty_sql(pack: Pack) -> str:
    """The first that holds: no points, a leader of one point, no rival, a rival at most one point behind; a lead."""
    points = [f"points_{i}" for i in range(len(pack.causes))]
    led_by = f"((best >> {PLACE_BITS}) & {(1 << POINT_BITS) - 1})"
    rivals = joined_sql(" + ", (f"({each} > 0)::UTINYINT" for each in points))
    near = joined_sql(" + ", (f"({each} > 0 AND {each} + 1 >= {led_by})::UTINYINT" for each in points))
    none, weak, only, leading, close = range(len(CERTAINTIES))
    return f"""(CASE WHEN best = 0 THEN {none} WHEN {led_by} = 1 THEN {weak} WHEN {rivals} = 1 THEN {only}
      WHEN {near} > 1 THEN {close} ELSE {leading} END)::UTINYINT"""


def cause_scores_sql(pack: Pack) -> str:
    """The points of every cause that has some, as a MAP in the order of the pack."""
    points = ", ".join(f"{{k: {quoted(c.name)}, v: {_points_of(pack, c)}::UTINYINT}}" for c in pack.causes)
    return f"map_from_entries(list_filter([{points}], lambda entry: entry.v > 0))"
