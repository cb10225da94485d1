"""Decide on one week: refuse it, hold it back, or release it. Nothing is written here."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path

import duckdb

from pipelines import clock
from pipelines.errors import ReleaseRefused, StateError, UsageError
from pipelines.release import ledger, public_page
from pipelines.release.audit import FEWEST_VALUES, Narrowest, find_narrowest, is_safe
from pipelines.release.ledger import HELD_BACK, RELEASED, WITHDRAWN, Release
from pipelines.release.rounding import Cell, Disclosure, disclose, name_method
from pipelines.settings import Settings
from pipelines.statements import fetch_first_row, fetch_rows, read_statement
from pipelines.store import audit, database
from pipelines.store.database import Home
from pipelines.text import is_week, pluralise
from schemas.fields import AGE_BANDS, SEXES
from schemas.pack import LEVELS

KNOWN_WORDS = {
    RELEASED: "released, and a week is never published a second time",
    HELD_BACK: "held back for good, as its audit failed",
    WITHDRAWN: "withdrawn, and stays so",
}
FEW_SENDERS = 2  # each of so few can subtract its own reports


@dataclass(frozen=True)
class Asked:
    """What somebody asks to release: a week, or None for the one before the latest complete one."""

    week: str | None = None
    incomplete: bool = False


@dataclass(frozen=True)
class Decision:
    """What a release of one week comes to: the record of it, what would be published, and its audit."""

    release: Release
    disclosure: Disclosure
    narrowest: Narrowest | None
    warnings: tuple[str, ...]

    @property
    def is_held_back(self) -> bool:
        return self.release.status == HELD_BACK


def explain_held_back(decision: Decision) -> str:
    """Why a week is held back, for staff."""
    release = decision.release
    return (
        f"{release.week} is held back for good: a hidden count ({release.possible_values_of}) would have "
        f"fewer than {FEWEST_VALUES} possible values. Nothing of it is published"
    )


def locate_page(home: Home, week: str) -> Path:
    """Return where the page of a released week lies."""
    return home.path / public_page.FOLDER / week / public_page.PAGE


def choose_week(connection: duckdb.DuckDBPyConnection, week: str | None) -> str:
    """Return the week asked for; without one, the week before the latest complete one, whose late reports are in."""
    if week is not None:
        if not is_week(week):
            raise UsageError(f"'{week}' is not a week; write it as 2026-W46")
        return week
    zone = database.get_state(connection, "time_zone")
    row = fetch_first_row(
        connection,
        """WITH latest AS (SELECT max(week_start) AS week_start FROM calendar
             WHERE week_start + 7 <= ?)
           SELECT any_value(calendar.week) FROM calendar JOIN latest ON calendar.week_start = latest.week_start - 7""",
        [clock.today(zone)],
    )
    if row is None or row[0] is None:
        raise ReleaseRefused("there is no covered week before the latest complete one; name a week")
    return str(row[0])


def decide_week(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    settings: Settings,
    history: ledger.History,
    asked: Asked,
) -> Decision:
    """Refuse, hold back or release a week. Raises ReleaseRefused; a week held back is a decision, not an error."""
    week = choose_week(connection, asked.week)
    _refuse_known(home, week, history.releases)
    release = _open_release(connection, settings, week)
    _refuse_overlap(release, history.releases)
    is_incomplete = _refuse_unready(connection, settings, release, asked.incomplete)
    counts = _read_exact_counts(connection, release.week_start)
    found = disclose(counts, settings.public.hide_up_to, history.shown_regions)
    narrowest = find_narrowest(found.cells, found.unlisted_regions, found.hide_up_to)
    warnings = _list_warnings(connection, release.week_start)
    safe = is_safe(narrowest)
    record = replace(
        release,
        status=RELEASED if safe else HELD_BACK,
        incomplete=is_incomplete if safe else None,
        hidden_cells=found.hidden_cells,
        unlisted_regions=found.unlisted_regions,
        possible_values=narrowest.values if narrowest else None,
        possible_values_of=narrowest.cell if narrowest else None,
        warnings="; ".join(warnings) or None,
    )
    return Decision(record, found, narrowest, warnings)


def recall_decision(connection: duckdb.DuckDBPyConnection, week: str) -> Decision | None:
    """Return the recorded decision on a week that is released, with its rows as stored; None if it is not."""
    release = next((each for each in ledger.read_releases(connection) if each.week == week), None)
    if release is None or release.status != RELEASED:
        return None
    cells = tuple(Cell(*row[2:]) for row in ledger.read_counts(connection) if row[0] == week)
    narrowest = None
    if release.possible_values is not None and release.possible_values_of is not None:
        narrowest = Narrowest(release.possible_values, release.possible_values_of)
    found = Disclosure(cells, release.unlisted_regions or 0, release.hide_up_to or 0)
    return Decision(release, found, narrowest, (release.warnings,) if release.warnings else ())


def _refuse_known(home: Home, week: str, known: Sequence[Release]) -> None:
    """A week is decided on once."""
    for release in known:
        if release.week == week:
            raise ReleaseRefused(f"{week} was decided on {release.released_on}: it is {KNOWN_WORDS[release.status]}")
    folder = locate_page(home, week).parent
    for path in (folder.parent, folder):
        public_page.refuse_link(path)
    for name in (public_page.PAGE, public_page.TABLE):
        if os.path.lexists(folder / name):
            raise ReleaseRefused(f"{week} was released already: {folder / name} is there, though no record knows of it")


def _open_release(connection: duckdb.DuckDBPyConnection, settings: Settings, week: str) -> Release:
    """Return the record of a covered week before its decision. Raises ReleaseRefused if no file covers it."""
    zone = database.get_state(connection, "time_zone")
    row = fetch_first_row(
        connection,
        """SELECT week_start, week_start::TIMESTAMP AT TIME ZONE $zone, (week_start + 7)::TIMESTAMP AT TIME ZONE $zone
           FROM calendar WHERE week = $week LIMIT 1""",
        {"zone": zone, "week": week},
    )
    if row is None:
        raise ReleaseRefused(f"{week} is not covered by any accepted file")
    start, first, last = row
    limit, moment = settings.public.hide_up_to, clock.now()
    decided = (RELEASED, clock.day_of(moment, zone), name_method(limit), None, None)
    return Release(
        week,
        start,
        *decided,
        first,
        last,
        time_zone=zone,
        published=False,
        released_at=moment,
        who=audit.name_account(),
        version=version("calfwatch"),
        rule_pack=database.get_state(connection, "rule_pack"),
        hide_up_to=limit,
    )


def _refuse_overlap(release: Release, known: Sequence[Release]) -> None:
    """Two published weeks that share a day would give the difference away, after a change of time zone or weeks."""
    for other in known:
        if release.shares_time_with(other):
            raise ReleaseRefused(f"{release.week} shares a day or an hour with {other.week}, which is {other.status}")


def _refuse_unready(
    connection: duckdb.DuckDBPyConnection, settings: Settings, release: Release, incomplete: bool
) -> bool:
    """Raise ReleaseRefused for a running week, or one that lacks a sender; return whether it lacks one."""
    reason = find_week_problem(connection, settings, release.week_start)
    if reason == "running week":
        raise ReleaseRefused(f"{release.week} is still running; it ends on {release.week_start + timedelta(days=6)}")
    if reason and not incomplete:
        raise ReleaseRefused(
            f"{release.week} lacks reports of a source that is expected every week; "
            "wait for its file, or release it with --incomplete"
        )
    return reason is not None


def find_week_problem(connection: duckdb.DuckDBPyConnection, settings: Settings, week_start: date) -> str | None:
    """Return `running week`, `incomplete reporting` if a sender is missing or partial in that week, or None."""
    if week_start + timedelta(days=7) > clock.today(settings.time_zone):
        return "running week"
    lacking = "SELECT 1 FROM weekly_sources WHERE week_start = ? AND state IN ('missing', 'partial') LIMIT 1"
    return "incomplete reporting" if fetch_first_row(connection, lacking, [week_start]) else None


def _read_exact_counts(connection: duckdb.DuckDBPyConnection, week_start: date) -> Mapping[str, Mapping[str, int]]:
    """The week's exact counts by attribute and value. Raises StateError if attributes do not add up to the same."""
    names = {"levels": [*LEVELS], "age_bands": [*AGE_BANDS, "unknown"], "sexes": [*SEXES]}
    rows = fetch_rows(connection, read_statement("release", "week_counts"), {"week_start": week_start, **names})
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        counts.setdefault(row["attribute"], {})[row["value"]] = row["reports"]
    sums = {name: sum(values.values()) for name, values in counts.items()}
    if len(set(sums.values())) > 1:
        raise StateError(f"the counts of the week of {week_start} do not add up to one total: {sums}")
    return counts


def _list_warnings(connection: duckdb.DuckDBPyConnection, week_start: date) -> tuple[str, ...]:
    sql = "SELECT count(DISTINCT source) FROM daily_summary WHERE report_date BETWEEN ? AND ?"
    row = fetch_first_row(connection, sql, [week_start, week_start + timedelta(days=6)])
    senders = row[0] if row else 0
    if senders > FEW_SENDERS:
        return ()
    return (f"the week has {pluralise(senders, 'sender')}: each can subtract its own reports from what is published",)
