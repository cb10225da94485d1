"""What must hold between the parts of a rule pack: sizes, names, references, conditions, words of senders."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from schemas.conditions import find_condition_problem, is_plain_name
from schemas.fields import CONTEXT_NAMES, UNKNOWN_WORDS
from schemas.pack import ANY_CAUSE, NAME, UNDETERMINED, Field, Pack
from schemas.tables import CALENDAR, FILES, TAG_MEANINGS, list_packed_columns, list_superseded_columns

Add = Callable[..., None]  # what is wrong, its table, its place there, its key

NAME_WORDS = "must be lower-case letters, digits and _, a letter first, at most 63"
LARGEST_NUMBER = 65_535  # numbers are stored in two bytes
MAX_CHOICES = 255  # a choice is stored as its place in one byte
MAX_MASK_BITS = 32  # answers and rules are stored as bits of one UINTEGER each
MAX_EVIDENCE = 64  # rows are stored as bits of one UBIGINT
MAX_CATEGORIES = 4
MAX_POINTS = 255  # of all rows of a cause, and of a category: a byte of its rank
MAX_CAUSES = 64  # the place of a cause is six bits of its rank

# A field becomes a column beside those of the stored tables, and beside what the steps call their own columns.
RESERVED_NAMES = frozenset(
    (
        *CONTEXT_NAMES,
        *(column.name for table in (FILES, CALENDAR) for column in table.columns),
        *(column.name for column in (*TAG_MEANINGS, *list_packed_columns(), *list_superseded_columns())),
        *("unlisted", "adapter_error", "adapter_warning"),
        *("no", "rules_open", "sign", "report_date", "reports", "severe_pain", "codes", "missing_unresolved"),
        *(
            "place",
            "said",
            "kept",
            "replaced_by",
            "answers",
            "cause",
            "evidence_after",
            "total",
            "first_day",
            "year",
            "last_day",
        ),
        *("best", "close_causes", "serious_signs"),
        *("stated_date", "time_known", "first_delivery_no"),
    )
)
RESERVED_PATTERN = re.compile(
    r"(true|false|points|score|rank)_[0-9]+|(emergency|contact_doctor)_(true|false)|.*_(before|stored)"
)


def check(pack: Pack, add: Add) -> None:
    """Add every problem of a pack; conditions are judged only where every name that they may read is right."""
    found: list[None] = []

    def noted(*about: Any) -> None:
        found.append(None)
        add(*about)

    _check_sizes(pack, noted)
    _check_names(pack, noted)
    _check_references(pack, noted)
    _check_synonyms(pack, noted)
    for table in ("triage", "evidence"):
        for place, rule in enumerate(getattr(pack, table)):
            if problem := find_condition_problem(rule.when, pack):
                noted(f"[[{table}]] {rule.id}: when: {problem}", table, place, "when")


def _check_sizes(pack: Pack, add: Add) -> None:
    for count, limit, what, table in (
        (len(pack.askable), MAX_MASK_BITS, "fields, pain_score and duration_days included", "fields"),
        (len(pack.triage), MAX_MASK_BITS, "triage rules", "triage"),
        (len(pack.categories), MAX_CATEGORIES, "categories", "categories"),
        (len(pack.causes), MAX_CAUSES, "causes", "causes"),
        (len(pack.evidence), MAX_EVIDENCE, "evidence rows", "evidence"),
    ):
        if count > limit:
            add(f"{count} {what}; at most {limit} can be stored", table, len(getattr(pack, table)) - 1)
    for place, category in enumerate(pack.categories):
        causes = {cause.name for cause in pack.list_causes(category.name)}
        points = sum(row.points for row in pack.evidence if row.cause in causes)
        if points > MAX_POINTS:
            what = f"the evidence for '{category.name}' adds up to {points} points; at most {MAX_POINTS} can be stored"
            add(what, "categories", place)


def _check_names(pack: Pack, add: Add) -> None:
    for tables, key in (
        (("fields",), "name"),
        (("triage", "evidence"), "id"),
        (("categories",), "name"),
        (("causes",), "name"),
    ):
        rows = [(table, place, getattr(row, key)) for table in tables for place, row in enumerate(getattr(pack, table))]
        _check_unique(rows, key, add)
    for place, field in enumerate(pack.fields):
        if problem := _find_field_name_problem(field.name):
            add(f"[[fields]] {field.name}: {problem}; choose another name", "fields", place, "name")
        if problem := _find_domain_problem(field):
            add(f"[[fields]] {field.name}: {problem}", "fields", place, "largest" if field.unit else "values")
    for table in ("categories", "causes"):
        for place, row in enumerate(getattr(pack, table)):
            if row.name in (UNDETERMINED, ANY_CAUSE):
                what = f"[[{table}]]: the name '{row.name}' has a meaning of its own; choose another name"
                add(what, table, place, "name")


def _check_unique(rows: list[tuple[str, int, str]], key: str, add: Add) -> None:
    seen: set[str] = set()
    for table, place, name in rows:
        if name in seen:
            add(f"[[{table}]]: {key} '{name}' stands twice; each must be its own", table, place, key)
        if not NAME.fullmatch(name):
            add(f"[[{table}]]: {key} '{name}' {NAME_WORDS}", table, place, key)
        seen.add(name)


def _find_field_name_problem(name: str) -> str | None:
    """Why a field of this name could not be a column, or not be read in a condition."""
    if name in RESERVED_NAMES or RESERVED_PATTERN.fullmatch(name):
        return "is a column of calfwatch already"
    return None if not NAME.fullmatch(name) or is_plain_name(name) else "is a word of SQL"


def _find_domain_problem(field: Field) -> str | None:
    """Return what is wrong with the numbers or values that a field allows."""
    if field.type == "number" and not 0 <= field.smallest < field.largest <= LARGEST_NUMBER:
        return f"numbers from {field.smallest} to {field.largest}; allowed: from 0, rising, to {LARGEST_NUMBER}"
    if field.type != "choice":
        return None
    odd = next((value for value in field.values if not NAME.fullmatch(value)), None)
    if odd is not None:
        return f"value '{odd}' {NAME_WORDS}"
    if silent := set(field.values) & set(UNKNOWN_WORDS):
        return f"value '{silent.pop()}' would mean that there is no answer, which every field allows; leave it out"
    if not 2 <= len(set(field.values)) == len(field.values) <= MAX_CHOICES:
        return f"values must be 2 to {MAX_CHOICES}, each once"
    return None


def _check_references(pack: Pack, add: Add) -> None:
    categories = tuple(category.name for category in pack.categories)
    causes = tuple(cause.name for cause in pack.causes)
    for table, key, allowed in (
        ("causes", "category", categories),
        ("evidence", "cause", causes),
        ("evidence", "points", range(1, 10)),
        ("guidance", "cause", (*causes, *categories, ANY_CAUSE)),
    ):
        for place, row in enumerate(getattr(pack, table)):
            if (value := getattr(row, key)) not in allowed:
                title = f"[[{table}]] {_name_row(row)}"
                add(f"{title}: {key} '{value}' is not one of {', '.join(map(str, allowed))}", table, place, key)


def _name_row(row: Any) -> str:
    return str(next(value for key in ("id", "name", "text") if (value := getattr(row, key, ""))))[:60]


# as sql/sources/symptom_list.sql reads them
_PLAIN_SIGNS = str.maketrans(
    dict.fromkeys("-_\u2010\u2011\u2012\u2013", " ") | dict.fromkeys("\u2018\u2019\u02bc\u00b4`", "'")
)


def map_sender_words(pack: Pack) -> dict[str, str]:
    """Map what senders may write for a yes/no field, as `normalise_word` has it, to the field: names, synonyms, labels.

    A label that two fields share, or that is another field's word, means none of them.
    """
    words = {normalise_word(name): name for name in pack.field_names}
    words |= {normalise_word(word): name for name, said in pack.synonyms.items() for word in said}
    labels = [(normalise_word(field.label), field.name) for field in pack.fields if field.name in pack.field_names]
    shared = {label for label, name in labels if any(label == other and name != its for other, its in labels)}
    return {label: name for label, name in labels if label not in shared} | words


def normalise_word(text: str) -> str:
    """Return a word of a sender without what differs from hand to hand: case, hyphens, underscores, spaces in a row,
    and the shape of apostrophes.
    """
    return " ".join(text.lower().translate(_PLAIN_SIGNS).split())


def _check_synonyms(pack: Pack, add: Add) -> None:
    meant: dict[str, str] = {"none": "nothing", **dict.fromkeys(UNKNOWN_WORDS, "no answer")}
    meant |= {normalise_word(name): name for name in pack.field_names}
    for name, words in pack.synonyms.items():
        if name not in pack.field_names:
            what = f"[synonyms]: '{name}' is not a yes/no field of the pack; allowed: {', '.join(pack.field_names)}"
            add(what, "synonyms", 0, name)
            continue
        for word in map(normalise_word, words):
            if meant.setdefault(word, name) != name:
                what = f"[synonyms]: '{word}' of '{name}' already means '{meant[word]}'; a word has one meaning"
                add(what, "synonyms", 0, name)
