"""The tables of a pack file, their keys and types; and what pydantic finds in the words of this project."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, create_model
from pydantic_core import ErrorDetails, PydanticCustomError

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
    TriageRule,
)
from schemas.pack_checks import NAME_WORDS


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "is empty; it must be text")
    return text


def _name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise PydanticCustomError("name", "{what}", {"what": NAME_WORDS})
    return text


Text = Annotated[str, AfterValidator(_not_blank)]
Name = Annotated[Text, AfterValidator(_name)]


class Head(_Table):
    name: Name
    number: int
    complaint: Text
    article: Text
    reviewed: date
    notes: list[str]
    disclaimer: Text
    leading_cause: Literal[RANKINGS] = RANKINGS[1]  # type: ignore[valid-type]
    open_readings: list[str] = []


class YesNo(_Table):
    name: Text
    label: Text
    type: Literal["yes_no"]
    meaning: Text
    reference: Text


class _Number(YesNo):
    type: Literal["number"]  # type: ignore[assignment]
    unit: Text
    smallest: int
    largest: int


class _Choice(YesNo):
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


Actions = create_model("Actions", __base__=_Table, **dict.fromkeys(ACTIONS, (Text, ...)))  # type: ignore[call-overload]
FIELD_TYPES: dict[str, type[_Table]] = {"yes_no": YesNo, "number": _Number, "choice": _Choice}
LISTS: dict[str, tuple[type[_Table], type[Any]]] = {
    "fields": (YesNo, Field),
    "triage": (_Triage, TriageRule),
    "categories": (_Category, Category),
    "causes": (_Cause, Cause),
    "evidence": (_Evidence, Evidence),
    "guidance": (_Guidance, Guidance),
}

_TYPE_WORDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "date_type": "a date such as 2022-09-06",
    "date_from_datetime_inexact": "a date such as 2022-09-06",
    "bool_type": "true or false",
}


def name_fault(name: str, key: str, detail: ErrorDetails, model: type[BaseModel]) -> str:
    """Return what pydantic found in the words of this project."""
    kind, keys = detail["type"], ", ".join(model.model_fields)
    if kind == "extra_forbidden":
        return f"unknown key '{key}'; allowed: {keys}"
    if kind == "missing":
        return f"'{key}' is missing; needed: {keys}"
    if kind == "literal_error":
        allowed = FIELD_TYPES if (name, key) == ("fields", "type") else _list_literals(detail)
        return f"{key} '{detail['input']}' is not one of {', '.join(allowed)}"
    if kind == "blank":
        return f"'{key}' is empty; it must be text"
    if kind == "name":
        return f"{key} '{detail['input']}' {detail['msg']}"
    if kind == "list_type" or len(detail["loc"]) > 1:
        return f"'{key}' must be a list of texts"
    return f"'{key}' must be {_TYPE_WORDS.get(kind, 'of another type')}"


def _list_literals(detail: ErrorDetails) -> list[str]:
    return re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
