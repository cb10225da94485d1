"""records -> daily counts, kept with every file in its own transaction; weekly views stand on them.

A file changes the counts by its own records: those it adds count +1, those it takes out -1. A rebuild from
all records must give the same; a test holds the two against each other.
"""

from __future__ import annotations

import duckdb

from pipelines.settings import Settings
from pipelines.statements import first_row, sql_list, statement
from schemas.fields import AGE_BANDS, SEVERE_PAIN, SEXES
from schemas.pack import LEVELS, UNDETERMINED, Pack
from schemas.tables import DAILY_TABLES, Table, quoted

COUNTS = {
    "daily_summary": ("reports", "severe_pain"),
    "daily_rules": ("reports",),
    "daily_fields": ("reports", "answered", "missing", "unresolved"),
    "daily_delays": ("reports",),
}


def week_words(settings: Settings) -> dict[str, str]:
    """How weeks are cut: what the SQL needs for ISO (Monday) or MMWR (Sunday) weeks."""
    iso = settings.week_system == "iso"
    return {
        "time_zone": settings.time_zone,
        "days_into_week": "isodow" if iso else "dayofweek",
        "first_day_number": "1" if iso else "0",
        "mark": "W" if iso else "MW",
    }


def add_changes(
    connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack, delivery_no: int, replaced: bool
) -> None:
    """Brings the daily tables and the calendar up to date with one delivery, inside its transaction."""
    minus = "UNION ALL SELECT *, -1 AS sign FROM replaced" if replaced else ""
    source = f"SELECT *, 1 AS sign FROM records WHERE delivery_no = {delivery_no} {minus}"
    _changes(connection, settings, source)
    for table in DAILY_TABLES:
        _merge(connection, table, _delta(table, settings, pack))
    update_calendar(connection, settings)


def rebuild(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> None:
    """All daily tables and the calendar from all records: after a change of time zone or week system."""
    _changes(connection, settings, "SELECT *, 1 AS sign FROM records")
    for table in DAILY_TABLES:
        connection.execute(f"DELETE FROM {table.name}")
        connection.execute(f"INSERT INTO {table.name} BY NAME {_delta(table, settings, pack)}")
    update_calendar(connection, settings)


def update_calendar(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Recomputes the covered weeks from the ledger."""
    connection.execute("DELETE FROM calendar")
    connection.execute(f"INSERT INTO calendar BY NAME {statement('steps', 'calendar', **week_words(settings))}")


def _changes(connection: duckdb.DuckDBPyConnection, settings: Settings, source: str) -> None:
    """A view of the changed records with their day. UTC days are whole numbers of microseconds: no calendar."""
    if settings.time_zone == "UTC":
        day = "(DATE '1970-01-01' + (epoch_us(reported_at) // 86400000000)::INTEGER)"
    else:
        day = f"(reported_at AT TIME ZONE {quoted(settings.time_zone)})::DATE"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW changes AS SELECT *, {day} AS report_date FROM ({source})")


def _merge(connection: duckdb.DuckDBPyConnection, table: Table, delta: str) -> None:
    """Adds a delta to a daily table: only its days are touched, and rows that fall to zero go."""
    if first_row(connection, f"SELECT 1 FROM {table.name} LIMIT 1") is None:
        connection.execute(f"INSERT INTO {table.name} BY NAME {delta}")
        return
    counts = COUNTS[table.name]
    keys = ", ".join(name for name in table.column_names if name not in counts)
    sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in counts)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE delta AS {delta}")
    connection.execute(f"""CREATE OR REPLACE TEMP TABLE merged AS
        SELECT {keys}, {sums}
        FROM (SELECT * FROM {table.name} SEMI JOIN delta USING (report_date) UNION ALL BY NAME FROM delta)
        GROUP BY ALL HAVING sum(reports) <> 0""")
    connection.execute(f"DELETE FROM {table.name} WHERE report_date IN (SELECT report_date FROM delta)")
    connection.execute(f"INSERT INTO {table.name} BY NAME FROM merged")
    connection.execute("DROP TABLE delta")
    connection.execute("DROP TABLE merged")


def _delta(table: Table, settings: Settings, pack: Pack) -> str:
    match table.name:
        case "daily_summary":
            return statement("steps", "daily_summary", severe=SEVERE_PAIN, **_words(pack))
        case "daily_delays":
            return statement("steps", "daily_delays", time_zone=settings.time_zone)
        case "daily_rules":
            return _rules_delta(pack)
        case _:
            return _fields_delta(pack)


def _words(pack: Pack) -> dict[str, str]:
    causes = (UNDETERMINED, *(cause.name for cause in pack.causes))
    categories = (UNDETERMINED, *(cause.category for cause in pack.causes))
    return {
        "age_bands": sql_list(AGE_BANDS),
        "sexes": sql_list(SEXES),
        "levels": sql_list(LEVELS),
        "causes": sql_list(causes),
        "categories": sql_list(categories),
    }


def _rules_delta(pack: Pack) -> str:
    """One pass with a sum per rule, then a row per rule that fired."""
    ids = sql_list(tuple(rule.id for rule in pack.triage))
    sums = _bit_sums("rules_true", len(pack.triage))
    return f"""SELECT report_date, source, rule_id, reports FROM (
        SELECT report_date, source, unnest({ids}) AS rule_id, unnest(sums) AS reports
        FROM (SELECT report_date, source, [{sums}] AS sums FROM changes GROUP BY ALL)
    ) WHERE reports <> 0"""


def _fields_delta(pack: Pack) -> str:
    """One pass with three sums per field, then a row per field."""
    numeric = pack.askable[len(pack.field_names) :]
    answered = [_bit_sums("answered", len(pack.field_names))]
    answered += [f"sum(sign * ({name} IS NOT NULL)::TINYINT)" for name in numeric]
    unresolved = f"CASE WHEN triage_level = {LEVELS.index('unresolved')} THEN missing ELSE 0 END"
    return f"""SELECT report_date, source, unnest({sql_list(pack.askable)}) AS field, reports,
        unnest(answered) AS answered, unnest(missing) AS missing, unnest(unresolved) AS unresolved
    FROM (
        SELECT report_date, source, sum(sign) AS reports, [{", ".join(answered)}] AS answered,
            [{_bit_sums("missing", len(pack.askable))}] AS missing,
            [{_bit_sums("missing_unresolved", len(pack.askable))}] AS unresolved
        FROM (SELECT *, {unresolved} AS missing_unresolved FROM changes)
        GROUP BY ALL
    )"""


def _bit_sums(mask: str, bits: int) -> str:
    """For each bit of a mask, in how many changed records it is set. Shifting is cheaper than a filter a bit."""
    return ", ".join(f"sum(sign * (({mask} >> {bit}) & 1)::TINYINT)" for bit in range(bits))
