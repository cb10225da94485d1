"""TOML -> Pack, with every problem of the file at once, each with its line.

pydantic judges keys, types and values; names, sizes, conditions and what refers to what are judged here.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from schemas import pack_checks
from schemas.ordinary_file import read_text_file
from schemas.pack import ACTIONS, Pack
from schemas.pack_tables import FIELD_TYPES, LISTS, Actions, Head, YesNo, name_fault
from schemas.toml_lines import find_line, load_toml

Row = tuple[int, Any]  # place of a table in the file among those of its name, and its value


class InvalidPack(ValueError):  # noqa: N818 - the name that the design gives it
    """A rule pack that cannot be used; each argument is a problem, and a line of the message."""

    def __str__(self) -> str:
        return "\n".join(map(str, self.args))


def find_default_pack_path() -> Path:
    """Return the path of the shipped pack."""
    return Path(str(files("data.rules") / "calf_pain.toml"))


def find_earlier_pack(version: str) -> Pack | None:
    """Return a pack that was shipped before, by its version of that time, or None."""
    places = (place for place in files("data.rules.earlier").iterdir() if place.name == f"{version}.toml")
    return next((load_pack(Path(str(place))) for place in places), None)


def load_pack(path: Path | None = None) -> Pack:
    """Read and check a pack. Raises InvalidPack."""
    path = path or find_default_pack_path()
    try:
        text = read_text_file(path)
    except FileNotFoundError as error:
        advice = f"there is no such file; name one, or start from a copy of {find_default_pack_path()}"
        raise InvalidPack(f"rule pack {path}: cannot be read: {advice}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidPack(f"rule pack {path}: cannot be read: {error}") from error
    return parse_pack(text, str(path))


@lru_cache(maxsize=16)
def parse_pack(text: str, origin: str = "rule pack") -> Pack:
    """Read and check a pack from TOML text; `origin` names it in messages. Raises InvalidPack."""
    try:
        raw = load_toml(text)
    except ValueError as error:  # ValueError: no TOML, or a number of 5,000 digits
        raise InvalidPack(f"{origin}:{_find_error_line(text, str(error))}: is not TOML: {error}") from error
    problems = Problems(text)
    pack = _read(raw, text, problems)
    if problems.found or pack is None:
        raise InvalidPack(*(f"{origin}{problem}" for problem in problems.found))
    return pack


def _find_error_line(text: str, error: str) -> int:
    """Return the line that the TOML parser names; without one the text ends too soon."""
    named = re.search(r"at line (\d+)", error)
    return int(named[1]) if named else len(text.splitlines()) or 1


class Problems:
    """Collects what is wrong, each with the line of the TOML it is on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[str] = []

    def add(self, what: str, table: str = "", place: int = 0, key: str = "") -> None:
        """Add a problem of the n-th (`place`, from 0) table of a name, on the line of its key, else of its header."""
        keys = (table, place, key) if table in LISTS else (table, key)
        number = find_line(self.text, tuple(part for part in keys if part != "")) or 1
        self.found.append(f":{number}: {what}")


_OPTIONAL = ("actions", "synonyms")


def _read(raw: dict[str, Any], text: str, problems: Problems) -> Pack | None:
    for key in sorted(set(raw) - {*LISTS, *_OPTIONAL, "pack"}):
        allowed = ", ".join(("pack", *LISTS, *_OPTIONAL))
        problems.add(f"unknown table or key '{key}'; allowed: {allowed}", key)
    head = _read_head(raw.get("pack"), problems)
    rows = {name: _read_rows(name, raw.get(name, []), problems) for name in LISTS}
    more = _read_more(raw, problems)
    if head is None or any(found is None for found in rows.values()):
        return None
    values: dict[str, Any] = {name: tuple(row for _, row in found or ()) for name, found in rows.items()}
    digest = hashlib.sha256(json.dumps(raw, sort_keys=True, default=str).encode()).hexdigest()
    pack = Pack(**(head | values | more), digest=digest, text=text)
    if not problems.found:  # else the places of rows in the pack are not those in the file
        pack_checks.check(pack, problems.add)
    return pack


def _read_head(head: object, problems: Problems) -> dict[str, Any] | None:
    if not isinstance(head, dict):
        problems.add(f"there is no table [pack]; it holds {', '.join(Head.model_fields)}", "pack")
        return None
    found = _judge("pack", 0, head, Head, problems)
    if found is None:
        return None
    if found["number"] < 1:
        problems.add("[pack]: number must be 1 or more", "pack", 0, "number")
    lists = {name: tuple(found[name]) for name in ("notes", "open_readings")}
    return found | lists | {"reviewed": str(found["reviewed"])}


def _read_more(raw: dict[str, Any], problems: Problems) -> dict[str, Any]:
    """Return the tables that a pack may leave out."""
    found: dict[str, Any] = {}
    if "actions" in raw:
        found["actions"] = _judge("actions", 0, raw["actions"], Actions, problems) or ACTIONS
    words = raw.get("synonyms", {})
    if not isinstance(words, dict) or not all(isinstance(said, list) for said in words.values()):
        problems.add("[synonyms]: must be lines of field = a list of texts", "synonyms")
        return found
    for name, said in words.items():
        if not all(isinstance(word, str) and word.strip() for word in said):
            problems.add(f"[synonyms]: '{name}' must be a list of texts", "synonyms", 0, name)
            return found
    return found | {
        "synonyms": {name: tuple(" ".join(w.lower().split()) for w in said) for name, said in words.items()}
    }


def _read_rows(name: str, tables: object, problems: Problems) -> list[Row] | None:
    if not (isinstance(tables, list) and all(isinstance(table, dict) for table in tables)):
        problems.add(f"'{name}' must be written as [[{name}]] tables", name)
        return None
    if not tables:
        problems.add(f"there is no [[{name}]] in the pack; at least one is needed")
        return None
    model, value = LISTS[name]
    found = []
    for place, table in enumerate(tables):
        if name == "fields":
            model = FIELD_TYPES.get(str(table.get("type")), YesNo)
        judged = _judge(name, place, table, model, problems)
        if judged is not None:
            kept = {key: tuple(v) if isinstance(v, list) else v for key, v in judged.items()}
            found.append((place, value(**kept)))
    return found


def _judge(name: str, place: int, table: object, model: type[BaseModel], problems: Problems) -> dict[str, Any] | None:
    """Return the table's values as its model has them, or None with every problem added."""
    try:
        return model.model_validate(table).model_dump()
    except ValidationError as error:
        title = f"[[{name}]] {_name_row(table)}".strip() if name in LISTS else f"[{name}]"
        for detail in error.errors():
            key = str(detail["loc"][0]) if detail["loc"] else ""
            problems.add(f"{title}: {name_fault(name, key, detail, model)}", name, place, key)
        return None


def _name_row(table: object) -> str:
    row = table if isinstance(table, dict) else vars(table)
    return str(row.get("id") or row.get("name") or row.get("text") or "")[:60]
