"""Databases of somebody else under a name of the home: found without writing to them, and refused.

A database is looked at read-only first: opened for writing, DuckDB would take its log into it, which changes both.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from pipelines import files
from pipelines.errors import StateError
from pipelines.statements import one_number
from pipelines.store.home import Home
from schemas.tables import quoted

STATE_TABLES = {"files", "records", "state"}  # every state has all of these
SNAPSHOT_TABLES = {"weekly_triage"}
_OBJECTS_SQL = " + ".join(
    f"(SELECT count(*) FROM {kind}() WHERE database_name = 'looked_at' AND NOT internal)"
    for kind in ("duckdb_tables", "duckdb_views", "duckdb_schemas", "duckdb_types", "duckdb_functions")
)


def refuse_foreign_databases(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """Raise StateError if the records or the summaries are somebody else's, or a log lies there without its database.

    What cannot be read is not judged here: damaged records are told by who opens them, damaged summaries are replaced.
    """
    log = files.log_of(home.records)
    if log.exists() and not home.records.exists():
        raise StateError(
            f"{log} is there without {home.records.name}, and would be lost; bring that back, or move the log away"
        )
    for path, tables in ((home.records, STATE_TABLES), (home.summaries, SNAPSHOT_TABLES)):
        if path.exists() and _is_foreign(connection, path, tables):
            raise StateError(f"{path} is a DuckDB file of something else, and is left as it is; name another --home")


def _is_foreign(connection: duckdb.DuckDBPyConnection, path: Path, ours: set[str]) -> bool:
    """Whether a database holds anything, but not all tables that mark it as ours."""
    try:
        connection.execute(f"ATTACH {quoted(str(path))} AS looked_at (READ_ONLY)")
    except duckdb.Error:
        return False
    try:
        rows = connection.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'looked_at'").fetchall()
        return not ours <= {name for (name,) in rows} and one_number(connection, f"SELECT {_OBJECTS_SQL}") > 0
    except duckdb.Error:
        return False
    finally:
        connection.execute("DETACH looked_at")
