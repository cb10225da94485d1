"""A group: files of one source that are stored in one transaction, each as its own delivery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.settings import Source
from schemas.checked_file import CheckedFile
from schemas.pack import Pack


@dataclass(frozen=True)
class Group:
    """The files by the number of their delivery, ascending: a single file is a group of one."""

    source: Source
    pack: Pack
    files: Mapping[int, CheckedFile]

    @property
    def numbers(self) -> dict[str, object]:
        """Return the first and the last delivery number, as parameters of statements."""
        return {"first": min(self.files), "last": max(self.files)}
