"""deliveries.csv of an archive: which files lie there, whose they are, and in which order they were delivered."""

from __future__ import annotations

import csv
from pathlib import Path

from pipelines.errors import UsageError
from schemas.ordinary_file import open_ordinary

LIST = "deliveries.csv"
HEADER = ("source", "delivery_no", "file_id", "path")


def is_archive_list(path: Path) -> bool:
    """Return whether a file is the list of an archive, and no delivery."""
    if path.name != LIST:
        return False
    try:
        with open(open_ordinary(path), "rb", buffering=0) as file:
            return (file.read(200) or b"").splitlines()[:1] == [",".join(HEADER).encode()]
    except OSError:  # of a name too long or in a closed folder, too
        return False


def read_archive(folder: Path) -> list[tuple[Path, str]]:
    """Return the files of an archive in the order of their deliveries, each with its sender; none if it is no archive.

    A file of the list that is not there was never moved, or was taken out. Raises UsageError for a line that is none.
    """
    if not is_archive_list(folder / LIST):
        return []
    with open(folder / LIST, encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.reader(file))[1:]
    found = {}
    for line, row in enumerate(rows, 2):
        if len(row) != len(HEADER) or not row[1].isdigit() or ".." in Path(row[3]).parts:
            raise UsageError(f"{folder / LIST}: line {line} is none of `calfwatch archive`; mend it, or name the files")
        found[folder / row[3]] = (int(row[1]), row[0])
    return [(path, source) for path, (_, source) in sorted(found.items(), key=lambda each: each[1]) if path.is_file()]
