"""Load checked files into the records, inside the caller's transaction: tagged, superseding, quarantined.

The files of a group are loaded by the same statements at once. What depends on their order are the reports that stand
in several of them: of these every version is compared with the one before, in delivery order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines import clock
from pipelines.rules.compiler import tag_sql
from pipelines.statements import fetch_first_row, fetch_number, read_statement
from pipelines.store import clocks, guards, whole_lists
from pipelines.store.database import in_any_order, reports_sql
from pipelines.store.erasing import erasure
from pipelines.store.guards import GuardCounts
from pipelines.store.incoming import NUMBER, concat_numbered, offer_incoming
from pipelines.store.ledger import Group
from pipelines.store.state import get_state
from schemas.checked_file import (
    CELLS,
    DUPLICATE,
    ROWS_LEFT_OUT,
    CheckedBlock,
    list_content_columns,
)
from schemas.pack import Pack

CONTESTED = """CREATE OR REPLACE TEMP TABLE contested
    (report_id VARCHAR, delivery_no INTEGER, line_number BIGINT, kept BOOLEAN)"""
OPEN_IDS = pa.schema([("delivery_no", pa.int32()), ("report_id", pa.string()), ("stored_id", pa.string())])
CELLS_TOGETHER = 20_000


@dataclass(frozen=True)
class LoadedRows:
    """How many rows of a file became records, equal a stored record, are quarantined; how many records they replace.

    `counts` say how the file stands to what was stored before.
    """

    inserted: int
    repeated: int
    quarantined: int
    replaced: int
    counts: GuardCounts


def load_files(connection: duckdb.DuckDBPyConnection, group: Group) -> dict[int, LoadedRows]:
    """Store what is accepted of a group's files, and their bad cells; `supersede` is to follow.

    The counts come from statements of their own, so that the accounts can fail to add up.
    """
    left_out = [(number, checked.rows_left_out) for number, checked in group.files.items()]
    connection.register("rows_left_out", concat_numbered(left_out, ROWS_LEFT_OUT))
    repeated = _find_stored_matches(connection, group)
    _insert_records(connection, group)
    _find_replaced(connection, group)
    inserted = _count_per_delivery(
        connection, "SELECT delivery_no, count(*) FROM records WHERE delivery_no BETWEEN $first AND $last", group
    )
    counts = _count_for_guards(connection, group)
    replaced = dict(connection.execute("SELECT replaced_by, count(*) FROM replaced GROUP BY ALL").fetchall())
    quarantined = _store_cells(connection, group)
    connection.unregister("rows_left_out")
    return {
        number: LoadedRows(
            inserted.get(number, 0),
            repeated.get(number, 0),
            quarantined.get(number, 0),
            replaced.get(number, 0),
            counts[number],
        )
        for number in group.files
    }


def _count_per_delivery(connection: duckdb.DuckDBPyConnection, sql: str, group: Group) -> dict[int, int]:
    """Return a number per delivery that has one."""
    return dict(connection.execute(f"{sql} GROUP BY ALL", group.numbers).fetchall())


def _find_stored_matches(connection: duckdb.DuckDBPyConnection, group: Group) -> dict[int, int]:
    """Find what the files name that is stored, or stands in several of them; count the rows that say nothing new.

    Fills the tables `stored_matches`, `crossing` (hashes of ids in several files) and `contested`, their versions.
    """
    connection.execute("CREATE OR REPLACE TEMP TABLE stored_matches AS FROM records LIMIT 0")
    if fetch_first_row(connection, "SELECT 1 FROM records WHERE source = ? LIMIT 1", [group.source.name]):
        with offer_incoming(connection, group):
            connection.execute(read_statement("store", "stored_places"), {"source": group.source.name})
        connection.execute(read_statement("store", "stored_matches"))
    repeated = _find_contested(connection, group)
    if fetch_first_row(connection, "SELECT 1 FROM stored_matches LIMIT 1"):
        with offer_incoming(connection, group):
            for number, count in connection.execute(_step_sql("stored_already", group.pack)).fetchall():
                repeated[number] = repeated.get(number, 0) + count
    return repeated


def _find_contested(connection: duckdb.DuckDBPyConnection, group: Group) -> dict[int, int]:
    """Count per delivery the rows of reports in several files that say the same as the version before."""
    connection.execute("CREATE OR REPLACE TEMP TABLE crossing (id UBIGINT)")
    connection.execute(CONTESTED)
    if not group.is_distinct:
        with offer_incoming(connection, group):
            connection.execute(read_statement("store", "crossing_ids"))
    if not fetch_first_row(connection, "SELECT 1 FROM crossing LIMIT 1"):
        return {}
    content = ", ".join(f"'{name}': {name}" for name in list_content_columns(group.pack))
    with offer_incoming(connection, group):
        connection.execute(read_statement("store", "contested_versions", content=content))
    return dict(
        connection.execute("SELECT delivery_no, count(*) FROM contested WHERE NOT kept GROUP BY ALL").fetchall()
    )


def _insert_records(connection: duckdb.DuckDBPyConnection, group: Group) -> None:
    """Store the accepted rows that are new or differ, tagged here if they are not."""
    new = _step_sql("new_rows", group.pack)
    tagged = new if group.is_tagged else tag_sql(group.pack, f"({new})")
    sql = _step_sql("insert_records", group.pack, tagged=tagged, first_delivery=_first_delivery_sql(connection, group))
    with in_any_order(connection), offer_incoming(connection, group):  # rows know their line
        connection.execute(sql, {"source": group.source.name})


def _first_delivery_sql(connection: duckdb.DuckDBPyConnection, group: Group) -> str:
    """Return SQL for the delivery that first brought a row's report; to look for it costs a third of the INSERT."""
    earlier = fetch_first_row(
        connection,
        """SELECT 1 WHERE EXISTS (FROM stored_matches) OR EXISTS (FROM contested)
           OR EXISTS (FROM superseded WHERE source = ?)""",
        [group.source.name],
    )
    return read_statement("store", "first_delivery").strip() if earlier else "delivery_no"


def _find_replaced(connection: duckdb.DuckDBPyConnection, group: Group) -> None:
    """Fill the table `replaced`; all rows of the group are looked through only if one can replace another."""
    if fetch_first_row(connection, "SELECT 1 WHERE EXISTS (FROM stored_matches) OR EXISTS (FROM crossing)"):
        connection.execute(read_statement("store", "records_replaced"), group.numbers)
    else:
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE replaced AS SELECT *, NULL::INTEGER AS replaced_by FROM records LIMIT 0"
        )


def _step_sql(step: str, pack: Pack, **values: object) -> str:
    """Return a step's SQL with the columns that the pack's own numbers and choices have."""
    words = {
        "said_incoming": ", ".join(f"incoming.{name}" for name in list_content_columns(pack)),
        "said_stored": ", ".join(f"stored.{name}" for name in list_content_columns(pack)),
        "own_same": "".join(f" AND stored.{name} IS NOT DISTINCT FROM incoming.{name}" for name in pack.columns),
    }
    return read_statement("store", step, **words, **values)


def _count_for_guards(connection: duckdb.DuckDBPyConnection, group: Group) -> dict[int, GuardCounts]:
    """Count what the guards judge; add to the table `replaced` what a whole list lacks."""
    time_zone = get_state(connection, "time_zone")
    odd = clocks.count_implausible(connection, group, time_zone)
    found = guards.count_files(connection, group, time_zone)
    counts = {number: replace(each, implausible=odd.get(number, 0)) for number, each in found.items()}
    if not group.source.cumulative:
        return counts
    ((number, checked),) = group.files.items()  # a whole list is a group of its own
    earlier = "SELECT 1 FROM records WHERE source = ? AND delivery_no < ? LIMIT 1"
    if fetch_first_row(connection, earlier, [group.source.name, number]):
        with offer_incoming(connection, group):
            days = whole_lists.find_days(connection, "incoming", time_zone)
        connection.execute("CREATE OR REPLACE TEMP TABLE present_ids AS SELECT report_id FROM stored_matches")
        removed, covered = whole_lists.add_lacking(connection, checked, number, time_zone, days)
        emergencies = whole_lists.count_emergencies(connection, number)
        counts[number] = guards.add_removals(counts[number], removed, emergencies, covered)
    return counts


def supersede(connection: duckdb.DuckDBPyConnection, group: Group) -> int:
    """Move the records of the table `replaced` to `superseded`, once the ledger has the files; return how many."""
    _mark_corrected(connection, group)
    count = fetch_number(connection, "SELECT count(*) FROM replaced")
    if count:
        old = reports_sql(group.pack, "replaced", get_state(connection, "time_zone"))
        connection.execute(read_statement("store", "supersede_records", relation=old), {"now": clock.now()})
        connection.execute(
            """DELETE FROM records WHERE source = ?
               AND (delivery_no, report_id) IN (SELECT (delivery_no, report_id) FROM replaced)""",
            [group.source.name],
        )
    return count


def _mark_corrected(connection: duckdb.DuckDBPyConnection, group: Group) -> None:
    """Mark the open bad cells of reports that a later delivery of the group brought right."""
    values = {"source": group.source.name, "last": group.numbers["last"]}
    rows = connection.execute(read_statement("store", "open_cells"), values).fetchall()
    ids = [(number, sent, stored) for number, sent, path in rows for stored in _list_stored_ids(group, sent, path)]
    if not ids:
        return
    connection.register(
        "open_ids", pa.Table.from_pylist([dict(zip(OPEN_IDS.names, row, strict=True)) for row in ids], OPEN_IDS)
    )
    left_out = [(number, checked.rows_left_out) for number, checked in group.files.items()]
    connection.register("rows_left_out", concat_numbered(left_out, ROWS_LEFT_OUT))
    with offer_incoming(connection, group):
        connection.execute(read_statement("store", "came_right"))
    connection.execute(read_statement("store", "mark_corrected"))
    connection.unregister("rows_left_out")
    connection.unregister("open_ids")


def _list_stored_ids(group: Group, sent: str, path: str) -> set[str]:
    """Return the ids under which the group stores a report of a file: one, or none if ids hold for another name."""
    own = (checked for checked in group.files.values() if checked.ids_of in ("", Path(path).name))
    return {checked.make_stored_id(sent) for checked in own}


def _store_cells(connection: duckdb.DuckDBPyConnection, group: Group) -> dict[int, int]:
    """Store every bad cell with its line, and warned ones, but those of duplicates; return the number of bad rows."""
    ids = {number: each.file_id for number, each in group.files.items()}
    delivered = [pa.array(ids.keys(), NUMBER.type), pa.array(ids.values(), pa.string())]
    connection.register("delivered", pa.table(delivered, names=["delivery_no", "file_id"]))
    for blocks in _find_blocks_with_cells(group):
        for name, schema in CELLS.items():
            connection.register(
                name, concat_numbered([(number, getattr(block, name)) for number, block in blocks], schema)
            )
        erasure.find_erased_lines(connection)
        connection.execute(read_statement("store", "quarantine_rows", duplicate=DUPLICATE))
        connection.execute(read_statement("store", "warned_rows"))
        for name in CELLS:
            connection.unregister(name)
    connection.unregister("delivered")
    sql = "SELECT delivery_no, count(DISTINCT line_number) FROM quarantine WHERE delivery_no BETWEEN $first AND $last"
    return _count_per_delivery(connection, sql, group)


def _find_blocks_with_cells(group: Group) -> Iterator[list[tuple[int, CheckedBlock]]]:
    """Yield the blocks that have a bad or a warned cell, small ones together."""
    waiting: list[tuple[int, CheckedBlock]] = []
    for number, checked in group.files.items():
        if not checked.counts.bad_rows and not checked.counts.warned and not checked.rows_left_out.num_rows:
            continue
        for block in checked.blocks:
            if block.bad_cells.num_rows or block.warned.num_rows:
                waiting.append((number, block))
            if sum(each.bad_cells.num_rows + each.warned.num_rows for _, each in waiting) >= CELLS_TOGETHER:
                yield waiting
                waiting = []
    if waiting:
        yield waiting
