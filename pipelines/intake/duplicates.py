"""Find the rows of one file that share a report id: the same row again, or a conflict.

Only hashes of all ids are kept while the file is read; content is compared for the few ids that stand twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.statements import fetch_number, read_statement
from schemas.checked_file import ROWS_LEFT_OUT, CheckedBlock, make_accepted_schema
from schemas.pack import Pack

ROWS_AT_A_TIME = 4_000_000  # whose hashes are compared at a time
MIDDLE = np.uint64(1 << 63)
Hashes = npt.NDArray[np.uint64]


class RepeatedIds:
    """The report ids of one file. `scratch` is a DuckDB that leaves no trace."""

    def __init__(self, scratch: duckdb.DuckDBPyConnection, pack: Pack) -> None:
        self.scratch = scratch
        self.content = [name for name in make_accepted_schema(pack).names if name not in ("line_number", "report_id")]
        scratch.execute("CREATE TABLE seen_ids (id UBIGINT)")

    def add(self, cursor: duckdb.DuckDBPyConnection, rows: pa.Table) -> None:
        """Take in the ids of a block's canonical rows, by a cursor of the calling thread."""
        if "report_id" not in rows.column_names:
            return
        cursor.register("ids", rows.select(["report_id"]))
        cursor.execute("INSERT INTO seen_ids SELECT hash(report_id) FROM ids WHERE report_id IS NOT NULL")
        cursor.unregister("ids")

    def find_rows_left_out(self, blocks: Iterable[CheckedBlock]) -> pa.Table:
        """Return the rows to leave out, as ROWS_LEFT_OUT, once all ids were added."""
        self.scratch.execute(
            "CREATE TABLE candidates (line_number BIGINT, report_id VARCHAR, fingerprint UBIGINT, accepted BOOLEAN)"
        )
        if self._find_repeated_hashes():
            for block in blocks:
                self._add_candidates(block)
        # a table of its own: DuckDB then knows that it is the smaller one
        self.scratch.execute(read_statement("intake", "repeated_ids"))
        return self.scratch.sql(read_statement("intake", "rows_left_out")).to_arrow_table().cast(ROWS_LEFT_OUT)

    def _find_repeated_hashes(self) -> int:
        """Fill the table `repeated_hashes`, by sorting a part of all hashes at a time; return their number."""
        parts = 1 + fetch_number(self.scratch, "SELECT count(*) FROM seen_ids") // ROWS_AT_A_TIME
        self.scratch.execute("CREATE TABLE repeated_hashes (id UBIGINT)")
        for part in range(parts):
            # written out: as parameters the numbers would make this a slow division of wide integers
            found = self.scratch.execute(f"SELECT id FROM seen_ids WHERE id % {parts}::UBIGINT = {part}").fetchnumpy()
            repeated = find_repeated(np.asarray(found["id"], dtype=np.uint64))
            self._insert("INSERT INTO repeated_hashes FROM repeated", repeated=pa.table({"id": repeated}))
        self.scratch.execute("DROP TABLE seen_ids")
        return fetch_number(self.scratch, "SELECT count(*) FROM repeated_hashes")

    def _add_candidates(self, block: CheckedBlock) -> None:
        """Compare accepted rows as typed, bad rows as the lines they came in."""
        self._insert(
            f"""INSERT INTO candidates
                SELECT line_number, report_id, hash({", ".join(self.content)}), TRUE FROM accepted
                WHERE hash(report_id) IN (FROM repeated_hashes)""",
            accepted=block.accepted,
        )
        self._insert(
            """INSERT INTO candidates
               SELECT DISTINCT line_number, report_id, fingerprint, FALSE
               FROM bad_cells JOIN raw_lines USING (line_number)
               WHERE hash(report_id) IN (FROM repeated_hashes)""",
            bad_cells=block.bad_cells,
            raw_lines=block.raw_lines,
        )

    def _insert(self, sql: str, **relations: pa.Table) -> None:
        """Run an INSERT that reads these tables, unless the first has no row."""
        if not next(iter(relations.values())).num_rows:
            return
        for name, table in relations.items():
            self.scratch.register(name, table)
        self.scratch.execute(sql)
        for name in relations:
            self.scratch.unregister(name)


def find_repeated(hashes: Hashes) -> Hashes:
    """Return the hashes that stand more than once; two halves are sorted side by side."""
    is_upper = hashes >= MIDDLE
    with ThreadPoolExecutor(2) as pool:
        return np.concatenate(list(pool.map(_find_repeated, (hashes[~is_upper], hashes[is_upper]))))


def _find_repeated(hashes: Hashes) -> Hashes:
    hashes.sort()
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
