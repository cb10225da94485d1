"""No explanation shows home care, or anything a patient could do instead, beside an emergency or doctor criterion."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import duckdb
import pytest

from pipelines.explain.causes import cause_words, certainty
from pipelines.explain.explanation import explanation
from pipelines.explain.guidance import shown_guidance
from pipelines.explain.pages import explanation_page
from pipelines.explain.text import explanation_text
from pipelines.rules.formulas import Space
from pipelines.statements import Row
from schemas.pack import ANY_CAUSE, Pack
from tests.rules.test_compiler import compiled, random_records
from tests.support.kleene import Answers, Tags

# what must not stand there: home care, and advice to train, in whatever entry or label it is written
HARMFUL = re.compile(
    r"massage|\bheat\b|compress|elastic|\bexercis|stretch|warm up|elevat|\bice\b|cold pack", re.IGNORECASE
)


def texts_of(pack: Pack, tags: Tags) -> Iterator[str]:
    """Everything of an explanation that depends on level and causes."""
    serious = [name for name in tags.cause_scores if name in pack.serious_causes]
    record: Row = {"likely_cause": tags.likely_cause or None, "cause_category": tags.cause_category}
    home_care = tags.triage_level == "self_care" and not serious
    yield pack.action(tags.triage_level, tags.triage_ceiling)
    yield cause_words(pack, record["likely_cause"], tags.cause_scores)
    yield from (entry.text for entry in shown_guidance(pack, record, home_care))


def test_no_guidance_of_any_level_and_cause_harms_beside_a_criterion(pack: Pack) -> None:
    """Every leading cause, its category and every entry for any, with home care ruled out."""
    for cause in (*pack.causes, None):
        record = {"likely_cause": cause and cause.name, "cause_category": cause.category if cause else "undetermined"}
        shown = " ".join(entry.text for entry in shown_guidance(pack, record, home_care=False))
        assert not HARMFUL.search(shown), (cause, HARMFUL.search(shown))
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
    record = {"likely_cause": "muscle_cramp", "cause_category": "injury"}
    shown = [entry.kind for entry in shown_guidance(pack, record, home_care=True)]
    assert {"self_care", "treatment", "prevention", "question"} <= set(shown)


def test_prevention_stands_with_injuries_alone(pack: Pack) -> None:
    record = {"likely_cause": "varicose_veins", "cause_category": "circulatory"}
    assert "prevention" not in {entry.kind for entry in shown_guidance(pack, record, home_care=True)}
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
        found = explanation(connection, pack, Space(pack), record)
    text, page = explanation_text(found), explanation_page(found)
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
        found = explanation(connection, pack, Space(pack), RECORD | dict(answers) | vars(tags))
    assert (tags.triage_level, tags.likely_cause) == ("self_care", "muscle_cramp")
    assert "Peripheral artery disease" in found["serious_note"]
    assert not HARMFUL.search(explanation_text(found))


@pytest.mark.parametrize(
    ("leader", "points", "kind", "words"),
    [
        (None, {}, "none", "Undetermined"),
        ("muscle_cramp", {"muscle_cramp": 3}, "only", "the only cause"),
        ("cellulitis", {"cellulitis": 1, "muscle_cramp": 3}, "weak", "weak sign"),
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
    assert certainty(leader, points) == kind
    found = cause_words(pack, leader, points)
    assert words in found
    assert found.startswith("Cannot be told apart") == (kind == "close")
