"""A backup is a checked copy taken while readers read; restored, it is the state; the CSVs alone give it back too."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.errors import StateError, UsageError
from pipelines.jobs import backup as backup_module
from pipelines.jobs.backup import restore, write_backup
from pipelines.jobs.check import check
from pipelines.settings import Settings
from pipelines.store.database import Home
from schemas.pack import Pack
from tests.conftest import opened
from tests.support.states import STATES, content, fed, old_home, wal, with_a_log


@pytest.fixture
def home(fed_home: Home) -> Home:
    return fed_home


def test_a_backup_is_the_state_and_comes_back_as_it(
    home: Home, tmp_path: Path, pack: Pack, write_csv: Callable[..., Path]
) -> None:
    copy = tmp_path / "a backup.duckdb"
    before = content(home.records)
    records = write_backup(home, copy, 0)
    assert (records, copy.stat().st_mode & 0o777, sorted(tmp_path.glob("a backup*"))) == (55, 0o600, [copy])
    fed(home, pack, [write_csv([{"report_id": "wrong"}])])
    changed = content(home.records)
    count, kept = restore(home, Settings(), pack, copy, 0)
    assert count == 55
    restored = content(home.records)
    ((_, action, subject, *_),) = restored.pop("audit")
    assert (action, subject, before.pop("audit")) == ("restore", copy.name, [])
    for each in (restored, before):  # what the signals were worked out from counts the audited deeds too
        each["state"] = [row for row in each["state"] if row[0] not in ("signals", "signal_counts")]
    assert restored == before
    assert kept is not None
    assert content(kept) == changed
    assert check(home, Settings(), pack, deep=True)
    assert not (home.path / "restore.new").exists() or not list((home.path / "restore.new").glob("records*"))


def test_a_reader_of_the_records_and_one_of_the_summaries_do_not_disturb_it(home: Home, tmp_path: Path) -> None:
    with opened(home.records) as records, opened(home.summaries) as summaries:
        write_backup(home, tmp_path / "b.duckdb", 0)
        assert records.execute("SELECT count(*) FROM records").fetchall() == [(55,)]
        assert summaries.execute("SELECT sum(reports) FROM daily_summary").fetchall() == [(55,)]
    assert content(tmp_path / "b.duckdb") == content(home.records)


def test_what_a_killed_run_left_in_the_log_is_in_the_backup(
    home: Home, tmp_path: Path, pack: Pack, write_csv: Callable[..., Path]
) -> None:
    with_a_log(home, pack, write_csv([{"report_id": "in-the-log"}]))
    assert write_backup(home, tmp_path / "b.duckdb", 0) == 56
    assert wal(home).exists()


def test_a_backup_that_cannot_be_trusted_is_none(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = backup_module._copy_with_log

    def bad_disk(source: Path, target: Path) -> None:
        real(source, target)
        data = target.read_bytes()
        target.write_bytes(data[: len(data) // 2])

    monkeypatch.setattr(backup_module, "_copy_with_log", bad_disk)
    with pytest.raises(StateError):
        write_backup(home, tmp_path / "b.duckdb", 0)
    assert list(tmp_path.glob("b.duckdb*")) == []


def test_a_state_of_a_newer_version_is_not_backed_up_for_it_could_not_be_restored(home: Home, tmp_path: Path) -> None:
    with duckdb.connect(str(home.records)) as connection:
        connection.execute("UPDATE state SET value = '99' WHERE key = 'schema_version'")
    with pytest.raises(StateError, match="schema version 99"):
        write_backup(home, tmp_path / "b.duckdb", 0)
    assert list(tmp_path.glob("b.duckdb*")) == []
    older = old_home(tmp_path, 1)
    assert write_backup(older, tmp_path / "b.duckdb", 0) == 55


@pytest.mark.parametrize("name", ["b.duckdb", "b.duckdb.wal"])
def test_a_file_that_is_there_already_is_left_and_named(name: str, home: Home, tmp_path: Path) -> None:
    """A log of another database would be taken for that of the backup."""
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=rf"{name} is there already; name another file"):
        write_backup(home, tmp_path / "b.duckdb", 0)
    assert [path.read_text() for path in tmp_path.glob("b.duckdb*")] == ["mine"]


def test_a_folder_that_is_not_there_is_a_wrong_usage(home: Home, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_backup(home, tmp_path / "none" / "b.duckdb", 0)


@pytest.mark.parametrize("damage", ["no file", "no database", "another's", "cut", "contradicts itself"])
def test_a_bad_backup_is_refused_and_the_state_stays(damage: str, home: Home, tmp_path: Path, pack: Pack) -> None:
    copy = tmp_path / "b.duckdb"
    before = content(home.records)
    if damage in ("cut", "contradicts itself"):
        write_backup(home, copy, 0)
    if damage == "cut":
        copy.write_bytes(copy.read_bytes()[:500_000])
    elif damage == "no database":
        copy.write_text("report_id\n")
    elif damage != "no file":
        sql = "CREATE TABLE mine (a INTEGER)" if damage == "another's" else "DELETE FROM records WHERE report_id = 'K3'"
        with duckdb.connect(str(copy)) as connection:
            connection.execute(sql)
    with pytest.raises(UsageError if damage == "no file" else StateError):
        restore(home, Settings(), pack, copy, 0)
    assert content(home.records) == before
    assert list(home.path.glob("records.before-*")) == []


def test_a_damaged_state_is_replaced_and_kept_and_an_old_backup_is_brought_up_to_date(
    home: Home, tmp_path: Path, pack: Pack
) -> None:
    home.records.write_bytes(b"damaged" * 1000)
    old = old_home(tmp_path, 1)
    count, kept = restore(home, Settings(), pack, old.records, 0)
    assert (count, kept is not None and kept.read_bytes()[:7]) == (55, b"damaged")
    assert check(home, Settings(), pack, deep=True)
    fresh = Home(tmp_path / "fresh")
    fresh.make()
    assert restore(fresh, Settings(), pack, old.records, 0) == (55, None)


def test_a_restore_killed_before_the_exchange_leaves_no_second_name_of_the_records(
    home: Home, tmp_path: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "b.duckdb"
    write_backup(home, copy, 0)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.files.put_in_place", die)
        with pytest.raises(KeyboardInterrupt):
            restore(home, Settings(), pack, copy, 0)
    assert len(list(home.path.glob("records.before-*"))) == 1
    fed(home, pack, [])
    assert list(home.path.glob("records.before-*")) == []
    assert restore(home, Settings(), pack, copy, 0)[0] == 55
    assert len(list(home.path.glob("records.before-*"))) == 1


def archive(folder: Path, seed: int) -> list[Path]:
    """Random files about few reports: corrections, repeats, conflicts, bad rows."""
    draw = random.Random(seed)
    folder.mkdir()
    paths = []
    for number in range(8):
        ids = draw.choices(range(12), k=draw.randint(2, 9))
        lines = [f"r{i},2026-11-16,north,{draw.choice(('yes', 'no', '', '', 'maybe'))}\n" for i in ids]
        path = folder / f"{draw.randint(0, 99):02}-{number}.csv"
        path.write_text("report_id,reported_at,region,redness\n" + "".join(lines))
        paths.append(path)
    return paths


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_archived_files_alone_give_the_whole_state_back(
    seed: int, tmp_path: Path, pack: Pack, ask: Callable[..., Any]
) -> None:
    paths = [*sorted((STATES / "v1").glob("*.csv")), *archive(tmp_path / "archive", seed)]
    one, again = Home(tmp_path / "one"), Home(tmp_path / "again")
    for made in (one, again):
        made.make()
    for path in paths:  # one batch each
        fed(one, pack, [path], publish=False)
    order = ask("SELECT path FROM files ORDER BY delivery_no", path=one.records)
    fed(again, pack, [Path(path) for (path,) in order], publish=False)
    assert content(again.records) == content(one.records)
    shutil.rmtree(one.path)
