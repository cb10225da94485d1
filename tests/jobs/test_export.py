"""An export holds every record once, as it is tagged; it replaces an earlier export, and nothing of anybody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.errors import DiskError, LockedError, UsageError
from pipelines.jobs.erasing.holders import find_copies
from pipelines.jobs.exporting import export as export_module
from pipelines.jobs.exporting.export import export_records
from pipelines.settings import Settings, Source
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from tests.conftest import opened

Ingest = Callable[..., list[Outcome]]
Write = Callable[..., Path]
PARTS = "read_parquet('{}/records/**/*.parquet', hive_partitioning = true, hive_types_autocast = false)"


def rows_of(path: Path | duckdb.DuckDBPyConnection, relation: str) -> list[tuple[Any, ...]]:
    if isinstance(path, Path):
        with opened(path) as connection:
            return rows_of(connection, relation)
    return sorted(path.execute(f"SELECT * FROM {relation}").fetchall(), key=repr)


def read_back(folder: Path, columns: str = "* EXCLUDE (year, week)") -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return rows_of(connection, f"(SELECT {columns} FROM {PARTS.format(folder)})")


def test_every_record_is_read_back_as_it_is_tagged(fed_home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "an export"
    count = export_records(fed_home, Settings(), folder, 0)
    with opened(fed_home.records) as connection:
        names = [row[0] for row in connection.execute("DESCRIBE reports").fetchall()]
    assert read_back(folder, ", ".join(names)) == rows_of(fed_home.records, "reports")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (count, manifest["records"], sum(part["rows"] for part in manifest["parts"])) == (55, 55, 55)
    assert {part["path"] for part in manifest["parts"]} == {
        path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")
    }
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*")} == {0o600, 0o700}
    assert "55 records" in (folder / "README.md").read_text()
    assert find_copies(fed_home) == [folder]  # `forget` names it


def test_a_week_is_the_reporting_week_and_a_source_is_its_name(
    home: Home, write_csv: Write, ingest: Ingest, tmp_path: Path
) -> None:
    settings = Settings(week_system="mmwr", time_zone="Pacific/Auckland", sources=(Source("007"), Source("A/b=c ü")))
    row = {"report_id": "1", "reported_at": "2026-01-03T11:30:00Z"}  # Sunday there, the first day of week 1
    ingest(write_csv([row], "a.csv"), source="007", settings=settings)
    ingest(write_csv([row | {"fever": "yes"}], "b.csv"), source="A/b=c ü", settings=settings)
    export_records(home, settings, tmp_path / "out", 0)
    found = read_back(tmp_path / "out", "source, year, week, report_date::VARCHAR")
    assert found == [("007", "2026", "2026-MW01", "2026-01-04"), ("A/b=c ü", "2026", "2026-MW01", "2026-01-04")]


def test_an_export_replaces_an_export_and_nothing_else(fed_home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    export_records(fed_home, Settings(), folder, 0)
    export_records(fed_home, Settings(), folder, 0)
    assert len(read_back(folder)) == 55
    (folder / "records" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds records/notes\.txt, which calfwatch did not put there"):
        export_records(fed_home, Settings(), folder, 0)
    assert (folder / "records" / "notes.txt").read_text() == "mine"
    assert len(read_back(folder)) == 55
    report = tmp_path / "2026-W46"  # as `publish_to` makes it: calfwatch's own, and no export
    report.mkdir()
    (report / "internal.html").write_text("a report")
    (report / ".calfwatch-made").write_text("internal.html\n")
    with pytest.raises(UsageError, match="holds something else than an export"):
        export_records(fed_home, Settings(), report, 0)
    for own in (fed_home.path, fed_home.reports / "x"):
        with pytest.raises(UsageError, match="one of the files of the home"):
            export_records(fed_home, Settings(), own, 0)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="no folder of calfwatch's"):
        export_records(fed_home, Settings(), tmp_path / "file", 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2026-W46", "fed", "file", "out"]


def test_what_fails_leaves_the_export_before(fed_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    export_records(fed_home, Settings(), folder, 0)
    with fed_home.lock(0), pytest.raises(LockedError):
        export_records(fed_home, Settings(), folder, 0)
    copy_sql = export_module._copy_sql
    monkeypatch.setattr(export_module, "_copy_sql", lambda *given: copy_sql(*given).replace("$year", "$year + 1"))
    with pytest.raises(UsageError, match="do not hold every record once"):
        export_records(fed_home, Settings(), folder, 0)

    def fail(*_: object) -> str:
        raise duckdb.IOException("Could not write: No space left on device")

    monkeypatch.setattr(export_module, "_copy_sql", fail)
    with pytest.raises(DiskError, match="No space left"):
        export_records(fed_home, Settings(), folder, 0)
    assert len(read_back(folder)) == 55
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
