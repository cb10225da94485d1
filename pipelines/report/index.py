"""The published folders -> reports/index.html: every week with its key numbers and links, the latest first."""

from __future__ import annotations

import contextlib
import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import UsageError
from pipelines.files import name_temporary, put_in_place, write_private
from pipelines.pages.style import render
from pipelines.text import is_week

INDEX = "index.html"
KEY_NUMBERS = ("reports", "emergency", "could_be_emergency", "unresolved")
UNJUDGED = ("not judged", "not evaluated", "cannot be judged")  # how every calfwatch so far has begun to say it
HEAD = (b"<title>Weekly reports</title>", b"default-src 'none'; style-src 'unsafe-inline'; img-src data:")
HEAD_BYTES = 1000


@dataclass(frozen=True)
class ListedWeek:
    """A published week. counts: this week's and the week before's of each key number; alarms: None if not judged."""

    week: str
    counts: Mapping[str, tuple[int | None, int | None]]
    alarms: int | None
    files: Sequence[str]


def write_index(reports: Path, assessments: Mapping[str, Sequence[Mapping[str, str]]] | None = None) -> Path:
    """Write the index of the weeks whose folders are in `reports`, in place of the one before.

    assessments: by week, each with `written_at`, `name`, `contact` and `text`.

    Raises UsageError if a file of that name is there which calfwatch did not write.
    """
    if not _is_ours(reports / INDEX):
        raise UsageError(f"{reports / INDEX} was not written by calfwatch, and is left as it is; move it away")
    folders = sorted(filter(_is_of_week, reports.iterdir()), key=_find_place, reverse=True)
    weeks = [_read_week(folder) for folder in folders]
    fresh = name_temporary(reports / INDEX)
    write_private(reports, fresh.name, render("report/index.html.jinja", weeks=weeks, assessments=assessments or {}))
    put_in_place(fresh, reports / INDEX, 0o600)
    return reports / INDEX


def _is_ours(index: Path) -> bool:
    """Return whether an index may be replaced: there is none, or its head is that of every calfwatch so far."""
    if not os.path.lexists(index):
        return True
    with contextlib.suppress(OSError):
        if index.is_file() and not index.is_symlink():
            with index.open("rb") as file:
                head = file.read(HEAD_BYTES)
            return all(words in head for words in HEAD)
    return False


def _is_of_week(folder: Path) -> bool:
    return is_week(folder.name) and (folder / "internal.html").is_file()


def _find_place(folder: Path) -> tuple[str, str]:
    """Return the sort key, year and number first: ISO and MMWR weeks may stand in one home."""
    return folder.name.replace("M", ""), folder.name


def _read_week(folder: Path) -> ListedWeek:
    """Return a week's name, its files and, as far as its CSVs can be read, its numbers."""
    numbers = {row.get("name"): row for row in _read_rows(folder / "data/key_numbers.csv")}
    counts = {name: _read_counts(numbers.get(name, {})) for name in KEY_NUMBERS}
    expectation = numbers.get("reports", {}).get("expectation") or UNJUDGED[0]
    alarms = len(_read_rows(folder / "data/alarms.csv")) or (None if expectation.startswith(UNJUDGED) else 0)
    names = [name for name in ("internal.html", "report.pdf", "report.md") if (folder / name).is_file()]
    return ListedWeek(folder.name, counts, alarms, names)


def _read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV; none if it is missing or damaged: an old folder must not stop a new report."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return []


def _read_counts(row: dict[str, str]) -> tuple[int | None, int | None]:
    """Return this week's count and the one of the week before."""
    texts = (row.get("reports"), row.get("previous_week"))
    now, before = (int(text) if text and re.fullmatch(r"\d{1,18}", text, re.ASCII) else None for text in texts)
    return now, before
