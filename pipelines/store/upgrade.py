"""An attached state is brought up to date: created, migrated, and cut into weeks as the settings say."""

from __future__ import annotations

import filecmp
import os

import duckdb

from pipelines import clock, files
from pipelines.connections import transaction
from pipelines.errors import UsageError
from pipelines.settings import Settings
from pipelines.statements import create_sql, fetch_first_row, fetch_number, read_statement
from pipelines.store import daily_counts, migrations
from pipelines.store.attachment import attach, detach
from pipelines.store.home import Home
from pipelines.store.packs import find_pack_in_use, list_kept_packs, load_stored_pack
from pipelines.store.schema import create_tables, declare, is_declared, use_pack
from pipelines.store.state import check_counts, check_levels, check_version, get_state
from schemas.pack import Pack
from schemas.pack_file import find_earlier_pack
from schemas.tables import SCHEMA_VERSION, make_records_table, make_superseded_table

DATES_SINCE = 4  # the schema version that tells a date alone from an instant


def upgrade(connection: duckdb.DuckDBPyConnection, home: Home, settings: Settings, pack: Pack) -> list[str]:
    """Bring attached records up to date, creating them if there are none; return what was done, a line each.

    `pack` is for a home without a history; one that has a history keeps the pack that tagged it (`find_pack_in_use`).
    Raises StateError for a state that is foreign, newer, or contradicts itself.
    """
    if not _has_state(connection):
        create_tables(connection, settings, pack)
    home.records.chmod(0o600)
    done = _migrate(connection, home, settings, pack)
    check_version(connection, home.records)
    check_counts(connection)
    return [*done, *_follow_settings(connection, settings, pack)]


def _migrate(connection: duckdb.DuckDBPyConnection, home: Home, settings: Settings, pack: Pack) -> list[str]:
    """Bring an older state up to date in one transaction, after a copy of it beside; return what was done."""
    found = migrations.read_schema_version(connection)
    if found is None or not 0 < found < SCHEMA_VERSION:
        return []
    tagged_with = _find_pack_of_older_state(connection, home, found, pack)
    detach(connection)
    _keep_copy(home, f"schema-{found}")
    attach(connection, home)
    with transaction(connection):
        migrations.migrate(connection, found, SCHEMA_VERSION, tagged_with)
        if found < DATES_SINCE:
            _find_stated_dates(connection, settings)
        _cut_weeks(connection, settings, tagged_with)
        check_levels(connection)
    return [f"{home.records}: brought from schema version {found} to {SCHEMA_VERSION}; a copy of before is beside it"]


def _find_stated_dates(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Take the times of files of which every report was made at midnight in the sender's zone for dates alone.

    Before schema version 4 a date alone became such a midnight; then all dates of a file were written alike.
    """
    known = {source.name: source.time_zone or "UTC" for source in settings.sources}  # UTC was the default then
    for (source,) in connection.execute("SELECT DISTINCT source FROM files WHERE status = 'accepted'").fetchall():
        values = {"source": source, "zone": known.get(source, "UTC")}
        connection.execute(read_statement("store", "midnight_files"), values)
        connection.execute(
            """UPDATE records SET stated_date = (reported_at AT TIME ZONE $zone)::DATE,
                 reported_at = ((reported_at AT TIME ZONE $zone)::DATE + INTERVAL 12 HOUR) AT TIME ZONE 'UTC'
               WHERE source = $source AND delivery_no IN (SELECT delivery_no FROM midnight_files)""",
            values,
        )
        connection.execute(
            """UPDATE superseded SET time_known = false, report_date = (reported_at AT TIME ZONE $zone)::DATE,
                 reported_at = ((reported_at AT TIME ZONE $zone)::DATE + INTERVAL 12 HOUR) AT TIME ZONE 'UTC'
               WHERE source = $source AND file_id IN (SELECT file_id FROM midnight_files)""",
            values,
        )
        connection.execute(
            """UPDATE files SET
                 first_report = ((first_report AT TIME ZONE $zone)::DATE + INTERVAL 12 HOUR) AT TIME ZONE 'UTC',
                 last_report = ((last_report AT TIME ZONE $zone)::DATE + INTERVAL 12 HOUR) AT TIME ZONE 'UTC'
               WHERE source = $source AND delivery_no IN (SELECT delivery_no FROM midnight_files)""",
            values,
        )


def _find_pack_of_older_state(connection: duckdb.DuckDBPyConnection, home: Home, found: int, pack: Pack) -> Pack:
    """Return the pack that tagged an older state: its kept text, from version 2 on; before, it must be at hand."""
    stored = get_state(connection, "rule_pack")
    kept = {version for version, *_ in list_kept_packs(connection)} if found > 1 else set()
    if stored in kept:  # before the configured one: two packs may share 32 bits
        return load_stored_pack(connection, stored)
    if stored == pack.short_version:
        return pack
    if earlier := find_earlier_pack(stored):
        return earlier
    raise UsageError(
        f"{home.records} is of schema version {found} and tagged with rule pack {stored}; "
        "name that pack's file as rule_pack in calfwatch.toml, then it is brought up to date"
    )


def _keep_copy(home: Home, what: str) -> None:
    """Keep a copy beside the records; one that is there already is left, and not made twice."""
    new, kept = files.name_temporary(home.records), home.path / f"records.{what}.duckdb"
    if kept.is_file() and filecmp.cmp(home.records, kept, shallow=False):
        return
    if os.path.lexists(kept):
        kept = home.path / f"records.{what}-{clock.now():%Y%m%dT%H%M%S.%fZ}.duckdb"
    files.copy(home.records, new)
    files.put_where_nothing_is(new, kept)


def _has_state(connection: duckdb.DuckDBPyConnection) -> bool:
    sql = "SELECT 1 FROM duckdb_tables() WHERE database_name = 'calfwatch' AND table_name = 'state'"
    return fetch_first_row(connection, sql) is not None


def _cut_weeks(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> None:
    """Count everything again for the time zone and week system in the settings."""
    declare(connection, settings, pack)
    daily_counts.rebuild(connection, settings, pack)


def _follow_settings(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> list[str]:
    """Count again if the time zone or week system changed, and take up another pack if nothing is tagged.

    After an update of calfwatch, its views and COMMENTs take the place of the former ones. Return what was done.
    """
    used, done = find_pack_in_use(connection, pack), []
    if used.version != pack.version and not _has_history(connection):
        with transaction(connection):
            _start_over(connection, settings, pack)
        done.append(f"rule pack {pack.version} takes the place of {used.version}: no record is stored")
        used = pack
    weeks = (get_state(connection, "time_zone"), get_state(connection, "week_system"))
    if weeks != (settings.time_zone, settings.week_system):
        with transaction(connection):
            _cut_weeks(connection, settings, used)
        done.append(f"counted again for {settings.time_zone}, {settings.week_system} weeks")
    elif not is_declared(connection, settings, used):
        with transaction(connection):
            declare(connection, settings, used)
    return done


def _has_history(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether any record was ever tagged here and is still known."""
    return fetch_number(connection, "SELECT (SELECT count(*) FROM records) + (SELECT count(*) FROM superseded)") > 0


def _start_over(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> None:
    """Empty tables in the form of another pack."""
    connection.execute("DROP VIEW reports")
    for table in (make_records_table(pack), make_superseded_table(pack)):
        connection.execute(f"DROP TABLE {table.name}")
        connection.execute(create_sql(table))
    use_pack(connection, settings, pack)
