"""Why a record is tagged so: every rule as the evaluator sees it, wherever the record lies, as JSON and as text."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import duckdb
import pytest

from pipelines.cli.app import main
from pipelines.errors import UsageError
from pipelines.explain.explanation import IS_MET, explain_report
from pipelines.explain.text import render_explanation
from pipelines.settings import Settings, Source
from pipelines.store.database import Home
from schemas.conditions import list_condition_fields
from schemas.pack import Pack
from tests.rules.test_cases import CASES, Case, as_row
from tests.rules.test_compiler import SHIPPED
from tests.support import kleene

WORDS = {True: "TRUE", False: "FALSE", None: "UNKNOWN"}
ANSWERS = {True: "yes", False: "no", None: "unknown"}

Explain = Callable[..., dict[str, Any]]


@pytest.fixture
def explain(home: Home) -> Explain:
    def call(report_id: str = "r1", source: str | None = None, file: str | None = None) -> dict[str, Any]:
        return explain_report(home.records, report_id, source, file)

    return call


@pytest.fixture
def two_clinics(settings: Settings) -> Settings:
    return replace(settings, sources=(Source("north"), Source("south")))


def states(rules: list[dict[str, Any]]) -> dict[str, str]:
    return {rule["id"]: rule["state"] for rule in rules}


# ------------------------------------------------------------------------- a stored record

SOME_CASES = CASES[::6]
ASKABLE = SHIPPED.askable.index


def test_every_rule_and_evidence_row_is_in_the_state_that_the_slow_evaluator_finds(
    write_csv, ingest, explain: Explain, pack: Pack
) -> None:
    ingest(write_csv([{"report_id": f"case-{place}"} | as_row(case) for place, case in enumerate(SOME_CASES)]))
    for place, case in enumerate(SOME_CASES):
        _compare(explain(f"case-{place}"), case, pack)


def _compare(found: dict[str, Any], case: Case, pack: Pack) -> None:
    expected = kleene.tags(pack, case.answers)
    assert states(found["rules"]) == {r.id: WORDS[kleene.state(r.when, case.answers)] for r in pack.triage}, case.says
    true = {row.id: "TRUE" for row in pack.evidence if kleene.state(row.when, case.answers) is True}
    assert states(found["evidence"]) == true, case.says
    names = ("triage_level", "triage_ceiling", "missing_answers", "cause_scores", "cause_certainty")
    tags = {name: found[name] for name in names} | {"missing_answers": sorted(found["missing_answers"], key=ASKABLE)}
    assert tags == {name: getattr(expected, name) for name in tags}, case.says
    assert (found["cause_category"], found["likely_cause"] or "") == (expected.cause_category, expected.likely_cause)


RED_LEG = {
    "report_id": "r1",
    **{"calf_swelling": "yes", "warmth": "yes", "tenderness": "yes", "redness": "", "fever": ""},
    **{"pain_score": "8", "duration_days": ""},
}


def command(*arguments: str) -> int:
    """The command line; it narrows the umask of the process, which is given back."""
    before = os.umask(0o022)
    try:
        return main(arguments)
    finally:
        os.umask(before)


@pytest.fixture(scope="module")
def red_leg_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home of one record: a swollen, warm and tender calf with severe pain, of which redness, fever and duration
    are not known."""
    folder = tmp_path_factory.mktemp("red_leg")
    cells = dict.fromkeys(SHIPPED.field_names, "no") | {"reported_at": "2026-11-16T10:00:00Z"} | RED_LEG
    csv = folder / "red_leg.csv"
    csv.write_text("\n".join([",".join(cells), ",".join(cells.values())]) + "\n", encoding="utf-8")
    assert command("ingest", "--home", str(folder / "home"), str(csv)) == 0
    return Home(folder / "home")


@pytest.fixture
def red_leg(red_leg_home: Home) -> dict[str, Any]:
    return explain_report(red_leg_home.records, "r1", None)


def test_a_stored_record_shows_its_tags_its_place_and_the_packs_version(red_leg: dict[str, Any], pack: Pack) -> None:
    assert (red_leg["report_id"], red_leg["source"], red_leg["place"]) == ("r1", "canonical", "stored")
    assert (red_leg["triage_level"], red_leg["triage_ceiling"]) == ("contact_doctor", "emergency")
    assert red_leg["missing_answers"] == ["redness", "fever"]
    assert red_leg["rule_pack"] == pack.version
    assert red_leg["line_number"] == 2
    assert red_leg["notice"] == pack.disclaimer


def test_each_rule_shows_the_answers_it_read_in_the_order_it_names_them(red_leg: dict[str, Any]) -> None:
    rules = {rule["id"]: rule for rule in red_leg["rules"]}
    read = rules["emergency_red_swollen_warm_with_fever"]["answers"]
    assert list(read.items()) == [
        ("redness", "unknown"), ("calf_swelling", "yes"), ("warmth", "yes"), ("fever", "unknown"),
    ]  # fmt: skip
    assert rules["doctor_severe_pain"]["answers"] == {"pain_score": 8}
    assert rules["doctor_persistent_pain"]["answers"] == {"duration_days": None}


def test_each_rule_has_its_level_sentence_reference_and_basis_from_the_pack(
    red_leg: dict[str, Any], pack: Pack
) -> None:
    found = [
        (rule["id"], rule["for"], rule["sentence"], rule["reference"], rule["basis"], tuple(rule["answers"]))
        for rule in red_leg["rules"]
    ]
    assert found == [
        (r.id, r.level, r.sentence, r.reference, r.basis, list_condition_fields(r.when)) for r in pack.triage
    ]


def test_the_evidence_adds_up_to_the_scores(red_leg: dict[str, Any]) -> None:
    points: Counter[str] = Counter()
    for row in red_leg["evidence"]:
        points[row["for"]] += row["points"]
    assert dict(points) == red_leg["cause_scores"] == {"deep_vein_thrombosis": 2}


def test_beside_a_criterion_stand_the_action_what_doctors_do_and_what_can_follow(
    red_leg: dict[str, Any], pack: Pack
) -> None:
    assert red_leg["action"] == pack.actions["contact_doctor"]
    assert {entry["kind"] for entry in red_leg["guidance"]} == {"treatment", "complication"}
    shown = {entry["text"] for entry in red_leg["guidance"]}
    assert shown == {
        g.text
        for g in pack.guidance
        if g.cause in ("any", "deep_vein_thrombosis")
        and g.kind in ("treatment", "complication")
        and not g.only_self_care
    }


def test_an_explanation_survives_json(red_leg: dict[str, Any]) -> None:
    assert json.loads(json.dumps(red_leg)) == red_leg


def test_the_text_names_level_ceiling_missing_answers_references_and_basis(red_leg: dict[str, Any], pack: Pack) -> None:
    text = render_explanation(red_leg)
    for line in (
        "triage level    contact_doctor",
        "could still be  emergency, while answers are unknown",
        "ask for         redness, fever",
        f"rule pack       {pack.version}",
        "likely cause    Deep vein thrombosis: the only cause with evidence.",
        "evidence for causes (certainty: only; points: deep_vein_thrombosis 2)",
    ):
        assert line in text.splitlines()
    assert text.endswith(pack.disclaimer)


def test_the_text_gives_every_rule_its_state_its_answers_its_reference_and_its_basis(red_leg: dict[str, Any]) -> None:
    lines = render_explanation(red_leg).splitlines()
    for rule in red_leg["rules"]:
        assert f"  {IS_MET[rule['state']]:8}{rule['for']:16}{rule['id']}" in lines
        assert f"          article: {rule['reference']} ({rule['basis']})" in lines
        assert (f"          {rule['sentence']}" in lines) == (rule["state"] != "FALSE")
    assert "          read: shortness_of_breath no, calf_swelling yes, leg_swelling no" in lines  # FALSE
    assert "          read: duration_days unknown" in lines
    for row in red_leg["evidence"]:
        assert f"  {row['points']} for {row['for']}: {row['sentence']} ({row['reference']}, {row['basis']})" in lines


def test_the_text_puts_true_before_unknown_before_false(red_leg: dict[str, Any]) -> None:
    lines = render_explanation(red_leg).splitlines()
    shown = [line.split()[0] for line in lines if line.strip().startswith(("yes   ", "unknown ", "no   "))]
    order = ["yes", "unknown", "no"]
    assert shown == sorted(shown, key=order.index)
    assert set(shown) == set(order)


def test_the_text_of_a_settled_record_asks_for_nothing(write_csv, ingest, explain: Explain) -> None:
    ingest(write_csv([{"report_id": "r1", "pain_score": "3", "duration_days": "2"}]))
    text = render_explanation(explain())
    assert "could still be  nothing higher: no unknown answer can change the level\n" in text
    assert "ask for" not in text
    assert "likely cause    Undetermined: no evidence points to a cause." in text


def test_a_blank_record_is_explained_by_rules_that_are_all_unknown(
    write_csv, ingest, explain: Explain, columns
) -> None:
    ingest(write_csv([{"report_id": "r1"} | dict.fromkeys(columns[7:], "")]))
    found = explain()
    assert set(states(found["rules"]).values()) == {"UNKNOWN"}
    assert len(found["missing_answers"]) == 20
    assert found["likely_cause"] is None


# ------------------------------------------------------------------------- superseded, quarantined, unknown


def test_a_corrected_record_is_explained_as_it_is_now(write_csv, ingest, explain: Explain) -> None:
    ingest(write_csv([RED_LEG], "first.csv"), write_csv([RED_LEG | {"fever": "no"}], "second.csv"))
    found = explain()
    assert (found["place"], found["triage_ceiling"], found["missing_answers"]) == ("stored", "contact_doctor", [])


def test_a_record_of_which_only_superseded_versions_are_left_is_explained_by_the_latest_and_says_so(
    write_csv, ingest, explain: Explain, home: Home
) -> None:
    """As a withdrawn correction leaves it."""
    versions = [RED_LEG, RED_LEG | {"fever": "no"}, RED_LEG | {"fever": "yes", "redness": "yes"}]
    for place, row in enumerate(versions):
        ingest(write_csv([row], f"{place}.csv"))
    with duckdb.connect(str(home.records)) as connection:
        connection.execute("DELETE FROM records")
    found = explain()
    assert (found["place"], found["triage_ceiling"]) == ("superseded", "contact_doctor")
    by = found["replaced"]["superseded_by"][:12]
    assert render_explanation(found).startswith(f"r1 of canonical (superseded: replaced by file {by}), line 2 of file ")


def test_every_version_of_a_record_can_be_explained(write_csv, ingest, explain: Explain) -> None:
    versions = [RED_LEG, RED_LEG | {"fever": "no"}, RED_LEG | {"fever": "yes", "redness": "yes"}]
    files = [ingest(write_csv([row], f"{place}.csv"))[0].file_id for place, row in enumerate(versions)]
    found = [explain("r1", None, file[:8]) for file in files]
    assert [(each["place"], each["triage_level"], each["triage_ceiling"]) for each in found] == [
        ("superseded", "contact_doctor", "emergency"),
        ("superseded", "contact_doctor", "contact_doctor"),
        ("stored", "emergency", "emergency"),
    ]
    assert [each["replaced"].get("superseded_by") for each in found] == [files[1], files[2], None]
    assert [[row["file_id"] for row in each["earlier"]] for each in found] == [[], files[:1], files[:2]]
    assert found[2] == explain()
    for file, what in (("x", "file 'x' delivered none of them"), ("", "file '' delivered none of them")):
        with pytest.raises(UsageError, match=rf"^versions of 'r1' come from the files {files[0][:12]}, .*; {what}$"):
            explain("r1", None, file)


BAD_ROW = {"report_id": "r1", "pain_score": "11", "fever": "perhaps"}
GOOD_ROWS = [{"report_id": f"good-{place}"} for place in range(10)]


def test_a_quarantined_record_is_not_tagged_and_shows_every_bad_cell(write_csv, ingest, explain: Explain) -> None:
    path = write_csv([*GOOD_ROWS, BAD_ROW])
    ingest(path)
    found = explain()
    assert (found["report_id"], found["source"], found["place"]) == ("r1", "canonical", "quarantined")
    assert "triage_level" not in found
    cells = [(r["path"], r["line_number"], r["column_name"], r["value"]) for r in found["reasons"]]
    assert cells == [(str(path), 12, "fever", "perhaps"), (str(path), 12, "pain_score", "11")]
    assert json.loads(json.dumps(found)) == found


def test_the_text_of_a_quarantined_record_says_where_and_what_is_allowed(write_csv, ingest, explain: Explain) -> None:
    path = write_csv([*GOOD_ROWS, BAD_ROW])
    ingest(path)
    title, *lines = render_explanation(explain()).splitlines()
    assert title == "r1 is in the quarantine and not tagged:"
    assert lines == [
        f"  line 12 of {path}: fever: answer; allowed: yes/no, y/n, true/false, t/f, 1/0, NA, unknown or blank; "
        "found: 'perhaps'",
        f"  line 12 of {path}: pain_score: whole_number; allowed: integer 0-10; found: '11'",
    ]


def test_a_stored_record_with_a_quarantined_correction_is_explained_as_stored(
    write_csv, ingest, explain: Explain
) -> None:
    ingest(write_csv([{"report_id": "r1"}], "first.csv"), write_csv([*GOOD_ROWS, BAD_ROW], "second.csv"))
    assert explain()["place"] == "stored"


def test_earlier_versions_and_deliveries_set_aside_are_listed(write_csv, ingest, explain: Explain) -> None:
    versions = [RED_LEG, RED_LEG | {"fever": "no"}, RED_LEG | {"fever": "yes", "redness": "yes"}]
    paths = [write_csv([row], f"{place}.csv") for place, row in enumerate(versions)]
    ingest(*paths, write_csv([*GOOD_ROWS, BAD_ROW], "bad.csv"))
    found = explain()
    assert (found["place"], found["triage_level"]) == ("stored", "emergency")
    assert [(row["triage_level"], row["triage_ceiling"]) for row in found["earlier"]] == [
        ("contact_doctor", "emergency"), ("contact_doctor", "contact_doctor"),
    ]  # fmt: skip
    assert found["earlier"][1]["superseded_by"] == found["file_id"]
    assert [cell["column_name"] for cell in found["quarantined"]] == ["fever", "pain_score"]
    text = render_explanation(found)
    assert "earlier versions, replaced (`--file FILE_ID` explains one)\n  contact_doctor to emergency, " in text
    assert "also delivered with bad cells, set aside\n  line 12 of " in text


def test_a_superseded_record_is_explained_after_a_field_of_its_pack_is_gone(
    write_csv, ingest, explain: Explain, home: Home
) -> None:
    """As a retag by a pack without that field leaves it; the tags of its time stay."""
    ingest(write_csv([RED_LEG], "first.csv"), write_csv([RED_LEG | {"fever": "no"}], "second.csv"))
    with duckdb.connect(str(home.records)) as connection:
        connection.execute("DELETE FROM records")
        connection.execute("ALTER TABLE superseded DROP COLUMN calf_swelling")
    found = explain()
    assert (found["place"], found["triage_level"], found["triage_ceiling"]) == (
        "superseded", "contact_doctor", "emergency",
    )  # fmt: skip
    assert states(found["rules"])["doctor_swollen_warm_tender"] == "UNKNOWN"
    assert "triage level    contact_doctor" in render_explanation(found)


def test_an_unknown_id_is_told_so(write_csv, ingest, explain: Explain) -> None:
    ingest(write_csv([{"report_id": "r1"}]))
    with pytest.raises(UsageError, match=r"^no record 'r2' is stored$"):
        explain("r2")
    with pytest.raises(UsageError, match=r"^no record 'r1' of source 'neiss' is stored$"):
        explain("r1", "neiss")


# ------------------------------------------------------------------------- what to ask, and older packs


def test_the_questions_say_what_each_answer_leads_to(red_leg: dict[str, Any]) -> None:
    fever = red_leg["questions"][1]
    assert (fever["field"], fever["settles"]) == ("fever", True)
    assert [tuple(answer.values()) for answer in fever["answers"]] == [
        ("yes", "contact_doctor", "emergency", False), ("no", "contact_doctor", "contact_doctor", True),
    ]  # fmt: skip
    assert red_leg["rule_out"]["count"] == 1
    lines = render_explanation(red_leg).splitlines()
    assert "  fever  yes: contact_doctor, could still be emergency; no: contact_doctor *" in lines
    assert any(line.startswith("  to rule out every level above, ask 1: ") for line in lines)
    assert "  a single answer settles it: redness no, fever no" in lines


# ------------------------------------------------------------------------- two sources, another pack


def test_an_id_of_two_sources_needs_the_source(write_csv, ingest, explain: Explain, two_clinics: Settings) -> None:
    ingest(write_csv([RED_LEG], "north.csv"), source="north", settings=two_clinics)
    ingest(write_csv([RED_LEG | {"cannot_bear_weight": "yes"}], "south.csv"), source="south", settings=two_clinics)
    with pytest.raises(UsageError, match=r"sent by several sources \(north, south\); say which with --source"):
        explain()
    levels = {source: explain("r1", source)["triage_level"] for source in ("north", "south")}
    assert levels == {"north": "contact_doctor", "south": "emergency"}


def test_an_id_quarantined_from_two_sources_needs_the_source_too(
    write_csv, ingest, explain: Explain, two_clinics: Settings
) -> None:
    """Both sent the same file."""
    path = write_csv([*GOOD_ROWS, BAD_ROW])
    for source in ("north", "south"):
        ingest(path, source=source, settings=two_clinics)
    with pytest.raises(UsageError, match=r"sent by several sources \(north, south\)"):
        explain()
    assert [r["source"] for r in explain("r1", "north")["reasons"]] == ["north", "north"]


def test_an_id_stored_from_one_source_and_quarantined_from_another_is_found_in_both(
    write_csv, ingest, explain: Explain, two_clinics: Settings
) -> None:
    ingest(write_csv([RED_LEG], "north.csv"), source="north", settings=two_clinics)
    ingest(write_csv([*GOOD_ROWS, BAD_ROW], "south.csv"), source="south", settings=two_clinics)
    with pytest.raises(UsageError, match=r"sent by several sources \(north, south\); say which with --source"):
        explain()
    assert [explain("r1", source)["place"] for source in ("north", "south")] == ["stored", "quarantined"]


def test_a_record_whose_pack_is_not_known_is_not_explained(write_csv, ingest, home: Home) -> None:
    ingest(write_csv([RED_LEG]))
    with duckdb.connect(str(home.records)) as connection:
        connection.execute("UPDATE rule_packs SET content = NULL")
    with pytest.raises(UsageError, match=r"is tagged with rule pack calf_pain-2-.*, and its text was not kept"):
        explain_report(home.records, "r1", None)


# ------------------------------------------------------------------------- the command


def test_the_command_prints_the_text_or_the_json(red_leg: dict[str, Any], red_leg_home: Home, capsys) -> None:
    assert command("explain", "--home", str(red_leg_home.path), "r1") == 0
    assert capsys.readouterr().out == render_explanation(red_leg) + "\n"
    assert command("explain", "--home", str(red_leg_home.path), "--json", "r1") == 0
    assert json.loads(capsys.readouterr().out) == red_leg


def test_the_command_ends_with_2_for_an_unknown_id(red_leg_home: Home, capsys) -> None:
    assert command("explain", "--home", str(red_leg_home.path), "r2") == 2
    assert capsys.readouterr().err == "calfwatch: no record 'r2' is stored\n"
