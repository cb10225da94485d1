"""What is stored, and what needs a person's attention."""

from __future__ import annotations

import contextlib
from pathlib import Path

from pipelines.batch import shown_path
from pipelines.query import read_only
from pipelines.statements import first_row, one_number
from pipelines.store import check_counts, get_state


def status_of(home: Path) -> tuple[list[str], bool]:
    """Lines about the home, and whether something needs attention: a rejected file, or no published snapshot.

    Raises StateError where the ledger, the records and the summaries contradict each other.
    """
    with contextlib.closing(read_only(home / "records.duckdb")) as connection:
        check_counts(connection)
        row = first_row(
            connection,
            """SELECT count(*) FILTER (status = 'accepted'), count(*) FILTER (status = 'rejected'),
                 coalesce(sum(rows_quarantined), 0), max(ingested_at), min(first_report), max(last_report)
               FROM files""",
        )
        assert row is not None
        rejected = connection.execute(
            "SELECT path, reason FROM files WHERE status = 'rejected' ORDER BY path"
        ).fetchall()
        lines = [
            f"home          {home}",
            f"rule pack     {get_state(connection, 'rule_pack')}",
            f"files         {row[0]:,} accepted, {row[1]:,} rejected; the last at {_moment(row[3])}",
            f"records       {one_number(connection, 'SELECT count(*) FROM records'):,}"
            f" from {_moment(row[4])} to {_moment(row[5])}",
            f"quarantined   {row[2]:,} rows",
            "state         ledger, records and summaries agree",
        ]
    lines += [f"ATTENTION     rejected {shown_path(path)}: {reason}" for path, reason in rejected]
    published = (home / "summaries.duckdb").exists()
    if not published:
        lines.append("ATTENTION     no summaries.duckdb has been published; run `calfwatch run`")
    return lines, bool(rejected) or not published


def _moment(value: object) -> str:
    return "-" if value is None else f"{value:%Y-%m-%d %H:%M} UTC"
