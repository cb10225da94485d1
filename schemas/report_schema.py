"""The pandera schema of a canonical report while it is still text: every check on a cell, declared once.

One check a column, so that a bad cell has one reason; cells are judged as text, before any typing, so that
a cell that cannot be converted never hides another one. A blank cell is null and means unknown.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Container, Iterable, Sequence
from typing import TYPE_CHECKING

import pandas as pd

with warnings.catch_warnings():  # pandera's own imports warn; ours must not
    warnings.simplefilter("ignore")
    import pandera.pandas as pandera

from schemas.fields import CONTEXT_FIELDS, NO_WORDS, UNKNOWN_WORDS, YES_WORDS, ContextField

if TYPE_CHECKING:
    from schemas.pack import Field, Pack

ANSWER_ALLOWED = "yes/no, y/n, true/false, t/f, 1/0, NA, unknown or blank"
LONGEST_UNKNOWN = max(map(len, UNKNOWN_WORDS))
SAYS_UNKNOWN = f"(?i)({'|'.join(UNKNOWN_WORDS)})"
ANSWERS: dict[str, bool | None] = (
    dict.fromkeys(YES_WORDS, True) | dict.fromkeys(NO_WORDS, False) | dict.fromkeys(UNKNOWN_WORDS, None)
)


def is_answer(cell: str) -> bool:
    """Return whether a symptom cell can be read; `ANSWERS[cell.lower()]` is then its answer."""
    return cell.isascii() and cell.lower() in ANSWERS  # some foreign letters have plain ones as lower case


def make_report_schema(pack: Pack, regions: Sequence[str] = ()) -> pandera.DataFrameSchema:
    """Columns: the context fields and the pack's fields, all as text, null where blank.

    `regions` are the allowed ones, in any case; any if there is none. A column may be absent from a frame
    (then it is not judged); a required one may not be null. To make one takes as long as to check a small file, and
    checking leaves it as it is: one is made for all files that have the same fields and regions.
    """
    return _make_schema(pack.fields, tuple(regions))


@functools.lru_cache(maxsize=16)
def _make_schema(fields: tuple[Field, ...], regions: tuple[str, ...]) -> pandera.DataFrameSchema:
    columns = {field.name: _make_context_column(field) for field in CONTEXT_FIELDS}
    if regions:
        allowed = frozenset(region.lower() for region in regions)
        columns["region"] = _make_column(
            "allowed_values", " ".join(regions), lambda cells: _says(cells, allowed), required=False
        )
    columns |= {field.name: _make_own_column(field) for field in fields}
    return pandera.DataFrameSchema(columns, strict=True, unique_column_names=True)


def describe_allowed(schema: pandera.DataFrameSchema, column: str) -> str:
    """Return what is allowed in a column, in words a sender understands."""
    return str(schema.columns[column].checks[0].error)


def check_name(schema: pandera.DataFrameSchema, column: str) -> str:
    """Return the name of a column's check, as the quarantine shows it."""
    return str(schema.columns[column].checks[0].name)


def list_choice_words(values: Iterable[str]) -> frozenset[str]:
    """Return what a cell of a choice may say, in lower case."""
    return frozenset((*values, *UNKNOWN_WORDS))


def _make_own_column(field: Field) -> pandera.Column:
    """Return the column of a field that the pack declares."""
    if field.type == "number":
        allowed = f"integer {field.smallest}-{field.largest} ({field.unit}), NA, unknown or blank"
        number = _make_number_test(field.smallest, field.largest)
        return _make_column(
            "whole_number", allowed, lambda cells: number(cells) | _says(cells, UNKNOWN_WORDS), required=False
        )
    if field.type == "choice":
        words = list_choice_words(field.values)
        allowed = f"{', '.join(field.values)}, NA, unknown or blank"
        return _make_column("allowed_values", allowed, lambda cells: _says(cells, words), required=False)
    return _make_column("answer", ANSWER_ALLOWED, lambda cells: cells.map(is_answer), required=False)


def _says(cells: pd.Series, words: Container[str]) -> pd.Series:
    """Return which cells say one of the words, in any case but in plain letters: see `is_answer`."""
    return cells.map(lambda cell: cell.isascii() and cell.lower() in words).astype(bool)


def _make_context_column(field: ContextField) -> pandera.Column:
    name, test = _make_context_test(field)
    return _make_column(name, field.allowed, test, required=field.required)


def _make_context_test(field: ContextField) -> tuple[str, Callable[[pd.Series], pd.Series]]:
    if field.limits:
        return "whole_number", _make_number_test(*field.limits)
    if field.values:
        values = field.values
        return "allowed_values", lambda cells: cells.isin(values)
    if field.name == "report_id":
        return "pattern", _matches_but_says_something(str(field.pattern))
    return "pattern", _matches(str(field.pattern))


def _make_column(name: str, allowed: str, test: Callable[[pd.Series], pd.Series], required: bool) -> pandera.Column:
    check = pandera.Check(test, name=name, error=allowed)
    return pandera.Column(None, checks=check, nullable=not required, required=False)


def _matches(pattern: str) -> Callable[[pd.Series], pd.Series]:
    return lambda cells: cells.str.fullmatch(pattern)


def _matches_but_says_something(pattern: str) -> Callable[[pd.Series], pd.Series]:
    """Make the test of ids: all the rows without a number would else be one report."""

    def test(cells: pd.Series) -> pd.Series:
        good = cells.str.fullmatch(pattern)
        if (cells.str.len() > LONGEST_UNKNOWN).all():
            return good
        return good & ~cells.str.fullmatch(SAYS_UNKNOWN)

    return test


def _make_number_test(smallest: int, largest: int) -> Callable[[pd.Series], pd.Series]:
    def test(cells: pd.Series) -> pd.Series:
        digits = cells.str.fullmatch("[0-9]{1,9}").astype(bool)
        number = pd.to_numeric(cells.where(digits), errors="coerce")
        return digits & number.between(smallest, largest)

    return test
