"""Homes with a state: of a released version, or fed with the same CSVs by today's code; and what is in them."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.intake.deliveries import find_deliveries
from pipelines.jobs import publish as publish_job
from pipelines.jobs.ingest import Run, ingest_file
from pipelines.settings import Settings
from pipelines.store import database
from pipelines.store.database import Home
from schemas.pack import Pack
from tests.conftest import opened

STATES = Path(__file__).parents[1] / "states"
TIMES = {"ingested_at", "run_id", "path", "tried_with", "superseded_at", "first_used"}


def old_home(folder: Path, version: int) -> Home:
    home = Home(folder / f"v{version}")
    home.make()
    packed = (STATES / f"v{version}" / "records.duckdb.gz").read_bytes()
    home.records.write_bytes(gzip.decompress(packed))
    return home


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every table and view, without times and names of runs; sorted, because a table has no order."""
    found = {}
    with opened(path) as connection:
        names = connection.execute(
            "SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal"
        ).fetchall()
        for (name,) in names:
            columns = [row[0] for row in connection.execute(f"DESCRIBE {name}").fetchall()]
            times = TIMES | ({"reported_at"} if name == "reported_weeks" else set())
            kept = ", ".join(column for column in columns if column not in times)
            # which file the snapshot is depends on when it was written
            of_any_run = " WHERE key NOT IN ('published', 'published_at')" if name == "state" else ""
            found[name] = connection.execute(f"SELECT {kept} FROM {name}{of_any_run} ORDER BY ALL").fetchall()
    return found


def fed(home: Home, pack: Pack, paths: Sequence[Path], publish: bool = True) -> None:
    settings = Settings()
    with home.lock(0), database.open_records(home, settings, pack) as connection:
        for delivery in find_deliveries([str(path) for path in paths], settings, None, in_order=True):
            ingest_file(connection, delivery, Run(home, settings, pack))
        if publish:
            publish_job.publish(connection, home, settings)


def wal(home: Home) -> Path:
    return home.records.with_name("records.duckdb.wal")


def with_a_log(home: Home, pack: Pack, path: Path) -> None:
    """Takes a file in, in a process that dies before DuckDB folds its log into the database."""
    child = os.fork()
    if child == 0:  # pragma: no cover - the process that dies
        with database.open_records(home, Settings(), pack) as connection:
            ingest_file(connection, find_deliveries([str(path)], Settings(), None)[0], Run(home, Settings(), pack))
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert wal(home).stat().st_size > 1000
