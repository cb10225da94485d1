"""records -> daily counts, kept with every file in its own transaction; weekly views stand on them.

A file changes the counts by its own records: those it adds count +1, those it takes out -1. A rebuild from
all records must give the same; a test holds the two against each other.
"""

from __future__ import annotations

import duckdb

from pipelines.settings import Settings
from pipelines.statements import fetch_first_row, fetch_number, list_sql, read_statement
from pipelines.store import clocks
from pipelines.store.erasing import erasure
from pipelines.store.ledger import Group
from schemas.fields import AGE_BANDS, SEVERE_PAIN, SEXES
from schemas.pack import CERTAINTIES, LEVELS, UNDETERMINED, Pack
from schemas.record_layout import bit_sums_sql, report_day_sql, timed_day_sql
from schemas.tables import (
    DAILY_ARRIVALS,
    DAILY_FIELDS,
    DAILY_NUMBERS,
    DAILY_RULE_SETS,
    DAILY_RULES,
    DAILY_SUMMARY,
    Table,
)


def make_week_placeholders(settings: Settings) -> dict[str, str]:
    """Return how weeks are cut: what the SQL needs for ISO (Monday) or MMWR (Sunday) weeks."""
    iso = settings.week_system == "iso"
    return {
        "time_zone": settings.time_zone,
        "days_into_week": "isodow" if iso else "dayofweek",
        "first_day_number": "1" if iso else "0",
        "mark": "W" if iso else "MW",
    }


def make_view_placeholders(settings: Settings) -> dict[str, str]:
    """Return what the SQL of views needs: how weeks are cut, a record's day, and which days are plausible."""
    more = {"day": report_day_sql(settings.time_zone), "plausible_days": read_statement("store", "plausible_days")}
    return make_week_placeholders(settings) | more


def add_changes(connection: duckdb.DuckDBPyConnection, settings: Settings, group: Group) -> None:
    """Bring the daily tables and the calendar up to date with the deliveries of a group, inside its transaction."""
    of_group = "WHERE delivery_no BETWEEN {first} AND {last}".format(**group.numbers)
    source = f"SELECT *, 1 AS sign FROM records {of_group}"
    if fetch_first_row(connection, "SELECT 1 FROM replaced LIMIT 1"):
        # what the group itself brought and replaced adds nothing, but was brought: the clocks count it
        source += f""" UNION ALL BY NAME SELECT * EXCLUDE (replaced_by), -1 AS sign FROM replaced
            UNION ALL BY NAME SELECT * EXCLUDE (replaced_by), 1 AS sign FROM replaced {of_group}"""
    merge_changes(connection, settings, group.pack, source)
    clocks.add_delivery_days(connection)
    clocks.update_clocks(connection)
    update_calendar(connection, settings)


def merge_changes(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack, source: str) -> None:
    """Add changed records to the daily tables; `source` selects them, with a sign of 1 or -1."""
    for table, delta in deltas_sql(connection, settings, pack, source):
        _merge(connection, table, delta)


def rebuild(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> None:
    """Count all daily tables and the calendar again from all records: after a change of time zone or week system."""
    for table, delta in recount_sql(connection, settings, pack):
        connection.execute(f"DELETE FROM {table.name}")
        connection.execute(f"INSERT INTO {table.name} BY NAME {delta}")
    connection.execute("DELETE FROM weekly_sources")  # of weeks that may have been cut otherwise
    day = timed_day_sql(settings.time_zone)
    connection.execute(f"UPDATE superseded SET report_date = {day} WHERE time_known AND report_date <> {day}")
    clocks.rebuild_delivery_days(connection, settings)
    clocks.update_clocks(connection)
    update_calendar(connection, settings)


def recount_sql(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> list[tuple[Table, str]]:
    """Return for each daily table the SELECT that counts it from all records, and from the counts of those erased."""
    counted = deltas_sql(connection, settings, pack, "SELECT *, 1 AS sign FROM records")
    if not fetch_number(connection, "SELECT count(*) FROM erased_files"):
        return counted
    return [(table, erasure.with_erased_sql(table, sql)) for table, sql in counted]


def update_calendar(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Recompute the covered weeks from what the deliveries brought, and from what was last known of the senders."""
    connection.execute("DELETE FROM calendar")
    connection.execute(f"INSERT INTO calendar BY NAME {calendar_sql(settings)}")


def calendar_sql(settings: Settings) -> str:
    """Return the SELECT of the calendar's days."""
    return read_statement(
        "store",
        "calendar",
        plausible_days=read_statement("store", "plausible_days"),
        **make_week_placeholders(settings),
    )


def deltas_sql(
    connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack, source: str
) -> list[tuple[Table, str]]:
    """Return for each daily table the SELECT of what changes in it. `source`: the changed records, signed."""
    day = report_day_sql(settings.time_zone)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW changes AS SELECT *, {day} AS report_date FROM ({source})")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE day_sums AS {_day_sums_sql(pack)}")
    return [
        (
            DAILY_SUMMARY,
            read_statement("store", "daily_summary", severe=SEVERE_PAIN, **_make_column_placeholders(pack)),
        ),
        (DAILY_RULES, read_statement("store", "daily_rules", rules=list_sql(tuple(rule.id for rule in pack.triage)))),
        (
            DAILY_FIELDS,
            read_statement(
                "store", "daily_fields", fields=list_sql(pack.askable), unresolved=str(LEVELS.index("unresolved"))
            ),
        ),
        (DAILY_ARRIVALS, read_statement("store", "daily_arrivals", levels=list_sql(LEVELS))),
        (
            DAILY_NUMBERS,
            " UNION ALL ".join(read_statement("store", "daily_numbers", field=name) for name in pack.numbers),
        ),
        (DAILY_RULE_SETS, read_statement("store", "daily_rule_sets", rules=list_sql(tuple(r.id for r in pack.triage)))),
    ]


def _merge(connection: duckdb.DuckDBPyConnection, table: Table, delta: str) -> None:
    """Add a delta to a daily table: only its days are touched, and rows that fall to zero go.

    Days that the table does not have are inserted as they are: to group them again would cost most of all.
    """
    if fetch_first_row(connection, f"SELECT 1 FROM {table.name} LIMIT 1") is None:
        connection.execute(f"INSERT INTO {table.name} BY NAME FROM ({delta}) WHERE reports <> 0")
        return
    counts = erasure.COUNTS[table.name]
    keys = ", ".join(name for name in table.column_names if name not in counts)
    sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in counts)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE delta AS {delta}")
    connection.execute(f"""CREATE OR REPLACE TEMP TABLE touched AS
        SELECT DISTINCT report_date FROM {table.name} WHERE report_date IN (SELECT report_date FROM delta)""")
    connection.execute(f"""CREATE OR REPLACE TEMP TABLE merged AS
        SELECT {keys}, {sums}
        FROM (SELECT * FROM {table.name} UNION ALL BY NAME FROM delta) SEMI JOIN touched USING (report_date)
        GROUP BY ALL HAVING sum(reports) <> 0""")
    connection.execute(f"DELETE FROM {table.name} WHERE report_date IN (FROM touched)")
    connection.execute(f"INSERT INTO {table.name} BY NAME FROM merged")
    connection.execute(
        f"INSERT INTO {table.name} BY NAME FROM delta ANTI JOIN touched USING (report_date) WHERE reports <> 0"
    )
    for name in ("delta", "touched", "merged"):
        connection.execute(f"DROP TABLE {name}")


def _make_column_placeholders(pack: Pack) -> dict[str, str]:
    causes = (UNDETERMINED, *(cause.name for cause in pack.causes))
    categories = (UNDETERMINED, *(cause.category for cause in pack.causes))
    return {
        "age_bands": list_sql(AGE_BANDS),
        "sexes": list_sql(SEXES),
        "sex_unknown": str(1 + SEXES.index("unknown")),
        "levels": list_sql(LEVELS),
        "causes": list_sql(causes),
        "categories": list_sql(categories),
        "close": str(CERTAINTIES.index("close")),
        "self_care": str(LEVELS.index("self_care")),
        "serious": str(pack.serious_evidence),
    }


def _day_sums_sql(pack: Pack) -> str:
    """Per day, source, delivery and sign: how often each rule fired and each field was answered or missing.

    One pass over the records for three tables; the sign is applied to the few sums, not to every record.
    """
    numbers = [f"sum(({name} IS NOT NULL)::UTINYINT)" for name in pack.numbers]
    choices = [f"sum(({name} <> 0)::UTINYINT)" for name in pack.choices]
    answered = ", ".join(filter(None, [bit_sums_sql("answered", len(pack.field_names)), *numbers, *choices]))
    asked_otherwise = ["NULL"] * (len(numbers) + len(choices))
    yes = ", ".join(filter(None, [bit_sums_sql("yes", len(pack.field_names)), *asked_otherwise]))
    unresolved = f"CASE WHEN triage_level = {LEVELS.index('unresolved')} THEN missing ELSE 0 END"
    return f"""SELECT report_date, source, delivery_no, sign, count(*) AS reports,
        [{bit_sums_sql("rules_true", len(pack.triage))}] AS rules,
        [{answered}] AS answered,
        [{bit_sums_sql("missing", len(pack.askable))}] AS missing,
        [{bit_sums_sql("missing_unresolved", len(pack.askable))}] AS unresolved,
        [{yes}] AS yes
    FROM (SELECT *, {unresolved} AS missing_unresolved FROM changes)
    GROUP BY report_date, source, delivery_no, sign"""
