"""Stop `calfwatch serve` in the middle of an ingest, again and again: prints the table of docs/operations.md.

Run: python -m tests.bench.serve_stops [TRIES] [SIGNAL ...]. Each try feeds files, sends the signal after some of them
were taken, starts again, and waits for the next slot of the schedule. All tries of a signal are one home.
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.serving import SLOT_SECONDS, Serving, wait_until

FILES = 40


@dataclass
class Tally:
    """What became of the tries with one signal."""

    tries: int = 0
    codes: tuple[int, ...] = ()
    slots: int = 0
    stuck: int = 0
    doubled_or_lost: int = 0
    complaints: int = 0
    slowest_stop: float = 0.0


def try_once(serving: Serving, number: int, place: int, rows: int, tally: Tally) -> int:
    """One stop and one start; returns how many rows there must be now."""
    before = serving.said.count(" accepted  ")
    rows += serving.feed(f"try{place}", FILES)
    enough = before + random.randint(1, FILES // 2)
    wait_until(lambda: serving.said.count(" accepted  ") >= enough, 180, "an ingest in work")
    started = time.monotonic()
    tally.codes += (serving.stop(number),)
    tally.slowest_stop = max(tally.slowest_stop, time.monotonic() - started)
    tally.complaints += bool(serving.complained)
    serving.start()
    try:
        serving.await_slot(SLOT_SECONDS)
        tally.slots += 1
    except AssertionError as error:
        print(f"try {place}: {error}", file=sys.stderr)
    tally.tries += 1
    return rows


def stop_with(number: int, tries: int, home: Path) -> Tally:
    """All tries with one signal."""
    tally, rows, serving = Tally(), 0, Serving(home)
    serving.start()
    try:
        for place in range(tries):
            rows = try_once(serving, number, place, rows, tally)
            print(f"{signal.Signals(number).name} {place + 1}: {tally}", file=sys.stderr, flush=True)
        serving.stop(signal.SIGTERM)
        tally.stuck = len(serving.in_work())
        tally.doubled_or_lost = sum(abs(found - rows) for found in serving.records())
    finally:
        serving.end()
    return tally


def main(arguments: list[str]) -> None:
    """Prints one row a signal."""
    tries = int(arguments[0]) if arguments else 20
    names = arguments[1:] or ["SIGINT", "SIGTERM", "SIGKILL"]
    print("| signal | tries | exit codes | next slot ran within 120 s | runs left in work | rows lost or doubled |"
          " printed an error | slowest stop |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            tally = stop_with(getattr(signal, name), tries, Path(folder) / "home")
        codes = ", ".join(map(str, sorted(set(tally.codes))))
        print(
            f"| {name} | {tally.tries} | {codes} | {tally.slots} | {tally.stuck} | {tally.doubled_or_lost} | "
            f"{tally.complaints} | {tally.slowest_stop:.1f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
