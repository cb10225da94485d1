"""Disclosed rows -> public.duckdb, in a fresh database that never holds anything else; and back."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pipelines.connections import connect, path_sql, read_only
from pipelines.errors import StateError
from pipelines.statements import comment_sql, create_sql
from pipelines.text import is_week
from schemas.public_tables import PUBLIC_ABOUT, PUBLIC_RELEASES, PUBLIC_TABLES, WEEKLY_COUNTS
from schemas.tables import Table

# Readable by DuckDB 1.2 and later. From 1.4.0 on each file carries a random number; equal rows must give equal bytes.
OPTIONS = "STORAGE_VERSION 'v1.2.0', BLOCK_SIZE 16384"  # small blocks: a tenth of the size
Rows = Sequence[tuple[Any, ...]]


@dataclass(frozen=True)
class PublicRows:
    """Everything that public.duckdb holds, in the order of its columns."""

    weekly_counts: Rows
    releases: Rows
    about: Rows


def write_public_database(path: Path, rows: PublicRows) -> None:
    """Write a new database file of the public tables, where nothing is; equal rows give equal bytes."""
    with contextlib.closing(connect()) as connection:
        connection.execute("SET threads = 1")
        connection.execute(f"ATTACH {path_sql(path)} AS public ({OPTIONS})")
        connection.execute("USE public")
        connection.execute("BEGIN TRANSACTION")
        for table, content in _list_tables(rows):
            connection.execute(create_sql(table))
            connection.execute(";".join(comment_sql(table)))
            if content:
                row = f"({', '.join('?' * len(table.columns))})"
                values = [value for values in content for value in values]
                connection.execute(f"INSERT INTO {table.name} VALUES {', '.join([row] * len(content))}", values)
        connection.execute("COMMIT")
        connection.execute("USE memory")
        connection.execute("DETACH public")


def _list_tables(rows: PublicRows) -> list[tuple[Table, Rows]]:
    return [(WEEKLY_COUNTS, rows.weekly_counts), (PUBLIC_RELEASES, rows.releases), (PUBLIC_ABOUT, rows.about)]


def read_public_database(path: Path) -> PublicRows | None:
    """Return what public.duckdb holds; None if it is not there.

    Raises StateError if it cannot be read: nobody could say then which weeks were published.
    """
    if not path.exists():
        return None
    with contextlib.closing(read_only(path)) as connection:
        try:
            found = [_read(connection, table) for table in PUBLIC_TABLES]
        except duckdb.Error as error:
            raise StateError(
                f"{path} cannot be read as what was published: {str(error).splitlines()[0]}. Move it away; "
                "the next `calfwatch release` writes it again from the records"
            ) from error
    if len(found[2]) != 1:
        raise StateError(f"{path} says nothing about itself in its table about; restore it, or move it away")
    if any(not is_week(row[0]) for table in found[:2] for row in table):
        raise StateError(f"{path} names a week that is none; it was not written by calfwatch. Move it away")
    return PublicRows(*found)


def _read(connection: duckdb.DuckDBPyConnection, table: Table) -> Rows:
    """Return all rows of a table in the order in which they are written."""
    names = ", ".join(table.column_names)
    keys = ", ".join(name for name in ("week_start", "week", "attribute", "value") if name in table.column_names)
    return connection.execute(f"SELECT {names} FROM {table.name}" + (f" ORDER BY {keys}" if keys else "")).fetchall()
