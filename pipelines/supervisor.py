"""`calfwatch serve`: the home's schedule in two child processes, Prefect's server and the runner, and how they end.

This process imports nothing of Prefect. It hears the signals and passes them on: the children are in sessions of their
own, so that Ctrl-C at a terminal reaches them only through here, and are tethered, so that they end with this process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from pipelines import prefect_server
from pipelines.cron import require_cron
from pipelines.errors import CalfwatchError, LockedError, UsageError
from pipelines.processes import describe_process, end_process, read_json, refuse_foreign_json, write_json
from pipelines.store.home import open_lock

RUNNER_SECONDS = 50.0  # Prefect gives a run 30 s to end before it is killed
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """Set by the first signal; a second one ends the wait for the run in work."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> bool:
        return self.count > 0

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Count a signal."""
        self.count += 1


def serve(home: Path, crons: tuple[str, str], kept_days: float = 5, verbosity: str = "new") -> int:
    """Run both schedules until a signal comes; return the exit code.

    Raises UsageError for a schedule that is none, LockedError if this home is served already, CalfwatchError if the
    server or the runner ends by itself.
    """
    for cron in crons:
        require_cron(cron)
    with _heard_signals() as stop, _serve_lock(home):
        _end_orphans(home)
        prefect_server.prepare_prefect(home, kept_days)
        os.environ["CALFWATCH_SERVED_HOME"] = str(home)
        os.environ["CALFWATCH_LINES"] = verbosity
        if url := os.environ.get("PREFECT_API_URL"):
            prefect_server.require_answer(url)
            return _run_schedules(home, crons, stop, None)
        try:
            with prefect_server.own_server(home, stop) as server:
                return _run_schedules(home, crons, stop, server)
        except CalfwatchError:
            if stop():
                return 0
            raise


@contextlib.contextmanager
def _heard_signals() -> Iterator[Stop]:
    stop = Stop()
    before = {number: signal.signal(number, stop.hear) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _serve_lock(home: Path) -> Iterator[None]:
    """Hold the home's schedule; the system frees it when this process ends."""
    handle = open_lock(home / "serve.lock")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    except BlockingIOError:
        holder = os.pread(handle, 32, 0).decode() or "unknown"
        raise LockedError(f"{home} is served already, by process {holder}; stop that one first") from None
    finally:
        os.close(handle)


def _end_orphans(home: Path) -> None:
    """End the runner and the server of a `serve` that was killed, if they are still there."""
    path = home / "prefect" / prefect_server.RECORD
    refuse_foreign_json(path)
    record = read_json(path)
    for name in ("runner", "server"):
        process = record.get(name)
        if isinstance(process, dict):
            end_process(process)
    path.unlink(missing_ok=True)


def _run_schedules(home: Path, crons: tuple[str, str], stop: Stop, server: prefect_server.Server | None) -> int:
    runner = _start_runner(home, crons)
    record = home / "prefect" / prefect_server.RECORD
    try:
        _write_record(record, runner, server)
        return _watch(runner, server, stop)
    finally:
        _stop_runner(runner, stop)
        record.unlink(missing_ok=True)


def _write_record(path: Path, runner: subprocess.Popen[bytes], server: prefect_server.Server | None) -> None:
    content: dict[str, object] = {"runner": describe_process(runner.pid)}
    if server and server.process:
        content |= {"server": describe_process(server.process.pid), "port": int(server.url.split(":")[2].split("/")[0])}
    write_json(path, content)


def _start_runner(home: Path, crons: tuple[str, str]) -> subprocess.Popen[bytes]:
    """Start the runner; its temporary files are the home's: in the system's folder another user's are in its way."""
    folder = home / "prefect" / "tmp"
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder, and is left as it is; move it away")
    folder.mkdir(mode=0o700, exist_ok=True)
    command = [sys.executable, "-m", "pipelines.prefect_runner", str(home), *crons]
    environment = os.environ | {"TMPDIR": str(folder)}
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, start_new_session=True)


def _watch(runner: subprocess.Popen[bytes], server: prefect_server.Server | None, stop: Stop) -> int:
    """Wait for a signal, or for a child that ends."""
    while not stop():
        if (code := runner.poll()) is not None:
            if code == UsageError.exit_code:  # it has said why
                return code
            raise CalfwatchError(f"the runner of the schedules ended by itself (exit {code}); {_say_where_to_look()}")
        if server and server.process and (code := server.process.poll()) is not None:
            raise CalfwatchError(f"the Prefect server ended by itself (exit {code}); {_say_where_to_look()}")
        time.sleep(0.2)
    return 0


def _say_where_to_look() -> str:
    return f"its log is HOME/prefect/{prefect_server.LOG}. Start `calfwatch serve` again"


def _stop_runner(runner: subprocess.Popen[bytes], stop: Stop) -> None:
    """Let the run in work end or be rolled back; a second signal does not wait for it."""
    if runner.poll() is None:
        runner.terminate()
    until, heard = time.monotonic() + RUNNER_SECONDS, stop.count
    while runner.poll() is None:
        if time.monotonic() > until or stop.count > heard:
            runner.kill()
            runner.wait()
        time.sleep(0.05)
    if runner.stdin:
        with contextlib.suppress(BrokenPipeError):
            runner.stdin.close()
