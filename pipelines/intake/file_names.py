"""What a file's name says: whose it is by the sources' patterns, the days it is about, and its place in an order."""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import re
import unicodedata
from datetime import date, timedelta
from pathlib import Path

Period = tuple[date, date]

# stands in a pattern -> what it is translated to; the stand-ins are letters, which fnmatch leaves as they are
PLACEHOLDERS = {
    "{date}": ("calfwatchdate", r"([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8})"),
    "{week}": ("calfwatchweek", r"([0-9]{4}-m?w[0-9]{2})"),
}


def normalise_name(name: str) -> str:
    """Return a name without what senders' systems change: the case of letters, and the form of accented ones."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def match_name(name: str, pattern: str) -> tuple[bool, Period | None]:
    """Whether a file's name fits a shell pattern; and from the first to the last day that {date} and {week} found."""
    found = _compile(pattern).fullmatch(normalise_name(name))
    if not found:
        return False, None
    days: list[Period] = []
    with contextlib.suppress(ValueError):  # a day that no calendar has: not such a name
        days = [_parse_period(text) for text in found.groups()]
        return True, (min(first for first, _ in days), max(last for _, last in days)) if days else None
    return False, None


@functools.cache
def _compile(pattern: str) -> re.Pattern[str]:
    text = normalise_name(pattern)
    for placeholder, (stand_in, _) in PLACEHOLDERS.items():
        text = text.replace(placeholder, stand_in)
    text = fnmatch.translate(text)
    for stand_in, expression in PLACEHOLDERS.values():
        text = text.replace(stand_in, expression)
    return re.compile(text)


def _parse_period(text: str) -> Period:
    """Return the days of 2026-11-16, 20261116, 2026-w47 or 2026-mw47. Raises ValueError if there is no such day."""
    if "w" not in text:
        day = date.fromisoformat(text)
        return day, day
    year, week = int(text[:4]), int(text[-2:])
    start = _find_mmwr_start(year, week) if "m" in text else date.fromisocalendar(year, week, 1)
    return start, start + timedelta(6)


def _find_mmwr_start(year: int, week: int) -> date:
    """Return the Sunday that a week begins with; week 1 is the one with January 4."""
    fourth = date(year, 1, 4)
    start = fourth - timedelta(fourth.isoweekday() % 7) + timedelta(7 * (week - 1))
    if week < 1 or (start + timedelta(3)).year != year:
        raise ValueError(f"{year} has no week {week}")
    return start


def natural_key(path: Path) -> tuple[tuple[tuple[int, int, str], ...], ...]:
    """Return what sorts paths as people count: export_9 before export_10, whatever the case, a folder at a time."""
    return tuple(
        tuple((0, int(piece), piece) if piece.isdecimal() and piece.isascii() else (1, 0, piece) for piece in pieces)
        for pieces in (re.split(r"([0-9]+)", normalise_name(part)) for part in path.parts)
    )
