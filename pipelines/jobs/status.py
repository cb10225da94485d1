"""What is stored, and what needs a person's attention."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import duckdb

from pipelines.connections import open_for_reading
from pipelines.intake.deliveries import find_other_files
from pipelines.jobs.check import is_current
from pipelines.jobs.outcome import describe_other_files
from pipelines.settings import load_settings
from pipelines.statements import first_row, statement
from pipelines.store.database import Home, check_counts, check_version, get_state
from pipelines.store.packs import configured_pack
from pipelines.text import many, shown_path
from schemas.pack import Pack


def status_of(home: Path) -> tuple[list[str], bool]:
    """Lines about the home, and whether something needs attention: a rejected file, a missing or old snapshot.

    Raises StateError where the ledger, the records and the summaries contradict each other.
    """
    place = Home(home)
    with open_for_reading(place.records) as connection:
        check_version(connection, place.records)
        check_counts(connection)
        settings = load_settings(home)
        lines = [f"home          {home}", *_stored(connection), _small_groups(connection, settings.k_anonymity)]
        lines += _notes(connection) + _other_files(place, settings.incoming)
        lines += _other_pack(get_state(connection, "rule_pack"), configured_pack(place, settings), settings.rule_pack)
        wanted = _rejected(connection) + _snapshot(place, connection)
    return [*lines, *(f"ATTENTION     {text}" for text in wanted)], bool(wanted)


def _stored(connection: duckdb.DuckDBPyConnection) -> list[str]:
    files = first_row(
        connection,
        """SELECT count(*) FILTER (status = 'accepted'), count(*) FILTER (status = 'rejected'),
             max(ingested_at), coalesce(sum(rows_quarantined), 0), count(*) FILTER (status = 'withdrawn')
           FROM files""",
    )
    records = first_row(connection, "SELECT count(*), min(reported_at), max(reported_at) FROM records")
    assert files is not None
    assert records is not None
    withdrawn = f", {files[4]:,} withdrawn" if files[4] else ""
    return [
        f"rule pack     {get_state(connection, 'rule_pack')}",
        f"files         {files[0]:,} accepted, {files[1]:,} rejected{withdrawn}; the last at {_moment(files[2])}",
        f"records       {records[0]:,} from {_moment(records[1])} to {_moment(records[2])}",
        f"quarantined   {many(files[3], 'row')}",
        "state         ledger, records and summaries agree",
    ]


def _other_pack(used: str, configured: Pack, setting: str) -> list[str]:
    """A pack in the settings, or shipped with an update, that the history is not tagged with."""
    if used == configured.version:
        return []
    whose = "rule_pack of the settings" if setting else "the shipped pack, as the setting rule_pack is empty,"
    return [
        f"other pack    {whose} is {configured.version}; `calfwatch retag` would tag the history with it. "
        "To keep the pack in use, set rule_pack to its file"
    ]


def _notes(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """What was told on the line of each source's last file."""
    rows = connection.execute(
        """SELECT source, path, notes FROM files WHERE status = 'accepted'
           QUALIFY delivery_no = max(delivery_no) OVER (PARTITION BY source) ORDER BY source"""
    ).fetchall()
    return [f"note          {source}: {shown_path(path)}: {notes}" for source, path, notes in rows if notes]


def _other_files(home: Home, incoming: Sequence[str]) -> list[str]:
    """What lies among the deliveries and is no CSV."""
    others = find_other_files([str(home.path / path) for path in incoming], home.owns)
    return [f"no CSV        {describe_other_files(others)}"] if others else []


def _rejected(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Every rejected file, unless another was tried from its place since; `withdraw` ends it too, and needs the id."""
    rows = connection.execute(
        """SELECT path, reason, file_id FROM files AS rejected
           WHERE status = 'rejected' AND NOT EXISTS (
             FROM files WHERE path = rejected.path AND delivery_no > rejected.delivery_no)
           ORDER BY path"""
    ).fetchall()
    return [f"rejected {shown_path(path)}: {reason} (file {file_id[:12]})" for path, reason, file_id in rows]


def _small_groups(connection: duckdb.DuckDBPyConnection, k: int) -> str:
    """How many records could point to a person by region, age band, sex and week alone.

    A warning, and no call for attention: small groups are always there, and nobody could make that light go out.
    """
    row = first_row(connection, statement("store", "small_groups"), {"k": k})
    smallest, groups, records, total = row or (None, 0, 0, 0)
    if not groups:
        return f"k-anonymity   no group of region, age band, sex and week is smaller than {k}"
    return (
        f"k-anonymity   WARNING: {records:,} of {many(total, 'record')} {'is' if records == 1 else 'are'} in "
        f"{many(groups, 'group')} of region, age band, sex and week smaller than {k}; the smallest has {smallest}"
    )


def _snapshot(home: Home, records: duckdb.DuckDBPyConnection) -> list[str]:
    """A run that was killed after its last file leaves a snapshot behind that does not know of it."""
    if not home.summaries.exists():
        return ["no summaries.duckdb has been published; run `calfwatch run`"]
    with open_for_reading(home.summaries) as published:
        if is_current(published, records):
            return []
    return ["summaries.duckdb is older than the last file or deed; run `calfwatch run`"]


def _moment(value: datetime | None) -> str:
    return "-" if value is None else f"{value:%Y-%m-%d %H:%M} UTC"
