"""Which cause leads, and how surely, as SQL over a record's packed answers."""

from __future__ import annotations

from pipelines.rules.condition_sql import compile_condition, joined_sql, true_bits_sql
from pipelines.rules.urgency import find_evidence_urgencies
from schemas.pack import CERTAINTIES, LEVELS, URGENCY, Cause, Pack
from schemas.tables import quoted_sql

# A rank is a number, 0 without points: what decides first is its highest bits, then its points, and its place in
# the pack the lowest six. Each row of evidence adds a constant, so that a rank costs a few sums.
PLACE_BITS, POINT_BITS, CATEGORY_BITS = 6, 8, 2  # at most 64 causes, 255 points, 4 categories
LAST_PLACE = (1 << PLACE_BITS) - 1
LED_BY = f"((best >> {PLACE_BITS}) & {(1 << POINT_BITS) - 1})"  # the points of the leading cause
# 0 for undetermined, else 1 + place in Pack.causes
LIKELY_CAUSE = f"(CASE WHEN best = 0 THEN 0 ELSE {LAST_PLACE + 1} - (best & {LAST_PLACE}) END)::UTINYINT"


def evidence_sql(pack: Pack) -> str:
    """Evidence counts only if it is TRUE."""
    conditions = [row.when for row in pack.evidence]
    return true_bits_sql(pack, conditions, [compile_condition(pack, when).true for when in conditions])


def _points_of(pack: Pack, cause: Cause) -> str:
    rows = ((1 << i, row.points) for i, row in enumerate(pack.evidence) if row.cause == cause.name)
    return joined_sql(" + ", (_if_true_sql(bit, points) for bit, points in rows), none="0::UINTEGER")


def _if_true_sql(evidence: int, number: int) -> str:
    """Return the number if some of the evidence in a mask is TRUE, else 0."""
    return f"(CASE WHEN (evidence_true & {evidence}) <> 0 THEN {number}::UINTEGER ELSE 0::UINTEGER END)"


def ranks_sql(pack: Pack) -> str:
    """Return the rank of every cause."""
    return ",\n    ".join(f"{_rank_sql(pack, place)} AS rank_{place}" for place in range(len(pack.causes)))


def best_rank_sql(pack: Pack, relation: str) -> tuple[str, list[str]]:
    """`relation`, which has the ranks, with the highest of them as `best`; and the columns made on the way there.

    The ranks meet in pairs, round by round: DuckDB's greatest() takes five times as long.
    """
    names = [f"rank_{place}" for place in range(len(pack.causes))]
    made = list(names)
    while len(names) > 1:
        pairs = [names[i : i + 2] for i in range(0, len(names), 2)]
        won = {f"rank_{len(made) + i}": pair for i, pair in enumerate(pairs) if len(pair) > 1}
        higher = (f"CASE WHEN {a} > {b} THEN {a} ELSE {b} END AS {name}" for name, (a, b) in won.items())
        relation = f"(SELECT *, {', '.join(higher)} FROM {relation})"
        names = [*won, *(pair[0] for pair in pairs if len(pair) == 1)]
        made += won
    return f"(SELECT *, {names[0]} AS best FROM {relation})", [*made, "best"]


def _rank_sql(pack: Pack, place: int) -> str:
    """Return a number that is higher for the cause that leads, and equal for no two causes that have points."""
    rows = [(1 << i, row.points) for i, row in enumerate(pack.evidence) if row.cause == pack.causes[place].name]
    whole = sum(bit for bit, _ in rows)
    if not rows:
        return "0::UINTEGER"
    first = _rank_urgency(pack, whole) if pack.leading_cause == URGENCY else []
    if len(rows) == 1 and pack.leading_cause == URGENCY:
        return _if_true_sql(whole, (rows[0][1] << PLACE_BITS) + LAST_PLACE - place + sum(step for _, step in first))
    points = joined_sql(" + ", (_if_true_sql(bit, number << PLACE_BITS) for bit, number in rows))
    own = [points, _if_true_sql(whole, LAST_PLACE - place)]
    if pack.leading_cause != URGENCY:
        rank = _category_rank_sql(pack, place, own)
        return f"(CASE WHEN (evidence_true & {whole}) = 0 THEN 0::UINTEGER ELSE {rank} END)"
    return joined_sql(" | ", [*(_if_true_sql(mask, step) for mask, step in first), *own])  # no two of them share a bit


def _rank_urgency(pack: Pack, rows: int) -> list[tuple[int, int]]:
    """Masks of a cause's evidence, each with what its urgency adds to the rank: together 0, 1 or 3 steps."""
    urgent = dict.fromkeys(LEVELS, 0)
    for i, level in enumerate(find_evidence_urgencies(pack)):
        urgent[level] |= (1 << i) & rows
    steps = ((urgent["emergency"] | urgent["contact_doctor"], 1), (urgent["emergency"], 2))
    return [(mask, step << (PLACE_BITS + POINT_BITS)) for mask, step in steps if mask]


def _category_rank_sql(pack: Pack, place: int, own: list[str]) -> str:
    """The points of the cause's category, a tie for the category that the pack names first: packs before number 2."""
    category = pack.causes[place].category
    points = joined_sql(" + ", (_points_of(pack, cause) for cause in pack.list_causes(category)))
    names = [each.name for each in pack.categories]
    shift, order = PLACE_BITS + POINT_BITS, len(names) - 1 - names.index(category)
    return joined_sql(" | ", [f"({points} << {shift + CATEGORY_BITS})", f"{order << shift}::UINTEGER", *own])


def certainty_sql(pack: Pack) -> str:
    """The first that holds: no points, a leader of one point, no rival, a rival at most one point behind; a lead."""
    ranks = [f"rank_{place}" for place in range(len(pack.causes))]
    points = ((1 << POINT_BITS) - 1) << PLACE_BITS  # compared where they lie in the rank: to shift each costs a third
    near = joined_sql(
        " + ", (f"(({rank} & {points}) + {1 << PLACE_BITS} >= (best & {points}))::UTINYINT" for rank in ranks)
    )
    none, weak, only, leading, close = range(len(CERTAINTIES))
    return f"""(CASE WHEN best = 0 THEN {none} WHEN {LED_BY} = 1 THEN {weak}
      WHEN {joined_sql(" + ", ranks)} = best THEN {only}
      WHEN {near} > 1 THEN {close} ELSE {leading} END)::UTINYINT"""


def cause_scores_sql(pack: Pack) -> str:
    """Return the points of every cause that has some, as a MAP in the order of the pack."""
    points = ", ".join(f"{{k: {quoted_sql(c.name)}, v: {_points_of(pack, c)}::UTINYINT}}" for c in pack.causes)
    return f"map_from_entries(list_filter([{points}], lambda entry: entry.v > 0))"
