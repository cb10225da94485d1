"""`run --no-server`, and the lines of a run."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from pipelines.cli.app import main
from pipelines.intake.deliveries import find_deliveries
from pipelines.jobs.incoming import find_settled_deliveries
from pipelines.settings import Settings, Source
from pipelines.store.home import Home

HEADER = "report_id,reported_at,pain_score,fever\n"
needs_times_of_now = pytest.mark.skipif(
    "FAKETIME" in os.environ, reason="THE CLOCK IS FAKED: a file that is written now has the time of the real one"
)
TIME = r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d  "


def _home(tmp_path: Path, files: int = 1) -> Path:
    incoming = tmp_path / "home" / "incoming"
    incoming.mkdir(parents=True)
    for i in range(files):
        (incoming / f"{i:03d}.csv").write_text(f"{HEADER}r{i},2026-11-{1 + i % 20:02d},5,no\n")
    (tmp_path / "home" / "calfwatch.toml").write_text("settle_seconds = 0\n")
    return tmp_path / "home"


def test_a_rejected_file_does_not_stop_the_report_and_the_run_ends_with_3(tmp_path: Path, capsys) -> None:
    home = _home(tmp_path, 10)
    (home / "incoming" / "bad.csv").write_text("report_id,fever\n")
    assert main(["run", "--no-server", "--home", str(home)]) == 3
    out, err = capsys.readouterr()
    assert list((home / "reports").glob("2026-W*/internal.html"))
    assert re.search(r"^11 files: 10 accepted, 0 known already, 1 rejected; .*report 2026-W\d\d written$", out, re.M)
    assert err.splitlines()[-1] == "calfwatch: 1 of 11 files rejected; the others are done"


@pytest.mark.slow
def test_364_known_files_make_one_line_and_what_is_new_or_wrong_is_told_with_the_time(tmp_path: Path, capsys) -> None:
    home = _home(tmp_path, 364)
    command = ["run", "--no-server", "--home", str(home)]
    assert main(command) == 0
    capsys.readouterr()
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (
        "364 files: 0 accepted, 364 known already, 0 rejected; 0 new records, 0 rows quarantined\n",
        "",
    )
    (home / "incoming" / "new.csv").write_text(f"{HEADER}new,2026-11-01,5,no\n")
    (home / "incoming" / "bad.csv").write_text("report_id\n")
    assert main(command) == 3
    lines = capsys.readouterr().err.splitlines()
    assert [bool(re.match(rf"{TIME}(accepted|rejected)  ", line)) for line in lines] == [True, True, False]


@pytest.mark.parametrize(("flag", "told"), [("-q", ["rejected"]), ("", ["accepted", "rejected"])])
def test_quiet_tells_what_is_wrong_alone(flag: str, told: list[str], tmp_path: Path, capsys) -> None:
    home = _home(tmp_path, 2)
    (home / "incoming" / "001.csv").write_text("report_id\n")
    assert main(["run", "--no-server", "--home", str(home), *filter(None, [flag])]) == 3
    assert re.findall(rf"^{TIME}(\w+)  ", capsys.readouterr().err, re.M) == told


def test_verbose_tells_of_known_files_too(tmp_path: Path, capsys) -> None:
    home = _home(tmp_path, 2)
    for flag in ("-q", "-v"):
        assert main(["run", "--no-server", "--home", str(home), flag]) == 0
    assert len(re.findall(rf"^{TIME}known  ", capsys.readouterr().err, re.M)) == 2


@needs_times_of_now
def test_a_young_file_waits_and_its_sender_s_later_ones_wait_with_it(tmp_path: Path) -> None:
    one, two = Source("one", patterns=("one*",)), Source("two", patterns=("two*",))
    home, settings = Home(tmp_path / "home"), Settings(sources=(one, two))
    ages = {"one_1": 61, "one_2": 59, "one_3": 3600, "two_1": 3600, "two_2": -3600}
    for name, age in ages.items():
        (tmp_path / f"{name}.csv").write_text(HEADER)
        os.utime(tmp_path / f"{name}.csv", (time.time() - age,) * 2)

    def names(seconds: float) -> list[str]:
        return [
            delivery.path.stem for delivery in find_settled_deliveries(home, [str(tmp_path)], settings, None, seconds)
        ]

    assert names(0) == [d.path.stem for d in find_deliveries([str(tmp_path)], settings, None)] == sorted(ages)
    assert names(0.0001) == sorted(ages), "nothing changed in that moment"
    assert names(60) == [], "each was written just now, whatever time it was given"


@needs_times_of_now
def test_the_settings_settle_time_holds_for_the_incoming_folders_alone(tmp_path: Path, capsys) -> None:
    home = _home(tmp_path)
    (home / "calfwatch.toml").write_text("settle_seconds = 600\n")
    assert main(["run", "--no-server", "--home", str(home)]) == 0
    told = capsys.readouterr()
    assert "0 files" in told.out
    words = r"held back 1 file of canonical for the next run: some changed less than 600 s ago \(settle_seconds\)"
    assert re.fullmatch(TIME + words + "\n", told.err)
    assert main(["run", "--no-server", "-q", "--home", str(home)]) == 0
    assert capsys.readouterr().err == "", "it is nothing wrong"
    assert main(["run", "--no-server", "--home", str(home), str(home / "incoming")]) == 0
    told = capsys.readouterr()
    assert ("1 file: 1 accepted" in told.out, "held back" in told.err) == (True, False)


@pytest.mark.parametrize("command", [("ingest",), ("run", "--no-server")])
def test_what_is_no_csv_is_named_by_every_run_and_in_status_until_it_is_gone(
    command: tuple[str, ...], tmp_path: Path, capsys
) -> None:
    home, inbox = _home(tmp_path), tmp_path / "inbox"
    inbox.mkdir()
    for name in ("w47.xlsx", "w47.csv", "README.md", ".hidden.zip", "w48.csv.part"):
        (inbox / name).write_text(HEADER)
    assert main([*command, "--home", str(home), str(inbox)]) == 0
    words = f"1 file passed over: {inbox / 'w47.xlsx'}; export as .csv, .csv.gz or .csv.zst"
    assert f"no CSV    {words}" in capsys.readouterr().err
    assert main(["status", "--home", str(home)]) == 0
    assert f"no CSV        {words}" in capsys.readouterr().out
    (inbox / "w47.xlsx").unlink()
    assert main([*command, "--home", str(home), str(inbox)]) == 0
    assert "no CSV" not in capsys.readouterr().err
    assert main(["status", "--home", str(home)]) == 0
    assert "no CSV" not in capsys.readouterr().out
