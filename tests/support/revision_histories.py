"""Histories of deliveries, frozen weeks, withdrawals and another pack, put straight into tables; and the plain account.

A record is one sender's report id; its versions are what deliveries said of it. The account goes record by record: what
it was when the week was frozen, what it is now, and what of that a delivery since then explains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import duckdb

from pipelines.settings import Settings
from pipelines.store.revisions import update_revisions
from tests.support.histories import empty_store

FIRST_WEEK = date(2026, 11, 2)
BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
Record = tuple[str, str]  # sender, report id
Reasons = dict[tuple[str, str], tuple[int | None, int | None, str]]


@dataclass(frozen=True)
class Version:
    """What one delivery said of a report. `week` and `day` count from 0, `after` is the level by the later pack."""

    week: int
    day: int
    level: str
    region: str | None
    cause: str | None
    after: str

    def series(self, level: str) -> set[str]:
        """The names of the series that it counts in, if it has that level."""
        region, cause = self.region or "unknown", self.cause or "undetermined"
        names = {"all", f"triage_level={level}", f"cause_category={cause}", f"likely_cause={cause}", f"region={region}"}
        return names | ({f"region={region},triage_level=emergency"} if level == "emergency" else set())


@dataclass
class History:
    """What happened, in order; a moment is the place in that order."""

    deliveries: dict[int, tuple[str, str, Mapping[str, Version]]] = field(default_factory=dict)
    came: dict[int, int] = field(default_factory=dict)  # delivery -> moment
    withdrawn: dict[int, int] = field(default_factory=dict)  # delivery -> moment
    frozen: dict[int, tuple[int, int, bool]] = field(default_factory=dict)  # week -> moment, last delivery, old pack?
    counted: dict[int, Counter[str]] = field(default_factory=dict)  # week -> what its report said
    retagged: int | None = None
    moment: int = 0

    def deliver(self, source: str, said: Mapping[str, Version], file_id: str | None = None) -> int:
        """A delivery; the same content from two senders has one file id."""
        self.moment += 1
        number = max(self.deliveries, default=0) + 1
        self.deliveries[number] = (source, file_id or f"file{number}", said)
        self.came[number] = self.moment
        return number

    def freeze(self, week: int) -> None:
        """Publish a week as it is known now."""
        self.moment += 1
        if week not in self.frozen:
            self.frozen[week] = (self.moment, max(self.deliveries, default=0), self.retagged is not None)
            self.counted[week] = self.counts(week)

    def withdraw(self, number: int) -> None:
        """Take a delivery out, as if it had never come."""
        self.moment += 1
        if number in self.deliveries:
            self.withdrawn.setdefault(number, self.moment)

    def retag(self) -> None:
        """Tag what is stored by another pack; what was superseded keeps its tags."""
        self.moment += 1
        self.retagged = self.retagged or self.moment

    def versions(self) -> dict[Record, list[tuple[int, Version]]]:
        """What is known of each record, oldest first, without what was withdrawn."""
        found: dict[Record, list[tuple[int, Version]]] = {}
        for number, (source, _, said) in sorted(self.deliveries.items()):
            if number not in self.withdrawn:
                for report, version in said.items():
                    found.setdefault((source, report), []).append((number, version))
        return found

    def level(self, version: Version) -> str:
        """The level of a version that stands now."""
        return version.after if self.retagged is not None else version.level

    def level_when_replaced(self, version: Version, by: int) -> str:
        """The level of a version when a delivery replaced it, which it keeps."""
        return version.after if self.retagged is not None and self.retagged < self.came[by] else version.level

    def counts(self, week: int) -> Counter[str]:
        """The counts of a week by now."""
        last = (versions[-1][1] for versions in self.versions().values())
        return Counter(name for version in last if version.week == week for name in version.series(self.level(version)))

    def is_covered(self, week: int) -> bool:
        return any(version.week == week for versions in self.versions().values() for _, version in versions[-1:])

    # ------------------------------------------------------------------------------------------- the plain account

    def account(self) -> Reasons:
        """What changed of every frozen week, and why, record by record."""
        return dict(self._changes())

    def _changes(self) -> Iterator[tuple[tuple[str, str], tuple[int, int | None, str]]]:
        for week, (moment, last, by_new_pack) in self.frozen.items():
            was, now = self.counted[week], self.counts(week)
            withdrawn = any(later > moment for later in self.withdrawn.values())
            for name in {*was, *now}:
                count = now[name] if self.is_covered(week) else None
                if count == was[name]:
                    continue
                told, net = self._deliveries_since(week, last, name)
                is_unexplained = count is None or count - was[name] != net
                by_pack = self.retagged is not None and not by_new_pack and any(word in name for word in LEVEL_OR_CAUSE)
                told += ["withdrawn file"] if is_unexplained and withdrawn else []
                told += ["another rule pack"] if is_unexplained and by_pack else []
                yield (f"week {week}", name), (was[name], count, ", ".join(told) or "not known")

    def _deliveries_since(self, week: int, last: int, name: str) -> tuple[list[str], int]:
        """The reasons that deliveries since give for a series of a week, and by how much they moved it."""
        late = corrected = False
        net = 0
        for versions in self.versions().values():
            known = [version for number, version in versions if number <= last]
            newest, version = versions[-1]
            if newest <= last:
                continue  # no delivery since has said anything of it
            if version.week == week and name in version.series(self.level(version)):
                net += 1
                corrected, late = corrected or bool(known), late or not known
            by = next(number for number, _ in versions if number > last)
            if known and known[-1].week == week and name in known[-1].series(self.level_when_replaced(known[-1], by)):
                net -= 1
                corrected = True
        return ["late records"] * late + ["corrected records"] * corrected, net

    # ----------------------------------------------------------------------------------------------- the tables

    def revisions(self) -> Reasons:
        """What the product says of the same history."""
        store = empty_store()
        connection = store.connection
        connection.execute(
            "CREATE TABLE reports (source VARCHAR, report_id VARCHAR, file_id VARCHAR, report_date DATE, "
            "triage_level VARCHAR, cause_category VARCHAR, likely_cause VARCHAR, region VARCHAR)"
        )
        connection.execute("INSERT INTO state VALUES ('rule_pack', ?)", ["new" if self.retagged else "old"])
        self._write_deliveries(connection)
        self._write_records(connection)
        self._write_weeks(connection)
        update_revisions(connection, Settings())
        rows = connection.execute("SELECT week, series, as_reported, as_known_now, reason FROM weekly_revisions")
        found = {(week, name): (was, now, reason) for week, name, was, now, reason in rows.fetchall()}
        connection.close()
        return found

    def _write_deliveries(self, connection: duckdb.DuckDBPyConnection) -> None:
        for number, (source, file_id, _) in self.deliveries.items():
            status = "withdrawn" if number in self.withdrawn else "accepted"
            row = [number, f"{file_id}", source, status]
            connection.execute("INSERT INTO files (delivery_no, file_id, source, status) VALUES (?, ?, ?, ?)", row)
        for number, moment in self.withdrawn.items():
            row = [_at(moment), "withdraw", str(number)]
            connection.execute("INSERT INTO audit (happened_at, action, subject) VALUES (?, ?, ?)", row)
        connection.execute(  # another deed after every report, which explains nothing
            "INSERT INTO audit (happened_at, action, subject) VALUES (?, 'sign', 'x')", [_at(self.moment + 1)]
        )

    def _write_records(self, connection: duckdb.DuckDBPyConnection) -> None:
        for (source, report), versions in self.versions().items():
            for place, (number, version) in enumerate(versions):
                day = FIRST_WEEK + timedelta(weeks=version.week, days=version.day)
                row = [source, report, self.deliveries[number][1], day]
                tags = [version.cause or "undetermined", version.cause, version.region]
                names = "source, report_id, file_id, report_date, triage_level, cause_category, likely_cause, region"
                if place == len(versions) - 1:
                    values = [*row, self.level(version), *tags]
                    connection.execute(f"INSERT INTO reports ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
                else:
                    by = versions[place + 1][0]
                    values = [*row, self.level_when_replaced(version, by), *tags, self.deliveries[by][1]]
                    connection.execute(
                        f"INSERT INTO superseded ({names}, superseded_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values
                    )

    def _write_weeks(self, connection: duckdb.DuckDBPyConnection) -> None:
        for week in range(3):
            start = FIRST_WEEK + timedelta(weeks=week)
            if self.is_covered(week):
                connection.execute(
                    "INSERT INTO calendar (report_date, week, week_start) VALUES (?, ?, ?)",
                    [start, f"week {week}", start],
                )
            for name, reports in self.counts(week).items():
                row = [f"week {week}", start, name, reports]
                for method in ("C1", "C2"):  # one row a method, of one count
                    connection.execute(
                        "INSERT INTO weekly_signals (week, week_start, series, reports, method) VALUES (?, ?, ?, ?, ?)",
                        [*row, method],
                    )
        for week, (moment, last, by_new_pack) in self.frozen.items():
            start = FIRST_WEEK + timedelta(weeks=week)
            pack = "new" if by_new_pack else "old"
            row = [f"week {week}", start, _at(moment), pack, last, "UTC", "iso"]
            connection.execute(
                "INSERT INTO reported_weeks (week, week_start, reported_at, rule_pack, last_delivery, time_zone, "
                "week_system) VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            for name, reports in self.counted[week].items():
                connection.execute(
                    "INSERT INTO reported_counts (week, week_start, series, reports) VALUES (?, ?, ?, ?)",
                    [f"week {week}", start, name, reports],
                )


LEVEL_OR_CAUSE = ("triage_level", "cause_category", "likely_cause")


def _at(moment: int) -> datetime:
    return BEGIN + timedelta(minutes=moment)
