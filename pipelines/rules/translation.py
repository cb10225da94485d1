"""The stored answers as another rule pack reads them: the SQL that tags them by it."""

from __future__ import annotations

from pipelines.rules.compiler import tag_sql
from schemas.pack import Pack
from schemas.record_layout import ANSWER_MASKS, TAG_COLUMNS, list_answer_columns, moved_choice_sql, moved_mask_sql


def tagged_sql(stored: Pack, pack: Pack, relation: str, open_rules: bool = False) -> str:
    """`relation`, with its answers in columns called *_stored (see `stored_sql`), tagged by another pack."""
    return tag_sql(pack, answers_sql(stored, pack, relation), open_rules)


def answers_sql(stored: Pack, pack: Pack, relation: str) -> str:
    """`relation` with the stored answers as another pack would have stored them."""
    answers = {mask: moved_mask_sql(stored, pack, f"{mask}_stored") for mask in ANSWER_MASKS}
    answers |= {
        name: f"{name}_stored" if name in stored.own_numbers else "NULL::USMALLINT" for name in pack.own_numbers
    }
    answers |= {name: moved_choice_sql(stored, pack, name, f"{name}_stored") for name in pack.choices}
    columns = ", ".join(f"{sql} AS {name}" for name, sql in answers.items())
    return f"(SELECT *, {columns} FROM {relation})"


def stored_sql(stored: Pack, relation: str = "records") -> str:
    """Return the records without their tags, their answers renamed: room for those of another pack."""
    answers = list_answer_columns(stored)
    renamed = ", ".join(f"{name} AS {name}_stored" for name in answers)
    return f"(SELECT * EXCLUDE ({', '.join((*TAG_COLUMNS, *answers))}), {renamed} FROM {relation})"
