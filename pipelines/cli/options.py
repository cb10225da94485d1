"""Parameters that several commands share, and the home that one of them names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import CoercionError, Parameter, Token

from pipelines.errors import UsageError, lost_records
from pipelines.files import refuse_odd_path

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.store.database import Home

DEFAULT_HOME = "calfwatch-home"
DEFAULT_WAIT = 60

HomeOption = Annotated[
    str | None,
    Parameter(
        metavar="DIR", env_var="CALFWATCH_HOME", show_default=lambda _: f"./{DEFAULT_HOME}", help="state directory"
    ),
]
SourceOption = Annotated[str | None, Parameter(metavar="NAME", help="whose files these are (else by file name)")]


def refuse_negative(_: type, value: float) -> None:
    """Raise ValueError for a time to wait that is none."""
    if not value >= 0:
        raise ValueError("it must be 0 seconds or more.")


WaitOption = Annotated[
    float, Parameter(metavar="SECONDS", validator=refuse_negative, help="how long to wait for another writer")
]
InOrderOption = Annotated[
    bool, Parameter(negative="", help="keep the order of the arguments (else by the period in the name, then by path)")
]
WholeOption = Annotated[
    bool, Parameter(negative="", help="take a file whose last line has no line end: it is no unfinished upload")
]
ClusterOption = Annotated[
    str | None,
    Parameter(metavar="ADDRESS", help="have a Dask cluster read, check and tag: tls://HOST:PORT, or local:N"),
]
SharedOption = Annotated[
    str | None,
    Parameter(metavar="ADDRESS", help="with --cluster: a folder its workers see, or s3://BUCKET (else HOME/tmp)"),
]
FileOption = Annotated[
    str | None, Parameter(metavar="FILE_ID", help="only this file (the first characters are enough)")
]
JsonOption = Annotated[bool, Parameter(help="as JSON")]


Lines = Literal["quiet", "new", "all"]
QuietOption = Annotated[bool, Parameter(name=("--quiet", "-q"), help="print only what is wrong")]
VerboseOption = Annotated[bool, Parameter(name=("--verbose", "-v"), help="print a line for every file")]


def choose_lines(quiet: bool, verbose: bool) -> Lines:
    """Return which files get a line. Raises UsageError if both options are given."""
    if quiet and verbose:
        raise UsageError("--quiet and --verbose exclude each other: take one of them")
    return "quiet" if quiet else "all" if verbose else "new"


def refresh_status(home: Path) -> None:
    """Bring status.json up to date after a command that changed what is stored."""
    from pipelines.jobs.monitoring.status import refresh_facts
    from pipelines.settings import load_settings

    refresh_facts(home, load_settings(home))


def read_whole_number(_: type, tokens: Sequence[Token]) -> int:
    """Return a whole number; the library by itself would round 1.5 to 2."""
    try:
        return int(tokens[0].value)
    except ValueError as error:
        raise CoercionError(token=tokens[0], target_type=int) from error


WholeNumber = Annotated[int, Parameter(converter=read_whole_number)]


def resolve_home(given: str | None) -> Path:
    """Return the home as an absolute path; nothing, or an empty CALFWATCH_HOME, means ./calfwatch-home.

    Raises UsageError for a path that cannot hold a database.
    """
    home = Path(given or DEFAULT_HOME).absolute()
    refuse_odd_path(home)
    return home


def make_home(given: str | None) -> tuple[Home, Settings]:
    """Return a home, its folders made if they are not there, and its settings."""
    from pipelines.settings import load_settings
    from pipelines.store.database import Home

    home = Home(resolve_home(given))
    home.make()
    return home, load_settings(home.path)


def require_home(given: str | None) -> Path:
    """Return a home in which something is stored.

    Raises UsageError if nothing was stored yet, StateError if the records are gone.
    """
    home = resolve_home(given)
    if not (home / "records.duckdb").exists():
        if (home / "summaries.duckdb").exists():
            raise lost_records(home / "records.duckdb")
        from pipelines.settings import load_settings

        load_settings(home)  # what is wrong with them may be why
        raise UsageError(f"{home}: nothing is stored there yet; try `calfwatch ingest PATH` or another --home")
    return home


def refuse_option(_: type, text: str | None) -> None:
    """Refuse a mistyped option where a text that may begin with two hyphens is expected."""
    if text and re.fullmatch(r"-{1,2}[A-Za-z][\w-]*(=.*)?", text):
        raise ValueError(f"{text} is no option of this command.")
