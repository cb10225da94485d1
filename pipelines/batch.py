"""One batch: every file in order, then the published snapshot, then the reports that are due.

These are the steps that the flows and the plain commands share; they know nothing of Prefect.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb

from pipelines import retag, revisions, store, withdraw
from pipelines.cells import printable
from pipelines.compare import Comparison, compare
from pipelines.errors import CalfwatchError, UsageError
from pipelines.ingest import Context, Outcome, ingest_file
from pipelines.packs import configured_pack, published_pack
from pipelines.plurals import many
from pipelines.query import read_only
from pipelines.read import Delivery, find_deliveries
from pipelines.rows import Rows
from pipelines.settings import Settings, load_settings
from pipelines.store import Home
from schemas.pack import load_pack

PRELIMINARY = "preliminary"  # in `reports`: the folder of weeks that still run
UNPUBLISHED = ".unpublished"  # in `reports`: where a report is made before it is published


class Lines:
    """Tells progress as one line a file on stderr."""

    def start(self, deliveries: Sequence[Delivery]) -> None:
        """Before the first file."""

    def done(self, outcome: Outcome) -> None:
        """After each file."""
        print(describe(outcome), file=sys.stderr)


def describe(outcome: Outcome) -> str:
    """One line about a file; its path may hold anything, so it is shown without control characters."""
    path = shown_path(outcome.path)
    if outcome.status == "rejected":
        return f"rejected  {path}: {outcome.reason}"
    if outcome.status == "known":
        return f"known     {path}: {outcome.reason or 'nothing new'}"
    parts = [many(outcome.rows_read, "row"), f"{outcome.rows_accepted:,} accepted"]
    for count, word in (
        (outcome.rows_quarantined, "quarantined"),
        (outcome.rows_duplicate, "duplicate"),
        (outcome.rows_out_of_scope, "out of scope"),
        (outcome.rows_superseded, "superseding"),
    ):
        parts += [f"{count:,} {word}"] if count else []
    return f"accepted  {path}: {', '.join(parts)}"


def shown_path(path: str) -> str:
    """A path that a terminal can show: control characters and undecodable bytes are escaped."""
    return printable(os.fsencode(path).decode("utf-8", "backslashreplace"))


def totals(done: Sequence[Outcome]) -> str:
    """One line about a batch."""
    new = [outcome for outcome in done if outcome.status == "accepted"]
    known = sum(outcome.status == "known" for outcome in done)
    rejected = sum(outcome.status == "rejected" for outcome in done)
    rows = sum(outcome.rows_accepted for outcome in new)
    set_aside = sum(outcome.rows_quarantined for outcome in new)
    return (
        f"{many(len(done), 'file')}: {len(new)} accepted, {known} known already, {rejected} rejected; "
        f"{many(rows, 'new record')}, {many(set_aside, 'row')} quarantined"
    )


def rejected_told(rejected: int, files: int) -> str:
    """That files were rejected, and that the others, where there are any, were not stopped by it."""
    return f"{rejected} of {many(files, 'file')} rejected" + ("; the others are done" if rejected < files else "")


def ingest_batch(
    home: Home,
    settings: Settings,
    deliveries: Sequence[Delivery],
    wait_seconds: float,
    tell: Lines,
    publish: bool = True,
    run_id: str = "",
    ahead: Rows | None = None,
) -> list[Outcome]:
    """Ingests files in delivery order behind the home's lock, and publishes a snapshot. `ahead`: as of `read_ahead`.

    Raises LockedError, StateError or UsageError; a rejected file raises nothing and is in the result.
    """
    configured = configured_pack(home, settings)
    tell.start(deliveries)
    outcomes = []
    with store.writing(home, settings, configured, wait_seconds) as connection:
        pack = store.pack_in_use(connection, configured)
        context = Context(home, settings, pack, run_id) if run_id else Context(home, settings, pack)
        for delivery in deliveries:
            outcomes.append(ingest_file(connection, delivery, context, ahead))
            tell.done(outcomes[-1])
        if publish:
            store.publish(connection, home, settings)
    return outcomes


def publish_snapshot(home: Home, settings: Settings, wait_seconds: float) -> None:
    """Publishes the summaries of now."""
    pack = configured_pack(home, settings)
    with store.writing(home, settings, pack, wait_seconds) as connection:
        store.publish(connection, home, settings)


def retag_history(home: Home, settings: Settings, pack_file: str | None, wait_seconds: float) -> str:
    """Tags the history with a pack file, else the configured pack, and publishes; returns what was done."""
    wanted = load_pack(Path(pack_file)) if pack_file else configured_pack(home, settings)
    with store.writing(home, settings, wanted, wait_seconds) as connection:
        text = retag.retag(connection, settings, store.pack_in_use(connection, wanted), wanted)
        store.publish(connection, home, settings)
    return text


def compare_packs(home: Home, settings: Settings, before: str, after: str) -> Comparison:
    """How two packs would tag the history; each a file, or `stored` for what tagged it. Writes nothing."""
    with store.open_read_only(home, settings) as connection:
        stored = store.stored_pack(connection, store.get_state(connection, "rule_pack"))
        packs = [stored if name == "stored" else load_pack(Path(name)) for name in (before, after)]
        return compare(connection, stored, packs[0], packs[1])


def withdraw_file(
    home: Home,
    settings: Settings,
    file_id: str,
    source: str | None,
    csvs: Sequence[str],
    undo: bool,
    wait_seconds: float,
) -> str:
    """Takes a file back, or undoes that, and publishes the summaries of now; returns what was done."""
    configured = configured_pack(home, settings)
    with store.writing(home, settings, configured, wait_seconds) as connection:
        if undo:
            return withdraw.undo(connection, file_id, source)
        context = Context(home, settings, store.pack_in_use(connection, configured))
        places = find_deliveries(csvs, settings, source) if csvs else []
        text = withdraw.withdraw(connection, context, file_id, source, places)
        store.publish(connection, home, settings)
    return text


def write_week(home: Home, week: str, out: Path | None, as_known_now: bool, wait_seconds: float = 60) -> Path:
    """A week's report and its folder. A published week is frozen: it is left, or copied to `out`, as it is.

    A week that still runs is not published: its report so far goes to `reports/preliminary/`, anew each time.
    Raises UsageError for a week that is not covered, LockedError where another run holds the home.
    """
    from pipelines.report import write_report

    if out and out.resolve() in (home.reports.resolve(), (home.reports / PRELIMINARY).resolve()):
        raise UsageError(f"--out {out} is where the published reports are; name another folder")
    if as_known_now and out:
        return write_report(home.summaries, published_pack(home), out, _week_name(home, week))
    folder = home.reports / _week_name(home, week)
    if not _is_report(folder) or _is_unfinished(home):
        (folder,) = _write_weeks(home, [week], wait_seconds)
    return _copied(folder, out) if out else folder


def write_due_reports(home: Home, wait_seconds: float = 60) -> list[Path]:
    """Publishes every week that ended since the last published one, oldest first; of a home without any, the last.

    A schedule that missed a Monday leaves no hole. Raises LockedError where another run holds the home.
    """
    if not home.records.exists() and not home.summaries.exists():  # a schedule may start before the first file comes
        return []
    ended = _ended_weeks(home)
    published = [place for place, week in enumerate(ended) if _is_report(home.reports / week)]
    due = ended[published[-1] + 1 :] if published else ended[-1:]
    return _write_weeks(home, due, wait_seconds) if due or _is_unfinished(home) else []


def _is_report(folder: Path) -> bool:
    return (folder / "internal.html").exists()


def _is_unfinished(home: Home) -> bool:
    """Whether a run was killed between a report's rename and the end of what belongs to it."""
    return (home.reports / UNPUBLISHED).exists()


def _write_weeks(home: Home, weeks: Sequence[str], wait_seconds: float) -> list[Path]:
    """Writes the reports that are missing, from one snapshot of now: that of a Sunday does not know that the week is
    over. Then the index, and what was reported is recorded; the folder UNPUBLISHED goes last."""
    from pipelines.report import write_index

    settings = load_settings(home.path)
    configured = configured_pack(home, settings)
    with store.writing(home, settings, configured, wait_seconds) as connection:
        store.publish_if_stale(connection, home, settings)
        folders = [_write_report(connection, home, _week_name(home, week)) for week in weeks]
        write_index(home.reports)
        with store.transaction(connection):
            revisions.adopt(connection, home.reports)
        shutil.rmtree(home.reports / UNPUBLISHED, ignore_errors=True)
    return folders


def _write_report(connection: duckdb.DuckDBPyConnection, home: Home, week: str) -> Path:
    from pipelines.explain_pages import week_pages
    from pipelines.report import write_report

    if _is_report(home.reports / week):  # a run before, or beside, was first
        return home.reports / week
    pages, pack = week_pages(connection, week), published_pack(home)
    if week not in _ended_weeks(home):
        return write_report(home.summaries, pack, home.reports / PRELIMINARY, week, pages)
    shutil.rmtree(home.reports / UNPUBLISHED, ignore_errors=True)
    folder = write_report(home.summaries, pack, home.reports / UNPUBLISHED, week, pages)
    with contextlib.closing(read_only(home.summaries)) as snapshot:
        revisions.freeze(snapshot, folder, week, home.reports / week)
    shutil.rmtree(home.reports / PRELIMINARY / week, ignore_errors=True)
    return home.reports / week


def _ended_weeks(home: Home) -> list[str]:
    """Every covered week that is over by now, oldest first, whenever the snapshot was published."""
    sql = """SELECT week FROM (SELECT DISTINCT week, week_start FROM weekly_triage), about
        WHERE week_start + 7 <= (now() AT TIME ZONE about.time_zone)::DATE ORDER BY week_start"""
    with contextlib.closing(read_only(home.summaries)) as connection, store.damage_told(home.summaries):
        return [week for (week,) in connection.execute(sql).fetchall()]


def _week_name(home: Home, week: str) -> str:
    """The week; `latest` is the last covered one that is over."""
    if week != "latest":
        if not re.fullmatch(r"\d{4}-M?W\d{2}", week):
            raise UsageError(f"'{week}' is not a week; write it as 2026-W47, or latest")
        return week
    if not (ended := _ended_weeks(home)):
        note = _withdrawn_note(home)
        raise UsageError(f"no covered week is complete yet; a running one can be named with --week{note}")
    return ended[-1]


def _withdrawn_note(home: Home) -> str:
    """A word on withdrawn files, where the records can be read now: the snapshot does not know of them."""
    from pipelines.explain import withdrawn_note

    with contextlib.suppress(CalfwatchError), contextlib.closing(read_only(home.records)) as connection:
        return withdrawn_note(connection)
    return ""


def _copied(published: Path, out: Path) -> Path:
    target = out / published.name
    shutil.copytree(published, target, dirs_exist_ok=True)
    return target
