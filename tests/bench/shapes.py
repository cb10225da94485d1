"""The shapes in which people deliver: what is delivered, and into which home."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from pipelines.synthetic import Files, generate

END = date(2026, 11, 22)
PANDAS_LIMIT = 5_000_000  # larger shapes do not fit in memory there


@dataclass(frozen=True)
class Shape:
    """`make` writes the deliveries below a folder that is given; `into_history` asks for a home with a long history."""

    name: str
    what: str
    reports: int
    make: Callable[[Path], Path]
    into_history: bool = False
    command: tuple[str, ...] = ("ingest",)


def make_reports(
    reports: int, files: Files = "single", weeks: int = 26, end: date = END, seed: int = 1
) -> Callable[[Path], Path]:
    """A maker of generated reports; the folder of the CSVs is returned."""

    def make(folder: Path) -> Path:
        generate(folder, reports=reports, weeks=weeks, seed=seed, end=end, files=files)
        return folder / "reports"

    return make


def make_tiny_files(folder: Path) -> Path:
    """1,000 files of 20 rows."""
    (path,) = generate(folder / "made", reports=20_000, weeks=26, seed=2, end=END, files="single")
    header, *lines = path.read_text().splitlines(keepends=True)
    out = folder / "reports"
    out.mkdir()
    for number in range(1000):
        (out / f"{number:04}.csv").write_text(header + "".join(lines[20 * number : 20 * number + 20]))
    shutil.rmtree(folder / "made")
    return out


def make_cumulative_exports(folder: Path) -> Path:
    """60 daily exports, each of which holds all days so far; 1,000 new rows a day."""
    days = generate(folder / "made", reports=70_000, weeks=10, seed=3, end=END, files="daily")[:60]
    out = folder / "reports"
    out.mkdir()
    text = days[0].read_text().splitlines(keepends=True)[0]
    for number, day in enumerate(days):
        text += "".join(day.read_text().splitlines(keepends=True)[1:])
        (out / f"{number:04}.csv").write_text(text)
    shutil.rmtree(folder / "made")
    return out


def make_late_reports(folder: Path) -> Path:
    """1,000 reports of weeks that were published long ago."""
    return make_reports(1000, weeks=2, end=END - timedelta(weeks=8), seed=5)(folder)


SHAPES = (
    Shape("one-1m", "one file of 1 million rows", 1_000_000, make_reports(1_000_000)),
    Shape("one-5m", "one file of 5 million rows", 5_000_000, make_reports(5_000_000)),
    Shape("one-20m", "one file of 20 million rows", 20_000_000, make_reports(20_000_000)),
    Shape("weekly-20", "20 weekly files, 3.6 million rows", 3_600_000, make_reports(3_600_000, "weekly", 20)),
    Shape("weekly-104", "104 weekly files, 20 million rows", 20_000_000, make_reports(20_000_000, "weekly", 104)),
    Shape("daily-364", "364 daily files, 1 million rows", 1_000_000, make_reports(1_000_000, "daily", 52)),
    Shape("tiny-1000", "1,000 files of 20 rows", 20_000, make_tiny_files),
    Shape("cumulative-60", "60 daily cumulative exports, 60,000 reports", 60_000, make_cumulative_exports),
    Shape("history-1k", "1,000 rows", 1000, make_reports(1000, weeks=1, seed=4), into_history=True),
    Shape("history-100k", "100,000 rows", 100_000, make_reports(100_000, weeks=1, seed=4), into_history=True),
    Shape("history-late", "1,000 late rows of published weeks", 1000, make_late_reports, into_history=True),
    Shape("history-known", "a folder of which nothing is new", 1000, make_reports(1000, weeks=1, seed=4), True),
    Shape("history-report", "the weekly report", 0, make_reports(1000, weeks=1, seed=4), True, ("report",)),
)
