"""The clinical lead's assessment: on the page of a week to come, beside the page of a published one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.cli.app import main
from pipelines.connections import read_only
from pipelines.jobs import weekly_report
from pipelines.store.database import Home

WEEK = "2026-W47"


@pytest.fixture
def home_of_week(write_csv, ingest, home: Home) -> Home:
    ingest(write_csv([{"report_id": "r1"}]))  # which publishes
    return home


def assess(home: Home, text: str, week: str = WEEK, name: str = "A. Example") -> int:
    return main(["assess", "--home", str(home.path), week, text, "--name", name, "--contact", "ext. 1"])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_written_before_the_week_is_published_it_stands_in_every_form(
    home_of_week: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert assess(home_of_week, "It is  the\nheat.") == 0
    assert "it will stand on the page when the week is published" in capsys.readouterr().out
    folder = weekly_report.write_week(home_of_week, WEEK, None, False)
    for form in ("internal.html", "report.md"):
        text = (folder / form).read_text(encoding="utf-8")
        assert "It is the heat." in text
        assert "A. Example" in text
        assert "ext. 1" in text


def test_written_later_it_stands_beside_the_page_which_does_not_change(
    home_of_week: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = weekly_report.write_week(home_of_week, WEEK, None, False)
    before = contents(folder)
    assert assess(home_of_week, "It was the <heat>.") == 0
    assert "the published page stays as it is" in capsys.readouterr().out
    assert contents(folder) == before
    index = (home_of_week.reports / "index.html").read_text(encoding="utf-8")
    assert "It was the &lt;heat&gt;." in index
    assert "A. Example" in index


def test_it_is_audited_without_its_text(home_of_week: Home) -> None:
    assert assess(home_of_week, "It is the heat.") == 0
    with read_only(home_of_week.records) as connection:
        rows = connection.execute("SELECT subject, detail FROM audit WHERE action = 'assess'").fetchall()
    assert rows == [(WEEK, "by A. Example: 15 characters")]


@pytest.mark.parametrize(
    ("text", "week", "name", "said"),
    [
        (" ", WEEK, "A", "the text has 0 characters"),
        ("x" * 4001, WEEK, "A", "the text has 4,001 characters; allowed are 1 to 4,000"),
        ("x", WEEK, " ", "the name has 0 characters"),
        ("x", "2026-W01", "A", "week 2026-W01 is not covered by any file"),
        ("x", "latest", "A", "'latest' is not a week"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_what_is_allowed(
    home_of_week: Home, capsys: pytest.CaptureFixture[str], text: str, week: str, name: str, said: str
) -> None:
    assert assess(home_of_week, text, week, name) == 2
    assert said in capsys.readouterr().err
