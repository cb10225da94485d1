"""The unknown fields of a record whose answer can change its level, as SQL over its packed answers."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.rules.condition_sql import Truth, bits_sql, find_field_bit, joined_sql
from pipelines.rules.formulas import OneOf, Space
from pipelines.rules.terms import LevelTerms, OpenTerm, Term, TooManyTermsError, find_level_terms
from schemas.conditions import list_condition_fields
from schemas.pack import Pack, TriageRule


def missing_sql(pack: Pack) -> str:
    """Return the unknown fields whose answer can change the level (pipelines/rules/terms.py)."""
    yes_no = (1 << len(pack.field_names)) - 1
    unknown = [(f"{name} IS NULL", 1 << pack.askable.index(name)) for name in pack.numbers]
    unknown += [(f"{name} = 0", 1 << pack.askable.index(name)) for name in pack.choices]
    space = Space(pack)
    try:
        asked = _asked_by_terms_sql(pack, space, find_level_terms(pack, space))
    except TooManyTermsError:
        asked = _asked_by_rules_sql(pack)
    return f"({asked} & (xor(answered, {yes_no}::UINTEGER) | {bits_sql(unknown)}))"


def _asked_by_rules_sql(pack: Pack) -> str:
    """Return every field of the unknown rules above the level: some too many, if the terms are too many to compare."""
    return bits_sql(
        (f"NOT (true_{i} OR false_{i} OR {rule.level}_true)", _sum_field_bits(pack, rule))
        for i, rule in enumerate(pack.triage)
    )


def _sum_field_bits(pack: Pack, rule: TriageRule) -> int:
    return sum(1 << pack.askable.index(name) for name in list_condition_fields(rule.when))


def _asked_by_terms_sql(pack: Pack, space: Space, terms: LevelTerms) -> str:
    emergencies = {each.term for each in terms.emergency}  # they are asked for by the first part already
    others = [each for each in terms.any_level if each.term not in emergencies]
    parts = (("emergency_true", terms.emergency), ("contact_doctor_true", others))
    return joined_sql(
        " | ",
        (
            f"(CASE WHEN {reached} THEN 0::UINTEGER ELSE {_asked_sql(pack, space, open_terms)} END)"
            for reached, open_terms in parts
            if open_terms
        ),
        none="0::UINTEGER",
    )


def _asked_sql(pack: Pack, space: Space, terms: Iterable[OpenTerm]) -> str:
    """Return the fields of the terms that decide; a term of one field does so whenever that is unknown."""
    plain, tests = 0, []
    for each in terms:
        bits = sum(1 << pack.askable.index(name) for name in each.fields)
        if len(each.term) == 1:
            plain |= bits
        else:
            tests.append((_decides(pack, space, each), bits))
    return joined_sql(" | ", [f"{plain}::UINTEGER", *([bits_sql(tests)] if tests else [])])


def _decides(pack: Pack, space: Space, each: OpenTerm) -> str:
    covers = [
        _compile_term(pack, space, cover.needed).true
        + (f" AND NOT {_compile_term(pack, space, cover.unless).true}" if cover.unless else "")
        for cover in each.covers
    ]
    alive = f"NOT {_compile_term(pack, space, each.term).false}"
    return f"{alive} AND NOT {joined_sql(' OR ', (f'({cover})' for cover in covers))}" if covers else alive


def _compile_term(pack: Pack, space: Space, term: Term) -> Truth:
    """When a term is TRUE and when it is FALSE; its plain signs are one test on the mask."""
    yes = sum(find_field_bit(pack, each.field) for each in term if each.field in pack.field_names and each.values == 1)
    tests = [Truth(f"(yes & {yes}) = {yes}", f"(no & {yes}) <> 0")] if yes else []
    tests += [
        _compile_statement(pack, space, each) for each in term if each.field not in pack.field_names or each.values != 1
    ]
    true, false = zip(*tests, strict=True)
    return Truth(joined_sql(" AND ", true), joined_sql(" OR ", false))


def _compile_statement(pack: Pack, space: Space, each: OneOf) -> Truth:
    """When the answer to a field is known to be one of some values, and when it is known to be none of them."""
    name, known = each.field, space.values[each.field][:-1]
    chosen = [place for place in range(len(known)) if each.values >> place & 1]
    if name in pack.field_names:
        tests = [f"({('yes', 'no')[place]} & {find_field_bit(pack, name)}) <> 0" for place in chosen]
    elif name in pack.choices:
        tests = [f"{name} = {place + 1}" for place in chosen]
    else:
        ranges = [value for place in chosen if isinstance(value := known[place], range)]
        tests = [f"coalesce({name} BETWEEN {value.start} AND {value.stop - 1}, FALSE)" for value in ranges]
    true = joined_sql(" OR ", tests, none="FALSE")
    return Truth(true, f"({_is_known(pack, name)} AND NOT {true})")


def _is_known(pack: Pack, name: str) -> str:
    if name in pack.field_names:
        return f"(answered & {find_field_bit(pack, name)}) <> 0"
    return f"{name} <> 0" if name in pack.choices else f"{name} IS NOT NULL"
