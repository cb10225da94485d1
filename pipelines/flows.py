"""The only module that imports prefect: thin flows and tasks over the jobs.

Flows pass paths and dates, never data: Prefect stores parameters readably.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect import serve as serve_deployments
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.schedules import CronSchedule
from prefect.runtime import flow_run
from prefect.states import Failed, State

from pipelines.errors import DiskError, FilesRejectedError, LockedError, UsageError
from pipelines.intake.deliveries import assign_sources, find_deliveries
from pipelines.jobs import publish, weekly_report
from pipelines.jobs.ingest import ingest_batch
from pipelines.jobs.outcome import Lines, count_rejected, describe_rejected, describe_totals, tell_other_files
from pipelines.settings import Settings, load_settings
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from pipelines.text import shown_path

CHUNKS = 16  # with publishing and reporting at most 18 task runs a flow run; the summary is an artifact, no task
RETRY_SECONDS = 10


def _can_pass(_task: Any, _run: Any, state: Any) -> bool:
    """Whether trying again can help: a lock or the disk may free up; a wrong setting stays wrong."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, LockedError | DiskError | OSError)


@task(
    name="ingest files",
    task_run_name="ingest {label}",
    retry_delay_seconds=RETRY_SECONDS,
    retry_condition_fn=_can_pass,
    persist_result=False,
)
def ingest_files(
    home: str, paths: list[str], source: str | None, wait_seconds: float, run_id: str, label: str
) -> list[dict[str, Any]]:
    """Ingests a chunk of files in order; known files are no work, so a second try never doubles anything."""
    place = Home(Path(home))
    settings = load_settings(place.path)
    deliveries = assign_sources([Path(path) for path in paths], settings, source)
    done = ingest_batch(place, settings, deliveries, wait_seconds, Lines(), publish=False, run_id=run_id)
    return [asdict(outcome) for outcome in done]


@task(
    name="publish summaries",
    task_run_name="publish summaries",
    retries=1,
    retry_delay_seconds=RETRY_SECONDS,
    retry_condition_fn=_can_pass,
    persist_result=False,
)
def publish_summaries(home: str, wait_seconds: float) -> None:
    """Replaces the published snapshot."""
    place = Home(Path(home))
    publish.publish_snapshot(place, load_settings(place.path), wait_seconds)


@task(
    name="write due reports",
    task_run_name="write due reports",
    retries=1,
    retry_delay_seconds=RETRY_SECONDS,
    retry_condition_fn=_can_pass,
    persist_result=False,
)
def write_due_reports(home: str, wait_seconds: float) -> list[str]:
    """Writes the reports of the weeks that ended since the last published one; often there is none."""
    return [str(folder) for folder in weekly_report.write_due_reports(Home(Path(home)), wait_seconds)]


@flow(name="calfwatch run", flow_run_name="run {home}", persist_result=False, validate_parameters=False)
def run_batch(home: str, paths: list[str], source: str | None = None, wait_seconds: float = 60) -> State | None:
    """One batch: ingest what is new, publish, write the reports that are due; ends as failed if a file is rejected."""
    place = Home(Path(home))
    place.make()
    outcomes = _ingest_in_chunks(place, paths, source, wait_seconds)
    publish_summaries(home, wait_seconds)
    folders = write_due_reports(home, wait_seconds)
    _summary(outcomes, folders)
    print("\n".join([describe_totals(outcomes), *(f"report  {folder}/internal.html" for folder in folders)]))
    return _verdict(outcomes)


@flow(name="calfwatch ingest", flow_run_name="ingest {home}", persist_result=False, validate_parameters=False)
def ingest_flow(home: str, paths: list[str], source: str | None = None, wait_seconds: float = 60) -> State | None:
    """The scheduled ingest: what is new in `paths`, and the snapshot."""
    place = Home(Path(home))
    place.make()
    outcomes = _ingest_in_chunks(place, paths, source, wait_seconds)
    publish_summaries(home, wait_seconds)
    _summary(outcomes, [])
    return _verdict(outcomes)


@flow(name="calfwatch report", flow_run_name="report {home}", persist_result=False, validate_parameters=False)
def report_flow(home: str, wait_seconds: float = 60) -> None:
    """The scheduled weekly report, of what is stored by then."""
    write_due_reports(home, wait_seconds)


def _ingest_in_chunks(place: Home, paths: list[str], source: str | None, wait_seconds: float) -> list[Outcome]:
    """One task a chunk of files, one after the other: delivery order decides which record wins."""
    settings = load_settings(place.path)
    tell_other_files(paths, place.owns)
    names = [str(delivery.path) for delivery in find_deliveries(paths, settings, source, place.leaves_out)]
    ingest_chunk = ingest_files.with_options(retries=settings.retries)
    outcomes: list[Outcome] = []
    for chunk in chunked(names, CHUNKS):
        done = ingest_chunk(str(place.path), chunk, source, wait_seconds, str(flow_run.id), _label(chunk))
        outcomes += [Outcome(**row) for row in done]
    return outcomes


def _label(chunk: Sequence[str]) -> str:
    """What a task run is called by: its first file, and how many follow."""
    first, more = shown_path(Path(chunk[0]).name), len(chunk) - 1
    return f"{first} and {more} more" if more else first


def chunked(names: Sequence[str], most: int) -> list[list[str]]:
    """At most `most` chunks of nearly equal length, in order."""
    size = max(1, -(-len(names) // most))
    return [list(names[place : place + size]) for place in range(0, len(names), size)]


def _summary(outcomes: Sequence[Outcome], folders: Sequence[str]) -> None:
    """The run's summary, kept beside the run: counts and verdicts, no cell of any file."""
    lines = ["| file | status | rows | accepted | quarantined | duplicate |", "|---|---|---|---|---|---|"]
    for outcome in outcomes:
        name = shown_path(Path(outcome.path).name).replace("|", "/")
        counts = (outcome.rows_read, outcome.rows_accepted, outcome.rows_quarantined, outcome.rows_duplicate)
        lines.append(f"| {name} | {outcome.status} | {' | '.join(f'{count:,}' for count in counts)} |")
    reports = "".join(f"\n\nReport: `{folder}`" for folder in folders)
    text = f"{describe_totals(outcomes)}\n\n" + "\n".join(lines) + reports
    create_markdown_artifact(text, key="calfwatch-run", description="what a run did")


def _verdict(outcomes: Sequence[Outcome]) -> State | None:
    """A failed state where a file was rejected: a verdict on the data, not an exception with a traceback."""
    rejected = count_rejected(outcomes)
    if not rejected:
        return None
    return Failed(message=describe_rejected(rejected, len(outcomes)))


def run_once(home: Path, paths: list[str], source: str | None, wait_seconds: float) -> None:
    """Runs the batch flow here and now. Raises FilesRejectedError, or whatever error ended the flow."""
    state = run_batch(str(home), paths, source, wait_seconds, return_state=True)
    if state.is_failed() and re.match(r"\d+ of \d+ files? rejected", state.message or ""):
        raise FilesRejectedError(state.message)
    state.result()


def _cron(cron: str, time_zone: str) -> CronSchedule:
    try:
        return CronSchedule(cron=cron, timezone=time_zone)
    except ValueError as error:
        raise UsageError(f"'{cron}' is no cron schedule; try '15 * * * *'") from error


def serve_schedules(home: Path, settings: Settings, ingest_cron: str, report_cron: str) -> None:
    """Serves both flows on their cron schedules, in the reporting time zone, until stopped.

    Raises UsageError for a schedule that is none.
    """
    schedules = [_cron(cron, settings.time_zone) for cron in (ingest_cron, report_cron)]
    incoming = [str(home / path) for path in settings.incoming]
    ingest_deployment = ingest_flow.to_deployment(
        name="ingest",
        schedule=schedules[0],
        parameters={"home": str(home), "paths": incoming},
        concurrency_limit=1,
    )
    report_deployment = report_flow.to_deployment(
        name="weekly-report",
        schedule=schedules[1],
        parameters={"home": str(home)},
        concurrency_limit=1,
    )
    serve_deployments(ingest_deployment, report_deployment)
