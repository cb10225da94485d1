"""The report for mail and chat as Markdown: the messages, the key numbers, alarms and changes, nothing drawn.

Values are escaped so that none of them can become a heading, a link, a mention, markup or a table cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pipelines.report.outline import (
    Grid,
    alarm_grid,
    alarms_left_out,
    key_number_grid,
    revision_grid,
    revisions_left_out,
)

_MARKUP = re.compile(r"[\\`*\[\]<>&|~#@$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)|(?<=www)\.|!(?=\[)")
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")


def as_markdown(page: dict[str, Any]) -> str:
    """The page's values as Markdown with tables (GitHub's kind); ends with a line feed."""
    about = page["about"]
    return "\n".join(
        [
            f"# {escaped(page['pack'].complaint.capitalize())}: week {escaped(page['week'])}",
            "",
            f"{escaped(page['dates'])}. Internal: exact counts, for staff, not for publication.",
            "",
            *(f"**{escaped(notice)}**\n" for notice in page["notices"]),
            *(f"- {escaped(message.text)}" for message in page["messages"]),
            "",
            *_table(key_number_grid(page["key_numbers"])),
            *_titled("Alarms, the strongest first", alarm_grid(page["standing"]), alarms_left_out(page["standing"])),
            *_titled("What has changed since it was published", revision_grid(page), revisions_left_out(page)),
            "Everything with its curves, regions, rules and data quality: `internal.html` or `report.pdf` beside this "
            "file; the numbers: `data/`.",
            "",
            f"Data as of {escaped(about['published_at'][:16])} ({escaped(about['time_zone'])}), rule pack "
            f"{escaped(about['rule_pack'])}, calfwatch {escaped(about['version'])}.",
            "",
            escaped(page["pack"].disclaimer),
            "",
        ]
    )


def escaped(text: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    return _MARKUP.sub(r"\\\g<0>", _INVISIBLE.sub(" ", text))


def _titled(title: str, grid: Grid, left_out: str) -> Iterable[str]:
    """A table under its title, and what it leaves out; nothing where it has no rows."""
    rest = [left_out, ""] if left_out else []
    return [f"## {title}", "", *_table(grid), *rest] if grid.rows else []


def _table(grid: Grid) -> list[str]:
    """A table and the blank line after it."""
    rules = ["---" if i < grid.texts else "--:" for i in range(len(grid.columns))]
    rows = [[escaped(cell) for cell in row] for row in (grid.columns, *grid.rows)]
    lines = [f"| {' | '.join(row)} |" for row in (rows[0], rules, *rows[1:])]
    return [*lines, ""]
