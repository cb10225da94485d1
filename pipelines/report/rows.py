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
    could_be_emergency: int


@dataclass(frozen=True)
class CauseCount:
    """A row of weekly_causes."""

    week_start: date
    cause_category: str
    likely_cause: str
    reports: int


@dataclass(frozen=True)
class RegionCount:
    """A row of weekly_regions."""

    week_start: date
    region: str
    reports: int
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
class IndicatorCount:
    """A row of weekly_indicators."""

    week_start: date
    indicator: str
    reports: int
    level: str | None
    trend: str | None


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


@dataclass(frozen=True)
class OpenAnswer:
    """A row of weekly_missing_answers."""

    field: str
    reports: int
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
    lower: float | None
    upper: float | None
    method: str
    is_primary: bool
    status: str
    reason: str | None
    rank: int | None
    level: str | None
    trend: str | None
    left_out: str | None

    @property
    def is_alarm(self) -> bool:
        """Whether the method alarms; without a range there is nothing to show for it."""
        return self.status == "alarm" and self.upper is not None


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
    week: str
    state: str
    reports: int
    usual: float | None
    joined: bool


@dataclass(frozen=True)
class CauseLevel:
    """The week's reports of one likely cause and level. close: those whose cause cannot be told apart from another."""

    likely_cause: str
    triage_level: str
    reports: int
    close: int
    serious: int


@dataclass(frozen=True)
class Nowcast:
    """A row of weekly_nowcast at the week's age now."""

    week_start: date
    series: str
    reported_so_far: int
    expected_final: float | None
    lower: float | None
    upper: float | None
    previous_so_far: int | None
    change: str | None
    reason: str | None
    left_out: str | None


@dataclass(frozen=True)
class Episode:
    """A row of alarm_episodes."""

    series: str
    first_week: str
    first_start: date
    last_start: date
    weeks: int
    state: str
    note: str | None


@dataclass(frozen=True)
class DailyAlarm:
    """A row of daily_signals that begins an alarm before its week is over."""

    report_date: date
    series: str
    observed: int
    expected: float


@dataclass(frozen=True)
class SeriesDay:
    """One day's reports of a series, by region and age band."""

    report_date: date
    region: str
    age_band: str
    reports: int


@dataclass(frozen=True)
class Rate:
    """A row of weekly_rates: reports per 100,000 of a region's population, or of all its contacts."""

    region: str
    denominator_kind: str
    reports_rate: float
    emergency_rate: float


@dataclass(frozen=True)
class Assessment:
    """A row of assessments: what the clinical lead wrote on a week."""

    written_at: str
    name: str
    contact: str
    text: str


@dataclass(frozen=True)
class Signature:
    """A row of signatures of the rule pack in use."""

    name: str
    role: str
    signed_on: date
