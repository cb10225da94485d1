"""DuckDB on one thread in the everyday run, where each core has a worker of its own; on one a core in a whole run.

For tables as small as those of tests the threads of DuckDB wait for each other more than they work: a seventh of the
processor time of an ingest and a publish. Whoever sets `threads` gets as many.
"""

from __future__ import annotations

from typing import Any

import duckdb

_connect = duckdb.connect


def take() -> None:
    """Let every database that this process opens from now on have one thread, if nothing else is said."""
    duckdb.connect = _connect_on_one_thread


def is_taken() -> bool:
    return duckdb.connect is _connect_on_one_thread


def _connect_on_one_thread(
    database: Any = ":memory:", read_only: bool = False, config: dict[str, Any] | None = None
) -> duckdb.DuckDBPyConnection:
    return _connect(database, read_only, {"threads": 1, **(config or {})})
