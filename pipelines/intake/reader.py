"""a file's rows, block by block and in order, read and parsed ahead by threads of their own.

Nothing is judged here. A file that cannot be read, or has no header, is met by whoever takes its rows.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import pyarrow as pa

from pipelines.errors import FileRejected
from pipelines.intake.adapters import Adapter, load_adapter
from pipelines.intake.lines import Block, Delivery, Meter, RawRows, blocks, header_names, raw_rows, split_header
from pipelines.settings import Settings
from pipelines.store.home import Home
from pipelines.store.packs import configured_pack
from schemas.pack import Pack

AHEAD_BYTES = 64 << 20  # what is read and not yet taken, as text or as rows
MOST_OTHER_WORDS = 4  # blocks with answers in other words than plain yes and no; then every block is read as words
WHOLE_COLUMNS = frozenset({"report_id", "reported_at"})  # of as many values as rows
if "jemalloc" in pa.supported_memory_backends():
    pa.set_memory_pool(pa.jemalloc_memory_pool())  # gives freed blocks back: at 5 million rows 755 MB for 812


class Rows:
    """The rows of one file, to be taken once; reading starts at once. Close it after use.

    `answers`: columns that hold a yes or no where their words are plain. `identity`: what `file_identity` said before
    the first byte was read. `meter` is complete once every row was taken. Taking raises FileRejected.
    """

    def __init__(self, delivery: Delivery, settings: Settings, answers: frozenset[str] = frozenset()) -> None:
        self.delivery, self.settings, self.answers = delivery, settings, answers
        self.identity = file_identity(delivery.path)
        self.meter = Meter()
        self._other_words = 0
        self._names: Future[list[str]] = Future()
        self._parsed: SimpleQueue[Future[RawRows] | None] = SimpleQueue()
        self._held = 0
        self._closed = False
        self._room = threading.Condition()
        self._pool = ThreadPoolExecutor(max(1, (settings.threads or os.cpu_count() or 1) - 1))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def names(self) -> list[str]:
        """The header's column names."""
        return self._names.result()

    def __iter__(self) -> Iterator[RawRows]:
        if self._closed:
            raise ValueError("rows of a file are taken before they are closed")
        while (parsed := self._parsed.get()) is not None:
            raw = parsed.result()
            self._hold(-raw.table.nbytes)
            yield raw

    def close(self) -> None:
        """Stops reading and forgets what was not taken."""
        with self._room:
            self._closed = True
            self._room.notify()
        self._reader.join()
        self._pool.shutdown(cancel_futures=True)
        self._parsed = SimpleQueue()

    def _read(self) -> None:
        try:
            for block in self._row_blocks():
                if not self._has_room():
                    break
                self._hold(len(block.data))
                self._parsed.put(self._pool.submit(self._parse, block))
        except BaseException as error:  # whoever takes the rows is told
            failed: Future[RawRows] = Future()
            failed.set_exception(error)
            self._parsed.put(failed)
            if not self._names.done():
                self._names.set_exception(error)
        self._parsed.put(None)

    def _row_blocks(self) -> Iterator[Block]:
        """The blocks behind the header."""
        stream = blocks(self.delivery.path, self.settings, self.meter)
        first = next(stream, None)
        if first is None:
            raise FileRejected("the file is empty; a header line is required")
        line, rest = split_header(first)
        self._names.set_result(header_names(line, self.delivery.source.delimiter))
        if rest.lines:
            yield rest
        yield from stream

    def _parse(self, block: Block) -> RawRows:
        """A block's rows. Where blocks have other words than plain yes and no, or quotes, plain answers are no longer
        tried first; how many blocks had is counted without a lock, for nothing hangs on the exact number."""
        names = self.names()
        answers = self.answers if self._other_words < MOST_OTHER_WORDS else frozenset()
        raw = raw_rows(block, names, self.delivery.source.delimiter, WHOLE_COLUMNS, answers)
        if not any(is_read_answer(raw.table.column(name)) for name in answers & set(names)):
            self._other_words += 1
        self._hold(raw.table.nbytes - len(block.data))
        return raw

    def _has_room(self) -> bool:
        """Waits for room; False where the rows are no longer wanted."""
        with self._room:
            self._room.wait_for(lambda: self._closed or self._held < AHEAD_BYTES)
            return not self._closed

    def _hold(self, size: int) -> None:
        with self._room:
            self._held += size
            self._room.notify()


@contextlib.contextmanager
def read_ahead(home: Home, settings: Settings, deliveries: Sequence[Delivery]) -> Iterator[Rows | None]:
    """The rows of the first delivery, read while the caller still loads and opens what it needs to judge them.

    None where there is nothing to read; what is wrong with the file shows when its turn comes.
    """
    rows = None
    with contextlib.suppress(FileRejected):
        for delivery in deliveries[:1]:
            home.refuse_as_delivery(delivery.path)
            answers = plain_answers(load_adapter(delivery.source, home.path), configured_pack(home, settings))
            rows = Rows(delivery, settings, answers)
    try:
        yield rows
    finally:
        if rows:
            rows.close()


def plain_answers(adapter: Adapter, pack: Pack) -> frozenset[str]:
    """The columns that may be read as yes and no: an adapter's SELECT is given text."""
    return frozenset(pack.field_names) if adapter.identity else frozenset()


def is_read_answer(column: pa.ChunkedArray) -> bool:
    """Whether the reader knew every cell of a column as a plain word for yes or no, or as blank."""
    return bool(pa.types.is_boolean(column.type))


def file_identity(path: Path) -> tuple[int, int, int]:
    """Differs where a file was replaced or written to: inode, size in bytes, time of change in ns.

    Raises FileRejected, for now, where it cannot be looked at.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise FileRejected(f"cannot be read: {error.strerror}", passing=True) from error
    return found.st_ino, found.st_size, found.st_mtime_ns
