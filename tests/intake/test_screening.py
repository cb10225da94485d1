"""A checked file is a plain value: made without a store, sent elsewhere, and stored as if it were read there."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.intake.block_checker import Rules
from pipelines.intake.buffer import BufferedBlocks
from pipelines.intake.deliveries import Delivery
from pipelines.intake.layouts.adapters import load_adapter
from pipelines.intake.lines import hash_content
from pipelines.intake.opening import open_delivery
from pipelines.intake.screening import screen_file
from pipelines.settings import Settings, Source
from pipelines.store import database
from pipelines.store.database import Home, transaction
from pipelines.store.ledger import Group
from pipelines.store.load import load_files
from schemas.checked_file import CheckedFile, Rejection
from schemas.pack import Pack

Write = Callable[..., Path]
Screen = Callable[..., CheckedFile | Rejection]
GOOD = [{"report_id": f"r{number}"} for number in range(20)]


@pytest.fixture
def screen(tmp_path: Path, pack: Pack) -> Screen:
    """Screens one canonical file without any home; the blocks are taken out of the buffer."""

    def call(path: Path, settings: Settings | None = None, earlier_ids: Sequence[str] = ()) -> CheckedFile | Rejection:
        source, used = Source("canonical"), settings or Settings(threads=2)
        rules = Rules(source, load_adapter(source, tmp_path), pack, used)
        with (
            open_delivery(Delivery(path, source), used, frozenset(pack.field_names)) as opened,
            contextlib.closing(BufferedBlocks(tmp_path)) as blocks,
        ):
            checked = screen_file(opened, rules, blocks, earlier_ids)
            return replace(checked, blocks=tuple(blocks)) if isinstance(checked, CheckedFile) else checked

    return call


def test_a_checked_file_that_was_sent_as_bytes_is_stored_like_a_file_that_was_read_here(
    screen: Screen, write_csv: Write, pack: Pack, home: Home, tmp_path: Path, ingest: Any, ask: Any
) -> None:
    rows = [*GOOD, {"report_id": "r3"}, {"report_id": "r4", "sex": "male"}, {"report_id": "x", "sex": "maybe"}]
    path = write_csv(rows)
    sent = pickle.loads(pickle.dumps(screen(path)))
    other = Home(tmp_path / "other")
    other.make()
    with database.writing(other, Settings(), pack, 1) as connection, transaction(connection):
        loaded = load_files(connection, Group(Source(sent.source), pack, {1: sent}))[1]
    (outcome,) = ingest(path)
    counts = (outcome.rows_accepted, outcome.rows_quarantined, outcome.rows_superseded)
    assert counts == (loaded.inserted, loaded.quarantined, loaded.replaced) == (19, 3, 0)
    for table in ("records", "quarantine"):
        assert ask(f"FROM {table} ORDER BY ALL") == ask(f"FROM {table} ORDER BY ALL", path=other.records)


def test_a_file_that_may_not_be_stored_is_a_rejection_and_no_exception(
    screen: Screen, write_csv: Write, tmp_path: Path
) -> None:
    assert isinstance(screen(tmp_path / "gone.csv"), Rejection)
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(b"\x1f\x8b\x08")
    named = write_csv([*GOOD, {"report_id": "r", "fever": "jane@example.org"}], name="named.csv")
    bad = write_csv([{"report_id": f"r{number}", "sex": "x"} for number in range(9)], name="bad.csv")
    reasons = {path.name: screen(path) for path in (broken, named, bad)}
    assert reasons == {
        "broken.csv.gz": Rejection("cannot be read: damaged or truncated archive (EOFError)"),
        "named.csv": Rejection("column 'fever' holds an e-mail address; remove it at the sender"),
        "bad.csv": Rejection(
            "9 of 9 rows are bad (100%; at most 20% are allowed): sex: allowed_values "
            "(9, first in line 2; allowed: female male other unknown)"
        ),
    }


def test_the_senders_earlier_ids_are_handed_in(screen: Screen, write_csv: Write) -> None:
    path = write_csv([{"report_id": "9434765919"}])
    assert isinstance(screen(path), CheckedFile)
    found = screen(path, earlier_ids=["4010232137", "6056767043"])
    assert isinstance(found, Rejection)
    assert "NHS" in found.reason


def test_bad_rows_carry_the_line_they_came_in_and_conflicts_both_lines(screen: Screen, write_csv: Write) -> None:
    path = write_csv([*GOOD, {"report_id": "r4", "sex": "male"}, {"report_id": "x", "sex": "maybe"}])
    checked = screen(path)
    assert isinstance(checked, CheckedFile)
    lines = path.read_text().splitlines()
    found = {
        number: text
        for block in checked.blocks
        for number, text in zip(*(block.raw_lines.column(n).to_pylist() for n in ("line_number", "text")), strict=True)
    }
    assert found == {number: lines[number - 1] for number in (6, 22, 23)}
    assert checked.file_id == hash_content(path, Settings())


def test_lines_that_differ_behind_the_cut_are_a_conflict_and_no_duplicate(screen: Screen, tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    good = "".join(f"r{number},2026-11-16,no\n" for number in range(20))
    path.write_text(f"report_id,reported_at,fever\n{good}x,2026-11-16,{'y' * 5000}a\nx,2026-11-16,{'y' * 5000}b\n")
    checked = screen(path)
    assert isinstance(checked, CheckedFile)
    assert checked.rows_left_out.column("kind").to_pylist() == ["conflict", "conflict"]
