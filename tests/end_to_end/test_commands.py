"""The real command, in a process of its own, as a user at a prompt meets it.

Most are forked from a process that has imported everything (`tests/support/commands.py`); the others start anew.
"""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pipelines import files
from tests.support.commands import Place, run_command

Run = Callable[..., "subprocess.CompletedProcess[str]"]
COMMANDS = (
    "demo",
    "run",
    "ingest",
    "inspect",
    "report",
    "query",
    "explain",
    "rules",
    "quarantine",
    "withdraw",
    "archive",
    "forget",
    "check",
    "backup",
    "export",
    "restore",
    "release",
    "status",
    "config",
    "serve",
    "generate",
)


@pytest.fixture
def calfwatch(tmp_path: Path) -> Run:
    """Runs `calfwatch ...` in an empty folder and returns the finished process."""

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("CALFWATCH", "PREFECT"))}
        return run_command(words, Place(tmp_path, clean | environment))

    return run


@pytest.fixture(scope="module")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a small demo."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-W", "error", "-m", "pipelines", "demo", "--home", str(folder / "home")]
    command += ["--reports", "3000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "home"


def test_help_lists_every_command(calfwatch: Run) -> None:
    text = calfwatch("--help").stdout
    assert [command for command in COMMANDS if f"\n    {command}" not in text] == []


def test_help_imports_nothing_heavy() -> None:
    program = "import sys; from pipelines.cli.app import main; main(['--help']); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"duckdb", "pandas", "pandera", "prefect", "pyarrow", "pydantic", "sqlglot", "numpy"}
    assert not heavy & set(modules)
    ours = {name for name in modules if name.startswith(("pipelines", "schemas"))}
    assert ours == {"pipelines", "pipelines.cli", "pipelines.cli.app", "pipelines.errors", "pipelines.text"}


def test_the_demo_stores_summarises_and_reports(demo_home: Path, calfwatch: Run) -> None:
    assert {"records.duckdb", "summaries.duckdb"} <= {path.name for path in demo_home.iterdir()}
    answer = calfwatch(
        "query", "--home", str(demo_home), "--format", "json", "SELECT sum(reports) AS n FROM daily_summary"
    )
    assert json.loads(answer.stdout) == [{"n": "3000"}] or json.loads(answer.stdout) == [{"n": 3000}]
    weeks = calfwatch(
        "query", "--home", str(demo_home), "--format", "csv", "SELECT count(DISTINCT week) FROM weekly_triage"
    )
    assert weeks.stdout.splitlines()[1] == "26"
    assert len(list((demo_home / "reports").glob("*/internal.html"))) == 1


def test_a_second_demo_doubles_nothing(demo_home: Path, calfwatch: Run) -> None:
    again = calfwatch("demo", "--home", str(demo_home), "--reports", "3000")
    assert again.returncode == 0
    assert "0 accepted, 26 known already" in again.stdout


def test_a_demo_that_was_killed_while_it_made_its_files_begins_again(calfwatch: Run, tmp_path: Path) -> None:
    home = tmp_path / "calfwatch-home"
    half = files.name_temporary(home / "demo", "fresh")
    (half / "labels").mkdir(parents=True)
    for name in (files.MARKER, "labels/2026-W01.tsv"):
        (half / name).touch()
    assert calfwatch("demo", "--reports", "300").returncode == 0
    assert not half.exists()
    assert sorted(path.name for path in (home / "demo").iterdir()) == [files.MARKER, "labels", "reports"]


def test_a_demo_in_a_home_with_a_folder_of_that_name_leaves_it_alone(calfwatch: Run, tmp_path: Path) -> None:
    mine = tmp_path / "calfwatch-home" / "demo" / "talk.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    told = calfwatch("demo", "--reports", "300")
    assert (told.returncode, told.stderr.count("\n"), mine.read_text()) == (2, 1, "mine")
    assert "which calfwatch did not put there" in told.stderr


def test_what_the_demo_says_to_try_next_works(demo_home: Path, calfwatch: Run, tmp_path: Path) -> None:
    said = calfwatch("demo", "--home", str(demo_home), "--reports", "3000").stdout
    tries = [line.strip() for line in said.split("try next:")[1].splitlines() if line.strip()]
    assert len(tries) == 3
    for line in tries:
        command = line.partition(" ")[2]
        done = subprocess.run(
            f"{sys.executable} -m pipelines {command}",
            shell=True,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr)


def test_explain_names_the_rule_and_its_place_in_the_article(demo_home: Path, calfwatch: Run) -> None:
    sql = "SELECT report_id FROM reports WHERE triage_level = 'emergency' ORDER BY report_id LIMIT 1"
    report_id = calfwatch("query", "--home", str(demo_home), "--db", "records", "--format", "csv", sql).stdout.split()[
        1
    ]
    text = calfwatch("explain", "--home", str(demo_home), report_id).stdout
    assert "triage level    emergency" in text
    assert "yes     emergency       emergency_" in text
    found = json.loads(calfwatch("explain", "--home", str(demo_home), "--json", report_id).stdout)
    assert any(rule["state"] == "TRUE" and rule["reference"] for rule in found["rules"])


def test_a_rejected_file_is_named_the_others_go_in_and_the_exit_code_is_3(calfwatch: Run, write_csv) -> None:
    good = write_csv([{"report_id": "a"}], "good.csv")
    bad = write_csv([{"report_id": "b"}], "bad.csv", header=("report_id", "reported_at", "surprise", "fever"))
    done = calfwatch("ingest", str(bad), str(good))
    assert done.returncode == 3
    assert "unknown column 'surprise'" in done.stderr
    assert "1 accepted, 0 known already, 1 rejected" in done.stdout
    assert "Traceback" not in done.stderr
    assert calfwatch("status").returncode == 7


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("rules",),
        ("qury", "SELECT 1"),
        ("query",),
        ("query", "SELECT 1", "--timeout", "soon"),
        ("query", "SELECT 1", "--tim", "3"),
        ("ingest",),
        ("ingest", "not-there.csv"),
        ("query", "SELECT 1"),
        ("explain", "nobody"),
        ("rules", "check", "not-there.toml"),
        ("report", "--as-known-now"),
        ("generate", "--out", "made", "--outbreak", "nonsense"),
        ("restore", "not-there.duckdb"),
    ],
)
def test_wrong_usage_is_told_in_at_most_two_lines_with_exit_code_2(calfwatch: Run, words: tuple[str, ...]) -> None:
    done = calfwatch(*words)
    assert done.returncode == 2
    assert 1 <= len(done.stderr.splitlines()) <= 2
    assert done.stderr.startswith("calfwatch: ")


def test_bad_sql_and_an_unknown_week_are_wrong_usage(calfwatch: Run, demo_home: Path) -> None:
    assert calfwatch("query", "--home", str(demo_home), "SELEC 1").returncode == 2
    done = calfwatch("report", "--home", str(demo_home), "--week", "1999-W01")
    assert done.returncode == 2
    assert "1999-W01" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("report", "--week", "last"), "'last' is not a week; write it as 2026-W47"),
        (("report", "--out", "a_file"), "a_file"),
        (("report", "--as-known-now", "--out", "a_file"), "a_file"),
        (("quarantine", "list", "--file", "nosuch"), "no file of the ledger has an id that begins with 'nosuch'"),
        (("serve", "--ingest-cron", "soon and often a day"), "'soon and often a day' is no cron schedule"),
    ],
)
def test_what_a_user_may_mistype_is_told_as_wrong_usage(
    calfwatch: Run, demo_home: Path, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    (tmp_path / "a_file").write_text("")
    given = [str(tmp_path / word) if word == "a_file" else word for word in words]
    server = {"PREFECT_API_URL": "http://127.0.0.1:9/api"} if words[0] == "serve" else {}
    done = calfwatch(*given, "--home", str(demo_home), **server)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert told in done.stderr


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("threads = -1", "threads must be between 0 and 256"),
        ("retries = -1", "retries must be 0 or more"),
        ('memory_limit = "lots"', "memory_limit must be a size, such as 512MB, not 'lots'"),
        ('ingest_cron = "hello"', "ingest_cron must be five words of cron, such as 15 * * * *, not 'hello'"),
        ("sources = [1]", "sources must be written as [[sources]] tables"),
    ],
)
def test_config_refuses_a_setting_that_no_command_could_use(
    calfwatch: Run, tmp_path: Path, setting: str, told: str
) -> None:
    (tmp_path / "calfwatch.toml").write_text(setting)
    done = calfwatch("config", "--home", str(tmp_path))
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr


def test_an_interrupt_while_the_database_works_ends_with_130(demo_home: Path) -> None:
    sql = "SELECT count(*) FROM range(100000000) a, range(1000000) b WHERE (a.range * b.range) % 7 = 3"
    command = [sys.executable, "-m", "pipelines", "query", "--home", str(demo_home), sql]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # tests in the background are started deaf to it
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heard) as process:
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        try:
            _, told = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, told.splitlines()) == (
        130,
        ["calfwatch: interrupted; whatever was committed is kept, the next run goes on"],
    )


def test_a_report_that_was_published_before_is_said_to_be_left_as_it_is(calfwatch: Run, demo_home: Path) -> None:
    done = calfwatch("report", "--home", str(demo_home))
    assert done.returncode == 0
    assert "published before, and left as it is" in done.stderr


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_published_week_is_frozen_and_recomputed_only_elsewhere(
    calfwatch: Run, demo_home: Path, tmp_path: Path
) -> None:
    (page,) = (demo_home / "reports").glob("*/internal.html")
    before, index = files_of(page.parent), page.parent.parent / "index.html"
    assert {"internal.html", "report.md", "report.pdf", "data/key_numbers.csv", "charts/triage.svg"} <= set(before)
    assert f'href="{page.parent.name}/internal.html"' in index.read_text(encoding="utf-8")
    assert calfwatch("report", "--home", str(demo_home)).stdout.strip() == str(page)
    copied = calfwatch("report", "--home", str(demo_home), "--out", "copy")
    assert files_of(tmp_path / "copy" / page.parent.name) == before, copied.stderr
    anew = calfwatch("report", "--home", str(demo_home), "--as-known-now", "--out", "anew")
    made_anew = set(files_of(tmp_path / "anew" / page.parent.name))
    assert made_anew <= set(before), anew.stderr
    of_the_publication = {name for name in set(before) - made_anew if not name.startswith("explain/")}
    assert of_the_publication == {"data/reported_weeks.csv", "data/reported_counts.csv"}
    assert files_of(page.parent) == before


def test_quarantine_lists_reasons_and_exports_cells_that_start_no_formula(calfwatch: Run, write_csv) -> None:
    rows = [{"report_id": f"r{i}"} for i in range(9)]
    calfwatch("ingest", str(write_csv([*rows, {"report_id": "bad", "fever": "=1+1", "pain_score": "11"}])))
    listed = calfwatch("quarantine", "list").stdout
    assert "fever: answer" in listed
    assert "pain_score: whole_number" in listed
    cells = list(csv.DictReader(io.StringIO(calfwatch("quarantine", "export").stdout)))
    assert {cell["value"] for cell in cells} == {"'=1+1", "11"}
    assert {cell["line_number"] for cell in cells} == {"11"}


def test_a_file_name_and_a_cell_command_no_terminal(calfwatch: Run, write_csv, tmp_path: Path) -> None:
    rows = [{"report_id": f"r{i}"} for i in range(9)]
    calfwatch("ingest", str(write_csv([*rows, {"report_id": "bad", "fever": "\x1b[31m"}], name="\x1b]0;x\a.csv")))
    shown = [calfwatch(*words).stdout for words in (("quarantine", "list"), ("explain", "bad"))]
    refused = calfwatch("query", "--db", "records", "SELECT value::INTEGER FROM quarantine")
    for text in (*shown, refused.stderr):
        assert "\\x1b" in text
        assert "\x1b" not in text
    assert "\x1b[31m" in calfwatch("quarantine", "export").stdout, "a file gets the cell as it was delivered"
    main, follower = pty.openpty()
    command = [sys.executable, "-m", "pipelines", "quarantine", "export", "--home", str(tmp_path / "calfwatch-home")]
    process = subprocess.Popen(command, stdout=follower)
    os.close(follower)
    seen = _read_all(main)
    assert process.wait(timeout=60) == 0
    assert b"\\x1b[31m" in seen
    assert b"\x1b" not in seen


def test_config_says_where_each_setting_came_from(calfwatch: Run, tmp_path: Path) -> None:
    home = tmp_path / "calfwatch-home"
    home.mkdir()
    (home / "calfwatch.toml").write_text(
        'time_zone = "Europe/Berlin"\n[[sources]]\nname = "line-7"\npatterns = ["l7_*"]\n'
    )
    text = calfwatch("config").stdout
    assert "time_zone = Europe/Berlin  (calfwatch.toml:" in text
    assert "week_system = iso  (default:" in text
    assert "source line-7" in text
    (home / "calfwatch.toml").write_text("time_zoen = 'UTC'\n")
    done = calfwatch("config")
    assert done.returncode == 2
    assert "'time_zoen' is not a setting" in done.stderr


def test_rules_check_lists_every_problem_with_its_line(calfwatch: Run, tmp_path: Path) -> None:
    from schemas.pack_file import find_default_pack_path

    text = find_default_pack_path().read_text()
    assert calfwatch("rules", "check").returncode == 0
    (tmp_path / "mine.toml").write_text(text.replace('when = "sensation_loss"', 'when = "sensation_lost OR 1 = 1"', 1))
    done = calfwatch("rules", "check", "mine.toml")
    assert done.returncode == 2
    assert "'sensation_lost' is not a yes/no field" in done.stderr


def test_generated_reports_go_in_whole(calfwatch: Run) -> None:
    made = calfwatch(
        "generate", "--out", "made", "--reports", "2000", "--weeks", "3", "--seed", "5", "--end", "2026-11-22"
    )
    assert made.returncode == 0, made.stderr
    assert "2,000 new records, 0 rows quarantined" in calfwatch("ingest", "made").stdout


def test_a_second_writer_waits_then_names_the_holder(calfwatch: Run, write_csv, tmp_path: Path) -> None:
    path = write_csv([{"report_id": "a"}])
    calfwatch("ingest", str(path))
    holder = (
        "import time, pathlib; from pipelines.store.database import Home\n"
        "with Home(pathlib.Path('calfwatch-home').absolute()).lock(1): print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", holder], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        done = calfwatch("ingest", "--wait", "0.5", str(path))
    finally:
        process.kill()
        process.communicate()
    assert done.returncode == 4
    assert str(process.pid) in done.stderr


def test_a_damaged_state_is_exit_code_5(calfwatch: Run, write_csv, tmp_path: Path) -> None:
    calfwatch("ingest", str(write_csv([{"report_id": "a"}])))
    (tmp_path / "calfwatch-home" / "records.duckdb").write_bytes(b"no database at all" * 500)
    done = calfwatch("ingest", str(write_csv([{"report_id": "b"}], "more.csv")))
    assert done.returncode == 5
    assert "Traceback" not in done.stderr


def test_what_is_written_is_private_whatever_the_umask(calfwatch: Run, write_csv, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        calfwatch("ingest", str(write_csv([{"report_id": "a"}])))
        calfwatch("report", "--week", "2026-W47")
        calfwatch("backup", "b.duckdb")
        calfwatch("restore", "b.duckdb")
        (file_id,) = json.loads(calfwatch("query", "--db", "records", "--format", "json", "FROM files").stdout)
        assert calfwatch("withdraw", file_id["file_id"][:8]).returncode == 0
    finally:
        os.umask(before)
    home = tmp_path / "calfwatch-home"
    assert len(list(home.glob("records.before-*.duckdb"))) == 1
    open_to_others = [path for path in [home, tmp_path / "b.duckdb", *home.rglob("*")] if path.stat().st_mode & 0o077]
    assert open_to_others == []


def test_a_terminal_gets_a_progress_bar(write_csv, tmp_path: Path) -> None:
    path = write_csv([{"report_id": "a"}])
    main, follower = pty.openpty()
    command = [sys.executable, "-m", "pipelines", "ingest", "--home", str(tmp_path / "h"), str(path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=follower, env=os.environ | {"TERM": "xterm"})
    os.close(follower)
    seen = _read_all(main)
    assert process.wait(timeout=60) == 0
    assert b"ingesting" in seen
    assert b"1/1" in seen


def _read_all(handle: int) -> bytes:
    """Everything a terminal was sent; its end shows as an I/O error."""
    seen, until = b"", time.monotonic() + 60
    while time.monotonic() < until:
        try:
            part = os.read(handle, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
    os.close(handle)
    return seen
