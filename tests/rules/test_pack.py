"""Rule packs: the shipped one is the reading of the article; a wrong one is refused, with line and what is allowed."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from schemas.conditions import MAX_CONDITION_SIGNS, SQL_WORDS, list_condition_fields
from schemas.fields import CONTEXT_NAMES
from schemas.pack import Pack
from schemas.pack_checks import RESERVED_NAMES, map_sender_words
from schemas.pack_file import InvalidPack, find_default_pack_path, load_pack, parse_pack
from schemas.tables import CALENDAR, FILES, make_records_table, make_reports_table, make_superseded_table

# ------------------------------------------------------------------------- the reading of the article, copied here

FIELDS = """
cannot_bear_weight redness calf_swelling leg_swelling warmth fever shortness_of_breath tenderness streaks lump
cooler_leg paler_leg pain_after_exertion sensation_loss pain_after_sitting pop_at_onset worse_despite_self_care
not_improving cramping dehydration skin_break direct_blow overuse visible_veins
"""

OTHER = "shortness_of_breath or fever or streaks or (redness and calf_swelling) or (redness and skin_break)"
TRIAGE = f"""
emergency      | cannot_bear_weight                                          | emergency 1       | stated
emergency      | redness and calf_swelling and warmth and fever              | emergency 2       | stated
emergency      | shortness_of_breath and (calf_swelling or leg_swelling)     | emergency 3       | stated
contact_doctor | pain_after_exertion                                         | doctor 1          | stated
contact_doctor | cooler_leg and paler_leg                                    | doctor 2          | stated
contact_doctor | calf_swelling and warmth and tenderness                     | doctor 3          | stated
contact_doctor | streaks and (tenderness or lump)                            | doctor 4          | stated
contact_doctor | sensation_loss                                              | doctor 5          | stated
contact_doctor | pain_after_sitting                                          | doctor 6          | stated
contact_doctor | pop_at_onset                                                | doctor 7          | stated
contact_doctor | worse_despite_self_care                                     | doctor 8          | stated
contact_doctor | not_improving                                               | FAQ 2             | stated
contact_doctor | pain_score >= 7                                             | closing paragraph | inferred
contact_doctor | duration_days >= 14                                         | closing paragraph | inferred
contact_doctor | {OTHER} | closing paragraph | inferred
"""

EVIDENCE = """
injury      | muscle_or_tendon_tear     | pop_at_onset                                             | 3 | inferred
injury      | contusion_or_laceration   | direct_blow                                              | 3 | stated
injury      | muscle_cramp              | cramping                                                 | 3 | stated
injury      | muscle_cramp              | cramping and dehydration                                 | 1 | stated
injury      | overuse_strain            | overuse                                                  | 2 | inferred
infection   | cellulitis                | skin_break and redness                                   | 3 | stated
infection   | cellulitis                | redness and calf_swelling                                | 3 | stated
infection   | cellulitis                | fever and (redness or calf_swelling or warmth)           | 3 | inferred
infection   | cellulitis                | streaks and (tenderness or lump)                         | 3 | inferred
infection   | cellulitis                | streaks                                                  | 1 | inferred
infection   | cellulitis                | redness                                                  | 1 | stated
inflammatory_neurological | nerve_condition | sensation_loss                                       | 3 | inferred
circulatory | deep_vein_thrombosis      | shortness_of_breath and (calf_swelling or leg_swelling)  | 3 | inferred
circulatory | deep_vein_thrombosis      | calf_swelling and warmth and tenderness                  | 2 | inferred
circulatory | deep_vein_thrombosis      | pain_after_sitting                                       | 2 | inferred
circulatory | peripheral_artery_disease | pain_after_exertion                                      | 2 | inferred
circulatory | peripheral_artery_disease | cooler_leg                                               | 1 | inferred
circulatory | peripheral_artery_disease | paler_leg                                                | 1 | inferred
circulatory | peripheral_artery_disease | cooler_leg and paler_leg                                 | 1 | inferred
circulatory | varicose_veins            | visible_veins                                            | 3 | inferred
"""

DANGER = """
deep_vein_thrombosis cellulitis peripheral_artery_disease nerve_condition muscle_or_tendon_tear varicose_veins
contusion_or_laceration muscle_cramp overuse_strain
"""
CATEGORIES = ("circulatory", "infection", "inflammatory_neurological", "injury")  # most dangerous first


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]


def place_in_article(reference: str) -> str:
    """'emergency 1' for '... emergency list, bullet 1', as the reading writes it."""
    if bullet := re.search(r"(emergency|doctor) list, bullet (\d)$", reference):
        return f"{bullet.group(1)} {bullet.group(2)}"
    return reference.split(" (")[0] if reference.startswith("FAQ") else reference.split(":")[0].lower()


def test_the_shipped_fields_are_those_of_the_reading_in_its_order(pack: Pack) -> None:
    assert pack.field_names == tuple(FIELDS.split())


def test_the_shipped_triage_rules_are_those_of_the_reading_in_its_order(pack: Pack) -> None:
    found = [[r.level, r.when.lower(), place_in_article(r.reference), r.basis] for r in pack.triage]
    assert found == cells(TRIAGE)


def test_the_shipped_evidence_is_that_of_the_reading_in_its_order(pack: Pack) -> None:
    category = {cause.name: cause.category for cause in pack.causes}
    found = [[category[r.cause], r.cause, r.when.lower(), str(r.points), r.basis] for r in pack.evidence]
    assert found == cells(EVIDENCE)


def test_the_shipped_categories_and_causes_stand_in_the_order_that_decides_ties(pack: Pack) -> None:
    assert tuple(category.name for category in pack.categories) == CATEGORIES
    assert [cause.name for cause in pack.causes] == DANGER.split()
    categories = {row[1]: row[0] for row in cells(EVIDENCE)}
    assert {cause.name: cause.category for cause in pack.causes} == categories
    assert sorted(pack.serious_causes) == sorted(DANGER.split()[:4])
    assert pack.leading_cause == "urgency"


def test_the_shipped_rule_ids_say_their_level(pack: Pack) -> None:
    prefix = {"emergency": "emergency_", "contact_doctor": "doctor_"}
    assert [rule.id for rule in pack.triage if not rule.id.startswith(prefix[rule.level])] == []


def test_no_condition_of_the_shipped_pack_has_a_not(pack: Pack) -> None:
    assert [row.id for row in (*pack.triage, *pack.evidence) if re.search(r"\bnot\b|!", row.when.lower())] == []


def test_every_cause_has_self_care_and_treatment_guidance(pack: Pack) -> None:
    for cause in pack.causes:
        kinds = {entry.kind for entry in pack.guidance if entry.cause == cause.name}
        assert kinds >= {"self_care", "treatment"}, cause.name


def test_the_complications_the_ways_to_prevent_and_the_questions_are_all_there(pack: Pack) -> None:
    kinds = [entry.kind for entry in pack.guidance if entry.cause in ("any", "injury")]
    assert [kinds.count(kind) for kind in ("complication", "prevention", "question")] == [6, 8, 2]


def test_cancer_and_wear_and_tear_are_named_in_the_notes_and_assigned_by_nothing(pack: Pack) -> None:
    notes = " ".join(pack.notes).lower()
    assert "cancer" in notes
    assert "wear and tear" in notes
    for word in ("cancer", "tumor", "wear"):
        assert not [cause for cause in pack.causes if word in f"{cause.name} {cause.label}".lower()]


def test_the_shipped_pack_says_whose_reading_it_is_and_that_it_is_no_advice(pack: Pack) -> None:
    assert (pack.article, pack.reviewed) == ("Calf Pain: Causes and Treatments", "2022-09-06")
    assert "not medical advice" in pack.disclaimer
    assert "emergency number" in pack.disclaimer


# ------------------------------------------------------------------------- a small pack to break

SMALL = """\
# a small pack
[pack]
name = "small"
number = 1
complaint = "a made-up complaint"
article = "Made up"
reviewed = 2026-01-31
notes = ["Made up for the tests: fever, rash, itch."]
disclaimer = "Not medical advice."

[[fields]]
name = "rash"
label = "Rash"
type = "yes_no"
meaning = "A rash"
reference = "List, bullet 1"

[[fields]]
name = "itch"
label = "Itch"
type = "yes_no"
meaning = "It itches"
reference = "List, bullet 2"

[[triage]]
id = "emergency_rash_and_itch"
level = "emergency"
when = "rash AND itch"
reference = "List, bullet 1"
basis = "stated"
sentence = "It is red and itches."

[[triage]]
id = "doctor_rash"
level = "contact_doctor"
when = "rash"
reference = "List, bullet 1"
basis = "inferred"
sentence = "It is red."

[[categories]]
name = "skin"
label = "Skin"

[[causes]]
name = "eczema"
category = "skin"
label = "Eczema"

[[evidence]]
id = "eczema_rash_or_itch"
cause = "eczema"
when = "rash OR itch"
points = 2
reference = "List, bullet 2"
basis = "inferred"
sentence = "Both fit."

[[evidence]]
id = "eczema_rash"
cause = "eczema"
when = "rash"
points = 1
reference = "List, bullet 2"
basis = "inferred"
sentence = "It fits."

[[guidance]]
cause = "eczema"
kind = "self_care"
text = "Keep it cool."
reference = "Treatments"
"""


def problems(text: str) -> list[str]:
    """What is wrong with a pack, a problem a line."""
    with pytest.raises(InvalidPack) as caught:
        parse_pack(text, "small.toml")
    return str(caught.value).splitlines()


def changed(old: str, new: str, which: int = 1) -> tuple[str, int]:
    """The small pack with the n-th occurrence of a text replaced, and the line where that stands."""
    parts = SMALL.split(old)
    assert len(parts) > which, f"{old!r} stands {len(parts) - 1} times"
    before = old.join(parts[:which])
    return before + new + old.join(parts[which:]), before.count("\n") + 1


def test_the_small_pack_is_right() -> None:
    small = parse_pack(SMALL)
    assert (small.name, small.number, small.complaint) == ("small", 1, "a made-up complaint")
    assert small.askable == ("rash", "itch", "pain_score", "duration_days")
    assert small.list_causes("skin") == small.causes


WRONG = {
    "an unknown key of a rule": ('basis = "stated"', 'basis = "stated"\nbasi = 1', 1, 1, "unknown key 'basi'", "basis"),
    "an unknown key of a field": ('label = "Itch"', 'label = "Itch"\nlab = 1', 1, 1, "unknown key 'lab'", "label"),
    "an unknown key of the pack": ("number = 1", "number = 1\nnumbr = 2", 1, 1, "unknown key 'numbr'", "disclaimer"),
    "an unknown table": ("[[guidance]]", "[[guidence]]", 1, 0, "unknown table or key 'guidence'", "guidance"),
    "a table that must be a list": ("[[categories]]", "[categories]", 1, 0, "written as [[categories]]", ""),
    "a missing reference": ('reference = "List, bullet 1"\nbasis = "inferred"', 'basis = "inferred"', 1, -4,
        "[[triage]] doctor_rash: 'reference' is missing", "needed: id, level, when"),
    "a missing basis": ('basis = "stated"\n', "", 1, -5, "emergency_rash_and_itch: 'basis' is missing", "basis"),
    "a missing condition": ('when = "rash OR itch"\n', "", 1, -3, "eczema_rash_or_itch: 'when' is missing", "when"),
    "a missing number of the pack": ("number = 1\n", "", 1, -2, "[pack]: 'number' is missing", "disclaimer"),
    "an empty reference": ('"List, bullet 2"', '""', 1, 0, "[[fields]] itch: 'reference' is empty", "text"),
    "a blank reference": ('"List, bullet 2"', '"  "', 1, 0, "[[fields]] itch: 'reference' is empty", "text"),
    "a blank condition": ('when = "rash"', 'when = "  "', 1, 0, "[[triage]] doctor_rash: 'when' is empty", "text"),
    "points as text": ("points = 2", 'points = "2"', 1, 0, "'points' must be a whole number", ""),
    "points as a fraction": ("points = 1", "points = 1.0", 1, 0, "'points' must be a whole number", ""),
    "points as true": ("points = 1", "points = true", 1, 0, "'points' must be a whole number", ""),
    "a condition as a number": ('when = "rash"', "when = 7", 1, 0, "'when' must be text", ""),
    "the pack's number as text": ("number = 1", 'number = "1"', 1, 0, "'number' must be a whole number", ""),
    "the pack's number below 1": ("number = 1", "number = 0", 1, 0, "number must be 1 or more", ""),
    "the review date as text": ("2026-01-31", '"soon"', 1, 0, "'reviewed' must be a date such as 2022-09-06", ""),
    "notes as one text": ('["Made up for the tests: fever, rash, itch."]', '"none"', 1, 0, "a list of texts", ""),
    "a note that is no text": ('["Made up for the tests: fever, rash, itch."]', "[1]", 1, 0, "a list of texts", ""),
    "a pack name with blanks": ('"small"', '"a small one"', 1, 0, "name 'a small one'", "lower-case letters"),
    "no points": ("points = 2", "points = 0", 1, 0, "points '0' is not one of", "1, 2, 3, 4, 5, 6, 7, 8, 9"),
    "too many points": ("points = 2", "points = 10", 1, 0, "points '10' is not one of", "1, 2, 3, 4, 5, 6, 7, 8, 9"),
    "an unknown level": ('"contact_doctor"', '"urgent"', 1, 0, "level 'urgent'", "contact_doctor, emergency"),
    "self_care as the level of a rule": ('"contact_doctor"', '"self_care"', 1, 0, "level 'self_care'", "emergency"),
    "an unknown basis": ('"inferred"', '"guessed"', 2, 0, "eczema_rash_or_itch: basis 'guessed'", "stated, inferred"),
    "an unknown category": ('category = "skin"', 'category = "sin"', 1, 0, "category 'sin' is not one of skin", ""),
    "an unknown cause": ('cause = "eczema"', 'cause = "ezcema"', 2, 0, "eczema_rash: cause 'ezcema'", "eczema"),
    "guidance for nobody": ('cause = "eczema"', 'cause = "all"', 3, 0, "'all' is not one of eczema, skin, any", ""),
    "an unknown kind of guidance": ('"self_care"', '"advice"', 1, 0, "kind 'advice' is not one of", "self_care"),
    "an unknown type of field": ('"yes_no"', '"date"', 2, 0, "itch: type 'date' is not one of yes_no", "choice"),
    "a number without its limits": (
        '"yes_no"', '"number"\nunit = "C"\nlargest = 9', 1, -3, "'smallest' is missing", ""),
    "numbers that do not rise": (
        '"yes_no"', '"number"\nunit = "C"\nsmallest = 9\nlargest = 9', 1, 3, "numbers from 9 to 9; allowed", ""),
    "numbers that are too large": (
        '"yes_no"', '"number"\nunit = "C"\nsmallest = 0\nlargest = 65536', 1, 3, "rising, to 65535", ""),
    "a choice without values": ('"yes_no"', '"choice"\nvalues = []', 1, 1, "values must be 2 to 255, each once", ""),
    "a choice with a value twice": ('"yes_no"', '"choice"\nvalues = ["a", "a"]', 1, 1, "2 to 255, each once", ""),
    "a choice with a value of other letters": (
        '"yes_no"', '"choice"\nvalues = ["a", "B"]', 1, 1, "value 'B' must be lower-case letters", ""),
    "a choice that calls no answer a value": (
        '"yes_no"', '"choice"\nvalues = ["a", "unknown"]', 1, 1, "'unknown' would mean that there is no answer", ""),
    "values of a yes/no field": ('"yes_no"', '"yes_no"\nvalues = ["a", "b"]', 1, 1, "unknown key 'values'", ""),
    "a field that stands twice": ('name = "itch"', 'name = "rash"', 1, 0, "name 'rash' stands twice", ""),
    "a rule id that stands twice": ('"doctor_rash"', '"emergency_rash_and_itch"', 1, 0, "stands twice", "triage"),
    "an id of a rule and of evidence": ('"eczema_rash"', '"doctor_rash"', 1, 0, "id 'doctor_rash' stands twice", ""),
    "a field in capitals": ('name = "itch"', 'name = "Itch"', 1, 0, "name 'Itch' must be lower-case letters", ""),
    "a field that is a context field": ('name = "itch"', 'name = "region"', 1, 0, "a column of calfwatch already", ""),
    "a field that is a tag": ('name = "itch"', 'name = "triage_level"', 1, 0, "a column of calfwatch already", ""),
    "a field that is a word of SQL": ('name = "itch"', 'name = "select"', 1, 0, "select: is a word of SQL", "another"),
    "a field that DuckDB wants in quotes": ('name = "itch"', 'name = "left"', 1, 0, "left: is a word of SQL", "other"),
    "a field that begins a statement": ('name = "itch"', 'name = "comment"', 1, 0, "comment: is a word of SQL", ""),
    "a category of that name": ('name = "skin"', 'name = "undetermined"', 1, 0, "'undetermined' has a meaning", ""),
    "a cause called any": ('name = "eczema"', 'name = "any"', 1, 0, "'any' has a meaning of its own", ""),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_refused_with_the_line_and_what_is_allowed(what: str) -> None:
    old, new, which, below, message, allowed = WRONG[what]
    text, line = changed(old, new, which)
    found = [problem for problem in problems(text) if message in problem]
    assert len(found) == 1, problems(text)
    assert found[0].startswith(f"small.toml:{line + below}: "), found[0]
    assert allowed in found[0]


NOT_A_FIELD = "is not a yes/no field of the pack; allowed: rash, itch"
NOT_NUMERIC = "is not a numeric field or a choice; allowed: pain_score, duration_days, on the left"
NOT_WHOLE = "is not a whole number; allowed: 0-10"
NOT_ALLOWED = (
    "is not allowed; allowed: yes/no fields, AND, OR, NOT, parentheses, a number compared with a whole number, "
)
NO_CONDITION = "is not a SQL condition; allowed: yes/no fields, AND, OR, NOT"
CONDITIONS = {
    "an unknown field": ("rash AND ich", "'ich' " + NOT_A_FIELD),
    "a field in capitals": ("RASH", "'RASH' " + NOT_A_FIELD),
    "a field in quotes": ("'\"rash\"'", "the character '\"' " + NOT_ALLOWED),
    "a number as an answer": ("pain_score", "'pain_score' " + NOT_A_FIELD),
    "a context field that is no number": ("region", "'region' " + NOT_A_FIELD),
    "a function": ("coalesce(rash, itch)", NOT_ALLOWED),
    "a function that reads files": ("read_csv('x')", NOT_ALLOWED),
    "a subquery": ("(SELECT rash)", NOT_ALLOWED),
    "a query": ("SELECT rash", NOT_ALLOWED),
    "EXISTS": ("EXISTS (SELECT 1)", NOT_ALLOWED),
    "ANY of a query": ("pain_score > ANY (SELECT 1)", NOT_WHOLE),
    "a string": ("'yes'", NOT_ALLOWED),
    "a comparison with a string": ("rash = 'yes'", "'rash' " + NOT_NUMERIC),
    "a number as a string": ("pain_score >= '7'", NOT_WHOLE),
    "a column with a table": ("reports.rash", NOT_ALLOWED),
    "a number with a table": ("reports.pain_score > 3", NOT_NUMERIC),
    "every column": ("*", NOT_ALLOWED),
    "NULL": ("NULL", NOT_ALLOWED),
    "a comparison with NULL": ("pain_score = NULL", NOT_WHOLE),
    "IS NULL": ("rash IS NULL", NOT_ALLOWED),
    "IS TRUE": ("rash IS TRUE", NOT_ALLOWED),
    "IS DISTINCT FROM": ("pain_score IS DISTINCT FROM 7", NOT_ALLOWED),
    "TRUE": ("rash AND TRUE", NOT_ALLOWED),
    "1": ("rash AND 1", NOT_ALLOWED),
    "IN": ("pain_score IN (7, 8)", NOT_ALLOWED),
    "BETWEEN": ("pain_score BETWEEN 7 AND 9", NOT_ALLOWED),
    "LIKE": ("rash LIKE itch", NOT_ALLOWED),
    "CASE": ("CASE WHEN rash THEN itch END", NOT_ALLOWED),
    "arithmetic on the left": ("pain_score + 1 >= 7", NOT_NUMERIC),
    "arithmetic on the right": ("pain_score >= 3 + 4", NOT_WHOLE),
    "a fraction": ("pain_score >= 7.5", NOT_WHOLE),
    "an exponent": ("pain_score >= 7e0", NOT_WHOLE),
    "a negative number": ("pain_score >= -1", NOT_WHOLE),
    "a number beyond the scale": ("pain_score >= 11", "11 is outside of pain_score; allowed: 0-10"),
    "a number beyond all bounds": (f"duration_days > {'9' * 60}", "is outside of duration_days; allowed: 0-3650"),
    "two numeric fields": ("pain_score >= duration_days", NOT_WHOLE),
    "the number on the left": ("7 <= pain_score", "'7' " + NOT_NUMERIC),
    "a chain of comparisons": ("3 < pain_score < 7", NOT_NUMERIC),
    "a cast": ("rash::INTEGER", NOT_ALLOWED),
    "a parameter": ("$1", NOT_ALLOWED),
    "a list": ("[rash]", NOT_ALLOWED),
    "a lambda": ("x -> rash", NOT_ALLOWED),
    "an alias": ("rash AS itch", NOT_ALLOWED),
    "two fields side by side": ("rash itch", NOT_ALLOWED),
    "bits": ("rash & itch", NOT_ALLOWED),
    "concatenation": ("rash || itch", NOT_ALLOWED),
    "another statement": ("rash; DROP TABLE records", NOT_ALLOWED),
    "a semicolon": ("rash;", "the character ';' " + NOT_ALLOWED),
    "a comment to the end": ("rash -- AND itch", "the character '-' " + NOT_ALLOWED),
    "a comment inside": ("rash /* AND itch */", "the character '/' " + NOT_ALLOWED),
    "a template comment": ("{# x #} rash", "the character '{' " + NOT_ALLOWED),
    "a space of another alphabet": ("rash\\u00a0AND itch", "is not allowed; allowed: yes/no fields, AND, OR, NOT"),
    "a comment alone": ("-- rash", NO_CONDITION),
    "a semicolon alone": (";", NO_CONDITION),
    "an open end": ("rash AND", NO_CONDITION),
    "an open parenthesis": ("rash AND (itch", NO_CONDITION),
    "XOR": ("rash XOR itch", NO_CONDITION),
    "deep parentheses": ("(" * 500 + "rash" + ")" * 500, "is nested too deeply"),
    "many NOTs": ("NOT " * 450 + "rash", "is nested too deeply"),
    "a very long condition": (" AND ".join(["rash"] * 3000), f"at most {MAX_CONDITION_SIGNS} are allowed"),
}


@pytest.mark.parametrize("what", CONDITIONS)
def test_a_condition_is_refused_with_the_line_and_what_is_allowed(what: str) -> None:
    condition, message = CONDITIONS[what]
    written = condition if condition.startswith("'\"") else '"' + condition + '"'
    text, line = changed('when = "rash"', f"when = {written}")
    (problem,) = problems(text)
    assert problem.startswith(f"small.toml:{line}: [[triage]] doctor_rash: when: "), problem
    assert message in problem


@pytest.mark.parametrize(
    "condition",
    [
        "rash",
        "(rash)",
        "NOT rash AND NOT (itch OR rash)",
        "not rash or itch",
        "rash\\nAND\\titch",
        "pain_score >= 7 AND duration_days < 14",
        "pain_score = 0 OR pain_score <> 10 OR pain_score != 3 OR duration_days <= 3650 OR duration_days > 07",
        " AND ".join(["rash"] * 200),
    ],
)
def test_allowed(condition: str) -> None:
    text, _ = changed('when = "rash"', f'when = "{condition}"')
    assert parse_pack(text).triage[1].when.split() == condition.replace("\\n", " ").replace("\\t", " ").split()


def test_every_problem_is_told_at_once() -> None:
    text = SMALL.replace('when = "rash AND itch"', 'when = "rsh AND itch"').replace('when = "rash"', 'when = "tich"')
    found = problems(text)
    assert [problem.split(": ")[1] for problem in found] == [
        "[[triage]] emergency_rash_and_itch",
        "[[triage]] doctor_rash",
        "[[evidence]] eczema_rash",
    ]


def test_the_fields_of_a_condition_come_in_the_order_in_which_they_are_written() -> None:
    found = list_condition_fields("redness AND fever AND (lump OR redness) AND pain_score > 3")
    assert found == ("redness", "fever", "lump", "pain_score")


# ------------------------------------------------------------------------- empty, huge, unreadable


def test_an_empty_pack_lacks_everything() -> None:
    found = problems("")
    assert found[0].startswith("small.toml:1: there is no table [pack]; it holds name, number")
    names = [problem.split("[[")[1].split("]]")[0] for problem in found[1:]]
    assert names == ["fields", "triage", "categories", "causes", "evidence", "guidance"]


@pytest.mark.parametrize("head", ["pack = 3\n", "[[pack]]\nname = 1\n", "fields = 3\n", "fields = [1]\n", "x = 1\n"])
def test_a_pack_of_another_shape_is_refused_without_a_traceback_and_with_lines(head: str) -> None:
    assert all(problem.startswith("small.toml:1: ") for problem in problems(head))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('notes = ["', 'notes = ["""\n[[fields]]\nname = 1\n[[triage]]\n  when = ""\n""", "'),
        ('notes = ["', "notes = [\n'" + "''\n[pack]\nnumber = \"\"\"\n''" + '\',\n\'when = 3\', # [[fields]] """\n"'),
        ('when = "rash AND itch"', 'when = """\nrash\n  AND itch\n"""'),
        ("[[fields]]", '[["fields"]]'),
        ('reference = "', '"reference" = "'),
    ],
)
def test_texts_of_several_lines_and_quoted_names_do_not_move_the_lines(old: str, new: str) -> None:
    assert old in SMALL
    text = SMALL.replace(old, new).replace('"self_care"', '"advice"')
    (problem,) = problems(text)
    line = text[: text.index('"advice"')].count("\n") + 1
    assert problem.startswith(f"small.toml:{line}: [[guidance]]")


def test_a_table_written_as_one_value_is_found_where_that_stands() -> None:
    kept = SMALL.replace('[[categories]]\nname = "skin"\nlabel = "Skin"\n', "")
    (problem,) = problems('# made up\ncategories = [{name = "skin", labl = "Skin", label = "Skin"}]\n' + kept)
    assert problem.startswith("small.toml:2: [[categories]] skin: unknown key 'labl'")


def grown(table: str, row: str, count: int) -> str:
    """The small pack with more rows of a table; `{}` in the row is their number."""
    return SMALL + "".join(f"\n[[{table}]]\n{row.replace('{}', str(number))}\n" for number in range(count))


FIELD = 'name = "sign_{}"\nlabel = "A"\ntype = "yes_no"\nmeaning = "A"\nreference = "A"'
RULE = 'id = "rule_{}"\nlevel = "emergency"\nwhen = "rash"\nreference = "A"\nbasis = "stated"\nsentence = "A"'
CATEGORY = 'name = "category_{}"\nlabel = "A"'
CAUSE = 'name = "cause_{}"\ncategory = "skin"\nlabel = "A"'
ROW = 'id = "row_{}"\ncause = "eczema"\nwhen = "rash"\npoints = 9\nreference = "A"\nbasis = "stated"\nsentence = "A"'


@pytest.mark.parametrize(
    ("table", "row", "most", "message"),
    [
        ("fields", FIELD, 28, "33 fields, pain_score and duration_days included; at most 32 can be stored"),
        ("triage", RULE, 30, "33 triage rules; at most 32 can be stored"),
        ("categories", CATEGORY, 3, "5 categories; at most 4 can be stored"),
        ("causes", CAUSE, 63, "65 causes; at most 64 can be stored"),
        ("evidence", ROW, 28, "the evidence for 'skin' adds up to 264 points; at most 255 can be stored"),
    ],
)
def test_the_largest_pack_is_taken_and_one_more_is_refused(table: str, row: str, most: int, message: str) -> None:
    assert parse_pack(grown(table, row, most))
    (problem,) = problems(grown(table, row, most + 1))
    assert re.fullmatch(rf"small\.toml:\d+: {re.escape(message)}", problem)


def test_what_is_no_toml_is_refused_with_the_line() -> None:
    (problem,) = problems("[pack]\nname = small\n")
    assert problem.startswith("small.toml:2: is not TOML: ")
    (problem,) = problems('[pack]\nname = "small')
    assert problem.startswith("small.toml:2: is not TOML: ")


def test_a_key_twice_in_a_table_is_refused() -> None:
    (problem,) = problems(changed("number = 1", "number = 1\nnumber = 2")[0])
    assert "is not TOML" in problem


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_pack_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "my.toml"
    if content:
        path.write_bytes(content)
    with pytest.raises(InvalidPack, match=r"rule pack .*my\.toml: cannot be read"):
        load_pack(path)


def test_a_field_may_not_be_called_as_any_column_that_records_have_or_are_joined_with(pack: Pack) -> None:
    tables = (make_records_table(pack), make_reports_table(pack), make_superseded_table(pack), FILES, CALENDAR)
    own = {name for table in tables for name in table.column_names} - set(pack.field_names)
    assert own <= RESERVED_NAMES
    assert set(CONTEXT_NAMES) <= RESERVED_NAMES


# ------------------------------------------------------------------------- words of senders, actions

WORDS = (
    SMALL
    + """
[synonyms]
rash = ["red skin", "Exanthem"]
itch = ["pruritus"]
"""
)


def test_senders_may_write_names_labels_and_synonyms_in_any_case() -> None:
    words = map_sender_words(parse_pack(WORDS))
    assert words == {"rash": "rash", "itch": "itch", "red skin": "rash", "exanthem": "rash", "pruritus": "itch"}
    bent = map_sender_words(parse_pack(WORDS.replace("pruritus", "Can\u2019t\u2011sit still")))
    assert bent["can't sit still"] == "itch", "as the adapter reads it"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pruritus", "exanthem", "'exanthem' of 'itch' already means 'rash'"),
        ("pruritus", "Rash", "'rash' of 'itch' already means 'rash'"),
        ("pruritus", "none", "'none' of 'itch' already means 'no answer'"),
        ("pruritus", "unknown", "'unknown' of 'itch' already means 'no answer'"),
        ("itch = [", "itsch = [", "'itsch' is not a yes/no field of the pack; allowed: rash, itch"),
        ('["pruritus"]', "[1]", "'itch' must be a list of texts"),
        ('["pruritus"]', '"pruritus"', "must be lines of field = a list of texts"),
    ],
)
def test_a_word_of_two_meanings_or_of_no_field_is_refused_with_its_line(old: str, new: str, message: str) -> None:
    (problem,) = problems(WORDS.replace(old, new))
    assert message in problem
    line = next(i for i, text in enumerate(WORDS.splitlines(), 1) if text.startswith(("itch = [", "[synonyms]")))
    assert problem.startswith((f"small.toml:{line}: ", f"small.toml:{line + 2}: "))


def test_a_label_that_two_fields_share_means_neither() -> None:
    words = map_sender_words(parse_pack(SMALL.replace('"Itch"', '"Spots"').replace('"Rash"', '"Spots"')))
    assert words == {"rash": "rash", "itch": "itch"}


def test_a_pack_without_actions_has_those_of_the_levels(pack: Pack) -> None:
    assert parse_pack(SMALL).choose_action("emergency", "emergency").startswith("Call the emergency number")
    assert pack.choose_action("unresolved", "emergency").endswith(pack.actions["emergency"])


def test_a_pack_that_marks_no_cause_as_serious_shows_home_care_for_none() -> None:
    assert parse_pack(SMALL).serious_causes == {"eczema"}


def test_wrong_keys_do_not_hide_each_other() -> None:
    text = SMALL.replace('basis = "stated"', 'basis = "guessed"').replace("points = 2", 'points = "2"')
    assert len(problems(text.replace("number = 1", "nummer = 1"))) == 4


# ------------------------------------------------------------------------- the version


def test_the_version_is_name_number_and_content() -> None:
    assert re.fullmatch(r"small-1-[0-9a-f]{32}", parse_pack(SMALL).version)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# a small pack", "# another comment"),
        ("points = 2", "points   =   2   # as inferred"),
        ("\n\n", "\n\n\n# more\n\n"),
        ("\n", "\r\n"),
        ('name = "eczema"\ncategory = "skin"', 'category = "skin"\nname = "eczema"'),
        ('text = "Keep it cool."', "text = 'Keep it cool.'"),
    ],
)
def test_comments_blanks_and_the_order_of_keys_leave_the_version(old: str, new: str) -> None:
    assert old in SMALL
    assert parse_pack(SMALL.replace(old, new)).version == parse_pack(SMALL).version


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("number = 1", "number = 2"),
        ("2026-01-31", "2026-02-01"),
        ('when = "rash AND itch"', 'when = "rash OR itch"'),
        ('when = "rash AND itch"', 'when = "rash AND rash"'),
        ("points = 2", "points = 3"),
        ('basis = "stated"', 'basis = "inferred"'),
        ('level = "contact_doctor"', 'level = "emergency"'),
        ('text = "Keep it cool."', 'text = "Keep it warm."'),
        ('sentence = "It fits."', 'sentence = "It might fit."'),
    ],
)
def test_any_change_of_content_changes_the_version(old: str, new: str) -> None:
    assert old in SMALL
    assert parse_pack(SMALL.replace(old, new)).version != parse_pack(SMALL).version


def test_the_order_of_rows_is_content() -> None:
    *others, first, second, last = SMALL.split("\n\n")
    turned = "\n\n".join([*others, second, first, last])
    assert [row.id for row in parse_pack(turned).evidence] == ["eczema_rash", "eczema_rash_or_itch"]
    assert parse_pack(turned).version != parse_pack(SMALL).version


def test_the_shipped_pack_is_read_without_a_path(pack: Pack) -> None:
    assert find_default_pack_path().name == "calf_pain.toml"
    assert load_pack(find_default_pack_path()) == pack


def test_every_word_that_this_duckdb_takes_for_a_column_only_in_quotes_is_known() -> None:
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category IN ('reserved', 'type_function')"
        ).fetchall()
    assert {word for (word,) in rows} <= SQL_WORDS
