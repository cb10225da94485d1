"""The numbers at the top of the page, each with its trend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.pages.document import Chart, Layout, Note, Row, Section, Table
from pipelines.pages.labels import LEVEL_MEANINGS, LEVELS
from pipelines.pages.plots import Sparkline
from pipelines.pages.values import Change, Column, Kind, Share, Text
from pipelines.report.alarms import RAISED, describe_verdict
from pipelines.report.curves import count_series
from pipelines.report.week import WEEKS_SHOWN, WeekTables
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
        """This week's count."""
        return self.counts[-1] or 0

    @property
    def before(self) -> int | None:
        """The week before; None where it is not covered."""
        return self.counts[-2]


def find_key_numbers(tables: WeekTables) -> list[KeyNumber]:
    """Return the key numbers in reading order, the number of reports first."""
    reports = count_series(tables, "all")
    open_ended = tables.count_by_week(
        (row.week_start, row.could_be_emergency) for row in tables.levels if row.triage_level != "emergency"
    )
    severe = tables.count_by_week((row.week_start, row.severe_pain) for row in tables.regions)
    total = reports[-1] or 0
    still = "a lower level now; open answers could raise it"
    return [
        KeyNumber("reports", "Reports", "accepted records", "plain", 0, reports, describe_verdict(tables, "all")),
        _level(tables, "emergency", "Emergencies", total),
        KeyNumber("could_be_emergency", "Could be emergencies", still, "emergency", total, open_ended),
        _level(tables, "contact_doctor", LEVELS["contact_doctor"], total),
        _level(tables, "unresolved", LEVELS["unresolved"], total),
        KeyNumber("severe_pain", "Severe pain", f"pain {SEVERE_PAIN} to 10 of 10", "plain", total, severe),
    ]


def _level(tables: WeekTables, name: str, label: str, total: int) -> KeyNumber:
    series = f"triage_level={name}"
    counts, verdict = count_series(tables, series), describe_verdict(tables, series)
    return KeyNumber(name, label, LEVEL_MEANINGS[name], name, total, counts, verdict)


def key_number_section(numbers: Sequence[KeyNumber]) -> Section:
    """State the key numbers: cards on the page, a table elsewhere."""
    has_previous = numbers[0].before is not None
    if has_previous:
        return Section("numbers", "Key numbers, against the week before", [_table(numbers)])
    return Section("numbers", "Key numbers", [_table(numbers), Note("No comparison: the week before has no data.")])


def _table(numbers: Sequence[KeyNumber]) -> Table:
    columns = (
        Column("", name="name"),
        Column("Key number", name="label"),
        Column("This week", Kind.COUNT, "reports"),
        Column("Share", Kind.SHARE),
        Column("Change", Kind.CHANGE, "previous_week"),
        Column("Against its own history", name="expectation"),
    )
    return Table(
        "key_numbers",
        columns,
        [_row(number) for number in numbers],
        layout=Layout.CARDS,
        charts=[_trend(number) for number in numbers],
        charts_note=f"Small columns: the last {WEEKS_SHOWN} weeks, each on its own scale.",
        exported=True,
    )


def _row(number: KeyNumber) -> Row:
    cells = (
        number.name,
        Text(number.label, number.meaning),
        number.now,
        Share(number.now, number.base),
        Change(number.now, number.before),
        Text(number.verdict, strong=number.verdict == RAISED),
    )
    return Row(cells, key=number.name)


def _trend(number: KeyNumber) -> Chart:
    title = f"{number.label}: the last {WEEKS_SHOWN} weeks"
    return Chart(f"trend-{number.name}", title, Sparkline(number.paint, number.counts))
