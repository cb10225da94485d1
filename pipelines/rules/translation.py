"""The stored answers as another rule pack reads them: whether it can, and the SQL that tags them by it."""

from __future__ import annotations

import duckdb

from pipelines.errors import UsageError
from pipelines.rules.compiler import tag_sql
from pipelines.statements import first_row
from schemas.pack import Field, Pack
from schemas.record_layout import ANSWER_MASKS, TAG_COLUMNS, answer_columns, moved_choice_sql, moved_mask_sql


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
    """The records without their tags, their answers renamed: room for those of another pack."""
    answers = answer_columns(stored)
    renamed = ", ".join(f"{name} AS {name}_stored" for name in answers)
    return f"(SELECT * EXCLUDE ({', '.join((*TAG_COLUMNS, *answers))}), {renamed} FROM {relation})"
