"""The rule pack's model: fields, triage rules, cause evidence and guidance, read from TOML and checked.

A pack is data. Its conditions are SQL boolean expressions over the record's fields; they are parsed
against an allow-list, so that a pack can be explained field by field and can never run anything else.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass, fields
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp

from pipelines.errors import UsageError
from schemas.fields import CONTEXT_NAMES, NUMERIC_FIELDS

# lowest first: the number of a level is its place here, so that levels compare as numbers
LEVELS = ("self_care", "unresolved", "contact_doctor", "emergency")
RULE_LEVELS = ("contact_doctor", "emergency")
BASES = ("stated", "inferred")
GUIDANCE_KINDS = ("self_care", "treatment", "complication", "prevention", "question")
UNDETERMINED = "undetermined"
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
COMPARISONS = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ, exp.NEQ)
MAX_MASK_BITS = 32  # answers and rules are stored as bits of one UINTEGER each
MAX_CATEGORIES = 4  # scores are stored as bytes of one UINTEGER


@dataclass(frozen=True)
class Field:
    """A yes/no question of the complaint; its answer is yes, no or unknown."""

    name: str
    label: str
    type: str
    meaning: str
    reference: str


@dataclass(frozen=True)
class TriageRule:
    """A condition that, when TRUE, calls for at least `level`."""

    id: str
    level: str
    when: str
    reference: str
    basis: str
    sentence: str


@dataclass(frozen=True)
class Category:
    """A group of causes. The order in the pack is by danger and decides ties."""

    name: str
    label: str


@dataclass(frozen=True)
class Cause:
    """A likely cause inside its category. The order in the pack decides ties inside the category."""

    name: str
    category: str
    label: str


@dataclass(frozen=True)
class Evidence:
    """A condition that, when TRUE, gives `points` to a cause and to its category."""

    id: str
    cause: str
    when: str
    points: int
    reference: str
    basis: str
    sentence: str


@dataclass(frozen=True)
class Guidance:
    """What the article advises, for one cause or for any."""

    cause: str
    kind: str
    text: str
    reference: str


@dataclass(frozen=True)
class Pack:
    """A checked rule pack."""

    name: str
    number: int
    complaint: str
    article: str
    reviewed: str
    notes: tuple[str, ...]
    disclaimer: str
    fields: tuple[Field, ...]
    triage: tuple[TriageRule, ...]
    categories: tuple[Category, ...]
    causes: tuple[Cause, ...]
    evidence: tuple[Evidence, ...]
    guidance: tuple[Guidance, ...]
    digest: str

    @property
    def version(self) -> str:
        """Name, number and content hash: two packs with one version tag every record the same."""
        return f"{self.name}-{self.number}-{self.digest[:8]}"

    @cached_property
    def field_names(self) -> tuple[str, ...]:
        """The yes/no fields; a field's place is its bit in the stored masks."""
        return tuple(field.name for field in self.fields)

    @cached_property
    def askable(self) -> tuple[str, ...]:
        """Every field whose answer can be missing: the yes/no fields, then the numeric ones that rules read."""
        return self.field_names + tuple(NUMERIC_FIELDS)

    def causes_of(self, category: str) -> tuple[Cause, ...]:
        """The causes of one category, in the order that decides ties."""
        return tuple(cause for cause in self.causes if cause.category == category)


def parse_condition(text: str) -> exp.Expression:
    """The condition as a syntax tree. Raises ValueError on SQL that cannot be parsed as one expression."""
    try:
        tree = sqlglot.parse_one(text, dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise ValueError("is not a SQL expression") from error
    if tree is None:
        raise ValueError("is empty")
    return tree


def condition_fields(text: str) -> tuple[str, ...]:
    """The fields a condition reads, each once, in the order they appear."""
    return tuple(dict.fromkeys(column.name for column in parse_condition(text).find_all(exp.Column)))


def condition_problem(tree: exp.Expression, yes_no: frozenset[str]) -> str | None:
    """Why a condition is not allowed, or None. Allowed: fields, AND, OR, NOT, parentheses, and a numeric
    field compared with a whole number."""
    if isinstance(tree, exp.And | exp.Or):
        return condition_problem(tree.left, yes_no) or condition_problem(tree.right, yes_no)
    if isinstance(tree, exp.Not | exp.Paren):
        return condition_problem(tree.this, yes_no)
    if isinstance(tree, COMPARISONS):
        return _comparison_problem(tree)
    if isinstance(tree, exp.Column) and not tree.table:
        return None if tree.name in yes_no else f"'{tree.name}' is not a yes/no field of the pack"
    return f"'{tree.sql(dialect='duckdb')}' is not allowed (fields, AND, OR, NOT, comparisons with whole numbers)"


def _comparison_problem(tree: exp.Expression) -> str | None:
    column, number = tree.this, tree.expression
    if not (isinstance(column, exp.Column) and not column.table and column.name in NUMERIC_FIELDS):
        return f"'{column.sql(dialect='duckdb')}' is not a numeric field ({', '.join(NUMERIC_FIELDS)})"
    if not (isinstance(number, exp.Literal) and not number.is_string and number.name.isdigit()):
        return f"'{number.sql(dialect='duckdb')}' is not a whole number"
    return None


def default_pack_path() -> Path:
    """The shipped pack."""
    return Path(str(files("data.rules") / "calf_pain.toml"))


def load_pack(path: Path | None = None) -> Pack:
    """Reads and checks a pack. Raises UsageError that lists every problem found, a line each."""
    path = path or default_pack_path()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"rule pack {path}: cannot be read: {error}") from error
    return parse_pack(text, str(path))


def parse_pack(text: str, origin: str = "rule pack") -> Pack:
    """Reads and checks a pack from TOML text; `origin` names it in messages."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{origin}: is not TOML: {error}") from error
    problems = _Problems(text)
    pack = _build(raw, problems)
    if pack is not None:
        _check_names(pack, problems)
        _check_conditions(pack, problems)
        _check_sizes(pack, problems)
    if problems.found or pack is None:
        raise UsageError("\n".join(f"{origin}{problem}" for problem in problems.found))
    return pack


class _Problems:
    """Collects what is wrong, each with the line of the TOML it is on."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.found: list[str] = []

    def add(self, where: str, what: str) -> None:
        number = next((n for n, line in enumerate(self.lines, 1) if where and where in line), None)
        self.found.append(f":{number}: {what}" if number else f": {what}")


_TABLES: dict[str, type[Any]] = {
    "fields": Field,
    "triage": TriageRule,
    "categories": Category,
    "causes": Cause,
    "evidence": Evidence,
    "guidance": Guidance,
}
_HEAD = ("name", "number", "complaint", "article", "reviewed", "notes", "disclaimer")


def _build(raw: dict[str, Any], problems: _Problems) -> Pack | None:
    for key in sorted(set(raw) - set(_TABLES) - {"pack"}):
        problems.add(key, f"unknown table [{key}]; allowed: pack, {', '.join(_TABLES)}")
    head = raw.get("pack", {})
    _check_keys("[pack]", head, _HEAD, problems)
    rows = {name: _rows(name, raw.get(name, []), problems) for name in _TABLES}
    if problems.found:
        return None
    digest = hashlib.sha256(json.dumps(raw, sort_keys=True, default=str).encode()).hexdigest()
    known = {key: head[key] for key in _HEAD} | {
        "reviewed": str(head["reviewed"]),
        "notes": tuple(head["notes"]),
    }
    return Pack(**known, **rows, digest=digest)


def _rows(name: str, tables: list[dict[str, Any]], problems: _Problems) -> tuple[Any, ...]:
    model = _TABLES[name]
    wanted = tuple(field.name for field in fields(model))
    good = [t for t in tables if _check_keys(f"[[{name}]]", t, wanted, problems, _types(model))]
    if not tables:
        problems.add("", f"no [[{name}]] in the pack")
    return tuple(model(**table) for table in good)


def _types(model: type[Any]) -> dict[str, type]:
    return {field.name: int if field.name == "points" else str for field in fields(model)}


def _check_keys(
    where: str,
    table: dict[str, Any],
    wanted: tuple[str, ...],
    problems: _Problems,
    types: dict[str, type] | None = None,
) -> bool:
    before = len(problems.found)
    label = str(table.get("id") or table.get("name") or table.get("text") or "")
    title = f"{where} {label[:60]}".strip()
    for key in sorted(set(table) - set(wanted)):
        problems.add(key, f"{title}: unknown key '{key}'; allowed: {', '.join(wanted)}")
    for key in wanted:
        if key not in table:
            problems.add(label, f"{title}: '{key}' is missing")
        elif types and type(table[key]) is not types[key]:
            problems.add(label, f"{title}: '{key}' must be {types[key].__name__}")
        elif types and table[key] == "":
            problems.add(label, f"{title}: '{key}' is empty")
    return len(problems.found) == before


def _check_names(pack: Pack, problems: _Problems) -> None:
    _unique([field.name for field in pack.fields], "field", problems)
    _unique([rule.id for rule in (*pack.triage, *pack.evidence)], "rule id", problems)
    _unique([c.name for c in pack.categories], "category", problems)
    _unique([c.name for c in pack.causes], "cause", problems)
    for field in pack.fields:
        if field.name in CONTEXT_NAMES:
            problems.add(field.name, f"field '{field.name}' is a context field already")
        _one_of(field.type, ("yes_no",), f"field '{field.name}': type", field.name, problems)
    for rule in pack.triage:
        _one_of(rule.level, RULE_LEVELS, f"rule '{rule.id}': level", rule.id, problems)
    for rated in (*pack.triage, *pack.evidence):
        _one_of(rated.basis, BASES, f"rule '{rated.id}': basis", rated.id, problems)
    categories = tuple(category.name for category in pack.categories)
    causes = tuple(cause.name for cause in pack.causes)
    for cause in pack.causes:
        _one_of(cause.category, categories, f"cause '{cause.name}': category", cause.name, problems)
    for row in pack.evidence:
        _one_of(row.cause, causes, f"evidence '{row.id}': cause", row.id, problems)
        if not 1 <= row.points <= 9:
            problems.add(row.id, f"evidence '{row.id}': points must be 1-9")
    for entry in pack.guidance:
        _one_of(entry.cause, (*causes, "any"), "guidance: cause", entry.text, problems)
        _one_of(entry.kind, GUIDANCE_KINDS, "guidance: kind", entry.text, problems)


def _unique(names: list[str], what: str, problems: _Problems) -> None:
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            problems.add(f'"{name}"', f"{what} '{name}' stands twice")
        if not NAME.fullmatch(name):
            problems.add(f'"{name}"', f"{what} '{name}' must be lower-case letters, digits and _")


def _one_of(value: str, allowed: tuple[str, ...], what: str, where: str, problems: _Problems) -> None:
    if value not in allowed:
        problems.add(where, f"{what} '{value}' is not one of {', '.join(allowed)}")


def _check_conditions(pack: Pack, problems: _Problems) -> None:
    yes_no = frozenset(pack.field_names)
    for rule in (*pack.triage, *pack.evidence):
        try:
            problem = condition_problem(parse_condition(rule.when), yes_no)
        except ValueError as error:
            problem = str(error)
        if problem:
            problems.add(f'"{rule.id}"', f"rule '{rule.id}': when: {problem}")


def _check_sizes(pack: Pack, problems: _Problems) -> None:
    for count, limit, what in (
        (len(pack.askable), MAX_MASK_BITS, "fields, the numeric ones included"),
        (len(pack.triage), MAX_MASK_BITS, "triage rules"),
        (len(pack.categories), MAX_CATEGORIES, "categories"),
    ):
        if count > limit:
            problems.add("", f"{count} {what}; at most {limit} can be stored")
