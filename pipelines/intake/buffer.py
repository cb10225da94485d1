"""Keep checked blocks until they are stored: in memory up to a bound; beyond it, compressed, in a nameless file.

A file with a direct identifier must leave no value behind, not even in a freed block of the disk. So what goes to
the disk is encrypted with a key that only this process knows, and forgets.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from functools import cached_property
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.errors import FileRejected
from schemas.checked_file import CheckedBlock

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MEMORY_BYTES = 128 << 20  # some 2.5 million rows; the files that most senders send fit in whole
NONCE_BYTES = 12


class EncryptedBuffer:
    """Arrow tables, added in order and read back in the same order as often as needed. Close it after use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: list[pa.Table] = []
        self.sizes: list[int] = []  # of the encrypted tables, which follow those in memory
        self.used = 0
        self.file: FileIO | None = None

    def add(self, table: pa.Table) -> None:
        """Keep a table. Raises FileRejected, for now, if the disk has no room."""
        if not self.sizes and self.used + table.nbytes <= MEMORY_BYTES:
            self.used += table.nbytes
            self.kept.append(table)
            return
        try:
            self._write(_compress(table))
        except OSError as error:
            raise FileRejected(f"cannot be kept while it is checked: {error.strerror}", passing=True) from error

    def tables(self) -> Iterator[pa.Table]:
        """Yield every table that was added."""
        yield from self.kept
        if self.file is None:
            return
        place = 0
        for number, size in enumerate(self.sizes):
            sealed = os.pread(self.file.fileno(), size, place)
            place += size
            yield _decompress(pa.py_buffer(self.cipher.decrypt(_make_nonce(number), sealed, None)))

    @cached_property
    def cipher(self) -> AESGCM:
        """The cipher of this buffer; its library is loaded only for a file that does not fit in memory."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(AESGCM.generate_key(256))

    def close(self) -> None:
        """Forget everything."""
        self.kept = []
        if self.file is not None:
            self.file.close()

    def _write(self, buffer: pa.Buffer) -> None:
        if self.file is None:
            self.file = tempfile.TemporaryFile(dir=self.folder, buffering=0)  # noqa: SIM115 - `close` does
        sealed = memoryview(self.cipher.encrypt(_make_nonce(len(self.sizes)), memoryview(buffer).cast("B"), None))
        self.sizes.append(len(sealed))
        while sealed:
            sealed = sealed[self.file.write(sealed) :]


class BufferedBlocks:
    """The checked blocks of one file, in an encrypted buffer. Close it after use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.buffer = EncryptedBuffer(folder)

    def add(self, block: CheckedBlock) -> None:
        """Keep a block."""
        for table in (block.accepted, block.bad_cells, block.raw_lines, block.warned):
            self.buffer.add(table)

    def __iter__(self) -> Iterator[CheckedBlock]:
        tables = self.buffer.tables()
        return (CheckedBlock(*parts) for parts in zip(tables, tables, tables, tables, strict=True))

    def close(self) -> None:
        """Forget everything."""
        self.buffer.close()


def _make_nonce(number: int) -> bytes:
    """Count: a key is used for one buffer alone, so every nonce is different."""
    return number.to_bytes(NONCE_BYTES, "big")


def _compress(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("lz4"))
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _decompress(buffer: pa.Buffer) -> pa.Table:
    with pa.ipc.open_stream(buffer) as reader:
        return reader.read_all()
