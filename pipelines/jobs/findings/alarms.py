"""What the lead found out about an alarm: list the episodes, note on one, close it, reopen it.

A note hangs on the series and the weeks of its alarm, so it is found again when the signals are worked out anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from pipelines import clock
from pipelines.connections import open_for_reading
from pipelines.errors import UsageError
from pipelines.jobs import publish as publish_job
from pipelines.settings import Settings
from pipelines.signals.episodes import CLOSE, CLOSED, NOTE, OVER, REOPEN
from pipelines.statements import Row, fetch_rows
from pipelines.store import audit, database
from pipelines.store.database import Home
from pipelines.store.packs import load_configured_pack
from pipelines.text import escape_unprintable

MOST_TEXT = 2000  # characters
DONE = {NOTE: "noted", CLOSE: "closed", REOPEN: "reopened"}
COLUMNS = "series, first_week, last_week, weeks, peak, latest, state, note, noted_at, noted_by"


@dataclass(frozen=True)
class Finding:
    """What is to be kept: `action` is note, close or reopen; without a week the latest alarm of the series is meant."""

    action: str
    series: str
    text: str
    week: str | None = None


def list_alarms(home: Home, with_over: bool) -> list[Row]:
    """Return the published episodes, those that go on first, the newest first; with `with_over` the others too."""
    condition = "TRUE" if with_over else f"state <> '{OVER}'"
    sql = f"SELECT {COLUMNS} FROM alarm_episodes WHERE {condition} ORDER BY state = '{OVER}', last_start DESC, series"
    with open_for_reading(home.summaries) as connection:
        return fetch_rows(connection, sql)


def keep_finding(home: Home, settings: Settings, finding: Finding, wait_seconds: float) -> str:
    """Keep what was found out, audited, and publish; return what was done, in one line.

    Raises UsageError if there is no such alarm, nothing is said, or the alarm is not in a state for it.
    """
    text = _check_text(finding)
    with database.writing(home, settings, load_configured_pack(home, settings), wait_seconds) as connection:
        episode = _find_episode(connection, finding)
        _check_state(episode, finding.action)
        about = f"{episode['series']}, {episode['first_week']} to {episode['last_week']}"
        with database.transaction(connection):
            _insert(connection, episode, finding.action, text)
            audit.note(connection, "alarm", about, f"{finding.action}: {text}")
        publish_job.publish(connection, home, settings)
    return f"{about}: {DONE[finding.action]}"


def _check_text(finding: Finding) -> str:
    text = escape_unprintable(" ".join(finding.text.split()))
    if finding.action != REOPEN and not text:
        raise UsageError(f"alarm {finding.action} needs a text: what was found out?")
    if len(text) > MOST_TEXT:
        raise UsageError(f"the text has {len(text):,} characters; at most {MOST_TEXT:,} are kept")
    return text


def _find_episode(connection: duckdb.DuckDBPyConnection, finding: Finding) -> Row:
    found = fetch_rows(
        connection,
        """FROM alarm_episodes WHERE series = $series AND ($week IS NULL OR $week BETWEEN first_week AND last_week)
           ORDER BY last_start DESC LIMIT 1""",
        {"series": finding.series, "week": finding.week},
    )
    if not found:
        when = f" in {finding.week}" if finding.week else ""
        raise UsageError(f"there is no alarm of '{finding.series}'{when}; `calfwatch alarm list --all` shows every one")
    return found[0]


def _check_state(episode: Row, action: str) -> None:
    if action == CLOSE and episode["state"] in (CLOSED, OVER):
        raise UsageError(f"the alarm of {episode['series']} is {episode['state']}; `alarm note` adds to it")
    if action == REOPEN and episode["state"] != CLOSED:
        raise UsageError(f"the alarm of {episode['series']} is {episode['state']}, not closed; nothing to reopen")


def _insert(connection: duckdb.DuckDBPyConnection, episode: Row, action: str, text: str) -> None:
    row = [clock.now(), audit.name_account(), action, episode["series"], episode["first_start"], episode["last_start"]]
    connection.execute("INSERT INTO alarm_notes SELECT ?, ?, ?, ?, ?, ?, ?, ?", [*row, episode["latest"], text])
