"""No explanation shows home care, or anything a patient could do instead, beside an emergency or doctor criterion."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import duckdb
import pytest

from pipelines.explain.causes import describe_cause, find_near_causes, judge_certainty
from pipelines.explain.explanation import explain_record
from pipelines.explain.guidance import choose_guidance
from pipelines.explain.pages import render_explanation_page
from pipelines.explain.text import render_explanation
from pipelines.rules.formulas import Space
from pipelines.statements import Row
from schemas.pack import ANY_CAUSE, Pack
from schemas.pack_file import find_earlier_pack
from tests.rules.test_compiler import compiled, random_records
from tests.support.kleene import Answers, Tags

# what must not stand there: home care, and advice to train, in whatever entry or label it is written
HARMFUL = re.compile(
    r"massage|\bheat\b|compress|elastic|\bexercis|stretch|warm up|elevat|\bice\b|cold pack", re.IGNORECASE
)


def texts_of(pack: Pack, tags: Tags) -> Iterator[str]:
    """Everything of an explanation that depends on level and causes."""
    serious = [name for name in tags.cause_scores if name in pack.serious_causes]
    leader = tags.likely_cause or None
    home_care = tags.triage_level == "self_care" and not serious
    yield pack.choose_action(tags.triage_level, tags.triage_ceiling)
    yield describe_cause(pack, leader, tags.cause_scores)
    near = find_near_causes(pack, leader, tags.cause_scores)
    yield from (entry.text for entry in choose_guidance(pack, near, home_care))


def test_no_guidance_of_any_level_and_cause_harms_beside_a_criterion(pack: Pack) -> None:
    """Every cause, its category and every entry for any, with home care ruled out: of this pack and the one before."""
    first = find_earlier_pack("calf_pain-1-a52e69c2")
    assert first is not None
    for each in (pack, first):
        shown = " ".join(e.text for e in choose_guidance(each, [cause.name for cause in each.causes], home_care=False))
        assert not HARMFUL.search(shown), (each.version, HARMFUL.search(shown))
        assert "Treatment depends on the cause." in shown
    assert "antibiotics" in " ".join(entry.text for entry in choose_guidance(pack, ["cellulitis"], home_care=False))
    for level in ("emergency", "contact_doctor", "unresolved"):
        assert not HARMFUL.search(pack.actions[level])
    for rule in (*pack.triage, *pack.evidence):
        assert not HARMFUL.search(rule.sentence.replace("Rest, icing or other self-care", "")), rule.id
    for each in (*pack.fields, *pack.causes, *pack.categories):
        assert not HARMFUL.search(each.label), each.label


def every_sign_pair(pack: Pack) -> Iterator[Answers]:
    """Every set of up to three signs that are yes, the others no, and with the numbers on both sides."""
    for count in range(4):
        for signs in itertools.combinations(pack.field_names, count):
            for pain in (3, 8) if count < 3 else (3,):
                yield {name: name in signs for name in pack.field_names} | {"pain_score": pain, "duration_days": 2}


def test_in_no_combination_of_answers_harmful_advice_stands_beside_a_criterion_or_a_serious_sign(pack: Pack) -> None:
    records = [*every_sign_pair(pack), *random_records(pack, 3000)]
    for record, tags in zip(records, compiled(pack, records), strict=True):
        serious = set(tags.cause_scores) & pack.serious_causes
        if tags.triage_level != "self_care" or serious:
            assert not any(map(HARMFUL.search, texts_of(pack, tags))), (record, tags)


def test_a_self_care_cramp_is_shown_its_home_care(pack: Pack) -> None:
    shown = [entry.kind for entry in choose_guidance(pack, ["muscle_cramp"], home_care=True)]
    assert {"self_care", "treatment", "prevention", "question"} <= set(shown)


def test_prevention_stands_with_injuries_alone(pack: Pack) -> None:
    assert "prevention" not in {entry.kind for entry in choose_guidance(pack, ["varicose_veins"], home_care=True)}
    assert not [entry for entry in pack.guidance if entry.kind == "prevention" and entry.cause == ANY_CAUSE]


RECORD = {
    **{"report_id": "r1", "source": "clinic", "reported_at": "2026-02-10 00:00:00+00:00", "rule_pack": "pack"},
    **{"file_id": "f" * 64, "line_number": 2},
}


@pytest.mark.parametrize("signs", [("shortness_of_breath", "calf_swelling", "cramping", "dehydration")])
def test_the_action_is_the_first_thing_said_in_text_and_on_the_page(pack: Pack, signs: tuple[str, ...]) -> None:
    answers: Answers = {name: name in signs for name in pack.field_names} | {"pain_score": 3, "duration_days": 2}
    (tags,) = compiled(pack, [answers])
    record = RECORD | dict(answers) | vars(tags)
    with duckdb.connect() as connection:
        found = explain_record(connection, pack, Space(pack), record)
    text, page = render_explanation(found), render_explanation_page(found)
    assert text.splitlines()[1] == f"what to do      {pack.actions['emergency']}"
    assert page.index(pack.actions["emergency"]) < page.index(found["notice"])
    assert "Cannot be told apart: Deep vein thrombosis and Muscle cramp." in text
    for shown in (text, page[page.index("<body>") :]):
        assert not HARMFUL.search(shown)
        assert "short of leading" not in shown


def test_a_self_care_record_with_serious_points_says_so_and_shows_no_home_care(pack: Pack) -> None:
    answers: Answers = {name: name in ("cooler_leg", "cramping") for name in pack.field_names}
    answers = {**answers, "pain_score": 3, "duration_days": 2}
    (tags,) = compiled(pack, [answers])
    with duckdb.connect() as connection:
        found = explain_record(connection, pack, Space(pack), RECORD | dict(answers) | vars(tags))
    assert (tags.triage_level, tags.likely_cause) == ("self_care", "muscle_cramp")
    assert "Peripheral artery disease" in found["serious_note"]
    assert not HARMFUL.search(render_explanation(found))


def explained(pack: Pack, **said: bool | None) -> Row:
    """The explanation of a record that denies what is not said."""
    answers: Answers = dict.fromkeys(pack.field_names, False) | {"pain_score": 3, "duration_days": 2} | said
    (tags,) = compiled(pack, [answers])
    with duckdb.connect() as connection:
        return explain_record(connection, pack, Space(pack), RECORD | dict(answers) | vars(tags))


def test_guidance_names_its_cause_and_is_given_for_every_cause_that_cannot_be_told_apart(pack: Pack) -> None:
    close, sure = explained(pack, direct_blow=True, cramping=True), explained(pack, cramping=True)
    assert [{e["cause"] for e in found["guidance"]} - {ANY_CAUSE, "injury"} for found in (close, sure)] == [
        {"contusion_or_laceration", "muscle_cramp"},
        {"muscle_cramp"},
    ]
    assert "self_care (muscle_cramp): A gentle massage" in render_explanation(close)
    assert "Self-care (Muscle cramp): A gentle massage" in render_explanation_page(close)
    assert "Self-care: Home care is for the milder causes" in render_explanation_page(close)


def test_of_two_serious_causes_that_cannot_be_told_apart_both_are_treated(pack: Pack) -> None:
    found = explained(pack, cooler_leg=True, paler_leg=True, sensation_loss=True)
    treated = [entry["cause"] for entry in found["guidance"] if entry["kind"] == "treatment"]
    assert list(dict.fromkeys(treated)) == [ANY_CAUSE, "peripheral_artery_disease", "nerve_condition"]


@pytest.mark.parametrize(
    ("said", "note"),
    [
        (
            {"shortness_of_breath": True, "calf_swelling": None},
            "It could still be an emergency: ask the open questions",
        ),
        ({"shortness_of_breath": True}, ""),  # for a doctor, and settled
        ({"shortness_of_breath": None, "calf_swelling": True}, ""),  # unresolved: the action says it
        ({"shortness_of_breath": True, "calf_swelling": True}, ""),
    ],
)
def test_a_record_for_a_doctor_that_could_be_an_emergency_says_so_beside_the_action(
    pack: Pack, said: dict[str, bool | None], note: str
) -> None:
    found = explained(pack, **said)
    text, page = render_explanation(found), render_explanation_page(found)
    assert found["open_note"].startswith(note)
    assert bool(found["open_note"]) == bool(note)
    assert text.splitlines()[2].strip().startswith(note or "triage level")
    assert (f'<p class="notice">{note}' in page) == bool(note)


@pytest.mark.parametrize(
    ("leader", "points", "kind", "words"),
    [
        (None, {}, "none", "Undetermined"),
        ("muscle_cramp", {"muscle_cramp": 3}, "only", "the only cause"),
        ("cellulitis", {"cellulitis": 1, "muscle_cramp": 3}, "weak", "alone. As many points or more: Muscle cramp."),
        ("cellulitis", {"cellulitis": 1}, "weak", "by a weak sign alone."),
        ("muscle_cramp", {"muscle_cramp": 4, "overuse_strain": 2}, "leading", "2 points or more"),
        ("muscle_cramp", {"muscle_cramp": 3, "overuse_strain": 2}, "close", "Muscle cramp and Pulled muscle or strain"),
        (
            "deep_vein_thrombosis",
            {"deep_vein_thrombosis": 2, "muscle_cramp": 4},
            "close",
            "Deep vein thrombosis and Mus",
        ),
    ],
)
def test_a_close_cause_is_never_the_answer(
    pack: Pack, leader: str | None, points: dict[str, int], kind: str, words: str
) -> None:
    assert judge_certainty(leader, points) == kind
    found = describe_cause(pack, leader, points)
    assert words in found
    assert found.startswith("Cannot be told apart") == (kind == "close")
