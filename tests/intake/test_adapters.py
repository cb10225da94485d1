"""A source's own layout: one SELECT that may translate and leave out, and can do nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from pipelines.errors import FileRejected, UsageError
from pipelines.intake.layouts.adapters import (
    Adapter,
    check_header,
    load_adapter,
    open_sandbox,
    open_scratch,
    select_canonical_rows,
)
from pipelines.settings import Settings, Source, load_settings
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from schemas.pack import Pack

HEAD = """-- One row per visit of a made-up clinic
-- requires: no, seen, complaint
-- optional: place, red
-- ignores: notes
-- dates: seen
"""
GOOD = "SELECT line_number, no AS report_id, seen AS reported_at, place AS region, red AS redness FROM raw"
Ingest = Callable[..., list[Outcome]]
SOURCE = Source("clinic", adapter="clinic.sql", unlisted="no")
NAMES = ("no", "seen", "complaint", "place", "notes")
VISITS = [
    ("1", "2026-11-16", "calf", "north", "x"),
    ("2", "2026-11-17", "knee", None, "y"),
    ("3", None, "calf", "", "z"),
]


def adapter_of(sql: str, tmp_path: Path) -> Adapter:
    (tmp_path / "clinic.sql").write_text(HEAD + sql, encoding="utf-8")
    return load_adapter(SOURCE, tmp_path)


def raw(visits: Sequence[tuple[str | None, ...]] = VISITS) -> pa.Table:
    columns = [pa.array(cells, pa.string()) for cells in zip(*visits, strict=True)]
    numbers = pa.array(range(2, len(visits) + 2), pa.int64())
    return pa.table([*columns, numbers], names=[*NAMES, "line_number"])


@pytest.fixture
def translate(tmp_path: Path, pack: Pack) -> Callable[[str], list[dict[str, Any]]]:
    def call(sql: str) -> list[dict[str, Any]]:
        return select_canonical_rows(adapter_of(sql, tmp_path), SOURCE, raw(), "f" * 64, pack).to_pylist()

    return call


# --- what an adapter can do ----------------------------------------------


def test_a_select_renames_columns_and_an_optional_one_that_is_absent_is_blank(translate: Callable[..., Any]) -> None:
    assert translate(GOOD)[:2] == [
        {"line_number": 2, "report_id": "1", "reported_at": "2026-11-16", "region": "north", "redness": None},
        {"line_number": 3, "report_id": "2", "reported_at": "2026-11-17", "region": None, "redness": None},
    ]


@pytest.mark.parametrize(
    "sql",
    [
        GOOD + " WHERE complaint = 'calf';",
        "WITH calves AS (FROM raw WHERE complaint = 'calf') FROM calves SELECT line_number, no AS report_id",
        "SELECT line_number, no AS report_id FROM raw WHERE complaint = 'calf' ORDER BY line_number DESC -- backwards",
    ],
)
def test_rows_may_be_left_out_and_come_back_in_the_order_of_their_lines(
    translate: Callable[..., Any], sql: str
) -> None:
    assert [(row["line_number"], row["report_id"]) for row in translate(sql)] == [(2, "1"), (4, "3")]


def test_a_column_may_be_typed_and_becomes_text_again(translate: Callable[..., Any]) -> None:
    row = translate(
        "SELECT line_number::HUGEINT AS line_number, no::INTEGER AS report_id, seen::DATE AS reported_at,"
        " complaint = 'calf' AS redness, 7::TINYINT AS pain_score FROM raw"
    )[0]
    assert row == {
        "line_number": 2,
        "report_id": "1",
        "reported_at": "2026-11-16",
        "redness": "true",
        "pain_score": "7",
    }


def test_the_file_s_hash_and_the_setting_for_what_is_not_listed_are_there(translate: Callable[..., Any]) -> None:
    row = translate("SELECT line_number, file_id AS report_id, unlisted AS redness FROM raw")[0]
    assert (row["report_id"], row["redness"]) == ("f" * 64, "no")


def test_what_cannot_be_translated_can_be_said(translate: Callable[..., Any]) -> None:
    rows = translate("SELECT line_number, CASE WHEN seen IS NULL THEN 'no date' END AS adapter_error FROM raw")
    assert [row["adapter_error"] for row in rows] == [None, None, "no date"]


# --- and what it cannot ----------------------------------------------

REFUSED = {
    # more or fewer rows than it was given
    "SELECT a.line_number, a.no AS report_id FROM raw AS a, raw AS b": "a line twice or one it was not given",
    "SELECT 2 AS line_number, no AS report_id FROM raw": "a line twice",
    "SELECT line_number + 1 AS line_number, no AS report_id FROM raw": "one it was not given",
    "SELECT NULL::BIGINT AS line_number, no AS report_id FROM raw LIMIT 1": "one it was not given",
    "SELECT line_number + 0.5 AS line_number, no AS report_id FROM raw": "no text",
    "SELECT 'second' AS line_number, no AS report_id FROM raw": "no text",
    # other columns than it may
    "SELECT no AS report_id FROM raw": "does not return line_number",
    "SELECT line_number, no AS name FROM raw": "returns column 'name', which is not canonical",
    "SELECT line_number, no AS Report_Id FROM raw": "returns column 'Report_Id', which is not canonical",
    "SELECT line_number, no AS report_id, seen AS report_id FROM raw": "'report_id', which is not canonical or stands",
    "SELECT line_number, [no] AS report_id FROM raw": "no text",
    "SELECT line_number, {'a': no} AS report_id FROM raw": "no text",
    "SELECT line_number, '\\xFF'::BLOB AS report_id FROM raw": "no text",
    "SELECT line_number, notes AS region FROM raw": "notes",  # ignored: dropped before the SELECT sees the row
    # no SELECT
    "": "not one SELECT",
    "-- nothing": "not one SELECT",
    "SELECT 1; " + GOOD: "not one SELECT",
    "BEGIN; " + GOOD: "not one SELECT",
    "CREATE TABLE t AS FROM raw": "not one SELECT",
    "DELETE FROM raw": "not one SELECT",
    "COPY raw TO '{folder}/stolen.csv'": "not one SELECT",
    "ATTACH '{folder}/stolen.duckdb'": "not one SELECT",
    "SET memory_limit = '8GB'": "not one SELECT",
    "CALL range(3)": "not one SELECT",
    "INSTALL httpfs": "not one SELECT",
    # a SELECT that fails, or reaches out
    "SELEC 1": "Parser Error",
    "SELECT line_number, nothing FROM raw": 'Binder Error: Referenced column "nothing" not found',
    "SELECT line_number, nothing(no) AS report_id FROM raw": "Catalog Error",
    "SELECT line_number, error(notes) AS report_id FROM (SELECT *, 'zebra' AS notes FROM raw)": "InvalidInputException",
    "SELECT line_number, complaint::INTEGER AS pain_score FROM raw": "ConversionException",
    "SELECT 2 AS line_number, content AS report_id FROM read_text('{folder}/secret.txt')": "PermissionException",
    "SELECT 2 AS line_number, * FROM '{folder}/secret.csv'": "failed",
    "SELECT 2 AS line_number, file AS report_id FROM glob('{folder}/*')": "PermissionException",
    "FROM visits": "Catalog Error",
    "FROM adapter": "Catalog Error",
    "WITH gone AS (DELETE FROM raw RETURNING no) " + GOOD: "failed",
}


@pytest.mark.parametrize("sql", REFUSED)
def test_anything_else_rejects_the_file_and_changes_nothing(
    translate: Callable[..., Any], tmp_path: Path, sql: str
) -> None:
    visits = raw()  # a Python variable must not become a table
    (tmp_path / "secret.txt").write_text("zebra")
    (tmp_path / "secret.csv").write_text("report_id\nzebra\n")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(FileRejected) as caught:
        translate(sql.replace("{folder}", str(tmp_path)))
    assert REFUSED[sql] in caught.value.reason
    assert "adapter of source 'clinic'" in caught.value.reason
    assert "zebra" not in caught.value.reason
    assert "calf" not in caught.value.reason
    assert sorted(tmp_path.iterdir()) == sorted({*before, tmp_path / "clinic.sql"})
    assert visits.num_rows == len(VISITS)


def test_neither_database_beside_the_store_reaches_a_file_or_a_setting(tmp_path: Path) -> None:
    spill = tmp_path / "tmp"
    spill.mkdir()
    (tmp_path / "secret.txt").write_text("zebra")
    for connection in (open_scratch(spill), open_sandbox()):
        with closing(connection):
            for sql in (
                f"FROM read_text('{tmp_path}/secret.txt')",
                f"COPY (SELECT 1) TO '{tmp_path}/x.csv'",
                "SET threads = 8",
                "SET enable_external_access = true",
                "LOAD httpfs",
            ):
                with pytest.raises(duckdb.Error):
                    connection.execute(sql)


# --- header ----------------------------------------------


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["no", "seen", "complaint"], None),
        (["complaint", "notes", "red", "seen", "place", "no"], None),
        (["no", "seen"], "required column complaint is missing"),
        (["no", "seen", "complaint", "surprise"], "unknown column 'surprise'"),
        (["a", "b"], "no name in the first line is a known column"),
    ],
)
def test_the_head_of_an_adapter_says_which_columns_a_file_has(
    tmp_path: Path, pack: Pack, names: list[str], reason: str | None
) -> None:
    adapter = adapter_of(GOOD, tmp_path)
    if reason is None:
        check_header(adapter, names, pack)
        return
    with pytest.raises(FileRejected, match=reason):
        check_header(adapter, names, pack)


@pytest.mark.parametrize("name", ["line_number", "file_id", "unlisted", "Line_Number"])
def test_a_column_may_not_be_called_like_one_that_the_reader_adds(tmp_path: Path, pack: Pack, name: str) -> None:
    (tmp_path / "clinic.sql").write_text(f"-- requires: no, {name}\n{GOOD}")
    with pytest.raises(FileRejected, match="a column of its own"):
        check_header(load_adapter(SOURCE, tmp_path), ["no", name], pack)


def test_only_the_canonical_select_is_passed_through_unread(tmp_path: Path) -> None:
    assert load_adapter(Source("x"), tmp_path).is_canonical
    assert not adapter_of("SELECT * EXCLUDE (file_id, unlisted) FROM raw WHERE TRUE", tmp_path).is_canonical
    for name in ("neiss", "symptom_list"):
        assert not load_adapter(Source("x", adapter=name), tmp_path).is_canonical


def test_another_text_is_another_adapter(tmp_path: Path) -> None:
    assert adapter_of(GOOD, tmp_path).digest != adapter_of(GOOD + " ", tmp_path).digest


@pytest.mark.parametrize("content", [None, "folder", b"\xff"])
def test_an_adapter_that_cannot_be_read_is_a_wrong_setting(tmp_path: Path, content: str | bytes | None) -> None:
    path = tmp_path / "clinic.sql"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"source 'clinic': adapter .* cannot be read; shipped are canonical"):
        load_adapter(SOURCE, tmp_path)


# --- from the settings to the store ----------------------------------------------


def test_a_clinic_with_its_own_layout_is_taken_in_by_one_select(
    home: Home,
    tmp_path: Path,
    ingest: Ingest,
    ask: Callable[..., list[tuple[Any, ...]]],
) -> None:
    sql = "SELECT line_number, no AS report_id, strptime(seen, '%d.%m.%Y')::DATE AS reported_at,"
    sql += " lower(place) AS region, red AS redness FROM raw WHERE complaint = 'calf'"
    (home.path / "clinic.sql").write_text(HEAD + sql)
    (home.path / "calfwatch.toml").write_text(
        '[[sources]]\nname = "clinic"\nadapter = "clinic.sql"\npatterns = ["clinic-*"]\ndelimiter = ";"\n'
        'time_zone = "Europe/Berlin"\n'
    )
    path = tmp_path / "clinic-47.csv"
    path.write_text(
        "no;seen;complaint;place;red;notes\n1;16.11.2026;calf;NORTH;yes;a;b\n1;16.11.2026;calf;NORTH;yes;x\n"
        '2;17.11.2026;knee;;no;x\n3;18.11.2026;calf;"SOUTH";maybe;x\n4;19.11.2026;calf;;no;x\n5;19.11.2026;calf;;;x\n'
        "\n6;20.11.2026;calf;;N;\n7;20.11.2026;calf;;N;\n8;20.11.2026;calf;;N;\n9;20.11.2026;calf;;N;\n"
    )
    (outcome,) = ingest(path, settings=load_settings(home.path))
    assert (outcome.source, outcome.status, outcome.reason) == ("clinic", "accepted", None)
    counts = outcome.rows_read, outcome.rows_accepted, outcome.rows_quarantined, outcome.rows_out_of_scope
    assert counts == (10, 7, 2, 1)
    assert ask(
        "SELECT report_id, line_number, region, redness, reported_at::VARCHAR FROM reports ORDER BY 2 LIMIT 3"
    ) == [
        ("1", 3, "north", True, "2026-11-16 12:00:00+00"),
        ("4", 6, None, False, "2026-11-19 12:00:00+00"),
        ("5", 7, None, None, "2026-11-19 12:00:00+00"),
    ]
    assert ask("SELECT line_number, column_name, value FROM quarantine ORDER BY 1") == [
        (2, None, None),  # a column is ignored, and any cell may be one of it
        (5, "redness", "maybe"),
    ]


def test_the_numbers_of_reports_and_of_rows_may_look_like_anything(home: Home, tmp_path: Path, ingest: Ingest) -> None:
    head = "-- requires: no, seen, red\n-- ignores: row\n-- dates: seen\n-- ids: no\n"
    sql = "SELECT line_number, no AS report_id, seen AS reported_at, red AS redness FROM raw"
    (home.path / "clinic.sql").write_text(head + sql)
    settings = Settings(sources=(Source("clinic", adapter="clinic.sql"),))
    for first in ("20000", "20110525"):  # all like postal codes; some like birth dates
        path = tmp_path / f"{first}.csv"
        ids = [str(int(first) + place).zfill(len(first)) for place in range(20)]
        rows = [f"{place + 30_000},{number},2026-11-16,yes\n" for place, number in enumerate(ids)]
        path.write_text("row,no,seen,red\n" + "".join(rows))
        (outcome,) = ingest(path, source="clinic", settings=settings)
        assert (outcome.reason, outcome.rows_accepted) == (None, 20)


def test_a_broken_adapter_rejects_its_own_files_and_no_others(
    home: Home, write_csv: Callable[..., Path], ingest: Ingest, ask: Callable[..., Any]
) -> None:
    (home.path / "clinic.sql").write_text("-- requires: report_id, reported_at, redness\nSELECT nothing FROM raw")
    patterns = Source("clinic", adapter="clinic.sql", patterns=("clinic*",))
    header = ["report_id", "reported_at", "redness"]
    paths = [write_csv([{"report_id": "1"}], name=name, header=header) for name in ("clinic.csv", "other.csv")]
    outcomes = ingest(*paths, settings=Settings(sources=(patterns, Source("canonical"))))
    assert [(outcome.source, outcome.status) for outcome in outcomes] == [
        ("clinic", "rejected"),
        ("canonical", "accepted"),
    ]
    (home.path / "clinic.sql").write_text(
        "-- requires: report_id, reported_at, redness\nSELECT * EXCLUDE (file_id, unlisted) FROM raw WHERE TRUE"
    )
    outcomes = ingest(*paths, settings=Settings(sources=(patterns, Source("canonical"))))
    assert [outcome.status for outcome in outcomes] == ["accepted", "known"]
    assert ask("SELECT source FROM reports ORDER BY 1") == [("canonical",), ("clinic",)]


# --- bounds ----------------------------------------------

TOO_MUCH = "failed: it needs more than 512MB of memory"
TOO_LONG = "took longer than 1 s; mend clinic.sql"
ENDLESS = [
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT (SELECT max(n) FROM t) AS line_number",
    "SELECT line_number, (SELECT sum(x) FROM generate_series(1, 1000000000000) t(x))::TEXT FROM raw",
]
EXPLODING = {
    "SELECT raw.line_number, raw.no AS region FROM raw, range(1000000000) AS b, range(1000000000) AS c": TOO_MUCH,
    "SELECT line_number, repeat('x', 1000000000 + line_number) AS region FROM raw": TOO_MUCH,
    "SELECT line_number, len(list_transform(range(line_number * 99999999), lambda x: range(x))) FROM raw": TOO_MUCH,
    "SELECT line_number, repeat('x', 90000000) AS region FROM raw": "returns more than 256 MB of text",
}

EXPLODE = """
import sys
from pathlib import Path
import pyarrow as pa
from pipelines import bounds
from pipelines.errors import FileRejected
from pipelines.intake.layouts import adapters
from pipelines.settings import Source
from schemas.pack_file import load_pack

adapters.SECONDS, bounds.GRACE_SECONDS = map(float, sys.argv[2:])
source, pack = Source("clinic", adapter="clinic.sql"), load_pack()
raw = pa.table({"no": ["1", "2", "3"], "line_number": [2, 3, 4]})
for sql in sys.stdin.read().splitlines():
    Path(sys.argv[1], "clinic.sql").write_text("-- requires: no\\n" + sql)
    try:
        adapter = adapters.load_adapter(source, Path(sys.argv[1]))
        adapters.select_canonical_rows(adapter, source, raw, pa.scalar("f"), pack)
        print("done")
    except FileRejected as error:
        print(error.reason)
print(*(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def explode(statements: Iterable[str], folder: Path, seconds: str, grace: str) -> subprocess.CompletedProcess[str]:
    (folder / "explode.py").write_text(EXPLODE)
    command = [sys.executable, str(folder / "explode.py"), str(folder), seconds, grace]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        command, input="\n".join(statements), env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the system bounds a process on Linux alone")
def test_a_select_that_explodes_rejects_its_file_within_bounds(tmp_path: Path) -> None:
    done = explode(EXPLODING, tmp_path, "600", "1")
    *reasons, megabytes = done.stdout.splitlines()
    assert reasons == [f"the adapter of source 'clinic' {reason}" for reason in EXPLODING.values()], done.stderr
    assert int(megabytes) < 1_400  # the interpreter, its libraries and MOST_DATA
    assert done.stderr == ""


def test_a_select_that_never_ends_rejects_its_file(tmp_path: Path) -> None:
    done = explode(ENDLESS, tmp_path, "1", "600")
    assert done.stdout.splitlines()[:-1] == [f"the adapter of source 'clinic' {TOO_LONG}"] * len(ENDLESS), done.stderr


def test_a_select_that_hears_no_interrupt_ends_the_process_with_a_line(tmp_path: Path) -> None:
    deaf = "SELECT line_number, levenshtein(repeat('a', 200000 + line_number), repeat('b', 200000))::TEXT FROM raw"
    done = explode([deaf], tmp_path, "1", "0.1")
    assert (done.returncode, done.stderr) == (2, f"calfwatch: the adapter of source 'clinic' {TOO_LONG}\n")
