"""TOML -> Pack, with every problem of the file at once, each with its line.

pydantic judges keys, types and values; names, sizes, conditions and what refers to what are judged here.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from datetime import date
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, create_model
from pydantic_core import ErrorDetails, PydanticCustomError

from schemas import pack_checks
from schemas.pack import (
    ACTIONS,
    BASES,
    GUIDANCE_KINDS,
    NAME,
    RANKINGS,
    RULE_LEVELS,
    Category,
    Cause,
    Evidence,
    Field,
    Guidance,
    Pack,
    TriageRule,
)
from schemas.pack_lines import places

Row = tuple[int, Any]  # place of a table in the file among those of its name, and its value


class InvalidPack(ValueError):  # noqa: N818 - the name that the design gives it
    """A rule pack that cannot be used; the message lists every problem, a line each."""


def default_pack_path() -> Path:
    """Return the path of the shipped pack."""
    return Path(str(files("data.rules") / "calf_pain.toml"))


def earlier_pack(version: str) -> Pack | None:
    """Return a pack that was shipped before, by its version of that time, or None."""
    places = (place for place in files("data.rules.earlier").iterdir() if place.name == f"{version}.toml")
    return next((load_pack(Path(str(place))) for place in places), None)


def load_pack(path: Path | None = None) -> Pack:
    """Read and check a pack. Raises InvalidPack."""
    path = path or default_pack_path()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidPack(f"rule pack {path}: cannot be read: {error}") from error
    return parse_pack(text, str(path))


@lru_cache(maxsize=16)
def parse_pack(text: str, origin: str = "rule pack") -> Pack:
    """Read and check a pack from TOML text; `origin` names it in messages. Raises InvalidPack."""
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: no TOML, or a number of 5,000 digits
        raise InvalidPack(f"{origin}:{_error_line(text, str(error))}: is not TOML: {error}") from error
    problems = Problems(text)
    pack = _read(raw, text, problems)
    if problems.found or pack is None:
        raise InvalidPack("\n".join(f"{origin}{problem}" for problem in problems.found))
    return pack


def _error_line(text: str, error: str) -> int:
    """The line that the TOML parser names; without one the text ends too soon."""
    named = re.search(r"at line (\d+)", error)
    return int(named[1]) if named else len(text.splitlines()) or 1


class Problems:
    """Collects what is wrong, each with the line of the TOML it is on."""

    def __init__(self, text: str) -> None:
        self.lines = dict(places(text))
        self.found: list[str] = []

    def add(self, what: str, table: str = "", place: int = 0, key: str = "") -> None:
        """Add a problem of the n-th (`place`, from 0) table of a name, on the line of its key, else of its header."""
        at = ((table, place, key), (table, place, ""), ("", 0, table))  # the last: tables written as one value
        number = next((self.lines[where] for where in at if where in self.lines), 1)
        self.found.append(f":{number}: {what}")


# ------------------------------------------------------------------------- keys, types and values


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "is empty; it must be text")
    return text


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise PydanticCustomError("name", "{what}", {"what": pack_checks.NAME_WORDS})
    return text


Text = Annotated[str, AfterValidator(_not_blank)]
Name = Annotated[Text, AfterValidator(_name)]


class _Head(_Table):
    name: Name
    number: int
    complaint: Text
    article: Text
    reviewed: date
    notes: list[str]
    disclaimer: Text
    leading_cause: Literal[RANKINGS] = RANKINGS[1]  # type: ignore[valid-type]
    open_readings: list[str] = []


class _YesNo(_Table):
    name: Text
    label: Text
    type: Literal["yes_no"]
    meaning: Text
    reference: Text


class _Number(_YesNo):
    type: Literal["number"]  # type: ignore[assignment]
    unit: Text
    smallest: int
    largest: int


class _Choice(_YesNo):
    type: Literal["choice"]  # type: ignore[assignment]
    values: list[str]


class _Triage(_Table):
    id: Text
    level: Literal[RULE_LEVELS]  # type: ignore[valid-type]
    when: Text
    reference: Text
    basis: Literal[BASES]  # type: ignore[valid-type]
    sentence: Text


class _Category(_Table):
    name: Text
    label: Text


class _Cause(_Table):
    name: Text
    category: Text
    label: Text
    serious: bool | None = None


class _Evidence(_Table):
    id: Text
    cause: Text
    when: Text
    points: int
    reference: Text
    basis: Literal[BASES]  # type: ignore[valid-type]
    sentence: Text


class _Guidance(_Table):
    cause: Text
    kind: Literal[GUIDANCE_KINDS]  # type: ignore[valid-type]
    text: Text
    reference: Text
    only_self_care: bool = False


_Actions = create_model("_Actions", __base__=_Table, **dict.fromkeys(ACTIONS, (Text, ...)))  # type: ignore[call-overload]
_FIELD_TYPES: dict[str, type[_Table]] = {"yes_no": _YesNo, "number": _Number, "choice": _Choice}
_LISTS: dict[str, tuple[type[_Table], type[Any]]] = {
    "fields": (_YesNo, Field),
    "triage": (_Triage, TriageRule),
    "categories": (_Category, Category),
    "causes": (_Cause, Cause),
    "evidence": (_Evidence, Evidence),
    "guidance": (_Guidance, Guidance),
}
_OPTIONAL = ("actions", "synonyms")


def _read(raw: dict[str, Any], text: str, problems: Problems) -> Pack | None:
    for key in sorted(set(raw) - {*_LISTS, *_OPTIONAL, "pack"}):
        allowed = ", ".join(("pack", *_LISTS, *_OPTIONAL))
        problems.add(f"unknown table or key '{key}'; allowed: {allowed}", key)
    head = _head(raw.get("pack"), problems)
    rows = {name: _rows(name, raw.get(name, []), problems) for name in _LISTS}
    more = _more(raw, problems)
    if head is None or any(found is None for found in rows.values()):
        return None
    values: dict[str, Any] = {name: tuple(row for _, row in found or ()) for name, found in rows.items()}
    digest = hashlib.sha256(json.dumps(raw, sort_keys=True, default=str).encode()).hexdigest()
    pack = Pack(**(head | values | more), digest=digest, text=text)
    if not problems.found:  # else the places of rows in the pack are not those in the file
        pack_checks.check(pack, problems.add)
    return pack


def _head(head: object, problems: Problems) -> dict[str, Any] | None:
    if not isinstance(head, dict):
        problems.add(f"there is no table [pack]; it holds {', '.join(_Head.model_fields)}", "pack")
        return None
    found = _judge("pack", 0, head, _Head, problems)
    if found is None:
        return None
    if found["number"] < 1:
        problems.add("[pack]: number must be 1 or more", "pack", 0, "number")
    lists = {name: tuple(found[name]) for name in ("notes", "open_readings")}
    return found | lists | {"reviewed": str(found["reviewed"])}


def _more(raw: dict[str, Any], problems: Problems) -> dict[str, Any]:
    """The tables that a pack may leave out."""
    found: dict[str, Any] = {}
    if "actions" in raw:
        found["actions"] = _judge("actions", 0, raw["actions"], _Actions, problems) or ACTIONS
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


def _rows(name: str, tables: object, problems: Problems) -> list[Row] | None:
    if not (isinstance(tables, list) and all(isinstance(table, dict) for table in tables)):
        problems.add(f"'{name}' must be written as [[{name}]] tables", name)
        return None
    if not tables:
        problems.add(f"there is no [[{name}]] in the pack; at least one is needed")
        return None
    model, value = _LISTS[name]
    found = []
    for place, table in enumerate(tables):
        if name == "fields":
            model = _FIELD_TYPES.get(str(table.get("type")), _YesNo)
        judged = _judge(name, place, table, model, problems)
        if judged is not None:
            kept = {key: tuple(v) if isinstance(v, list) else v for key, v in judged.items()}
            found.append((place, value(**kept)))
    return found


def _judge(name: str, place: int, table: object, model: type[BaseModel], problems: Problems) -> dict[str, Any] | None:
    """The table's values as its model has them, or None with every problem added."""
    try:
        return model.model_validate(table).model_dump()
    except ValidationError as error:
        title = f"[[{name}]] {_label(table)}".strip() if name in _LISTS else f"[{name}]"
        for detail in error.errors():
            key = str(detail["loc"][0]) if detail["loc"] else ""
            problems.add(f"{title}: {_words(name, key, detail, model)}", name, place, key)
        return None


def _label(table: object) -> str:
    row = table if isinstance(table, dict) else vars(table)
    return str(row.get("id") or row.get("name") or row.get("text") or "")[:60]


_TYPE_WORDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "date_type": "a date such as 2022-09-06",
    "date_from_datetime_inexact": "a date such as 2022-09-06",
    "bool_type": "true or false",
}


def _words(name: str, key: str, detail: ErrorDetails, model: type[BaseModel]) -> str:
    """pydantic's finding in the words of this project."""
    kind, keys = detail["type"], ", ".join(model.model_fields)
    if kind == "extra_forbidden":
        return f"unknown key '{key}'; allowed: {keys}"
    if kind == "missing":
        return f"'{key}' is missing; needed: {keys}"
    if kind == "literal_error":
        allowed = _FIELD_TYPES if (name, key) == ("fields", "type") else _literals(detail)
        return f"{key} '{detail['input']}' is not one of {', '.join(allowed)}"
    if kind == "blank":
        return f"'{key}' is empty; it must be text"
    if kind == "name":
        return f"{key} '{detail['input']}' {detail['msg']}"
    if kind == "list_type" or len(detail["loc"]) > 1:
        return f"'{key}' must be a list of texts"
    return f"'{key}' must be {_TYPE_WORDS.get(kind, 'of another type')}"


def _literals(detail: ErrorDetails) -> list[str]:
    return re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
