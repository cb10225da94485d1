"""Begin to read the first file while pandas loads and the records are opened; this module loads neither."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from pipelines.errors import FileRejected
from pipelines.intake.deliveries import Delivery
from pipelines.intake.layouts.adapters import answer_columns, load_adapter
from pipelines.intake.reader import PrefetchingReader
from pipelines.settings import Settings
from pipelines.store.database import Home
from pipelines.store.packs import configured_pack


@contextlib.contextmanager
def prefetch_first(
    home: Home, settings: Settings, deliveries: Sequence[Delivery]
) -> Iterator[PrefetchingReader | None]:
    """Yield a reader of the first delivery, closed at the end.

    It is None if there is nothing to read; what is wrong with the file shows when its turn comes.
    """
    reader = None
    with contextlib.suppress(FileRejected):
        for delivery in deliveries[:1]:
            home.refuse_as_delivery(delivery.path)
            answers = answer_columns(load_adapter(delivery.source, home.path), configured_pack(home, settings))
            reader = PrefetchingReader(delivery, settings, answers)
    try:
        yield reader
    finally:
        if reader:
            reader.close()
