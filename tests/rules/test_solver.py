"""What conditions can be: the search equals trying every record, and every kind of finding is told with its line."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cli.app import main
from pipelines.rules.formulas import AtLeast, Effort, Masks, Space, TooMuchEffortError, holds
from pipelines.rules.lint import MOST_STATEMENTS, list_findings
from pipelines.rules.solver import find_counterexample, find_model
from schemas.conditions import MAX_CONDITION_SIGNS
from schemas.pack import LEVELS, Pack
from schemas.pack_file import parse_pack
from tests.rules.test_compiler import ALL_COMPARISONS, NAMES, _named_pack, _rule, answers, conditions, packs, thoroughly
from tests.rules.test_pack import SMALL
from tests.support import kleene
from tests.support.drawing import examples
from tests.support.kleene import Answers

fewer = settings(thoroughly, max_examples=examples(40))  # each tries every record many times


@st.composite
def tiny_packs(draw: Any) -> Pack:
    """Packs of three signs and one number: few enough records for trying every one."""
    pack = draw(packs())
    folded = {"birch": "zinc", "yarrow": "amber", "clay": "moss", "duration_days": "pain_score"}

    def fold(when: str) -> str:
        for old, new in folded.items():
            when = when.replace(old, new)
        return when

    return replace(
        pack,
        fields=pack.fields[:3],
        triage=tuple(replace(rule, when=fold(rule.when)) for rule in pack.triage[:4]),
        evidence=tuple(replace(row, when=fold(row.when)) for row in pack.evidence[:5]),
    )


def every_record(space: Space) -> Iterator[Answers]:
    """Each combination of answers that the conditions can tell apart, unknown among them."""
    names = list(space.values)
    for values in itertools.product(*space.values.values()):
        yield {n: v.start if isinstance(v, range) else v for n, v in zip(names, values, strict=True)}


def as_answers(space: Space, found: Masks) -> Answers:
    values = {name: space.values[name][mask.bit_length() - 1] for name, mask in found.items()}
    return {name: v.start if isinstance(v, range) else v for name, v in values.items()}


@thoroughly
@given(st.lists(conditions(True, ALL_COMPARISONS), min_size=1, max_size=8), answers)
def test_a_formula_holds_where_the_slow_evaluator_finds_true_or_false(texts: list[str], record: Answers) -> None:
    pack = _named_pack(NAMES, triage=tuple(_rule(f"r{i}", "emergency", t) for i, t in enumerate(texts)))
    space = Space(pack)
    masks = space.masks(record)
    for text in texts:
        states = holds(space.true(text), masks), holds(space.false(text), masks), holds(space.not_true(text), masks)
        state = kleene.state(text, record)
        assert states == (state is True, state is False, state is not True), text


@thoroughly
@given(tiny_packs())
def test_the_search_equals_trying_every_record(pack: Pack) -> None:
    space = Space(pack)
    records = list(every_record(space))
    whens = list(dict.fromkeys(rule.when for rule in pack.triage))
    true = {when: {i for i, record in enumerate(records) if kleene.state(when, record) is True} for when in whens}
    for when in whens:
        found = find_model(space.true(when), space)
        assert (found is not None) == bool(true[when]), when
        assert found is None or kleene.state(when, as_answers(space, found)) is True, when
    for when, by in itertools.product(whens, repeat=2):
        assert (find_counterexample(space, when, by) is None) == (true[when] <= true[by]), (when, by)


@fewer
@given(tiny_packs())
def test_the_findings_equal_those_of_trying_every_record(pack: Pack) -> None:
    records = list(every_record(Space(pack)))
    told = [
        (finding.what, kind)
        for finding in list_findings(pack)
        for kind, words in KINDS.items()
        if words in finding.what
    ]
    assert {(" ".join(what.split()[:2]).rstrip(":"), kind) for what, kind in told} == set(obvious(pack, records))
    found = {kleene.tags(pack, record).triage_level for record in records}
    unreached = {level for level in LEVELS for f in list_findings(pack) if f"no record can be {level}:" in f.what}
    assert unreached == set(LEVELS) - found


KINDS = {
    "never": "can never be TRUE",
    "implied": "as well, so that it never decides the level",
    "unlikely": "can never be the likely cause",
    "idle": "the same cause would be found without it",
    "no evidence": "no evidence points to it",
}


def obvious(pack: Pack, records: list[Answers]) -> Iterator[tuple[str, str]]:
    """The findings on rules, causes and evidence by the slow evaluator; the first of several on one row."""
    true = {
        row.when: frozenset(i for i, record in enumerate(records) if kleene.state(row.when, record) is True)
        for row in (*pack.triage, *pack.evidence)
    }
    for table in ("triage", "evidence"):
        yield from ((f"[[{table}]] {row.id}", "never") for row in getattr(pack, table) if not true[row.when])
    for place, rule in enumerate(pack.triage):
        higher = [
            true[other.when] > true[rule.when]
            or (true[other.when] == true[rule.when] and (other.level != rule.level or pack.triage.index(other) < place))
            for other in pack.triage
            if other is not rule and LEVELS.index(other.level) >= LEVELS.index(rule.level)
        ]
        if any(higher) and true[rule.when]:
            yield f"[[triage]] {rule.id}", "implied"
    live = replace(pack, evidence=tuple(row for row in pack.evidence if true[row.when]))
    likely = causes_of(live, records)
    for cause in pack.causes:
        if not any(row.cause == cause.name for row in live.evidence):
            yield f"[[causes]] {cause.name}", "no evidence"
        elif cause.name not in likely:
            yield f"[[causes]] {cause.name}", "unlikely"
    for row in live.evidence:
        without = replace(live, evidence=tuple(other for other in live.evidence if other is not row))
        if causes_of(without, records) == likely:
            yield f"[[evidence]] {row.id}", "idle"


def causes_of(pack: Pack, records: list[Answers]) -> list[str]:
    return [kleene.tags(pack, record).likely_cause for record in records]


# ------------------------------------------------------------------------- each kind of finding, with its line

# what is changed in the small pack, the text on whose line the finding is told, its severity, and words of it
FOUND = {
    "a contradiction": (
        {'"rash AND itch"': '"rash AND NOT rash"'}, '"rash AND NOT', "error", "rash_and_itch: when: can never"),
    "numbers that exclude each other": (
        {'"rash AND itch"': '"pain_score > 7 AND NOT pain_score >= 8"'}, '"pain_score', "error", "can never be TRUE"),
    "a number at the end of its field": (
        {'"rash AND itch"': '"pain_score > 10"'}, '"pain_score', "error", "can never be TRUE"),
    "evidence that never holds": (
        {'"rash OR itch"': '"NOT (itch OR NOT itch)"'}, '"NOT (itch', "error", "eczema_rash_or_itch: when: can"),
    "a rule behind a higher one": (
        {'when = "rash"': 'when = "itch AND pain_score = 3 AND rash"'},
        '"itch AND', "warning", "whenever it is TRUE, emergency_rash_and_itch (emergency)"),
    "a rule like an earlier one": (
        {'level = "emergency"': 'level = "contact_doctor"', '"rash AND itch"': '"NOT NOT rash"'},
        '"rash"\nreference', "warning", "doctor_rash: whenever it is TRUE, emergency_rash_and_itch"),
    "a field that nobody reads": (
        {'"rash AND itch"': '"rash"', '"rash OR itch"': '"rash"'}, 'name = "itch"', "warning", "read by no rule"),
    "a field for evidence alone": ({'"rash AND itch"': '"rash"'}, 'name = "itch"', "note", "is read by evidence alone"),
    "no emergency": ({'"emergency"': '"contact_doctor"'}, "[[triage]]", "warning", "no record can be emergency"),
    "every doctor an emergency": ({'"rash AND itch"': '"rash"'}, "[[triage]]", "warning", "be contact_doctor"),
    "no self-care": (
        {'"rash AND itch"': '"rash OR NOT rash"'}, "[[triage]]", "warning", "no record can be self_care"),
    "a cause without evidence": (
        {"[[evidence]]": '[[causes]]\nname = "ache"\ncategory = "skin"\nlabel = "A"\n\n[[evidence]]'},
        'name = "ache"', "warning", "ache: no evidence points to it"),
    "evidence that decides nothing": (
        {}, "points = 1", "warning", "eczema_rash: changes points and never the likely cause"),
}  # fmt: skip


@pytest.mark.parametrize("what", FOUND)
def test_told_with_its_line_and_severity(what: str) -> None:
    replacements, place, severity, words = FOUND[what]
    text = SMALL
    for old, new in replacements.items():
        assert old in text
        text = text.replace(old, new, 1)
    line = text[: text.index(place)].count("\n") + 1
    told = [finding for finding in list_findings(parse_pack(text)) if words in finding.what]
    assert [(finding.severity, finding.line) for finding in told] == [(severity, line)]


def test_the_shipped_pack_has_five_fields_for_evidence_alone_and_nothing_else_to_tell(pack: Pack) -> None:
    found = list_findings(pack)
    (covered,) = (finding for finding in found if finding.severity != "note")
    assert "doctor_streaks_with_tenderness_or_lump: whenever it is TRUE" in covered.what
    names = ["cramping", "dehydration", "direct_blow", "overuse", "visible_veins"]
    assert [finding.what.split("] ")[1].split(":")[0] for finding in found if finding.severity == "note"] == names


def test_the_command_prints_what_it_finds_and_ends_with_2_only_for_an_error(tmp_path: Path, capsys) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(SMALL)
    assert main(["rules", "check", str(path)]) == 0
    warning, last = capsys.readouterr().out.splitlines()
    assert warning.startswith(f"{path}:63: warning: [[evidence]] eczema_rash: changes points")
    assert last.endswith("no error found")
    path.write_text(SMALL.replace('"rash AND itch"', '"rash AND NOT rash"'))
    assert main(["rules", "check", str(path)]) == 2
    assert capsys.readouterr().err.startswith(
        f"calfwatch: {path}:28: [[triage]] emergency_rash_and_itch: when: can never"
    )


# ------------------------------------------------------------------------- ugly packs

PIGEONS, HOLES = range(6), range(5)


def pigeonholes() -> str:
    """Six pigeons in five holes, one each: the classic contradiction that simple searches need long for."""
    places = [[f"p{pigeon}{hole}" for hole in HOLES] for pigeon in PIGEONS]
    housed = [f"({' OR '.join(row)})" for row in places]
    alone = [f"NOT ({a} AND {b})" for column in zip(*places, strict=True) for a, b in itertools.combinations(column, 2)]
    return " AND ".join([*housed, *alone])


def test_a_contradiction_of_30_fields_and_nearly_2000_signs_is_found() -> None:
    when = pigeonholes()
    assert 1500 < len(when) <= MAX_CONDITION_SIGNS
    names = [f"p{pigeon}{hole}" for pigeon in PIGEONS for hole in HOLES]
    space = Space(_named_pack(names, triage=(_rule("full", "emergency", when),)))
    assert find_model(space.true(when), space) is None
    found = find_model(space.false(when), space)
    assert found is not None
    assert kleene.state(when, as_answers(space, found)) is False


def test_a_search_is_given_up_where_its_effort_is_used_up() -> None:
    exclusive = [f"{name} AND NOT ({' OR '.join(other for other in NAMES if other != name)})" for name in NAMES]
    space = Space(_named_pack(NAMES, triage=tuple(_rule(f"r{i}", "emergency", w) for i, w in enumerate(exclusive))))
    two_of_them = AtLeast(2, tuple((1, space.true(when)) for when in exclusive))
    assert find_model(two_of_them, space) is None
    with pytest.raises(TooMuchEffortError):
        find_model(two_of_them, space, Effort(10))


def test_the_shipped_pack_needs_a_small_part_of_the_effort_that_is_allowed(pack: Pack, monkeypatch) -> None:
    monkeypatch.setattr("pipelines.rules.lint.MOST_STATEMENTS", MOST_STATEMENTS // 100)
    assert not [finding for finding in list_findings(pack) if "was not decided" in finding.what]
    monkeypatch.setattr("pipelines.rules.lint.MOST_STATEMENTS", 0)
    assert "was not decided" in " ".join(finding.what for finding in list_findings(pack))
