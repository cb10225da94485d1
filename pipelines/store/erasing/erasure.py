"""What was erased stays out, and its counts stay: keyed marks of reports and lines, and the erased part of the counts.

A mark is a hash with the key HOME/forget.key, which no database and no backup holds: who has them alone cannot try out
whether a report was erased.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

import duckdb
import pyarrow as pa

from pipelines.errors import UsageError
from pipelines.files import write_private
from pipelines.statements import fetch_first_row, read_statement
from pipelines.store.home import Home
from schemas.checked_file import DUPLICATE, ROWS_LEFT_OUT, CheckedFile
from schemas.tables import ERASED_COUNTS, Table, quoted_sql

COUNTS = {
    "daily_summary": ("reports", "severe_pain", "close_causes", "serious_signs"),
    "daily_rules": ("reports",),
    "daily_fields": ("reports", "answered", "missing", "unresolved", "settles", "yes"),
    "daily_arrivals": ("reports",),
    "daily_numbers": ("reports",),
    "daily_rule_sets": ("reports",),
    "delivery_days": ("reports",),
}
KEY = "forget.key"


def with_erased_sql(table: Table, counted: str) -> str:
    """Return the SELECT of a table's counts, as `counted` gives them, with those of the erased records added."""
    counts, columns = COUNTS[table.name], ", ".join(table.column_names)
    keys = ", ".join(name for name in table.column_names if name not in counts)
    sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in counts)
    erased = ERASED_COUNTS[table.name].name
    return (
        f"SELECT {keys}, {sums} FROM (SELECT {columns} FROM ({counted}) UNION ALL SELECT {columns} FROM {erased}) "
        "GROUP BY ALL"
    )


def define_mark(connection: duckdb.DuckDBPyConnection, home: Home, source: str) -> None:
    """Define `erased_mark(kind, text)` for one sender; the kinds are id and line.

    Raises UsageError if something is erased and the key is gone: it could not be kept out.
    """
    key = _read_key(home, is_new=fetch_first_row(connection, "SELECT 1 FROM erased LIMIT 1") is None)
    begin = f"{quoted_sql(key)} || {quoted_sql(source)} || '|' || kind || '|'"
    connection.execute(
        "CREATE OR REPLACE TEMP MACRO erased_mark(kind, text) AS "
        f"left(sha256({quoted_sql(key)} || sha256({begin} || text)), 32)::UUID"
    )


def _read_key(home: Home, is_new: bool) -> str:
    path = home.path / KEY
    if not path.exists():
        if not is_new:
            raise UsageError(
                f"{path} is gone, and with it what keeps erased reports out; nothing was taken in. Put it back from "
                "the home that `forget` ran in: it goes with the records wherever they go"
            )
        write_private(home.path, KEY, secrets.token_hex(32))
    return path.read_text(encoding="ascii").strip()


def leave_out_erased(connection: duckdb.DuckDBPyConnection, checked: CheckedFile, home: Home) -> CheckedFile:
    """Return a checked file whose rows of erased reports count as duplicates, and bring no time with them.

    Its bad lines are looked at when they are stored (`find_erased_lines`).
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE erased_marks AS SELECT mark FROM erased WHERE source = ?", [checked.source]
    )
    if not has_marks(connection):
        return checked
    define_mark(connection, home, checked.source)
    connection.execute("CREATE OR REPLACE TEMP TABLE erased_rows (line_number BIGINT, report_id VARCHAR)")
    for block in checked.blocks:
        connection.register("block", block.accepted)
        connection.execute(read_statement("store", "erased_rows"))
        connection.unregister("block")
    found = connection.execute("SELECT line_number, report_id FROM erased_rows ORDER BY line_number").fetchall()
    if not found:
        return checked
    known = set(checked.rows_left_out["line_number"].to_pylist())
    rows = [(line, report_id, True, DUPLICATE) for line, report_id in found if line not in known]
    more = pa.Table.from_pylist([dict(zip(ROWS_LEFT_OUT.names, row, strict=True)) for row in rows], ROWS_LEFT_OUT)
    left_out = pa.concat_tables([checked.rows_left_out, more]).combine_chunks()
    return _set_range(connection, replace(checked, rows_left_out=left_out))


def _set_range(connection: duckdb.DuckDBPyConnection, checked: CheckedFile) -> CheckedFile:
    """Take the first and last instant from the rows that are not left out."""
    connection.register("left_out", checked.rows_left_out)
    ends = []
    for block in checked.blocks:
        connection.register("block", block.accepted)
        kept = "FROM block WHERE line_number NOT IN (SELECT line_number FROM left_out)"
        found = fetch_first_row(connection, f"SELECT min(reported_at), max(reported_at) {kept}") or ()
        ends += [moment for moment in found if moment is not None]
        connection.unregister("block")
    connection.unregister("left_out")
    return replace(checked, counts=replace(checked.counts, first=min(ends, default=None), last=max(ends, default=None)))


def find_erased_lines(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill the table `erased_lines` with the lines of `bad_cells` and `raw_lines` of which nothing may be kept."""
    if has_marks(connection):
        connection.execute(read_statement("store", "erased_lines"))
    else:
        connection.execute("CREATE OR REPLACE TEMP TABLE erased_lines (delivery_no INTEGER, line_number BIGINT)")


def has_marks(connection: duckdb.DuckDBPyConnection) -> bool:
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS erased_marks (mark UUID)")
    return fetch_first_row(connection, "SELECT 1 FROM erased_marks LIMIT 1") is not None
