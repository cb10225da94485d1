"""Whether the counts of ledger, records and summaries agree: cheap enough for every start."""

from __future__ import annotations

import duckdb

from pipelines.errors import WHAT_TO_DO, StateError
from pipelines.statements import list_sql, read_statement
from schemas.pack import LEVELS


def check_counts(connection: duckdb.DuckDBPyConnection) -> None:
    """Ledger = records = summaries, or StateError: a truncated log opens with its tail silently gone.

    Cheap enough for every start; it counts, and does not look into every row.
    """
    counted = read_statement("store", "check_counts", levels=list_sql(LEVELS))
    for name, wanted, found in connection.execute(counted).fetchall():
        if wanted != found:
            raise StateError(
                f"records.duckdb contradicts itself: {name}: {wanted} by the ledger or the records, {found} found. "
                f"{WHAT_TO_DO}"
            )
