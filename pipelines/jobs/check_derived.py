"""What is worked out of the records and the pack, worked out anew: `check --deep` holds the stored tables against it.

The state is open for reading only. Tables of the same names are made beside it, as temporary ones, which hide the
stored ones from the very code that filled these; afterwards they are gone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from pipelines.settings import Settings
from pipelines.signals import weekly_signals
from pipelines.statements import create_sql, fetch_number
from pipelines.store import revisions, schema
from pipelines.text import pluralise
from schemas.pack import Pack
from schemas.tables import (
    ALARM_EPISODES,
    CALENDAR,
    CAUSES,
    DAILY_SIGNALS,
    FIELDS,
    FILES,
    REPORTED_COUNTS,
    REPORTED_WEEKS,
    RULES,
    SIGNAL_COUNTS,
    SIGNAL_FITS,
    SIGNAL_INPUTS,
    STORED_WEEKLY,
    WEEKLY_VIEWS,
    Table,
)

SIGNALS = (
    *(view for view in WEEKLY_VIEWS if view.name in STORED_WEEKLY),
    *(DAILY_SIGNALS, ALARM_EPISODES, SIGNAL_COUNTS, SIGNAL_FITS, SIGNAL_INPUTS),
)
ALIKE = 1e-6  # of a number: another processor may round its last digits otherwise
FOREIGN = {
    "macro": "SELECT DISTINCT function_name FROM duckdb_functions() WHERE NOT internal",
    "sequence": "SELECT sequence_name FROM duckdb_sequences() WHERE NOT temporary",
    "type": "SELECT type_name FROM duckdb_types() WHERE NOT internal",
    "index": "SELECT index_name FROM duckdb_indexes() WHERE true",
    "schema": "SELECT schema_name FROM duckdb_schemas() WHERE NOT internal AND schema_name <> 'main'",
    "constraint on table": "SELECT DISTINCT table_name FROM duckdb_constraints() WHERE true",
}


def find_foreign(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Name what calfwatch makes none of: a macro or an index can change what a query tells."""
    for kind, sql in FOREIGN.items():
        for (name,) in connection.execute(f"{sql} AND database_name = 'calfwatch' ORDER BY ALL").fetchall():
            yield f"{kind} {name} is none of ours"


def find_other_signals(connection: duckdb.DuckDBPyConnection, settings: Settings) -> Iterator[str]:
    """Compare signals, clocks, alarms and revisions with those of the stored counts, as of the day of the last run.

    What a run that was killed left behind is not compared: the next one fills these tables anew.
    """
    day = weekly_signals.find_day(connection, settings)
    if day is None:
        return
    empty, copied = [table for table in SIGNALS if table.name != "weekly_revisions"], [FILES, CALENDAR]
    with _hide_stored(connection, empty, copied):
        weekly_signals.compute_signals(connection, settings, day)
        for table in (*empty, *copied):
            yield from _find_differing(connection, table)
    revised = [table for table in SIGNALS if table.name == "weekly_revisions"]
    with _hide_stored(connection, revised):
        revisions.update_revisions(connection, settings)
        for table in revised:
            yield from _find_differing(connection, table)


def find_other_dimensions(connection: duckdb.DuckDBPyConnection, pack: Pack) -> Iterator[str]:
    """Compare the tables of rules, causes and fields with the pack."""
    dimensions = [RULES, CAUSES, FIELDS]
    with _hide_stored(connection, dimensions):
        schema.fill_dimensions(connection, pack)
        for table in dimensions:
            yield from _find_differing(connection, table)


def find_other_reports(connection: duckdb.DuckDBPyConnection, reports: Path) -> Iterator[str]:
    """Compare what is on record of published weeks with the counts in their folders, and each week with itself."""
    for name in ("reported_weeks", "reported_counts"):
        key = "week" if name == "reported_weeks" else "week, series"
        twice = fetch_number(connection, f"SELECT count(*) - count(DISTINCT ({key})) FROM {name}")
        if twice:
            yield f"{name}: {pluralise(twice, 'row stands', 'rows stand')} twice"
    for folder in revisions.list_published_folders(reports):
        if not revisions.is_publication(folder):
            continue
        for table in (REPORTED_WEEKS, REPORTED_COUNTS):
            stored = f"SELECT {', '.join(table.column_names)} FROM {table.name} WHERE week = ?"
            with revisions.as_read(connection, folder, table) as relation:
                sql = _difference_sql(stored, _published_sql(table, relation))
                rows = fetch_number(connection, sql, [folder.name] * 2)
            if rows:
                yield f"{table.name}: {pluralise(rows, 'row differs', 'rows differ')} from the published {folder.name}"


def _published_sql(table: Table, relation: str) -> str:
    """Return the SELECT of a folder's counts. Versions of packs had 32 bits before schema version 4."""
    long = f"""coalesce((SELECT max(rule_pack) FROM rule_packs
        WHERE regexp_full_match({relation}.rule_pack, '.*-[0-9a-f]{{8}}')
          AND starts_with(rule_packs.rule_pack, {relation}.rule_pack)), {relation}.rule_pack)"""
    columns = [long if column.name == "rule_pack" else f"{column.name}::{column.type}" for column in table.columns]
    return f"SELECT {', '.join(columns)} FROM {relation}"


@contextlib.contextmanager
def _hide_stored(
    connection: duckdb.DuckDBPyConnection, empty: list[Table], copied: list[Table] | None = None
) -> Iterator[None]:
    """Make temporary tables that hide the stored ones of their names: empty, or copies."""
    copied = copied or []
    try:
        for table in empty:
            connection.execute(create_sql(table).replace("CREATE TABLE", "CREATE TEMP TABLE", 1))
        for table in copied:
            connection.execute(f"CREATE TEMP TABLE {table.name} AS FROM calfwatch.{table.name}")
        yield
    finally:
        for table in (*empty, *copied):
            connection.execute(f"DROP TABLE IF EXISTS temp.{table.name}")


def _difference_sql(one: str, other: str) -> str:
    return f"SELECT count(*) FROM ((({one}) EXCEPT ALL ({other})) UNION ALL (({other}) EXCEPT ALL ({one})))"


def _find_differing(connection: duckdb.DuckDBPyConnection, table: Table) -> Iterator[str]:
    """Compare a stored table with the temporary one: exact, but for the last digits of numbers with a point."""
    exact = ", ".join(column.name for column in table.columns if column.type != "DOUBLE")
    pair = [f"SELECT {exact} FROM {database}.{table.name}" for database in ("temp", "calfwatch")]
    rows = fetch_number(connection, _difference_sql(*pair)) or _count_unlike(connection, table, exact)
    if rows:
        yield f"{table.name}: {pluralise(rows, 'row differs', 'rows differ')} from what the stored counts give"


def _count_unlike(connection: duckdb.DuckDBPyConnection, table: Table, exact: str) -> int:
    """Count the rows of which a number with a point differs by more than its last digits."""
    columns = [column.name for column in table.columns if column.type == "DOUBLE"]
    if not columns:
        return 0
    order = f"ORDER BY {exact}, {', '.join(f'round({name}, 3)' for name in columns)}"
    found: list[dict[str, Any]] = [
        connection.execute(f"SELECT {', '.join(columns)} FROM {database}.{table.name} {order}").fetchnumpy()
        for database in ("temp", "calfwatch")
    ]
    unlike = np.zeros(fetch_number(connection, f"SELECT count(*) FROM calfwatch.{table.name}"), dtype=bool)
    for name in columns:
        again, stored = (np.ma.asarray(each[name], dtype=np.float64).filled(np.nan) for each in found)
        unlike |= ~np.isclose(again, stored, rtol=ALIKE, atol=ALIKE, equal_nan=True)
    return int(unlike.sum())
