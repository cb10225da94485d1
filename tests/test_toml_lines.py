"""Finding the line of a key in TOML, in every form that TOML has."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.toml_lines import Keys, find_line

TEXT = '''\
# a comment with [[sources]] in it
time_zone = "UTC" # [not_a_table]
patterns = [
  "a",  # key = 1
  "]",
]
note = """
[[sources]]
threads = 1
"""
threads = 2
a.b."c.d" = 1

[[sources]]
name = "one"

  [[ "sources" ]]
name = 'two'
inner = { x = 1, y = [ { z = 2 } ] }
[[sources.parts]]
size = 1
[[sources.parts]]
size = 2
[sources.options]
fast = true

[plain.table]
key = 1
'''


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("time_zone",), 2),
        (("patterns",), 3),
        (("patterns", 1), 3),
        (("note",), 7),
        (("threads",), 11),
        (("a", "b", "c.d"), 12),
        (("sources",), 14),
        (("sources", 0), 14),
        (("sources", 0, "name"), 15),
        (("sources", 1), 17),
        (("sources", 1, "name"), 18),
        (("sources", 1, "inner", "y", 0, "z"), 19),
        (("sources", 1, "parts", 0, "size"), 21),
        (("sources", 1, "parts", 1), 22),
        (("sources", 1, "options", "fast"), 25),
        (("plain", "table", "key"), 28),
    ],
)
def test_a_key_is_found_on_the_line_on_which_it_begins(keys: Keys, line: int) -> None:
    assert find_line(TEXT, keys) == line


def test_a_missing_key_is_looked_for_in_its_table_and_an_unknown_table_nowhere() -> None:
    assert find_line(TEXT, ("sources", 1, "patterns")) == 17
    assert find_line(TEXT, ("nothing", "there")) is None
    assert find_line("", ("nothing",)) is None


names = st.sampled_from(["a", "b", "c"])
values = st.sampled_from(["1", '"[[a]]"', "[\n1,\n2]", '"""\na = 1\n[b]\n"""', "{ x = 1 }", "true # c = 1"])
lines = st.one_of(
    st.tuples(names, values).map(" = ".join),
    names.map("[[{}]]".format),
    names.map("[{}]".format),
    st.sampled_from(["", "# a = 1"]),
)


def paths(value: Any, above: Keys = ()) -> list[Keys]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [p for key, inner in items for p in ((*above, key), *paths(inner, (*above, key)))]


@given(st.lists(lines, max_size=12).map("\n".join))
def test_every_key_that_the_parser_finds_stands_on_a_line_of_its_own_name(text: str) -> None:
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    for keys in paths(parsed):
        number = find_line(text, keys)
        assert number is not None
        name = [key for key in keys if isinstance(key, str)][-1]
        assert name in text.split("\n")[number - 1]
