"""Every version of the reports that a file named: which is in use if that file had never been delivered."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from pipelines.rules.compiler import tag_sql
from pipelines.statements import fetch_first_row, fetch_number, read_statement
from pipelines.store.database import get_state, reports_sql
from pipelines.store.ledger import Entry, find_entries
from schemas.checked_file import CheckedFile, make_accepted_schema
from schemas.pack import Pack
from schemas.record_layout import packed_sql
from schemas.tables import make_records_table

IDS = ("line_number", "report_id")


def name_reports(connection: duckdb.DuckDBPyConnection, entry: Entry) -> None:
    """Make the table `named`: the ids of the reports that the file named."""
    connection.execute(read_statement("store", "named_reports"), {"withdrawn": entry.delivery_no})


def find_taken_out(connection: duckdb.DuckDBPyConnection, entry: Entry) -> tuple[str, str] | None:
    """Return id and path of a later whole list that took out a report which the file named, or None."""
    ids = {"source": entry.source, "withdrawn": entry.delivery_no}
    row = fetch_first_row(connection, read_statement("store", "taken_out"), ids)
    return (row[0], row[1]) if row else None


def find_repeating(connection: duckdb.DuckDBPyConnection, entry: Entry) -> list[Entry]:
    """Return later files of the sender with duplicates: some may have been equal to a record of the withdrawn file."""
    condition = """source = ? AND status = 'accepted' AND delivery_no > ? AND rows_duplicate > 0
        AND EXISTS (FROM named)"""
    return find_entries(connection, condition, [entry.source, entry.delivery_no])


def start_repeated(connection: duckdb.DuckDBPyConnection, pack: Pack) -> None:
    """Make the empty table `repeated`: rows of later files about the named reports."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE repeated AS SELECT {_list_version_columns(pack)} FROM records LIMIT 0"
    )


def _list_version_columns(pack: Pack) -> str:
    """Return what makes a version of a report: where it came from, its id, and what it says."""
    return ", ".join(("delivery_no", *make_accepted_schema(pack).names))


def keep_repeated(connection: duckdb.DuckDBPyConnection, pack: Pack, entry: Entry, checked: CheckedFile) -> None:
    """Add the rows of a later file about the named reports to the table `repeated`."""
    columns = ", ".join(make_accepted_schema(pack).names)
    connection.register("rows_left_out", checked.rows_left_out)
    for batch in checked.blocks:
        connection.register("batch", pa.table(batch.accepted))
        connection.execute(
            f"""INSERT INTO repeated SELECT ?, {columns} FROM batch
                WHERE report_id IN (SELECT report_id FROM named)
                  AND line_number NOT IN (SELECT line_number FROM rows_left_out)""",
            [entry.delivery_no],
        )
        connection.unregister("batch")
    connection.unregister("rows_left_out")


def put_back(connection: duckdb.DuckDBPyConnection, pack: Pack, entry: Entry) -> int:
    """Store the named reports without the file; return how many other records are now in use. In a transaction."""
    ids = {"source": entry.source, "withdrawn": entry.delivery_no}
    connection.execute(_stored_versions_sql(pack), ids)
    content = ", ".join(f"'{n}': {n}" for n in make_accepted_schema(pack).names if n not in IDS)
    connection.execute(read_statement("store", "report_versions", content=content))
    back = fetch_number(
        connection,
        """SELECT count(*) FROM versions SEMI JOIN (FROM records WHERE delivery_no = ?) AS gone USING (report_id)
           WHERE kept AND replaced_by IS NULL""",
        [entry.delivery_no],
    )
    _move_counts(connection, ids)
    _put_versions(connection, pack, entry)
    for table in ("quarantine", "warned_cells"):
        connection.execute(f"DELETE FROM {table} WHERE delivery_no = ?", [entry.delivery_no])
    open_again(connection, entry.source, entry.file_id)
    return back


def _move_counts(connection: duckdb.DuckDBPyConnection, ids: Mapping[str, object]) -> None:
    """Move counts in the ledger of the other files: a duplicate may be a record now, or the other way round."""
    for delivery_no, brought, replaced in connection.execute(
        read_statement("store", "report_versions_ledger"), ids
    ).fetchall():
        connection.execute(
            """UPDATE files SET rows_accepted = rows_accepted + ?, rows_duplicate = rows_duplicate - ?,
                 rows_superseded = rows_superseded + ? WHERE delivery_no = ?""",
            [brought, brought, replaced, delivery_no],
        )


def _stored_versions_sql(pack: Pack) -> str:
    """Return records and superseded records of the named reports, packed alike, without the withdrawn file's."""
    columns = _list_version_columns(pack)
    return f"""CREATE OR REPLACE TEMP TABLE stored_versions AS
        SELECT {columns} FROM records
        WHERE source = $source AND delivery_no <> $withdrawn AND report_id IN (SELECT report_id FROM named)
        UNION ALL
        SELECT {columns} FROM ({_packed_sql(pack)})
        WHERE source = $source AND delivery_no <> $withdrawn AND report_id IN (SELECT report_id FROM named)"""


def _packed_sql(pack: Pack) -> str:
    """Return superseded records with their answers and codes as `records` has them."""
    return f"""SELECT source, files.delivery_no, report_id, reported_at, region,
        {packed_sql(pack)},
        line_number::UINTEGER AS line_number
      FROM superseded JOIN files USING (file_id, source)"""


def _put_versions(connection: duckdb.DuckDBPyConnection, pack: Pack, entry: Entry) -> None:
    """Write the versions that are kept to `records` and `superseded`, in place of what is there."""
    about = "source = ? AND report_id IN (SELECT report_id FROM named)"
    connection.execute(f"DELETE FROM records WHERE {about}", [entry.source])
    connection.execute(f"CREATE OR REPLACE TEMP TABLE was AS SELECT * FROM superseded WHERE {about}", [entry.source])
    connection.execute(f"DELETE FROM superseded WHERE {about}", [entry.source])
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE kept AS
            SELECT ? AS source, tagged.* FROM ({tag_sql(pack, "(SELECT * FROM versions WHERE kept)")}) AS tagged""",
        [entry.source],
    )
    columns = ", ".join(make_records_table(pack).column_names)
    connection.execute(f"INSERT INTO records SELECT {columns} FROM kept WHERE replaced_by IS NULL")
    # what was superseded keeps the tags of its time; only what replaced it may be another file now
    was = "SELECT * EXCLUDE (superseded_by, superseded_at) FROM was"
    repeated = reports_sql(pack, "(SELECT * FROM kept WHERE place = 'repeated')", get_state(connection, "time_zone"))
    for relation in (was, repeated):
        connection.execute(read_statement("store", "put_superseded", relation=relation))


def open_again(connection: duckdb.DuckDBPyConnection, source: str, file_id: str) -> None:
    """Undo what a withdrawn delivery brought right, but for rows that another later one brought right as well."""
    connection.execute(
        """UPDATE quarantine SET corrected_by = NULL
           WHERE corrected_by = ? AND delivery_no IN (SELECT delivery_no FROM files WHERE source = ?)""",
        [file_id, source],
    )
    repeated = " UNION ALL SELECT report_id, delivery_no, file_id FROM repeated JOIN files USING (delivery_no)"
    connection.execute(read_statement("store", "corrected_by_records", repeated=repeated), {"source": source})
