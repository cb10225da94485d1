"""Where the tables and keys of a TOML text stand: tomllib gives values without their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

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


def places(text: str) -> Iterator[tuple[tuple[str, int, str], int]]:
    """Yield (table, how many of that name came before, key or '') and its line, for every header and key."""
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
    """A text of several lines without its words, its line ends kept for counting."""
    lines = found.group().count("\n")
    return "\n" * lines if lines else found.group()
