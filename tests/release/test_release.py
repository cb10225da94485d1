"""The command: what is released, what is refused, and one set of numbers for a week, whatever happens."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pipelines.jobs.check import check
from pipelines.settings import load_settings
from pipelines.store.database import Home
from schemas.pack_file import load_pack
from tests.conftest import opened
from tests.release.support import (
    BEFORE,
    NEXT,
    WEEK,
    call,
    ledger_counts,
    public_bytes,
    public_counts,
    public_releases,
    write_week,
)

REFUSED = 6


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two weeks, three senders; never to be changed."""
    folder = tmp_path_factory.mktemp("ingested")
    home = Home(folder / "home")
    home.make()
    (home.path / "calfwatch.toml").write_text(
        "".join(f'[[sources]]\nname = "{name}"\npatterns = ["{name}_*"]\n' for name in ("a", "b", "c"))
    )
    for i, name in enumerate("abc"):
        write_week(folder / f"{name}_46.csv", WEEK, 70, seed=i)
        write_week(folder / f"{name}_47.csv", NEXT, 60, seed=i + 10)
    assert call(home, "ingest", str(folder)) == 0
    return home


@pytest.fixture
def home(ingested: Home, tmp_path: Path) -> Home:
    return Home(Path(shutil.copytree(ingested.path, tmp_path / "home")))


@pytest.fixture(scope="module")
def released_once(ingested: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The same after the release of a week; never to be changed."""
    home = Home(Path(shutil.copytree(ingested.path, tmp_path_factory.mktemp("released") / "home")))
    assert call(home, "release", WEEK) == 0
    return home


@pytest.fixture
def released(released_once: Home, home: Home) -> Home:
    shutil.rmtree(home.path)
    shutil.copytree(released_once.path, home.path)
    return home


def late_reports(home: Home, tmp_path: Path, reports: int = 45) -> None:
    write_week(tmp_path / "late" / "a_late.csv", WEEK, reports, seed=99, regions=("north", "new_valley"))
    assert call(home, "ingest", str(tmp_path / "late")) == 0


def settle(home: Home, text: str) -> None:
    path = home.path / "calfwatch.toml"
    path.write_text(text + "\n" + path.read_text())


def assert_unchanged(home: Home, before: dict[str, bytes]) -> None:
    assert public_bytes(home) == before


def test_a_week_is_released(released: Home) -> None:
    rows = public_counts(released, WEEK)
    assert rows == ledger_counts(released, WEEK)
    attributes = {row[0] for row in rows}
    assert attributes == {"total", "triage_level", "likely_cause", "region", "age_band", "sex"}
    with opened(released.records) as connection:
        (exact,) = connection.execute("SELECT sum(reports) FROM weekly_triage WHERE week = ?", [WEEK]).fetchone() or ()
        values = {
            attribute: {row[0] for row in connection.execute(sql).fetchall()}
            for attribute, sql in {
                "likely_cause": "SELECT likely_cause FROM causes",
                "triage_level": "SELECT DISTINCT triage_level FROM weekly_triage",
            }.items()
        }
    for attribute, names in values.items():
        assert {row[1] for row in rows if row[0] == attribute} == names
    assert {row[1] for row in rows if row[0] == "sex"} == {"female", "male", "other", "unknown"}
    assert len([row for row in rows if row[0] == "age_band"]) == 7
    (total,) = [row for row in rows if row[0] == "total"]
    assert total[3] <= exact <= total[4]
    assert public_releases(released) == [(WEEK, "released", False, None)]
    assert (released.path / "public" / WEEK / "public.html").stat().st_mode & 0o777 == 0o644
    assert released.public.stat().st_mode & 0o777 == 0o644
    assert call(released, "query", "--db", "public", "SELECT count(*) FROM weekly_counts") == 0


def test_every_shown_count_holds_the_truth(released: Home) -> None:
    with opened(released.records) as connection:
        exact = dict(connection.execute("SELECT region, reports FROM weekly_regions WHERE week = ?", [WEEK]).fetchall())
    shown = {row[1]: row for row in public_counts(released, WEEK) if row[0] == "region"}
    assert shown.keys() == {"north", "south", "east"}
    for region, row in shown.items():
        assert row[3] <= exact[region] <= row[4]


def test_a_preview_writes_nothing(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    before = home.records.read_bytes()
    assert call(home, "release", WEEK, "--preview") == 0
    out = capsys.readouterr().out
    assert "triage_level" in out
    assert "the fewest possible values" in out
    assert home.records.read_bytes() == before
    assert public_bytes(home) == {}
    assert not (home.path / "public").exists()


def test_without_a_week_it_is_the_one_before_the_latest_complete_one(home: Home) -> None:
    assert call(home, "release") == 0
    assert [row[0] for row in public_releases(home)] == [WEEK]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("2026-W40",), REFUSED, "not covered"),
        (("last",), 2, "not a week"),
        (("2026-W54",), 2, "not a week"),
        ((WEEK, "--withdraw", "--reason", "x"), REFUSED, "not released"),
        ((WEEK, "--withdraw"), 2, "--reason"),
        (("--withdraw", "--reason", "x"), 2, "--withdraw WEEK"),
        ((WEEK, "--reason", "x"), 2, "--withdraw WEEK"),
    ],
)
def test_refusals_change_nothing(
    home: Home, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, said: str
) -> None:
    assert call(home, "release", *words) == code
    assert said in capsys.readouterr().err
    assert public_bytes(home) == {}
    with opened(home.records) as connection:
        assert connection.execute("SELECT count(*) FROM releases").fetchall() == [(0,)]


def test_a_running_week_is_refused(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], set_clock: Callable[[datetime], None]
) -> None:
    set_clock(datetime(2026, 11, 25, 12, tzinfo=UTC))
    today = date(2026, 11, 25)
    path = tmp_path / "a_now.csv"
    path.write_text(f"report_id,reported_at,fever\nnow,{today},no\n")
    assert call(home, "ingest", str(path)) == 0
    year, week, _ = today.isocalendar()
    assert call(home, "release", f"{year}-W{week:02}", "--incomplete") == REFUSED
    assert "still running" in capsys.readouterr().err


def test_a_week_without_an_expected_source_needs_incomplete(home: Home, tmp_path: Path) -> None:
    settle(home, "")
    write_week(tmp_path / "d_46.csv", WEEK, 40, seed=7)
    toml = home.path / "calfwatch.toml"
    toml.write_text(toml.read_text() + '[[sources]]\nname = "d"\npatterns = ["d_*"]\n')
    assert call(home, "ingest", str(tmp_path / "d_46.csv")) == 0
    assert call(home, "release", NEXT) == REFUSED
    assert call(home, "release", NEXT, "--preview") == REFUSED
    assert call(home, "release", NEXT, "--incomplete") == 0
    assert call(home, "release", WEEK, "--incomplete") == 0
    assert public_releases(home) == [(WEEK, "released", False, None), (NEXT, "released", True, None)]
    assert "This week is incomplete" in (home.path / "public" / NEXT / "public.html").read_text()


@pytest.mark.parametrize("limit", ["6", "8", "10", '"7"', "true", "2"])
def test_another_limit_is_a_wrong_setting(home: Home, limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    toml = home.path / "calfwatch.toml"
    toml.write_text(f"{toml.read_text()}\n[public]\nhide_up_to = {limit}\n")
    assert call(home, "release", WEEK) == 2
    assert "hide_up_to" in capsys.readouterr().err


def test_a_higher_limit_hides_more(home: Home) -> None:
    toml = home.path / "calfwatch.toml"
    toml.write_text(f"{toml.read_text()}\n[public]\nhide_up_to = 12\n")
    assert call(home, "release", WEEK) == 0
    hidden = {row[4] for row in public_counts(home, WEEK) if row[2] is None}
    assert hidden == {12}
    assert check(home, load_settings(home.path), load_pack(), deep=True)


def test_a_withdrawn_week_stays_withdrawn(released: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(released, "release", NEXT) == 0
    assert call(released, "release", "--withdraw", WEEK, "--reason", "a sender erred") == 0
    assert public_counts(released, WEEK) == []
    assert public_counts(released, NEXT)
    assert not (released.path / "public" / WEEK).exists()
    assert public_releases(released)[0] == (WEEK, "withdrawn", False, "a sender erred")
    before = public_bytes(released)
    assert call(released, "release", WEEK) == REFUSED
    assert call(released, "release", "--withdraw", WEEK, "--reason", "again") == REFUSED
    assert_unchanged(released, before)
    assert ledger_counts(released, WEEK)
    assert check(released, load_settings(released.path), load_pack(), deep=True)


def test_the_crafted_week_is_held_back_for_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path / "home")
    rows = [f"r{i},2026-11-10,{'north' if i < 7 else 'south'},{'male' if i else 'female'},no\n" for i in range(14)]
    path = tmp_path / "crafted.csv"
    path.write_text("report_id,reported_at,region,sex,fever\n" + "".join(rows))
    assert call(home, "ingest", str(path)) == 0
    assert call(home, "release", WEEK, "--preview") == REFUSED
    assert public_bytes(home) == {}
    assert call(home, "release", WEEK) == REFUSED
    assert "held back for good" in capsys.readouterr().err
    assert public_releases(home) == [(WEEK, "held_back", None, None)]
    assert public_counts(home, WEEK) == ledger_counts(home, WEEK) == []
    assert set(public_bytes(home)) == {"public.duckdb"}
    late = tmp_path / "late.csv"
    late.write_text(
        "report_id,reported_at,region,sex,fever\n" + "".join(rows).replace("r", "l").replace("nolth", "west")
    )
    assert call(home, "ingest", str(late)) == 0
    assert call(home, "release", WEEK) == REFUSED
    assert check(home, load_settings(home.path), load_pack(), deep=True)


# --- the attacks: one set of numbers for a week, ever


def test_late_reports_do_not_change_a_released_week(released: Home, tmp_path: Path) -> None:
    before = public_bytes(released)
    late_reports(released, tmp_path)
    assert call(released, "release", WEEK) == REFUSED
    assert_unchanged(released, before)


def test_a_withdrawn_file_does_not(released: Home) -> None:
    before = public_bytes(released)
    with opened(released.records) as connection:
        (file_id,) = connection.execute("SELECT file_id FROM files WHERE path LIKE '%b_46%'").fetchone() or ()
    assert call(released, "withdraw", file_id) == 0
    assert call(released, "release", WEEK) == REFUSED
    assert_unchanged(released, before)


def test_a_retagged_history_does_not(released: Home, tmp_path: Path) -> None:
    from tests.store.test_kill import another_pack

    before = public_bytes(released)
    assert call(released, "retag", "--pack", str(another_pack(tmp_path))) == 0
    assert call(released, "release", WEEK) == REFUSED
    assert_unchanged(released, before)


@pytest.mark.parametrize("how", ["restore", "copy", "restore and public.duckdb deleted", "copy and only the page left"])
def test_an_older_backup_does_not(home: Home, tmp_path: Path, how: str) -> None:
    backup = tmp_path / "backup.duckdb"
    assert call(home, "backup", str(backup)) == 0
    assert call(home, "release", WEEK) == 0
    numbers, before = public_counts(home, WEEK), public_bytes(home)
    if how.startswith("restore"):
        assert call(home, "restore", str(backup)) == 0
    else:
        shutil.copy(backup, home.records)
    if how != "restore" and how != "copy":
        home.public.unlink()
    late_reports(home, tmp_path)
    assert call(home, "release", WEEK) == REFUSED
    if how == "copy and only the page left":
        after = public_bytes(home)
        assert after == {name: content for name, content in before.items() if name != "public.duckdb"}
        return
    assert public_counts(home, WEEK) == ledger_counts(home, WEEK) == numbers
    assert_unchanged(home, before)
    assert check(home, load_settings(home.path), load_pack(), deep=True)


def test_a_week_withdrawn_after_the_backup_stays_withdrawn(home: Home, tmp_path: Path) -> None:
    assert call(home, "release", WEEK) == 0
    shutil.copy(home.records, tmp_path / "backup.duckdb")
    assert call(home, "release", "--withdraw", WEEK, "--reason", "wrong") == 0
    before = public_bytes(home)
    shutil.copy(tmp_path / "backup.duckdb", home.records)
    assert call(home, "release", WEEK) == REFUSED
    assert_unchanged(home, before)


def test_a_deleted_public_database_is_written_again_from_the_record(
    released: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = public_bytes(released)
    late_reports(released, tmp_path)
    released.public.unlink()
    shutil.rmtree(released.path / "public")
    assert call(released, "status") == 7
    assert f"public files lack what was decided on {WEEK}" in capsys.readouterr().out
    assert call(released, "release", WEEK) == REFUSED
    assert "they are now" in capsys.readouterr().err
    assert_unchanged(released, before)


@pytest.mark.parametrize(
    ("setting", "week"),
    [
        ('time_zone = "Pacific/Auckland"', NEXT),  # it begins 13 hours before the released week ends
        ('time_zone = "Pacific/Auckland"', WEEK),
        ('week_system = "mmwr"', "2026-MW45"),
        ('week_system = "mmwr"', "2026-MW46"),
        ("[public]\nhide_up_to = 12", WEEK),
    ],
)
def test_other_settings_publish_no_day_twice(released: Home, setting: str, week: str) -> None:
    before = public_bytes(released)
    settle(released, setting)
    assert call(released, "release", week, "--incomplete") == REFUSED
    assert_unchanged(released, before)


def test_weeks_that_share_nothing_may_follow_a_change_of_settings(released: Home) -> None:
    settle(released, 'time_zone = "America/New_York"')  # it begins 5 hours after the released week ends
    assert call(released, "release", NEXT) == 0
    assert [row[0] for row in public_releases(released)] == [WEEK, NEXT]


def test_a_restored_backup_and_another_time_zone_together(home: Home, tmp_path: Path) -> None:
    shutil.copy(home.records, tmp_path / "backup.duckdb")
    assert call(home, "release", WEEK) == 0
    before = public_bytes(home)
    shutil.copy(tmp_path / "backup.duckdb", home.records)
    settle(home, 'time_zone = "Pacific/Auckland"')
    assert call(home, "release", NEXT) == REFUSED
    assert_unchanged(home, before)


def test_weeks_of_two_time_zones_are_known_again_after_a_restored_backup(home: Home, tmp_path: Path) -> None:
    """public.duckdb names the zones, not whose week was which: what may share an hour with either is refused."""
    shutil.copy(home.records, tmp_path / "backup.duckdb")
    assert call(home, "release", WEEK) == 0
    settle(home, 'time_zone = "America/New_York"')
    assert call(home, "release", NEXT) == 0
    with opened(home.public) as connection:
        assert connection.execute("SELECT time_zone FROM about").fetchall() == [("UTC, then America/New_York",)]
    shutil.copy(tmp_path / "backup.duckdb", home.records)
    write_week(tmp_path / "before" / "a_45.csv", BEFORE, 90, seed=3)
    assert call(home, "ingest", str(tmp_path / "before")) == 0
    assert call(home, "release", BEFORE, "--incomplete") == REFUSED  # in New York it ends five hours too late
    settings = (home.path / "calfwatch.toml").read_text()
    (home.path / "calfwatch.toml").write_text(settings.replace("America/New_York", "UTC"))
    assert call(home, "release", BEFORE, "--incomplete") == 0
    assert [row[0] for row in public_releases(home)] == [BEFORE, WEEK, NEXT]


def test_a_week_that_names_another_place_is_not_taken_over(released: Home, tmp_path: Path) -> None:
    import duckdb

    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "a.txt").write_text("mine")
    with duckdb.connect(str(released.public)) as connection:
        connection.execute("UPDATE releases SET week = '../../mine', status = 'withdrawn'")
    assert call(released, "release", NEXT) == 5
    assert (mine / "a.txt").read_text() == "mine"


def test_what_somebody_put_beside_a_page_stays(released: Home) -> None:
    folder = released.path / "public" / WEEK
    (folder / "public.html.new").write_text("mine")
    assert call(released, "release", NEXT) == 0
    assert call(released, "release", "--withdraw", WEEK, "--reason", "a sender erred") == 0
    assert [path.name for path in folder.iterdir()] == ["public.html.new"]
    assert (folder / "public.html.new").read_text() == "mine"


@pytest.mark.parametrize("name", ["public.html", "weekly_counts.csv"])
def test_a_page_that_no_record_knows_is_not_overwritten(home: Home, name: str) -> None:
    path = home.path / "public" / WEEK / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    assert call(home, "release", WEEK) == REFUSED
    assert path.read_text() == "mine"


@pytest.mark.parametrize("name", ["public", f"public/{WEEK}"])
def test_nothing_is_published_behind_a_link(home: Home, tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (home.path / name).parent.mkdir(exist_ok=True)
    (home.path / name).symlink_to(elsewhere)
    assert call(home, "release", WEEK) == 2
    assert (list(elsewhere.iterdir()), elsewhere.stat().st_mode & 0o777) == ([], 0o700)
    with opened(home.records) as connection:
        assert connection.execute("SELECT count(*) FROM releases").fetchall() == [(0,)]


def test_a_damaged_public_database_releases_nothing(released: Home) -> None:
    released.public.write_bytes(b"no database")
    assert call(released, "release", NEXT) == 5


def test_staff_are_warned_of_two_senders(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = Home(tmp_path / "other")
    write_week(tmp_path / "one.csv", WEEK, 300)
    assert call(other, "ingest", str(tmp_path / "one.csv")) == 0
    assert call(other, "release", WEEK) == 0
    said = capsys.readouterr()
    assert "the week has 1 sender" in said.err
    assert f"{WEEK} released: about " in said.out
    with opened(other.records) as connection:
        (row,) = connection.execute(
            "SELECT warnings, who, version, rule_pack, possible_values FROM releases"
        ).fetchall()
    assert row[0].startswith("the week has 1 sender")
    assert None not in row


@pytest.mark.parametrize(
    "change",
    [
        "released_counts SET at_most = 3 WHERE reports IS NULL",
        "releases SET last_moment = last_moment - INTERVAL 1 DAY",
        "releases SET time_zone = 'Asia/Tokyo'",
        "releases SET hidden_cells = hidden_cells + 1",
        "releases SET unlisted_regions = unlisted_regions + 1",
        "releases SET hide_up_to = 12",
        "releases SET method = 'hide up to 12, round to 5'",
    ],
)
def test_check_finds_a_record_that_was_changed(change: str, released: Home, capsys: pytest.CaptureFixture[str]) -> None:
    import duckdb

    with duckdb.connect(str(released.records)) as connection:
        connection.execute(f"UPDATE {change}")
    assert call(released, "check") == 5
    assert WEEK in capsys.readouterr().err


def test_status_names_the_last_release(released: Home, capsys: pytest.CaptureFixture[str]) -> None:
    call(released, "status")
    assert f"released      last {WEEK} on " in capsys.readouterr().out
