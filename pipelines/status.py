"""What is stored, and what needs a person's attention."""

from __future__ import annotations

import contextlib
from datetime import datetime
from pathlib import Path

import duckdb

from pipelines.batch import shown_path
from pipelines.query import read_only
from pipelines.statements import first_row
from pipelines.store import check_counts, damage_told, get_state


def status_of(home: Path) -> tuple[list[str], bool]:
    """Lines about the home, and whether something needs attention: a rejected file, a missing or old snapshot.

    Raises StateError where the ledger, the records and the summaries contradict each other.
    """
    records = home / "records.duckdb"
    with contextlib.closing(read_only(records)) as connection, damage_told(records):
        check_counts(connection)
        lines = [f"home          {home}", *_stored(connection)]
        wanted = _rejected(connection)
        newest = first_row(connection, "SELECT max(ingested_at) FROM files")
    wanted += _snapshot(home / "summaries.duckdb", newest[0] if newest else None)
    return [*lines, *(f"ATTENTION     {text}" for text in wanted)], bool(wanted)


def _stored(connection: duckdb.DuckDBPyConnection) -> list[str]:
    files = first_row(
        connection,
        """SELECT count(*) FILTER (status = 'accepted'), count(*) FILTER (status = 'rejected'),
             max(ingested_at), coalesce(sum(rows_quarantined), 0)
           FROM files""",
    )
    records = first_row(connection, "SELECT count(*), min(reported_at), max(reported_at) FROM records")
    assert files is not None
    assert records is not None
    return [
        f"rule pack     {get_state(connection, 'rule_pack')}",
        f"files         {files[0]:,} accepted, {files[1]:,} rejected; the last at {_moment(files[2])}",
        f"records       {records[0]:,} from {_moment(records[1])} to {_moment(records[2])}",
        f"quarantined   {files[3]:,} rows",
        "state         ledger, records and summaries agree",
    ]


def _rejected(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute("SELECT path, reason FROM files WHERE status = 'rejected' ORDER BY path").fetchall()
    return [f"rejected {shown_path(path)}: {reason}" for path, reason in rows]


def _snapshot(summaries: Path, newest: datetime | None) -> list[str]:
    """A run that was killed after its last file leaves a snapshot behind that does not know of it."""
    if not summaries.exists():
        return ["no summaries.duckdb has been published; run `calfwatch run`"]
    with contextlib.closing(read_only(summaries)) as connection:
        row = first_row(connection, "SELECT published_at FROM about")
    if newest and (row is None or row[0] < newest):
        return [f"summaries.duckdb is older than the last file ({_moment(newest)}); run `calfwatch run`"]
    return []


def _moment(value: datetime | None) -> str:
    return "-" if value is None else f"{value:%Y-%m-%d %H:%M} UTC"
