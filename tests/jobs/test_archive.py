"""`archive`: files that were taken in are moved, checked, and an ingest of the archive gives the same home again."""

from __future__ import annotations

import csv
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.app import main as command
from pipelines.store.database import Home
from tests.support.states import content, opened

SETTINGS = '[[sources]]\nname = "a"\npatterns = ["a*.csv"]\n[[sources]]\nname = "b"\npatterns = ["b*.csv", "z*.csv"]\n'
Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def taken_in(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Four files, taken in in an order that their names do not tell; one is rejected. Made once, with a copy beside:
    the home itself is changed, because the ledger knows where its files lay.
    """
    home = Home(tmp_path_factory.mktemp("taken") / "home")
    home.make()
    (home.path / "calfwatch.toml").write_text(SETTINGS)
    folder = home.path / "incoming"
    folder.mkdir()
    for name, score in (("z-first.csv", "1"), ("a-then.csv", "2"), ("b-last.csv", "3")):
        rows = "".join(f"r{row},2026-11-16T10:00:00Z,{score},no\n" for row in range(3))
        (folder / name).write_text("report_id,reported_at,pain_score,fever\n" + rows)
        assert command(["ingest", str(folder / name), "--home", str(home.path)]) == 0
    (folder / "b-bad.csv").write_text("report_id,reported_at,shoe_size\n")
    assert command(["ingest", str(folder), "--home", str(home.path)]) == 3
    shutil.copytree(home.path, home.path.with_name("kept"))
    return home


@pytest.fixture
def home(taken_in: Home) -> Home:
    shutil.rmtree(taken_in.path)
    shutil.copytree(taken_in.path.with_name("kept"), taken_in.path)
    return taken_in


@pytest.fixture
def incoming(home: Home, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CALFWATCH_HOME", str(home.path))
    return home.path / "incoming"


def _list(archive: Path) -> list[dict[str, str]]:
    with open(archive / "deliveries.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_what_was_taken_in_is_moved_and_listed_and_gives_the_same_home_again(
    incoming: Path, home: Home, tmp_path: Path, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "archive"
    capsys.readouterr()
    assert command(["archive", str(archive)]) == 0
    assert capsys.readouterr().out == f"3 files moved to {archive}\n"
    assert [path.name for path in incoming.iterdir()] == ["b-bad.csv"]
    rows = _list(archive)
    assert [(row["source"], Path(row["path"]).name) for row in rows] == [
        ("b", "z-first.csv"), ("a", "a-then.csv"), ("b", "b-last.csv"),
    ]  # fmt: skip
    assert [path for (path,) in ask("SELECT path FROM files WHERE status = 'accepted' ORDER BY delivery_no")] == [
        str(archive / row["path"]) for row in rows
    ]
    assert command(["archive", str(archive)]) == 0, "a second time there is nothing to move"
    assert len(_list(archive)) == 3

    again = Home(tmp_path / "again")
    again.make()
    (again.path / "calfwatch.toml").write_text(SETTINGS)
    assert command(["ingest", str(archive), "--home", str(again.path)]) == 0
    tables = content(home.records), content(again.records)
    for name in ("superseded", "daily_summary"):
        assert tables[0][name] == tables[1][name], name
    # files of one source are stored together: the numbers of deliveries of several sources may be others
    assert _records(home) == _records(again)


def _records(home: Home) -> list[tuple[object, ...]]:
    with opened(home.records) as connection:
        sql = "SELECT * EXCLUDE (delivery_no, first_delivery_no) FROM records ORDER BY ALL"
        return connection.execute(sql).fetchall()


def test_a_file_that_is_another_by_now_is_left_and_told(
    incoming: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open(incoming / "a-then.csv", "a") as file:
        file.write("more\n")
    capsys.readouterr()
    assert command(["archive", str(tmp_path / "archive")]) == 0
    out = capsys.readouterr().out
    assert "a-then.csv: it is not what was taken in any more" in out
    assert "2 files moved" in out
    assert (incoming / "a-then.csv").exists()


def test_onto_another_file_system_a_file_is_copied_and_then_removed(
    incoming: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def refuse(source: Path, target: Path) -> None:
        if str(source).endswith(".csv"):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename(source, target)

    sent = (incoming / "b-last.csv").read_bytes()
    monkeypatch.setattr("pipelines.jobs.archive.os.rename", refuse)
    assert command(["archive", str(tmp_path / "archive")]) == 0
    (moved,) = (tmp_path / "archive").glob("*/b-last.csv")
    assert moved.read_bytes() == sent
    assert not (incoming / "b-last.csv").exists()


def test_an_archive_within_the_incoming_folder_is_refused(incoming: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["archive", str(incoming / "archive")]) == 2
    assert "would be taken in again" in capsys.readouterr().err


@pytest.mark.parametrize(("second", "known"), [("b_2026-11-17.csv", 0), ("again/b_2026-11-16.csv", 1)])
def test_a_header_alone_speaks_of_the_days_in_its_name_and_of_no_others(
    second: str,
    known: int,
    tmp_path: Path,
    ask: Ask,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = Home(tmp_path / "home")
    home.make()
    monkeypatch.setenv("CALFWATCH_HOME", str(home.path))
    sources = '[[sources]]\nname = "b"\npatterns = ["b_{date}.csv"]\nrhythm = "daily"\n'
    (home.path / "calfwatch.toml").write_text(sources)
    places = [home.path / "incoming" / name for name in ("b_2026-11-16.csv", second)]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("report_id,reported_at,fever\n\n")
        assert command(["ingest", str(place)]) == 0
    assert f"{known} known already" in capsys.readouterr().out
    ids = dict(ask("SELECT period, file_id FROM files", path=home.records))
    assert len(set(ids.values())) == len(ids) == 2 - known
    assert command(["archive", str(home.path.parent / "archive")]) == 0
    assert capsys.readouterr().out.startswith("2 files" if not known else "1 file")
    assert command(["withdraw", ids["2026-11-16"]]) == 0
    assert ask("SELECT count(*) FROM files WHERE status = 'accepted'", path=home.records) == [(1 - known,)]
