"""Read the head of an adapter: the comment lines before its SELECT that list the columns it knows."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterator

from pipelines.errors import UsageError

KEYS = ("requires", "optional", "ignores", "dates", "ids", "allow")
KEY_LINE = re.compile(r"--\s*([A-Za-z_]+)\s*:(.*)")
CLOSE = 0.8  # how alike a word before a colon is to a key that was meant


def read_head(text: str, where: str) -> dict[str, frozenset[str]]:
    """Return the names that each key lists. A key may stand several times, and a list that ends with a comma goes on.

    Names with commas or quotes stand in double quotes, as in a CSV. Raises UsageError for an unknown key.
    """
    listed: dict[str, list[str]] = {key: [] for key in KEYS}
    for key, names in _parse_lists(text, where):
        listed[key] += _split_names(names, key, where)
    return {key: frozenset(names) for key, names in listed.items()}


def _parse_lists(text: str, where: str) -> Iterator[tuple[str, str]]:
    """Yield each key with its list, lines that go on put together."""
    key, names, is_first = "", "", True
    for line in _read_leading_comments(text):
        match = KEY_LINE.fullmatch(line)
        is_first = is_first and line.strip("- ") != ""
        if key and names.endswith(",") and not (match and match[1] in KEYS):
            names = f"{names} {line.lstrip('-').strip()}"
            continue
        if key:
            yield key, names
        key = ""
        if match:
            _check_key(match[1], where, is_first)
            key, names = (match[1], match[2].strip()) if match[1] in KEYS else ("", "")
    if key:
        yield key, names


def _read_leading_comments(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("--"):
            return
        yield line.strip()


def _check_key(word: str, where: str, is_first: bool) -> None:
    """Raise UsageError for a word that is no key: any in the first paragraph, below only one that is nearly a key."""
    near = difflib.get_close_matches(word.lower(), KEYS, n=1, cutoff=CLOSE)
    if word not in KEYS and (near or is_first):
        meant = f"did you mean {near[0]}?" if near else f"known: {', '.join(KEYS)}"
        raise UsageError(f"{where}: '{word}' is no key of an adapter's head; {meant}")


def _split_names(names: str, key: str, where: str) -> list[str]:
    try:
        (cells,) = csv.reader([names], skipinitialspace=True, strict=True) if names else ([],)
    except (csv.Error, ValueError) as error:
        raise UsageError(f"{where}: the list of '{key}' has a quote that is open or stands inside a name") from error
    return [cell.strip() for cell in cells if cell.strip()]
