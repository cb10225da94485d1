"""The clock: the one place where the product asks what time it is.

Commands, flows and jobs ask it and hand on what they were told; below them the moment is a parameter. Only the stamp of
a stored row (when it was written) is asked for where the row is written. Waiting is counted on a clock without a date.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


def now() -> datetime:
    """Return the moment that it is, in UTC."""
    return datetime.now(UTC)


def day_of(moment: datetime, time_zone: str) -> date:
    """Return the day that a moment falls on in a time zone."""
    return moment.astimezone(ZoneInfo(time_zone)).date()


def today(time_zone: str) -> date:
    """Return the day that it is in a time zone."""
    return day_of(now(), time_zone)
