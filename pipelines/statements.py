"""SQL text from its files, and answers as a row, rows by column name, or a number."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import duckdb

from schemas.tables import Column, Table, quoted_sql

Row = dict[str, Any]
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


def read_statement(folder: str, name: str, **values: object) -> str:
    """Return sql/FOLDER/NAME.sql with its ${placeholders} filled in; `$name` is a parameter, which DuckDB fills in.

    Raises KeyError for a placeholder without a value: half a statement must not run.
    """
    return _PLACEHOLDER.sub(lambda found: str(values[found[1]]), _read_text(folder, name))


@functools.cache
def _read_text(folder: str, name: str) -> str:
    return (files("sql") / folder / f"{name}.sql").read_text(encoding="utf-8")


def list_sql(values: tuple[str, ...]) -> str:
    """Return a SQL list of strings."""
    return f"[{', '.join(quoted_sql(value) for value in values)}]"


def fetch_first_row(
    connection: duckdb.DuckDBPyConnection, sql: str, values: Sequence[object] | Mapping[str, object] = ()
) -> tuple[Any, ...] | None:
    """Return the first row of a result, read to its end: an unfinished one would block the connection."""
    rows: list[tuple[Any, ...]] = connection.execute(sql, values or None).fetchall()
    return rows[0] if rows else None


def fetch_rows(
    connection: duckdb.DuckDBPyConnection, sql: str, values: Sequence[object] | Mapping[str, object] = ()
) -> list[Row]:
    """Return all rows of a result, each as column name -> value."""
    result = connection.execute(sql, values or None)
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def fetch_number(
    connection: duckdb.DuckDBPyConnection, sql: str, values: Sequence[object] | Mapping[str, object] = ()
) -> int:
    """Return a statement's single number: a count, or how many rows an INSERT stored."""
    row = fetch_first_row(connection, sql, values)
    return int(row[0]) if row else 0


def create_sql(table: Table) -> str:
    """CREATE TABLE without keys: an index costs more than the load it guards."""
    columns = ", ".join(f'"{column.name}" {column.type}{_storage_sql(table, column)}' for column in table.columns)
    return f'CREATE TABLE "{table.name}" ({columns})'


def _storage_sql(table: Table, column: Column) -> str:
    """Ids are all different: to look for a dictionary among them costs a quarter of a second per million."""
    return " USING COMPRESSION uncompressed" if (table.name, column.name) == ("records", "report_id") else ""


def comment_sql(table: Table, kind: str = "TABLE") -> list[str]:
    """COMMENT statements for a table (or kind VIEW) and each of its columns."""
    whole = f'COMMENT ON {kind} "{table.name}" IS {quoted_sql("One row: " + table.grain + ".")}'
    return [whole] + [
        f'COMMENT ON COLUMN "{table.name}"."{column.name}" IS {quoted_sql(column.meaning)}' for column in table.columns
    ]
