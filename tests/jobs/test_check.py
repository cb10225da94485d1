"""`check`: everything that can be wrong with a stored state is found, and nothing is found in a good one."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.cli.app import main
from pipelines.errors import StateError
from pipelines.jobs import publish as publish_job
from pipelines.jobs import weekly_report
from pipelines.jobs.backup import write_backup
from pipelines.jobs.check import CHECKS, check
from pipelines.settings import Settings
from pipelines.store import database
from pipelines.store.database import Home
from schemas.pack import Pack
from tests.support.states import STATES, content, fed, wal, with_a_log

FIRST_SEED = int(os.environ.get("CALFWATCH_SEED", "0"))  # of the slow run


@pytest.fixture(scope="module")
def reported_home(good_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A copy of the good home, with one published week."""
    made = Home(Path(shutil.copytree(good_home.path, tmp_path_factory.mktemp("reported") / "home")))
    weekly_report.write_week(made, "2026-W46", None, False)
    return made


@pytest.fixture
def home(reported_home: Home, tmp_path: Path) -> Home:
    return Home(Path(shutil.copytree(reported_home.path, tmp_path / "fed")))


def found(home: Home, pack: Pack, deep: bool = True) -> str:
    """What a check finds; empty where it finds nothing."""
    try:
        lines = check(home, Settings(), pack, deep)
    except StateError as error:
        return str(error)
    assert len(lines) == 1 + (len(CHECKS) if deep else 0)
    return ""


def test_a_week_that_an_older_version_published_names_its_pack_by_32_bits(home: Home, pack: Pack) -> None:
    counts = home.reports / "2026-W46" / "data" / "reported_weeks.csv"
    text = counts.read_text(encoding="utf-8")
    counts.write_text(text.replace(pack.version, pack.short_version), encoding="utf-8")
    assert found(home, pack) == ""
    counts.write_text(text.replace(pack.version, "calf_pain-9-01234567"), encoding="utf-8")
    assert "reported_weeks: 2 rows differ" in found(home, pack)


@pytest.mark.parametrize("settings", [{}, {"time_zone": "Pacific/Auckland", "week_system": "mmwr"}])
def test_a_good_state_passes_and_is_left_as_it_is(settings: dict[str, str], home: Home, pack: Pack) -> None:
    if settings:
        with database.open_records(home, Settings(**settings), pack) as connection:
            publish_job.publish(connection, home, Settings(**settings))
    before = home.records.read_bytes()
    assert found(home, pack) == ""
    assert home.records.read_bytes() == before


def declared(home: Home) -> list[tuple[Any, ...]]:
    """Every table, view and column with its comment, and the SQL of every view."""
    sql = """SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal
             UNION ALL SELECT table_name, NULL, comment FROM duckdb_tables()
             UNION ALL SELECT view_name, sql, comment FROM duckdb_views() WHERE NOT internal ORDER BY ALL"""
    with duckdb.connect(str(home.records), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def change(home: Home, *statements: str) -> None:
    with duckdb.connect(str(home.records)) as connection:
        for sql in statements:
            connection.execute(sql)


def test_views_and_comments_of_another_calfwatch_are_no_damage_and_the_next_run_writes_its_own(
    fed_home: Home, pack: Pack
) -> None:
    home = fed_home
    before = declared(home)
    change(home, "COMMENT ON COLUMN files.path IS 'in other words'", "COMMENT ON VIEW reports IS 'in other words'")
    change(home, "CREATE OR REPLACE VIEW weekly_rules AS FROM (VALUES (1)) AS one(week)")
    assert "files has not the declared columns" in found(home, pack)
    change(home, "UPDATE state SET value = 'of another calfwatch' WHERE key = 'declaration'")
    assert "weekly_rules has not the declared columns" in found(home, pack), "columns are no words"
    with database.open_records(home, Settings(), pack):
        pass
    assert declared(home) == before
    change(home, "COMMENT ON COLUMN files.path IS 'in other words'", "DELETE FROM state WHERE key = 'declaration'")
    assert found(home, pack) == "", "a home of before there was a declaration"


def test_levels_moved_by_hand_are_found_without_looking_deep(home: Home, pack: Pack) -> None:
    change(home, "UPDATE daily_summary SET triage_level = 'emergency', triage_ceiling = 'emergency'")
    assert "records of a triage level in daily_summary" in found(home, pack, deep=False)


# what does not touch each other is changed together, and must be told together; the slow run changes one at a time
CHANGES = [
    [
        ("ALTER TABLE audit DROP who", "audit has not the declared columns"),
        ("COMMENT ON COLUMN files.path IS 'other'", "files has not the declared columns"),
        ("CREATE TABLE mine (a INTEGER)", "table or view mine is none of ours"),
        ("CREATE MACRO hash(a) AS 1", "macro hash is none of ours"),
        ("CREATE MACRO rows_of() AS TABLE SELECT 1", "macro rows_of is none of ours"),
        ("CREATE SEQUENCE mine", "sequence mine is none of ours"),
        ("CREATE TYPE mine AS ENUM ('a')", "type mine is none of ours"),
        ("CREATE INDEX mine ON files (delivery_no)", "index mine is none of ours"),
        ("CREATE SCHEMA mine", "schema mine is none of ours"),
        (
            "CREATE OR REPLACE VIEW weekly_regions AS FROM weekly_regions_ WHERE reports > 1",
            "view weekly_regions is not that of this version",
        ),
    ],
    [
        ("ALTER TABLE audit ALTER who SET NOT NULL", "constraint on table audit is none of ours"),
        ("UPDATE weekly_sources SET state = 'silent'", "weekly_sources: "),
        ("INSERT INTO weekly_nowcast (series) VALUES ('all')", "weekly_nowcast: 1 row differs"),
        ("INSERT INTO weekly_indicators (indicator) VALUES ('x')", "weekly_indicators: 1 row differs"),
        ("INSERT INTO alarm_episodes (series) VALUES ('all')", "alarm_episodes: 1 row differs"),
        ("INSERT INTO daily_signals (series) VALUES ('all')", "daily_signals: 1 row differs"),
        ("INSERT INTO signal_fits (fit_key) VALUES (1)", "signal_fits: 1 row differs"),
        ("UPDATE signal_counts SET reports = 9 WHERE series = 'all'", "signal_counts: "),
        ("UPDATE files SET clock = clock + 1", "files: "),
        ("UPDATE rule_packs SET number = 9", "rule_packs: number or article"),
        ("UPDATE rules SET triage_level = 'contact_doctor'", "rules: "),
        ("DELETE FROM causes WHERE likely_cause = 'undetermined'", "causes: 1 row differs"),
        ("UPDATE fields SET meaning = 'another'", "fields: "),
        ("UPDATE reported_counts SET reports = reports + 1 WHERE series = 'all'", "reported_counts: 2 rows differ"),
        ("UPDATE reported_weeks SET last_delivery = 99", "reported_weeks: 2 rows differ"),
    ],
    [
        ("UPDATE records SET rules_true = xor(rules_true, 1) WHERE report_id = 'K3'", "1 record has tags"),
        ("UPDATE daily_fields SET answered = answered + 1 WHERE field = 'fever'", "daily_fields: "),
        ("UPDATE weekly_signals SET status = 'alarm' WHERE series = 'all'", "weekly_signals: "),
        ("UPDATE superseded SET superseded_by = 'nobody'", "replaced by a file that the ledger does not have"),
        ("UPDATE quarantine SET file_id = 'nobody'", "quarantined cells of a file"),
        ("UPDATE files SET rows_read = rows_read + 1", "rows do not add up"),
        ("INSERT INTO weekly_revisions (week) VALUES ('2026-W46')", "weekly_revisions: 1 row differs"),
    ],
    [
        ("UPDATE records SET region = 'east' WHERE report_id = 'K3'", "daily_summary: "),
        ("UPDATE daily_rules SET reports = reports - 1", "daily_rules: "),
        ("UPDATE superseded SET file_id = 'nobody'", "superseded records of a file that the ledger does not have"),
        ("UPDATE files SET delivery_no = 1", "delivery number of another"),
        ("INSERT INTO reported_counts FROM reported_counts LIMIT 1", "reported_counts: 1 row stands twice"),
    ],
    [
        ("UPDATE records SET reported_at = reported_at + INTERVAL 1 DAY WHERE report_id = 'K30'", "daily_arrivals: "),
        ("DELETE FROM weekly_signals WHERE series = 'all'", "weekly_signals: "),
        ("UPDATE records SET report_id = 'K4' WHERE report_id = 'K3'", "stand twice"),
        ("UPDATE records SET delivery_no = 1 WHERE delivery_no = 4", "files that did not bring as many records"),
    ],
    [
        ("UPDATE records SET delivery_no = 3 WHERE report_id = 'K3'", "records of a file that the ledger does not"),
        ("UPDATE superseded SET report_id = 'K99'", "without a record in their place"),
        ("DELETE FROM calendar WHERE week = '2026-W46'", "calendar: "),
        ("DROP TABLE reported_weeks", "reported_weeks is missing"),
    ],
    [
        ("UPDATE weekly_signals SET observed = observed + 1 WHERE series = 'all'", "weekly_signals: "),
    ],
]  # fmt: skip


def _require_told(home: Home, pack: Pack, changes: list[tuple[str, str]]) -> None:
    with duckdb.connect(str(home.records)) as connection:
        ((old,),) = connection.execute("SELECT sql FROM duckdb_views() WHERE view_name = 'weekly_regions'").fetchall()
        for sql, _ in changes:
            if "weekly_regions_" in sql:
                connection.execute(old.replace("weekly_regions", "weekly_regions_", 1))
            connection.execute(sql)
    text = found(home, pack)
    assert [told for _, told in changes if told not in text] == []
    assert "calfwatch restore FILE" in text


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: changes[0][1])
def test_what_was_changed_by_hand_is_found_and_named(changes: list[tuple[str, str]], home: Home, pack: Pack) -> None:
    _require_told(home, pack, changes)


@pytest.mark.slow
@pytest.mark.parametrize("change", [each for changes in CHANGES for each in changes], ids=lambda change: change[0])
def test_one_change_by_hand_is_found_and_named(change: tuple[str, str], home: Home, pack: Pack) -> None:
    _require_told(home, pack, [change])


def test_a_snapshot_that_is_not_what_is_stored_is_found_and_an_older_one_is_not_wrong(
    home: Home, pack: Pack, write_csv: Callable[..., Path]
) -> None:
    home.summaries.chmod(0o600)
    with duckdb.connect(str(home.summaries)) as connection:
        connection.execute("UPDATE weekly_triage SET reports = reports + 1")
    assert "summaries.duckdb: weekly_triage is not what is stored" in found(home, pack)
    fed(home, pack, [write_csv([{"report_id": "new"}])], publish=False)
    assert found(home, pack) == ""


def test_an_open_mode_is_found_unless_the_home_is_closed(home: Home, pack: Pack) -> None:
    home.records.chmod(0o644)
    assert found(home, pack) == ""
    home.path.chmod(0o755)
    home.reports.chmod(0o755)
    text = found(home, pack)
    assert "records.duckdb may be read by others" in text
    assert "reports may be read by others" in text


def test_the_cheap_look_counts_and_the_deep_one_compares(home: Home, pack: Pack) -> None:
    with duckdb.connect(str(home.records)) as connection:
        connection.execute("UPDATE records SET sex = 2 WHERE sex = 1")
    assert found(home, pack, deep=False) == ""
    assert "daily_summary" in found(home, pack)


# --- damaged bytes --------------------------------------------------


def damaged(draw: random.Random, path: Path) -> str:
    """Damages a file at a random place in one of four ways."""
    data = path.read_bytes()
    place, length = draw.randrange(len(data)), draw.choice((1, 8, 512, 4096))
    kind = draw.choice(("flipped", "zeroed", "cut", "repeated"))
    block = data[place : place + length]
    changed = {
        "flipped": bytes([block[0] ^ (1 << draw.randrange(8))]) + block[1:],
        "zeroed": bytes(len(block)),
        "cut": b"",
        "repeated": block + block,
    }[kind]
    path.write_bytes(data[:place] if kind == "cut" else data[:place] + changed + data[place + length :])
    return kind


def fate(home: Home, pack: Pack, allowed: list[dict[str, Any]]) -> str:
    """Where damage is found; where it is not, every number must be one that was stored."""
    if found(home, pack, deep=False):
        return "found at start"
    if found(home, pack):
        return "found by check --deep"
    assert content(home.records) in allowed
    return "harmless"


def outcomes_of(seeds: range, home: Home, pack: Pack, allowed: list[dict[str, Any]], name: str) -> Counter[str]:
    """Damages one file of the home in many ways, each on the undamaged state."""
    good = {path: path.read_bytes() for path in (home.records, wal(home)) if path.exists()}
    fates: Counter[str] = Counter()
    for seed in seeds:
        for path, data in good.items():
            path.write_bytes(data)
        kind = damaged(random.Random(seed), home.path / name)
        fates[f"{name} {kind}: {fate(home, pack, allowed)}"] += 1
    return fates


def fates_in_database_and_log(seeds: range, home: Home, pack: Pack, later: Path) -> Counter[str]:
    before = content(home.records)
    fates = outcomes_of(seeds, home, pack, [before], "records.duckdb")
    shutil.rmtree(home.path)
    home.make()
    fed(home, pack, sorted((STATES / "v1").glob("*.csv")))
    without = content(home.records)
    with_a_log(home, pack, later)
    whole = Home(Path(shutil.copytree(home.path, home.path.with_name("whole"))))
    # a log cut short is the state before the file, which the next run takes in again
    return fates + outcomes_of(seeds, home, pack, [without, content(whole.records)], "records.duckdb.wal")


def test_damaged_bytes_are_found_or_change_no_number(home: Home, pack: Pack, write_csv: Callable[..., Path]) -> None:
    fates = fates_in_database_and_log(range(5), home, pack, write_csv([{"report_id": f"new{i}"} for i in range(20)]))
    assert sum(fates.values()) == 10
    assert sum(count for name, count in fates.items() if "found" in name) >= 3, fates


@pytest.mark.slow
def test_four_hundred_damages_are_found_or_change_no_number(
    home: Home, pack: Pack, write_csv: Callable[..., Path]
) -> None:
    later = write_csv([{"report_id": f"new{i}"} for i in range(20)])
    fates = fates_in_database_and_log(range(FIRST_SEED, FIRST_SEED + 200), home, pack, later)
    print(*(f"{count:4}  {name}" for name, count in sorted(fates.items())), sep="\n")
    assert sum(fates.values()) == 400


LOOKS = [
    ("explain", "K3"),
    ("quarantine", "list"),
    ("rules", "diff", "stored", "stored"),
    ("rules", "show"),
    ("query", "--db", "records", "SELECT * FROM reports"),
    ("report", "--week", "2026-W47"),
]


@pytest.mark.parametrize("words", LOOKS, ids=lambda words: words[0])
def test_every_look_at_a_file_that_was_cut_ends_with_5(
    words: tuple[str, ...], home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    data = home.records.read_bytes()
    home.records.write_bytes(data[: len(data) // 4])
    verbs = 2 if words[0] == "rules" else 1
    assert main([*words[:verbs], "--home", str(home.path), *words[verbs:]]) == 5
    err = capsys.readouterr().err
    assert str(home.records) in err
    assert "damaged" in err


def test_a_damaged_snapshot_is_published_anew(home: Home, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = home.summaries.read_bytes()
    home.summaries.unlink()
    home.summaries.write_bytes(data[: len(data) * 6 // 10])
    assert main(["query", "--home", str(home.path), "FROM weekly_triage"]) == 5
    assert "`calfwatch run` publishes it anew from the records" in capsys.readouterr().err
    assert main(["ingest", "--home", str(home.path), str(tmp_path)]) == 0
    assert main(["query", "--home", str(home.path), "FROM weekly_triage"]) == 0


def test_records_that_are_gone_are_not_begun_anew_silently(
    home: Home, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_backup(home, tmp_path / "good.duckdb", 0)
    home.records.unlink()
    for words in (("ingest", "*.nothing"), ("report",), ("status",), ("check",), ("backup", "b.duckdb")):
        assert main([words[0], "--home", str(home.path), *words[1:]]) == 5, words
        told = capsys.readouterr().err
        assert "records.duckdb is gone, but summaries.duckdb tells of what was stored" in told, words
        assert not home.records.exists()
    assert main(["restore", "--home", str(home.path), str(tmp_path / "good.duckdb")]) == 0
    assert main(["check", "--deep", "--home", str(home.path)]) == 0
