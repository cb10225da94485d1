"""Good files, and the many ways in which a file gets damaged on its way.

A damage takes the bytes of a file and gives back other bytes; it knows nothing of what the product makes of
them. `good_file` and `damaged` are functions of a seed.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import pyarrow as pa

Damage = Callable[[Random, bytes], bytes]

ANSWERS = ("yes", "no", "Yes", "NO", "y", "n", "true", "f", "1", "0", "", "", "NA", "unknown")
REGIONS = ("north", "south-2", "R_7", "", "lowlands")
TIMES = (
    "2026-11-{day:02}",
    "2026-11-{day:02}T{hour:02}:15:00Z",
    "2026-11-{day:02} {hour:02}:15",
    "2026-11-{day:02}T{hour:02}:15:00.250+0100",
)


@dataclass(frozen=True)
class Damaged:
    """A file after some damage: its name's end, its bytes, and which damages it met."""

    suffix: str
    data: bytes
    damages: tuple[str, ...]


def good_file(draw: Random, fields: tuple[str, ...], rows: int) -> bytes:
    """A canonical CSV with some of the optional columns, in any order."""
    optional = ["region", "age_band", "sex", "pain_score", "duration_days"]
    names = ["report_id", "reported_at", *draw.sample(optional, draw.randint(0, 5)), *draw.sample(fields, 6)]
    draw.shuffle(names)
    lines = [names, *([_cell(draw, name, place) for name in names] for place in range(rows))]
    return "".join(",".join(line) + "\n" for line in lines).encode()


def _cell(draw: Random, name: str, place: int) -> str:
    choices = {
        "report_id": (f"K{place}-{draw.choice('abc')}",),
        "reported_at": tuple(t.format(day=draw.randint(1, 28), hour=draw.randint(0, 23)) for t in TIMES),
        "region": REGIONS,
        "age_band": ("0-17", "18-29", "75+", ""),
        "sex": ("female", "male", "other", "unknown", ""),
        "pain_score": (*map(str, range(11)), ""),
        "duration_days": ("0", "1", "14", "3650", "007", ""),
    }
    return draw.choice(choices.get(name, ANSWERS))


def damaged(seed: int, fields: tuple[str, ...]) -> Damaged:
    """A good file with one to three damages, now and then in an archive that may be damaged as well."""
    draw = Random(seed)
    data = good_file(draw, fields, draw.randint(15, 40))
    chosen = [list(DAMAGES)[seed % len(DAMAGES)], *draw.choices(list(GENTLE), k=draw.choice((0, 0, 1, 2)))]
    for name in chosen:
        data = DAMAGES[name](draw, data)
    if draw.random() < 0.85:
        return Damaged(".csv", data, tuple(chosen))
    suffix, pack = draw.choice(((".csv.gz", gzip.compress), (".csv.zst", zstandard)))
    name = draw.choice(["archived", "archived in two", *ARCHIVE_DAMAGES])
    if name == "archive bit flipped":  # no other archive here has a check sum
        suffix, pack = ".csv.gz", gzip.compress
    place = draw.randint(0, len(data))
    archive = pack(data) if name != "archived in two" else pack(data[:place]) + pack(data[place:])
    return Damaged(suffix, ARCHIVE_DAMAGES.get(name, lambda _, same: same)(draw, archive), (*chosen, name))


def zstandard(data: bytes) -> bytes:
    """The data as a zstd archive."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue().to_pybytes())


# --- what damages are made of -----------------------------------------------------------------------------------------


def on_a_line(change: Callable[[Random, bytes], bytes]) -> Damage:
    """Changes one line that is not the header; its line end stays."""

    def damage(draw: Random, data: bytes) -> bytes:
        lines = data.split(b"\n")
        if len(lines) < 3:
            return data
        place = draw.randrange(1, len(lines) - 1)
        lines[place] = change(draw, lines[place])
        return b"\n".join(lines)

    return damage


def on_a_cell(change: Callable[[Random, bytes], bytes]) -> Damage:
    """Changes one cell of one line."""

    def damage(draw: Random, line: bytes) -> bytes:
        cells = line.split(b",")
        place = draw.randrange(len(cells))
        cells[place] = change(draw, cells[place])
        return b",".join(cells)

    return on_a_line(damage)


def on_lines(change: Callable[[Random, list[bytes]], list[bytes]]) -> Damage:
    """Changes the list of lines after the header, without the last, empty piece."""

    def damage(draw: Random, data: bytes) -> bytes:
        header, *lines = data.removesuffix(b"\n").split(b"\n")
        if not lines:
            return data
        return b"\n".join([header, *change(draw, lines)]) + b"\n"

    return damage


def on_header(change: Callable[[Random, list[bytes]], list[bytes]]) -> Damage:
    """Changes the names in the header and leaves the rows."""

    def damage(draw: Random, data: bytes) -> bytes:
        header, end, rest = data.partition(b"\n")
        return b",".join(change(draw, header.split(b","))) + end + rest

    return damage


def on_columns(change: Callable[[Random, list[bytes], int], list[bytes]]) -> Damage:
    """Changes the cells of every line in the same way; the number is the same for all lines."""

    def damage(draw: Random, data: bytes) -> bytes:
        place = draw.randrange(data.partition(b"\n")[0].count(b",") + 1)
        lines = data.removesuffix(b"\n").split(b"\n")
        return b"\n".join(b",".join(change(draw, line.split(b","), place)) for line in lines) + b"\n"

    return damage


def put(*texts: bytes) -> Callable[[Random, bytes], bytes]:
    """Puts a text in place of what is there."""
    return lambda draw, _: draw.choice(texts)


def insert(*texts: bytes) -> Callable[[Random, bytes], bytes]:
    """Puts a text somewhere into what is there."""

    def change(draw: Random, data: bytes) -> bytes:
        place = draw.randint(0, len(data))
        return data[:place] + draw.choice(texts) + data[place:]

    return change


def _flip(draw: Random, data: bytes) -> bytes:
    place = draw.randrange(len(data) or 1)
    return data[:place] + bytes(byte ^ (1 << draw.randrange(8)) for byte in data[place : place + 1]) + data[place + 1 :]


def _delete(draw: Random, data: bytes) -> bytes:
    place, count = draw.randrange(len(data) or 1), draw.randint(1, 4)
    return data[:place] + data[place + count :]


def _cut(draw: Random, data: bytes) -> bytes:
    return data[: draw.randint(len(data) // 2, len(data))]


def _zeros(draw: Random, data: bytes) -> bytes:
    """A block of a file that was never written to the disk."""
    place, count = draw.randrange(len(data) or 1), draw.randint(1, 60)
    return data[:place] + bytes(min(count, len(data) - place)) + data[place + count :]


def _join_two(draw: Random, lines: list[bytes]) -> list[bytes]:
    place = draw.randrange(len(lines))
    return [*lines[:place], b"".join(lines[place : place + 2]), *lines[place + 2 :]]


def _split_one(draw: Random, lines: list[bytes]) -> list[bytes]:
    place = draw.randrange(len(lines))
    at = draw.randint(0, len(lines[place]))
    return [*lines[:place], lines[place][:at], lines[place][at:], *lines[place + 1 :]]


def _repeat_one(draw: Random, lines: list[bytes]) -> list[bytes]:
    return [*lines, draw.choice(lines)]


def _repeat_changed(draw: Random, lines: list[bytes]) -> list[bytes]:
    """The same report with one answer the other way round."""
    swapped = {b"yes": b"no", b"no": b"yes", b"": b"yes", b"1": b"0", b"0": b"1"}
    cells = draw.choice(lines).split(b",")
    return [*lines, b",".join(swapped.get(cell, cell) for cell in cells)]


def _shuffle(draw: Random, lines: list[bytes]) -> list[bytes]:
    return draw.sample(lines, len(lines))


def _blank_lines(draw: Random, lines: list[bytes]) -> list[bytes]:
    for _ in range(draw.randint(1, 4)):
        lines.insert(draw.randint(0, len(lines)), b"")
    return lines


def _swap_names(draw: Random, names: list[bytes]) -> list[bytes]:
    a, b = draw.randrange(len(names)), draw.randrange(len(names))
    names[a], names[b] = names[b], names[a]
    return names


def _without(draw: Random, cells: list[bytes], place: int) -> list[bytes]:
    return cells[:place] + cells[place + 1 :]


def _shift(draw: Random, line: bytes) -> bytes:
    first, _, rest = line.partition(b",")
    return rest + b"," + first


def _header_again(draw: Random, data: bytes) -> bytes:
    """Two exports put one after the other."""
    header, *lines = data.split(b"\n")
    place = draw.randint(0, len(lines))
    return b"\n".join([header, *lines[:place], header, *lines[place:]])


def _quote_all(draw: Random, line: bytes) -> bytes:
    return b",".join(b'"' + cell.replace(b'"', b'""') + b'"' for cell in line.split(b","))


def _mixed_ends(draw: Random, data: bytes) -> bytes:
    return b"".join(line + draw.choice((b"\r\n", b"\n")) for line in data.removesuffix(b"\n").split(b"\n"))


DAMAGES: dict[str, Damage] = {
    # bytes
    "bit flipped": _flip,
    "several bits flipped": lambda draw, data: _flip(draw, _flip(draw, _flip(draw, data))),
    "bytes lost": _delete,
    "byte put in": insert(b"x", b",", b'"', b"\n", b"\r", b"\0", b"\xff", b" ", b";"),
    "file cut short": _cut,
    "file cut at a line": lambda draw, data: _cut(draw, data).rpartition(b"\n")[0] + b"\n",
    "a block of zeros": _zeros,
    "file twice": lambda _, data: data + data,
    "file empty": put(b""),
    "header alone": lambda _, data: data.partition(b"\n")[0] + b"\n",
    "a web page": put(b"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n"),
    # encoding and line ends
    "byte order mark": lambda _, data: b"\xef\xbb\xbf" + data,
    "UTF-16": lambda draw, data: data.decode("utf-8", "replace").encode(draw.choice(["utf-16", "utf-16-be"])),
    "CRLF": lambda _, data: data.replace(b"\n", b"\r\n"),
    "CR": lambda _, data: data.replace(b"\n", b"\r"),
    "CRLF and LF": _mixed_ends,
    "CRCRLF": lambda _, data: data.replace(b"\n", b"\r\r\n"),
    "no last line end": lambda _, data: data.removesuffix(b"\n"),
    "end-of-file sign": lambda _, data: data + b"\x1a",
    "a lone carriage return": on_a_line(insert(b"\r")),
    "a NUL": on_a_line(insert(b"\0")),
    "Latin-1": on_a_cell(insert("é".encode("latin-1"), "ß".encode("latin-1"))),
    "half a character": on_a_line(insert(b"\xc3", b"\xe2\x82", b"\xed\xa0\x80")),
    "a mark inside": on_a_line(lambda _, line: b"\xef\xbb\xbf" + line),
    "invisible characters": on_a_cell(insert("\u200b".encode(), "\u00a0".encode(), "\u202e".encode())),
    "line ends of Unicode": on_a_cell(
        insert("\u2028".encode(), "\u2029".encode(), "\x85".encode(), b"\v", b"\f", b"\x1c")
    ),
    "look-alike letters": on_a_cell(lambda _, cell: cell.decode("utf-8", "replace").translate(CYRILLIC).encode()),
    "byte order mark twice": lambda _, data: b"\xef\xbb\xbf\xef\xbb\xbf" + data,
    "wide digits": on_a_cell(lambda _, cell: cell.decode("utf-8", "replace").translate(WIDE).encode()),
    # header
    "no header": lambda _, data: data.partition(b"\n")[2],
    "header twice": lambda _, data: data.partition(b"\n")[0] + b"\n" + data,
    "header shouting": on_header(lambda _, names: [name.upper() for name in names]),
    "header padded": on_header(lambda _, names: [b" " + name for name in names]),
    "header quoted": on_header(lambda _, names: [b'"' + name + b'"' for name in names]),
    "names swapped": on_header(_swap_names),
    "a name lost": on_header(lambda draw, names: _without(draw, names, draw.randrange(len(names)))),
    "a name twice": on_header(lambda draw, names: [*names[:-1], names[0]]),
    "a name misspelt": on_header(lambda draw, names: [*names[:-1], _delete(draw, names[-1])]),
    "header again further down": _header_again,
    "header with a comma more": on_header(lambda _, names: [*names, b""]),
    "a line that names the separator": lambda _, data: b"sep=,\n" + data,
    "a title above": lambda _, data: b"Calf pain reports, week 47\n" + data,
    # columns
    "a column lost": on_columns(_without),
    "a column more": on_columns(lambda _, cells, place: [*cells, b"x"]),
    "a comma after every line": on_columns(lambda _, cells, place: [*cells, b""]),
    "a row number before": on_columns(lambda _, cells, place: [b"7", *cells]),
    "semicolons": lambda _, data: data.replace(b",", b";"),
    "tabs": lambda _, data: data.replace(b",", b"\t"),
    "commas and blanks": lambda _, data: data.replace(b",", b", "),
    # lines
    "semicolons in a line": on_a_line(lambda _, line: line.replace(b",", b";")),
    "a comma more": on_a_line(insert(b",")),
    "a comma at the end": on_a_line(lambda _, line: line + b","),
    "a cell lost": on_a_line(
        lambda draw, line: b",".join(_without(draw, c := line.split(b","), draw.randrange(len(c))))
    ),
    "a line shifted": on_a_line(_shift),
    "a line cut": on_a_line(_cut),
    "a line lost": on_lines(lambda draw, lines: _without(draw, lines, draw.randrange(len(lines)))),
    "a line repeated": on_lines(_repeat_one),
    "a line contradicted": on_lines(_repeat_changed),
    "two lines joined": on_lines(_join_two),
    "a line split": on_lines(_split_one),
    "lines shuffled": on_lines(_shuffle),
    "blank lines": on_lines(_blank_lines),
    "blank lines at the end": lambda _, data: data + b"\n\n\r\n",
    "lines of commas": on_lines(lambda _, lines: [*lines, b"," * lines[0].count(b",")]),
    "a line of totals": on_lines(lambda _, lines: [*lines, b"Total,%d" % len(lines)]),
    "comments": on_lines(lambda draw, lines: [b"# exported by hand", *lines]),
    "rubbish": on_lines(lambda draw, lines: [*lines, draw.randbytes(80).replace(b"\n", b"")]),
    # quotes
    "a stray quote": on_a_line(insert(b'"')),
    "a quote left open": on_a_cell(lambda _, cell: b'"' + cell),
    "a line quoted": on_a_line(_quote_all),
    "every line quoted": lambda draw, data: b"\n".join(_quote_all(draw, line) for line in data.split(b"\n")),
    "quotes doubled wrongly": on_a_cell(lambda _, cell: b'""' + cell + b'"'),
    "a line break in quotes": on_a_cell(lambda _, cell: b'"' + cell + b"\n" + cell + b'"'),
    "a comma in quotes": on_a_cell(lambda _, cell: b'"' + cell + b"," + cell + b'"'),
    "curly quotes": on_a_cell(lambda _, cell: b"\xe2\x80\x9c" + cell + b"\xe2\x80\x9d"),
    # cells
    "a cell of another kind": on_a_cell(put(b"maybe", b"11", b"-1", b"3.0", b"1e3", b"NaN", b"null", b"#REF!", b"?")),
    "a number of another kind": on_a_cell(
        put(
            b"+1",
            b"-0",
            b"1e1",
            b"07",
            b"0x1",
            b"1_0",
            b"1 000",
            "1\u00a0000".encode(),
            "\u0667".encode(),
            "²".encode(),
        )
    ),
    "a time that is none": on_a_cell(
        put(
            b"2026-02-30",
            b"2026-11-16T23:59:60",
            b"2026-11-16T10:00+24:00",
            b"0001-01-01",
            b"9999-12-31",
            b"2026-W47-1",
        )
    ),
    "a cell of a table program": on_a_cell(put(b"16/11/2026", b"46342", b"2026-11-16 24:00", b"TRUE", b"1,5")),
    "a cell padded": on_a_cell(lambda _, cell: b" " + cell + b" "),
    "a cell blank": on_a_cell(put(b"")),
    "a very long cell": on_a_cell(put(b"x" * 5000)),
    "an id of another line": on_lines(lambda draw, lines: [*lines[:-1], lines[0]]),
    "an e-mail address": on_a_cell(put(b"jane@example.org")),
}
CYRILLIC = str.maketrans("aceopxy", "\u0430\u0441\u0435\u043e\u0440\u0445\u0443")
WIDE = {ord("0") + digit: 0xFF10 + digit for digit in range(10)}
GENTLE = [
    name for name, damage in DAMAGES.items() if name not in ("file empty", "UTF-16", "CR", "a web page", "CRCRLF")
]

ARCHIVE_DAMAGES: dict[str, Damage] = {
    "archive cut short": lambda draw, data: data[: draw.randint(1, len(data) - 1)],
    "archive bit flipped": _flip,
    "archive followed by rubbish": lambda draw, data: data + draw.randbytes(20),
}
