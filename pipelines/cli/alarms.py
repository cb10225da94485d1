"""Commands for what the lead found out about an alarm."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from pipelines.cli.options import DEFAULT_WAIT, HomeOption, WaitOption, require_home
from pipelines.text import say

Series = Annotated[str, Parameter(name="SERIES", help="as in `alarm list`, such as triage_level=emergency")]
Text = Annotated[str, Parameter(name="TEXT", help="what was found out; no data of a person")]
WeekOption = Annotated[
    str | None, Parameter(metavar="WEEK", help="a week of the alarm (else the latest alarm of the series)")
]


def list_alarms(
    *,
    home: HomeOption = None,
    all: Annotated[bool, Parameter(help="those that are over too")] = False,  # noqa: A002
) -> None:
    """List the alarms that go on, with the latest note on each."""
    from pipelines.cli.output import format_table
    from pipelines.jobs.findings.alarms import list_alarms as read_alarms
    from pipelines.store.database import Home

    rows = read_alarms(Home(require_home(home)), all)
    if rows:
        say(*format_table(list(rows[0]), [list(row.values()) for row in rows]).rstrip().split("\n"))
    else:
        say("no alarm was ever raised" if all else "no alarm goes on; `--all` lists those that are over")


def note_alarm(
    series: Series, text: Text, /, *, home: HomeOption = None, week: WeekOption = None, wait: WaitOption = DEFAULT_WAIT
) -> None:
    """Note something on an alarm."""
    _keep("note", series, text, home, week, wait)


def close_alarm(
    series: Series, text: Text, /, *, home: HomeOption = None, week: WeekOption = None, wait: WaitOption = DEFAULT_WAIT
) -> None:
    """Close an alarm that was looked into; it rises again at twice the count that it has now."""
    _keep("close", series, text, home, week, wait)


def reopen_alarm(
    series: Series,
    text: Text = "",
    /,
    *,
    home: HomeOption = None,
    week: WeekOption = None,
    wait: WaitOption = DEFAULT_WAIT,
) -> None:
    """Show a closed alarm among the others again."""
    _keep("reopen", series, text, home, week, wait)


def _keep(action: str, series: str, text: str, home: str | None, week: str | None, wait: float) -> None:
    from pipelines.jobs.findings.alarms import Finding, keep_finding
    from pipelines.settings import load_settings
    from pipelines.store.database import Home

    place = Home(require_home(home))
    say(keep_finding(place, load_settings(place.path), Finding(action, series, text, week), wait))
