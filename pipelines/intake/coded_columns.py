"""Columns of few values, dictionary encoded: what is true of a value is found once and taken for every row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.fields import CONTEXT_NAMES, is_unknown


@dataclass(frozen=True)
class CodedColumn:
    """A dictionary-encoded column: its distinct values, and each row's place among them (the last: blank)."""

    values: list[str]
    places: npt.NDArray[np.int64]

    def take(self, table: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return each row's entry of a table that has one for every distinct value, and a last one for blank."""
        return table[self.places]


def find_distinct_values(column: pa.ChunkedArray) -> tuple[list[str], Callable[[], list[int]]]:
    """Return a column's distinct values, blanks left out, and a function that counts the cells of each."""
    array = _merge_dictionaries(column)

    def counts() -> list[int]:
        coded = encode_column(column)
        return np.bincount(coded.places, minlength=len(coded.values) + 1)[:-1].tolist()  # type: ignore[no-any-return]

    return ([] if array is None else array.dictionary.to_pylist()), counts


def encode_column(column: pa.ChunkedArray) -> CodedColumn:
    """Return a column's distinct values and where each row's is among them."""
    array = _merge_dictionaries(column)
    if array is None:
        return CodedColumn([], np.zeros(0, dtype=np.int64))
    values = array.dictionary.to_pylist()
    places = array.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    return CodedColumn(values, places)


def blank_unknown_words(name: str, column: CodedColumn) -> CodedColumn:
    """Return a context column with the words for unknown as blank; sex has an `unknown` of its own.

    Answers are left as they are: their words are judged, and remembered, as they stand.
    """
    if name not in CONTEXT_NAMES or not any(map(is_unknown, column.values)):
        return column
    kept = ["unknown" if name == "sex" and value.lower() == "unknown" else value for value in column.values]
    known = [value for value in dict.fromkeys(kept) if (name == "sex" and value == "unknown") or not is_unknown(value)]
    place = {value: number for number, value in enumerate(known)}
    moved = np.array([*(place.get(value, len(known)) for value in kept), len(known)], dtype=np.int64)
    return CodedColumn(known, column.take(moved))


def _merge_dictionaries(column: pa.ChunkedArray) -> pa.DictionaryArray | None:
    """Return a column as one dictionary-encoded array; None if it has no rows."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        return array.chunk(0) if array.num_chunks else None
    return array


def read_text_column(rows: pa.Table, name: str) -> pa.ChunkedArray:
    """Return a column as text; all null if there is no such column."""
    if name not in rows.column_names:
        return pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])
    return rows.column(name).cast(pa.string())
