"""Rows that were worked out here, written to their table."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    import pandas as pd


def replace_rows(
    connection: duckdb.DuckDBPyConnection, table: str, frame: pd.DataFrame, since: date | None = None
) -> None:
    """Put the rows in place of those that the table has; with `since`, of those of weeks from that day on."""
    import pyarrow as pa

    if since is None:
        connection.execute(f"DELETE FROM {table}")
    else:
        connection.execute(f"DELETE FROM {table} WHERE week_start >= $since", {"since": since})
    if len(frame):
        connection.register("rows_to_write", pa.Table.from_pandas(frame, preserve_index=False))
        connection.execute(f"INSERT INTO {table} BY NAME FROM rows_to_write")
        connection.unregister("rows_to_write")
