"""records -> daily counts, kept with every file in its own transaction; weekly views stand on them.

A file changes the counts by its own records: those it adds count +1, those it takes out -1. A rebuild from
all records must give the same; a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from pipelines.settings import Settings
from pipelines.statements import fetch_first_row, fetch_number, list_sql, read_statement
from pipelines.store import clocks
from pipelines.store.erasing import erasure
from pipelines.store.ledger import Group
from schemas.checked_file import DayCounts
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
    DELIVERY_DAYS,
    Table,
)

DAILY_TABLES = (DAILY_SUMMARY, DAILY_RULES, DAILY_FIELDS, DAILY_ARRIVALS, DAILY_NUMBERS, DAILY_RULE_SETS)


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
    if counted := _find_counted(connection, group):
        _add_counted(connection, counted)
    else:
        _count_changes(connection, settings, group)
    clocks.update_clocks(connection)
    update_calendar(connection, settings)


def _find_counted(connection: duckdb.DuckDBPyConnection, group: Group) -> dict[str, pa.Table] | None:
    """Return the counts that came with the group, if they are those of what was stored of it; else it is counted here.

    They are if all files that were counted together are in it, and every counted row became a record that replaces
    none and that no earlier delivery had brought.
    """
    files = list(group.files.items())
    counted = files[0][1].counted
    if counted is None or sorted(each.file_id for _, each in files) != sorted(counted.files.values()):
        return None
    numbers = {each.file_id: number for number, each in files}
    tables = {name: _number_deliveries(table, counted, numbers) for name, table in counted.tables.items()}
    days = tables[DELIVERY_DAYS.name]
    added = days.group_by("delivery_no").aggregate([("reports", "sum")]).to_pydict()
    stored = dict(
        connection.execute(
            """SELECT delivery_no, count(*) FROM records
               WHERE delivery_no BETWEEN $first AND $last AND first_delivery_no = delivery_no GROUP BY ALL""",
            group.numbers,
        ).fetchall()
    )
    is_all_new = fetch_first_row(connection, "SELECT 1 FROM replaced LIMIT 1") is None
    is_equal = dict(zip(added["delivery_no"], added["reports_sum"], strict=True)) == stored
    return tables if is_all_new and is_equal else None


def _number_deliveries(table: pa.Table, counted: DayCounts, numbers: Mapping[str, int]) -> pa.Table:
    """Return counts with the numbers of deliveries in place of the keys of files."""
    for name in {"delivery_no", "first_delivery_no"} & set(table.column_names):
        given = [numbers[counted.files[key]] for key in table.column(name).to_pylist()]
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.array(given, table.schema.field(name).type))
    return table


def _add_counted(connection: duckdb.DuckDBPyConnection, counted: Mapping[str, pa.Table]) -> None:
    """Add counts that came with the files, as `_count_changes` adds its own."""
    for table in (*DAILY_TABLES, DELIVERY_DAYS):
        connection.register("counted", counted[table.name])
        if table is DELIVERY_DAYS:
            connection.execute(f"INSERT INTO {table.name} BY NAME FROM counted")
            connection.execute("INSERT INTO touched_days SELECT DISTINCT report_date FROM counted")
        else:
            _merge(connection, table, "FROM counted")
        connection.unregister("counted")


def count_days(
    connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack, source: str
) -> dict[str, pa.Table]:
    """Return what new records add to each daily table, and the days of each delivery. `source` selects them, signed."""
    found = {}
    for table, delta in deltas_sql(connection, settings, pack, source):
        numbers = ", ".join(f"{name}::BIGINT AS {name}" for name in erasure.COUNTS[table.name])
        found[table.name] = connection.sql(f"SELECT * REPLACE ({numbers}) FROM ({delta})").to_arrow_table()
    days = "SELECT delivery_no, report_date, reports FROM day_sums WHERE sign = 1"
    return found | {DELIVERY_DAYS.name: connection.sql(days).to_arrow_table()}


def sum_counts(connection: duckdb.DuckDBPyConnection, name: str, tables: Sequence[pa.Table]) -> pa.Table:
    """Return counts of several parts as one table, a row for each of its keys."""
    if len(tables) == 1:
        return tables[0]
    counts = erasure.COUNTS[name]
    keys = [column for column in tables[0].column_names if column not in counts]
    connection.register("parts", pa.concat_tables(tables, promote_options="permissive"))
    sums = ", ".join(f"sum({column})::BIGINT AS {column}" for column in counts)
    summed = connection.sql(f"SELECT {', '.join(keys)}, {sums} FROM parts GROUP BY ALL").to_arrow_table()
    connection.unregister("parts")
    return summed


def _count_changes(connection: duckdb.DuckDBPyConnection, settings: Settings, group: Group) -> None:
    of_group = "WHERE delivery_no BETWEEN {first} AND {last}".format(**group.numbers)
    source = f"SELECT *, 1 AS sign FROM records {of_group}"
    if fetch_first_row(connection, "SELECT 1 FROM replaced LIMIT 1"):
        # what the group itself brought and replaced adds nothing, but was brought: the clocks count it
        source += f""" UNION ALL BY NAME SELECT * EXCLUDE (replaced_by), -1 AS sign FROM replaced
            UNION ALL BY NAME SELECT * EXCLUDE (replaced_by), 1 AS sign FROM replaced {of_group}"""
    merge_changes(connection, settings, group.pack, source)
    clocks.add_delivery_days(connection)


def merge_changes(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack, source: str) -> None:
    """Add changed records to the daily tables; `source` selects them, with a sign of 1 or -1."""
    for table, delta in deltas_sql(connection, settings, pack, source):
        _merge(connection, table, delta)
    connection.execute("INSERT INTO touched_days SELECT DISTINCT report_date FROM day_sums")


def rebuild(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> None:
    """Count all daily tables and the calendar again from all records: after a change of time zone or week system."""
    for table, delta in recount_sql(connection, settings, pack):
        connection.execute(f"DELETE FROM {table.name}")
        connection.execute(f"INSERT INTO {table.name} BY NAME {delta}")
    connection.execute("DELETE FROM weekly_sources")  # of weeks that may have been cut otherwise
    # nothing that is worked out of the counts may stay, whatever the settings are by the time of the next publication
    connection.execute("DELETE FROM state WHERE key IN ('published', 'signal_counts', 'signals')")
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
    """Add a delta, one row a key, to a daily table; rows that fall to zero go.

    Rows are changed where they lie: to write the days that have one anew costs ten times as much, and as much again at
    the next checkpoint.
    """
    if fetch_first_row(connection, f"SELECT 1 FROM {table.name} LIMIT 1") is None:
        connection.execute(f"INSERT INTO {table.name} BY NAME FROM ({delta}) WHERE reports <> 0")
        return
    sums = ", ".join(f"{name} = old.{name} + delta.{name}" for name in erasure.COUNTS[table.name])
    connection.execute(f"""MERGE INTO {table.name} AS old USING ({delta}) AS delta ON {same_key_sql(table, "delta")}
        WHEN MATCHED AND old.reports + delta.reports = 0 THEN DELETE
        WHEN MATCHED THEN UPDATE SET {sums}
        WHEN NOT MATCHED AND delta.reports <> 0 THEN INSERT BY NAME""")


def same_key_sql(table: Table, other: str) -> str:
    """Return SQL that is true where a row `old` of a daily table has the key of a row of `other`, which may be NULL.

    By the day alone DuckDB knows which blocks to read.
    """
    keys = [name for name in table.column_names if name not in erasure.COUNTS[table.name] and name != "report_date"]
    same = [f"old.{name} IS NOT DISTINCT FROM {other}.{name}" for name in keys]
    return " AND ".join([f"old.report_date = {other}.report_date", *same])


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
