"""Faults for SQL: every place of a statement at which one token may become another, comments and strings left alone.

A statement with ${placeholders} is no SQL yet, so that tokens are changed and no tree; what does not parse is killed by
the first test that runs it, and counts as that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# in the order in which a token is looked for; what is skipped comes first
TOKENS = re.compile(
    r"""(?P<skipped>--[^\n]*|'(?:[^']|'')*'|"[^"]*"|\$\{\w+\}|\$\w+)
    |(?P<comparison><=|>=|<>|!=|<|>|(?<![=:])=(?!=))
    |(?P<sign>(?<=\s)[+-](?=\s))
    |(?P<number>(?<![\w.])\d+(?![\w.]))
    |(?P<word>\b(?:AND|OR|NOT|LEFT\ JOIN|FULL\ JOIN|SEMI\ JOIN|ANTI\ JOIN|DISTINCT|DESC|IS\ NOT\ NULL|IS\ NULL
        |IS\ DISTINCT\ FROM|UNION\ ALL|PRECEDING|true|false|min|max|bool_or|bool_and|coalesce|greatest|least|lag|lead
        |first_value|last_value|min_by|max_by)\b)""",
    re.VERBOSE,
)
OTHERS = {
    "<=": "<",
    ">=": ">",
    "<": "<=",
    ">": ">=",
    "<>": "=",
    "!=": "=",
    "=": "<>",
    "+": "-",
    "-": "+",
    "AND": "OR",
    "OR": "AND",
    "NOT": "",
    "LEFT JOIN": "JOIN",
    "FULL JOIN": "LEFT JOIN",
    "SEMI JOIN": "ANTI JOIN",
    "ANTI JOIN": "SEMI JOIN",
    "DISTINCT": "",
    "DESC": "ASC",
    "IS NOT NULL": "IS NULL",
    "IS NULL": "IS NOT NULL",
    "IS DISTINCT FROM": "<>",
    "UNION ALL": "UNION",
    "PRECEDING": "FOLLOWING",
    "true": "false",
    "false": "true",
    "min": "max",
    "max": "min",
    "bool_or": "bool_and",
    "bool_and": "bool_or",
    "coalesce": "first_argument",  # the fallback is lost
    "greatest": "least",
    "least": "greatest",
    "lag": "lead",
    "lead": "lag",
    "min_by": "max_by",
    "max_by": "min_by",
}


def find_faults(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield (offset, what becomes what, the faulty text) for every fault."""
    for found in TOKENS.finditer(text):
        token = found[0]
        if found["skipped"]:
            continue
        other = f"{int(token) + 1}" if found["number"] else OTHERS.get(token)
        if other is None:
            continue
        faulty = text[: found.start()] + other + text[found.end() :]
        if token == "coalesce":
            faulty = _without_fallback(text, found.start(), found.end())
        if faulty != text:
            yield found.start(), f"{token} -> {other or 'nothing'}", faulty


def _without_fallback(text: str, start: int, end: int) -> str:
    """Return the text with `coalesce(a, b)` as `(a)`; unchanged if it is no such call."""
    depth, comma = 0, None
    for place in range(end, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if text[place] == "," and depth == 1 and comma is None:
            comma = place
        if depth == 0:
            return text[:start] + text[end : comma or place] + text[place:] if comma else text
    return text
