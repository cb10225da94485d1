"""Every weekly series -> the table `weekly_signals`, once a run, where the counts have changed.

    weekly_series, week_states (SQL) -> Weeks (matrices weeks x series) -> EARS or Farrington -> status, rank

A week whose counts are not whole (a source is missing, or the week still runs) is not judged, and is no part of any
baseline. What Farrington flexible said of a week is kept while no count up to that week has changed: a fit costs
milliseconds, and there are hundreds of series.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import duckdb

from pipelines.settings import Settings
from pipelines.statements import first_row, sql_list, statement
from pipelines.store.database import set_state

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

BROKEN_WEEKS = 13  # without any report: what came before is no history, but a date typed wrong or another time
LEAST_YEARS, MOST_YEARS = 3, 4  # of history: from so many on Farrington flexible, with at most so many
FALSE_DISCOVERY_RATE = 0.05
SHORT_HISTORY, FEW_CASES = "short history", "too few cases"
FARRINGTON = "Farrington flexible"
EARS = ("C1", "C2", "C3")


def update_signals(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Brings `weekly_signals` up to date with the daily counts, inside the caller's transaction."""
    expected = tuple(source.name for source in settings.sources if source.rhythm == "weekly")
    states = statement(
        "store", "week_states", time_zone=settings.time_zone, expected=f"{sql_list(expected)}::VARCHAR[]"
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE week_states AS {states}")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE weekly_series AS {_weekly_series()}")
    fingerprint = _fingerprint(connection)
    stored = first_row(connection, "SELECT value FROM state WHERE key = 'signals'")
    if stored != (fingerprint,):
        _judge_anew(connection, keep=stored is not None and stored[0].split()[0] == fingerprint.split()[0])
        set_state(connection, "signals", fingerprint)
    connection.execute("DROP TABLE week_states")
    connection.execute("DROP TABLE weekly_series")


def _weekly_series() -> str:
    return statement("signals", "weekly_series", series_names=statement("signals", "series_names"))


def _fingerprint(connection: duckdb.DuckDBPyConnection) -> str:
    """The version that judges, and a number that changes with the counts and with what is known of their weeks."""
    row = first_row(
        connection,
        """SELECT coalesce(bit_xor(hash(week_start, series, reports, week_states.reason)), 0)
           FROM weekly_series JOIN week_states USING (week_start)""",
    )
    assert row is not None
    return f"{version('calfwatch')} {row[0]}"


@dataclass(frozen=True)
class Weeks:
    """All series over unbroken weeks.

    `places` are the places of the covered weeks among `starts`; `observed` is covered weeks x series; `known` is
    all weeks x series, NaN where a week is missing, incomplete, running, or before `begin`, the place at which the
    history begins.
    """

    names: list[str]
    starts: pd.DatetimeIndex
    places: NDArray[np.int64]
    reasons: list[str | None]
    series: list[str]
    observed: NDArray[np.int64]
    known: NDArray[np.float64]
    begin: int


def _judge_anew(connection: duckdb.DuckDBPyConnection, keep: bool) -> None:
    """Writes the whole table; with `keep`, fits of before are taken over where their counts are the same."""
    import pyarrow as pa

    weeks = _read_weeks(connection)
    kept = _kept_fits(connection, weeks) if keep and weeks is not None else {}
    connection.execute("DELETE FROM weekly_signals")
    if weeks is None:
        return
    connection.register("judged", pa.Table.from_pandas(_ranked(_judge(weeks, kept)), preserve_index=False))
    connection.execute("""INSERT INTO weekly_signals
        SELECT week, week_start::DATE, series, observed, expected, upper, method, status, reason, p_value, rank
        FROM judged ORDER BY week_start, series, method""")
    connection.unregister("judged")


def _read_weeks(connection: duckdb.DuckDBPyConnection) -> Weeks | None:
    """None where no week is covered."""
    import numpy as np
    import pandas as pd

    states = connection.execute("SELECT week, week_start, reason FROM week_states ORDER BY week_start").fetchall()
    if not states:
        return None
    names, days, reasons = (list(column) for column in zip(*states, strict=True))
    series = [name for (name,) in connection.execute("SELECT DISTINCT series FROM weekly_series ORDER BY 1").fetchall()]
    counts = connection.execute("SELECT reports FROM weekly_series ORDER BY week_start, series").fetchnumpy()
    observed = np.asarray(counts["reports"], dtype=np.int64).reshape(len(names), len(series))
    starts = pd.date_range(days[0], days[-1], freq="7D")
    places = starts.get_indexer(pd.DatetimeIndex(days))
    known = np.full((len(starts), len(series)), np.nan)
    whole = np.array([reason is None for reason in reasons])
    known[places[whole]] = observed[whole]
    begin = _begin(len(starts), places[observed[:, series.index("all")] > 0])
    known[:begin] = np.nan
    return Weeks(names, starts, places, reasons, series, observed, known, begin)


def _begin(weeks: int, reporting: NDArray[np.int64]) -> int:
    """The place after the last BROKEN_WEEKS without any report: one row with a wrong year makes no years of zeros."""
    import numpy as np

    if not len(reporting):
        return weeks
    gaps = np.diff(reporting)
    broken = np.flatnonzero(gaps > BROKEN_WEEKS)
    return int(reporting[broken[-1] + 1] if len(broken) else reporting[0])


Fits = dict[tuple[int, int], tuple[float, float, float]]


def _kept_fits(connection: duckdb.DuckDBPyConnection, weeks: Weeks) -> Fits:
    """Expected, upper and p-value by place and series, of weeks up to which every known count is as it was."""
    import pandas as pd

    rows = connection.execute(f"""SELECT week_start, series, observed, expected, upper, p_value,
          coalesce(reason NOT IN ('incomplete reporting', 'running week'), true) AS whole,
          starts_with(method, '{FARRINGTON}') AS fitted
        FROM weekly_signals WHERE starts_with(method, '{FARRINGTON}') OR method = 'EARS C1'""").fetchdf()
    if rows.empty:
        return {}
    rows["week_start"] = pd.to_datetime(rows["week_start"])
    first_change = _first_changes(rows, weeks)
    fitted = rows[rows["fitted"] & rows["series"].isin(weeks.series) & rows["week_start"].isin(weeks.starts)]
    places = weeks.starts.get_indexer(pd.DatetimeIndex(fitted["week_start"]))
    columns = pd.Index(weeks.series).get_indexer(pd.Index(fitted["series"]))
    values = zip(fitted["expected"], fitted["upper"], fitted["p_value"], strict=True)
    return {
        (int(place), int(column)): value
        for place, column, value in zip(places, columns, values, strict=True)
        if place < first_change[column]
    }


def _first_changes(rows: pd.DataFrame, weeks: Weeks) -> NDArray[np.int64]:
    """For each series, the place of the first week that was known otherwise, or not at all, when `rows` were judged."""
    import numpy as np

    if rows["week_start"].min() != weeks.starts[0]:  # the years of history are others
        return np.zeros(len(weeks.series), dtype=np.int64)
    known = rows.assign(known=rows["observed"].where(rows["whole"]))
    before = known.pivot_table(index="week_start", columns="series", values="known", dropna=False)
    counts = before.reindex(index=weeks.starts, columns=weeks.series).to_numpy(float)
    same = (counts == weeks.known) | (np.isnan(counts) & np.isnan(weeks.known))
    return np.where(same.all(axis=0), len(same), same.argmin(axis=0))


def _judge(weeks: Weeks, kept: Fits) -> pd.DataFrame:
    """One row a week, series and method, without status and rank."""
    import pandas as pd

    from pipelines.signals.aberration import reference_weeks

    years = [
        sum(place >= weeks.begin for place in reference_weeks(weeks.starts, place, MOST_YEARS)[1:])
        for place in weeks.places
    ]
    short = [row for row, whole_years in enumerate(years) if whole_years < LEAST_YEARS]
    parts = [_by_ears(weeks, short, method) for method in EARS]
    parts += [_by_farrington(weeks, row, years[row], kept) for row in range(len(years)) if years[row] >= LEAST_YEARS]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def _frame(weeks: Weeks, rows: list[int], method: str, columns: dict[str, Any]) -> pd.DataFrame:
    """Rows of `weekly_signals` for some covered weeks and every series, in that order."""
    import numpy as np
    import pandas as pd

    each = len(weeks.series)
    frame = {
        "week": np.repeat([weeks.names[row] for row in rows], each),
        "week_start": weeks.starts[weeks.places[rows]].repeat(each),
        "series": np.tile(weeks.series, len(rows)),
        "observed": weeks.observed[rows].ravel(),
        "method": method,
        "whole_reason": np.repeat(np.array([weeks.reasons[row] for row in rows], dtype=object), each),
    }
    return pd.DataFrame(frame | {name: np.asarray(values).ravel() for name, values in columns.items()})


def _by_ears(weeks: Weeks, rows: list[int], method: str) -> pd.DataFrame:
    import numpy as np

    from pipelines.signals.aberration import ears_alarms, ears_arrays

    expected, upper, statistic = ears_arrays(weeks.known, method)
    alarms = ears_alarms(weeks.known, upper, statistic, method)
    places = weeks.places[rows]
    judged = {"expected": expected, "upper": upper, "strength": statistic, "over": alarms}
    columns = {name: values[places] for name, values in judged.items()}
    reason = [SHORT_HISTORY if missing else None for missing in np.isnan(statistic[places]).ravel()]
    return _frame(
        weeks, rows, f"EARS {method}", columns | {"p_value": np.full(alarms[places].shape, np.nan), "reason": reason}
    )


def _by_farrington(weeks: Weeks, row: int, years: int, kept: Fits) -> pd.DataFrame:
    import numpy as np

    from pipelines.signals.aberration import FarringtonSettings, enough_cases, farrington_baseline, farrington_week

    place, settings = int(weeks.places[row]), FarringtonSettings(b=years)
    known = weeks.known[: place + 1]
    baseline = farrington_baseline(weeks.starts, ~np.isnan(weeks.known[:, 0]), place, settings)
    fits = []
    for column in range(len(weeks.series)):
        fit = kept.get((place, column))
        if fit is None:
            judged = farrington_week(known[:, column], baseline, settings)
            fit = (judged.expected, judged.upper, judged.p_value)
        fits.append(fit)
    expected, upper, p_value = np.array(fits, dtype=float).T
    why = [SHORT_HISTORY if enough_cases(known[:, column]) else FEW_CASES for column in range(len(weeks.series))]
    reason = [why[column] if missing else None for column, missing in enumerate(np.isnan(expected))]
    over = weeks.observed[row] > upper
    columns = {"expected": expected, "upper": upper, "p_value": p_value, "over": over, "strength": -p_value}
    return _frame(weeks, [row], f"{FARRINGTON}, b={years}", columns | {"reason": reason})


def _ranked(rows: pd.DataFrame) -> pd.DataFrame:
    """Adds reason, status and rank. C3 looks at three weeks at once, so it supports: it ranks after the others."""
    import numpy as np

    reason = rows["whole_reason"].where(rows["whole_reason"].notna(), rows["reason"])
    alarm = rows["over"] & reason.isna() & (_adjusted(rows).fillna(0) <= FALSE_DISCOVERY_RATE)
    status = np.select([reason.notna(), alarm], ["not_evaluable", "alarm"], "none")
    rows = rows.assign(reason=reason, status=status)
    rows.loc[reason.notna(), ["expected", "upper", "p_value"]] = np.nan
    alarms = rows[alarm].assign(supports=rows["method"] == "EARS C3", excess=rows["observed"] - rows["expected"])
    alarms = alarms.sort_values(
        ["week_start", "supports", "strength", "excess", "series"], ascending=[True, True, False, False, True]
    )
    return rows.assign(rank=(alarms.groupby("week_start").cumcount() + 1).astype("Int32"))


def _adjusted(rows: pd.DataFrame) -> pd.Series[float]:
    """p-values after Benjamini and Hochberg over each week's series; NaN where the method has none."""
    tested = rows.loc[rows["p_value"].notna() & rows["whole_reason"].isna()]
    if tested.empty:
        return rows["p_value"]
    from scipy.stats import false_discovery_control

    by_week = tested.groupby("week_start")["p_value"]
    return by_week.transform(lambda values: false_discovery_control(values, method="bh")).reindex(rows.index)
