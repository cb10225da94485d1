"""Random histories of one sender in which ids restart, columns vanish, names change: never a silently wrong count."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings, target
from hypothesis import strategies as st

from pipelines.intake.deliveries import find_deliveries
from pipelines.jobs.ingest import Run, ingest_file
from pipelines.settings import Settings, Source
from pipelines.store import database
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from schemas.pack_file import load_pack
from tests.support.drawing import examples

SETTINGS = Settings(sources=(Source("line-7", patterns=("l7_*.csv",)), Source("line-8", patterns=("l8_*.csv",))))
PACK = load_pack()
HEADER = (
    "report_id",
    "reported_at",
    "region",
    "age_band",
    "pain_score",
    "duration_days",
    "cannot_bear_weight",
    "fever",
)
DEEDS = ("honest", "restart", "rewrite", "rename_ids", "lose_column", "cut", "correct", "repeat")
Row = dict[str, str]


def patient(number: int, week: int) -> Row:
    """A report that differs from every other; each third one is an emergency."""
    return {
        "report_id": f"{number:04}",
        "reported_at": f"2026-{9 + week // 4:02}-{1 + 7 * (week % 4) + number % 5:02}",
        "region": "north" if number % 2 else "south",
        "age_band": ("18-29", "30-44", "45-59")[number % 3],
        "pain_score": str(number % 11),
        "duration_days": str(number),
        "cannot_bear_weight": "yes" if number % 3 == 0 else "no",
        "fever": "no",
    }


class Sender:
    """One sender, what it knows to be true, and the files it sends."""

    def __init__(self) -> None:
        self.truth: dict[str, Row] = {}
        self.last = 0

    def deliver(self, deed: str, week: int, size: int) -> tuple[list[Row], Sequence[str], bool, dict[str, Row]]:
        """Return the file's rows, its header, whether its last line ends, and the truth if it is taken rightly."""
        fresh = [patient(self.last + n, week) for n in range(1, size + 1)]
        known = list(self.truth.values())
        self.last += size
        if deed == "restart":
            restarted = [row | {"report_id": f"{n:04}"} for n, row in enumerate(fresh, 1)]
            return restarted, HEADER, True, self.truth | {row["report_id"]: row for row in fresh}
        if deed == "rewrite" and known:
            return [row | {"report_id": row["report_id"].lstrip("0")} for row in known], HEADER, True, self.truth
        if deed == "rename_ids" and len(known) >= 20:
            return [row | {"report_id": f"x{row['report_id']}"} for row in known], HEADER, True, self.truth
        if deed == "lose_column" and known:
            return [*known, *fresh], HEADER[:-2] + HEADER[-1:], True, self.truth | {r["report_id"]: r for r in fresh}
        if deed == "correct" and known:
            fresh += [row | {"pain_score": "10", "cannot_bear_weight": "yes"} for row in known[-2:]]
        if deed == "repeat":
            fresh = [*known, *fresh]
        return fresh, HEADER, deed != "cut", self.truth | {row["report_id"]: row for row in fresh}


def write(path: Path, rows: Sequence[Row], header: Sequence[str], is_whole: bool) -> Path:
    text = "\n".join([",".join(header), *(",".join(row[name] for name in header) for row in rows)])
    path.write_text(text + "\n" * is_whole)
    return path


def ingest(connection: duckdb.DuckDBPyConnection, home: Home, *paths: Path) -> list[Outcome]:
    deliveries = find_deliveries([str(path) for path in paths], SETTINGS, None)
    return [ingest_file(connection, delivery, Run(home, SETTINGS, PACK)) for delivery in deliveries]


def counts(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, int]]:
    """Per source, how many records there are and how many of them are emergencies."""
    rows = connection.execute("""SELECT source, sum(reports)::INTEGER,
        coalesce(sum(reports) FILTER (triage_level = 'emergency'), 0)::INTEGER FROM daily_summary GROUP BY 1""")
    return {source: (reports, emergencies) for source, reports, emergencies in rows.fetchall()}


def true_counts(truth: dict[str, Row]) -> tuple[int, int]:
    return len(truth), sum(row["cannot_bear_weight"] == "yes" for row in truth.values())


@pytest.mark.slow
@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(5, 30), st.booleans()), min_size=2, max_size=7))
def test_no_history_ends_in_a_wrong_count_without_a_word(history: list[tuple[str, int, bool]]) -> None:
    sender = Sender()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.make()
        with home.lock(0), database.open_records(home, SETTINGS, PACK) as connection:
            told = 0
            for week, (deed, size, is_capital) in enumerate(history):
                rows, header, is_whole, truth = sender.deliver(deed, week, size)
                name = f"l7_export_{week}.csv"
                path = write(Path(folder) / (name.upper() if is_capital else name), rows, header, is_whole)
                (outcome,) = ingest(connection, home, path)
                assert outcome.source == "line-7"
                if outcome.status == "rejected":
                    told += 1
                    assert deed not in ("honest", "correct", "repeat"), outcome.reason
                else:
                    sender.truth = truth
                if sender.truth:
                    assert counts(connection) == {"line-7": true_counts(sender.truth)}, (deed, outcome)
            target(told)


@pytest.mark.slow
@settings(max_examples=examples(8), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.permutations(range(12)), st.integers(0, 3))
def test_renumbered_exports_end_alike_in_whatever_order_they_are_given(order: list[int], split: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.make()
        paths = {}
        for number in range(12):
            name = f"L8_export_{number + 1}.CSV" if number % 3 == split else f"l8_export_{number + 1}.csv"
            row = patient(3, 0) | {"pain_score": str(number % 11), "duration_days": str(number)}
            paths[number] = write(Path(folder) / name, [row], HEADER, True)
        with home.lock(0), database.open_records(home, SETTINGS, PACK) as connection:
            done = ingest(connection, home, *(paths[number] for number in order))
            assert [Path(outcome.path).stem.rsplit("_", 1)[1] for outcome in done] == [str(n) for n in range(1, 13)]
            assert connection.execute("SELECT duration_days FROM records").fetchall() == [(11,)]
