"""A snapshot that is made of the one before holds what a whole copy holds, and is made only where that is sure."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import duckdb
import pytest

from pipelines.connections import connect
from pipelines.jobs import check, publish
from pipelines.jobs.withdraw import withdraw_file
from pipelines.settings import Settings
from pipelines.store import database, snapshot
from pipelines.store.database import Home
from schemas.pack_file import load_pack
from tests.conftest import opened
from tests.support.drawing import spread
from tests.support.publishing import publish_anew

Write = Callable[..., Path]


@pytest.fixture
def renewed(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each publication renewed the snapshot of before."""
    found: list[bool] = []
    renew = snapshot._renew

    def note(*given: Any) -> bool:
        found.append(renew(*given))
        return found[-1]

    monkeypatch.setattr(snapshot, "_renew", note)
    return found


def published(home: Home) -> dict[str, Any]:
    """Every table, its rows sorted, and every comment; but for the moment of publication."""
    with opened(home.summaries) as connection:
        found: dict[str, Any] = {}
        for (table,) in connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall():
            left_out = " EXCLUDE (published_at)" if table == "about" else ""
            found[table] = sorted(connection.execute(f"SELECT *{left_out} FROM {table}").fetchall(), key=repr)
        found["comments"] = connection.execute(
            "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal ORDER BY ALL"
        ).fetchall()
        return found


def check_published(home: Home) -> list[str]:
    """What the published tables say otherwise than the stored ones."""
    with contextlib.closing(connect(home.records, writing=False)) as connection:
        return list(check._check_snapshot(check.Look(home, connection, Settings(), load_pack())))


def list_unsorted(home: Home) -> set[str]:
    """The published tables of which the rows are not in order, by their columns from the first on."""
    with opened(home.summaries) as connection:
        names = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        return {
            name
            for name in names
            if connection.execute(f"FROM {name}").fetchall()
            != connection.execute(f"FROM {name} ORDER BY ALL").fetchall()
        }


def copy_whole(home: Home) -> dict[str, Any]:
    home.summaries.unlink()
    publish_anew(home, Settings())
    return published(home)


@contextlib.contextmanager
def changing(path: Path) -> Iterator[Any]:
    path.chmod(0o600)
    with contextlib.closing(connect(path)) as connection:
        yield connection
    path.chmod(0o400)


def report(number: int, day: int, **more: str) -> dict[str, str]:
    return {"report_id": f"r{number}", "reported_at": f"2026-11-{day:02}T10:00:00Z", "region": "north"} | more


def test_new_late_and_corrected_reports_renew_the_days_that_they_change(
    home: Home, write_csv: Write, ingest: Callable[..., Any], renewed: list[bool]
) -> None:
    ingest(write_csv([report(number, 1 + number % 18) for number in range(60)], "1.csv"))
    for place, rows in enumerate(
        (
            [report(100, 19), report(101, 20)],
            [report(102, 2, region="a new one"), report(103, 3)],
            [report(5, 6, fever="yes"), report(6, 7, region="south")],
            [report(7, 15)],
        )
    ):
        ingest(write_csv(rows, f"more-{place}.csv"))
        assert renewed[-1] is True
        now = published(home)
        assert copy_whole(home) == now
        assert renewed.pop() is False


def draw_reports(draw: random.Random, known: int) -> list[dict[str, str]]:
    """Reports of ten weeks, most of them of the last two; some replace known ones."""
    days = [date(2026, 11, 20) - timedelta(days=back) for back in (*range(9), *range(9), *range(70))]
    return [
        {
            "report_id": f"r{draw.choice([draw.randrange(known), known + number])}",
            "reported_at": f"{draw.choice(days)}T10:00:00Z",
            "region": draw.choice(["north", "north", "south", "", f"of {known}"]),
            "age_band": draw.choice(["18-29", "30-44", ""]),
            "sex": draw.choice(["female", "male", ""]),
            "pain_score": draw.choice(["", "3", "9"]),
            **{
                name: draw.choice(["yes", "no", ""])
                for name in ("fever", "leg_swelling", "shortness_of_breath", "lump")
            },
        }
        for number in range(draw.randrange(1, 5))
    ]


@pytest.mark.parametrize("seed", [1, 2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 11))])
def test_a_drawn_history_of_corrections_and_late_reports_is_published_as_a_whole_copy_would_be(
    home: Home, write_csv: Write, ingest: Callable[..., Any], renewed: list[bool], seed: int
) -> None:
    draw = random.Random(seed)
    for place in range(5):
        ingest(write_csv(draw_reports(draw, 5 + place), f"{place}.csv"))
        now = published(home)
        assert check_published(home) == []
        if place == 4:
            assert list_unsorted(home) <= {"daily_summary"}
            assert copy_whole(home) == now
            assert list_unsorted(home) <= {"daily_summary"}
    assert renewed.count(True) >= 2


def test_a_publication_that_did_not_come_to_its_end_is_made_again(
    home: Home, write_csv: Write, ingest: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(write_csv([report(number, 1 + number) for number in range(9)], "1.csv"))
    (home.path / "denominators.csv").write_text("region,population\nnorth,1000\n")
    settings = Settings(denominators="denominators.csv")
    with monkeypatch.context() as patched:
        patched.setattr(snapshot, "write_snapshot", Mock(side_effect=RuntimeError("killed")))
        with pytest.raises(RuntimeError):
            publish.publish_news(home, settings, 5)
    assert published(home)["weekly_rates"] == []
    publish.publish_news(home, settings, 5)
    assert published(home)["weekly_rates"]
    before = home.summaries.stat().st_ino
    publish.publish_news(home, settings, 5)
    assert home.summaries.stat().st_ino == before


def test_what_was_taken_out_is_not_left_in_free_blocks(
    home: Home, write_csv: Write, ingest: Callable[..., Any], renewed: list[bool]
) -> None:
    ingest(write_csv([report(1, 1)], "1.csv"))
    (outcome,) = ingest(write_csv([report(2, 2, region="zanzibar")], "2.csv"))
    assert renewed == [False, True]
    withdraw_file(home, Settings(), outcome.file_id, None, [], False, 5)
    assert renewed[2:] == [False]
    assert b"zanzibar" not in home.summaries.read_bytes()


def test_after_something_was_taken_out_the_whole_is_copied_however_little_of_it_is_old(
    home: Home, write_csv: Write, ingest: Callable[..., Any], renewed: list[bool]
) -> None:
    outcomes = ingest(*(write_csv([report(number, number)], f"{number}.csv") for number in (1, 2)))
    withdraw_file(home, Settings(), outcomes[1].file_id, None, [], False, 5)
    assert renewed == [False, False]


@pytest.mark.parametrize(
    "statement",
    spread(
        [
            "UPDATE daily_summary SET reports = reports + 1",
            "DELETE FROM daily_summary WHERE report_date = (SELECT min(report_date) FROM daily_summary)",
            "CREATE VIEW foreign_one AS SELECT 1",
            "CREATE TABLE foreign_one (x INTEGER)",
            "DELETE FROM about",
            "DROP TABLE daily_summary",
            "UPDATE weekly_triage SET reports = 7",
            "ALTER TABLE daily_summary DROP COLUMN region",
        ],
        everyday=4,
    ),
)
def test_a_snapshot_that_somebody_changed_is_put_right(
    home: Home, write_csv: Write, ingest: Callable[..., Any], statement: str
) -> None:
    ingest(write_csv([report(number, 1 + number) for number in range(9)], "1.csv"))
    wanted = published(home)
    with changing(home.summaries) as connection:
        connection.execute(statement)
    publish_anew(home, Settings())
    assert published(home) == wanted


def test_a_damaged_snapshot_is_replaced(home: Home, write_csv: Write, ingest: Callable[..., Any]) -> None:
    ingest(write_csv([report(number, 1 + number) for number in range(9)], "1.csv"))
    wanted = published(home)
    content = home.summaries.read_bytes()
    home.summaries.chmod(0o600)
    for damaged in (content[: len(content) // 2], content[:5000] + bytes(9000) + content[14000:]):
        home.summaries.write_bytes(damaged)
        publish_anew(home, Settings())
        assert published(home) == wanted
        home.summaries.chmod(0o600)


def test_old_values_do_not_pile_up(home: Home, write_csv: Write, ingest: Callable[..., Any]) -> None:
    ingest(write_csv([report(number, 1 + number % 20) for number in range(200)], "1.csv"))
    size = home.summaries.stat().st_size
    for _ in range(12):
        publish_anew(home, Settings())
    assert home.summaries.stat().st_size < 2 * size


def test_an_interrupt_while_a_snapshot_is_renewed_ends_the_run(
    home: Home, write_csv: Write, ingest: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(write_csv([report(1, 1)], "1.csv"))
    before = home.summaries.read_bytes()

    def interrupt(*_: object) -> None:
        raise duckdb.InterruptException("Query interrupted")

    monkeypatch.setattr(snapshot, "_replace_rows", interrupt)
    with pytest.raises(duckdb.InterruptException):
        publish_anew(home, Settings())
    assert home.summaries.read_bytes() == before


def test_of_two_snapshots_that_were_made_of_one_each_belongs_to_its_own_records_alone(
    home: Home, write_csv: Write, ingest: Callable[..., Any]
) -> None:
    """A home put back and gone on with otherwise: DuckDB's headers of both may be alike."""
    ingest(write_csv([report(number, 1 + number) for number in range(9)], "1.csv"))
    before = {path: path.read_bytes() for path in (home.records, home.summaries)}
    ingest(write_csv([report(10, 4, region="south")], "2.csv"))
    other = home.summaries.read_bytes()
    for path, content in before.items():
        put(path, content)
    ingest(write_csv([report(10, 5, region="south")], "3.csv"))
    wanted = published(home)
    put(home.summaries, other)
    publish.publish_news(home, Settings(), 5)
    assert published(home) == wanted
    put(home.summaries, other)
    publish_anew(home, Settings())
    assert published(home) == wanted


def put(path: Path, content: bytes) -> None:
    mode = path.stat().st_mode
    path.chmod(0o600)
    path.write_bytes(content)
    path.chmod(mode)


@pytest.mark.parametrize("otherwise", [Settings(time_zone="Pacific/Auckland"), Settings(week_system="mmwr")])
def test_settings_changed_and_put_back_before_anything_was_published_leave_nothing_of_the_others(
    home: Home, write_csv: Write, ingest: Callable[..., Any], take_in: Callable[..., Any], otherwise: Settings
) -> None:
    late = {"reported_at": "2026-11-15T23:30:00Z"}  # a Sunday; a Monday in Auckland
    ingest(write_csv([report(number, 1 + number) for number in range(19)], "1.csv"))
    take_in(write_csv([report(30, 15) | late], "2.csv"), settings=otherwise)
    publish.publish_news(home, Settings(), 5)
    check.check(home, Settings(), load_pack(), deep=True)
    now = published(home)
    assert copy_whole(home) == now
    with database.writing(home, otherwise, load_pack(), 5):
        pass
    publish.publish_news(home, Settings(), 5)
    check.check(home, Settings(), load_pack(), deep=True)
