"""inspect: a dry run that tells every kind of fault, stores nothing, and prints no identifier; and first adapters."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.cli.app import main
from pipelines.settings import Settings, Source, load_settings
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome

HEADER = "report_id,reported_at,region,sex,pain_score,fever"
BAD = [
    HEADER,
    *(f"{place},2026-11-16,north,female,3,no" for place in range(1, 31)),
    "31,17.11.2026,north,female,3,no",
    "32,2026-11-16,north,Frau,11,no",
    "33,2026-11-16,north,Frau,3,no,extra",
    "34,2026-11-16,north,female,3,no",
    "34,2026-11-16,north,female,3,yes",
    "30,2026-11-16,north,female,3,no",
]


@pytest.fixture
def ingest(take_in: Callable[..., list[Outcome]]) -> Callable[..., list[Outcome]]:
    """No test here looks at what is published."""
    return take_in


def inspect(path: Path, home: Home, *more: str) -> int:
    return main(["inspect", str(path), "--home", str(home.path), *more])


def write(folder: Path, lines: list[str], name: str = "w.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([*lines, ""]))
    return path


def test_every_kind_of_fault_is_told_with_count_lines_what_is_allowed_and_what_to_do(
    tmp_path: Path, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inspect(write(tmp_path, BAD), home) == 0
    told = capsys.readouterr().out
    for words in (
        "sex: allowed_values, 1 cell (line 33); such as 'Frau'",
        "allowed: female male other unknown",
        "pain_score: ",
        "the line: width, 1 cell (line 34)",
        "report_id: conflict, 2 cells (line 35, 36)",
        "36 rows, 5 with a fault, 1 duplicate",
        "verdict   the file would be taken; its rows with a fault would go to the quarantine",
    ):
        assert words in told, words


def test_it_tells_what_the_ingest_then_does(
    tmp_path: Path, home: Home, ingest: Callable[..., list[Outcome]], capsys: pytest.CaptureFixture[str]
) -> None:
    first = write(tmp_path, [HEADER, *(f"{i},2026-11-16,north,female,3,no" for i in range(10))], "w1.csv")
    again = [f"{i},2026-11-16,north,female,{4 if i > 7 else 3},no" for i in range(5, 13)]
    second = write(tmp_path, [HEADER, *again], "w2.csv")
    ingest(first)
    before = {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()}
    assert inspect(second, home) == 0
    assert "store     3 new, 2 would replace a record, 3 are stored already" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()} == before
    (outcome,) = ingest(second)
    assert (outcome.rows_accepted, outcome.rows_superseded, outcome.rows_duplicate) == (5, 2, 3)


def days(first: int, day: int, ids_from: int, without: str = "") -> list[str]:
    """Ten reports of five days, of which the pain follows from their number."""
    kept = [place for place, name in enumerate(HEADER.split(",")) if name != without]
    rows = [f"{ids_from + i},2026-11-{day + i % 5:02},north,female,{(first + i) % 11},yes" for i in range(10)]
    return [",".join(row.split(",")[place] for place in kept) for row in (HEADER, *rows)]


@pytest.mark.parametrize(
    ("lines", "source", "code", "words"),
    [
        (days(10, 16, 1), {}, 3, "would replace a record of another day: ids that restart"),
        (days(10, 16, 1), {"report_ids": "per_file"}, 0, "10 new, 0 would replace"),
        (days(10, 16, 11), {}, 0, "10 new, 0 would replace a record, 0 are stored already"),
        ([line if line == HEADER else f"0{line}" for line in days(0, 9, 1)], {}, 3, "but for how it is written"),
        (days(0, 9, 1, "pain_score"), {}, 3, "column missing: pain_score"),
        (days(0, 9, 1)[:3] + days(10, 16, 11)[1:], {"cumulative": True}, 3, "it lacks 8 of the 10 stored records"),
        (days(0, 9, 1)[:10] + days(10, 16, 11)[1:], {"cumulative": True}, 0, "1 stored record would be taken out"),
        (days(0, 9, 1), {}, 0, "this content came before, and would change nothing"),
    ],
)
def test_it_tells_what_the_guards_between_files_say(
    lines: list[str],
    source: dict[str, str | bool],
    code: int,
    words: str,
    tmp_path: Path,
    home: Home,
    ingest: Callable[..., list[Outcome]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    ingest(write(tmp_path, days(0, 9, 1), "w1.csv"))
    table = "".join(
        f"{key} = {str(value).lower() if value is True else repr(value)}\n" for key, value in source.items()
    )
    (home.path / "calfwatch.toml").write_text(f"[[sources]]\nname = 'canonical'\n{table}")
    path = write(tmp_path, lines, "w2.csv")
    assert inspect(path, home, "--source", "canonical") == code
    told = capsys.readouterr().out
    assert words in told
    assert ("verdict   the file would be rejected whole" in told) == (code == 3)
    (outcome,) = ingest(path, settings=load_settings(home.path), source="canonical")
    assert (outcome.status == "rejected") == (code == 3), "and so it is"


def test_a_rejected_file_is_told_to_its_end_and_no_identifier_is_printed(
    tmp_path: Path, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["1,2026-11-16,zebra@example.org,female,3,no,x", "2,2026-11-16,north,zebra@example.org,3,no,x"]
    path = write(tmp_path, [f"{HEADER},Symptom", *rows, "3,2026-11-16,north,SW1A 1AA,3,no,x"])
    assert inspect(path, home) == 3
    told = capsys.readouterr()
    for words in ("unknown column 'Symptom'", "'region' holds an e-mail", "'sex' holds an e-mail", "rejected whole"):
        assert words in told.out
    assert "zebra" not in told.out + told.err
    assert "SW1A" not in told.out + told.err
    assert not home.records.exists()


def test_near_misses_in_the_header_are_told(tmp_path: Path, home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, ["Report_ID,Reported At,region,Fevr", "1,2026-11-16,north,no"])
    assert inspect(path, home) == 3
    told = capsys.readouterr().out
    assert "did you mean report_id for 'Report_ID', reported_at for 'Reported At', fever for 'Fevr'?" in told


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("case_id,region,fever", "unknown column 'case_id'; allowed: "),
        ("region,fever", "required column report_id, reported_at is missing"),
    ],
)
def test_a_column_that_is_missing_is_told_once(header: str, words: str, tmp_path: Path, home: Home, capsys) -> None:
    assert inspect(write(tmp_path, [header, "1,north,no".removeprefix("" if "case" in header else "1,")]), home) == 3
    told = capsys.readouterr().out
    assert words in told
    assert told.count("required") == told.count("report_id, reported_at") == 1


EXPORTS = {
    "line list": (
        "case_id,date_onset,date_report,redness\n1,2026-11-12,2026-11-16,yes\n2,2026-11-13,2026-11-17,no\n",
        [("1", True), ("2", False)],
        "OPEN date_onset: full dates",
    ),
    "redcap": (
        "record_id,redcap_event_name,call_date,fever,signs___1,call_complete\n1,week_1,2026-11-16,1,1,2\n",
        [("1", None)],
        "OPEN signs___1: a box to tick",
    ),
    "kobo": ("_uuid,today,notes,redness\nu1,2026-11-16,x,yes\n", [("u1", True)], ""),
    "kobo boxes": (
        "_uuid,today,signs,signs/redness,group/fever\nu1,2026-11-16,fever,0,yes\nu2,2026-11-16,redness,1,no\n",
        [("u1", None), ("u2", True)],  # 0 is not ticked, and no no
        "OPEN signs/redness: a box to tick, read as redness; 0 is unknown",
    ),
    "redcap boxes with names": (
        "record_id,call_date,fever,signs___redness,signs___99\n1,2026-11-16,1,Checked,0\n2,2026-11-16,0,Unchecked,1\n",
        [("1", True), ("2", None)],
        "OPEN signs___99: a box to tick; which symptom is it?",
    ),
    "another word for a symptom": (
        "case_id,report date,redness,swelling of calf\n1,11/16/2026,Yes,No\n2,11/17/2026,No,Unk\n",
        [("1", True), ("2", False)],
        "OPEN swelling of calf: holds yes and no; which symptom is it, if any? Left out, it is unknown",
    ),
    "R": ('"report_id","reported_at","region","redness"\n"1","2026-11-16",NA,"yes"\n', [("1", True)], ""),
    "other words": (
        'Fall-ID,date,age,gender,"Redness (calf, left)",redness\nA1,16.11.2026,54,f,x,ja\nA2,17.11.2026,7,m,,nein\n',
        [("A1", True), ("A2", False)],
        "",
    ),
    "semicolons": (
        '"today";"_uuid";"district";"redness"\n"2026-11-16";"u1";"Bo Town";"yes"\n',
        [],
        'OPEN settings: cells are separated by semicolons; set `delimiter` for this source: delimiter = ";"',
    ),
    "no number": ("date,redness\n2026-11-16,yes\n", [], "OPEN no column looks like report_id"),
    "months": (
        "case_id,hosp date,hospital,gender,age,age_unit,redness\n1,11/13/2026,St. Mary's,f,30,months,yes\n"
        "2,11/14/2026,Port,m,30,years,no\n",
        [("1", True), ("2", False)],
        "OPEN hospital: free text",
    ),
}


@pytest.mark.parametrize("kind", EXPORTS)
def test_the_adapter_it_writes_loads_and_takes_the_file_or_says_what_is_open(
    kind: str, tmp_path: Path, home: Home, ingest, ask, capsys: pytest.CaptureFixture[str]
) -> None:
    text, records, told = EXPORTS[kind]
    path = tmp_path / "export.csv"
    path.write_text(text)
    assert inspect(path, home, "--adapter") == 0
    sql = capsys.readouterr().out
    assert told in sql
    (home.path / "mine.sql").write_text(sql)
    (outcome,) = ingest(path, source="mine", settings=Settings(sources=(Source("mine", adapter="mine.sql"),)))
    if records:
        assert outcome.status == "accepted", outcome.reason
        assert ask("SELECT report_id, redness FROM reports ORDER BY 1") == records
    else:
        assert outcome.status == "rejected"


def test_what_is_no_answer_is_not_asked_about_and_a_second_date_is(tmp_path: Path, home: Home, capsys) -> None:
    header = "case_id,report_date,onset_date,redness,partner,group,complete,note"
    rows = ["1,2026-11-16,2026-11-12,yes,m,1,2,left", "2,2026-11-17,2026-11-13,no,f,2,0,seen"]
    assert inspect(write(tmp_path, [header, *rows]), home, "--adapter") == 0
    sql = capsys.readouterr().out
    assert "holds yes and no" not in sql
    assert "OPEN report_date: taken as the day of the report; or is that onset_date?" in sql
    assert inspect(write(tmp_path, ["case_id,report_date,redness", "1,2026-11-16,yes"]), home, "--adapter") == 0
    assert "OPEN" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("leg_swelling", {"leg_swelling"}),
        ("leg_swelling,calf_swelling", {"leg_swelling", "calf_swelling"}),
        ("Leg Swelling,Calf swelling", {"Leg Swelling", "Calf swelling"}),
        ("paler_leg,cooler_leg", {"paler_leg", "cooler_leg"}),
    ],
)
def test_a_column_is_not_taken_for_a_symptom_of_a_nearly_equal_name(
    header: str, wanted: set[str], tmp_path: Path, home: Home, capsys
) -> None:
    """Every column comes out under its own name: a leg that is swollen is no swollen calf."""
    rows = [f"report_id,reported_at,{header}", "1,2026-11-16" + ",yes" * len(wanted)]
    assert inspect(write(tmp_path, rows), home, "--adapter") == 0
    selected = re.findall(r'^  "(.+)" AS (\w+)', capsys.readouterr().out, re.M)[2:]
    assert {column for column, _ in selected} == wanted
    assert all(column.lower().replace(" ", "_") == name for column, name in selected)


def test_ages_in_months_and_american_dates_are_read_by_the_guessed_adapter(
    tmp_path: Path, home: Home, ingest, ask, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "export.csv"
    path.write_text(EXPORTS["months"][0])
    inspect(path, home, "--adapter")
    (home.path / "mine.sql").write_text(capsys.readouterr().out)
    ingest(path, source="mine", settings=Settings(sources=(Source("mine", adapter="mine.sql"),)))
    rows = "SELECT reported_at::DATE::VARCHAR, region, age_band, sex FROM reports ORDER BY report_id"
    assert ask(rows) == [
        ("2026-11-13", "st_mary_s", "0-17", "female"),
        ("2026-11-14", "port", "30-44", "male"),
    ]


def test_a_column_of_birth_dates_is_never_exempt_in_a_guessed_adapter(
    tmp_path: Path, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "export.csv"
    path.write_text("report_id,reported_at,redness,dob,d1\n1,2026-11-16,yes,1980-05-17,1981-05-17\n")
    inspect(path, home, "--adapter")
    sql = capsys.readouterr().out
    assert "-- dates: reported_at\n" in sql
    assert "OPEN dob: holds a date of birth by its name" in sql
    assert "OPEN d1: full dates" in sql
    assert "1980" not in sql
