"""Who may read the snapshot and the reports: the owner alone, a group (`share_with_group`), or who may read a folder of
copies (`publish_to`). Records, settings and the pages that explain single records are never shared.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from pipelines import files
from pipelines.errors import UsageError, write_error
from pipelines.settings import Settings
from pipelines.store.home import Home, find_group, give_to_group

PRIVATE = "explain"  # in a report's folder: pages about single records
PASSED_THROUGH = 0o710  # the home itself: a group gets to what it is shown, and cannot list the rest


def share(home: Home, settings: Settings) -> None:
    """Let a group read what is published, and bring the folder of copies up to date, as the settings say.

    Raises UsageError if there is no such group, if its files cannot be given to it, or if copies cannot be written.
    """
    if settings.share_with_group:
        group = find_group(settings.share_with_group)
        give_to_group(home.path, group, PASSED_THROUGH)
        give_to_group(home.reports, group, 0o750)
        for path in _find_published(home.reports):
            give_to_group(path, group, 0o750 if path.is_dir() else 0o640)
    if settings.publish_to:
        _copy_all(home, settings)


def _find_published(reports: Path) -> Iterator[Path]:
    """Yield the index, and every report's folder with what is in it but the pages about single records."""
    if (reports / "index.html").is_file():
        yield reports / "index.html"
    for week in _find_weeks(reports):
        yield week
        yield from (path for path in week.rglob("*") if path.relative_to(week).parts[0] not in (PRIVATE, files.MARKER))


def _find_weeks(reports: Path) -> list[Path]:
    return sorted(folder.parent for folder in reports.glob("[0-9]*/internal.html") if not folder.parent.is_symlink())


def _copy_all(home: Home, settings: Settings) -> None:
    """Copy the snapshot, the index and the reports; each takes the place of the one before as a whole."""
    target = home.path / settings.publish_to
    if home.owns(target) or target.resolve() == home.path.resolve():
        raise UsageError(f"publish_to: {target} is one of the home's own; name a folder elsewhere")
    group = find_group(settings.share_with_group) if settings.share_with_group else None
    try:
        if not target.is_dir():
            target.mkdir(parents=True)
            _let_read(target, group)
        _copy_file(home.summaries, target / home.summaries.name, group)
        _copy_weeks(home.reports, target / "reports", group)
    except OSError as error:
        raise write_error(f"publish_to: {target}", error) from error


def _copy_weeks(reports: Path, target: Path, group: int | None) -> None:
    target.mkdir(exist_ok=True)
    _let_read(target, group)
    weeks = _find_weeks(reports)
    for gone in {folder.name for folder in _find_weeks(target)} - {week.name for week in weeks}:
        files.remove_folder(target / gone)  # a report that was taken back
    for week in weeks:
        if not _is_same(week / "internal.html", target / week.name / "internal.html"):
            files.replace_folder(target / week.name, lambda folder, week=week: _fill_folder(week, folder, group))  # type: ignore[misc]
            _let_read(target / week.name, group)
    if (reports / "index.html").is_file():
        _copy_file(reports / "index.html", target / "index.html", group)


def _fill_folder(week: Path, folder: Path, group: int | None) -> None:
    shutil.copytree(week, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(PRIVATE, files.MARKER))
    for path in folder.rglob("*"):
        if path.name != files.MARKER:
            _let_read(path, group)


def _is_same(one: Path, other: Path) -> bool:
    return other.is_file() and (one.stat().st_size, one.stat().st_mtime_ns) == (
        other.stat().st_size,
        other.stat().st_mtime_ns,
    )


def _copy_file(source: Path, target: Path, group: int | None) -> None:
    if not source.exists() or _is_same(source, target):
        return
    fresh = files.name_temporary(target)
    files.copy(source, fresh)
    shutil.copystat(source, fresh)
    _let_read(fresh, group)
    files.put_in_place(fresh, target, fresh.stat().st_mode & 0o777)


def _let_read(path: Path, group: int | None) -> None:
    """Let a copy be read by the group, or, without one, by whoever gets into the folder of copies."""
    is_folder = path.is_dir()
    if group is None:
        path.chmod(0o755 if is_folder else 0o644)
    else:
        give_to_group(path, group, 0o750 if is_folder else 0o640)
