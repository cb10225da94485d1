"""Prefect's server: the environment, set before Prefect is imported, and a server of the home's own.

A server is taken from PREFECT_API_URL, else it is the one that `serve` recorded in the home, else one is started on a
free loopback port. It asks for a password (HOME/prefect/auth), which is sent only to a socket of our own child process:
whoever reaches a Prefect server can start a flow. It is tethered: it ends when the process that started it ends.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import CalfwatchError, DiskError, UsageError
from pipelines.files import open_private
from pipelines.processes import has_socket, is_running, read_json
from pipelines.settings import is_address

START_SECONDS = 600.0
END_SECONDS = 30.0
ANSWER_SECONDS = 10.0
SERVER_BYTES = 16 << 20  # after a first run its home holds 6 MB
HOST = "127.0.0.1"
RECORD = "serve.json"  # in HOME/prefect: the processes of `serve`
LOG = "server.log"
USER = "calfwatch"
LOG_BYTES = 8 << 20


@dataclass(frozen=True)
class Server:
    """A server that answers; `process` is None where somebody else started it."""

    url: str
    process: subprocess.Popen[bytes] | None = None


def prepare_prefect(home: Path, kept_days: float = 5) -> None:
    """Set every variable of Prefect's that is not set already.

    Raises UsageError if a name in HOME/prefect is a link, DiskError where a server of our own would have no room: it
    then waits in vain, and reports nothing.
    """
    folder = home / "prefect"
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        folder.chmod(0o700)  # mkdir's own mode is subject to the umask
    if link := next((path for path in folder.iterdir() if path.is_symlink()), None):
        raise UsageError(f"{link} is a link; calfwatch writes to nothing behind it: move it away")
    for name, value in _make_environment(folder, kept_days).items():
        os.environ.setdefault(name, value)
    _refuse_odd_proxies()
    _exempt_loopback_from_proxies()
    place = Path(os.environ["PREFECT_HOME"])
    if "PREFECT_API_URL" not in os.environ and place.exists() and shutil.disk_usage(place).free < SERVER_BYTES:
        raise DiskError(place, f"less than {SERVER_BYTES >> 20} MB free, which the Prefect server needs")


def _make_environment(folder: Path, kept_days: float) -> dict[str, str]:
    return {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # our own lines and messages are for the terminal; Prefect's log goes to its server
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(int(kept_days * 86_400)),
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"PT{int(kept_days * 86_400)}S",
    }


def _exempt_loopback_from_proxies() -> None:
    """Reach 127.0.0.1 directly whatever proxy the environment names: through one, the server never answers."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host.strip() for host in os.environ.get(name, "").split(",") if host.strip()]
        os.environ[name] = ",".join([*hosts, *(host for host in (HOST, "localhost") if host not in hosts)])


def _refuse_odd_proxies() -> None:
    """Raise UsageError for a proxy that Prefect's client cannot use: it would end with a traceback."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        url = os.environ.get(name) or os.environ.get(name.lower()) or ""
        if "://" in url and not url.startswith(("http://", "https://")):
            raise UsageError(
                f"{name} names a proxy that is neither http:// nor https://; Prefect cannot use it: unset it, or run "
                "without Prefect: `calfwatch run --no-server`"
            )


@contextlib.contextmanager
def running_server(home: Path) -> Iterator[Server]:
    """Yield the server for one run: a configured one, that of the home's `serve`, or a new one, stopped at the end.

    Raises CalfwatchError if it does not answer.
    """
    if url := os.environ.get("PREFECT_API_URL"):
        require_answer(url)
        yield Server(url)
    elif url := find_recorded_url(home):
        _use(url, load_password(home))
        yield Server(url)
    else:
        with own_server(home) as server:
            yield server


def require_answer(url: str) -> None:
    """Raise CalfwatchError unless something answers at a configured address; what it answers is Prefect's matter."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=ANSWER_SECONDS):  # noqa: S310
            return
    except urllib.error.HTTPError:  # somebody is there; Prefect's cloud has no such page
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise CalfwatchError(
            f"no Prefect server answers at PREFECT_API_URL {url} ({reason}); unset it, and one is started"
        ) from error


def find_recorded_url(home: Path) -> str | None:
    """Return the address of the server that this home's `serve` runs, if it still does."""
    record = read_json(home / "prefect" / RECORD)
    server, port = record.get("server"), record.get("port")
    if isinstance(server, dict) and isinstance(port, int) and is_running(server) and has_socket(server["pid"], port):
        return f"http://{HOST}:{port}/api"
    return None


def load_password(home: Path) -> str:
    """Return the home's user and password for its server, made at the first call and kept in HOME/prefect/auth.

    Raises UsageError if that file is somebody else's.
    """
    path = home / "prefect" / "auth"
    try:
        found = path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        found = ""
    if found and not found.startswith(f"{USER}:"):
        raise UsageError(f"{path} was not written by calfwatch, and is left as it is; move it away")
    if not found:
        found = f"{USER}:{secrets.token_urlsafe(24)}"
        with open(path, "w", encoding="ascii", opener=open_private) as handle:
            handle.write(found + "\n")
    return found


@contextlib.contextmanager
def own_server(home: Path, is_stopped: Callable[[], bool] = lambda: False) -> Iterator[Server]:
    """Start a server, use it from here on, and stop it at the end.

    Raises CalfwatchError if it does not answer, or `is_stopped` while it starts.
    """
    port = os.environ.get("PREFECT_SERVER_API_PORT") or str(_free_port())
    url = f"http://{HOST}:{port}/api"
    process = _start(home, port)
    try:
        _wait_for(url, process, int(port), is_stopped)
        _use(url, load_password(home))
        yield Server(url, process)
    finally:
        _stop(process)


def _use(url: str, auth: str) -> None:
    os.environ["PREFECT_API_URL"] = url
    os.environ["PREFECT_API_AUTH_STRING"] = auth


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def _start(home: Path, port: str) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own: an interrupt at the terminal reaches it only through us."""
    environment = os.environ | {
        "PREFECT_SERVER_API_AUTH_STRING": load_password(home),
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_PORT": port,
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",
    }
    environment.pop("PREFECT_API_URL", None)
    command = [sys.executable, "-m", "pipelines.tether", "prefect", "server", "start", "--host", HOST, "--port", port]
    with open_log(home) as log:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        )


@contextlib.contextmanager
def open_log(home: Path) -> Iterator[int]:
    """Yield a descriptor of the server's log, for its owner alone; a long one makes room, and one older is kept."""
    path = home / "prefect" / LOG
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > LOG_BYTES:
            path.replace(path.with_name(f"{LOG}.1"))
    descriptor = open_private(str(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _wait_for(url: str, process: subprocess.Popen[bytes], port: int, is_stopped: Callable[[], bool]) -> None:
    """Wait until the server answers, from a socket of its own."""
    until = time.monotonic() + START_SECONDS
    while not (_is_healthy(url) and has_socket(process.pid, port)):
        if process.poll() is not None:
            advice = f"its log is HOME/prefect/{LOG}; is the port in use? PREFECT_SERVER_API_PORT names another one"
            raise CalfwatchError(f"the Prefect server for {url} ended as soon as it was started; {advice}")
        if time.monotonic() > until:
            raise CalfwatchError(f"the Prefect server did not answer at {url} within {START_SECONDS:g} s")
        if is_stopped():
            raise CalfwatchError("stopped while the Prefect server was started")
        time.sleep(0.2)


def _is_healthy(url: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except Exception:  # something else than a web server may listen there
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin:
        process.stdin.close()


def check_served_home(home: Path) -> None:
    """Raise UsageError if a served flow is started with another home than CALFWATCH_SERVED_HOME, set by `serve`.

    Whoever reaches the server can name one.
    """
    served = os.environ.get("CALFWATCH_SERVED_HOME")
    if served and home.resolve() != Path(served).resolve():
        raise UsageError(f"this process serves {served}; home '{home}' is another one")


def check_served_paths(home: Path, paths: list[str], incoming: tuple[str, ...]) -> None:
    """Raise UsageError if a served flow is started with paths outside its incoming folders; others may name any."""
    if not os.environ.get("CALFWATCH_SERVED_HOME"):
        return
    folders = [_find_base(str(home / pattern)).resolve() for pattern in incoming if not is_address(pattern)]
    addresses = [f"{each.rstrip('/')}/" for each in incoming if is_address(each)]
    for path in paths:
        if is_address(path) and f"{path}/".startswith(tuple(addresses)):
            continue
        is_inside = any(_find_base(path).resolve().is_relative_to(folder) for folder in folders)
        if ".." in Path(path).parts or not is_inside:
            raise UsageError(f"'{path}' lies outside the incoming folders of {home}")


def _find_base(pattern: str) -> Path:
    """Return what precedes the first part with a sign of a glob."""
    parts = Path(pattern).parts
    plain = next((place for place, part in enumerate(parts) if set(part) & set("*?[")), len(parts))
    return Path(*parts[:plain])
