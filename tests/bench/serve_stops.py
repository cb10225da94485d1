"""Stop `calfwatch serve` in the middle of an ingest, again and again: prints the table of docs/safety.md.

Run: python -m tests.bench.serve_stops [ROUNDS [FILES [SIGNAL ...]]]. Each try feeds files, sends the signal at a random
moment of their ingest, starts again, waits for the next slot of the schedule, and counts records and runs. All tries
are one home, the signals in turn; the table so far is printed after every try.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import duckdb

from tests.support.serving import SLOT_SECONDS, Serving, wait_until

ROWS = 5  # of a file
MOMENT_SECONDS = 1.0  # at most, after a line that tells of a file
PAUSE_SECONDS = 10  # a gap in the ticks of a thread that only sleeps
LONGEST = 900  # seconds that a machine with much else to do may need

HEAD = (
    "| signal | tries | files stored before it | exit codes | slowest stop, s | next slot ran | "
    "within 120 s of its time | late by, s: median, most | runs left in work | rows lost or doubled | "
    "printed an error | load | machine stood still |\n"
    f"|{'---|' * 13}"
)


@dataclass
class Tally:
    """What became of the tries with one signal."""

    codes: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)  # files told of before the signal
    stops: list[float] = field(default_factory=list)  # seconds from the signal to the end
    slots: list[float] = field(default_factory=list)  # seconds by which the next slot's run began late
    loads: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)  # seconds in which this process was not let run
    stuck: int = 0
    doubled_or_lost: int = 0
    complaints: int = 0

    def row(self, name: str) -> str:
        """The row of a signal."""
        codes = ", ".join(map(str, sorted(set(self.codes))))
        slots = f"{median(self.slots):.0f}, {max(self.slots):.0f}" if self.slots else "-"
        return (
            f"| {name} | {len(self.codes)} | {min(self.taken)}-{max(self.taken)} | {codes} | {max(self.stops):.1f} | "
            f"{len(self.slots)} | {sum(each <= SLOT_SECONDS for each in self.slots)} | {slots} | {self.stuck} | "
            f"{self.doubled_or_lost} | {self.complaints} | {min(self.loads):.0f}-{max(self.loads):.0f} |"
        )


class Ticker:
    """Notices that this process was stopped, or starved, and for how long at most since it was asked last."""

    def __init__(self) -> None:
        self.longest = 0.0
        threading.Thread(target=self._tick, daemon=True).start()

    def _tick(self) -> None:
        before = time.monotonic()
        while True:
            time.sleep(0.5)
            self.longest, before = max(self.longest, time.monotonic() - before), time.monotonic()

    def take(self) -> float:
        """Return the longest gap, and forget it."""
        longest, self.longest = self.longest, 0.0
        return longest


def stop_in_work(serving: Serving, number: int, files: int, tally: Tally) -> int:
    """Feed files, and send the signal at a random moment after some were told of; return how many rows."""
    before = serving.said.count(" accepted  ")
    rows = serving.feed(f"{number}-{len(tally.codes)}", files, ROWS)
    enough = before + random.randint(1, files * 3 // 4)
    wait_until(lambda: serving.said.count(" accepted  ") >= enough, LONGEST, "an ingest in work")
    time.sleep(random.uniform(0, MOMENT_SECONDS))
    tally.taken.append(serving.said.count(" accepted  ") - before)
    started = time.monotonic()
    tally.codes.append(serving.stop(number))
    tally.stops.append(time.monotonic() - started)
    tally.complaints += bool(serving.complained)
    return rows


def start_again(serving: Serving, rows: int, tally: Tally) -> None:
    """Start, wait for a slot, and count what it left; `rows` are there then if nothing is lost or doubled."""
    earlier = {name for name, *_ in serving.flow_runs("start_time IS NOT NULL", "id")}
    serving.start()
    try:
        tally.slots.append(serving.await_slot(LONGEST))
    except AssertionError as error:
        print(f"{error}; in work: {serving.in_work()}", file=sys.stderr)
    tally.stuck += sum(name in earlier for name, *_ in serving.flow_runs(serving.IN_WORK, "id"))
    tally.loads.append(os.getloadavg()[0])
    tally.doubled_or_lost += sum(abs(found - rows) for found in _records(serving))


def _records(serving: Serving) -> tuple[int, int]:
    """How many records and ids there are, as soon as no run writes."""
    while True:
        try:
            return serving.records()
        except duckdb.IOException:
            time.sleep(0.2)


def main(arguments: list[str]) -> None:
    """Print the table after every try."""
    rounds = int(arguments[0]) if arguments else 20
    files = int(arguments[1]) if len(arguments) > 1 else 364
    tallies = {name: Tally() for name in arguments[2:] or ["SIGINT", "SIGTERM", "SIGKILL"]}
    with tempfile.TemporaryDirectory() as folder:
        serving, rows, ticker = Serving(Path(folder) / "home"), 0, Ticker()
        serving.start()
        try:
            for _ in range(rounds):
                for name, tally in tallies.items():
                    rows += stop_in_work(serving, getattr(signal, name), files, tally)
                    start_again(serving, rows, tally)
                    tally.pauses.append(ticker.take())
                    for path in (serving.home / "incoming").iterdir():
                        path.unlink()
                    print(name, tally, file=sys.stderr, flush=True)
                    print(HEAD, *(each.row(key) for key, each in tallies.items() if each.loads), sep="\n", flush=True)
            serving.stop(signal.SIGTERM)
            print(f"in work at the end: {serving.in_work()}")
        finally:
            serving.end()


if __name__ == "__main__":
    main(sys.argv[1:])
