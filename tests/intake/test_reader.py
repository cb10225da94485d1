"""Rows that are read and parsed ahead are those of the file, in order; nothing of it is held for long or left open."""

from __future__ import annotations

import contextlib
import gzip
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from pipelines.errors import FileRejected
from pipelines.intake import lines, reader
from pipelines.intake.deliveries import Delivery, read_file_identity
from pipelines.intake.lines import hash_content
from pipelines.intake.reader import PrefetchingReader
from pipelines.jobs.ingest import Run, ingest_file
from pipelines.jobs.prefetch import prefetch_first
from pipelines.settings import Settings, Source
from pipelines.store import database
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from schemas.pack import Pack
from tests.support.drawing import examples as share_of

SETTINGS = Settings(threads=2)
Write = Callable[..., Path]


def numbered(folder: Path, count: int, name: str = "many.csv") -> Path:
    path = folder / name
    path.write_text("report_id,fever\n" + "".join(f"r{number},no\n" for number in range(count)))
    return path


def taken(path: Path, settings: Settings = SETTINGS) -> tuple[list[tuple[int, str]], PrefetchingReader]:
    """Line numbers and ids in the order in which they come, and the rows, closed."""
    found: list[tuple[int, str]] = []
    with contextlib.closing(PrefetchingReader(Delivery(path, Source("canonical")), settings)) as stream:
        for raw in stream:
            columns = (raw.table.column(name).to_pylist() for name in ("line_number", "report_id"))
            found += zip(*columns, strict=True)
    return found, stream


@given(count=st.integers(0, 300), block=st.integers(16, 4096), room=st.integers(1, 8192), threads=st.integers(1, 4))
@examples(max_examples=share_of(60), deadline=None)
def test_every_row_comes_once_and_in_order_however_the_file_is_cut(
    tmp_path_factory: pytest.TempPathFactory, count: int, block: int, room: int, threads: int
) -> None:
    path = numbered(tmp_path_factory.mktemp("rows"), count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK_BYTES", block)
        patch.setattr(reader, "AHEAD_BYTES", room)
        found, stream = taken(path, Settings(threads=threads))
    assert found == [(number + 2, f"r{number}") for number in range(count)]
    assert (stream.names(), stream.meter.lines) == (["report_id", "fever"], count + 1)
    assert stream.file_id() == stream.meter.file_id == hash_content(path, SETTINGS)


@pytest.mark.parametrize("room", [1, 5_000, 1 << 20])
def test_the_content_is_identified_before_any_row_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(reader, "AHEAD_BYTES", room)
    path = numbered(tmp_path, 5_000)
    with contextlib.closing(PrefetchingReader(Delivery(path, Source("canonical")), SETTINGS)) as stream:
        assert stream.file_id() == hash_content(path, SETTINGS)
        assert sum(raw.table.num_rows for raw in stream) == 5_000


@pytest.mark.parametrize("content", [b"", b'a,"b\n1,2\n', b"a,b\n" + b"x" * (2 << 20)])
def test_content_that_is_no_csv_is_identified_too(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with contextlib.closing(PrefetchingReader(Delivery(path, Source("canonical")), SETTINGS)) as stream:
        assert stream.file_id() == hash_content(path, SETTINGS)
        with pytest.raises(FileRejected):
            list(stream)


def test_no_more_is_read_ahead_than_there_is_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(reader, "AHEAD_BYTES", 8 << 10)
    path = numbered(tmp_path, 20_000)
    held: list[int] = []
    hold = reader.Room.hold
    monkeypatch.setattr(reader.Room, "hold", lambda self, size: (hold(self, size), held.append(self.held)))
    with contextlib.closing(PrefetchingReader(Delivery(path, Source("canonical")), SETTINGS)) as stream:
        deadline = time.monotonic() + 10
        while len(held) < 8 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)  # long enough to read all of it, were there no bound
        assert stream.meter.line_ends < 5_000
        assert sum(raw.table.num_rows for raw in stream) == 20_000
    assert max(held) < (8 << 10) + (
        16 << 10
    )  # the last block that was let in, and what its rows need more than its text
    assert held[-1] == 0


@pytest.mark.parametrize("room", [1, 1 << 20])
def test_closing_stops_a_reader_that_waits_for_room_or_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(reader, "AHEAD_BYTES", room)
    before = threading.active_count()
    stream = PrefetchingReader(Delivery(numbered(tmp_path, 50_000), Source("canonical")), SETTINGS)
    next(iter(stream))
    stream.close()
    stream.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "the file is empty"), (b"\xff\xfea\n", "not UTF-8"), (b'a,"b\n1,2\n', "not RFC 4180"), (b"\n1\n", "blank")],
)
def test_a_file_without_a_header_is_met_by_whoever_takes_its_rows(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with contextlib.closing(PrefetchingReader(Delivery(path, Source("canonical")), SETTINGS)) as stream:
        with pytest.raises(FileRejected, match=reason):
            stream.names()
        with pytest.raises(FileRejected, match=reason):
            list(stream)


def test_what_breaks_in_the_middle_is_met_behind_the_rows_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1 << 10)
    packed = gzip.compress(numbered(tmp_path, 50_000).read_bytes())
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(packed[: len(packed) // 2])
    seen: list[int] = []

    def read_all() -> None:
        with contextlib.closing(PrefetchingReader(Delivery(path, Source("canonical")), SETTINGS)) as stream:
            seen.extend(raw.table.num_rows for raw in stream)

    with pytest.raises(FileRejected, match="truncated archive"):
        read_all()
    assert 0 < sum(seen) < 50_000


def test_reading_ahead_says_nothing_of_a_file_that_is_not_there_and_needs_none(home: Home, tmp_path: Path) -> None:
    for deliveries in ([], [Delivery(tmp_path / "gone.csv", Source("canonical"))]):
        with prefetch_first(home, SETTINGS, deliveries) as ahead:
            assert ahead is None
    with pytest.raises(FileRejected, match="No such file"):
        read_file_identity(tmp_path / "gone.csv")


@pytest.fixture
def take(home: Home, pack: Pack) -> Callable[..., Outcome]:
    """Ingests one file with rows whose reading has begun."""

    def call(path: Path, ahead: PrefetchingReader | None) -> Outcome:
        with database.writing(home, SETTINGS, pack, 5) as connection:
            return ingest_file(connection, Delivery(path, Source("canonical")), Run(home, SETTINGS, pack), ahead)

    return call


def begun(path: Path, answers: frozenset[str]) -> PrefetchingReader:
    return PrefetchingReader(Delivery(path, Source("canonical")), SETTINGS, answers)


REPORTS = [{"report_id": f"r{number}", "fever": "yes", "redness": "NA"} for number in range(50)]


@pytest.mark.parametrize("answers", ["those of the pack", "none", "a number too"])
def test_rows_read_ahead_are_used_where_they_fit_and_closed_in_any_case(
    take: Callable[..., Outcome], write_csv: Write, ask: Callable[..., Any], pack: Pack, answers: str
) -> None:
    fields = frozenset(pack.field_names)
    guess = {"those of the pack": fields, "none": frozenset[str](), "a number too": fields | {"pain_score"}}[answers]
    path = write_csv([row | {"pain_score": "1"} for row in REPORTS])
    ahead = begun(path, guess)
    outcome = take(path, ahead)
    assert (outcome.status, outcome.rows_accepted) == ("accepted", 50)
    assert ask("SELECT DISTINCT fever, redness, pain_score FROM reports") == [(True, None, 1)]
    assert not ahead._thread.is_alive()
    again = begun(path, fields)
    assert take(path, again).status == "known"
    assert not again._thread.is_alive()


def test_rows_of_another_file_are_not_taken_for_this_one(
    take: Callable[..., Outcome], write_csv: Write, ask: Callable[..., Any], pack: Pack
) -> None:
    path, other = write_csv(REPORTS), write_csv([{"report_id": "other"}], name="other.csv")
    assert take(path, begun(other, frozenset(pack.field_names))).rows_accepted == 50
    assert ask("SELECT count(*) FROM records WHERE report_id = 'other'") == [(0,)]


def test_a_file_replaced_after_its_reading_began_is_read_as_it_is_now(
    take: Callable[..., Outcome], write_csv: Write, ask: Callable[..., Any], pack: Pack
) -> None:
    """The caller may wait for another run's lock meanwhile. From a known place the content is hashed first."""
    path = write_csv(REPORTS)
    for name in ("second", "third"):
        ahead = begun(path, frozenset(pack.field_names))
        ahead.names()
        os.replace(write_csv([{"report_id": name}], name="new.csv"), path)
        assert take(path, ahead).status == "accepted"
        assert not ahead._thread.is_alive()
    assert ask("SELECT report_id FROM records ORDER BY delivery_no") == [("second",), ("third",)]


def test_rows_cannot_be_taken_once_they_are_closed(write_csv: Write) -> None:
    ahead = begun(write_csv(REPORTS), frozenset())
    ahead.close()
    with pytest.raises(ValueError, match="before they are closed"):
        list(ahead)
