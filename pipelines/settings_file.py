"""calfwatch.toml -> Settings, or every fault of the file with its line."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pydantic_core
from pydantic import TypeAdapter, ValidationError

from pipelines.errors import UsageError
from pipelines.settings import FILE_NAME, Public, Settings, Source, key_meanings, load_settings
from schemas.ordinary_file import read_text_file
from schemas.toml_lines import Keys, line_of

TYPE_WORDS = {
    "string_type": "a text in quotes",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": 'a list of texts, such as ["a", "b"]',
}
TABLES: dict[str, type] = {"": Settings, "sources": Source, "public": Public}  # what can stand in each table


class Fault(NamedTuple):
    """Something that is wrong, and the key that it is about."""

    keys: Keys
    text: str


def read_settings(path: Path) -> Settings:
    """Read a settings file. Raises UsageError with all of its faults, a line each."""
    text, written = _read_toml(path)
    faults = list(_repeated_names(written))
    settings = None
    try:
        # through JSON, in which a list may become a tuple, and a table a dataclass, while everything else is strict
        settings = TypeAdapter(Settings).validate_json(pydantic_core.to_json(written))
    except ValidationError as error:
        faults += [_fault_of(detail) for detail in error.errors()]
    if faults or settings is None:
        numbered = sorted((line_of(text, fault.keys) or 1, fault.text) for fault in faults)
        raise UsageError(*(f"{path}:{number}: {text}" for number, text in numbered))
    return settings


def describe_settings(home: Path) -> list[tuple[str, str, str, str]]:
    """Return name, value, origin and meaning of every setting, then of every source."""
    settings = load_settings(home)
    written = _read_toml(home / FILE_NAME)[1] if (home / FILE_NAME).exists() else {}
    rows = [
        (key, _plain(getattr(settings, key)), FILE_NAME if key in written else "default", meaning)
        for key, meaning in key_meanings(Settings).items()
        if key not in TABLES
    ]
    shown = written.get("public", {})
    rows += [
        (f"public {key}", _plain(getattr(settings.public, key)), FILE_NAME if key in shown else "default", meaning)
        for key, meaning in key_meanings(Public).items()
    ]
    for source in settings.sources:
        values = ", ".join(f"{key}={_plain(getattr(source, key))}" for key in key_meanings(Source) if key != "name")
        rows.append((f"source {source.name}", values, FILE_NAME, "one sender of files"))
    return rows


def write_first_settings(home: Path) -> Path:
    """Write a settings file in which every setting stands as a comment, and a source; make the home if need be.

    Raises UsageError if there is one: nothing is overwritten.
    """
    path = home / FILE_NAME
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write("\n".join(_first_lines()) + "\n")
    except FileExistsError as error:
        raise UsageError(f"{path}: is there already; it is not overwritten. Edit it, or move it away") from error
    return path


def _first_lines() -> Iterator[str]:
    yield "# calfwatch settings. Every line with a # says a default; `calfwatch config` shows what holds."
    defaults = Settings()
    for key, meaning in key_meanings(Settings).items():
        if key not in TABLES:
            yield from ("", f"# {meaning}", "# " + _toml_line(key, getattr(defaults, key)))
    yield from ("", "# What may be published.", "[public]")
    for key, meaning in key_meanings(Public).items():
        yield from ("", f"# {meaning}", "# " + _toml_line(key, getattr(defaults.public, key)))
    yield from ("", "# One table for each sender of files; the source's name goes into every record.", "[[sources]]")
    yield 'name = "clinic-1"'
    source = Source("clinic-1", patterns=("clinic-1_*.csv",))
    for key, meaning in key_meanings(Source).items():
        if key != "name":
            mark = "" if key == "patterns" else "# "
            yield from ("", f"# {meaning}", mark + _toml_line(key, getattr(source, key)))


def _toml_line(key: str, value: object) -> str:
    """Return a key and its value as TOML has it, which for texts, numbers, truth and lists is as JSON has it."""
    if value is None:
        return f"{key}: not set"
    return f"{key} = " + json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = read_text_file(path)
        return text, tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, no TOML, or a number of 5,000 digits
        raise UsageError(f"{path}: cannot be read as TOML: {error}") from error


def _repeated_names(written: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield a fault for every source whose name another source before it has."""
    tables = written.get("sources")
    names = [table.get("name") for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []
    for place, name in enumerate(names):
        if name is not None and name in names[:place]:
            yield Fault(("sources", place, "name"), f"source '{name}' stands twice; give each sender its own name")


def _fault_of(detail: Mapping[str, Any]) -> Fault:
    """Say in our words what pydantic found."""
    keys: Keys = tuple(detail["loc"])
    kind = detail["type"]
    if kind == "unexpected_keyword_argument":
        return Fault(keys, _unknown_key(keys))
    if kind == "missing":
        return Fault(keys, f'a [[{keys[0]}]] table has no {keys[-1]}; add {keys[-1]} = "..."')
    if kind == "dataclass_type" or keys == ("sources",):
        return Fault(keys, f"{keys[0]} must be written as {_header(str(keys[0]))} table{'s' * (keys[0] == 'sources')}")
    name = ".".join(key for key in keys if isinstance(key, str))
    return Fault(keys, f"{name} must be {_allowed(detail)}, not {_shown(detail['input'])}")


def _allowed(detail: Mapping[str, Any]) -> str:
    if detail["type"] == "value_error":  # the words of an Allowed
        return str(detail["ctx"]["error"])
    is_item = isinstance(detail["loc"][-1], int)
    return TYPE_WORDS.get("tuple_type" if is_item else detail["type"], str(detail["msg"]))


def _unknown_key(keys: Keys) -> str:
    """Say which key was perhaps meant, or in which table it belongs."""
    key = str(keys[-1])
    table = str(keys[0]) if len(keys) > 1 else ""
    here = key_meanings(TABLES[table])
    what = f"a key of {_header(table)}" if table else "a setting"
    if table and key in key_meanings(Settings):
        return f"'{key}' is not {what} but a setting: write it above the first table"
    for other, known in TABLES.items():
        if other and not table and key in key_meanings(known):
            return f"'{key}' is not {what} but a key of {_header(other)}: write it below that line"
    near = difflib.get_close_matches(key, here, n=1)
    meant = f"did you mean {_in_file(near[0])}?" if near else f"known: {', '.join(map(_in_file, here))}"
    return f"'{key}' is not {what}; {meant}"


def _in_file(key: str) -> str:
    return _header(key) if key in TABLES else key


def _header(table: str) -> str:
    """Return how a table is opened: several of one name, or one alone."""
    return f"[[{table}]]" if table == "sources" else f"[{table}]"


def _shown(value: object) -> str:
    return "true" if value is True else "false" if value is False else repr(value)


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, Iterable) and not isinstance(value, str) else str(value)
