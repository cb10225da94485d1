"""Files that other processes prepare leave what files ingested here leave, whatever they do to each other."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings

from pipelines.intake.deliveries import find_deliveries
from pipelines.jobs.cluster.handover import Preparer
from pipelines.jobs.cluster.parcels import Parcels, make_key
from pipelines.jobs.cluster.unit import Prepared, Unit, make_stamp
from pipelines.jobs.cluster.worker import prepare
from pipelines.jobs.ingest import ingest_batch
from pipelines.store.database import Home
from tests.jobs.test_groups import SETTINGS, Quiet, Sent, histories, tables, template, write
from tests.support.drawing import examples

__all__ = ["template"]


class Here(Preparer):
    """Prepares units in this process, as a worker does in its own."""

    def __init__(self, folder: Path) -> None:
        self.parcels = Parcels(str(folder), make_key())
        self.parcels.make_folder()

    def prepare(self, units: Iterator[Unit]) -> Iterator[Prepared]:
        for unit in units:
            answer = prepare(make_stamp(), pickle.dumps(unit))
            yield pickle.loads(answer["prepared"])  # type: ignore[arg-type]


def compare(place: Path, template: Path, sent: list[Sent]) -> None:
    deliveries = find_deliveries(write(place / "in", sent), SETTINGS, None, in_order=True)
    homes = [Home(place / name) for name in ("here", "cluster")]
    for home in homes:
        shutil.copytree(template, home.path)
    here = ingest_batch(homes[0], SETTINGS, deliveries, 5, Quiet(), publish=False, run_id="run")
    preparer = Here(place / "shared")
    there = ingest_batch(homes[1], SETTINGS, deliveries, 5, Quiet(), publish=False, run_id="run", preparer=preparer)
    assert there == here
    assert tables(homes[1]) == tables(homes[0])
    event(f"a rejected file: {any(each.status == 'rejected' for each in here)}")


@settings(max_examples=examples(15), deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=histories())
def test_prepared_files_leave_what_files_read_here_leave(
    tmp_path_factory: pytest.TempPathFactory, template: Path, sent: list[Sent]
) -> None:
    place = tmp_path_factory.mktemp("history")
    compare(place, template, sent)
    shutil.rmtree(place)
