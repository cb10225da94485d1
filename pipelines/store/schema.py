"""The tables of a state, its dimensions, its views, and the COMMENTs that say what each means."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version

import duckdb

from pipelines import clock
from pipelines.connections import transaction
from pipelines.rules.cause_sql import cause_scores_sql
from pipelines.rules.lint import require_sound
from pipelines.settings import Settings
from pipelines.statements import comment_sql, create_sql, fetch_first_row, read_statement
from pipelines.store import daily_counts
from pipelines.store.state import set_state
from schemas.pack import UNDETERMINED, Pack
from schemas.record_layout import report_day_sql, unpacked_sql
from schemas.tables import SCHEMA_VERSION, Table, list_stored_tables, list_stored_views


def create_tables(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> None:
    with transaction(connection):
        for table in list_stored_tables(pack):
            connection.execute(create_sql(table))
        set_state(connection, "schema_version", str(SCHEMA_VERSION))
        set_state(connection, "calfwatch_version", version("calfwatch"))
        use_pack(connection, settings, pack)


def comment(connection: duckdb.DuckDBPyConnection, table: Table, kind: str = "TABLE") -> None:
    """Write the declared meanings of a table (or kind VIEW) and its columns beside them, as COMMENTs."""
    connection.execute(";".join(comment_sql(table, kind)))


def use_pack(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> None:
    """Make a pack the one in use: its dimension tables, and the views that decode its bits. Counts nothing.

    Raises UsageError for a pack with a rule that can never be TRUE.
    """
    require_sound(pack)
    fill_dimensions(connection, pack)
    connection.execute(
        """INSERT INTO rule_packs SELECT $version, $number, $article, $now, $text
           WHERE $version NOT IN (SELECT rule_pack FROM rule_packs)""",
        {
            "version": pack.version,
            "number": pack.number,
            "article": pack.article,
            "text": pack.text,
            "now": clock.now(),
        },
    )
    set_state(connection, "rule_pack", pack.version)
    set_state(connection, "complaint", pack.complaint)
    declare(connection, settings, pack)


def fill_dimensions(connection: duckdb.DuckDBPyConnection, pack: Pack) -> None:
    """The pack's rules, causes and fields as tables, in place of those of the pack before."""
    meanings = {field.name: field.meaning for field in pack.fields}
    _refill(
        connection,
        "rules",
        [(rule.id, rule.level, rule.when, rule.sentence, rule.reference, rule.basis) for rule in pack.triage],
    )
    causes = [(cause.category, cause.name, cause.label) for cause in pack.causes]
    _refill(connection, "causes", [*causes, (UNDETERMINED, UNDETERMINED, "Undetermined")])
    _refill(connection, "fields", [(name, meanings.get(name, name.replace("_", " "))) for name in pack.askable])


def _refill(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[str, ...]]) -> None:
    """Replace the rows of a small table, by one statement."""
    connection.execute(f"DELETE FROM {table}")
    if rows:
        places = ", ".join(f"({', '.join('?' * len(row))})" for row in rows)
        connection.execute(f"INSERT INTO {table} VALUES {places}", [cell for row in rows for cell in row])


def declare(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> None:
    """The views, and the COMMENTs of tables and views."""
    for table in list_stored_tables(pack):
        comment(connection, table)
    for view in list_stored_views(pack):
        connection.execute(f"CREATE OR REPLACE VIEW {view.name} AS {view_sql(view, settings, pack)}")
        comment(connection, view, "VIEW")
    set_state(connection, "time_zone", settings.time_zone)
    set_state(connection, "week_system", settings.week_system)
    set_state(connection, "declaration", hash_declaration(settings, pack))


def hash_declaration(settings: Settings, pack: Pack) -> str:
    """A digest of the views and COMMENTs: another calfwatch may define or word them otherwise, with no other schema."""
    views = list_stored_views(pack)
    texts = [view_sql(view, settings, pack) for view in views]
    for table in (*list_stored_tables(pack), *views):
        texts += comment_sql(table)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def is_declared(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> bool:
    """Return whether the views and COMMENTs are those of this calfwatch; where not, the next run writes them anew."""
    row = fetch_first_row(connection, "SELECT value FROM state WHERE key = 'declaration'")
    return row is not None and row[0] == hash_declaration(settings, pack)


def view_sql(view: Table, settings: Settings, pack: Pack) -> str:
    """Return the SELECT of a view of records.duckdb."""
    if view.name == "reports":
        return reports_sql(pack, "records", settings.time_zone)
    return read_statement("views", view.name, **daily_counts.make_view_placeholders(settings))


def reports_sql(pack: Pack, relation: str, time_zone: str) -> str:
    """Return the packed records of `relation` as the columns of `reports`; days are cut in the reporting time zone."""
    return f"""SELECT {unpacked_sql(pack)},
  {cause_scores_sql(pack)} AS cause_scores,
  files.rule_pack, files.file_id, line_number::BIGINT AS line_number, packed.source, first_delivery_no,
  {report_day_sql(time_zone)} AS report_date, stated_date IS NULL AS time_known
FROM {relation} AS packed JOIN files USING (delivery_no)"""
