"""The command line itself: what is typed reaches the right function, and what is mistyped is told in one line."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from pipelines.cli import app as command_line
from pipelines.cli.app import COMMANDS, NOTICE, build_app, main

ROWS = [
    pytest.param(name, function, text, id=name)
    for commands in COMMANDS.values()
    for name, (function, text) in commands.items()
]
RENAMED = {"signed_on": "date"}  # parameters whose options have another name
GROUPS = ("alarms", "analyst", "clinical", "engineer", "home", "keeping", "release", "schedule")


def resolve(function: str) -> Callable[..., Any]:
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(f"pipelines.cli.{module}"), name)
    return found


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder, no home named, and the umask that the process had before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CALFWATCH_HOME", raising=False)
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the command function `query` is called with, instead of its work."""
    import pipelines.cli.analyst as analyst

    seen: dict[str, Any] = {}
    signature = inspect.signature(analyst.query)

    def record(*words: Any, **options: Any) -> None:
        bound = signature.bind(*words, **options)
        bound.apply_defaults()
        seen.update(bound.arguments)

    record.__signature__ = signature  # type: ignore[attr-defined]
    record.__annotations__ = get_type_hints(analyst.query, include_extras=True)
    monkeypatch.setattr(analyst, "query", record)
    return seen


@pytest.mark.parametrize(("name", "function", "text"), ROWS)
def test_every_command_is_a_typed_and_described_function_of_its_group(name: str, function: str, text: str) -> None:
    assert function.partition(":")[0] in GROUPS
    found = resolve(function)
    hints = get_type_hints(found)
    assert set(hints) == {*inspect.signature(found).parameters, "return"}
    assert Any not in hints.values()
    assert found.__doc__
    assert text[0].islower()


@pytest.mark.parametrize(("name", "function", "text"), ROWS)
def test_the_help_of_a_command_shows_every_parameter_and_no_box(
    name: str, function: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: calfwatch {name} ")
    options = [
        f"--{RENAMED.get(parameter.name, parameter.name.replace('_', '-'))}"
        for parameter in inspect.signature(resolve(function)).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    assert [option for option in options if f" {option} " not in shown] == []
    assert "[env var: CALFWATCH_HOME]" in " ".join(shown.split()) or "--home" not in options
    assert "--no-" not in shown.replace("--no-server", "")
    assert not set("╭╮╰╯│─") & set(shown)
    assert NOTICE in " ".join(shown.split())


def test_defaults_and_choices_are_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    main(["query", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "[default: ./calfwatch-home]" in shown
    assert "[choices: summaries, public, records] [default: summaries]" in shown
    assert "[default: 60]" in shown


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "a command is missing; known: demo, status, "),
        (["rules"], "a command is missing; known: check, show, sign, sql, diff. See `calfwatch rules --help`"),
        (["qury"], 'Unknown command "qury". Did you mean "query"? See `calfwatch --help`'),
        (["rules", "dif", "a", "b"], 'Did you mean "diff"? See `calfwatch rules --help`'),
        (["query"], "give one SQL statement, or --file FILE with one in it"),
        (["query", "SELECT 1", "--db", "sumaries"], 'Choose from: "summaries", "public", "records"'),
        (["query", "SELECT 1", "--timeout", "soon"], "--timeout must be a number, not 'soon'. See"),
        (["query", "SELECT 1", "--home"], "--home needs a value"),
        (["query", "SELECT", "1"], "unexpected '1'; quote an argument that has spaces in it"),
        (["query", "--formt", "csv", "SELECT 1"], "--formt is no option of this command"),
        (["query", "--formt=csv"], "--formt=csv is no option of this command"),
        (["query", "SELECT 1", "--form", "csv"], "Unknown option: --form. Did you mean --format?"),  # no abbreviations
        (["check", "--no-deep"], "Unknown option: --no-deep"),
        (["ingest"], "PATH is missing"),
        (["quarantine", "lsit"], 'Choose from: "list", "export"'),
        (["ingest", "a.csv", "--wiat", "3"], "Did you mean --wait?"),
        (["rules", "diff", "a"], "B is missing"),
        (["generate"], "--out needs a value"),
        (["generate", "--out", "x", "--reports", "1.5"], "--reports must be a whole number, not '1.5'"),
        (["generate", "--out", "x", "--end", "2026-13-01"], "--end must be a date such as 2026-11-22, not"),
        (["explain", "a", "--json", "--out", "page.html"], "take one of them"),
        (["report", "--as-known-now"], "nothing is stored there yet"),
    ],
)
def test_what_is_mistyped_is_told_in_one_line_with_exit_code_2(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("calfwatch: ")
    assert told in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "sql", ["--a comment\nSELECT 1", "-- a comment", "-1", "SELECT 1", "--a comment", "", "--\nSELECT 1", "--'"]
)
def test_a_statement_may_begin_with_hyphens(sql: str, called: dict[str, Any]) -> None:
    assert main(["query", sql, "--format", "csv"]) == 0
    assert (called["sql"], called["format"]) == (sql, "csv")
    assert main(["query", "--format", "json", sql]) == 0
    assert (called["sql"], called["format"]) == (sql, "json")


@pytest.mark.parametrize(
    ("words", "variable", "home"),
    [
        ([], None, "calfwatch-home"),
        ([], "", "calfwatch-home"),
        ([], "from-the-variable", "from-the-variable"),
        (["--home", "given"], "from-the-variable", "given"),
        (["--home=given"], None, "given"),
    ],
)
def test_the_home_is_the_option_else_the_variable_else_the_default(
    words: list[str], variable: str | None, home: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if variable is not None:
            patch.setenv("CALFWATCH_HOME", variable)
        assert main(["config", *words]) == 0
    origin = "--home" if words else "CALFWATCH_HOME" if variable else "default"
    assert capsys.readouterr().out.splitlines()[0] == f"home = {tmp_path / home}  ({origin})"


def test_the_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"calfwatch {version('calfwatch')}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_can_complete_every_command_and_its_options(shell: Any) -> None:
    script = build_app().generate_completion(shell=shell)
    names = {word for _, commands in COMMANDS.items() for name in commands for word in name.split()}
    assert [word for word in (*names, "as-known-now", "ingest-cron", "summaries") if word not in script] == []


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (PermissionError(13, "Permission denied", "here"), 2, "here: Permission denied; calfwatch needs to read and"),
        (NotADirectoryError(20, "Not a directory", "here"), 2, "here: Not a directory; choose another path"),
        (OSError(28, "No space left on device", "here"), 1, "here: No space left on device"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (RuntimeError("Query interrupted"), 130, "interrupted"),
    ],
)
def test_an_error_of_the_system_says_what_to_do(
    error: BaseException, code: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(home: str | None) -> Path:
        raise error

    monkeypatch.setattr("pipelines.cli.home.require_home", fail)
    assert command_line.main(["status"]) == code
    assert told in capsys.readouterr().err


def test_an_error_that_nobody_foresaw_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(home: str | None) -> Path:
        raise RuntimeError("something else")

    monkeypatch.setattr("pipelines.cli.home.require_home", fail)
    with pytest.raises(RuntimeError, match="something else"):
        main(["status"])


def test_run_refuses_a_path_that_is_not_there_before_prefect_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    assert main(["run", "--home", str(home), str(tmp_path / "gone.csv")]) == 2
    assert "gone.csv: no such file or folder" in capsys.readouterr().err
    assert not home.exists()


def test_a_home_without_records_tells_what_is_wrong_with_its_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "calfwatch.toml").write_text("bogus = 1\n")
    assert main(["status", "--home", str(tmp_path)]) == 2
    assert "bogus" in capsys.readouterr().err
