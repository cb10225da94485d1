"""A real `calfwatch serve` for tests: started, fed, stopped by a signal, and asked what its runs became."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

HEADER = "report_id,reported_at,pain_score,fever\n"
SLOT_SECONDS = 120  # after which a slot must have run
START_SECONDS = 660  # on a machine that is busy
EVERY_MINUTE = "* * * * *"


def clean_environment() -> dict[str, str]:
    """The environment without settings of Prefect's or ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("CALFWATCH", "PREFECT"))}


def _moment(report_id: str, row: int) -> str:
    """A moment of one report alone: two files of the same moments would be one list under other ids."""
    second = zlib.crc32(report_id.encode()) % 86_400
    return f"2026-11-{1 + row:02d}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"


def wait_until(is_true: Callable[[], bool], seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.2)


class Serving:
    """One home and its `serve`; everything it prints goes to `out` and `err` beside the home."""

    IN_WORK = "state_type IN ('RUNNING', 'PENDING', 'CANCELLING')"

    def __init__(self, home: Path, *options: str, environment: dict[str, str] | None = None) -> None:
        self.home, self.options = home, options or ("--ingest-cron", EVERY_MINUTE)
        self.environment = clean_environment() | (environment or {})
        self.out, self.err = home.with_name(f"{home.name}.out"), home.with_name(f"{home.name}.err")
        self.process: subprocess.Popen[bytes] | None = None
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "calfwatch.toml").exists():
            (home / "calfwatch.toml").write_text("settle_seconds = 0\n")

    def start(self) -> None:
        """Starts, and waits for the line that says so."""
        self.launch()
        wait_until(lambda: "serving" in self.said or self.process.poll() is not None, START_SECONDS, "serving")

    def launch(self) -> None:
        """Starts, and waits for nothing."""
        command = [sys.executable, "-m", "pipelines", "serve", "--home", str(self.home), *self.options]
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err, env=self.environment)

    def stop(self, number: int = signal.SIGTERM, seconds: float = 90) -> int:
        """Sends a signal, and returns the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(seconds)

    @property
    def said(self) -> str:
        return self.out.read_text()

    @property
    def complained(self) -> str:
        return self.err.read_text()

    def feed(self, name: str, files: int, rows: int = 20) -> int:
        """Puts small files into `incoming`, nearly all at once; returns how many rows."""
        incoming = self.home / "incoming"
        incoming.mkdir(exist_ok=True)
        parts = []
        for number in range(files):
            ids = [f"{name}-{number}-{row}" for row in range(rows)]
            lines = [f"{each},{_moment(each, row)},{row % 11},no\n" for row, each in enumerate(ids)]
            part = incoming / f"{name}-{number:03d}.csv.part"
            part.write_text(HEADER + "".join(lines))
            parts.append(part)
        for part in parts:
            part.rename(part.with_suffix(""))
        return files * rows

    def flow_runs(
        self, where: str = "TRUE", what: str = "name, state_name, auto_scheduled, expected_start_time"
    ) -> list[tuple[Any, ...]]:
        """What is asked of the runs in Prefect's database; by default also whether a schedule made it."""
        path = self.home / "prefect" / "prefect.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(f"SELECT {what} FROM flow_run WHERE {where}").fetchall()

    def await_slot(self, seconds: float = 600) -> float:
        """Waits for an ingest at a slot of the schedule that lies after now; returns how many seconds late it began."""
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        done = f"auto_scheduled AND name LIKE 'ingest%' AND state_type = 'COMPLETED' AND expected_start_time > '{now}'"
        wait_until(lambda: bool(self.flow_runs(done)), seconds, "the next slot ran")
        late = "86400 * (julianday(start_time) - julianday(expected_start_time))"
        return float(self.flow_runs(done, f"min({late})")[0][0])

    def leave_in_work(self) -> None:
        """Makes a run in Prefect's database one of no deployment that is in work."""
        path = self.home / "prefect" / "prefect.db"
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection, connection:
            changed = connection.execute(
                "UPDATE flow_run SET state_type = 'RUNNING', state_name = 'Running', deployment_id = NULL "
                "WHERE id = (SELECT min(id) FROM flow_run WHERE start_time IS NOT NULL)"
            ).rowcount
        assert changed == 1

    def in_work(self) -> list[tuple[Any, ...]]:
        return self.flow_runs(self.IN_WORK)

    def records(self) -> tuple[int, int]:
        """How many records are stored, and how many ids they have."""
        with contextlib.closing(duckdb.connect(str(self.home / "records.duckdb"), read_only=True)) as connection:
            row = connection.execute("SELECT count(*), count(DISTINCT report_id) FROM records").fetchone()
        assert row is not None
        return row[0], row[1]

    def end(self) -> None:
        """Ends what a failed test left, by the ids of the processes that were started here."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(60)
            self.process.kill()
