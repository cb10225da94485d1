"""Bytes to rows: every physical line is a row, a bad line or a blank one, on either path, however blocks are cut."""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from pipelines.errors import FileRejected
from pipelines.intake import csv_rows, lines
from pipelines.intake.csv_rows import (
    BOM,
    ENCODING,
    BadLine,
    RawRows,
    parse_block,
    parse_header,
    parse_line_by_line,
    split_header,
    split_line,
)
from pipelines.intake.layouts.adapters import check_header, load_adapter
from pipelines.intake.lines import Block, ContentMeter, hash_content, read_blocks, read_lines_at
from pipelines.settings import Settings, Source
from pipelines.store.ledger import Outcome
from schemas.pack import Pack
from tests.support.drawing import examples as share_of

SETTINGS = Settings()
WHOLE = frozenset({"a"})


class Content(NamedTuple):
    """What a file holds: rows as (line number, *cells), bad lines as (line number, check), how many blank lines."""

    rows: list[tuple[Any, ...]]
    bad: list[tuple[int, str]]
    blank: int


def read_block(block: Block, names: list[str], delimiter: str = ",", path: str = "any") -> Content:
    reader = parse_line_by_line if path == "slow" else parse_block
    return content(reader(block, names, delimiter, WHOLE))


def content(raw: RawRows) -> Content:
    columns = [raw.table.column(name).cast(pa.string()).to_pylist() for name in raw.table.column_names[:-1]]
    rows = list(zip(raw.table.column("line_number").to_pylist(), *columns, strict=True))
    return Content(rows, [(line.line_number, line.check) for line in raw.bad_lines], raw.blank_lines)


def block_of(data: bytes) -> Block:
    return Block(2, data, data.count(b"\n"))


def read_file(path: Path, delimiter: str = ",") -> tuple[list[str], Content]:
    """The whole file as an ingest reads it, block after block."""
    stream = read_blocks(path, SETTINGS)
    line, rest = split_header(next(stream))
    names = parse_header(line, delimiter)
    parts = [content(parse_block(block, names, delimiter, WHOLE)) for block in [rest, *stream] if block.lines]
    rows = [row for part in parts for row in part.rows]
    return names, Content(rows, [bad for part in parts for bad in part.bad], sum(part.blank for part in parts))


def scan(path: Path, settings: Settings = SETTINGS) -> tuple[str, int]:
    """The content's hash and its number of lines, as they are taken while the file is read."""
    meter = ContentMeter()
    for _ in read_blocks(path, settings, meter):
        pass
    assert meter.file_id == hash_content(path, settings)
    return meter.file_id, meter.lines


@contextmanager
def blocks_of(size: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", size)
        yield


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root, for whom every file is readable."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that anybody may enter; pytest's own are for their owner alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("read")


def written(folder: Path, data: bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def zstandard(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


# --- cells ------------------------------------------------------------------------------------------

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0"), max_size=8)
ROWS = st.integers(2, 4).flatmap(lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=6))


@given(ROWS)
@example([["\ufeffa", "b"]])
@example([["NA", "null", "nan", " "]])
def test_what_the_csv_module_writes_is_read_back_cell_for_cell_on_both_paths(rows: list[list[str]]) -> None:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    names = list("abcd"[: len(rows[0])]) if rows else ["a", "b"]
    block = block_of(stream.getvalue().encode())
    expected = [(number, *(cell or None for cell in row)) for number, row in enumerate(rows, 2)]
    for path in ("any", "slow"):
        assert read_block(block, names, path=path) == Content(expected, [], 0)


def test_a_clean_block_takes_the_vectorised_path() -> None:
    table = csv_rows._parse_fast(block_of(b"1,x\r\n2,\n"), ["a", "b"], ",", WHOLE, frozenset())
    assert table is not None
    assert table.to_pylist() == [{"a": "1", "b": "x"}, {"a": "2", "b": None}]


# pieces of lines that a reader may trip over
PIECES = (
    b"""x|yes|,|,|,|"|""| |\t|;|\r|\0|\xff|\xc3\xa9|\xed\xa0\x80|\xef\xbb\xbf|\\x41|#|'|\x1a|\x0b|\xe2\x80\xa8""".split(
        b"|"
    )
)
PIECE = st.sampled_from(PIECES)
LINE = st.lists(PIECE, max_size=8).map(b"".join) | st.just(b"1,2,3") | st.just(b"")
DOCUMENT = st.tuples(st.lists(LINE, max_size=8), st.sampled_from([b"\n", b"\r\n"]), st.sampled_from([b"", b"\n"])).map(
    lambda parts: parts[1].join(parts[0]) + parts[2]
)


@given(DOCUMENT, st.integers(1, 40))
@example(BOM + b"1,2,3\n", 3)
@example(b"1,2,3\n" + BOM + b"1,2,3\n", 6)
@examples(max_examples=share_of(150), deadline=None)
def test_blocks_may_be_cut_anywhere_and_the_vectorised_path_changes_nothing(
    folder: Path, document: bytes, size: int
) -> None:
    path = written(folder, b"a,b,c\n" + document)
    last = b"" if document.endswith(b"\n") or not document else b"\n"
    whole = read_block(block_of(document + last), ["a", "b", "c"], path="slow")
    with blocks_of(size):
        assert read_file(path) == (["a", "b", "c"], whole)
    lines = scan(path)[1]
    assert lines == 1 + len(whole.rows) + len(whole.bad) + whole.blank


CELLS = r'(?:"(?:[^"]|"")*"|[^",]*)'
GRAMMAR = re.compile(rf"{CELLS}(?:,{CELLS})*")  # RFC 4180, one record on one line


@given(st.text(alphabet='ab",; ', max_size=12))
def test_a_line_is_split_exactly_where_the_grammar_of_rfc_4180_says(text: str) -> None:
    cells = split_line(text, ",")
    assert (cells is not None) == (GRAMMAR.fullmatch(text) is not None)
    if cells is not None:
        assert cells == (next(csv.reader([text], strict=True)) if text else [""])


@pytest.mark.parametrize(
    ("line", "check"),
    [
        (b"1,2", "width"),
        (b"1,2,3,4", "width"),
        (b"1,2,3,", "width"),
        (b"   ", "width"),
        (b"1;2;3", "width"),
        (b'1,"2,3', "quoting"),
        (b'1,2",3', "quoting"),
        (b'1,"2"x,3', "quoting"),
        (b'1,"2" ,3', "quoting"),
        (b"1,2\0,3", "control_character"),
        (b"1,2\r,3", "control_character"),
        (b"1,2,3\r\r", "control_character"),
        (b"1,\xe9,3", "encoding"),
        (b"1,\xed\xa0\x80,3", "encoding"),
    ],
)
def test_a_line_that_is_no_row_is_reported_and_its_neighbours_are_kept(line: bytes, check: str) -> None:
    found = read_block(block_of(b"1,2,3\n" + line + b"\n4,5,6\n"), ["a", "b", "c"])
    assert found == Content([(2, "1", "2", "3"), (4, "4", "5", "6")], [(3, check)], 0)


def test_a_line_break_inside_quotes_makes_two_bad_lines_and_no_more() -> None:
    found = read_block(block_of(b'1,"2\n2",3\n4,5,6\n'), ["a", "b", "c"])
    assert found == Content([(4, "4", "5", "6")], [(2, "quoting"), (3, "quoting")], 0)


def test_a_text_that_looks_like_an_escaped_byte_is_a_text() -> None:
    assert read_block(block_of(b'"\\xff",2\n'), ["a", "b"]).rows == [(2, "\\xff", "2")]


def test_blank_lines_are_counted_wherever_they_stand() -> None:
    found = read_block(block_of(b"\n1,2\n\r\n3,4\n\n"), ["a", "b"])
    assert found == Content([(3, "1", "2"), (5, "3", "4")], [], 3)


def test_a_file_of_one_column_has_blank_lines_too() -> None:
    assert read_block(block_of(b"1\n\n2\n"), ["a"]) == Content([(2, "1"), (4, "2")], [], 1)


@pytest.mark.parametrize("delimiter", [";", "\t", "|", "§"])
def test_any_one_character_can_be_the_delimiter(delimiter: str) -> None:
    block = block_of(f'1{delimiter}a,b\n2{delimiter}"x{delimiter}y"\n'.encode())
    assert read_block(block, ["a", "b"], delimiter).rows == [(2, "1", "a,b"), (3, "2", f"x{delimiter}y")]
    assert read_block(block_of(f"1{delimiter}a\n".encode()), ["a", "b"], delimiter).rows == [(2, "1", "a")]


def test_line_ends_may_be_mixed_and_the_last_may_be_missing(folder: Path) -> None:
    path = written(folder, b"a,b\r\n1,2\n3,4\r\n5,6")
    assert read_file(path) == (["a", "b"], Content([(2, "1", "2"), (3, "3", "4"), (4, "5", "6")], [], 0))


@pytest.mark.parametrize("size", [1, 700, 1 << 20, 8 << 20])
def test_a_line_beyond_the_bound_rejects_the_file_wherever_blocks_are_cut(
    folder: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 1000)
    longest = b"1," + b"x" * 998
    path = written(folder, b"a,b\n1,2\n" + longest + b"\n" + longest)
    with blocks_of(size):
        assert len(read_file(path)[1].rows) == 3
        for text in (longest + b"x\n1,2\n", longest + b"x"):
            path = written(folder, b"a,b\n1,2\n" + text)
            with pytest.raises(FileRejected, match="longer than 1,000 bytes"):
                read_file(path)


def test_a_cell_of_a_megabyte_is_read_whole(folder: Path) -> None:
    cell = "x" * (1_000_000)
    rows = read_file(written(folder, f"a,b\n1,{cell}\n2,y\n".encode()))[1].rows
    assert rows == [(2, "1", cell), (3, "2", "y")]


# --- header -----------------------------------------------------------------------------------------


def header_of(data: bytes, pack: Pack, source: str = "canonical", delimiter: str = ",") -> list[str]:
    """The names, judged as an ingest judges them."""
    names = parse_header(split_header(block_of(data))[0], delimiter)
    check_header(load_adapter(Source(source, adapter=source), Path()), names, pack)
    return names


@pytest.mark.parametrize(
    "line",
    [
        b"report_id,reported_at,redness\n",
        BOM + b"report_id,reported_at,redness\n",
        b"report_id,reported_at,redness\r\n",
        b'"report_id","reported_at",redness\n',
    ],
)
def test_a_header_may_have_a_mark_quotes_and_either_line_end(line: bytes, pack: Pack) -> None:
    assert header_of(line, pack) == ["report_id", "reported_at", "redness"]


def test_columns_are_found_by_name_in_any_order(pack: Pack) -> None:
    names = header_of(b"fever,reported_at,report_id\n", pack)
    assert read_block(block_of(b"no,2026-11-16,7\n"), names).rows == [(2, "no", "2026-11-16", "7")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\n", "first line is blank"),
        (b"   \n", "first line is blank"),
        (BOM + b"\n", "first line is blank"),
        (b"report_id,redness\n", "required column reported_at is missing"),
        (b"reported_at,redness\n", "required column report_id is missing"),
        (b"redness,fever\n", "required column report_id, reported_at is missing"),
        (b"report_id,reported_at,region\n", "no symptom column"),
        (b"report_id,reported_at,redness,notes\n", "unknown column 'notes'"),
        (b"report_id,reported_at,redness,notes,more\n", r"unknown column 'notes' \(and 1 more\)"),
        (b"report_id,reported_at,redness,\n", "unknown column 'unnamed_4'"),
        (b"report_id,reported_at,redness,Fever\n", "unknown column 'Fever'"),
        (b"report_id,reported_at,redness, fever\n", "unknown column ' fever'"),
        (b"report_id,reported_at,redness,fever\xc2\xa0\n", r"unknown column 'fever\\xa0'"),
        (b"report_id,reported_at,redness,redness\n", "columns 3 and 4 of the header have the same name"),
        (b"report_id,reported_at,redness,Redness\n", "columns 3 and 4 of the header have the same name"),
        (b"r7,jane@example.org,no,jane@example.org\n", "^columns 2 and 4 of the header have the same name"),
        (b"report_id;reported_at;redness\n", "separated by semicolons"),
        (b"report_id\treported_at\tredness\n", "separated by tabs"),
        (b"report_id|reported_at|redness\n", "separated by bars"),
        (b'"report_id";"reported_at";"redness"\n', "separated by semicolons"),
        (b'"report_id"\t"reported_at"\t"signs, all"\n', "separated by tabs"),
        (b'"report_id;reported_at;redness"\n', "is the header line missing"),
        (b"PK\x03\x04\x14\0\x06\n", "^is a workbook or an archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\0\n", "^is a workbook or an archive"),
        (b'report_id,reported_at,"redness\n', "not RFC 4180"),
        (b'report_id,reported_at,red"ness\n', "not RFC 4180"),
        (b"report_id,reported_at,r\xe9dness\n", "not UTF-8"),
        (b"report_id,reported_at,redness\0\n", "UTF-16 or binary"),
        (b"r7,2026-11-16,yes\n", "is the header line missing"),
        (b"<!DOCTYPE html>\n", "is the header line missing"),
        (b"PK\x03\x04\x14\n", "is a workbook or an archive"),
        (b"report_id,reported_at,redness\rr7,2026-11-16,yes\r\n", "lone carriage return"),
    ],
)
def test_a_header_that_is_none_is_refused_with_the_reason(line: bytes, reason: str, pack: Pack) -> None:
    with pytest.raises(FileRejected, match=reason):
        header_of(line, pack)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_file_in_another_unicode_encoding_is_named_as_such(folder: Path, encoding: str, pack: Pack) -> None:
    path = written(folder, "report_id,reported_at,redness\n1,2026-11-16,yes\n".encode(encoding))
    with pytest.raises(FileRejected, match="UTF-16"):
        read_file(path)


def test_where_no_name_is_known_the_message_repeats_none_for_they_may_be_values(pack: Pack) -> None:
    with pytest.raises(FileRejected) as caught:
        header_of(b"Jane Doe,943 476 5919,yes\n", pack)
    assert "Jane" not in caught.value.reason
    assert "943" not in caught.value.reason


def test_a_header_of_nothing_but_commas_is_refused_at_once(pack: Pack) -> None:
    with pytest.raises(FileRejected, match="the header is longer than 65,536 bytes; is a line end missing"):
        header_of(b"," * 300_000 + b"\n", pack)


def test_a_blank_name_is_named_by_its_place() -> None:
    assert parse_header(b",a,", ",") == ["unnamed_1", "a", "unnamed_3"]


def test_a_name_is_shown_cut_and_harmless_for_a_terminal(pack: Pack) -> None:
    with pytest.raises(FileRejected) as caught:
        header_of(b"report_id,reported_at,redness,\x1b[31m" + b"x" * 100 + b"\n", pack)
    assert "\x1b" not in caught.value.reason
    assert "x" * 41 not in caught.value.reason


# --- files ------------------------------------------------------------------------------------------

BODY = b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(500))
PACKED: dict[str, Callable[[bytes], bytes]] = {
    ".csv.gz": gzip.compress,
    ".csv.zst": zstandard,
    ".CSV.GZ": gzip.compress,
}


@pytest.mark.parametrize("suffix", PACKED)
def test_a_compressed_file_has_the_identity_and_the_rows_of_its_content(folder: Path, suffix: str) -> None:
    plain, packed = written(folder, BODY), written(folder, PACKED[suffix](BODY), "b" + suffix)
    assert scan(packed) == scan(plain)
    assert read_file(packed) == read_file(plain)


@pytest.mark.parametrize("suffix", [".csv.gz", ".csv.zst"])
def test_archives_put_one_after_the_other_are_read_as_one(folder: Path, suffix: str) -> None:
    pack = PACKED[suffix]
    path = written(folder, pack(BODY[:700]) + pack(BODY[700:]), "c" + suffix)
    assert scan(path)[0] == scan(written(folder, BODY))[0]


@pytest.mark.parametrize("suffix", [".csv.gz", ".csv.zst"])
@pytest.mark.parametrize("kept", [1, 3, 10, 200, -9, -1])
def test_a_truncated_archive_is_rejected(folder: Path, suffix: str, kept: int) -> None:
    with pytest.raises(FileRejected, match="cannot be read: damaged or truncated archive"):
        scan(written(folder, PACKED[suffix](BODY)[:kept], "d" + suffix))


@pytest.mark.parametrize("suffix", [".csv.gz", ".csv.zst"])
def test_a_plain_file_or_rubbish_after_the_archive_is_rejected(folder: Path, suffix: str) -> None:
    for data in (BODY, PACKED[suffix](BODY) + b"rubbish"):
        with pytest.raises(FileRejected, match="damaged or truncated archive"):
            scan(written(folder, data, "e" + suffix))


@given(st.integers(0, 10_000), st.integers(0, 7))
@examples(max_examples=share_of(60))
def test_a_flipped_bit_in_an_archive_never_changes_the_content_unseen(folder: Path, place: int, bit: int) -> None:
    data = bytearray(gzip.compress(BODY))
    data[place % len(data)] ^= 1 << bit
    try:
        found = scan(written(folder, bytes(data), "f.csv.gz"))
    except FileRejected:
        return
    assert found == scan(written(folder, BODY, "f.csv"))


@pytest.mark.parametrize("suffix", [".csv.gz", ".csv.zst"])
def test_an_archive_that_unpacks_too_far_is_refused(folder: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "SMALL_EXPANSION", 1000)
    path = written(folder, PACKED[suffix](b"x" * 200_000), "g" + suffix)
    with blocks_of(100), pytest.raises(FileRejected, match="more than 250 times its size"):
        scan(path)
    assert scan(path, Settings(max_expansion=200_000))[1] == 1


@pytest.mark.parametrize(("data", "lines"), [(b"a", 1), (b"a\n", 1), (b"a\nb", 2), (b"a\n\n", 2), (b"\n", 1)])
def test_lines_are_counted_with_or_without_a_final_line_end(folder: Path, data: bytes, lines: int) -> None:
    assert scan(written(folder, data))[1] == lines


def test_very_short_lines_come_in_blocks_of_few_and_keep_their_numbers(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(folder, b"h\n" + b"".join(b"%d\n" % n for n in range(2, 24)) + b"24")
    monkeypatch.setattr(lines, "MOST_LINES", 5)
    found = list(lines.read_blocks(path, SETTINGS))
    assert max(block.lines for block in found) == 5
    numbers = [(block.first_line + i, line) for block in found for i, line in enumerate(block.data.splitlines())]
    assert numbers[1:] == [(n, b"%d" % n) for n in range(2, 25)]
    assert [block.data.count(b"\n") for block in found] == [block.lines for block in found]
    assert list(lines.read_lines_at(path, SETTINGS, [1, 5, 6, 24])) == [(1, "h"), (5, "5"), (6, "6"), (24, "24")]


def test_what_is_no_regular_file_is_rejected_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "dangling.csv").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.csv").mkdir()
    for name, reason in (("pipe", "not a regular"), ("dangling", "No such file"), ("folder", "not a regular")):
        with pytest.raises(FileRejected, match=reason):
            scan(tmp_path / f"{name}.csv")


def test_a_file_that_vanishes_or_may_not_be_read_is_rejected() -> None:
    with open_folder() as folder:
        with pytest.raises(FileRejected, match="No such file"):
            scan(folder / "gone.csv")
        path = written(folder, BODY)
        path.chmod(0)
        with as_nobody(), pytest.raises(FileRejected, match="Permission denied"):
            scan(path)


def test_lines_are_given_back_as_they_were_delivered(folder: Path) -> None:
    path = written(folder, b'a,b\r\n1,"x"\r\n\xff\0\n3,4')
    with blocks_of(7):
        assert list(read_lines_at(path, SETTINGS, [2, 3, 4])) == [(2, '1,"x"'), (3, "\\xff\0"), (4, "3,4")]
        assert list(read_lines_at(path, SETTINGS, [3])) == [(3, "\\xff\0")]
        assert list(read_lines_at(path, SETTINGS, [])) == []


def test_lines_that_are_no_longer_there_reject_the_file(folder: Path) -> None:
    with pytest.raises(FileRejected, match="changed while it was read"):
        list(read_lines_at(written(folder, b"a,b\n1,2\n"), SETTINGS, [2, 3]))


def test_a_bad_line_keeps_its_text_readable() -> None:
    raw = parse_block(block_of(b"1,\xff\n"), ["a", "b"], ",", WHOLE)
    assert raw.bad_lines == (BadLine(2, "encoding", ENCODING, "1,\\xff"),)


def test_zstandard_files_of_the_command_line_tool_are_read(folder: Path) -> None:
    if not shutil.which("zstd"):
        pytest.skip("no zstd command here")
    packed = subprocess.run(["zstd", "-q", "-c", "--long=27"], input=BODY, capture_output=True, check=True).stdout
    assert scan(written(folder, packed, "z.csv.zst"))[1] == 501


NAMES = [
    "two words.csv",
    "it's.csv",
    'say "hi".csv',
    "'; DROP TABLE files; --.csv",
    "new\nline.csv",
    "-rf.csv",
    "[a].csv",
    "*.csv",
    "%s{x}.csv",
    "a" * 250 + ".csv",
    os.fsdecode(b"caf\xe9.csv"),
]

# --- what an ingest makes of them -------------------------------------------------------------------------------------

GOOD_FILE = b"report_id,reported_at,redness\n1,2026-11-16,yes\n"
REJECTED = {
    "empty.csv": (b"", "empty"),
    "empty.csv.gz": (b"", "empty"),
    "empty.csv.zst": (b"", "empty"),
    "page.csv": (b"<!DOCTYPE html>\n<html><body>Please log in</body></html>\n", "is the header line missing"),
    "excel.csv": (b"PK\x03\x04\x14\0\x06\0" + bytes(range(256)), "workbook"),
    "utf16.csv": (GOOD_FILE.decode().encode("utf-16"), "UTF-16"),
    "returns.csv": (GOOD_FILE.replace(b"\n", b"\r"), "lone carriage return"),
    "cut.csv.gz": (gzip.compress(GOOD_FILE)[:-3], "truncated archive"),
    "no_header.csv": (GOOD_FILE.partition(b"\n")[2], "is the header line missing"),
    "semicolons.csv": (GOOD_FILE.replace(b",", b";"), "semicolons"),
}


def test_a_bad_file_is_rejected_with_its_reason_and_the_others_go_on(
    tmp_path: Path, ingest: Callable[..., list[Outcome]], ask: Callable[..., list[tuple[Any, ...]]]
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for name, (data, _) in REJECTED.items():
        written(inbox, data, name)
    os.mkfifo(inbox / "pipe.csv")
    (inbox / "dangling.csv").symlink_to("nowhere")
    (inbox / "folder.csv").mkdir()
    for place, name in enumerate(NAMES[3:5] + NAMES[-1:]):
        written(inbox, GOOD_FILE.replace(b"1,", b"%d," % place), "z" + name)
    written(inbox, b"report_id,reported_at,redness\n", "zz_header_only.csv")
    outcomes = {Path(outcome.path).name: outcome for outcome in ingest(inbox)}
    expected = {name: reason for name, (_, reason) in REJECTED.items()}
    expected |= {"pipe.csv": "not a regular file", "dangling.csv": "No such file"}
    told = {name: outcome.reason or "" for name, outcome in outcomes.items() if outcome.status == "rejected"}
    assert {name: expected[name] for name in told if expected[name] not in told[name]} == {}
    assert told.keys() == expected.keys()
    assert len(outcomes) == len(expected) + 3 + 1
    assert ask("SELECT count(*) FROM reports") == [(3,)]
    assert ask("SELECT path FROM files WHERE path LIKE '%caf%'") == [(str(inbox / "zcaf\\xe9.csv"),)]
