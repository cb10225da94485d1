"""A state of an older schema version -> one of today's: one step a version, all in the caller's transaction.

A step is written once and never edited: it takes the state from its version to the next, whatever today's is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import duckdb

from pipelines.statements import first_row
from pipelines.store import audit
from schemas.pack import Pack

Step = Callable[[duckdb.DuckDBPyConnection, Pack], None]


def migrate(connection: duckdb.DuckDBPyConnection, found: int, wanted: int, pack: Pack) -> None:
    """Takes every step from version `found` to `wanted`, and notes it; the caller backs up, checks and commits."""
    for number in range(found, wanted):
        STEPS[number](connection, pack)
    connection.execute("UPDATE state SET value = ? WHERE key = 'schema_version'", [str(wanted)])
    audit.note(connection, "migrate", f"schema {wanted}", f"from schema version {found} to {wanted}")


def _from_1(connection: duckdb.DuckDBPyConnection, pack: Pack) -> None:
    """Room for packs as text, an audit trail and published counts."""
    connection.execute("""CREATE TABLE audit (
        happened_at TIMESTAMPTZ, action VARCHAR, subject VARCHAR, detail VARCHAR, who VARCHAR, version VARCHAR)""")
    connection.execute("""CREATE TABLE reported_weeks (
        week VARCHAR, week_start DATE, reported_at TIMESTAMPTZ, rule_pack VARCHAR, last_delivery INTEGER,
        version VARCHAR, time_zone VARCHAR, week_system VARCHAR)""")
    connection.execute("CREATE TABLE reported_counts (week VARCHAR, week_start DATE, series VARCHAR, reports BIGINT)")
    connection.execute("ALTER TABLE rule_packs ADD COLUMN content VARCHAR")
    connection.execute("UPDATE rule_packs SET content = ? WHERE rule_pack = ?", [pack.text, pack.version])


def _from_2(connection: duckdb.DuckDBPyConnection, pack: Pack) -> None:
    """How many unresolved records an answer would settle alone; counted with everything else after the last step."""
    connection.execute("ALTER TABLE daily_fields ADD COLUMN settles BIGINT")


def _from_3(connection: duckdb.DuckDBPyConnection, pack: Pack) -> None:
    """Everything that version 4 adds, each part in a function of its own."""
    _add_dates_and_guards(connection)


def _add_dates_and_guards(connection: duckdb.DuckDBPyConnection) -> None:
    """Days of reports without a time, regions in lower case, and what the guards between files remember."""
    connection.execute("ALTER TABLE records ADD COLUMN stated_date DATE")
    connection.execute("ALTER TABLE superseded ADD COLUMN report_date DATE")
    connection.execute("ALTER TABLE superseded ADD COLUMN time_known BOOLEAN")
    connection.execute("UPDATE superseded SET time_known = true, report_date = reported_at::DATE")
    for table in ("records", "superseded"):
        connection.execute(f"UPDATE {table} SET region = lower(region) WHERE region <> lower(region)")
    connection.execute("""CREATE OR REPLACE TEMP TABLE lower_counts AS
        SELECT week, week_start, lower(series) AS series, sum(reports)::BIGINT AS reports
        FROM reported_counts GROUP BY ALL""")
    connection.execute("DELETE FROM reported_counts")
    connection.execute("INSERT INTO reported_counts FROM lower_counts")
    connection.execute("DROP TABLE lower_counts")
    for column in (
        "rows_moved INTEGER",
        "rows_removed INTEGER",
        "columns VARCHAR[]",
        "is_whole BOOLEAN",
        "notes VARCHAR",
    ):
        connection.execute(f"ALTER TABLE files ADD COLUMN {column}")


STEPS: Mapping[int, Step] = {1: _from_1, 2: _from_2, 3: _from_3}


def schema_version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The version that the state carries; None where it carries none that can be read."""
    row = first_row(connection, "SELECT try_cast(value AS INTEGER) FROM state WHERE key = 'schema_version'")
    return None if row is None or row[0] is None else int(row[0])
