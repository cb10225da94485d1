"""Validate canonical rows: accepted rows, packed, and every bad cell of the others (pandera).

A check that looks at one cell at a time needs to see each distinct value once: columns of few values come
dictionary encoded, and pandera validates the dictionary; only report ids and times are validated row by row.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pandera.errors import SchemaErrors

from pipelines.intake.coded_columns import CodedColumn, blank_unknown_words, encode_column, read_text_column
from pipelines.intake.csv_rows import BadLine
from pipelines.intake.layouts.adapters import ADAPTER_ERROR
from pipelines.intake.packing import pack_rows
from pipelines.intake.reader import WHOLE_COLUMNS, is_read_answer
from schemas.checked_file import BAD_CELLS
from schemas.pack import Pack
from schemas.report_schema import check_name, describe_allowed, make_report_schema

VALUE_CUT = 80
REMEMBERED_VALUES = 100_000  # distinct values of a column that are remembered as validated
LONGEST_REMEMBERED = 80  # characters; a file of nothing but long cells would fill the memory

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Validated:
    """A block's rows: the accepted ones (as `make_untyped_schema`) and every bad cell of the others (BAD_CELLS)."""

    accepted: pa.Table
    bad_cells: pa.Table


class Validator:
    """Validate the blocks of one file after another; shared by the threads that read it."""

    def __init__(self, pack: Pack, regions: Sequence[str] = ()) -> None:
        self.pack = pack
        self.schema = make_report_schema(pack, regions)
        self.verdicts: dict[str, dict[str, bool]] = {name: {} for name in self.schema.columns}
        self.lock = threading.Lock()

    def validate(self, rows: pa.Table, bad_lines: Sequence[BadLine] = ()) -> Validated:
        """Split canonical rows (text, null where blank, with `line_number`) into accepted rows and bad cells."""
        coded = {
            name: blank_unknown_words(name, encode_column(rows.column(name))) for name in self._list_coded_names(rows)
        }
        bad = self._find_bad_rows(rows) | self._find_bad_values(coded) | _find_adapter_errors(rows)
        wrong = np.zeros(rows.num_rows, dtype=bool)
        for mask in bad.values():
            wrong |= mask
        accepted = pack_rows(rows, coded, ~wrong, self.pack)
        return Validated(accepted, self._collect_bad_cells(rows, bad, bad_lines))

    def _list_coded_names(self, rows: pa.Table) -> list[str]:
        present = set(rows.column_names) - WHOLE_COLUMNS
        return [name for name in self.schema.columns if name in present and not is_read_answer(rows.column(name))]

    def _find_bad_rows(self, rows: pa.Table) -> dict[str, Mask]:
        """Validate columns of as many values as rows, row by row on Arrow-backed frames without a copy."""
        names = [name for name in self.schema.columns if name in WHOLE_COLUMNS]
        present = rows.select([name for name in names if name in rows.column_names])
        for name in names:  # an adapter may leave a required column out: then every row lacks it
            if name not in present.column_names:
                present = present.append_column(name, pa.nulls(rows.num_rows, pa.string()))
        frame = present.to_pandas(types_mapper=pd.ArrowDtype)
        return {name: mask for name, mask in self._find_failures(frame).items() if mask.any()}

    def _find_bad_values(self, coded: Mapping[str, CodedColumn]) -> dict[str, Mask]:
        with self.lock:
            self._validate_new({name: column.values for name, column in coded.items()})
            good = {name: [self.verdicts[name][value] for value in column.values] for name, column in coded.items()}
            for name, column in coded.items():
                self._forget_long(name, column.values)
        return {
            name: ~coded[name].take(np.array([*verdicts, True])) for name, verdicts in good.items() if not all(verdicts)
        }

    def _validate_new(self, values: Mapping[str, list[str]]) -> None:
        """Let pandera validate the values not seen before, all columns in one frame padded with blanks."""
        new = {name: cells for name, distinct in values.items() if (cells := self._select_new(name, distinct))}
        if not new:
            return
        rows = max(map(len, new.values()))
        frame = pd.DataFrame({name: pd.Series(cells, dtype="str") for name, cells in new.items()}, index=range(rows))
        failed = self._find_failures(frame)
        for name, cells in new.items():
            bad = failed[name]
            self.verdicts[name].update((value, not bad[place]) for place, value in enumerate(cells))

    def _select_new(self, name: str, distinct: list[str]) -> list[str]:
        if len(self.verdicts[name]) > REMEMBERED_VALUES:
            self.verdicts[name] = {}
        return [value for value in distinct if value not in self.verdicts[name]]

    def _forget_long(self, name: str, distinct: list[str]) -> None:
        for value in distinct:
            if len(value) > LONGEST_REMEMBERED:
                self.verdicts[name].pop(value, None)

    def _find_failures(self, frame: pd.DataFrame) -> dict[str, Mask]:
        """Return which rows of each column pandera refuses. The frame has a fresh index, or rows would be mixed up."""
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

    def _collect_bad_cells(self, rows: pa.Table, bad: Mapping[str, Mask], bad_lines: Sequence[BadLine]) -> pa.Table:
        parts = [_list_bad_lines(bad_lines)]
        parts += [self._list_bad_cells(rows, name, mask) for name, mask in bad.items() if mask.any()]
        return pa.concat_tables(parts).sort_by("line_number")

    def _list_bad_cells(self, rows: pa.Table, name: str, mask: Mask) -> pa.Table:
        """Make one row for every bad cell of a column."""
        chosen = rows.filter(pa.array(mask))
        values = [_cut_value(value) for value in read_text_column(chosen, name).to_pylist()]
        if name == ADAPTER_ERROR:
            checks, allowed = ["adapter"] * len(values), "what the source's adapter can translate"
        else:
            checks = ["required" if value is None else check_name(self.schema, name) for value in values]
            allowed = describe_allowed(self.schema, name)
        ids = [_cut_value(value) for value in read_text_column(chosen, "report_id").to_pylist()]
        columns = [
            chosen.column("line_number"),
            ids,
            [name] * len(values),
            checks,
            [allowed] * len(values),
            values,
        ]
        return pa.table([pa.chunked_array(c) if isinstance(c, pa.Array) else c for c in columns], schema=BAD_CELLS)


def _find_adapter_errors(rows: pa.Table) -> dict[str, Mask]:
    if ADAPTER_ERROR not in rows.column_names:
        return {}
    return {ADAPTER_ERROR: rows.column(ADAPTER_ERROR).is_valid().to_numpy()}


def _list_bad_lines(bad_lines: Iterable[BadLine]) -> pa.Table:
    rows = [(b.line_number, None, None, b.check, b.allowed, _cut_value(b.text)) for b in bad_lines]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(BAD_CELLS)
    return pa.table([pa.array(c, t) for c, t in zip(columns, BAD_CELLS.types, strict=True)], schema=BAD_CELLS)


def _cut_value(value: str | None) -> str | None:
    return value if value is None else value[:VALUE_CUT]
