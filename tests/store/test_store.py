"""One file, one transaction: the ledger, duplicates, corrections, conflicts; the lock, the state, the snapshot."""

from __future__ import annotations

import contextlib
import errno
import gzip
import os
import random
import shutil
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import files
from pipelines.cli.app import main
from pipelines.errors import LockedError, StateError, UsageError
from pipelines.intake import buffer, lines, screening
from pipelines.intake.deliveries import Delivery, find_deliveries
from pipelines.intake.reader import PrefetchingReader
from pipelines.jobs import group as group_module
from pipelines.jobs import publish as publish_job
from pipelines.jobs.ingest import Run, ingest_file
from pipelines.settings import Settings, Source
from pipelines.store import database, load
from pipelines.store.attachment import private_database
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from schemas.checked_file import CheckedBlock
from schemas.fields import AGE_BANDS
from schemas.pack import Pack
from schemas.tables import SCHEMA_VERSION, list_published_tables, list_stored_tables, list_stored_views
from tests.conftest import opened
from tests.intake.test_lines import as_nobody, open_folder, zstandard

Ask = Callable[..., list[tuple[Any, ...]]]
Ingest = Callable[..., list[Outcome]]
Write = Callable[..., Path]
Row = Mapping[str, str]

MILD = {"pain_score": "3", "duration_days": "1"}  # with every symptom `no`: self_care
ALL = Settings(max_quarantined_share=1.0)


def mild(count: int, **cells: str) -> list[dict[str, str]]:
    return [{"report_id": f"r{i}", **MILD, **cells} for i in range(count)]


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory: pytest.TempPathFactory, pack: Pack) -> Home:
    """A home with its tables, made once: a copy of it costs a tenth of making one."""
    home = Home(tmp_path_factory.mktemp("empty") / "home")
    home.make()
    with home.lock(0), database.open_records(home, Settings(), pack):
        pass
    return home


@pytest.fixture
def home(tmp_path: Path, empty_home: Home) -> Home:
    return Home(Path(shutil.copytree(empty_home.path, tmp_path / "home")))


@pytest.fixture
def ingest(home: Home, pack: Pack) -> Ingest:
    """Ingests paths in one batch; one outcome a file. The summaries are not published."""

    def call(
        *paths: Path, source: str | None = None, settings: Settings | None = None, in_order: bool = False
    ) -> list[Outcome]:
        used = settings or Settings()
        deliveries = find_deliveries([str(path) for path in paths], used, source, in_order=in_order)
        with home.lock(5), database.open_records(home, used, pack) as connection:
            return [ingest_file(connection, delivery, Run(home, used, pack)) for delivery in deliveries]

    return call


def publish(home: Home, pack: Pack) -> None:
    with home.lock(5), database.open_records(home, Settings(), pack) as connection:
        publish_job.publish(connection, home, Settings())


def parts(outcome: Outcome) -> tuple[int, int, int, int, int]:
    """Read; accepted, quarantined, duplicate; superseded."""
    rows = outcome.rows_read, outcome.rows_accepted, outcome.rows_quarantined
    return (*rows, outcome.rows_duplicate, outcome.rows_superseded)


def sexes(ask: Ask) -> dict[str, str]:
    return dict(ask("SELECT report_id, sex FROM reports"))


# --- content seen before -----------------------------------------------


def test_a_clean_file_is_stored_row_for_row(write_csv: Write, ingest: Ingest, ask: Ask) -> None:
    (outcome,) = ingest(write_csv(mild(5)))
    assert (outcome.status, outcome.rows_read, outcome.rows_accepted) == ("accepted", 5, 5)
    assert ask("SELECT report_id, line_number, triage_level FROM reports ORDER BY 1") == [
        (f"r{i}", i + 2, "self_care") for i in range(5)
    ]


def test_the_same_content_changes_nothing_under_any_name_or_packing(
    write_csv: Write, ingest: Ingest, ask: Ask, tmp_path: Path
) -> None:
    path = write_csv([*mild(20), *mild(1, sex="male")])
    (first,) = ingest(path)
    before = ask("FROM files"), ask("FROM records ORDER BY ALL"), ask("FROM quarantine"), ask("FROM daily_summary")
    copies = [
        path,
        tmp_path / "renamed.csv",
        tmp_path / "sub" / path.name,
        tmp_path / "a.csv.gz",
        tmp_path / "b.csv.zst",
    ]
    copies[2].parent.mkdir()
    for copy in copies[1:3]:
        shutil.copy(path, copy)
    copies[3].write_bytes(gzip.compress(path.read_bytes()))
    copies[4].write_bytes(zstandard(path.read_bytes()))
    outcomes = ingest(*copies)
    assert [(outcome.status, outcome.file_id) for outcome in outcomes] == [("known", first.file_id)] * 5
    after = ask("FROM files"), ask("FROM records ORDER BY ALL"), ask("FROM quarantine"), ask("FROM daily_summary")
    assert after == before


def test_the_same_content_of_another_source_is_that_source_s(write_csv: Write, ingest: Ingest, ask: Ask) -> None:
    path = write_csv([*mild(4), {"report_id": "bad", "sex": "x"}])
    settings = Settings(sources=(Source("north"), Source("south")))
    outcomes = [ingest(path, source=name, settings=settings)[0] for name in ("north", "south", "north")]
    assert [outcome.status for outcome in outcomes] == ["accepted", "accepted", "known"]
    assert ask("SELECT source, count(*) FROM reports GROUP BY 1 ORDER BY 1") == [("north", 4), ("south", 4)]
    assert ask("SELECT count(*) FROM superseded") == [(0,)]
    measures = (
        "SELECT source, measure, value FROM weekly_quality WHERE measure IN ('rows_quarantined', 'quarantine_reason')"
    )
    assert ask(f"{measures} ORDER BY ALL") == [
        (name, measure, 1.0) for name in ("north", "south") for measure in ("quarantine_reason", "rows_quarantined")
    ]


def test_content_that_was_accepted_stays_known_when_a_limit_becomes_stricter(
    write_csv: Write, ingest: Ingest, ask: Ask, tmp_path: Path
) -> None:
    path = write_csv([*mild(1), {"report_id": "bad", "sex": "x"}])
    ingest(path, settings=ALL)
    renamed = Path(shutil.copy(path, tmp_path / "renamed.csv"))
    assert [outcome.status for outcome in ingest(path, renamed)] == ["known", "known"]
    assert ask("SELECT status FROM files") == [("accepted",)]


# --- a record delivered again ------------------------------------------


def test_a_correction_replaces_the_record_and_the_old_one_keeps_its_old_tags(
    write_csv: Write, ingest: Ingest, ask: Ask
) -> None:
    ingest(write_csv(mild(3)))
    (outcome,) = ingest(write_csv([{"report_id": "r1", **MILD, "cannot_bear_weight": "yes"}], name="later.csv"))
    assert parts(outcome) == (1, 1, 0, 0, 1)
    assert ask("SELECT report_id, triage_level FROM reports ORDER BY 1") == [
        ("r0", "self_care"),
        ("r1", "emergency"),
        ("r2", "self_care"),
    ]
    old = "SELECT report_id, triage_level, cannot_bear_weight, line_number, superseded_by FROM superseded"
    assert ask(old) == [("r1", "self_care", False, 3, outcome.file_id)]
    assert ask("SELECT triage_level, sum(reports) FROM daily_summary GROUP BY 1 ORDER BY 1") == [
        ("emergency", 1),
        ("self_care", 2),
    ]


def test_a_cumulative_export_counts_what_it_repeats_as_duplicates(write_csv: Write, ingest: Ingest, ask: Ask) -> None:
    ingest(write_csv(mild(5)))
    rows = mild(8)
    rows[2]["sex"] = "female"
    (outcome,) = ingest(write_csv(rows, name="later.csv"))
    assert parts(outcome) == (8, 4, 0, 4, 1)
    assert ask("SELECT count(*) FROM reports") == [(8,)]


def test_a_row_is_a_duplicate_when_it_says_the_same_in_other_words(write_csv: Write, ingest: Ingest) -> None:
    said = {"report_id": "r", "reported_at": "2026-11-16T10:00:00Z", "pain_score": "7", "redness": "yes", "fever": ""}
    others = [
        {"redness": "YES"},
        {"redness": "1", "fever": "NA"},
        {"fever": "unknown", "pain_score": "07"},
        {"reported_at": "2026-11-16 11:00+01"},
        {"reported_at": "2026-11-16T10:00:00.000Z"},
        {"reported_at": "2026-11-16T10:00"},
        {"region": "unknown", "age_band": "None"},
    ]
    alone = [write_csv([said | other], name=f"{place}.csv") for place, other in enumerate(others)]
    together = write_csv([said | other for other in [{}, *others]], name="together.csv")
    first, *outcomes, last = ingest(write_csv([said]), *alone, together)
    assert parts(first) == (1, 1, 0, 0, 0)
    assert [parts(outcome) for outcome in outcomes] == [(1, 0, 0, 1, 0)] * len(others)
    assert parts(last) == (8, 0, 0, 8, 0)


def test_any_difference_makes_a_correction(write_csv: Write, ingest: Ingest, ask: Ask) -> None:
    said = {"pain_score": "7", "redness": "yes", "fever": ""}
    others = [
        {"redness": "no"},
        {"fever": "no"},
        {"sex": "unknown"},
        {"age_band": "75+"},
        {"region": "north"},
        {"pain_score": ""},
        {"duration_days": "0"},
        {"reported_at": "2026-11-16T10:00:01Z"},
    ]
    ingest(write_csv([{"report_id": f"r{place}", **said} for place, _ in enumerate(others)]))
    rows = [{"report_id": f"r{place}", **said, **other} for place, other in enumerate(others)]
    (outcome,) = ingest(write_csv(rows, name="later.csv"))
    assert parts(outcome) == (8, 8, 0, 0, 8)
    assert ask("SELECT count(*), count(DISTINCT report_id) FROM superseded") == [(8, 8)]


@pytest.mark.parametrize("in_order", [False, True])
def test_the_later_delivery_wins_by_its_path_or_in_the_order_of_the_arguments(
    in_order: bool, write_csv: Write, ingest: Ingest, ask: Ask
) -> None:
    male, female, other = (write_csv(mild(1, sex=sex), name=f"{sex}.csv") for sex in ("male", "female", "other"))
    os.utime(other, (1, 1))
    ingest(other, male, female, in_order=in_order)
    order = (other, male, female) if in_order else (female, male, other)
    assert sexes(ask) == {"r0": order[-1].stem}
    assert ask("SELECT path, delivery_no, rows_superseded FROM files ORDER BY delivery_no") == [
        (str(path), place, min(place - 1, 1)) for place, path in enumerate(order, start=1)
    ]


def test_a_quarantined_row_leaves_the_stored_record_as_it_is(write_csv: Write, ingest: Ingest, ask: Ask) -> None:
    ingest(write_csv(mild(5, sex="male")))
    rows = mild(5, sex="male")
    rows[3] |= {"sex": "x", "redness": "yes"}
    (outcome,) = ingest(write_csv(rows, name="later.csv"))
    assert parts(outcome) == (5, 0, 1, 4, 0)
    assert sexes(ask)["r3"] == "male"


# --- inside one file ---------------------------------------------------


def test_identical_rows_are_duplicates_and_differing_ones_are_all_set_aside(
    write_csv: Write, ingest: Ingest, ask: Ask
) -> None:
    rows = [
        *({"report_id": "same", "sex": "male", "redness": word} for word in ("yes", "YES", "1")),
        *({"report_id": "differs", "sex": sex} for sex in ("male", "male", "female")),
        *({"report_id": "bad", "sex": "x"} for _ in range(2)),
        *({"report_id": "half bad", "sex": "male"} for _ in range(2)),
        {"report_id": "one-bad", "sex": "male"},
        {"report_id": "one-bad", "sex": "x"},
        {"report_id": "good", "sex": "male"},
    ]
    (outcome,) = ingest(write_csv(rows), settings=ALL)
    assert parts(outcome) == (13, 2, 7, 4, 0)
    assert sorted(sexes(ask)) == ["good", "same"]
    assert ask("SELECT line_number, report_id, column_name, check_name, value FROM quarantine ORDER BY ALL") == [
        *((line, "differs", "report_id", "conflict", "differs") for line in (5, 6, 7)),
        (8, "bad", "sex", "allowed_values", "x"),
        (10, "half bad", "report_id", "pattern", "half bad"),
        (12, "one-bad", "report_id", "conflict", "one-bad"),
        (13, "one-bad", "report_id", "conflict", "one-bad"),
        (13, "one-bad", "sex", "allowed_values", "x"),
    ]


def test_rows_in_conflict_leave_the_stored_record_as_it_is(write_csv: Write, ingest: Ingest, ask: Ask) -> None:
    ingest(write_csv(mild(1, sex="male")))
    rows = [*mild(1, sex="female"), *mild(1, sex="other"), {"report_id": "new", **MILD}]
    (outcome,) = ingest(write_csv(rows, name="later.csv"), settings=ALL)
    assert parts(outcome) == (3, 1, 2, 0, 0)
    assert sexes(ask) == {"r0": "male", "new": None}


def test_rows_without_an_id_are_set_aside_one_by_one(write_csv: Write, ingest: Ingest, ask: Ask) -> None:
    (outcome,) = ingest(write_csv([{"report_id": ""}] * 3 + mild(1)), settings=ALL)
    assert parts(outcome) == (4, 1, 3, 0, 0)
    assert ask("SELECT DISTINCT check_name, value, report_id FROM quarantine") == [("required", None, None)]


def test_a_quarantined_line_is_kept_as_it_was_delivered(write_csv: Write, ingest: Ingest, ask: Ask) -> None:
    path = write_csv(mild(8), header=["report_id", "reported_at", "redness"])
    path.write_bytes(path.read_bytes() + b'x,"\xff' + b"y" * 5000 + b"\n")
    ingest(path)
    ((line, text),) = ask("SELECT line_number, raw_line FROM quarantine")
    assert (line, text[:9], len(text)) == (10, 'x,"\\xffyy', 4096)


def test_blocks_and_what_is_held_in_memory_change_nothing(
    write_csv: Write, home: Home, pack: Pack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = mild(150, sex="male")
    for place in range(0, 150, 17):
        rows[place]["sex"] = "x"
    rows[10]["report_id"], rows[20]["report_id"], rows[140]["report_id"] = "r11", "r21", "r30"
    rows[20]["sex"], rows[140]["sex"] = "female", "other"
    delivery = Delivery(write_csv(rows), Source("canonical"))
    found = []
    for name, block_bytes, held_bytes in (("whole", 8 << 20, 320 << 20), ("pieces", 1000, 0), ("some", 999, 9_000)):
        monkeypatch.setattr(lines, "BLOCK_BYTES", block_bytes)
        monkeypatch.setattr(buffer, "MEMORY_BYTES", held_bytes)
        fresh = Home(tmp_path / name)
        fresh.make()
        with fresh.lock(1), database.open_records(fresh, Settings(), pack) as connection:
            outcome = ingest_file(connection, delivery, Run(fresh, Settings(), pack))
            tables = [connection.execute(f"FROM {t} ORDER BY ALL").fetchall() for t in ("reports", "quarantine")]
        found.append((outcome, tables))
    assert found[1] == found[0]
    assert found[2] == found[0]
    assert parts(found[0][0]) == (150, 136, 13, 1, 0)


def test_one_row_two_hundred_thousand_times_is_one_record(tmp_path: Path, ingest: Ingest) -> None:
    path = tmp_path / "same.csv"
    path.write_text("report_id,reported_at,fever\n" + "r,2026-11-16,yes\n" * 200_000)
    (outcome,) = ingest(path)
    assert (outcome.rows_accepted, outcome.rows_duplicate) == (1, 199_999)


def test_a_file_that_needs_too_much_memory_stops_no_other(
    tmp_path: Path, ingest: Ingest, write_csv: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"{i:064},2026-11-16,yes\n" for i in range(60_000)) * 2
    path = tmp_path / "large.csv"
    path.write_text("report_id,reported_at,fever\n" + rows)
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.intake.layouts.adapters.SCRATCH_MEMORY", "1MB")
        large, other = ingest(path, write_csv(mild(1)))
    assert (large.status, other.status) == ("rejected", "accepted")
    assert "needs more memory" in (large.reason or "")
    assert [outcome.status for outcome in ingest(path)] == ["accepted"]


def test_too_little_memory_to_open_the_records_is_no_damage(home: Home, write_csv: Write, ingest: Ingest) -> None:
    with pytest.raises(UsageError, match="memory_limit"):
        ingest(write_csv(mild(3)), settings=Settings(memory_limit="1MB"))
    assert ingest(write_csv(mild(3)))[0].status == "accepted"


def test_a_statement_that_fails_inside_a_transaction_is_told_as_what_it_was(
    write_csv: Write, home: Home, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C and too little memory are met as such failures: what is undone behind one must not hide it."""
    monkeypatch.setattr(load, "_step_sql", lambda *_, **__: "SELECT error($source)")
    with database.writing(home, Settings(), pack, 5) as connection:
        delivery = Delivery(write_csv(mild(3)), Source("canonical"))
        with pytest.raises(duckdb.InvalidInputException, match="canonical"):
            ingest_file(connection, delivery, Run(home, Settings(), pack))
        order = connection.execute("SELECT current_setting('preserve_insertion_order')").fetchall()
    assert order == [(True,)]


def test_a_file_may_have_more_bad_lines_than_fit_a_row_group(tmp_path: Path, ingest: Ingest, ask: Ask) -> None:
    path = tmp_path / "long.csv"
    path.write_text("report_id,reported_at,redness\n" + "x\n" * 122_880)
    (outcome,) = ingest(path, settings=ALL)
    assert parts(outcome) == (122_880, 0, 122_880, 0, 0)
    assert ask("SELECT count(*), min(line_number), max(line_number) FROM quarantine") == [(122_880, 2, 122_881)]


# --- accounts ----------------------------------------------------------

BALANCE = """SELECT path FROM files WHERE status = 'accepted'
  AND rows_accepted + rows_quarantined + rows_duplicate + rows_out_of_scope <> rows_read"""


class Model:
    """What the store should hold, kept with plain dictionaries: one entry a source and id."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, str], str] = {}
        self.old: Counter[tuple[str, str, str]] = Counter()
        self.seen: set[tuple[str, str]] = set()

    def deliver(self, source: str, rows: Sequence[tuple[str, str]]) -> tuple[int, int, int, int, int] | None:
        """The expected parts of the file's outcome; None where its content is known."""
        if (source, str(rows)) in self.seen:
            return None
        self.seen.add((source, str(rows)))
        words: dict[str, list[str]] = {}
        for report_id, word in rows:
            words.setdefault(report_id, []).append(word)
        accepted = quarantined = duplicate = superseded = 0
        for report_id, said in words.items():
            meanings = {MEANING.get(word, word) for word in said}
            if len(meanings) > 1:
                quarantined += len(said)
                continue
            duplicate += len(said) - 1
            (meaning,) = meanings
            before = self.stored.get((source, report_id))
            if meaning not in MEANING.values():
                quarantined += 1
            elif meaning == before:
                duplicate += 1
            else:
                accepted += 1
                self.stored[source, report_id] = meaning
                if before is not None:
                    superseded += 1
                    self.old[source, report_id, before] += 1
        return len(rows), accepted, quarantined, duplicate, superseded


MEANING = {"yes": "true", "Y": "true", "1": "true", "no": "false", "0": "false", "": "unknown", "NA": "unknown"}


def deliveries_like_the_model_s(
    seed: int, steps: int, write_csv: Write, ingest: Ingest, ask: Ask, settings: Settings
) -> None:
    draw, model = random.Random(seed), Model()
    contents: list[list[tuple[str, str]]] = []
    for step in range(steps):
        words = draw.choices([*MEANING, "maybe"], k=2)  # few words in a file, so that rows often agree
        rows = [(f"r{draw.randrange(6)}", draw.choice(words)) for _ in range(draw.randint(1, 8))]
        rows = draw.choice(contents) if contents and draw.random() < 0.2 else rows
        contents.append(rows)
        source = draw.choice(["north", "south"])
        path = write_csv([{"report_id": name, "redness": word} for name, word in rows], name=f"{step}.csv")
        expected = model.deliver(source, rows)
        (outcome,) = ingest(path, source=source, settings=settings)
        assert (None if outcome.status == "known" else parts(outcome)) == expected, (seed, step, rows)
    said = "CASE WHEN redness THEN 'true' WHEN NOT redness THEN 'false' ELSE 'unknown' END"
    assert {(s, i): word for s, i, word in ask(f"SELECT source, report_id, {said} FROM reports")} == model.stored
    old = ask(f"SELECT source, report_id, {said} FROM superseded")
    assert Counter(old) == model.old
    assert ask(BALANCE) == []
    counted = Counter(source for source, _ in model.stored)
    assert dict(ask("SELECT source, sum(reports) FROM daily_summary GROUP BY 1")) == counted


SENDERS = Settings(max_quarantined_share=1.0, sources=(Source("north"), Source("south")))


def test_any_sequence_of_deliveries_leaves_what_a_dictionary_would_hold(
    write_csv: Write, ingest: Ingest, ask: Ask
) -> None:
    deliveries_like_the_model_s(1, 12, write_csv, ingest, ask, SENDERS)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_any_long_sequence_of_deliveries_leaves_what_a_dictionary_would_hold(
    seed: int, write_csv: Write, ingest: Ingest, ask: Ask
) -> None:
    deliveries_like_the_model_s(seed, 40, write_csv, ingest, ask, SENDERS)


# --- too many bad rows -------------------------------------------------


def with_bad(rows: int, bad: int) -> list[dict[str, str]]:
    return [row | ({"sex": "x"} if place < bad else {}) for place, row in enumerate(mild(rows))]


@pytest.mark.parametrize(
    ("limit", "rows", "bad", "status"),
    [
        (0.2, 20, 4, "accepted"),
        (0.2, 20, 5, "rejected"),
        (0.0, 5, 0, "accepted"),
        (0.0, 5, 1, "rejected"),
        (1.0, 5, 5, "accepted"),
        (0.29, 100, 29, "accepted"),
    ],
)
def test_a_file_may_have_exactly_the_largest_share_of_bad_rows(
    limit: float, rows: int, bad: int, status: str, write_csv: Write, ingest: Ingest, ask: Ask
) -> None:
    (outcome,) = ingest(write_csv(with_bad(rows, bad)), settings=Settings(max_quarantined_share=limit))
    assert outcome.status == status
    stored = rows - bad if status == "accepted" else 0
    assert ask("SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM files)") == [(stored, 1)]


def test_a_rejection_says_how_many_and_names_the_commonest_reasons(write_csv: Write, ingest: Ingest, ask: Ask) -> None:
    (outcome,) = ingest(write_csv([row | {"region": "a b"} for row in with_bad(10, 3)]))
    assert outcome.reason == (
        "10 of 10 rows are bad (100%; at most 20% are allowed): "
        "region: pattern (10, first in line 2; allowed: 1-32 of A-Z a-z 0-9 _ -), "
        "sex: allowed_values (3, first in line 2; allowed: female male other unknown)"
    )
    assert ask("SELECT count(*) FROM quarantine") == [(0,)]


def test_a_row_that_is_bad_and_in_conflict_is_one_bad_row(write_csv: Write, ingest: Ingest) -> None:
    rows = mild(10)
    rows[0] |= {"report_id": "r1", "sex": "x"}
    rows[1] |= {"sex": "y"}
    assert ingest(write_csv(rows))[0].status == "accepted"


def test_a_rejected_file_is_tried_again_when_it_could_fare_otherwise_and_only_then(
    write_csv: Write, ingest: Ingest, ask: Ask, home: Home
) -> None:
    path = write_csv(with_bad(4, 2))
    ledger = "SELECT status, delivery_no, run_id FROM files"
    assert ingest(path)[0].status == "rejected"
    first = ask(ledger)
    assert ingest(path)[0].status == "rejected"
    assert ingest(path, settings=Settings(threads=1))[0].status == "rejected"
    assert ask(ledger) == first
    assert ingest(path, settings=Settings(max_quarantined_share=0.4))[0].status == "rejected"
    assert ask(ledger) != first
    assert ingest(path, settings=Settings(max_quarantined_share=0.5))[0].status == "accepted"
    assert [row[0] for row in ask(ledger)] == ["accepted"]
    assert ingest(path)[0].status == "known"


# --- a file that changes while it is read ------------------------------


def changing(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """Lets a change happen once, after a file was judged and before it is stored."""
    real = group_module._store
    pending = [change]

    def store_changed(*arguments: Any) -> Outcome:
        while pending:
            pending.pop()()
        return real(*arguments)

    monkeypatch.setattr(group_module, "_store", store_changed)


@pytest.mark.parametrize("end", [KeyboardInterrupt, partial(OSError, errno.EIO, "the spool cannot be read")])
def test_what_ends_the_reading_of_judged_rows_is_raised_as_itself_and_leaves_nothing(
    home: Home, pack: Pack, write_csv: Write, monkeypatch: pytest.MonkeyPatch, end: Callable[[], BaseException]
) -> None:
    whole = buffer.BufferedBlocks.__iter__
    begun: list[None] = []

    def cut_short(self: buffer.BufferedBlocks) -> Iterator[CheckedBlock]:
        yield next(whole(self))
        begun.append(None)
        raise end()

    path, other = write_csv(mild(5)), write_csv([{"report_id": "other"}], name="other.csv")
    with home.lock(0), database.open_records(home, Settings(), pack) as connection:

        def take(one: Path) -> Outcome:
            return ingest_file(connection, Delivery(one, Source("canonical")), Run(home, Settings(), pack))

        with monkeypatch.context() as patch:
            patch.setattr(buffer.BufferedBlocks, "__iter__", cut_short)
            with pytest.raises(type(end())):
                take(path)
        assert begun
        assert connection.execute("SELECT count(*) FROM records").fetchall() == [(0,)]
        assert connection.execute("SELECT current_setting('preserve_insertion_order')").fetchall() == [(True,)]
        assert [take(path).rows_accepted, take(other).rows_accepted] == [5, 1]


def test_a_file_replaced_while_it_is_read_is_rejected_and_the_new_one_taken_next_time(
    write_csv: Write, ingest: Ingest, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_csv(with_bad(10, 1))
    changing(monkeypatch, lambda: os.replace(write_csv(mild(3), name="new.csv"), path))
    (outcome,) = ingest(path)
    assert (outcome.status, "changed while it was read" in (outcome.reason or "")) == ("rejected", True)
    assert ask("SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM quarantine)") == [(0, 0)]
    assert ingest(path)[0].status == "accepted"
    assert ask("SELECT count(*) FROM records") == [(3,)]


@pytest.mark.parametrize("change", ["touched", "put back"])
def test_a_file_that_changed_is_tried_again_even_with_the_same_content(
    change: str, write_csv: Write, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_csv(mild(3))
    content = path.read_bytes()
    if change == "touched":
        changing(monkeypatch, lambda: os.utime(path, (1, 1)))
    else:
        changing(monkeypatch, lambda: path.write_bytes(b"gone"))
    assert ingest(path)[0].status == "rejected"
    path.write_bytes(content)
    assert ingest(path)[0].status == "accepted"


@pytest.mark.parametrize("change", ["finished", "replaced"])
def test_a_file_rejected_half_written_is_tried_again_when_it_is_whole(
    change: str, write_csv: Write, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was checked is then no longer what lies there."""
    path = write_csv(with_bad(10, 5))
    whole = write_csv([*with_bad(10, 5), *({"report_id": f"late{number}"} for number in range(90))], name="new.csv")
    real = screening._check_share

    def written_meanwhile(*arguments: Any) -> None:
        path.write_bytes(whole.read_bytes()) if change == "finished" else os.replace(whole, path)
        real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(screening, "_check_share", written_meanwhile)
        assert "changed while it was read" in (ingest(path)[0].reason or "")
    assert (ingest(path)[0].status, ingest(path)[0].status) == ("accepted", "known")


def test_content_is_not_rejected_for_what_another_file_held_in_its_place(
    write_csv: Write, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The content is hashed first, and may be another when it is checked."""
    path = write_csv(mild(1))
    ingest(path)
    good = write_csv(mild(3)).read_bytes()
    path.write_bytes(good)
    real = PrefetchingReader._read

    def read_later(self: PrefetchingReader) -> None:
        self._identify()
        os.replace(write_csv([{"report_id": "r", "fever": "jane@example.org"}], name="new.csv"), path)
        real(self)

    with monkeypatch.context() as patch:
        patch.setattr(PrefetchingReader, "_read", read_later)
        assert ingest(path)[0].status == "rejected"
    path.write_bytes(good)
    assert ingest(path)[0].status == "accepted"


def test_a_run_that_breaks_off_inside_a_file_leaves_nothing_of_it(
    write_csv: Write, ingest: Ingest, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = write_csv(mild(3)), write_csv(with_bad(8, 1), name="second.csv")
    ingest(first)
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.store.daily_counts.add_changes", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ingest(second)
    assert ask("SELECT count(*) FROM files UNION ALL SELECT count(*) FROM quarantine") == [(1,), (0,)]
    assert ask("SELECT count(*) FROM records") == [(3,)]
    assert parts(ingest(second)[0]) == (8, 5, 1, 2, 0)


# --- the lock ----------------------------------------------------------


def test_a_second_writer_waits_and_then_says_who_holds_the_lock(home: Home) -> None:
    with home.lock(0):
        start = time.monotonic()
        with (
            pytest.raises(LockedError, match=rf"written by process {os.getpid()}; waited 0\.3 s.*--wait"),
            home.lock(0.3),
        ):
            pass
        assert time.monotonic() - start >= 0.3
    with home.lock(0):
        pass


def test_a_second_writer_goes_on_as_soon_as_the_first_is_done(home: Home) -> None:
    order = []
    with home.lock(0):
        waiting = threading.Thread(target=lambda: [order.append("second") for _ in _entered(home)])
        waiting.start()
        time.sleep(0.2)
        order.append("first")
    waiting.join(10)
    assert order == ["first", "second"]


def _entered(home: Home) -> list[None]:
    with home.lock(10):
        return [None]


@contextlib.contextmanager
def open_elsewhere(home: Home, seconds: float, read_only: bool = False) -> Iterator[int]:
    """The records open in another program for a while; yields its process id."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - the other program
        with duckdb.connect(str(home.records), read_only=read_only):
            os.write(writer, b"x")
            time.sleep(seconds)
        os._exit(0)
    try:
        os.read(reader, 1)
        yield child
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_a_database_that_another_program_holds_is_locked_not_damaged(
    home: Home, write_csv: Write, ingest: Ingest
) -> None:
    path = write_csv(mild(1))
    ingest(path)
    with open_elsewhere(home, 60) as child, pytest.raises(LockedError, match=f"is open in process {child}; close it"):
        ingest(path)


def test_a_writer_waits_for_a_reader_of_the_records(
    home: Home, write_csv: Write, ingest: Ingest, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest(write_csv(mild(1)))
    words = ["ingest", "--home", str(home.path), str(write_csv(mild(2), name="two.csv"))]
    with open_elsewhere(home, 60, read_only=True) as child:
        assert main([*words, "--wait", "0.3"]) == 4
        assert f"is open in process {child}" in capsys.readouterr().err
    with open_elsewhere(home, 1, read_only=True):
        assert main([*words, "--wait", "30"]) == 0


# --- a state that cannot be trusted ------------------------------------


def changed_by_hand(home: Home, sql: str) -> None:
    with duckdb.connect(str(home.records)) as connection:
        connection.execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE daily_summary SET reports = reports + 1",
        "DELETE FROM daily_summary",
        "DELETE FROM records WHERE report_id = 'r1'",
        "DELETE FROM files",
        "UPDATE files SET rows_accepted = rows_accepted + 1",
        "DELETE FROM superseded",
        "DELETE FROM state WHERE key = 'rule_pack'",
        "UPDATE state SET value = '999' WHERE key = 'schema_version'",
    ],
)
def test_a_state_that_contradicts_itself_or_is_newer_is_refused(
    sql: str, home: Home, write_csv: Write, ingest: Ingest
) -> None:
    ingest(write_csv(with_bad(10, 1)), write_csv(mild(2, sex="male"), name="later.csv"))
    changed_by_hand(home, sql)
    with pytest.raises(StateError):
        ingest(write_csv(mild(1), name="more.csv"))


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE daily_summary SET reports = reports + 1",
        "DELETE FROM daily_fields",
        "DELETE FROM daily_arrivals",
        "DELETE FROM quarantine",
    ],
)
def test_counts_moved_by_hand_are_noticed(sql: str, home: Home, write_csv: Write, ingest: Ingest) -> None:
    ingest(write_csv(with_bad(10, 1)))
    changed_by_hand(home, sql)
    with pytest.raises(StateError):
        ingest(write_csv(mild(1), name="more.csv"))


def test_a_newer_schema_says_what_to_do(home: Home, write_csv: Write, ingest: Ingest) -> None:
    ingest(write_csv(mild(1)))
    changed_by_hand(home, "UPDATE state SET value = '999' WHERE key = 'schema_version'")
    with pytest.raises(
        StateError,
        match=f"has schema version 999, this calfwatch reads {SCHEMA_VERSION}; use the calfwatch that wrote it",
    ):
        ingest(write_csv(mild(1)))


@pytest.mark.parametrize("name", ["home", "clock"])
@pytest.mark.parametrize("data", [b"not a database\n" * 1000, b"\0" * 20_000])
def test_a_file_that_is_no_database_is_a_damaged_state(data: bytes, name: str, tmp_path: Path, pack: Pack) -> None:
    home = Home(tmp_path / name)
    home.make()
    home.records.write_bytes(data)
    with pytest.raises(StateError, match="damaged or no DuckDB file"), database.open_records(home, Settings(), pack):
        pass


@pytest.mark.parametrize("damage", ["cut", "flipped header", "flipped block"])
def test_a_damaged_database_is_a_damaged_state(
    damage: str, home: Home, write_csv: Write, ingest: Ingest, pack: Pack
) -> None:
    ingest(write_csv(mild(2000)))
    data = bytearray(home.records.read_bytes())
    if damage == "cut":
        del data[len(data) // 3 :]
    else:
        start, end = (4096, 8192) if damage == "flipped header" else (12_288, len(data))
        data[start:end] = bytes(byte ^ 0xFF for byte in data[start:end])
    home.records.write_bytes(data)
    with pytest.raises(StateError):
        ingest(write_csv(mild(1), name="more.csv"))


@pytest.mark.parametrize("tenths", [(2, 5, 8), pytest.param((1, 3, 4, 6, 7, 9), marks=pytest.mark.slow)])
def test_a_bad_block_is_either_not_met_or_told_as_damage(
    tenths: tuple[int, ...], home: Home, write_csv: Write, ingest: Ingest
) -> None:
    ingest(write_csv(mild(2000)))
    later = write_csv(mild(1, sex="male"), name="later.csv")
    data = home.records.read_bytes()
    for tenth in tenths:
        place = len(data) * tenth // 10
        home.records.write_bytes(
            data[:place] + bytes(byte ^ 0xFF for byte in data[place : place + 64]) + data[place + 64 :]
        )
        home.records.with_name("records.duckdb.wal").unlink(missing_ok=True)
        with contextlib.suppress(StateError):
            assert ingest(later)[0].status == "accepted"


@pytest.mark.parametrize(
    "version",
    ["latest", "v1.4.0"],
)
def test_a_database_of_somebody_else_is_left_alone(version: str, tmp_path: Path, pack: Pack) -> None:
    home = Home(tmp_path / "other")
    home.make()
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{home.records}' AS other (STORAGE_VERSION '{version}')")
        connection.execute("CREATE TABLE other.mine AS SELECT 1 AS a")
    with pytest.raises(StateError), database.open_records(home, Settings(), pack):
        pass
    with duckdb.connect(str(home.records)) as connection:
        assert connection.execute("SHOW TABLES").fetchall() == [("mine",)]


def test_what_a_killed_run_left_behind_is_cleared(home: Home, write_csv: Write, ingest: Ingest) -> None:
    new = files.name_temporary(home.summaries)
    begun, work = (files.name_temporary(home.scratch / "work", "work") for _ in range(2))
    for folder in (begun, work):
        folder.mkdir()
    leftovers = [new, files.name_log(new), work / files.MARKER, work / "duckdb_temp_storage_1"]
    for path in leftovers:
        path.write_bytes(b"half of it")
    ingest(write_csv(mild(1)))
    assert [path for path in (*leftovers, begun, work) if path.exists()] == []


def test_a_folder_that_another_process_works_in_is_not_cleared(home: Home, write_csv: Write, ingest: Ingest) -> None:
    with files.work_folder(home.scratch, "work") as folder:
        (folder / "spilled").write_bytes(b"rows")
        ingest(write_csv(mild(1)))
        assert (folder / "spilled").read_bytes() == b"rows"


def test_a_home_that_cannot_be_made_is_a_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "home", tmp_path / "file", Path("/proc/calfwatch")):
        with pytest.raises(UsageError, match="cannot be used as home"):
            Home(path).make()
    with open_folder() as folder, as_nobody(), pytest.raises(UsageError, match="Permission denied"):
        Home(folder / "home").make()


@pytest.mark.parametrize(("locked", "mode"), [(".", 0o500), ("records.duckdb", 0o400), ("writer.lock", 0o400)])
def test_a_home_that_may_not_be_written_is_a_wrong_usage(locked: str, mode: int, empty_home: Home, pack: Pack) -> None:
    with open_folder() as folder:
        home = Home(Path(shutil.copytree(empty_home.path, folder / "home")))
        for path in (home.path, *home.path.rglob("*")):
            os.chown(path, 65534 if os.geteuid() == 0 else -1, -1)
        (home.path / locked).chmod(mode)
        with as_nobody(), pytest.raises(UsageError):
            publish(home, pack)


def test_a_folder_of_reports_that_may_not_be_written_is_told_in_one_line(
    good_home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_folder() as folder:
        home = Home(Path(shutil.copytree(good_home.path, folder / "home")))
        for path in (home.path, *home.path.rglob("*")):
            os.chown(path, 65534 if os.geteuid() == 0 else -1, -1)
        home.reports.chmod(0o500)
        with as_nobody():
            assert main(["report", "--home", str(home.path), "--week", "2026-W47"]) == 2
        assert capsys.readouterr().err.endswith("change its permissions, or ask its owner to\n")


# --- who may see what --------------------------------------------------


def modes(home: Home) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home.path, *home.path.iterdir())}


@pytest.mark.parametrize("existing", [False, True])
def test_the_home_is_its_owner_s_alone_whatever_the_umask(
    existing: bool, tmp_path: Path, pack: Pack, write_csv: Write
) -> None:
    before = os.umask(0)
    try:
        home = Home(tmp_path / "state")
        if existing:
            home.path.mkdir()
            (home.path / "calfwatch.toml").touch()
        home.make()
        path = write_csv(mild(3))
        with home.lock(0), database.open_records(home, Settings(), pack) as connection:
            ingest_file(connection, Delivery(path, Source("canonical")), Run(home, Settings(), pack))
            during = modes(home)
            publish_job.publish(connection, home, Settings())
        found = during | modes(home)
    finally:
        os.umask(before)
    if not existing:
        assert found["state"] == 0o700
    private = {name: mode for name, mode in found.items() if name not in ("state", "calfwatch.toml")}
    assert {name: oct(mode) for name, mode in private.items() if mode & 0o077} == {} or found["state"] == 0o700
    assert found["records.duckdb"] == 0o600


def test_the_snapshot_holds_counts_alone(home: Home, pack: Pack, write_csv: Write, ingest: Ingest) -> None:
    ids = [f"zebra-{i}" for i in range(50)]
    ingest(write_csv([{"report_id": name, "sex": "x" if name.endswith("9") else "male"} for name in ids]))
    publish(home, pack)
    with opened(home.summaries) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        columns = connection.execute("SELECT DISTINCT column_name FROM duckdb_columns() WHERE NOT internal").fetchall()
    assert {name for (name,) in tables} == {table.name for table in list_published_tables()}
    personal = {"report_id", "line_number", "raw_line", "file_id", "reported_at", "path"}
    assert personal & {name for (name,) in columns} == set()
    assert b"zebra" not in home.summaries.read_bytes()
    assert b"zebra" in home.records.read_bytes()


def test_a_reader_of_the_snapshot_neither_waits_nor_blocks(
    home: Home, pack: Pack, write_csv: Write, ingest: Ingest
) -> None:
    total = "SELECT sum(reports) FROM daily_summary"
    ingest(write_csv(mild(3)))
    publish(home, pack)
    with opened(home.summaries) as reader:
        ingest(write_csv(mild(5), name="later.csv"))
        publish(home, pack)
        assert reader.execute(total).fetchall() == [(3,)]
    with opened(home.summaries) as reader:
        assert reader.execute(total).fetchall() == [(5,)]


# --- what a SQL client sees --------------------------------------------


def test_every_table_and_view_is_there_with_its_columns_their_types_and_comments(
    home: Home, pack: Pack, write_csv: Write, ingest: Ingest
) -> None:
    ingest(write_csv(with_bad(10, 1)), write_csv(mild(4, sex="male"), name="later.csv"))
    publish(home, pack)
    for path, tables, views in (
        (home.records, list_stored_tables(pack), list_stored_views(pack)),
        (home.summaries, list_published_tables(), ()),
    ):
        declared = {table.name: table for table in (*tables, *views)}
        with opened(path) as connection:
            stored = connection.execute(
                "SELECT table_name, comment FROM duckdb_tables() UNION ALL "
                "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal"
            ).fetchall()
            columns = connection.execute(
                "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal "
                "ORDER BY table_name, column_index"
            ).fetchall()
            for name in declared:
                assert connection.execute(f"SELECT count(*) FROM (FROM {name})").fetchall()[0][0] >= 0
        assert dict(stored) == {name: f"One row: {table.grain}." for name, table in declared.items()}
        found: dict[str, list[tuple[str, ...]]] = {}
        for name, *column in columns:
            found.setdefault(name, []).append((column[0], column[1].replace(" WITH TIME ZONE", "TZ"), column[2]))
        for name, table in declared.items():
            assert [(c, comment) for c, _, comment in found[name]] == [(c.name, c.meaning) for c in table.columns]
            kinds = {c: kind.replace('"', "") for c, kind, _ in found[name]}
            assert {c.name: kinds[c.name] for c in table.columns} == {
                c.name: c.type.replace('"', "") for c in table.columns
            }


def test_the_view_shows_the_record_as_it_was_delivered(write_csv: Write, ingest: Ingest, ask: Ask, pack: Pack) -> None:
    rows = [
        {
            "report_id": f"r{i}",
            "region": f"R-{i}",
            "age_band": band,
            "sex": "other",
            "pain_score": str(i),
            "duration_days": "9",
        }
        for i, band in enumerate(AGE_BANDS)
    ]
    for place, name in enumerate(pack.field_names):
        rows[place % len(rows)][name] = ("yes", "no", "")[place % 3]
    ingest(write_csv(rows))
    names = ["report_id", "region", "age_band", "sex", "pain_score", "duration_days", *pack.field_names]
    said = {"yes": True, "no": False, "": None}
    for row in rows:
        row["region"] = row["region"].lower()  # the one cell that is not kept as it was written
    expected = [
        (*(row[n] for n in names[:4]), int(row["pain_score"]), 9, *(said[row.get(n, "no")] for n in pack.field_names))
        for row in rows
    ]
    assert ask(f"SELECT {', '.join(names)} FROM reports ORDER BY report_id") == expected


def test_a_time_zone_that_duckdb_does_not_know_is_told_and_a_work_database_counts_in_utc(home: Home) -> None:
    with pytest.raises(UsageError, match="DuckDB knows no time zone 'Mars/Olympus'"), private_database(
        home, Settings(time_zone="Mars/Olympus")
    ):  # fmt: skip
        pass
    with private_database(home, Settings(time_zone="Europe/Berlin")) as connection:
        assert connection.execute("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]
