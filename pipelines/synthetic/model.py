"""What the synthetic reports are drawn from: data/synthetic/calf_pain.toml as values. All of it is invented."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files as package_files
from typing import Any, Literal

Files = Literal["weekly", "daily", "single"]

# the choices of a report with a draw of their own; every symptom adds one for its answer, one for its blank
STREAMS = (
    "outbreak", "season", "cause", "region", "severity", "form", "time", "age", "sex", "pain", "duration",
    "no_region", "no_age", "no_sex", "no_pain", "no_duration",
)  # fmt: skip


@dataclass(frozen=True)
class Cause:
    """One true cause. Percentages, except the medians: pain in points of 10, duration in days."""

    name: str
    winter: float
    summer: float
    severities: tuple[float, float, float]
    female: float
    ages: tuple[float, float, float, float, float, float]
    pain: float
    duration: float


@dataclass(frozen=True)
class Region:
    """One region: its share of the reports, how slow its post is, and which forms it fills in."""

    name: str
    size: float
    slowness: float
    forms: tuple[float, float, float]


@dataclass(frozen=True)
class Model:
    """The tables of the file, by its names; percentages by form, severity or cause in the order of those."""

    severities: tuple[str, ...]
    pain_shift: tuple[float, ...]
    duration_factor: tuple[float, ...]
    severity_odds: tuple[float, ...]
    history: tuple[str, ...]
    other_sex: float
    unknown_sex: float
    forms: tuple[str, ...]
    no_person: tuple[float, ...]
    no_number: tuple[float, ...]
    no_answer: float
    no_region: float
    short_form_omits: tuple[str, ...]
    weekdays: tuple[float, ...]
    hours: tuple[int, ...]
    peak_day: int
    stretch: tuple[int, ...]
    delays: dict[str, dict[str, float]]
    causes: tuple[Cause, ...]
    symptoms: dict[str, list[float]]
    regions: tuple[Region, ...]


def load_model() -> Model:
    """Read the tables. Raises TypeError if one is missing or not known."""
    table = _read_toml("data.synthetic")
    table["causes"] = [_make_values(Cause, row) for row in table["causes"]]
    table["regions"] = [_make_values(Region, row) for row in table["regions"]]
    model: Model = _make_values(Model, table)
    return model


def _read_toml(package: str) -> dict[str, Any]:
    return tomllib.loads((package_files(package) / "calf_pain.toml").read_text(encoding="utf-8"))


def _make_values(kind: Any, row: dict[str, Any]) -> Any:
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in row.items()})


MODEL = load_model()
CAUSES, REGIONS = MODEL.causes, MODEL.regions


def list_symptom_fields() -> tuple[str, ...]:
    """Return the yes/no fields of the calf pain pack, in its order. Raises ValueError if the model lacks one."""
    names = tuple(field["name"] for field in _read_toml("data.rules")["fields"])
    if missing := set(names) - set(MODEL.symptoms):
        raise ValueError(f"the generator has no probabilities for {', '.join(sorted(missing))}")
    return names
