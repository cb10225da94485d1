"""What is wrong, or worth knowing, in a rule pack whose conditions all parse: what no record can ever fulfil.

`parse_pack` refuses a pack that cannot be used. Here stands what a pack can be used with, and would hardly be meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from pipelines.errors import UsageError
from pipelines.rules.formulas import (
    AtLeast,
    Effort,
    Formula,
    Space,
    TooMuchEffortError,
    every,
    holds,
    list_conditions,
    some,
)
from pipelines.rules.solver import find_counterexample, find_model
from pipelines.rules.terms import TooManyTermsError, find_level_terms, find_over_asked
from pipelines.rules.urgency import find_evidence_urgencies
from schemas.conditions import list_condition_fields
from schemas.pack import LEVELS, URGENCY, Cause, Evidence, Pack, TriageRule
from schemas.toml_lines import find_line

# Causes are weighed against each other, over every condition of the pack at once: here alone a search can grow beyond
# a few seconds, and is then given up and told. The shipped pack needs a hundredth of this.
MOST_STATEMENTS = 200_000
# Conditions alone and two by two: hard ones (n + 1 things in n places) would take hours; the shipped pack needs none.
MOST_OF_CONDITIONS = 100_000
BEYOND = "its conditions together are beyond what can be decided; part a long one into several rules"
ERROR, WARNING, NOTE = "error", "warning", "note"


@dataclass(frozen=True)
class Finding:
    """An error makes the pack a bad one; a warning is for its author to look at; a note only says what is so."""

    severity: str
    line: int
    what: str


def require_sound(pack: Pack) -> None:
    """Raise UsageError for a pack with errors: it must not tag anything. Cheap; warnings are for `findings`."""
    try:
        never = _find_never_true(pack, Space(pack, Effort(MOST_OF_CONDITIONS)))
    except TooMuchEffortError as error:
        raise UsageError(f"rule pack {pack.version}: {BEYOND}") from error
    if found := [what for _, _, what in _report_never_true(pack, never)]:
        raise UsageError(*(f"rule pack {pack.version}: {what}" for what in found))
    find_evidence_urgencies(pack)  # or says that they are beyond what can be decided


def _find_never_true(pack: Pack, space: Space) -> set[str]:
    """Return the conditions that no answers make TRUE."""
    return {when for when in list_conditions(pack) if find_model(space.true(when), space) is None}


def list_findings(pack: Pack) -> list[Finding]:
    """Return everything found, in the order of the pack's lines; what was given up is a note."""
    try:
        return _search_findings(pack, Space(pack, Effort(MOST_OF_CONDITIONS)))
    except TooMuchEffortError:
        return [Finding(ERROR, 1, BEYOND)]


def _search_findings(pack: Pack, space: Space) -> list[Finding]:
    never = _find_never_true(pack, space)
    sound = replace(  # what is never TRUE is told as such, and bears on nothing else
        pack,
        triage=tuple(rule for rule in pack.triage if rule.when not in never),
        evidence=tuple(row for row in pack.evidence if row.when not in never),
    )
    covered = _find_covering_rules(sound, space)
    effort = Effort(MOST_STATEMENTS)
    found = [
        *_report_never_true(pack, never),
        *_report_unread(pack),
        *_report_over_asked(pack, space),
        *_report_implied(sound, covered),
        *_report_unreached(sound, space, covered),
    ]
    found += [*_report_idle_causes(sound, space, effort), *_report_idle_evidence(sound, space, effort)]
    told = [Finding(severity, _find_line(pack, *place), what) for severity, place, what in found]
    return sorted(told, key=lambda finding: finding.line)


Place = tuple[str, object, str]  # table, one of its rows (None: the first), key
Found = tuple[str, Place, str]  # severity, place, what


def _find_line(pack: Pack, table: str, row: object, key: str) -> int:
    number = getattr(pack, table).index(row) if row else 0
    return find_line(pack.text, (table, number, key) if key else (table, number)) or 1


def _report_never_true(pack: Pack, never: set[str]) -> Iterator[Found]:
    for table in ("triage", "evidence"):
        for rule in getattr(pack, table):
            if rule.when in never:
                what = f"[[{table}]] {rule.id}: when: can never be TRUE; allowed: a condition that some answers fulfil"
                yield ERROR, (table, rule, "when"), what


def _find_covering_rules(pack: Pack, space: Space) -> dict[str, TriageRule]:
    """Rule id -> a rule of the same level or a higher one that is TRUE whenever it is; of two alike, the first."""
    tried: list[set[str]] = []
    left, covered = list(pack.triage), {}
    for rule in reversed(pack.triage):
        others = [o for o in left if o is not rule and LEVELS.index(o.level) >= LEVELS.index(rule.level)]
        if cover := next((other for other in others if _covers(pack, space, rule, other, tried)), None):
            left.remove(rule)  # whatever it covers, its cover covers too
            covered[rule.id] = cover
    return covered


def _covers(pack: Pack, space: Space, rule: TriageRule, other: TriageRule, tried: list[set[str]]) -> bool:
    """Return whether `other` is TRUE if `rule` is. `tried` collects which rules are TRUE on the records that told two
    rules apart: most pairs need no search of their own."""
    if any(rule.id in true and other.id not in true for true in tried):
        return False
    found = find_counterexample(space, rule.when, other.when)
    if found:
        tried.append({each.id for each in pack.triage if holds(space.true(each.when), found)})
    return found is None


def _report_implied(pack: Pack, covered: dict[str, TriageRule]) -> Iterator[Found]:
    """Yield the rules that never decide the level."""
    for rule in pack.triage:
        if other := covered.get(rule.id):
            what = (
                f"[[triage]] {rule.id}: whenever it is TRUE, {other.id} ({other.level}) is TRUE as well, so that it "
                "never decides the level; allowed, where the article lists both"
            )
            yield WARNING, ("triage", rule, "when"), what


def _report_unread(pack: Pack) -> Iterator[Found]:
    triage = {name for rule in pack.triage for name in list_condition_fields(rule.when)}
    evidence = {name for row in pack.evidence for name in list_condition_fields(row.when)}
    for field in pack.fields:
        place = ("fields", field, "name")
        if field.name not in triage | evidence:
            what = "is read by no rule and no evidence: its answers change nothing; name it in a `when`, or take it out"
            yield WARNING, place, f"[[fields]] {field.name}: {what}"
        elif field.name not in triage:
            yield NOTE, place, f"[[fields]] {field.name}: is read by evidence alone, and decides no level"


def _report_over_asked(pack: Pack, space: Space) -> Iterator[Found]:
    """Yield the fields that `missing_answers` may name although no answer to them changes the level."""
    try:
        names = find_over_asked(find_level_terms(pack, space), space)
    except TooManyTermsError:
        what = "the conditions have too many ANDs of ORs: `missing_answers` may name fields that change nothing"
        yield NOTE, ("triage", None, ""), f"[[triage]]: {what}"
        return
    for name in names:
        what = "rules ask for opposite answers, so that `missing_answers` may name a field that changes nothing"
        rule = next(rule for rule in pack.triage if name in list_condition_fields(rule.when))
        yield NOTE, ("triage", rule, "when"), f"[[triage]] {rule.id}: {name}: {what}"


def _report_unreached(pack: Pack, space: Space, covered: dict[str, TriageRule]) -> Iterator[Found]:
    """`unresolved` is always reached: by a record without any answer. A covered rule reaches nothing of its own."""
    deciding = [rule for rule in pack.triage if rule.id not in covered]
    emergency = [rule.when for rule in deciding if rule.level == "emergency"]
    doctor = [rule.when for rule in deciding if rule.level == "contact_doctor"]
    no_emergency = [space.not_true(when) for when in emergency]
    for level, ways, why in (
        ("emergency", [space.true(when) for when in emergency], "no rule of that level can be TRUE"),
        (
            "contact_doctor",
            [every([space.true(when), *no_emergency]) for when in doctor],
            "no rule of that level can be TRUE without one of emergency",
        ),
        ("self_care", [every(space.false(rule.when) for rule in pack.triage)], "no answers make every rule FALSE"),
    ):
        if not any(find_model(way, space) for way in ways):
            what = f"[[triage]]: no record can be {level}: {why}; allowed, where that is meant"
            yield WARNING, ("triage", None, ""), what


def _report_idle_causes(pack: Pack, space: Space, effort: Effort) -> Iterator[Found]:
    for cause in pack.causes:
        place = ("causes", cause, "name")
        if not any(row.cause == cause.name for row in pack.evidence):
            yield WARNING, place, f"[[causes]] {cause.name}: no evidence points to it; add [[evidence]], or take it out"
        elif (verdict := _try_to_decide(_can_be_likely, pack, space, cause, effort)) is not True:
            what = "can never be the likely cause: another one always leads"
            yield _word_finding(verdict, place, f"[[causes]] {cause.name}: {what}")


def _try_to_decide(decide: Callable[..., bool], *about: object) -> bool | None:
    """Return the decision, or None if the search was given up."""
    try:
        return decide(*about)
    except TooMuchEffortError:
        return None


def _word_finding(verdict: bool | None, place: Place, what: str) -> Found:
    if verdict is None:
        name = what.split(": ")[0]
        return NOTE, place, f"{name}: whether it ever bears on the likely cause was not decided: conditions too long"
    return WARNING, place, what


def _can_be_likely(pack: Pack, space: Space, cause: Cause, effort: Effort) -> bool:
    others = [space.not_true(row.when) for row in pack.evidence if row.cause != cause.name]
    own = some(space.true(row.when) for row in pack.evidence if row.cause == cause.name)
    # without a point for any other cause first: nearly every cause is settled here
    tried = (every([own, *others]), _make_likely(pack, space, cause, pack.evidence))
    return any(find_model(formula, space, effort) for formula in tried)


def _report_idle_evidence(pack: Pack, space: Space, effort: Effort) -> Iterator[Found]:
    for row in pack.evidence:
        if (verdict := _try_to_decide(_decides, pack, space, row, effort)) is not True:
            what = "changes points and never the likely cause: the same cause would be found without it"
            yield _word_finding(verdict, ("evidence", row, "points"), f"[[evidence]] {row.id}: {what}")


def _decides(pack: Pack, space: Space, row: Evidence, effort: Effort) -> bool:
    """Return whether the likely cause of some record is another one without this row."""
    without = tuple(other for other in pack.evidence if other is not row)
    if find_model(every([space.true(row.when), *(space.not_true(other.when) for other in without)]), space, effort):
        return True  # alone it decides: nearly every row is settled here
    for cause in _find_raised_causes(pack, row):
        now = _make_likely(pack, space, cause, pack.evidence)
        before = space.negate(_make_likely(pack, space, cause, without))
        if find_model(every([space.true(row.when), now, before]), space, effort):
            return True
    return False


def _find_raised_causes(pack: Pack, row: Evidence) -> tuple[Cause, ...]:
    """Return the causes that a row can make likely: its own or, if points count by category, those of its category."""
    (cause,) = (cause for cause in pack.causes if cause.name == row.cause)
    return (cause,) if pack.leading_cause == URGENCY else pack.list_causes(cause.category)


def _make_likely(pack: Pack, space: Space, cause: Cause, evidence: tuple[Evidence, ...]) -> Formula:
    """State that a cause is the likely one."""
    way = _make_urgency_lead if pack.leading_cause == URGENCY else _make_category_lead
    return way(pack, space, cause, evidence)


def _make_urgency_lead(pack: Pack, space: Space, cause: Cause, evidence: tuple[Evidence, ...]) -> Formula:
    """Some evidence of the cause is as urgent as any that is TRUE, and of the others that have such none has more
    points, nor as many and stands before it."""
    urgencies = dict(zip((row.id for row in pack.evidence), find_evidence_urgencies(pack), strict=True))
    ways = []
    for level in ("emergency", "contact_doctor", "self_care"):
        above = [r for r in evidence if LEVELS.index(urgencies[r.id]) > LEVELS.index(level)]
        equal = [r for r in evidence if urgencies[r.id] == level]
        parts: list[Formula] = [space.not_true(row.when) for row in above]
        parts.append(some(space.true(row.when) for row in equal if row.cause == cause.name))
        for other in pack.causes:
            if other is not cause:
                margin = int(pack.causes.index(other) < pack.causes.index(cause))
                less = every(space.not_true(row.when) for row in equal if row.cause == other.name)
                parts.append(some([less, _make_ahead(space, evidence, {cause.name}, {other.name}, margin)]))
        ways.append(every(parts))
    return some(ways)


def _make_category_lead(pack: Pack, space: Space, cause: Cause, evidence: tuple[Evidence, ...]) -> Formula:
    """State that the cause's category leads, and that the cause leads in its category."""
    names = [category.name for category in pack.categories]
    members = {name: {other.name for other in pack.list_causes(name)} for name in names}
    own, siblings = members[cause.category], [other.name for other in pack.list_causes(cause.category)]
    leads = [_make_ahead(space, evidence, own, set(), 1)]
    for name in names:
        if name != cause.category:
            margin = int(names.index(name) < names.index(cause.category))
            leads.append(_make_ahead(space, evidence, own, members[name], margin))
    for name in siblings:
        if name != cause.name:
            margin = int(siblings.index(name) < siblings.index(cause.name))
            leads.append(_make_ahead(space, evidence, {cause.name}, {name}, margin))
    return every(leads)


def _make_ahead(space: Space, evidence: tuple[Evidence, ...], ours: set[str], theirs: set[str], margin: int) -> AtLeast:
    """State that the points for our causes are at least `margin` more than those for theirs."""
    for_us = [(row.points, space.true(row.when)) for row in evidence if row.cause in ours]
    against = [(row.points, space.not_true(row.when)) for row in evidence if row.cause in theirs]
    return AtLeast(margin + sum(points for points, _ in against), (*for_us, *against))
