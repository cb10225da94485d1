"""What is held while a file is judged: the same tables again, and nothing readable on the disk."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import FileRejected
from pipelines.intake import buffer
from pipelines.intake.buffer import EncryptedBuffer

VALUE = "a-planted-value"


def table(rows: int, text: str = VALUE) -> pa.Table:
    return pa.table({"number": range(rows), "text": [f"{text}{row % 7}" for row in range(rows)]})


@given(sizes=st.lists(st.integers(0, 300), max_size=12), memory=st.sampled_from([0, 1500, 4000, 1 << 20]))
def test_the_tables_come_back_in_order_as_often_as_wanted(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], memory: int
) -> None:
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.closing(EncryptedBuffer(tmp_path_factory.getbasetemp())) as held,
    ):
        patch.setattr(buffer, "MEMORY_BYTES", memory)
        tables = [table(size, str(place)) for place, size in enumerate(sizes)]
        for each in tables:
            held.add(each)
        assert list(held.tables()) == tables
        assert list(held.tables()) == tables


def test_what_goes_to_the_disk_has_no_name_and_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "MEMORY_BYTES", 0)
    with contextlib.closing(EncryptedBuffer(tmp_path)) as held:
        for _ in range(3):
            held.add(table(1000))
        assert list(tmp_path.iterdir()) == []
        assert held.file is not None
        written = os.pread(held.file.fileno(), 1 << 20, 0)
        assert len(written) == sum(held.sizes) > 1000
        assert VALUE.encode() not in written
        assert b"ARROW" not in written
        parts = [written[: held.sizes[0]], written[held.sizes[0] : held.sizes[0] + held.sizes[1]]]
        assert parts[0] != parts[1], "the same rows twice must not show"


def test_nothing_is_written_while_there_is_room_in_memory(tmp_path: Path) -> None:
    with contextlib.closing(EncryptedBuffer(tmp_path)) as held:
        held.add(table(1000))
        assert held.sizes == []
        assert held.file is None


def test_no_room_on_the_disk_rejects_the_file_for_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "MEMORY_BYTES", 0)
    with contextlib.closing(EncryptedBuffer(tmp_path / "missing")) as held:
        with pytest.raises(FileRejected, match="cannot be kept while it is checked: No such file") as caught:
            held.add(table(1))
        assert caught.value.passing
