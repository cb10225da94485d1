"""Whether the counts of ledger, records and summaries agree: cheap enough for every start."""

from __future__ import annotations

import duckdb

from pipelines.errors import WHAT_TO_DO, StateError
from pipelines.statements import sql_list, statement
from schemas.pack import LEVELS


def check_counts(connection: duckdb.DuckDBPyConnection) -> None:
    """Ledger = records = summaries, or StateError: a truncated log opens with its tail silently gone.

    Cheap enough for every start; it counts, and does not look into every row.
    """
    counted = statement("store", "check_counts", levels=sql_list(LEVELS))
    for name, wanted, found in connection.execute(counted).fetchall():
        if wanted != found:
            raise StateError(
                f"records.duckdb contradicts itself: {name}: {wanted} by the ledger or the records, {found} found. "
                f"{WHAT_TO_DO}"
            )
