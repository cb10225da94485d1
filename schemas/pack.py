"""The rule pack's model: fields, triage rules, cause evidence and guidance, read from TOML and checked.

A pack is data. Its conditions are SQL boolean expressions over the record's fields; they are parsed
against an allow-list, so that a pack can be explained field by field and can never run anything else.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp

from pipelines.errors import UsageError
from schemas.fields import CONTEXT_NAMES, NUMERIC_FIELDS, UNKNOWN_WORDS

# what it cannot parse it tells on stderr as well; here that is a problem of the pack, told with its line
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

# lowest first: the number of a level is its place here, so that levels compare as numbers
LEVELS = ("self_care", "unresolved", "contact_doctor", "emergency")
RULE_LEVELS = ("contact_doctor", "emergency")
BASES = ("stated", "inferred")
GUIDANCE_KINDS = ("self_care", "treatment", "complication", "prevention", "question")
UNDETERMINED = "undetermined"
ANY_CAUSE = "any"  # guidance that is not for one cause alone
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
COMPARISONS = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ, exp.NEQ)
ALLOWED_IN_CONDITIONS = (
    "yes/no fields, AND, OR, NOT, parentheses, a number compared with a whole number, "
    "a choice = or <> one of its values"
)
FORBIDDEN_SIGN = re.compile(r"[^A-Za-z0-9_\s()<>=!']", re.ASCII)
LARGEST_NUMBER = 65_535  # numbers are stored in two bytes
MAX_CHOICES = 255  # a choice is stored as its place in one byte
MAX_CONDITION_SIGNS = 2000  # deeper nesting than fits in here is beyond what the parsers take
MAX_MASK_BITS = 32  # answers and rules are stored as bits of one UINTEGER each
MAX_CATEGORIES = 4  # scores are stored as bytes of one UINTEGER
MAX_POINTS = 255  # of all rows of a category together: a byte
MAX_CAUSES = 64  # the statement that finds the likely one grows with their square

# words that DuckDB takes for a column only in quotes, such as `left`; sqlglot lets some of them pass
# fmt: off
SQL_WORDS = frozenset({
    "all", "analyse", "analyze", "and", "anti", "any", "array", "as", "asc", "asof", "asymmetric", "at",
    "authorization", "binary", "both", "by", "case", "cast", "check", "collate", "collation", "column", "columns",
    "concurrently", "constraint", "create", "cross", "default", "deferrable", "desc", "describe", "distinct", "do",
    "else", "end", "except", "false", "fetch", "for", "foreign", "freeze", "from", "full", "generated", "glob",
    "group", "having", "ilike", "in", "initially", "inner", "intersect", "into", "is", "isnull", "join", "lambda",
    "lateral", "leading", "left", "like", "limit", "map", "natural", "not", "notnull", "null", "offset", "on",
    "only", "or", "order", "outer", "overlaps", "pivot", "pivot_longer", "pivot_wider", "placing", "positional",
    "primary", "qualify", "references", "returning", "right", "select", "semi", "show", "similar", "some", "struct",
    "summarize", "symmetric", "table", "tablesample", "then", "to", "trailing", "true", "try_cast", "tuple",
    "union", "unique", "unpack", "unpivot", "using", "variadic", "verbose", "when", "where", "window", "with",
})
# fmt: on

# A field becomes a column beside these ones, which the product needs itself.
RESERVED_NAMES = frozenset(CONTEXT_NAMES) | {
    *("source", "file_id", "line_number", "delivery_no", "rule_pack", "answered", "yes", "unlisted", "adapter_error"),
    *("triage_level", "triage_ceiling", "triage_rules", "rules_true", "missing", "missing_answers"),
    *("cause_category", "likely_cause", "cause_scores", "scores", "superseded_by", "superseded_at"),
    # what the statements that tag, compare and count call their own columns
    *("no", "rules_open", "sign", "report_date", "reports", "severe_pain", "codes", "missing_unresolved"),
    *("place", "said", "kept", "replaced_by", "answers", "cause", "evidence_after", "total", "first_day", "last_day"),
    # what records are joined with: the ledger and the calendar
    *("path", "status", "reason", "first_report", "last_report", "ingested_at", "run_id", "tried_with", "rows_read"),
    *("rows_accepted", "rows_quarantined", "rows_duplicate", "rows_out_of_scope", "rows_superseded"),
    *("week", "week_start"),
}
RESERVED_PATTERN = re.compile(
    r"(true|false|points|score)_[0-9]+|(emergency|contact_doctor)_(true|false)|.*_(before|stored)"
)


@dataclass(frozen=True)
class Field:
    """A question of the complaint; its answer may always be unknown.

    type: yes_no; number, a whole one from `smallest` to `largest`, in `unit`; or choice, one of `values`.
    """

    name: str
    label: str
    type: str
    meaning: str
    reference: str
    unit: str = ""
    smallest: int = 0
    largest: int = 0
    values: tuple[str, ...] = ()


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
    text: str  # the TOML it was read from

    @property
    def version(self) -> str:
        """Name, number and content hash: two packs with one version tag every record the same."""
        return f"{self.name}-{self.number}-{self.digest[:8]}"

    @cached_property
    def field_names(self) -> tuple[str, ...]:
        """The yes/no fields; a field's place is its bit in the stored masks."""
        return tuple(field.name for field in self.fields if field.type == "yes_no")

    @cached_property
    def own_numbers(self) -> dict[str, tuple[int, int]]:
        """The number fields that the pack declares, with their limits."""
        return {field.name: (field.smallest, field.largest) for field in self.fields if field.type == "number"}

    @cached_property
    def numbers(self) -> dict[str, tuple[int, int]]:
        """Every number that a rule may read, with its limits: those of every report, then the pack's own."""
        return NUMERIC_FIELDS | self.own_numbers

    @cached_property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """The choice fields, each with its values."""
        return {field.name: field.values for field in self.fields if field.type == "choice"}

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The fields that are stored in a column of their own, and not as bits."""
        return (*self.own_numbers, *self.choices)

    @cached_property
    def askable(self) -> tuple[str, ...]:
        """Every field whose answer can be missing: yes/no fields, numbers, choices."""
        return (*self.field_names, *self.numbers, *self.choices)

    def sql_type(self, field: str) -> str:
        """A field's type in the view `reports`."""
        return "BOOLEAN" if field in self.field_names else "VARCHAR" if field in self.choices else "USMALLINT"

    def causes_of(self, category: str) -> tuple[Cause, ...]:
        """The causes of one category, in the order that decides ties."""
        return tuple(cause for cause in self.causes if cause.category == category)


def parse_condition(text: str) -> exp.Expression:
    """The condition as a syntax tree. Raises ValueError on SQL that cannot be parsed as one expression."""
    try:
        return sqlglot.parse_one(text, dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise ValueError(f"is not a SQL condition; allowed: {ALLOWED_IN_CONDITIONS}") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply; take parentheses or NOTs away") from error


def condition_fields(text: str) -> tuple[str, ...]:
    """The fields a condition reads, each once, in the order they appear."""
    return tuple(dict.fromkeys(column.name for column in parse_condition(text).find_all(exp.Column, bfs=False)))


def condition_problem(text: str, pack: Pack) -> str | None:
    """Why a condition is not allowed in a pack, or None (see ALLOWED_IN_CONDITIONS)."""
    if len(text) > MAX_CONDITION_SIGNS:
        return f"has {len(text)} characters; at most {MAX_CONDITION_SIGNS} are allowed"
    try:
        problem = _tree_problem(parse_condition(text), pack)
    except ValueError as error:
        return str(error)
    # what leaves no trace in the tree: comments, semicolons, quotes around a name
    forbidden = FORBIDDEN_SIGN.search(text)
    if problem is None and forbidden:
        return f"the character {forbidden.group()!r} is not allowed; allowed: {ALLOWED_IN_CONDITIONS}"
    return problem


def _tree_problem(tree: exp.Expression, pack: Pack) -> str | None:
    if isinstance(tree, exp.And | exp.Or):
        return _tree_problem(tree.left, pack) or _tree_problem(tree.right, pack)
    if isinstance(tree, exp.Not | exp.Paren):
        return _tree_problem(tree.this, pack)
    if isinstance(tree, COMPARISONS):
        return _comparison_problem(tree, pack)
    if isinstance(tree, exp.Column) and not tree.table and tree.name not in pack.field_names:
        return f"'{tree.name}' is not a yes/no field of the pack; allowed: {', '.join(pack.field_names)}"
    if isinstance(tree, exp.Column) and not tree.table:
        return None
    return f"'{_shown(tree)}' is not allowed; allowed: {ALLOWED_IN_CONDITIONS}"


def _comparison_problem(tree: exp.Expression, pack: Pack) -> str | None:
    column, value = tree.this, tree.expression
    name = column.name if isinstance(column, exp.Column) and not column.table else ""
    if name in pack.choices:
        return _choice_problem(tree, pack.choices[name])
    if name not in pack.numbers:
        allowed = ", ".join((*pack.numbers, *pack.choices))
        return f"'{_shown(column)}' is not a numeric field or a choice; allowed: {allowed}, on the left"
    smallest, largest = pack.numbers[name]
    if not (isinstance(value, exp.Literal) and not value.is_string and value.name.isdigit()):
        return f"'{_shown(value)}' is not a whole number; allowed: {smallest}-{largest}"
    if not smallest <= int(value.name) <= largest:
        return f"{_shown(value)} is outside of {name}; allowed: {smallest}-{largest}"
    return None


def _choice_problem(tree: exp.Expression, values: tuple[str, ...]) -> str | None:
    value = tree.expression
    if not isinstance(tree, exp.EQ | exp.NEQ):
        return f"'{_shown(tree)}': values have no order; allowed: = and <>"
    if not (isinstance(value, exp.Literal) and value.is_string and value.name in values):
        return f"'{_shown(value)}' is not one of the values; allowed: {', '.join(map(repr, values))}"
    return None


def _shown(tree: exp.Expression) -> str:
    return str(tree.sql(dialect="duckdb"))[:80]


def default_pack_path() -> Path:
    """The shipped pack."""
    return Path(str(files("data.rules") / "calf_pain.toml"))


def earlier_pack(version: str) -> Pack | None:
    """A pack that was shipped before, by its version; None where it is none of ours."""
    places = (place for place in files("data.rules.earlier").iterdir() if place.name == f"{version}.toml")
    return next((load_pack(Path(str(place))) for place in places), None)


def load_pack(path: Path | None = None) -> Pack:
    """Reads and checks a pack. Raises UsageError that lists every problem found, a line each."""
    path = path or default_pack_path()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"rule pack {path}: cannot be read: {error}") from error
    return parse_pack(text, str(path))


@lru_cache(maxsize=16)
def parse_pack(text: str, origin: str = "rule pack") -> Pack:
    """Reads and checks a pack from TOML text; `origin` names it in messages."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{origin}:{_toml_line(text, str(error))}: is not TOML: {error}") from error
    problems = _Problems(text)
    pack = _build(raw, text, problems)
    if pack is not None:
        _check_sizes(pack, problems)
    if pack is not None and not problems.found:
        _check_names(pack, problems)
        _check_values(pack, problems)
        _check_conditions(pack, problems)
    if problems.found or pack is None:
        raise UsageError("\n".join(f"{origin}{problem}" for problem in problems.found))
    return pack


_HEADER = re.compile(r"\s*\[\[?\s*([\"']?)([A-Za-z0-9_-]+)\1\s*\]")
_KEY = re.compile(r"\s*([\"']?)([A-Za-z0-9_-]+)\1\s*=")
# texts and comments, so that nothing inside of them is taken for a header, a key or the end of a text
_TEXTS = re.compile(
    "|".join(
        (
            r"#[^\n]*",
            r'"""(?:\\.|[^\\])*?"""',
            r"'''.*?'''",
            r'"(?:\\.|[^"\\\n])*"',
            r"'[^'\n]*'",
        )
    ),
    re.DOTALL,
)


def _toml_line(text: str, error: str) -> int:
    """The line that the parser names; without one the text ends too soon."""
    named = re.search(r"at line (\d+)", error)
    return int(named[1]) if named else len(text.splitlines()) or 1


class _Problems:
    """Collects what is wrong, each with the line of the TOML it is on."""

    def __init__(self, text: str) -> None:
        self.lines = dict(places(text))
        self.found: list[str] = []

    def add(self, what: str, table: str = "", place: int = 0, key: str = "") -> None:
        """A problem of the n-th (`place`, from 0) table of a name; on the line of its key, else of its header."""
        at = ((table, place, key), (table, place, ""), ("", 0, table))  # the last: tables written as one value
        number = next((self.lines[where] for where in at if where in self.lines), 1)
        self.found.append(f":{number}: {what}")


def places(text: str) -> Iterator[tuple[tuple[str, int, str], int]]:
    """(table, how many of that name came before, key or '') and its line, for every header and key."""
    seen: dict[str, int] = {}
    table = ""
    for number, line in enumerate(_TEXTS.sub(_one_line, text).split("\n"), 1):
        if header := _HEADER.match(line):
            table = header.group(2)
            seen[table] = seen.get(table, -1) + 1
            yield (table, seen[table], ""), number
        elif key := _KEY.match(line):
            yield (table, seen.get(table, 0), key.group(2)), number


def _one_line(found: re.Match[str]) -> str:
    """A text of several lines without what it says, its lines kept for counting."""
    lines = found.group().count("\n")
    return "\n" * lines if lines else found.group()


_TABLES: dict[str, type[Any]] = {
    "fields": Field,
    "triage": TriageRule,
    "categories": Category,
    "causes": Cause,
    "evidence": Evidence,
    "guidance": Guidance,
}
_HEAD: dict[str, type] = {
    "name": str,
    "number": int,
    "complaint": str,
    "article": str,
    "reviewed": date,
    "notes": list,
    "disclaimer": str,
}
_FIELD_KEYS: dict[str, type] = dict.fromkeys(("name", "label", "type", "meaning", "reference"), str)
_KEYS_OF_TYPE: dict[str, dict[str, type]] = {
    "yes_no": {},
    "number": {"unit": str, "smallest": int, "largest": int},
    "choice": {"values": list},
}
_TYPE_WORDS = {str: "text", int: "a whole number", date: "a date such as 2022-09-06", list: "a list of texts"}


def _build(raw: dict[str, Any], text: str, problems: _Problems) -> Pack | None:
    for key in sorted(set(raw) - set(_TABLES) - {"pack"}):
        problems.add(f"unknown table or key '{key}'; allowed: pack, {', '.join(_TABLES)}", key)
    head = _head(raw.get("pack"), problems)
    rows: dict[str, Any] = {name: _rows(name, raw.get(name, []), problems) for name in _TABLES}
    if problems.found:
        return None
    digest = hashlib.sha256(json.dumps(raw, sort_keys=True, default=str).encode()).hexdigest()
    return Pack(**head, **rows, digest=digest, text=text)


def _head(head: object, problems: _Problems) -> dict[str, Any]:
    if not isinstance(head, dict):
        problems.add(f"there is no table [pack]; it holds {', '.join(_HEAD)}", "pack")
        return {}
    if not _check_keys("pack", 0, head, _HEAD, problems):
        return {}
    if not NAME.fullmatch(head["name"]):
        problems.add(f"[pack]: name '{head['name']}' {_NAME_WORDS}", "pack", 0, "name")
    if head["number"] < 1:
        problems.add("[pack]: number must be 1 or more", "pack", 0, "number")
    return head | {"reviewed": str(head["reviewed"]), "notes": tuple(head["notes"])}


_NAME_WORDS = "must be lower-case letters, digits and _, a letter first, at most 63"


def _rows(name: str, tables: object, problems: _Problems) -> tuple[Any, ...]:
    if not (isinstance(tables, list) and all(isinstance(table, dict) for table in tables)):
        problems.add(f"'{name}' must be written as [[{name}]] tables", name)
        return ()
    if not tables:
        problems.add(f"there is no [[{name}]] in the pack; at least one is needed")
    good = [t for place, t in enumerate(tables) if _check_keys(name, place, t, _key_types(name, t), problems)]
    return tuple(_TABLES[name](**_frozen(table)) for table in good)


def _key_types(name: str, table: dict[str, Any]) -> dict[str, type]:
    """The keys that a table must have; a field has those of its type beside the common ones."""
    if name == "fields":
        return _FIELD_KEYS | _KEYS_OF_TYPE.get(str(table.get("type")), {})
    return {field.name: int if field.name == "points" else str for field in fields(_TABLES[name])}


def _frozen(table: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def _check_keys(name: str, place: int, table: dict[str, Any], types: dict[str, type], problems: _Problems) -> bool:
    before = len(problems.found)
    title = f"[[{name}]] {_label(table)}".strip() if name in _TABLES else f"[{name}]"
    for key in sorted(set(table) - set(types)):
        problems.add(f"{title}: unknown key '{key}'; allowed: {', '.join(types)}", name, place, key)
    for key, kind in types.items():
        if key not in table:
            problems.add(f"{title}: '{key}' is missing; needed: {', '.join(types)}", name, place)
        elif not _is_of(table[key], kind):
            problems.add(f"{title}: '{key}' must be {_TYPE_WORDS[kind]}", name, place, key)
        elif kind is str and not table[key].strip():
            problems.add(f"{title}: '{key}' is empty; it must be {_TYPE_WORDS[kind]}", name, place, key)
    return len(problems.found) == before


def _label(table: dict[str, Any]) -> str:
    return str(table.get("id") or table.get("name") or table.get("text") or "")[:60]


def _is_of(value: object, kind: type) -> bool:
    """Exactly of the type: true is no number, a timestamp no date."""
    return type(value) is kind and (not isinstance(value, list) or all(isinstance(item, str) for item in value))


def _check_sizes(pack: Pack, problems: _Problems) -> None:
    for count, limit, what, table in (
        (len(pack.askable), MAX_MASK_BITS, "fields, pain_score and duration_days included", "fields"),
        (len(pack.triage), MAX_MASK_BITS, "triage rules", "triage"),
        (len(pack.categories), MAX_CATEGORIES, "categories", "categories"),
        (len(pack.causes), MAX_CAUSES, "causes", "causes"),
    ):
        if count > limit:
            problems.add(f"{count} {what}; at most {limit} can be stored", table, len(_of(pack, table)) - 1)
    for place, category in enumerate(pack.categories):
        causes = {cause.name for cause in pack.causes_of(category.name)}
        points = sum(row.points for row in pack.evidence if row.cause in causes)
        if points > MAX_POINTS:
            what = f"the evidence for '{category.name}' adds up to {points} points; at most {MAX_POINTS} can be stored"
            problems.add(what, "categories", place)


def _of(pack: Pack, table: str) -> tuple[Any, ...]:
    return tuple(getattr(pack, table))


def _check_names(pack: Pack, problems: _Problems) -> None:
    for tables, key in (
        (("fields",), "name"),
        (("triage", "evidence"), "id"),
        (("categories",), "name"),
        (("causes",), "name"),
    ):
        rows = [(table, place, getattr(row, key)) for table in tables for place, row in enumerate(_of(pack, table))]
        _unique(rows, key, problems)
    for place, field in enumerate(pack.fields):
        if problem := _field_name_problem(field.name):
            problems.add(f"[[fields]] {field.name}: {problem}; choose another name", "fields", place, "name")
        if problem := _domain_problem(field):
            problems.add(f"[[fields]] {field.name}: {problem}", "fields", place, "largest" if field.unit else "values")
    for table in ("categories", "causes"):
        for place, row in enumerate(_of(pack, table)):
            if row.name in (UNDETERMINED, ANY_CAUSE):
                what = f"[[{table}]]: the name '{row.name}' has a meaning of its own; choose another name"
                problems.add(what, table, place, "name")


def _unique(rows: list[tuple[str, int, str]], key: str, problems: _Problems) -> None:
    seen: set[str] = set()
    for table, place, name in rows:
        if name in seen:
            problems.add(f"[[{table}]]: {key} '{name}' stands twice; each must be its own", table, place, key)
        if not NAME.fullmatch(name):
            problems.add(f"[[{table}]]: {key} '{name}' {_NAME_WORDS}", table, place, key)
        seen.add(name)


def _field_name_problem(name: str) -> str | None:
    """Why a field of this name could not be a column, or not be read in a condition."""
    if name in RESERVED_NAMES or RESERVED_PATTERN.fullmatch(name):
        return "is a column of calfwatch already"
    try:
        alone, compared = parse_condition(name), parse_condition(f"{name} > 1")
    except ValueError:
        return "is a word of SQL"
    plain = isinstance(alone, exp.Column) and isinstance(compared, exp.GT) and name not in SQL_WORDS
    return None if plain else "is a word of SQL"


def _domain_problem(field: Field) -> str | None:
    """What is wrong with the numbers or values that a field allows."""
    if field.type == "number" and not 0 <= field.smallest < field.largest <= LARGEST_NUMBER:
        return f"numbers from {field.smallest} to {field.largest}; allowed: from 0, rising, to {LARGEST_NUMBER}"
    if field.type != "choice":
        return None
    odd = next((value for value in field.values if not NAME.fullmatch(value)), None)
    if odd is not None:
        return f"value '{odd}' {_NAME_WORDS}"
    if silent := set(field.values) & set(UNKNOWN_WORDS):
        return f"value '{silent.pop()}' would mean that there is no answer, which every field allows; leave it out"
    if not 2 <= len(set(field.values)) == len(field.values) <= MAX_CHOICES:
        return f"values must be 2 to {MAX_CHOICES}, each once"
    return None


def _check_values(pack: Pack, problems: _Problems) -> None:
    categories = tuple(category.name for category in pack.categories)
    causes = tuple(cause.name for cause in pack.causes)
    for table, key, allowed in (
        ("fields", "type", tuple(_KEYS_OF_TYPE)),
        ("triage", "level", RULE_LEVELS),
        ("triage", "basis", BASES),
        ("causes", "category", categories),
        ("evidence", "cause", causes),
        ("evidence", "points", range(1, 10)),
        ("evidence", "basis", BASES),
        ("guidance", "cause", (*causes, ANY_CAUSE)),
        ("guidance", "kind", GUIDANCE_KINDS),
    ):
        for place, row in enumerate(_of(pack, table)):
            if (value := getattr(row, key)) not in allowed:
                what = f"{key} '{value}' is not one of {', '.join(map(str, allowed))}"
                problems.add(f"[[{table}]] {_label(vars(row))}: {what}", table, place, key)


def _check_conditions(pack: Pack, problems: _Problems) -> None:
    for table in ("triage", "evidence"):
        for place, rule in enumerate(_of(pack, table)):
            if problem := condition_problem(rule.when, pack):
                problems.add(f"[[{table}]] {rule.id}: when: {problem}", table, place, "when")
