"""Two rule packs over the stored history: who moves where, and which rule did it. Nothing is written.

One pass over the records tags each with both packs; those that move are kept one by one, the others are counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import duckdb

from pipelines.errors import UsageError
from pipelines.statements import first_row, sql_list, statement
from pipelines.tag import TAG_COLUMNS, tag_sql
from schemas.pack import LEVELS, UNDETERMINED, Field, Pack, TriageRule, condition_fields

EXAMPLES = 20
EMERGENCY = LEVELS.index("emergency")
STATES = ("FALSE", "UNKNOWN", "TRUE")

Row = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """What another pack would change.

    levels, causes: name -> records before and after. moves: from, to, records, and records for each rule that did it;
    cause_moves: from, to, records. fallen: source, report_id and new level of every record that leaves `emergency`.
    examples: records whose level moves, each with the rules whose state differs.
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
    answers = {mask: _bits(stored, pack, mask) for mask in ("answered", "yes")}
    answers |= {
        name: f"{name}_stored" if name in stored.own_numbers else "NULL::USMALLINT" for name in pack.own_numbers
    }
    answers |= {name: _choice(stored, pack, name) for name in pack.choices}
    columns = ", ".join(f"{sql} AS {name}" for name, sql in answers.items())
    return tag_sql(pack, f"(SELECT *, {columns} FROM {relation})", open_rules)


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
        _cause_moves(pairs),
        _fallen(connection),
        _examples(connection, stored, before, after),
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


def _cause_moves(pairs: list[Row]) -> list[Row]:
    moves: Counter[tuple[str, str]] = Counter()
    for row in pairs:
        moves[row["cause_before"], row["cause"]] += row["records"]
    return [{"from": a, "to": b, "records": count} for (a, b), count in moves.most_common() if a != b]


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
            "answers": {field: _said(stored, row["answers"], field) for field in condition_fields(rule.when)},
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
    lines = [f"{found.before} -> {found.after}, over {found.records:,} stored records", ""]
    if found.fallen:
        lines += [f"!! DOWN FROM EMERGENCY: {len(found.fallen):,} records", *map(_fallen_line, found.fallen), ""]
    lines += [*_table("triage level", found.levels), "", *_table("likely cause", found.causes), ""]
    lines += ["who moves where, by which rule", *(map(_move_line, found.moves) if found.moves else ["  nobody"])]
    lines += [f"  {move['from']} -> {move['to']}: {move['records']:,}" for move in found.cause_moves]
    lines += ["", "examples"] if found.examples else []
    for example in found.examples:
        lines += [f"  {example['source']} {example['report_id']}: {example['from']} -> {example['to']}"]
        lines += [_rule_line(rule) for rule in example["rules"]]
    return "\n".join([*lines, "", "Nothing was written."])


def _fallen_line(row: Row) -> str:
    return f"!!   {row['source']} {row['report_id']}: emergency -> {row['triage_level']}"


def _table(title: str, counts: dict[str, tuple[int, int]]) -> list[str]:
    rows = [f"{name:28}{was:>12,}{now:>12,}{now - was:>+12,}" for name, (was, now) in counts.items()]
    return [f"{title:28}{'before':>12}{'after':>12}{'change':>12}", *rows]


def _move_line(move: Row) -> str:
    rules = ", ".join(f"{rule} {count:,}" for rule, count in move["rules"].items())
    return f"  {move['from']} -> {move['to']}: {move['records']:,} ({rules})"


def _rule_line(rule: Row) -> str:
    answers = ", ".join(f"{name} {'unknown' if said is None else said}" for name, said in rule["answers"].items())
    return f"    {rule['id']}: {rule['before'] or 'no such rule'} -> {rule['after'] or 'no such rule'}; read: {answers}"
