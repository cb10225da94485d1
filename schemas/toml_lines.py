"""Read TOML texts, and find the line of a key in one: the parser of the standard library reports none."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

Keys = tuple[str | int, ...]
MOST_LEVELS = 32  # of tables and lists in one another: ours have four, and what walks them is recursive
MOST_DOTS = 500  # of a line: a key of 50,000 parts takes the parser half a minute
TOO_DEEP = f"values lie deeper than {MOST_LEVELS} levels in one another"


def load_toml(text: str) -> dict[str, Any]:
    """Return what a TOML text says.

    Raises ValueError for one that is none, whose values lie too deep, or that has a NUL, which no path can hold.
    """
    if any(line.count(".") > MOST_DOTS for line in text.split("\n")):
        raise ValueError(f"a line has more than {MOST_DOTS} full stops")
    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    level: list[Any] = [content]
    for _ in range(MOST_LEVELS):
        level = [inner for value in level for inner in _list_inner_values(value)]
        if any(isinstance(value, str) and "\0" in value for value in level):
            raise ValueError("a text has the character U+0000")
    if level:
        raise ValueError(TOO_DEEP)
    return content


def _list_inner_values(value: Any) -> list[Any]:
    """Return the keys and values of a table, the values of a list, and nothing of anything else."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def find_line(text: str, keys: Keys) -> int | None:
    """Return the line, from 1, on which a key begins, else that of the nearest table around it, else None.

    `keys` leads to the value as in what `tomllib` returns, such as ("sources", 1, "name"). The text is valid TOML.
    """
    lines = _find_lines_of_keys(text)
    return next((lines[keys[:length]] for length in range(len(keys), 0, -1) if keys[:length] in lines), None)


@functools.lru_cache(maxsize=2)  # one text is asked about many times in a row
def _find_lines_of_keys(text: str) -> Mapping[Keys, int]:
    lines: dict[Keys, int] = {}
    tables: dict[Keys, int] = {}  # how many of each [[array of tables]] were opened
    table: Keys = ()
    for number, is_header, statement in _split_statements(text):
        if is_header:
            table = _open_table(statement, tables)
            found = [table[:length] for length in range(1, len(table) + 1)]
        else:
            found = list(_list_key_paths(statement, table))
        for keys in found:
            lines.setdefault(keys, number)
    return lines


def _split_statements(text: str) -> Iterator[tuple[int, bool, dict[str, Any]]]:
    """Yield the first line of each statement, whether it is a header, and what it says.

    Each header and each `key = value` is TOML by itself, and an unfinished one never is: lines are added until the
    parser takes them. So texts, comments and dotted keys need no rules of their own here.
    """
    start, waiting = 1, ""
    for number, line in enumerate(text.split("\n"), 1):
        waiting += line + "\n"
        try:
            statement = tomllib.loads(waiting)
        except tomllib.TOMLDecodeError:
            continue
        yield start, waiting.lstrip().startswith("["), statement
        start, waiting = number + 1, ""


def _open_table(header: dict[str, Any], tables: dict[Keys, int]) -> Keys:
    """Return the place of the table that a header opens, with the number of each array of tables on the way."""
    keys: Keys = ()
    inside: Any = header
    while inside:
        if isinstance(inside, list):
            tables[keys] = tables.get(keys, -1) + 1
            return (*keys, tables[keys])
        ((name, inside),) = inside.items()
        keys = (*keys, name)
        if not isinstance(inside, list) and keys in tables:
            keys = (*keys, tables[keys])
    return keys


def _list_key_paths(value: Any, above: Keys) -> Iterator[Keys]:
    """Yield the place of every key and item of a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*above, key)
        yield from _list_key_paths(inner, (*above, key))
