"""The stored answers as another rule pack reads them: the SQL that tags them by it."""

from __future__ import annotations

from pipelines.rules.compiler import TAG_COLUMNS, tag_sql
from schemas.pack import Pack


def tagged_sql(stored: Pack, pack: Pack, relation: str, open_rules: bool = False) -> str:
    """`relation`, with its answers in columns called *_stored (see `stored_sql`), tagged by another pack."""
    return tag_sql(pack, answers_sql(stored, pack, relation), open_rules)


def answers_sql(stored: Pack, pack: Pack, relation: str) -> str:
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
