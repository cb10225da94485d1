"""The record of releases in records.duckdb: `releases` and `released_counts`. A week is never published twice.

Every function works inside the caller's connection, and those that write inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import Any

import duckdb

from pipelines.errors import StateError
from pipelines.release.audit import Narrowest, find_narrowest, is_safe
from pipelines.release.public_database import PublicRows, Rows
from pipelines.release.rounding import REGION, TOTAL, Cell, find_total, name_method, parse_hidden_limit
from pipelines.statements import fetch_rows
from schemas.public_tables import PUBLIC_RELEASE_COLUMNS, WEEKLY_COUNTS

RELEASED, HELD_BACK, WITHDRAWN = "released", "held_back", "withdrawn"
NEXT_ZONE = ", then "


@dataclass(frozen=True)
class Release:
    """One row of `releases`; the columns say what each field means."""

    week: str
    week_start: date
    status: str
    released_on: date
    method: str
    incomplete: bool | None
    note: str | None
    first_moment: datetime
    last_moment: datetime
    time_zone: str
    published: bool
    released_at: datetime | None = None
    who: str | None = None
    version: str | None = None
    rule_pack: str | None = None
    hide_up_to: int | None = None
    hidden_cells: int | None = None
    unlisted_regions: int | None = None
    possible_values: int | None = None
    possible_values_of: str | None = None
    warnings: str | None = None
    withdrawn_at: datetime | None = None
    withdrawn_by: str | None = None

    def shares_time_with(self, other: Release) -> bool:
        """Return whether both weeks have a day or a moment in common."""
        is_apart = self.last_moment <= other.first_moment or other.last_moment <= self.first_moment
        return abs((self.week_start - other.week_start).days) < 7 or not is_apart


@dataclass(frozen=True)
class History:
    """What was decided before a week: the releases, and the regions that a released week has shown."""

    releases: list[Release]
    shown_regions: set[str]


def read_releases(connection: duckdb.DuckDBPyConnection) -> list[Release]:
    """Return every release, the oldest week first."""
    names = ", ".join(field.name for field in fields(Release))
    return [Release(**row) for row in fetch_rows(connection, f"SELECT {names} FROM releases ORDER BY week_start, week")]


def read_counts(connection: duckdb.DuckDBPyConnection) -> Rows:
    """Return every disclosed row, also those of withdrawn weeks, in the order in which they are published."""
    names = ", ".join(WEEKLY_COUNTS.column_names)
    order = "week_start, week, attribute, value"
    return connection.execute(f"SELECT {names} FROM released_counts ORDER BY {order}").fetchall()


def read_history(connection: duckdb.DuckDBPyConnection, published: PublicRows | None = None) -> History:
    """Return what was decided before, by this record and, if given, by public.duckdb."""
    releases, counts = read_releases(connection), list(read_counts(connection))
    if published:
        releases += list_published_releases(connection, published)
        counts += published.weekly_counts
    return History(releases, {row[3] for row in counts if row[2] == REGION and row[4] is not None})


def record_release(connection: duckdb.DuckDBPyConnection, release: Release, cells: Iterable[Cell]) -> None:
    """Store a decision and, for a released week, its disclosed cells."""
    _insert(connection, "releases", asdict(release))
    for cell in cells:
        _insert(connection, "released_counts", {"week": release.week, "week_start": release.week_start} | asdict(cell))


def _insert(connection: duckdb.DuckDBPyConnection, table: str, row: Mapping[str, Any]) -> None:
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def record_withdrawal(
    connection: duckdb.DuckDBPyConnection, week: str, note: str | None, who: str | None, when: datetime | None
) -> None:
    """Mark a released week as withdrawn; its rows stay here."""
    sql = """UPDATE releases SET status = ?, note = ?, withdrawn_by = ?, withdrawn_at = ?, published = false
        WHERE week = ?"""
    connection.execute(sql, [WITHDRAWN, note, who, when, week])


def take_over(connection: duckdb.DuckDBPyConnection, releases: Iterable[Release], counts: Rows) -> list[str]:
    """Store what another record knows and this one lacks, as after a restored backup; return the weeks.

    A week that this record still calls released, and the other one withdrawn, is withdrawn here too.
    """
    known = {release.week: release for release in read_releases(connection)}
    taken = []
    for release in releases:
        mine = known.get(release.week)
        if mine is None:
            cells = [Cell(*row[2:]) for row in counts if row[0] == release.week]
            record_release(connection, release, cells)
        elif mine.status == RELEASED and release.status == WITHDRAWN:
            record_withdrawal(connection, release.week, release.note, release.withdrawn_by, release.withdrawn_at)
        else:
            continue
        taken.append(release.week)
    return taken


def list_published_releases(connection: duckdb.DuckDBPyConnection, published: PublicRows) -> list[Release]:
    """Return the releases that public.duckdb tells of.

    It names the time zones that were used, not whose week was which: a week is taken to last from the first midnight
    in any of them to the last one.
    """
    zones = published.about[0][4]
    sql = """SELECT min(?::TIMESTAMP AT TIME ZONE zone), max((? + 7)::TIMESTAMP AT TIME ZONE zone)
        FROM (SELECT unnest(?) AS zone)"""
    found = []
    for row in published.releases:
        values = dict(zip(PUBLIC_RELEASE_COLUMNS, row, strict=True))
        start = values["week_start"]
        (moments,) = connection.execute(sql, [start, start, zones.split(NEXT_ZONE)]).fetchall()
        limit = parse_hidden_limit(values["method"])
        found.append(Release(**values | _make_moments(moments, zones), published=True, hide_up_to=limit))
    return found


def _make_moments(moments: Sequence[datetime], zones: str) -> dict[str, Any]:
    return {"first_moment": moments[0], "last_moment": moments[1], "time_zone": zones}


def list_time_zones(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the time zones of all releases as public.duckdb names them: one, or several in the order of their use."""
    zones = connection.execute("SELECT time_zone FROM releases ORDER BY released_at NULLS FIRST, week_start").fetchall()
    return NEXT_ZONE.join(dict.fromkeys(zone for (each,) in zones for zone in each.split(NEXT_ZONE)))


def mark_published(connection: duckdb.DuckDBPyConnection) -> None:
    """Note that the public files tell of everything on record."""
    connection.execute("UPDATE releases SET published = true WHERE NOT published")


def read_public_rows(connection: duckdb.DuckDBPyConnection, about: tuple[str, ...] = ()) -> PublicRows:
    """Return what public.duckdb must hold: the rows of released weeks, and every decision."""
    releases = read_releases(connection)
    released = {release.week for release in releases if release.status == RELEASED}
    return PublicRows(
        weekly_counts=[row for row in read_counts(connection) if row[0] in released],
        releases=[tuple(getattr(each, name) for name in PUBLIC_RELEASE_COLUMNS) for each in releases],
        about=[about],
    )


def audit_again(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Repeat the audit of every published week from its stored rows; return what is wrong, in sentences."""
    counts = read_counts(connection)
    problems = _find_weeks_at_other_moments(connection)
    for release in read_releases(connection):
        cells = [Cell(*row[2:]) for row in counts if row[0] == release.week]
        if release.status == HELD_BACK:
            problems += [f"{release.week} is held back and has disclosed rows"] if cells else []
        else:
            problems += _find_problems(release, cells)
    return problems


def _find_problems(release: Release, cells: list[Cell]) -> list[str]:
    if not cells or release.hide_up_to is None:
        return [] if release.status == WITHDRAWN and release.who is None else [f"{release.week} has no disclosed rows"]
    if [cell for cell in cells if cell.attribute == TOTAL] != [find_total(cells)]:
        return [f"the total of {release.week} is not what its triage levels show"]
    narrowest = find_narrowest(cells, release.unlisted_regions, release.hide_up_to)
    if not is_safe(narrowest):
        return [f"a hidden count of {release.week} has fewer possible values than it must: {narrowest}"]
    return _find_problems_of_record(release, cells, narrowest) if release.rule_pack else []


def _find_problems_of_record(release: Release, cells: list[Cell], narrowest: Narrowest | None) -> list[str]:
    """Compare what the record of a week says of its rows with them; one taken over from the public files says less."""
    stored = (release.possible_values, release.possible_values_of)
    if stored != ((narrowest.values, narrowest.cell) if narrowest else (None, None)):
        return [f"the audit of {release.week} gives {narrowest}, the record says {stored}"]
    hidden = sum(cell.is_hidden for cell in cells) + (release.unlisted_regions or 0)
    told = (name_method(release.hide_up_to or 0), hidden)
    if told != (release.method, release.hidden_cells):
        said = (release.method, release.hidden_cells)
        return [f"{release.week} has (method, hidden counts) {told}, the record says {said}"]
    return []


def _find_weeks_at_other_moments(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Name the weeks whose moments, which keep a day from being published twice, are not those of their days."""
    rows = connection.execute(
        """SELECT week FROM releases WHERE rule_pack IS NOT NULL AND (first_moment, last_moment) IS DISTINCT FROM
           (week_start::TIMESTAMP AT TIME ZONE time_zone, (week_start + 7)::TIMESTAMP AT TIME ZONE time_zone)
           ORDER BY week"""
    ).fetchall()
    return [f"the moments of {week} on record are not those of its days" for (week,) in rows]


def require_sound(connection: duckdb.DuckDBPyConnection) -> int:
    """Repeat every audit; return how many weeks are on record. Raises StateError with what is wrong."""
    if problems := audit_again(connection):
        raise StateError("records.duckdb: what was released contradicts itself: " + "; ".join(problems))
    return len(read_releases(connection))
