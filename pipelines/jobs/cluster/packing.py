"""Tag and count the checked rows of a unit, part by part, and put them into parcels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import duckdb
import pyarrow as pa

from pipelines.jobs.cluster.unit import Prepared, Slice, Unit
from pipelines.rules.compiler import tag_sql
from pipelines.statements import fetch_first_row
from pipelines.store import daily_counts
from schemas.checked_file import CELLS, ROWS_LEFT_OUT, CheckedBlock, CheckedFile, make_accepted_schema
from schemas.tables import quoted_sql

PART_ROWS = 500_000
TABLES = ("accepted", *CELLS)  # of a block
PLACE = pa.field("delivery_no", pa.int32())  # the place of a file in its unit, until it has a number
LINE = "(delivery_no::BIGINT << 32) + line_number"
Part = list[tuple[int, CheckedBlock]]


class Packer:
    """Parcels of the rows of a unit's files; `connection` is a DuckDB in memory."""

    def __init__(self, unit: Unit, connection: duckdb.DuckDBPyConnection) -> None:
        self.unit, self.connection = unit, connection
        self.parts: list[dict[str, str]] = []
        self.counted: dict[str, list[pa.Table]] = defaultdict(list)
        connection.execute("CREATE OR REPLACE TEMP TABLE ids (id UBIGINT)")

    def pack(self, files: Mapping[int, CheckedFile]) -> Prepared:
        """Write the rows of files, given by their places. Raises OSError if a parcel cannot be written."""
        left_out = _join([_placed(each.rows_left_out, place) for place, each in files.items()], ROWS_LEFT_OUT)
        self.connection.register("rows_left_out", left_out)
        slices: dict[int, list[Slice]] = {place: [] for place in files}
        for part in _cut_parts(files):
            for (place, _), found in zip(part, self._write_part(part), strict=True):
                slices[place].append(found)
        parcels = self.unit.parcels
        counts = {
            name: parcels.write(daily_counts.sum_counts(self.connection, name, tables))
            for name, tables in self.counted.items()
        }
        places = {place: tuple(found) for place, found in slices.items()}
        named = parcels.write(left_out) if left_out.num_rows else ""
        return Prepared({}, tuple(self.parts), counts, named, places, self._is_distinct())

    def _is_distinct(self) -> bool:
        """Return whether no report stands in two files; within one file nothing is left of the second."""
        twice = "SELECT 1 FROM ids GROUP BY id HAVING count(*) > 1 LIMIT 1"
        return fetch_first_row(self.connection, twice) is None

    def _write_part(self, part: Part) -> list[Slice]:
        tables = {
            name: pa.concat_tables([getattr(block, name) for _, block in part]).combine_chunks() for name in TABLES
        }
        tables["accepted"] = self._tag(tables["accepted"])
        self._count(tables["accepted"], part)
        self.parts.append({name: self.unit.parcels.write(each) for name, each in tables.items() if each.num_rows})
        firsts = dict.fromkeys(TABLES, 0)
        slices = []
        for _, block in part:
            ends = [(firsts[name], getattr(block, name).num_rows) for name in TABLES]
            firsts = {name: first + rows for name, (first, rows) in zip(TABLES, ends, strict=True)}
            slices.append(Slice(len(self.parts) - 1, tuple(ends)))
        return slices

    def _tag(self, accepted: pa.Table) -> pa.Table:
        """Return the rows with their tags, in the same order."""
        schema = make_accepted_schema(self.unit.rules.pack, is_tagged=True)
        self.connection.register("accepted", accepted)
        tagged = self.connection.sql(tag_sql(self.unit.rules.pack, "accepted")).to_arrow_table()
        self.connection.unregister("accepted")
        tagged = tagged.select(schema.names).cast(schema)
        if not tagged.select(["line_number", "report_id"]).equals(accepted.select(["line_number", "report_id"])):
            raise RuntimeError("tagged rows came in another order than they were given")
        return tagged

    def _count(self, tagged: pa.Table, part: Part) -> None:
        """Add to the daily counts what the rows of a part would, if every one were new."""
        rows = [pa.repeat(pa.scalar(place, PLACE.type), block.accepted.num_rows) for place, block in part]
        placed = tagged.append_column(PLACE, pa.chunked_array(rows, PLACE.type))
        self.connection.register("placed", placed)
        name = quoted_sql(self.unit.rules.source.name)
        self.connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE new_rows AS
            SELECT *, {name} AS source, delivery_no AS first_delivery_no, 1 AS sign
            FROM placed WHERE {LINE} NOT IN (SELECT {LINE} FROM rows_left_out)"""
        )
        self.connection.unregister("placed")
        self.connection.execute("INSERT INTO ids SELECT hash(report_id) FROM new_rows")
        counted = daily_counts.count_days(
            self.connection, self.unit.rules.settings, self.unit.rules.pack, "FROM new_rows"
        )
        for table, found in counted.items():
            self.counted[table].append(found)


def _cut_parts(files: Mapping[int, CheckedFile]) -> Iterator[Part]:
    """Yield the blocks of files, each with its file's place, some together."""
    part: Part = []
    rows = 0
    for place, checked in files.items():
        for block in checked.blocks:
            part.append((place, block))
            rows += block.accepted.num_rows
            if rows >= PART_ROWS:
                yield part
                part, rows = [], 0
    if part:
        yield part


def _placed(rows: pa.Table, place: int) -> pa.Table:
    return rows.append_column(PLACE, pa.repeat(pa.scalar(place, PLACE.type), rows.num_rows))


def _join(tables: Sequence[pa.Table], schema: pa.Schema) -> pa.Table:
    return pa.concat_tables([schema.append(PLACE).empty_table(), *tables]).combine_chunks()
