"""Damaged files against a patient reader: a file is rejected with a reason, or every line is where it belongs.

The patient reader below goes line by line and cell by cell, in plain Python, by the words of the input contract;
it shares no code with the product, but for the patterns of the anonymisation gate. Whatever the damage was, it
judges the bytes that arrived: an undamaged line is stored exactly, a damaged one is quarantined, or stored as
what it now says.
"""

from __future__ import annotations

import csv
import gzip
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from pipelines.intake.anonymisation.identifiers import find_certain_kind
from pipelines.intake.deliveries import Delivery
from pipelines.jobs.ingest import Run, ingest_file
from pipelines.settings import Settings, Source
from pipelines.store import database
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from schemas.pack import Pack
from tests.support.damage import ARCHIVE_DAMAGES, DAMAGES, Damaged, damaged

CONTEXT = ("report_id", "reported_at", "region", "age_band", "sex", "pain_score", "duration_days")
FIRST_SEED = int(os.environ.get("CALFWATCH_SEED", "1000"))  # of the slow run
LIMITS = (1.0, 1.0, 0.2)  # largest share of bad rows, by seed


# --- the patient reader -----------------------------------------------------------------------------------------------


class Refused(Exception):
    """The file as a whole cannot be taken."""


@dataclass
class Reading:
    """What a file says. rows: line number -> typed cells; the other lines by their numbers."""

    rows: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    set_aside: set[int] = field(default_factory=set)
    duplicates: set[int] = field(default_factory=set)
    blank: int = 0
    bad: set[int] = field(default_factory=set)

    @property
    def read(self) -> int:
        return len(self.rows) + len(self.set_aside) + len(self.duplicates)


def content_of(file: Damaged) -> bytes:
    """The bytes out of their archive."""
    try:
        if file.suffix == ".csv.gz":
            return gzip.decompress(file.data)
        if file.suffix == ".csv.zst":
            return bytes(pa.CompressedInputStream(pa.BufferReader(file.data), "zstd").read())
    except Exception as error:
        raise Refused("archive") from error
    return file.data


def patient_reading(content: bytes, fields: Sequence[str]) -> Reading:
    """Reads every line by itself. Raises Refused where the contract has the whole file rejected."""
    lines = content.split(b"\n")
    names = names_of(lines[0].removeprefix(b"\xef\xbb\xbf").rstrip(b"\r"), fields)
    reading = Reading()
    told: dict[str, list[tuple[int, object]]] = {}
    typed: dict[int, tuple[Any, ...]] = {}
    for number, line in enumerate(lines[1:], 2):
        line = line.removesuffix(b"\r")
        if not line:
            reading.blank += 1
            continue
        cells = cells_of(line)
        if cells is None or len(cells) != len(names):
            refuse_identifiers(line.decode("utf-8", "replace").split(","), also_dates=False)
            reading.set_aside.add(number)
            continue
        row = dict(zip(names, cells, strict=True))
        refuse_identifiers([cell for name, cell in row.items() if name not in ("report_id", "reported_at")])
        values = typed_row(row, fields)
        refuse_kept(row)
        if values is not None:
            typed[number] = values
        if row["report_id"]:
            told.setdefault(row["report_id"], []).append((number, values or line))
        else:
            reading.set_aside.add(number)
    reading.blank -= content.endswith(b"\n")
    reading.bad = reading.set_aside | {n for said in told.values() for n, _ in said if n not in typed}
    for said in told.values():
        first, *others = (number for number, _ in said)
        if len({meaning for _, meaning in said}) > 1:
            reading.set_aside.update([first, *others])
            continue
        reading.duplicates.update(others)
        if first in typed:
            reading.rows[first] = typed[first]
        else:
            reading.set_aside.add(first)
    return reading


def names_of(line: bytes, fields: Sequence[str]) -> list[str]:
    names = cells_of(line)
    if not names or len(set(names)) < len(names) or not set(names) <= {*CONTEXT, *fields}:
        raise Refused("header")
    if not {"report_id", "reported_at"} <= set(names) or not set(names) & set(fields):
        raise Refused("header")
    return names


CELL = r'(?:"(?:[^"]|"")*"|[^",]*)'


def cells_of(line: bytes) -> list[str] | None:
    """The cells by RFC 4180; None for a line that it does not know."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if "\0" in text or "\r" in text or not re.fullmatch(f"{CELL}(?:,{CELL})*", text):
        return None
    (cells,) = csv.reader([text], strict=True) if text else ([""],)
    return cells


def refuse_identifiers(cells: Sequence[str], also_dates: bool = True) -> None:
    for cell in cells:
        kind = find_certain_kind(cell.strip(' "'))
        if kind and (also_dates or kind != "a birth date"):
            raise Refused("identifier")


def refuse_kept(row: dict[str, str]) -> None:
    """An id or a time that is none is kept as text in the quarantine, and may be no e-mail address or phone number."""
    if not re.fullmatch("[A-Za-z0-9._-]{1,64}", row["report_id"]) or not is_moment(row["reported_at"]):
        kinds = find_certain_kind(row["report_id"]), find_certain_kind(row["reported_at"])
        if "an e-mail address" in kinds or kinds[0] == "a phone number":
            raise Refused("identifier")


def is_moment(text: str) -> bool:
    try:
        moment(text)
    except (AssertionError, ValueError):
        return False
    return True


def typed_row(row: dict[str, str], fields: Sequence[str]) -> tuple[Any, ...] | None:
    """The record that a row says, or None where one of its cells says nothing that is allowed."""
    try:
        assert 1 <= len(row["report_id"]) <= 64
        assert set(row["report_id"]) <= WORD_SIGNS | {"."}
        assert row["report_id"].lower() not in SAY_NOTHING
        cells = {name: "" if cell.lower() in SAY_NOTHING and name in CONTEXT else cell for name, cell in row.items()}
        region = cells.get("region", "")
        assert len(region) <= 32
        assert set(region) <= WORD_SIGNS
        age_band, sex = cells.get("age_band", ""), cells.get("sex", "")
        sex = "unknown" if row.get("sex", "").lower() == "unknown" else sex  # a value of its own
        assert age_band in ("", "0-17", "18-29", "30-44", "45-59", "60-74", "75+")
        assert sex in ("", "female", "male", "other", "unknown")
        context = (row["report_id"], moment(row["reported_at"]), region.lower() or None, age_band or None, sex or None)
        numbers = (number(cells.get("pain_score", ""), 10), number(cells.get("duration_days", ""), 3650))
        return (*context, *numbers, *(answer(row.get(name, "")) for name in fields))
    except (AssertionError, KeyError, ValueError):
        return None


SAY_NOTHING = {"na", "n/a", "nan", "none", "null", "unknown"}
WORD_SIGNS = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
TIME = re.compile(
    r"(20\d\d)-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:Z|([+-])(\d\d)(?::?(\d\d))?)?)?",
    re.ASCII,
)


def moment(text: str) -> datetime:
    match = TIME.fullmatch(text)
    assert match is not None
    *parts, fraction, sign, hours, minutes = match.groups("0")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    assert offset < timedelta(hours=15)
    assert int(minutes) < 60
    zone = timezone(-offset if sign == "-" else offset)
    year, month, day, hour, minute, second = map(int, parts)
    if match[4] is None:  # a date alone is that day everywhere; noon in UTC stands for it
        hour = 12
    found = datetime(year, month, day, hour, minute, second, int(fraction[:6].ljust(6, "0")), zone)
    return found.astimezone(UTC)


def number(text: str, largest: int) -> int | None:
    if not text:
        return None
    assert set(text) <= set("0123456789")
    assert len(text) < 10
    assert int(text) <= largest
    return int(text)


def answer(text: str) -> bool | None:
    assert text.isascii()
    said = text.lower()
    if said in {"", *SAY_NOTHING}:
        return None
    assert said in ("yes", "y", "true", "t", "1", "no", "n", "false", "f", "0")
    return said in ("yes", "y", "true", "t", "1")


# --- the product ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taken:
    """A damaged file, and what the product made of it."""

    seed: int
    file: Damaged
    outcome: Outcome
    rows: dict[int, tuple[Any, ...]]
    set_aside: set[int]

    def __str__(self) -> str:
        return f"seed {self.seed} ({', '.join(self.file.damages)}): {self.outcome.reason or 'accepted'}"


def taken_in(seeds: Sequence[int], folder: Path, pack: Pack) -> Iterator[Taken]:
    """Each file from a sender of its own, all into one home."""
    home = Home(folder / "home")
    home.make()
    with home.lock(0), database.open_records(home, Settings(), pack) as connection:
        for seed in seeds:
            file = damaged(seed, pack.field_names)
            path = folder / f"{seed}{file.suffix}"
            path.write_bytes(file.data)
            settings = Settings(max_quarantined_share=LIMITS[seed % len(LIMITS)], threads=1)
            delivery = Delivery(path, Source(f"s{seed}"))
            outcome = ingest_file(connection, delivery, Run(home, settings, pack))
            yield Taken(seed, file, outcome, *stored(connection, seed, pack))


def stored(connection: duckdb.DuckDBPyConnection, seed: int, pack: Pack) -> tuple[dict[int, Any], set[int]]:
    names = ", ".join(["line_number", *CONTEXT, *pack.field_names])
    rows = connection.execute(f"SELECT {names} FROM reports WHERE source = ?", [f"s{seed}"]).fetchall()
    aside = connection.execute(
        "SELECT DISTINCT line_number FROM quarantine JOIN files USING (delivery_no) WHERE source = ?", [f"s{seed}"]
    ).fetchall()
    return {line: tuple(cells) for line, *cells in rows}, {line for (line,) in aside}


def check(taken: Taken, fields: Sequence[str]) -> str:
    """Holds what the product did against the patient reader; says what became of the file."""
    try:
        content = content_of(taken.file)
        reading = patient_reading(content, fields)
    except Refused as refusal:
        check_rejected(taken)
        return f"rejected: {refusal}"
    limit = LIMITS[taken.seed % len(LIMITS)]
    if taken.outcome.status == "rejected":
        reason = taken.outcome.reason or ""
        too_bad = len(reading.bad | reading.set_aside) > limit * reading.read
        dated = "a damaged line holds a birth date" in reason
        assert too_bad or dated, f"rejected without need: {taken}"
        check_rejected(taken)
        return "rejected: date" if dated else "rejected: share"
    assert len(reading.set_aside) <= limit * reading.read, f"accepted with too many bad rows: {taken}"
    assert taken.rows == reading.rows, taken
    assert taken.set_aside == reading.set_aside, taken
    outcome = taken.outcome
    assert outcome.rows_accepted == len(reading.rows), taken
    assert outcome.rows_quarantined == len(reading.set_aside), taken
    assert outcome.rows_duplicate == len(reading.duplicates), taken
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    assert lines == 1 + reading.blank + outcome.rows_read, taken
    assert outcome.rows_read == outcome.rows_accepted + outcome.rows_quarantined + outcome.rows_duplicate, taken
    return "accepted with bad rows" if reading.set_aside else "accepted"


def check_rejected(taken: Taken) -> None:
    assert taken.outcome.status == "rejected", taken
    assert taken.outcome.reason, taken
    assert (taken.rows, taken.set_aside) == ({}, set()), taken


def test_there_are_many_kinds_of_damage() -> None:
    assert len(DAMAGES) + len(ARCHIVE_DAMAGES) > 80


def test_every_damaged_file_is_rejected_or_read_line_for_line_as_a_patient_reader_would(
    tmp_path: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.store.daily_counts.add_changes", lambda *_: None)  # the slow test counts
    fates = Counter(check(taken, pack.field_names) for taken in taken_in(range(len(DAMAGES)), tmp_path, pack))
    assert min(fates["accepted"], fates["accepted with bad rows"], fates["rejected: header"]) > 5, fates


@pytest.mark.slow
@pytest.mark.parametrize("start", range(FIRST_SEED, FIRST_SEED + 2_000, 250))
def test_two_thousand_damaged_files_are_read_as_a_patient_reader_would(start: int, tmp_path: Path, pack: Pack) -> None:
    for taken in taken_in(range(start, start + 250), tmp_path, pack):
        check(taken, pack.field_names)
    home = Home(tmp_path / "home")
    with (
        home.lock(0),
        database.open_records(home, Settings(), pack),
    ):  # compares ledger, records, summaries
        pass


def test_the_patient_reader_and_the_damages_can_tell_good_from_bad(pack: Pack) -> None:
    """The reader itself, on lines whose fate is plain: a judge that lets all pass would prove nothing."""
    lines = b"a,2026-11-16,yes|b,2026-02-30,yes|c,2026-11-16||a,2026-11-16,Y|d,2026-11-16,|"
    content = b"report_id,reported_at,redness\n" + lines.replace(b"|", b"\n")
    reading = patient_reading(content, pack.field_names)
    assert (sorted(reading.rows), reading.set_aside, reading.duplicates, reading.blank) == ([2, 7], {3, 4}, {6}, 1)
    for bad in (
        b"",
        b"report_id,redness\n",
        b"a,b\n1,2\n",
        b"report_id,reported_at,redness\na,2026-11-16,x@example.org\n",
    ):
        with pytest.raises(Refused):
            patient_reading(bad, pack.field_names)
