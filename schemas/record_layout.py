"""The one place that knows how a record is packed into columns and bits.

A yes or no is a bit in two masks: `answered`, and `yes` where the answer is yes; bit i is field i of the pack. A text
of a list is its code: 0 where unknown, else 1 + its place in the list. A number is itself, NULL where unknown. Of tags,
bit i of `rules_true` is triage rule i, bit i of `missing` is field i of Pack.askable, and bit i of `evidence_true` is
evidence row i. triage_level and triage_ceiling are places in LEVELS, cause_certainty is one in CERTAINTIES;
likely_cause is the code of a cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.fields import AGE_BANDS, SEXES
from schemas.pack import CERTAINTIES, LEVELS, UNDETERMINED, Pack, TriageRule

ANSWER_MASKS = ("answered", "yes")
CODED_CONTEXT: Mapping[str, Sequence[str]] = {"age_band": AGE_BANDS, "sex": SEXES}
TAG_COLUMNS = (
    *("triage_level", "triage_ceiling", "rules_true", "missing"),
    *("likely_cause", "cause_certainty", "evidence_true"),
)
UNKNOWN_CODE = 0


def list_answer_columns(pack: Pack) -> tuple[str, ...]:
    """Return the columns that hold a record's answers, but for pain score and duration."""
    return (*ANSWER_MASKS, *pack.columns)


def find_field_bit(pack: Pack, field: str) -> int:
    """Return the bit of a yes-or-no field in `answered` and `yes`."""
    return 1 << pack.field_names.index(field)


def find_rule_bit(place: int) -> int:
    """Return the bit of the triage rule at a place in the pack, in `rules_true`."""
    return 1 << place


def find_code(values: Sequence[str], value: str) -> int:
    """Return the code of a text of a list; that of unknown if it is not in it."""
    return values.index(value) + 1 if value in values else UNKNOWN_CODE


def find_rules(pack: Pack, mask: int) -> list[TriageRule]:
    """Return the triage rules whose bits are set."""
    return [rule for place, rule in enumerate(pack.triage) if mask & find_rule_bit(place)]


def describe_answer(pack: Pack, answers: Mapping[str, Any], field: str) -> str | int | None:
    """Return a stored answer in words; None if it is unknown, or was never asked."""
    if field in pack.choices:
        code = int(answers[field])
        return pack.choices[field][code - 1] if code else None
    if field in pack.numbers:
        return int(answers[field]) if answers[field] is not None else None
    if field not in pack.field_names:
        return None
    bit = find_field_bit(pack, field)
    return ("no", "yes")[bool(answers["yes"] & bit)] if answers["answered"] & bit else None


def bit_sums_sql(mask: str, bits: int) -> str:
    """SQL for the number of records in which each bit of a mask is set."""
    return ", ".join(f"count_if(({mask} & {1 << bit}) <> 0)" for bit in range(bits))


def moved_mask_sql(stored: Pack, pack: Pack, mask: str) -> str:
    """SQL for a mask with each field's bit where `pack` has it; a field that was never asked is unknown."""
    if pack.field_names == stored.field_names:
        return mask
    moved = [
        f"((({mask} >> {stored.field_names.index(name)}) & 1) << {place})"
        for place, name in enumerate(pack.field_names)
        if name in stored.field_names
    ]
    return f"({' | '.join(moved) or '0'})::UINTEGER"


def moved_choice_sql(stored: Pack, pack: Pack, name: str, column: str) -> str:
    """SQL for a choice's code in `pack`, whose values may be more, or in another order."""
    if name not in stored.choices:
        return f"{UNKNOWN_CODE}::UTINYINT"
    codes = [UNKNOWN_CODE, *(find_code(pack.choices[name], value) for value in stored.choices[name])]
    return f"({codes})[{column}::INTEGER + 1]::UTINYINT"  # a value that is gone was never answered


def unpacked_sql(pack: Pack) -> str:
    """Return the columns of the view `reports`, up to `cause_certainty`, selected from packed records."""
    answers = ", ".join(f"{_answer_sql(pack, field.name)} AS {field.name}" for field in pack.fields)
    categories = (UNDETERMINED, *(cause.category for cause in pack.causes))
    causes = tuple(cause.name for cause in pack.causes)
    return f"""
  report_id, packed.reported_at, region,
  {", ".join(f"{_text_sql(name, values)} AS {name}" for name, values in CODED_CONTEXT.items())},
  pain_score::TINYINT AS pain_score, duration_days::SMALLINT AS duration_days,
  {answers},
  ({_list_sql(LEVELS)})[triage_level + 1] AS triage_level,
  ({_list_sql(LEVELS)})[triage_ceiling + 1] AS triage_ceiling,
  {_names_of_bits_sql("rules_true", [rule.id for rule in pack.triage])} AS triage_rules,
  {_names_of_bits_sql("missing", pack.askable)} AS missing_answers,
  ({_list_sql(categories)})[likely_cause + 1] AS cause_category,
  {_text_sql("likely_cause", causes)} AS likely_cause,
  ({_list_sql(CERTAINTIES)})[cause_certainty + 1] AS cause_certainty"""


def packed_sql(pack: Pack) -> str:
    """Return the reverse of `unpacked_sql`, without the tags: selected from columns as the view `reports` has them."""
    masks = {
        "answered": [
            f"(CASE WHEN {name} IS NULL THEN 0 ELSE {find_field_bit(pack, name)} END)" for name in pack.field_names
        ],
        "yes": [f"(CASE WHEN {name} THEN {find_field_bit(pack, name)} ELSE 0 END)" for name in pack.field_names],
    }
    columns = [f"{_code_sql(name, values)} AS {name}" for name, values in CODED_CONTEXT.items()]
    columns += ["pain_score::UTINYINT AS pain_score", "duration_days::USMALLINT AS duration_days"]
    columns += ["CASE WHEN NOT time_known THEN report_date END AS stated_date"]
    columns += [f"({' | '.join(terms) or '0'})::UINTEGER AS {mask}" for mask, terms in masks.items()]
    columns += pack.own_numbers
    columns += [f"{_code_sql(name, values)} AS {name}" for name, values in pack.choices.items()]
    return ",\n  ".join(columns)


def report_day_sql(time_zone: str) -> str:
    """SQL for a packed record's day in the reporting time zone; a stated date never moves."""
    return f"coalesce(stated_date, {timed_day_sql(time_zone)})"


def timed_day_sql(time_zone: str) -> str:
    """SQL for the day of an instant. UTC days are whole numbers of microseconds: no calendar."""
    if time_zone == "UTC":
        return "(DATE '1970-01-01' + (epoch_us(reported_at) // 86400000000)::INTEGER)"
    return f"(reported_at AT TIME ZONE {_literal_sql(time_zone)})::DATE"


def _answer_sql(pack: Pack, field: str) -> str:
    if field in pack.choices:
        return _text_sql(field, pack.choices[field])
    if field in pack.own_numbers:
        return field
    bit = find_field_bit(pack, field)
    return f"CASE WHEN (answered & {bit}) <> 0 THEN (yes & {bit}) <> 0 END"


def _text_sql(column: str, values: Sequence[str]) -> str:
    return f"CASE WHEN {column} > {UNKNOWN_CODE} THEN ({_list_sql(values)})[{column}] END"


def _code_sql(column: str, values: Sequence[str]) -> str:
    return f"coalesce(list_position({_list_sql(values)}, {column}), {UNKNOWN_CODE})::UTINYINT"


def _names_of_bits_sql(mask: str, names: Sequence[str]) -> str:
    tests = (
        f"CASE WHEN ({mask} & {1 << place}) <> 0 THEN {_literal_sql(name)} END" for place, name in enumerate(names)
    )
    return f"list_filter([{', '.join(tests)}], lambda name: name IS NOT NULL)"


def _list_sql(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_literal_sql, values))}]"


def _literal_sql(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
