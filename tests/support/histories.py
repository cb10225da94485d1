"""Histories of senders put straight into the stored tables, so that signals can be tested without reading a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
Kind = tuple[str, str, str]  # of a delivery: its source, the region and the level of its reports


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
        return self._deliver_all([counts], (source, region, level), period)

    def add(self, number: int, source: str, day: date, reports: int, region: str, level: str) -> None:
        """Count more reports of a delivery."""
        self._count([(number, day, reports)], (source, region, level))

    def weekly(self, source: str, counts: Mapping[int, int], region: str = "north", level: str = "unresolved") -> None:
        """Store a delivery a week, of a report count by weeks back; the reports are spread over Monday to Sunday."""
        deliveries = []
        for back in sorted(counts, reverse=True):
            days = {monday(back) + timedelta(days=day): (counts[back] + 6 - day) // 7 for day in range(7)}
            deliveries.append({day: reports for day, reports in days.items() if reports})
        self._deliver_all(deliveries, (source, region, level))

    def _deliver_all(self, deliveries: Sequence[Mapping[date, int]], kind: Kind, period: str | None = None) -> int:
        """Store deliveries of one kind, a few statements for all of them; return the number of the last."""
        (last,) = self.connection.execute("SELECT coalesce(max(delivery_no), 0) FROM files").fetchall()[0]
        numbered = list(enumerate(deliveries, int(last) + 1))
        self.connection.execute(
            """INSERT INTO files (delivery_no, file_id, source, status, rows_read, period, ingested_at)
               SELECT number, 'f' || number, $source, 'accepted', rows_read, $period, now()
               FROM (SELECT unnest($numbers) AS number, unnest($sizes) AS rows_read)""",
            {
                "source": kind[0],
                "period": period,
                "numbers": [number for number, _ in numbered],
                "sizes": [sum(counts.values()) for _, counts in numbered],
            },
        )
        self._count([(number, *counted) for number, counts in numbered for counted in counts.items()], kind)
        return numbered[-1][0]

    def _count(self, rows: Sequence[tuple[int, date, int]], kind: Kind) -> None:
        if not rows:
            return
        numbers, days, reports = map(list, zip(*rows, strict=True))
        given = "(SELECT unnest($numbers) AS number, unnest($days) AS day, unnest($reports) AS reports)"
        values = {"numbers": numbers, "days": days, "reports": reports}
        source, region, level = kind
        self.connection.execute(f"INSERT INTO delivery_days SELECT number, day, reports FROM {given}", values)
        self.connection.execute("INSERT INTO touched_days SELECT unnest($days)", {"days": days})
        self.connection.execute(
            f"INSERT INTO daily_arrivals SELECT day, $source, $level, number, reports FROM {given}",
            values | {"source": source, "level": level},
        )
        self.connection.execute(
            f"""INSERT INTO daily_summary SELECT day, $source, $region, '18-29', 'female', $level, $level,
                  'undetermined', 'undetermined', reports, 0, 0, 0 FROM {given}""",
            values | {"source": source, "region": region, "level": level},
        )

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
