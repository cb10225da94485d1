"""`calfwatch status`: what it counts, what it calls to attention, and its exit codes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import duckdb
import pytest

from pipelines.cli.app import main
from pipelines.errors import UsageError
from pipelines.jobs.monitoring.run_record import recorded_run
from pipelines.jobs.monitoring.status import read_status
from pipelines.jobs.monitoring.status_lines import describe_status
from pipelines.processes import write_json
from pipelines.settings import load_settings
from pipelines.store.database import Home
from pipelines.store.packs import load_configured_pack
from tests.support.states import old_home

Looked = Callable[[], tuple[int, str, str]]
HEADER = "report_id,reported_at,pain_score,fever\n"


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("status")
    rows = [f"r{i},2026-11-{10 + i}T12:30:00Z,{'x' if i == 9 else 5},no\n" for i in range(10)]
    (folder / "first.csv").write_text(HEADER + "".join(rows))
    (folder / "second.csv").write_text(HEADER + "r0,2026-11-01,5,no\nr1,2026-11-11T12:30:00Z,5,no\n")
    paths = [str(folder / name) for name in ("first.csv", "second.csv")]
    assert main(["ingest", "--home", str(folder / "home"), *paths]) == 0
    return folder / "home"


@pytest.fixture
def fed(ingested: Path, tmp_path: Path) -> Home:
    return Home(Path(shutil.copytree(ingested, tmp_path / "home")))


@pytest.fixture
def looked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Looked:
    def call() -> tuple[int, str, str]:
        code = main(["status", "--home", str(tmp_path / "home")])
        return (code, *capsys.readouterr())

    return call


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_state_of_another_version_is_called_so_and_not_damaged(version: int, tmp_path: Path, capsys) -> None:
    old = old_home(tmp_path, version)
    for words in (["status"], ["quarantine", "list"], ["quarantine", "export"], ["explain", "K90"]):
        assert main([*words, "--home", str(old.path)]) == 5
        told = capsys.readouterr().err
        assert f"has schema version {version}, this calfwatch reads" in told
        assert ("`calfwatch run` brings it up to date" in told, "damaged" in told) == (True, False)


@pytest.mark.parametrize("words", [["quarantine", "list"], ["query", "--db", "records", "FROM files"], ["status"]])
def test_damaged_records_are_told_with_what_to_do(words: list[str], fed: Home, capsys) -> None:
    os.truncate(fed.records, 100_000)
    assert main([*words, "--home", str(fed.path)]) == 5
    assert "it is damaged or no DuckDB file. Restore a backup (`calfwatch restore FILE`)" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["ingest", "."], ["report"], ["demo"]])
@pytest.mark.parametrize("wait", ["-1", "nan"])
def test_a_time_to_wait_is_no_less_than_nothing(words: list[str], wait: str, fed: Home, capsys) -> None:
    assert main([*words, "--home", str(fed.path), "--wait", wait]) == 2
    assert "for --wait. it must be 0 seconds or more." in capsys.readouterr().err


def test_who_writes_the_report_waits_as_long_as_is_said_and_names_who_holds_the_home(fed: Home, capsys) -> None:
    holder = [
        sys.executable,
        "-c",
        "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.flock(f, 2); print(flush=True); sys.stdin.read()",
    ]
    with subprocess.Popen(
        [*holder, str(fed.path / "writer.lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as held:
        assert held.stdout is not None
        held.stdout.readline()
        assert main(["report", "--home", str(fed.path), "--week", "2026-W46", "--wait", "0"]) == 4
        assert "is being written by" in capsys.readouterr().err
        held.communicate()
    assert main(["report", "--home", str(fed.path), "--week", "2026-W46", "--wait", "0"]) == 0


def test_a_quiet_home_is_counted_and_ends_with_0(fed: Home, looked: Looked) -> None:
    code, out, err = looked()
    moment = r"20\d\d-\d\d-\d\d \d\d:\d\d UTC"
    lines = re.sub(rf"(the last at|done at|last delivery) {moment}", r"\1 NOW", out).splitlines()
    (note,) = (line for line in lines if line.startswith("note "))
    lines.remove(note)
    assert lines == [
        f"home          {fed.path}",
        lines[1],
        "files         2 accepted, 0 rejected; the last at NOW",
        "records       9 from 2026-11-01 12:00 UTC to 2026-11-18 12:30 UTC",
        "quarantined   1 row, 1 of them open",
        "state         ledger, records and summaries agree",
        "week          2026-W47: 0 emergencies of 3 reports",
        "alarms        2026-W47: cannot be judged yet",
        "k-anonymity   WARNING: 4 of 9 records are in 2 groups of region, age band, sex and week smaller than 5; "
        "the smallest has 1",
        "sender        canonical (weekly): last delivery NOW, of reports to 2026-11-18 12:30 UTC",
        "last ingest   done at NOW",
        lines[-2],
        f"versions      calfwatch {version('calfwatch')}, duckdb {duckdb.__version__}",
    ]
    assert re.fullmatch(r"disk          [\d,]+\.\d GB free", lines[-2])
    assert re.fullmatch(r"note          canonical: .*second\.csv: 1 moved to another day", note)
    assert re.fullmatch(r"rule pack     calf_pain-2-[0-9a-f]{32}", lines[1])
    assert (code, err) == (0, "")


def test_a_rejected_file_wants_attention_until_it_is_accepted(
    fed: Home, looked: Looked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad\n\x1b[31m.csv"
    bad.write_text("report_id,reported_at,fever,shoe_size\n")
    assert main(["ingest", "--home", str(fed.path), str(bad)]) == 3
    assert capsys.readouterr().err.splitlines()[-1] == "calfwatch: 1 of 1 file rejected", "there are no others"
    code, out, _ = looked()
    assert code == 7
    assert "files         2 accepted, 1 rejected" in out
    (line,) = [line for line in out.splitlines() if line.startswith("ATTENTION")]
    assert line.startswith(f"ATTENTION     rejected {tmp_path}/bad\\n\\x1b[31m.csv: unknown column 'shoe_size'")
    assert "\x1b" not in out
    bad.write_text(HEADER + "mended,2026-11-20,5,no\n")
    assert main(["ingest", "--home", str(fed.path), str(bad)]) == 0
    assert looked()[0] == 0, "what lies in its place was taken in"


def test_a_rejected_file_wants_attention_until_it_is_withdrawn(
    fed: Home, looked: Looked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (tmp_path / "none.csv", tmp_path / "bad.csv"):
        path.write_text("report_id\n")
        assert main(["ingest", "--home", str(fed.path), str(path)]) == 3
        path.write_text("report_id,fever\n")
    (tmp_path / "none.csv").unlink()
    (tmp_path / "none.csv").symlink_to("nowhere")
    assert main(["ingest", "--home", str(fed.path), str(tmp_path / "none.csv")]) == 3
    capsys.readouterr()
    code, out, _ = looked()
    ids = re.findall(r"ATTENTION .* \(file (\S+)\)", out)
    assert (code, len(ids)) == (7, 2), out
    for file_id in ids:
        assert main(["withdraw", "--home", str(fed.path), file_id]) == 0
    capsys.readouterr()
    assert looked()[0] == 0


def test_a_withdrawn_file_is_counted_as_that(
    fed: Home, looked: Looked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wrong.csv").write_text(HEADER + "wrong,2026-11-20,5,no\n")
    assert main(["ingest", "--home", str(fed.path), str(tmp_path / "wrong.csv")]) == 0
    with duckdb.connect(str(fed.records), read_only=True) as db:
        ((file_id,),) = db.execute("SELECT file_id FROM files WHERE path LIKE '%wrong.csv'").fetchall()
    assert main(["withdraw", "--home", str(fed.path), file_id]) == 0
    assert f"{file_id[:12]}: 1 record taken back, 0 others in use in its place" in capsys.readouterr().out
    assert "files         2 accepted, 0 rejected, 1 withdrawn; the last at" in looked()[1]


def test_another_pack_is_named_with_the_setting_that_chooses_it(fed: Home, looked: Looked, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "data" / "rules" / "calf_pain.toml").read_text()
    (fed.path / "own.toml").write_text(text.replace("number = 2", "number = 3", 1))
    (fed.path / "calfwatch.toml").write_text('rule_pack = "own.toml"\n')
    (told,) = [line for line in looked()[1].splitlines() if line.startswith("other pack")]
    assert re.match(r"other pack    rule_pack of the settings is calf_pain-3-\w+; `calfwatch retag` would tag", told)
    assert told.endswith("To keep the pack in use, set rule_pack to its file")


def test_a_single_record_is_told_as_one(home: Home, tmp_path: Path, looked: Looked, capsys) -> None:
    (tmp_path / "one.csv").write_text(HEADER + "one,2026-11-20,5,no\n")
    assert main(["ingest", "--home", str(home.path), str(tmp_path / "one.csv")]) == 0
    said = "".join(capsys.readouterr()) + looked()[1]
    assert "one.csv (canonical): 1 row, 1 accepted\n" in said
    assert "1 file: 1 accepted, 0 known already, 0 rejected; 1 new record, 0 rows quarantined\n" in said
    assert "WARNING: 1 of 1 record is in 1 group of region" in said


def test_records_that_no_weekly_table_counts_are_told(fed: Home, looked: Looked, tmp_path: Path, capsys) -> None:
    assert "in no week" not in looked()[1]
    (tmp_path / "odd.csv").write_text(HEADER + "odd-1,2062-11-12,5,no\nodd-2,2001-11-12,5,no\n")
    assert main(["ingest", "--home", str(fed.path), str(tmp_path / "odd.csv")]) == 0
    capsys.readouterr()
    (line,) = (line for line in looked()[1].splitlines() if line.startswith("in no week"))
    assert "2 records, " in line
    assert "(2001-11-12 to 2062-11-12)" in line
    with duckdb.connect(str(fed.summaries), read_only=True) as connection:
        row = connection.execute("SELECT (SELECT sum(reports) FROM daily_summary) - sum(reports) FROM weekly_triage")
        assert row.fetchone() == (2,), "what the line tells is what the weekly tables lack"
        span = connection.execute("SELECT year(first_report), year(last_report) FROM about")
        assert span.fetchone() == (2026, 2026), "nor do they belong to the span of the reports"
    assert main(["status", "--home", str(fed.path), "--json"]) in (0, 7)
    senders = json.loads(capsys.readouterr().out)["facts"]["senders"]
    assert [sender["last_report"][:4] for sender in senders if sender["last_report"]] == ["2026"]


def test_a_missing_snapshot_wants_attention(fed: Home, looked: Looked) -> None:
    fed.summaries.unlink()
    code, out, _ = looked()
    assert code == 7
    assert out.splitlines()[-1] == "ATTENTION     no summaries.duckdb has been published; run `calfwatch run`"


def test_a_snapshot_that_a_killed_run_left_behind_wants_attention(fed: Home, looked: Looked, tmp_path: Path) -> None:
    old = fed.summaries.read_bytes()
    (tmp_path / "more.csv").write_text(HEADER + "z,2026-11-20,5,no\n")
    assert main(["ingest", "--home", str(fed.path), str(tmp_path / "more.csv")]) == 0
    assert looked()[0] == 0
    fed.summaries.unlink()
    fed.summaries.write_bytes(old)
    code, out, _ = looked()
    assert code == 7
    assert re.search(r"ATTENTION     summaries.duckdb is older than the last file or deed; run `calfwatch run`$", out)
    assert main(["ingest", "--home", str(fed.path), str(tmp_path / "more.csv")]) == 0
    assert looked()[0] == 0


def test_an_empty_home_is_no_cause_for_attention(home, ingest, looked: Looked) -> None:
    ingest()
    code, out, _ = looked()
    assert (code, "ATTENTION" in out) == (0, False)
    assert "files         0 accepted, 0 rejected; the last at -" in out
    assert "records       0 from - to -" in out


def test_a_home_that_is_not_there_ends_with_2(looked: Looked) -> None:
    code, out, err = looked()
    assert (code, out) == (2, "")
    assert "nothing is stored there yet; try `calfwatch ingest PATH` or another --home" in err


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM records WHERE report_id = 'r3'",
        "INSERT INTO records FROM records LIMIT 1",
        "DELETE FROM superseded",
        "DELETE FROM daily_summary WHERE report_date = '2026-11-12'",
        "DELETE FROM files WHERE rows_superseded = 1",
        "DELETE FROM state WHERE key = 'rule_pack'",
    ],
)
def test_a_state_that_contradicts_itself_ends_with_5(damage: str, fed: Home, looked: Looked) -> None:
    with duckdb.connect(str(fed.records)) as connection:
        connection.execute(damage)
    code, _, err = looked()
    assert code == 5
    assert err.startswith("calfwatch: ")
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["records.duckdb", "summaries.duckdb"])
def test_a_damaged_file_ends_with_5_and_is_named(name: str, fed: Home, looked: Looked) -> None:
    path = fed.path / name
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(b"\0" * 5000 + content[5000:])
    code, _, err = looked()
    assert code == 5
    assert err.startswith(f"calfwatch: {path} cannot be opened")


HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"


def test_while_a_run_writes_status_answers_with_what_the_last_run_left(fed: Home, looked: Looked) -> None:
    command = [sys.executable, "-c", HOLD, str(fed.records)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        code, out, err = looked()
        (fed.path / "status.json").unlink()
        unknown = looked()
        holder.communicate()
    assert (code, err) == (0, "")
    assert "records       9 from" in out
    assert unknown[0] == 4, "of a home that no run has described nothing is known meanwhile"


def test_as_json_it_is_the_same(fed: Home, looked: Looked, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--home", str(tmp_path / "home"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["facts"]["records"]["count"], told["attention"], told["overdue"]) == (9, [], [])
    assert told["runs"]["ingest"]["outcome"] == "done"
    assert told["facts"]["senders"][0]["source"] == "canonical"


def test_a_slot_that_passed_without_a_run_is_overdue_ten_minutes_later(fed: Home, looked: Looked) -> None:
    ran = datetime.fromisoformat(json.loads((fed.path / "status.json").read_text())["runs"]["ingest"]["started"])
    (fed.path / "prefect").mkdir()
    schedule, now = fed.path / "prefect" / "schedule.json", datetime.now(UTC)
    for slot, code in ((now - timedelta(minutes=9), 0), (ran, 0), (now + timedelta(hours=1), 0)):
        schedule.write_text(json.dumps({"next": {"ingest": slot.isoformat()}}))
        assert looked()[0] == code, slot
    schedule.write_text(json.dumps({"next": {"report": (now - timedelta(minutes=11)).isoformat()}}))
    code, out, _ = looked()
    assert code == 7
    assert "ATTENTION     report was due at" in out


def test_a_run_that_goes_on_is_told_with_its_start_and_keeps_slots_from_being_overdue_for_a_day(
    fed: Home, looked: Looked, tmp_path: Path, capsys: pytest.CaptureFixture[str], set_clock: Callable[[datetime], None]
) -> None:
    began = datetime.now(UTC)
    (fed.path / "prefect").mkdir()
    next_slot = {"next": {"ingest": (began + timedelta(minutes=1)).isoformat()}}
    (fed.path / "prefect" / "schedule.json").write_text(json.dumps(next_slot))
    with recorded_run(fed.path, "ingest"):
        for later, code in ((timedelta(minutes=40), 0), (timedelta(hours=23), 0), (timedelta(hours=25), 7)):
            set_clock(began + later)
            found, out, _ = looked()
            assert found == code, later
            assert f"in work       ingest since {began:%Y-%m-%d %H:%M} UTC" in out
            assert main(["status", "--health", "--home", str(tmp_path / "home")]) == code


def test_a_scheduled_run_whose_pack_is_gone_is_told_and_recorded(
    fed: Home, looked: Looked, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALFWATCH_SERVED_HOME", str(fed.path))
    (fed.path / "calfwatch.toml").write_text('rule_pack = "nowhere.toml"\n')
    with pytest.raises(UsageError), recorded_run(fed.path, "ingest"):
        load_configured_pack(fed, load_settings(fed.path))
    assert "ingest    FAILED: rule pack " in capsys.readouterr().out
    (fed.path / "calfwatch.toml").unlink()
    code, out, _ = looked()
    assert code == 7
    assert "ATTENTION     the last ingest failed at " in out


def test_the_metrics_file_is_written_by_every_run(fed: Home, tmp_path: Path) -> None:
    (fed.path / "calfwatch.toml").write_text('metrics_file = "metrics/calfwatch.prom"\n')
    (tmp_path / "more.csv").write_text(HEADER + "z,2026-11-20,5,no\n")
    assert main(["ingest", "--home", str(fed.path), str(tmp_path / "more.csv")]) == 0
    text = (fed.path / "metrics" / "calfwatch.prom").read_text()
    assert "calfwatch_records 10.0\n" in text
    assert 'calfwatch_last_run_outcome{job="ingest",outcome="done"} 1.0\n' in text
    assert 'calfwatch_last_run_outcome{job="ingest",outcome="rejected"} 0.0\n' in text
    assert (tmp_path / "more.csv").write_text("report_id\n")
    assert main(["ingest", "--home", str(fed.path), str(tmp_path / "more.csv")]) == 3
    text = (fed.path / "metrics" / "calfwatch.prom").read_text()
    assert "calfwatch_rejected_files 1.0\n" in text
    assert "calfwatch_attention 1.0\n" in text
    assert "calfwatch_quarantined_rows_open 1.0\n" in text
    assert f'duckdb="{duckdb.__version__}"' in text


def test_metrics_that_cannot_be_written_want_attention_until_they_can(
    fed: Home, looked: Looked, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "more.csv").write_text(HEADER + "z,2026-11-20,5,no\n")
    command = ["ingest", "--home", str(fed.path), str(tmp_path / "more.csv")]
    for folder, code in (("file", 7), ("folder", 0)):
        (fed.path / "calfwatch.toml").write_text(f'metrics_file = "{tmp_path}/{folder}/calfwatch.prom"\n')
        assert main(command) == 0
        found, out, _ = looked()
        assert (found, "ATTENTION     metrics_file: " in out) == (code, code == 7)


def test_a_sender_that_is_declared_and_sent_nothing_yet_is_shown(fed: Home, looked: Looked) -> None:
    names = [f"clinic-{number:02d}" for number in range(20)]
    (fed.path / "calfwatch.toml").write_text("".join(f'[[sources]]\nname = "{name}"\n' for name in names))
    lines = [line for line in looked()[1].splitlines() if line.startswith("sender ")]
    assert lines[1] == "sender        clinic-00 (weekly): nothing yet"
    assert lines[12:] == ["sender        and 9 more: `calfwatch status --json`"]


def test_many_rejected_files_hide_nothing_else_that_wants_attention(fed: Home, tmp_path: Path) -> None:
    told = read_status(fed.path)
    told["attention"] = [*(f"rejected {number}.csv: no" for number in range(364)), "the last ingest failed"]
    lines = describe_status(told)
    assert lines[-2:] == [
        "ATTENTION     and 352 more: `calfwatch status --json`",
        "ATTENTION     the last ingest failed",
    ]
    assert sum(line.startswith("ATTENTION") for line in lines) == 14


def test_looking_changes_nothing(fed: Home, looked: Looked) -> None:
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in fed.path.rglob("*") if path.is_file()}
    assert looked()[0] == 0
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in before} == before
    assert set(before) == {path for path in fed.path.rglob("*") if path.is_file()}
    assert not os.path.exists(f"{fed.records}.wal")


def test_the_smallest_groups_are_counted_with_the_k_of_the_settings(home, write_csv, ingest, looked: Looked) -> None:
    people = [("north", "75+", "female", 3), ("north", "75+", "", 2), ("", "75+", "female", 6)]
    rows = [
        {"report_id": f"r{place}-{i}", "region": region, "age_band": band, "sex": sex}
        for place, (region, band, sex, count) in enumerate(people)
        for i in range(count)
    ]
    ingest(write_csv([*rows, {**rows[0], "report_id": "week-before", "reported_at": "2026-11-15T23:59:59Z"}]))

    def warned(k: int) -> str:
        (home.path / "calfwatch.toml").write_text(f"k_anonymity = {k}\n")
        code, out, _ = looked()
        assert code == 0
        return next(line for line in out.splitlines() if line.startswith("k-anonymity"))

    assert "no group of region, age band, sex and week is smaller than 1" in warned(1)
    assert "3 of 12 records are in 2 groups" in warned(3)
    assert "6 of 12 records are in 3 groups" in warned(6)
    assert "12 of 12 records are in 4 groups" in warned(7)
    assert warned(7).endswith("smaller than 7; the smallest has 1")


def test_a_clock_that_was_set_back_makes_no_snapshot_old_and_the_later_delivery_still_wins(
    home, write_csv, ingest, ask, looked: Looked
) -> None:
    ingest(write_csv([{"report_id": "r", "sex": "male"}]))
    with duckdb.connect(str(home.records)) as connection:  # as a run before the clock was set back left it
        connection.execute("UPDATE files SET ingested_at = ingested_at + INTERVAL 3 DAY")
    ingest(write_csv([{"report_id": "r", "sex": "female"}], name="later.csv"))
    assert ask("SELECT sex FROM reports") == [("female",)]
    assert looked()[0] == 0


def test_an_older_state_is_told_as_old_and_what_to_do(tmp_path: Path, looked: Looked) -> None:
    old_home(tmp_path, 1).path.rename(tmp_path / "home")
    code, _, err = looked()
    assert (code, "schema version 1" in err, "`calfwatch run` brings it up to date" in err) == (5, True, True)


def test_health_tells_of_failed_runs_and_missed_slots_and_not_of_senders(home: Home, capsys) -> None:
    options = ["status", "--health", "--home", str(home.path)]
    assert main(options) == 0, "nothing ran yet"
    now = datetime.now(UTC)
    times = {"started": now.isoformat(), "ended": now.isoformat(), "reason": "1 of 2 files rejected"}
    write_json(home.path / "status.json", {"runs": {"ingest": times | {"outcome": "rejected"}}})
    assert main(options) == 0, "a rejected file is the sender's"
    write_json(home.path / "status.json", {"runs": {"ingest": times | {"outcome": "crashed"}}})
    assert main(options) == 7
    write_json(home.path / "status.json", {})
    (home.path / "prefect").mkdir()
    write_json(home.path / "prefect" / "schedule.json", {"next": {"report": (now - timedelta(hours=1)).isoformat()}})
    assert main(options) == 7
    assert "report was due" in capsys.readouterr().out
