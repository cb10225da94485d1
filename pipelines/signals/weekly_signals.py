"""All tables of signals, worked out once a run from the stored counts, inside the caller's transaction.

    files, daily counts (SQL) -> clocks -> senders' weeks, calendar -> weekly_signals, weekly_indicators,
    weekly_nowcast, daily_signals -> alarm_episodes

Each step is a pure function over arrays; here they are read, called in order, and written.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict
from datetime import date, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import duckdb

from pipelines.settings import Settings
from pipelines.signals import inputs
from pipelines.signals.inputs import Span
from pipelines.signals.rows import replace_rows
from pipelines.signals.senders import USABLE, Sender, SenderWeek, judge_sender_weeks
from pipelines.signals.weekly_counts import describe_counting, update_weekly_counts
from pipelines.statements import fetch_first_row
from pipelines.store import clocks, daily_counts
from pipelines.store.database import set_state

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EMERGENCY = "triage_level=emergency"
Grid = list[list[SenderWeek]]


def update_signals(connection: duckdb.DuckDBPyConnection, settings: Settings, today: date) -> None:
    """Bring every table of signals up to date, if anything that they depend on has changed.

    `today` is in the reporting time zone.
    """
    fingerprint = _compute_fingerprint(connection, settings, today)
    if fetch_first_row(connection, "SELECT value FROM state WHERE key = 'signals'") == (fingerprint,):
        return
    compute_signals(connection, settings, today)
    set_state(connection, "signal_counts", describe_counting(connection, settings))
    set_state(connection, "signals", fingerprint)


def compute_signals(connection: duckdb.DuckDBPyConnection, settings: Settings, today: date) -> None:
    """Fill every table of signals as of a day."""
    clocks.update_clocks(connection)
    span, senders = inputs.read_senders(connection, settings, today)
    grid = judge_sender_weeks(span.starts, senders, span.today)
    _write_sources(connection, span, grid)
    daily_counts.update_calendar(connection, settings)
    _judge(connection, settings, span, senders, grid)
    update_episodes(connection)


def find_day(connection: duckdb.DuckDBPyConnection, settings: Settings) -> date | None:
    """Return the day as of which the tables of signals were filled, or None if the next run fills them anew."""
    row = fetch_first_row(connection, "SELECT value FROM state WHERE key = 'signals'")
    found = re.match(r"\d{4}-\d{2}-\d{2}(?= )", row[0]) if row else None
    if found is None or row is None:
        return None
    day = date.fromisoformat(found[0])
    return day if row[0] == _compute_fingerprint(connection, settings, day) else None


def _compute_fingerprint(connection: duckdb.DuckDBPyConnection, settings: Settings, today: date) -> str:
    """Return the day, and a digest of what else the tables depend on: deliveries, audited deeds, settings, version."""
    facts = fetch_first_row(
        connection,
        """SELECT (SELECT [count(*), coalesce(max(delivery_no), 0), coalesce(bit_xor(hash(delivery_no, status)), 0)]
             FROM files), (SELECT count(*) FROM audit), (SELECT value FROM state WHERE key = 'rule_pack')""",
    )
    chosen = [settings.time_zone, settings.week_system, settings.min_alarm_count, *map(asdict, settings.sources)]
    parts = (facts, chosen, version("calfwatch"))
    return f"{today} {hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}"


def _write_sources(connection: duckdb.DuckDBPyConnection, span: Span, grid: Grid) -> None:
    import pandas as pd

    rows = [
        (name, start, row.source, row.state, row.reports, row.usual, row.joined, row.rhythm)
        for name, start, week in zip(span.names(), span.starts, grid, strict=True)
        for row in week
    ]
    columns = ["week", "week_start", "source", "state", "reports", "usual", "joined", "rhythm"]
    frame = pd.DataFrame(rows, columns=columns).astype({"usual": "float64"})
    replace_rows(connection, "weekly_sources", frame)


def _judge(
    connection: duckdb.DuckDBPyConnection, settings: Settings, span: Span, senders: list[Sender], grid: Grid
) -> None:
    """Fill the three tables of signals, in the order of their first weeks."""
    import pandas as pd

    from pipelines.signals.judged_weeks import remove_judged_weeks, update_judged_weeks

    for table in ("weekly_nowcast", "daily_signals"):
        replace_rows(connection, table, pd.DataFrame())
    update_weekly_counts(connection, settings)
    if not span.starts:
        remove_judged_weeks(connection)
        return
    whole = _find_whole(grid, senders)
    update_judged_weeks(connection, settings, span, (senders, grid, whole))
    _judge_days(connection, settings, span, (senders, grid))
    _write_nowcast(connection, settings, span, (senders, whole))


def _find_whole(grid: Grid, senders: list[Sender]) -> NDArray[np.bool_]:
    """Return weeks x senders: where the sender's week can be compared."""
    import numpy as np

    states = [{row.source: row.state for row in week} for week in grid]
    return np.array([[week.get(sender.name) in USABLE for sender in senders] for week in states], dtype=bool)


def _judge_days(
    connection: duckdb.DuckDBPyConnection, settings: Settings, span: Span, known: tuple[list[Sender], Grid]
) -> None:
    from pipelines.signals import daily

    senders, grid = known
    often = [sender for sender in senders if sender.rhythm in daily.RHYTHMS and sender.clock is not None]
    if not often:
        return
    last = min(max(sender.clock for sender in often if sender.clock), span.today)
    ended = min((last - span.starts[0]).days + 1, daily.WEEKS_BACK * 7)
    series = [name for name in inputs.read_series(connection) if name == EMERGENCY or name.endswith("," + EMERGENCY)]
    names = ([sender.name for sender in often], sorted(series, key=lambda name: name != EMERGENCY))
    first = last - timedelta(days=ended - 1)
    counts = inputs.read_daily_counts(connection, first, ended, *names)
    whole = daily.find_whole_days(span.starts, often, grid, span.today)
    place = (first - span.starts[0]).days
    rows = daily.judge_days(counts, whole[place : place + ended], last, names[1], settings.min_alarm_count)
    _write_days(connection, settings, span, rows)


def _write_days(connection: duckdb.DuckDBPyConnection, settings: Settings, span: Span, rows: list[Any]) -> None:
    import pandas as pd

    from pipelines.signals.daily import find_first_alarms
    from pipelines.signals.judging import SHORT_HISTORY

    told = find_first_alarms(rows)
    written = []
    for row in rows:
        start = inputs.find_week_start(row.day, settings)
        status = {None: "not_evaluable", True: "alarm", False: "none"}[row.alarm]
        reason = SHORT_HISTORY if row.alarm is None else None
        law = dict(zip(("expected", "lower", "upper", "p_value"), row.law, strict=True))
        written.append(
            {
                "report_date": row.day,
                "week": inputs.name_week(start, span.mark),
                "week_start": start,
                "series": row.series,
                "observed": int(row.observed),
                "status": status,
                "reason": reason,
                "is_first": (row.day, row.series) in told,
                "sources": row.sources,
                **law,
            }
        )
    replace_rows(connection, "daily_signals", pd.DataFrame(written))


def _write_nowcast(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    span: Span,
    known: tuple[list[Sender], NDArray[np.bool_]],
) -> None:
    import numpy as np

    from pipelines.signals import nowcast, nowcast_rows

    senders, whole = known
    heard = [sender for sender in senders if sender.clock is not None]
    if not heard:
        return
    rows = inputs.read_arrivals(connection, settings, span.starts[0])
    delivered = inputs.read_clocks(connection)
    columns = [senders.index(sender) for sender in heard]
    arrivals = nowcast_rows.find_sender_arrivals(span.starts, heard, whole[:, columns], rows, delivered)
    found = nowcast.nowcast(arrivals)
    sent = whole[:, columns] | np.stack([sender.counts > 0 for sender in heard], axis=1)
    frame = nowcast_rows.make_rows(found, span.starts, span.names(), [sender.name for sender in heard], sent)
    replace_rows(connection, "weekly_nowcast", frame)


def update_episodes(connection: duckdb.DuckDBPyConnection) -> None:
    """Work the episodes out of `weekly_signals` and the notes on them, inside the caller's transaction."""
    import pandas as pd

    from pipelines.signals.episodes import add_notes, find_episodes

    weeks, names = read_judged_weeks(connection)
    notes = read_notes(connection)
    rows = []
    for series, judged in weeks.items():
        for episode in add_notes(find_episodes(series, judged), notes):
            note = episode.note
            rows.append(
                {
                    "series": series,
                    "first_week": names[episode.first_start],
                    "first_start": episode.first_start,
                    "last_week": names[episode.last_start],
                    "last_start": episode.last_start,
                    "weeks": episode.weeks,
                    "peak": episode.peak,
                    "latest": episode.latest,
                    "state": episode.state,
                    "note": note and note.text,
                    "noted_at": note and note.noted_at,
                    "noted_by": note and note.noted_by,
                }
            )
    replace_rows(connection, "alarm_episodes", pd.DataFrame(rows))


def read_judged_weeks(connection: duckdb.DuckDBPyConnection) -> tuple[dict[str, list[Any]], dict[date, str]]:
    """Return by series, for those that ever alarmed, what was found of each covered week; and the weeks' names."""
    from pipelines.signals.episodes import JudgedWeek

    found: dict[str, list[Any]] = {}
    names: dict[date, str] = {}
    rows = connection.execute("""
        SELECT series, week_start, any_value(week), bool_or(status = 'alarm'), bool_or(status <> 'not_evaluable'),
          max(observed)
        FROM weekly_signals
        WHERE series IN (SELECT series FROM weekly_signals WHERE status = 'alarm')
        GROUP BY series, week_start ORDER BY series, week_start""").fetchall()
    for series, start, week, alarm, judged, observed in rows:
        names[start] = week
        found.setdefault(series, []).append(JudgedWeek(start, alarm if judged else None, observed))
    return found, names


def read_notes(connection: duckdb.DuckDBPyConnection) -> list[Any]:
    """Return everything that was noted on alarms, oldest first."""
    from pipelines.signals.episodes import Note

    rows = connection.execute(
        """SELECT noted_at, noted_by, action, series, first_start, last_start, reports, text
           FROM alarm_notes ORDER BY noted_at"""
    ).fetchall()
    return [Note(*row) for row in rows]
