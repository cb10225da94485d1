"""Guess a first adapter from a file's header and its first rows: what is sure is translated, the rest is told as open.

Nothing is guessed that could let an identifier in: a column that by its name holds one stays open, and a column of
dates is exempt only if its name says that it is one of the illness or the report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from pipelines.intake.anonymisation.column_names import find_kind_of_name
from pipelines.intake.anonymisation.identifiers import A_BIRTH_DATE, find_certain_kind
from pipelines.intake.layouts.adapter_columns import (
    DATE_FORMS,
    SHOWN_WORDS,
    TRANSLATIONS,
    UNKNOWN_TEXTS,
    Guess,
    Samples,
    answer_sql,
    holds_answers,
    read_box_sql,
    split_words,
    use_age_unit,
)
from pipelines.intake.layouts.adapters import find_nearest_column
from schemas.fields import CONTEXT_NAMES, TIMESTAMP_PATTERN
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


def guess_adapter(samples: Samples, pack: Pack, open_points: Sequence[str] = ()) -> str:
    """Return the text of an adapter. `samples` has each column's first filled cells; `open_points` stand first."""
    guess = Guess(open_points=list(open_points))
    meant = _assign_columns(samples, pack)
    for field_name, column in meant.items():
        translate = TRANSLATIONS.get(field_name, answer_sql)
        guess.selected[field_name] = translate(column, samples[column], guess)
        (guess.requires if field_name in ("report_id", "reported_at") else guess.optional).append(column)
    _read_boxes(guess, meant, samples, pack)
    if "age_band" in meant:
        use_age_unit(guess, meant["age_band"], samples)
    for column in samples:
        if column not in meant.values() and column not in guess.optional:
            _leave_out(column, samples, guess)
    _tell_what_is_missing(guess, meant, samples, pack)
    return "\n".join(_render_adapter(guess)) + "\n"


def _assign_columns(samples: Samples, pack: Pack) -> dict[str, str]:
    """Return the column of each canonical field that a name fits; none fits a box, or what names an identifier."""
    free = [name for name in samples if find_kind_of_name(name) is None and not _is_box(name, samples)]
    meant: dict[str, str] = {}
    names = (*CONTEXT_NAMES, *(each.name for each in pack.fields))
    near = {column: find_nearest_column(column.rpartition("/")[2], frozenset(names)) for column in free}
    for name in names:
        column = next((each for each in free if near[each] == name), None) or _find_by_word(name, free, samples)
        if column:
            meant[name] = column
            free.remove(column)
    return meant


def _find_by_word(name: str, free: Sequence[str], samples: Samples) -> str | None:
    fits: Callable[[str], bool] = {"reported_at": lambda column: _looks_like_dates(samples[column])}.get(
        name, lambda column: True
    )
    for word in MEANINGS.get(name, "").split():
        for column in free:
            if (word == _join_words(column) or word in split_words(column)) and fits(column):
                return column
    return None


def _read_boxes(guess: Guess, meant: Mapping[str, str], samples: Samples, pack: Pack) -> None:
    """Read a box that is named as a symptom of which no other column tells."""
    free = {each.name for each in pack.fields} - meant.keys()
    for column in samples:
        name = _join_words(re.split(r"/|___", column)[-1])  # as it is: a near name may be another symptom
        if _is_box(column, samples) and name in free and find_kind_of_name(column) is None:
            free.remove(name)
            guess.selected[name] = read_box_sql(column)
            guess.optional.append(column)
            told = f"a box to tick, read as {name}; 0 is unknown, and no only if all are asked"
            guess.open_points.append(f"{column}: {told}")


def _is_box(column: str, samples: Samples) -> bool:
    """Whether a column is a box to tick, by its name: `signs___1`, or `signs/fever` beside `signs`."""
    return bool(re.search(r"___\w+$", column)) or column.rpartition("/")[0] in samples


def _join_words(name: str) -> str:
    return "_".join(split_words(name))


def _looks_like_dates(cells: Sequence[str]) -> bool:
    known = [cell for cell in cells if cell.lower() not in UNKNOWN_TEXTS]
    shapes = (TIMESTAMP_PATTERN, *(shape for _, shape in DATE_FORMS))
    return bool(known) and any(all(re.fullmatch(shape, cell) for cell in known) for shape in shapes)


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
    elif holds_answers(cells) and not kind:
        guess.open_points.append(f"{column}: holds yes and no; which symptom is it, if any? Left out, it is unknown")
    if _looks_like_dates(cells) and set(DATE_WORDS.split()) & set(split_words(column)) and not kind:
        guess.dates.append(column)
        guess.open_points.append(f"{column}: full dates, taken for no birth dates by its name; is that right?")
    elif any(find_certain_kind(cell) == A_BIRTH_DATE for cell in cells):
        guess.open_points.append(f"{column}: full dates; list it under dates if they are no birth dates")


def _tell_what_is_missing(guess: Guess, meant: Mapping[str, str], samples: Samples, pack: Pack) -> None:
    for name in ("report_id", "reported_at"):
        if name not in meant:
            guess.open_points.append(f"no column looks like {name}, which is required")
    others = [column for column in guess.dates if column in guess.ignores]
    if others and "reported_at" in meant:
        told = f"taken as the day of the report; or is that {', '.join(others[:SHOWN_WORDS])}?"
        guess.open_points.append(f"{meant['reported_at']}: {told}")
    own = {each.name for each in pack.fields}
    if not own & set(guess.selected):
        guess.open_points.append("no column looks like a symptom; without one every record is unresolved")
    for column, cells in samples.items():
        if cells and {cell.lower() for cell in cells} <= own:
            guess.open_points.append(
                f"{column}: holds names of symptoms, a row each; join the rows of a report (docs/first-hour.md)"
            )


def _render_adapter(guess: Guess) -> Iterator[str]:
    yield "-- A first adapter, guessed from the header and the first rows: read it before you use it"
    for key in ("requires", "optional", "ignores", "dates", "ids"):
        if names := getattr(guess, key):
            yield f"-- {key}: " + ",\n--   ".join(_group_names([_quote_name(name) for name in names]))
    yield "--"
    for point in guess.open_points:
        yield f"-- OPEN {' '.join(point.split())}"
    selected = [f"  {sql} AS {name}" for name, sql in guess.selected.items()]
    yield "SELECT\n" + ",\n".join(["  line_number", *selected]) + "\nFROM raw"


def _quote_name(name: str) -> str:
    needs_quotes = not re.fullmatch(r"[\w /()\[\].:-]+", name) or name != name.strip()
    return '"' + name.replace('"', '""') + '"' if needs_quotes else name


def _group_names(names: Sequence[str]) -> list[str]:
    return [", ".join(names[start : start + 6]) for start in range(0, len(names), 6)]
