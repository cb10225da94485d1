"""A published week stays as it was reported; weekly_revisions tells what has changed since, and why."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.errors import StateError, UsageError
from pipelines.jobs import publish as publish_job
from pipelines.jobs import weekly_report
from pipelines.jobs.check import check
from pipelines.jobs.withdraw import withdraw_file
from pipelines.settings import load_settings
from pipelines.store import database, revisions
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from schemas.pack import Pack
from tests.conftest import CONTEXT, write_rows
from tests.support.states import fed

WEEK, START = "2026-W46", "2026-11-09"
Rows = list[tuple[Any, ...]]
Ingest = Callable[..., list[Outcome]]
WriteCsv = Callable[..., Path]
Ask = Callable[..., Rows]


def report(number: int, day: int = 10, **cells: str) -> Mapping[str, str]:
    return {"report_id": f"r{number}", "reported_at": f"2026-11-{day:02}T10:00:00Z", "region": "north", **cells}


EMERGENCY = {"cannot_bear_weight": "yes"}


@pytest.fixture(scope="module")
def published_once(tmp_path_factory: pytest.TempPathFactory, pack: Pack) -> Home:
    """A home with the report of a week with ten records, of a file that covers the week and the one after; never to be
    changed."""
    made = Home(tmp_path_factory.mktemp("published") / "home")
    made.make()
    rows = [report(number) for number in range(10)] + [report(10, 17)]
    fed(made, pack, [write_rows(made.path.parent / "first.csv", rows, (*CONTEXT, *pack.field_names))])
    weekly_report.write_week(made, WEEK, None, False)
    return made


@pytest.fixture
def published(published_once: Home, home: Home) -> Path:
    """The folder of that report, in a copy of the home."""
    shutil.copytree(published_once.path, home.path, dirs_exist_ok=True)
    return home.reports / WEEK


def revised(ask: Ask, home: Home, series: str = "all") -> Rows:
    sql = "SELECT as_reported, as_known_now, difference, reason FROM weekly_revisions WHERE week = ? AND series = ?"
    found = ask(sql, WEEK, series)
    assert found == ask(sql, WEEK, series, path=home.summaries), "the snapshot says the same"
    return found


def publish(home: Home, pack: Pack) -> None:
    settings = load_settings(home.path)
    with home.lock(5), database.open_records(home, settings, pack) as connection:
        publish_job.publish(connection, home, settings)


def test_a_published_week_is_recorded_as_its_page_was_made(published: Path, ask: Ask, home: Home, pack: Pack) -> None:
    sql = """SELECT week, week_start::VARCHAR, rule_pack, last_delivery, time_zone, week_system,
        reported_at BETWEEN now() - INTERVAL 5 MINUTE AND now() FROM reported_weeks"""
    assert ask(sql) == [(WEEK, START, pack.version, 1, "UTC", "iso", True)]
    counts = dict(ask("SELECT series, reports FROM reported_counts"))
    assert counts["all"] == counts["region=north"] == 10
    assert counts["triage_level=emergency"] == 0
    observed = "SELECT count(DISTINCT series) FROM weekly_signals WHERE week = ?"
    assert ask(observed, WEEK) == [(len(counts),)]
    assert revised(ask, home) == []
    assert not (home.reports / weekly_report.UNPUBLISHED).exists()


@pytest.mark.parametrize(
    ("later", "series", "expected"),
    [
        ([report(20)], "all", [(10, 11, 1, "late records")]),
        ([report(20, region="south")], "region=south", [(0, 1, 1, "late records")]),
        ([report(20, region="south")], "region=north", []),
        ([report(20, 17)], "all", []),
        ([report(0, **EMERGENCY)], "all", []),
        ([report(0, **EMERGENCY)], "triage_level=emergency", [(0, 1, 1, "corrected records")]),
        ([report(0, **EMERGENCY)], "region=north,triage_level=emergency", [(0, 1, 1, "corrected records")]),
        ([report(0, day=17)], "all", [(10, 9, -1, "corrected records")]),
        ([report(10)], "all", [(10, 11, 1, "corrected records")]),
        ([report(0)], "all", []),
        ([report(0, day=17), report(20), report(21)], "all", [(10, 11, 1, "late records, corrected records")]),
    ],
    ids=[
        "late",
        "new region",
        "other region",
        "other week",
        "level alone",
        "level",
        "both",
        "out",
        "in",
        "equal",
        "two",
    ],
)
def test_what_came_after_the_report_is_told_with_its_reason(
    published: Path,
    later: list[Mapping[str, str]],
    series: str,
    expected: Rows,
    write_csv: WriteCsv,
    ingest: Ingest,
    ask: Ask,
    home: Home,
) -> None:
    ingest(write_csv(later, "later.csv"))
    assert revised(ask, home, series) == expected


def withdraw(home: Home, delivery: int, ask: Ask) -> None:
    ((file_id,),) = ask("SELECT file_id FROM files WHERE delivery_no = ?", delivery)
    withdraw_file(home, load_settings(home.path), file_id, None, [], False, 5)


def test_a_week_of_which_the_file_was_withdrawn_is_missing_and_not_zero(published: Path, ask: Ask, home: Home) -> None:
    withdraw(home, 1, ask)
    assert revised(ask, home) == [(10, None, None, "withdrawn file")]


def test_several_reasons_are_all_named(
    published: Path, write_csv: WriteCsv, ingest: Ingest, ask: Ask, home: Home
) -> None:
    ingest(write_csv([report(20), report(21, 18)], "late.csv"))
    withdraw(home, 1, ask)
    assert revised(ask, home) == [(10, 1, -9, "late records, withdrawn file")]
    assert revised(ask, home, "region=north") == [(10, 1, -9, "late records, withdrawn file")]


def test_a_late_file_that_was_withdrawn_again_leaves_no_trace(
    published: Path, write_csv: WriteCsv, ingest: Ingest, ask: Ask, home: Home
) -> None:
    ingest(write_csv([report(20), report(0, day=17)], "wrong.csv"))
    withdraw(home, 2, ask)
    assert ask("FROM weekly_revisions") == []


def test_another_rule_pack_is_named_where_it_can_be_the_reason(
    published: Path, ask: Ask, home: Home, pack: Pack
) -> None:
    settings = load_settings(home.path)
    with home.lock(5), database.open_records(home, settings, pack) as connection:
        connection.execute("UPDATE reported_weeks SET rule_pack = 'an older one'")
        connection.execute("UPDATE reported_counts SET reports = 4 WHERE series IN ('triage_level=self_care', 'all')")
        publish_job.publish(connection, home, settings)
    assert revised(ask, home, "triage_level=self_care")[0][3] == "another rule pack"
    assert revised(ask, home)[0] == (4, 10, 6, "not known"), "a rule pack moves no record to another week"


@pytest.mark.parametrize("setting", ['time_zone = "America/New_York"', 'week_system = "mmwr"'])
def test_weeks_cut_otherwise_are_never_compared_silently(
    published: Path, setting: str, ask: Ask, home: Home, pack: Pack
) -> None:
    before = {path: path.read_bytes() for path in published.rglob("*") if path.is_file()}
    frozen = ask("FROM reported_weeks"), ask("FROM reported_counts ORDER BY series")
    (home.path / "calfwatch.toml").write_text(setting)
    publish(home, pack)
    assert revised(ask, home) == [(10, None, None, "not compared: reported in iso weeks of time zone UTC")]
    assert ask("SELECT count(*) FROM weekly_revisions") == [(1,)]
    assert (ask("FROM reported_weeks"), ask("FROM reported_counts ORDER BY series")) == frozen
    assert {path: path.read_bytes() for path in published.rglob("*") if path.is_file()} == before
    (home.path / "calfwatch.toml").write_text("")
    publish(home, pack)
    assert revised(ask, home) == []


def test_a_run_that_died_before_it_recorded_the_week_is_healed_by_the_next(
    published: Path, ask: Ask, home: Home, pack: Pack
) -> None:
    recorded = ask("FROM reported_weeks"), ask("FROM reported_counts ORDER BY series")
    settings = load_settings(home.path)
    with home.lock(5), database.open_records(home, settings, pack) as connection:
        connection.execute("DELETE FROM reported_weeks")
        connection.execute("DELETE FROM reported_counts")
    publish(home, pack)
    assert (ask("FROM reported_weeks"), ask("FROM reported_counts ORDER BY series")) == recorded
    publish(home, pack)
    assert ask("SELECT count(*) FROM reported_weeks") == [(1,)]


def test_a_run_that_died_before_the_rename_has_published_nothing(
    home: Home, write_csv: WriteCsv, ingest: Ingest, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(write_csv([report(1), report(2, 17)], "first.csv"))
    rename = os.rename

    def die(before: Path, after: Path) -> None:
        if Path(after) == home.reports / WEEK:
            raise KeyboardInterrupt
        rename(before, after)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", die)
        with pytest.raises(KeyboardInterrupt):
            weekly_report.write_week(home, WEEK, None, False)
    assert (home.reports / weekly_report.UNPUBLISHED / WEEK / revisions.COUNTS_OF["reported_counts"]).exists(), (
        "it was near"
    )
    assert not (home.reports / WEEK).exists()
    assert ask("FROM reported_weeks") == []
    ingest(write_csv([report(3)], "second.csv"))
    weekly_report.write_week(home, WEEK, None, False)
    assert not (home.reports / weekly_report.UNPUBLISHED).exists()
    assert ask("SELECT last_delivery FROM reported_weeks") == [(2,)]
    assert ask("SELECT reports FROM reported_counts WHERE series = 'all'") == [(2,)]


def test_a_run_that_died_right_after_the_rename_is_finished_by_the_next(
    home: Home, write_csv: WriteCsv, ingest: Ingest, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(write_csv([report(1), report(2, 17)], "first.csv"))

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.report.write_index", die)
        with pytest.raises(KeyboardInterrupt):
            weekly_report.write_week(home, WEEK, None, False)
    assert (home.reports / WEEK / "internal.html").exists()
    weekly_report.write_week(home, WEEK, None, False)
    assert sorted(path.name for path in home.reports.iterdir()) == [WEEK, "index.html"]
    assert ask("SELECT week FROM reported_weeks") == [(WEEK,)]


def test_a_frozen_week_is_left_as_it_is(
    published: Path, write_csv: WriteCsv, ingest: Ingest, home: Home, ask: Ask
) -> None:
    before = (published / "internal.html").read_bytes(), ask("FROM reported_weeks")
    ingest(write_csv([report(30)], "late.csv"))
    assert weekly_report.write_week(home, WEEK, None, False) == published
    assert ((published / "internal.html").read_bytes(), ask("FROM reported_weeks")) == before


def test_a_published_folder_that_is_gone_is_made_anew_only_with_the_counts_of_then(
    published: Path, write_csv: WriteCsv, ingest: Ingest, home: Home, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    frozen = [published / place for place in revisions.COUNTS_OF.values()]
    before = [path.read_bytes() for path in frozen]
    shutil.rmtree(home.reports)
    assert weekly_report.write_due_reports(home) == [home.reports / "2026-W47"], "no schedule publishes a week twice"
    assert weekly_report.write_week(home, WEEK, None, False) == published
    assert [path.read_bytes() for path in frozen] == before
    assert "and its folder is gone: made anew with the counts of then" in capsys.readouterr().err
    ingest(write_csv([report(30)], "late.csv"))
    shutil.rmtree(home.reports)
    with pytest.raises(StateError, match=f"counts are others now.*--reset {WEEK}"):
        weekly_report.write_week(home, WEEK, None, False)
    assert not published.exists()
    weekly_report.reset_week(home, WEEK)
    assert weekly_report.write_week(home, WEEK, None, False) == published
    assert ask("SELECT reports FROM reported_counts WHERE series = 'all' AND week = ?", WEEK) == [(11,)]


NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def today(days_ago: int = 0) -> str:
    return (NOW - timedelta(days=days_ago)).strftime("%Y-%m-%d")


@pytest.fixture
def running(write_csv: WriteCsv, ingest: Ingest, set_clock: Callable[[datetime], None]) -> str:
    """The name of the week that runs now, with one record of today and one of the week before."""
    set_clock(NOW)
    rows = [{"report_id": "now", "reported_at": today()}, {"report_id": "before", "reported_at": today(7)}]
    ingest(write_csv(rows, "now.csv"))
    return f"{NOW:%G-W%V}"


def test_a_week_that_still_runs_is_shown_and_not_frozen(
    home: Home, running: str, write_csv: WriteCsv, ingest: Ingest, ask: Ask
) -> None:
    folder = weekly_report.write_week(home, running, None, False)
    assert folder == home.reports / "preliminary" / running
    page = (folder / "internal.html").read_text()
    assert "This week is not complete yet: its numbers will still grow." in page
    assert "1 in the last week" in page
    assert "This report is preliminary and not kept." in page
    assert not (home.reports / running).exists()
    assert ask("FROM reported_weeks") == []
    ingest(write_csv([{"report_id": "more", "reported_at": today()}], "more.csv"))
    page = weekly_report.write_week(home, running, None, False) / "internal.html"
    assert "2 in the last week" in page.read_text()
    assert weekly_report.write_week(home, "latest", None, False).name < running
    assert [week for (week,) in ask("SELECT week FROM reported_weeks")] == [f"{NOW - timedelta(days=7):%G-W%V}"]


def test_the_first_report_of_a_home_whose_only_week_still_runs(
    home: Home, write_csv: WriteCsv, ingest: Ingest, set_clock: Callable[[datetime], None]
) -> None:
    set_clock(NOW)
    ingest(write_csv([{"report_id": "now", "reported_at": today()}], "now.csv"))
    with pytest.raises(UsageError, match="no covered week is complete yet"):
        weekly_report.write_week(home, "latest", None, False)
    folder = weekly_report.write_week(home, f"{NOW:%G-W%V}", None, False)
    assert folder.parent.name == "preliminary"


def test_on_monday_a_snapshot_of_sunday_is_published_anew_before_the_report(
    home: Home, write_csv: WriteCsv, ingest: Ingest, ask: Ask
) -> None:
    """What the week's last run took for a running week has ended since, and no run came between."""
    ingest(write_csv([report(1, 10), report(2, 17)], "first.csv"))
    home.summaries.chmod(0o600)
    with duckdb.connect(str(home.summaries)) as snapshot:
        snapshot.execute(
            "UPDATE about SET latest_week = '2026-W46', published_at = TIMESTAMPTZ '2026-11-22 20:00:00+00'"
        )
        snapshot.execute("UPDATE weekly_signals SET reason = 'running week' WHERE week = '2026-W47'")
    folder = weekly_report.write_week(home, "latest", None, False)
    assert folder.name == "2026-W47"
    page = (folder / "internal.html").read_text()
    assert "running week" not in page
    assert "not complete yet" not in page
    assert ask("SELECT DISTINCT reason FROM weekly_signals WHERE week = '2026-W47'", path=home.summaries) == [
        ("short history",)
    ]


def test_a_snapshot_that_is_not_stale_is_left_as_it_is(published: Path, home: Home) -> None:
    before = home.summaries.stat().st_ino
    weekly_report.write_week(home, "2026-W47", None, False)
    assert home.summaries.stat().st_ino == before


@pytest.mark.parametrize("as_known_now", [True, False])
@pytest.mark.parametrize("place", ["", "preliminary"])
def test_nothing_is_written_over_the_published_reports(
    published: Path, home: Home, as_known_now: bool, place: str
) -> None:
    before = {path: path.read_bytes() for path in home.reports.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match="is one of the files of the home"):
        weekly_report.write_week(home, WEEK, home.reports / place, as_known_now)
    assert {path: path.read_bytes() for path in home.reports.rglob("*") if path.is_file()} == before


def test_counts_that_cannot_be_read_are_an_error_that_names_the_file(published: Path, home: Home, pack: Pack) -> None:
    copy = home.reports / "2026-W45"
    shutil.copytree(published, copy)
    for name, lines in (("reported_weeks", "2026-W45"), ("reported_counts", "week,reports\nx")):
        text = (copy / revisions.COUNTS_OF[name]).read_text()
        (copy / revisions.COUNTS_OF[name]).write_text(text.replace(WEEK, lines))
    with pytest.raises(StateError, match=r"2026-W45.*reported_counts.csv"):
        publish(home, pack)


def test_a_leftover_folder_of_a_week_is_no_report_of_it(home: Home, write_csv: WriteCsv, ingest: Ingest) -> None:
    ingest(write_csv([report(1, 2), report(2, 10)], "first.csv"))
    (home.reports / "2026-W45" / "data").mkdir(parents=True)
    weekly_report.write_week(home, "2026-W46", None, False)
    ingest(write_csv([report(3, 16)], "second.csv"))
    (home.reports / "2026-W47").mkdir()
    (folder,) = weekly_report.write_due_reports(home)
    assert folder == home.reports / "2026-W47"
    assert (folder / "internal.html").exists()
    assert weekly_report.write_due_reports(home) == []


def test_copies_of_a_publication_are_none(
    published: Path, write_csv: WriteCsv, ingest: Ingest, ask: Ask, home: Home, pack: Pack
) -> None:
    recorded = ask("FROM reported_weeks"), ask("FROM reported_counts ORDER BY series")
    for name in ("2026-W46 (copy)", "2026-W45", "2026-W46.before", "2027-W46"):
        shutil.copytree(published, home.reports / name)
    ingest(write_csv([report(20)], "later.csv"))
    assert (ask("FROM reported_weeks"), ask("FROM reported_counts ORDER BY series")) == recorded
    assert revised(ask, home) == [(10, 11, 1, "late records")]
    assert check(home, load_settings(home.path), pack, deep=True)


# ------------------------------------------------------------------------------------------------ which weeks are due


def test_a_new_home_owes_the_last_complete_week_alone_and_a_missed_monday_is_made_up_for(
    home: Home, write_csv: WriteCsv, ingest: Ingest
) -> None:
    assert weekly_report.write_due_reports(home) == [], "nothing has ever been ingested"
    ingest(write_csv([report(1, 2), report(2, 10)], "first.csv"))
    assert [folder.name for folder in weekly_report.write_due_reports(home)] == ["2026-W46"]
    assert weekly_report.write_due_reports(home) == []
    ingest(write_csv([report(3, 16), report(4, 1)], "second.csv"))
    weekly_report.reset_week(home, "2026-W46")
    weekly_report.write_week(home, "2026-W45", None, False)
    assert [folder.name for folder in weekly_report.write_due_reports(home)] == ["2026-W46", "2026-W47"]


def test_a_report_published_by_mistake_is_taken_back_audited_and_written_anew(
    published: Path, home: Home, write_csv: WriteCsv, ingest: Ingest, ask: Ask
) -> None:
    other = weekly_report.write_week(home, "2026-W47", None, False)
    ingest(write_csv([report(11, **EMERGENCY)], "late.csv"))
    assert revised(ask, home)[0][:3] == (10, 11, 1)
    told = weekly_report.reset_week(home, WEEK)
    assert told.startswith(f"{WEEK}: the report of ")
    assert told.endswith("up to delivery 1, was taken back")
    assert not published.exists()
    assert other.is_dir()
    assert WEEK not in (home.reports / "index.html").read_text()
    assert ask("SELECT week FROM reported_weeks") == [("2026-W47",)]
    assert ask("SELECT action, subject, detail FROM audit") == [("reset", WEEK, told.removeprefix(f"{WEEK}: "))]
    assert revised(ask, home) == [], "nothing of it is compared any more"
    assert weekly_report.write_week(home, WEEK, None, False) == published
    assert ask("SELECT reports FROM reported_counts WHERE week = ? AND series = 'all'", WEEK) == [(11,)]


def test_a_killed_reset_is_finished_by_another_and_no_other_week_is_taken_back(
    published: Path, home: Home, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(revisions, "forget", stop)
        with pytest.raises(KeyboardInterrupt):
            weekly_report.reset_week(home, WEEK)
    assert not published.exists()
    assert ask("SELECT week FROM reported_weeks") == [(WEEK,)]
    weekly_report.reset_week(home, WEEK)
    assert ask("SELECT week FROM reported_weeks") == []
    for week in (WEEK, "2026-W47"):
        with pytest.raises(UsageError, match="is not published"):
            weekly_report.reset_week(home, week)


def test_a_folder_with_something_else_in_it_is_not_taken_back(published: Path, home: Home, ask: Ask) -> None:
    (published / "my notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="did not put there"):
        weekly_report.reset_week(home, WEEK)
    assert (published / "internal.html").exists()
    assert ask("SELECT week FROM reported_weeks") == [(WEEK,)]
