"""The files that lie in the incoming folders, less those that may still be written."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from pipelines import clock
from pipelines.intake.deliveries import Delivery, find_deliveries
from pipelines.jobs.monitoring.run_lines import write_news
from pipelines.settings import Settings
from pipelines.store.home import Home
from pipelines.text import pluralise


def find_settled_deliveries(
    home: Home, paths: Sequence[str], settings: Settings, source: str | None, settle_seconds: float
) -> list[Delivery]:
    """Return the deliveries in order, less those that changed in the last `settle_seconds`: the next run takes them.

    A sender's later deliveries wait with it: taken first, they would be corrected by what is older.
    """
    deliveries = find_deliveries(list(paths), settings, source, home.leaves_out)
    if settle_seconds <= 0:
        return deliveries
    now = clock.now().timestamp()
    held_back: dict[str, None] = {}
    settled = []
    for delivery in deliveries:
        if abs(now - _find_change_time(delivery)) < settle_seconds:  # a clock far ahead holds nothing back
            held_back[delivery.source.name] = None
        if delivery.source.name not in held_back:
            settled.append(delivery)
    if waiting := len(deliveries) - len(settled):
        told = f"{pluralise(waiting, 'file')} of {', '.join(held_back)} for the next run: some changed less than"
        write_news(f"held back {told} {settle_seconds:g} s ago (settle_seconds)", settings.time_zone)
    return settled


def _find_change_time(delivery: Delivery) -> float:
    with contextlib.suppress(OSError):
        found = delivery.path.stat()
        return max(found.st_mtime, found.st_ctime)
    return 0.0  # gone, which the ingest reports
