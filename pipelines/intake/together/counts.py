"""Count what became of the lines of each file of a batch: its lines are counted through all files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from pipelines.intake.block_checker import CheckedRows
from pipelines.intake.csv_rows import BadLine
from schemas.checked_file import LINES_SHOWN, RowCounts

OWN_FIRST = 2  # the first line behind the header
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class BatchRows:
    """What is kept of a joined block: the numbers of its rows, its bad lines, what checking left unless it failed.

    `blank`: the blank lines of every file in it.
    """

    lines: pa.ChunkedArray
    bad_lines: Sequence[BadLine]
    checked: CheckedRows | None
    blank: dict[int, int]


def find_file_places(lines: pa.ChunkedArray | Places, starts: Places) -> Places:
    """Return the file of each line, by the first lines of the files."""
    numbers = lines if isinstance(lines, np.ndarray) else lines.to_numpy()
    return (np.searchsorted(starts, numbers, side="right") - 1).astype(np.int64)


def count_files(found: Sequence[BatchRows], accepted: pa.Table, cells: pa.Table, starts: Places) -> list[RowCounts]:
    """Return the counts of every file; of lines that could not be checked none is counted."""
    checked = [(each, each.checked) for each in found if each.checked]
    rows = _count_lines(starts, (each.lines for each, _ in checked))
    in_scope = _count_lines(starts, (rows.in_scope for _, rows in checked))
    bad_lines = _count_lines(
        starts, (np.array([line.line_number for line in each.bad_lines], int) for each, _ in checked)
    )
    taken = _count_lines(starts, [accepted["line_number"]])
    blank: dict[int, int] = {}
    for each in found:
        for place, lines in each.blank.items():
            blank[place] = blank.get(place, 0) + lines
    ranges = _find_ranges(accepted, starts)
    warned = _find_warned(cells, starts)
    return [
        RowCounts(
            rows=int(rows[place] + bad_lines[place]),
            blank=blank.get(place, 0),
            out_of_scope=int(rows[place] - in_scope[place]),
            bad_rows=int(in_scope[place] - taken[place] + bad_lines[place]),
            first=ranges.get(place, (None, None))[0],
            last=ranges.get(place, (None, None))[1],
            warned=len(warned.get(place, ())),
            warned_lines=tuple(warned.get(place, ())[:LINES_SHOWN]),
        )
        for place in range(len(starts))
    ]


def _count_lines(starts: Places, lines: Iterable[pa.ChunkedArray | Places]) -> Places:
    total = np.zeros(len(starts), dtype=np.int64)
    for each in lines:
        total += np.bincount(find_file_places(each, starts), minlength=len(starts))
    return total


def _find_ranges(accepted: pa.Table, starts: Places) -> dict[int, tuple[datetime, datetime]]:
    """Return the first and the last instant of the accepted rows of each file that has some."""
    if not accepted.num_rows:
        return {}
    places = find_file_places(accepted["line_number"], starts)
    instants = accepted["reported_at"].cast(pa.int64()).to_numpy()
    firsts = np.flatnonzero(np.diff(places, prepend=-1))
    ends = zip(np.minimum.reduceat(instants, firsts), np.maximum.reduceat(instants, firsts), strict=True)
    return {
        int(place): (_convert_moment(first), _convert_moment(last))
        for place, (first, last) in zip(places[firsts], ends, strict=True)
    }


def _convert_moment(microseconds: np.int64) -> datetime:
    return EPOCH + timedelta(microseconds=int(microseconds))


def _find_warned(cells: pa.Table, starts: Places) -> dict[int, list[int]]:
    """Return the accepted lines of each file that its adapter warns of, as they are counted in the file."""
    kept = cells["line_number"].unique().to_numpy()
    found: dict[int, list[int]] = {}
    for place, line in zip(find_file_places(kept, starts).tolist(), kept.tolist(), strict=True):
        found.setdefault(place, []).append(line - int(starts[place]) + OWN_FIRST)
    return found
