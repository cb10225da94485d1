"""The rule pack's model: fields, triage rules, causes, evidence and guidance as one value.

A pack is data. schemas/pack_file.py reads it from TOML, schemas/conditions.py knows what a condition may say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from schemas.fields import NUMERIC_FIELDS

# lowest first: the number of a level is its place here, so that levels compare as numbers
LEVELS = ("self_care", "unresolved", "contact_doctor", "emergency")
RULE_LEVELS = ("contact_doctor", "emergency")
BASES = ("stated", "inferred")
GUIDANCE_KINDS = ("self_care", "treatment", "complication", "prevention", "question")
# guidance that a record with an emergency or doctor criterion may show; the other kinds are for self-care alone
KINDS_BESIDE_A_CRITERION = ("treatment", "complication")
CERTAINTIES = ("none", "weak", "only", "leading", "close")  # the number of a certainty is its place here
URGENCY, CATEGORY_POINTS = "urgency", "category_points"  # what decides first which cause leads
RANKINGS = (URGENCY, CATEGORY_POINTS)
UNDETERMINED = "undetermined"
ANY_CAUSE = "any"  # guidance that is not for one cause alone
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
DIGEST_SIGNS = 32  # of the version: 128 bits, so that nobody can make two packs with one version

# What a level asks of the patient, in a pack that does not say it in words of its own.
ACTIONS = {
    "emergency": "Call the emergency number, or go to the nearest emergency room.",
    "contact_doctor": "Contact your doctor.",
    "unresolved": "Ask the open questions. Until they are answered, act as for the level that is still possible:",
    "self_care": "No criterion of the article is met. Contact a doctor if that changes.",
}


@dataclass(frozen=True)
class Field:
    """A question of the complaint; its answer may always be unknown.

    type: yes_no; number, a whole one from `smallest` to `largest`, in `unit`; or choice, one of `values`.
    """

    name: str
    label: str
    type: str
    meaning: str
    reference: str
    unit: str = ""
    smallest: int = 0
    largest: int = 0
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class TriageRule:
    """A condition that, when TRUE, calls for at least `level`."""

    id: str
    level: str
    when: str
    reference: str
    basis: str
    sentence: str


@dataclass(frozen=True)
class Category:
    """A group of causes. Where `leading_cause` is category_points, the order in the pack decides ties."""

    name: str
    label: str


@dataclass(frozen=True)
class Cause:
    """A likely cause. The order in the pack is that of danger, the most dangerous first, and decides ties.

    serious: its signs are no case for home care. None in a pack that says it of no cause.
    """

    name: str
    category: str
    label: str
    serious: bool | None = None


@dataclass(frozen=True)
class Evidence:
    """A condition that, when TRUE, gives `points` to a cause."""

    id: str
    cause: str
    when: str
    points: int
    reference: str
    basis: str
    sentence: str


@dataclass(frozen=True)
class Guidance:
    """What the article advises, for one cause, for those of a category, or for any.

    only_self_care: a treatment that must not stand beside an emergency or doctor criterion.
    """

    cause: str
    kind: str
    text: str
    reference: str
    only_self_care: bool = False


@dataclass(frozen=True)
class Pack:
    """A checked rule pack."""

    name: str
    number: int
    complaint: str
    article: str
    reviewed: str
    notes: tuple[str, ...]
    disclaimer: str
    fields: tuple[Field, ...]
    triage: tuple[TriageRule, ...]
    categories: tuple[Category, ...]
    causes: tuple[Cause, ...]
    evidence: tuple[Evidence, ...]
    guidance: tuple[Guidance, ...]
    digest: str
    text: str  # the TOML it was read from
    leading_cause: str = CATEGORY_POINTS  # which rule decides the leading cause; packs before number 2 do not say
    open_readings: tuple[str, ...] = ()
    actions: Mapping[str, str] = field(default_factory=lambda: ACTIONS, hash=False)  # level -> what it asks
    synonyms: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)  # field -> words of senders

    @property
    def version(self) -> str:
        """Name, number and content hash: two packs with one version tag every record the same."""
        return f"{self.name}-{self.number}-{self.digest[:DIGEST_SIGNS]}"

    @property
    def short_version(self) -> str:
        """The version as states before schema version 4 wrote it."""
        return f"{self.name}-{self.number}-{self.digest[:8]}"

    @cached_property
    def field_names(self) -> tuple[str, ...]:
        """The yes/no fields; a field's place is its bit in the stored masks."""
        return tuple(field.name for field in self.fields if field.type == "yes_no")

    @cached_property
    def own_numbers(self) -> dict[str, tuple[int, int]]:
        """The number fields that the pack declares, with their limits."""
        return {field.name: (field.smallest, field.largest) for field in self.fields if field.type == "number"}

    @cached_property
    def numbers(self) -> dict[str, tuple[int, int]]:
        """Every number that a rule may read, with its limits: those of every report, then the pack's own."""
        return NUMERIC_FIELDS | self.own_numbers

    @cached_property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """The choice fields, each with its values."""
        return {field.name: field.values for field in self.fields if field.type == "choice"}

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The fields that are stored in a column of their own, and not as bits."""
        return (*self.own_numbers, *self.choices)

    @cached_property
    def askable(self) -> tuple[str, ...]:
        """Every field whose answer can be missing: yes/no fields, numbers, choices."""
        return (*self.field_names, *self.numbers, *self.choices)

    def sql_type(self, field: str) -> str:
        """Return a field's type in the view `reports`."""
        return "BOOLEAN" if field in self.field_names else "VARCHAR" if field in self.choices else "USMALLINT"

    def list_causes(self, category: str) -> tuple[Cause, ...]:
        """Return the causes of one category, in the order that decides ties."""
        return tuple(cause for cause in self.causes if cause.category == category)

    @cached_property
    def serious_causes(self) -> frozenset[str]:
        """The causes whose points rule home care out: every cause, in a pack that marks none."""
        marked = frozenset(cause.name for cause in self.causes if cause.serious)
        return marked or frozenset(cause.name for cause in self.causes)

    @cached_property
    def serious_evidence(self) -> int:
        """A mask of the evidence rows that point to a serious cause."""
        return sum(1 << place for place, row in enumerate(self.evidence) if row.cause in self.serious_causes)

    def choose_action(self, level: str, ceiling: str) -> str:
        """Return what a record's level asks of the patient; an unresolved one is treated as its ceiling."""
        text = self.actions[level]
        return f"{text} {self.actions[ceiling]}" if level == "unresolved" else text
