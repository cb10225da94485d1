"""The stored history under another rule pack: records, ledger, summaries and audit trail in one transaction."""

from __future__ import annotations

import duckdb

from pipelines import audit, store, summarise
from pipelines.compare import check_fits, stored_sql, tagged_sql
from pipelines.errors import StateError, UsageError
from pipelines.settings import Settings
from pipelines.statements import first_row, one_number
from schemas.pack import LEVELS, Pack
from schemas.tables import create_sql, records_table, superseded_table

COUNTED_TAGS = ("triage_level", "triage_ceiling", "rules_true", "missing", "likely_cause")  # of the daily tables


def retag(connection: duckdb.DuckDBPyConnection, settings: Settings, stored: Pack, pack: Pack) -> str:
    """Tags every stored record by `pack` in place of `stored`; returns what moved, in one line.

    Superseded records keep the tags, and the pack, of their time. Raises UsageError where the pack cannot read the
    stored answers; then nothing is changed.
    """
    if pack.version == stored.version:
        return f"the history is tagged with {pack.version} already"
    check_fits(connection, stored, pack)
    with store.transaction(connection):
        records = _write(connection, stored, pack)
        moved = _moves(connection)
        if _coded_alike(stored, pack):
            _count_changes(connection, settings, pack)
        _put_in_place(connection, stored, pack)
        connection.execute("UPDATE files SET rule_pack = ? WHERE status = 'accepted'", [pack.version])
        store.use_pack(connection, settings, pack)
        if not _coded_alike(stored, pack):
            summarise.rebuild(connection, settings, pack)
        store.check_counts(connection)
        text = f"{records:,} records retagged from {stored.version} to {pack.version}; {moved or 'no level changed'}"
        audit.note(connection, "retag", pack.version, text)
    return text


def _write(connection: duckdb.DuckDBPyConnection, stored: Pack, pack: Pack) -> int:
    """Fills the table `retagged`, row for row in the order of `records`; returns how many rows."""
    table = records_table(pack, "retagged")
    connection.execute(create_sql(table))
    columns = ", ".join(table.column_names)
    rows = one_number(
        connection,
        f"INSERT INTO retagged BY NAME SELECT {columns} FROM ({tagged_sql(stored, pack, stored_sql(stored))})",
    )
    if rows != one_number(connection, "SELECT count(*) FROM records"):
        raise StateError("retagging gave another number of records than are stored; nothing was changed")
    return rows


def _moves(connection: duckdb.DuckDBPyConnection) -> str:
    """How many records went from which level to which, in words. The two tables have one order."""
    rows = connection.execute("""
        SELECT old_level, new_level, count(*) AS records, count(*) FILTER (old_line <> new_line) AS torn
        FROM (SELECT triage_level AS old_level, line_number AS old_line FROM records)
          POSITIONAL JOIN (SELECT triage_level AS new_level, line_number AS new_line FROM retagged)
        GROUP BY ALL ORDER BY ALL""").fetchall()
    if any(torn for *_, torn in rows):
        raise StateError("retagging put the records in another order; nothing was changed")
    return ", ".join(f"{LEVELS[a]} to {LEVELS[b]} {count:,}" for a, b, count, _ in rows if a != b)


def _coded_alike(stored: Pack, pack: Pack) -> bool:
    """Whether a bit or code in the records means the same under both packs."""
    return (
        stored.askable == pack.askable
        and [rule.id for rule in stored.triage] == [rule.id for rule in pack.triage]
        and [(cause.name, cause.category) for cause in stored.causes] == [(c.name, c.category) for c in pack.causes]
    )


def _count_changes(connection: duckdb.DuckDBPyConnection, settings: Settings, pack: Pack) -> None:
    """Takes the records that are tagged otherwise now out of the daily counts, and adds them anew: they are few."""
    before = ", ".join(f"{tag} AS {tag}_before" for tag in COUNTED_TAGS)
    differ = " OR ".join(f"{tag} <> {tag}_before" for tag in COUNTED_TAGS)
    # kept, not selected anew: several statements read the changes, and the history is long
    connection.execute(f"""CREATE OR REPLACE TEMP TABLE changed AS
        SELECT * EXCLUDE (report_id) FROM retagged POSITIONAL JOIN (SELECT {before} FROM records) WHERE {differ}""")
    old = ", ".join(f"{tag}_before AS {tag}" for tag in COUNTED_TAGS)
    changes = f"SELECT * REPLACE ({old}), -1 AS sign FROM changed UNION ALL SELECT *, 1 AS sign FROM changed"
    summarise.merge_changes(connection, settings, pack, changes)
    connection.execute("DROP TABLE changed")


def _put_in_place(connection: duckdb.DuckDBPyConnection, stored: Pack, pack: Pack) -> None:
    connection.execute("DROP VIEW reports")
    connection.execute("DROP TABLE records")
    connection.execute("ALTER TABLE retagged RENAME TO records")
    store.comment(connection, records_table(pack))
    if superseded_table(pack) != superseded_table(stored):
        _widen_superseded(connection, stored, pack)


def _widen_superseded(connection: duckdb.DuckDBPyConnection, stored: Pack, pack: Pack) -> None:
    """Gives the superseded records the columns of the new pack: a question that was not asked has no answer."""
    dropped = {category.name for category in stored.categories} - {category.name for category in pack.categories}
    if dropped and first_row(connection, "SELECT 1 FROM superseded LIMIT 1"):
        raise UsageError(
            f"rule pack {pack.version} has no category '{min(dropped)}', in which superseded records "
            "have points; keep it"
        )
    old = set(superseded_table(stored).column_names)
    new = superseded_table(pack)
    known = {category.name for category in stored.categories}
    scores = ", ".join(
        f"'{c.name}': {f'cause_scores.{c.name}' if c.name in known else 'NULL::UTINYINT'}" for c in pack.categories
    )
    values = {name: name if name in old else "NULL" for name in new.column_names} | {"cause_scores": f"{{{scores}}}"}
    connection.execute("ALTER TABLE superseded RENAME TO superseded_before")
    connection.execute(create_sql(new))
    columns = ", ".join(f"{sql} AS {name}" for name, sql in values.items())
    connection.execute(f"INSERT INTO superseded BY NAME SELECT {columns} FROM superseded_before")
    connection.execute("DROP TABLE superseded_before")
    store.comment(connection, new)
