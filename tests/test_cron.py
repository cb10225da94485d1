"""Cron schedules: what is taken, and that Prefect takes it too."""

from __future__ import annotations

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
