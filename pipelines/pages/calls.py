"""Whom to phone: single records in words, as a page lists them. Private, like a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

DETAILED_ALARMS = 3  # that are shown with their days, regions, ages and records; the others stand in the table


@dataclass(frozen=True)
class Call:
    """One record to phone about.

    reported: the moment, in words; reason: why it is an emergency, or what it is now; ask: the questions that decide
    whether it is one; page: the file that explains it, empty if none does.
    """

    report_id: str
    source: str
    reported: str
    reason: str
    ask: Sequence[str]
    cause: str
    age_band: str
    region: str
    page: str = ""


@dataclass(frozen=True)
class CallList:
    """The records of one kind that are listed, and how many there are in all."""

    calls: Sequence[Call] = ()
    total: int = 0


@dataclass(frozen=True)
class WeekCalls:
    """A week's records to phone about, and the pages that stand beside the report.

    possible: records of a lower level that could still be an emergency, those that one question decides first;
    alarms: series -> the page that lists its records, and how many these are; pages: file name -> page.
    """

    emergencies: CallList = CallList()
    possible: CallList = CallList()
    alarms: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)
