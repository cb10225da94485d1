"""The Prefect server that a run uses: what else may be found on its port, and what a stranger may not start."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pipelines import prefect_server
from pipelines.errors import CalfwatchError, UsageError
from pipelines.processes import describe_process, end_process, has_socket, is_running


class Healthy(BaseHTTPRequestHandler):
    """Says that it is well, whoever it is."""

    headers_seen: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        Healthy.headers_seen.append(str(self.headers))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def stranger() -> Iterator[int]:
    """A port at which somebody else answers as Prefect's server would."""
    server = HTTPServer(("127.0.0.1", 0), Healthy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_PORT", "CALFWATCH_SERVED_HOME"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    (tmp_path / "prefect").mkdir()


def test_the_password_is_not_sent_to_who_listens_on_the_port_instead(
    stranger: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As where another user of the machine was faster: Prefect's server ends, for the port is taken."""
    monkeypatch.setenv("PREFECT_SERVER_API_PORT", str(stranger))
    ended = [sys.executable, "-c", "import time; time.sleep(1); raise SystemExit(1)"]
    monkeypatch.setattr(prefect_server, "_start", lambda home, port: subprocess.Popen(ended, stdin=subprocess.PIPE))
    with (
        pytest.raises(CalfwatchError, match=rf"127\.0\.0\.1:{stranger}/api ended.*PREFECT_SERVER_API_PORT"),
        prefect_server.own_server(tmp_path),
    ):
        raise AssertionError("nothing runs without a server")
    assert "PREFECT_API_URL" not in os.environ
    assert Healthy.headers_seen
    assert not any("uthorization" in seen for seen in Healthy.headers_seen)


def test_a_configured_server_is_used_and_none_started(
    stranger: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{stranger}/api")
    monkeypatch.setattr(prefect_server, "_start", lambda home, port: pytest.fail("a server was started"))
    with prefect_server.running_server(tmp_path) as server:
        assert (server.url, server.process) == (f"http://127.0.0.1:{stranger}/api", None)
    assert "PREFECT_API_AUTH_STRING" not in os.environ


def test_a_password_file_of_somebody_else_is_told_and_left(tmp_path: Path) -> None:
    place = tmp_path / "prefect" / "auth"
    place.write_bytes(b"\xffmine\n")
    with pytest.raises(UsageError, match="was not written by calfwatch, and is left as it is; move it away"):
        prefect_server.load_password(tmp_path)
    assert place.read_bytes() == b"\xffmine\n"


def test_the_password_is_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    first = prefect_server.load_password(tmp_path)
    assert prefect_server.load_password(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "prefect" / "auth").stat().st_mode) == 0o600
    user, _, secret = first.partition(":")
    assert (user, len(secret) >= 32) == ("calfwatch", True)


def test_loopback_is_reached_without_the_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "intranet.example")
    for name in [name for name in os.environ if name.startswith("PREFECT")]:
        monkeypatch.setenv(name, os.environ[name])
    prefect_server._exempt_loopback_from_proxies()
    prefect_server._exempt_loopback_from_proxies()
    assert os.environ["NO_PROXY"] == os.environ["no_proxy"] == "intranet.example,127.0.0.1,localhost"


def test_a_process_is_known_by_its_start_and_a_socket_by_its_process() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    described = describe_process(child.pid)
    assert is_running(described)
    assert not is_running(described | {"started": "1"}), "another process with its number"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert has_socket(os.getpid(), port)
        assert not has_socket(child.pid, port)
    threading.Thread(target=child.wait, daemon=True).start()
    assert end_process(described)
    assert not end_process(described)
    assert child.stdin is not None
    child.stdin.close()


@pytest.mark.parametrize(
    ("path", "is_served"),
    [
        ("incoming", True),
        ("incoming/a.csv", True),
        ("incoming/*/*.csv", True),
        ("mail/x.csv", True),
        ("", False),
        ("incoming/../elsewhere", False),
        ("incoming/*/../../elsewhere", False),
        ("incoming2/a.csv", False),
        ("/etc/passwd", False),
    ],
)
def test_a_served_flow_takes_paths_of_its_incoming_folders_alone(
    path: str, is_served: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ([str(tmp_path / path)], ("incoming", "mail/*.csv"))
    prefect_server.check_served_paths(tmp_path, *given)  # where nothing is served, people's own deployments may
    monkeypatch.setenv("CALFWATCH_SERVED_HOME", str(tmp_path))
    if is_served:
        prefect_server.check_served_paths(tmp_path, *given)
    else:
        with pytest.raises(UsageError, match="lies outside the incoming folders"):
            prefect_server.check_served_paths(tmp_path, *given)


def test_a_served_flow_works_on_its_home_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefect_server.check_served_home(tmp_path)
    monkeypatch.setenv("CALFWATCH_SERVED_HOME", str(tmp_path))
    prefect_server.check_served_home(tmp_path)
    with pytest.raises(UsageError, match="is another one"):
        prefect_server.check_served_home(tmp_path.parent)
