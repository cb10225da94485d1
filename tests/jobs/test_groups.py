"""Files ingested in groups leave the same tables as files ingested one by one, whatever they do to each other."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from pipelines.connections import connect
from pipelines.intake.anonymisation.identifiers import POSTAL_CODE, find_certain_kind, find_likely_kinds
from pipelines.intake.deliveries import Delivery, find_deliveries
from pipelines.intake.duplicates import find_repeated
from pipelines.intake.together import small_files
from pipelines.intake.together.checker import PLAIN_ID
from pipelines.intake.together.small_files import SmallFile
from pipelines.jobs import group as group_module
from pipelines.jobs import members as members_module
from pipelines.jobs import prefetch
from pipelines.jobs.candidates import Member
from pipelines.jobs.ingest import Run, ingest_batch, ingest_file
from pipelines.jobs.members import MembersAhead
from pipelines.jobs.outcome import Lines
from pipelines.settings import Settings, Source
from pipelines.store import database, ledger, load
from pipelines.store.database import Home
from pipelines.store.ledger import Attempt, Group, Outcome
from pipelines.store.load import LoadedRows
from schemas.pack import Pack
from tests.support.drawing import examples

SOURCES = (
    Source("north", patterns=("north*.csv",)),
    Source("south", patterns=("south*.csv",), report_ids="per_file"),
    Source("list", patterns=("list*.csv",), cumulative=True),
    Source("lax", patterns=("lax*.csv",), missing_columns="unknown", time_zone="America/New_York"),
)
SETTINGS = Settings(sources=SOURCES, threads=2)
TABLES = (
    "files", "records", "superseded", "quarantine", "daily_summary", "daily_rules", "daily_fields", "daily_arrivals",
    "daily_numbers", "daily_rule_sets", "delivery_days", "calendar",
)  # fmt: skip
NUMBERS = ("delivery_no", "first_delivery_no")
OF_THE_RUN = ("ingested_at", "superseded_at", "run_id")
HEADER = ("report_id", "reported_at", "region", "sex", "fever", "redness")
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Sent:
    """A file: its sender, its rows, and what is wrong or odd with it."""

    source: str
    rows: tuple[tuple[str, ...], ...]
    fault: str = ""

    def content(self) -> bytes:
        names = HEADER[:-1] if self.fault == "no redness" else HEADER
        lines = [",".join(names), *(",".join(row[: len(names)]) for row in self.rows)]
        if self.fault == "e-mail":
            lines.append(",".join(("z1", "2026-11-16", "jane@example.org", "", "yes", "yes")))
        lines += {
            "blank lines": ["", ""],
            "damaged": ["a,b"],
            "quoted": ['"q1","2026-11-17","east","","yes","no"'],
        }.get(self.fault, [])
        end = {"cut off": "", "carriage returns": "\r\n"}.get(self.fault, "\n")
        text = ("\r\n" if self.fault == "carriage returns" else "\n").join(lines) + end
        return text.encode("utf-16" if self.fault == "no text" else "utf-8")


IDS = st.one_of(
    st.sampled_from([f"r{number}" for number in range(8)] + ["007", "7", "7.0", "12-1"]),
    st.integers(0, 10_000).map("u{}".format),  # which hardly ever stand in two files
)
TIMES = st.sampled_from(
    ["2026-11-16", "2026-11-16T10:00:00Z", "2026-11-17T23:30:00-05:00", "2026-11-17T08:00", "2026-11-20", "soon", ""]
)
ROW = st.tuples(
    IDS,
    TIMES,
    st.sampled_from(["north", "East", "", "unknown"]),
    st.sampled_from(["male", "female", "", "maybe"]),
    st.sampled_from(["yes", "no", "", "NA"]),
    st.sampled_from(["yes", "no", "", "1", "perhaps"]),
)
GOOD_ROW = st.tuples(
    IDS, st.sampled_from(["2026-11-16", "2026-11-17T10:00:00Z"]), st.just("north"), st.just(""),
    st.sampled_from(["yes", "no"]), st.sampled_from(["yes", "no", ""]),
)  # fmt: skip
FAULTS = (
    "",
    "",
    "",
    "e-mail",
    "no redness",
    "blank lines",
    "damaged",
    "quoted",
    "cut off",
    "carriage returns",
    "no text",
)


@st.composite
def histories(draw: st.DrawFn) -> list[Sent]:
    """Some files of some senders; now and then the bytes of an earlier one, or rows of it once more."""
    names = draw(st.lists(st.sampled_from([source.name for source in SOURCES]), min_size=1, max_size=2, unique=True))
    sent: list[Sent] = []
    for _ in range(draw(st.integers(3 * len(names), 6 * len(names)))):
        name = draw(st.sampled_from(names))
        before = [each for each in sent if each.source == name]
        if before and draw(st.integers(0, 4)) == 0:
            sent.append(draw(st.sampled_from(before)))
            continue
        row = draw(st.sampled_from([ROW, GOOD_ROW, GOOD_ROW]))
        rows = draw(st.lists(row, max_size=6, unique_by=None if draw(st.integers(0, 3)) == 0 else lambda each: each[0]))
        if before and draw(st.booleans()):
            rows = [*draw(st.sampled_from(before)).rows, *rows][:8]
        sent.append(Sent(name, tuple(rows), draw(st.sampled_from(FAULTS))))
    return sent


def write(folder: Path, sent: Sequence[Sent]) -> list[str]:
    folder.mkdir()
    paths = [folder / f"{each.source}-{number:03}.csv" for number, each in enumerate(sent)]
    for path, each in zip(paths, sent, strict=True):
        path.write_bytes(each.content())
    return [str(path) for path in paths]


def tables(home: Home) -> dict[str, list[str]]:
    """All rows of all tables, sorted; delivery numbers are counted for each source, as they are promised."""
    connection = connect(home.records, writing=False)
    ranks = dict(
        connection.execute(
            "SELECT delivery_no, source || row_number() OVER (PARTITION BY source ORDER BY delivery_no) FROM files"
        ).fetchall()
    )
    found = {}
    for table in TABLES:
        result = connection.execute(f"FROM {table}")
        names = [column[0] for column in result.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
        found[table] = sorted(
            repr({
                name: ranks.get(value, value) if name in NUMBERS else value
                for name, value in row.items()
                if name not in OF_THE_RUN
            })
            for row in rows
        )  # fmt: skip
    connection.close()
    return found


def compare(place: Path, template: Path, pack: Pack, sent: Sequence[Sent], files: int = 1000) -> list[Outcome]:
    """Ingest a history both ways, in groups of so many files; the outcomes and the tables are the same."""
    deliveries = find_deliveries(write(place / "in", sent), SETTINGS, None, in_order=True)
    homes = [Home(place / name) for name in ("one", "group")]
    for home in homes:
        shutil.copytree(template, home.path)
    with database.writing(homes[0], SETTINGS, pack, 5) as connection:
        one = [ingest_file(connection, each, Run(homes[0], SETTINGS, pack, "run")) for each in deliveries]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefetch, "GROUP_FILES", files)
        group = ingest_batch(homes[1], SETTINGS, deliveries, 5, Quiet(), publish=False, run_id="run")
    assert group == one
    assert tables(homes[1]) == tables(homes[0])
    return one


class Quiet(Lines):
    """Lines that say nothing."""

    def done(self, outcome: Outcome) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, pack: Pack) -> Path:
    home = Home(tmp_path_factory.mktemp("template") / "home")
    home.make()
    with database.writing(home, SETTINGS, pack, 5):
        pass
    return home.path


@settings(max_examples=examples(15), deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=histories(), files=st.sampled_from([3, 1000, 1000]))
def test_groups_of_files_leave_what_files_one_by_one_leave(
    tmp_path_factory: pytest.TempPathFactory, template: Path, pack: Pack, sent: list[Sent], files: int
) -> None:
    place = tmp_path_factory.mktemp("history")
    done = compare(place, template, pack, sent, files)
    event(f"a rejected file: {any(each.status == 'rejected' for each in done)}")
    shutil.rmtree(place)


def test_a_report_in_several_files_that_are_screened_together_is_one(
    tmp_path: Path, template: Path, pack: Pack
) -> None:
    """Nothing is odd about these files: none is judged alone. A report says A, B and A again, another always A."""
    says_a, says_b = [("2026-11-16", "north", "", answer, "no") for answer in ("yes", "no")]
    own = [(f"own-{letter}", *says_a) for letter in "abc"]
    sent = [
        Sent("north", (("turns", *said), ("stays", *says_a), mine))
        for said, mine in zip((says_a, says_b, says_a), own, strict=True)
    ]
    done = compare(tmp_path, template, pack, sent)
    assert [each.rows_accepted for each in done] == [3, 2, 2]


def test_files_without_a_row_are_a_group_like_any_other(tmp_path: Path, template: Path, pack: Pack) -> None:
    done = compare(tmp_path, template, pack, [Sent("north", ()), Sent("north", (), "blank lines"), Sent("lax", ())])
    assert [each.rows_read for each in done] == [0, 0, 0]


# --- faults inside a group: the other files are stored, the message names the file, the next run heals ----------

Take = Callable[[], list[Outcome]]


@pytest.fixture
def five(tmp_path: Path) -> list[Path]:
    """Five files of three rows each."""
    paths = [tmp_path / "in" / f"north-{number}.csv" for number in range(5)]
    paths[0].parent.mkdir()
    for number, path in enumerate(paths):
        rows = "".join(f"n{number}{row},2026-11-16,north,,yes,no\n" for row in range(3))
        path.write_text(",".join(HEADER) + "\n" + rows)
    return paths


@pytest.fixture
def take(tmp_path: Path, template: Path, pack: Pack, five: list[Path]) -> Take:
    """Ingests the five files as one batch."""
    home = Home(tmp_path / "home")
    shutil.copytree(template, home.path)
    deliveries = find_deliveries([str(path) for path in five], SETTINGS, None)
    return lambda: ingest_batch(home, SETTINGS, deliveries, 5, Quiet(), publish=False)


def statuses(outcomes: Sequence[Outcome]) -> str:
    return " ".join(outcome.status for outcome in outcomes)


def change_before_storing(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    real, pending = group_module._store, [change]

    def store_changed(*arguments: Any) -> list[Outcome]:
        while pending:
            pending.pop()()
        return real(*arguments)

    monkeypatch.setattr(group_module, "_store", store_changed)


@pytest.mark.parametrize("change", ["touched", "gone"])
def test_a_file_that_changes_while_its_group_is_stored_is_tried_again(
    take: Take, five: list[Path], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    content = five[2].read_bytes()
    with monkeypatch.context() as patch:
        change_before_storing(patch, lambda: os.utime(five[2], (1, 1)) if change == "touched" else five[2].unlink())
        done = take()
    assert statuses(done) == "accepted accepted rejected accepted accepted"
    assert ("north-2.csv" in done[2].path, "changed while it was read" in (done[2].reason or "")) == (True, True)
    five[2].write_bytes(content)
    assert statuses(take()) == "known known accepted known known"


@pytest.mark.parametrize("change", ["other content", "gone"])
def test_a_file_that_changes_after_it_was_screened_ahead_is_read_again(
    take: Take, five: list[Path], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(prefetch, "GROUP_FILES", 3)  # the last two are screened while the first three are stored
    other = five[4].read_text().replace("n4", "x4").encode()
    real = MembersAhead.take

    def take_late(ahead: MembersAhead) -> list[Member]:
        ahead._members.result()
        five[4].write_bytes(other) if change == "other content" else five[4].unlink()
        return real(ahead)

    monkeypatch.setattr(MembersAhead, "take", take_late)
    done = take()
    if change == "gone":
        assert (statuses(done), "cannot be read" in (done[4].reason or "")) == ("accepted " * 4 + "rejected", True)
    else:
        assert (statuses(done), done[4].file_id) == (
            "accepted accepted accepted accepted accepted",
            hashlib.sha256(other).hexdigest(),
        )


def test_what_screening_ahead_meets_ends_the_run_when_its_group_comes(
    take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetch, "GROUP_FILES", 3)
    real = members_module.screen_batch

    def break_of_two(files: Sequence[Any], *others: Any) -> Any:
        return real(files, *others) if len(files) == 3 else 1 / 0

    with monkeypatch.context() as patch:
        patch.setattr(members_module, "screen_batch", break_of_two)
        with pytest.raises(ZeroDivisionError):
            take()
    assert statuses(take()) == "known known known accepted accepted"


def test_a_run_that_ends_waits_for_no_file_that_is_not_read_yet(
    take: Take, five: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetch, "GROUP_FILES", 3)
    read, close, closed = small_files.read_small_file, small_files.FilesAhead.close, threading.Event()

    def read_late(delivery: Delivery, *others: Any) -> SmallFile | None:
        assert delivery.path != five[4] or closed.wait(30)  # the last one is read no earlier than the run has failed
        return read(delivery, *others)

    def close_first(ahead: small_files.FilesAhead) -> None:
        if five[4] in [each.path for each in ahead.deliveries]:
            ahead._closed = True
            closed.set()
        close(ahead)

    monkeypatch.setattr(small_files, "read_small_file", read_late)
    monkeypatch.setattr(small_files.FilesAhead, "close", close_first)
    monkeypatch.setattr("pipelines.store.daily_counts.add_changes", lambda *_: 1 / 0)
    with ThreadPoolExecutor(1) as pool, pytest.raises(ZeroDivisionError):
        pool.submit(take).result(60)
    assert closed.is_set()


def test_a_file_of_a_group_that_is_gone_before_it_is_read_stops_no_other(take: Take, five: list[Path]) -> None:
    content = five[1].read_bytes()
    five[1].unlink()
    done = take()
    assert (statuses(done), "cannot be read" in (done[1].reason or "")) == (
        "accepted rejected accepted accepted accepted",
        True,
    )
    five[1].write_bytes(content)
    assert statuses(take()) == "known accepted known known known"


def test_a_folder_of_known_files_is_one_look_at_the_ledger(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    take()
    asked = []
    real = ledger.find

    def counting(connection: duckdb.DuckDBPyConnection, attempts: Sequence[Attempt]) -> list[Outcome | None]:
        asked.append(len(attempts))
        return real(connection, attempts)

    monkeypatch.setattr(ledger, "find", counting)
    assert (statuses(take()), asked) == ("known known known known known", [5])


def test_accounts_of_a_file_of_a_group_that_do_not_add_up_reject_that_file(
    take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = load.load_files

    def miscounted(connection: duckdb.DuckDBPyConnection, group: Group) -> dict[int, LoadedRows]:
        return {
            number: replace(rows, inserted=rows.inserted - 1) if number == 4 else rows
            for number, rows in real(connection, group).items()
        }

    with monkeypatch.context() as patch:
        patch.setattr(load, "load_files", miscounted)
        done = take()
    assert (statuses(done), "do not add up" in (done[3].reason or "")) == (
        "accepted accepted accepted rejected accepted",
        True,
    )


def test_a_group_that_needs_too_much_memory_is_stored_file_by_file(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    real, stored = load.load_files, []

    def too_many(connection: duckdb.DuckDBPyConnection, group: Group) -> dict[int, LoadedRows]:
        if len(group.files) > 2:
            raise duckdb.OutOfMemoryException("too many")
        stored.append(len(group.files))
        return real(connection, group)

    monkeypatch.setattr(load, "load_files", too_many)
    assert statuses(take()) == "accepted accepted accepted accepted accepted"
    assert stored == [1, 1, 2, 1]


def test_what_breaks_a_run_inside_a_group_leaves_nothing_of_it(
    take: Take, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.store.daily_counts.add_changes", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            take()
    assert all(not rows for rows in tables(Home(tmp_path / "home")).values())
    assert statuses(take()) == "accepted accepted accepted accepted accepted"


@given(hashes=st.lists(st.sampled_from([0, 1, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 1])))
def test_hashes_that_stand_more_than_once_are_found_in_both_halves(hashes: list[int]) -> None:
    found = find_repeated(np.array(hashes, dtype=np.uint64)).tolist()
    assert sorted(found) == sorted(value for value, times in Counter(hashes).items() if times > 1)


@given(text=st.from_regex(PLAIN_ID.replace("$", r"\Z"), alphabet=st.characters(codec="ascii")))
def test_a_plain_report_id_looks_like_no_identifier(text: str) -> None:
    assert not find_certain_kind(text)
    assert find_likely_kinds(text) <= {POSTAL_CODE}  # which an id may look like
