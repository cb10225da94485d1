"""The Prefect server of `serve`: what else may be found on its port, and what it is told that it is not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from pipelines import prefect_server
from pipelines.errors import CalfwatchError


@pytest.fixture
def mail_server() -> Iterator[int]:
    """A port at which something answers that is no web server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            while True:
                try:
                    caller, _ = listener.accept()
                except OSError:
                    return
                with caller:
                    caller.sendall(b"220 mail.example ESMTP\r\n")

        threading.Thread(target=greet, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def test_a_server_that_ends_at_once_is_told_at_once_and_names_the_port(
    mail_server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Prefect's does where the port is taken; its place is taken by a process that does nothing."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_SERVER_API_PORT", str(mail_server))
    ended = [sys.executable, "-c", "raise SystemExit(1)"]
    monkeypatch.setattr(prefect_server, "_start", lambda host, port: subprocess.Popen(ended))
    with (
        pytest.raises(CalfwatchError, match=rf"127\.0\.0\.1:{mail_server}/api ended.*PREFECT_SERVER_API_PORT"),
        prefect_server.running_server(),
    ):
        raise AssertionError("nothing runs without a server")
    assert "PREFECT_API_URL" not in os.environ


def test_a_configured_server_is_used_and_none_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example/api")
    monkeypatch.setattr(prefect_server, "_start", lambda host, port: pytest.fail("a server was started"))
    with prefect_server.running_server():
        assert os.environ["PREFECT_API_URL"] == "http://prefect.example/api"
