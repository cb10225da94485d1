"""Who waits for what never comes uses no CPU: a fault that makes its tests stand still is ended, and killed by that."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

LONGEST = 300  # seconds by the clock, in which even a crowded machine gives a process that works more than this:
LEAST_SECONDS = 0.5  # of CPU
ENDED_BY = signal.SIGUSR1


def cpu_seconds(group: int) -> float:
    """Return the seconds of CPU of the living processes of a group: a child waits for browsers and commands too."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended since
            continue
        if int(fields[2]) == group:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Watch:
    """Remembers since when each child has worked no more, and how much it had used then."""

    def __init__(self) -> None:
        self.seen: dict[int, tuple[float, float]] = {}

    def look_at(self, child: int) -> None:
        """End a child, which leads a group of processes, if it has stood still for too long."""
        now, used = time.monotonic(), cpu_seconds(child)
        since, before = self.seen.get(child, (now, float("-inf")))
        if abs(used - before) >= LEAST_SECONDS:
            self.seen[child] = now, used
        elif now - since > LONGEST:
            os.kill(child, ENDED_BY)
