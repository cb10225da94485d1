"""The child process of `serve` that runs the schedules: Prefect's Runner over both deployments of one home.

The limit of one run at a time is kept in this process: a limit on a deployment is a lease in the server's memory, which
a stop in the middle of a run leaves taken for ever.
Run: python -m pipelines.prefect_runner HOME INGEST_CRON REPORT_CRON.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.client.schemas.sorting import FlowRunSort
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.runner import Runner
from prefect.states import Crashed
from prefect.types.entrypoint import EntrypointType

from pipelines import clock, flows
from pipelines.errors import CalfwatchError, UsageError
from pipelines.jobs.monitoring import notices, status
from pipelines.jobs.monitoring.run_record import print_line
from pipelines.jobs.scheduled_run import make_folder
from pipelines.prefect_server import find_recorded_url, open_log
from pipelines.processes import write_json
from pipelines.settings import Settings, load_settings
from pipelines.store.database import Home
from pipelines.tether import end_with_parent
from pipelines.text import say

AT_START = "calfwatch-start"  # tag of the runs that make good what a stop missed
POLL_SECONDS = 2.0  # between two looks for a run that is due
KEEP_SECONDS = 10.0  # between two looks at the slots
IN_WORK = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]


class HomeRunner(Runner):  # type: ignore[misc]  # prefect is skipped
    """Prefect's runner, without its handler of SIGTERM, which stops nothing and prints a warning."""

    ids: Mapping[str, UUID]  # of the deployments by job

    def handle_sigterm(self, *args: Any, **kwargs: Any) -> None:
        """Leave the signal to the event loop."""

    async def cancel_all(self) -> None:
        """Cancel the run in work; one that has ended while its process has not would be called cancelled, too."""
        in_work = True
        with contextlib.suppress(Exception):  # without an answer of the server, what runs is to be stopped
            in_work = bool(await self._client.read_flow_runs(flow_run_filter=_filter_runs(self.ids, IN_WORK)))
        if in_work:
            await super().cancel_all()


def name_deployment(job: str, home: Path) -> str:
    """Return a name that no other home on the same server has."""
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:6]
    name = "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in home.name)
    return f"{job} {name} {digest}"


def make_schedule(cron: str, time_zone: str) -> CronSchedule:
    """Return a schedule in the reporting time zone. Raises UsageError if Prefect does not understand it."""
    try:
        return CronSchedule(cron=cron, timezone=time_zone)
    except ValueError as error:
        raise UsageError(f"'{cron}' is no cron schedule; try '15 * * * *'") from error


def make_deployments(home: Path, settings: Settings, crons: tuple[str, str]) -> dict[str, RunnerDeployment]:
    """Return the deployments of a home by job."""
    schedules = [make_schedule(cron, settings.time_zone) for cron in crons]
    incoming = settings.find_incoming(home)
    common: dict[str, Any] = {"entrypoint_type": EntrypointType.MODULE_PATH, "tags": ["calfwatch", home.name]}
    return {
        "ingest": flows.ingest_flow.to_deployment(
            name=name_deployment("ingest", home),
            description=f"Ingest what is new in the incoming folders of {home}, and publish the summaries.",
            schedule=schedules[0],
            parameters={"home": str(home), "paths": incoming},
            **common,
        ),
        "report": flows.report_flow.to_deployment(
            name=name_deployment("weekly-report", home),
            description=f"Write the reports of {home} that are due.",
            schedule=schedules[1],
            parameters={"home": str(home)},
            **common,
        ),
    }


async def run_schedules(home: Path, deployments: Mapping[str, RunnerDeployment]) -> None:
    """Register the deployments, make good what was missed, and run the schedules until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    runner = HomeRunner(limit=1, pause_on_shutdown=False, query_seconds=POLL_SECONDS, prefetch_seconds=0)
    runner.ids = ids = {job: await runner.aadd_deployment(deployment) for job, deployment in deployments.items()}
    async with get_client() as client:
        await _make_good(client, home, ids)
        if stop.is_set():
            return
        running = asyncio.create_task(runner.start())
        keeping = asyncio.create_task(_keep_schedule(client, home, ids))
        await asyncio.wait({running, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
        keeping.cancel()
        await _end_runner(runner, running)


async def _end_runner(runner: Runner, running: asyncio.Task[None]) -> None:
    """Take no new run, let the run in work be rolled back, and wait for it."""
    while not runner.started and not running.done():
        await asyncio.sleep(0.05)
    if not running.done():
        await runner.astop()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def _filter_runs(ids: Mapping[str, UUID], states: list[StateType], until: datetime | None = None) -> FlowRunFilter:
    return FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=list(ids.values())),
        state=_filter_states(states),
        expected_start_time=FlowRunFilterExpectedStartTime(before_=until) if until else None,
    )


def _filter_states(states: list[StateType]) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=states))


async def _make_good(client: PrefectClient, home: Path, ids: Mapping[str, UUID]) -> None:
    """End the runs that a kill left in work, drop missed slots, and do both jobs once now.

    One run does both: each is a process of its own, and on a busy machine the next slot would wait for two. Nobody
    can have a run in work on a server of the home's own that has only begun; one of others may be in use.
    """
    is_own = find_recorded_url(home) == os.environ["PREFECT_API_URL"]
    left = FlowRunFilter(state=_filter_states(IN_WORK)) if is_own else _filter_runs(ids, IN_WORK)
    for run in await client.read_flow_runs(flow_run_filter=left):
        state = Crashed(message="its process ended while this run was in work; the next one goes on from there")
        await client.set_flow_run_state(run.id, state, force=True)
    for run in await _find_late_runs(client, ids):
        await _delete_run(client, run)
    await client.create_flow_run_from_deployment(ids["ingest"], parameters={"then_report": True}, tags=[AT_START])


async def _find_late_runs(client: PrefectClient, ids: Mapping[str, UUID]) -> list[FlowRun]:
    """Return the slots that are over, oldest first, and starts that never ran; not what a person asked for."""
    runs = await client.read_flow_runs(
        flow_run_filter=_filter_runs(ids, [StateType.SCHEDULED], clock.now()),
        sort=FlowRunSort.EXPECTED_START_TIME_ASC,
    )
    return [run for run in runs if run.auto_scheduled or AT_START in run.tags]


async def _delete_run(client: PrefectClient, run: FlowRun) -> None:
    with contextlib.suppress(ObjectNotFound):
        await client.delete_flow_run(run.id)


async def _keep_schedule(client: PrefectClient, home: Path, ids: Mapping[str, UUID]) -> None:
    """Every few seconds, drop slots that were overtaken, and write down the next ones for `status`."""
    written: dict[str, str] = {}
    while True:
        with contextlib.suppress(Exception):  # a server that does not answer is the supervisor's to report
            await _collapse_late_runs(client, ids)
            slots = await _find_next_slots(client, ids)
            if slots != written:
                write_json(home / status.SCHEDULE, {"next": slots})
                written = slots
        await asyncio.sleep(KEEP_SECONDS)


async def _collapse_late_runs(client: PrefectClient, ids: Mapping[str, UUID]) -> None:
    """Keep one waiting run of each job: after a long run, one ingest does the work of all slots that it covered.

    The oldest is kept: it is the next that the runner takes, and may be on its way already.
    """
    kept: set[UUID | None] = set()
    for run in await _find_late_runs(client, ids):
        if run.deployment_id in kept:
            await _delete_run(client, run)
        kept.add(run.deployment_id)


async def _find_next_slots(client: PrefectClient, ids: Mapping[str, UUID]) -> dict[str, str]:
    slots: dict[str, str] = {}
    for job, identity in ids.items():
        runs = await client.read_flow_runs(
            flow_run_filter=_filter_runs({job: identity}, [StateType.SCHEDULED]),
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
        )
        times = [run.expected_start_time for run in runs if run.auto_scheduled and run.expected_start_time]
        slots |= {job: times[0].astimezone(UTC).isoformat(timespec="seconds")} if times else {}
    return slots


def print_start(home: Path, settings: Settings, crons: tuple[str, str]) -> None:
    """Say what is served, when, and how to open Prefect's page."""
    api = os.environ["PREFECT_API_URL"].removesuffix("/api")
    login = (
        f", which asks for the line in {home / 'prefect' / 'auth'}" if "PREFECT_API_AUTH_STRING" in os.environ else ""
    )
    text = f"ingest at '{crons[0]}', report at '{crons[1]}' ({settings.time_zone}); Prefect's page is {api}{login}"
    print_line(settings, f"serving   {home}: {text}")


def tell_missed_slots(home: Path, settings: Settings) -> None:
    """Send a notice of the slots that nobody served; they are made good now."""
    notices.send_notices(home, settings, notices.list_overdue_events(status.find_missed_slots(home)))


def main(arguments: list[str]) -> int:
    """Run the schedules of a home; return the exit code. Prefect's own words go to the server's log."""
    home, crons = Path(arguments[0]), (arguments[1], arguments[2])
    try:
        settings = load_settings(home)
        deployments = make_deployments(home, settings, crons)
        Home(home).make()
        for folder in settings.find_incoming(home):
            make_folder(folder)
    except CalfwatchError as error:
        first, *more = map(str, error.args)
        say(f"calfwatch: {first}", *more, stream=sys.stderr)
        return error.exit_code
    with open_log(home) as log:
        os.dup2(log, 2)
    end_with_parent()
    print_start(home, settings, crons)
    tell_missed_slots(home, settings)
    asyncio.run(run_schedules(home, deployments))
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # threads of Prefect's may still wait for a server that is gone
