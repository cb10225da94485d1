"""No path changes a number: the demo in places with names that mean something to a library, or refused in one line."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines.cli.app import main

SMALL = ["--reports", "40", "--seed", "3"]
HARMLESS = [
    "=",
    "week=5",
    "site=north",
    "[",
    "]",
    "[ab]",
    "{",
    "}",
    "{a,b}",
    "*",
    "**",
    "%",
    "%41",
    "%s",
    "'",
    '"',
    ";",
]
HARMLESS += ["#", "$HOME", "${x}", "~", " ", "&", "|", "<b>", "-", "--home", ":memory:", "s3:", "\u00e4", "\u4e2d", "!"]
PLACES = int(os.environ.get("CALFWATCH_PLACES", "60"))  # 4 s of one core each
REFUSED = ["?", "\\", "\n", "\r", "\t", "\x1b[31m", "\x7f", os.fsdecode(b"\xff"), os.fsdecode(b"\xc3"), "\x9b"]


def weekly_counts(home: Path) -> list[tuple[Any, ...]]:
    """Counts of the snapshot, read by a connection that knows nothing of us."""
    shutil.copy(home / "summaries.duckdb", home.parent.parent / "plain.duckdb")
    with duckdb.connect(str(home.parent.parent / "plain.duckdb"), read_only=True) as connection:
        tables = ("weekly_triage", "weekly_regions", "weekly_signals", "weekly_revisions")
        return [row for table in tables for row in connection.execute(f"FROM {table} ORDER BY ALL").fetchall()]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("places")


@pytest.fixture(scope="module")
def plain_counts(places: Path) -> list[tuple[Any, ...]]:
    home = places / "plain" / "home"
    assert main(["demo", "--home", str(home), *SMALL]) == 0
    return weekly_counts(home)


def names(signs: list[str]) -> st.SearchStrategy[str]:
    letters = st.lists(st.sampled_from([*signs, "a", "b"]), min_size=1, max_size=6)
    return letters.map("".join).filter(lambda name: name.strip(".") != "" and "/" not in name)


def the_demo_is_the_same_or_refused(
    name: str, places: Path, plain_counts: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = places / "odd"
    shutil.rmtree(os.fsencode(folder), ignore_errors=True)
    home = folder / name
    capsys.readouterr()
    code = main(["demo", f"--home={home}", *SMALL])
    told = capsys.readouterr()
    if any(sign in name for sign in REFUSED):
        assert code == 2
        assert len(told.err.splitlines()) == 1
        assert "cannot hold a database" in told.err
        assert not os.path.lexists(os.fsencode(home))
        return
    assert code == 0
    assert weekly_counts(home) == plain_counts
    assert main(["report", f"--home={home}", "--week", "latest"]) == 0
    assert main(["ingest", f"--home={home}", str(home / "demo" / "reports")]) == 0, (
        "its published week is taken in once"
    )
    assert main(["check", "--deep", f"--home={home}"]) == 0
    assert weekly_counts(home) == plain_counts


def test_the_demo_in_one_place_with_every_odd_sign(
    places: Path, plain_counts: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    name = "week=5 site=north [ab]{a,b}*%41'\";#$HOME \u00e4"
    the_demo_is_the_same_or_refused(name, places, plain_counts, capsys)


@pytest.mark.parametrize("sign", REFUSED, ids=lambda sign: ascii(sign))
def test_a_home_that_no_database_can_be_in_is_refused_in_one_line(
    sign: str, places: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    the_demo_is_the_same_or_refused(f"a{sign}b", places, [], capsys)


@pytest.mark.slow
@settings(max_examples=PLACES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(name="week=5")
@example(name="a?b")
@given(name=st.one_of(names(HARMLESS), names(HARMLESS), names([*HARMLESS, *REFUSED])))
def test_the_demo_in_many_places(
    name: str, places: Path, plain_counts: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    the_demo_is_the_same_or_refused(name, places, plain_counts, capsys)


def test_files_of_odd_names_are_taken_as_they_are(
    fed_home: Any, write_csv: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = ["week=5.csv", "a?b.csv", "[ab].csv", "{a,b}.csv", "%41.csv", "a\nb.csv", "*.csv"]
    paths = [
        write_csv([{"report_id": f"one-{place}"}, {"report_id": f"two-{place}"}], f"in/{name}")
        for place, name in enumerate(odd)
    ]
    assert main(["ingest", "--home", str(fed_home.path), str(paths[0].parent)]) == 0
    assert capsys.readouterr().err.count("2 rows, 2 accepted") == len(odd)
    assert main(["check", "--deep", "--home", str(fed_home.path)]) == 0


def test_a_file_name_that_is_no_text_is_taken_as_it_is(
    fed_home: Any, write_csv: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_csv([{"report_id": "one"}], "in/plain.csv")
    os.rename(path, os.fsencode(path.parent) + b"/\xff\xfe.csv")
    assert main(["ingest", "--home", str(fed_home.path), str(path.parent)]) == 0
    assert main(["check", "--deep", "--home", str(fed_home.path)]) == 0
    assert main(["status", "--home", str(fed_home.path)]) in (0, 7)
