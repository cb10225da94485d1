"""Published weeks stay as they were reported; what has changed since is told in `weekly_revisions`.

    freeze: snapshot -> the report's folder, with its counts -> one rename -> adopt: folder -> reported_weeks, _counts
    freeze_again: of a week whose folder is gone, the counts that are on record

The rename publishes. A run that dies before adopting leaves a folder that carries its counts, and the next one that
publishes adopts it: the tables are never ahead of what people could read, and miss nothing of it.
"""

from __future__ import annotations

import contextlib
import csv
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.errors import StateError
from pipelines.files import move_folder, open_private
from pipelines.settings import Settings
from pipelines.statements import fetch_first_row, read_statement
from pipelines.store.daily_counts import make_week_placeholders
from schemas.tables import REPORTED_COUNTS, REPORTED_WEEKS, Table, quoted_sql

COUNTS_OF = {table.name: Path("data") / f"{table.name}.csv" for table in (REPORTED_WEEKS, REPORTED_COUNTS)}


def freeze(snapshot: duckdb.DuckDBPyConnection, folder: Path, week: str, published: Path, moment: datetime) -> None:
    """Add the counts of the snapshot to a finished report's folder and publish it by one rename; `moment` is now.

    Raises UsageError if the published place holds anything that calfwatch did not put there.
    """
    for name, place in COUNTS_OF.items():
        values = {"now": moment} if name == REPORTED_WEEKS.name else None
        rows = snapshot.execute(read_statement("store", name, week=quoted_sql(week)), values)
        _write(folder / place, [[column[0] for column in rows.description], *rows.fetchall()])
    move_folder(folder, published)


def freeze_again(connection: duckdb.DuckDBPyConnection, folder: Path, week: str, published: Path) -> None:
    """Add the counts that were reported to the folder of a report that was made anew, and publish it by one rename."""
    for table in (REPORTED_WEEKS, REPORTED_COUNTS):
        texts = ", ".join(f"{column.name}::VARCHAR AS {column.name}" for column in table.columns)
        rows = connection.execute(f"SELECT {texts} FROM {table.name} WHERE week = ? ORDER BY ALL", [week])
        _write(folder / COUNTS_OF[table.name], [[column[0] for column in rows.description], *rows.fetchall()])
    move_folder(folder, published)


def describe_lost(connection: duckdb.DuckDBPyConnection, week: str) -> tuple[str, int] | None:
    """Return when a week was published, in words, and how many of its counts are others now; None if it was not."""
    return fetch_first_row(
        connection,
        """SELECT strftime(reported_at AT TIME ZONE 'UTC', '%Y-%m-%d'), (
             SELECT count(*)::INTEGER FROM weekly_revisions WHERE week = $week)
           FROM reported_weeks WHERE week = $week""",
        {"week": week},
    )


def list_published(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the weeks that are on record as published, whether their folders are there or not."""
    return {week for (week,) in connection.execute("SELECT week FROM reported_weeks").fetchall()}


def _write(path: Path, rows: list[Sequence[object]]) -> None:
    with open(path, "w", encoding="utf-8", newline="", opener=open_private) as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
        file.flush()
        os.fsync(file.fileno())


def adopt(connection: duckdb.DuckDBPyConnection, reports: Path) -> None:
    """Take in every published week that the tables do not know, once, inside the caller's transaction.

    What a folder's counts say decides, and not that it is there: a copy of a publication is none. Raises StateError
    naming a file of counts that cannot be read.
    """
    known = list_published(connection)
    for folder in list_published_folders(reports):
        if folder.name not in known and is_publication(folder):
            for table in (REPORTED_WEEKS, REPORTED_COUNTS):
                columns = ", ".join(f"{column.name}::{column.type} AS {column.name}" for column in table.columns)
                with as_read(connection, folder, table) as relation:
                    connection.execute(f"INSERT INTO {table.name} BY NAME SELECT {columns} FROM {relation}")


def list_published_folders(reports: Path) -> list[Path]:
    """Return the folders that carry counts, by name."""
    return [counts.parent.parent for counts in sorted(reports.glob(f"[0-9]*/{COUNTS_OF['reported_weeks']}"))]


def is_publication(folder: Path) -> bool:
    """Return whether a folder's counts are those of the week that it is named after, and of no other."""
    weeks = _read(folder / COUNTS_OF["reported_weeks"])["week"]
    return weeks == [folder.name] and set(_read(folder / COUNTS_OF["reported_counts"])["week"]) <= {folder.name}


@contextlib.contextmanager
def as_read(connection: duckdb.DuckDBPyConnection, folder: Path, table: Table) -> Iterator[str]:
    """Offer a folder's file of counts as a relation of texts; damage that a type shows is raised as StateError."""
    path = folder / COUNTS_OF[table.name]
    connection.register("read_counts", pa.table({name: pa.array(v, pa.string()) for name, v in _read(path).items()}))
    try:
        yield "read_counts"
    except duckdb.Error as error:
        raise _unreadable(path, str(error).splitlines()[0]) from error
    finally:
        with contextlib.suppress(duckdb.Error):  # within a transaction that failed nothing can be unregistered
            connection.unregister("read_counts")


def _read(path: Path) -> dict[str, list[str | None]]:
    """Read a file of counts by column. Not by DuckDB, for which a path such as `week=5/*` means more than itself."""
    table = REPORTED_WEEKS if path.name == COUNTS_OF["reported_weeks"].name else REPORTED_COUNTS
    try:
        with open(path, encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
    except (OSError, ValueError, csv.Error) as error:
        raise _unreadable(path, type(error).__name__) from error
    if sorted(header) != sorted(table.column_names) or any(len(row) != len(header) for row in rows):
        raise _unreadable(path, f"its columns are not {', '.join(table.column_names)}")
    return {name: [row[place] or None for row in rows] for place, name in enumerate(header)}


def _unreadable(path: Path, why: str) -> StateError:
    return StateError(f"{path} cannot be read: {why}. Restore it from a backup.")


def is_published(connection: duckdb.DuckDBPyConnection, week: str) -> bool:
    """Return whether a week's counts are kept as they were reported."""
    return bool(fetch_first_row(connection, "SELECT 1 FROM reported_weeks WHERE week = ?", [week]))


def forget(connection: duckdb.DuckDBPyConnection, week: str) -> str:
    """Drop what was reported of a week, inside the caller's transaction; return in words what that was."""
    row = fetch_first_row(connection, "SELECT reported_at, last_delivery FROM reported_weeks WHERE week = ?", [week])
    assert row is not None
    for table in (REPORTED_WEEKS, REPORTED_COUNTS):
        connection.execute(f"DELETE FROM {table.name} WHERE week = ?", [week])
    return f"the report of {row[0]:%Y-%m-%d %H:%M} UTC, up to delivery {row[1]}, was taken back"


def update_revisions(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Compare every published week with the counts of now, inside the caller's transaction."""
    names = read_statement("signals", "series_names")
    words = make_week_placeholders(settings) | {"week_system": settings.week_system, "series_names": names}
    connection.execute("DELETE FROM weekly_revisions")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE revised AS {read_statement('store', 'changed_weeks', **words)}")
    if fetch_first_row(connection, "SELECT 1 FROM revised LIMIT 1"):
        young = connection.execute(
            """SELECT DISTINCT file_id FROM files
               WHERE delivery_no > (SELECT min(last_delivery) FROM revised WHERE comparable)"""
        ).fetchall()
        connection.execute(
            f"INSERT INTO weekly_revisions BY NAME {read_statement('store', 'weekly_revisions', **words)}",
            {"young_files": [file_id for (file_id,) in young]},
        )
    connection.execute("DROP TABLE revised")
