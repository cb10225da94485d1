"""The databases against their declaration: tables, columns, types, order and comments."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import duckdb
import pytest

from pipelines.jobs import publish as publish_job
from pipelines.settings import Settings
from pipelines.statements import comment_sql, create_sql
from pipelines.store import database
from pipelines.store.database import Home
from schemas.pack_file import load_pack
from schemas.tables import Table, list_published_tables, list_stored_tables, list_stored_views, quoted_sql

PACK = load_pack()
RECORDS = {table.name: table for table in (*list_stored_tables(PACK), *list_stored_views(PACK))}
SUMMARIES = {table.name: table for table in list_published_tables()}
Made = dict[str, duckdb.DuckDBPyConnection]
DECLARED = [
    pytest.param(database, table, id=f"{database}-{name}")
    for database, tables in (("records", RECORDS), ("summaries", SUMMARIES))
    for name, table in tables.items()
]

# What people outside read is a contract: here it is written a second time, so that no column can go by accident.
CONTRACT = {
    "daily_summary": "report_date DATE, source VARCHAR, region VARCHAR, age_band VARCHAR, sex VARCHAR, "
    "triage_level VARCHAR, triage_ceiling VARCHAR, cause_category VARCHAR, likely_cause VARCHAR, reports BIGINT, "
    "severe_pain BIGINT, close_causes BIGINT, serious_signs BIGINT",
    "weekly_triage": "triage_level VARCHAR, reports BIGINT, share DOUBLE, previous_week BIGINT, "
    "could_be_emergency BIGINT",
    "weekly_causes": "cause_category VARCHAR, likely_cause VARCHAR, reports BIGINT, share DOUBLE, previous_week BIGINT",
    "weekly_regions": "region VARCHAR, reports BIGINT, share DOUBLE, previous_week BIGINT, emergency BIGINT, "
    "contact_doctor BIGINT, self_care BIGINT, unresolved BIGINT, severe_pain BIGINT",
    "weekly_demographics": "age_band VARCHAR, sex VARCHAR, reports BIGINT, share DOUBLE, previous_week BIGINT, "
    "emergency BIGINT, contact_doctor BIGINT, self_care BIGINT, unresolved BIGINT, severe_pain BIGINT",
    "weekly_rules": "rule_id VARCHAR, triage_level VARCHAR, reports BIGINT, share DOUBLE, previous_week BIGINT",
    "weekly_missing_answers": "field VARCHAR, reports BIGINT, share DOUBLE, previous_week BIGINT, unresolved BIGINT, "
    "settles BIGINT",
    "weekly_quality": "source VARCHAR, measure VARCHAR, item VARCHAR, value DOUBLE",
    "weekly_signals": "series VARCHAR, observed BIGINT, reports BIGINT, expected DOUBLE, lower DOUBLE, upper DOUBLE, "
    "method VARCHAR, is_primary BOOLEAN, status VARCHAR, reason VARCHAR, p_value DOUBLE, rank INTEGER, level VARCHAR, "
    "trend VARCHAR, sources INTEGER, left_out VARCHAR",
    "weekly_revisions": "series VARCHAR, as_reported BIGINT, as_known_now BIGINT, difference BIGINT, reason VARCHAR",
    "weekly_symptoms": "field VARCHAR, yes BIGINT, no BIGINT, unknown BIGINT, share DOUBLE",
    "weekly_distributions": "field VARCHAR, value INTEGER, reports BIGINT, share DOUBLE",
    "weekly_rule_pairs": "rule_id VARCHAR, other_rule_id VARCHAR, reports BIGINT",
    "weekly_source_levels": "source VARCHAR, reports BIGINT, emergency BIGINT, contact_doctor BIGINT, "
    "self_care BIGINT, unresolved BIGINT, severe_pain BIGINT",
    "weekly_source_rules": "source VARCHAR, rule_id VARCHAR, triage_level VARCHAR, reports BIGINT, share DOUBLE",
    "weekly_source_missing_answers": "source VARCHAR, field VARCHAR, reports BIGINT, share DOUBLE, "
    "unresolved BIGINT, settles BIGINT",
    "levels": "triage_level VARCHAR, rank INTEGER, meaning VARCHAR",
    "regions": "region VARCHAR, reports BIGINT, first_date DATE, last_date DATE",
    "sources": "source VARCHAR, files BIGINT, reports BIGINT, first_date DATE, last_date DATE, clock DATE, "
    "rhythm VARCHAR",
    "about": "rule_pack VARCHAR, complaint VARCHAR, time_zone VARCHAR, week_system VARCHAR, latest_week VARCHAR, "
    "first_report TIMESTAMP WITH TIME ZONE, last_report TIMESTAMP WITH TIME ZONE, "
    "last_delivery INTEGER, published_at TIMESTAMP WITH TIME ZONE, deeds INTEGER, version VARCHAR, "
    "rule_pack_content VARCHAR",
}
LEDGER = """file_id path source status reason rows_read rows_accepted rows_quarantined rows_duplicate
    rows_out_of_scope rows_superseded delivery_no first_report last_report rule_pack ingested_at run_id period clock"""
QUARANTINE = "file_id line_number report_id column_name check_name value raw_line"
CONTEXT = "report_id reported_at region age_band sex pain_score duration_days"
TAGS = """triage_level triage_ceiling triage_rules missing_answers cause_category likely_cause cause_certainty
    cause_scores rule_pack file_id line_number source first_delivery_no report_date time_known"""
LAST = 3  # columns of `reports` that came after `superseded` had its own: they are last there, too


@pytest.fixture(scope="module", params=[("UTC", "iso"), ("America/New_York", "mmwr")], ids=["iso", "mmwr"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """Both databases of a home with nothing in it; with MMWR weeks they were made anew after ISO weeks."""
    zone, weeks = request.param
    home = Home(tmp_path_factory.mktemp("tables") / "home")
    home.make()
    settings = Settings(time_zone=zone, week_system=weeks)
    for used in (Settings(), settings):
        with home.lock(5), database.open_records(home, used, PACK) as connection:
            publish_job.publish(connection, home, used)
    paths = {"records": home.records, "summaries": home.summaries}
    connections = {name: duckdb.connect(str(path), read_only=True) for name, path in paths.items()}
    yield connections
    for connection in connections.values():
        connection.close()


@functools.cache
def spelled(type_: str) -> str:
    """A type as the catalogue writes it."""
    return str(duckdb.sql(f"SELECT typeof(NULL::{type_})").fetchall()[0][0])


@pytest.mark.parametrize(("database", "declared"), [("records", RECORDS), ("summaries", SUMMARIES)])
def test_a_database_holds_the_declared_tables_and_no_other(
    database: str, declared: dict[str, Table], made: Made
) -> None:
    connection = made[database]
    tables = "SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal"
    assert sorted(name for (name,) in connection.execute(tables).fetchall()) == sorted(declared)


@pytest.mark.parametrize(("database", "table"), DECLARED)
def test_every_column_is_there_in_order_with_its_type_and_comment(database: str, table: Table, made: Made) -> None:
    connection = made[database]
    found = connection.execute(
        "SELECT column_name, data_type, comment FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index",
        [table.name],
    ).fetchall()
    types = {column.name: spelled(column.type) for column in table.columns}
    assert found == [(column.name, types[column.name], column.meaning) for column in table.columns]
    result = connection.sql(f"FROM {table.name}")
    assert [str(type_) for type_ in result.types] == list(types.values()), "what a query returns has the type as well"


@pytest.mark.parametrize(("database", "table"), DECLARED)
def test_every_table_says_what_one_row_is(database: str, table: Table, made: Made) -> None:
    connection = made[database]
    sql = """SELECT comment FROM duckdb_tables() WHERE table_name = $name
             UNION ALL SELECT comment FROM duckdb_views() WHERE view_name = $name"""
    assert connection.execute(sql, {"name": table.name}).fetchall() == [(f"One row: {table.grain}.",)]


@pytest.mark.parametrize("table", RECORDS.values(), ids=RECORDS)
def test_every_meaning_is_words_and_no_column_stands_twice(table: Table) -> None:
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names)
    assert table.grain
    for column in table.columns:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", column.name)
        assert len(column.meaning) >= 2, column.name
        assert column.meaning != column.name


@pytest.mark.parametrize("name", CONTRACT)
def test_what_is_published_keeps_the_promised_columns(name: str, made: Made) -> None:
    promised = CONTRACT[name] if not name.startswith("weekly_") else f"week VARCHAR, week_start DATE, {CONTRACT[name]}"
    for connection in made.values() if name != "about" else [made["summaries"]]:
        result = connection.sql(f"FROM {name}")
        columns = zip(result.columns, result.types, strict=True)
        assert ", ".join(f"{column} {type_}" for column, type_ in columns) == promised


def test_the_private_tables_keep_the_promised_columns(made: Made) -> None:
    connection = made["records"]
    reports = connection.sql("FROM reports").columns
    assert reports == [*CONTEXT.split(), *PACK.field_names, *TAGS.split()]
    assert connection.sql("FROM superseded").columns == [
        *reports[:-LAST],
        "superseded_by",
        "superseded_at",
        *reports[-LAST:],
    ]
    for name, promised in (("files", LEDGER), ("quarantine", QUARANTINE)):
        assert set(promised.split()) <= set(connection.sql(f"FROM {name}").columns)
    assert {str(connection.sql(f"SELECT {name} FROM reports").types[0]) for name in PACK.field_names} == {"BOOLEAN"}


def test_no_published_table_can_hold_a_record() -> None:
    private = {"report_id", "reported_at", "line_number", "raw_line", "file_id", "path", "value_text", "tried_with"}
    for table in list_published_tables():
        assert not private & set(table.column_names), table.name


def test_the_published_calendar_and_files_have_what_analysts_need(made: Made) -> None:
    connection = made["summaries"]
    assert connection.sql("FROM calendar").columns == [
        "report_date", "week", "week_start", "month", "quarter",
        "is_complete", "month_is_complete", "quarter_is_complete",
    ]  # fmt: skip
    kept = set(LEDGER.split()) - {"file_id", "path", "run_id"}
    assert kept <= set(connection.sql("FROM files").columns)


def test_a_comment_may_hold_an_apostrophe() -> None:
    table = Table("odd", "one sender's file", RECORDS["files"].columns)
    with duckdb.connect() as connection:
        connection.execute(create_sql(table))
        for sql in comment_sql(table):
            connection.execute(sql)
        assert connection.execute("SELECT comment FROM duckdb_tables()").fetchall() == [
            ("One row: one sender's file.",)
        ]
        assert connection.execute(f"SELECT {quoted_sql(chr(39) + 'x')}").fetchall() == [("'x",)]


def test_the_dimensions_are_those_of_the_rule_pack(made: Made) -> None:
    for connection in made.values():
        rules = connection.execute("SELECT rule_id, triage_level, condition FROM rules").fetchall()
        assert sorted(rules) == sorted((rule.id, rule.level, rule.when) for rule in PACK.triage)
        causes = connection.execute("SELECT likely_cause, cause_category FROM causes").fetchall()
        expected = [(cause.name, cause.category) for cause in PACK.causes] + [("undetermined", "undetermined")]
        assert sorted(causes) == sorted(expected)
        fields = [name for (name,) in connection.execute("SELECT field FROM fields").fetchall()]
        assert sorted(fields) == sorted((*PACK.field_names, "pain_score", "duration_days"))
