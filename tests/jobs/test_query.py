"""`calfwatch query`: the sandbox under attack, its bounds, and what each format carries."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet
import pytest

from pipelines.cli import output
from pipelines.cli.app import main
from pipelines.cli.output import format_table, write_result
from pipelines.connections import read_only
from pipelines.errors import LockedError, StateError, UsageError
from pipelines.jobs.query import run_query
from pipelines.store.database import Home
from tests.intake.test_lines import as_nobody, open_folder

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home of two reports with severe pain; it is copied for every test."""
    folder = tmp_path_factory.mktemp("ingested")
    lines = ["report_id,reported_at,pain_score,fever", *(f"{name},2026-11-16,9,no" for name in "ab")]
    (folder / "reports.csv").write_text("\n".join(lines) + "\n")
    assert main(["ingest", "--home", str(folder / "home"), str(folder / "reports.csv")]) == 0
    return Home(folder / "home")


@pytest.fixture
def fed(ingested: Home, tmp_path: Path) -> Home:
    return Home(Path(shutil.copytree(ingested.path, tmp_path / "home")))


@pytest.fixture
def typed(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> Typed:
    """Types a query on the command line: exit code, output, errors."""

    def call(sql: str, *options: str) -> tuple[int, str, str]:
        code = main(["query", "--home", str(tmp_path / "home"), sql, *options])
        out, err = capsysbinary.readouterr()
        return code, out.decode(), err.decode()

    return call


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database beside files that a query must not reach."""
    folder = tmp_path_factory.mktemp("sandbox")
    (folder / "secret.csv").write_text("name\nnobody\n")
    path = folder / "summaries.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE weekly_triage AS SELECT '2026-W47' AS week, 'emergency' AS triage_level, 5 AS reports"
        )
        connection.execute("CREATE VIEW emergencies AS FROM weekly_triage WHERE triage_level = 'emergency'")
    return path


@pytest.fixture
def untouched(database: Path) -> Iterator[Path]:
    """The database; afterwards nothing beside it may be new, gone or changed."""

    def state() -> dict[str, str]:
        return {str(p): sha256(p.read_bytes()).hexdigest() for p in database.parent.rglob("*") if p.is_file()}

    before = state()
    yield database
    assert state() == before


# ------------------------------------------------------------------------------------------------- the sandbox

READING = """
SELECT * FROM read_csv('{folder}/secret.csv')
SELECT * FROM '{folder}/secret.csv'
SELECT * FROM read_text('{folder}/secret.csv')
SELECT * FROM read_blob('{folder}/secret.csv')
SELECT * FROM read_json('{folder}/secret.csv')
SELECT * FROM read_parquet('{folder}/secret.csv')
SELECT * FROM parquet_metadata('{folder}/secret.csv')
SELECT * FROM sniff_csv('{folder}/secret.csv')
SELECT * FROM read_blob('{database}')
SELECT * FROM glob('{folder}/*')
SELECT * FROM glob('/etc/*')
SELECT * FROM read_csv('/dev/stdin')
SELECT * FROM read_text('/proc/self/environ')
SELECT * FROM query('SELECT * FROM read_text(''/etc/hostname'')')
SELECT * FROM query_table('{folder}/secret.csv')
SELECT * FROM 'https://example.invalid/reports.csv'
SELECT * FROM read_csv('s3://bucket/reports.csv')
EXPLAIN ANALYZE SELECT * FROM read_csv('{folder}/secret.csv')
SUMMARIZE '{folder}/secret.csv'
DESCRIBE FROM '{folder}/secret.csv'
IMPORT DATABASE '{folder}'
SELECT getenv('HOME')
""".strip().splitlines()

WRITING = """
COPY (SELECT 1) TO '{folder}/new.csv'
COPY (SELECT 1) TO '{folder}/new.parquet' (FORMAT parquet)
COPY weekly_triage TO '/dev/stdout'
COPY weekly_triage FROM '{folder}/secret.csv'
COPY (SELECT 1) TO '{database}'
COPY (SELECT 1) TO '{database}' (USE_TMP_FILE false)
COPY (SELECT 1) TO '{database}.wal'
COPY (SELECT 1) TO '{database}.wal' (USE_TMP_FILE false)
COPY (PIVOT weekly_triage ON triage_level USING sum(reports)) TO '{database}.wal'
COPY (SELECT 1) TO '{folder}' (PARTITION_BY (week), FORMAT csv)
EXPLAIN ANALYZE COPY (SELECT 1) TO '{database}.wal' (USE_TMP_FILE false)
EXPORT DATABASE '{folder}/export'
ATTACH '{folder}/new.duckdb'
ATTACH '{database}' AS again
ATTACH '{database}' AS again (READ_WRITE)
ATTACH '{database}.wal' AS again
ATTACH '{folder}/secret.csv' AS again (TYPE sqlite)
CREATE TABLE stolen AS FROM weekly_triage
CREATE OR REPLACE TABLE weekly_triage AS SELECT 1
CREATE VIEW calfwatch.main.mine AS SELECT 1
CREATE INDEX place ON weekly_triage (week)
CREATE SCHEMA mine
CREATE MACRO emergencies(x) AS x
CREATE SEQUENCE calfwatch.main.numbers
CREATE PERSISTENT SECRET mine (TYPE http, BEARER_TOKEN 'x')
INSERT INTO weekly_triage VALUES ('2026-W48', 'emergency', 0)
UPDATE weekly_triage SET reports = 0
DELETE FROM weekly_triage
TRUNCATE weekly_triage
MERGE INTO weekly_triage USING (SELECT 1 AS x) ON false WHEN NOT MATCHED THEN INSERT VALUES ('a', 'b', 1)
DROP TABLE weekly_triage
DROP VIEW emergencies
ALTER TABLE weekly_triage ADD COLUMN more INTEGER
COMMENT ON TABLE weekly_triage IS 'changed'
DETACH calfwatch
CALL enable_logging(storage = 'file', storage_config = {{'path': '{folder}/logs'}})
CALL enable_profiling(save_location = '{folder}/profile.json')
PRAGMA profile_output = '{folder}/profile.json'
""".strip().splitlines()

ESCAPING = """
SET enable_external_access = true
SET disabled_filesystems = ''
SET allowed_directories = ['/']
SET lock_configuration = false
SET memory_limit = '100GB'
RESET memory_limit
SET GLOBAL threads = 64
SET temp_directory = '{folder}'
SET python_enable_replacements = true
SET TimeZone = 'Asia/Kolkata'
PRAGMA memory_limit = '100GB'
INSTALL httpfs
LOAD httpfs
LOAD '{folder}/secret.csv'
INSTALL httpfs FROM 'https://example.invalid'
SELECT 1; DROP TABLE weekly_triage
SELECT 1; SELECT 2
SELECT 1; PIVOT weekly_triage ON triage_level USING sum(reports)
BEGIN; DELETE FROM weekly_triage; COMMIT
""".strip().splitlines()


@pytest.mark.parametrize("sql", READING + WRITING + ESCAPING)
def test_the_sandbox_refuses(sql: str, untouched: Path) -> None:
    with pytest.raises(UsageError):
        run_query(untouched, sql.format(folder=untouched.parent, database=untouched), timeout_seconds=10)


@pytest.mark.parametrize(
    "sql", ["", " ", ";", "-- nothing", "SELEC 1", "SELECT * FROM nowhere", "SELECT 1 / 'x'", "SELECT ("]
)
def test_what_is_no_query_is_a_message_and_not_a_traceback(sql: str, untouched: Path) -> None:
    with pytest.raises(UsageError, match="SQL"):
        run_query(untouched, sql)


@pytest.mark.parametrize("name", ["path", "connection", "timer", "sql", "query", "duckdb", "test_frame"])
def test_no_variable_of_the_program_can_be_read_as_a_table(name: str, untouched: Path) -> None:
    test_frame = pyarrow.table({"a": [1]})
    with pytest.raises(UsageError, match="does not exist"):
        run_query(untouched, f"SELECT * FROM {name}")
    assert test_frame.num_rows == 1


@pytest.mark.parametrize(
    "sql",
    [
        "FROM duckdb_settings()",
        "SHOW TABLES",
        "DESCRIBE weekly_triage",
        "SUMMARIZE weekly_triage",
        "EXPLAIN SELECT 1",
        "PRAGMA show_tables",
        "FROM emergencies",
        "PIVOT weekly_triage ON triage_level USING sum(reports)",
        "WITH a AS (SELECT 1) FROM a",
        "VALUES (1)",
        "SELECT 1 -- a comment; with a semicolon",
        "SELECT ';' AS one_statement;",
    ],
)
def test_a_look_at_the_database_is_allowed(sql: str, untouched: Path) -> None:
    assert run_query(untouched, sql).num_rows > 0


@pytest.mark.parametrize(
    "sql", ["SET VARIABLE x = 1", "CREATE TEMP TABLE t AS SELECT 1 AS x", "USE memory", "CHECKPOINT", "BEGIN"]
)
def test_what_touches_nothing_that_stays_does_no_harm(sql: str, untouched: Path) -> None:
    assert run_query(untouched, sql).num_rows <= 1
    assert run_query(untouched, "SELECT reports FROM emergencies").to_pylist() == [{"reports": 5}]


def test_the_clock_and_the_settings_are_those_of_every_user(untouched: Path) -> None:
    sql = "SELECT TIMESTAMPTZ '2026-11-16 00:30:00+01' AS t, current_setting('TimeZone') AS zone"
    (row,) = run_query(untouched, sql).to_pylist()
    assert row == {"t": datetime(2026, 11, 15, 23, 30, tzinfo=UTC), "zone": "UTC"}


# ------------------------------------------------------------------------------------------------------ bounds


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM range(1000000) a, range(1000000) b",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
        "SELECT range FROM range(1000000000000) WHERE range % 1000000000 = 0",
    ],
)
def test_an_endless_query_is_stopped_and_says_so(sql: str, database: Path) -> None:
    with pytest.raises(UsageError, match=r"^the query took longer than 0\.3 s; narrow it, or raise --timeout$"):
        run_query(database, sql, timeout_seconds=0.3)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_timeout_is_more_than_nothing(seconds: float, database: Path) -> None:
    with pytest.raises(UsageError, match="--timeout must be more than 0 seconds"):
        run_query(database, "SELECT 1", timeout_seconds=seconds)


def test_a_timeout_of_for_ever_is_one(database: Path) -> None:
    assert run_query(database, "SELECT 1 AS a", timeout_seconds=float("inf")).to_pylist() == [{"a": 1}]


BOMBS = """
SELECT range FROM range(100000000000)
SELECT list(range) FROM range(1000000000)
SELECT string_agg(range::VARCHAR) FROM range(1000000000)
SELECT range(1000000000)
SELECT repeat('a', 3000000000)
SELECT repeat(repeat('a', 1000000), 1000) FROM range(10)
SELECT a.range, b.range FROM range(100000) a, range(100000) b ORDER BY 2, 1
SELECT count(DISTINCT hash(a.range, b.range)) FROM range(100000) a, range(100000) b
""".strip().splitlines()

BOMBED = """
import sys
from pathlib import Path
from pipelines import bounds
from pipelines.jobs import query
from pipelines.errors import UsageError

query.MEMORY_LIMIT, query.RESULT_BYTES, query.PROCESS_BYTES = "100MB", 50 << 20, 600 << 20
for sql in sys.stdin.read().splitlines():
    try:
        query.run_query(Path(sys.argv[1]), sql, timeout_seconds=10)
        print("done")
    except UsageError as error:
        print(error)
# not ru_maxrss: that one remembers the test process from which this one was forked
print(*(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the system bounds a process on Linux alone")
def test_a_memory_bomb_goes_off_within_bounds(database: Path, tmp_path: Path) -> None:
    script = tmp_path / "bombed.py"
    script.write_text(BOMBED)  # `python -c` counts as a session at a terminal, in which DuckDB draws a progress bar
    command = [sys.executable, str(script), str(database)]
    done = subprocess.run(command, input="\n".join(BOMBS), capture_output=True, text=True, check=True)
    *messages, megabytes = done.stdout.splitlines()
    assert messages == [
        "the result is larger than 50 MB; narrow it, or take fewer columns",
        *["the query needs more than 100MB of memory; narrow it, or take it in parts"] * (len(BOMBS) - 1),
    ]
    assert int(megabytes) < 700  # the interpreter, its libraries and the limits above
    assert done.stderr == ""


DEAF = """
import sys
from pathlib import Path
from pipelines import bounds
from pipelines.jobs import query

bounds.GRACE_SECONDS = 0.2
query.run_query(Path(sys.argv[1]), "SELECT levenshtein(repeat('a', 300000), repeat('b', 300000))", 0.3, force=True)
"""


def test_a_query_that_hears_no_interrupt_ends_with_its_process(database: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DEAF, str(database)], capture_output=True, text=True, timeout=60)
    assert done.returncode == UsageError.exit_code
    assert done.stderr == "calfwatch: the query took longer than 0.3 s; narrow it, or raise --timeout\n"


def test_the_bound_is_lifted_again_after_the_query(database: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    run_query(database, "SELECT 1")
    with pytest.raises(UsageError):
        run_query(database, "SELECT nothing")
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_an_error_in_the_middle_of_a_result_is_reported(database: Path) -> None:
    sql = "SELECT CASE WHEN range = 500000 THEN error('broken here') END FROM range(1000000)"
    with pytest.raises(UsageError, match="broken here"):
        run_query(database, sql)


# ----------------------------------------------------------------------------------------------------- formats

CELLS = """
SELECT 1 AS number, NULL AS nothing, 'Größe, "q" 日本' AS text, [1, NULL] AS list, {'a': 'x', 'b': [2]} AS struct,
  TIMESTAMPTZ '2026-11-16 10:00:00+00' AS moment, DATE '2026-11-16' AS day, 1.50::DECIMAL(9, 2) AS money,
  0.1 + 0.2::DOUBLE AS share, true AS yes, sum(9) AS total, INTERVAL '26 days 3 hours' AS span,
  'nan'::DOUBLE AS no_number, ['a']::ENUM('a')[] AS words, MAP {'k': 1} AS map
"""


def written(table: Any, form: str, tmp_path: Path) -> bytes:
    path = tmp_path / f"out.{form}"
    write_result(table, form, str(path))
    return path.read_bytes()


def test_json_carries_every_kind_of_cell(database: Path, tmp_path: Path) -> None:
    (row,) = json.loads(written(run_query(database, CELLS), "json", tmp_path))
    assert row.pop("share") == pytest.approx(0.3)
    assert row == {
        "number": 1,
        "nothing": None,
        "text": 'Größe, "q" 日本',
        "list": [1, None],
        "struct": {"a": "x", "b": [2]},
        "moment": "2026-11-16T10:00:00+00:00",
        "day": "2026-11-16",
        "money": 1.5,
        "yes": True,
        "total": 9,
        "span": "26 days 03:00:00",
        "no_number": None,
        "words": ["a"],
        "map": [["k", 1]],
    }


def test_csv_carries_every_kind_of_cell(database: Path, tmp_path: Path) -> None:
    text = written(run_query(database, CELLS), "csv", tmp_path).decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert float(row.pop("share")) == pytest.approx(0.3)
    assert row == {
        "number": "1",
        "nothing": "",
        "text": 'Größe, "q" 日本',
        "list": "[1, null]",
        "struct": '{"a": "x", "b": [2]}',
        "moment": "2026-11-16T10:00:00+00:00",
        "day": "2026-11-16",
        "money": "1.50",
        "yes": "True",
        "total": "9",
        "span": "26 days 03:00:00",
        "no_number": "nan",
        "words": '["a"]',
        "map": '[["k", 1]]',
    }


def test_a_name_made_of_a_cell_is_no_formula_and_commands_no_terminal(database: Path, tmp_path: Path) -> None:
    result = run_query(database, "PIVOT (SELECT '=1+1' || chr(27) AS cell) ON cell USING count(*)")
    assert written(result, "csv", tmp_path) == b"'=1+1\x1b\n1\n"
    assert "=1+1\\x1b\n" in format_table(result.column_names, [])


def test_a_result_is_its_owner_s_alone_also_where_a_file_was_there_before(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.touch()
    path.chmod(0o644)
    write_result(run_query(database, "SELECT 1"), "csv", str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    before = os.stat(os.devnull).st_mode
    write_result(run_query(database, "SELECT 1"), "csv", os.devnull)
    assert os.stat(os.devnull).st_mode == before


def test_a_database_that_may_not_be_read_is_not_called_damaged(database: Path) -> None:
    with open_folder() as folder:
        path = Path(shutil.copy(database, folder))
        path.chmod(0)
        with as_nobody(), pytest.raises(UsageError, match="may not be read"):
            run_query(path, "SELECT 1")


def test_csv_read_back_is_the_result(database: Path, tmp_path: Path) -> None:
    result = run_query(
        database, "SELECT range AS n, NULL::INTEGER AS m, 'a' || chr(10) || 'b' AS t, [range, 7] AS l FROM range(25000)"
    )
    written(result, "csv", tmp_path)
    columns = "{'n': 'BIGINT', 'm': 'INTEGER', 't': 'VARCHAR', 'l': 'BIGINT[]'}"
    read = duckdb.sql(f"FROM read_csv('{tmp_path}/out.csv', columns = {columns}, header = true)").fetchall()
    assert read == [tuple(row.values()) for row in result.to_pylist()]


def test_parquet_read_back_is_the_result(database: Path, tmp_path: Path) -> None:
    result = run_query(database, CELLS)
    written(result, "parquet", tmp_path)
    back = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert str(back.to_pylist()) == str(result.to_pylist())
    assert str(back.schema.field("total").type) == "int64"
    assert str(back.schema.field("moment").type) == "timestamp[us, tz=UTC]"


@pytest.mark.parametrize("form", ["table", "csv", "json", "parquet"])
def test_an_empty_result_keeps_its_columns_where_the_format_has_any(form: str, database: Path, tmp_path: Path) -> None:
    out = written(run_query(database, "SELECT week, reports FROM weekly_triage WHERE false"), form, tmp_path)
    if form == "parquet":
        assert pyarrow.parquet.read_table(tmp_path / "out.parquet").column_names == ["week", "reports"]
    else:
        assert (
            out.decode()
            == {"table": "week  reports\n----  -------\n(0 rows)\n", "csv": "week,reports\n", "json": "[\n]\n"}[form]
        )


@pytest.mark.parametrize(
    ("form", "text"), [("table", "(no result)\n"), ("csv", "\n"), ("json", "[\n]\n"), ("parquet", None)]
)
def test_a_result_without_columns_can_be_written(form: str, text: str | None, tmp_path: Path) -> None:
    out = written(pyarrow.table({}), form, tmp_path)
    assert text is None or out.decode() == text


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_no_column_of_the_same_name_is_lost(form: str, database: Path, tmp_path: Path) -> None:
    result = run_query(database, "SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS b")
    assert result.column_names == ["a", "a_1", "a_1_1", "b"]
    out = written(result, form, tmp_path)
    assert form != "json" or json.loads(out) == [{"a": 1, "a_1": 2, "a_1_1": 3, "b": 4}]


def test_a_sum_is_a_whole_number_and_stays_one_where_it_is_too_large(database: Path) -> None:
    result = run_query(database, "SELECT sum(reports) AS few, sum(10::HUGEINT ** 25) AS many FROM weekly_triage")
    assert str(result.schema.field("few").type) == "int64"
    large = run_query(
        database, "SELECT sum(x) AS many FROM (VALUES (9000000000000000000), (9000000000000000000)) AS t(x)"
    )
    assert int(large.to_pylist()[0]["many"]) == 18000000000000000000


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ("INTERVAL 0 days", "00:00:00"),
        ("INTERVAL 1 day", "1 day"),
        ("INTERVAL '14 months -3 days'", "14 months -3 days"),
        ("INTERVAL '-90 seconds'", "-00:01:30"),
        ("INTERVAL '1.5 seconds'", "00:00:01.500000"),
        ("TIMESTAMP '2026-11-16 10:00' - TIMESTAMP '2026-11-01'", "15 days 10:00:00"),
        ("NULL::INTERVAL", None),
    ],
)
def test_a_span_of_time_is_text_that_people_read(interval: str, text: str | None, database: Path) -> None:
    assert run_query(database, f"SELECT {interval} AS span").to_pylist() == [{"span": text}]


def test_a_table_is_aligned_and_shows_unknown_as_a_dash() -> None:
    rows = [
        ("north", 1200, None, 0.123456),
        ("é\n\x1b[31m", 5, date(2026, 11, 16), 1234.5678),
        ("x" * 70, None, None, 2e20),
    ]
    assert format_table(["region", "reports", "day", "share"], rows).splitlines() == [
        f"{'region':60}  reports  day          share",
        f"{'-' * 60}  -------  ----------  ------",
        f"{'north':60}     1200  -           0.1235",
        f"{'é  [31m':60}        5  2026-11-16  1234.6",
        f"{'x' * 59}…        -  -            2e+20",
    ]


def test_a_long_table_is_cut_and_says_how_much_is_missing(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "TABLE_ROWS", 2)
    lines = written(run_query(database, "FROM range(5)"), "table", tmp_path).decode().splitlines()
    assert lines[-2:] == ["(2 rows)", "and 3 rows more; --format csv writes them all"]
    assert written(run_query(database, "FROM range(5)"), "csv", tmp_path).decode().count("\n") == 6


@pytest.mark.parametrize("form", ["table", "csv", "json", "parquet"])
def test_a_value_beyond_a_format_is_a_message(form: str, database: Path, tmp_path: Path) -> None:
    sql = "SELECT {} AS nothing" if form == "parquet" else "SELECT TIMESTAMP '290000-01-01' AS far"
    empty_struct = pyarrow.table({"s": pyarrow.array([{}], pyarrow.struct([]))})
    result = empty_struct if form == "parquet" else run_query(database, sql)
    with pytest.raises(UsageError, match=f"^{form} cannot hold this result: .*try another format$"):
        write_result(result, form, str(tmp_path / "out"))


# -------------------------------------------------------------------------------------------- the command itself


def test_the_command_answers_in_each_format(fed: Home, typed: Typed) -> None:
    sql = "SELECT week, triage_level, reports FROM weekly_triage WHERE reports > 0"
    assert typed(sql) == (
        0,
        "week      triage_level    reports\n--------  --------------  -------\n"
        "2026-W47  contact_doctor        2\n(1 row)\n",
        "",
    )
    assert typed(sql, "--format", "csv")[1] == "week,triage_level,reports\n2026-W47,contact_doctor,2\n"
    rows = json.loads(typed(sql, "--format", "json")[1])
    assert rows == [{"week": "2026-W47", "triage_level": "contact_doctor", "reports": 2}]


def test_the_command_writes_parquet_to_a_pipe_and_any_format_to_a_file(
    fed: Home, typed: Typed, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    main(["query", "--home", str(fed.path), "FROM reports", "--db", "records", "--format", "parquet"])
    piped = pyarrow.parquet.read_table(io.BytesIO(capsysbinary.readouterr().out))
    assert piped.column("report_id").to_pylist() == ["a", "b"]
    out = tmp_path / "kept.csv"
    assert typed("SELECT report_id FROM reports", "--db", "records", "--format", "csv", "--out", str(out)) == (
        0,
        "",
        "",
    )
    assert out.read_text() == "report_id\na\nb\n"
    assert out.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["FROM reports"], "SQL: Catalog Error: Table with name reports does not exist!"),
        (["SELECT 1; SELECT 2"], "one SQL statement at a time"),
        (["-- nothing"], "there is no SQL statement in it"),
        (
            ["SELECT 1", "--db", "public"],
            "public.duckdb: nothing has been released to the public yet; query --db summaries",
        ),
        (["SELECT 1", "--out", "/nowhere/out.csv"], "/nowhere/out.csv: cannot be written: No such file or directory"),
        (["SELECT 1", "--timeout", "0"], "--timeout must be more than 0 seconds"),
    ],
)
def test_a_wrong_command_ends_with_2_and_says_what_to_do(
    options: list[str], message: str, fed: Home, typed: Typed
) -> None:
    code, out, err = typed(*options)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_a_home_without_anything_says_what_to_do_first(typed: Typed, tmp_path: Path) -> None:
    code, _, err = typed("SELECT 1")
    assert code == 2
    assert err.startswith(f"calfwatch: {tmp_path / 'home'}: nothing is stored there yet; try `calfwatch ingest PATH`")


def test_a_home_without_a_snapshot_says_what_to_do_first(fed: Home, typed: Typed) -> None:
    fed.summaries.unlink()
    code, _, err = typed("SELECT 1")
    assert (code, err) == (2, f"calfwatch: {fed.summaries}: not there yet; try `calfwatch ingest PATH` first\n")


def test_a_damaged_database_is_named_and_ends_with_5(fed: Home, typed: Typed) -> None:
    fed.summaries.unlink()
    fed.summaries.write_bytes(b"no database" * 1000)
    code, _, err = typed("SELECT 1")
    assert code == 5
    assert "cannot be opened" in err
    with pytest.raises(StateError):
        read_only(fed.summaries)


HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


def test_while_a_run_writes_the_records_wait_and_the_summaries_answer(fed: Home, typed: Typed) -> None:
    command = [sys.executable, "-c", HOLD, str(fed.records)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        code, _, err = typed("SELECT 1", "--db", "records")
        message = f"{fed.records} is open in process {holder.pid}; query --db summaries meanwhile, or try again"
        assert (code, err) == (4, f"calfwatch: {message}\n")
        assert typed("SELECT count(*) AS n FROM weekly_triage", "--format", "csv")[:2] == (0, "n\n4\n")
        with pytest.raises(LockedError):
            read_only(fed.records)
        holder.communicate()
    assert typed("SELECT count(*) AS n FROM reports", "--db", "records", "--format", "csv")[:2] == (0, "n\n2\n")


def test_readers_keep_their_snapshot_while_a_new_one_takes_its_place(fed: Home, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("report_id,reported_at,fever\nc,2026-11-17,yes\n")
    with read_only(fed.summaries) as reader:
        assert main(["ingest", "--home", str(fed.path), str(tmp_path / "more.csv")]) == 0
        assert reader.execute("SELECT sum(reports) FROM weekly_triage").fetchall() == [(2,)]
    assert run_query(fed.summaries, "SELECT sum(reports) AS n FROM weekly_triage").to_pylist() == [{"n": 3}]


def query_command(home: Home, sql: str) -> list[str]:
    return [sys.executable, "-m", "pipelines", "query", "--home", str(home.path), sql, "--format", "csv"]


def test_a_closed_pipe_is_no_error(fed: Home) -> None:
    command = query_command(fed, "FROM range(1000000)")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_output_to_a_pipe_is_utf_8_whatever_the_locale(fed: Home) -> None:
    command = query_command(fed, "SELECT 'é日' AS a")
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert done.stdout.decode() == "a\né日\n"


def test_sql_comes_from_a_file_or_from_standard_input(
    fed: Home, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statement = tmp_path / "question.sql"
    statement.write_text("-- how many\nSELECT sum(reports) AS n FROM weekly_triage\n")
    assert "2\n" in typed("--file", str(statement), "--format", "csv")[1]
    for words in (("-",), ("--file", "-")):
        monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT 40 + 2 AS n"))
        assert "42\n" in typed(*words, "--format", "csv")[1]
    for words in (("--timeout", "9"), ("SELECT 1", "--file", str(statement))):
        code, _, error = typed(*words)
        assert (code, "--file FILE" in error) == (2, True)
    code, _, error = typed("--file", str(tmp_path / "none.sql"))
    assert (code, "none.sql: cannot be read" in error) == (2, True)


@pytest.mark.parametrize("ending", ["csv", "JSON", "txt"])
def test_the_ending_of_out_names_the_format(ending: str, fed: Home, typed: Typed, tmp_path: Path) -> None:
    out = tmp_path / f"x.{ending}"
    assert typed("SELECT 7 AS n", "--out", str(out))[0] == 0
    assert out.read_text() == {"csv": "n\n7\n", "JSON": '[\n {"n": 7}\n]\n', "txt": "n\n-\n7\n(1 row)\n"}[ending]
    assert typed("SELECT 7 AS n", "--out", str(out), "--format", "csv")[0] == 0
    assert out.read_text() == "n\n7\n"


def test_a_long_text_is_cut_and_said_to_be_unless_it_is_asked_whole(fed: Home, typed: Typed) -> None:
    sql = "SELECT repeat('word ', 40) || 'end' AS said"
    assert "--whole" in typed(sql)[1]
    whole = typed(sql, "--whole")[1]
    assert "word end" in whole
    assert "…" not in whole


@pytest.mark.parametrize(
    ("database", "table", "advice"),
    [
        ("summaries", "reports", "add --db records"),
        ("summaries", "quarantine", "add --db records"),
        ("records", "about", "leave out --db"),
        ("summaries", "nothing_like_it", ""),
    ],
)
def test_a_table_of_the_other_database_is_said_to_be_there(
    database: str, table: str, advice: str, fed: Home, typed: Typed
) -> None:
    code, _, error = typed(f"FROM {table}", "--db", database)
    assert code == 2
    assert advice in error
    assert bool(advice) == ("duckdb:" in error.splitlines()[-1])
