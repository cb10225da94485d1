"""Part deliveries into groups, and begin to read the first one while pandas loads; this module does not load it."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterator, Sequence

from pipelines.errors import FileRejected
from pipelines.intake.deliveries import Delivery, read_file_identity
from pipelines.intake.layouts.adapters import find_answer_columns, load_adapter
from pipelines.intake.reader import PrefetchingReader
from pipelines.intake.together.small_files import LARGE_BYTES, FilesAhead
from pipelines.settings import Settings
from pipelines.store.database import Home
from pipelines.store.packs import load_configured_pack

GROUP_FILES = 1000
GROUP_BYTES = 128 << 20  # some million rows, while as many are stored: more would take more than 1.25 GiB
UNPACKED = 8  # a compressed file is taken to be so many times larger


@contextlib.contextmanager
def prefetch_first(
    home: Home, settings: Settings, deliveries: Sequence[Delivery]
) -> Iterator[PrefetchingReader | FilesAhead | None]:
    """Yield a reader of the first delivery, or of the group that begins with it, closed at the end.

    It is None if there is nothing to read; what is wrong with the file shows when its turn comes.
    """
    reader: PrefetchingReader | FilesAhead | None = None
    with contextlib.suppress(FileRejected):
        for group in plan_groups(deliveries)[:1]:
            first = [deliveries[place] for place in group]
            if any(each.stored for each in first):
                continue  # it lies in a bucket, perhaps unchanged since it was read
            if len(first) > 1:
                reader = FilesAhead(first, settings, home.refuse_as_delivery)
                continue
            home.refuse_as_delivery(first[0].path)
            answers = find_answer_columns(
                load_adapter(first[0].source, home.path), load_configured_pack(home, settings)
            )
            reader = PrefetchingReader(first[0], settings, answers)
    try:
        yield reader
    finally:
        if reader:
            reader.close()


def plan_groups(deliveries: Sequence[Delivery], done: Container[int] = ()) -> list[list[int]]:
    """Part deliveries, by their places, into groups of one source; the order is kept within each source.

    A large file is a group of its own. The places that are `done` are in none.
    """
    groups: list[list[int]] = []
    open_groups: dict[str, tuple[list[int], int]] = {}
    for place, delivery in enumerate(deliveries):
        if place in done:
            continue
        size = _estimate_size(delivery)
        group, held = open_groups.get(delivery.source.name, ([], 0))
        if not group or size > LARGE_BYTES or len(group) == GROUP_FILES or held + size > GROUP_BYTES:
            group, held = [], 0
            groups.append(group)
        group.append(place)
        open_groups[delivery.source.name] = (group, held + size if size <= LARGE_BYTES else GROUP_BYTES)
    return groups


def _estimate_size(delivery: Delivery) -> int:
    """Return about how many bytes a file has, unpacked; 0 for one that cannot be looked at."""
    with contextlib.suppress(FileRejected):
        size = delivery.stored.size if delivery.stored else read_file_identity(delivery.path)[1]
        return size * UNPACKED if delivery.path.suffix.lower() in (".gz", ".zst") else size
    return 0
