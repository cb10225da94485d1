"""public.duckdb -> public/WEEK/: the page of each released week, and its rows as CSV. It reads nothing else.

`python -m pipelines.release.public_page FILE` writes the same bytes where there is no private file.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pipelines.errors import UsageError
from pipelines.files import clear_temporaries, name_temporary, put_in_place
from pipelines.pages import svg
from pipelines.pages.charts import Week
from pipelines.pages.words import format_date, format_share, format_span
from pipelines.release import curve
from pipelines.release.public_database import read_public_database
from pipelines.release.rounding import TOTAL, Cell, parse_hidden_limit
from pipelines.text import format_csv, say
from schemas.public_tables import PUBLIC_ABOUT, PUBLIC_RELEASE_COLUMNS, WEEKLY_COUNTS

FOLDER, PAGE, TABLE = "public", "public.html", "weekly_counts.csv"
READABLE = 0o644  # for everybody: it was released
LEVELS = {
    "emergency": ("Emergency", "a sign of an emergency was reported"),
    "contact_doctor": ("Contact a doctor", "a sign was reported that a doctor should look at"),
    "unresolved": ("Unresolved", "answers are missing that could still change the level"),
    "self_care": ("Self-care", "none of these signs was reported"),
}
GROUPS = (
    ("likely_cause", "Likely causes", "Cause"),
    ("region", "Regions", "Region"),
    ("age_band", "Ages", "Age"),
    ("sex", "Sexes", "Sex"),
)

Row = dict[str, Any]
Cells = Mapping[date, Sequence[Cell]]


def write_public_pages(database: Path) -> list[Path]:
    """Write page and CSV of every released week into `public/` beside the database; remove those of withdrawn weeks.

    Each file is replaced as a whole; one that has the right bytes already is left alone. Raises UsageError if the
    database is not there, StateError if it cannot be read.
    """
    published = read_public_database(database)
    if published is None:
        raise UsageError(f"{database}: nothing has been released to the public yet")
    releases = [dict(zip(PUBLIC_RELEASE_COLUMNS, row, strict=True)) for row in published.releases]
    about = dict(zip(PUBLIC_ABOUT.column_names, published.about[0], strict=True))
    cells: dict[date, list[Cell]] = {}
    for row in published.weekly_counts:
        cells.setdefault(row[1], []).append(Cell(*row[2:]))
    folder = database.parent / FOLDER
    for release in releases:
        if release["status"] == "released":
            rows = [row for row in published.weekly_counts if row[0] == release["week"]]
            page = _fill_page(make_page_values(about, release, releases, cells))
            _write(folder / release["week"], {PAGE: page, TABLE: format_csv(WEEKLY_COUNTS.column_names, rows)})
        elif release["status"] == "withdrawn":
            _remove(folder / release["week"])
    return [folder / release["week"] / PAGE for release in releases if release["status"] == "released"]


def _write(folder: Path, contents: Mapping[str, str]) -> None:
    for path in (folder.parent, folder):
        refuse_link(path)
        if not path.exists():
            _make_folder(path)
        clear_temporaries(path)
    for name, text in contents.items():
        path, content = folder / name, text.encode()
        refuse_link(path)
        if not path.exists() or path.read_bytes() != content:
            new = name_temporary(path)
            new.write_bytes(content)
            put_in_place(new, path, READABLE)


def _make_folder(path: Path) -> None:
    """Make a folder that everybody may read as soon as it is there."""
    new = name_temporary(path)
    new.mkdir()
    new.chmod(0o755)  # mkdir's own mode is subject to the umask
    new.rename(path)


def _remove(folder: Path) -> None:
    """Remove what was written of a week; a folder in which somebody put something else stays, with that."""
    refuse_link(folder)
    clear_temporaries(folder)
    for name in (PAGE, TABLE):
        (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def refuse_link(path: Path) -> None:
    """Raise UsageError if a name in `public/` leads elsewhere."""
    if path.is_symlink():
        raise UsageError(f"{path} is a link; calfwatch writes to nothing behind it: move it away")


def make_page_values(about: Row, release: Row, releases: Sequence[Row], cells: Cells) -> Row:
    """Everything the page of one week shows, as plain values."""
    start = release["week_start"]
    weeks, points = _list_weeks_shown(start, releases, cells)
    total = _find(points[-1], TOTAL, "all")
    groups = [(name, title, head, _make_bars(cells[start], name, total)) for name, title, head in GROUPS]
    return {
        "about": about,
        "release": release,
        "dates": format_span(start, start + timedelta(days=6)),
        "total": total,
        "levels": [_make_level(name, weeks, points, total) for name in LEVELS],
        "level_labels": {name: label for name, (label, _) in LEVELS.items()},
        "trend": list(_make_trend_rows(weeks, points)),
        "groups": groups,
        "hidden": parse_hidden_limit(release["method"]),
        "gaps": sum(week is None for week in points),
        "weeks_shown": curve.WEEKS_SHOWN,
        "style": Markup(svg.STYLE + curve.STYLE),  # noqa: S704 - constant
        "paints": svg.PAINTS,
    }


def _list_weeks_shown(
    start: date, releases: Sequence[Row], cells: Cells
) -> tuple[list[Week], list[Sequence[Cell] | None]]:
    """Return the weeks up to this one, and the cells of those that were released.

    A week that begins on another weekday, of the other week system, takes the nearest place.
    """
    names = {each["week_start"]: each["week"] for each in releases if each["status"] == "released"}
    weeks, points = [], []
    for back in reversed(range(curve.WEEKS_SHOWN)):
        place = start - timedelta(weeks=back)
        found = next((day for day in names if abs((day - place).days) <= 3), None)
        weeks.append(Week(names[found] if found else "not released", place))
        points.append(cells[found] if found else None)
    return weeks, points


def _find(cells: Sequence[Cell] | None, attribute: str, value: str) -> Cell | None:
    return next((cell for cell in cells or () if (cell.attribute, cell.value) == (attribute, value)), None)


def _make_level(name: str, weeks: list[Week], points: list[Sequence[Cell] | None], total: Cell | None) -> Row:
    """Return one triage level: this week, the week before if it was released, and its curve."""
    label, meaning = LEVELS[name]
    series = [_find(week, "triage_level", name) for week in points]
    now, before = series[-1], series[-2]
    chart = curve.draw_curve(name, f"{label}, reports by week", weeks, series)
    row = {"name": name, "label": label, "meaning": meaning, "chart": Markup(chart)}  # noqa: S704 - built from XML nodes
    return row | {"cell": now, "before": before, "share": _format_share(now, total)}


def _make_trend_rows(weeks: list[Week], points: list[Sequence[Cell] | None]) -> Iterator[Row]:
    """Yield the curves as a table, the latest week first."""
    for week, cells in reversed(list(zip(weeks, points, strict=True))):
        levels = [_find(cells, "triage_level", name) for name in LEVELS]
        yield {"week": week.label, "start": week.start, "total": _find(cells, TOTAL, "all"), "levels": levels}


def _make_bars(cells: Sequence[Cell], attribute: str, total: Cell | None) -> list[Row]:
    """Return one attribute's values in the order of their shown number, then of their name; hidden ones last."""
    chosen = [cell for cell in cells if cell.attribute == attribute]
    longest = max((cell.at_most for cell in chosen), default=1)
    rows = [
        {
            "value": cell.value,
            "label": spell_out(attribute, cell.value),
            "cell": cell,
            "share": _format_share(cell, total),
            "width": round(100 * (cell.at_most if cell.is_hidden else cell.reports or 0) / longest, 1),
        }
        for cell in chosen
    ]
    return sorted(rows, key=lambda row: (-(row["cell"].reports or 0), row["value"]))


def _format_share(cell: Cell | None, total: Cell | None) -> str:
    """Return a share of the published total, of published numbers alone."""
    return format_share(cell.reports, total.reports) if cell and total else ""


def spell_out(attribute: str, value: str) -> str:
    """Return a name of the database as words; regions and ages are names already."""
    if value == "unknown":
        return "Not known"
    return value if attribute in ("region", "age_band") else value.replace("_", " ").capitalize()


def _fill_page(values: Mapping[str, Any]) -> str:
    from pipelines.pages.style import render  # here: `status` needs the names of the files alone

    return render("release/public.html.jinja", **values, day=format_date, cell_words=curve.describe_cell)


if __name__ == "__main__":
    for written in write_public_pages(Path(sys.argv[1]).absolute()):
        say(str(written))
