"""The condition language of a rule pack: parsed as SQL, and held against an allow-list.

A condition is a boolean expression over a record's fields. Nothing outside the list below is accepted, so that a
condition can be explained field by field and can never run anything else.
"""

from __future__ import annotations

import functools
import logging
import re

import sqlglot
from sqlglot import exp

from schemas.pack import Pack

# sqlglot also prints what it cannot parse to stderr; here that is a problem of the pack, reported with its line
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

COMPARISONS = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ, exp.NEQ)
ALLOWED_IN_CONDITIONS = (
    "yes/no fields, AND, OR, NOT, parentheses, a number compared with a whole number, "
    "a choice = or <> one of its values"
)
FORBIDDEN_SIGN = re.compile(r"[^A-Za-z0-9_\s()<>=!']", re.ASCII)
MAX_CONDITION_SIGNS = 2000  # deeper nesting than fits in here is beyond what the parsers take

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


@functools.lru_cache(maxsize=1024)
def parse_condition(text: str) -> exp.Expression:
    """Return the condition as a syntax tree, which callers read and never change: the next one is given the same.

    Raises ValueError on SQL that cannot be parsed as one expression.
    """
    try:
        return sqlglot.parse_one(text, dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise ValueError(f"is not a SQL condition; allowed: {ALLOWED_IN_CONDITIONS}") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply; take parentheses or NOTs away") from error


def list_condition_fields(text: str) -> tuple[str, ...]:
    """Return the fields a condition reads, each once, in the order they appear."""
    return tuple(dict.fromkeys(column.name for column in parse_condition(text).find_all(exp.Column, bfs=False)))


def find_condition_problem(text: str, pack: Pack) -> str | None:
    """Why a condition is not allowed in a pack, or None (see ALLOWED_IN_CONDITIONS)."""
    if len(text) > MAX_CONDITION_SIGNS:
        return f"has {len(text)} characters; at most {MAX_CONDITION_SIGNS} are allowed"
    try:
        problem = _find_tree_problem(parse_condition(text), pack)
    except ValueError as error:
        return str(error)
    # what leaves no trace in the tree: comments, semicolons, quotes around a name
    forbidden = FORBIDDEN_SIGN.search(text)
    if problem is None and forbidden:
        return f"the character {forbidden.group()!r} is not allowed; allowed: {ALLOWED_IN_CONDITIONS}"
    return problem


def _find_tree_problem(tree: exp.Expression, pack: Pack) -> str | None:
    if isinstance(tree, exp.And | exp.Or):
        return _find_tree_problem(tree.left, pack) or _find_tree_problem(tree.right, pack)
    if isinstance(tree, exp.Not | exp.Paren):
        return _find_tree_problem(tree.this, pack)
    if isinstance(tree, COMPARISONS):
        return _find_comparison_problem(tree, pack)
    if isinstance(tree, exp.Column) and not tree.table and tree.name not in pack.field_names:
        return f"'{tree.name}' is not a yes/no field of the pack; allowed: {', '.join(pack.field_names)}"
    if isinstance(tree, exp.Column) and not tree.table:
        return None
    return f"'{_quote_tree(tree)}' is not allowed; allowed: {ALLOWED_IN_CONDITIONS}"


def _find_comparison_problem(tree: exp.Expression, pack: Pack) -> str | None:
    column, value = tree.this, tree.expression
    name = column.name if isinstance(column, exp.Column) and not column.table else ""
    if name in pack.choices:
        return _find_choice_problem(tree, pack.choices[name])
    if name not in pack.numbers:
        allowed = ", ".join((*pack.numbers, *pack.choices))
        return f"'{_quote_tree(column)}' is not a numeric field or a choice; allowed: {allowed}, on the left"
    smallest, largest = pack.numbers[name]
    if not (isinstance(value, exp.Literal) and not value.is_string and value.name.isdigit()):
        return f"'{_quote_tree(value)}' is not a whole number; allowed: {smallest}-{largest}"
    if not smallest <= int(value.name) <= largest:
        return f"{_quote_tree(value)} is outside of {name}; allowed: {smallest}-{largest}"
    return None


def _find_choice_problem(tree: exp.Expression, values: tuple[str, ...]) -> str | None:
    value = tree.expression
    if not isinstance(tree, exp.EQ | exp.NEQ):
        return f"'{_quote_tree(tree)}': values have no order; allowed: = and <>"
    if not (isinstance(value, exp.Literal) and value.is_string and value.name in values):
        return f"'{_quote_tree(value)}' is not one of the values; allowed: {', '.join(map(repr, values))}"
    return None


def _quote_tree(tree: exp.Expression) -> str:
    return str(tree.sql(dialect="duckdb"))[:80]


def is_plain_name(name: str) -> bool:
    """Whether a name can be written in a condition without quotes, as a column and on the left of a comparison."""
    try:
        alone, compared = parse_condition(name), parse_condition(f"{name} > 1")
    except ValueError:
        return False
    return isinstance(alone, exp.Column) and isinstance(compared, exp.GT) and name not in SQL_WORDS
