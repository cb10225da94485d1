"""Explanations as pages: complete, private, safe whatever a cell holds; those of a week, bounded and counted."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser

from pipelines.cli.app import main
from pipelines.connections import read_only
from pipelines.errors import UsageError
from pipelines.explain.calls import find_week_calls
from pipelines.explain.explanation import explain_report
from pipelines.explain.pages import render_explanation_page
from pipelines.jobs import weekly_report
from pipelines.pages.calls import WeekCalls
from pipelines.settings import Settings
from pipelines.store.database import Home
from tests.explain.test_explanation import BAD_ROW, GOOD_ROWS, RED_LEG
from tests.support.browser import CHROMIUM, open_browser
from tests.support.publishing import publish_anew

HOSTILE = "<script>alert(1)</script>\"'&"


def test_the_page_carries_what_the_explanation_carries_and_no_address_outside_it(write_csv, ingest, home: Home) -> None:
    ingest(write_csv([RED_LEG | {"calf_swelling": "no"}], "first.csv"), write_csv([RED_LEG], "second.csv"))
    found = explain_report(home.records, "r1", None)
    page = render_explanation_page(found)
    texts = [
        found["rule_pack"],
        found["notice"],
        "Earlier versions, replaced",
        "The fewest answers that rule out every level above: 1",
    ]
    texts += [rule["sentence"] for rule in found["rules"]] + [rule["reference"] for rule in found["rules"]]
    texts += [row["sentence"] for row in found["evidence"]] + [entry["text"] for entry in found["guidance"]]
    text = page.replace("&#39;", "'").replace("&#34;", '"')
    assert [each for each in texts if each not in text] == []
    assert not re.search(r"https?:|<script|src=|@import|url\(", page)


def test_times_and_numbers_are_told_in_words(write_csv, ingest, home: Home) -> None:
    one = RED_LEG | {"duration_days": "3", "reported_at": "2026-11-16T10:00:00+02:00"}
    ingest(write_csv([one], "first.csv"), write_csv([one | {"fever": "no"}], "second.csv"))
    page = render_explanation_page(explain_report(home.records, "r1", None))
    assert "<dd>2026-11-16 08:00 UTC</dd>" in page
    assert "How long the pain has lasted, days: 3" in page
    assert "Duration days" not in page
    earlier = render_explanation_page(explain_report(home.records, "r1", None, earlier_file(home)))
    assert re.search(r"replaced this version on 20\d\d-\d\d-\d\d \d\d:\d\d UTC\.", earlier)


def earlier_file(home: Home) -> str:
    with contextlib.closing(read_only(home.records)) as connection:
        ((file_id,),) = connection.execute("SELECT file_id FROM superseded").fetchall()
    return str(file_id)


def test_a_hostile_cell_is_shown_and_does_nothing(write_csv, ingest, home: Home) -> None:
    ingest(write_csv([*GOOD_ROWS, BAD_ROW | {"region": HOSTILE.replace('"', "")}]))
    page = render_explanation_page(explain_report(home.records, "r1", None))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&#39;&amp;" in page
    assert "in the quarantine" in page


def test_the_command_writes_a_private_page_and_says_where(
    write_csv, ingest, home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest(write_csv([RED_LEG]))
    path = tmp_path / "why.html"
    arguments = ["explain", "--home", str(home.path), "r1", "--out"]
    assert main([*arguments, str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert path.read_text() == render_explanation_page(explain_report(home.records, "r1", None))
    assert path.stat().st_mode & 0o777 == 0o600
    assert main([*arguments, str(tmp_path / "missing" / "why.html")]) == 2
    assert "cannot be written" in capsys.readouterr().err


# ------------------------------------------------------------------------- the pages of a week

WEEK = {
    "emergency": {"cannot_bear_weight": "yes"},
    "could-be": {"cannot_bear_weight": "", "pain_score": "3", "duration_days": "2"},
    "doctor-could-be": {"cannot_bear_weight": "", "sensation_loss": "yes"},  # a doctor is called for anyway
    "unresolved": {"sensation_loss": "", "pain_score": "3", "duration_days": "2"},
    "last-week": {"cannot_bear_weight": "yes", "reported_at": "2026-11-15T23:59:59Z"},
    "sunday": {"cannot_bear_weight": "yes", "reported_at": "2026-11-22T23:59:59Z"},
}


@pytest.fixture
def week_home(write_csv, ingest, home: Home) -> Home:
    who = {"region": "north", "age_band": "30-44"}
    ingest(write_csv([{"report_id": name} | who | cells for name, cells in WEEK.items()]))
    return home


def calls_of(home: Home, week: str = "2026-W47", **more: int) -> WeekCalls:
    with contextlib.closing(read_only(home.records)) as connection:
        return find_week_calls(connection, week, **more)


def pages_of(home: Home, week: str = "2026-W47", **more: int) -> dict[str, str]:
    return dict(calls_of(home, week, **more).pages)


def test_a_week_has_a_page_for_each_record_to_phone_about_and_an_index(week_home: Home) -> None:
    """A record for the doctor that could still be an emergency is among them: its level now does not matter."""
    pages = pages_of(week_home)
    names = ["001-sunday.html", "002-emergency.html", "003-could-be.html", "004-doctor-could-be.html"]
    assert list(pages) == ["index.html", *names]
    assert re.findall(r'href="(\d.*?)"', pages["index.html"]) == names
    assert pages["index.html"].count("2 of 2 explained here") == 2
    assert "An emergency: Call the emergency number" in pages["index.html"].split("<table")[0], "the action comes first"
    assert "could-be" in pages[names[2]]


def test_a_call_says_in_words_why_and_what_to_ask(week_home: Home) -> None:
    calls = calls_of(week_home)
    (emergency,) = [each for each in calls.emergencies.calls if each.report_id == "emergency"]
    assert emergency.reason == "The patient can no longer stand or walk on the painful leg."
    assert emergency.ask == []
    (doctor,) = [each for each in calls.possible.calls if each.report_id == "doctor-could-be"]
    assert doctor.ask == ["Cannot stand or walk on the leg"]
    assert doctor.reason == "Now: contact a doctor."
    assert doctor.cause.startswith("Nerve condition")
    assert (doctor.age_band, doctor.region) == ("30-44", "north")
    assert not re.search(r"emergency_\w+|doctor_\w+|cannot_bear", calls.pages["index.html"]), (
        "no ids of rules or fields"
    )


def test_records_that_one_question_decides_come_first(write_csv, ingest, home: Home) -> None:
    many = {"fever": "", "warmth": "", "redness": "", "calf_swelling": "", "cannot_bear_weight": ""}
    rows = [{"report_id": "many"} | many, {"report_id": "two", "cannot_bear_weight": "", "shortness_of_breath": ""}]
    rows[1] |= {"leg_swelling": "yes"}
    rows += [{"report_id": "one", "cannot_bear_weight": "", "reported_at": "2026-11-16T00:00:00Z"}]
    ingest(write_csv(rows))
    assert [call.report_id for call in calls_of(home).possible.calls] == ["one", "two", "many"]


def test_both_kinds_share_the_places_and_each_says_how_many_it_leaves_out(write_csv, ingest, home: Home) -> None:
    rows = [{"report_id": f"e{i}", "cannot_bear_weight": "yes"} for i in range(5)]
    rows += [{"report_id": f"p{i}", "cannot_bear_weight": ""} for i in range(3)]
    ingest(write_csv(rows))
    calls = calls_of(home, most=4)
    assert (len(calls.emergencies.calls), calls.emergencies.total) == (2, 5)
    assert (len(calls.possible.calls), calls.possible.total) == (2, 3)
    index = calls.pages["index.html"]
    assert "2 of 5 explained here; 3 left out" in index
    assert "2 of 3 explained here; 1 left out" in index
    assert "calfwatch query --db records" in index
    assert len(calls_of(home, most=6).emergencies.calls) == 3
    assert len(calls_of(home, most=7).emergencies.calls) == 4, "what the others do not need"


def test_the_records_behind_an_alarm_stand_below_what_their_levels_ask(week_home: Home) -> None:
    with contextlib.closing(duckdb.connect(str(week_home.records))) as connection:
        connection.execute(
            "UPDATE weekly_signals SET status = 'alarm', upper = 1 WHERE series = 'all' AND week = '2026-W47'"
        )
    page = pages_of(week_home)["alarm-1.html"]
    told = re.findall(r"<p><strong>([\w -]+): ", page.split("<table")[0])
    assert told == ["Emergency", "Contact a doctor", "Unresolved"], "the highest first, and none that no record has"
    assert "<strong>Emergency: Call the emergency number" in page


def test_a_week_that_no_file_covers_is_refused(week_home: Home) -> None:
    with pytest.raises(UsageError, match="week 2026-W01 is not covered by any file"):
        pages_of(week_home, "2026-W01")


def test_who_looks_for_what_was_withdrawn_is_told_of_it(week_home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--home", str(week_home.path)]
    with contextlib.closing(read_only(week_home.records)) as connection:
        ((file_id,),) = connection.execute("SELECT file_id FROM files").fetchall()
    assert main(["withdraw", *where, file_id]) == 0
    note = "1 file was withdrawn with all that came in"
    for words in (["explain", "sunday"], ["report", "--week", "2026-W47"], ["report"]):
        assert main([words[0], *where, *words[1:]]) == 2
        assert note in capsys.readouterr().err, words


def test_the_weekly_report_carries_them_and_links_to_them(week_home: Home) -> None:
    publish_anew(week_home, Settings())
    folder = weekly_report.write_week(week_home, "2026-W47", None, False)
    pages = pages_of(week_home)
    assert {path.name: path.read_text() for path in (folder / "explain").iterdir()} == pages
    assert {path.stat().st_mode & 0o777 for path in (folder / "explain").iterdir()} == {0o600}
    assert (folder / "explain").stat().st_mode & 0o777 == 0o700
    page = (folder / "internal.html").read_text()
    assert 'href="explain/index.html"' in page
    assert 'href="explain/001-sunday.html"' in page


# ------------------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM HERE: the page was not opened in a browser")
def test_nothing_sticks_out_on_a_phone_on_a_desk_and_on_paper(
    week_home: Home, tmp_path: Path, browser: Browser
) -> None:
    pages = pages_of(week_home)
    for path in (tmp_path / "index.html", tmp_path / "003-could-be.html"):
        path.write_text(pages[path.name])
        for width, medium in ((360, "screen"), (1200, "screen"), (695, "print")):
            page = browser.new_page(viewport={"width": width, "height": 800})
            page.emulate_media(media=medium)
            page.goto(path.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path.name, width)
            page.close()
