"""Who signed which rule pack: recorded in the home, published with the summaries."""

from __future__ import annotations

from datetime import date

import duckdb

from pipelines import clock
from pipelines.statements import Row, fetch_rows


def record_signature(connection: duckdb.DuckDBPyConnection, rule_pack: str, name: str, role: str, day: date) -> None:
    """Add a signature; the caller's transaction and audit note are around it."""
    row = [rule_pack, name, role, day, clock.now()]
    connection.execute("INSERT INTO signatures VALUES (?, ?, ?, ?, ?)", row)


def read_signatures(connection: duckdb.DuckDBPyConnection, rule_pack: str) -> list[Row]:
    """Return the signatures of a rule pack, the oldest first. Works on records.duckdb and on summaries.duckdb."""
    sql = "SELECT name, role, signed_on FROM signatures WHERE rule_pack = ? ORDER BY recorded_at, name"
    return fetch_rows(connection, sql, [rule_pack])
