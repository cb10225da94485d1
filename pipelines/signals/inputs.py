"""The stored counts as arrays: senders' days, counts by week, sender and series, and arrivals by the sender's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import duckdb

from pipelines.settings import RHYTHMS, Settings
from pipelines.signals.senders import Sender
from pipelines.statements import fetch_rows, read_statement
from pipelines.store.clocks import parse_period
from pipelines.store.daily_counts import make_week_placeholders

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

INDICATORS = ("could_be_emergency", "serious_signs", "severe_pain")  # as sql/signals/indicator_counts.sql names them
NO_RHYTHM = RHYTHMS[-1]  # of a sender that the settings do not name: nothing is expected of it


@dataclass(frozen=True)
class Span:
    """Unbroken weeks that the home's deliveries are about, and how they are named."""

    starts: list[date]
    mark: str
    today: date

    def names(self) -> list[str]:
        """Return the weeks as 2026-W47; the middle day decides the year, for ISO and MMWR alike."""
        return [name_week(start, self.mark) for start in self.starts]

    def is_running(self, start: date) -> bool:
        return start + timedelta(days=7) > self.today


def name_week(start: date, mark: str) -> str:
    """Return the name of the week that begins on `start`; `mark` is W (ISO) or MW (MMWR)."""
    middle = start + timedelta(days=3)
    return f"{middle.year}-{mark}{(middle.timetuple().tm_yday - 1) // 7 + 1:02}"


def find_week_start(day: date, settings: Settings) -> date:
    """Return the first day of the week that a day is in."""
    into = day.weekday() if settings.week_system == "iso" else (day.weekday() + 1) % 7
    return day - timedelta(days=into)


def read_senders(connection: duckdb.DuckDBPyConnection, settings: Settings, today: date) -> tuple[Span, list[Sender]]:
    """Return the weeks and what is known of every sender over them; no weeks if no delivery is about any day."""
    sql = read_statement("signals", "source_days", plausible_days=read_statement("store", "plausible_days"))
    days = connection.execute(sql).fetchall()
    deliveries = fetch_rows(connection, read_statement("signals", "deliveries"))
    mark = make_week_placeholders(settings)["mark"]
    said = _find_empty_days(deliveries)
    known = [day for _, day, _ in days] + [day for empty in said.values() for day in empty]
    if not known:
        return Span([], mark, today), []
    first, last = find_week_start(min(known), settings), find_week_start(max(*known, today), settings)
    starts = [first + timedelta(weeks=week) for week in range((last - first).days // 7 + 1)]
    return Span(starts, mark, today), _make_senders(settings, starts, days, deliveries)


def _find_empty_days(deliveries: list[dict[str, Any]]) -> dict[str, set[date]]:
    """Return by sender the days that files without a data row are about."""
    found: dict[str, set[date]] = {}
    for row in deliveries:
        if row["period"] and not row["has_rows"]:
            first, last = parse_period(row["period"])
            days = {first + timedelta(days=day) for day in range((last - first).days + 1)}
            found.setdefault(row["source"], set()).update(days)
    return found


def _make_senders(
    settings: Settings, starts: list[date], days: list[tuple[str, date, int]], deliveries: list[dict[str, Any]]
) -> list[Sender]:
    import numpy as np

    said, clocks = _find_empty_days(deliveries), {row["source"]: row["clock"] for row in deliveries if row["clock"]}
    counts = {name: np.zeros((len(starts), 7), dtype=np.int64) for name in {row["source"] for row in deliveries}}
    for source, day, reports in days:
        place = (day - starts[0]).days
        counts.setdefault(source, np.zeros((len(starts), 7), dtype=np.int64))[place // 7, place % 7] = reports
    named = {source.name: source for source in settings.sources}
    return [
        Sender(
            name,
            named[name].rhythm if name in named else NO_RHYTHM,
            counts[name],
            clocks.get(name),
            frozenset(said.get(name, ())),
            date.fromisoformat(named[name].until) if name in named and named[name].until else None,
        )
        for name in sorted(counts)
    ]


def read_series(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the names of all series that are counted here."""
    return [name for (name,) in connection.execute(read_statement("signals", "series_of_home")).fetchall()]


def named_counts_sql(step: str, of_days: str) -> str:
    """Return the SELECT that counts by a step of days, sender and series from the daily summary."""
    names = read_statement("signals", "series_names")
    return read_statement("signals", "named_counts", series_names=names, step=step, of_days=of_days)


def read_weekly_counts(
    connection: duckdb.DuckDBPyConnection, starts: list[date], senders: list[str], series: Sequence[str]
) -> NDArray[np.float64]:
    """Return the stored counts of unbroken weeks, weeks x senders x series."""
    stored = "SELECT week_start AS start, source, series, reports FROM signal_counts"
    return _place_counts(connection, stored, (starts[0], len(starts), 7), (senders, series))


def read_daily_counts(
    connection: duckdb.DuckDBPyConnection, first: date, days: int, senders: list[str], series: Sequence[str]
) -> NDArray[np.float64]:
    """Return the counts of so many days from `first` on, days x senders x series."""
    of_days = "report_date BETWEEN $first::DATE AND $last::DATE"
    counted = named_counts_sql(step="report_date", of_days=of_days)
    return _place_counts(connection, counted, (first, days, 1), (senders, series))


def _place_counts(
    connection: duckdb.DuckDBPyConnection,
    counts: str,
    steps: tuple[date, int, int],
    names: tuple[list[str], Sequence[str]],
) -> NDArray[np.float64]:
    """Return counts, steps x senders x series; `steps`: the first one, how many there are, and days in each."""
    import numpy as np

    (first, many, days), (senders, series) = steps, names
    values = {"first": first, "last": first + timedelta(days=days * many - 1), "days": days}
    sql = read_statement("signals", "placed_counts", counts=counts)
    found = connection.execute(sql, values | {"series": list(series), "sources": senders}).fetchnumpy()
    placed = np.zeros((many, len(senders), len(series)))
    placed[found["place"], found["source_place"], found["series_place"]] = found["reports"]
    return placed


def read_arrivals(connection: duckdb.DuckDBPyConnection, settings: Settings, first: date) -> list[dict[str, Any]]:
    """Return when reports of the weeks from `first` on first came, by source, level and clock."""
    return fetch_rows(
        connection, read_statement("signals", "arrivals", **make_week_placeholders(settings)), {"first": first}
    )


def read_clocks(connection: duckdb.DuckDBPyConnection) -> dict[str, list[date]]:
    """Return by sender the clock after each of its deliveries."""
    found: dict[str, list[date]] = {}
    for row in fetch_rows(connection, read_statement("signals", "deliveries")):
        if row["clock"]:
            found.setdefault(row["source"], []).append(row["clock"])
    return found
