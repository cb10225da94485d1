"""What goes to a worker and comes back: a group of files of one source, and what was read of each.

Both are plain values. Of records, nothing but addresses of parcels is in them.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.intake.block_checker import Rules
from pipelines.intake.deliveries import Delivery, FileIdentity
from pipelines.intake.objects.bucket import StoredObject
from pipelines.jobs.cluster.parcels import Parcels
from schemas.checked_file import CheckedFile

Ends = tuple[int, int]  # the first row of a block in its part's table, and how many


@dataclass(frozen=True)
class Unit:
    """A group of files of one source; contents that are `known` need not be read."""

    deliveries: tuple[Delivery, ...]
    rules: Rules
    known: frozenset[str]
    parcels: Parcels


@dataclass(frozen=True)
class Slice:
    """Where the rows of a block lie in the tables of a part, in the order of CheckedBlock's."""

    part: int
    ends: tuple[Ends, ...]


@dataclass(frozen=True)
class ReadFile:
    """What a worker read: the content's id, what the file was then, and what may be stored of it, if that is sure.

    Whatever is not sure is judged alone, by the process that stores; `needs_earlier` as in Alone.
    """

    file_id: str
    identity: FileIdentity | None
    is_whole: bool
    stored: StoredObject | None = None
    checked: CheckedFile | None = None
    needs_earlier: bool = False


@dataclass(frozen=True)
class Prepared:
    """What became of a unit: `files` by their places in it, those that a worker could read; and the names of parcels.

    `parts` has those of each part by table, `counts` those of the daily tables, `left_out` that of the rows left out.
    `slices` say where the blocks of a file lie. `is_distinct`: no report stands in two files. `seconds` of a processor.
    """

    files: Mapping[int, ReadFile]
    parts: tuple[Mapping[str, str], ...] = ()
    counts: Mapping[str, str] = field(default_factory=dict)
    left_out: str = ""
    slices: Mapping[int, tuple[Slice, ...]] = field(default_factory=dict)
    is_distinct: bool = False
    seconds: float = 0.0


@cache
def make_stamp() -> str:
    """Return what both sides must have alike: the code, and the libraries that read and count."""
    root = Path(__file__).parents[3]
    digest = hashlib.sha256()
    for folder in ("pipelines", "schemas", "sql"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".py", ".sql"):
                digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    libraries = f"Python {platform.python_version()}, duckdb {duckdb.__version__}, pyarrow {pa.__version__}"
    return f"calfwatch {version('calfwatch')} ({digest.hexdigest()[:12]}), {libraries}"
