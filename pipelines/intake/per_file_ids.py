"""Report ids that count from 1 in each file: told apart by a hash of the file's name and the id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pyarrow as pa

from schemas.checked_file import CheckedBlock, make_per_file_id


class PerFileIds:
    """Checked blocks with the stored ids in place of the delivered ones.

    A file that is sent again under its name gets the same ids, and so corrects. Bad cells keep the sender's ids.
    """

    def __init__(self, blocks: Iterable[CheckedBlock], name: str) -> None:
        self.blocks, self.name = blocks, name

    def __iter__(self) -> Iterator[CheckedBlock]:
        for block in self.blocks:
            yield replace(
                block,
                accepted=replace_ids(block.accepted, self.name),
                warned=replace_ids(block.warned, self.name),
            )


def replace_ids(rows: pa.Table, name: str) -> pa.Table:
    """Return accepted rows or warned cells of the file `name` with the stored ids in place of the delivered ones."""
    place = rows.schema.get_field_index("report_id")
    ids = [make_per_file_id(name, report_id) for report_id in rows.column(place).to_pylist()]
    return rows.set_column(place, "report_id", pa.array(ids, pa.string()))
