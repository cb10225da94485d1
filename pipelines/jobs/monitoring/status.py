"""HOME/status.json: what is stored, how the last runs ended, what is due. `status` reads it, and not the records.

The facts of a state are written after every run. Where the files of the state are not those that the facts are about
(a run was killed, a backup was put back by hand) and no run is at work, they are read from the records again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines import clock
from pipelines.errors import CalfwatchError, LockedError, UsageError
from pipelines.jobs.monitoring.stored_facts import read_facts
from pipelines.processes import is_running, read_json, write_json
from pipelines.settings import Settings, load_settings
from pipelines.store.home import Home, open_lock

NAME = "status.json"
SCHEDULE = Path("prefect") / "schedule.json"  # the next slots, written by the runner of `serve`
SERVED = Path("prefect") / "serve.json"  # the processes of a `serve` that runs
GRACE = timedelta(minutes=10)
LONGEST_RUN = timedelta(days=1)
WATCHED = ("records.duckdb", "records.duckdb.wal", "summaries.duckdb", "public.duckdb", "calfwatch.toml")


def write_run(home: Path, key: str, entry: Mapping[str, Any]) -> None:
    """Replace what is known of the last run of a job; `in_work` is the run that goes on."""
    with _changed(home) as content:
        if key == "in_work":
            content["in_work"] = dict(entry)
            return
        content.setdefault("runs", {})[key] = dict(entry)
        content.pop("in_work", None)


def refresh_facts(home: Path, settings: Settings) -> None:
    """Read the facts of the state anew; a state that cannot be read now keeps the former ones, and the reason."""
    try:
        facts: dict[str, Any] = read_facts(home, settings)
        problem = ""
    except LockedError:
        return
    except CalfwatchError as error:
        facts, problem = {}, str(error)
    with _changed(home) as content:
        content["problem"] = problem
        if facts:
            content["facts"] = facts | {"files_seen": _stat_files(home), "written": _format_now()}


@contextlib.contextmanager
def _changed(home: Path) -> Iterator[dict[str, Any]]:
    """Read, change and replace status.json, one process after the other."""
    handle = open_lock(home / "status.lock")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        content = read_json(home / NAME)
        yield content
        write_json(home / NAME, content)
    finally:
        os.close(handle)


def _stat_files(home: Path) -> dict[str, list[int]]:
    """Return size and time of the files that the facts are about; none of them is opened."""
    seen = {}
    for name in WATCHED:
        with contextlib.suppress(FileNotFoundError):
            found = (home / name).stat()
            seen[name] = [found.st_size, found.st_mtime_ns]
    return seen


def _format_now() -> str:
    return clock.now().isoformat(timespec="seconds")


def read_status(home: Path) -> dict[str, Any]:
    """Return all that `status --json` prints.

    Raises StateError if the stored state contradicts itself, LockedError if nothing is known of it yet.
    """
    content = read_json(home / NAME)
    facts = content.get("facts")
    in_work = _run_in_work(content)
    if not facts or (facts.get("files_seen") != _stat_files(home) and not in_work):
        try:
            facts = read_facts(home, load_settings(home))
        except LockedError:
            if not facts:
                raise
    facts = {key: value for key, value in facts.items() if key not in ("files_seen", "written")}
    told = {
        "home": str(home),
        "facts": facts,
        "runs": content.get("runs", {}),
        "in_work": in_work,
        "schedule": read_json(home / SCHEDULE),
        "metrics": content.get("metrics", ""),
        "disk_free_bytes": shutil.disk_usage(home).free,
        "notices": read_json(home / "notices.json").get("failed", {}),
    }
    return told | {"overdue": find_overdue(told, clock.now()), "attention": _list_attention(told)}


def _run_in_work(content: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return job, start and process of the run that goes on, if one does."""
    in_work = content.get("in_work")
    if isinstance(in_work, dict) and is_running(in_work.get("process", {})):
        return in_work
    return None


def is_being_served(home: Path) -> bool:
    """Tell whether the schedules of a home are served now: what is late there is made good."""
    runner = read_json(home / SERVED).get("runner")
    return isinstance(runner, dict) and is_running(runner)


def find_missed_slots(home: Path) -> list[str]:
    """Return a line for each job whose slot is over and that has not run since; opens no database."""
    content = read_json(home / NAME)
    told = {"runs": content.get("runs", {}), "in_work": _run_in_work(content), "schedule": read_json(home / SCHEDULE)}
    return find_overdue(told, clock.now())


def find_overdue(told: Mapping[str, Any], now: datetime) -> list[str]:
    """Return those lines from what `status` knows.

    A run that goes on keeps all others waiting, and the next one does the work of every slot that it covered: only
    one that takes more than a day makes them overdue.
    """
    if told["in_work"] and now < datetime.fromisoformat(told["in_work"]["started"]) + LONGEST_RUN:
        return []
    late = []
    for job, slot in (told["schedule"].get("next") or {}).items():
        due = datetime.fromisoformat(slot)
        starts = [run["started"] for run in map(told["runs"].get, (job, "run")) if run]
        if now > due + GRACE and not any(datetime.fromisoformat(start) >= due for start in starts):
            late.append(f"{job} was due at {due:%Y-%m-%d %H:%M} UTC and has not run; is `calfwatch serve` running?")
    return late


def _list_attention(told: Mapping[str, Any]) -> list[str]:
    facts, runs = told["facts"], told["runs"]
    found = [f"rejected {row['path']}: {row['reason']} (file {row['file_id'][:12]})" for row in facts["rejected"]]
    found += [facts["snapshot"]] if facts["snapshot"] else []
    found += facts["senders_missing"]
    found += facts["public_lagging"]
    found += _list_failed_runs(runs)
    found += [told["metrics"]] if told["metrics"] else []
    found += [f"a notice to {target} failed: {reason}" for target, reason in sorted(told["notices"].items())]
    return found + find_overdue(told, clock.now())


def _list_failed_runs(runs: Mapping[str, Any]) -> list[str]:
    return [
        f"the last {job} {run['outcome']} at {run['ended'][:16].replace('T', ' ')} UTC: {run['reason']}"
        for job, run in sorted(runs.items())
        if run["outcome"] in ("failed", "crashed") and not _has_later_success(runs, run)
    ]


def read_health(home: Path) -> list[str]:
    """Return what is wrong with the machine that runs here, whatever the senders do: failed runs, missed slots.

    Opens no database, and a home in which nothing ran yet is healthy.
    """
    return _list_failed_runs(read_json(home / NAME).get("runs", {})) + find_missed_slots(home)


def _has_later_success(runs: Mapping[str, Any], failed: Mapping[str, Any]) -> bool:
    """Tell whether `run`, which does both jobs, has done well since."""
    return any(
        run["outcome"] in ("done", "rejected") and run["ended"] > failed["ended"] for run in (runs.get("run"),) if run
    )


def refuse_own_metrics(home: Path, settings: Settings) -> None:
    """Raise UsageError if `metrics_file` is one of the files of the home, which the metrics would replace."""
    path = home / (settings.metrics_file or "metrics")
    if Home(home).owns(path):
        raise UsageError(f"metrics_file: {path} is one of the files of the home; name another file")


def write_metrics(home: Path, settings: Settings) -> None:
    """Write the metrics for a Prometheus text-file collector, if `metrics_file` names a file."""
    if not settings.metrics_file:
        return
    from pipelines.jobs.monitoring.metrics import write_metrics_file

    path, problem = home / settings.metrics_file, ""
    try:
        write_metrics_file(path, read_status(home))
    except CalfwatchError:
        return
    except OSError as error:
        problem = f"metrics_file: {path} cannot be written: {error.strerror}; the metrics are old"
    if problem != read_json(home / NAME).get("metrics", ""):
        with _changed(home) as content:
            content["metrics"] = problem
