"""Read and parse the rows of a file, block by block and in order, ahead of whoever takes them, on threads.

Nothing is checked here. If a file cannot be read or has no header, that is raised when its rows are taken. This
module loads no pandas: reading begins while that still loads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

import pyarrow as pa

from pipelines.errors import FileRejected
from pipelines.intake.csv_rows import RawRows, parse_block, parse_header, split_header
from pipelines.intake.deliveries import Delivery, read_file_identity
from pipelines.intake.lines import Block, ContentMeter, read_blocks, read_chunks
from pipelines.settings import Settings

AHEAD_BYTES = 96 << 20  # what is read and not yet taken, its text and its rows
MOST_OTHER_WORDS = 4  # blocks with answers in other words than plain yes and no; then every block is read as words
WHOLE_COLUMNS = frozenset({"report_id", "reported_at"})  # of as many values as rows
if "jemalloc" in pa.supported_memory_backends():
    pa.set_memory_pool(pa.jemalloc_memory_pool())  # gives freed blocks back: at 5 million rows 755 MB for 812


class Room:
    """How many bytes of a file are held, and whether its rows are still wanted; many threads ask and tell."""

    def __init__(self) -> None:
        self.held = 0
        self.is_closed = False
        self._changed = threading.Condition()

    @property
    def is_full(self) -> bool:
        """Whether reading waits until rows are taken."""
        return self.held >= AHEAD_BYTES and not self.is_closed

    def hold(self, size: int) -> None:
        """Count bytes that are held from now on, or fewer."""
        with self._changed:
            self.held += size
            self._changed.notify()

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self.is_closed = True
            self._changed.notify()

    def wait(self) -> None:
        """Wait while it is full."""
        with self._changed:
            self._changed.wait_for(lambda: not self.is_full)


class PrefetchingReader:
    """The content id and the rows of one file; reading starts at once. Close it after use.

    `answers`: columns that hold a yes or no if their words are plain. `identity`: `read_file_identity` before the
    first byte was read. The rows can be taken once; then `meter` knows the content that they came from.
    """

    def __init__(self, delivery: Delivery, settings: Settings, answers: frozenset[str] = frozenset()) -> None:
        self.delivery, self.settings, self.answers = delivery, settings, answers
        self.identity = read_file_identity(delivery.path)
        self.meter = ContentMeter(delivery.period)
        self._other_words = 0
        self._file_id: Future[str] = Future()
        self._names: Future[list[str]] = Future()
        self._parsed: SimpleQueue[Future[RawRows] | None] = SimpleQueue()
        self._room = Room()
        self._pool = ThreadPoolExecutor(max(1, (settings.threads or os.cpu_count() or 1) - 1))
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def file_id(self) -> str:
        """Return the id of the content, as soon as all of it was read once; a long file is then not yet parsed."""
        return self._file_id.result()

    def names(self) -> list[str]:
        """Return the header's column names."""
        return self._names.result()

    def __iter__(self) -> Iterator[RawRows]:
        if self._room.is_closed:
            raise ValueError("rows of a file are taken before they are closed")
        while (parsed := self._parsed.get()) is not None:
            raw = parsed.result()
            self._room.hold(-_measure_size(raw))
            yield raw

    def close(self) -> None:
        """Stop reading and forget what was not taken."""
        self._room.close()
        self._thread.join()
        self._pool.shutdown(cancel_futures=True)
        self._parsed = SimpleQueue()

    def _read(self) -> None:
        try:
            for block in self._read_row_blocks():
                if not self._wait_for_room():
                    return
                self._room.hold(2 * len(block.data))  # its text, and about as much for its rows
                self._parsed.put(self._pool.submit(self._parse, block))
            if not self._file_id.done():  # all of it fitted into the room
                self._file_id.set_result(self.meter.file_id)
        except BaseException as error:
            self._fail(error)
        self._parsed.put(None)

    def _fail(self, error: BaseException) -> None:
        """Let the error be raised where names and rows are taken; content that can be read has an id all the same."""
        if isinstance(error, MemoryError):  # the bound of an adapter's SELECT, on another thread, is the process's
            error = FileRejected("cannot be read: memory ran out meanwhile", passing=True)
        failed: Future[RawRows] = Future()
        failed.set_exception(error)
        self._parsed.put(failed)
        if not self._names.done():
            self._names.set_exception(error)
        if not self._file_id.done():
            try:
                self._identify()
            except BaseException as unread:
                self._file_id.set_exception(unread)

    def _read_row_blocks(self) -> Iterator[Block]:
        """Yield the blocks behind the header."""
        stream = read_blocks(self.delivery.path, self.settings, self.meter)
        first = next(stream, None)
        if first is None:
            raise FileRejected("the file is empty; a header line is required")
        line, rest = split_header(first)
        self._names.set_result(parse_header(line, self.delivery.source.delimiter))
        if rest.lines:
            yield rest
        yield from stream

    def _parse(self, block: Block) -> RawRows:
        """Parse a block.

        After some blocks with other words than plain yes and no, or with quotes, plain answers are no longer tried
        first. How many had is counted without a lock, because nothing depends on the exact number.
        """
        names = self.names()
        answers = self.answers if self._other_words < MOST_OTHER_WORDS else frozenset()
        raw = parse_block(block, names, self.delivery.source.delimiter, WHOLE_COLUMNS, answers)
        if not any(is_read_answer(raw.table.column(name)) for name in answers & set(names)):
            self._other_words += 1
        self._room.hold(raw.table.nbytes - len(block.data))
        return raw

    def _wait_for_room(self) -> bool:
        """Wait for room; return False if the rows are no longer wanted.

        Nobody takes rows, and makes room, before the content is identified: so before the first wait the file is read
        a second time, for its hash alone.
        """
        while self._room.is_full and not self._file_id.done():
            self._identify()
        self._room.wait()
        return not self._room.is_closed

    def _identify(self) -> None:
        meter = ContentMeter(self.delivery.period)
        for chunk in read_chunks(self.delivery.path, self.settings):
            if self._room.is_closed:
                return
            meter.see(chunk)
        self._file_id.set_result(meter.file_id)


def _measure_size(raw: RawRows) -> int:
    return int(raw.table.nbytes) + len(raw.block.data)


def is_read_answer(column: pa.ChunkedArray) -> bool:
    """Return whether the reader knew every cell of a column as a plain word for yes or no, or as blank."""
    return bool(pa.types.is_boolean(column.type))
