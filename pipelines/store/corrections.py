"""A quarantined cell is open until its row comes right: an accepted row of a later delivery, of the same sender and id.

The withdrawal of that delivery opens the cell again, if no other one stands for its row.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.statements import first_row, statement
from schemas.checked_file import CheckedFile

OPEN_IDS = pa.schema([("delivery_no", pa.int32()), ("report_id", pa.string()), ("stored_id", pa.string())])


def mark_corrected(connection: duckdb.DuckDBPyConnection, checked: CheckedFile, delivery_no: int) -> None:
    """Mark the open cells that a delivery brought right; what it names again is in the table `stored_matches`."""
    values = {"source": checked.source, "delivery_no": delivery_no}
    open_cells = statement("store", "open_cells")
    if not first_row(connection, f"{open_cells} LIMIT 1", values):
        return
    made = f"SELECT delivery_no, report_id, report_id AS stored_id FROM ({open_cells})"
    if checked.ids_of:  # ids hold within the file of one name: what its earlier deliveries left open
        rows = connection.execute(open_cells, values).fetchall()
        own = [(number, sent) for number, sent, path in rows if Path(path).name == checked.ids_of]
        ids = [{"delivery_no": number, "report_id": sent, "stored_id": checked.stored_id(sent)} for number, sent in own]
        connection.register("own_ids", pa.Table.from_pylist(ids, OPEN_IDS))
        made = "FROM own_ids"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE open_ids AS {made}", None if checked.ids_of else values)
    connection.execute(statement("store", "mark_corrected"), {**values, "file_id": checked.file_id})
    connection.execute("DROP TABLE open_ids")


def open_again(connection: duckdb.DuckDBPyConnection, source: str, file_id: str) -> None:
    """Undo what a withdrawn delivery brought right, but for rows of which another later one brought a record."""
    connection.execute(
        """UPDATE quarantine SET corrected_by = NULL
           WHERE corrected_by = ? AND delivery_no IN (SELECT delivery_no FROM files WHERE source = ?)""",
        [file_id, source],
    )
    connection.execute(statement("store", "corrected_by_records"), {"source": source})
