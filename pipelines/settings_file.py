"""A settings file -> the dataclass that says what can be set, or every fault of the file with its line.

It is handed the dataclasses, so that `settings` may import it, and imports it only if there is a file: pydantic is slow
to import.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast, get_type_hints

import pydantic_core
from pydantic import TypeAdapter, ValidationError

from pipelines.errors import UsageError
from schemas.ordinary_file import read_text_file
from schemas.toml_lines import Keys, find_line, load_toml

TYPE_WORDS = {
    "string_type": "a text in quotes",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": 'a list of texts, such as ["a", "b"]',
}

Model = TypeVar("Model")
Tables = Mapping[str, type]  # what can be set in each table of the file, "" being what stands above the first


class Fault(NamedTuple):
    """Something that is wrong, and the key that it is about."""

    keys: Keys
    text: str


def read_settings(path: Path, model: type[Model], tables: Mapping[str, type]) -> Model:
    """Read a settings file as a model, a dataclass whose keys `tables` are dataclasses too.

    Raises UsageError with all faults of the file, a line each.
    """
    text, written = read_toml(path)
    faults = list(_find_repeated_names(written))
    settings: Model | None = None
    try:
        # through JSON, in which a list may become a tuple, and a table a dataclass, while everything else is strict
        settings = _make_adapter(cast(type, model)).validate_json(pydantic_core.to_json(written))
    except ValidationError as error:
        faults += [_explain_fault(detail, {"": model, **tables}) for detail in error.errors()]
    if faults or settings is None:
        numbered = sorted((find_line(text, fault.keys) or 1, fault.text) for fault in faults)
        raise UsageError(*(f"{path}:{number}: {text}" for number, text in numbered))
    return settings


@functools.cache
def _make_adapter(model: type) -> TypeAdapter[Any]:
    """Make what checks a file; to make it takes far longer than to check."""
    return TypeAdapter(model)


@functools.cache
def read_key_meanings(table: type) -> dict[str, str]:
    """Return what each key of a table means, in the order of the class."""
    hints = get_type_hints(table, include_extras=True)
    return {field.name: hints[field.name].__metadata__[0] for field in fields(table)}


def read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    """Return the text of a TOML file, and what it says. Raises UsageError if it is no TOML."""
    try:
        text = read_text_file(path)
        return text, load_toml(text)
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, no TOML, or a number of 5,000 digits
        raise UsageError(f"{path}: cannot be read as TOML: {error}") from error


def _find_repeated_names(written: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield a fault for every source whose name another source before it has."""
    tables = written.get("sources")
    names = [table.get("name") for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []
    for place, name in enumerate(names):
        if name is not None and name in names[:place]:
            yield Fault(("sources", place, "name"), f"source '{name}' stands twice; give each sender its own name")


def _explain_fault(detail: Mapping[str, Any], tables: Tables) -> Fault:
    """Say in our words what pydantic found."""
    keys: Keys = tuple(detail["loc"])
    kind = detail["type"]
    if kind == "unexpected_keyword_argument":
        return Fault(keys, _explain_unknown_key(keys, tables))
    if kind == "missing":
        return Fault(keys, f'a [[{keys[0]}]] table has no {keys[-1]}; add {keys[-1]} = "..."')
    if kind == "dataclass_type" or keys == ("sources",):
        return Fault(
            keys,
            f"{keys[0]} must be written as {_format_table_header(str(keys[0]))} table{'s' * (keys[0] == 'sources')}",
        )
    name = ".".join(key for key in keys if isinstance(key, str))
    return Fault(keys, f"{name} must be {_describe_allowed(detail)}, not {_format_toml(detail['input'])}")


def _describe_allowed(detail: Mapping[str, Any]) -> str:
    if detail["type"] == "value_error":  # the words of an Allowed
        return str(detail["ctx"]["error"])
    is_item = isinstance(detail["loc"][-1], int)
    return TYPE_WORDS.get("tuple_type" if is_item else detail["type"], str(detail["msg"]))


def _explain_unknown_key(keys: Keys, tables: Tables) -> str:
    """Say which key was perhaps meant, or in which table it belongs."""
    key = str(keys[-1])
    table = str(keys[0]) if len(keys) > 1 else ""
    here = read_key_meanings(tables[table])
    what = f"a key of {_format_table_header(table)}" if table else "a setting"
    if table and key in read_key_meanings(tables[""]):
        return f"'{key}' is not {what} but a setting: write it above the first table"
    for other, known in tables.items():
        if other and not table and key in read_key_meanings(known):
            return f"'{key}' is not {what} but a key of {_format_table_header(other)}: write it below that line"
    near = difflib.get_close_matches(key, here, n=1)
    shown = [_format_table_header(each) if each in tables else each for each in near or here]
    meant = f"did you mean {shown[0]}?" if near else f"known: {', '.join(shown)}"
    return f"'{key}' is not {what}; {meant}"


def _format_table_header(table: str) -> str:
    """Return how a table is opened: several of one name, or one alone."""
    return f"[[{table}]]" if table == "sources" else f"[{table}]"


def _format_toml(value: object) -> str:
    return "true" if value is True else "false" if value is False else repr(value)
