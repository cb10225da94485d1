"""Invented summaries.duckdb for the tests of the report: the published tables, filled by a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from pipelines.statements import create_sql
from schemas.conditions import list_condition_fields
from schemas.fields import AGE_BANDS, SEXES
from schemas.pack import Pack
from schemas.pack_file import load_pack
from schemas.tables import list_published_tables

REGIONS = (
    *("north_valley", "harbour", "east_moor", "old_town", "lakeside", "west_hills"),
    *("riverside", "south_plain", "high_fell", "mill_quarter", "airport", "island"),
)
BANDS = (*AGE_BANDS, "unknown")
LEVELS = ("emergency", "contact_doctor", "unresolved", "self_care")
CAUSE_ODDS = (7, 9, 22, 26, 8, 3, 6, 5, 4, 10)


@dataclass(frozen=True)
class Made:
    """A recipe for summaries: how many weeks, reports in the first of them, which weeks no file covers."""

    weeks: int = 26
    per_week: int = 3600
    regions: tuple[str, ...] = REGIONS
    skipped: tuple[int, ...] = ()
    last: date = date(2026, 11, 9)
    complete: bool = True
    sources: tuple[str, ...] = ("canonical", "clinic_b")
    rejected: int = 1
    signals: bool = True


def _records(made: Made, pack: Pack) -> pd.DataFrame:
    """Invented reports: a summer wave, regions of different size, rules that fit the levels."""
    rng = np.random.default_rng(8)

    def pick(values: Any, odds: Any = None) -> Any:
        chances = None if odds is None else np.array(odds, dtype=float) / sum(odds)
        return rng.choice(np.array(values), size=total, p=chances)

    kept = [i for i in range(made.weeks) if i not in made.skipped]
    sizes = [max(1, int(made.per_week * (1 + 0.25 * np.sin(i / 4) + 0.01 * i))) for i in kept]
    sizes = [1 for _ in kept] if made.per_week == 1 else sizes
    total = sum(sizes)
    first = np.datetime64(made.last - timedelta(weeks=made.weeks - 1)) + 7 * np.repeat(kept, sizes)
    level = pick(LEVELS, (7, 46, 19, 28))
    fired = {name: [rule.id for rule in pack.triage if rule.level == name] for name in LEVELS[:2]}
    asked = sorted({name for rule in pack.triage for name in list_condition_fields(rule.when)})
    waits = (level == "unresolved") | ((level == "contact_doctor") & (rng.random(total) < 0.4))
    could_be = (level == "emergency") | ((level != "self_care") & (rng.random(total) < 0.55))
    return pd.DataFrame(
        {
            "week_start": first,
            "report_date": first + rng.integers(0, 7, total),
            "source": pick(made.sources),
            "region": pick([*made.regions, "unknown"], 1 / np.arange(1, len(made.regions) + 2)),
            "age_band": pick(BANDS, (6, 15, 22, 24, 20, 11, 2)),
            "sex": pick(SEXES, (50, 46, 1, 3)),
            "triage_level": level,
            "triage_ceiling": np.where(could_be, "emergency", level),
            "likely_cause": pick([*(cause.name for cause in pack.causes), "undetermined"], CAUSE_ODDS),
            "severe": rng.random(total) < 0.22,
            "emergency_rule": np.where(level == "emergency", pick(fired["emergency"]), ""),
            "doctor_rule": np.where(np.isin(level, LEVELS[:2]), pick(fired["contact_doctor"]), ""),
            "open_field": np.where(waits, pick(asked, range(1, len(asked) + 1)), ""),
            "delay": rng.integers(0, 10, total),
            "near": rng.random(total) < 0.3,
            "serious": (level == "self_care") & (rng.random(total) < 0.04),
        }
    )


def _level_count(level: str) -> str:
    return f"count_if(triage_level = '{level}')"


# each weekly table: its dimension, every value of it, the reports it counts, its further counts
RULES_TRUE = """(SELECT week_start, rule_id, rules.triage_level FROM
  (SELECT week_start, emergency_rule AS rule_id FROM r UNION ALL SELECT week_start, doctor_rule FROM r)
  JOIN rules USING (rule_id))"""
WEEKLY: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "weekly_triage": (
        "triage_level",
        "SELECT unnest($levels) AS triage_level",
        "r",
        {"could_be_emergency": "count_if(triage_ceiling = 'emergency')"},
    ),
    "weekly_causes": (
        "cause_category, likely_cause",
        "FROM causes",
        "r JOIN causes USING (likely_cause)",
        {},
    ),
    "weekly_regions": (
        "region",
        "SELECT DISTINCT region FROM r",
        "r",
        {name: _level_count(name) for name in ("emergency", "contact_doctor", "self_care", "unresolved")}
        | {"severe_pain": "count_if(severe)"},
    ),
    "weekly_demographics": (
        "age_band, sex",
        "SELECT * FROM (SELECT unnest($bands) AS age_band), (SELECT unnest($sexes) AS sex)",
        "r",
        {name: _level_count(name) for name in ("emergency", "contact_doctor", "self_care", "unresolved")}
        | {"severe_pain": "count_if(severe)"},
    ),
    "weekly_rules": ("rule_id, triage_level", "SELECT rule_id, triage_level FROM rules", RULES_TRUE, {}),
    "weekly_missing_answers": (
        "field",
        "SELECT unnest($fields) AS field",
        "(SELECT *, open_field AS field FROM r)",
        {"unresolved": _level_count("unresolved"), "settles": "count_if(triage_level = 'unresolved' AND severe)"},
    ),
}
SOURCES_SQL = """BY NAME SELECT strftime(week_start, '%G-W%V') AS week, week_start, source, 'reported' AS state,
  count(*) AS reports, 100.0 AS usual, false AS joined, 'weekly' AS rhythm FROM r GROUP BY ALL"""
DAILY_SQL = """SELECT report_date, source, region, age_band, sex, triage_level, triage_ceiling,
  cause_category, likely_cause, count(*), count_if(severe),
  count_if(near AND likely_cause <> 'undetermined'), count_if(serious)
  FROM r JOIN causes USING (likely_cause) GROUP BY ALL"""
QUALITY_SQL = """
WITH x AS (SELECT strftime(week_start, '%G-W%V') AS week, week_start, source, count(*) AS n,
  n // 90 AS bad, n // 150 AS twice, n // 40 AS outside, median(delay) AS d, avg((delay > 7)::INT) AS late
  FROM r GROUP BY ALL),
f AS (SELECT unnest($fields) AS field, unnest(range(len($fields))) AS place)
SELECT week, week_start, source,
  unnest(['files_accepted', 'files_rejected', 'rows_read', 'rows_accepted', 'rows_quarantined',
    'rows_duplicate', 'rows_out_of_scope', 'rows_superseded', 'median_delay_days', 'late_share']), NULL,
  unnest([7, $rejected, n + bad + twice + outside, n, bad, twice, outside, n // 300, d, late]) FROM x
UNION ALL SELECT week, week_start, source, 'quarantine_reason',
  unnest(['pain_score: range', 'age_band: allowed', 'reported_at: format']),
  unnest([bad - bad // 3, bad // 3, bad // 9]) FROM x
UNION ALL SELECT week, week_start, source, 'completeness', f.field,
  1 - 0.013 * f.place - 0.002 * length(source) FROM x, f"""
# a week is judged once seven came before; C1 and C2 are the same here, C3 has no bound; every fifth week alarms
SIGNALS_SQL = """BY NAME
WITH s AS (SELECT week, week_start, 'all' AS series, sum(reports)::BIGINT AS n FROM weekly_triage GROUP BY ALL
UNION ALL SELECT week, week_start, 'triage_level=' || triage_level, reports FROM weekly_triage
UNION ALL SELECT week, week_start, 'likely_cause=' || likely_cause, reports FROM weekly_causes
UNION ALL SELECT week, week_start, 'region=' || region, reports FROM weekly_regions
UNION ALL SELECT week, week_start, 'region=' || region || ',triage_level=emergency', emergency FROM weekly_regions),
b AS (SELECT *, count(*) OVER w AS k, avg(n) OVER w AS mean, n > 0 AND hash(series) % 5 =
    (week_start - DATE '2026-11-09') // 7 % 5 AS high
  FROM s WINDOW w AS (PARTITION BY series ORDER BY week_start ROWS BETWEEN 7 PRECEDING AND 1 PRECEDING)),
m AS (SELECT *, unnest(['C1', 'C2', 'C3']) AS method FROM b)
SELECT week, week_start, series, n AS observed, n AS reports, CASE WHEN k = 7 THEN mean END AS expected,
  CASE WHEN k = 7 AND method <> 'C3' THEN least(n, floor(mean)) * 0.5 END AS lower, method = 'C1' AS is_primary,
  CASE WHEN k = 7 THEN if(high, 'above', 'within') END AS level, if(n % 2 = 0, 'steady', 'rising') AS trend,
  CASE WHEN k = 7 AND method <> 'C3' THEN if(high, n - 0.5, greatest(n, mean) + 3.5) END AS upper, method,
  CASE WHEN k < 7 THEN 'not_evaluable' WHEN high THEN 'alarm' ELSE 'none' END AS status,
  CASE WHEN k < 7 THEN 'short history' END AS reason,
  CASE WHEN k = 7 AND method <> 'C3' THEN if(high, 1e-6, 0.4) END AS p_value,
  CASE WHEN k = 7 AND high THEN rank() OVER (PARTITION BY week, k, high ORDER BY n DESC, series) END AS rank FROM m"""
INDICATORS_SQL = """BY NAME
WITH n AS (SELECT strftime(week_start, '%G-W%V') AS week, week_start,
  count_if(triage_ceiling = 'emergency' AND triage_level <> 'emergency') AS could_be_emergency,
  count_if(serious) AS serious_signs, count_if(severe) AS severe_pain FROM r GROUP BY ALL)
SELECT week, week_start, indicator, reports, reports AS observed, 'EARS C1' AS method,
  if(reports % 3 = 0, 'above', 'within') AS level, if(reports % 2 = 0, 'steady', 'falling') AS trend
FROM (UNPIVOT n ON could_be_emergency, serious_signs, severe_pain INTO NAME indicator VALUE reports)"""
NOWCAST_SQL = """BY NAME
WITH s AS (SELECT week, week_start, 'all' AS series, sum(reports)::BIGINT AS n FROM weekly_triage GROUP BY ALL
UNION ALL SELECT week, week_start, 'triage_level=emergency', reports FROM weekly_triage
  WHERE triage_level = 'emergency')
SELECT s.week, s.week_start, s.series, 0 AS age_weeks, true AS is_latest, s.n AS reported_so_far,
  s.n * 1.05 AS expected_final, s.n * 1.02 AS lower, s.n * 1.08 AS upper, b.n AS previous_so_far,
  'not clear' AS change, 2 AS sources, '' AS left_out
FROM s LEFT JOIN s AS b ON b.series = s.series AND b.week_start = s.week_start - 7"""
REVISIONS_SQL = """
SELECT week, week_start, 'all', sum(reports)::BIGINT - 7, sum(reports)::BIGINT, 7, 'late records' FROM weekly_triage
WHERE week_start IN (DATE '2026-11-02', DATE '2026-10-26') GROUP BY ALL
UNION ALL SELECT week, week_start, 'region=' || region, reports + 2, reports, -2, 'corrected records'
FROM weekly_regions WHERE week_start = DATE '2026-11-02'"""
ABOUT_SQL = """BY NAME SELECT $pack AS rule_pack, $complaint AS complaint, 'Europe/Berlin' AS time_zone,
  'iso' AS week_system, $latest AS latest_week, min(report_date)::TIMESTAMPTZ AS first_report,
  max(report_date)::TIMESTAMPTZ AS last_report, '2026-11-17 05:30:00+00' AS published_at, '0.1.0' AS version FROM r"""


def _weekly_sql(table: str) -> str:
    """A row for every value in every covered week, with its share and the week before."""
    dimension, values, reports, counts = WEEKLY[table]
    keys = [key.strip() for key in dimension.split(",")]

    def same(alias: str) -> str:
        return " AND ".join(f"{alias}.{key} = v.{key}" for key in keys)

    more = "".join(f", {sql} AS {name}" for name, sql in counts.items())
    return f"""WITH w AS (SELECT week_start, count(*) AS total FROM r GROUP BY ALL), v AS ({values}),
      n AS (SELECT week_start, {dimension}, count(*) AS reports{more} FROM {reports} GROUP BY ALL)
      SELECT strftime(w.week_start, '%G-W%V'), w.week_start, {", ".join(f"v.{key}" for key in keys)},
        coalesce(n.reports, 0), coalesce(n.reports, 0) / total,
        CASE WHEN w.week_start - 7 IN (SELECT week_start FROM w) THEN coalesce(b.reports, 0) END
        {"".join(f", coalesce(n.{name}, 0)" for name in counts)}
      FROM w CROSS JOIN v LEFT JOIN n ON n.week_start = w.week_start AND {same("n")}
      LEFT JOIN n b ON b.week_start = w.week_start - 7 AND {same("b")}"""


def make_summaries(path: Path, made: Made | None = None, pack: Pack | None = None) -> Path:
    """Builds a summaries.duckdb of the published tables. The same recipe gives the same numbers."""
    made, pack = made or Made(), pack or load_pack()
    causes = [(c.category, c.name, c.label) for c in pack.causes] + [("undetermined", "undetermined", "")]
    latest = made.last if made.complete else made.last - timedelta(weeks=1)
    values = {
        "levels": list(LEVELS),
        "bands": list(BANDS),
        "sexes": list(SEXES),
        "fields": list(pack.askable),
        "rejected": made.rejected,
        "pack": pack.version,
        "complaint": pack.complaint,
        "latest": f"{latest:%G-W%V}",
    }
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as db:
        db.register("records", _records(made, pack))
        db.execute("CREATE TEMP TABLE r AS SELECT * REPLACE (week_start::DATE AS week_start) FROM records")
        for table in list_published_tables():
            db.execute(create_sql(table))
        db.executemany("INSERT INTO causes VALUES (?, ?, ?)", causes)
        db.executemany("INSERT INTO rules VALUES (?, ?, '', '', '', '')", [(r.id, r.level) for r in pack.triage])
        statements = {table: _weekly_sql(table) for table in WEEKLY}
        statements |= {"daily_summary": DAILY_SQL, "weekly_quality": QUALITY_SQL, "about": ABOUT_SQL}
        statements |= {"weekly_sources": SOURCES_SQL, "weekly_indicators": INDICATORS_SQL}
        if made.signals:
            statements |= {"weekly_signals": SIGNALS_SQL, "weekly_revisions": REVISIONS_SQL}
            statements["weekly_nowcast"] = NOWCAST_SQL
        for table, sql in statements.items():
            db.execute(f"INSERT INTO {table} {sql}", {n: v for n, v in values.items() if f"${n}" in sql})
    return path
