"""What the last complete week says, read from the snapshot: the first screen of its report in numbers, for `status`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb

from pipelines.statements import fetch_rows, read_statement
from pipelines.text import pluralise

SERIES_NAMED = 3


def read_week_facts(published: duckdb.DuckDBPyConnection) -> dict[str, Any] | None:
    """Return the counts, the alarms and the nowcast of the last complete week; None if there is no such week."""
    rows = fetch_rows(published, read_statement("monitoring", "latest_week"))
    return dict(rows[0]) if rows else None


def describe_week(facts: Mapping[str, Any] | None) -> list[str]:
    """Return the lines of `status` about the week."""
    if not facts:
        return []
    emergencies = pluralise(facts["emergencies"], "emergency", "emergencies")
    told = f"{facts['week']}: {emergencies} of {pluralise(facts['reports'], 'report')}{_describe_still_to_come(facts)}"
    alarms = [
        _name_series(facts[name], words) for name, words in (("new", "new"), ("going_on", "going on")) if facts[name]
    ]
    nothing = "none" if facts["judged"] else "cannot be judged yet"
    lines = [f"week          {told}", f"alarms        {facts['week']}: {'; '.join(alarms) or nothing}"]
    return lines + (
        [f"alarms        before this week is over: {_name_series(facts['early'], 'new')}"] if facts["early"] else []
    )


def _describe_still_to_come(facts: Mapping[str, Any]) -> str:
    if facts["expected_final"] is None:
        return ""
    within = "" if facts["lower"] is None else f" ({facts['lower']:,.0f} to {facts['upper']:,.0f})"
    without = f"without {facts['left_out']} " if facts["left_out"] else ""
    return f"; {without}about {facts['expected_final']:,.0f} reports in the end{within}"


def _name_series(series: list[str], words: str) -> str:
    more = f" and {len(series) - SERIES_NAMED} more" if len(series) > SERIES_NAMED else ""
    return f"{len(series)} {words}: {', '.join(series[:SERIES_NAMED])}{more}"
