"""Erase reports: from the records, what they replaced, the quarantine, the pages that explain them, and every log.

    choose -> plan (told before anything is done) -> pages, logs -> records written anew -> audit -> snapshot

Counts stay, and marks keep the reports out. Whatever ends it early, the same command again finishes it: the records,
which know what is to be erased, are written anew last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from pipelines.errors import UsageError
from pipelines.jobs import publish as publish_job
from pipelines.jobs.erasing import holders, traces
from pipelines.settings import Settings
from pipelines.statements import fetch_first_row, fetch_number, read_statement
from pipelines.store import database, ledger
from pipelines.store.database import Home, find_pack_in_use
from pipelines.store.erasing import erasure, rewrite
from pipelines.store.packs import load_configured_pack
from pipelines.text import escape_unprintable, pluralise
from schemas.checked_file import make_per_file_id

LONG_ENOUGH = 6  # signs of an id that is looked for in lines of other reports, too
STAY = (
    "Counts stay, also where one of them is this one person: in summaries.duckdb, in reports and in what was released. "
    "Deliveries, archives, backups and exports are not changed."
)


@dataclass(frozen=True)
class Wish:
    """What is to be erased: reports by id, of one sender if two have them, or all of days before a date.

    A dry wish is not carried out, and ends nothing that a killed run left.
    """

    report_ids: Sequence[str] = ()
    source: str | None = None
    before: date | None = None
    is_dry: bool = False

    def __post_init__(self) -> None:
        if bool(self.report_ids) == bool(self.before):
            raise UsageError("name the reports to erase, or the day with --before 2024-01-01: one of the two")


def forget(home: Home, settings: Settings, wish: Wish, wait_seconds: float, tell: Callable[[str], bool]) -> str:
    """Erase what is wished for; return what was done.

    `tell` gets the plan before anything is done, and says whether to go on. Raises UsageError if nothing is found.
    """
    configured = load_configured_pack(home, settings)
    with database.writing(home, settings, configured, wait_seconds) as connection:
        _choose(connection, wish)
        records, versions, lines = rewrite.count_going(connection)
        if not records + versions + lines:
            told = _explain_nothing(connection, home, wish)
            if not wish.is_dry:
                publish_job.publish_or_share(connection, home, settings)  # what a run that was killed did not come to
            return told
        things = {"record": records, "earlier version": versions, "quarantined line": lines}
        what = ", ".join(pluralise(number, thing) for thing, number in things.items())
        if not tell("\n".join([f"to erase: {what}", STAY, *_list_holders(connection, home, settings)])):
            return "nothing was changed"
        ids = _fetch_ids(connection)
        regions, names = _list_rare_regions(connection, settings), {report_id for _, report_id in ids}
        removed = traces.remove_from_logs(home, names)  # first: it may refuse
        removed += traces.remove_from_pages(home, ids, regions)
        words = _rewrite_notes(connection, names, regions)
        deed = rewrite.Deed(_describe_wish(wish), f"{what} erased", words)
        rewrite.write_without(connection, home, settings, find_pack_in_use(connection, configured), deed)
        publish_job.publish(connection, home, settings)
    return "\n".join([f"{what} erased", *removed])


def _describe_wish(wish: Wish) -> str:
    return f"before {wish.before}" if wish.before else pluralise(len(wish.report_ids), "report id")


def _choose(connection: duckdb.DuckDBPyConnection, wish: Wish) -> None:
    """Fill the tables `going` and `going_lines`."""
    if wish.before:
        values: dict[str, object] = {"before": wish.before}
        connection.execute(f"CREATE OR REPLACE TEMP TABLE going AS {read_statement('store', 'erased_reports')}", values)
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE going_lines AS {read_statement('store', 'lines_before')}", values
        )
        return
    _refuse_ids_of_files(connection, wish)
    ids = list(wish.report_ids)
    named = read_statement("store", "named_for_erasure")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE going AS {named}", {"ids": ids, "source": wish.source})
    _require_one_sender(connection, wish)
    patterns = [rf"(^|[^A-Za-z0-9]){re.escape(each)}($|[^A-Za-z0-9])" for each in ids]
    long_ones = [pattern for pattern, each in zip(patterns, ids, strict=True) if len(each) >= LONG_ENOUGH]
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE going_lines AS {read_statement('store', 'lines_of_reports')}",
        {"source": wish.source, "patterns": patterns, "long_ones": long_ones},
    )
    _add_lines_of_files(connection, wish)
    connection.execute(  # an id of which a line alone is known
        """INSERT INTO going
           SELECT DISTINCT source, unnest(?::VARCHAR[]) FROM going_lines
           WHERE source NOT IN (SELECT source FROM going)""",
        [ids],
    )


def _refuse_ids_of_files(connection: duckdb.DuckDBPyConnection, wish: Wish) -> None:
    """Raise UsageError for an id that holds for one file alone: each file may have given it to somebody else."""
    for report_id in wish.report_ids:
        if hashes := ledger.describe_ids_of_files(connection, report_id, wish.source):
            raise UsageError(
                f"'{escape_unprintable(report_id)}': {hashes}",
                "Nothing was changed. Name the one that is to be erased as it is stored.",
            )


def _add_lines_of_files(connection: duckdb.DuckDBPyConnection, wish: Wish) -> None:
    """Add the quarantined lines of reports whose stored ids are hashes: the quarantine has the sender's ids."""
    if not any(re.fullmatch("[0-9a-f]{32}", report_id) for report_id in wish.report_ids):
        return
    rows = connection.execute(
        """SELECT DISTINCT delivery_no, line_number, files.source, raw_line, report_id, path
           FROM quarantine JOIN files USING (delivery_no)
           WHERE report_id IS NOT NULL AND files.source = coalesce(?, files.source)""",
        [wish.source],
    ).fetchall()
    of_reports = [row[:4] for row in rows if make_per_file_id(Path(row[5]).name, row[4]) in wish.report_ids]
    for row in of_reports:
        connection.execute("INSERT INTO going_lines VALUES (?, ?, ?, ?)", row)


def _require_one_sender(connection: duckdb.DuckDBPyConnection, wish: Wish) -> None:
    row = fetch_first_row(
        connection,
        "SELECT report_id, string_agg(source, ', ' ORDER BY source) FROM going GROUP BY 1 HAVING count(*) > 1 LIMIT 1",
    )
    if row and not wish.source:
        raise UsageError(
            f"report {escape_unprintable(row[0])} is known of {row[1]}; say whose with --source. Nothing was changed"
        )


def _explain_nothing(connection: duckdb.DuckDBPyConnection, home: Home, wish: Wish) -> str:
    """Say that there is nothing to erase any more, or raise UsageError for ids that nobody sent."""
    if wish.before:
        return f"nothing is stored of days before {wish.before}"
    for (source,) in connection.execute("SELECT DISTINCT source FROM erased").fetchall():
        erasure.define_mark(connection, home, source)
        sql = "SELECT 1 FROM erased WHERE source = ? AND mark IN (SELECT erased_mark('id', unnest(?::VARCHAR[])))"
        if fetch_first_row(connection, sql, [source, list(wish.report_ids)]):
            return "it was erased before; nothing of it is stored"
    raise UsageError("no report with such an id is stored, and none was erased; ids are written as the sender does")


def _list_holders(connection: duckdb.DuckDBPyConnection, home: Home, settings: Settings) -> list[str]:
    """Name every delivery, backup and export that still holds what is erased."""
    found = [*holders.find_deliveries_with(connection, settings), *map(str, holders.find_copies(home))]
    return [f"still held by {escape_unprintable(path)}" for path in found]


def _fetch_ids(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    return set(connection.execute("SELECT source, report_id FROM going").fetchall())


def _list_rare_regions(connection: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    """List the regions that will be `unknown`, as rewriting the records finds them again."""
    rewrite.find_gone(connection)
    rewrite.find_rare_regions(connection, settings)
    return [row[0] for row in connection.execute("SELECT region FROM rare_regions").fetchall()]


def _rewrite_notes(connection: duckdb.DuckDBPyConnection, ids: set[str], regions: Sequence[str]) -> dict[str, str]:
    """Return the texts that people wrote and that name an erased report or a rare region, and what to put there."""
    rare = re.compile("|".join(rf"(?<!\w){re.escape(each)}(?!\w)" for each in regions) or "(?!)", re.IGNORECASE)
    words = {}
    for (text,) in connection.execute(read_statement("store", "texts_of_people")).fetchall():
        parts = re.split(r"([^\w.-]+|[.]$)", text)
        after = rare.sub("unknown", "".join("(erased)" if part in ids else part for part in parts))
        if after != text:
            words[text] = after
    return words


def forget_what_is_old(home: Home, settings: Settings, today: date, wait_seconds: float) -> str:
    """Erase the reports of days longer ago than `keep_days`; return what was done, or nothing."""
    if not settings.keep_days or not home.records.exists():
        return ""
    before = date.fromordinal(today.toordinal() - settings.keep_days)
    with database.writing(home, settings, load_configured_pack(home, settings), wait_seconds) as connection:
        old = fetch_number(connection, "SELECT count(*) FROM reports WHERE report_date < ?", [before])
    return forget(home, settings, Wish(before=before), wait_seconds, lambda _: True) if old else ""
