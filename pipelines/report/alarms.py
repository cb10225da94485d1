"""Find which series had more reports than expected this week, and how far the week can be judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.report.rows import Episode, Signal
from pipelines.report.week import WeekTables

NO_REASON = "no reason given"
NEW, CLOSED, OVER = "new", "closed", "over"


@dataclass(frozen=True)
class Alarm:
    """A series that alarms this week: the row that shows it best, and its episode, if one is kept.

    `has_risen`: it was closed before, and has twice the count that it then had; that is new, too.
    """

    found: Signal
    episode: Episode | None
    is_new: bool
    has_risen: bool

    @property
    def series(self) -> str:
        """The series, as weekly_signals names it."""
        return self.found.series

    @property
    def is_closed(self) -> bool:
        """Whether somebody has looked into it, and it has not risen since."""
        return self.episode is not None and self.episode.state == CLOSED


@dataclass(frozen=True)
class Standing:
    """How many series were judged this week, which of them alarm, and why the others could not be judged.

    reasons: the most frequent first; quiet: alarms that go on, without one this week.
    """

    series: int
    judged: int
    alarms: Sequence[Alarm]
    reasons: Sequence[tuple[str, int]]
    quiet: Sequence[Episode]

    @property
    def new(self) -> list[Alarm]:
        """The alarms that begin this week, and that nobody has closed yet."""
        return [alarm for alarm in self.alarms if alarm.is_new and not alarm.is_closed]

    @property
    def going_on(self) -> list[Alarm]:
        """The alarms that began before, and are not closed."""
        return [alarm for alarm in self.alarms if not alarm.is_new and not alarm.is_closed]


def find_standing(tables: WeekTables) -> Standing:
    """Judge the week by its signals."""
    rows, alarms = tables.judged_now.values(), find_alarms(tables)
    silent = [row.reason or NO_REASON for row in rows if row.status == "not_evaluable"]
    raised = {alarm.series for alarm in alarms}
    go_on = [row for row in tables.episodes if row.state not in (CLOSED, OVER) and row.series not in raised]
    return Standing(
        series=len(rows),
        judged=len(rows) - len(silent),
        alarms=alarms,
        reasons=sorted(Counter(silent).items(), key=lambda pair: (-pair[1], pair[0])),
        quiet=go_on,
    )


def find_alarms(tables: WeekTables) -> list[Alarm]:
    """Return the series that alarm this week: new ones first, closed ones last, the strongest of each first."""
    raised = sorted(
        (row for row in tables.signals_now if row.is_alarm),
        key=lambda row: (row.rank is None, row.rank or 0, row.series, not row.is_primary),
    )
    shown = {row.series: row for row in reversed(raised)} | {row.series: row for row in raised if row.is_primary}
    alarms = [_make_alarm(tables, row) for row in dict.fromkeys(shown[row.series] for row in raised)]
    return sorted(alarms, key=lambda alarm: (alarm.is_closed, not alarm.is_new))


def _make_alarm(tables: WeekTables, found: Signal) -> Alarm:
    own = [row for row in tables.episodes if row.series == found.series and row.last_start >= tables.start]
    episode = max(own, key=lambda row: row.first_start, default=None)
    is_new = episode is None or episode.first_start == tables.start
    has_risen = not is_new and episode is not None and (episode.state, episode.last_start) == (NEW, tables.start)
    return Alarm(found, episode, is_new or has_risen, has_risen)


def find_alarm_weeks(tables: WeekTables, series: str) -> list[bool]:
    """Return for each week shown whether the series alarmed then."""
    days = {row.week_start for row in tables.signals if row.series == series and row.is_alarm}
    return [day in days for day in tables.starts]
