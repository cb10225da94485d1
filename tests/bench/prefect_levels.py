"""Run sixty flows over a home whose Prefect keeps one day of rows: prints how its database grows, and levels off.

Run: python -m tests.bench.prefect_levels [RUNS [HOURS]]. Server, flows and pruning are the real ones; after every run
each time in Prefect's database is set back by HOURS (3), as if those had passed. Pruning comes each half second, not
each hour.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.serving import HEADER, wait_until

DAYS = 1  # of rows that are kept
SHOWN = ("flow_run", "task_run", "log", "artifact", "events", "event_resources")
ENDED = "SELECT count(*) FROM flow_run WHERE end_time IS NOT NULL"


def connect(home: Path) -> contextlib.closing[sqlite3.Connection]:
    """Open Prefect's database beside its server."""
    return contextlib.closing(sqlite3.connect(home / "prefect" / "prefect.db", timeout=60))


def set_back(home: Path, hours: int) -> None:
    """Set every time in the database back."""
    with connect(home) as connection, connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for _, column, kind, *_ in connection.execute(f'PRAGMA table_info("{table}")').fetchall():
                if kind in ("TIMESTAMP", "DATETIME"):
                    earlier = f"datetime(substr({column}, 1, 19), '-{hours} hours') || substr({column}, 20)"
                    connection.execute(f'UPDATE "{table}" SET "{column}" = {earlier} WHERE "{column}" IS NOT NULL')


def count_rows(home: Path) -> dict[str, int]:
    """Return how many rows each table has that has any."""
    with connect(home) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        counts = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}
    return {name: count for name, count in counts.items() if count}


def used_kb(home: Path) -> int:
    """Return how much of the database is in use, in KB: what is free is used again."""
    with connect(home) as connection:
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    return (pages - free) * size >> 10


def run_flows(home: Path, runs: int, hours: int) -> Iterator[tuple[int, int, Mapping[str, int]]]:
    """Run a flow and let some hours pass, so many times; yield file size and use in KB, and rows, after each."""
    from pipelines import prefect_server

    os.environ["PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS"] = "0.5"
    (home / "incoming").mkdir(parents=True)
    prefect_server.prepare_prefect(home, DAYS)
    with prefect_server.own_server(home):
        from pipelines import flows  # Prefect reads its environment when it is imported

        for number in range(runs):
            path = home / "incoming" / f"{number:03d}.csv"
            path.write_text(f"{HEADER}{number},2026-11-01T10:{number % 60:02d}:00Z,5,no\n")
            flows.run_once(home, [str(path)], None, 60)
            set_back(home, hours)
            with connect(home) as connection:
                wait_until(
                    lambda c=connection: c.execute(ENDED).fetchone()[0] <= 24 * DAYS // hours,
                    120,
                    "old runs are pruned",
                )
            yield (home / "prefect" / "prefect.db").stat().st_size >> 10, used_kb(home), count_rows(home)


def main(arguments: list[str]) -> None:
    """Print a line after every run."""
    runs, hours = int(arguments[0]) if arguments else 60, int(arguments[1]) if len(arguments) > 1 else 3
    with tempfile.TemporaryDirectory() as folder:
        print(f"run  file KB  in use KB  {'  '.join(SHOWN)}  other rows")
        for number, (size, used, rows) in enumerate(run_flows(Path(folder) / "home", runs, hours), 1):
            counts = "  ".join(str(rows.get(name, 0)).rjust(len(name)) for name in SHOWN)
            others = sum(count for name, count in rows.items() if name not in SHOWN)
            print(f"{number:3d}  {size:7d}  {used:9d}  {counts}  {others:10d}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
