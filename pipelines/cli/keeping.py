"""Commands that decide what is kept, where and how long: `archive`, `export` and `forget`."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipelines.cli.options import DEFAULT_WAIT, HomeOption, WaitOption, refresh_status, require_home
from pipelines.text import pluralise, say


def archive(
    folder: Annotated[str, Parameter(help="where to; it gets a folder a month, and deliveries.csv")],
    /,
    *,
    home: HomeOption = None,
    wait: WaitOption = DEFAULT_WAIT,
) -> None:
    """Move the files that were taken in, each checked, out of the incoming folders."""
    from pipelines.jobs.archive import archive_files
    from pipelines.settings import load_settings
    from pipelines.store.database import Home

    path = require_home(home)
    say(*archive_files(Home(path), load_settings(path), Path(folder).absolute(), wait))
    refresh_status(path)


def export(
    folder: Annotated[str, Parameter(help="where to; a new or empty folder, or an earlier export, which is replaced")],
    /,
    *,
    home: HomeOption = None,
    wait: WaitOption = DEFAULT_WAIT,
) -> None:
    """Write the tagged records as Parquet, a folder a source, year and week, with a list of what is in it."""
    from pipelines.jobs.exporting.export import export_records
    from pipelines.settings import load_settings
    from pipelines.store.database import Home

    path = require_home(home)
    records = export_records(Home(path), load_settings(path), Path(folder).absolute(), wait)
    say(f"{folder}: {pluralise(records, 'record')}; single reports of people: keep them as the home is kept")


def forget(
    report_ids: Annotated[list[str] | None, Parameter(help="as the sender writes them", negative="")] = None,
    /,
    *,
    home: HomeOption = None,
    before: Annotated[date | None, Parameter(metavar="DATE", help="erase all reports of days before it")] = None,
    source: Annotated[str | None, Parameter(metavar="NAME", help="whose, if two senders have the id")] = None,
    dry_run: Annotated[bool, Parameter(help="say what would be erased, and who still holds it")] = False,
    yes: Annotated[bool, Parameter(help="do not ask at a terminal")] = False,
    wait: WaitOption = DEFAULT_WAIT,
) -> None:
    """Erase reports for good, so that the next delivery brings them back neither; their counts stay."""
    from pipelines.jobs.erasing.forget import Wish
    from pipelines.jobs.erasing.forget import forget as erase
    from pipelines.settings import load_settings
    from pipelines.store.database import Home

    def tell(plan: str) -> bool:
        say(*plan.split("\n"), stream=sys.stdout)
        return not dry_run and (yes or not sys.stdin.isatty() or input("erase? [yes/no] ") == "yes")

    path = require_home(home)
    wish = Wish(report_ids or (), source, before, dry_run)
    say(*erase(Home(path), load_settings(path), wish, wait, tell).split("\n"))
    refresh_status(path)
