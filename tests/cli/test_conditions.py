"""Every command under every condition that once ended one with a traceback: each ends with a code and a line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pipelines.cli.app import COMMANDS
from pipelines.store.database import Home
from schemas.pack_file import find_default_pack_path
from tests.support.states import STATES

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests" / "cases" / "attack"
NOT_WALKED = {"serve": "runs until it is stopped: test_serve.py", "run": "with a server, below"}
Condition = Callable[[Home], Mapping[str, str]]


def commands_of(home: Home, pack: Path, csv: Path, out: Path) -> list[list[str]]:
    """Every command with words that it takes; one list a command."""
    words: dict[str, list[list[str]]] = {
        "demo": [["--reports", "30"]],
        "status": [[], ["--json"], ["--health"]],
        "config": [[], ["--init"]],
        "ingest": [[str(csv)]],
        "inspect": [[str(csv)], ["--adapter", str(csv)]],
        "quarantine": [["list"], ["export"], ["show", "2026"]],
        "withdraw": [["ffff"]],
        "notify": [["--test"]],
        "deploy": [[]],
        "generate": [["--reports", "5", "--out", str(out / "made")]],
        "report": [["--week", "2026-W46"], ["--as-known-now", "--out", str(out / "known")]],
        "query": [
            ["SELECT 1 AS one"],
            ["--out", str(out / "rows.csv"), "FROM levels"],
            ["--format", "csv", "FROM weekly_triage"],
        ],
        "release": [["2026-W46", "--preview"], ["2026-W46"], ["--withdraw", "2026-W46", "--reason", "a text"]],
        "explain": [["K3"], ["K3", "--json"], ["K3", "--out", str(out / "explained.html")]],
        "rules check": [[str(pack)]],
        "rules show": [[str(pack)]],
        "rules sign": [["--name", "A", "--role", "B"]],
        "rules sql": [[str(pack)]],
        "rules diff": [["stored", str(pack)], [str(pack), str(pack)]],
        "archive": [[str(out / "archived")]],
        "forget": [["K4"], ["nobody", "--yes"]],
        "alarm list": [[], ["--all"]],
        "assess": [["2026-W46", "a text", "--name", "A", "--contact", "B"]],
        "alarm note": [["all", "a text"]],
        "alarm close": [["all", "a text"]],
        "alarm reopen": [["all"]],
        "retag": [[str(pack)]],
        "check": [[], ["--deep"]],
        "backup": [[str(out / "copy.duckdb")]],
        "restore": [[str(out / "copy.duckdb")]],
        "export": [[str(out / "exported")]],
    }
    names = {name for group in COMMANDS.values() for name in group}
    assert set(words) | set(NOT_WALKED) == names
    homeless = ("generate", "rules check", "rules sql")
    place = ["--home", str(home.path)]
    walked = [[*name.split(), *([] if name in homeless else place), *each] for name in words for each in words[name]]
    return [*walked, ["run", "--no-server", *place, str(csv)]]


def walk(commands: list[list[str]], scratch: Path, environment: Mapping[str, str], shell: str = "") -> list[str]:
    """Walk the commands in a process of their own; return how those ended that did not end with a code."""
    (scratch / "commands.json").write_text(json.dumps(commands))
    line = f'exec "{sys.executable}" -m tests.support.walk "{scratch}/commands.json" "{scratch}/ended.json" {shell}'
    done = subprocess.run(
        ["sh", "-c", line], cwd=ROOT, env=os.environ | environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")[-2000:]
    assert done.returncode == 0
    ended = json.loads((scratch / "ended.json").read_text())
    assert len(ended) == len(commands)
    return [f"{words}: {end}" for words, end in ended if end not in range(8)]


def plain(home: Home) -> Mapping[str, str]:
    return {}


def no_scratch(home: Home) -> Mapping[str, str]:
    shutil.rmtree(home.scratch)
    return {}


def odd_zone(home: Home) -> Mapping[str, str]:
    (home.path / "calfwatch.toml").write_text('time_zone = "posixrules"\n')
    return {}


def unreachable(home: Home) -> Mapping[str, str]:
    nowhere = "http://127.0.0.1:9"
    return {"PREFECT_API_URL": f"{nowhere}/api", "HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere}


def ascii_only(home: Home) -> Mapping[str, str]:
    return {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


CONDITIONS: list[tuple[str, Condition, str]] = [
    ("closed output", plain, ">&-"),
    ("closed streams", plain, "<&- >&-"),
    ("no room for output", plain, ">/dev/full"),
    ("no tmp", no_scratch, ""),
    ("an odd time zone", odd_zone, ""),
    ("nobody there", unreachable, ""),
    ("another locale", ascii_only, ""),
]


@pytest.mark.slow
@pytest.mark.parametrize(("condition", "shell"), [row[1:] for row in CONDITIONS], ids=[row[0] for row in CONDITIONS])
def test_no_command_ends_with_a_traceback(condition: Condition, shell: str, good_home: Home, tmp_path: Path) -> None:
    name = "in \u00e4\u4e2d" if condition is ascii_only else "home"
    home = Home(Path(shutil.copytree(good_home.path, tmp_path / name)))
    csv = tmp_path / f"{name}.csv"
    shutil.copy(sorted((STATES / "v1").glob("*.csv"))[0], csv)
    environment = condition(home)
    assert walk(commands_of(home, find_default_pack_path(), csv, tmp_path), tmp_path, environment, shell) == []


@pytest.mark.slow
def test_no_command_ends_with_a_traceback_for_a_word_that_is_no_text(good_home: Home, tmp_path: Path) -> None:
    home = Home(Path(shutil.copytree(good_home.path, tmp_path / "home")))
    csv = Path(shutil.copy(sorted((STATES / "v1").glob("*.csv"))[0], tmp_path / "in.csv"))
    odd = os.fsdecode(b"\xff")
    commands = [
        [*command[:place], str(Path(word).parent / odd) if "/" in word else odd, *command[place + 1 :]]
        for command in commands_of(home, find_default_pack_path(), csv, tmp_path)
        for place, word in enumerate(command)
        if place and not word.startswith("--") and word not in {part for name in COMMANDS for part in name.split()}
    ]
    assert len(commands) > len(COMMANDS)
    assert walk(commands, tmp_path, {}) == []


@pytest.mark.slow
@pytest.mark.parametrize("case", ["only_choice", "c255"])
def test_no_command_ends_with_a_traceback_in_a_home_of_an_odd_pack(case: str, home: Home, tmp_path: Path) -> None:
    pack = CASES / f"{case}.toml"
    (home.path / "calfwatch.toml").write_text(f"rule_pack = {json.dumps(str(pack))}\n")
    commands = commands_of(home, pack, CASES / f"{case}.csv", tmp_path)
    assert walk([["ingest", "--home", str(home.path), str(CASES / f"{case}.csv")], *commands], tmp_path, {}) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"PREFECT_API_URL": "http://127.0.0.1:9/api"}, "no Prefect server answers at PREFECT_API_URL"),
        ({"ALL_PROXY": "socks5://127.0.0.1:9"}, "ALL_PROXY names a proxy that is neither http:// nor https://"),
    ],
    ids=["server", "proxy"],
)
def test_a_run_without_a_server_that_answers_ends_with_a_line(
    words: dict[str, str], told: str, home: Home, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "pipelines", "run", "--home", str(home.path), str(CASES / "c255.csv")]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | words, capture_output=True, text=True, timeout=120)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("calfwatch: ")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
