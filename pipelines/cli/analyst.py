"""Commands for who reads the counts: the weekly report and SQL."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from pipelines import clock
from pipelines.cli.options import (
    DEFAULT_WAIT,
    HomeOption,
    WaitOption,
    existing_home,
    refresh_status,
    refuse_option,
)
from pipelines.errors import UsageError


def report(
    *,
    home: HomeOption = None,
    week: Annotated[str, Parameter(metavar="WEEK", help="such as 2026-W47; latest: the last complete one")] = "latest",
    as_known_now: Annotated[bool, Parameter(help="compute a published week again; needs --out")] = False,
    out: Annotated[str | None, Parameter(metavar="DIR", help="write there instead of HOME/reports")] = None,
) -> None:
    """Write the report of a week, or say where the published one is: a published week is frozen."""
    from pipelines.jobs.weekly_report import write_week
    from pipelines.store.database import Home

    path = existing_home(home)
    if as_known_now and not out:
        raise UsageError("--as-known-now does not touch the published report: say where to write with --out DIR")
    started = clock.now().timestamp()
    page = write_week(Home(path), week, Path(out) if out else None, as_known_now) / "internal.html"
    refresh_status(path)
    print(page)
    if page.stat().st_mtime < started:
        print("published before, and left as it is; weekly_revisions tells what has changed since", file=sys.stderr)


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

    path = existing_home(home)
    print(keep_assessment(Home(path), load_settings(path), Assessment(week, text, name, contact), wait))


def query(
    sql: Annotated[
        str,
        Parameter(
            name="SQL",
            help='one statement, such as "FROM weekly_triage"',
            allow_leading_hyphen=True,  # a statement may begin with a comment
            validator=refuse_option,
        ),
    ],
    /,
    *,
    home: HomeOption = None,
    db: Annotated[Literal["summaries", "public", "records"], Parameter(help="which database")] = "summaries",
    format: Annotated[Literal["table", "csv", "json", "parquet"], Parameter(help="of the result")] = "table",  # noqa: A002 - the option's name
    out: Annotated[str | None, Parameter(metavar="FILE", help="write there (parquet needs it on a terminal)")] = None,
    timeout: Annotated[float, Parameter(metavar="SECONDS", help="stop the query after this time")] = 60,
) -> None:
    """Run one read-only SQL statement, by default over the summaries."""
    from pipelines.cli.output import write_result
    from pipelines.jobs.query import run_query
    from pipelines.store.home import refuse_own_output

    path = existing_home(home)
    if out:
        refuse_own_output(Path(out), path)
    result = run_query(path / f"{db}.duckdb", sql, timeout, force=True)
    write_result(result, format, out)
