"""How many people a region has: the file named in the settings -> table `denominators`, for rates per 100,000."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb

from pipelines.errors import UsageError
from pipelines.settings import Settings
from pipelines.store.home import Home
from pipelines.text import is_week
from schemas.fields import AGE_BANDS
from schemas.ordinary_file import read_text_file

KINDS = ("population", "contacts")
REQUIRED, OPTIONAL = "region", ("age_band", "week")
MOST = 10**10
Denominator = tuple[str, str | None, str | None, str, int]  # region, age band, week, kind, number


def read_file(home: Home, settings: Settings) -> list[Denominator]:
    """Return the numbers of the file; none without a setting. Where each age band of a region has a number and all
    ages have none, theirs is the sum: reports of all ages against some of the people would be too high a rate.

    Raises UsageError with the line of a fault and what is allowed.
    """
    if not settings.denominators:
        return []
    path = home.path / settings.denominators
    try:
        text = read_text_file(path, "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"denominators: {path} cannot be read as UTF-8 text: {error}") from error
    rows = csv.DictReader(text.splitlines())
    kind = _find_kind(path, list(rows.fieldnames or []))
    found: dict[tuple[str, str | None, str | None], int] = {}
    for line, row in enumerate(rows, 2):
        key, number = _read_row(f"{path}, line {line}", row, kind)
        if key in found:
            raise UsageError(f"{path}, line {line}: this region, age band and week stands there already; say it once")
        found[key] = number
    return [(*key, kind, number) for key, number in sorted((found | dict(_sum_groups(found))).items(), key=str)]


def _find_kind(path: Path, header: list[str]) -> str:
    kinds = [name for name in KINDS if name in header]
    unknown = [name for name in header if name not in (REQUIRED, *OPTIONAL, *KINDS)]
    if REQUIRED not in header or len(kinds) != 1 or unknown:
        allowed = "region, population or contacts, and optionally age_band and week"
        raise UsageError(f"{path}, line 1: the columns are {', '.join(header) or 'missing'}; allowed: {allowed}")
    return kinds[0]


def _read_row(place: str, row: Mapping[str, str | None], kind: str) -> tuple[tuple[str, str | None, str | None], int]:
    cells = {name: (row.get(name) or "").strip() for name in (REQUIRED, *OPTIONAL, kind)}
    faults = {
        "region: any name": not cells[REQUIRED],
        f"age_band: {', '.join(AGE_BANDS)}, or empty for all ages": cells["age_band"] not in ("", *AGE_BANDS),
        "week: such as 2026-W47, or empty for every week": not is_week(cells["week"] or "2026-W47"),
        f"{kind}: a whole number from 1 to {MOST:,}": not (
            re.fullmatch(r"[0-9]{1,11}", cells[kind]) and 1 <= int(cells[kind]) <= MOST
        ),
    }
    if wrong := [allowed for allowed, is_wrong in faults.items() if is_wrong]:
        raise UsageError(f"{place}: allowed are {'; '.join(wrong)}")
    return (cells[REQUIRED].lower(), cells["age_band"] or None, cells["week"] or None), int(cells[kind])


def _sum_groups(
    found: Mapping[tuple[str, str | None, str | None], int],
) -> Iterator[tuple[tuple[str, str | None, str | None], int]]:
    for region, week in {(region, week) for region, _, week in found}:
        bands = [found[key] for band in AGE_BANDS if (key := (region, band, week)) in found]
        if (region, None, week) not in found and len(bands) == len(AGE_BANDS):
            yield (region, None, week), sum(bands)


def replace(connection: duckdb.DuckDBPyConnection, numbers: list[Denominator]) -> None:
    """Put the numbers in place of those before; the caller's transaction is around it."""
    connection.execute("DELETE FROM denominators")
    if numbers:
        connection.executemany("INSERT INTO denominators VALUES (?, ?, ?, ?, ?)", numbers)


def is_current(connection: duckdb.DuckDBPyConnection, numbers: list[Denominator]) -> bool:
    """Return whether the stored numbers are those of the file."""
    stored = connection.execute("FROM denominators").fetchall()
    return sorted(stored, key=str) == sorted(numbers, key=str)
