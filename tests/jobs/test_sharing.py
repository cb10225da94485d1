"""Who may read what is published: its owner, a group, or who gets into a folder of copies. Never records."""

from __future__ import annotations

import grp
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.errors import UsageError
from pipelines.jobs import publish, sharing, weekly_report
from pipelines.jobs.check import check
from pipelines.settings import Settings, load_settings
from pipelines.store import database
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from schemas.pack import Pack

WEEK = "2026-W46"
Ingest = Callable[..., list[Outcome]]
Write = Callable[..., Path]


@pytest.fixture
def group() -> str:
    return grp.getgrgid(os.getegid()).gr_name


@pytest.fixture
def reported(home: Home, write_csv: Write, ingest: Ingest, group: str, tmp_path: Path) -> Home:
    """A home with a published week, whose settings share with a group and copy to a folder."""
    text = f"share_with_group = '{group}'\npublish_to = '{tmp_path / 'copies'}'\n"
    home.path.mkdir(exist_ok=True, mode=0o700)
    (home.path / "calfwatch.toml").write_text(text)
    (home.path / "calfwatch.toml").chmod(0o600)
    rows = [
        {"report_id": str(n), "reported_at": f"2026-11-1{n}T10:00:00Z", "cannot_bear_weight": "yes"} for n in range(8)
    ]
    ingest(write_csv(rows), settings=Settings(share_with_group=group, publish_to=str(tmp_path / "copies")))
    weekly_report.write_week(home, WEEK, None, False)
    return home


def readable(folder: Path) -> Iterator[tuple[str, bool]]:
    """Each file of a home, and whether every folder down to it and it itself let the group in."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            place = path.relative_to(folder)
            above = [folder / each for each in place.parents]
            open_ = path.stat().st_mode & 0o040 and all(each.stat().st_mode & 0o010 for each in above)
            yield place.as_posix(), bool(open_)


def test_a_group_opens_the_snapshot_and_the_reports_and_nothing_else(reported: Home, pack: Pack) -> None:
    found = dict(readable(reported.path))
    shared = {name for name, open_ in found.items() if open_}
    assert {"summaries.duckdb", "reports/index.html", f"reports/{WEEK}/internal.html"} <= shared
    assert all(name == "summaries.duckdb" or name.startswith("reports/") for name in shared)
    private = set(found) - shared
    assert {"records.duckdb", "calfwatch.toml"} <= private
    assert any(name.startswith(f"reports/{WEEK}/explain/") for name in private), "pages about single records"
    for path in reported.path.rglob("*"):
        assert not path.stat().st_mode & 0o007, "nothing is everybody's"
    assert not reported.path.stat().st_mode & 0o040, "and the home cannot be listed"
    with reported.lock(5):
        assert check(reported, load_settings(reported.path), pack, deep=False), "and that is as it should be"


def test_the_folder_of_copies_holds_what_is_published_and_follows_it(reported: Home, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    assert (copies / "summaries.duckdb").read_bytes() == reported.summaries.read_bytes()
    names = {path.relative_to(copies / "reports" / WEEK).parts[0] for path in (copies / "reports" / WEEK).rglob("*")}
    assert {"internal.html", "data", "charts"} <= names
    assert "explain" not in names
    assert not list(copies.rglob("records*"))
    weekly_report.reset_week(reported, WEEK)
    assert not (copies / "reports" / WEEK).exists()
    assert WEEK not in (copies / "reports" / "index.html").read_text()
    assert {path.name for path in copies.iterdir()} == {"summaries.duckdb", "reports"}, "no temporary is left"


def test_without_a_group_copies_are_for_whoever_gets_into_their_folder(reported: Home, tmp_path: Path) -> None:
    sharing.share(reported, Settings(publish_to=str(tmp_path / "others")))
    assert (tmp_path / "others" / "summaries.duckdb").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "others" / "reports" / WEEK).stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("place", [".", "reports", "tmp/x"])
def test_copies_go_to_no_place_of_the_home_itself(place: str, reported: Home) -> None:
    with pytest.raises(UsageError, match="name a folder elsewhere"):
        sharing.share(reported, Settings(publish_to=place))


def test_an_unknown_group_is_told(reported: Home) -> None:
    with pytest.raises(UsageError, match="has no group 'no such group'"):
        sharing.share(reported, replace(Settings(), share_with_group="no such group"))


def test_by_default_all_is_its_owners_alone(home: Home, write_csv: Write, ingest: Ingest) -> None:
    ingest(write_csv([{"report_id": "a"}]))
    assert home.summaries.stat().st_mode & 0o777 == 0o400
    assert home.path.stat().st_mode & 0o777 == 0o700


def test_who_may_read_changes_with_the_settings_though_nothing_new_comes(reported: Home, pack: Pack) -> None:
    def run(settings: Settings) -> tuple[int, int, int]:
        with database.writing(reported, settings, pack, 5) as connection:
            publish.publish_or_share(connection, reported, settings)
        found = reported.summaries.stat()
        return found.st_ino, found.st_gid, found.st_mode & 0o777

    shared = load_settings(reported.path)
    before = run(shared)
    assert run(shared) == before, "nothing is published while nothing is new"
    assert run(replace(shared, share_with_group=""))[2] == 0o400
    assert run(shared)[1:] == before[1:]
    others = [each for each in grp.getgrall() if each.gr_gid != before[1]]
    if os.geteuid() == 0 and others:
        assert run(replace(shared, share_with_group=others[0].gr_name))[1:] == (others[0].gr_gid, 0o440)
