"""When a week is over: the same answer of every place that asks, at the borders of days, weeks, months and years.

The product's clock is stopped, so that it is the same on whatever day the test is run. Expected is the plain account
of `is_over`: the local day is after the week's last day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from pipelines import clock
from pipelines.cli.app import main
from pipelines.errors import ReleaseRefused, UsageError
from pipelines.jobs import publish as publish_job
from pipelines.jobs import weekly_report
from pipelines.jobs.packs.sign import sign_pack
from pipelines.jobs.releasing import decision
from pipelines.jobs.releasing.decision import Asked
from pipelines.jobs.releasing.release import release_week
from pipelines.settings import Settings, load_settings
from pipelines.statements import fetch_rows, read_statement
from pipelines.store import database
from pipelines.store.database import Home
from schemas.pack import Pack
from tests.conftest import opened

SetClock = Callable[[datetime], None]

# local days that begin a week, a month or a year, or follow a change of summer time, in some zone or week system
FIRST_DAYS = {
    "a Monday": date(2026, 11, 23),
    "a Sunday": date(2026, 11, 22),
    "a month, in the middle of a week": date(2026, 10, 1),
    "the year 2027, in week 53": date(2027, 1, 1),
    "the week after the 53rd": date(2027, 1, 4),
    "the MMWR week that begins a year": date(2027, 1, 3),
    "the leap day": date(2028, 2, 29),
    "the day after the leap day": date(2028, 3, 1),
    "the Monday after the hour that is skipped": date(2026, 3, 30),
    "the Sunday on which an hour is skipped": date(2026, 3, 29),
    "the Monday after the hour that comes twice": date(2026, 10, 26),
    "the Sunday on which an hour comes twice": date(2026, 10, 25),
}
ZONES = ("Etc/GMT+12", "America/New_York", "Europe/Berlin", "Pacific/Kiritimati")


def first_day_of_week(day: date, week_system: str) -> date:
    into = day.isoweekday() - 1 if week_system == "iso" else day.isoweekday() % 7
    return day - timedelta(days=into)


def name_of(start: date, week_system: str) -> str:
    """The name of the week that begins on `start`: week 1 is the first with four days or more in its year."""
    middle = start + timedelta(days=3)
    first = first_day_of_week(date(middle.year, 1, 4), week_system)
    return f"{middle.year}-{'W' if week_system == 'iso' else 'MW'}{(start - first).days // 7 + 1:02}"


def is_over(start: date, moment: datetime, zone: str) -> bool:
    return moment.astimezone(ZoneInfo(zone)).date() > start + timedelta(days=6)


@dataclass
class Covered:
    """A home with a report in each of four weeks around some borders."""

    home: Home
    settings: Settings
    connection: duckdb.DuckDBPyConnection
    starts: list[date]
    days: list[date]

    def name(self, start: date) -> str:
        return name_of(start, self.settings.week_system)


def set_home_up(home: Home, write_csv: Callable[..., Path], place: tuple[str, str], days: Sequence[date]) -> list[date]:
    zone, week_system = place
    (home.path / "calfwatch.toml").write_text(f'time_zone = "{zone}"\nweek_system = "{week_system}"\n')
    around = {first_day_of_week(day, week_system) for day in days}
    starts = sorted({start + timedelta(days=shift) for start in around for shift in (-14, -7, 0, 7)})
    middle = [datetime.combine(start + timedelta(days=3), time(12), ZoneInfo(zone)) for start in starts]
    rows = [{"report_id": f"{number}", "reported_at": moment.isoformat()} for number, moment in enumerate(middle)]
    write_csv(rows, "weeks.csv")
    return starts


PLACES = [(zone, system) for zone in ZONES for system in ("iso", "mmwr")]


# each border, each end of the zones and each week system are among those of every day
EVERYDAY = (1, 2, 6, 7)
NUMBERS = [pytest.param(n, marks=() if n in EVERYDAY else pytest.mark.slow) for n in range(len(PLACES))]


@pytest.fixture(params=NUMBERS, ids=["-".join(place) for place in PLACES])
def covered(
    request: pytest.FixtureRequest,
    home: Home,
    write_csv: Callable[..., Path],
    take_in: Callable[..., object],
    pack: Pack,
    set_clock: SetClock,
) -> Iterator[Covered]:
    some = (request.param + request.param // 4) % 4  # each border in a zone west and one east, in both week systems
    days = sorted(FIRST_DAYS.values())[some * 3 :][:3]
    starts = set_home_up(home, write_csv, PLACES[request.param], days)
    set_clock(datetime(2028, 6, 1, tzinfo=UTC))
    take_in(home.path.parent / "weeks.csv")
    settings = load_settings(home.path)
    with home.lock(5), database.open_records(home, settings, pack) as connection:
        yield Covered(home, settings, connection, starts, days)


def moments_around(zone: str, days: Sequence[date]) -> Iterator[datetime]:
    """The last second before each local day, and its first."""
    for day in days:
        midnight = datetime.combine(day, time(0), ZoneInfo(zone)).astimezone(UTC)
        yield from (midnight - timedelta(seconds=1), midnight)


def test_every_place_agrees_on_the_weeks_that_are_over(covered: Covered, set_clock: SetClock) -> None:
    zone = covered.settings.time_zone
    for moment in moments_around(zone, covered.days):
        set_clock(moment)
        over = [start for start in covered.starts if is_over(start, moment, zone)]
        latest = covered.name(over[-1])
        publish_job.publish(covered.connection, covered.home, covered.settings)
        with opened(covered.home.summaries) as published:
            about = published.execute("SELECT latest_week, published_at FROM about").fetchone()
            running = published.execute("SELECT DISTINCT week_start FROM weekly_signals WHERE reason = 'running week'")
            running_starts = {start for (start,) in running.fetchall()}
        assert about == (latest, moment), moment
        assert not running_starts & set(over), moment
        local = moment.astimezone(ZoneInfo(zone)).date()
        assert {start for start in covered.starts if start <= local and start not in over} <= running_starts
        weeks = covered.connection.execute("SELECT DISTINCT week, week_start FROM calendar ORDER BY 2").fetchall()
        ended = [week for week, start in weeks if is_over(start, moment, zone)]
        assert weekly_report._list_ended_weeks(covered.home) == ended
        assert {covered.name(start) for start in over} <= set(ended)
        known = fetch_rows(covered.connection, read_statement("monitoring", "latest_senders"), {"now": clock.now()})
        assert {row["week"] for row in known} == {
            covered.name(first_day_of_week(local, covered.settings.week_system) - timedelta(days=7))
        }
        problems = {
            start: decision.find_week_problem(covered.connection, covered.settings, start) == "running week"
            for start in covered.starts
        }
        assert problems == {start: start not in over for start in covered.starts}
        if over[-1] - timedelta(days=7) in covered.starts:
            chosen = decision.choose_week(covered.connection, None)
            assert chosen == covered.name(over[-1] - timedelta(days=7))


@pytest.mark.parametrize("zone", ["America/New_York"])
def test_a_week_is_frozen_from_its_first_second_after_and_not_before(
    zone: str, home: Home, write_csv: Callable[..., Path], ingest: Callable[..., object], set_clock: SetClock
) -> None:
    (home.path / "calfwatch.toml").write_text(f'time_zone = "{zone}"\n')
    noon = datetime(2026, 12, 30, 12, tzinfo=ZoneInfo(zone))
    end = datetime(2027, 1, 4, tzinfo=ZoneInfo(zone))
    set_clock(end - timedelta(seconds=1))
    ingest(write_csv([{"report_id": "a", "reported_at": noon.isoformat()}]))
    with pytest.raises(UsageError, match="no covered week is complete yet"):
        weekly_report.write_week(home, "latest", None, False)
    assert weekly_report.write_due_reports(home) == []
    assert weekly_report.write_week(home, "2026-W53", None, False) == home.reports / "preliminary" / "2026-W53"
    set_clock(end)
    assert weekly_report.write_due_reports(home) == [home.reports / "2026-W53"]


def test_a_snapshot_is_stale_from_the_first_second_of_a_week(
    home: Home,
    write_csv: Callable[..., Path],
    ingest: Callable[..., object],
    pack: Pack,
    set_clock: SetClock,
) -> None:
    set_clock(datetime(2026, 11, 16, tzinfo=UTC))
    ingest(write_csv([{"report_id": "a", "reported_at": "2026-11-12T10:00:00Z"}, {"report_id": "b"}]))
    settings = load_settings(home.path)
    ends = datetime(2026, 11, 23, tzinfo=UTC)
    with home.lock(5), database.open_records(home, settings, pack) as connection:
        for moment, week in ((ends - timedelta(seconds=1), "2026-W46"), (ends, "2026-W47")):
            set_clock(moment)
            publish_job.publish_if_stale(connection, home, settings)
            with opened(home.summaries) as published:
                assert published.execute("SELECT latest_week FROM about").fetchone() == (week,)


@pytest.mark.parametrize("zone, day", [("Pacific/Kiritimati", date(2027, 1, 1)), ("Etc/GMT+12", date(2026, 12, 30))])
def test_today_is_a_day_of_the_reporting_time_zone(
    zone: str, day: date, home: Home, pack: Pack, set_clock: SetClock
) -> None:
    set_clock(datetime(2026, 12, 31, 11, tzinfo=UTC))
    (home.path / "calfwatch.toml").write_text(f'time_zone = "{zone}"\n')
    settings = load_settings(home.path)
    assert f"signed by A (lead) on {day}" in sign_pack(home, settings, None, ("A", "lead", day), 5)
    with pytest.raises(UsageError, match="a day to come"):
        sign_pack(home, settings, None, ("A", "lead", day + timedelta(days=1)), 5)


def test_a_running_week_is_not_released_and_one_that_is_over_is(
    home: Home, write_csv: Callable[..., Path], ingest: Callable[..., object], pack: Pack, set_clock: SetClock
) -> None:
    set_clock(datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC))
    ingest(write_csv([{"report_id": f"{i}", "region": "north"} for i in range(30)]))
    with pytest.raises(ReleaseRefused, match="still running; it ends on 2026-11-22"):
        release_week(home, load_settings(home.path), Asked("2026-W47", True), 5)
    set_clock(datetime(2026, 11, 23, tzinfo=UTC))
    done = release_week(home, load_settings(home.path), Asked("2026-W47", True), 5)
    assert done.decision.release.released_on == date(2026, 11, 23)


def test_a_first_report_is_not_called_published_before_whatever_the_clock_of_the_disk_says(
    home: Home,
    write_csv: Callable[..., Path],
    ingest: Callable[..., object],
    set_clock: SetClock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_clock(datetime(2031, 3, 14, tzinfo=UTC))
    ingest(write_csv([{"report_id": "a", "reported_at": "2026-11-12T10:00:00Z"}]))
    said = []
    for _ in range(2):
        assert main(["report", "--home", str(home.path), "--week", "2026-W46"]) == 0
        said.append("published before" in capsys.readouterr().err)
    assert said == [False, True]
