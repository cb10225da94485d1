"""Commands about a home as a whole: begin one, look after it, copy it."""

from __future__ import annotations

import contextlib
import json as json_text
import os
import shlex
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from pipelines import clock
from pipelines.cli.options import (
    DEFAULT_WAIT,
    HomeOption,
    JsonOption,
    WaitOption,
    WholeNumber,
    make_home,
    refresh_status,
    require_home,
    resolve_home,
)
from pipelines.text import pluralise, say

if TYPE_CHECKING:
    from pipelines.store.database import Home

ATTENTION = 7  # exit code


def demo(
    *,
    home: HomeOption = None,
    reports: Annotated[WholeNumber, Parameter(metavar="N", help="how many reports")] = 100_000,
    seed: Annotated[WholeNumber, Parameter(metavar="S", help="equal seeds make equal reports")] = 1,
    end: Annotated[date | None, Parameter(metavar="DATE", help="last day, a Sunday (else last Sunday)")] = None,
    wait: WaitOption = DEFAULT_WAIT,
) -> None:
    """Make six months of synthetic reports, ingest them, write the latest weekly report; a second time adds nothing."""
    from pipelines.cli.engineer import ingest_files, report_rejected
    from pipelines.intake.deliveries import find_deliveries
    from pipelines.jobs.weekly_report import write_week

    place, settings = make_home(home)
    made = _make_reports(place.path / "demo", reports, seed, end or _find_last_sunday(clock.today("UTC")))
    outcomes = ingest_files(place, settings, find_deliveries([str(made)], settings, None), wait)
    folder = write_week(place, "latest", None, False, wait)
    refresh_status(place.path)
    _print_next_steps(place, folder)
    report_rejected(outcomes)


def _make_reports(folder: Path, reports: int, seed: int, end: date) -> Path:
    """Generate the CSVs of the demo unless they are there; return their folder."""
    from pipelines.files import replace_folder
    from pipelines.synthetic import generate

    def fill(empty: Path) -> None:
        generate(empty, reports=reports, weeks=26, seed=seed, end=end)

    if not (folder / "reports").exists():
        say(f"writing {reports:,} synthetic reports over 26 weeks, no real person among them")
        replace_folder(folder, fill)
    return folder / "reports"


def _find_last_sunday(today: date) -> date:
    """Return the last day of the last complete ISO week."""
    return today - timedelta(days=today.isoweekday() % 7 or 7)


def _print_next_steps(home: Home, folder: Path) -> None:
    where = f"--home {shlex.quote(os.path.relpath(home.path))}"
    command = shlex.quote(sys.argv[0]) if "/" in sys.argv[0] else "calfwatch"
    sql = "SELECT week, triage_level, reports, share FROM weekly_triage ORDER BY week DESC LIMIT 4"
    say(
        *f"""
records    {home.records}   (private: every record with its tags)
summaries  {home.summaries}   (counts only: query it from any tool)
report     {folder / "internal.html"}

try next:
  {command} query {where} "{sql}"
  {command} explain {where} {_find_example(home)}
  {command} status {where}""".split("\n")
    )


def _find_example(home: Home) -> str:
    """Return the id of a record worth explaining: the latest emergency, else any."""
    from pipelines.connections import read_only

    sql = "SELECT report_id FROM reports ORDER BY triage_level = 'emergency' DESC, reported_at DESC, report_id LIMIT 1"
    with contextlib.closing(read_only(home.records)) as connection:
        row = connection.execute(sql).fetchone()
    return str(row[0]) if row else "REPORT_ID"


def status(
    *,
    home: HomeOption = None,
    json: JsonOption = False,
    health: Annotated[bool, Parameter(help="only whether runs fail or slots are missed, whatever senders do")] = False,
) -> int:
    """Show what is stored, what is due and what was rejected; exit code 7 if something needs attention."""
    from pipelines.jobs.monitoring.status import read_health, read_status
    from pipelines.jobs.monitoring.status_lines import describe_status

    if health:
        wrong = read_health(resolve_home(home))
        say(*(wrong or ["healthy"]))
        return ATTENTION if wrong else 0
    found = read_status(require_home(home))
    say(*(json_text.dumps(found, indent=2).split("\n") if json else describe_status(found)))
    return ATTENTION if found["attention"] else 0


def config(
    *,
    home: HomeOption = None,
    init: Annotated[bool, Parameter(help="write a commented calfwatch.toml; overwrites none")] = False,
) -> None:
    """Show every setting, its value, where it came from and what it means."""
    from pipelines.cli.settings_text import describe_settings, write_first_settings

    path = resolve_home(home)
    if init:
        say(f"{write_first_settings(path)}: written; take the # from a line to set it")
        return
    rows = describe_settings(path)
    say(f"home = {path}  ({_name_home_origin(home)})")
    for name, value, origin, meaning in rows:
        say(f"{name} = {value}  ({origin}: {meaning})")


def _name_home_origin(given: str | None) -> str:
    if not given:
        return "default"
    return "CALFWATCH_HOME" if given == os.environ.get("CALFWATCH_HOME") else "--home"


def check(
    *,
    home: HomeOption = None,
    deep: Annotated[bool, Parameter(help="check every block, row, tag and count, not only the sums")] = False,
    wait: WaitOption = DEFAULT_WAIT,
) -> None:
    """Check whether the stored state can be trusted; exit code 5 if not."""
    from pipelines.jobs.check import check as check_state
    from pipelines.settings import load_settings
    from pipelines.store.database import Home
    from pipelines.store.packs import load_configured_pack

    place = Home(require_home(home))
    settings = load_settings(place.path)
    with place.lock(wait):
        lines = check_state(place, settings, load_configured_pack(place, settings), deep)
    say(*(f"ok  {line}" for line in lines))


def backup(
    file: Annotated[str, Parameter(help="where to write the copy")],
    /,
    *,
    home: HomeOption = None,
    wait: WaitOption = DEFAULT_WAIT,
) -> None:
    """Write a checked copy of the records; readers need not stop."""
    from pipelines.jobs.backup import write_backup as copy_records
    from pipelines.store.database import Home

    records = copy_records(Home(require_home(home)), Path(file).absolute(), wait)
    say(f"{file}: {pluralise(records, 'record')}, opened and checked")


def restore(
    file: Annotated[str, Parameter(help="a backup")],
    /,
    *,
    home: HomeOption = None,
    wait: WaitOption = DEFAULT_WAIT,
) -> None:
    """Replace the records by a backup; the old state is kept beside it."""
    from pipelines.jobs.backup import restore as replace_records
    from pipelines.store.packs import load_configured_pack

    place, settings = make_home(home)
    pack = load_configured_pack(place, settings)
    records, kept = replace_records(place, settings, pack, Path(file).absolute(), wait)
    refresh_status(place.path)
    say(f"{pluralise(records, 'record')} restored" + (f"; the state before is kept as {kept}" if kept else ""))


def install_completion(
    *,
    shell: Annotated[Literal["bash", "zsh", "fish"] | None, Parameter(help="else the one that runs this")] = None,
    output: Annotated[Path | None, Parameter(metavar="FILE", help="else the place where the shell looks")] = None,
) -> None:
    """Write the script with which a shell completes commands and options, and load it in the shell's start-up file."""
    from pipelines.cli.app import build_app

    path = build_app().install_completion(shell=shell, output=output, add_to_startup=output is None)
    say(f"{path}: written; start the shell again to use it")
