"""Write the tagged records as Parquet, a folder a source, year and week, for other programs and other machines.

An export is written beside its place and takes it as a whole; it replaces an earlier export, and nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib.metadata import version
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import duckdb

from pipelines import clock, files
from pipelines.connections import path_sql
from pipelines.errors import DiskError, UsageError, find_disk_failure, write_error
from pipelines.jobs.erasing.holders import note_copy
from pipelines.settings import Settings
from pipelines.statements import fetch_number, fetch_rows, read_statement
from pipelines.store import database
from pipelines.store.daily_counts import make_week_placeholders
from pipelines.store.database import Home
from pipelines.store.home import refuse_own_output
from schemas.tables import SCHEMA_VERSION

RECORDS, MANIFEST, README = "records", "manifest.json", "README.md"
KIND = "calfwatch export"
PART_ROWS = 122_880  # of a row group: DuckDB's own number


def export_records(home: Home, settings: Settings, folder: Path, wait_seconds: float) -> int:
    """Write every record as it is tagged now to `folder`; return how many there are.

    The home's lock keeps writers out meanwhile. Raises UsageError for a folder that is not empty and no export, or that
    cannot be written, LockedError, StateError or DiskError; what stood there before is then left as it was.
    """
    refuse_own_output(folder, home.path)
    _refuse_other_folder(folder)
    try:
        with home.lock(wait_seconds), database.open_read_only(home, settings) as connection:
            files.replace_folder(folder, lambda fresh: _fill(connection, settings, fresh))
            records = fetch_number(connection, "SELECT count(*) FROM records")
    except OSError as error:
        raise write_error(folder, error, "; name a folder that can be") from error
    note_copy(home.path, folder)
    return records


def _refuse_other_folder(folder: Path) -> None:
    """Raise UsageError for a folder that holds anything but an export, be it a report that calfwatch wrote itself."""
    files.refuse_foreign_folder(folder)
    if folder.is_dir() and any(folder.iterdir()) and not _is_export(folder):
        raise UsageError(f"{folder} holds something else than an export, and is left as it is; name a new folder")


def _is_export(folder: Path) -> bool:
    try:
        return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["kind"] == KIND  # type: ignore[no-any-return]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _fill(connection: duckdb.DuckDBPyConnection, settings: Settings, fresh: Path) -> None:
    """Write the parts, and beside them what they are. Raises UsageError if they do not hold every record once."""
    records = fresh / RECORDS
    records.mkdir(mode=0o700)
    selected = read_statement("store", "exported_records", **make_week_placeholders(settings))
    connection.execute("CREATE OR REPLACE TEMP TABLE parts (source VARCHAR, year INTEGER)")
    connection.execute(f"INSERT INTO parts SELECT DISTINCT source, year FROM ({selected})")
    for source, year in connection.execute("FROM parts ORDER BY ALL").fetchall():
        _write_year(connection, records, selected, (source, year))
    manifest = _describe(connection, settings, records)
    if manifest["records"] != fetch_number(connection, "SELECT count(*) FROM records"):
        raise UsageError(f"{fresh.parent}: the parts do not hold every record once; nothing was exported")
    files.write_private(fresh, MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    files.write_private(fresh, README, _render_readme(manifest))


def _write_year(connection: duckdb.DuckDBPyConnection, records: Path, selected: str, part: tuple[str, int]) -> None:
    """Write the weeks of a source's year: all weeks at once would hold as many files open, and their rows."""
    try:
        connection.execute(_copy_sql(records, selected), {"source": part[0], "year": part[1]})
    except duckdb.Error as error:
        if failure := find_disk_failure(str(error)):
            raise DiskError(records.parents[1], failure) from error
        raise


def _copy_sql(records: Path, selected: str) -> str:
    return f"""COPY (SELECT * FROM ({selected}) WHERE source = $source AND year = $year) TO {path_sql(records)}
        (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {PART_ROWS}, OVERWRITE_OR_IGNORE true,
         PARTITION_BY (source, year, week), WRITE_PARTITION_COLUMNS true)"""


def _describe(connection: duckdb.DuckDBPyConnection, settings: Settings, records: Path) -> dict[str, Any]:
    """Return what the export is: versions, how days and weeks are cut, and the rows of every file, read back."""
    parts = []
    for path in _settle_files(records):
        rows = fetch_number(
            connection, f"SELECT coalesce(sum(num_rows), 0) FROM parquet_file_metadata({path_sql(path)})"
        )
        parts.append({"path": path.relative_to(records.parent).as_posix(), "rows": rows})
    packs = fetch_rows(connection, "SELECT rule_pack, count(*) AS records FROM reports GROUP BY ALL ORDER BY ALL")
    return {
        "kind": KIND,
        "exported_at": clock.now().isoformat(timespec="seconds"),
        "calfwatch": version("calfwatch"),
        "duckdb": duckdb.__version__,
        "schema_version": SCHEMA_VERSION,
        "rule_packs": packs,
        "time_zone": settings.time_zone,
        "week_system": settings.week_system,
        "records": sum(part["rows"] for part in parts),
        "parts": parts,
    }


def _settle_files(records: Path) -> Iterator[Path]:
    """Yield the written files in order, each its owner's alone and down on the disk."""
    for folder in [records, *records.rglob("*/")]:
        folder.chmod(0o700)
    for path in sorted(records.rglob("*.parquet")):
        path.chmod(0o600)
        with open(path, "rb") as part:
            os.fsync(part.fileno())
        yield path


def _render_readme(manifest: dict[str, Any]) -> str:
    text = (package_files("pipelines.jobs.exporting") / "export_readme.md").read_text(encoding="utf-8")
    return text.format(**manifest)
