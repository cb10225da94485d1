"""Fixtures that every test module shares: a fresh home, small files, one call to ingest and one to ask."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import hypothesis
import pytest

from pipelines.intake.deliveries import find_deliveries
from pipelines.jobs import publish as publish_job
from pipelines.jobs.ingest import Run, ingest_file
from pipelines.settings import Settings, load_settings
from pipelines.store import database
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from schemas.pack import Pack
from schemas.pack_file import load_pack
from tests.support import one_thread
from tests.support.dearest_files import DEAREST
from tests.support.drawing import ALL, EVERYDAY

# no deadline: a shared machine is slow now and then
hypothesis.settings.register_profile("all examples", deadline=None, max_examples=ALL)
hypothesis.settings.register_profile("everyday", deadline=None, max_examples=EVERYDAY)
hypothesis.settings.load_profile("all examples")


def pytest_configure(config: pytest.Config) -> None:
    """Draw fewer examples where the slow tests are left out, and open databases on one thread; whoever names a
    profile gets that one. Files are handed to the workers in our order, not by the number of their tests."""
    config.option.loadscopereorder = False
    if config.getoption("markexpr") == "not slow":
        one_thread.take()
        if not config.getoption("--hypothesis-profile", None):
            hypothesis.settings.load_profile("everyday")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the dearest files: one that comes last keeps a core busy while the others wait."""
    places = {name: place for place, name in enumerate(DEAREST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Stops the product's clock, in this process, at a moment."""

    def stop(moment: datetime) -> None:
        monkeypatch.setattr("pipelines.clock.now", lambda: moment.astimezone(UTC))

    return stop


CONTEXT = ("report_id", "reported_at", "region", "age_band", "sex", "pain_score", "duration_days")


@pytest.fixture(scope="session")
def pack() -> Pack:
    return load_pack()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.make()
    return made


@pytest.fixture
def settings(home: Home) -> Settings:
    return load_settings(home.path)


@pytest.fixture
def columns(pack: Pack) -> tuple[str, ...]:
    """The canonical header."""
    return (*CONTEXT, *pack.field_names)


@pytest.fixture
def write_csv(tmp_path: Path, columns: tuple[str, ...]) -> Callable[..., Path]:
    """Writes rows (dicts of cells; what is not given is no, or blank for context) as a canonical CSV."""

    def write(rows: Sequence[Mapping[str, str]], name: str = "reports.csv", header: Sequence[str] = ()) -> Path:
        return write_rows(tmp_path / name, rows, tuple(header) or columns)

    return write


def write_rows(path: Path, rows: Sequence[Mapping[str, str]], names: Sequence[str]) -> Path:
    """Write rows as a CSV; what is not given is no, or blank for context."""
    lines = [",".join(names), *(",".join(_cells(row, names)) for row in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _cells(row: Mapping[str, str], names: Sequence[str]) -> list[str]:
    defaults = {"reported_at": "2026-11-16T10:00:00Z"} | {name: "" for name in CONTEXT if name != "reported_at"}
    return [str(row.get(name, defaults.get(name, "no"))) for name in names]


@pytest.fixture(scope="session")
def empty_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """records.duckdb of the shipped pack with nothing in its tables, made once: a copy costs a tenth of making one."""
    pack = load_pack()
    made = Home(tmp_path_factory.mktemp("empty") / "home")
    made.make()
    with database.writing(made, Settings(), pack, 0):
        pass
    return made.records


@pytest.fixture
def take_in(home: Home, pack: Pack, empty_records: Path) -> Callable[..., list[Outcome]]:
    """Ingests paths in one batch; returns one outcome a file. Keyword arguments are settings. Nothing is published:
    that takes as long as a small file, and a test that asks the records alone sees nothing of it.
    """

    def call(
        *paths: Path | str, source: str | None = None, settings: Settings | None = None, publish: bool = False
    ) -> list[Outcome]:
        used = settings or load_settings(home.path)
        if not home.records.exists() and not home.summaries.exists() and pack.version == load_pack().version:
            shutil.copy(empty_records, home.records)
        with home.lock(5), database.open_records(home, used, pack) as connection:
            deliveries = find_deliveries([str(path) for path in paths], used, source)
            done = [ingest_file(connection, delivery, Run(home, used, pack)) for delivery in deliveries]
            if publish:
                publish_job.publish(connection, home, used)
        return done

    return call


@pytest.fixture
def ingest(take_in: Callable[..., list[Outcome]]) -> Callable[..., list[Outcome]]:
    """Ingests paths as `take_in` does, and publishes."""
    return partial(take_in, publish=True)


@pytest.fixture
def ask(home: Home) -> Callable[..., list[tuple[Any, ...]]]:
    """Rows of a query on records.duckdb."""

    def call(sql: str, *values: Any, path: Path | None = None) -> list[tuple[Any, ...]]:
        with opened(path or home.records) as connection:
            return connection.execute(sql, list(values) or None).fetchall()

    return call


@contextlib.contextmanager
def opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(str(path), read_only=True)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


@pytest.fixture(scope="session")
def good_home(tmp_path_factory: pytest.TempPathFactory, pack: Pack) -> Home:
    """A published home with records, superseded records, a quarantine and a rejected file; never to be changed."""
    from tests.support.states import STATES, fed

    made = Home(tmp_path_factory.mktemp("good") / "home")
    made.make()
    fed(made, pack, sorted((STATES / "v1").glob("*.csv")))
    return made


@pytest.fixture
def fed_home(good_home: Home, tmp_path: Path) -> Home:
    """A copy of it."""
    return Home(Path(shutil.copytree(good_home.path, tmp_path / "fed")))
