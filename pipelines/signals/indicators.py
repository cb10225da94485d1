"""Key numbers that are no series of `weekly_signals`: `weekly_indicators`, one row a covered week and count.

They are judged as the series are, against the same weeks of the same senders, for their level and trend. They raise no
alarm and are in no family of tests: what they count is counted at its triage level already.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.signals.comparable import History
from pipelines.signals.inputs import INDICATORS
from pipelines.signals.judging import Fits, SeriesWeeks, Used, judge_weeks

TOTAL = "all"
COLUMNS = ["week", "week_start", "indicator", "observed", "reports", "expected", "lower", "upper", "method"]


def judge_indicators(
    weeks: SeriesWeeks, counts: NDArray[np.float64], fits: Fits, first: int = 0
) -> tuple[pd.DataFrame, Used]:
    """Return the rows of `weekly_indicators` from the place `first` on, and the fits that they needed.

    `counts` is weeks x senders x counts, that of all reports first: by it a week is known as reported or not.
    """
    history = History(counts, weeks.history.whole, 0)
    rows, used = judge_weeks(replace(weeks, series=[TOTAL, *INDICATORS], history=history), fits, 0, first)
    if rows.empty:
        return rows, used
    chosen = rows[rows["is_primary"].astype(bool) & (rows["series"] != TOTAL)]
    return chosen.rename(columns={"series": "indicator"})[[*COLUMNS, "reason", "level", "trend"]], used
