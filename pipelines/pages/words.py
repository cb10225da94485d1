"""Numbers and dates in words, as precise as they deserve to be."""

from __future__ import annotations

from datetime import date

from pipelines.pages.svg import MONTHS

SMALLEST_BASE = 50  # of fewer than this, a percentage says less than the count and looks like more
NONE, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"


def format_count(value: int | None) -> str:
    """Return a count with thousands separators; a dash where there is none."""
    return NONE if value is None else f"{value:,}"


def format_share(part: int | None, whole: int | None) -> str:
    """Return a percentage as precise as it deserves to be; nothing when the whole is smaller than SMALLEST_BASE."""
    if part is None or whole is None or whole < SMALLEST_BASE:
        return ""
    return format_percent(part / whole)


def format_percent(value: float) -> str:
    """Return a share of 0-1 as a percentage: one decimal below 10 %, and never rounded to none or to all."""
    hundred = value * 100
    if 0 < hundred < 0.1:
        return "<0.1%"
    if 99 < hundred < 100:
        return ">99%"
    return f"{hundred:.1f}%" if 0 < hundred < 9.95 else f"{hundred:.0f}%"


def change(now: int | None, before: int | None) -> str:
    """Return the difference to the week before, signed; a dash where the week before is not covered."""
    if now is None or before is None:
        return NONE
    difference = now - before
    if not difference:
        return "±0"
    percent_of_it = format_change(now, before)
    return _format_sign(f"{difference:+,}") + (f" ({percent_of_it})" if percent_of_it else "")


def format_change(now: int, before: int) -> str:
    """Return the relative change, signed; nothing when it rounds to none or is one of fewer than SMALLEST_BASE."""
    if before < SMALLEST_BASE:
        return ""
    hundred = round(100 * (now - before) / before)
    return _format_sign(f"{hundred:+,}%") if hundred else ""


def _format_sign(text: str) -> str:
    """With a minus sign as wide as the plus, in place of a hyphen."""
    return text.replace("-", MINUS)


def format_decimal(value: float | None) -> str:
    """Return an expected count or a bound: one decimal below 100; a dash where there is none."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.1f}"


def format_span(first: date, last: date) -> str:
    """Both dates in words, with nothing said twice: 9 to 15 Nov 2026."""
    month = MONTHS[first.month - 1]
    year = "" if first.year == last.year else f" {first.year}"
    opening = f"{first.day}" if first.month == last.month else f"{first.day} {month}{year}"
    return f"{opening} to {format_date(last)}"


def format_date(value: date) -> str:
    """Return a date in words: 15 Nov 2026."""
    return f"{value.day} {MONTHS[value.month - 1]} {value.year}"
