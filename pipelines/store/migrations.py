"""A state of an older schema version -> one of today's: one step a version, all in the caller's transaction.

A step is written once and never edited: it takes the state from its version to the next, whatever today's is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import duckdb

from pipelines.rules.compiler import tag_sql
from pipelines.rules.plain_sql import plain_sql
from pipelines.statements import create_sql, fetch_first_row, read_statement
from pipelines.store import audit
from pipelines.store.clocks import add_clocks_and_signals
from schemas.pack import Pack
from schemas.pack_file import parse_pack
from schemas.tables import ASSESSMENTS, DENOMINATORS, TOUCHED_DAYS, WARNED_CELLS, WEEKLY_INDICATORS, make_records_table

Step = Callable[[duckdb.DuckDBPyConnection, Pack], None]


def migrate(connection: duckdb.DuckDBPyConnection, found: int, wanted: int, pack: Pack) -> None:
    """Take every step from version `found` to `wanted`, and notes it; the caller backs up, checks and commits."""
    for number in range(found, wanted):
        STEPS[number](connection, pack)
    connection.execute("UPDATE state SET value = ? WHERE key = 'schema_version'", [str(wanted)])
    audit.note(connection, "migrate", f"schema {wanted}", f"from schema version {found} to {wanted}")


def _from_1(connection: duckdb.DuckDBPyConnection, pack: Pack) -> None:
    """Room for packs as text, an audit trail and published counts."""
    connection.execute("""CREATE TABLE audit (
        happened_at TIMESTAMPTZ, action VARCHAR, subject VARCHAR, detail VARCHAR, who VARCHAR, version VARCHAR)""")
    connection.execute("""CREATE TABLE reported_weeks (
        week VARCHAR, week_start DATE, reported_at TIMESTAMPTZ, rule_pack VARCHAR, last_delivery INTEGER,
        version VARCHAR, time_zone VARCHAR, week_system VARCHAR)""")
    connection.execute("CREATE TABLE reported_counts (week VARCHAR, week_start DATE, series VARCHAR, reports BIGINT)")
    connection.execute("ALTER TABLE rule_packs ADD COLUMN content VARCHAR")
    connection.execute("UPDATE rule_packs SET content = ? WHERE rule_pack = ?", [pack.text, pack.short_version])


def _from_2(connection: duckdb.DuckDBPyConnection, pack: Pack) -> None:
    """How many unresolved records an answer would settle alone; counted with everything else after the last step."""
    connection.execute("ALTER TABLE daily_fields ADD COLUMN settles BIGINT")


def _from_3(connection: duckdb.DuckDBPyConnection, pack: Pack) -> None:
    """To version 4: every part of the release has a function of its own."""
    _lengthen_pack_versions(connection)
    add_clocks_and_signals(connection)
    _add_dates_and_guards(connection)
    _tag_causes(connection, pack)  # after every new column of a record
    _add_releases(connection)
    _add_erasures(connection)
    _add_release_facts(connection)
    _add_analyst_tables(connection)
    _add_assessments_and_denominators(connection)
    _add_indicators(connection)
    _add_warnings(connection)
    connection.execute(create_sql(TOUCHED_DAYS))


def _add_indicators(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(create_sql(WEEKLY_INDICATORS))


def _add_warnings(connection: duckdb.DuckDBPyConnection) -> None:
    """Room for what adapters do not understand; what was taken before is not known any more."""
    connection.execute(create_sql(WARNED_CELLS))


def _add_assessments_and_denominators(connection: duckdb.DuckDBPyConnection) -> None:
    for table in (ASSESSMENTS, DENOMINATORS):
        connection.execute(create_sql(table))


def _lengthen_pack_versions(connection: duckdb.DuckDBPyConnection) -> None:
    """Versions with 128 bits of the digest, in place of 32, wherever a pack is named whose text is kept."""
    for (text,) in connection.execute("SELECT content FROM rule_packs WHERE content IS NOT NULL").fetchall():
        pack = parse_pack(text)
        names = {"new": pack.version, "old": pack.short_version}
        for table in ("rule_packs", "files", "superseded", "reported_weeks"):
            connection.execute(f"UPDATE {table} SET rule_pack = $new WHERE rule_pack = $old", names)
        connection.execute("UPDATE state SET value = $new WHERE key = 'rule_pack' AND value = $old", names)


def _tag_causes(connection: duckdb.DuckDBPyConnection, pack: Pack) -> None:
    """How sure the likely cause is, the evidence that is TRUE, and missing answers that can change the level.

    Level, ceiling and likely cause stay: they are tagged by the same pack, which keeps its own way to choose a cause.
    """
    connection.execute("""CREATE TABLE signatures (
        rule_pack VARCHAR, name VARCHAR, role VARCHAR, signed_on DATE, recorded_at TIMESTAMPTZ)""")
    connection.execute("ALTER TABLE daily_summary ADD COLUMN close_causes BIGINT")
    connection.execute("ALTER TABLE daily_summary ADD COLUMN serious_signs BIGINT")
    connection.execute("DROP VIEW IF EXISTS reports")
    tags = "triage_level, triage_ceiling, rules_true, missing, likely_cause, scores"
    columns = ", ".join(column.name for column in make_records_table(pack).columns)
    tagged = tag_sql(pack, f"(SELECT * EXCLUDE ({tags}) FROM records)")
    connection.execute(f"CREATE TABLE tagged AS SELECT {columns} FROM ({tagged})")
    connection.execute("DROP TABLE records")
    connection.execute("ALTER TABLE tagged RENAME TO records")
    _tag_causes_of_superseded(connection)


def _tag_causes_of_superseded(connection: duckdb.DuckDBPyConnection) -> None:
    """The same for records that were replaced, each by the pack that had tagged it, from its answers as columns."""
    connection.execute("ALTER TABLE superseded RENAME TO superseded_before")
    new = "NULL::VARCHAR AS cause_certainty, NULL::MAP(VARCHAR, UTINYINT) AS cause_scores"
    names = [row[0] for row in connection.execute("DESCRIBE superseded_before").fetchall()]
    columns = ", ".join(new if name == "cause_scores" else name for name in names)
    connection.execute(f"CREATE TABLE superseded AS SELECT {columns} FROM superseded_before")
    connection.execute("DROP TABLE superseded_before")
    tags = ("missing_answers", "cause_certainty", "cause_scores")
    for (text,) in connection.execute("SELECT content FROM rule_packs WHERE content IS NOT NULL").fetchall():
        pack = parse_pack(text)
        dropped = [f", NULL::{pack.sql_type(name)} AS {name}" for name in pack.askable if name not in names]
        answers = f"(SELECT *{''.join(dropped)} FROM superseded)"
        tagged = plain_sql(pack, answers, "file_id, line_number, rule_pack")
        connection.execute(
            f"""UPDATE superseded SET {", ".join(f"{tag} = again.{tag}" for tag in tags)}
                FROM ({tagged}) AS again
                WHERE superseded.file_id = again.file_id AND superseded.line_number = again.line_number
                  AND superseded.rule_pack = again.rule_pack AND again.rule_pack = ?""",
            [pack.version],
        )


def _add_releases(connection: duckdb.DuckDBPyConnection) -> None:
    """The record of what was released to the public."""
    connection.execute("""CREATE TABLE releases (
        week VARCHAR, week_start DATE, status VARCHAR, released_on DATE, method VARCHAR, incomplete BOOLEAN,
        note VARCHAR, first_moment TIMESTAMPTZ, last_moment TIMESTAMPTZ, released_at TIMESTAMPTZ, who VARCHAR,
        version VARCHAR, rule_pack VARCHAR, hide_up_to INTEGER, hidden_cells INTEGER, unlisted_regions INTEGER,
        possible_values INTEGER, possible_values_of VARCHAR, warnings VARCHAR, withdrawn_at TIMESTAMPTZ,
        withdrawn_by VARCHAR)""")
    connection.execute("""CREATE TABLE released_counts (
        week VARCHAR, week_start DATE, attribute VARCHAR, value VARCHAR, reports BIGINT, at_least BIGINT,
        at_most BIGINT)""")


def _add_release_facts(connection: duckdb.DuckDBPyConnection) -> None:
    """In which time zone a released week began, and whether its public files were ever finished."""
    connection.execute("ALTER TABLE releases ADD COLUMN time_zone VARCHAR")
    connection.execute("ALTER TABLE releases ADD COLUMN published BOOLEAN")


def _add_dates_and_guards(connection: duckdb.DuckDBPyConnection) -> None:
    """Days of reports without a time, regions in lower case, and what the guards between files remember."""
    connection.execute("ALTER TABLE records ADD COLUMN stated_date DATE")
    connection.execute("ALTER TABLE superseded ADD COLUMN report_date DATE")
    connection.execute("ALTER TABLE superseded ADD COLUMN time_known BOOLEAN")
    connection.execute("UPDATE superseded SET time_known = true, report_date = reported_at::DATE")
    for table in ("records", "superseded"):
        connection.execute(f"UPDATE {table} SET region = lower(region) WHERE region <> lower(region)")
    connection.execute("""CREATE OR REPLACE TEMP TABLE lower_counts AS
        SELECT week, week_start, lower(series) AS series, sum(reports)::BIGINT AS reports
        FROM reported_counts GROUP BY ALL""")
    connection.execute("DELETE FROM reported_counts")
    connection.execute("INSERT INTO reported_counts FROM lower_counts")
    connection.execute("DROP TABLE lower_counts")
    for column in (
        "rows_moved INTEGER",
        "rows_removed INTEGER",
        "columns VARCHAR[]",
        "is_whole BOOLEAN",
        "notes VARCHAR",
    ):
        connection.execute(f"ALTER TABLE files ADD COLUMN {column}")


def _add_erasures(connection: duckdb.DuckDBPyConnection) -> None:
    """Room for what was erased: its marks and its counts."""
    summary = """source VARCHAR, region VARCHAR, age_band VARCHAR, sex VARCHAR, triage_level VARCHAR,
        triage_ceiling VARCHAR, cause_category VARCHAR, likely_cause VARCHAR, reports BIGINT, severe_pain BIGINT,
        close_causes BIGINT, serious_signs BIGINT"""
    fields = """source VARCHAR, field VARCHAR, reports BIGINT, answered BIGINT, missing BIGINT, unresolved BIGINT,
        settles BIGINT"""
    columns = {
        "erased": "source VARCHAR, mark UUID",
        "erased_files": "delivery_no INTEGER, records BIGINT, superseded BIGINT, replaced BIGINT",
        "erased_summary": f"report_date DATE, {summary}",
        "erased_rules": "report_date DATE, source VARCHAR, rule_id VARCHAR, reports BIGINT",
        "erased_fields": f"report_date DATE, {fields}",
        "erased_arrivals": """report_date DATE, source VARCHAR, triage_level VARCHAR,
            first_delivery_no INTEGER, reports BIGINT""",
        "erased_days": "delivery_no INTEGER, report_date DATE, reports BIGINT",
    }
    for table, declared in columns.items():
        connection.execute(f"CREATE TABLE {table} ({declared})")


def _add_analyst_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """What analysts could not ask; counted with everything else after the last step. And which bad cells are open."""
    for table in ("daily_fields", "erased_fields"):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN yes BIGINT")
    connection.execute("ALTER TABLE calendar ADD COLUMN month VARCHAR")
    connection.execute("ALTER TABLE calendar ADD COLUMN quarter VARCHAR")
    for name in ("daily", "erased"):
        connection.execute(f"""CREATE TABLE {name}_numbers (
            report_date DATE, source VARCHAR, field VARCHAR, value INTEGER, reports BIGINT)""")
        connection.execute(f"""CREATE TABLE {name}_rule_sets (
            report_date DATE, source VARCHAR, rule_ids VARCHAR[], reports BIGINT)""")
    connection.execute("ALTER TABLE quarantine ADD COLUMN corrected_by VARCHAR")
    for (source,) in connection.execute("SELECT DISTINCT source FROM files").fetchall():
        connection.execute(read_statement("store", "corrected_by_records", repeated=""), {"source": source})


STEPS: Mapping[int, Step] = {1: _from_1, 2: _from_2, 3: _from_3}


def read_schema_version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """Return the version that the state carries; None if it carries none that can be read."""
    row = fetch_first_row(connection, "SELECT try_cast(value AS INTEGER) FROM state WHERE key = 'schema_version'")
    return None if row is None or row[0] is None else int(row[0])
