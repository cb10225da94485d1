"""What a guessed adapter makes of one column: SQL that translates it, and what somebody who knows the file must say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.intake.anonymisation.identifiers import find_certain_kind, find_likely_kinds
from schemas.fields import AGE_BANDS, NO_WORDS, SEXES, TIMESTAMP_PATTERN, YES_WORDS

SEX_WORDS = {"m": "male", "f": "female", "man": "male", "woman": "female", "w": "female", "1": "", "2": ""}
YES_ELSEWHERE, NO_ELSEWHERE = (
    ("ja", "oui", "si", "sí", "sim", "x", "checked"),
    ("nein", "non", "nee", "não", "unchecked"),
)
UNKNOWN_TEXTS = ("na", "n/a", "nan", "none", "null", "unknown")
DATE_FORMS = (
    ("%-d.%-m.%Y", r"\d{1,2}\.\d{1,2}\.20\d\d"),
    ("%-m/%-d/%Y", r"\d{1,2}/\d{1,2}/20\d\d"),
    ("%-d/%-m/%Y", r"\d{1,2}/\d{1,2}/20\d\d"),
    ("%-d-%-m-%Y", r"\d{1,2}-\d{1,2}-20\d\d"),
    ("%Y/%-m/%-d", r"20\d\d/\d{1,2}/\d{1,2}"),
)
SHOWN_WORDS = 5
MOST_ANSWERS = 5  # a question with yes and no has few others, such as `not asked`
TICKED = ("1", "true", "yes", "checked")
Samples = Mapping[str, Sequence[str]]


@dataclass
class Guess:
    """What an adapter says of each column, and what somebody who knows the file must say."""

    requires: list[str] = field(default_factory=list)
    optional: list[str] = field(default_factory=list)
    ignores: list[str] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    selected: dict[str, str] = field(default_factory=dict)
    open_points: list[str] = field(default_factory=list)


def split_words(name: str) -> list[str]:
    """Return the words of a column's name, in small letters."""
    return [word for word in re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()) if word]


def quoted_sql(column: str) -> str:
    """Return a column's name as an identifier of SQL."""
    return '"' + column.replace('"', '""') + '"'


def _known_sql(column: str, cells: Sequence[str]) -> str:
    """Return the column, with the words that tools write for nothing as NULL if some stand in it."""
    if not any(cell.lower() in UNKNOWN_TEXTS for cell in cells):
        return quoted_sql(column)
    words = ", ".join(f"'{word}'" for word in UNKNOWN_TEXTS)
    return f"CASE WHEN lower({quoted_sql(column)}) NOT IN ({words}) THEN {quoted_sql(column)} END"


def _id_sql(column: str, cells: Sequence[str], guess: Guess) -> str:
    guess.ids.append(column)
    if len(set(cells)) < len(cells):
        guess.open_points.append(f"{column}: ids stand more than once; join the rows of a report (docs/first-hour.md)")
    return _known_sql(column, cells)


def _time_sql(column: str, cells: Sequence[str], guess: Guess) -> str:
    guess.dates.append(column)
    if all(re.fullmatch(TIMESTAMP_PATTERN, cell) for cell in cells):
        return quoted_sql(column)
    forms = [form for form, shape in DATE_FORMS if all(re.fullmatch(shape, cell) for cell in cells)]
    fitting = [form for form in forms if all(_fits_form(cell, form) for cell in cells)]
    if not fitting:
        guess.open_points.append(f"{column}: no form of date fits all of its cells; translate them to 2026-11-16")
        return quoted_sql(column)
    if len(fitting) > 1:
        guess.open_points.append(f"{column}: day and month cannot be told apart; {fitting[0]} is a guess")
    return f"coalesce(strftime(try_strptime({quoted_sql(column)}, '{fitting[0]}'), '%Y-%m-%d'), {quoted_sql(column)})"


def _fits_form(cell: str, form: str) -> bool:
    """Return whether month and day are possible where the form has them."""
    parts = [int(part) for part in re.split(r"\D", cell)]
    names = [part.strip("-") for part in re.findall(r"%(-?\w)", form)]
    by_name = dict(zip(names, parts, strict=True))
    return bool(1 <= by_name["m"] <= 12 and 1 <= by_name["d"] <= 31)


def _region_sql(column: str, cells: Sequence[str], guess: Guess) -> str:
    known = _known_sql(column, cells)
    if all(re.fullmatch(r"[A-Za-z0-9_-]{1,32}", cell) for cell in cells):
        return known
    guess.open_points.append(f"{column}: free text; name the regions in a CASE, or signs other than A-Z 0-9 become _")
    return f"left(regexp_replace(trim({known}), '[^A-Za-z0-9_-]+', '_', 'g'), 32)"


def _age_sql(column: str, cells: Sequence[str], guess: Guess) -> str:
    if all(cell in AGE_BANDS or cell.lower() in UNKNOWN_TEXTS for cell in cells):
        return _known_sql(column, cells)
    age = f"try_cast({quoted_sql(column)} AS DOUBLE)"
    steps = "\n".join(
        f"    WHEN {age} < {limit} THEN '{band}'" for limit, band in zip((18, 30, 45, 60, 75), AGE_BANDS, strict=False)
    )
    return f"CASE\n    WHEN {age} < 0 OR {age} > 130 THEN {quoted_sql(column)}\n{steps}\n" + (
        f"    WHEN {age} >= 75 THEN '75+'\n    ELSE {_known_sql(column, cells)}\n  END"
    )


def use_age_unit(guess: Guess, column: str, samples: Samples) -> None:
    """Read an age in months as one below 18."""
    unit = next((name for name in samples if split_words(name) == [*split_words(column), "unit"]), None)
    if unit and guess.selected["age_band"].startswith("CASE\n"):
        months = f"CASE\n    WHEN lower({quoted_sql(unit)}) LIKE 'month%' THEN '0-17'\n"
        guess.selected["age_band"] = guess.selected["age_band"].replace("CASE\n", months, 1)
        guess.optional.append(unit)


def _sex_sql(column: str, cells: Sequence[str], guess: Guess) -> str:
    words = sorted({cell.lower() for cell in cells})
    if all(word in SEXES or word in UNKNOWN_TEXTS for word in words):
        known = _known_sql(column, cells)
        return known if all(cell in SEXES or cell.lower() in UNKNOWN_TEXTS for cell in cells) else f"lower({known})"
    cases = " ".join(f"WHEN '{word}' THEN '{SEX_WORDS[word]}'" for word in words if SEX_WORDS.get(word))
    others = [word for word in words if not SEX_WORDS.get(word) and word not in (*SEXES, *UNKNOWN_TEXTS)]
    if others:
        guess.open_points.append(f"{column}: what do these mean? {_describe_words(others)}")
    known = _known_sql(column, cells)
    return f"CASE lower({quoted_sql(column)}) {cases} ELSE lower({known}) END" if cases else f"lower({known})"


def _number_sql(column: str, cells: Sequence[str], guess: Guess) -> str:
    if not all(cell.isdecimal() or cell.lower() in UNKNOWN_TEXTS for cell in cells):
        guess.open_points.append(f"{column}: some cells are no whole numbers")
    return _known_sql(column, cells)


def answer_sql(column: str, cells: Sequence[str], guess: Guess) -> str:
    """Return SQL for an answer; words of other languages are read, others are told as open."""
    words = sorted({cell.lower() for cell in cells} - {*YES_WORDS, *NO_WORDS, *UNKNOWN_TEXTS})
    yes, no = [[word for word in words if word in known] for known in (YES_ELSEWHERE, NO_ELSEWHERE)]
    if others := [word for word in words if word not in (*yes, *no)]:
        guess.open_points.append(f"{column}: which of these mean yes, no, unknown? {_describe_words(others)}")
    cases = [f"WHEN '{word}' THEN '{answer}'" for found, answer in ((yes, "yes"), (no, "no")) for word in found]
    known = _known_sql(column, cells)
    return f"CASE lower({quoted_sql(column)}) {' '.join(cases)} ELSE {known} END" if cases else known


TRANSLATIONS: dict[str, Callable[[str, Sequence[str], Guess], str]] = {
    "report_id": _id_sql,
    "reported_at": _time_sql,
    "region": _region_sql,
    "age_band": _age_sql,
    "sex": _sex_sql,
    "pain_score": _number_sql,
    "duration_days": _number_sql,
}


def _describe_words(words: Sequence[str]) -> str:
    """Return some words of a column; not one that could be somebody's."""
    harmless = [
        word for word in words if len(word) <= 15 and not find_certain_kind(word) and not find_likely_kinds(word)
    ]
    return ", ".join(map(ascii, harmless[:SHOWN_WORDS])) if len(words) <= 12 else "it has many words"


def read_box_sql(column: str) -> str:
    """Return SQL for a box: ticked is yes, and not ticked is unknown."""
    words = ", ".join(f"'{word}'" for word in TICKED)
    return f"CASE WHEN lower({quoted_sql(column)}) IN ({words}) THEN 'yes' END"


def holds_answers(cells: Sequence[str]) -> bool:
    """Return whether a column looks like answers to a question: few words, yes or no among them."""
    words = {cell.lower() for cell in cells}
    answers = {*YES_WORDS, *NO_WORDS, *YES_ELSEWHERE, *NO_ELSEWHERE}
    is_code = all(word.isdecimal() for word in words) and not words <= {"0", "1"}
    is_answered = words <= answers or words & answers - {"f", "t"}  # which may be female and treated
    return bool(words) and bool(is_answered) and len(words) <= MOST_ANSWERS and not is_code
