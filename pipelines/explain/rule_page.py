"""A rule pack as a page that a clinician can read and sign: Markdown, complete, every condition in words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import exp

from pipelines.pages.style import render
from pipelines.rules.urgency import find_evidence_urgencies
from pipelines.statements import Row
from pipelines.text import escape_unprintable
from schemas.conditions import parse_condition
from schemas.fields import CONTEXT_FIELDS
from schemas.pack import ANY_CAUSE, Field, Pack

LEVEL_TITLES = {"emergency": "Emergency", "contact_doctor": "Contact a doctor"}  # the highest first
COMPARISONS = {
    exp.GT: "is more than",
    exp.GTE: "is at least",
    exp.LT: "is less than",
    exp.LTE: "is at most",
    exp.EQ: "is",
    exp.NEQ: "is known and not",
}
NEGATED = {exp.GT: exp.LTE, exp.GTE: exp.LT, exp.LT: exp.GTE, exp.LTE: exp.GT, exp.EQ: exp.NEQ, exp.NEQ: exp.EQ}


def render_pack_page(pack: Pack, signatures: Sequence[Row] = ()) -> str:
    """The whole pack in Markdown: fields, rules by level, evidence by cause, guidance, open readings, signatures."""
    return render(
        "explain/rules.md.jinja",
        pack=pack,
        levels=LEVEL_TITLES,
        guided=_list_guided(pack),
        context=[field for field in CONTEXT_FIELDS if field.limits],
        answers=describe_answers,
        categories={category.name: category.label for category in pack.categories},
        urgency=dict(zip((row.id for row in pack.evidence), find_evidence_urgencies(pack), strict=True)),
        signatures=signatures,
        words=lambda when: describe_condition(pack, when),
        cell=_escape_cell,
    )


def _list_guided(pack: Pack) -> list[tuple[str, str]]:
    """Name and title of every cause with guidance, then of what is for any cause."""
    groups = [(category.name, category.label) for category in pack.categories]
    named = [(cause.name, cause.label) for cause in pack.causes] + groups + [(ANY_CAUSE, "Any cause")]
    return [(name, title) for name, title in named if any(entry.cause == name for entry in pack.guidance)]


def _escape_cell(text: object) -> str:
    """A text inside a table or a list: on one line, each character shown, none taken for a sign of Markdown or HTML.

    What cannot be seen, such as a mark that turns the direction of reading, is an escape: this page is signed.
    """
    shown = escape_unprintable(re.sub(r"[ \t\r\n]+", " ", str(text)).strip())
    shown = re.sub(r"[\\|*`<>\[\]&~]", r"\\\g<0>", shown)
    edge = r"(?<![^\W_])_+|_+(?![^\W_])"  # within a word an underscore emphasises nothing
    return re.sub(edge, lambda found: r"\_" * len(found[0]), shown)


def describe_answers(field: Field) -> str:
    """Return what may be answered, beside unknown."""
    if field.type == "number":
        return f"{field.smallest} to {field.largest} {field.unit}"
    return ", ".join(field.values) if field.type == "choice" else "yes, no"


def describe_condition(pack: Pack, when: str) -> str:
    """A condition in words, NOT taken down to the single answers: for those, not TRUE and FALSE are two things."""
    labels = {field.name: field.label for field in pack.fields}
    return _describe_tree(labels, parse_condition(when), True)


def _describe_tree(labels: dict[str, str], tree: exp.Expression, wanted: bool) -> str:
    if isinstance(tree, exp.Paren):
        return _describe_tree(labels, tree.this, wanted)
    if isinstance(tree, exp.Not):
        return _describe_tree(labels, tree.this, not wanted)
    if isinstance(tree, exp.And | exp.Or):
        joined = "and" if isinstance(tree, exp.And) == wanted else "or"
        return f" {joined} ".join(_describe_operand(labels, part, wanted, joined) for part in (tree.left, tree.right))
    if isinstance(tree, exp.Column):
        return f"“{labels[tree.name]}” is {'yes' if wanted else 'no'}"
    kind = type(tree) if wanted else NEGATED[type(tree)]
    return f"“{labels.get(tree.this.name, tree.this.name)}” {COMPARISONS[kind]} {tree.expression.name}"


def _describe_operand(labels: dict[str, str], tree: exp.Expression, wanted: bool, joined: str) -> str:
    """In parentheses where it is joined by the other word."""
    words, inner, kept = _describe_tree(labels, tree, wanted), tree, wanted
    while isinstance(inner, exp.Paren | exp.Not):
        kept = kept != isinstance(inner, exp.Not)
        inner = inner.this
    other = isinstance(inner, exp.And | exp.Or) and (isinstance(inner, exp.And) == kept) != (joined == "and")
    return f"({words})" if other else words
