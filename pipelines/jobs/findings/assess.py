"""The clinical lead's assessment of a week: kept, published, and shown on the page or beside it.

Written before the week is published it stands on its page; later, in the list of weeks: a published page never changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines import clock
from pipelines.connections import open_for_reading
from pipelines.errors import UsageError
from pipelines.jobs import publish as publish_job
from pipelines.settings import Settings
from pipelines.statements import fetch_first_row, fetch_rows
from pipelines.store import audit, database
from pipelines.store.database import Home
from pipelines.store.packs import load_configured_pack
from pipelines.text import escape_unprintable, is_week

MOST_TEXT, MOST_NAME = 4000, 200  # characters


@dataclass(frozen=True)
class Assessment:
    """What is to be kept of a week: the text, who wrote it, and how to reach the writer."""

    week: str
    text: str
    name: str
    contact: str


def keep_assessment(home: Home, settings: Settings, written: Assessment, wait_seconds: float) -> str:
    """Keep an assessment, audited, and publish it; return where it stands, in one line.

    Raises UsageError if something is empty or too long, or for a week that no file covers.
    """
    from pipelines.report import write_index

    row = _check_assessment(written)
    with database.writing(home, settings, load_configured_pack(home, settings), wait_seconds) as connection:
        if not fetch_first_row(connection, "SELECT 1 FROM calendar WHERE week = ?", [written.week]):
            raise UsageError(f"week {written.week} is not covered by any file; weekly_triage lists those that are")
        with database.transaction(connection):
            connection.execute("INSERT INTO assessments VALUES (?, ?, ?, ?, ?)", [*row, clock.now()])
            audit.note(connection, "assess", written.week, f"by {row[1]}: {len(row[3])} characters")
        publish_job.publish(connection, home, settings)
        if not (home.reports / written.week / "internal.html").exists():
            return f"{written.week}: kept; it will stand on the page when the week is published"
        write_index(home.reports, read_assessments(home))
    return f"{written.week}: kept, in {home.reports}/index.html; the published page stays as it is"


def read_assessments(home: Home) -> dict[str, list[dict[str, str]]]:
    """Return the published assessments by week, the oldest first."""
    sql = """SELECT week, name, contact, text,
          strftime(written_at AT TIME ZONE time_zone, '%Y-%m-%d %H:%M') AS written_at
        FROM assessments, about ORDER BY written_at"""
    found: dict[str, list[dict[str, str]]] = {}
    with open_for_reading(home.summaries) as connection:
        for row in fetch_rows(connection, sql):
            found.setdefault(row["week"], []).append(row)
    return found


def _check_assessment(written: Assessment) -> list[str]:
    if not is_week(written.week):
        raise UsageError(f"'{written.week}' is not a week; write it as 2026-W47")
    name, contact, text = (
        escape_unprintable(" ".join(part.split())) for part in (written.name, written.contact, written.text)
    )
    for what, part, most in (("name", name, MOST_NAME), ("contact", contact, MOST_NAME), ("text", text, MOST_TEXT)):
        if not part or len(part) > most:
            raise UsageError(f"the {what} has {len(part):,} characters; allowed are 1 to {most:,}")
    return [written.week, name, contact, text]
