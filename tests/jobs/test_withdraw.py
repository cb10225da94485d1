"""A withdrawn file: the state is the one of a home to which it was never delivered."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.cli.app import main as command
from pipelines.errors import UsageError
from pipelines.intake.deliveries import Delivery
from pipelines.jobs import withdraw
from pipelines.jobs.ingest import Run, ingest_file
from pipelines.settings import Settings, Source
from pipelines.store import daily_counts, database
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from schemas.pack import Pack

SOURCES = (Source("north"), Source("south"))
SETTINGS = Settings(max_quarantined_share=1.0, sources=SOURCES, threads=1)
WORDS = ("yes", "no", "")
Files = list[tuple[Path, Source]]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory, pack: Pack) -> Path:
    home = Home(tmp_path_factory.mktemp("empty") / "home")
    home.make()
    with database.open_records(home, SETTINGS, pack):
        pass
    return home.path


class Fed:
    """A home into which files are delivered one by one, on one connection."""

    def __init__(self, path: Path, pack: Pack, connection: duckdb.DuckDBPyConnection) -> None:
        self.context = Run(Home(path), SETTINGS, pack)
        self.connection = connection

    def take(self, files: Files) -> list[Outcome]:
        return [ingest_file(self.connection, Delivery(*file), self.context) for file in files]

    def withdraw(self, file_id: str, source: str | None = None, csvs: Files | None = None) -> str:
        places = [Delivery(*file) for file in csvs or []]
        return withdraw.withdraw(self.connection, self.context, file_id, source, places)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything but the audit, times, and delivery numbers, of which a withdrawn file keeps one."""
        files = "file_id, source, status, reason, rows_read, rows_accepted, rows_quarantined, rows_duplicate"
        files += ", rows_out_of_scope, rows_superseded, first_report, last_report, rule_pack, clock"
        tables = {
            "files": f"SELECT {files} FROM files WHERE status <> 'withdrawn'",
            "quarantine": "SELECT * EXCLUDE (delivery_no) FROM quarantine",
            "reports": _by_file("reports", "first_delivery_no"),
            "superseded": _by_file("superseded", "first_delivery_no", "superseded_at"),
            "daily_arrivals": _by_file("daily_arrivals", "first_delivery_no"),
            "delivery_days": _by_file("delivery_days", "delivery_no"),
        }
        views = ("daily_summary", "daily_rules", "daily_fields", "calendar")
        views += ("weekly_triage", "weekly_causes", "weekly_quality")
        tables |= {name: f"FROM {name}" for name in views}
        return {name: self.rows(f"FROM ({sql}) ORDER BY ALL") for name, sql in tables.items()}


def _by_file(table: str, number: str, *left_out: str) -> str:
    """SQL for a table with a delivery's file in place of its number."""
    files = f"SELECT delivery_no AS {number}, file_id AS delivered_by FROM files"
    return f"SELECT * EXCLUDE ({', '.join((number, *left_out))}) FROM {table} LEFT JOIN ({files}) USING ({number})"


@pytest.fixture
def make(tmp_path: Path, empty: Path, pack: Pack) -> Iterator[Callable[[], Fed]]:
    opened = []

    def fresh() -> Fed:
        path = Path(shutil.copytree(empty, tmp_path / f"home-{len(opened)}"))
        opened.append(database.open_records(Home(path), SETTINGS, pack))
        return Fed(path, pack, opened[-1].__enter__())

    yield fresh
    for one in opened:
        one.__exit__(None, None, None)


def csv(folder: Path, name: str, rows: list[tuple[str, str]], day: int = 16) -> Path:
    path = folder / f"{name}.csv"
    lines = [f"{report_id},2026-11-{day:02}T10:00:00Z,north,{word},{word}\n" for report_id, word in rows]
    path.write_text("report_id,reported_at,region,redness,fever\n" + "".join(lines))
    return path


def drawn(draw: random.Random, folder: Path, count: int) -> Files:
    """Files of two senders about few reports with few answers: every kind of chain, repeat and conflict occurs."""
    files: Files = []
    for number in range(count):
        ids = draw.sample(range(6), draw.randint(1, 5)) + draw.choices(range(6), k=draw.choice((0, 0, 0, 1)))
        rows = [(f"r{i}", draw.choice((*WORDS, *WORDS, "maybe"))) for i in ids] + [(f"only-{number}", "no")]
        files.append((csv(folder, str(number), rows), draw.choice(SOURCES)))
    return files


def held_against_a_home_without(seed: int, folder: Path, make: Callable[[], Fed]) -> tuple[int, int]:
    """Takes one to three files of a random history back; returns how many records came back and were read again."""
    draw = random.Random(seed)
    files = drawn(draw, folder, draw.randint(2, 9))
    fed, without = make(), make()
    outcomes = fed.take(files)
    back = draw.sample(range(len(files)), min(len(files), draw.randint(1, 3)))
    for place in back:
        fed.withdraw(outcomes[place].file_id, files[place][1].name)
    without.take([file for place, file in enumerate(files) if place not in back])
    found, wanted = fed.content(), without.content()
    for name, rows in wanted.items():
        assert found[name] == rows, f"seed {seed}: {name}"
    texts = " ".join(row[0] for row in fed.rows("SELECT detail FROM audit"))
    back_in_use, read_again = (re.findall(rf"(\d+) {word}", texts) for word in ("others?", "later"))
    return sum(map(int, back_in_use)), sum(map(int, read_again))


def test_the_state_is_that_of_a_home_to_which_the_file_was_never_delivered(tmp_path: Path, make: Any) -> None:
    met = [held_against_a_home_without(seed, tmp_path, make) for seed in range(4)]
    assert sum(back for back, _ in met) > 1
    assert sum(again for _, again in met) > 1


@pytest.mark.slow
@pytest.mark.parametrize("start", range(100, 200, 25))
def test_a_hundred_histories_lose_a_file_without_a_trace(start: int, tmp_path: Path, make: Any) -> None:
    for seed in range(start, start + 25):
        held_against_a_home_without(seed, tmp_path, make)


def test_a_chain_closes_over_the_withdrawn_file(tmp_path: Path, make: Callable[[], Fed]) -> None:
    fed = make()
    words = ("yes", "no", "no", "yes", "no")  # the third repeats the second; the fourth and fifth go back and forth
    files = [(csv(tmp_path, str(i), [("r", word), (f"o{i}", word)]), SOURCES[0]) for i, word in enumerate(words)]
    outcomes = fed.take(files)
    assert [outcome.rows_superseded for outcome in outcomes] == [0, 1, 0, 1, 1]
    fed.withdraw(outcomes[1].file_id[:10])
    counts = "SELECT rows_accepted, rows_duplicate, rows_superseded FROM files ORDER BY delivery_no"
    assert fed.rows(counts) == [(2, 0, 0), (0, 0, 0), (2, 0, 1), (2, 0, 1), (2, 0, 1)]
    fed.withdraw(outcomes[3].file_id[:10])
    assert fed.rows(counts) == [(2, 0, 0), (0, 0, 0), (2, 0, 1), (0, 0, 0), (1, 1, 0)]
    assert fed.rows("SELECT file_id FROM reports WHERE report_id = 'r'") == [(outcomes[2].file_id,)]


def test_the_daily_counts_are_those_of_a_rebuild_and_the_deed_is_audited(tmp_path: Path, make: Any) -> None:
    fed = make()
    one, _ = fed.take([(csv(tmp_path, n, [("r", w)]), SOURCES[0]) for n, w in (("a", "yes"), ("b", "no"))])
    text = fed.withdraw(one.file_id)
    before = fed.content()
    daily_counts.rebuild(fed.connection, SETTINGS, fed.context.pack)
    assert fed.content() == before
    assert fed.rows("SELECT action, subject, detail FROM audit") == [
        ("withdraw", one.file_id, f"{text}; 0 later files read again")
    ]


def test_a_withdrawn_file_stays_out_until_that_is_undone(tmp_path: Path, make: Callable[[], Fed]) -> None:
    fed = make()
    file = (csv(tmp_path, "a", [("r", "yes")]), SOURCES[0])
    (first,) = fed.take([file])
    fed.withdraw(first.file_id)
    (again,) = fed.take([file])
    assert (again.status, "withdrawn" in (again.reason or "")) == ("known", True)
    assert fed.rows("SELECT count(*) FROM records") == [(0,)]
    assert "withdrawn before" in fed.withdraw(first.file_id)
    withdraw.undo(fed.connection, first.file_id, None)
    with pytest.raises(UsageError, match="is not withdrawn"):
        withdraw.undo(fed.connection, first.file_id, None)
    assert [outcome.status for outcome in fed.take([file])] == ["accepted"]
    assert fed.rows("SELECT status, rows_accepted FROM files") == [("accepted", 1)]


def test_a_file_that_must_be_read_again_and_is_gone_stops_it_and_nothing_is_changed(tmp_path: Path, make: Any) -> None:
    fed = make()
    files = [(csv(tmp_path, n, [("r", "yes"), (n, "no")]), SOURCES[0]) for n in ("first", "later")]
    first, _ = fed.take(files)
    before = fed.content()
    moved = tmp_path / "archive" / "other name.csv"
    moved.parent.mkdir()
    files[1][0].rename(moved)
    with pytest.raises(UsageError, match=r"1 of 1 later files .* not where they were: .*later\.csv\n.*--csv"):
        fed.withdraw(first.file_id)
    assert fed.content() == before
    fed.withdraw(first.file_id, csvs=[(moved, SOURCES[0])])
    assert fed.rows("SELECT report_id FROM reports ORDER BY 1") == [("later",), ("r",)]


def test_a_file_that_reads_otherwise_now_stops_it(tmp_path: Path, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fed = make()
    first, _ = fed.take([(csv(tmp_path, n, [("r", "yes"), (n, "no")]), SOURCES[0]) for n in ("first", "later")])
    before = fed.content()
    fed.connection.execute("UPDATE files SET last_report = last_report + INTERVAL 1 HOUR WHERE delivery_no = 2")
    with pytest.raises(UsageError, match="reads differently than when it was taken in"):
        fed.withdraw(first.file_id)
    assert fed.content()["reports"] == before["reports"]


def test_which_file_is_meant_must_be_plain(tmp_path: Path, make: Callable[[], Fed]) -> None:
    fed = make()
    path = csv(tmp_path, "a", [("r", "yes")])
    bad = tmp_path / "bad.csv"
    bad.write_text("a,b\n1,2\n")
    one, *_ = fed.take([(path, SOURCES[0]), (path, SOURCES[1]), (bad, SOURCES[0])])
    for file_id, source, message in (
        (one.file_id, None, "begins 2 ids"),
        ("", None, "no file of the ledger"),
        ("zzz", None, "no file of the ledger"),
    ):
        with pytest.raises(UsageError, match=message):
            fed.withdraw(file_id, source)
    fed.withdraw(one.file_id, "south")
    assert fed.rows("SELECT source FROM reports") == [("north",)]


def test_a_rejected_file_that_is_withdrawn_is_waited_for_no_more(tmp_path: Path, make: Callable[[], Fed]) -> None:
    fed = make()
    bad, gone = tmp_path / "bad.csv", tmp_path / "gone.csv"
    bad.write_text("a,b\n1,2\n")
    rejected, unread = fed.take([(bad, SOURCES[0]), (gone, SOURCES[0])])
    assert (rejected.status, unread.status) == ("rejected", "rejected")
    for outcome in (rejected, unread):
        assert "nothing of it is stored" in fed.withdraw(outcome.file_id)
    assert fed.rows("SELECT file_id, status FROM files") == [(rejected.file_id, "withdrawn")]
    assert fed.rows("SELECT subject FROM audit") == [(rejected.file_id,), (unread.file_id,)]
    database.check_counts(fed.connection)
    (again,) = fed.take([(bad, SOURCES[0])])
    assert (again.status, "withdrawn" in (again.reason or "")) == ("known", True)
    assert fed.take([(gone, SOURCES[0])])[0].status == "rejected", "a file without content is told every time"
    withdraw.undo(fed.connection, rejected.file_id, None)
    assert fed.take([(bad, SOURCES[0])])[0].status == "rejected"


def test_the_command_gives_a_pack_s_own_numbers_and_choices_back_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "wrist"
    home.mkdir()
    shutil.copy(Path(__file__).parents[1] / "packs" / "wrist_pain.toml", home / "wrist.toml")
    (home / "calfwatch.toml").write_text('rule_pack = "wrist.toml"\n')
    header = "report_id,reported_at,numb_fingers,side,grip_kg\n"
    rows = ["a,2026-11-16,yes,both,4\n", "b,2026-11-16,,,\n", "c,2026-11-16,no,left,90\n"]
    for name, cells in (("1", rows), ("2", ["a,2026-11-16,no,right,5\n", *rows[1:], "b2,2026-11-16,,left,\n"])):
        (tmp_path / f"{name}.csv").write_text(header + "".join(cells))
    shown = "SELECT * EXCLUDE (first_delivery_no) FROM reports ORDER BY report_id"  # a file sent again has a new one

    def ran(*words: str) -> str:
        assert command([words[0], "--home", str(home), *words[1:]]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    ran("ingest", str(tmp_path / "1.csv"))
    first = ran("query", "--db", "records", "--format", "json", shown)
    ran("ingest", str(tmp_path / "2.csv"))
    second = ran("query", "--db", "records", "--format", "json", shown)
    ids = [row["file_id"] for row in json.loads(second) if row["report_id"] in ("c", "b2")]
    assert "2 records taken back, 1 other in use in their place" in ran("withdraw", ids[0])
    assert ran("query", "--db", "records", "--format", "json", shown) == first
    assert "undone" in ran("withdraw", "--undo", ids[0])
    ran("ingest", str(tmp_path / "2.csv"))
    assert ran("query", "--db", "records", "--format", "json", shown) == second
    assert ran("check", "--deep").count("ok  ") == 11
