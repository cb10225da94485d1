"""The real Prefect: one test server for the module, real flows over real files."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import UsageError
from pipelines.processes import read_json

pytestmark = pytest.mark.filterwarnings("default")  # Prefect's own; ours are checked everywhere else


@pytest.fixture(scope="module")
def prefect_server() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
        from prefect.testing.utilities import prefect_test_harness

        with (
            prefect_test_harness(server_startup_timeout=180),
            temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
        ):
            yield


def _runs() -> tuple[list[Any], list[Any], list[Any]]:
    """Flow runs, task runs and artifacts that the server knows."""
    from prefect import get_client

    async def read() -> tuple[list[Any], list[Any], list[Any]]:
        async with get_client() as client:
            return await client.read_flow_runs(), await client.read_task_runs(), await client.read_artifacts()

    return asyncio.run(read())


@pytest.mark.parametrize(
    ("settings", "paths", "told"),
    [
        ('settle_seconds = "x"', ["incoming"], "calfwatch.toml:1: settle_seconds must be a whole number"),
        ('incoming = ["elsewhere"]', ["incoming"], "incoming' lies outside the incoming folders of"),
    ],
    ids=["wrong settings", "other folders"],
)
def test_a_served_run_that_cannot_begin_is_told_and_recorded(
    settings: str,
    paths: list[str],
    told: str,
    home,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The settings were changed while `serve` runs."""
    from pipelines import flows

    monkeypatch.setenv("CALFWATCH_SERVED_HOME", str(home.path))
    monkeypatch.setattr(flows, "_end_with_parent", lambda: None)
    (home.path / "calfwatch.toml").write_text(settings + "\n")
    with (
        pytest.raises(UsageError),
        flows._recorded(str(home.path), "ingest", [str(home.path / path) for path in paths]),
    ):
        raise AssertionError("it does not come so far")
    said = capsys.readouterr().out
    assert "ingest    FAILED: " in said
    assert told in said
    run = read_json(home.path / "status.json")["runs"]["ingest"]
    assert (run["outcome"], told in run["reason"]) == ("failed", True)
    with pytest.raises(UsageError, match="is another one"), flows._recorded(str(home.path / "other"), "ingest", []):
        raise AssertionError("it does not come so far")
    assert not (home.path / "other").exists()


def test_a_run_ingests_publishes_reports_and_keeps_a_summary(prefect_server, home, write_csv, ask) -> None:
    from pipelines import flows

    write_csv([{"report_id": f"r{i}"} for i in range(3)], "in/one.csv")
    folder = write_csv([{"report_id": f"s{i}"} for i in range(4)], "in/two.csv").parent
    flows.run_once(home.path, [str(folder)], None, 5)
    assert ask("SELECT count(*) FROM reports") == [(7,)]
    assert home.summaries.exists()
    assert (home.reports / "2026-W47" / "internal.html").exists()
    runs, tasks, artifacts = _runs()
    assert {run.name for run in runs} >= {"run home"}
    assert {task.name for task in tasks} >= {"ingest one.csv", "publish summaries", "write due reports"}
    assert "7 new records" in artifacts[0].data
    assert "| one\\.csv | accepted | 3 | 3 | 0 | 0 |  |" in artifacts[0].data
    assert any("7 new records" in (run.state.message or "") for run in runs), "the run's own page says it"


def test_a_rejected_file_fails_the_run_and_stops_no_other(prefect_server, home, write_csv, ask) -> None:
    from pipelines import flows
    from pipelines.errors import FilesRejectedError

    good = write_csv([{"report_id": "r1"}], "good.csv")
    bad = write_csv(
        [{"report_id": "r2"}], "bad\x1b[31m\u202e.csv", header=("report_id", "reported_at", "surprise\x1b", "fever")
    )
    with pytest.raises(FilesRejectedError, match="1 of 2 files rejected"):
        flows.run_once(home.path, [str(bad), str(good)], None, 5)
    assert ask("SELECT count(*) FROM reports") == [(1,)]
    with pytest.raises(FilesRejectedError, match=r"1 of 1 file rejected$"):
        flows.run_once(home.path, [str(bad)], None, 5)
    runs, tasks, artifacts = _runs()
    told = [run.state.message for run in runs if run.state_name == "Failed"]
    assert any("rejected" in text for text in told)
    name = "bad\\x1b[31m\\u202e.csv"  # escapes on every page of Prefect's, and no link or cell of a table
    assert any(f"{name}: unknown column" in text for text in told)
    assert any(f"{name}: unknown column" in (task.state.message or "") for task in tasks), "its task run too"
    shown = "\n".join([*told, *(str(each.data) for each in artifacts), *(task.name for task in tasks)])
    assert not set(shown) & {"\x1b", "\u202e"}
    assert "| bad\\\\x1b\\[31m\\\\u202e\\.csv | rejected |" in shown


@pytest.mark.slow
def test_many_files_are_at_most_about_twenty_tasks_in_delivery_order(prefect_server, home, write_csv, ask) -> None:
    from pipelines import flows

    for day in range(1, 41):
        write_csv(
            [{"report_id": "same", "reported_at": "2026-10-01", "duration_days": str(day)}],
            f"many/{day:03d}.csv",
        )
    before = len(_runs()[1])
    flows.run_once(home.path, [str(write_csv([], "many/000.csv").parent)], None, 5)
    assert len(_runs()[1]) - before <= 20
    assert ask("SELECT duration_days FROM reports") == [(40,)]
    assert ask("SELECT count(*) FROM superseded") == [(39,)]


def test_a_wrong_setting_is_not_tried_again(prefect_server, home, write_csv) -> None:
    from pipelines import flows
    from pipelines.errors import UsageError

    path = write_csv([{"report_id": "r1"}])
    (home.path / "calfwatch.toml").write_text("nonsense = 1\n")
    with pytest.raises(UsageError, match="nonsense"):
        flows.run_once(home.path, [str(path)], None, 5)


def test_a_file_that_vanished_since_it_was_listed_stops_no_other(home, write_csv, ask) -> None:
    from pipelines import flows

    paths = [str(write_csv([{"report_id": f"r{i}"}], f"in/{i}.csv")) for i in range(3)]
    Path(paths[1]).unlink()
    state = flows.ingest_files.fn(str(home.path), paths, None, 5, "run", "0.csv and 2 more")
    done = state.data
    assert state.is_completed()
    assert (state.message or "").startswith("1 of 3 files rejected")
    assert [row["status"] for row in done] == ["accepted", "rejected", "accepted"]
    assert "No such file" in done[1]["reason"]
    assert ask("SELECT count(*) FROM reports") == [(2,)]


def test_the_deployments_name_flows_and_parameters_that_a_worker_finds_in_any_folder(tmp_path, monkeypatch) -> None:
    """A worker runs in a folder of its own, which holds no file of the repository."""
    import yaml
    from prefect.flows import load_flow_from_entrypoint

    from pipelines.deployment_file import render_deployment
    from pipelines.settings import Settings

    home = tmp_path / "a home: it's"
    declared = yaml.safe_load(render_deployment(home, Settings(time_zone="Europe/Berlin")))["deployments"]
    assert declared[0]["parameters"] == {"home": str(home), "paths": [str(home / "incoming")]}
    assert declared[1]["schedules"] == [{"cron": "0 6 * * 1", "timezone": "Europe/Berlin"}]
    assert declared[1]["work_pool"]["job_variables"]["env"] == {"CALFWATCH_SERVED_HOME": str(home)}
    monkeypatch.chdir(tmp_path)
    loaded = {each["name"]: load_flow_from_entrypoint(each["entrypoint"]) for each in declared}
    assert {name: flow.name for name, flow in loaded.items()} == {
        f"ingest {home.name}": "calfwatch ingest",
        f"weekly-report {home.name}": "calfwatch report",
    }
    for each in declared:
        assert set(each["parameters"]) <= set(loaded[each["name"]].parameters.properties)


def test_a_file_s_name_is_literal_text_in_an_artifact() -> None:
    from pipelines.flows import escape_markdown

    assert escape_markdown("a.csv") == "a\\.csv"
    assert escape_markdown("![x](http://evil.example/?q)|<b>_`*\n.csv") == (
        "\\!\\[x\\]\\(http\\:\\/\\/evil\\.example\\/\\?q\\)\\|\\<b\\>\\_\\`\\*\\\\n\\.csv"
    )


def test_chunks_keep_order_and_number() -> None:
    from pipelines.flows import CHUNKS, split_evenly

    for count in (0, 1, 15, 16, 17, 1000):
        names = [str(i) for i in range(count)]
        chunks = split_evenly(names, CHUNKS)
        assert [name for chunk in chunks for name in chunk] == names
        assert len(chunks) <= CHUNKS


@pytest.mark.slow
def test_the_run_command_needs_no_server_and_no_home_made_before(tmp_path: Path, write_csv) -> None:
    path = write_csv([{"report_id": "r1"}])
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("CALFWATCH", "PREFECT"))}
    command = [sys.executable, "-m", "pipelines", "run", "--home", str(tmp_path / "new" / "home"), str(path)]
    done = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 new record, 0 rows quarantined" in done.stdout
    assert "Error logging" not in done.stderr, "the server took every line before it ended"


@pytest.mark.slow
def test_a_rejected_file_leaves_no_value_of_it_anywhere_not_even_with_prefect(tmp_path: Path, write_csv) -> None:
    """Through the real `run` with a Prefect server of its own; what it told is searched too."""
    home, scratch, word = tmp_path / "home", tmp_path / "scratch", "zebra.fish"
    scratch.mkdir()
    rows = [{"report_id": f"r{i}"} for i in range(300)]
    good = write_csv([*rows, {"report_id": "bad", "sex": "x"}], name="good.csv")
    bad = write_csv([*rows, {"report_id": "last", "region": f"{word}@example.org"}], name="bad.csv")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("CALFWATCH", "PREFECT"))}
    command = [sys.executable, "-m", "pipelines", "run", "--home", str(home), str(good), str(bad)]
    environment = clean | {"TMPDIR": str(scratch), "HOME": str(scratch)}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=300, check=False)
    assert done.returncode == 3, done.stderr
    assert b"'region' holds an e-mail address" in done.stderr
    told = tmp_path / "told"
    told.mkdir()
    (told / "out").write_bytes(done.stdout + done.stderr)
    files = [path for folder in (home, scratch, told) for path in folder.rglob("*") if path.is_file()]
    assert any("prefect" in str(path) for path in files)
    assert [path for path in files if word.encode() in path.read_bytes()] == []
