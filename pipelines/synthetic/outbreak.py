"""An outbreak among the synthetic reports, and the words in which a command names one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.errors import UsageError
from pipelines.synthetic.model import CAUSES, REGIONS

MAX_WEEKS = 1040


@dataclass(frozen=True)
class Outbreak:
    """More reports of one cause in one region: `factor` times the usual for `weeks` weeks from `week_start`.

    `week_start` is a Monday. Raises UsageError on an unknown cause or region and on numbers without sense.
    """

    cause: str
    region: str
    week_start: date
    weeks: int
    factor: float

    def __post_init__(self) -> None:
        _require_known("cause", self.cause, [cause.name for cause in CAUSES])
        _require_known("region", self.region, [region.name for region in REGIONS])
        if self.week_start.isoweekday() != 1:
            raise UsageError(f"--outbreak: the week must start on a Monday, {self.week_start} is none")
        if not 1 <= self.weeks <= MAX_WEEKS:
            raise UsageError(f"--outbreak: weeks must be 1 to {MAX_WEEKS}, not {self.weeks}")
        if not 1 < self.factor <= 1000:
            raise UsageError(f"--outbreak: factor must be above 1 and at most 1000, not {self.factor:g}")

    @classmethod
    def parse(cls, text: str) -> Outbreak:
        """`cause:region:2026-W40:weeks:factor` as an outbreak; raises UsageError on anything else."""
        parts = text.split(":")
        if len(parts) != 5:
            raise UsageError(
                f"--outbreak {text!r}: expected CAUSE:REGION:WEEK:WEEKS:FACTOR, "
                "for example cellulitis:harbour:2026-W40:3:4"
            )
        cause, region, week, weeks, factor = parts
        return cls(cause, region, _parse_week(week), _parse_whole(weeks), _parse_number(factor))

    def covers(self, day: date) -> bool:
        """Return whether the outbreak is on at that day."""
        return 0 <= (day - self.week_start).days < 7 * self.weeks


def _require_known(what: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise UsageError(f"--outbreak: there is no {what} {value!r}; allowed: {', '.join(allowed)}")


def _parse_week(text: str) -> date:
    """Return the Monday of an ISO week written `2026-W40`."""
    match = re.fullmatch(r"(\d{4})-W(\d{2})", text)
    try:
        if match:
            return date.fromisocalendar(int(match[1]), int(match[2]), 1)
    except ValueError:
        pass  # the year has no such week: the same message as for any other text
    raise UsageError(f"--outbreak: {text!r} is not an ISO week, such as 2026-W40")


def _parse_whole(text: str) -> int:
    if not re.fullmatch(r"\d{1,4}", text):
        raise UsageError(f"--outbreak: weeks must be a whole number from 1 to {MAX_WEEKS}, not {text!r}")
    return int(text)


def _parse_number(text: str) -> float:
    if not re.fullmatch(r"\d{1,4}(\.\d{1,6})?", text):
        raise UsageError(f"--outbreak: factor must be a number above 1 and at most 1000, not {text!r}")
    return float(text)
