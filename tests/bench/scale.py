"""Where the processor seconds of an ingest go: what other machines do, and what one process does in order.

    python -m tests.bench.scale FOLDER [--cluster local:2]

Ingests the CSVs below FOLDER into a new home, in this process, and prints processor seconds (of all threads) by phase.
Files called NAME-*.csv are of the source NAME. With a cluster, its workers prepare the files: then it prints what they
took, and the wall seconds that `simulate` gives for the same work beside those of the run. These mean something on a
machine that has nothing else to do.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipelines.intake.deliveries import find_deliveries
from pipelines.jobs import group, ingest, members
from pipelines.jobs import publish as publish_job
from pipelines.jobs.cluster.address import Workers, prepared_by
from pipelines.jobs.cluster.client import Cluster
from pipelines.jobs.cluster.unit import Prepared, Unit
from pipelines.jobs.outcome import Lines
from pipelines.settings import Settings, Source
from pipelines.store import daily_counts, database, load
from pipelines.store.database import Home

Seconds = Sequence[tuple[float, float]]  # of a worker and of the process that stores, for each unit in order
PHASES: tuple[tuple[Any, str, str], ...] = (
    (members, "screen_batch", "check"),
    (group, "_store", "store"),
    (load, "_insert_records", "tag and insert"),
    (daily_counts, "add_changes", "daily counts"),
    (publish_job, "publish", "publish"),
)


def measure(folder: Path, cluster: str = "") -> dict[str, float]:
    """Return processor seconds by phase; `store` holds `tag and insert` and `daily counts`."""
    spent: Counter[str] = Counter()
    for place, name, phase in PHASES:
        setattr(place, name, _timed(getattr(place, name), spent, phase))
    # groups one after another, or the seconds of the one would be counted in the other
    ingest._begin_to_screen = lambda *_: None
    paths = sorted(folder.rglob("*.csv"))
    names = sorted({path.name.partition("-")[0] for path in paths})
    settings = Settings(sources=tuple(Source(name, patterns=(f"{name}-*",)) for name in names))
    with tempfile.TemporaryDirectory() as place:
        home = Home(Path(place))
        home.make()
        deliveries = find_deliveries([str(folder)], settings, None)
        with prepared_by(Workers(cluster) if cluster else None, home) as preparer:
            units = _note_units(preparer) if preparer else []
            threads = preparer.count_threads() if preparer else 0
            started, begun = time.process_time(), time.perf_counter()
            outcomes = ingest.ingest_batch(home, settings, deliveries, 5, Quiet(), preparer=preparer)
            spent["all"] = time.process_time() - started
            spent["wall"] = time.perf_counter() - begun
        spent["rows"], spent["files"] = sum(each.rows_accepted for each in outcomes), len(outcomes)
        assert {each.status for each in outcomes} == {"accepted"}
        if not cluster:
            spent["insert of tagged rows"] = _insert_again(home, settings)
    spent["read and the rest"] = spent["all"] - spent["check"] - spent["store"] - spent["publish"]
    if cluster:
        spent["units"], spent["workers"] = len(units), sum(each.seconds for each in units)
        size = sum(each.seconds for each in units) / len(units)
        rest = spent["all"] - spent["publish"]
        for count in dict.fromkeys((threads, 2, 8)):
            walls = simulate([(size, rest / len(units))] * len(units), count, cores=os.cpu_count() or 1)
            spent[f"wall, simulated: {count} workers here"] = walls + spent["publish"]
            walls = simulate([(size, rest / len(units))] * len(units), count, cores=count + 1)
            spent[f"wall, simulated: {count} workers elsewhere"] = walls + spent["publish"]
    return dict(spent)


def _note_units(preparer: Cluster) -> list[Prepared]:
    """Return a list that fills with what the workers prepare."""
    units: list[Prepared] = []
    prepare = preparer.prepare

    def noted(given: Iterator[Unit]) -> Iterator[Prepared]:
        for prepared in prepare(given):
            units.append(prepared)
            yield prepared

    preparer.prepare = noted  # type: ignore[method-assign]
    return units


def simulate(units: Seconds, workers: int, cores: int, ahead: int | None = None, step: float = 0.01) -> float:
    """Return the wall seconds of a run: workers take units in order, one process stores them in order.

    Who has work shares the cores evenly. As many units as the client sends ahead are prepared or in work.
    """
    ahead = ahead or 1 + 2 * workers
    prepared, stored, clock = [0.0] * len(units), 0, 0.0
    left = units[0][1]
    while stored < len(units):
        sent = min(len(units), stored + ahead)
        busy = [place for place in range(sent) if prepared[place] < units[place][0]][:workers]
        is_storing = prepared[stored] >= units[stored][0]
        share = min(1.0, cores / (len(busy) + is_storing)) * step
        for place in busy:
            prepared[place] += share
        if is_storing:
            left -= share
            if left <= 0:
                stored += 1
                left = units[stored][1] if stored < len(units) else 0.0
        clock += step
    return clock


class Quiet(Lines):
    """Say nothing of a file."""

    def done(self, outcome: object) -> None:
        """Say nothing."""


def _timed(function: Callable[..., Any], spent: Counter[str], phase: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def timed(*given: Any, **named: Any) -> Any:
        started = time.process_time()
        try:
            return function(*given, **named)
        finally:
            spent[phase] += time.process_time() - started  # type: ignore[assignment]

    return timed


def _insert_again(home: Home, settings: Settings) -> float:
    """Return what it costs to store the same rows when they are tagged already."""
    from pipelines.store.packs import load_configured_pack

    with database.writing(home, settings, load_configured_pack(home, settings), 5) as connection:
        started = time.process_time()
        connection.execute("CREATE TABLE again AS FROM records")
        return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cluster", default="", help="tls://HOST:PORT, or local:N")
    chosen = parser.parse_args()
    found = measure(chosen.folder, chosen.cluster)
    print(json.dumps({name: round(each, 2) for name, each in found.items()}, indent=1))


if __name__ == "__main__":
    main()
