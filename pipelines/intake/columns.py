"""Which canonical columns a file says nothing of, because its header lacks a column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from pipelines.intake.layouts.adapters import Adapter
from schemas.checked_file import CheckedBlock
from schemas.fields import CONTEXT_NAMES, REQUIRED_NAMES
from schemas.pack import Pack
from schemas.record_layout import CODED_CONTEXT, UNKNOWN_CODE, find_field_bit


def find_absent_columns(
    adapter: Adapter, header: Sequence[str], blocks: Iterable[CheckedBlock], pack: Pack
) -> frozenset[str]:
    """Return the optional canonical columns that a header lacks.

    What an adapter makes of a missing column only its SELECT knows: then these are the columns without any value.
    """
    optional = {*CONTEXT_NAMES, *(field.name for field in pack.fields)} - set(REQUIRED_NAMES)
    if adapter.is_canonical:
        return frozenset(optional - set(header))
    if adapter.optional <= set(header):
        return frozenset()
    for block in blocks:
        optional -= {name for name in optional if _has_value(block.accepted, name, pack)}
    return frozenset(optional)


def _has_value(accepted: pa.Table, name: str, pack: Pack) -> bool:
    """Return whether any packed row has a value in a column."""
    if name in pack.field_names:
        answered = accepted.column("answered").to_numpy()
        return bool(np.bitwise_or.reduce(answered, initial=0) & find_field_bit(pack, name))
    column = accepted.column(name)
    if name in CODED_CONTEXT or name in pack.choices:
        return bool((column.to_numpy() != UNKNOWN_CODE).any())
    return bool(column.null_count < len(column))
