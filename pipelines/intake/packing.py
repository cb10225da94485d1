"""Pack accepted rows: codes, numbers, and two masks of answers, as `schemas.checked_file.make_accepted_schema` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.intake.coded_columns import CodedColumn, read_text_column
from schemas.checked_file import make_accepted_schema
from schemas.pack import Pack
from schemas.record_layout import ANSWER_MASKS, CODED_CONTEXT, UNKNOWN_CODE, find_code
from schemas.report_schema import ANSWERS, is_answer

Mask = npt.NDArray[np.bool_]


def pack_rows(rows: pa.Table, coded: Mapping[str, CodedColumn], keep: Mask, pack: Pack) -> pa.Table:
    """Pack the rows of a canonical table to be kept; `reported_at` stays text (`make_untyped_schema`)."""
    schema = make_untyped_schema(pack)
    columns = {
        "line_number": rows.column("line_number").cast(pa.uint32()),
        "report_id": read_text_column(rows, "report_id"),
        "reported_at": read_text_column(rows, "reported_at"),
        "region": _decode(coded.get("region"), rows.num_rows),
        **{name: _pack_ordinal(coded.get(name), values, rows.num_rows) for name, values in CODED_CONTEXT.items()},
        **{name: _pack_choice(coded.get(name), values, rows.num_rows) for name, values in pack.choices.items()},
        **_pack_integers(rows, coded, pack),
        **_pack_answers(rows, coded, pack),
        "stated_date": pa.nulls(rows.num_rows, pa.date32()),  # known once the times are typed
    }
    table = pa.table([columns[name] for name in schema.names], schema=schema)
    return table if keep.all() else table.filter(pa.array(keep))


def make_untyped_schema(pack: Pack) -> pa.Schema:
    """Return the schema of accepted rows before `reported_at` becomes an instant."""
    schema = make_accepted_schema(pack)
    return schema.set(schema.get_field_index("reported_at"), pa.field("reported_at", pa.string()))


def _decode(column: CodedColumn | None, rows: int) -> pa.Array:
    """Return regions as they are kept: in lower case, for nobody means two regions by North and north."""
    if column is None:
        return pa.nulls(rows, pa.string())
    lower = pa.array([*(value.lower() for value in column.values), None], pa.string())
    return lower.take(pa.array(column.places))


def _pack_integers(rows: pa.Table, coded: Mapping[str, CodedColumn], pack: Pack) -> dict[str, pa.Array]:
    schema = make_accepted_schema(pack)
    return {
        name: _pack_integer(coded.get(name), limits, schema.field(name).type, rows.num_rows)
        for name, limits in pack.numbers.items()
    }


def _pack_integer(column: CodedColumn | None, limits: tuple[int, int], kind: pa.DataType, rows: int) -> pa.Array:
    if column is None:
        return pa.nulls(rows, kind)
    numbers = [_parse_number(value, limits) for value in column.values]
    table = np.array([*(n or 0 for n in numbers), 0], dtype=kind.to_pandas_dtype())
    missing = np.array([*(n is None for n in numbers), True])
    return pa.array(column.take(table), mask=column.take(missing))


def _pack_answers(rows: pa.Table, coded: Mapping[str, CodedColumn], pack: Pack) -> dict[str, pa.Array]:
    """Return two masks, a bit a field: whether it has an answer, and whether that is yes."""
    masks = {name: np.zeros(rows.num_rows, dtype=np.uint32) for name in ANSWER_MASKS}
    for place, name in enumerate(pack.field_names):
        if name in coded:
            bits = [_set_word_bits(coded[name], place, answers) for answers in ((True, False), (True,))]
        elif name in rows.column_names:
            bits = [read.astype(np.uint32) << np.uint32(place) for read in _split_answers(rows.column(name))]
        else:
            continue
        for mask, column in zip(masks.values(), bits, strict=True):
            mask |= column
    return {name: pa.array(mask) for name, mask in masks.items()}


def _split_answers(column: pa.ChunkedArray) -> tuple[Mask, Mask]:
    """Return whether each row has an answer, and whether that is yes."""
    array = column.combine_chunks()
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    # without its nulls first: an array with nulls would become one of Python objects
    anything = pa.Array.from_buffers(array.type, len(array), [None, array.buffers()[1]], offset=array.offset)
    return valid, valid & anything.to_numpy(zero_copy_only=False)


def _set_word_bits(column: CodedColumn, place: int, answers: tuple[bool, ...]) -> npt.NDArray[np.uint32]:
    """Set bit `place` in each row of which the word is one of the answers."""
    found = [is_answer(value) and ANSWERS[value.lower()] in answers for value in column.values]
    return column.take(np.array([*found, False], dtype=np.uint32) << np.uint32(place))


def _pack_ordinal(column: CodedColumn | None, values: Sequence[str], rows: int) -> pa.Array:
    """Return 1 + the value's place in its list; 0 if blank (or bad, and then not kept)."""
    if column is None:
        return pa.array(np.zeros(rows, dtype=np.uint8))
    codes = [find_code(values, value) for value in column.values]
    return pa.array(column.take(np.array([*codes, UNKNOWN_CODE], dtype=np.uint8)))


def _pack_choice(column: CodedColumn | None, values: Sequence[str], rows: int) -> pa.Array:
    """Do the same in any case; the words for no answer are blank too."""
    plain = None if column is None else CodedColumn([value.lower() for value in column.values], column.places)
    return _pack_ordinal(plain, values, rows)


def _parse_number(value: str, limits: tuple[int, int]) -> int | None:
    good = value.isascii() and value.isdigit() and len(value) < 10 and limits[0] <= int(value) <= limits[1]
    return int(value) if good else None
