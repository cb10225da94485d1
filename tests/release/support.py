"""A home with two weeks to release, the command, and what is public of a home."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from pipelines.cli.app import main
from pipelines.store.database import Home
from schemas.fields import AGE_BANDS
from tests.conftest import opened

BEFORE, WEEK, NEXT = "2026-W45", "2026-W46", "2026-W47"
MONDAY = {BEFORE: 2, WEEK: 9, NEXT: 16}
COUNTS = "SELECT attribute, value, reports, at_least, at_most FROM weekly_counts WHERE week = ? ORDER BY ALL"
HEADER = "report_id,reported_at,region,age_band,sex,cannot_bear_weight,fever,redness\n"


def write_week(
    path: Path, week: str, reports: int, seed: int = 1, regions: tuple[str, ...] = ("north", "south", "east")
) -> Path:
    """A CSV with so many reports of a week of November 2026, of all regions, ages, sexes, levels."""
    draw = random.Random(seed)
    lines = [HEADER]
    for i in range(reports):
        day = MONDAY[week] + i % 7
        age, sex = draw.choice((*AGE_BANDS, "")), draw.choice(("female", "male", "male", "unknown"))
        answers = ",".join(draw.choice(("yes", "no", "no", "")) for _ in range(3))
        lines.append(
            f"{week}-{seed}-{i},2026-11-{day:02}T10:00:00Z,{regions[i % len(regions)]},{age},{sex},{answers}\n"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def call(home: Home, *words: str) -> int:
    """The real command on a home; returns its exit code."""
    return main([words[0], "--home", str(home.path), *words[1:]])


def public_counts(home: Home, week: str) -> list[tuple[Any, ...]]:
    with opened(home.public) as connection:
        return connection.execute(COUNTS, [week]).fetchall()


def public_releases(home: Home) -> list[tuple[Any, ...]]:
    with opened(home.public) as connection:
        return connection.execute("SELECT week, status, incomplete, note FROM releases ORDER BY week").fetchall()


def ledger_counts(home: Home, week: str) -> list[tuple[Any, ...]]:
    with opened(home.records) as connection:
        return connection.execute(COUNTS.replace("weekly_counts", "released_counts"), [week]).fetchall()


def public_bytes(home: Home) -> dict[str, bytes]:
    """Every public file of a home."""
    paths = [home.public, *(path for path in sorted((home.path / "public").rglob("*")) if path.is_file())]
    return {str(path.relative_to(home.path)): path.read_bytes() for path in paths if path.exists()}


def _varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found, number = found + bytes([number & 127 | 128]), number >> 7
    return found + bytes([number])


def traces(number: int, path: Path) -> Iterator[str]:
    """Where a number stands in a file: as text, as an integer of 4 or 8 bytes, or, in a database, as a value or as the
    smallest or largest of a column segment."""
    content = path.read_bytes()
    forms = {"text": str(number).encode(), "text with a comma": f"{number:,}".encode()}
    forms |= {f"integer {form}": struct.pack(form, number) for form in ("<i", ">i", "<q", ">q", "<I", ">I")}
    forms |= {"pretty number": f"{number:,}".replace(",", ".").encode(), "varint pair": _varint(number) * 2}
    yield from (f"{path.name}: {name}" for name, form in forms.items() if form in content)
    if path.suffix == ".duckdb":
        yield from _traces_in_database(number, path)


def _traces_in_database(number: int, path: Path) -> Iterator[str]:
    with duckdb.connect(str(path), read_only=True) as connection:
        for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            columns = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]
            cells = " OR ".join(f"{column}::VARCHAR = '{number}'" for column in columns)
            sql = f"SELECT count(*) FROM {table} WHERE {cells}"
            if connection.execute(sql).fetchall() != [(0,)]:
                yield f"{path.name}: a value of {table}"
            stats = connection.execute(f"SELECT stats FROM pragma_storage_info('{table}')").fetchall()
            if any(f": {number}" in str(row[0]) for row in stats):
                yield f"{path.name}: a statistic of {table}"
