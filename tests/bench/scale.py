"""Where the processor seconds of an ingest go: what other machines could do, and what one process must do in order.

    python -m tests.bench.scale FOLDER

Ingests the CSVs below FOLDER into a new home, in this process, and prints processor seconds (of all threads) by phase.
Files called NAME-*.csv are of the source NAME. Wall seconds are not measured: they are those of whoever else computes.
"""

from __future__ import annotations

import functools
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.intake.deliveries import find_deliveries
from pipelines.jobs import group, ingest
from pipelines.jobs import publish as publish_job
from pipelines.jobs.outcome import Lines
from pipelines.settings import Settings, Source
from pipelines.store import daily_counts, database, load
from pipelines.store.database import Home

PHASES: tuple[tuple[Any, str, str], ...] = (
    (ingest, "screen_members", "check"),
    (group, "_store", "store"),
    (load, "_insert_records", "tag and insert"),
    (daily_counts, "add_changes", "daily counts"),
    (publish_job, "publish", "publish"),
)


def measure(folder: Path) -> dict[str, float]:
    """Return processor seconds by phase; `store` holds `tag and insert` and `daily counts`."""
    spent: Counter[str] = Counter()
    for place, name, phase in PHASES:
        setattr(place, name, _timed(getattr(place, name), spent, phase))
    paths = sorted(folder.rglob("*.csv"))
    names = sorted({path.name.partition("-")[0] for path in paths})
    settings = Settings(sources=tuple(Source(name, patterns=(f"{name}-*",)) for name in names))
    with tempfile.TemporaryDirectory() as place:
        home = Home(Path(place))
        home.make()
        started = time.process_time()
        deliveries = find_deliveries([str(folder)], settings, None)
        outcomes = ingest.ingest_batch(home, settings, deliveries, 5, Quiet())
        spent["all"] = time.process_time() - started
        spent["rows"], spent["files"] = sum(each.rows_accepted for each in outcomes), len(outcomes)
        assert {each.status for each in outcomes} == {"accepted"}
        spent["insert of tagged rows"] = _insert_again(home, settings)
    spent["read and the rest"] = spent["all"] - spent["check"] - spent["store"] - spent["publish"]
    return dict(spent)


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


if __name__ == "__main__":
    print(json.dumps({name: round(each, 2) for name, each in measure(Path(sys.argv[1])).items()}, indent=1))
