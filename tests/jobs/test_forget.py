"""`forget`: after it, no byte of the home tells of an erased report, its counts stay, and nothing brings it back."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import duckdb
import pytest

from pipelines.cli.app import main as command
from pipelines.files import find_foreign
from pipelines.jobs import weekly_report
from pipelines.jobs.erasing import forget
from pipelines.settings import Settings
from pipelines.store.database import Home
from pipelines.store.erasing.erasure import KEY
from schemas.checked_file import make_per_file_id
from schemas.pack import Pack
from tests.conftest import CONTEXT, write_rows

ERASED = "person-4711"
REGION = "hidden-hamlet"
SECRETS = (ERASED, REGION, "sore throat of the miller", "2026-11-16T03:04:05")
INSTANT = datetime(2026, 11, 16, 3, 4, 5, tzinfo=UTC)  # DuckDB packs numbers: no byte search finds one
SETTINGS = '[[sources]]\nname = "clinic"\npatterns = ["list*.csv"]\ncumulative = true\nunlisted = "unknown"\n'
Write = Callable[..., Path]
Ingest = Callable[..., list[Any]]
Ask = Callable[..., list[tuple[Any, ...]]]


def _rows(count: int = 40) -> list[dict[str, str]]:
    return [
        {
            "report_id": f"other-{number:03}",
            "reported_at": f"2026-11-{16 + number % 7}T10:{number:02}:00Z",
            "region": ("north", "south", "")[number % 3],
            "pain_score": str(number % 11),
        }
        for number in range(count)
    ]


def _person(**changes: str) -> dict[str, str]:
    person = {
        "report_id": ERASED,
        "reported_at": "2026-11-16T03:04:05Z",
        "region": REGION,
        "cannot_bear_weight": "yes",
    }
    return person | changes


def _bytes_of(home: Home) -> dict[Path, bytes]:
    """Every file of the home but the deliveries, with its name."""
    return {
        path: path.name.encode() + path.read_bytes()
        for path in home.path.rglob("*")
        if path.is_file() and "incoming" not in path.parts
    }


def _found(home: Home) -> dict[str, list[str]]:
    """Where a secret stands, in any case, or in UTF-16."""
    found: dict[str, list[str]] = {}
    for path, content in _bytes_of(home).items():
        lower = content.lower()
        told = [
            secret for secret in SECRETS if secret.lower().encode() in lower or secret.encode("utf-16-le") in content
        ]
        if told:
            found[path.relative_to(home.path).as_posix()] = told
    return found


def _instants(ask: Ask, home: Home) -> set[str]:
    """The tables in which the time of the erased report stands."""
    found = set()
    for path in (home.records, home.summaries):
        columns = ask(
            "SELECT table_name, column_name FROM duckdb_columns() JOIN duckdb_tables() USING (table_name) "
            "WHERE data_type LIKE 'TIMESTAMP%'", path=path,
        )  # fmt: skip
        found |= {t for t, name in columns if ask(f"SELECT 1 FROM {t} WHERE {name} = ?", INSTANT, path=path)}
    return found


@pytest.fixture(scope="module")
def person_once(tmp_path_factory: pytest.TempPathFactory, pack: Pack) -> Home:
    """A home with a report that was corrected once, stands in the quarantine, on an explained page and in a log; never
    to be changed."""
    home = Home(tmp_path_factory.mktemp("person") / "home")
    home.make()
    (home.path / "calfwatch.toml").write_text(SETTINGS)
    bad = _person(report_id=f"x {ERASED}", pain_score="sore throat of the miller", sex="of the miller")
    lists = (
        [*_rows(), _person()],
        [*_rows(41), _person(pain_score="9")],
        [*_rows(42), _person(pain_score="9"), bad],
    )
    for number, rows in enumerate(lists, 1):
        path = home.path.parent / "incoming" / f"list-{number}.csv"
        write_rows(path, rows, (*CONTEXT, *pack.field_names))
        assert command(["ingest", str(path), "--home", str(home.path)]) == 0
    with contextlib.closing(duckdb.connect(str(home.records))) as connection:
        note = f"the miller's report, {ERASED}."
        connection.execute("INSERT INTO alarm_notes BY NAME SELECT ? AS text, ? AS series", [note, f"region={REGION}"])
        connection.execute("INSERT INTO alarm_episodes BY NAME SELECT ? AS note, ? AS series", [note, "all"])
        connection.execute(
            "INSERT INTO assessments SELECT '2026-W47', 'lead', 'ext. 1', ?, '2026-11-23 07:00:00+00'", [note]
        )
        connection.execute("INSERT INTO audit BY NAME SELECT ? AS detail, ? AS subject", [note, f"region={REGION}"])
    weekly_report.write_week(home, "2026-W47", None, False)
    (home.path / "prefect").mkdir()
    (home.path / "prefect" / "server.log").write_text(f"a library quoted '{ERASED}' here\n")
    return home


@pytest.fixture
def person_home(person_once: Home, home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A copy of it, in the place of the home."""
    monkeypatch.setenv("CALFWATCH_HOME", str(home.path))
    shutil.copytree(person_once.path, home.path, dirs_exist_ok=True)
    return home


def test_no_byte_of_the_home_tells_of_an_erased_report(person_home: Home, ask: Ask) -> None:
    control = _found(person_home)  # the search finds what is there
    assert set(control) >= {
        "records.duckdb",
        "summaries.duckdb",
        "prefect/server.log",
        "reports/2026-W47/internal.html",
    }
    assert {secret for told in control.values() for secret in told} == set(SECRETS)
    assert _instants(ask, person_home) == {"about", "files", "records", "superseded"}
    assert any("explain/" in name for name in control)
    before = ask("SELECT sum(reports) FROM daily_summary"), ask("SELECT count(*) FROM records")
    ledger = "SELECT * EXCLUDE (first_report, last_report) FROM files ORDER BY delivery_no"
    counts, files = (
        ask("SELECT report_date, triage_level, sum(reports) FROM daily_summary GROUP BY ALL ORDER BY ALL"),
        ask(ledger),
    )

    assert command(["forget", ERASED, "--yes"]) == 0

    assert _found(person_home) == {}
    assert _instants(ask, person_home) == set()
    assert ask("SELECT count(*) FROM records") == [(before[1][0][0] - 1,)]
    assert ask("SELECT sum(reports) FROM daily_summary") == before[0], "counts stay"
    assert ask("SELECT report_date, triage_level, sum(reports) FROM daily_summary GROUP BY ALL ORDER BY ALL") == counts
    assert ask(ledger) == files
    assert command(["check", "--deep"]) == 0


def test_the_next_whole_list_brings_nothing_back(person_home: Home, write_csv: Write, ingest: Ingest, ask: Ask) -> None:
    command(["forget", ERASED, "--yes"])
    counted = ask("SELECT sum(reports) FROM daily_summary")
    bad = _person(pain_score="sore throat of the miller", sex="of the miller")
    (outcome,) = ingest(
        write_csv([*_rows(43), _person(pain_score="3"), bad | {"report_id": f"x {ERASED}"}], "incoming/list-4.csv")
    )
    assert (outcome.status, outcome.rows_accepted, outcome.rows_removed) == ("accepted", 1, 0)
    assert _found(person_home) == {}
    ingest(write_csv([*_rows(44), bad, _person(reported_at="2026-11-30T03:04:05Z")], "incoming/list-5.csv"))
    assert _found(person_home) == {}
    assert ask("SELECT sum(reports) FROM daily_summary") == [(counted[0][0] + 2,)]
    assert ask("SELECT count(*) FROM quarantine WHERE raw_line IS NULL") >= [(2,)], "a bad line is counted, not kept"
    assert command(["check", "--deep"]) == 0


def test_what_is_told_first_names_who_still_holds_it(
    person_home: Home, person_once: Home, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert command(["backup", str(tmp_path / "copy.duckdb")]) == 0
    kept = person_home.records.read_bytes()
    capsys.readouterr()
    assert command(["forget", ERASED, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "to erase: 1 record, 1 earlier version, 1 quarantined line" in told
    assert "this one person" in told
    assert set(re.findall(r"still held by (\S+)", told)) == {
        str(tmp_path / "copy.duckdb"),
        *(str(person_once.path.parent / "incoming" / f"list-{number}.csv") for number in (1, 2, 3)),
    }
    assert told.endswith("nothing was changed\n")
    assert person_home.records.read_bytes() == kept


def test_an_id_that_nobody_sent_is_refused_and_one_erased_before_is_told(
    person_home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["forget", "nobody"]) == 2
    assert "no report with such an id" in capsys.readouterr().err
    assert command(["forget", ERASED]) == 0
    assert command(["forget", ERASED]) == 0
    assert capsys.readouterr().out.endswith("it was erased before; nothing of it is stored\n")
    assert command(["forget"]) == 2


def test_ids_that_hold_for_one_file_are_erased_as_they_are_stored_with_their_quarantined_lines(
    home: Home, write_csv: Write, ingest: Ingest, ask: Ask, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quarantine has the sender's ids, of which every file has given the first to somebody else."""
    monkeypatch.setenv("CALFWATCH_HOME", str(home.path))
    (home.path / "calfwatch.toml").write_text("[[sources]]\nname = 'p'\npatterns = ['*']\nreport_ids = 'per_file'\n")
    first, second = ([row | {"report_id": str(n)} for n, row in enumerate(rows)] for rows in (_rows(9), _rows(19)[9:]))
    bad = [second[0] | {"pain_score": "sore throat of the miller"}, *second[1:]]
    for name, sent in (("a.csv", first), ("b.csv", bad), ("again/b.csv", second[:1])):
        assert [outcome.status for outcome in ingest(write_csv(sent, name))] == ["accepted"]
    mine, other = make_per_file_id("b.csv", "0"), make_per_file_id("a.csv", "0")
    for asked in (["explain", "0"], ["forget", "0", "--yes"]):
        assert command(asked) == 2
        told = capsys.readouterr().err
        assert f"{mine} for b.csv of p" in told
        assert f"{other} for a.csv of p" in told
        assert "\\n" not in told, "a line is a line"
    assert command(["forget", mine, "--yes"]) == 0
    assert "1 record, 0 earlier versions, 1 quarantined line erased" in capsys.readouterr().out
    assert ask("SELECT count(*) FROM reports WHERE report_id IN (?, ?)", mine, other) == [(1,)]
    assert ask("SELECT value, raw_line FROM quarantine") == [(None, None)]


def test_without_the_key_nothing_is_taken_in(person_home: Home, write_csv: Write, capsys: Any) -> None:
    command(["forget", ERASED])
    (person_home.path / KEY).unlink()
    assert command(["ingest", str(write_csv(_rows(50), "incoming/list-9.csv"))]) == 2
    assert "forget.key is gone" in capsys.readouterr().err


def test_a_file_with_erased_records_is_not_withdrawn_and_others_are(
    person_home: Home, write_csv: Write, ingest: Ingest, ask: Ask, capsys: Any
) -> None:
    (later,) = ingest(write_csv([*_rows(45), _person(pain_score="9")], "incoming/list-4.csv"))
    command(["forget", ERASED])
    ((corrected,),) = ask("SELECT file_id FROM files WHERE delivery_no = 2")
    assert command(["withdraw", corrected]) == 2
    assert "some of its records were erased" in capsys.readouterr().err
    assert command(["withdraw", later.file_id]) == 0
    assert _found(person_home) == {}
    assert command(["check", "--deep"]) == 0


def test_days_before_a_date_are_erased_and_another_zone_or_pack_counts_the_same(
    person_home: Home, write_csv: Write, ingest: Ingest, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    days = "SELECT report_date, sum(reports) FROM daily_summary GROUP BY ALL ORDER BY ALL"
    counted = ask(days)
    assert command(["forget", "--before", "2026-11-19", "--dry-run"]) == 0
    assert "1 quarantined line" in capsys.readouterr().out, "of two cells that are bad"
    assert command(["forget", "--before", "2026-11-19"]) == 0
    assert _found(person_home) == {}
    assert ask("SELECT min(report_date) FROM reports") == [(date(2026, 11, 19),)]
    assert ask("SELECT first_report, last_report FROM about", path=person_home.summaries) == ask(
        "SELECT min(reported_at), max(reported_at) FROM reports"
    )
    assert ask(days) == counted
    (again,) = ingest(write_csv([*_rows(42), _person()], "incoming/list-6.csv"))
    assert (again.rows_accepted, again.rows_removed) == (0, 0)
    (person_home.path / "calfwatch.toml").write_text(f'week_system = "mmwr"\n{SETTINGS}')
    ingest(write_csv([*_rows(43), _person()], "incoming/list-7.csv"))
    assert ask("SELECT sum(reports) FROM daily_summary") == [(sum(row[1] for row in counted) + 1,)]
    assert command(["check", "--deep"]) == 0


def test_retention_erases_with_the_weekly_report(
    person_home: Home, ask: Ask, set_clock: Callable[[datetime], None]
) -> None:
    set_clock(datetime(2026, 11, 30, 6, tzinfo=UTC))
    (person_home.path / "calfwatch.toml").write_text(f"keep_days = 11\n{SETTINGS}")
    assert weekly_report.write_due_reports(person_home) == []
    assert ask("SELECT min(report_date) FROM reports") < [(date(2026, 11, 19),)], "only with a new report"
    weekly_report.reset_week(person_home, "2026-W47")
    assert weekly_report.write_due_reports(person_home) != []
    assert ask("SELECT min(report_date) FROM reports") == [(date(2026, 11, 19),)]
    assert ask("SELECT action FROM audit WHERE action IS NOT NULL ORDER BY happened_at") == [("reset",), ("forget",)]


def test_a_file_that_somebody_put_into_a_report_is_left_and_never_taken_for_ours(person_home: Home) -> None:
    folder = person_home.path / "reports" / "2026-W47"
    (folder / "mine.md").write_text(f"Ask in {REGION}.\n")
    assert command(["forget", ERASED, "--yes"]) == 0
    assert REGION not in (folder / "internal.html").read_text()
    assert (folder / "mine.md").read_text() == f"Ask in {REGION}.\n"
    assert find_foreign(folder) == {"mine.md"}


def test_a_file_that_somebody_put_beside_prefects_is_told_and_left(
    person_home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = person_home.path / "prefect" / "mine.txt"
    mine.write_text(f"{ERASED} called on Monday\n")
    assert command(["forget", ERASED, "--yes"]) == 0
    assert f"{mine}: names the report, is not calfwatch's, and is left as it is" in capsys.readouterr().out
    assert mine.read_text() == f"{ERASED} called on Monday\n"
    assert not (person_home.path / "prefect" / "server.log").exists()


@pytest.mark.parametrize(
    ("report_id", "cells"),
    [
        (ERASED, {"report_id": "", "pain_score": f"{ERASED} called"}),
        ("7", {"report_id": "7", "pain_score": "bad"}),  # so short an id stands in many lines by chance
    ],
)
def test_a_bad_line_is_erased_of_the_given_sender_alone(
    report_id: str,
    cells: dict[str, str],
    home: Home,
    write_csv: Write,
    ingest: Ingest,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CALFWATCH_HOME", str(home.path))
    home.make()
    (home.path / "calfwatch.toml").write_text(
        "[[sources]]\nname = 'a'\npatterns = ['a*']\n[[sources]]\nname = 'b'\npatterns = ['b*']\n"
    )
    for name in "ab":
        ingest(write_csv([*_rows(5), _person(**cells)], f"{name}.csv"))
    assert command(["forget", report_id, "--source", "a", "--yes"]) == 0
    left = ask("SELECT DISTINCT files.source FROM quarantine JOIN files USING (delivery_no) WHERE raw_line IS NOT NULL")
    assert left == [("b",)]


def test_a_kill_after_the_records_were_written_anew_leaves_nothing_for_the_same_command_to_miss(
    home: Home, write_csv: Write, ingest: Ingest, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deed is in the new records: what was published and counted of before is known to be of before."""
    ingest(write_csv([*_rows(), _person()]))
    with monkeypatch.context() as patched:
        patched.setattr("pipelines.store.erasing.rewrite.attach", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            forget.forget(home, Settings(), forget.Wish([ERASED]), 5, lambda _: True)
    left = home.summaries.read_bytes()
    assert command(["forget", ERASED, "--dry-run", "--home", str(home.path)]) == 0
    assert home.summaries.read_bytes() == left
    assert command(["forget", ERASED, "--yes", "--home", str(home.path)]) == 0
    assert not _found(home)
    assert command(["check", "--deep", "--home", str(home.path)]) == 0
    assert ask("SELECT count(*) FROM audit WHERE action = 'forget'") == [(1,)]
