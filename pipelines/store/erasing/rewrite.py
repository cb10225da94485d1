"""The records written anew without what is erased.

A DELETE leaves values in free blocks, in statistics and dictionaries, so the tables are copied into a new file, which
takes the place of the old one by one rename. The caller has filled the temporary tables `going` (source, report_id) and
`going_lines` (delivery_no, line_number, source, raw_line), and has defined nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines import files
from pipelines.connections import path_sql, transaction
from pipelines.settings import Settings
from pipelines.statements import create_sql, fetch_number, read_statement
from pipelines.store import audit, daily_counts
from pipelines.store.attachment import STORAGE_VERSION, attach, detach
from pipelines.store.erasing import erasure
from pipelines.store.home import Home
from pipelines.store.schema import declare
from pipelines.store.state import check_levels
from schemas.pack import Pack
from schemas.record_layout import report_day_sql
from schemas.tables import DAILY_SUMMARY, DELIVERY_DAYS, ERASED_COUNTS, list_stored_tables

KNOWN = "calfwatch"  # the name under which the records are attached
# worked out anew by the next publication
REGION_TABLES = ("weekly_signals", "weekly_revisions", "daily_signals", "signal_counts")


@dataclass(frozen=True)
class Deed:
    """What the audit trail tells of an erasure; and texts that people wrote, each with what stands in its place."""

    subject: str
    detail: str
    words: Mapping[str, str]


def write_without(
    connection: duckdb.DuckDBPyConnection, home: Home, settings: Settings, pack: Pack, deed: Deed
) -> None:
    """Replace records.duckdb by a copy without the reports of `going` and what the lines of `going_lines` hold.

    If this ends early, nothing has changed. The deed comes with the copy: by it all that was worked out or published
    before is known to be of before, also after a kill right behind the rename.
    """
    find_gone(connection)
    _count_erased(connection, settings, pack)
    find_rare_regions(connection, settings)
    _mark_erased(connection, home)
    connection.execute("CREATE OR REPLACE TEMP TABLE new_words (before VARCHAR, after VARCHAR)")
    connection.executemany("INSERT INTO new_words VALUES (?, ?)", [*deed.words.items(), ("", "")])
    new = files.name_temporary(home.records)
    try:
        _fill(connection, new, settings, pack, deed)
        detach(connection)
        files.put_database_in_place(new, home.records, 0o600)
        attach(connection, home)
    finally:
        for leftover in (new, files.name_log(new)):
            leftover.unlink(missing_ok=True)


def _fill(connection: duckdb.DuckDBPyConnection, new: Path, settings: Settings, pack: Pack, deed: Deed) -> None:
    connection.execute(f"ATTACH {path_sql(new)} AS fresh (STORAGE_VERSION '{STORAGE_VERSION}')")
    try:
        selects = _kept_rows_sql()
        for table in list_stored_tables(pack):
            sql = selects.get(table.name, f"FROM {KNOWN}.{table.name}")
            with transaction(connection):
                connection.execute(create_sql(table).replace("TABLE ", "TABLE fresh.", 1))
                connection.execute(f"INSERT INTO fresh.{table.name} BY NAME {sql}")
        connection.execute("USE fresh")
        with transaction(connection):
            declare(connection, settings, pack)
            audit.note(connection, "forget", deed.subject, deed.detail)
        check_levels(connection)
    finally:
        connection.execute(f"USE {KNOWN}")
        connection.execute("DETACH fresh")


def _count_erased(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> None:
    """Fill a table of counts for each that keeps those of erased records, what was erased before included."""
    for table, sql in daily_counts.deltas_sql(connection, settings, pack, "SELECT *, 1 AS sign FROM gone"):
        name = ERASED_COUNTS[table.name].name
        connection.execute(f"CREATE OR REPLACE TEMP TABLE new_{name} AS {erasure.with_erased_sql(table, sql)}")
    days = read_statement("store", "erased_days", day=report_day_sql(settings.time_zone))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE new_erased_days AS {erasure.with_erased_sql(DELIVERY_DAYS, days)}"
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE new_erased_files AS {read_statement('store', 'erased_files')}")


def find_gone(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill `gone` and `gone_versions` with the records and replaced versions that go."""
    for name, table in (("gone", "records"), ("gone_versions", "superseded")):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {name} AS FROM {table} SEMI JOIN going USING (source, report_id)"
        )


def find_rare_regions(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Fill `rare_regions`: places that erased records alone named, and so few that they tell of somebody."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE rare_regions AS {read_statement('store', 'rare_regions')}",
        {"few": settings.public.hide_up_to},
    )


def _mark_erased(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """Fill `new_erased` with the marks of all that is and was erased."""
    connection.execute("CREATE OR REPLACE TEMP TABLE new_erased AS FROM erased")
    senders = "SELECT DISTINCT source FROM (SELECT source FROM going UNION ALL SELECT source FROM going_lines)"
    for (source,) in connection.execute(senders).fetchall():
        erasure.define_mark(connection, home, source)
        connection.execute(
            """INSERT INTO new_erased
               SELECT $source, mark FROM (
                 SELECT erased_mark('id', report_id) AS mark FROM going WHERE source = $source
                 UNION
                 SELECT erased_mark('line', raw_line) FROM going_lines WHERE source = $source AND raw_line IS NOT NULL)
               WHERE mark NOT IN (SELECT mark FROM erased WHERE source = $source)""",
            {"source": source},
        )


def _kept_rows_sql() -> dict[str, str]:
    """Return for each table that is not copied as it is the SELECT of what is kept of it."""
    rare = "(SELECT region FROM rare_regions)"
    counts = {name: f"FROM new_{name}" for name in ("erased", "erased_files", "erased_days", "erased_rules")}
    counts |= {
        name: f"FROM new_{name}" for name in ("erased_fields", "erased_arrivals", "erased_numbers", "erased_rule_sets")
    }
    folded = {
        name: read_statement("store", "folded_regions", relation=relation, sums=_sums_sql())
        for name, relation in (("daily_summary", f"{KNOWN}.daily_summary"), ("erased_summary", "new_erased_summary"))
    }
    named = f"regexp_extract(series, '^region=([^,]*)', 1) IN {rare}"
    return {
        "records": f"FROM {KNOWN}.records ANTI JOIN going USING (source, report_id)",
        "superseded": f"FROM {KNOWN}.superseded ANTI JOIN going USING (source, report_id)",
        "quarantine": read_statement("store", "quarantine_without"),
        "warned_cells": read_statement("store", "warned_cells_without"),
        "files": read_statement("store", "files_without"),
        "alarm_notes": read_statement("store", "alarm_notes_without"),
        "assessments": read_statement("store", "assessments_without"),
        "alarm_episodes": read_statement("store", "alarm_episodes_without"),
        "audit": read_statement("store", "audit_without"),
        "reported_counts": read_statement("store", "reported_counts_without"),
        **{name: f"FROM {KNOWN}.{name} WHERE NOT coalesce({named}, false)" for name in REGION_TABLES},
        **counts,
        **folded,
    }


def _sums_sql() -> str:
    return ", ".join(f"sum({name})::BIGINT AS {name}" for name in erasure.COUNTS[DAILY_SUMMARY.name])


def count_going(connection: duckdb.DuckDBPyConnection) -> tuple[int, int, int]:
    """Return how many records, replaced versions and quarantined lines are to be erased."""
    counts = [
        fetch_number(connection, f"SELECT count(*) FROM {table} SEMI JOIN going USING (source, report_id)")
        for table in ("records", "superseded")
    ]
    return counts[0], counts[1], fetch_number(connection, "SELECT count(*) FROM going_lines")
