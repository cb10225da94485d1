"""Who did not report the latest week that is over, or only in part, and who joined: lines of `status`."""

from __future__ import annotations

import duckdb

from pipelines import clock
from pipelines.signals.senders import MISSING, PARTIAL, SILENT
from pipelines.statements import Row, fetch_rows, read_statement
from pipelines.text import describe_arrival, describe_sender


def read_sender_facts(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Return, by the latest week that is over, lines about senders, who needs a person's attention, and who arrived."""
    rows = fetch_rows(connection, read_statement("monitoring", "latest_senders"), {"now": clock.now()})
    lacking = [_describe_lacking(row) for state in (MISSING, PARTIAL) for row in rows if row["state"] == state]
    arrived = [
        describe_arrival(row["source"], row["week"], row["reports"], row["joined"])
        for row in rows
        if row["has_arrived"]
    ]
    return {
        "sender_lines": [f"arrived       {words}" for words in arrived] + _describe_others(rows),
        "senders_missing": lacking,
        "senders_arrived": arrived,
    }


def _describe_others(rows: list[Row]) -> list[str]:
    lines = []
    joined = [row["source"] for row in rows if row["joined"] and row["state"] not in (MISSING, SILENT)]
    if joined and len(joined) < len(rows):  # in a home of the first weeks all of them would be
        lines.append(f"joined        {', '.join(joined)}: in the first eight weeks")
    if silent := [row["source"] for row in rows if row["state"] == SILENT]:
        lines.append(f"silent        {', '.join(silent)}: nothing for more than eight weeks; set `until` if it stopped")
    return lines


def _describe_lacking(row: Row) -> str:
    sent = None if row["state"] == MISSING else row["reports"]
    return describe_sender(row["source"], row["week"], sent, row["usual"])
