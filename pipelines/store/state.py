"""The facts that a state carries about itself, in the table `state`, and whether its counts agree."""

from __future__ import annotations

from pathlib import Path

import duckdb

from pipelines.errors import WHAT_TO_DO, StateError
from pipelines.statements import fetch_first_row, list_sql, read_statement
from schemas.pack import LEVELS
from schemas.tables import SCHEMA_VERSION


def get_state(connection: duckdb.DuckDBPyConnection, key: str) -> str:
    """Return one fact of the table `state`. Raises StateError if it is missing."""
    row = fetch_first_row(connection, "SELECT value FROM state WHERE key = ?", [key])
    if row is None:
        raise StateError(f"records.duckdb has no '{key}' in its table state; restore it from a backup")
    return str(row[0])


def set_state(connection: duckdb.DuckDBPyConnection, key: str, value: str) -> None:
    """Write one fact of the table `state`, in place of what it said before."""
    connection.execute("DELETE FROM state WHERE key = ?", [key])
    connection.execute("INSERT INTO state VALUES (?, ?)", [key, value])


def check_version(connection: duckdb.DuckDBPyConnection, path: Path, older_too: bool = False) -> None:
    """Raise StateError if the state has another schema version; with `older_too` an older one may pass."""
    found = get_state(connection, "schema_version")
    older = found.isdigit() and int(found) < SCHEMA_VERSION
    if found != str(SCHEMA_VERSION) and not (older and older_too):
        advice = "`calfwatch run` brings it up to date" if older else "use the calfwatch that wrote it, or a newer one"
        raise StateError(f"{path} has schema version {found}, this calfwatch reads {SCHEMA_VERSION}; {advice}")


def check_counts(connection: duckdb.DuckDBPyConnection) -> None:
    """Ledger = records = summaries, or StateError: a truncated log opens with its tail silently gone.

    Cheap enough for every start; it counts, and does not look into every row.
    """
    _require_equal(connection, read_statement("store", "check_counts"))


def check_levels(connection: duckdb.DuckDBPyConnection) -> None:
    """As `check_counts`, and records = summaries, level by level, for which every record is read."""
    check_counts(connection)
    _require_equal(connection, read_statement("store", "check_levels", levels=list_sql(LEVELS)))


def _require_equal(connection: duckdb.DuckDBPyConnection, counted: str) -> None:
    for name, wanted, found in connection.execute(counted).fetchall():
        if wanted != found:
            raise StateError(
                f"records.duckdb contradicts itself: {name}: {wanted} by the ledger or the records, {found} found. "
                f"{WHAT_TO_DO}"
            )
