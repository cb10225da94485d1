"""Open a delivery: what identifies it, and the reader of its rows, or the reason why it cannot be read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import FileRejected
from pipelines.intake.deliveries import Delivery, FileIdentity, has_changed, read_file_identity
from pipelines.intake.reader import PrefetchingReader
from pipelines.settings import Settings
from schemas.checked_file import Rejection


@dataclass(frozen=True)
class OpenDelivery:
    """A delivery whose reading has begun: the reader and the content's id, or why there is neither."""

    delivery: Delivery
    file_id: str | None = None
    identity: FileIdentity | None = None
    reader: PrefetchingReader | None = None
    rejection: Rejection | None = None

    def has_changed(self) -> bool:
        """Return whether another file lies in its place by now, or none."""
        return has_changed(self.delivery.path, self.identity)


@contextlib.contextmanager
def open_delivery(
    delivery: Delivery,
    settings: Settings,
    answers: frozenset[str],
    prefetched: PrefetchingReader | None = None,
    refuse: Callable[[Path], None] = lambda _: None,
) -> Iterator[OpenDelivery]:
    """Open a delivery, with the prefetched reader if that is of this file as it is now; both are closed at the end.

    `refuse` raises FileRejected for a path that must not even be opened.
    """
    with contextlib.ExitStack() as open_readers:
        if prefetched:
            open_readers.callback(prefetched.close)
        reader = None
        try:
            if delivery.unread:
                raise FileRejected(delivery.unread, passing=True)
            if not delivery.stored:  # the copy of an object lies in the home
                refuse(delivery.path)
            reader = prefetched if _fits(prefetched, delivery, answers) else None
            if reader is None:
                reader = PrefetchingReader(delivery, settings, answers)
                open_readers.callback(reader.close)
            fault = Rejection(delivery.fault) if delivery.fault else None
            opened = OpenDelivery(delivery, reader.file_id(), reader.identity, None if fault else reader, fault)
        except FileRejected as error:
            identity = reader.identity if reader else None
            opened = OpenDelivery(delivery, identity=identity, rejection=Rejection(error.reason, error.passing))
        yield opened


def _fits(reader: PrefetchingReader | None, delivery: Delivery, answers: frozenset[str]) -> bool:
    """Return whether a reader reads this file as it is now, and its columns as they are meant."""
    wanted = (delivery, answers, read_file_identity(delivery.path))
    return reader is not None and (reader.delivery, reader.answers, reader.identity) == wanted
