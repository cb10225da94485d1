"""`calfwatch serve` with a real Prefect server and real signals: what a stop, a kill or a second home leaves."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.processes import is_running, read_json
from tests.support.serving import EVERY_MINUTE, Serving, clean_environment, wait_until

pytestmark = pytest.mark.slow
Serve = Callable[..., Serving]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    started: list[Serving] = []

    def make(name: str = "home", *options: str, **environment: str) -> Serving:
        started.append(Serving(tmp_path / name, *options, environment=environment))
        return started[-1]

    yield make
    for each in started:
        each.end()


def _accepted(serving: Serving) -> int:
    return serving.said.count(" accepted  ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_after_a_stop_in_the_middle_of_an_ingest_the_next_slot_runs_and_nothing_doubles(
    number: int, serve: Serve
) -> None:
    serving = serve()
    rows = serving.feed("first", 40)
    serving.start()
    wait_until(lambda: _accepted(serving) >= 5, 240, "an ingest in work")
    code = serving.stop(number)
    assert _accepted(serving) < 40, "it was stopped in the middle"
    if number != signal.SIGKILL:
        assert (code, serving.complained) == (0, "")
        odd = [line for line in serving.said.splitlines() if " accepted  " not in line and " serving  " not in line]
        assert odd == []
        serving.leave_in_work()  # as a `calfwatch run` would that was killed
    serving.start()
    serving.await_slot()
    assert serving.stop() == 0
    assert serving.in_work() == []
    assert serving.records() == (rows, rows)
    check = [sys.executable, "-m", "pipelines", "check", "--home", str(serving.home)]
    assert subprocess.run(check, check=False, capture_output=True, env=clean_environment()).returncode == 0


def test_two_homes_side_by_side_never_touch_each_other(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "runner_storage").write_text("")  # as if another user's serve had made Prefect's temporary folder
    one, other = (serve(f"{name}/clinic", TMPDIR=str(tmp_path)) for name in ("one", "other"))  # of the same name
    rows = {one: one.feed("one", 3), other: other.feed("other", 2)}
    for serving in rows:
        serving.launch()
    done = "state_type = 'COMPLETED'"  # a slot to come has a name of Prefect's own
    for serving in rows:
        wait_until(lambda serving=serving: " accepted, " in serving.said, 600, "the run at the start")
        wait_until(lambda serving=serving: serving.flow_runs(done), 60, "its end in Prefect")
    assert one.stop() == 0, "in the middle of nothing: each has one run at a time"
    other.feed("more", 1)
    other.await_slot()  # the stop of one neither paused the other's schedule nor ended its server
    assert other.stop() == 0
    assert one.records() == (rows[one], rows[one])
    assert other.records() == (rows[other] + 20, rows[other] + 20)
    names = {serving: {name for name, *_ in serving.flow_runs(done)} for serving in rows}
    assert names[one] == names[other] == {"ingest clinic"}
    for serving, others in ((one, "other"), (other, "one")):
        assert not any(f"/{others}/" in line or f"{others}-0" in line for line in serving.said.splitlines())
        assert serving.complained == ""


def test_a_second_serve_of_a_home_is_refused_in_one_line(serve: Serve) -> None:
    serving = serve()
    serving.start()
    command = [sys.executable, "-m", "pipelines", "serve", "--home", str(serving.home)]
    second = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=clean_environment())
    assert (second.returncode, second.stdout) == (4, "")
    assert second.stderr == (
        f"calfwatch: {serving.home} is served already, by process {serving.process.pid}; stop that one first\n"
    )
    assert serving.stop() == 0


def test_a_report_whose_slot_fell_into_a_stop_is_written_at_the_next_start(serve: Serve) -> None:
    serving = serve("home", "--ingest-cron", "0 0 1 1 *", "--report-cron", "0 0 1 1 *")  # no slot in sight
    serving.feed("first", 2)
    serving.start()
    wait_until(lambda: (serving.home / "reports").exists() and "written" in serving.said, 120, "the due report")
    assert serving.stop() == 0
    assert list((serving.home / "reports").glob("*/internal.html"))


def test_a_server_that_dies_ends_serve_with_one_line_and_1(serve: Serve) -> None:
    serving = serve()
    serving.start()
    record = read_json(serving.home / "prefect" / "serve.json")
    os.kill(record["server"]["pid"], signal.SIGKILL)
    assert serving.process.wait(90) == 1
    (line,) = serving.complained.splitlines()
    assert line.startswith(
        "calfwatch: the Prefect server ended by itself (exit -9); its log is HOME/prefect/server.log"
    )
    assert not is_running(record["runner"])


def test_a_killed_serve_leaves_no_process_that_goes_on(serve: Serve) -> None:
    serving = serve()
    serving.start()
    record = read_json(serving.home / "prefect" / "serve.json")
    serving.stop(signal.SIGKILL)
    for name in ("server", "runner"):
        wait_until(lambda name=name: not is_running(record[name]), 30, f"the {name} ended too")


def test_nobody_without_the_home_s_password_can_see_or_start_a_flow(serve: Serve) -> None:
    serving = serve()
    serving.start()
    port = read_json(serving.home / "prefect" / "serve.json")["port"]
    for path, body in (("flow_runs/filter", b"{}"), ("deployments/filter", b"{}"), ("flows/filter", b"{}")):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/{path}", data=body, headers={"Content-Type": "application/json"}
        )
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(request, timeout=10)
    folder = serving.home / "prefect"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in ("auth", "server.log", "prefect.db")} == {0o600}
    assert (folder / "auth").read_text().strip() not in serving.said + serving.complained
    assert serving.stop() == 0


def test_a_run_beside_serve_uses_its_server_and_a_failed_run_says_why(serve: Serve, tmp_path: Path) -> None:
    serving = serve("home", "--ingest-cron", EVERY_MINUTE)
    serving.feed("good", 1)
    (serving.home / "incoming" / "bad.csv").write_text("report_id,reported_at,fever,shoe_size\n")
    serving.start()
    wait_until(lambda: " 1 rejected" in serving.said, 120, "the first ingest")
    lines = serving.said.splitlines()
    assert any("rejected  " in line and "unknown column 'shoe_size'" in line for line in lines)
    command = [sys.executable, "-m", "pipelines", "run", "--home", str(serving.home)]
    started = time.monotonic()
    ran = subprocess.run(command, check=False, capture_output=True, text=True, env=clean_environment())
    assert ran.returncode == 3, ran.stderr
    assert time.monotonic() - started < 600
    assert serving.stop() == 0
    assert [state for name, state, *_ in serving.flow_runs("name LIKE 'run %'")] == ["Failed"]


def test_an_address_where_nothing_answers_is_told_in_one_line(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    serving = serve()
    serving.feed("first", 1)
    for command in ("serve", "run"):
        done = subprocess.run(
            [sys.executable, "-m", "pipelines", command, "--home", str(serving.home)],
            check=False, capture_output=True, text=True, timeout=120,
            env=clean_environment() | {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api"},
        )  # fmt: skip
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"calfwatch: no Prefect server answers at PREFECT_API_URL http://127.0.0.1:{port}/api (")


def test_a_proxy_in_the_environment_does_not_stand_between(serve: Serve) -> None:
    proxy = "http://127.0.0.1:9"
    serving = serve(http_proxy=proxy, https_proxy=proxy, HTTP_PROXY=proxy, HTTPS_PROXY=proxy, all_proxy=proxy)
    rows = serving.feed("first", 1)
    serving.start()
    wait_until(lambda: _accepted(serving) == 1, 120, "an ingest")
    serving.await_slot()
    assert serving.stop() == 0
    assert serving.records() == (rows, rows)


def test_a_schedule_that_prefect_does_not_know_ends_with_2(serve: Serve) -> None:
    serving = serve("home", "--ingest-cron", "61 * * * *")
    serving.start()
    assert serving.process.wait(90) == 2
    assert serving.complained == "calfwatch: '61 * * * *' is no cron schedule; try '15 * * * *'\n"


def test_prefect_s_database_levels_off(tmp_path: Path) -> None:
    """Rows of one day are kept, and a run comes every 12 hours; the script makes sixty runs, one every three."""
    command = [sys.executable, "-m", "tests.bench.prefect_levels", "8", "12"]
    environment = clean_environment() | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    rows = [list(map(int, line.split())) for line in done.stdout.splitlines() if re.match(r" *\d+  ", line)]
    assert [row[0] for row in rows] == list(range(1, 9))
    used = [row[2] for row in rows]
    assert rows[-1][3] <= 2, "the runs of one day"
    assert max(used[4:]) <= 1.15 * max(used[2:4]), "what is new takes the place of what was pruned"
