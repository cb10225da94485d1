"""Histories of senders put straight into the stored tables, so that signals can be tested without reading a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb

from pipelines.settings import Settings
from pipelines.signals.weekly_signals import update_signals
from pipelines.statements import create_sql
from pipelines.store import clocks
from schemas.pack_file import load_pack
from schemas.tables import list_stored_tables

PACK = load_pack()
TODAY = date(2026, 11, 25)  # a Wednesday; `update_signals` is told it
MONDAY = TODAY - timedelta(days=TODAY.weekday())  # of the running week

Rows = list[tuple[Any, ...]]


def monday(back: int) -> date:
    """Return the Monday of a week, counted back from the last one that is over, 0."""
    return MONDAY - timedelta(weeks=back + 1)


@dataclass
class Store:
    """The stored tables in memory, filled by deliveries."""

    connection: duckdb.DuckDBPyConnection

    def deliver(
        self,
        source: str,
        counts: Mapping[date, int],
        region: str = "north",
        level: str = "unresolved",
        period: str | None = None,
    ) -> int:
        """Store a delivery of reports, so many a day; the clock is found as for a file. Return its number."""
        (number,) = self.connection.execute("SELECT coalesce(max(delivery_no), 0) + 1 FROM files").fetchall()[0]
        self.connection.execute(
            """INSERT INTO files (delivery_no, file_id, source, status, rows_read, period, ingested_at)
               VALUES (?, ?, ?, 'accepted', ?, ?, now())""",
            [number, f"f{number}", source, sum(counts.values()), period],
        )
        for day, reports in counts.items():
            self.add(number, source, day, reports, region, level)
        return int(number)

    def add(self, number: int, source: str, day: date, reports: int, region: str, level: str) -> None:
        """Count more reports of a delivery."""
        self.connection.execute("INSERT INTO delivery_days VALUES (?, ?, ?)", [number, day, reports])
        self.connection.execute(
            "INSERT INTO daily_arrivals VALUES (?, ?, ?, ?, ?)", [day, source, level, number, reports]
        )
        row = [day, source, region, "18-29", "female", level, level, "undetermined", "undetermined", reports, 0, 0, 0]
        self.connection.execute(f"INSERT INTO daily_summary VALUES ({', '.join('?' * len(row))})", row)

    def weekly(self, source: str, counts: Mapping[int, int], **kwargs: str) -> None:
        """Store a delivery a week, of a report count by weeks back; the reports are spread over Monday to Sunday."""
        for back in sorted(counts, reverse=True):
            days = {monday(back) + timedelta(days=day): (counts[back] + 6 - day) // 7 for day in range(7)}
            self.deliver(source, {day: reports for day, reports in days.items() if reports}, **kwargs)

    def judge(self, settings: Settings | None = None) -> None:
        self.connection.execute("BEGIN")
        update_signals(self.connection, settings or Settings(), TODAY)
        self.connection.execute("COMMIT")

    def clocks(self) -> list[date | None]:
        clocks.update_clocks(self.connection)
        return [row[0] for row in self.connection.execute("SELECT clock FROM files ORDER BY delivery_no").fetchall()]

    def ask(self, sql: str, *values: object) -> Rows:
        return self.connection.execute(sql, list(values) or None).fetchall()

    def states(self, source: str) -> list[str]:
        """Return the states of a sender's weeks that are over, oldest first."""
        rows = self.ask("SELECT state FROM weekly_sources WHERE source = ? ORDER BY week_start", source)
        return [state for (state,) in rows]


def empty_store() -> Store:
    """Return the tables of a new home, in memory."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET threads = 1")
    for table in list_stored_tables(PACK):
        connection.execute(create_sql(table))
    causes = [(cause.category, cause.name, cause.label) for cause in PACK.causes]
    connection.executemany("INSERT INTO causes VALUES (?, ?, ?)", [*causes, ("undetermined",) * 3])
    return Store(connection)
