"""The numbers at the top of the page, each with its trend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pipelines.report.alarms import verdict
from pipelines.report.labels import LEVEL_MEANINGS, LEVELS
from pipelines.report.week import Row, Table, WeekTables
from schemas.fields import SEVERE_PAIN


@dataclass(frozen=True)
class KeyNumber:
    """One of the numbers at the top: this week's count, out of `base`, and its trend (last one is now).

    verdict: whether it is more than expected, in words; empty where no series of weekly_signals counts it.
    """

    name: str
    label: str
    meaning: str
    paint: str
    base: int
    counts: Sequence[int | None]
    verdict: str = ""

    @property
    def now(self) -> int:
        return self.counts[-1] or 0

    @property
    def before(self) -> int | None:
        """The week before; None where it is not covered."""
        return self.counts[-2]


def key_numbers(tables: WeekTables) -> list[KeyNumber]:
    """The key numbers in reading order, the number of reports first."""
    reports = tables.trend("weekly_triage", lambda row: True)
    open_ended = tables.trend("weekly_triage", _is_below_emergency, "could_be_emergency")
    severe = tables.trend("weekly_regions", lambda row: True, "severe_pain")
    total = reports[-1] or 0

    def level(name: str, label: str) -> KeyNumber:
        counts = tables.trend("weekly_triage", is_level(name))
        judged = verdict(tables, f"triage_level={name}")
        return KeyNumber(name, label, LEVEL_MEANINGS[name], name, total, counts, judged)

    still = "a lower level now; open answers could raise it"
    return [
        KeyNumber("reports", "Reports", "accepted records", "plain", 0, reports, verdict(tables, "all")),
        level("emergency", "Emergencies"),
        KeyNumber("could_be_emergency", "Could be emergencies", still, "emergency", total, open_ended),
        level("contact_doctor", LEVELS["contact_doctor"]),
        level("unresolved", LEVELS["unresolved"]),
        KeyNumber("severe_pain", "Severe pain", f"pain {SEVERE_PAIN} to 10 of 10", "plain", total, severe),
    ]


def is_level(level: str) -> Callable[[Row], bool]:
    """A condition for `trend`."""
    return lambda row: row["triage_level"] == level


def _is_below_emergency(row: Row) -> bool:
    return bool(row["triage_level"] != "emergency")


def key_number_table(key_numbers: Iterable[KeyNumber]) -> Table:
    """The key numbers as a table: name, label, this week's count, the week before's."""
    columns = ("name", "label", "reports", "previous_week", "expectation")
    rows = ((k.name, k.label, k.now, k.before, k.verdict) for k in key_numbers)
    return Table(columns, [dict(zip(columns, row, strict=True)) for row in rows])
