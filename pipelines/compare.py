"""Two rule packs over the stored history: who moves where, and which rule did it. Nothing is written.

One pass over the records tags each with both packs; those that move are kept one by one, the others are counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import duckdb

from pipelines.errors import UsageError
from pipelines.plurals import many
from pipelines.statements import first_row, sql_list, statement
from pipelines.tag import TAG_COLUMNS, condition_tests, tag_sql
from schemas.pack import LEVELS, UNDETERMINED, Field, Pack, TriageRule, condition_fields

EXAMPLES = 20
EMERGENCY = LEVELS.index("emergency")
STATES = ("FALSE", "UNKNOWN", "TRUE")
ORDER = "order of categories or causes"  # decides a tie, where no evidence gives other points

Row = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """What another pack would change.

    levels, causes: name -> records before and after. moves: from, to, records, and records for each rule that did it;
    cause_moves: the same, with the evidence that did it. fallen: source, report_id and new level of every record that
    leaves `emergency`. examples: records whose level moves, each with the rules whose state differs; cause_examples:
    records whose likely cause moves, each with the evidence that gives it other points.
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


def check_fits(connection: duckdb.DuckDBPyConnection, stored: Pack, pack: Pack) -> None:
    """Raises UsageError where a pack could not read answers that are stored: a field or a value it does not know."""
    fields = {field.name: field for field in pack.fields}
    for field in stored.fields:
        same = fields.get(field.name)
        if (same is None or not _allows(same, field)) and _is_answered(connection, field.name):
            raise UsageError(
                f"rule pack {pack.version} cannot read the stored answers to '{field.name}': keep the field, its type "
                "and its values (no rule has to read it), or ingest into a new --home"
            )


def _allows(new: Field, old: Field) -> bool:
    """Whether every answer to `old` is one to `new`."""
    within = new.smallest <= old.smallest and old.largest <= new.largest
    return new.type == old.type and set(old.values) <= set(new.values) and within


def _is_answered(connection: duckdb.DuckDBPyConnection, field: str) -> bool:
    """Whether any record, superseded ones included, has an answer."""
    counted = first_row(connection, "SELECT 1 FROM daily_fields WHERE field = ? AND answered > 0 LIMIT 1", [field])
    return bool(counted or first_row(connection, f"SELECT 1 FROM superseded WHERE {field} IS NOT NULL LIMIT 1"))


def tagged_sql(stored: Pack, pack: Pack, relation: str, open_rules: bool = False) -> str:
    """`relation`, with its answers in columns called *_stored (see `stored_sql`), tagged by another pack."""
    return tag_sql(pack, _answers_sql(stored, pack, relation), open_rules)


def _answers_sql(stored: Pack, pack: Pack, relation: str) -> str:
    """`relation` with the stored answers as another pack would have stored them."""
    answers = {mask: _bits(stored, pack, mask) for mask in ("answered", "yes")}
    answers |= {
        name: f"{name}_stored" if name in stored.own_numbers else "NULL::USMALLINT" for name in pack.own_numbers
    }
    answers |= {name: _choice(stored, pack, name) for name in pack.choices}
    columns = ", ".join(f"{sql} AS {name}" for name, sql in answers.items())
    return f"(SELECT *, {columns} FROM {relation})"


def stored_sql(stored: Pack, relation: str = "records") -> str:
    """The records without their tags, their answers renamed: room for those of another pack."""
    answers = ("answered", "yes", *stored.columns)
    renamed = ", ".join(f"{name} AS {name}_stored" for name in answers)
    return f"(SELECT * EXCLUDE ({', '.join((*TAG_COLUMNS, *answers))}), {renamed} FROM {relation})"


def _bits(stored: Pack, pack: Pack, mask: str) -> str:
    """A mask with each field's bit where `pack` has it; a field that was never asked is unknown."""
    if pack.field_names == stored.field_names:
        return f"{mask}_stored"
    moved = [
        f"((({mask}_stored >> {stored.field_names.index(name)}) & 1) << {bit})"
        for bit, name in enumerate(pack.field_names)
        if name in stored.field_names
    ]
    return f"({' | '.join(moved) or '0'})::UINTEGER"


def _choice(stored: Pack, pack: Pack, name: str) -> str:
    """A choice's code in `pack`, whose values may be more, or in another order."""
    if name not in stored.choices:
        return "0::UTINYINT"
    values = pack.choices[name]  # a value that is gone was never answered
    places = [0, *(1 + values.index(value) if value in values else 0 for value in stored.choices[name])]
    return f"({places})[{name}_stored + 1]::UTINYINT"


def compare(connection: duckdb.DuckDBPyConnection, stored: Pack, before: Pack, after: Pack) -> Comparison:
    """Tags the history, which pack `stored` has tagged, with two packs. Raises UsageError where one cannot read it."""
    for pack in (before, after):
        check_fits(connection, stored, pack)
    connection.execute(_compared_sql(stored, before, after))
    connection.execute(_cause_moves_sql(stored, before, after))
    pairs = _rows(
        connection,
        "SELECT triage_level_before, triage_level, cause_before, cause, sum(records)::BIGINT AS records "
        "FROM compared GROUP BY ALL",
    )
    return Comparison(
        before.version,
        after.version,
        sum(row["records"] for row in pairs),
        {LEVELS[place]: _before_and_after(pairs, "triage_level", place) for place in reversed(range(len(LEVELS)))},
        {name: _before_and_after(pairs, "cause", name) for name in _cause_names(before, after)},
        _moves(connection, before, after),
        _cause_moves(connection, before, after),
        _fallen(connection),
        _examples(connection, stored, before, after),
        _cause_examples(connection, stored, before, after),
    )


def _compared_sql(stored: Pack, before: Pack, after: Pack) -> str:
    tags = (*TAG_COLUMNS, "rules_open")
    renamed = ", ".join(f"{name} AS {name}_before" for name in tags)
    answers = ("answered", "yes", *before.columns)
    first = tagged_sql(stored, before, stored_sql(stored), open_rules=True)
    between = f"(SELECT * EXCLUDE ({', '.join((*tags, *answers))}), {renamed} FROM ({first}))"
    shown = ("pain_score", "duration_days", *(f"{name}_stored" for name in ("answered", "yes", *stored.columns)))
    return statement(
        "steps",
        "compared",
        tagged=tagged_sql(stored, after, between, open_rules=True),
        cause_before=f"({sql_list(_causes(before))})[likely_cause_before + 1]",
        cause_after=f"({sql_list(_causes(after))})[likely_cause + 1]",
        answers=", ".join(f"'{name.removesuffix('_stored')}': {name}" for name in shown),
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
    tests = ", ".join(condition_tests(pack, row.when).true for row in pack.evidence)
    scratch = ", ".join(("no", "answered", "yes", *pack.columns))
    answers = f"(SELECT *, xor(answered, yes) AS no FROM {_answers_sql(stored, pack, relation)})"
    return f"(SELECT * EXCLUDE ({scratch}), [{tests}] AS {name} FROM {answers})"


def _causes(pack: Pack) -> tuple[str, ...]:
    return (UNDETERMINED, *(cause.name for cause in pack.causes))


def _cause_names(before: Pack, after: Pack) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*_causes(before), *_causes(after))))


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    result = connection.execute(sql)
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _before_and_after(pairs: list[Row], column: str, value: object) -> tuple[int, int]:
    before = sum(row["records"] for row in pairs if row[f"{column}_before"] == value)
    return before, sum(row["records"] for row in pairs if row[column] == value)


def _moves(connection: duckdb.DuckDBPyConnection, before: Pack, after: Pack) -> list[Row]:
    """Level moves, the gravest fall first, each with how many records each rule moved."""
    rows = _rows(
        connection,
        """SELECT triage_level_before, triage_level, states, sum(records)::BIGINT AS records FROM compared
           WHERE triage_level_before <> triage_level GROUP BY ALL""",
    )
    found: dict[tuple[int, int], Counter[str]] = {}
    totals: Counter[tuple[int, int]] = Counter()
    for row in rows:
        pair = row["triage_level_before"], row["triage_level"]
        totals[pair] += row["records"]
        for rule in _movers(row, before, after):
            found.setdefault(pair, Counter())[rule] += row["records"]
    order = sorted(totals, key=lambda pair: (pair[1] - pair[0], -totals[pair]))
    return [
        {"from": LEVELS[a], "to": LEVELS[b], "records": totals[a, b], "rules": dict(found[a, b].most_common())}
        for a, b in order
    ]


def _movers(row: Row, before: Pack, after: Pack) -> list[str]:
    """The rules that hold a record at the higher of its two levels, and do so under one pack alone."""
    states = row["states"]
    was = _holding(before, row["triage_level_before"], states["rules_true_before"], states["rules_open_before"])
    now = _holding(after, row["triage_level"], states["rules_true"], states["rules_open"])
    higher, lower = (now, was) if row["triage_level"] > row["triage_level_before"] else (was, now)
    return [rule for rule in higher if rule not in lower] or higher


def _holding(pack: Pack, level: int, true: int, unknown: int) -> list[str]:
    """The rules to which a record owes its level: the TRUE ones of that level; for `unresolved` the UNKNOWN ones."""
    if LEVELS[level] == "unresolved":
        return [rule.id for bit, rule in enumerate(pack.triage) if unknown >> bit & 1]
    return [rule.id for bit, rule in enumerate(pack.triage) if true >> bit & 1 and rule.level == LEVELS[level]]


def _cause_moves(connection: duckdb.DuckDBPyConnection, before: Pack, after: Pack) -> list[Row]:
    """Moves of the likely cause, each with how many records each row of evidence moved."""
    rows = _rows(
        connection,
        """SELECT cause_before, cause, evidence_before, evidence_after, count(*) AS records
           FROM cause_moves GROUP BY ALL""",
    )
    found: dict[tuple[str, str], Counter[str]] = {}
    totals: Counter[tuple[str, str]] = Counter()
    for row in rows:
        pair = row["cause_before"], row["cause"]
        totals[pair] += row["records"]
        for name in _changed_evidence(row, before, after) or [ORDER]:
            found.setdefault(pair, Counter())[name] += row["records"]
    return [
        {"from": a, "to": b, "records": totals[a, b], "evidence": dict(found[a, b].most_common())}
        for a, b in sorted(totals, key=lambda pair: (-totals[pair], pair))
    ]


def _changed_evidence(row: Row, before: Pack, after: Pack) -> dict[str, tuple[int, int]]:
    """Evidence that gives the two causes, or their categories, other points: id -> points before and after."""
    was, now = _given(before, row["evidence_before"]), _given(after, row["evidence_after"])
    bears = {*_category(before, row["cause_before"]), *_category(after, row["cause"])}
    return {
        name: (was[name][2] if name in was else 0, now[name][2] if name in now else 0)
        for name in was | now
        if was.get(name) != now.get(name) and {given[name][1] for given in (was, now) if name in given} & bears
    }


def _given(pack: Pack, true: list[bool]) -> dict[str, tuple[str, str, int]]:
    """Evidence that is TRUE: id -> cause, its category, points."""
    categories = {cause.name: cause.category for cause in pack.causes}
    held = [row for row, holds in zip(pack.evidence, true, strict=True) if holds]
    return {row.id: (row.cause, categories[row.cause], row.points) for row in held}


def _category(pack: Pack, name: str) -> list[str]:
    return [cause.category for cause in pack.causes if cause.name == name]


def _fallen(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    rows = _rows(
        connection,
        f"""SELECT source, report_id, triage_level FROM compared
            WHERE triage_level_before = {EMERGENCY} AND triage_level < {EMERGENCY} ORDER BY ALL""",
    )
    return [row | {"triage_level": LEVELS[row["triage_level"]]} for row in rows]


def _examples(connection: duckdb.DuckDBPyConnection, stored: Pack, before: Pack, after: Pack) -> list[Row]:
    """Some records of every level move, falls first, in turn."""
    rows = _rows(
        connection,
        f"""SELECT * FROM compared WHERE triage_level_before <> triage_level
            ORDER BY
              row_number() OVER (PARTITION BY triage_level_before, triage_level ORDER BY source, report_id),
              triage_level::INTEGER - triage_level_before, triage_level
            LIMIT {EXAMPLES}""",
    )
    return [
        {
            "source": row["source"],
            "report_id": row["report_id"],
            "from": LEVELS[row["triage_level_before"]],
            "to": LEVELS[row["triage_level"]],
            "rules": _differing(row, stored, before, after),
        }
        for row in rows
    ]


def _cause_examples(connection: duckdb.DuckDBPyConnection, stored: Pack, before: Pack, after: Pack) -> list[Row]:
    """Some records of every move of the likely cause, in turn."""
    rows = _rows(
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
                    "answers": _answers(stored, row["answers"], evidence[name].when),
                }
                for name, (was, now) in _changed_evidence(row, before, after).items()
            ],
        }
        for row in rows
    ]


def _answers(stored: Pack, answers: Row, when: str) -> Row:
    return {field: _said(stored, answers, field) for field in condition_fields(when)}


def _differing(row: Row, stored: Pack, before: Pack, after: Pack) -> list[Row]:
    """Every rule whose state is another one under the other pack; a rule that a pack does not have has none there."""
    was = _states(before, row["states"]["rules_true_before"], row["states"]["rules_open_before"])
    now = _states(after, row["states"]["rules_true"], row["states"]["rules_open"])
    rules: dict[str, TriageRule] = {rule.id: rule for pack in (before, after) for rule in pack.triage}
    return [
        {
            "id": name,
            "before": was.get(name),
            "after": now.get(name),
            "sentence": rule.sentence,
            "answers": _answers(stored, row["answers"], rule.when),
        }
        for name, rule in rules.items()
        if was.get(name) != now.get(name)
    ]


def _states(pack: Pack, true: int, unknown: int) -> dict[str, str]:
    return {rule.id: STATES[2 * (true >> bit & 1) + (unknown >> bit & 1)] for bit, rule in enumerate(pack.triage)}


def _said(stored: Pack, answers: Row, field: str) -> str | int | None:
    """A stored answer in words; None where it is unknown, or was never asked."""
    if field in stored.choices:
        return (None, *stored.choices[field])[answers[field]]
    if field in stored.numbers:
        return int(answers[field]) if answers[field] is not None else None
    if field not in stored.field_names:
        return None
    bit = stored.field_names.index(field)
    return ("no", "yes")[answers["yes"] >> bit & 1] if answers["answered"] >> bit & 1 else None


def comparison_text(found: Comparison) -> str:
    """The comparison for a terminal; what falls from `emergency` comes first, every record of it."""
    lines = [f"{found.before} -> {found.after}, over {many(found.records, 'stored record')}", ""]
    if found.fallen:
        lines += [f"!! DOWN FROM EMERGENCY: {many(len(found.fallen), 'record')}", *map(_fallen_line, found.fallen), ""]
    lines += [*_table("triage level", found.levels), "", *_table("likely cause", found.causes), ""]
    lines += [
        "who moves where, by which rule",
        *(map(_move_line, found.moves) if found.moves else ["  no level moves"]),
    ]
    lines += [_cause_move_line(move) for move in found.cause_moves] or ["  no likely cause moves"]
    lines += ["", "examples"] if found.examples or found.cause_examples else []
    for example in (*found.examples, *found.cause_examples):
        lines += [f"  {example['source']} {example['report_id']}: {example['from']} -> {example['to']}"]
        lines += [_rule_line(rule) for rule in example.get("rules", [])]
        lines += [_evidence_line(row) for row in example.get("evidence", [])]
    return "\n".join([*lines, "", "Nothing was written."])


def _fallen_line(row: Row) -> str:
    return f"!!   {row['source']} {row['report_id']}: emergency -> {row['triage_level']}"


def _table(title: str, counts: dict[str, tuple[int, int]]) -> list[str]:
    rows = [f"{name:28}{was:>12,}{now:>12,}{now - was:>+12,}" for name, (was, now) in counts.items()]
    return [f"{title:28}{'before':>12}{'after':>12}{'change':>12}", *rows]


def _move_line(move: Row) -> str:
    rules = ", ".join(f"{rule} {count:,}" for rule, count in move["rules"].items())
    return f"  {move['from']} -> {move['to']}: {move['records']:,} ({rules})"


def _cause_move_line(move: Row) -> str:
    evidence = ", ".join(f"{name} {count:,}" for name, count in move["evidence"].items())
    return f"  {move['from']} -> {move['to']}: {move['records']:,} ({evidence})"


def _rule_line(rule: Row) -> str:
    was, now = rule["before"] or "no such rule", rule["after"] or "no such rule"
    return f"    {rule['id']}: {was} -> {now}; read: {_read(rule)}"


def _evidence_line(row: Row) -> str:
    return f"    {row['id']}: points {row['before']} -> {row['after']}; read: {_read(row)}"


def _read(row: Row) -> str:
    return ", ".join(f"{name} {'unknown' if said is None else said}" for name, said in row["answers"].items())
