"""Turn the accepted times of reports into instants."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pyarrow.compute

from pipelines.settings import Source
from schemas.checked_file import INSTANT
from schemas.tables import quoted_sql

DATE_LENGTH = len("2026-11-16")
NOON = "T12:00:00Z"


def parse_times(
    connection: duckdb.DuckDBPyConnection, texts: pa.ChunkedArray, parse_sql: str
) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Return accepted times as instants, and the dates of those that are a date alone (null elsewhere).

    A date alone is that day wherever the sender sits; its instant is noon of it in UTC, which is on that day in nearly
    every time zone. `parse_sql` is `instant_sql` of their source.
    """
    is_date = pyarrow.compute.equal(pyarrow.compute.binary_length(texts), DATE_LENGTH)
    dates = pyarrow.compute.if_else(is_date, texts, None).cast(pa.date32())
    if dates.null_count < len(dates):
        texts = pyarrow.compute.if_else(is_date, pyarrow.compute.binary_join_element_wise(texts, NOON, ""), texts)
    return parse_instants(connection, texts, parse_sql), dates


def parse_instants(connection: duckdb.DuckDBPyConnection, texts: pa.ChunkedArray, parse_sql: str) -> pa.ChunkedArray:
    """Return accepted times as instants. `parse_sql` is `instant_sql` of their source."""
    try:  # in most files every time has an offset, and nothing finer than a microsecond
        return texts.cast(INSTANT)
    except pa.ArrowInvalid:
        connection.register("texts", pa.table({"reported_at": texts}))
        column = connection.sql(f"SELECT {parse_sql} AS reported_at FROM texts").to_arrow_table().column(0)
        connection.unregister("texts")
    if column.null_count:
        raise AssertionError("a time that the schema accepts could not be converted")
    return column.cast(INSTANT)


def instant_sql(source: Source) -> str:
    """Return SQL that types `reported_at`. In UTC (the session's zone) a time without offset needs no calendar."""
    # DuckDB 1.5 reads no offset behind a time without seconds
    shortened = "reported_at[:16] || ':00' || reported_at[17:]"
    text = f"CASE WHEN reported_at[17] IN ('Z', '+', '-') THEN {shortened} ELSE reported_at END"
    if source.time_zone in ("", "UTC"):
        return f"TRY_CAST({text} AS TIMESTAMPTZ)"
    offset = "length(reported_at) > 10 AND regexp_matches(reported_at, '(Z|[+-][0-9]{2}(:?[0-9]{2})?)$')"
    local = f"timezone({quoted_sql(source.time_zone)}, TRY_CAST(reported_at AS TIMESTAMP))"
    return f"CASE WHEN {offset} THEN TRY_CAST({text} AS TIMESTAMPTZ) ELSE {local} END"
