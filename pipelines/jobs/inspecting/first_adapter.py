"""Write a first adapter for a file: its header and first rows, read as they stand, and what can be guessed of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipelines.errors import FileRejected, OtherDelimiter, UsageError
from pipelines.intake.deliveries import Delivery
from pipelines.intake.layouts.adapter_guess import guess_adapter
from pipelines.intake.opening import open_delivery
from pipelines.jobs.inspecting.inspect import find_one
from pipelines.settings import Settings
from pipelines.store.database import Home
from pipelines.store.packs import load_configured_pack

SAMPLE_ROWS = 5_000


def write_adapter(home: Home, settings: Settings, given: str, source: str | None) -> str:
    """Return a first adapter for a file's header, guessed from its first rows. Raises UsageError.

    A file whose cells are separated otherwise than the settings say is read as it stands, and the adapter tells it.
    """
    delivery = find_one(given, settings, source)
    open_points: list[str] = []
    try:
        try:
            samples = _read_samples(home, settings, delivery)
        except OtherDelimiter as error:
            open_points.append(f"settings: {error.reason.partition(', or')[0]}: delimiter = {error.toml}")
            own = replace(delivery.source, delimiter=error.delimiter)
            samples = _read_samples(home, settings, replace(delivery, source=own))
    except FileRejected as error:
        raise UsageError(f"{given}: {error.reason}") from error
    return guess_adapter(samples, load_configured_pack(home, settings), open_points)


def _read_samples(home: Home, settings: Settings, delivery: Delivery) -> Mapping[str, Sequence[str]]:
    """Return the first filled cells of each column. Raises FileRejected."""
    with open_delivery(delivery, settings, frozenset(), refuse=home.refuse_as_delivery) as opened:
        if opened.reader is None:
            raise FileRejected(opened.rejection.reason if opened.rejection else "cannot be read")
        names = opened.reader.names()
        table = next((raw.table for raw in opened.reader), None)
    if table is None:
        return {name: [] for name in names}
    rows = table.slice(0, SAMPLE_ROWS)
    return {name: rows.column(name).drop_null().to_pylist() for name in names}
