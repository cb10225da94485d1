"""Commands of the schedule: `serve`, `deploy` and `notify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipelines.cli.options import HomeOption, QuietOption, VerboseOption, choose_lines, make_home, resolve_home
from pipelines.errors import UsageError
from pipelines.text import say


def serve(
    *,
    home: HomeOption = None,
    ingest_cron: Annotated[
        str | None, Parameter(metavar="CRON", help="when to ingest (else the setting `ingest_cron`)")
    ] = None,
    report_cron: Annotated[
        str | None, Parameter(metavar="CRON", help="when to write the report (else the setting `report_cron`)")
    ] = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> int:
    """Run both schedules, as Prefect deployments, until stopped."""
    from pipelines import supervisor

    place, settings = make_home(home)
    crons = (ingest_cron or settings.ingest_cron, report_cron or settings.report_cron)
    return supervisor.serve(place.path, crons, settings.prefect_days, choose_lines(quiet, verbose))


def deploy(
    *,
    home: HomeOption = None,
    out: Annotated[str | None, Parameter(metavar="FILE", help="write there")] = None,
) -> None:
    """Print prefect.yaml for a Prefect server of your own, from the settings."""
    from pipelines.deployment_file import render_deployment
    from pipelines.files import write_output
    from pipelines.settings import load_settings
    from pipelines.store.home import refuse_own_output

    path = resolve_home(home)
    text = render_deployment(path, load_settings(path))
    if out:
        refuse_own_output(Path(out), path)
        write_output(Path(out), text.encode())
    else:
        say(*text.removesuffix("\n").split("\n"))


def notify(
    *,
    home: HomeOption = None,
    test: Annotated[bool, Parameter(help="send a test notice to each target")] = False,
) -> int:
    """Try the targets of the notices; exit code 1 if one failed."""
    from pipelines.jobs.monitoring.notices import send_test
    from pipelines.settings import load_settings

    if not test:
        raise UsageError("notices are sent by `run` and `serve`; try their targets with --test")
    path = resolve_home(home)
    results = send_test(path, load_settings(path))
    for target, problem in results:
        say(f"{target}: {problem or 'sent'}")
    return int(any(problem for _, problem in results))
