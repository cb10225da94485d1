"""The stored history under another rule pack: records, ledger, summaries and audit trail in one transaction."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import duckdb

from pipelines.errors import StateError
from pipelines.jobs import publish as publish_job
from pipelines.rules.compiler import tag_sql
from pipelines.rules.condition_sql import compile_condition
from pipelines.rules.translation import stored_sql, tagged_sql
from pipelines.rules.urgency import find_evidence_urgencies
from pipelines.settings import Settings
from pipelines.statements import create_sql, fetch_number
from pipelines.store import audit, daily_counts, database
from pipelines.store.database import Home
from pipelines.store.packs import check_fits, load_configured_pack
from pipelines.text import pluralise
from schemas.pack import LEVELS, Pack
from schemas.pack_file import load_pack
from schemas.record_layout import TAG_COLUMNS
from schemas.tables import make_records_table, make_superseded_table

FEW_RECORDS = 1_000_000  # are updated where they are; DuckDB holds updates in memory until they are committed


def retag_history(home: Home, settings: Settings, pack_file: str | None, wait_seconds: float) -> str:
    """Tag the history with a pack file, else the configured pack, and publish; return what was done."""
    wanted = load_pack(Path(pack_file)) if pack_file else load_configured_pack(home, settings)
    with database.writing(home, settings, wanted, wait_seconds) as connection:
        text = retag(connection, settings, database.find_pack_in_use(connection, wanted), wanted)
        publish_job.publish(connection, home, settings)
    return text


def retag(connection: duckdb.DuckDBPyConnection, settings: Settings, stored: Pack, pack: Pack) -> str:
    """Tag every stored record by `pack` in place of `stored`; return what moved, in one line.

    Superseded records keep the tags, and the pack, of their time. Raises UsageError if the pack cannot read the
    stored answers; then nothing is changed.
    """
    if pack.version == stored.version:
        return f"the history is tagged with {pack.version} already"
    check_fits(connection, stored, pack)
    with database.transaction(connection):
        records = fetch_number(connection, "SELECT count(*) FROM records")
        alike = _is_coded_alike(stored, pack)
        moved = _tag_what_changes(connection, settings, stored, pack) if alike else _tag_all(connection, stored, pack)
        connection.execute("UPDATE files SET rule_pack = ? WHERE status = 'accepted'", [pack.version])
        database.use_pack(connection, settings, pack)
        if not alike:
            daily_counts.rebuild(connection, settings, pack)
        database.check_levels(connection)
        moved = moved or "no level changed"
        text = f"{pluralise(records, 'record')} retagged from {stored.version} to {pack.version}; {moved}"
        audit.note(connection, "retag", pack.version, text)
    return text


def _is_coded_alike(stored: Pack, pack: Pack) -> bool:
    """Return whether every bit, byte and code in the records means the same under both packs."""

    def codes(of: Pack) -> list[object]:
        fields = [(field.name, field.type, field.values) for field in of.fields]
        evidence = list(zip((row.id for row in of.evidence), find_evidence_urgencies(of), strict=True))
        causes = [(cause.name, cause.category) for cause in of.causes]
        categories = [category.name for category in of.categories]
        rules = [rule.id for rule in of.triage]
        return [fields, rules, causes, categories, evidence, of.serious_causes, of.leading_cause]

    return codes(stored) == codes(pack)


def _tag_what_changes(connection: duckdb.DuckDBPyConnection, settings: Settings, stored: Pack, pack: Pack) -> str:
    """Tag the records that get other tags; return how many changed their level, in words.

    They are taken out of the daily counts and added anew.
    """
    _find_changed(connection, stored, pack)
    old = ", ".join(f"{tag}_before AS {tag}" for tag in TAG_COLUMNS)
    changes = f"SELECT * REPLACE ({old}), -1 AS sign FROM changed UNION ALL SELECT *, 1 AS sign FROM changed"
    daily_counts.merge_changes(connection, settings, pack, changes)
    moved = _describe_moves(connection, "SELECT triage_level_before, triage_level FROM changed")
    if fetch_number(connection, "SELECT count(*) FROM changed") > FEW_RECORDS:
        _write(connection, stored, pack)
        _put_in_place(connection)
    else:
        _update(connection)
    _widen_superseded(connection, stored, pack)
    connection.execute("DROP TABLE changed")
    return moved


def _find_changed(connection: duckdb.DuckDBPyConnection, stored: Pack, pack: Pack) -> None:
    """Fill the table `changed`: the records that get other tags, with these and those of before (TAG_before)."""
    before = ", ".join(f"{tag} AS {tag}_before" for tag in TAG_COLUMNS)
    records = f"(SELECT *, xor(answered, yes) AS no FROM records) WHERE {_may_change(stored, pack)}"
    relation = f"(SELECT * EXCLUDE (no, {', '.join(TAG_COLUMNS)}), {before} FROM {records})"
    differ = " OR ".join(f"{tag} <> {tag}_before" for tag in TAG_COLUMNS)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE changed AS "
        f"SELECT * EXCLUDE (report_id) FROM ({tag_sql(pack, relation)}) WHERE {differ}"
    )


def _may_change(stored: Pack, pack: Pack) -> str:
    """SQL that holds for every record which could get other tags: most packs differ in a rule or two, and to tag the
    records that these touch takes half the time of tagging all (10 million records)."""
    tests = ["FALSE"]
    for old, new in zip(stored.triage, pack.triage, strict=True):
        was, now = compile_condition(stored, old.when), compile_condition(pack, new.when)
        if old.level != new.level:
            tests += [f"NOT ({was.false})", f"NOT ({now.false})"]
        elif old.when != new.when:
            tests += [f"({was.true}) <> ({now.true})", f"({was.false}) <> ({now.false})"]
            tests.append(f"NOT (({now.true}) OR ({now.false}))")  # another field may be missing
    before, after = (Counter((row.cause, row.points, row.when) for row in of.evidence) for of in (stored, pack))
    tests += [f"({compile_condition(pack, when).true})" for _, _, when in (before - after) + (after - before)]
    return " OR ".join(tests)


def _update(connection: duckdb.DuckDBPyConnection) -> None:
    tags = ", ".join(f"{tag} = changed.{tag}" for tag in TAG_COLUMNS)
    updated = fetch_number(
        connection,
        f"""UPDATE records SET {tags} FROM changed
            WHERE records.delivery_no = changed.delivery_no AND records.line_number = changed.line_number""",
    )
    if updated != fetch_number(connection, "SELECT count(*) FROM changed"):
        raise StateError("retagging met another number of records than are stored; nothing was changed")


def _describe_moves(connection: duckdb.DuckDBPyConnection, levels: str) -> str:
    """Return how many records went from which level to which; `levels` selects the one before and the one now."""
    rows = connection.execute(f"""SELECT before, now, count(*) FROM ({levels}) AS levels(before, now)
        WHERE before <> now GROUP BY ALL ORDER BY ALL""").fetchall()
    return ", ".join(f"{LEVELS[a]} to {LEVELS[b]} {count:,}" for a, b, count in rows)


def _tag_all(connection: duckdb.DuckDBPyConnection, stored: Pack, pack: Pack) -> str:
    """Tag every record, in the form that the pack stores them in; return how many changed their level, in words."""
    _write(connection, stored, pack)
    pairs = "SELECT a.{0}, b.{0} FROM records AS a POSITIONAL JOIN retagged AS b"
    torn = f"SELECT count(*) FROM ({pairs.format('line_number')}) AS lines(a, b) WHERE a <> b"
    if fetch_number(connection, torn):
        raise StateError("retagging put the records in another order; nothing was changed")
    moved = _describe_moves(connection, pairs.format("triage_level"))
    _put_in_place(connection)
    _widen_superseded(connection, stored, pack)
    return moved


def _write(connection: duckdb.DuckDBPyConnection, stored: Pack, pack: Pack) -> None:
    """Fill the table `retagged`, row for row in the order of `records`."""
    table = make_records_table(pack, "retagged")
    connection.execute(create_sql(table))
    columns = ", ".join(table.column_names)
    rows = fetch_number(
        connection,
        f"INSERT INTO retagged BY NAME SELECT {columns} FROM ({tagged_sql(stored, pack, stored_sql(stored))})",
    )
    if rows != fetch_number(connection, "SELECT count(*) FROM records"):
        raise StateError("retagging gave another number of records than are stored; nothing was changed")


def _put_in_place(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("DROP VIEW IF EXISTS reports")
    connection.execute("DROP TABLE records")
    connection.execute("ALTER TABLE retagged RENAME TO records")


def _widen_superseded(connection: duckdb.DuckDBPyConnection, stored: Pack, pack: Pack) -> None:
    """Give the superseded records the columns of the new pack: a question that was not asked has no answer."""
    if make_superseded_table(pack) == make_superseded_table(stored):
        return
    old = set(make_superseded_table(stored).column_names)
    new = make_superseded_table(pack)
    values = {name: name if name in old else "NULL" for name in new.column_names}
    connection.execute("ALTER TABLE superseded RENAME TO superseded_before")
    connection.execute(create_sql(new))
    columns = ", ".join(f"{sql} AS {name}" for name, sql in values.items())
    connection.execute(f"INSERT INTO superseded BY NAME SELECT {columns} FROM superseded_before")
    connection.execute("DROP TABLE superseded_before")
