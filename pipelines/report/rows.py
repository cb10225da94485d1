"""What a row of each summary table is. A field has the name and the meaning of its column (docs/data-dictionary.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class About:
    """The one row of `about`; instants are text in the reporting time zone."""

    rule_pack: str
    time_zone: str
    week_system: str
    latest_week: str | None
    version: str
    first_report: str
    last_report: str
    published_at: str


@dataclass(frozen=True)
class LevelCount:
    """A row of weekly_triage."""

    week_start: date
    triage_level: str
    reports: int
    previous_week: int | None
    could_be_emergency: int


@dataclass(frozen=True)
class CauseCount:
    """A row of weekly_causes."""

    week_start: date
    cause_category: str
    likely_cause: str
    reports: int
    previous_week: int | None


@dataclass(frozen=True)
class RegionCount:
    """A row of weekly_regions."""

    week_start: date
    region: str
    reports: int
    previous_week: int | None
    emergency: int
    contact_doctor: int
    unresolved: int
    self_care: int
    severe_pain: int

    @property
    def by_level(self) -> dict[str, int]:
        """The reports of each triage level, in the order of danger."""
        return {
            "emergency": self.emergency,
            "contact_doctor": self.contact_doctor,
            "unresolved": self.unresolved,
            "self_care": self.self_care,
        }


@dataclass(frozen=True)
class GroupCount:
    """A row of weekly_demographics."""

    age_band: str
    sex: str
    reports: int
    emergency: int


@dataclass(frozen=True)
class RuleCount:
    """A row of weekly_rules."""

    rule_id: str
    triage_level: str
    reports: int
    previous_week: int | None


@dataclass(frozen=True)
class OpenAnswer:
    """A row of weekly_missing_answers."""

    field: str
    reports: int
    previous_week: int | None
    unresolved: int
    settles: int


@dataclass(frozen=True)
class Measure:
    """A row of weekly_quality: a measure of a source, or of one field or check (`item`) of it."""

    source: str
    measure: str
    item: str | None
    value: float | None


@dataclass(frozen=True)
class WeekShare:
    """A share (0 to 1) of a week's reports over all sources, such as the late ones."""

    week_start: date
    measure: str
    share: float


@dataclass(frozen=True)
class Signal:
    """A row of weekly_signals: what one method says of one series in one week."""

    week_start: date
    series: str
    observed: int
    expected: float | None
    upper: float | None
    method: str
    status: str
    reason: str | None
    p_value: float | None
    rank: int | None

    @property
    def is_alarm(self) -> bool:
        """Whether the method alarms. One without a bound of counts (EARS C3) supports the others and does not."""
        return self.status == "alarm" and self.upper is not None

    @property
    def is_above(self) -> bool:
        """Whether the count is above the bound, alarm or not: among many series some are by chance."""
        return self.upper is not None and self.observed > self.upper

    @property
    def is_farrington(self) -> bool:
        """Whether the method is Farrington's, whatever the number of years that it looks back."""
        return self.method.lower().startswith("farrington")

    @property
    def preference(self) -> tuple[bool, bool, str]:
        """Sort key: Farrington before EARS, C2 before C1, whose baseline a growing outbreak can enter."""
        return (not self.is_farrington, "C2" not in self.method, "" if self.is_farrington else self.method)


@dataclass(frozen=True)
class Revision:
    """A row of weekly_revisions: a series of a published week whose count is another one now."""

    week: str
    week_start: date
    series: str
    as_reported: int
    as_known_now: int | None
    difference: int | None
    reason: str | None


@dataclass(frozen=True)
class SenderWeek:
    """A row of weekly_sources."""

    week_start: date
    source: str
    state: str
    reports: int
    usual: float | None
    joined: bool
