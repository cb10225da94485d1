"""Cron schedules: what is taken, and that Prefect takes it too."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from pipelines.cron import require_cron
from pipelines.errors import UsageError

GOOD = ["15 * * * *", "0 6 * * 1", "*/5 0-6,22 1,15 jan-MAR mon-fri", "0 0 1 1 *", "0 6 * * 7", "59 23 31 12 0"]
BAD = ["", "soon and often a day", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "* * * *"]
BAD += ["*/0 * * * *", "* * * * * *", "1-61 * * * *", "a * * * *", "1;2 * * * *"]


@pytest.mark.parametrize("cron", GOOD)
def test_a_schedule_of_five_fields_is_taken(cron: str) -> None:
    require_cron(cron)


@pytest.mark.parametrize("cron", BAD)
def test_anything_else_is_refused_with_an_example(cron: str) -> None:
    with pytest.raises(UsageError, match=r"is no cron schedule; try '15 \* \* \* \*'"):
        require_cron(cron)


@pytest.mark.filterwarnings("default")
def test_prefect_agrees() -> None:
    from prefect.client.schemas.schedules import CronSchedule

    for cron in GOOD:
        assert CronSchedule(cron=cron, timezone="UTC").cron == cron


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("first, days", [("2027-03-27", 4), ("2027-10-30", 4)])
def test_summer_time_leaves_out_no_day_and_runs_none_twice(first: str, days: int) -> None:
    from prefect.server.schemas.schedules import CronSchedule

    start, zone = datetime.fromisoformat(first).replace(tzinfo=UTC), ZoneInfo("Europe/Berlin")
    daily = asyncio.run(CronSchedule(cron="30 2 * * *", timezone="Europe/Berlin").get_dates(days, start))
    told = [slot.astimezone(zone).date() for slot in daily]  # 02:30 is there not at all, or twice
    assert told == [start.date() + timedelta(days=number) for number in range(days)]
    hourly = asyncio.run(CronSchedule(cron="15 * * * *", timezone="Europe/Berlin").get_dates(24 * days, start))
    gaps = {(later - earlier).total_seconds() for earlier, later in pairwise(hourly)}
    assert gaps <= {3600, 7200}, "the hour that comes twice has one slot"
