"""Load a checked file into the records, inside the caller's transaction: tagged, superseding, quarantined."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from pipelines import clock
from pipelines.rules.compiler import tag_sql
from pipelines.settings import Source
from pipelines.statements import first_row, one_number, statement
from pipelines.store import guards, versions, whole_lists
from pipelines.store.database import in_any_order, reports_sql
from pipelines.store.erasing import erasure
from pipelines.store.guards import GuardCounts
from pipelines.store.state import get_state
from schemas.checked_file import DUPLICATE, CheckedFile, accepted_schema
from schemas.pack import Pack


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


def load_file(
    connection: duckdb.DuckDBPyConnection, checked: CheckedFile, source: Source, pack: Pack, delivery_no: int
) -> LoadedRows:
    """Store what is accepted of a source's file, and its bad cells, as delivery `delivery_no`.

    The counts come from statements of their own, so that the accounts can fail to add up.
    """
    connection.register("rows_left_out", checked.rows_left_out)
    repeated = _find_stored_matches(connection, checked, pack)
    inserted = _insert_records(connection, checked, pack, delivery_no)
    connection.execute(statement("store", "records_replaced"), {"delivery_no": delivery_no})
    counts = _count_for_guards(connection, checked, source, pack, delivery_no)
    replaced = _supersede_records(connection, checked, pack, delivery_no)
    quarantined = _quarantine_rows(connection, checked, delivery_no)
    versions.mark_corrected(connection, checked, delivery_no)
    connection.unregister("rows_left_out")
    return LoadedRows(inserted, repeated, quarantined, replaced, counts)


def _find_stored_matches(connection: duckdb.DuckDBPyConnection, checked: CheckedFile, pack: Pack) -> int:
    """Fill the table `stored_matches` with the records that the file names again; count the rows equal to one."""
    if not first_row(connection, "SELECT 1 FROM records WHERE source = ? LIMIT 1", [checked.source]):
        connection.execute("CREATE OR REPLACE TEMP TABLE stored_matches AS FROM records LIMIT 0")
        return 0
    with _incoming(connection, checked, pack):
        connection.execute(statement("store", "stored_matches"), {"source": checked.source})
    with _incoming(connection, checked, pack):
        return one_number(connection, _step_sql("stored_already", pack))


def _insert_records(connection: duckdb.DuckDBPyConnection, checked: CheckedFile, pack: Pack, delivery_no: int) -> int:
    """Tag and store the accepted rows that are new or differ; return how many."""
    sql = _step_sql("insert_records", pack, tagged=tag_sql(pack, "incoming"))
    with in_any_order(connection), _incoming(connection, checked, pack):  # rows know their line
        return one_number(connection, sql, {"source": checked.source, "delivery_no": delivery_no})


def _step_sql(step: str, pack: Pack, **values: object) -> str:
    """Return a step's SQL with the columns that the pack's own numbers and choices have."""
    words = {
        "own": "".join(f", {name}" for name in pack.columns),
        "own_stored": "".join(f", stored.{name}" for name in pack.columns),
        "own_incoming": "".join(f", incoming.{name}" for name in pack.columns),
        "own_same": "".join(f" AND stored.{name} IS NOT DISTINCT FROM tagged.{name}" for name in pack.columns),
    }
    return statement("store", step, **words, **values)


@contextlib.contextmanager
def _incoming(connection: duckdb.DuckDBPyConnection, checked: CheckedFile, pack: Pack) -> Iterator[None]:
    """Offer the accepted rows as a relation that is read once, batch by batch.

    What ends the reading, such as Ctrl-C, is raised as itself: DuckDB reports it as an error of the relation.
    """
    ended: list[BaseException] = []

    def stream() -> Iterator[pa.RecordBatch]:
        try:
            for block in checked.blocks:
                yield from block.accepted.to_batches()
        except BaseException as error:
            ended.append(error)
            raise

    connection.register("incoming", pa.RecordBatchReader.from_batches(accepted_schema(pack), stream()))
    try:
        yield
    except duckdb.Error as error:
        raise (ended or [error])[0] from error
    finally:
        with contextlib.suppress(duckdb.Error):  # within a transaction that failed nothing can be unregistered
            connection.unregister("incoming")


def _count_for_guards(
    connection: duckdb.DuckDBPyConnection, checked: CheckedFile, source: Source, pack: Pack, delivery_no: int
) -> GuardCounts:
    """Count what the guards judge; add to the table `replaced` what a whole list lacks."""
    earlier = "SELECT 1 FROM records WHERE source = ? AND delivery_no < ? LIMIT 1"
    if not first_row(connection, earlier, [source.name, delivery_no]):
        return GuardCounts(checked.counts.rows)
    time_zone = get_state(connection, "time_zone")
    found = guards.count(connection, checked, pack, delivery_no, time_zone)
    removed = covered = emergencies = 0
    if source.cumulative:
        with _incoming(connection, checked, pack):
            days = whole_lists.find_days(connection, "incoming", time_zone)
        connection.execute("CREATE OR REPLACE TEMP TABLE present_ids AS SELECT report_id FROM stored_matches")
        removed, covered = whole_lists.add_lacking(connection, checked, delivery_no, time_zone, days)
        emergencies = whole_lists.count_emergencies(connection, delivery_no)
    removals = {"removed": removed, "removed_emergencies": emergencies, "covered": covered}
    return GuardCounts(checked.counts.rows, **removals, **found)


def _supersede_records(
    connection: duckdb.DuckDBPyConnection, checked: CheckedFile, pack: Pack, delivery_no: int
) -> int:
    """Move the records of the table `replaced` to `superseded`; return how many."""
    count = one_number(connection, "SELECT count(*) FROM replaced")
    if count:
        old = reports_sql(pack, "replaced", get_state(connection, "time_zone"))
        connection.execute(
            f"INSERT INTO superseded BY NAME SELECT *, ? AS superseded_by, ? AS superseded_at FROM ({old})",
            [checked.file_id, clock.now()],
        )
        connection.execute(
            """DELETE FROM records WHERE source = ? AND delivery_no < ?
               AND report_id IN (SELECT report_id FROM replaced)""",
            [checked.source, delivery_no],
        )
    return count


def _quarantine_rows(connection: duckdb.DuckDBPyConnection, checked: CheckedFile, delivery_no: int) -> int:
    """Store every bad cell with its line as delivered, but those of duplicates; return the number of rows."""
    if not checked.counts.bad_rows and not checked.rows_left_out.num_rows:
        return 0
    ids = {"file_id": checked.file_id, "delivery_no": delivery_no}
    for block in checked.blocks:
        if block.bad_cells.num_rows:
            connection.register("bad_cells", block.bad_cells)
            connection.register("raw_lines", block.raw_lines)
            erasure.find_erased_lines(connection)
            connection.execute(statement("store", "quarantine_rows", duplicate=DUPLICATE), ids)
            connection.unregister("raw_lines")
            connection.unregister("bad_cells")
    return one_number(
        connection, "SELECT count(DISTINCT line_number) FROM quarantine WHERE delivery_no = ?", [delivery_no]
    )
