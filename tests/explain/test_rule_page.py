"""The page to sign: as it was agreed on for the made-up pack, complete for the shipped one, its words exact."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cli.app import main
from pipelines.explain.rule_page import _escape_cell, describe_condition, render_pack_page
from schemas.pack import Pack
from schemas.pack_file import load_pack
from tests.rules.test_compiler import ALL_COMPARISONS, NAMES, _named_pack, conditions, record_lists, thoroughly
from tests.rules.test_own_fields import WRIST
from tests.support import kleene
from tests.support.drawing import examples
from tests.support.kleene import Answers

GOLDEN = Path(__file__).parents[1] / "golden" / "wrist_pain.md"


def test_the_page_of_the_made_up_pack_is_as_agreed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "show", str(WRIST)]) == 0
    assert capsys.readouterr().out == GOLDEN.read_text(), "meant? then write it anew by `rules show`"


def test_the_page_of_the_shipped_pack_holds_every_part_of_it(pack: Pack) -> None:
    page = render_pack_page(pack)
    texts = [pack.version, pack.article, pack.reviewed, pack.disclaimer, *pack.notes]
    texts += [text for field in pack.fields for text in (field.name, field.label, field.meaning, field.reference)]
    texts += [text for row in (*pack.triage, *pack.evidence) for text in (row.sentence, row.reference)]
    texts += [describe_condition(pack, row.when) for row in (*pack.triage, *pack.evidence)] + [
        rule.id for rule in pack.triage
    ]
    texts += [text for entry in pack.guidance for text in (entry.text, entry.reference)]
    texts += [row.label for row in (*pack.categories, *pack.causes)]
    assert [text for text in texts if text not in page] == []


def test_a_text_of_the_pack_cannot_break_a_table_or_bring_in_html() -> None:
    odd = "a | b\n\n# <b>c</b> [d](e) *f* `g` \\"
    assert _escape_cell(odd) == r"a \| b # \<b\>c\</b\> \[d\](e) \*f\* \`g\` \\"
    pack = load_pack(WRIST)
    page = render_pack_page(replace(pack, fields=(replace(pack.fields[0], meaning=odd), *pack.fields[1:])))
    assert len(page.splitlines()) == len(GOLDEN.read_text().splitlines())


BACK = (
    (r"“(\w+)” is (yes|no)", lambda found: found[1] if found[2] == "yes" else f"NOT {found[1]}"),
    (r"“(\w+)” is at least", r"\1 >="),
    (r"“(\w+)” is at most", r"\1 <="),
    (r"“(\w+)” is more than", r"\1 >"),
    (r"“(\w+)” is less than", r"\1 <"),
    (r"“(\w+)” is known and not (?=\d)", r"\1 <> "),
    (r"“(\w+)” is (?=\d)", r"\1 = "),
)


@settings(thoroughly, max_examples=examples(60))
@given(st.lists(conditions(True, ALL_COMPARISONS), min_size=1, max_size=10), record_lists)
def test_the_words_mean_what_the_condition_means(texts: list[str], records: list[Answers]) -> None:
    pack = _named_pack(NAMES)
    pack = replace(pack, fields=tuple(replace(field, label=field.name) for field in pack.fields))
    for text in texts:
        words = describe_condition(pack, text)
        for pattern, name in BACK:
            words = re.sub(pattern, name, words)
        assert "NOT (" not in words
        assert [kleene.state(words, record) for record in records] == [kleene.state(text, record) for record in records]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no \u202esey", r"no \\u202esey"),
        ("no\u200bwhere", r"no\\u200bwhere"),
        ("\x1b[31mred\x07", r"\\x1b\[31mred\\x07"),
        ("a\u00a0b\u2028c", r"a\\xa0b\\u2028c"),
        ("a\x1cb", r"a\\x1cb"),
        ("&#8238;x &lt;", r"\&#8238;x \&lt;"),
        ("~~not~~ _so_ __so__ calf_pain", r"\~\~not\~\~ \_so\_ \_\_so\_\_ calf_pain"),
        ("two\n  lines", "two lines"),
    ],
)
def test_the_page_to_sign_shows_every_character(text: str, shown: str) -> None:
    assert _escape_cell(text) == shown


def test_a_control_sequence_in_a_pack_never_reaches_the_page(pack: Pack) -> None:
    rule = replace(pack.triage[0], id="\x1b[2J_id", sentence="\x1b[8mhidden\u2066")
    page = render_pack_page(replace(pack, triage=(rule, *pack.triage[1:]), complaint="\x9b1m"))
    assert [sign for sign in page if not sign.isprintable() and sign != "\n"] == []
    assert r"\\x1b\[8mhidden\\u2066" in page
