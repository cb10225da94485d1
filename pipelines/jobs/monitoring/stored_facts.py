"""The facts of a stored state, read from the records and the snapshot: what `status` tells of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from pipelines.connections import open_for_reading
from pipelines.intake.deliveries import find_other_files
from pipelines.jobs.check import is_current
from pipelines.jobs.monitoring.sender_status import read_sender_facts
from pipelines.jobs.monitoring.week_facts import read_week_facts
from pipelines.jobs.outcome import describe_other_files, is_object
from pipelines.jobs.releasing.release import describe_releases
from pipelines.processes import read_json
from pipelines.settings import Settings, is_address
from pipelines.statements import fetch_first_row, read_statement
from pipelines.store.database import Home, check_counts, check_version, find_pack_in_use
from pipelines.store.packs import load_configured_pack
from pipelines.text import format_path
from schemas.pack import Pack


def read_facts(home: Path, settings: Settings) -> dict[str, Any]:
    """Return what is stored, as JSON can hold it.

    Raises StateError if ledger, records and summaries contradict each other, LockedError while a run writes to them.
    """
    place = Home(home)
    with open_for_reading(place.records) as connection:
        check_version(connection, place.records)
        check_counts(connection)
        configured = load_configured_pack(place, settings)
        rule_pack = find_pack_in_use(connection, configured).version
        return {
            "rule_pack": rule_pack,
            **read_sender_facts(connection),
            **dict(zip(("released", "public_lagging"), describe_releases(connection, place), strict=True)),
            "files": _count_files(connection),
            "records": _count_records(connection),
            "small_groups": _count_small_groups(connection, settings.k_anonymity),
            "other_pack": _name_other_pack(rule_pack, configured, settings.rule_pack),
            "rejected": _list_rejected(connection),
            "notes": _list_notes(connection),
            "no_csv": _name_other_files(place, settings.incoming),
            "senders": _list_senders(connection, settings),
            **_read_snapshot_facts(place, connection),
            "versions": {"calfwatch": version("calfwatch"), "duckdb": duckdb.__version__},
        }


def _count_files(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    row = fetch_first_row(
        connection,
        """SELECT count(*) FILTER (status = 'accepted'), count(*) FILTER (status = 'rejected'),
             count(*) FILTER (status = 'withdrawn'), max(ingested_at), coalesce(sum(rows_quarantined), 0),
             (SELECT count(DISTINCT (delivery_no, line_number)) FROM quarantine WHERE corrected_by IS NULL)
           FROM files""",
    )
    assert row is not None
    names = ("accepted", "rejected", "withdrawn", "last", "rows_quarantined", "rows_open")
    return dict(zip(names, (*row[:3], _format_moment(row[3]), int(row[4]), row[5]), strict=True))


def _count_records(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    row = fetch_first_row(connection, "SELECT count(*), min(reported_at), max(reported_at) FROM records")
    assert row is not None
    return {
        "count": row[0],
        "first": _format_moment(row[1]),
        "last": _format_moment(row[2]),
        "in_no_week": _count_in_no_week(connection),
    }


def _count_in_no_week(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Count the records that no weekly table has: their days stand too far from their sender's others."""
    row = fetch_first_row(
        connection,
        """SELECT coalesce(sum(reports), 0)::BIGINT, min(report_date), max(report_date)
           FROM daily_summary ANTI JOIN calendar USING (report_date)""",
    )
    assert row is not None
    return {"count": row[0], "first": row[1] and str(row[1]), "last": row[2] and str(row[2])}


def _name_other_pack(used: str, configured: Pack, setting: str) -> str:
    """Name a pack in the settings, or shipped with an update, that the history is not tagged with."""
    if used == configured.version:
        return ""
    whose = "rule_pack of the settings" if setting else "the shipped pack, as the setting rule_pack is empty,"
    return (
        f"{whose} is {configured.version}; `calfwatch retag` would tag the history with it. "
        "To keep the pack in use, set rule_pack to its file"
    )


def _list_rejected(connection: duckdb.DuckDBPyConnection) -> list[dict[str, str]]:
    """Return every rejected file, unless another was tried from its place since; `withdraw` ends it too."""
    rows = connection.execute(
        """SELECT path, reason, file_id FROM files AS rejected
           WHERE status = 'rejected' AND NOT EXISTS (
             FROM files WHERE path = rejected.path AND delivery_no > rejected.delivery_no)
           ORDER BY path"""
    ).fetchall()
    return [{"path": format_path(path), "reason": reason, "file_id": file_id} for path, reason, file_id in rows]


def _list_notes(connection: duckdb.DuckDBPyConnection) -> list[dict[str, str]]:
    """Return what was told on the line of each source's last file."""
    rows = connection.execute(
        """SELECT source, path, notes FROM files WHERE status = 'accepted'
           QUALIFY delivery_no = max(delivery_no) OVER (PARTITION BY source) ORDER BY source"""
    ).fetchall()
    return [{"source": source, "path": format_path(path), "notes": notes} for source, path, notes in rows if notes]


def _name_other_files(home: Home, incoming: Sequence[str]) -> str:
    """Name what is no CSV among the deliveries: in `incoming`, and what the last runs passed over and is still there.

    To look into a bucket would take long, and is the run's.
    """
    folders = [str(home.path / path) for path in incoming if not is_address(path)]
    runs = read_json(home.path / "status.json").get("runs", {}).values()
    met = (Path(path) for run in runs for path in run.get("no_csv", []))
    still = {path for path in met if path.exists() or is_object(path)}
    others = sorted({*find_other_files(folders, home.owns), *still})
    return describe_other_files(others) if others else ""


def _list_senders(connection: duckdb.DuckDBPyConnection, settings: Settings) -> list[dict[str, Any]]:
    """Return each sender's last delivery beside its rhythm; also of those that are declared and sent nothing yet."""
    rows = connection.execute(
        """SELECT source, max(ingested_at), max(last_report) FILTER ((last_report AT TIME ZONE $zone)::DATE <= clock)
           FROM files WHERE status = 'accepted' GROUP BY source""",  # one row of 2062 is no sender's last report
        {"zone": settings.time_zone},
    ).fetchall()
    sent = {name: (_format_moment(at), _format_moment(last)) for name, at, last in rows}
    rhythms = {source.name: source.rhythm for source in settings.sources}
    return [
        dict(
            zip(("last_delivery", "last_report"), sent.get(name, (None, None)), strict=True),
            source=name,
            rhythm=rhythms.get(name, "weekly"),
        )
        for name in sorted(sent.keys() | rhythms.keys())
    ]


def _count_small_groups(connection: duckdb.DuckDBPyConnection, k: int) -> dict[str, Any]:
    row = fetch_first_row(connection, read_statement("store", "small_groups"), {"k": k}) or (None, 0, 0, 0)
    return {"k": k} | dict(zip(("smallest", "groups", "records", "total"), row, strict=True))


def _read_snapshot_facts(home: Home, records: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return what is wrong with the snapshot, if anything is, and the facts that only the snapshot has.

    A run that was killed after its last file leaves a snapshot behind that does not know of it.
    """
    nothing: dict[str, Any] = {"alarms": [], "week": None, "last_report": _find_last_report(home)}
    if not home.summaries.exists():
        return nothing | {"snapshot": "no summaries.duckdb has been published; run `calfwatch run`"}
    with open_for_reading(home.summaries) as published:
        if not is_current(published, records):
            text = "summaries.duckdb is older than the last file or deed; run `calfwatch run`"
            return nothing | {"snapshot": text}
        found = {"alarms": _list_alarms(published), "week": read_week_facts(published)}
    return nothing | found | {"snapshot": ""}


def _has_table(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> bool:
    sql = """SELECT 1 FROM duckdb_columns()
        WHERE database_name = 'calfwatch' AND table_name = ? AND column_name = ? LIMIT 1"""
    return fetch_first_row(connection, sql, [table, column]) is not None


def _list_alarms(published: duckdb.DuckDBPyConnection) -> list[dict[str, str]]:
    """Return the alarms of the last complete week, and those of the week that runs, which daily counts raise."""
    if not _has_table(published, "daily_signals", "is_first"):
        return []
    rows = published.execute(
        """SELECT week, series FROM weekly_signals, about WHERE status = 'alarm' AND week >= about.latest_week
           UNION SELECT week, series FROM daily_signals, about WHERE is_first AND week > about.latest_week
           ORDER BY ALL"""
    ).fetchall()
    return [{"week": week, "series": series} for week, series in rows]


def _find_last_report(home: Home) -> str | None:
    weeks = [path.parent.name for path in home.reports.glob("*W*/internal.html")]
    return max(weeks, default=None)


def _format_moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")
