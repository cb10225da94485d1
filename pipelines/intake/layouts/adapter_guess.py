"""Guess a first adapter from a file's header and its first rows: what is sure is translated, the rest is told as open.

Nothing is guessed that could let an identifier in: a column that by its name holds one stays open, and a column of
dates is exempt only if its name says that it is one of the illness or the report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.intake.anonymisation.column_names import find_kind_of_name
from pipelines.intake.anonymisation.identifiers import A_BIRTH_DATE, certain_kind, likely_kinds
from pipelines.intake.layouts.adapters import nearest_column
from schemas.fields import AGE_BANDS, CONTEXT_NAMES, NO_WORDS, SEXES, TIMESTAMP_PATTERN, YES_WORDS
from schemas.pack import Pack

# words of a column's name, the best first
MEANINGS = {
    "report_id": "report_id case_id record_id encounter uuid id case fall record number",
    "reported_at": "reported report call seen visit today hospitalisation hosp admission date datum",
    "region": "region province county district area hospital site clinic ort",
    "age_band": "age_band age_years age alter",
    "sex": "sex gender geschlecht sexe",
    "pain_score": "pain_score pain nrs schmerz",
    "duration_days": "duration_days duration dauer",
}
DATE_WORDS = """date onset outcome infection report reported call seen visit today hosp hospitalisation hospitalization
admission discharge treatment submission start end day"""
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


def guess_adapter(samples: Samples, pack: Pack, open_points: Sequence[str] = ()) -> str:
    """Return the text of an adapter. `samples` has each column's first filled cells; `open_points` stand first."""
    guess = Guess(open_points=list(open_points))
    meant = _assign_columns(samples, pack)
    for field_name, column in meant.items():
        translate = TRANSLATIONS.get(field_name, _answer_sql)
        guess.selected[field_name] = translate(column, samples[column], guess)
        (guess.requires if field_name in ("report_id", "reported_at") else guess.optional).append(column)
    if "age_band" in meant:
        _use_age_unit(guess, meant["age_band"], samples)
    for column in samples:
        if column not in meant.values() and column not in guess.optional:
            _leave_out(column, samples, guess)
    _tell_what_is_missing(guess, meant, samples, pack)
    return "\n".join(_adapter_lines(guess)) + "\n"


def _assign_columns(samples: Samples, pack: Pack) -> dict[str, str]:
    """Return the column of each canonical field that a name fits; none fits a box, or what names an identifier."""
    free = [name for name in samples if find_kind_of_name(name) is None and not _is_box(name, samples)]
    meant: dict[str, str] = {}
    for name in (*CONTEXT_NAMES, *(each.name for each in pack.fields)):
        column = _best_column(name, free, samples)
        if column:
            meant[name] = column
            free.remove(column)
    return meant


def _best_column(name: str, free: Sequence[str], samples: Samples) -> str | None:
    own = frozenset({name})
    exact = next((column for column in free if nearest_column(column.rpartition("/")[2], own) == name), None)
    if exact:
        return exact
    fits: Callable[[str], bool] = {"reported_at": lambda column: _looks_like_dates(samples[column])}.get(
        name, lambda column: True
    )
    for word in MEANINGS.get(name, "").split():
        for column in free:
            if (word == _plain(column) or word in _words(column)) and fits(column):
                return column
    return None


def _is_box(column: str, samples: Samples) -> bool:
    """Whether a column is a box to tick, by its name: `signs___1`, or `signs/fever` beside `signs`."""
    return bool(re.search(r"___\w+$", column)) or column.rpartition("/")[0] in samples


def _plain(name: str) -> str:
    return "_".join(_words(name))


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()) if word]


def _looks_like_dates(cells: Sequence[str]) -> bool:
    known = [cell for cell in cells if cell.lower() not in UNKNOWN_TEXTS]
    shapes = (TIMESTAMP_PATTERN, *(shape for _, shape in DATE_FORMS))
    return bool(known) and any(all(re.fullmatch(shape, cell) for cell in known) for shape in shapes)


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _known_sql(column: str, cells: Sequence[str]) -> str:
    """Return the column, with the words that tools write for nothing as NULL if some stand in it."""
    if not any(cell.lower() in UNKNOWN_TEXTS for cell in cells):
        return _quoted(column)
    words = ", ".join(f"'{word}'" for word in UNKNOWN_TEXTS)
    return f"CASE WHEN lower({_quoted(column)}) NOT IN ({words}) THEN {_quoted(column)} END"


def _id_sql(column: str, cells: Sequence[str], guess: Guess) -> str:
    guess.ids.append(column)
    if len(set(cells)) < len(cells):
        guess.open_points.append(f"{column}: ids stand more than once; join the rows of a report (docs/first-hour.md)")
    return _known_sql(column, cells)


def _time_sql(column: str, cells: Sequence[str], guess: Guess) -> str:
    guess.dates.append(column)
    if all(re.fullmatch(TIMESTAMP_PATTERN, cell) for cell in cells):
        return _quoted(column)
    forms = [form for form, shape in DATE_FORMS if all(re.fullmatch(shape, cell) for cell in cells)]
    fitting = [form for form in forms if all(_fits_form(cell, form) for cell in cells)]
    if not fitting:
        guess.open_points.append(f"{column}: no form of date fits all of its cells; translate them to 2026-11-16")
        return _quoted(column)
    if len(fitting) > 1:
        guess.open_points.append(f"{column}: day and month cannot be told apart; {fitting[0]} is a guess")
    return f"coalesce(strftime(try_strptime({_quoted(column)}, '{fitting[0]}'), '%Y-%m-%d'), {_quoted(column)})"


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
    age = f"try_cast({_quoted(column)} AS DOUBLE)"
    steps = "\n".join(
        f"    WHEN {age} < {limit} THEN '{band}'" for limit, band in zip((18, 30, 45, 60, 75), AGE_BANDS, strict=False)
    )
    return f"CASE\n    WHEN {age} < 0 OR {age} > 130 THEN {_quoted(column)}\n{steps}\n" + (
        f"    WHEN {age} >= 75 THEN '75+'\n    ELSE {_known_sql(column, cells)}\n  END"
    )


def _use_age_unit(guess: Guess, column: str, samples: Samples) -> None:
    """Read an age in months as one below 18."""
    unit = next((name for name in samples if _words(name) == [*_words(column), "unit"]), None)
    if unit and guess.selected["age_band"].startswith("CASE\n"):
        months = f"CASE\n    WHEN lower({_quoted(unit)}) LIKE 'month%' THEN '0-17'\n"
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
        guess.open_points.append(f"{column}: what do these mean? {_shown(others)}")
    known = _known_sql(column, cells)
    return f"CASE lower({_quoted(column)}) {cases} ELSE lower({known}) END" if cases else f"lower({known})"


def _number_sql(column: str, cells: Sequence[str], guess: Guess) -> str:
    if not all(cell.isdecimal() or cell.lower() in UNKNOWN_TEXTS for cell in cells):
        guess.open_points.append(f"{column}: some cells are no whole numbers")
    return _known_sql(column, cells)


def _answer_sql(column: str, cells: Sequence[str], guess: Guess) -> str:
    words = sorted({cell.lower() for cell in cells} - {*YES_WORDS, *NO_WORDS, *UNKNOWN_TEXTS})
    yes, no = [[word for word in words if word in known] for known in (YES_ELSEWHERE, NO_ELSEWHERE)]
    if others := [word for word in words if word not in (*yes, *no)]:
        guess.open_points.append(f"{column}: which of these mean yes, no, unknown? {_shown(others)}")
    cases = [f"WHEN '{word}' THEN '{answer}'" for found, answer in ((yes, "yes"), (no, "no")) for word in found]
    known = _known_sql(column, cells)
    return f"CASE lower({_quoted(column)}) {' '.join(cases)} ELSE {known} END" if cases else known


TRANSLATIONS: dict[str, Callable[[str, Sequence[str], Guess], str]] = {
    "report_id": _id_sql,
    "reported_at": _time_sql,
    "region": _region_sql,
    "age_band": _age_sql,
    "sex": _sex_sql,
    "pain_score": _number_sql,
    "duration_days": _number_sql,
}


def _shown(words: Sequence[str]) -> str:
    """Return some words of a column; not one that could be somebody's."""
    harmless = [word for word in words if len(word) <= 15 and not certain_kind(word) and not likely_kinds(word)]
    return ", ".join(map(ascii, harmless[:SHOWN_WORDS])) if len(words) <= 12 else "it has many words"


def _leave_out(column: str, samples: Samples, guess: Guess) -> None:
    """Ignore a column, and say what about it is open."""
    cells = samples[column]
    guess.ignores.append(column)
    kind = find_kind_of_name(column)
    if kind:
        guess.open_points.append(
            f"{column}: holds {kind} by its name; remove it at the sender, or `allow` it if it is none"
        )
    if _is_box(column, samples):
        guess.open_points.append(
            f"{column}: a box to tick; which symptom is it? 0 is 'not ticked', which is no only if all are asked"
        )
    if _looks_like_dates(cells) and set(DATE_WORDS.split()) & set(_words(column)) and not kind:
        guess.dates.append(column)
        guess.open_points.append(f"{column}: full dates, taken for no birth dates by its name; is that right?")
    elif any(certain_kind(cell) == A_BIRTH_DATE for cell in cells):
        guess.open_points.append(f"{column}: full dates; list it under dates if they are no birth dates")


def _tell_what_is_missing(guess: Guess, meant: Mapping[str, str], samples: Samples, pack: Pack) -> None:
    for name in ("report_id", "reported_at"):
        if name not in meant:
            guess.open_points.append(f"no column looks like {name}, which is required")
    own = {each.name for each in pack.fields}
    if not own & set(meant):
        guess.open_points.append("no column looks like a symptom; without one every record is unresolved")
    for column, cells in samples.items():
        if cells and {cell.lower() for cell in cells} <= own:
            guess.open_points.append(
                f"{column}: holds names of symptoms, a row each; join the rows of a report (docs/first-hour.md)"
            )


def _adapter_lines(guess: Guess) -> Iterator[str]:
    yield "-- A first adapter, guessed from the header and the first rows: read it before you use it"
    for key in ("requires", "optional", "ignores", "dates", "ids"):
        if names := getattr(guess, key):
            yield f"-- {key}: " + ",\n--   ".join(_in_groups([_head_name(name) for name in names]))
    yield "--"
    for point in guess.open_points:
        yield f"-- OPEN {' '.join(point.split())}"
    selected = [f"  {sql} AS {name}" for name, sql in guess.selected.items()]
    yield "SELECT\n" + ",\n".join(["  line_number", *selected]) + "\nFROM raw"


def _head_name(name: str) -> str:
    needs_quotes = not re.fullmatch(r"[\w /()\[\].:-]+", name) or name != name.strip()
    return '"' + name.replace('"', '""') + '"' if needs_quotes else name


def _in_groups(names: Sequence[str]) -> list[str]:
    return [", ".join(names[start : start + 6]) for start in range(0, len(names), 6)]
