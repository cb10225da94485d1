"""A release killed at every write, and two at once: one set of numbers for a week."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.app import main
from pipelines.store.database import Home
from tests.conftest import opened
from tests.release.support import WEEK, call, ledger_counts, public_counts, public_releases, write_week
from tests.store.test_kill import started

WRITES = ("open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "shutil.rmtree", "os.truncate")


def run_until_write(words: list[str], number: int) -> bool:
    """Run a command in a process that dies before its write of this number; False if it came to its end."""
    child = os.fork()
    if child == 0:  # pragma: no cover - the process that dies
        left = [number]

        def watch(event: str, details: tuple[Any, ...]) -> None:
            is_write = event in WRITES and not (event == "open" and not _writes(details))
            if is_write and not left[0]:
                os._exit(9)
            left[0] -= is_write

        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.addaudithook(watch)
        os._exit(main(words))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 6, 9), code
    return code == 9


def _writes(details: tuple[Any, ...]) -> bool:
    _, mode, flags = details
    return bool(set(mode or "") & set("wax+")) or bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("killed")
    home = Home(folder / "home")
    assert call(home, "ingest", str(write_week(folder / "w.csv", WEEK, 200))) == 0
    return home


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_week(tmp_path_factory.mktemp("late") / "late.csv", WEEK, 77, seed=5)


def is_published(home: Home) -> bool:
    """Whether a week is on record whose public files were finished."""
    with opened(home.records) as connection:
        return connection.execute("SELECT count(*) FROM releases WHERE published").fetchall() == [(1,)]


def held_after_a_kill(home: Home, late: Path, number: int) -> bool:
    """Kill a release before a write, deliver late reports, release again; False if there was no such write."""
    if not run_until_write(["release", "--home", str(home.path), WEEK], number):
        return False
    known, was_published = ledger_counts(home, WEEK), is_published(home)
    seen = public_counts(home, WEEK) if home.public.exists() else []
    page = home.path / "public" / WEEK / "weekly_counts.csv"
    text = page.read_text() if page.exists() else ""
    assert call(home, "ingest", str(late)) == 0
    assert call(home, "release", WEEK) == (6 if was_published else 0)
    assert public_counts(home, WEEK) == ledger_counts(home, WEEK) != []
    if known:
        assert public_counts(home, WEEK) == known
    assert seen in ([], known)
    assert text in ("", page.read_text())
    assert public_releases(home) == [(WEEK, "released", False, None)]
    assert not [path for path in home.path.rglob(".calfwatch-*") if path.name != ".calfwatch-made"]
    assert is_published(home)
    assert call(home, "check", "--deep") == 0
    return True


def kills(ingested: Home, late: Path, folder: Path, numbers: range) -> int:
    done = 0
    for number in numbers:
        home = Home(Path(shutil.copytree(ingested.path, folder / str(number))))
        if not held_after_a_kill(home, late, number):
            return done
        done += 1
    return done


def test_killed_releases_leave_one_set_of_numbers(ingested: Home, late: Path, tmp_path: Path) -> None:
    assert kills(ingested, late, tmp_path, range(1, 100, 25)) >= 2


def test_a_release_that_was_killed_before_its_files_is_finished_by_the_next_one(
    ingested: Home, late: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(Path(shutil.copytree(ingested.path, tmp_path / "home")))
    with monkeypatch.context() as patched:
        patched.setattr("pipelines.jobs.releasing.release._write_files", lambda *_: None)
        assert call(home, "release", WEEK) == 0
    known = ledger_counts(home, WEEK)
    assert (is_published(home), home.public.exists(), len(known) > 20) == (False, False, True)
    assert call(home, "ingest", str(late)) == 0
    capsys.readouterr()
    assert call(home, "release", WEEK) == 0
    told = capsys.readouterr().out
    assert told.startswith("finished what a killed run had decided on ")
    assert f"{WEEK} released: about " in told
    assert public_counts(home, WEEK) == known
    assert call(home, "release", WEEK) == 6


@pytest.mark.slow
def test_a_kill_at_every_write_leaves_one_set_of_numbers(ingested: Home, late: Path, tmp_path: Path) -> None:
    done = kills(ingested, late, tmp_path, range(200))
    print(done, "writes")
    assert done >= 10


def test_a_withdrawal_killed_at_its_end_is_finished(ingested: Home, tmp_path: Path) -> None:
    home = Home(Path(shutil.copytree(ingested.path, tmp_path / "home")))
    assert call(home, "release", WEEK) == 0
    words = ["release", "--home", str(home.path), WEEK, "--withdraw", "--reason", "wrong"]
    number = 0
    while number < 60:
        copy = Home(Path(shutil.copytree(home.path, tmp_path / f"copy-{number}")))
        words[2] = str(copy.path)
        was_killed = run_until_write(words, number)
        call(copy, "release", WEEK, "--withdraw", "--reason", "wrong")
        assert public_releases(copy) == [(WEEK, "withdrawn", False, "wrong")]
        assert public_counts(copy, WEEK) == []
        assert not (copy.path / "public" / WEEK).exists()
        if not was_killed:
            break
        number += 5
    assert number >= 5


def test_two_releases_at_once_publish_once(ingested: Home, tmp_path: Path) -> None:
    home = Home(Path(shutil.copytree(ingested.path, tmp_path / "home")))
    both = [started(("release", WEEK), home.path) for _ in range(2)]
    for process in both:
        process.join(120)
    assert sorted(process.exitcode for process in both) == [0, 6]
    assert public_counts(home, WEEK) == ledger_counts(home, WEEK) != []
