"""Another pack over the history: compared, then put in place; the slow evaluator and a fresh home are the judges."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.cli.app import main as command
from pipelines.errors import UsageError
from pipelines.jobs.packs import compare, retag
from pipelines.settings import load_settings
from pipelines.store.database import Home
from schemas.pack import Pack
from schemas.pack_file import find_default_pack_path, load_pack, parse_pack
from tests.rules.test_own_fields import CELLS, REPORTS, WRIST, as_csv, typed
from tests.support import kleene
from tests.support.drawing import spread

Made = Callable[[Path, str], Home]
OLD = WRIST.read_text()
NEW_FIELD = """[[fields]]
name = "night_pain"
label = "Pain at night"
type = "yes_no"
meaning = "Pain wakes"
reference = "Made up 12"

[[fields]]
name = "grip_loss"
label = "Loss of grip"
type = "number"
unit = "percent"
smallest = 0
largest = 100
meaning = "How much of the grip is lost"
reference = "Made up 13"

"""
FIRST_FIELD = '[[fields]]\nname = "numb_fingers"'
AGAIN = """[[evidence]]
id = "nerve_numb_again"
cause = "pinched_nerve"
when = "numb_fingers OR (grip_kg <= 20 AND onset = 'gradual')"
points = 2
reference = "Made up 10"
basis = "inferred"
sentence = "The same again."

"""
CHANGES = {
    "a stricter condition": [("grip_kg < 5", "grip_kg < 5 AND onset = 'sudden'")],
    "a wider condition": [("grip_kg < 5", "grip_kg < 21")],
    "a condition that reads another field": [("grip_kg < 5", "grip_kg < 5 OR numb_fingers AND NOT side = 'left'")],
    "the same states by another field": [("numb_fingers AND side = 'both'", "numb_fingers AND side = 'left'")],
    "a row of evidence twice": [('[[evidence]]\nid = "nerve_numb"', AGAIN + '[[evidence]]\nid = "nerve_numb"')],
    "a rule of a higher level": [
        ('level = "contact_doctor"\nwhen = "numb', 'level = "emergency"\nwhen = "numb'),
    ],
    "other points": [("points = 2", "points = 4")],
    "fields in another order, and new ones in front": [(FIRST_FIELD, NEW_FIELD + FIRST_FIELD)],
    "new values of a choice in front": [('["left", "right", "both"]', '["neither", "both", "right", "left"]')],
    "a rule that reads a new field": [
        (FIRST_FIELD, NEW_FIELD + FIRST_FIELD),
        ("numb_fingers AND side = 'both'", "(numb_fingers OR night_pain) AND side = 'both' AND NOT grip_loss > 50"),
    ],
}  # fmt: skip


def changed(name: str) -> str:
    text = OLD.replace("number = 1", "number = 2", 1)
    for old, new in CHANGES[name]:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Gives a home under a pack with every combination of answers, some of them replaced by a later file: of each pack
    one is made, and copied."""
    kept: dict[str, Path] = {}

    def copy(folder: Path, pack: str) -> Home:
        if pack not in kept:
            kept[pack] = _made(tmp_path_factory.mktemp("made") / "home", pack)
        return Home(Path(shutil.copytree(kept[pack], folder)))

    return copy


def _made(folder: Path, pack: str) -> Path:
    Home(folder).make()
    (folder / "pack.toml").write_text(pack)
    (folder / "calfwatch.toml").write_text('rule_pack = "pack.toml"\n')
    (folder / "1.csv").write_text(as_csv(REPORTS))
    (folder / "2.csv").write_text(as_csv(list(reversed(REPORTS[:200]))))
    assert command(["ingest", "--home", str(folder), str(folder / "1.csv"), str(folder / "2.csv")]) == 0
    return folder


def said(place: int) -> dict[str, Any]:
    """The answers of record `place` after both files; what the first pack does not ask is unknown."""
    cells = REPORTS[199 - place] if place < 200 else REPORTS[place]
    found = {name: typed(name, cell) for name, cell in zip(CELLS, cells, strict=True)}
    return {"duration_days": None, "night_pain": None, "grip_loss": None} | found


def content(home: Home) -> dict[str, list[Any]]:
    """What is stored, but for times, runs and the trail of deeds."""
    queries = {
        "records": "FROM records",
        "reports": "SELECT * EXCLUDE (rule_pack) FROM reports",
        "files": "SELECT * EXCLUDE (path, ingested_at, run_id, tried_with, rule_pack, notes) FROM files",
        **{
            t: f"FROM {t}" for t in ("daily_summary", "daily_rules", "daily_fields", "weekly_triage", "rules", "fields")
        },
    }
    with contextlib.closing(duckdb.connect(str(home.records), read_only=True)) as connection:
        return {name: connection.execute(f"{sql} ORDER BY ALL").fetchall() for name, sql in queries.items()}


@pytest.mark.parametrize("change", spread(CHANGES, 4))
def test_a_retagged_home_is_that_of_a_fresh_one_and_diff_said_so_before(
    tmp_path: Path, made: Made, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the records that change are few, and updated where they are, or many, and all are written anew."""
    old, fresh = made(tmp_path / "old", OLD), made(tmp_path / "fresh", changed(change))
    pack = tmp_path / "fresh" / "pack.toml"
    bytes_before = hashlib.sha256(old.records.read_bytes()).hexdigest()
    found = compare.compare_packs(old, load_settings(old.path), "stored", str(pack))
    assert hashlib.sha256(old.records.read_bytes()).hexdigest() == bytes_before, "diff wrote something"
    check_comparison(found, parse_pack(OLD), load_pack(pack))
    check_questions(found, missing_answers(old), missing_answers(fresh))
    wanted = content(fresh), summaries(fresh)
    for few, home in ((0, old), (1_000_000, made(tmp_path / "again", OLD))):
        monkeypatch.setattr(retag, "FEW_RECORDS", few)
        assert command(["retag", "--home", str(home.path), "--pack", str(pack)]) == 0
        assert (content(home), summaries(home)) == wanted
        again = compare.compare_packs(home, load_settings(home.path), "stored", str(pack))
        assert not again.moves
        assert not again.cause_moves


@cache
def slow_tags(pack: str) -> list[kleene.Tags]:
    """The tags of every record under the pack of a text."""
    parsed = parse_pack(pack)
    return [kleene.tags(parsed, said(place)) for place in range(len(REPORTS))]


def check_comparison(found: Any, before: Pack, after: Pack) -> None:
    """Every number of a comparison, worked out slowly."""
    was, now = slow_tags(before.text), slow_tags(after.text)
    pairs = list(zip(was, now, strict=True))
    assert found.records == len(REPORTS)
    for level in kleene.LEVELS:
        assert found.levels[level] == tuple(sum(t.triage_level == level for t in tags) for tags in (was, now))
    moves = Counter((a.triage_level, b.triage_level) for a, b in pairs if a.triage_level != b.triage_level)
    assert {(m["from"], m["to"]): m["records"] for m in found.moves} == moves
    assert all(sum(move["rules"].values()) >= move["records"] for move in found.moves)
    causes = Counter((a.likely_cause, b.likely_cause) for a, b in pairs if a.likely_cause != b.likely_cause)
    plain = {
        (m["from"].replace("undetermined", ""), m["to"].replace("undetermined", "")): m["records"]
        for m in found.cause_moves
    }
    assert plain == causes
    assert all(max(move["evidence"].values()) == move["records"] for move in found.cause_moves)
    fallen = {
        (f"w{place}", b.triage_level)
        for place, (a, b) in enumerate(pairs)
        if a.triage_level == "emergency" != b.triage_level
    }
    assert {(row["report_id"], row["triage_level"]) for row in found.fallen} == fallen
    check_ceilings(found, pairs)
    assert len(found.examples) == min(20, sum(moves.values()))
    for example in found.examples:
        check_example(example, before, after)


def check_ceilings(found: Any, pairs: list[tuple[Any, Any]]) -> None:
    ceilings = Counter(
        (a.triage_ceiling, b.triage_ceiling)
        for a, b in pairs
        if a.triage_level == b.triage_level and a.triage_ceiling != b.triage_ceiling
    )
    assert {(m["from"], m["to"]): m["records"] for m in found.ceiling_moves} == ceilings
    assert all(sum(move["rules"].values()) >= move["records"] for move in found.ceiling_moves)
    assert len(found.ceiling_examples) == min(20, sum(ceilings.values()))


def missing_answers(home: Home) -> dict[str, set[str]]:
    with contextlib.closing(duckdb.connect(str(home.records), read_only=True)) as connection:
        rows = connection.execute("SELECT report_id, missing_answers FROM reports").fetchall()
    return {report: set(names) for report, names in rows}


def check_questions(found: Any, was: dict[str, set[str]], now: dict[str, set[str]]) -> None:
    fewer = Counter(name for report in was for name in was[report] - now[report])
    more = Counter(name for report in was for name in now[report] - was[report])
    assert found.questions == {name: (fewer[name], more[name]) for name in fewer | more}


def given(pack: Pack, answers: dict[str, Any]) -> dict[str, int]:
    """The points that each row of evidence gives."""
    return {row.id: row.points if kleene.state(row.when, answers) is True else 0 for row in pack.evidence}


def test_diff_names_the_evidence_that_moves_a_likely_cause_with_examples(
    tmp_path: Path, made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    home = made(tmp_path / "home", OLD)
    before, after = parse_pack(OLD), parse_pack(changed("other points"))
    (tmp_path / "new.toml").write_text(after.text)
    found = compare.compare_packs(home, load_settings(home.path), "stored", str(tmp_path / "new.toml"))
    assert not found.moves
    assert {move["from"]: move["to"] for move in found.cause_moves} == {"fracture": "pinched_nerve"}
    assert [move["evidence"] for move in found.cause_moves] == [{"nerve_numb": found.cause_moves[0]["records"]}]
    assert len(found.cause_examples) == 20
    for example in found.cause_examples:
        answers = said(int(example["report_id"][1:]))
        points = [given(pack, answers) for pack in (before, after)]
        differ = {name: (points[0][name], points[1][name]) for name in points[0] if points[0][name] != points[1][name]}
        assert {row["id"]: (row["before"], row["after"]) for row in example["evidence"]} == differ
    capsys.readouterr()
    assert command(["rules", "diff", "stored", str(tmp_path / "new.toml"), "--home", str(home.path)]) == 0
    text = capsys.readouterr().out
    assert "  no level moves\n  fracture -> pinched_nerve: " in text
    assert "    nerve_numb: points 2 -> 4; read: numb_fingers yes, grip_kg " in text


def test_diff_tells_of_a_record_whose_ceiling_alone_moves_and_of_changed_questions(
    tmp_path: Path, made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    home = made(tmp_path / "home", OLD)
    (tmp_path / "new.toml").write_text(changed("a rule of a higher level"))
    found = compare.compare_packs(home, load_settings(home.path), "stored", str(tmp_path / "new.toml"))
    higher = {"from": "contact_doctor", "to": "emergency"}
    (move,) = found.ceiling_moves
    assert {"from": move["from"], "to": move["to"]} == higher
    assert set(move["rules"]) == {"numb_both_sides"}
    assert found.questions
    capsys.readouterr()
    assert command(["rules", "diff", "stored", str(tmp_path / "new.toml"), "--home", str(home.path)]) == 0
    text = capsys.readouterr().out
    title = "the highest level still possible, of records whose level stays"
    assert f"{title}\n  contact_doctor -> emergency: {move['records']:,} (numb_both_sides " in text
    assert "still possible: contact_doctor -> emergency" in text
    assert f"  {next(iter(found.questions))}: no longer of " in text
    assert command(["rules", "diff", "stored", "stored", "--home", str(home.path)]) == 0
    text = capsys.readouterr().out
    assert "whose level stays\n  none moves" in text
    assert "answers that are still asked for\n  the same of every record" in text


def test_diff_says_that_the_order_decides_a_tie(tmp_path: Path, made: Made) -> None:
    home = made(tmp_path / "home", OLD)
    tie = OLD.replace("points = 2", "points = 3")
    bone, nerve = (
        '[[categories]]\nname = "bone"\nlabel = "Bone"\n',
        '[[categories]]\nname = "nerve"\nlabel = "Nerve"\n',
    )
    other = tie.replace(bone, "").replace(nerve, nerve + bone)
    for name, text in (("a", tie), ("b", other)):
        (tmp_path / f"{name}.toml").write_text(text)
    found = compare.compare_packs(home, load_settings(home.path), str(tmp_path / "a.toml"), str(tmp_path / "b.toml"))
    (move,) = found.cause_moves
    assert move["evidence"] == {"how the leading cause is chosen": move["records"]}
    assert all(example["evidence"] == [] for example in found.cause_examples)


def check_example(example: dict[str, Any], before: Pack, after: Pack) -> None:
    answers = said(int(example["report_id"][1:]))
    words = {True: "TRUE", False: "FALSE", None: "UNKNOWN"}
    states = [{rule.id: words[kleene.state(rule.when, answers)] for rule in p.triage} for p in (before, after)]
    assert {r["id"]: (r["before"], r["after"]) for r in example["rules"]} == {
        name: (states[0].get(name), states[1].get(name))
        for name in states[0] | states[1]
        if states[0].get(name) != states[1].get(name)
    }
    for rule in example["rules"]:
        for name, answer in rule["answers"].items():
            assert answer == {True: "yes", False: "no"}.get(answers[name], answers[name]) or answers[name] == answer


def summaries(home: Home) -> list[Any]:
    with contextlib.closing(duckdb.connect(str(home.summaries), read_only=True)) as connection:
        about = connection.execute("SELECT rule_pack, rule_pack_content FROM about").fetchall()
        return [
            about,
            *(connection.execute(f"FROM {t} ORDER BY ALL").fetchall() for t in ("weekly_causes", "weekly_rules")),
        ]


def test_the_ledger_the_records_and_the_audit_trail_know_the_pack(
    tmp_path: Path, made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    home = made(tmp_path / "home", OLD)
    old, new = parse_pack(OLD), parse_pack(changed("a wider condition"))
    (tmp_path / "new.toml").write_text(new.text)
    assert command(["retag", "--home", str(home.path), "--pack", str(tmp_path / "new.toml")]) == 0
    assert f"{len(REPORTS):,} records retagged from {old.version} to {new.version}; " in capsys.readouterr().out
    with contextlib.closing(duckdb.connect(str(home.records), read_only=True)) as connection:
        packs = {
            t: connection.execute(f"SELECT DISTINCT rule_pack FROM {t}").fetchall()
            for t in ("files", "reports", "superseded")
        }
        audit = connection.execute("SELECT action, subject, detail, who <> '' FROM audit").fetchall()
        kept = connection.execute("SELECT rule_pack, content FROM rule_packs ORDER BY number").fetchall()
    assert packs == {"files": [(new.version,)], "reports": [(new.version,)], "superseded": [(old.version,)]}
    assert [(row[:2], row[3]) for row in audit] == [(("retag", new.version), True)]
    assert re.search(r"contact_doctor to emergency \d+", audit[0][2])
    assert kept == [(old.version, old.text), (new.version, new.text)]


def test_an_ingest_after_it_uses_the_new_pack_whatever_the_settings_say(tmp_path: Path, made: Made) -> None:
    home = made(tmp_path / "home", OLD)
    (tmp_path / "new.toml").write_text(changed("a wider condition"))
    assert command(["retag", "--home", str(home.path), "--pack", str(tmp_path / "new.toml")]) == 0
    (tmp_path / "3.csv").write_text("report_id,reported_at,grip_kg,fell_on_hand\nx,2026-11-18,20,yes\n")
    assert command(["ingest", "--home", str(home.path), str(tmp_path / "3.csv")]) == 0
    with contextlib.closing(duckdb.connect(str(home.records), read_only=True)) as connection:
        assert connection.execute("SELECT triage_level FROM reports WHERE report_id = 'x'").fetchall() == [
            ("emergency",)
        ]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('name = "fell_on_hand"', 'name = "fell"', "fell_on_hand"),
        ('["left", "right", "both"]', '["left", "both"]', "side"),
        ('type = "number"\nunit = "kg"\nsmallest = 0\nlargest = 90', 'type = "yes_no"', "grip_kg"),
        ("largest = 90", "largest = 89", "grip_kg"),
        ("smallest = 0", "smallest = 1", "grip_kg"),
    ],
)
def test_a_pack_that_cannot_read_the_stored_answers_is_refused(
    tmp_path: Path, made: Made, old: str, new: str, field: str
) -> None:
    home = made(tmp_path / "home", OLD)
    before = content(home)
    text = OLD.replace(old, new, 1).replace(
        "fell_on_hand AND", "numb_fingers AND" if field == "fell_on_hand" else "fell_on_hand AND"
    )
    text = re.sub(r"grip_kg <=? \d+", "grip_kg", text) if "yes_no" in new else text
    (tmp_path / "new.toml").write_text(text)
    with pytest.raises(UsageError, match=f"cannot read the stored answers to '{field}': keep the field"):
        retag.retag_history(home, load_settings(home.path), str(tmp_path / "new.toml"), 1)
    assert content(home) == before


def test_superseded_records_keep_the_points_of_their_time_whatever_the_new_pack_calls_its_categories(
    tmp_path: Path,
    made: Made,
) -> None:
    home = made(tmp_path / "home", OLD)

    def scores() -> list[tuple[Any, ...]]:
        with contextlib.closing(duckdb.connect(str(home.records), read_only=True)) as connection:
            return connection.execute(
                "SELECT report_id, cause_scores, cause_certainty, rule_pack FROM superseded ORDER BY ALL"
            ).fetchall()

    before = scores()
    assert any(points for _, points, _, _ in before)
    text = OLD.replace('name = "nerve"', 'name = "nerves"').replace('category = "nerve"', 'category = "nerves"')
    (tmp_path / "new.toml").write_text(text)
    assert command(["retag", "--home", str(home.path), "--pack", str(tmp_path / "new.toml")]) == 0
    assert scores() == before


def test_diff_by_the_command_lists_every_fall_from_emergency(
    tmp_path: Path, made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    home = made(tmp_path / "home", OLD)
    (tmp_path / "new.toml").write_text(changed("a stricter condition"))
    capsys.readouterr()
    assert command(["rules", "diff", "stored", str(tmp_path / "new.toml"), "--home", str(home.path)]) == 0
    text = capsys.readouterr().out
    assert command(["rules", "diff", "stored", str(tmp_path / "new.toml"), "--json", "--home", str(home.path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["fallen"]
    assert text.count("\n!!   canonical w") == len(found["fallen"])
    assert f"!! DOWN FROM EMERGENCY: {len(found['fallen'])} records" in text
    assert "weak_after_a_fall: TRUE -> FALSE; read: fell_on_hand yes, grip_kg 4" in text
    assert "Nothing was written." in text


def test_diff_wants_two_packs(tmp_path: Path, made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    home = made(tmp_path / "home", OLD)
    assert command(["rules", "diff", str(WRIST), "--home", str(home.path)]) == 2
    assert "B is missing" in capsys.readouterr().err
    assert command(["rules", "diff", "--home", str(home.path), "--json", "stored", str(WRIST)]) == 0


def test_the_pack_in_place_is_no_work(tmp_path: Path, made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    home = made(tmp_path / "home", OLD)
    capsys.readouterr()
    assert command(["retag", "--home", str(home.path)]) == 0
    assert capsys.readouterr().out == f"the history is tagged with {parse_pack(OLD).version} already\n"


def test_the_shipped_pack_cannot_take_over_another_complaint(
    tmp_path: Path, made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    home = made(tmp_path / "home", OLD)
    assert command(["retag", "--home", str(home.path), "--pack", str(find_default_pack_path())]) == 2
    assert "cannot read the stored answers to 'numb_fingers'" in capsys.readouterr().err


@pytest.mark.parametrize("new_home", [True, False])
def test_a_pack_with_a_rule_that_can_never_be_true_tags_nothing(tmp_path: Path, made: Made, new_home: bool) -> None:
    text = OLD.replace("grip_kg < 5", "grip_kg < 5 AND grip_kg > 5")
    if not new_home:
        home = made(tmp_path / "home", OLD)
        (tmp_path / "new.toml").write_text(text)
        with pytest.raises(UsageError, match=r"\[\[triage\]\] weak_after_a_fall: when: can never be TRUE"):
            retag.retag_history(home, load_settings(home.path), str(tmp_path / "new.toml"), 1)
        return
    (tmp_path / "pack.toml").write_text(text)
    (tmp_path / "calfwatch.toml").write_text('rule_pack = "pack.toml"\n')
    (tmp_path / "1.csv").write_text(as_csv(REPORTS[:3]))
    assert command(["ingest", "--home", str(tmp_path), str(tmp_path / "1.csv")]) == 2


def test_a_new_field_that_nobody_has_answered_can_be_taken_back(tmp_path: Path, made: Made) -> None:
    home = made(tmp_path / "home", OLD)
    before = content(home)
    for name, text in (("new", changed("a rule that reads a new field")), ("old", OLD)):
        (tmp_path / f"{name}.toml").write_text(text)
        assert command(["retag", "--home", str(home.path), "--pack", str(tmp_path / f"{name}.toml")]) == 0
    assert content(home) == before
    assert command(["check", "--deep", "--home", str(home.path)]) == 0


def test_sql_and_status_speak_of_the_pack_that_tagged_the_home(
    tmp_path: Path, made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    home = made(tmp_path / "home", OLD)
    new = parse_pack(changed("a wider condition"))
    (tmp_path / "new.toml").write_text(new.text)
    assert command(["retag", "--home", str(home.path), "--pack", str(tmp_path / "new.toml")]) == 0
    capsys.readouterr()
    assert command(["rules", "sql", "--home", str(home.path)]) == 0
    assert f"by rule pack {new.version}." in capsys.readouterr().out
    assert command(["status", "--home", str(home.path)]) == 0
    said = capsys.readouterr().out
    assert f"rule pack     {new.version}\n" in said
    assert f"rule_pack of the settings is {parse_pack(OLD).version}; `calfwatch retag` would tag the history" in said


def test_a_field_of_the_pack_may_be_named_like_an_identifier(tmp_path: Path) -> None:
    """The names of the pack's own fields are no finding; the same name in a column that is none of its fields is."""
    text = OLD.replace("fell_on_hand", "phone_number")
    home = Home(tmp_path)
    home.make()
    (tmp_path / "pack.toml").write_text(text)
    (tmp_path / "calfwatch.toml").write_text('rule_pack = "pack.toml"\n')
    (tmp_path / "1.csv").write_text("report_id,reported_at,grip_kg,phone_number\nx,2026-11-18,4,yes\n")
    (tmp_path / "2.csv").write_text("report_id,reported_at,grip_kg,email\ny,2026-11-18,4,yes\n")
    assert command(["ingest", "--home", str(home.path), str(tmp_path / "1.csv")]) == 0
    assert command(["ingest", "--home", str(home.path), str(tmp_path / "2.csv")]) != 0
    with contextlib.closing(duckdb.connect(str(home.records), read_only=True)) as connection:
        assert connection.execute("SELECT report_id, phone_number, triage_level FROM reports").fetchall() == [
            ("x", True, "emergency")
        ]
