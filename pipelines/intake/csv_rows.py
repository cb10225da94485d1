"""Parse blocks of lines into raw rows with line numbers, strictly.

Common CSV readers lose rows without a word (docs/input.md says how), so the front end is ours and
strict: the header is matched by name, every physical line must have the header's width under RFC 4180, a
line break inside quotes is not allowed, and every line is accounted for. A block without quotes, stray
carriage returns or blank lines takes a vectorised path whose row count must equal the line count; any
other block is read line by line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv

from pipelines.errors import FileRejected, OtherDelimiter
from pipelines.intake.lines import Block
from schemas.fields import NO_WORDS, YES_WORDS, list_spellings

QUOTING = "RFC 4180 quotes that open and close on one line: export without line breaks inside cells"
ENCODING = "UTF-8 text: export the file as UTF-8 (spreadsheets call it CSV UTF-8)"
BOM = b"\xef\xbb\xbf"
LONGEST_HEADER, MOST_COLUMNS = 1 << 16, 1_000


@dataclass(frozen=True)
class BadLine:
    """A line that is no row of the header's width: which check it fails and its text."""

    line_number: int
    check: str
    allowed: str
    text: str


@dataclass(frozen=True)
class RawRows:
    """The rows of a block: every column as text, null where blank, and `line_number`; and the block itself."""

    block: Block
    table: pa.Table
    bad_lines: tuple[BadLine, ...]
    blank_lines: int


def split_header(block: Block) -> tuple[bytes, Block]:
    """Return the header line and the rest of the first block. Raises as `split_header_line`."""
    header, behind = split_header_line(block.data)
    return header, Block(2, block.data[behind:], block.lines - 1)


def split_header_line(data: bytes) -> tuple[bytes, int]:
    """Return the header line without its line end and byte order mark, and where the rest begins.

    Raises FileRejected for a header beyond the bound: a small file of nothing but columns would take the memory.
    """
    end = data.index(b"\n") + 1
    if end > LONGEST_HEADER:
        raise FileRejected(f"the header is longer than {LONGEST_HEADER:,} bytes; is a line end missing?")
    return data[:end].removeprefix(BOM).rstrip(b"\r\n"), end


def parse_header(line: bytes, delimiter: str) -> list[str]:
    """Return the column names. Raises FileRejected for a line that cannot be a header.

    A blank name becomes `unnamed_N` by its position, as exports with a row index have it.
    """
    text = _decode_header(line)
    cells = split_line(text, delimiter)
    _check_delimiter(text, cells or [], delimiter)
    if cells is None:
        raise FileRejected(
            "the header is not RFC 4180 (a quote is open or inside a bare cell); export without line breaks in cells"
        )
    if len(cells) > MOST_COLUMNS:
        raise FileRejected(f"the header has {len(cells):,} columns; at most {MOST_COLUMNS:,} are read")
    names = [cell or f"unnamed_{place}" for place, cell in enumerate(cells, 1)]
    if not text.strip():
        raise FileRejected("the first line is blank; a header line is required")
    _check_names_differ(names)
    return names


def _decode_header(line: bytes) -> str:
    """Return the header line as text. Raises FileRejected for what is no line of UTF-8."""
    if line.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise FileRejected("is a workbook or an archive, whatever it is called; save it as CSV (UTF-8)")
    if line.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in line:
        raise FileRejected("is not UTF-8 text (it looks like UTF-16 or binary); export it as UTF-8")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileRejected(
            "the header is not UTF-8 text; export the file as UTF-8 (spreadsheets call it CSV UTF-8)"
        ) from error
    if "\r" in text:
        raise FileRejected("lines end in a lone carriage return; export the file with LF or CRLF line ends")
    return text


def _check_names_differ(names: list[str]) -> None:
    """Raise FileRejected if two names are the same.

    If the header line is missing, these are values of a report: the message tells places, not texts.
    """
    first: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        before = first.setdefault(name.lower(), place)  # SQL does not tell names apart by case
        if before != place:
            raise FileRejected(f"columns {before} and {place} of the header have the same name")


def _check_delimiter(text: str, cells: list[str], delimiter: str) -> None:
    """Raise OtherDelimiter for a header that is no CSV or has one cell, if another delimiter makes several of it."""
    for other, words in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars"), (",", "commas")):
        if other != delimiter and len(cells) < 2 and len(split_line(text, other) or []) > 1:
            raise OtherDelimiter(other, words)


def split_line(text: str, delimiter: str) -> list[str] | None:
    """Return the cells of one physical line under RFC 4180, or None if its quoting is broken."""
    if '"' not in text:
        return text.split(delimiter)
    cells, place = [], 0
    while True:
        if text.startswith('"', place):
            end = _find_closing_quote(text, place + 1)
            if end < 0:
                return None
            cells.append(text[place + 1 : end].replace('""', '"'))
            place = end + 1
        else:
            end = text.find(delimiter, place)
            end = len(text) if end < 0 else end
            if '"' in text[place:end]:
                return None
            cells.append(text[place:end])
            place = end
        if place == len(text):
            return cells
        if text[place] != delimiter:
            return None
        place += 1


def _find_closing_quote(text: str, place: int) -> int:
    """Find the end of a quoted cell: the next quote that is not doubled, or -1."""
    while True:
        place = text.find('"', place)
        if place < 0 or not text.startswith('""', place):
            return place
        place += 2


def parse_block(
    block: Block, names: Sequence[str], delimiter: str, whole: frozenset[str], answers: frozenset[str] = frozenset()
) -> RawRows:
    """Split a block's lines into cells, all as text; columns not in `whole` are dictionary encoded.

    The columns `answers` are boolean if every cell of them in the block is blank or a plain word for yes or no,
    which is faster. Every line becomes a row, a bad line or a blank line.
    """
    raw = parse_at_once(block, names, delimiter, whole, answers)
    return parse_line_by_line(block, names, delimiter, whole) if raw is None else raw


def parse_at_once(
    block: Block, names: Sequence[str], delimiter: str, whole: frozenset[str], answers: frozenset[str]
) -> RawRows | None:
    """Do the same by a vectorised reader; return None if each line must be looked at."""
    table = _parse_fast(block, names, delimiter, whole, answers)
    if table is None:
        return None
    numbers = pa.arange(block.first_line, block.first_line + block.lines)
    return RawRows(block, table.append_column("line_number", numbers), (), 0)


def _parse_fast(
    block: Block, names: Sequence[str], delimiter: str, whole: frozenset[str], answers: frozenset[str]
) -> pa.Table | None:
    """Parse the block by a vectorised reader; return None if each line must be looked at."""
    data = block.data
    if _needs_line_by_line(data) or not delimiter.isascii():
        return None
    table = _read_csv(data, names, delimiter, _choose_column_types(names, whole, answers)) if answers else None
    if table is None:
        table = _read_csv(data, names, delimiter, _choose_column_types(names, whole, frozenset()))
    if table is None or table.num_rows != block.lines:  # blank lines are no rows: then each line is looked at
        return None
    return table


def _choose_column_types(
    names: Sequence[str], whole: frozenset[str], answers: frozenset[str]
) -> dict[str, pa.DataType]:
    coded = pa.dictionary(pa.int32(), pa.string())
    return {name: pa.string() if name in whole else pa.bool_() if name in answers else coded for name in names}


def _read_csv(data: bytes, names: Sequence[str], delimiter: str, types: dict[str, pa.DataType]) -> pa.Table | None:
    """Return None if a line has another width, or a cell does not fit its column's type."""
    try:
        return pyarrow.csv.read_csv(
            pa.BufferReader(data),
            read_options=pyarrow.csv.ReadOptions(column_names=list(names), use_threads=False, block_size=len(data) + 1),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, quote_char=False, ignore_empty_lines=True, newlines_in_values=False
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=types,
                null_values=[""],
                strings_can_be_null=True,
                check_utf8=not data.isascii(),
                true_values=list_spellings(YES_WORDS),
                false_values=list_spellings(NO_WORDS),
            ),
        )
    except pa.ArrowInvalid:
        return None


def _needs_line_by_line(data: bytes) -> bool:
    """Whether a block has quotes, NULs, lone carriage returns or a byte order mark: Arrow would get them wrong."""
    lone_returns = b"\r" in data and data.count(b"\r\n") != data.count(b"\r")
    return b'"' in data or b"\0" in data or lone_returns or data.startswith(BOM)


def parse_line_by_line(block: Block, names: Sequence[str], delimiter: str, whole: frozenset[str]) -> RawRows:
    rows: list[list[str]] = []
    numbers: list[int] = []
    bad: list[BadLine] = []
    blank = 0
    for number, line in enumerate(block.data.split(b"\n")[:-1], block.first_line):
        line = line.removesuffix(b"\r")
        if not line:
            blank += 1
            continue
        cells = _split_cells(number, line, len(names), delimiter)
        if isinstance(cells, BadLine):
            bad.append(cells)
        else:
            rows.append(cells)
            numbers.append(number)
    table = _build_text_table(rows, names, whole).append_column("line_number", pa.array(numbers, pa.int64()))
    return RawRows(block, table, tuple(bad), blank)


def _split_cells(number: int, line: bytes, width: int, delimiter: str) -> list[str] | BadLine:
    text = line.decode("utf-8", errors="backslashreplace")
    if b"\0" in line or b"\r" in line:
        return BadLine(number, "control_character", "no NUL and no carriage return inside a line", text)
    if "\\x" in text and text.encode() != line:
        return BadLine(number, "encoding", ENCODING, text)
    cells = split_line(text, delimiter)
    if cells is None:
        return BadLine(number, "quoting", QUOTING, text)
    if len(cells) != width:
        return BadLine(number, "width", f"{width} cells; this line has {len(cells)}", text)
    return cells


def _build_text_table(rows: list[list[str]], names: Sequence[str], whole: frozenset[str]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    arrays = []
    for name, cells in zip(names, columns, strict=True):
        text = pa.array([cell or None for cell in cells], pa.string())
        arrays.append(text if name in whole else text.dictionary_encode())
    return pa.table(arrays, names=list(names))
