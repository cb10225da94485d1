"""Units prepared in this process, as a worker prepares them in its own."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

from pipelines.jobs.cluster.handover import Preparer
from pipelines.jobs.cluster.parcels import Parcels, make_key
from pipelines.jobs.cluster.unit import Prepared, Unit, make_stamp
from pipelines.jobs.cluster.worker import prepare


class Here(Preparer):
    """Prepares units in this process, as a worker does in its own."""

    def __init__(self, folder: Path | str) -> None:
        self.parcels = Parcels(str(folder), make_key())
        self.parcels.make_folder()
        self.prepared: list[Prepared] = []

    def prepare(self, units: Iterator[Unit]) -> Iterator[Prepared]:
        for unit in units:
            answer = prepare(make_stamp(), pickle.dumps(unit))
            self.prepared.append(pickle.loads(answer["prepared"]))  # type: ignore[arg-type]
            yield self.prepared[-1]
