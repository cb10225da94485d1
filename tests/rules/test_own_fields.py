"""A pack of another complaint, with numbers and choices of its own: from the CSV to the weekly view, without Python."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path

import duckdb
import pytest

from pipelines.cli.app import main as command
from schemas.pack import Pack
from schemas.pack_file import load_pack
from tests.support import kleene

WRIST = Path(__file__).parents[1] / "packs" / "wrist_pain.toml"
TYPED = {"yes": True, "no": False, "": None, "NA": None, "unknown": None}
CELLS = {
    "pain_score": ["6", "7", ""],
    "numb_fingers": ["yes", "no", ""],
    "side": ["left", "BOTH", "", "NA"],
    "grip_kg": ["4", "5", "20", "21", "NA"],
    "fell_on_hand": ["yes", "no", ""],
    "onset": ["sudden", "Gradual", "unknown"],
}
REPORTS = list(itertools.product(*CELLS.values()))


@pytest.fixture(scope="module")
def wrist() -> Pack:
    return load_pack(WRIST)


def as_csv(rows: list[tuple[str, ...]], names: tuple[str, ...] = tuple(CELLS)) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["report_id", "reported_at", *names])
    writer.writerows([f"w{place}", "2026-11-17", *row] for place, row in enumerate(rows))
    return text.getvalue()


@pytest.fixture(scope="module")
def wrist_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every combination of answers around every boundary, ingested with the real command."""
    home = tmp_path_factory.mktemp("wrist")
    (home / "rules").mkdir()
    (home / "rules" / "wrist.toml").write_text(WRIST.read_text())
    (home / "calfwatch.toml").write_text('rule_pack = "rules/wrist.toml"\n')
    (home / "all.csv").write_text(as_csv(REPORTS))
    assert command(["ingest", "--home", str(home), str(home / "all.csv")]) == 0
    return home


@contextlib.contextmanager
def opened(home: Path, name: str = "records") -> Iterator[duckdb.DuckDBPyConnection]:
    with contextlib.closing(duckdb.connect(str(home / f"{name}.duckdb"), read_only=True)) as connection:
        yield connection


def typed(name: str, cell: str) -> bool | int | str | None:
    if name in ("pain_score", "grip_kg"):
        return int(cell) if cell.isdigit() else None
    return TYPED.get(cell, cell.lower())


def test_every_record_is_tagged_as_the_slow_evaluator_says(wrist_home: Path, wrist: Pack) -> None:
    names = [field.name for field in fields(kleene.Tags)]
    with opened(wrist_home) as connection:
        rows = connection.execute(f"SELECT report_id, {', '.join(names)} FROM reports").fetchall()
    assert len(rows) == len(REPORTS)
    for report_id, *found in rows:
        cells = zip(CELLS, REPORTS[int(report_id[1:])], strict=True)
        answers = {"duration_days": None} | {name: typed(name, cell) for name, cell in cells}
        expected = asdict(kleene.tags(wrist, answers))
        assert dict(zip(names, found, strict=True)) | {"likely_cause": found[5] or ""} == expected, answers


def test_the_view_shows_what_was_sent(wrist_home: Path) -> None:
    with opened(wrist_home) as connection:
        rows = connection.execute(f"SELECT report_id, {', '.join(CELLS)} FROM reports").fetchall()
        types = {row[0]: row[1] for row in connection.execute("DESCRIBE reports").fetchall()}
    for report_id, *found in rows:
        sent = zip(CELLS, REPORTS[int(report_id[1:])], strict=True)
        assert found == [typed(name, cell) for name, cell in sent]
    assert [types[name] for name in ("numb_fingers", "side", "grip_kg")] == ["BOOLEAN", "VARCHAR", "USMALLINT"]


def test_the_weekly_views_count_them(wrist_home: Path, wrist: Pack) -> None:
    with opened(wrist_home, "summaries") as connection:
        levels = dict(connection.execute("SELECT triage_level, reports FROM weekly_triage").fetchall())
        causes = {row[0] for row in connection.execute("SELECT likely_cause FROM weekly_causes").fetchall()}
        asked = dict(connection.execute("SELECT field, reports FROM weekly_missing_answers").fetchall())
        answered = dict(
            connection.execute("SELECT item, value FROM weekly_quality WHERE measure = 'completeness'").fetchall()
        )
        complaint = connection.execute("SELECT complaint FROM about").fetchall()
    assert sum(levels.values()) == len(REPORTS)
    assert causes == {"undetermined", "fracture", "pinched_nerve"}
    assert set(asked) == set(wrist.askable) == set(answered)
    assert answered["side"] == 0.5
    assert answered["grip_kg"] == 0.8
    assert asked["grip_kg"] > 0 < asked["side"]
    assert complaint == [("wrist pain (made up)",)]


def test_bad_cells_are_quarantined_with_what_is_allowed(wrist_home: Path, tmp_path: Path) -> None:
    good = dict.fromkeys(CELLS, "")
    bad = [good | {"grip_kg": "91"}, good | {"grip_kg": "-1"}, good | {"side": "top"}, good | {"onset": "x"}]
    bad += [good | {"grip_kg": "un\u212anown"}, good | {"side": "un\u212anown"}]  # the sign for Kelvin is no letter k
    (tmp_path / "b.csv").write_text(as_csv([tuple(row.values()) for row in (*bad, *[good] * 24)]))
    (tmp_path / "calfwatch.toml").write_text(f'rule_pack = "{WRIST}"\n')
    assert command(["ingest", "--home", str(tmp_path), str(tmp_path / "b.csv")]) == 0
    with opened(tmp_path) as connection:
        cells = connection.execute("SELECT column_name, allowed FROM quarantine ORDER BY line_number").fetchall()
    grip = ("grip_kg", "integer 0-90 (kg), NA, unknown or blank")
    side, onset = "left, right, both, NA, unknown or blank", "sudden, gradual, NA, unknown or blank"
    assert cells == [grip, grip, ("side", side), ("onset", onset), grip, ("side", side)]


def test_corrections_and_duplicates_see_the_packs_own_fields(tmp_path: Path) -> None:
    (tmp_path / "calfwatch.toml").write_text(f'rule_pack = "{WRIST}"\n')
    rows = {"a": "4", "b": "4", "c": "5"}
    for name, grip in rows.items():
        (tmp_path / f"{name}.csv").write_text(as_csv([(grip, "yes")], ("grip_kg", "fell_on_hand")) + "\n" * ord(name))
        assert command(["ingest", "--home", str(tmp_path), str(tmp_path / f"{name}.csv")]) == 0
    with opened(tmp_path) as connection:
        fates = connection.execute(
            "SELECT rows_accepted, rows_duplicate, rows_superseded FROM files ORDER BY delivery_no"
        ).fetchall()
        old = connection.execute("SELECT grip_kg, triage_level FROM superseded").fetchall()
        new = connection.execute("SELECT grip_kg, triage_level FROM reports").fetchall()
    assert fates == [(1, 0, 0), (0, 1, 0), (1, 0, 1)]
    assert (old, new) == ([(4, "emergency")], [(5, "unresolved")])


def test_a_record_of_it_is_explained(wrist_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = REPORTS.index(("7", "yes", "BOTH", "4", "yes", "sudden"))
    assert command(["explain", "--home", str(wrist_home), f"w{place}"]) == 0
    text = capsys.readouterr().out
    assert "read: fell_on_hand yes, grip_kg 4" in text
    assert "read: numb_fingers yes, side both" in text
    assert "Made up for the tests. Not medical advice." in text


def test_the_weekly_report_speaks_of_its_complaint_alone(wrist_home: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    assert command(["report", "--home", str(wrist_home), "--week", "latest", "--as-known-now", "--out", str(out)]) == 0
    for name in ("internal.html", "report.md"):
        text = (out / "2026-W47" / name).read_text()
        assert "Wrist pain (made up)" in text
        assert "calf" not in text.replace("calfwatch", "")
    assert "No article: made up for the tests" in (out / "2026-W47" / "internal.html").read_text()


def test_a_file_of_the_other_complaint_is_rejected(wrist_home: Path, tmp_path: Path) -> None:
    (tmp_path / "calf.csv").write_text("report_id,reported_at,redness\nx1,2026-11-17,yes\n")
    assert command(["ingest", "--home", str(wrist_home), str(tmp_path / "calf.csv")]) == 3


NO_YES_NO = """
pack = {name = "one", number = 1, complaint = "c", article = "a", reviewed = 2026-01-01, notes = [], disclaimer = "d"}
categories = [{name = "cat", label = "cat"}]
causes = [{name = "cau", category = "cat", label = "cau"}]
guidance = [{cause = "any", kind = "self_care", text = "t", reference = "r"}]
fields = [{name = "k", label = "k", meaning = "m", reference = "r", @FIELD@}]
triage = [{id = "t0", level = "emergency", when = "@WHEN@", reference = "r", basis = "stated", sentence = "s"}]
evidence = [{id = "e", cause = "cau", when = "@WHEN@", points = 1, reference = "r", basis = "stated", sentence = "s"}]
"""


@pytest.mark.parametrize(
    ("field", "when", "cell"),
    [
        ('type = "choice", values = ["aa", "bb"]', "k = 'bb'", "bb"),
        ('type = "number", unit = "u", smallest = 0, largest = 9', "k >= 5", "7"),
    ],
)
def test_a_pack_without_any_yes_no_field_is_counted_too(field: str, when: str, cell: str, tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(NO_YES_NO.replace("@FIELD@", field).replace("@WHEN@", when))
    (tmp_path / "calfwatch.toml").write_text('rule_pack = "one.toml"\n')
    (tmp_path / "one.csv").write_text(f"report_id,reported_at,k\nx1,2026-11-12,{cell}\nx2,2026-11-12,\n")
    assert command(["ingest", "--home", str(tmp_path), str(tmp_path / "one.csv")]) == 0
    assert command(["check", "--deep", "--home", str(tmp_path)]) == 0
    with opened(tmp_path) as connection:
        tags = connection.execute("SELECT triage_level, triage_ceiling FROM reports ORDER BY report_id").fetchall()
    assert tags == [("emergency", "emergency"), ("unresolved", "emergency")]


def test_an_empty_home_takes_another_pack_up(tmp_path: Path) -> None:
    (tmp_path / "calf.csv").write_text("report_id,reported_at,redness\n")
    (tmp_path / "wrist.csv").write_text(as_csv([("yes", "left")], ("numb_fingers", "side")))
    assert command(["ingest", "--home", str(tmp_path), str(tmp_path / "calf.csv")]) == 0
    (tmp_path / "calfwatch.toml").write_text(f'rule_pack = "{WRIST}"\n')
    assert command(["ingest", "--home", str(tmp_path), str(tmp_path / "wrist.csv")]) == 0
    with opened(tmp_path) as connection:
        counts = Counter(row[0] for row in connection.execute("SELECT triage_level FROM reports").fetchall())
    assert counts == {"unresolved": 1}
