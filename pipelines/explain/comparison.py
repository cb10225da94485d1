"""Two rule packs over the stored history: who moves where, and which rule did it. Nothing is written.

One pass over the records tags each with both packs; those that move are kept one by one, the others are counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import duckdb

from pipelines.explain.changed_questions import count_changed_questions, questions_sql
from pipelines.explain.level_moves import BY_CEILING, BY_LEVEL, count_level_moves
from pipelines.rules.compiler import TAG_COLUMNS
from pipelines.rules.condition_sql import compile_condition
from pipelines.rules.translation import answers_sql, stored_sql, tagged_sql
from pipelines.statements import Row, fetch_rows, list_sql, read_statement
from pipelines.store.packs import check_fits
from schemas.conditions import list_condition_fields
from schemas.pack import LEVELS, UNDETERMINED, Pack, TriageRule
from schemas.record_layout import describe_answer, find_rules, list_answer_columns

EXAMPLES = 20
EMERGENCY = LEVELS.index("emergency")
STATES = ("FALSE", "UNKNOWN", "TRUE")
ORDER = "how the leading cause is chosen"  # urgency, points of a category, order: if no evidence gives other points


@dataclass(frozen=True)
class Comparison:
    """What another pack would change.

    levels, causes: name -> records before and after. moves: from, to, records, and records for each rule that did it;
    cause_moves: the same, with the evidence that did it. fallen: source, report_id and new level of every record that
    leaves `emergency`. examples: records whose level moves, each with the rules whose state differs; cause_examples:
    records whose likely cause moves, each with the evidence that gives it other points. ceiling_moves and
    ceiling_examples: the same of records whose level stays, and of which the highest level still possible moves;
    questions: name -> records that no longer miss this answer, and records that now do.
    """

    before: str
    after: str
    records: int
    levels: dict[str, tuple[int, int]]
    causes: dict[str, tuple[int, int]]
    moves: list[Row]
    cause_moves: list[Row]
    fallen: list[Row]
    examples: list[Row]
    cause_examples: list[Row]
    ceiling_moves: list[Row]
    ceiling_examples: list[Row]
    questions: dict[str, tuple[int, int]]


def compare(connection: duckdb.DuckDBPyConnection, stored: Pack, before: Pack, after: Pack) -> Comparison:
    """Tag the history, which pack `stored` has tagged, with two packs. Raises UsageError if one cannot read it."""
    for pack in (before, after):
        check_fits(connection, stored, pack)
    connection.execute(_compared_sql(stored, before, after))
    connection.execute(_cause_moves_sql(stored, before, after))
    pairs = fetch_rows(
        connection,
        "SELECT triage_level_before, triage_level, cause_before, cause, sum(records)::BIGINT AS records "
        "FROM compared GROUP BY ALL",
    )
    return Comparison(
        before.version,
        after.version,
        sum(row["records"] for row in pairs),
        {
            LEVELS[place]: _count_before_and_after(pairs, "triage_level", place)
            for place in reversed(range(len(LEVELS)))
        },
        {name: _count_before_and_after(pairs, "cause", name) for name in _merge_cause_names(before, after)},
        count_level_moves(connection, before, after, BY_LEVEL),
        _find_cause_moves(connection, before, after),
        _find_fallen(connection),
        _find_examples(connection, (stored, before, after), BY_LEVEL),
        _find_cause_examples(connection, stored, before, after),
        count_level_moves(connection, before, after, BY_CEILING),
        _find_examples(connection, (stored, before, after), BY_CEILING),
        count_changed_questions(connection, before, after),
    )


def _compared_sql(stored: Pack, before: Pack, after: Pack) -> str:
    tags = (*TAG_COLUMNS, "rules_open")
    renamed = ", ".join(f"{name} AS {name}_before" for name in tags)
    answers = list_answer_columns(before)
    first = tagged_sql(stored, before, stored_sql(stored), open_rules=True)
    between = f"(SELECT * EXCLUDE ({', '.join((*tags, *answers))}), {renamed} FROM ({first}))"
    shown = ("pain_score", "duration_days", *(f"{name}_stored" for name in list_answer_columns(stored)))
    return read_statement(
        "explain",
        "compared_tags",
        tagged=tagged_sql(stored, after, between, open_rules=True),
        cause_before=f"({list_sql(_list_causes(before))})[likely_cause_before::INTEGER + 1]",
        cause_after=f"({list_sql(_list_causes(after))})[likely_cause::INTEGER + 1]",
        answers=", ".join(f"'{name.removesuffix('_stored')}': {name}" for name in shown),
        questions=questions_sql(before, after),
    )


def _cause_moves_sql(stored: Pack, before: Pack, after: Pack) -> str:
    """A table of the records whose likely cause moves, with what evidence of each pack is TRUE, in the pack's order."""
    named = {"answered": "answered_stored", "yes": "yes_stored", "pain_score": "pain_score"}
    named |= {"duration_days": "duration_days"} | {name: f"{name}_stored" for name in stored.columns}
    columns = ", ".join(f"answers['{name}'] AS {column}" for name, column in named.items())
    moved = f"""(SELECT source, report_id, cause_before, cause, answers, {columns}
        FROM compared WHERE cause_before <> cause)"""
    relation = _evidence_sql(stored, before, moved, "evidence_before")
    relation = _evidence_sql(stored, after, relation, "evidence_after")
    return f"""CREATE OR REPLACE TEMP TABLE cause_moves AS
        SELECT source, report_id, cause_before, cause, answers, evidence_before, evidence_after FROM {relation}"""


def _evidence_sql(stored: Pack, pack: Pack, relation: str, name: str) -> str:
    tests = ", ".join(compile_condition(pack, row.when).true for row in pack.evidence)
    scratch = ", ".join(("no", "answered", "yes", *pack.columns))
    answers = f"(SELECT *, xor(answered, yes) AS no FROM {answers_sql(stored, pack, relation)})"
    return f"(SELECT * EXCLUDE ({scratch}), [{tests}] AS {name} FROM {answers})"


def _list_causes(pack: Pack) -> tuple[str, ...]:
    return (UNDETERMINED, *(cause.name for cause in pack.causes))


def _merge_cause_names(before: Pack, after: Pack) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*_list_causes(before), *_list_causes(after))))


def _count_before_and_after(pairs: list[Row], column: str, value: object) -> tuple[int, int]:
    before = sum(row["records"] for row in pairs if row[f"{column}_before"] == value)
    return before, sum(row["records"] for row in pairs if row[column] == value)


def _find_cause_moves(connection: duckdb.DuckDBPyConnection, before: Pack, after: Pack) -> list[Row]:
    """Return the moves of the likely cause, each with how many records each row of evidence moved."""
    rows = fetch_rows(
        connection,
        """SELECT cause_before, cause, evidence_before, evidence_after, count(*) AS records
           FROM cause_moves GROUP BY ALL""",
    )
    found: dict[tuple[str, str], Counter[str]] = {}
    totals: Counter[tuple[str, str]] = Counter()
    for row in rows:
        pair = row["cause_before"], row["cause"]
        totals[pair] += row["records"]
        for name in _find_changed_evidence(row, before, after) or [ORDER]:
            found.setdefault(pair, Counter())[name] += row["records"]
    return [
        {"from": a, "to": b, "records": totals[a, b], "evidence": dict(found[a, b].most_common())}
        for a, b in sorted(totals, key=lambda pair: (-totals[pair], pair))
    ]


def _find_changed_evidence(row: Row, before: Pack, after: Pack) -> dict[str, tuple[int, int]]:
    """Return the evidence that gives the two causes (or categories) other points: id -> points before and after."""
    was, now = _find_true_evidence(before, row["evidence_before"]), _find_true_evidence(after, row["evidence_after"])
    bears = {*_list_category(before, row["cause_before"]), *_list_category(after, row["cause"])}
    return {
        name: (was[name][2] if name in was else 0, now[name][2] if name in now else 0)
        for name in was | now
        if was.get(name) != now.get(name) and {given[name][1] for given in (was, now) if name in given} & bears
    }


def _find_true_evidence(pack: Pack, true: list[bool]) -> dict[str, tuple[str, str, int]]:
    """Return the evidence that is TRUE: id -> cause, its category, points."""
    categories = {cause.name: cause.category for cause in pack.causes}
    held = [row for row, holds in zip(pack.evidence, true, strict=True) if holds]
    return {row.id: (row.cause, categories[row.cause], row.points) for row in held}


def _list_category(pack: Pack, name: str) -> list[str]:
    return [cause.category for cause in pack.causes if cause.name == name]


def _find_fallen(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    rows = fetch_rows(
        connection,
        f"""SELECT source, report_id, triage_level FROM compared
            WHERE triage_level_before = {EMERGENCY} AND triage_level < {EMERGENCY} ORDER BY ALL""",
    )
    return [row | {"triage_level": LEVELS[row["triage_level"]]} for row in rows]


def _find_examples(connection: duckdb.DuckDBPyConnection, packs: tuple[Pack, Pack, Pack], moved: str) -> list[Row]:
    """Return some records of every move, falls first, in turn; `packs`: the stored one, before, after."""
    rows = fetch_rows(
        connection,
        f"""SELECT * FROM (SELECT *, {moved})
            ORDER BY row_number() OVER (PARTITION BY was, now ORDER BY source, report_id), now::INTEGER - was, now
            LIMIT {EXAMPLES}""",
    )
    return [
        {
            "source": row["source"],
            "report_id": row["report_id"],
            "from": LEVELS[row["was"]],
            "to": LEVELS[row["now"]],
            "rules": _find_differing_rules(row, *packs),
        }
        for row in rows
    ]


def _find_cause_examples(connection: duckdb.DuckDBPyConnection, stored: Pack, before: Pack, after: Pack) -> list[Row]:
    """Return some records of every move of the likely cause, in turn."""
    rows = fetch_rows(
        connection,
        f"""SELECT * FROM cause_moves
            ORDER BY
              row_number() OVER (PARTITION BY cause_before, cause ORDER BY source, report_id), cause_before, cause
            LIMIT {EXAMPLES}""",
    )
    evidence = {row.id: row for pack in (before, after) for row in pack.evidence}
    return [
        {
            "source": row["source"],
            "report_id": row["report_id"],
            "from": row["cause_before"],
            "to": row["cause"],
            "evidence": [
                {
                    "id": name,
                    "before": was,
                    "after": now,
                    "sentence": evidence[name].sentence,
                    "answers": _read_answers(stored, row["answers"], evidence[name].when),
                }
                for name, (was, now) in _find_changed_evidence(row, before, after).items()
            ],
        }
        for row in rows
    ]


def _read_answers(stored: Pack, answers: Row, when: str) -> Row:
    return {field: describe_answer(stored, answers, field) for field in list_condition_fields(when)}


def _find_differing_rules(row: Row, stored: Pack, before: Pack, after: Pack) -> list[Row]:
    """Return the rules whose state differs between the packs; a rule that a pack lacks has no state there."""
    was = _find_states(before, row["states"]["rules_true_before"], row["states"]["rules_open_before"])
    now = _find_states(after, row["states"]["rules_true"], row["states"]["rules_open"])
    rules: dict[str, TriageRule] = {rule.id: rule for pack in (before, after) for rule in pack.triage}
    return [
        {
            "id": name,
            "before": was.get(name),
            "after": now.get(name),
            "sentence": rule.sentence,
            "answers": _read_answers(stored, row["answers"], rule.when),
        }
        for name, rule in rules.items()
        if was.get(name) != now.get(name)
    ]


def _find_states(pack: Pack, true: int, unknown: int) -> dict[str, str]:
    are_true, are_open = find_rules(pack, true), find_rules(pack, unknown)
    return {rule.id: STATES[2 * (rule in are_true) + (rule in are_open)] for rule in pack.triage}
