"""Write the weekly reports that are asked for or due: each is made from a snapshot and published once.

write_week and write_due_reports -> _publish_reports (lock, snapshot, a report a week, index, record) -> _write_report
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import duckdb

from pipelines import clock, files
from pipelines.connections import open_for_reading, read_only
from pipelines.errors import CalfwatchError, StateError, UsageError
from pipelines.jobs import sharing
from pipelines.jobs.erasing.forget import forget_what_is_old
from pipelines.jobs.findings.assess import read_assessments
from pipelines.jobs.monitoring.run_lines import write_line
from pipelines.jobs.publish import publish, publish_if_stale
from pipelines.settings import load_settings
from pipelines.store import audit, database, revisions
from pipelines.store.home import Home, refuse_own_output
from pipelines.store.packs import load_configured_pack, load_published_pack
from pipelines.text import is_week, pluralise, say

PRELIMINARY = "preliminary"  # in `reports`: the folder of weeks that still run
UNPUBLISHED = ".calfwatch-unpublished"  # in `reports`: where a report is made before it is published


def write_week(home: Home, week: str, out: Path | None, as_known_now: bool, wait_seconds: float = 60) -> Path:
    """Return the folder of a week's report, which is written if it is not published yet, and copied to `out` if given.

    A published report never changes; one whose folder is gone is made anew only with the counts of then. A running week
    is not published: its report so far goes to `reports/preliminary/` and is replaced each time. as_known_now, with
    `out`: write the report with the counts of now instead. Raises UsageError for a week that is not covered, StateError
    where the counts of a lost report are others now, LockedError if another run holds the home.
    """
    from pipelines.report import write_report

    home.refuse_links()
    if out:
        refuse_own_output(out, home.path)
    if as_known_now and out:
        return write_report(home.summaries, load_published_pack(home), out, _find_week(home, week))
    folder = home.reports / _find_week(home, week)
    if not _has_report(folder) or _is_unfinished(home):
        (folder,) = _publish_reports(home, [week], wait_seconds)
    return _copy_report(folder, out) if out else folder


def has_published(home: Home, week: str) -> bool:
    """Return whether the published report of a week lies in its place. Raises UsageError as `write_week` does."""
    home.refuse_links()
    return _has_report(home.reports / _find_week(home, week))


def write_due_reports(home: Home, wait_seconds: float = 60) -> list[Path]:
    """Publish every week that ended since the last published one, oldest first; in a home without any, the last.

    A schedule that missed a Monday leaves no hole; a folder that somebody removed is published by no schedule again.
    With a new report, what is older than `keep_days` is erased. Raises LockedError if another run holds the home.
    """
    if not home.records.exists() and not home.summaries.exists():  # a schedule may start before the first file comes
        return []
    ended = _list_ended_weeks(home)
    on_record = _list_published(home)
    published = [place for place, week in enumerate(ended) if week in on_record or _has_report(home.reports / week)]
    due = ended[published[-1] + 1 :] if published else ended[-1:]
    folders = _publish_reports(home, due, wait_seconds) if due or _is_unfinished(home) else []
    if folders:
        _keep_retention(home, wait_seconds)
    return folders


def _list_published(home: Home) -> set[str]:
    if not home.records.exists():
        return set()
    with open_for_reading(home.records) as connection:
        return revisions.list_published(connection)


def _keep_retention(home: Home, wait_seconds: float) -> None:
    """Erase what is older than `keep_days`, once a week: the records are written anew for it."""
    settings = load_settings(home.path)
    today = clock.today(settings.time_zone)
    if done := forget_what_is_old(home, settings, today, wait_seconds):
        write_line(done.splitlines()[0], settings.time_zone)


def reset_week(home: Home, week: str, wait_seconds: float = 60) -> str:
    """Take a published report back, audited; return what was done. Its week is no longer frozen.

    The folder goes first: a run that dies before the records forget it is finished by another --reset. Raises
    UsageError for a week that was not published, or a folder that holds anything else.
    """
    from pipelines.report import write_index

    settings = load_settings(home.path)
    folder = home.reports / _find_week(home, week)
    with database.writing(home, settings, load_configured_pack(home, settings), wait_seconds) as connection:
        if not revisions.is_published(connection, folder.name):
            raise UsageError(f"{folder.name} is not published; `calfwatch status` names the last week that is")
        files.remove_folder(folder)
        home.make()  # somebody may have removed `reports`
        write_index(home.reports)
        with database.transaction(connection):
            text = revisions.forget(connection, folder.name)
            audit.note(connection, "reset", folder.name, text)
        publish(connection, home, settings)
    return f"{folder.name}: {text}"


def _has_report(folder: Path) -> bool:
    return (folder / "internal.html").exists()


def _is_unfinished(home: Home) -> bool:
    """Return whether a run was killed before its reports were in the index and in the records."""
    return (home.reports / UNPUBLISHED).exists()


def _publish_reports(home: Home, weeks: Sequence[str], wait_seconds: float) -> list[Path]:
    """Write the reports that are missing, then the index, and record what was reported.

    A new snapshot comes first: one of a Sunday does not know that the week is over. The folder UNPUBLISHED goes last:
    as long as it is there, a later run finishes this one.
    """
    from pipelines.report import write_index

    settings = load_settings(home.path)
    configured = load_configured_pack(home, settings)
    with database.writing(home, settings, configured, wait_seconds) as connection:
        publish_if_stale(connection, home, settings)
        folders = [_write_report(connection, home, _find_week(home, week)) for week in weeks]
        write_index(home.reports, read_assessments(home))
        with database.transaction(connection):
            revisions.adopt(connection, home.reports)
        _clear_unpublished(home)
        sharing.share(home, settings)
    return folders


def _write_report(connection: duckdb.DuckDBPyConnection, home: Home, week: str) -> Path:
    from pipelines.explain.calls import find_week_calls
    from pipelines.report import write_report

    if _has_report(home.reports / week):  # a run before, or beside, was first
        return home.reports / week
    lost = _find_lost(connection, home, week)
    calls, pack = find_week_calls(connection, week), load_published_pack(home)
    if week not in _list_ended_weeks(home):
        return write_report(home.summaries, pack, home.reports / PRELIMINARY, week, calls)
    folder = write_report(home.summaries, pack, _make_unpublished(home), week, calls)
    if lost:
        revisions.freeze_again(connection, folder, week, home.reports / week)
        say(lost, stream=sys.stderr)
        return home.reports / week
    with contextlib.closing(read_only(home.summaries)) as published:
        revisions.freeze(published, folder, week, home.reports / week, clock.now())
    with contextlib.suppress(UsageError):  # somebody put something of their own there: it stays
        files.remove_folder(home.reports / PRELIMINARY / week)
    return home.reports / week


def _find_lost(connection: duckdb.DuckDBPyConnection, home: Home, week: str) -> str:
    """Return what to tell of a published week whose folder is gone, else nothing. Raises StateError if it changed."""
    found = revisions.describe_lost(connection, week)
    if found is None:
        return ""
    day, changed = found
    told = f"{home.reports / week}: published on {day}, and its folder is gone"
    if changed:
        raise StateError(
            f"{told}; {pluralise(changed, 'count is another', 'counts are others')} now, and a published week does not "
            f"change. Restore the folder from a backup, look at today's counts with --as-known-now --out DIR, or take "
            f"the publication back with --reset {week}"
        )
    return f"{told}: made anew with the counts of then, which are those of today; its words are of today"


def _make_unpublished(home: Home) -> Path:
    """Make a fresh folder, marked as ours, to make a report in."""
    _clear_unpublished(home)
    folder = home.reports / UNPUBLISHED
    home.make()  # as above
    folder.mkdir(mode=0o700)
    files.write_private(folder, files.MARKER, "")
    return folder


def _clear_unpublished(home: Home) -> None:
    """Remove the folder in which a report was made."""
    folder = home.reports / UNPUBLISHED
    if folder.is_dir() and not folder.is_symlink() and ((folder / files.MARKER).is_file() or not any(folder.iterdir())):
        shutil.rmtree(folder)


def _list_ended_weeks(home: Home) -> list[str]:
    """List the covered weeks that are over by now, oldest first; the snapshot may be older."""
    sql = """SELECT week FROM (SELECT DISTINCT week, week_start FROM weekly_triage), about
        WHERE week_start + 7 <= ($now AT TIME ZONE about.time_zone)::DATE ORDER BY week_start"""
    with open_for_reading(home.summaries) as connection:
        return [week for (week,) in connection.execute(sql, {"now": clock.now()}).fetchall()]


def _find_week(home: Home, week: str) -> str:
    """Return the week's name; `latest` is the last covered one that is over."""
    if week != "latest":
        if not is_week(week):
            raise UsageError(f"'{week}' is not a week; write it as 2026-W47, or latest")
        return week
    if not (ended := _list_ended_weeks(home)):
        note = _describe_withdrawn(home)
        raise UsageError(f"no covered week is complete yet; name a running one with --week{note}")
    return ended[-1]


def _describe_withdrawn(home: Home) -> str:
    """Say how many files were withdrawn, if the records can be read now; the snapshot does not know of them."""
    from pipelines.explain.explanation import describe_withdrawn

    with contextlib.suppress(CalfwatchError), contextlib.closing(read_only(home.records)) as connection:
        return describe_withdrawn(connection)
    return ""


def _copy_report(published: Path, out: Path) -> Path:
    """Copy a published folder, byte for byte and with its times, to `out`."""

    def fill(folder: Path) -> None:
        shutil.copytree(published, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(files.MARKER))

    return files.replace_folder(out / published.name, fill)
