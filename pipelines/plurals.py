"""Numbers with their things, for messages and pages alike."""

from __future__ import annotations


def many(number: int, thing: str, things: str = "") -> str:
    """A number and its thing, in the plural where it is not one."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
