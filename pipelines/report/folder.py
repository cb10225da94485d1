"""A report's files -> its folder, private and replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipelines.files import replace_folder, write_private


def publish(out: Path, week: str, contents: Mapping[str, str | bytes]) -> Path:
    """Write the files into `out/WEEK`, whole or not at all. One writer at a time: the caller holds the lock.

    Raises UsageError if that folder holds anything that calfwatch did not put there.
    """

    def fill(folder: Path) -> None:
        for name, content in contents.items():
            write_private(folder, name, content)

    return replace_folder(out / week, fill)
