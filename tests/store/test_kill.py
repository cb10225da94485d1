"""The plug pulled at any moment: the next run leaves what one undisturbed run would have left."""

from __future__ import annotations

import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.app import main
from pipelines.jobs.check import check
from pipelines.settings import Settings
from pipelines.store.database import Home
from schemas.pack import Pack
from schemas.pack_file import load_pack
from tests.conftest import opened
from tests.support.commands import PROCESSES
from tests.support.states import content

WEEK = "2026-W46"
TIMED = ("reported_weeks",)  # CSVs in which the time of the report stands
Step = tuple[str, ...]
ENDS = {"ingest": 3}


def command(words: Step, log: str) -> None:
    """What a process of its own runs: the real command."""
    with open(log, "a") as handle, redirect_stdout(handle), redirect_stderr(handle):
        code = main(words)
    sys.exit(code)


def started(words: Step, home: Path) -> Any:
    at_home = (words[0], "--home", str(home), *words[1:])
    process = PROCESSES.Process(target=command, args=(at_home, str(home.with_name(f"{home.name}.log"))))
    process.start()
    return process


def finished(words: Step, home: Path) -> float:
    """Runs a command to its end; returns the seconds it took. An ingest ends with 3, for a file of it is rejected."""
    begin = time.monotonic()
    process = started(words, home)
    process.join(900)  # a busy machine may stop it for minutes
    assert process.exitcode == ENDS.get(words[0], 0), (words, home.with_name(f"{home.name}.log").read_text())
    return time.monotonic() - begin


def killed(words: Step, home: Path, after_seconds: float) -> bool:
    """Runs a command and kills it; False where it was done before."""
    process = started(words, home)
    process.join(after_seconds)
    process.kill()
    process.join(60)
    assert process.exitcode in (ENDS.get(words[0], 0), -9), (
        words,
        process.exitcode,
        home.with_name(f"{home.name}.log").read_text(),
    )
    return bool(process.exitcode == -9)


def deliveries(folder: Path, files: int) -> list[Path]:
    """Two groups of files that correct, repeat and contradict each other, with bad rows. In the middle of the first
    one file is rejected for what stands in it, in the middle of the second one for what is stored already."""
    draw = random.Random(5)
    paths = []
    for number in range(files):
        days = {f"r{i}": 9 + i % 7 for i in draw.sample(range(60), 25)} | {f"own-{number}-{i}": 9 + i for i in range(7)}
        if number == files * 3 // 4:  # every id that was given out counts from 1 again, for somebody else
            days = {f"r{i}": 9 + (i + 1) % 7 for i in range(60)}
            days |= {f"own-{of}-{i}": 9 + (i + 1) % 7 for of in range(number) for i in range(7)}
        lines = [
            f"{name},2026-11-{day:02},north,{draw.choice(('yes', 'no', ''))},{'no' if name[0] == 'o' else ''}\n"
            for name, day in days.items()
        ]
        lines.append(f"bad-{number},2026-11-12,{'a@example.org' if number == files // 4 else 'north'},maybe,no\n")
        path = folder / f"{number:02}.csv"
        path.write_text("report_id,reported_at,region,redness,fever\n" + "".join(lines))
        paths.append(path)
    return paths


def steps_for(folder: Path, files: int, home: Path) -> list[Step]:
    """Every kind of command that writes; the file to withdraw is known by its content."""
    import hashlib

    paths = deliveries(folder, files)
    first, second = paths[: files // 2], paths[files // 2 :]
    wrong = hashlib.sha256(first[0].read_bytes()).hexdigest()
    return [
        ("ingest", *map(str, first)),
        ("report", "--week", WEEK),
        ("ingest", *map(str, second)),
        ("withdraw", wrong),
        ("retag", "--pack", str(another_pack(folder))),
    ]


def another_pack(folder: Path) -> Path:
    """The shipped pack with one piece of evidence read less strictly: some records change their cause."""
    path = folder / "another.toml"
    old, new = "fever AND (redness OR calf_swelling OR warmth)", "redness OR (fever AND (calf_swelling OR warmth))"
    changed = load_pack().text.replace(old, new).replace("number = 1", "number = 2", 1)
    assert changed.count(new) == 1
    path.write_text(changed)
    return path


def everything(home: Path) -> dict[str, Any]:
    """The state, the snapshot and the reports; without times, which no two runs share."""
    state = content(home / "records.duckdb")
    state["audit"] = [row[1:4] for row in state["audit"]]
    snapshot = content(home / "summaries.duckdb")
    del snapshot["about"]
    reports = {
        str(path.relative_to(home)): path.read_bytes()
        if path.suffix in (".csv", ".svg") and path.stem not in TIMED
        else b""
        for path in sorted((home / "reports").rglob("*"))
        if path.is_file()
    }
    return state | {f"snapshot {name}": rows for name, rows in snapshot.items()} | reports


def held_against_an_undisturbed_run(
    kills: int, files: int, in_a_row: tuple[int, ...], folder: Path, pack: Pack
) -> Counter[str]:
    """Kills commands until the wanted number is reached, each now and then several times; how many of each kind."""
    seed = files
    draw = random.Random(seed)
    calm = folder / "calm"
    steps = steps_for(folder, files, calm)
    seconds = {step: finished(step, calm) for step in steps}
    wanted = everything(calm)
    assert_groups_with_a_rejected_file(calm, files)
    done: Counter[str] = Counter()
    rounds = 0
    while sum(done.values()) < kills:
        rounds += 1
        home = folder / f"killed-{rounds}"
        for step in steps:
            for _ in range(draw.choice(in_a_row)):
                if not killed(step, home, draw.uniform(0, seconds[step])):
                    break
                done[step[0]] += 1
            finished(step, home)
        found = everything(home)
        assert found.keys() == wanted.keys(), f"seed {seed}, round {rounds}"
        assert [name for name in wanted if found[name] != wanted[name]] == [], f"seed {seed}, round {rounds}"
        assert leftovers(home) == []
        assert check(Home(home), Settings(), pack, deep=True)
        shutil.rmtree(home)
    return done


def assert_groups_with_a_rejected_file(home: Path, files: int) -> None:
    """Each of the two groups lost a file from its middle; its entry was written with those of the files before."""
    with opened(home / "records.duckdb") as connection:
        rows = connection.execute("SELECT path, status, reason, ingested_at FROM files ORDER BY path").fetchall()
    told = {int(Path(path).stem): reason for path, status, reason, _ in rows if status == "rejected"}
    stamps = [stamp for *_, stamp in rows]
    assert len(set(stamps[: files // 2])) == 1, "the first group was stored at once"
    assert len(set(stamps[files // 2 : files * 3 // 4 + 1])) == 1, "so was the second, as far as it could"
    assert told.keys() == {files // 4, files * 3 // 4}
    assert "e-mail address" in told[files // 4]
    assert "another day" in told[files * 3 // 4]


def leftovers(home: Path) -> Sequence[str]:
    """Whatever is there beside what a home holds."""
    known = {"records.duckdb", "summaries.duckdb", "reports", "tmp", "writer.lock", "status.json", "status.lock"}
    odd = [path.name for path in home.iterdir() if path.name not in known]
    odd += [path.name for path in (home / "tmp").iterdir()]
    return odd + [path.name for path in (home / "reports").iterdir() if path.name not in (WEEK, "index.html")]


def test_killed_runs_leave_what_an_undisturbed_one_leaves(tmp_path: Path, pack: Pack) -> None:
    done = held_against_an_undisturbed_run(3, 6, (1,), tmp_path, pack)
    assert sum(done.values()) >= 3


@pytest.mark.slow
def test_a_hundred_kills_lose_and_double_nothing(tmp_path: Path, pack: Pack) -> None:
    done = held_against_an_undisturbed_run(100, 12, (1, 2, 3), tmp_path, pack)
    print(dict(done))
    assert set(done) == {"ingest", "report", "withdraw", "retag"}
