"""canonical rows as text -> accepted rows, typed and packed, and bad cells (pandera).

A check that looks at one cell at a time needs to see each distinct value once: columns of few values come
dictionary encoded, and pandera judges the dictionary; only report ids and times are judged row by row.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pandera.errors import SchemaErrors

from pipelines.intake.adapters import ADAPTER_ERROR
from pipelines.intake.lines import BadLine
from pipelines.intake.reader import WHOLE_COLUMNS, is_read_answer
from schemas.pack import Pack
from schemas.record_layout import ANSWER_MASKS, CODED_CONTEXT, UNKNOWN_CODE, code_of
from schemas.report_schema import ANSWERS, allowed_text, check_name, is_answer, report_schema

VALUE_CUT = 80
REMEMBERED_VALUES = 100_000  # distinct values of a column that are remembered as judged
LONGEST_REMEMBERED = 80  # characters; a file of nothing but long cells would fill the memory

BAD_CELLS = pa.schema(
    [
        ("line_number", pa.int64()),
        ("report_id", pa.string()),
        ("column_name", pa.string()),
        ("check_name", pa.string()),
        ("allowed", pa.string()),
        ("value", pa.string()),
    ]
)
_ACCEPTED = pa.schema(
    [
        ("line_number", pa.uint32()),
        ("report_id", pa.string()),
        ("reported_at", pa.string()),
        ("region", pa.string()),
        ("age_band", pa.uint8()),
        ("sex", pa.uint8()),
        ("pain_score", pa.uint8()),
        ("duration_days", pa.uint16()),
        ("answered", pa.uint32()),
        ("yes", pa.uint32()),
    ]
)

Mask = npt.NDArray[np.bool_]


def accepted_schema(pack: Pack) -> pa.Schema:
    """Accepted rows as they are packed; the pack's numbers and choices have a column each."""
    own = [(name, pa.uint16()) for name in pack.own_numbers] + [(name, pa.uint8()) for name in pack.choices]
    return pa.schema([*_ACCEPTED, *(pa.field(name, kind) for name, kind in own)])


@dataclass(frozen=True)
class Validated:
    """A block's rows: the accepted ones (as `accepted_schema`) and every bad cell of the others (BAD_CELLS)."""

    accepted: pa.Table
    bad_cells: pa.Table


@dataclass(frozen=True)
class _Coded:
    """A dictionary-encoded column: its distinct values, and each row's place among them (the last: blank)."""

    values: list[str]
    places: npt.NDArray[np.int64]

    def taken(self, table: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Each row's entry of a table that has one for every distinct value, and a last one for blank."""
        return table[self.places]


class Validator:
    """Judges the blocks of one file after another; shared by the threads that read it."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self.schema = report_schema(pack)
        self.accepted = accepted_schema(pack)
        self.judged: dict[str, dict[str, bool]] = {name: {} for name in self.schema.columns}
        self.lock = threading.Lock()

    def validate(self, rows: pa.Table, bad_lines: Sequence[BadLine] = ()) -> Validated:
        """Splits canonical rows (text, null where blank, with `line_number`) into accepted rows and bad cells."""
        coded = {name: _coded(rows.column(name)) for name in self._few_valued(rows)}
        bad = self._bad_whole(rows) | self._bad_coded(coded) | _adapter_errors(rows)
        wrong = np.zeros(rows.num_rows, dtype=bool)
        for mask in bad.values():
            wrong |= mask
        accepted = self._packed(rows, coded, ~wrong)
        return Validated(accepted, self._bad_cells(rows, bad, wrong, bad_lines))

    def _few_valued(self, rows: pa.Table) -> list[str]:
        present = set(rows.column_names) - WHOLE_COLUMNS
        return [name for name in self.schema.columns if name in present and not is_read_answer(rows.column(name))]

    def _bad_whole(self, rows: pa.Table) -> dict[str, Mask]:
        """Columns of as many values as rows, judged row by row on Arrow-backed frames without a copy."""
        names = [name for name in self.schema.columns if name in WHOLE_COLUMNS]
        present = rows.select([name for name in names if name in rows.column_names])
        for name in names:  # an adapter may leave a required column out: then every row lacks it
            if name not in present.column_names:
                present = present.append_column(name, pa.nulls(rows.num_rows, pa.string()))
        frame = present.to_pandas(types_mapper=pd.ArrowDtype)
        return {name: mask for name, mask in self._failures(frame).items() if mask.any()}

    def _bad_coded(self, coded: Mapping[str, _Coded]) -> dict[str, Mask]:
        with self.lock:
            self._judge({name: column.values for name, column in coded.items()})
            good = {name: [self.judged[name][value] for value in column.values] for name, column in coded.items()}
            for name, column in coded.items():
                self._forget_long(name, column.values)
        return {
            name: ~coded[name].taken(np.array([*verdicts, True]))
            for name, verdicts in good.items()
            if not all(verdicts)
        }

    def _judge(self, values: Mapping[str, list[str]]) -> None:
        """Lets pandera judge the values not seen before, all columns in one frame padded with blanks."""
        new = {name: cells for name, distinct in values.items() if (cells := self._unjudged(name, distinct))}
        if not new:
            return
        rows = max(map(len, new.values()))
        frame = pd.DataFrame({name: pd.Series(cells, dtype="str") for name, cells in new.items()}, index=range(rows))
        failed = self._failures(frame)
        for name, cells in new.items():
            bad = failed[name]
            self.judged[name].update((value, not bad[place]) for place, value in enumerate(cells))

    def _unjudged(self, name: str, distinct: list[str]) -> list[str]:
        if len(self.judged[name]) > REMEMBERED_VALUES:
            self.judged[name] = {}
        return [value for value in distinct if value not in self.judged[name]]

    def _forget_long(self, name: str, distinct: list[str]) -> None:
        for value in distinct:
            if len(value) > LONGEST_REMEMBERED:
                self.judged[name].pop(value, None)

    def _failures(self, frame: pd.DataFrame) -> dict[str, Mask]:
        """For each column, which rows pandera refuses. The frame has a fresh index, or rows would be mixed up."""
        masks = {str(name): np.zeros(len(frame), dtype=bool) for name in frame.columns}
        try:
            self.schema.validate(frame, lazy=True, inplace=True)
        except SchemaErrors as error:
            cases = error.failure_cases
            if cases["index"].isna().any():  # a failure of no row would be lost: stop instead
                raise
            for column, places in cases.groupby("column")["index"]:
                masks[str(column)][places.astype(int).to_numpy()] = True
        return masks

    def _packed(self, rows: pa.Table, coded: Mapping[str, _Coded], keep: Mask) -> pa.Table:
        columns = {
            "line_number": rows.column("line_number").cast(pa.uint32()),
            "report_id": _text(rows, "report_id"),
            "reported_at": _text(rows, "reported_at"),
            "region": _text(rows, "region"),
            **{name: _ordinal(coded.get(name), values, rows.num_rows) for name, values in CODED_CONTEXT.items()},
            **{name: _choice(coded.get(name), values, rows.num_rows) for name, values in self.pack.choices.items()},
            **{name: self._integer(coded.get(name), name, rows.num_rows) for name in self.pack.numbers},
            **self._answers(rows, coded),
        }
        table = pa.table([columns[name] for name in self.accepted.names], schema=self.accepted)
        return table if keep.all() else table.filter(pa.array(keep))

    def _integer(self, column: _Coded | None, name: str, rows: int) -> pa.Array:
        kind = self.accepted.field(name).type
        if column is None:
            return pa.nulls(rows, kind)
        numbers = [_number(value, self.pack.numbers[name]) for value in column.values]
        table = np.array([*(n or 0 for n in numbers), 0], dtype=kind.to_pandas_dtype())
        missing = np.array([*(n is None for n in numbers), True])
        return pa.array(column.taken(table), mask=column.taken(missing))

    def _answers(self, rows: pa.Table, coded: Mapping[str, _Coded]) -> dict[str, pa.Array]:
        """Two masks, a bit a field: whether it has an answer, and whether that is yes."""
        masks = {name: np.zeros(rows.num_rows, dtype=np.uint32) for name in ANSWER_MASKS}
        for place, name in enumerate(self.pack.field_names):
            if name in coded:
                bits = [_word_bits(coded[name], place, answers) for answers in ((True, False), (True,))]
            elif name in rows.column_names:
                bits = [read.astype(np.uint32) << np.uint32(place) for read in _read_answers(rows.column(name))]
            else:
                continue
            for mask, column in zip(masks.values(), bits, strict=True):
                mask |= column
        return {name: pa.array(mask) for name, mask in masks.items()}

    def _bad_cells(
        self, rows: pa.Table, bad: Mapping[str, Mask], wrong: Mask, bad_lines: Sequence[BadLine]
    ) -> pa.Table:
        parts = [_line_reasons(bad_lines)]
        if wrong.any():
            parts += [self._reasons(rows, name, mask) for name, mask in bad.items() if mask.any()]
        return pa.concat_tables(parts).sort_by("line_number")

    def _reasons(self, rows: pa.Table, name: str, mask: Mask) -> pa.Table:
        """One row for every bad cell of a column."""
        chosen = rows.filter(pa.array(mask))
        values = [_cut(value) for value in _text(chosen, name).to_pylist()]
        if name == ADAPTER_ERROR:
            checks, allowed = ["adapter"] * len(values), "what the source's adapter can translate"
        else:
            checks = ["required" if value is None else check_name(self.schema, name) for value in values]
            allowed = allowed_text(self.schema, name)
        ids = [_cut(value) for value in _text(chosen, "report_id").to_pylist()]
        columns = [
            chosen.column("line_number"),
            ids,
            [name] * len(values),
            checks,
            [allowed] * len(values),
            values,
        ]
        return pa.table([pa.chunked_array(c) if isinstance(c, pa.Array) else c for c in columns], schema=BAD_CELLS)


def distinct(column: pa.ChunkedArray) -> tuple[list[str], Callable[[], list[int]]]:
    """A column's distinct values, blanks left out, and a function that counts the cells of each."""
    array = _dictionary(column)

    def counts() -> list[int]:
        coded = _coded(column)
        return np.bincount(coded.places, minlength=len(coded.values) + 1)[:-1].tolist()  # type: ignore[no-any-return]

    return ([] if array is None else array.dictionary.to_pylist()), counts


def _coded(column: pa.ChunkedArray) -> _Coded:
    array = _dictionary(column)
    if array is None:
        return _Coded([], np.zeros(0, dtype=np.int64))
    values = array.dictionary.to_pylist()
    places = array.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    return _Coded(values, places)


def _dictionary(column: pa.ChunkedArray) -> pa.DictionaryArray | None:
    """A column as one dictionary-encoded array; None where it has no rows."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        return array.chunk(0) if array.num_chunks else None
    return array


def _adapter_errors(rows: pa.Table) -> dict[str, Mask]:
    if ADAPTER_ERROR not in rows.column_names:
        return {}
    return {ADAPTER_ERROR: rows.column(ADAPTER_ERROR).is_valid().to_numpy()}


def _read_answers(column: pa.ChunkedArray) -> tuple[Mask, Mask]:
    """Whether each row has an answer, and whether that is yes."""
    array = column.combine_chunks()
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    # without its nulls first: an array with nulls would become one of Python objects
    anything = pa.Array.from_buffers(array.type, len(array), [None, array.buffers()[1]], offset=array.offset)
    return valid, valid & anything.to_numpy(zero_copy_only=False)


def _word_bits(column: _Coded, place: int, answers: tuple[bool, ...]) -> npt.NDArray[np.uint32]:
    """Bit `place` in each row of which the word is one of the answers."""
    found = [is_answer(value) and ANSWERS[value.lower()] in answers for value in column.values]
    return column.taken(np.array([*found, False], dtype=np.uint32) << np.uint32(place))


def _text(rows: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in rows.column_names:
        return pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])
    return rows.column(name).cast(pa.string())


def _ordinal(column: _Coded | None, values: Sequence[str], rows: int) -> pa.Array:
    """1 + the value's place in its list; 0 where blank (or bad, and then not kept)."""
    if column is None:
        return pa.array(np.zeros(rows, dtype=np.uint8))
    codes = [code_of(values, value) for value in column.values]
    return pa.array(column.taken(np.array([*codes, UNKNOWN_CODE], dtype=np.uint8)))


def _choice(column: _Coded | None, values: Sequence[str], rows: int) -> pa.Array:
    """As `_ordinal`, in any case; the words for no answer are blank too."""
    plain = None if column is None else _Coded([value.lower() for value in column.values], column.places)
    return _ordinal(plain, values, rows)


def _number(value: str, limits: tuple[int, int]) -> int | None:
    good = value.isascii() and value.isdigit() and len(value) < 10 and limits[0] <= int(value) <= limits[1]
    return int(value) if good else None


def _line_reasons(bad_lines: Iterable[BadLine]) -> pa.Table:
    rows = [(b.line_number, None, None, b.check, b.allowed, _cut(b.text)) for b in bad_lines]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(BAD_CELLS)
    return pa.table([pa.array(c, t) for c, t in zip(columns, BAD_CELLS.types, strict=True)], schema=BAD_CELLS)


def _cut(value: str | None) -> str | None:
    return value if value is None else value[:VALUE_CUT]
