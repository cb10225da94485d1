"""Commands for who runs the intake: take files in, set them aside, take them back."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from pipelines import clock
from pipelines.cli.options import (
    DEFAULT_WAIT,
    ClusterOption,
    FileOption,
    HomeOption,
    InOrderOption,
    Lines,
    QuietOption,
    SharedOption,
    SourceOption,
    VerboseOption,
    WaitOption,
    WholeNumber,
    WholeOption,
    choose_lines,
    make_home,
    refresh_status,
    require_home,
    resolve_home,
)
from pipelines.errors import FilesRejectedError, UsageError
from pipelines.text import format_path, pluralise, say

if TYPE_CHECKING:
    from pipelines.intake.deliveries import Delivery
    from pipelines.intake.reader import PrefetchingReader
    from pipelines.intake.together.small_files import FilesAhead
    from pipelines.jobs.cluster.address import Workers
    from pipelines.jobs.outcome import Lines as Progress
    from pipelines.settings import Settings
    from pipelines.store.database import Home
    from pipelines.store.ledger import Outcome


def run(
    *paths: Annotated[
        str, Parameter(name="PATH", help="files, folders or globs (else the setting `incoming`)", required=False)
    ],
    home: HomeOption = None,
    source: SourceOption = None,
    wait: WaitOption = DEFAULT_WAIT,
    no_server: Annotated[bool, Parameter(help="without Prefect, as from cron or a systemd timer")] = False,
    cluster: ClusterOption = None,
    shared: SharedOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> int:
    """Run one batch as a Prefect flow: ingest what is new, publish, write reports that are due."""
    from pipelines.prefect_server import prepare_prefect, running_server

    refuse_odd_paths(paths)
    workers = choose_workers(cluster, shared)
    place, settings = make_home(home)
    os.environ["CALFWATCH_LINES"] = choose_lines(quiet, verbose)  # the flow's tasks read it
    if no_server:
        from pipelines.jobs.scheduled_run import run_without_server

        return run_without_server(place, settings, paths, source, wait, workers)
    given = list(paths) or find_incoming_paths(place.path, settings)
    prepare_prefect(place.path, settings.prefect_days)
    with running_server(place.path):
        from pipelines import flows  # Prefect reads its environment when it is imported

        flows.run_once(place.path, given, source, wait, workers)
    return 0


def choose_workers(cluster: str | None, shared: str | None) -> Workers | None:
    """Return where the workers of a cluster are, if one is named. Raises UsageError for an address that is refused."""
    if cluster is None:
        if shared is not None:
            raise UsageError("--shared is the folder of a cluster's workers: name the cluster by --cluster")
        return None
    from pipelines.jobs.cluster.address import Workers

    return Workers(cluster, shared or "")


def refuse_odd_paths(paths: Sequence[str], hint: str = "") -> None:
    """Raise UsageError for a path that is not there, or an address that is none, before Prefect starts or keeps it."""
    from pipelines.settings import check_address, is_address

    for path in paths:
        if is_address(path):
            check_address(path)
        elif not any(sign in path for sign in "*?[") and not os.path.lexists(path):
            raise UsageError(f"{path}: no such file or folder{hint}")


def find_incoming_paths(home: Path, settings: Settings) -> list[str]:
    """Return what `run` ingests if nothing is named. Raises UsageError if a folder of it is not there."""
    paths = settings.find_incoming(home)
    hint = (
        "; it is what the setting `incoming` names. Make the folder and put files into it, "
        "name files (`calfwatch run PATH`), or set `incoming`"
    )
    refuse_odd_paths(paths, hint)
    return paths


def ingest(
    *paths: Annotated[str, Parameter(name="PATH", help="files, folders or globs", required=True)],
    home: HomeOption = None,
    source: SourceOption = None,
    wait: WaitOption = DEFAULT_WAIT,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    in_order: InOrderOption = False,
    whole: WholeOption = False,
) -> None:
    """Ingest and publish, without Prefect and without the report."""
    from pipelines.intake.deliveries import SUFFIXES, find_deliveries
    from pipelines.jobs.outcome import tell_other_files
    from pipelines.jobs.prefetch import prefetch_first

    place, settings = make_home(home)
    deliveries = find_deliveries(paths, settings, source, place.leaves_out, in_order)
    others = tell_other_files(paths, place.owns)
    if not deliveries:
        say(f"no {', '.join(SUFFIXES)} there: {' '.join(paths)}", stream=sys.stderr)
    # pandas and pandera load, and the records are opened, while the first file is already read
    with prefetch_first(place, settings, deliveries) as prefetched:
        lines = choose_lines(quiet, verbose)
        outcomes = ingest_files(place, settings, deliveries, wait, lines, prefetched, whole, others)
    report_rejected(outcomes)


def ingest_files(
    home: Home,
    settings: Settings,
    deliveries: Sequence[Delivery],
    wait: float,
    lines: Lines = "new",
    prefetched: PrefetchingReader | FilesAhead | None = None,
    whole: bool = False,
    others: Sequence[Path] = (),
) -> list[Outcome]:
    """Ingest a batch under a progress bar and print its totals; `others` were passed over, for they are no CSVs."""
    from pipelines.jobs.ingest import ingest_batch
    from pipelines.jobs.monitoring.run_record import recorded_run
    from pipelines.jobs.outcome import describe_totals

    with recorded_run(home.path, "ingest") as record, _progress(settings.time_zone, lines) as progress:
        record.passed_over += others
        record.outcomes = ingest_batch(home, settings, deliveries, wait, progress, prefetched=prefetched, whole=whole)
    say(describe_totals(record.outcomes))
    return record.outcomes


def report_rejected(outcomes: Sequence[Outcome]) -> None:
    """Raise FilesRejectedError if some file of a batch was rejected."""
    from pipelines.jobs.outcome import describe_rejected

    rejected = sum(outcome.status == "rejected" for outcome in outcomes)
    if rejected:
        raise FilesRejectedError(describe_rejected(rejected, len(outcomes)))


@contextlib.contextmanager
def _progress(time_zone: str, lines: Lines) -> Iterator[Progress]:
    """Show a bar on a terminal, plain lines elsewhere and if lines were asked for."""
    from pipelines.jobs.monitoring.run_lines import RunLines

    if not sys.stderr.isatty() or lines != "new":
        yield RunLines(time_zone, lines)
        return
    from pipelines.cli.progress import Bar

    with Bar() as bar:
        yield bar


def inspect(
    file: Annotated[str, Parameter(help="one CSV, as it would be delivered")],
    /,
    *,
    home: HomeOption = None,
    source: SourceOption = None,
    adapter: Annotated[bool, Parameter(help="print a first adapter for the file's header instead")] = False,
) -> None:
    """Say what would happen to a file: its faults, what is allowed, what it would replace; nothing is stored."""
    from pipelines.jobs.inspecting.first_adapter import write_adapter
    from pipelines.jobs.inspecting.inspect import inspect_file
    from pipelines.settings import load_settings
    from pipelines.store.database import Home

    place = Home(resolve_home(home))
    settings = load_settings(place.path)
    if adapter:
        say(*write_adapter(place, settings, file, source).removesuffix("\n").split("\n"))
        return
    lines, is_taken = inspect_file(place, settings, file, source)
    say(*lines)
    if not is_taken:
        raise FilesRejectedError(f"{format_path(file)}: would be rejected, for the reasons above")


def quarantine(
    action: Annotated[
        Literal["list", "export"], Parameter(help="list counts the reasons, export prints every bad cell as CSV")
    ],
    /,
    *,
    home: HomeOption = None,
    file: FileOption = None,
) -> None:
    """Count the open bad cells by reason over all files, or print every cell as CSV."""
    from pipelines.jobs.quarantine import describe_reasons, write_cells

    records = require_home(home) / "records.duckdb"
    if action == "export":
        write_cells(records, file or "", sys.stdout)
    else:
        say(*describe_reasons(records, file or ""))


def withdraw(
    file_id: Annotated[str, Parameter(help="of the ledger; its first characters are enough")],
    /,
    *,
    home: HomeOption = None,
    source: Annotated[
        str | None, Parameter(metavar="NAME", help="needed if two senders delivered the same content")
    ] = None,
    csv: Annotated[
        list[str] | None, Parameter(metavar="PATH", help="where later files are that must be read again; repeatable")
    ] = None,
    undo: Annotated[bool, Parameter(help="accept a withdrawn file again at its next delivery")] = False,
    wait: WaitOption = DEFAULT_WAIT,
) -> None:
    """Take a wrong file back, as if it had never been delivered."""
    from pipelines.jobs.withdraw import withdraw_file
    from pipelines.settings import load_settings
    from pipelines.store.database import Home

    path = require_home(home)
    say(withdraw_file(Home(path), load_settings(path), file_id, source, csv or [], undo, wait))
    refresh_status(path)


def generate(
    *,
    out: Annotated[str, Parameter(metavar="DIR", help="where to write; gets reports/ and labels/")],
    reports: Annotated[WholeNumber, Parameter(metavar="N", help="how many reports")] = 100_000,
    weeks: Annotated[WholeNumber, Parameter(metavar="W", help="over how many weeks")] = 26,
    seed: Annotated[WholeNumber, Parameter(metavar="S", help="equal seeds make equal reports")] = 1,
    end: Annotated[date | None, Parameter(metavar="DATE", help="last day, such as 2026-11-22 (else today)")] = None,
    files: Annotated[Literal["weekly", "daily", "single"], Parameter(help="one file for each of these")] = "weekly",
    outbreak: Annotated[
        str | None, Parameter(metavar="CAUSE:REGION:WEEK:WEEKS:FACTOR", help="more of a cause in a region")
    ] = None,
) -> None:
    """Write synthetic, realistic reports as CSV, and their true causes in a folder of their own."""
    from pipelines.store.home import refuse_own_output
    from pipelines.synthetic import Outbreak
    from pipelines.synthetic import generate as write_reports

    refuse_own_output(Path(out), resolve_home(os.environ.get("CALFWATCH_HOME")))
    paths = write_reports(
        Path(out),
        reports=reports,
        weeks=weeks,
        seed=seed,
        end=end or clock.today("UTC"),
        outbreak=Outbreak.parse(outbreak) if outbreak else None,
        files=files,
    )
    say(f"{pluralise(len(paths), 'file')} in {paths[0].parent}")
