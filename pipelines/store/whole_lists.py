"""Cumulative sources: a file is the whole list of its days, and stored records that it lacks are taken out."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from pipelines.statements import fetch_number, read_statement
from pipelines.store.clocks import Days, find_plausible_range
from schemas.checked_file import CheckedFile
from schemas.pack import LEVELS
from schemas.record_layout import report_day_sql


def find_days(
    connection: duckdb.DuckDBPyConnection, relation: str, time_zone: str, values: Sequence[object] = ()
) -> Days:
    """Return the days of a relation of packed records, each with its number of records."""
    sql = f"SELECT {report_day_sql(time_zone)} AS day, count(*) FROM {relation} GROUP BY 1 ORDER BY 1"
    return connection.execute(sql, list(values) or None).fetchall()


def add_lacking(
    connection: duckdb.DuckDBPyConnection, checked: CheckedFile, delivery_no: int, time_zone: str, days: Days
) -> tuple[int, int]:
    """Add to the table `replaced` the stored records that a whole list lacks; return how many, and of how many.

    `days` are those of its accepted rows. A list that ends before the sender's clock, the last day that its records
    had reached, removes nothing: it is an older one.
    """
    earlier = find_days(
        connection, "records WHERE source = ? AND delivery_no < ?", time_zone, (checked.source, delivery_no)
    )
    covered, clock = checked.period or find_plausible_range(days), find_plausible_range(earlier)
    if covered is None or clock is None or covered[1] < clock[1]:
        return 0, 0
    for block in checked.blocks:  # rows that are quarantined are present
        ids = block.bad_cells.column("report_id").unique().drop_null().to_pylist()
        connection.execute("INSERT INTO present_ids SELECT unnest(?)", [[checked.make_stored_id(each) for each in ids]])
    values = {"source": checked.source, "delivery_no": delivery_no, "first_day": covered[0], "last_day": covered[1]}
    day = report_day_sql(time_zone)
    total = fetch_number(
        connection,
        f"""SELECT count(*) FROM records
            WHERE source = $source AND delivery_no < $delivery_no AND {day} BETWEEN $first_day AND $last_day""",
        values,
    )
    return fetch_number(connection, read_statement("store", "records_lacking", day=day), values), total


def count_emergencies(connection: duckdb.DuckDBPyConnection, delivery_no: int) -> int:
    """Count the emergencies among what `add_lacking` added: what is replaced, but not by a record of the file."""
    return fetch_number(
        connection,
        """SELECT count(*) FROM replaced ANTI JOIN (FROM records WHERE delivery_no = ?) USING (report_id)
           WHERE triage_level = ?""",
        [delivery_no, LEVELS.index("emergency")],
    )
