"""A comparison of two rule packs as text for a terminal."""

from __future__ import annotations

from pipelines.explain.comparison import Comparison
from pipelines.statements import Row
from pipelines.text import escape_unprintable, pluralise


def render_comparison(found: Comparison) -> str:
    """Return the comparison for a terminal; what falls from `emergency` comes first, every record of it."""
    lines = [f"{found.before} -> {found.after}, over {pluralise(found.records, 'stored record')}", ""]
    if found.fallen:
        lines += [
            f"!! DOWN FROM EMERGENCY: {pluralise(len(found.fallen), 'record')}",
            *map(_describe_fall, found.fallen),
            "",
        ]
    lines += [*_format_table("triage level", found.levels), "", *_format_table("likely cause", found.causes), ""]
    lines += [
        "who moves where, by which rule",
        *(map(_move_line, found.moves) if found.moves else ["  no level moves"]),
    ]
    lines += [_describe_cause_move(move) for move in found.cause_moves] or ["  no likely cause moves"]
    lines += ["", "the highest level still possible, of records whose level stays"]
    lines += [_move_line(move) for move in found.ceiling_moves] or ["  none moves"]
    lines += ["", "answers that are still asked for", *(_describe_questions(found) or ["  the same of every record"])]
    shown = [(example, "") for example in (*found.examples, *found.cause_examples)]
    shown += [(example, "still possible: ") for example in found.ceiling_examples]
    lines += ["", "examples"] if shown else []
    for example, about in shown:
        lines += [f"  {example['source']} {example['report_id']}: {about}{example['from']} -> {example['to']}"]
        lines += [_describe_rule(rule) for rule in example.get("rules", [])]
        lines += [_describe_evidence(row) for row in example.get("evidence", [])]
    return "\n".join(map(escape_unprintable, [*lines, "", "Nothing was written."]))


def _describe_fall(row: Row) -> str:
    return f"!!   {row['source']} {row['report_id']}: emergency -> {row['triage_level']}"


def _format_table(title: str, counts: dict[str, tuple[int, int]]) -> list[str]:
    rows = [f"{name:28}{was:>12,}{now:>12,}{now - was:>+12,}" for name, (was, now) in counts.items()]
    return [f"{title:28}{'before':>12}{'after':>12}{'change':>12}", *rows]


def _move_line(move: Row) -> str:
    rules = ", ".join(f"{rule} {count:,}" for rule, count in move["rules"].items())
    return f"  {move['from']} -> {move['to']}: {move['records']:,} ({rules})"


def _describe_questions(found: Comparison) -> list[str]:
    return [
        f"  {name}: no longer of {pluralise(fewer, 'record')}, newly of {pluralise(more, 'record')}"
        for name, (fewer, more) in found.questions.items()
    ]


def _describe_cause_move(move: Row) -> str:
    evidence = ", ".join(f"{name} {count:,}" for name, count in move["evidence"].items())
    return f"  {move['from']} -> {move['to']}: {move['records']:,} ({evidence})"


def _describe_rule(rule: Row) -> str:
    was, now = rule["before"] or "no such rule", rule["after"] or "no such rule"
    return f"    {rule['id']}: {was} -> {now}; read: {_read(rule)}"


def _describe_evidence(row: Row) -> str:
    return f"    {row['id']}: points {row['before']} -> {row['after']}; read: {_read(row)}"


def _read(row: Row) -> str:
    return ", ".join(f"{name} {'unknown' if said is None else said}" for name, said in row["answers"].items())
