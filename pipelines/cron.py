"""Cron schedules, checked before anything starts: five fields, as Prefect reads them."""

from __future__ import annotations

import re

from pipelines.errors import UsageError

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
FIELDS = ((0, 59, ()), (0, 23, ()), (1, 31, ("l",)), (1, 12, tuple(MONTHS)), (0, 7, (*DAYS, "l")))
PART = re.compile(r"(?P<first>\*|\w+)(-(?P<last>\w+))?(#[1-5])?(/(?P<step>[1-9]\d*))?")


def require_cron(cron: str) -> None:
    """Raise UsageError unless the text is five fields of cron."""
    words = cron.split()
    if len(words) != len(FIELDS) or not all(map(_is_field, words, *zip(*FIELDS, strict=True))):
        raise UsageError(f"'{cron}' is no cron schedule; try '15 * * * *'")


def _is_field(word: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    return all(_is_part(part, low, high, names) for part in word.lower().split(","))


def _is_part(part: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    found = PART.fullmatch(part)
    if not found:
        return False
    ends = [found["first"], found["last"]]
    return all(end in (None, "*") or end in names or (end.isdigit() and low <= int(end) <= high) for end in ends)
