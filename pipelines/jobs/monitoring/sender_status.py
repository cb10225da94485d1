"""Who did not report the latest week that is over, or only in part, and who joined: lines of `status`."""

from __future__ import annotations

import duckdb

from pipelines import clock
from pipelines.signals.senders import MISSING, PARTIAL, SILENT
from pipelines.statements import Row, fetch_rows
from pipelines.text import describe_sender

LATEST = """SELECT week, source, state, reports, usual, joined FROM weekly_sources
    WHERE week_start = (
      SELECT max(week_start) FROM weekly_sources
      WHERE week_start + 7 <= ($now AT TIME ZONE (SELECT value FROM state WHERE key = 'time_zone'))::DATE)
    ORDER BY source"""


def describe_senders(connection: duckdb.DuckDBPyConnection) -> tuple[list[str], list[str]]:
    """Return lines about senders, and what needs a person's attention, by the latest week that is over."""
    rows = fetch_rows(connection, LATEST, {"now": clock.now()})
    wanted = [_describe_lacking(row) for state in (MISSING, PARTIAL) for row in rows if row["state"] == state]
    lines = []
    joined = [row["source"] for row in rows if row["joined"] and row["state"] not in (MISSING, SILENT)]
    if joined and len(joined) < len(rows):  # in a home of the first weeks all of them would be
        lines.append(f"joined        {', '.join(joined)}: in the first eight weeks")
    if silent := [row["source"] for row in rows if row["state"] == SILENT]:
        lines.append(f"silent        {', '.join(silent)}: nothing for more than eight weeks; set `until` if it stopped")
    return lines, wanted


def _describe_lacking(row: Row) -> str:
    sent = None if row["state"] == MISSING else row["reports"]
    return describe_sender(row["source"], row["week"], sent, row["usual"])
