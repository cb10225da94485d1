"""A full disk, files that vanish or grow, two runs at once: a clear word, nothing half-stored, the next run heals."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import connections
from pipelines.errors import StateError
from pipelines.intake.deliveries import find_deliveries
from pipelines.jobs import publish as publish_job
from pipelines.jobs.check import check
from pipelines.jobs.ingest import Run, ingest_file
from pipelines.settings import Settings
from pipelines.store import attachment, database, state
from pipelines.store.database import Home
from schemas.pack import Pack
from tests.conftest import opened
from tests.support.commands import Place, run_command
from tests.support.drawing import spread
from tests.support.states import content, fed

COMMAND = [sys.executable, "-m", "pipelines"]


def ran(*words: str, largest_file: int | None = None) -> subprocess.CompletedProcess[str]:
    return run_command(words, Place(Path.cwd(), largest_file=largest_file))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four weeks of 2,000 reports each."""
    folder = tmp_path_factory.mktemp("files")
    words = ("--reports", "8000", "--weeks", "4", "--seed", "1", "--end", "2026-11-22", "--out", str(folder))
    assert ran("generate", *words).returncode == 0
    return folder / "reports"


@pytest.fixture(scope="module")
def undisturbed(files: Path, tmp_path_factory: pytest.TempPathFactory, pack: Pack) -> Home:
    home = Home(tmp_path_factory.mktemp("undisturbed") / "home")
    home.make()
    fed(home, pack, sorted(files.iterdir()))
    return home


@pytest.fixture(scope="module")
def whole(undisturbed: Home) -> dict[str, list[tuple[Any, ...]]]:
    """What an undisturbed run leaves."""
    return content(undisturbed.records)


def heals(home: Home, files: Path, whole: dict[str, list[tuple[Any, ...]]], pack: Pack) -> None:
    """The same again, on a disk with room."""
    again = ran("ingest", "--home", str(home.path), str(files))
    assert again.returncode == 0, again.stderr
    assert content(home.records) == whole
    assert check(home, Settings(), pack, deep=True)
    assert list(home.path.glob("*.new*")) == []


@pytest.mark.parametrize("most_kb", spread([1000, 100, 2500], 1))
def test_a_file_that_may_not_grow_ends_the_run_and_the_next_one_goes_on(
    most_kb: int, files: Path, whole: dict[str, list[tuple[Any, ...]]], tmp_path: Path, pack: Pack
) -> None:
    home = Home(tmp_path / "home")
    done = ran("ingest", "--home", str(home.path), str(files), largest_file=most_kb * 1000)
    assert done.returncode == 1, done.stderr
    assert "File too large; whatever was committed is kept. Make room" in done.stderr
    assert "Traceback" not in done.stderr
    heals(home, files, whole, pack)


@pytest.mark.parametrize(
    "words",
    [
        ("backup", "copy.duckdb"),
        ("query", "--db", "records", "--out", "all.csv", "FROM reports"),
        ("generate", "--out", "more", "--reports", "5000"),
    ],
)
def test_every_command_that_writes_says_a_full_disk_is_one(
    words: tuple[str, ...], undisturbed: Home, tmp_path: Path
) -> None:
    """A path that cannot be written at all is wrong usage, with exit code 2; a disk without room is not."""
    home = ("--home", shutil.copytree(undisturbed.path, tmp_path / "home")) if words[0] != "generate" else ()
    full = run_command([*words, *map(str, home)], Place(tmp_path, largest_file=4096))
    assert full.returncode == 1, full.stderr
    assert "File too large; whatever was committed is kept. Make room" in full.stderr
    assert len(full.stderr.splitlines()) == 1
    done = run_command([*words, *map(str, home)], Place(tmp_path))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("size", spread(["4m", "1m"], 1))
def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(
    size: str, files: Path, whole: dict[str, list[tuple[Any, ...]]], tmp_path: Path, pack: Pack
) -> None:
    """On a small file system of its own, which lives as long as the shell that mounts it."""
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    ingest = shlex.join([*COMMAND, "ingest", "--home", str(disk / "home"), str(files)])
    script = f"""mount -t tmpfs -o size={size} none {disk} || exit 99
        {ingest}; code=$?; cp -a {disk}/home {kept}; exit $code"""
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=False)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"NOT TESTED: no file system of limited size may be mounted here: {done.stderr.strip()}")
    assert done.returncode == 1, done.stderr
    assert "No space left on device; whatever was committed is kept" in done.stderr
    assert "Traceback" not in done.stderr
    heals(Home(kept), files, whole, pack)


def test_a_run_without_room_for_its_server_says_so_at_once(files: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    run = shlex.join([*COMMAND, "run", "--home", str(disk / "home"), str(files)])
    script = f"mount -t tmpfs -o size=4m none {disk} || exit 99; {run}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=False, timeout=60, env=environment
    )
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"NOT TESTED: no file system of limited size may be mounted here: {done.stderr.strip()}")
    assert done.returncode == 1, done.stderr
    assert "less than 16 MB free, which the Prefect server needs" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_backup_to_a_full_disk_is_none(undisturbed: Home, tmp_path: Path) -> None:
    done = ran("backup", "--home", str(undisturbed.path), str(tmp_path / "b.duckdb"), largest_file=200_000)
    assert (done.returncode, "File too large" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_vanished_stops_no_other(home: Home, pack: Pack, write_csv: Callable[..., Path]) -> None:
    paths = [write_csv([{"report_id": name}], name=f"{name}.csv") for name in ("a", "b", "c")]
    settings = Settings()
    deliveries = find_deliveries([str(path) for path in paths], settings, None)
    paths[1].unlink()
    with database.open_records(home, settings, pack) as connection:
        outcomes = [ingest_file(connection, delivery, Run(home, settings, pack)) for delivery in deliveries]
        assert [outcome.status for outcome in outcomes] == ["accepted", "rejected", "accepted"]
        assert "cannot be read" in (outcomes[1].reason or "")
        write_csv([{"report_id": "b"}], name="b.csv")
        assert ingest_file(connection, deliveries[1], Run(home, settings, pack)).status == "accepted"


def test_a_file_that_grows_while_it_is_read_ends_up_stored_once_and_whole(
    home: Home, pack: Pack, tmp_path: Path
) -> None:
    path = tmp_path / "growing.csv"
    path.write_text("report_id,reported_at,redness\n" + "".join(f"r{i},2026-11-16,yes\n" for i in range(20_000)))
    stop = threading.Event()

    def grow() -> None:
        number = 20_000
        with path.open("a") as handle:
            while not stop.is_set():
                handle.write(f"r{number},2026-11-16,no\n")
                handle.flush()
                number += 1
                time.sleep(0.0005)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        fed(home, pack, [path])
        fed(home, pack, [path])
    finally:
        stop.set()
        writer.join()
    fed(home, pack, [path])
    lines = path.read_text().count("\n") - 1
    with opened(home.records) as connection:
        found = connection.execute("SELECT count(*), count(DISTINCT report_id) FROM records").fetchall()
    assert found == [(lines, lines)]
    assert check(home, Settings(), pack, deep=True)


# --- two at once ------------------------------------------------------------------------------------------------------


def test_two_runs_over_one_folder_count_every_file_once(
    files: Path, whole: dict[str, list[tuple[Any, ...]]], tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    words = ["ingest", "--home", str(home.path), str(files)]
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(ran, *words) for _ in range(2)]
    done = [each.result() for each in both]
    assert [each.returncode for each in done] == [0, 0], done
    assert sorted(each.stdout.split("; ")[0] for each in done) == [
        "4 files: 0 accepted, 4 known already, 0 rejected",
        "4 files: 4 accepted, 0 known already, 0 rejected",
    ]
    assert content(home.records) == whole


@pytest.mark.parametrize("is_mixed", [False, True])
def test_a_database_that_is_replaced_while_it_is_opened_is_opened_again(
    is_mixed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, new, open_once, opened_by = tmp_path / "summaries.duckdb", tmp_path / "new", connections._open_sandboxed, []
    for name in (path, new):
        with duckdb.connect(str(name)) as connection:
            connection.execute(f"CREATE TABLE rows AS SELECT '{name.name}' AS name")

    def open_meanwhile(place: Path) -> duckdb.DuckDBPyConnection:
        connection = open_once(place)
        opened_by.append(connection)
        if new.exists():
            os.replace(new, place)
            if is_mixed:  # headers of the one and blocks of the other
                connection.close()
                raise StateError("damaged")
        return connection

    monkeypatch.setattr(connections, "_open_sandboxed", open_meanwhile)
    with contextlib.closing(connections.read_only(path)) as connection:
        assert connection.execute("FROM rows").fetchall() == [("new",)]
    assert len(opened_by) == 2
    path.write_bytes(b"damaged" * 9999)
    with pytest.raises(StateError, match="it is damaged or no DuckDB file"):
        connections.read_only(path)
    assert len(opened_by) == 2, "what is not replaced is not opened again"


@pytest.mark.parametrize("is_mixed", [False, True])
def test_records_that_are_replaced_while_they_are_opened_for_reading_are_opened_again(
    is_mixed: bool, home: Home, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with home.lock(0), database.open_records(home, Settings(), pack) as connection:
        state.set_state(connection, "mark", "before")
    new = tmp_path / "new"
    shutil.copyfile(home.records, new)
    with duckdb.connect(str(new)) as connection:
        connection.execute("UPDATE state SET value = 'after' WHERE key = 'mark'")
    real, opened = attachment._attach_error, []

    def open_meanwhile(connection: duckdb.DuckDBPyConnection, home: Home, mode: str) -> duckdb.Error | None:
        error = real(connection, home, mode)
        opened.append(mode)
        if new.exists():
            os.replace(new, home.records)
            if is_mixed:  # headers of the one and blocks of the other
                attachment.detach(connection)
                return duckdb.SerializationException("mixed")
        return error

    monkeypatch.setattr(attachment, "_attach_error", open_meanwhile)
    with database.open_read_only(home, Settings()) as connection:
        assert state.get_state(connection, "mark") == "after"
    assert opened == ["READ_ONLY", "READ_ONLY"]


READER = """
import contextlib, sys, time
from pathlib import Path
from pipelines.connections import read_only
last = looks = 0
while True:
    with contextlib.closing(read_only(Path(sys.argv[1]))) as connection:
        days, weeks, delivery = connection.execute(
            "SELECT (SELECT sum(reports) FROM daily_summary), (SELECT sum(reports) FROM weekly_triage),"
            " (SELECT last_delivery FROM about)").fetchall()[0]
    assert days == weeks == delivery, ("torn", days, weeks, delivery)
    assert delivery >= last, ("backward", last, delivery)
    last, looks = delivery, looks + 1
    time.sleep(0.01)
    if last == int(sys.argv[2]):
        print(looks)
        break
"""


@pytest.mark.parametrize("publishes", [6, pytest.param(50, marks=pytest.mark.slow)])
def test_readers_meet_no_error_and_no_torn_or_backward_snapshot_during_many_publishes(
    publishes: int, home: Home, pack: Pack, tmp_path: Path
) -> None:
    settings = Settings(threads=1)
    readers: list[subprocess.Popen[str]] = []
    with home.lock(0), database.open_records(home, settings, pack) as connection:
        for number in range(1, publishes + 1):
            path = tmp_path / f"{number}.csv"
            path.write_text(f"report_id,reported_at,redness\nr{number},2026-11-16,yes\n")
            ingest_file(connection, find_deliveries([str(path)], settings, None)[0], Run(home, settings, pack))
            publish_job.publish(connection, home, settings)
            if number == 1:
                command = [sys.executable, "-c", READER, str(home.summaries), str(publishes)]
                readers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)]
                readers.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    told = [reader.communicate(timeout=200) for reader in readers]
    assert [err for _, err in told] == ["", ""]
    assert all(int(out) > 1 for out, _ in told), told
