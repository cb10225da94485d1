"""What a run says about its files while it works: what is new or wrong, led by the time unless at a terminal."""

from __future__ import annotations

import os
import sys
from typing import TextIO
from zoneinfo import ZoneInfo

from pipelines import clock
from pipelines.jobs.outcome import Lines, describe
from pipelines.store.ledger import Outcome
from pipelines.text import say

VERBOSITIES = ("quiet", "new", "all")


def is_served() -> bool:
    """Tell whether this process runs a flow of `calfwatch serve`: its standard error goes to the server's log."""
    return bool(os.environ.get("CALFWATCH_SERVED_HOME"))


def write_line(text: str, time_zone: str, stream: TextIO | None = None) -> None:
    """Write one line at once, led by the time in the reporting time zone unless the stream is a terminal."""
    stream = stream or (sys.stdout if is_served() else sys.stderr)
    time = "" if stream.isatty() else f"{clock.now().astimezone(ZoneInfo(time_zone)).isoformat(' ', 'seconds')}  "
    say(f"{time}{text}", stream=stream)


def write_news(text: str, time_zone: str) -> None:
    """Write a line that tells of nothing wrong, unless only what is wrong is wanted."""
    if os.environ.get("CALFWATCH_LINES") != "quiet":
        write_line(text, time_zone)


class RunLines(Lines):
    """Tells of each file that is new or wrong; `all` tells known ones too, `quiet` only what was rejected."""

    def __init__(self, time_zone: str, verbosity: str | None = None) -> None:
        self.time_zone = time_zone
        self.verbosity = verbosity or os.environ.get("CALFWATCH_LINES") or "new"

    def done(self, outcome: Outcome) -> None:
        """Tell of a file, if it is worth a line."""
        told = {"rejected": VERBOSITIES, "known": ("all",)}.get(outcome.status, ("new", "all"))
        if self.verbosity in told:
            write_line(describe(outcome), self.time_zone)
