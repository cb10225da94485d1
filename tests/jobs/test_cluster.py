"""Files that other processes prepare leave what files ingested here leave, whatever they do to each other."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings

from pipelines.files import MARKER
from pipelines.intake.deliveries import find_deliveries
from pipelines.jobs.cluster.unit import Prepared, Unit
from pipelines.jobs.cluster.worker import _work_folder
from pipelines.jobs.ingest import ingest_batch
from pipelines.store import daily_counts
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from tests.bench import scale
from tests.jobs.test_groups import SETTINGS, Quiet, Sent, histories, tables, template, write
from tests.support.drawing import examples
from tests.support.prepared import Here

__all__ = ["template"]


def compare(place: Path, template: Path, sent: list[Sent]) -> list[Outcome]:
    place.mkdir(exist_ok=True)
    deliveries = find_deliveries(write(place / "in", sent), SETTINGS, None, in_order=True)
    homes = [Home(place / name) for name in ("here", "cluster")]
    for home in homes:
        shutil.copytree(template, home.path)
    here = ingest_batch(homes[0], SETTINGS, deliveries, 5, Quiet(), publish=False, run_id="run")
    preparer = Here(place / "shared")
    there = ingest_batch(homes[1], SETTINGS, deliveries, 5, Quiet(), publish=False, run_id="run", preparer=preparer)
    assert there == here
    assert tables(homes[1]) == tables(homes[0])
    return here


@settings(max_examples=examples(15), deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=histories())
def test_prepared_files_leave_what_files_read_here_leave(
    tmp_path_factory: pytest.TempPathFactory, template: Path, sent: list[Sent]
) -> None:
    place = tmp_path_factory.mktemp("history")
    done = compare(place, template, sent)
    event(f"a rejected file: {any(each.status == 'rejected' for each in done)}")
    shutil.rmtree(place)


@pytest.fixture
def five(tmp_path: Path) -> list[Sent]:
    """Five files of one sender, of which no report stands in two."""
    rows = [[(f"r{number}-{row}", "2026-11-16", "north", "", "yes", "no") for row in range(4)] for number in range(5)]
    return [Sent("north", tuple(each)) for each in rows]


def test_counts_that_came_with_new_reports_are_taken(
    tmp_path: Path, template: Path, five: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_counts, "_count_changes", lambda *_: pytest.fail("counted again"))
    home = Home(tmp_path / "home")
    shutil.copytree(template, home.path)
    deliveries = find_deliveries(write(tmp_path / "in", five), SETTINGS, None)
    ingest_batch(home, SETTINGS, deliveries, 5, Quiet(), publish=False, preparer=Here(tmp_path / "shared"))
    monkeypatch.undo()
    alone = Home(tmp_path / "alone")
    shutil.copytree(template, alone.path)
    ingest_batch(alone, SETTINGS, deliveries, 5, Quiet(), publish=False)
    assert tables(home) == tables(alone)


def test_a_file_that_a_worker_sees_otherwise_is_read_where_it_is_stored(
    tmp_path: Path, template: Path, five: list[Sent]
) -> None:
    """As where the same path is another folder on the worker's machine."""

    class Elsewhere(Here):
        def prepare(self, units: Iterator[Unit]) -> Iterator[Prepared]:
            for prepared in super().prepare(units):
                other = {place: replace(each, identity=(1, 2, 3, 4)) for place, each in prepared.files.items() if place}
                yield replace(prepared, files=prepared.files | other)

    home, alone = Home(tmp_path / "home"), Home(tmp_path / "alone")
    deliveries = find_deliveries(write(tmp_path / "in", five), SETTINGS, None)
    for each in (home, alone):
        shutil.copytree(template, each.path)
    ingest_batch(alone, SETTINGS, deliveries, 5, Quiet(), publish=False)
    ingest_batch(home, SETTINGS, deliveries, 5, Quiet(), publish=False, preparer=Elsewhere(tmp_path / "shared"))
    assert tables(home) == tables(alone)
    (tmp_path / "in" / "north-001.csv").unlink()
    (tmp_path / "in" / "north-002.csv").write_text("no header\n")
    again = ingest_batch(home, SETTINGS, deliveries, 5, Quiet(), publish=False, preparer=Here(tmp_path / "shared"))
    assert [each.status for each in again] == ["known", "rejected", "rejected", "known", "known"]


def test_what_a_killed_worker_left_goes_and_nobody_elses_temporaries(
    tmp_path: Path, template: Path, five: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "temporary"
    own = place / f"calfwatch-workers-{os.geteuid()}"
    left = own / ".calfwatch-cluster-0123456789abcdef"
    left.mkdir(parents=True)
    (left / MARKER).touch()
    (left / "rows").write_text("of a patient")
    foreign = place / ".calfwatch-new-0123456789abcdef"  # of `query --out` at this moment, perhaps
    foreign.touch()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    home = Home(tmp_path / "home")
    shutil.copytree(template, home.path)
    deliveries = find_deliveries(write(tmp_path / "in", five), SETTINGS, None)
    ingest_batch(home, SETTINGS, deliveries, 5, Quiet(), publish=False, preparer=Here(tmp_path / "shared"))
    assert list(own.iterdir()) == []
    assert foreign.exists()


def test_a_folder_for_workers_that_somebody_else_laid_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trap").mkdir()
    (tmp_path / f"calfwatch-workers-{os.geteuid()}").symlink_to(tmp_path / "trap")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(PermissionError, match="was made by somebody else"), _work_folder():
        pass


def test_the_script_on_scale_times_functions_that_are_there() -> None:
    assert [name for place, name, _ in scale.PHASES if not callable(getattr(place, name, None))] == []
