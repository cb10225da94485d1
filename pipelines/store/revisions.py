"""Published weeks stay as they were reported; what has changed since is told in `weekly_revisions`.

    freeze: snapshot -> the report's folder, with its counts -> one rename -> adopt: folder -> reported_weeks, _counts

The rename publishes. A run that dies before adopting leaves a folder that carries its counts, and the next one that
publishes adopts it: the tables are never ahead of what people could read, and miss nothing of it.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import duckdb

from pipelines.errors import StateError
from pipelines.files import move_folder, private
from pipelines.settings import Settings
from pipelines.statements import first_row, statement
from pipelines.store.daily_counts import week_words
from schemas.tables import REPORTED_COUNTS, REPORTED_WEEKS, Table, quoted

COUNTS_OF = {table.name: Path("data") / f"{table.name}.csv" for table in (REPORTED_WEEKS, REPORTED_COUNTS)}


def freeze(snapshot: duckdb.DuckDBPyConnection, folder: Path, week: str, published: Path) -> None:
    """Add the counts of the snapshot to a finished report's folder and publish it by one rename.

    Raises UsageError if the published place holds anything that calfwatch did not put there.
    """
    for name, place in COUNTS_OF.items():
        rows = snapshot.execute(statement("store", name, week=quoted(week)))
        _write(folder / place, [[column[0] for column in rows.description], *rows.fetchall()])
    move_folder(folder, published)


def _write(path: Path, rows: list[Sequence[object]]) -> None:
    with open(path, "w", encoding="utf-8", newline="", opener=private) as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
        file.flush()
        os.fsync(file.fileno())


def adopt(connection: duckdb.DuckDBPyConnection, reports: Path) -> None:
    """Takes in every published folder that the tables do not know, inside the caller's transaction.

    Raises StateError naming a file of counts that cannot be read.
    """
    known = {week for (week,) in connection.execute("SELECT week FROM reported_weeks").fetchall()}
    for counts in sorted(reports.glob(f"[0-9]*/{COUNTS_OF['reported_weeks']}")):
        folder = counts.parent.parent
        if folder.name not in known:
            for table in (REPORTED_WEEKS, REPORTED_COUNTS):
                _take_in(connection, table, folder / COUNTS_OF[table.name])


def _take_in(connection: duckdb.DuckDBPyConnection, table: Table, path: Path) -> None:
    columns = ", ".join(f"{quoted(column.name)}: {quoted(column.type)}" for column in table.columns)
    source = f"read_csv({quoted(str(path))}, header = true, delim = ',', quote = '\"', columns = {{{columns}}})"
    try:
        connection.execute(f"INSERT INTO {table.name} BY NAME FROM {source}")
    except duckdb.Error as error:
        raise StateError(f"{path} cannot be read: {str(error).splitlines()[0]}. Restore it from a backup.") from error


def is_published(connection: duckdb.DuckDBPyConnection, week: str) -> bool:
    """Whether a week's counts are kept as they were reported."""
    return bool(first_row(connection, "SELECT 1 FROM reported_weeks WHERE week = ?", [week]))


def forget(connection: duckdb.DuckDBPyConnection, week: str) -> str:
    """Drop what was reported of a week, inside the caller's transaction; return in words what that was."""
    row = first_row(connection, "SELECT reported_at, last_delivery FROM reported_weeks WHERE week = ?", [week])
    assert row is not None
    for table in (REPORTED_WEEKS, REPORTED_COUNTS):
        connection.execute(f"DELETE FROM {table.name} WHERE week = ?", [week])
    return f"the report of {row[0]:%Y-%m-%d %H:%M} UTC, up to delivery {row[1]}, was taken back"


def update_revisions(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Compares every published week with the counts of now, inside the caller's transaction."""
    names = statement("signals", "series_names")
    words = week_words(settings) | {"week_system": settings.week_system, "series_names": names}
    connection.execute("DELETE FROM weekly_revisions")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE revised AS {statement('store', 'changed_weeks', **words)}")
    if first_row(connection, "SELECT 1 FROM revised LIMIT 1"):
        connection.execute(f"INSERT INTO weekly_revisions BY NAME {statement('store', 'weekly_revisions', **words)}")
    connection.execute("DROP TABLE revised")
