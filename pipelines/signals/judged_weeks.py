"""Weeks judged anew from the first one on of which anything changed; those before it stay as they are.

    counts and states of senders -> a digest of each week and all before it -> the first that is not the stored one
      -> weekly_signals, weekly_indicators and fits from there on

What is found of a week depends on no later one. A correction of an old week judges all weeks after it again.
"""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from importlib.metadata import version

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.settings import Settings
from pipelines.signals import inputs
from pipelines.signals.comparable import History
from pipelines.signals.indicators import judge_indicators
from pipelines.signals.inputs import Span
from pipelines.signals.judging import Fits, SeriesWeeks, judge_weeks
from pipelines.signals.rows import replace_rows
from pipelines.signals.senders import COVERING, NOT_EXPECTED, SILENT, Sender, SenderWeek

JUDGED_TABLES = ("weekly_signals", "weekly_indicators", "signal_fits", "signal_inputs")


def remove_judged_weeks(connection: duckdb.DuckDBPyConnection) -> None:
    """Leave no judged week: no delivery is about any."""
    for table in JUDGED_TABLES:
        replace_rows(connection, table, pd.DataFrame())


def update_judged_weeks(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    span: Span,
    known: tuple[list[Sender], list[list[SenderWeek]], NDArray[np.bool_]],
) -> None:
    """Judge the weeks from the first one on that changed; `known`: the senders, their weeks, and which are whole."""
    weeks = _read_weeks(connection, span, known)
    beside = inputs.read_weekly_counts(connection, weeks.starts, weeks.senders, ("all", *inputs.INDICATORS))
    digests = _compute_digests(weeks, beside, settings.min_alarm_count)
    first = _count_unchanged(connection, digests)
    since = weeks.starts[first] if first < len(weeks.starts) else weeks.starts[-1] + timedelta(days=7)
    stored = _read_fits(connection)
    signals, fits = judge_weeks(weeks, stored, settings.min_alarm_count, first)
    indicators, more = judge_indicators(weeks, beside, stored, first)
    rows = [(*key, *fit) for key, fit in (fits | more).items()]
    fitted = pd.DataFrame(rows, columns=["week_start", "fit_key", "expected", "phi"]).astype({"fit_key": "uint64"})
    judged_from = pd.DataFrame(list(digests.items())[first:], columns=["week_start", "digest"])
    for table, frame in zip(
        JUDGED_TABLES, (signals, indicators, fitted, judged_from.astype({"digest": "uint64"})), strict=True
    ):
        replace_rows(connection, table, frame, since if first else None)


def _read_weeks(
    connection: duckdb.DuckDBPyConnection,
    span: Span,
    known: tuple[list[Sender], list[list[SenderWeek]], NDArray[np.bool_]],
) -> SeriesWeeks:
    senders, grid, whole = known
    series, names = inputs.read_series(connection), [sender.name for sender in senders]
    running = frozenset(place for place, start in enumerate(span.starts) if span.is_running(start))
    whole[sorted(running)] = False
    counts = inputs.read_weekly_counts(connection, span.starts, names, series)
    history = History(counts, whole, series.index("all"))
    covered = [place for place, week in enumerate(grid) if any(row.state in COVERING for row in week)]
    due = [[row.source for row in week if row.state not in (NOT_EXPECTED, SILENT)] for week in grid]
    return SeriesWeeks(span.starts, span.names(), series, history, covered, running, due, names)


def _compute_digests(weeks: SeriesWeeks, beside: NDArray[np.float64], least: int) -> dict[date, int]:
    """Return by week a digest of all that it and the weeks before it are judged from."""
    covered = frozenset(weeks.covered)
    all_of_it = hashlib.sha256(repr((version("calfwatch"), least, weeks.series, weeks.senders)).encode())
    found = {}
    for place, start in enumerate(weeks.starts):
        states = (start, weeks.names[place], place in covered, place in weeks.running, weeks.expected[place])
        all_of_it.update(repr(states).encode())
        for numbers in (weeks.history.counts, weeks.history.whole, beside):
            all_of_it.update(np.ascontiguousarray(numbers[place]).tobytes())
        found[start] = int.from_bytes(all_of_it.digest()[:8], "little")
    return found


def _count_unchanged(connection: duckdb.DuckDBPyConnection, digests: dict[date, int]) -> int:
    """Return how many weeks, from the first one on, are judged from what they were judged from before."""
    stored = dict(connection.execute("SELECT week_start, digest FROM signal_inputs").fetchall())
    same = [stored.get(start) == digest for start, digest in digests.items()]
    return [*same, False].index(False)


def _read_fits(connection: duckdb.DuckDBPyConnection) -> Fits:
    rows = connection.execute("SELECT fit_key, expected, phi FROM signal_fits").fetchall()
    return {key: (expected, phi) for key, expected, phi in rows}
