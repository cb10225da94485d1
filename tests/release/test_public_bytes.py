"""What is in the public files, byte by byte: no exact count, no region of a single report, nothing private."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from pipelines.release.public_database import PublicRows, read_public_database, write_public_database
from pipelines.release.public_page import write_public_pages
from pipelines.store.database import Home
from pipelines.text import FORMULA_SIGNS
from tests.conftest import opened
from tests.release.support import MONDAY, NEXT, WEEK, call, public_bytes, public_counts, traces

PLANTED = 4321
COLUMNS = "report_id,reported_at,region,age_band,sex,cannot_bear_weight,fever\n"


def write_counts(path: Path, week: str, regions: dict[str, int], emergencies: int) -> Path:
    """A week with exactly so many reports a region, and so many emergencies among them."""
    lines, number = [COLUMNS], 0
    for region, reports in regions.items():
        for _ in range(reports):
            number += 1
            answer = "yes" if number <= emergencies else "no"
            day = MONDAY[week] + number % 7
            lines.append(f"{week}-{number},2026-11-{day:02}T12:00:00Z,{region},30-44,{('male', 'female')[number % 2]},")
            lines.append(f"{answer},no\n")
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A released week with exact counts of 4,321: of a region, of a level, and of the whole week."""
    folder = tmp_path_factory.mktemp("planted")
    home = Home(folder / "home")
    week = write_counts(folder / "w.csv", WEEK, {"north": PLANTED, "south": 2204, "hamlet": 1}, PLANTED)
    assert call(home, "ingest", str(week)) == 0
    assert call(home, "ingest", str(write_counts(folder / "n.csv", NEXT, {"north": 4000, "south": 321}, 30))) == 0
    assert call(home, "release", WEEK) == 0
    assert call(home, "release", NEXT) == 0
    return home


def test_a_planted_count_is_in_no_public_byte(planted: Home) -> None:
    files = [planted.public, *(path for path in (planted.path / "public").rglob("*") if path.is_file())]
    assert len(files) == 5
    assert [found for path in files for found in traces(PLANTED, path)] == []


def test_the_same_search_finds_it_in_the_summaries(planted: Home) -> None:
    found = list(traces(PLANTED, planted.summaries))
    assert "summaries.duckdb: a value of weekly_regions" in found
    assert any("a statistic of" in each for each in found)


def test_a_regions_first_single_report_is_in_no_public_byte(planted: Home) -> None:
    content = public_bytes(planted)
    assert all(b"hamlet" not in each for each in content.values())
    assert any(b"south" in each for each in content.values())
    assert b"hamlet" in planted.summaries.read_bytes()
    for name in ("canonical", str(planted.path), "w.csv"):
        assert all(name.encode() not in each for each in content.values()), name


def test_the_database_has_the_tables_of_the_contract_and_no_other(planted: Home) -> None:
    with opened(planted.public) as connection:
        names = connection.execute("SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal")
        columns: dict[str, list[str]] = {}
        for table, column, comment in names.fetchall():
            assert comment
            columns.setdefault(table, []).append(column)
    assert columns == {
        "weekly_counts": ["week", "week_start", "attribute", "value", "reports", "at_least", "at_most"],
        "releases": ["week", "week_start", "status", "released_on", "method", "incomplete", "note"],
        "about": ["version", "complaint", "method", "disclaimer", "time_zone"],
    }


def test_rows_are_sorted_by_attribute_and_name(planted: Home) -> None:
    with opened(planted.public) as connection:
        rows = connection.execute("SELECT week_start, attribute, value FROM weekly_counts").fetchall()
    assert rows == sorted(rows)


def test_counts_within_their_class_give_the_same_bytes(tmp_path: Path) -> None:
    """Hidden 0-7, or the five numbers of a rounded one; the decoy keeps the other attributes in their classes too."""
    found = []
    for name, regions, emergencies in (
        ("a", {"north": 40, "south": 26, "west": 3}, 18),
        ("b", {"north": 41, "south": 24, "west": 5}, 22),
    ):
        home = Home(tmp_path / name)
        assert call(home, "ingest", str(write_counts(tmp_path / f"{name}.csv", WEEK, regions, emergencies))) == 0
        assert call(home, "release", WEEK) == 0
        found.append(public_bytes(home))
    assert sum((40, 26, 3)) != sum((41, 24, 5))
    assert found[0] == found[1]


def test_equal_rows_give_equal_bytes_whatever_the_process_did_before(planted: Home, tmp_path: Path) -> None:
    """The block's unused bytes hold nothing of what lay in memory before."""
    rows = read_public_database(planted.public)
    assert rows is not None
    program = (
        "import sys, duckdb; from pathlib import Path;"
        "from pipelines.release.public_database import *;"
        "rows = read_public_database(Path(sys.argv[1])); write_public_database(Path(sys.argv[2]), rows)"
    )
    clean = tmp_path / "clean.duckdb"
    subprocess.run([sys.executable, "-c", program, str(planted.public), str(clean)], check=True, timeout=60)
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE secret AS SELECT 4321::BIGINT AS n, 'hamlet' || range AS t FROM range(300000)")
    used = tmp_path / "used.duckdb"
    write_public_database(used, rows)
    assert clean.read_bytes() == used.read_bytes() == planted.public.read_bytes()


def test_without_the_private_files_the_page_is_the_same(planted: Home, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(planted.public, alone / "public.duckdb")
    command = [sys.executable, "-m", "pipelines.release.public_page", str(alone / "public.duckdb")]
    subprocess.run(command, check=True, timeout=60, cwd=tmp_path, env=os.environ | {"HOME": str(tmp_path)})
    wanted = {name: content for name, content in public_bytes(planted).items() if name != "public.duckdb"}
    found = {name: content for name, content in public_bytes(Home(alone)).items() if name != "public.duckdb"}
    assert found == wanted


def test_a_file_that_is_right_is_left_alone(planted: Home, tmp_path: Path) -> None:
    shutil.copy(planted.public, tmp_path / "public.duckdb")
    (page, _) = write_public_pages(tmp_path / "public.duckdb")
    before = page.stat().st_mtime_ns
    write_public_pages(tmp_path / "public.duckdb")
    assert page.stat().st_mtime_ns == before


def test_the_csv_holds_the_rows_of_its_week(planted: Home) -> None:
    import csv

    with open(planted.path / "public" / WEEK / "weekly_counts.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["attribute"], row["value"]) for row in rows] == [row[:2] for row in public_counts(planted, WEEK)]
    assert {row["week"] for row in rows} == {WEEK}
    assert {row["at_most"] for row in rows if not row["reports"]} == {"7"}


def test_an_empty_record_makes_an_empty_database(tmp_path: Path) -> None:
    empty = PublicRows([], [], [("1", "calf pain", "m", "d", "UTC")])
    write_public_database(tmp_path / "public.duckdb", empty)
    assert read_public_database(tmp_path / "public.duckdb") == empty
    assert write_public_pages(tmp_path / "public.duckdb") == []


def blocks_of_docs(language: str) -> list[str]:
    text = (Path(__file__).parents[2] / "docs" / "publishing.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def test_the_officers_page_says_how_to_read_a_released_week(planted: Home, tmp_path: Path) -> None:
    """What it says for Python is run as it stands there, and what it says for DuckDB by its module."""
    shutil.copy(planted.public, tmp_path / "public.duckdb")
    (session,) = blocks_of_docs("python")
    code = doctest.script_from_examples(session).replace("demo-home/", "")
    (tmp_path / "read.py").write_text(f"{code}\nprint(len(week), list(week.columns))\n")
    done = subprocess.run([sys.executable, "read.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    rows = public_counts(planted, WEEK)
    columns = ["week", "week_start", "attribute", "value", "reports", "at_least", "at_most"]
    assert done.stdout == f"{len(rows)} {columns}\n"
    text = (Path(__file__).parents[2] / "docs" / "publishing.md").read_text(encoding="utf-8")
    (statement,) = re.findall(r'duckdb -readonly public\.duckdb "([^"]+)"', text)
    with opened(tmp_path / "public.duckdb") as connection:
        assert len(connection.execute(statement).fetchall()) == len(rows)


def test_a_spreadsheet_reads_the_csv_as_it_is_meant(tmp_path: Path) -> None:
    """Bytes that mean the same in every encoding, commas, whole numbers, no cell that is a formula, nothing a zero."""
    home = Home(tmp_path / "home")
    week = write_counts(tmp_path / "w.csv", WEEK, {"-north": 40, "south": 60, "few": 3}, 2)
    assert call(home, "ingest", str(week)) == 0
    assert call(home, "release", WEEK) == 0
    content = (home.path / "public" / WEEK / "weekly_counts.csv").read_bytes()
    assert content.isascii()
    assert b"\r" not in content
    assert b'"' not in content
    header, *rows = [line.split(",") for line in content.decode().splitlines()]
    assert header == ["week", "week_start", "attribute", "value", "reports", "at_least", "at_most"]
    assert {len(row) for row in rows} == {len(header)}
    assert [row[3] for row in rows if row[2] == "region"] == ["'-north", "south"]
    assert not [cell for row in rows for cell in row if cell.startswith(FORMULA_SIGNS)]
    assert all(row[4] == "" or row[4].isdigit() for row in rows)
    assert {row[4] for row in rows if row[5] == "0"} == {""}, "a hidden count is empty, never 0"
