"""States of released versions, committed as files: opened, they become what today's code makes of the same CSVs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.errors import StateError
from pipelines.files import name_temporary
from pipelines.jobs import publish as publish_job
from pipelines.settings import Settings
from pipelines.store import database, migrations
from pipelines.store.database import Home
from schemas.pack import Pack
from schemas.pack_file import find_earlier_pack, load_pack
from schemas.tables import FILES, SCHEMA_VERSION
from tests.conftest import opened
from tests.support.states import STATES, content, old_home

NOTED_SINCE = ("rows_moved", "rows_removed", "columns", "is_whole", "notes")


@pytest.fixture
def pack() -> Pack:
    """The pack that was shipped then."""
    found = find_earlier_pack("calf_pain-1-69328ac2")
    assert found is not None
    return found


def declared(path: Path) -> list[tuple[Any, ...]]:
    """Every table, view and column with its type and comment."""
    with opened(path) as connection:
        return connection.execute(
            """SELECT table_name, column_index, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal
               UNION ALL SELECT table_name, NULL, NULL, NULL, comment FROM duckdb_tables()
               UNION ALL SELECT view_name, NULL, NULL, sql, comment FROM duckdb_views() WHERE NOT internal
               ORDER BY ALL"""
        ).fetchall()


def _as_told_then(cell: Any) -> Any:
    """A rejection did not yet name the first line of each reason, nor what is allowed."""
    return re.sub(r", first in line \d+(; allowed: [^()]*)?", "", cell) if isinstance(cell, str) else cell


@pytest.mark.parametrize("version", sorted(migrations.STEPS))
def test_a_migrated_state_is_the_one_that_today_s_code_makes_of_the_same_files(
    version: int,
    tmp_path: Path,
    home: Home,
    pack: Pack,
    ingest: Callable[..., Any],
    set_clock: Callable[[datetime], None],
) -> None:
    """In the week in which the old states were made: a file that was rejected counts in the week it was tried."""
    set_clock(datetime(2026, 11, 25, 12, tzinfo=UTC))
    old = old_home(tmp_path, version)
    before = old.records.read_bytes()
    with old.lock(0), database.open_records(old, Settings(), pack) as connection:
        publish_job.publish(connection, old, Settings())
    ingest(*sorted((STATES / f"v{version}").glob("*.csv")))
    assert declared(old.records) == declared(home.records)
    migrated, made = content(old.records), content(home.records)
    ((_, action, subject, *_),) = migrated.pop("audit")
    assert (action, subject, made.pop("audit")) == ("migrate", f"schema {SCHEMA_VERSION}", [])
    # what the guards between files remember was not noted then: the last columns
    made["files"] = [
        tuple(_as_told_then(cell) for cell in row[: -len(NOTED_SINCE)]) + (None,) * len(NOTED_SINCE)
        for row in made["files"]
    ]
    migrated["files"] = [tuple(map(_as_told_then, row)) for row in migrated["files"]]
    assert FILES.column_names[-len(NOTED_SINCE) :] == NOTED_SINCE
    # the version that made the state stays; what the signals were worked out from counts the audited deeds too
    for each in (made, migrated):
        each["state"] = [
            row for row in each["state"] if row[0] not in ("calfwatch_version", "signals", "signal_counts")
        ]
    for name, rows in made.items():
        assert migrated[name] == rows, name
    assert sum(map(len, (made["records"], made["superseded"], made["quarantine"]))) > 60
    copy = old.path / f"records.schema-{version}.duckdb"
    assert copy.read_bytes() == before
    assert copy.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("version", sorted(migrations.STEPS))
def test_a_state_is_migrated_with_the_pack_that_tagged_it_whatever_is_shipped_today(
    version: int, tmp_path: Path, pack: Pack
) -> None:
    old, today = old_home(tmp_path, version), load_pack()
    assert today.version != pack.version
    with old.lock(0), database.open_records(old, Settings(), today) as connection:
        assert database.find_pack_in_use(connection, today) == pack
    with opened(old.records) as connection:
        assert connection.execute("SELECT DISTINCT rule_pack FROM reports").fetchall() == [(pack.version,)]


def test_every_earlier_pack_is_what_its_name_says() -> None:
    for place in files("data.rules.earlier").iterdir():
        if place.name.endswith(".toml"):
            version = place.name.removesuffix(".toml")
            found = find_earlier_pack(version)
            assert found is not None
            assert found.short_version == version


def test_a_step_that_fails_leaves_the_old_state_and_its_copy(
    tmp_path: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = old_home(tmp_path, 1)
    before = content(old.records)
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.store.audit.note", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError), database.open_records(old, Settings(), pack):
            pass
    assert content(old.records) == before == content(old.path / "records.schema-1.duckdb")
    with database.open_records(old, Settings(), pack) as connection:
        assert migrations.read_schema_version(connection) == SCHEMA_VERSION


def test_a_damaged_old_state_is_not_migrated(tmp_path: Path, pack: Pack) -> None:
    old = old_home(tmp_path, 1)
    with duckdb.connect(str(old.records)) as connection:
        connection.execute("DELETE FROM records WHERE report_id = 'K3'")
    with pytest.raises(StateError, match="contradicts itself"), database.open_records(old, Settings(), pack):
        pass
    with opened(old.records) as connection:
        assert migrations.read_schema_version(connection) == 1


def test_every_older_version_has_its_step_and_its_committed_state() -> None:
    versions = list(range(1, SCHEMA_VERSION))
    assert sorted(migrations.STEPS) == versions
    assert sorted(path.name for path in STATES.iterdir()) == [f"v{version}" for version in versions]


def test_a_migration_that_was_killed_after_its_copy_starts_again(tmp_path: Path, pack: Pack) -> None:
    old = old_home(tmp_path, 1)
    shutil.copy(old.records, old.path / "records.schema-1.duckdb")
    half = name_temporary(old.records)
    half.write_bytes(b"half")
    with database.open_records(old, Settings(), pack) as connection:
        assert migrations.read_schema_version(connection) == SCHEMA_VERSION
    assert not half.exists()
    assert len(list(old.path.glob("records.schema-1*"))) == 1
