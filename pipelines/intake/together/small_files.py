"""Read small files whole, one after another and ahead of whoever takes them, on a thread.

What cannot be read here, or is large, is passed on unread: it is read and judged alone, and told there what is wrong.
This module loads no pandas.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import FileRejected
from pipelines.intake.csv_rows import split_header_line
from pipelines.intake.deliveries import Delivery, FileIdentity, read_file_identity
from pipelines.intake.lines import ContentMeter, read_chunks, refuse_long_lines
from pipelines.settings import Settings

LARGE_BYTES = 48 << 20  # a larger file is streamed, and stored alone
AHEAD_BYTES = 96 << 20
NO_ROWS = memoryview(b"")


@dataclass(frozen=True)
class SmallFile:
    """A file that was read whole: its header line, and its rows, `lines` of them, with a line end at their end.

    Of one that was screened, or that another machine read, there is neither; no identity if it lies in a bucket.
    """

    delivery: Delivery
    identity: FileIdentity | None
    file_id: str
    is_whole: bool
    header: bytes = b""
    rows: memoryview = NO_ROWS
    lines: int = 0
    has_quotes: bool = False

    def without_rows(self) -> SmallFile:
        """Return what is known of the file without its rows, which need much room."""
        return SmallFile(self.delivery, self.identity, self.file_id, self.is_whole, lines=self.lines)


class FilesAhead:
    """Small files, read ahead in their order; None for one that is to be judged alone. Close it after use."""

    def __init__(
        self, deliveries: Sequence[Delivery], settings: Settings, refuse: Callable[[Path], None] = lambda _: None
    ) -> None:
        self.deliveries, self.settings, self.refuse = deliveries, settings, refuse
        self._read_files: deque[SmallFile | None] = deque()
        self._held = 0
        self._closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def take(self) -> SmallFile | None:
        """Return the next file. Raises what ended the reading, and RuntimeError once it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._read_files or self._error or self._closed)
            if not self._read_files:
                raise self._error or RuntimeError("no file was read")
            file = self._read_files.popleft()
            self._held -= _measure_size(file)
            self._changed.notify_all()
            return file

    def close(self) -> None:
        """Stop reading and forget what was not taken."""
        with self._changed:
            self._closed = True
            self._read_files.clear()
            self._changed.notify_all()
        self._thread.join()

    def _read(self) -> None:
        try:
            for delivery in self.deliveries:
                file = read_small_file(delivery, self.settings, self.refuse)
                with self._changed:
                    self._changed.wait_for(lambda: self._closed or self._held < AHEAD_BYTES)
                    if self._closed:
                        return
                    self._held += _measure_size(file)
                    self._read_files.append(file)
                    self._changed.notify_all()
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()


def _measure_size(file: SmallFile | None) -> int:
    return len(file.rows) if file else 0


def read_small_file(delivery: Delivery, settings: Settings, refuse: Callable[[Path], None]) -> SmallFile | None:
    """Read a file whole; return None for one that cannot be read, has no header or a fault, or is large."""
    try:
        if not delivery.stored:  # the copy of an object lies in the home
            refuse(delivery.path)
        identity = read_file_identity(delivery.path)
        content = _read_content(delivery.path, settings) if identity[1] <= LARGE_BYTES else b""
        if not content or delivery.fault:
            return None
        is_whole = content.endswith(b"\n")
        data = content if is_whole else content + b"\n"
        refuse_long_lines(data)
        header, behind = split_header_line(data)
    except (FileRejected, MemoryError):
        return None
    meter = ContentMeter(delivery.period)
    meter.see(content)
    rows = memoryview(data)[behind:]
    has_quotes = content.find(b'"', behind) >= 0
    return SmallFile(delivery, identity, meter.file_id, is_whole, header, rows, meter.lines - 1, has_quotes)


def _read_content(path: Path, settings: Settings) -> bytes:
    """Return the content of a file, decompressed; nothing of one that is large."""
    chunks: list[bytes] = []
    size = 0
    for chunk in read_chunks(path, settings, LARGE_BYTES):
        size += len(chunk)
        if size > LARGE_BYTES:
            return b""
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
