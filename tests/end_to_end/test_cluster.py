"""A real scheduler with TLS and two real workers: equal tables, and whatever dies, nothing is lost or doubled."""

from __future__ import annotations

import contextlib
import resource
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from pipelines.connections import connect
from pipelines.errors import ClusterError, DiskError
from pipelines.intake.deliveries import Delivery, find_deliveries
from pipelines.jobs import prefetch
from pipelines.jobs.cluster import client
from pipelines.jobs.cluster.address import Workers, prepared_by
from pipelines.jobs.ingest import ingest_batch
from pipelines.jobs.outcome import Lines
from pipelines.settings import Settings, Source
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from pipelines.synthetic import generate
from tests.jobs.test_groups import tables
from tests.support.cluster import ROOT, START_SECONDS, DaskHere
from tests.support.serving import wait_until

SOURCES = (Source("north", patterns=("north*.csv",)), Source("south", patterns=("south*.csv",), report_ids="per_file"))
SETTINGS = Settings(sources=SOURCES)
FILES = 12
TABLES_OF_SENDERS = (
    *("files", "records", "daily_summary", "daily_rules", "daily_fields", "daily_arrivals"),
    *("daily_numbers", "daily_rule_sets"),
)
OF_THE_SENDER = ("source", "path", "delivery_no", "first_delivery_no", "tried_with", "ingested_at", "run_id")


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskHere]:
    running = DaskHere(tmp_path_factory.mktemp("dask") / "cluster")
    yield running
    running.stop()


@pytest.fixture
def cluster(dask: DaskHere, monkeypatch: pytest.MonkeyPatch) -> Iterator[DaskHere]:
    """The scheduler of the module with two workers of this test, and units of a few files."""
    monkeypatch.setattr(prefetch, "GROUP_BYTES", 12_000)
    for _ in range(2):
        dask.start_worker()
    with dask.certificates():
        yield dask
    for worker in dask.workers:
        if worker.poll() is None:
            dask.kill(worker)


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory: pytest.TempPathFactory) -> list[Delivery]:
    """Files of two senders: corrections across files, one with an identifier, a damaged one, the same bytes twice."""
    folder = tmp_path_factory.mktemp("delivered")
    header = "report_id,reported_at,region,sex,pain_score,fever,redness,age_band\n"
    for number in range(FILES):
        rows = [
            f"r{number * 70 + row},2026-11-{1 + (number + row) % 20:02}T10:{row % 60:02}:00Z,north,female,"
            f"{row % 11},{'yes' if row % 3 else 'no'},{'yes' if row % 7 == number % 7 else ''},30-44\n"
            for row in range(100)
        ]
        (folder / f"north-{number:02}.csv").write_text(header + "".join(rows))
        (folder / f"south-{number:02}.csv").write_text(header + "".join(rows[::2]) + ("a,b\n" if number == 5 else ""))
    (folder / "north-03.csv").write_text(header + "x1,2026-11-03,jo@example.org,female,3,yes,no,30-44\n")
    (folder / "south-07.csv").write_bytes((folder / "south-06.csv").read_bytes() + b"\0\xff\xfe")
    shutil.copy(folder / "north-08.csv", folder / "north-09.csv")
    return find_deliveries([str(folder)], SETTINGS, None)


class Told(Lines):
    """Calls something once, after the first file was told."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.then: list[Callable[[], object]] = [then]
        self.outcomes: list[Outcome] = []

    def done(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        if self.then:
            self.then.pop()()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, deliveries: list[Delivery]) -> Home:
    """A home that this process filled by itself."""
    home = Home(tmp_path_factory.mktemp("alone") / "home")
    home.make()
    ingest_batch(home, SETTINGS, deliveries, 5, Told(), publish=False)
    return home


def ingest(home: Home, deliveries: list[Delivery], where: Workers | None, told: Told | None = None) -> list[Outcome]:
    home.make()
    with prepared_by(where, home) as preparer:
        return ingest_batch(home, SETTINGS, deliveries, 5, told or Told(), publish=False, preparer=preparer)


def test_two_workers_leave_what_one_machine_leaves(
    cluster: DaskHere, deliveries: list[Delivery], alone: Home, tmp_path: Path
) -> None:
    home, shared = Home(tmp_path / "home"), tmp_path / "shared"
    outcomes = ingest(home, deliveries, Workers(cluster.address, str(shared)))
    assert {each.status for each in outcomes} == {"accepted", "rejected", "known"}
    assert tables(home) == tables(alone)
    assert list(shared.iterdir()) == [], "nothing stays in the shared folder"
    assert [each.status for each in ingest(home, deliveries, Workers(cluster.address))].count("accepted") == 0


@pytest.mark.slow
def test_the_work_of_a_killed_worker_is_done_by_the_other(
    cluster: DaskHere, deliveries: list[Delivery], alone: Home, tmp_path: Path
) -> None:
    told = Told(lambda: cluster.kill(cluster.workers[-1]))
    ingest(Home(tmp_path / "home"), deliveries, Workers(cluster.address, str(tmp_path / "shared")), told)
    assert told.then == []
    assert tables(Home(tmp_path / "home")) == tables(alone)


@pytest.mark.slow
def test_a_lost_cluster_is_told_and_the_next_run_goes_on(
    deliveries: list[Delivery], alone: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.ExitStack() as held:
        own = DaskHere(tmp_path / "own")
        held.callback(own.stop)
        held.enter_context(own.certificates())
        monkeypatch.setattr(prefetch, "GROUP_BYTES", 12_000)
        own.start_worker()
        home, told = Home(tmp_path / "home"), Told(lambda: own.kill(own.scheduler))
        with pytest.raises(ClusterError, match=r"was lost .*\n.*run the same again, with or without"):
            ingest(home, deliveries, Workers(own.address, str(tmp_path / "shared")), told)
        monkeypatch.setattr(client, "CONNECT_SECONDS", 2)
        with pytest.raises(ClusterError, match="cannot be reached"):
            ingest(home, deliveries, Workers(own.address))
    assert 0 < len(told.outcomes) < len(deliveries)
    assert list((tmp_path / "shared").iterdir()) == [], "nothing stays in the shared folder"
    ingest(home, deliveries, None)
    assert tables(home) == tables(alone)


def test_a_worker_of_another_version_is_refused(cluster: DaskHere, deliveries: list[Delivery], tmp_path: Path) -> None:
    other = tmp_path / "other"
    for folder in ("pipelines", "schemas", "sql", "data"):
        shutil.copytree(ROOT / folder, other / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (other / "sql/store/new_rows.sql").write_text("-- Another version.\n")
    cluster.start_worker({"PYTHONPATH": str(other)})
    wait_until(lambda: count(cluster) == 3, START_SECONDS, cluster.said("worker"))
    with pytest.raises(ClusterError, match=r"is another version: calfwatch .* there, calfwatch .* here"):
        ingest(Home(tmp_path / "home"), deliveries, Workers(cluster.address))


def count(cluster: DaskHere) -> int:
    with client._connected(Workers(cluster.address)) as connected:
        return len(connected.nthreads())


@pytest.mark.slow
def test_a_shared_folder_that_goes_is_told_and_the_next_run_goes_on(
    cluster: DaskHere, deliveries: list[Delivery], alone: Home, tmp_path: Path
) -> None:
    home, shared = Home(tmp_path / "home"), tmp_path / "shared"
    with pytest.raises(ClusterError, match="No such file or directory; see --shared"):
        ingest(home, deliveries, Workers(cluster.address, str(shared)), Told(lambda: shared.rename(tmp_path / "gone")))
    ingest(home, deliveries, Workers(cluster.address, str(shared)))
    assert tables(home) == tables(alone)


@pytest.mark.slow
def test_a_worker_that_cannot_write_for_want_of_room_is_told(
    dask: DaskHere, deliveries: list[Delivery], alone: Home, tmp_path: Path
) -> None:
    worker = dask.start_worker(before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000)))
    home, shared = Home(tmp_path / "home"), str(tmp_path / "shared")
    try:
        with (
            dask.certificates(),
            pytest.raises(DiskError, match=f"{shared}.*File too large; whatever was"),
        ):
            ingest(home, deliveries, Workers(dask.address, shared))
    finally:
        dask.kill(worker)
    ingest(home, deliveries, None)
    assert tables(home) == tables(alone)


# --- twenty million rows ---------------------------------------------------------------------------------------------

SENDERS = 10


def sum_up(home: Home) -> dict[tuple[str, str], tuple[object, ...]]:
    """By table and sender the number of rows, and a sum over all cells but the sender's name and what it decides."""
    found = {}
    with contextlib.closing(connect(home.records, writing=False)) as connection:
        for table in TABLES_OF_SENDERS:
            names = [
                name for name, *_ in connection.execute(f"DESCRIBE {table}").fetchall() if name not in OF_THE_SENDER
            ]
            sql = f"SELECT source, count(*), sum(hash({', '.join(names)})::HUGEINT) FROM {table} GROUP BY source"
            found |= {(table, source): tuple(sums) for source, *sums in connection.execute(sql).fetchall()}
    return found


@pytest.mark.slow
def test_twenty_million_rows_by_two_workers_of_which_one_is_killed(dask: DaskHere, tmp_path: Path) -> None:
    """Ten senders deliver the same two million reports; a cluster leaves of each what one machine leaves of one."""
    made = generate(tmp_path / "made", reports=2_000_000, weeks=104, seed=11, end=date(2026, 11, 22))
    settings = Settings(sources=tuple(Source(f"s{number}", patterns=(f"s{number}-*",)) for number in range(SENDERS)))
    (tmp_path / "in").mkdir()
    for number in range(SENDERS):
        for path in made:
            (tmp_path / "in" / f"s{number}-{path.name}").symlink_to(path)
    homes = [Home(tmp_path / name) for name in ("alone", "cluster")]
    for home in homes:
        home.make()
    deliveries = find_deliveries([str(tmp_path / "in")], settings, None)
    first = [each for each in deliveries if each.source.name == "s0"]
    ingest_batch(homes[0], settings, first, 5, Told(), publish=False)
    workers = [dask.start_worker() for _ in range(2)]
    with dask.certificates(), prepared_by(Workers(dask.address, str(tmp_path / "shared")), homes[1]) as preparer:
        told = Told(lambda: dask.kill(workers[0]))
        ingest_batch(homes[1], settings, deliveries, 5, told, publish=False, preparer=preparer)
    dask.kill(workers[1])
    assert told.then == []
    alone, cluster = map(sum_up, homes)
    assert alone["records", "s0"][0] == 2_000_000
    assert cluster == {
        (table, f"s{number}"): alone[table, "s0"] for table in TABLES_OF_SENDERS for number in range(SENDERS)
    }
