"""Prefect's flows and tasks, thin over the jobs; `prefect_runner` schedules them.

Flows pass paths and dates, never data: Prefect stores parameters readably.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.logging.handlers import APILogHandler
from prefect.runtime import flow_run
from prefect.states import Completed, Failed, State

from pipelines.errors import ClusterError, DiskError, FilesRejectedError, LockedError
from pipelines.intake.deliveries import assign_sources
from pipelines.jobs import publish, weekly_report
from pipelines.jobs.cluster.address import Workers, prepared_by
from pipelines.jobs.incoming import find_settled_deliveries
from pipelines.jobs.ingest import ingest_batch
from pipelines.jobs.monitoring.run import RunRecord
from pipelines.jobs.monitoring.run_lines import RunLines, is_served
from pipelines.jobs.monitoring.run_record import end_run, recorded_run
from pipelines.jobs.outcome import describe_rejected, describe_totals, tell_other_files
from pipelines.prefect_server import check_served_home, check_served_paths
from pipelines.settings import load_settings
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from pipelines.text import escape_unprintable, format_path, say

CHUNKS = 16  # with publishing and reporting at most 18 task runs a flow run; the summary is an artifact, no task
RETRY_SECONDS = 10
MOST_TOLD = 20  # rejected files in the message of a state


def _can_pass(_task: Any, _run: Any, state: Any) -> bool:
    """Return whether trying again can help: a lock or the disk may free up; a wrong setting stays wrong."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, LockedError | DiskError | ClusterError | OSError)


@task(
    name="ingest files",
    task_run_name="ingest {label}",
    retry_delay_seconds=RETRY_SECONDS,
    retry_condition_fn=_can_pass,
    persist_result=False,
)
def ingest_files(
    home: str,
    paths: list[str],
    source: str | None,
    wait_seconds: float,
    run_id: str,
    label: str,
    cluster: str | None = None,
    shared: str | None = None,
) -> State:
    """Ingest a chunk of files in order; known files are no work, so a second try never doubles anything.

    With a `cluster` its workers prepare the files: it is reached from within the task, and needs nothing of Prefect.

    The state's data is a row a file, its message the reason of each that was rejected.
    """
    place = Home(Path(home))
    settings = load_settings(place.path)
    deliveries = assign_sources(paths, settings, source)
    lines = RunLines(settings.time_zone)
    with prepared_by(Workers(cluster, shared or "") if cluster else None, place) as preparer:
        done = ingest_batch(
            place, settings, deliveries, wait_seconds, lines, publish=False, run_id=run_id, preparer=preparer
        )
    return Completed(message=_tell_rejected(done) or None, data=[asdict(outcome) for outcome in done])


@task(
    name="publish summaries",
    task_run_name="publish summaries",
    retries=1,
    retry_delay_seconds=RETRY_SECONDS,
    retry_condition_fn=_can_pass,
    persist_result=False,
)
def publish_summaries(home: str, wait_seconds: float) -> None:
    """Replace the published snapshot."""
    place = Home(Path(home))
    publish.publish_news(place, load_settings(place.path), wait_seconds)


@task(
    name="write due reports",
    task_run_name="write due reports",
    retries=1,
    retry_delay_seconds=RETRY_SECONDS,
    retry_condition_fn=_can_pass,
    persist_result=False,
)
def write_due_reports(home: str, wait_seconds: float) -> list[str]:
    """Write the reports of the weeks that ended since the last published one; often there is none."""
    return [str(folder) for folder in weekly_report.write_due_reports(Home(Path(home)), wait_seconds)]


def _note_crash(flow: Any, flow_run: Any, state: Any) -> None:
    """Record a run whose process was killed; Prefect's runner calls this, for the run can not."""
    job = str(flow.name).rpartition(" ")[2]
    record = RunRecord(job, started=flow_run.start_time or flow_run.expected_start_time)
    end_run(Path(flow_run.parameters["home"]), record, "crashed", str(state.message or "its process ended"))


def _run_name() -> str:
    """Name a flow run by its job and home."""
    job = str(flow_run.flow_name).rpartition(" ")[2]
    return f"{job} {Path(str(flow_run.parameters['home'])).name}"


FLOW = {"flow_run_name": _run_name, "persist_result": False, "validate_parameters": False, "on_crashed": [_note_crash]}


@flow(name="calfwatch run", **FLOW)
def run_batch(
    home: str,
    paths: list[str],
    source: str | None = None,
    wait_seconds: float = 60,
    cluster: str | None = None,
    shared: str | None = None,
) -> State:
    """Ingest what is new, publish, and write the reports that are due; a rejected file makes the run end as failed."""
    with _recorded(home, "run", paths) as record:
        record.passed_over += tell_other_files(paths, Home(Path(home)).owns)
        workers = Workers(cluster, shared or "") if cluster else None
        record.outcomes += _ingest_in_chunks(Home(Path(home)), paths, source, wait_seconds, workers)
        publish_summaries(home, wait_seconds)
        record.reports += map(Path, write_due_reports(home, wait_seconds))
    say(describe_totals(record.outcomes), *(f"report  {each}/internal.html" for each in record.reports))
    return _conclude(record)


@flow(name="calfwatch ingest", **FLOW)
def ingest_flow(
    home: str, paths: list[str], source: str | None = None, wait_seconds: float = 60, then_report: bool = False
) -> State:
    """Ingest what is new in `paths`, and publish; the schedule's first half. `then_report`: both halves, at a start."""
    with _recorded(home, "ingest", paths) as record:
        record.passed_over += tell_other_files(paths, Home(Path(home)).owns)
        record.outcomes += _ingest_in_chunks(Home(Path(home)), paths, source, wait_seconds)
        publish_summaries(home, wait_seconds)
    if then_report:
        with _recorded(home, "report", []) as reported:
            reported.reports += map(Path, write_due_reports(home, wait_seconds))
    return _conclude(record)


@flow(name="calfwatch report", **FLOW)
def report_flow(home: str, wait_seconds: float = 60) -> State:
    """Write the reports that are due, of what is stored by then; the schedule's second half."""
    with _recorded(home, "report", []) as record:
        record.reports += map(Path, write_due_reports(home, wait_seconds))
    return _conclude(record)


@contextlib.contextmanager
def _recorded(home: str, job: str, paths: list[str]) -> Iterator[RunRecord]:
    """Record a run of a flow; one that `serve` started ends with it, and works on its home alone."""
    place = Home(Path(home))
    if is_served():
        _end_with_parent()
        check_served_home(place.path)  # before anything is written there
    place.make()
    with recorded_run(place.path, job) as record:
        if is_served():
            check_served_paths(place.path, paths, load_settings(place.path).incoming)
        yield record


def _end_with_parent() -> None:
    """End this process when the runner that started it is gone: nobody else would."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="watch-parent").start()


def _ingest_in_chunks(
    place: Home, paths: list[str], source: str | None, wait_seconds: float, workers: Workers | None = None
) -> list[Outcome]:
    """Run one task a chunk of files, one after the other: delivery order decides which record wins.

    With the workers of a cluster it is one task, within which they work on all files at once.
    """
    settings = load_settings(place.path)
    settle_seconds = settings.settle_seconds if is_served() else 0
    found = find_settled_deliveries(place, paths, settings, source, settle_seconds)
    names = [each.address or str(each.path) for each in found]
    ingest_chunk = ingest_files.with_options(retries=settings.retries)
    outcomes: list[Outcome] = []
    for chunk in split_evenly(names, 1 if workers else CHUNKS):
        given = (str(place.path), chunk, source, wait_seconds, str(flow_run.id), _name_task_run(chunk))
        where = (workers.cluster, workers.shared) if workers else ()
        state = ingest_chunk(*given, *where, return_state=True)
        outcomes += [Outcome(**row) for row in state.result()]
    return outcomes


def _name_task_run(chunk: Sequence[str]) -> str:
    """Name a task run by its first file and how many follow."""
    first, more = format_path(Path(chunk[0]).name), len(chunk) - 1
    return f"{first} and {more} more" if more else first


def split_evenly(names: Sequence[str], most: int) -> list[list[str]]:
    """Return at most `most` chunks of nearly equal length, in order."""
    size = max(1, -(-len(names) // most))
    return [list(names[place : place + size]) for place in range(0, len(names), size)]


def escape_markdown(text: str) -> str:
    """Return Markdown that shows a text as it is: a file's name must become no link, image or table cell."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", format_path(text))


def _conclude(record: RunRecord) -> State:
    """Return the state of a flow that went to its end; a rejected file is a verdict on the data, and no traceback."""
    text = render_artifact(record)
    create_markdown_artifact(text, key="calfwatch-run", description=f"what the {record.job} did")
    if not record.rejected:
        return Completed(message=record.summarise())
    return Failed(message=_tell_rejected(record.outcomes))


def _tell_rejected(outcomes: Sequence[Outcome]) -> str:
    """Return how many files were rejected, and why the first ones; nothing if none was."""
    rejected = [outcome for outcome in outcomes if outcome.status == "rejected"]
    if not rejected:
        return ""
    reasons = [f"{format_path(each.path)}: {escape_unprintable(each.reason or '')}" for each in rejected[:MOST_TOLD]]
    return "\n".join([describe_rejected(len(rejected), len(outcomes)), *reasons])


def render_artifact(record: RunRecord) -> str:
    """Return what a run did as Markdown: counts, verdicts and reasons, no cell of any file. Known files are counted."""
    lines = ["| file | status | rows | accepted | quarantined | duplicate | reason |", "|---|---|---|---|---|---|---|"]
    for outcome in record.outcomes:
        if outcome.status == "known":
            continue
        counts = (outcome.rows_read, outcome.rows_accepted, outcome.rows_quarantined, outcome.rows_duplicate)
        cells = [escape_markdown(Path(outcome.path).name), outcome.status, *(f"{count:,}" for count in counts)]
        lines.append(f"| {' | '.join(cells)} | {escape_markdown(outcome.reason or '')} |")
    return "\n".join([escape_markdown(record.summarise()), "", *(lines if len(lines) > 2 else [])])


def run_once(
    home: Path, paths: list[str], source: str | None, wait_seconds: float, workers: Workers | None = None
) -> None:
    """Run the batch flow here and now. Raises FilesRejectedError, or whatever error ended the flow."""
    where = (workers.cluster, workers.shared) if workers else ()
    state = run_batch(str(home), paths, source, wait_seconds, *where, return_state=True)
    APILogHandler().flush()  # while the server is still there: what is sent later ends as an error on the terminal
    first = (state.message or "").split("\n")[0]
    if state.is_failed() and re.match(r"\d+ of \d+ files? rejected", first):
        raise FilesRejectedError(first)
    if not state.is_completed():
        state.result()
