"""Rates per 100,000: the file of denominators, read strictly; a region without a number has no rate."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipelines.connections import read_only
from pipelines.errors import UsageError
from pipelines.jobs import publish
from pipelines.settings import Settings
from pipelines.store.database import Home
from schemas.fields import AGE_BANDS
from schemas.pack import Pack
from tests.conftest import CONTEXT, write_rows
from tests.support import states
from tests.support.publishing import publish_anew

SETTINGS = Settings(denominators="people.csv")


@pytest.fixture(scope="module")
def fed_once(tmp_path_factory: pytest.TempPathFactory, pack: Pack) -> Home:
    """A home with six reports; never to be changed."""
    rows = [{"report_id": f"n{i}", "region": "North", "age_band": "18-29"} for i in range(4)]
    rows += [{"report_id": "n9", "region": "north", "age_band": "75+", "cannot_bear_weight": "yes"}]
    rows += [{"report_id": "s1", "region": "south"}]
    made = Home(tmp_path_factory.mktemp("fed") / "home")
    made.make()
    states.fed(made, pack, [write_rows(made.path.parent / "reports.csv", rows, (*CONTEXT, *pack.field_names))])
    return made


@pytest.fixture
def fed(fed_once: Home, tmp_path: Path) -> Home:
    return Home(Path(shutil.copytree(fed_once.path, tmp_path / "home")))


def rates(home: Home, text: str) -> dict[tuple[str, str | None], tuple[float, float]]:
    (home.path / "people.csv").write_text(text, encoding="utf-8")
    publish_anew(home, SETTINGS)
    with read_only(home.summaries) as connection:
        rows = connection.execute("SELECT region, age_band, reports_rate, emergency_rate FROM weekly_rates").fetchall()
    return {(region, band): (reports, emergencies) for region, band, reports, emergencies in rows}


def test_rates_are_of_the_regions_that_have_a_number(fed: Home) -> None:
    assert rates(fed, "region,population\nNORTH,200000\nelsewhere,50000\n") == {
        ("north", None): (2.5, 0.5),
        ("elsewhere", None): (0.0, 0.0),
    }


def test_age_bands_have_rates_of_their_own_and_make_a_region_only_together(fed: Home) -> None:
    some = "region,age_band,contacts\nnorth,18-29,1000\nnorth,75+,500\n"
    assert rates(fed, some) == {("north", "18-29"): (400.0, 0.0), ("north", "75+"): (200.0, 200.0)}
    whole = "region,age_band,contacts\n" + "".join(f"north,{band},1000\n" for band in AGE_BANDS)
    assert rates(fed, whole)["north", None] == (
        5 * 100_000 / (1000 * len(AGE_BANDS)),
        100_000 / (1000 * len(AGE_BANDS)),
    )


def test_a_number_of_the_week_goes_before_one_for_every_week(fed: Home) -> None:
    text = "region,week,population\nnorth,,100000\nnorth,2026-W47,500000\nsouth,2026-W01,5\n"
    assert rates(fed, text) == {("north", None): (1.0, 0.2)}


def test_a_changed_file_is_published_by_the_next_run(fed: Home) -> None:
    assert rates(fed, "region,population\nnorth,100000\n")["north", None] == (5.0, 1.0)
    (fed.path / "people.csv").write_text("region,population\nnorth,200000\n")
    from pipelines.store import database
    from pipelines.store.packs import load_configured_pack

    with database.writing(fed, SETTINGS, load_configured_pack(fed, SETTINGS), 1) as connection:
        publish.publish_if_stale(connection, fed, SETTINGS)
    with read_only(fed.summaries) as connection:
        assert connection.execute("SELECT reports_rate FROM weekly_rates").fetchall() == [(2.5,)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("region\nnorth\n", "line 1: the columns are region; allowed: region, population or contacts"),
        ("region,population,contacts\n", "line 1: the columns are"),
        ("region,population,size\n", "line 1: the columns are"),
        ("region,population\nnorth,0\n", "line 2: allowed are population: a whole number from 1"),
        ("region,population\nnorth,1e5\n", "line 2: allowed are population"),
        ("region,population\n,5\n", "line 2: allowed are region: any name"),
        ("region,age_band,population\nnorth,young,5\n", "line 2: allowed are age_band: 0-17"),
        ("region,week,population\nnorth,47,5\n", "line 2: allowed are week: such as 2026-W47"),
        ("region,population\nnorth,5\nNorth,6\n", "line 3: this region, age band and week stands there already"),
    ],
)
def test_a_fault_is_told_with_its_line_and_what_is_allowed(fed: Home, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=r"people\.csv") as told:
        rates(fed, text)
    assert said in str(told.value)


def test_a_file_that_is_not_there_is_told(fed: Home) -> None:
    with pytest.raises(UsageError, match=r"denominators: .*people\.csv cannot be read"):
        publish_anew(fed, SETTINGS)
    assert isinstance(fed.path, Path)
