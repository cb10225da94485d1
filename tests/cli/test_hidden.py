"""Nothing that packs, sources, files and cells are called reaches a terminal as a command, or hides on a page."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipelines.pages.markdown import escape_markdown
from pipelines.pages.svg import make_node, render_drawing
from pipelines.store.database import Home
from pipelines.text import escape_hidden, is_hidden, say
from schemas.pack_file import find_default_pack_path
from tests.cli.test_conditions import ROOT, commands_of

# a title, a color, a direction, no width, C1, a step back; then what looks like a line of ours
ODD = "\x1b]0;T\x07\x1b[31m\u202e\u200b\x9b1m\x08\rFAKE\nFAKE"
IN_CELL = ODD.replace("\r", "").replace("\n", "")
ACTS = re.compile("\x1b\\]|\x1b\\[31m|[\u202e\u200b\x9b\x07\x08]|[\r\n]FAKE")


def test_a_line_that_is_said_is_one_line_without_commands(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"a{ODD}", "b")
    told = capsys.readouterr().out
    assert told.splitlines() == [
        "a\\x1b]0;T\\x07\\x1b[31m\\u202e\\u200b\\x9b1m\\x08\\rFAKE\\nFAKE",
        "b",
    ]


def test_a_page_shows_what_would_be_hidden_and_leaves_words_as_they_are() -> None:
    plain = "äöü 中文 עברית don\u2019t 1\u202f000\u00a0g Quaran\u00adtined\nnext"
    assert escape_hidden(plain) == plain
    assert escape_hidden("a\u202eb\u2028\x1b\ufeff") == "a\\u202eb\\u2028\\x1b\\ufeff"
    for page in (render_drawing(make_node("text", ODD, name=ODD)), escape_markdown(ODD), escape_hidden(ODD)):
        assert not any(map(is_hidden, page)), page


def odd_pack(folder: Path) -> Path:
    """The shipped pack with something odd in every text of it."""
    keys = "label|reason|text|reference|sentence|unit|meaning|disclaimer|complaint"
    text, found = re.subn(
        rf'^((?:{keys})\s*=\s*")([^"\\]*)"$',
        lambda line: f"{line[1]}{line[2]}{json.dumps(ODD)[1:]}",
        find_default_pack_path().read_text(encoding="utf-8"),
        flags=re.M,
    )
    assert found > 100
    path = folder / "odd.toml"
    path.write_text(text, encoding="utf-8")
    return path


def odd_files(folder: Path) -> Path:
    """Good rows, cells to be set aside, and a file that is rejected for the name of a column."""
    folder.mkdir()
    rows = "".join(f"K{i},2026-11-{10 + i % 5},north,yes,yes\n" for i in range(20))
    good = folder / f"good{ODD}.csv"
    good.write_text(
        f"report_id,reported_at,region,redness,fever\n{rows}Q1,2026-11-12,{IN_CELL},yes,no\nQ{IN_CELL},x,,,\n", "utf-8"
    )
    (folder / f"bad{ODD}.csv").write_text(f"report_id,reported_at,redness,{IN_CELL}\n1,2026-11-12,yes,no\n", "utf-8")
    return good


def walk_on_a_terminal(commands: list[list[str]], scratch: Path) -> str:
    """Run commands in one process with a terminal, and return what came out there."""
    (scratch / "commands.json").write_text(json.dumps(commands), "utf-8")
    ours, theirs = pty.openpty()
    shown: list[bytes] = []
    reader = threading.Thread(target=read_terminal, args=(ours, shown))
    reader.start()
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.walk", str(scratch / "commands.json"), str(scratch / "ended.json")],
        cwd=ROOT,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    reader.join()
    os.close(ours)
    text = b"".join(shown).decode(errors="replace")
    assert done.returncode == 0, text[-2000:]
    ended = json.loads((scratch / "ended.json").read_text())
    assert [f"{words}: {end}" for words, end in ended if end not in range(8)] == []
    return text


def read_terminal(descriptor: int, shown: list[bytes]) -> None:
    try:
        while chunk := os.read(descriptor, 1 << 16):
            shown.append(chunk)
    except OSError:  # the last other end was closed
        return


@pytest.mark.slow
def test_no_command_lets_a_name_command_the_terminal_or_hide_on_a_page(home: Home, tmp_path: Path) -> None:
    pack, csv = odd_pack(tmp_path), odd_files(tmp_path / f"in{ODD}")
    (home.path / "calfwatch.toml").write_text(
        f"rule_pack = {json.dumps(str(pack))}\n[[sources]]\nname = {json.dumps(f'clinic{ODD}')}\npatterns = ['*.csv']\n"
    )
    place = ["--home", str(home.path)]
    first = [["ingest", *place, str(csv.parent)], ["report", *place, "--week", "2026-W46"]]
    more = [
        ["explain", *place, "Q1"],
        ["explain", *place, "K1", "--out", str(home.path / "explained.html")],
        ["quarantine", *place, "export"],
        ["status", *place, "--health"],
        ["inspect", *place, str(csv.parent / f"bad{ODD}.csv")],
        ["inspect", *place, "--adapter", str(csv.parent / f"bad{ODD}.csv")],
        ["alarm", "list", *place, "--all"],
        ["release", *place, "2026-W46", "--preview"],
        *(
            ["query", *place, "--db", "records", *form, f"FROM {name}"]
            for name in ("files", "quarantine", "reports", "rules", "causes")
            for form in ([], ["--format", "csv"], ["--format", "json"])
        ),
        ["assess", *place, "2026-W46", f"all{ODD}", "--name", f"A{ODD}", "--contact", f"B{ODD}"],
        ["rules", "sign", *place, str(pack), "--name", f"A{ODD}", "--role", f"B{ODD}"],
        ["rules", "show", *place, str(pack)],
        ["report", *place, "--week", "2026-W46", "--out", str(home.path / "known"), "--as-known-now"],
        ["release", *place, "--withdraw", "2026-W46", "--reason", f"wrong{ODD}"],
        ["report", *place, "--week", f"W{ODD}"],
        ["query", *place, f"SELECT '{ODD}' AS \"{ODD}\", nothing"],
    ]
    shown = walk_on_a_terminal([*first, *commands_of(home, pack, csv, tmp_path), *more], tmp_path)
    assert "accepted  " in shown
    assert "rejected  " in shown
    assert "FAKE" in shown
    acting = [ascii(shown[max(0, found.start() - 300) : found.end()]) for found in ACTS.finditer(shown)]
    assert acting == []
    pages = [path for path in home.path.rglob("*") if path.suffix in (".html", ".md", ".svg")]
    assert len(pages) > 4
    hidden = {path.name: sorted({ascii(sign) for sign in path.read_text() if is_hidden(sign)}) for path in pages}
    assert {name: signs for name, signs in hidden.items() if signs} == {}
