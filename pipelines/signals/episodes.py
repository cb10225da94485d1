"""Alarms that go on: an episode begins with an alarm and ends after two judged weeks without one.

Weeks that cannot be judged neither end nor continue it. What the lead noted hangs on the series and the weeks, so that
it is found again when the signals were worked out anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

NEW, CONTINUING, OVER, CLOSED = "new", "continuing", "over", "closed"
QUIET_WEEKS = 2
RISES_AGAIN = 2  # times the count that it had when it was closed
NOTE, CLOSE, REOPEN = "note", "close", "reopen"


@dataclass(frozen=True)
class JudgedWeek:
    """What was found of one series in one week; `alarm` is None where the week could not be judged."""

    start: date
    alarm: bool | None
    reports: int


@dataclass(frozen=True)
class Note:
    """One thing noted on an alarm, as in `alarm_notes`."""

    noted_at: datetime
    noted_by: str
    action: str
    series: str
    first_start: date
    last_start: date
    reports: int
    text: str


@dataclass(frozen=True)
class Episode:
    """One alarm that goes on: `counts` are its weeks with an alarm; `is_open` until it is over.

    `is_now` says that the series alarms in its latest judged week.
    """

    series: str
    first_start: date
    last_start: date
    weeks: int
    peak: int
    latest: int
    counts: tuple[tuple[date, int], ...]
    is_open: bool = True
    is_now: bool = False
    state: str = NEW
    note: Note | None = None


def find_episodes(series: str, weeks: Iterable[JudgedWeek]) -> list[Episode]:
    """Return the episodes of one series; `weeks` are in order, weeks that are not covered left out."""
    found: list[Episode] = []
    quiet, judged = 0, [week for week in weeks if week.alarm is not None]
    for week in judged:
        quiet = 0 if week.alarm else quiet + 1
        if week.alarm:
            if found and found[-1].is_open:
                found[-1] = _continue_episode(found[-1], week)
            else:
                found.append(_begin_episode(series, week))
        elif found and found[-1].is_open and quiet >= QUIET_WEEKS:
            found[-1] = replace(found[-1], is_open=False)
    latest = judged[-1].start if judged else None
    return [
        replace(episode, state=_choose_state(episode, latest), is_now=episode.last_start == latest) for episode in found
    ]


def _begin_episode(series: str, week: JudgedWeek) -> Episode:
    counts = ((week.start, week.reports),)
    return Episode(series, week.start, week.start, 1, week.reports, week.reports, counts)


def _continue_episode(episode: Episode, week: JudgedWeek) -> Episode:
    return replace(
        episode,
        last_start=week.start,
        weeks=episode.weeks + 1,
        peak=max(episode.peak, week.reports),
        latest=week.reports,
        counts=(*episode.counts, (week.start, week.reports)),
    )


def _choose_state(episode: Episode, latest: date | None) -> str:
    if not episode.is_open:
        return OVER
    return NEW if episode.first_start == latest else CONTINUING


def add_notes(episodes: Sequence[Episode], notes: Sequence[Note]) -> list[Episode]:
    """Return the episodes with their latest note, closed ones as such; `notes` are oldest first."""
    return [_add_own_note(episode, [note for note in notes if is_about(note, episode)]) for episode in episodes]


def is_about(note: Note, episode: Episode) -> bool:
    """Return whether a note is on this episode: their weeks meet, or are so near that one alarm would be both."""
    near = timedelta(weeks=QUIET_WEEKS)
    return (
        note.series == episode.series
        and note.first_start <= episode.last_start + near
        and note.last_start >= episode.first_start - near
    )


def _add_own_note(episode: Episode, notes: Sequence[Note]) -> Episode:
    if not notes:
        return episode
    deeds = [note for note in notes if note.action in (CLOSE, REOPEN)]
    is_closed = bool(deeds) and deeds[-1].action == CLOSE and episode.is_open
    with_text = [note for note in notes if note.text]  # reopening needs none
    state = _choose_state_of_closed(episode, deeds[-1]) if is_closed else episode.state
    return replace(episode, state=state, note=(with_text or notes)[-1])


def _choose_state_of_closed(episode: Episode, closed: Note) -> str:
    """Return closed until a week has twice the count that the episode was closed with; in that week it is new again."""
    risen = [
        start
        for start, reports in episode.counts
        if start >= closed.last_start and reports >= RISES_AGAIN * closed.reports
    ]
    if not risen:
        return CLOSED
    return NEW if episode.is_now and risen[0] == episode.last_start else episode.state
