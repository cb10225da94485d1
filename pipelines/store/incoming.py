"""The accepted rows of a group as the relation `incoming`, with the number of the delivery of each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import duckdb
import pyarrow as pa

from pipelines.store.ledger import Group
from schemas.checked_file import make_accepted_schema

NUMBER = pa.field("delivery_no", pa.int32())
ROWS_TOGETHER = 100_000  # blocks of small files are handed over as one


@contextlib.contextmanager
def offer_incoming(connection: duckdb.DuckDBPyConnection, group: Group) -> Iterator[None]:
    """Offer the accepted rows as a relation that is read once, batch by batch.

    What ends the reading, such as Ctrl-C, is raised as itself: DuckDB reports it as an error of the relation.
    """
    ended: list[BaseException] = []

    def stream() -> Iterator[pa.RecordBatch]:
        try:
            for table in _merge_accepted(group):
                yield from table.to_batches()
        except BaseException as error:
            ended.append(error)
            raise

    schema = make_accepted_schema(group.pack, group.is_tagged).append(NUMBER)
    connection.register("incoming", pa.RecordBatchReader.from_batches(schema, stream()))
    try:
        yield
    except duckdb.Error as error:
        raise (ended or [error])[0] from error
    finally:
        with contextlib.suppress(duckdb.Error):  # within a transaction that failed nothing can be unregistered
            connection.unregister("incoming")


def _merge_accepted(group: Group) -> Iterator[pa.Table]:
    """Yield the accepted rows with the numbers of their deliveries, those of small files as one table."""
    waiting: list[tuple[int, pa.Table]] = []
    rows = 0
    schema = make_accepted_schema(group.pack, group.is_tagged)
    for number, checked in group.files.items():
        for block in checked.blocks:
            waiting.append((number, block.accepted))
            rows += block.accepted.num_rows
            if rows >= ROWS_TOGETHER:
                yield concat_numbered(waiting, schema)
                waiting, rows = [], 0
    if waiting:
        yield concat_numbered(waiting, schema)


def concat_numbered(tables: list[tuple[int, pa.Table]], schema: pa.Schema) -> pa.Table:
    """Return tables as one, each row with the number of its delivery."""
    rows = [(number, table) for number, table in tables if table.num_rows]
    if len(rows) == 1:  # as it is: a copy of a large file's rows would be dear
        ((number, table),) = rows
        return table.append_column(NUMBER, pa.repeat(pa.scalar(number, NUMBER.type), table.num_rows))
    merged = pa.concat_tables([schema.empty_table(), *(table for _, table in rows)]).combine_chunks()
    numbers = [pa.repeat(pa.scalar(number, NUMBER.type), table.num_rows) for number, table in rows]
    return merged.append_column(NUMBER, pa.chunked_array(numbers, NUMBER.type))
