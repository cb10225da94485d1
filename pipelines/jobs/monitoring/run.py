"""A run as it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pipelines import clock
from pipelines.jobs.outcome import describe_totals
from pipelines.store.ledger import Outcome


@dataclass
class RunRecord:
    """A run as it goes: its files, what it passed over because it is no CSV, and the reports that it wrote.

    `missed` are the slots of the schedule that nobody served before it. `is_ours` is false if an error of a library
    ended it, whose words may quote a record.
    """

    job: str
    started: datetime = field(default_factory=lambda: clock.now())
    outcomes: list[Outcome] = field(default_factory=list)
    passed_over: list[Path] = field(default_factory=list)
    reports: list[Path] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    is_ours: bool = True

    @property
    def rejected(self) -> list[Outcome]:
        """The files that were rejected."""
        return [outcome for outcome in self.outcomes if outcome.status == "rejected"]

    def summarise(self) -> str:
        """Say in one line what was done."""
        parts = [describe_totals(self.outcomes)] if self.job != "report" else []
        parts += [f"report {folder.name} written" for folder in self.reports]
        return "; ".join(parts) or "no report is due"
