"""`calfwatch run --no-server`: what both schedules do, in one process and without Prefect, for cron and systemd."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pipelines.errors import FilesRejectedError
from pipelines.jobs.cluster.address import Workers, prepared_by
from pipelines.jobs.incoming import find_settled_deliveries
from pipelines.jobs.ingest import ingest_batch
from pipelines.jobs.monitoring.run_lines import RunLines
from pipelines.jobs.monitoring.run_record import recorded_run
from pipelines.jobs.outcome import describe_rejected, tell_other_files
from pipelines.jobs.weekly_report import write_due_reports
from pipelines.settings import Settings, is_address
from pipelines.store.database import Home
from pipelines.text import say


def run_without_server(
    home: Home,
    settings: Settings,
    paths: Sequence[str],
    source: str | None,
    wait_seconds: float,
    workers: Workers | None = None,
) -> int:
    """Ingest what is new, publish, and write every due report; a rejected file does not stop the report.

    Without paths it works on the incoming folders, and leaves a file that may still be written for the next run.
    Raises FilesRejectedError at the end if a file was rejected.
    """
    settle_seconds = 0 if paths else settings.settle_seconds
    incoming = settings.find_incoming(home.path)
    with recorded_run(home.path, "run") as record:
        given = paths or _made(incoming)
        record.passed_over += tell_other_files(given, home.owns)
        deliveries = find_settled_deliveries(home, given, settings, source, settle_seconds)
        lines = RunLines(settings.time_zone)
        with prepared_by(workers, home) as preparer:
            record.outcomes += ingest_batch(home, settings, deliveries, wait_seconds, lines, preparer=preparer)
        record.reports += write_due_reports(home, wait_seconds)
    say(record.summarise(), *(f"report  {folder}/internal.html" for folder in record.reports))
    if record.rejected:
        raise FilesRejectedError(describe_rejected(len(record.rejected), len(record.outcomes)))
    return 0


def make_folder(path: str) -> None:
    """Make an incoming folder that is not there; a glob, a file or a bucket is left to whoever delivers."""
    if not is_address(path) and not set(path) & set("*?[") and not os.path.splitext(path)[1]:
        os.makedirs(path, mode=0o700, exist_ok=True)


def _made(incoming: Sequence[str]) -> Sequence[str]:
    for path in incoming:
        make_folder(path)
    return incoming
