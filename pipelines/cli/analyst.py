"""Commands for who reads the counts: the weekly report and SQL."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from pipelines.cli.options import (
    DEFAULT_WAIT,
    HomeOption,
    WaitOption,
    refresh_status,
    refuse_option,
    require_home,
)
from pipelines.errors import UsageError
from pipelines.text import say


def report(
    *,
    home: HomeOption = None,
    week: Annotated[str, Parameter(metavar="WEEK", help="such as 2026-W47; latest: the last complete one")] = "latest",
    as_known_now: Annotated[bool, Parameter(help="compute a published week again; needs --out")] = False,
    out: Annotated[str | None, Parameter(metavar="DIR", help="write there instead of HOME/reports")] = None,
    reset: Annotated[
        str | None, Parameter(metavar="WEEK", help="take back the report of a week that was published by mistake")
    ] = None,
    wait: WaitOption = DEFAULT_WAIT,
) -> None:
    """Write the report of a week, or say where the published one is: a published week is frozen."""
    from pipelines.jobs.weekly_report import has_published, write_week
    from pipelines.store.database import Home

    path = require_home(home)
    if reset:
        if as_known_now or out or week != "latest":
            raise UsageError("--reset takes a report back and writes none: it goes with no other option")
        _take_back(path, reset, wait)
        return
    if as_known_now and not out:
        raise UsageError("--as-known-now does not touch the published report: say where to write with --out DIR")
    was_there = not out and has_published(Home(path), week)
    page = write_week(Home(path), week, Path(out) if out else None, as_known_now, wait) / "internal.html"
    refresh_status(path)
    say(str(page))
    if was_there:
        say("published before, and left as it is; weekly_revisions tells what has changed since", stream=sys.stderr)


def _take_back(path: Path, week: str, wait: float) -> None:
    from pipelines.jobs.weekly_report import reset_week
    from pipelines.store.database import Home

    say(reset_week(Home(path), week, wait))
    say(f"`calfwatch report --week {week}` publishes it anew, with the counts of then", stream=sys.stderr)
    refresh_status(path)


Sql = Annotated[
    str | None,
    Parameter(
        name="SQL",
        help='one statement, such as "FROM weekly_triage"; - reads it from standard input',
        allow_leading_hyphen=True,  # a statement may begin with a comment
        validator=refuse_option,
    ),
]
SqlFile = Annotated[
    str | None, Parameter(metavar="FILE", allow_leading_hyphen=True, help="read the statement from there; - as above")
]
Format = Annotated[
    Literal["table", "csv", "json", "parquet"] | None,
    Parameter(help="of the result (else by the ending of --out, else table)"),
]


def assess(
    week: Annotated[str, Parameter(name="WEEK", help="such as 2026-W47")],
    text: Annotated[str, Parameter(name="TEXT", help="the assessment; no data of a person")],
    /,
    *,
    name: Annotated[str, Parameter(metavar="NAME", help="who writes it")],
    contact: Annotated[str, Parameter(metavar="CONTACT", help="how to reach the writer")],
    home: HomeOption = None,
    wait: WaitOption = DEFAULT_WAIT,
) -> None:
    """Keep the clinical lead's assessment: on the page of a week to come, beside the page of a published one."""
    from pipelines.jobs.findings.assess import Assessment, keep_assessment
    from pipelines.settings import load_settings
    from pipelines.store.database import Home

    path = require_home(home)
    say(keep_assessment(Home(path), load_settings(path), Assessment(week, text, name, contact), wait))


def query(
    sql: Sql = None,
    /,
    *,
    home: HomeOption = None,
    file: SqlFile = None,
    db: Annotated[Literal["summaries", "public", "records"], Parameter(help="which database")] = "summaries",
    format: Format = None,  # noqa: A002 - the option's name
    out: Annotated[str | None, Parameter(metavar="FILE", help="write there (parquet needs it on a terminal)")] = None,
    whole: Annotated[bool, Parameter(help="cut no long text of a table")] = False,
    timeout: Annotated[float, Parameter(metavar="SECONDS", help="stop the query after this time")] = 60,
) -> None:
    """Run one read-only SQL statement, by default over the summaries."""
    from pipelines.cli.output import choose_format, write_result
    from pipelines.jobs.query import read_sql, run_query
    from pipelines.store.home import refuse_own_output

    statement = read_sql(sql, file)
    path = require_home(home)
    if out:
        refuse_own_output(Path(out), path)
    result = run_query(path / f"{db}.duckdb", statement, timeout, force=True)
    write_result(result, format or choose_format(out), out, whole)
