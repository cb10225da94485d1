"""Prefect's surroundings, set before it is imported; the user's own environment wins.

Without a server configured, Prefect starts a temporary one: its home is put inside ours, and it gets the
time that a first start needs (at the default of 20 s a fresh home often fails).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

from pipelines.errors import CalfwatchError, DiskError

START_SECONDS = 180
SERVER_BYTES = 16 << 20  # after a first run its home holds 6 MB


def prepare_prefect(home: Path) -> None:
    """Sets every variable that is not set already.

    Raises DiskError where a server of our own would have no room: it then waits in vain, and says nothing of a disk.
    """
    folder = home / "prefect"
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(START_SECONDS),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # our own lines and messages are for the terminal; Prefect's log goes to its server
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    }.items():
        os.environ.setdefault(name, value)
    place = Path(os.environ["PREFECT_HOME"])
    if "PREFECT_API_URL" not in os.environ and place.exists() and shutil.disk_usage(place).free < SERVER_BYTES:
        raise DiskError(place, f"less than {SERVER_BYTES >> 20} MB free, which the Prefect server needs")


@contextlib.contextmanager
def start_told() -> Iterator[None]:
    """A temporary server that does not start, told in one line. Raises CalfwatchError."""
    try:
        yield
    except RuntimeError as error:
        if "Prefect API server" not in str(error):
            raise
        text = f"the temporary Prefect server did not start within {START_SECONDS} s; `calfwatch ingest` needs none"
        raise CalfwatchError(text) from error


@contextlib.contextmanager
def running_server() -> Iterator[None]:
    """Serving needs a server that stays: one is started in the background unless one is configured or running.

    Without one `serve` would never run anything, and hardly say so. What was started here is stopped at the end.
    Raises CalfwatchError if it does not answer.
    """
    if os.environ.get("PREFECT_API_URL"):
        yield
        return
    host = os.environ.get("PREFECT_SERVER_API_HOST", "127.0.0.1")
    port = os.environ.get("PREFECT_SERVER_API_PORT", "4200")
    url = f"http://{host}:{port}/api"
    server = None if _healthy(url) else _start(host, port)
    try:
        _wait_for(url, server)
        os.environ["PREFECT_API_URL"] = url
        yield
    finally:
        if server:
            server.terminate()
            server.wait(timeout=30)


def _start(host: str, port: str) -> subprocess.Popen[bytes]:
    """A server of our own, in a session of its own: an interrupt at the terminal reaches it only through us."""
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", host, "--port", port]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def _wait_for(url: str, server: subprocess.Popen[bytes] | None) -> None:
    until = time.monotonic() + START_SECONDS
    while not _healthy(url):
        if server and server.poll() is not None:
            advice = "is the port in use? PREFECT_SERVER_API_PORT names another one"
            raise CalfwatchError(f"the Prefect server for {url} ended as soon as it was started; {advice}")
        if time.monotonic() > until:
            raise CalfwatchError(f"the Prefect server did not answer at {url} within {START_SECONDS} s")
        time.sleep(0.5)


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:  # noqa: S310 - our own server's address
            return bool(answer.status == 200)
    except (OSError, HTTPException):  # URLError is an OSError; something else than a web server may listen there
        return False
