"""Whether the stored state can be trusted: the cheap look of every start, and a deep one into every row and block.

Nothing is changed. What is found comes back as sentences, each with what it means.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from pipelines.connections import read_only
from pipelines.errors import WHAT_TO_DO, StateError, is_stop
from pipelines.jobs import check_derived
from pipelines.jobs.releasing.release import find_lagging_weeks
from pipelines.release import ledger
from pipelines.rules.compiler import TAG_COLUMNS, tag_sql
from pipelines.settings import Settings
from pipelines.statements import fetch_first_row, fetch_number, read_statement
from pipelines.store import clocks, daily_counts
from pipelines.store.database import (
    Home,
    check_levels,
    check_version,
    damage_told,
    find_pack_in_use,
    get_state,
    is_declared,
    load_stored_pack,
    view_sql,
)
from pipelines.store.packs import list_kept_packs
from pipelines.text import pluralise
from schemas.pack import Pack
from schemas.tables import (
    ABOUT,
    CALENDAR,
    DELIVERY_DAYS,
    PUBLISHED_CALENDAR,
    Table,
    list_published_tables,
    list_stored_tables,
    list_stored_views,
)

# in the published calendar alone: they go by when that was made
IS_COMPLETE = set(PUBLISHED_CALENDAR.column_names) - set(CALENDAR.column_names)


@dataclass(frozen=True)
class Look:
    """What a check needs: the open state, as it was cut into weeks, and the pack that tagged it."""

    home: Home
    connection: duckdb.DuckDBPyConnection
    settings: Settings
    pack: Pack


def check(home: Home, settings: Settings, pack: Pack, deep: bool) -> list[str]:
    """Lines of what agrees. Raises StateError with everything found that does not, and what to do.

    `pack` is the configured one; the one that tagged the history is used. The caller holds the lock, so that no run
    changes anything between two looks.
    """
    with contextlib.closing(read_only(home.records)) as connection:
        with damage_told(home.records):
            check_version(connection, home.records)
            check_levels(connection)
            find_pack_in_use(connection, pack)
            used = load_stored_pack(connection, get_state(connection, "rule_pack"))  # the very text that was verified
            released = ledger.require_sound(connection)
        lines = ["ledger, records and summaries have the same counts"]
        lines += [f"the audit of what was released holds ({pluralise(released, 'week')})"] if released else []
        if not deep:
            return lines
        zone, weeks = get_state(connection, "time_zone"), get_state(connection, "week_system")
        look = Look(home, connection, replace(settings, time_zone=zone, week_system=weeks), used)
        problems = list(_find_problems(look, lines))
    if problems:
        raise StateError(f"{home.path}: {len(problems)} found:", *(f"  {each}" for each in problems), WHAT_TO_DO)
    return lines


def _find_problems(look: Look, lines: list[str]) -> Iterator[str]:
    """Yield every deep check in turn; damage that DuckDB meets ends them, for it may hide the rest."""
    for name, problems_of in CHECKS.items():
        try:
            found = list(problems_of(look))
        except duckdb.Error as error:
            if is_stop(error):
                raise
            yield f"{name}: cannot be read to the end ({type(error).__name__}): the file is damaged"
            return
        yield from found
        lines += [] if found else [name]


def _check_blocks(look: Look) -> Iterator[str]:
    """Read every value of every table: DuckDB checks the sum of each block that it reads."""
    names = look.connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT temporary").fetchall()
    for (name,) in names:
        _sum_rows(look.connection, f'FROM "{name}"')
    return iter(())


def _sum_rows(connection: duckdb.DuckDBPyConnection, relation: str) -> tuple[object, ...] | None:
    """Number of rows and the sum of their hashes: the same for the same rows in any order."""
    return fetch_first_row(connection, f"SELECT count(*), sum(hash(row)::HUGEINT) FROM ({relation}) AS row")


def _check_schema(look: Look) -> Iterator[str]:
    """Tables, views and columns with their types and comments, against the one declaration of them."""
    rows = look.connection.execute(
        """SELECT table_name, column_name, replace(data_type, 'TIMESTAMP WITH TIME ZONE', 'TIMESTAMPTZ'), comment
           FROM duckdb_columns() WHERE NOT internal AND database_name = 'calfwatch'
           ORDER BY table_name, column_index"""
    ).fetchall()
    found: dict[str, list[tuple[str, str, str]]] = {}
    for name, *column in rows:
        found.setdefault(name, []).append((column[0], _strip_quotes(column[1]), column[2]))
    wanted = {table.name: table for table in (*list_stored_tables(look.pack), *list_stored_views(look.pack))}
    for name in sorted(found.keys() ^ wanted.keys()):
        yield f"table or view {name} is {'missing' if name in wanted else 'none of ours'}"
    yield from check_derived.find_foreign(look.connection)
    told = 3 if is_declared(look.connection, look.settings, look.pack) else 2  # other words are no damage
    for name in sorted(found.keys() & wanted.keys()):
        declared = [(column.name, _strip_quotes(column.type), column.meaning) for column in wanted[name].columns]
        if [column[:told] for column in found[name]] != [column[:told] for column in declared]:
            yield f"{name} has not the declared columns, types and comments"


def _strip_quotes(kind: str) -> str:
    """Return a type as DuckDB and the declaration both can be read."""
    return kind.replace('"', "")


def _check_references(look: Look) -> Iterator[str]:
    for name, rows in look.connection.execute(read_statement("store", "check_references")).fetchall():
        if rows:
            yield f"{rows:,} {name}"


def _check_daily_counts(look: Look) -> Iterator[str]:
    """Yield every daily count, and the calendar, counted again from the records."""
    for table, sql in daily_counts.recount_sql(look.connection, look.settings, look.pack):
        yield from _compare_counts(look, table, sql)
    yield from _compare_counts(look, DELIVERY_DAYS, clocks.delivery_days_sql(look.settings))
    yield from _compare_counts(look, CALENDAR, daily_counts.calendar_sql(look.settings))


def _compare_counts(look: Look, table: Table, sql: str) -> Iterator[str]:
    columns = ", ".join(f"{column.name}::{column.type} AS {column.name}" for column in table.columns)
    again, stored = f"SELECT {columns} FROM ({sql})", f"SELECT {columns} FROM {table.name}"
    rows = fetch_number(
        look.connection,
        f"SELECT count(*) FROM ((({again}) EXCEPT ALL ({stored})) UNION ALL (({stored}) EXCEPT ALL ({again})))",
    )
    if rows:
        yield f"{table.name}: {pluralise(rows, 'row differs', 'rows differ')} from the records counted again"


def _check_views(look: Look) -> Iterator[str]:
    """Compare every view with its SELECT of this version; the next run replaces those of another version."""
    if not is_declared(look.connection, look.settings, look.pack):
        return
    for view in list_stored_views(look.pack):
        sql = view_sql(view, look.settings, look.pack)
        if _sum_rows(look.connection, f"FROM {view.name}") != _sum_rows(look.connection, sql):
            yield f"view {view.name} is not that of this version of calfwatch"


def _check_tags(look: Look) -> Iterator[str]:
    """Every record tagged again with the text kept of the pack that the state names; every text held to its version."""
    for version, number, article in list_kept_packs(look.connection):
        try:
            kept = load_stored_pack(look.connection, version)
            if (kept.number, kept.article) != (number, article):
                yield f"rule_packs: number or article of {version} is not that of its text"
        except StateError as error:
            yield str(error).partition(". ")[0]
    before = ", ".join(f"{name} AS {name}_before" for name in TAG_COLUMNS)
    relation = f"(SELECT * EXCLUDE ({', '.join(TAG_COLUMNS)}), {before} FROM records)"
    differ = " OR ".join(f"{name} IS DISTINCT FROM {name}_before" for name in TAG_COLUMNS)
    wrong = fetch_number(look.connection, f"SELECT count(*) FROM ({tag_sql(look.pack, relation)}) WHERE {differ}")
    if wrong:
        having = pluralise(wrong, "record has", "records have")
        yield f"{having} tags that the rule pack {look.pack.version} does not give {'it' if wrong == 1 else 'them'}"


def _check_derived(look: Look) -> Iterator[str]:
    """Signals, alarms, revisions, dimensions and published counts, worked out anew."""
    yield from check_derived.find_other_dimensions(look.connection, look.pack)
    yield from check_derived.find_other_reports(look.connection, look.home.reports)
    yield from check_derived.find_other_signals(look.connection, look.settings)


def _check_snapshot(look: Look) -> Iterator[str]:
    """Compare the published tables with the stored ones; one from before the last change is old, not wrong."""
    if not look.home.summaries.exists():
        return
    with contextlib.closing(read_only(look.home.summaries)) as published:
        _check_blocks(replace(look, connection=published))
        if not is_current(published, look.connection):
            return
        for table in list_published_tables():
            sql = (
                f"SELECT {', '.join(name for name in table.column_names if name not in IS_COMPLETE)} FROM {table.name}"
            )
            if table is not ABOUT and _sum_rows(published, sql) != _sum_rows(look.connection, sql):
                yield f"summaries.duckdb: {table.name} is not what is stored; `calfwatch run` publishes it anew"


def is_current(published: duckdb.DuckDBPyConnection, records: duckdb.DuckDBPyConnection) -> bool:
    """Whether a snapshot knows every delivery and deed. Numbers tell, not times: a clock may have been set back."""
    newest = fetch_first_row(
        records, "SELECT (SELECT coalesce(max(delivery_no), 0) FROM files), (SELECT count(*) FROM audit)"
    )
    try:
        return fetch_first_row(published, "SELECT last_delivery, deeds FROM about") == newest
    except duckdb.BinderException:  # published by an older calfwatch
        return False


def _check_public_files(look: Look) -> Iterator[str]:
    """Compare the public files with the record of what was released; `status` tells of missing ones."""
    if not look.home.public.exists():
        return
    for week in sorted(find_lagging_weeks(look.connection, look.home)):
        yield f"the public files of {week} are not what is on record; `calfwatch release` writes them"


def _check_modes(look: Look) -> Iterator[str]:
    """Tell what is private and not its owner's alone: the home as a whole, or else each file in it."""
    home = look.home
    if not home.path.stat().st_mode & 0o077:
        return
    shared = (home.path, home.summaries, home.reports) if look.settings.share_with_group else ()
    for path in _find_private_files(home):
        if path.stat().st_mode & (0o007 if path in shared else 0o077):
            yield f"{path} may be read by others; mend it with `chmod go= {path}`"


def _find_private_files(home: Home) -> Iterator[Path]:
    yield from (path for path in home.path.glob("*.duckdb*") if path != home.public)
    yield from (path for path in (home.scratch, home.reports, home.path / "prefect") if path.exists())


CHECKS: dict[str, Callable[[Look], Iterator[str]]] = {
    "every block can be read": _check_blocks,
    "tables, columns and comments are as declared, and nothing else is there": _check_schema,
    "ledger, records, superseded records and quarantine refer to each other": _check_references,
    "the daily counts are those of the records, row for row": _check_daily_counts,
    "the views are those of this version": _check_views,
    "the tags are those of the rule pack": _check_tags,
    "signals, alarms, revisions and published counts are those of the daily counts": _check_derived,
    "the published snapshot is what is stored": _check_snapshot,
    "the public files are those on record": _check_public_files,
    "private files are private": _check_modes,
}
