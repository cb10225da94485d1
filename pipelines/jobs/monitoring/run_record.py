"""What became of a run: one line, HOME/status.json, the metrics file and the notices, whichever way the run ended."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines import clock
from pipelines.errors import CalfwatchError, is_stop
from pipelines.jobs.monitoring import notices, status
from pipelines.jobs.monitoring.run import RunRecord
from pipelines.jobs.monitoring.run_lines import is_served, write_line
from pipelines.jobs.outcome import describe_rejected
from pipelines.processes import describe_process
from pipelines.settings import Settings, load_settings
from pipelines.store.ledger import encode_path


@contextlib.contextmanager
def recorded_run(home: Path, job: str) -> Iterator[RunRecord]:
    """Record a run; what ended it is raised again. A run that was stopped is recorded, and says nothing.

    `job` is ingest, report or run.
    """
    record = RunRecord(job)
    _begin(home, record)
    try:
        yield record
    except BaseException as error:
        stopped = not isinstance(error, Exception) or is_stop(error)
        record.is_ours = isinstance(error, CalfwatchError)
        end_run(home, record, "stopped" if stopped else "failed", "" if stopped else explain_error(error))
        raise
    rejected = len(record.rejected)
    reason = describe_rejected(rejected, len(record.outcomes)) if rejected else ""
    end_run(home, record, "rejected" if rejected else "done", reason)


def explain_error(error: BaseException) -> str:
    """Return one line for an error: a message of ours as it is, any other with its kind."""
    text = " ".join(str(error).split())
    return text if isinstance(error, CalfwatchError) else f"{type(error).__name__}: {text}".rstrip(": ")


def end_run(home: Path, record: RunRecord, outcome: str, reason: str) -> None:
    """Write down how a run ended, and tell whom it concerns. An error here is no error of the run."""
    settings = _load_settings_or_defaults(home)
    with contextlib.suppress(Exception):  # whatever ails the state: that the run failed must be told below
        status.write_run(home, record.job, _make_entry(record, outcome, reason))
        status.refresh_facts(home, settings)
        status.write_metrics(home, settings)
    if outcome == "stopped":
        return
    if is_served():
        print_line(settings, _format_line(record, outcome, reason))
    events = notices.list_run_events(home, record, outcome, reason, settings.public.hide_up_to)
    notices.send_notices(home, settings, events)


def _begin(home: Path, record: RunRecord) -> None:
    status.refuse_own_metrics(home, _load_settings_or_defaults(home))
    with contextlib.suppress(ValueError, TypeError, AttributeError):  # a schedule that is damaged stops no run
        record.missed = [] if status.is_being_served(home) else status.find_missed_slots(home)
    with contextlib.suppress(OSError):
        status.write_run(
            home,
            "in_work",
            {"job": record.job, "started": _format_moment(record.started), "process": describe_process(os.getpid())},
        )


def _make_entry(record: RunRecord, outcome: str, reason: str) -> dict[str, Any]:
    count = {kind: sum(o.status == kind for o in record.outcomes) for kind in ("accepted", "known", "rejected")}
    return {
        "started": _format_moment(record.started),
        "ended": _format_moment(clock.now()),
        "outcome": outcome,
        "reason": reason,
        "files": len(record.outcomes),
        **count,
        "rows_accepted": sum(o.rows_accepted for o in record.outcomes),
        "rows_quarantined": sum(o.rows_quarantined for o in record.outcomes),
        "no_csv": [encode_path(path) for path in record.passed_over],
        "reports": [folder.name for folder in record.reports],
    }


def _format_moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _format_line(record: RunRecord, outcome: str, reason: str) -> str:
    said = {"done": record.summarise(), "rejected": record.summarise()}.get(outcome, f"{outcome.upper()}: {reason}")
    return f"{record.job:<9} {said}"


def _load_settings_or_defaults(home: Path) -> Settings:
    try:
        return load_settings(home)
    except CalfwatchError:
        return Settings()


def print_line(settings: Settings, text: str) -> None:
    """Print a line of the schedule."""
    write_line(text, settings.time_zone)
