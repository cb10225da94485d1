"""The weekly views: input and expected tables in tests/sql, and questions of an analyst answered by pandas as well.

tests/sql/NAME/CASE/ holds the tables that sql/views/NAME.sql (or sql/store/NAME.sql) reads, as CSV, and
expected.csv, worked out by hand. An empty cell is NULL; a column left out is NULL in every row. A case may have
a calfwatch.toml with the settings that cut its weeks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from pipelines.intake.deliveries import find_deliveries
from pipelines.jobs import publish as publish_job
from pipelines.jobs.ingest import Run, ingest_file
from pipelines.jobs.query import run_query
from pipelines.settings import load_settings
from pipelines.statements import create_sql, read_statement
from pipelines.store import database
from pipelines.store.daily_counts import calendar_sql, make_view_placeholders
from pipelines.store.database import Home
from pipelines.synthetic import generate
from schemas.pack_file import load_pack
from schemas.tables import (
    CALENDAR,
    STORED_WEEKLY,
    WEEKLY_VIEWS,
    Table,
    list_stored_tables,
    list_stored_views,
    quoted_sql,
)

CASES = Path(__file__).parents[1] / "sql"
STEPS = ("calendar",)  # steps that are one SELECT and deserve cases as the views do
PACK = load_pack()
TABLES = {table.name: table for table in list_stored_tables(PACK)}
RESULTS = {table.name: table for table in (*list_stored_views(PACK), CALENDAR)}


@pytest.mark.parametrize(
    "case", sorted(p.parent for p in CASES.glob("*/*/expected.csv")), ids=lambda p: f"{p.parent.name}-{p.name}"
)
def test_the_view_makes_the_expected_rows_of_the_input_tables(case: Path) -> None:
    name = case.parent.name
    settings = load_settings(case)
    sql = calendar_sql(settings) if name in STEPS else read_statement("views", name, **make_view_placeholders(settings))
    inputs = {path.stem: path for path in case.glob("*.csv") if path.stem != "expected"}
    read = {table for table in TABLES if re.search(rf"\b(FROM|JOIN) {table}\b", sql)}
    assert read == set(inputs), "a case holds the tables that the view reads, and no other"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for table, path in inputs.items():
            _load(connection, TABLES[table], path)
        result = connection.sql(sql)
        expected = _load(connection, RESULTS[name], case / "expected.csv", "expected")
        assert list(result.columns) == list(expected.columns)
        assert _rows(result) == _rows(expected)


def _load(connection: duckdb.DuckDBPyConnection, table: Table, path: Path, name: str = "") -> duckdb.DuckDBPyRelation:
    """The CSV's rows in a table with the declared columns and types."""
    made = Table(name or table.name, table.grain, table.columns)
    connection.execute(create_sql(made))
    connection.execute(
        f"INSERT INTO {made.name} BY NAME FROM read_csv({quoted_sql(str(path))}, header = true, all_varchar = true)"
    )
    if name:
        header = tuple(path.read_text().splitlines()[0].split(","))
        assert header == table.column_names, "expected.csv has every declared column, in order"
    return connection.table(made.name)


def _rows(relation: duckdb.DuckDBPyRelation) -> list[tuple[Any, ...]]:
    """Rows in an order of their own, shares to twelve digits."""
    rows = [tuple(round(cell, 12) if isinstance(cell, float) else cell for cell in row) for row in relation.fetchall()]
    return sorted(rows, key=lambda row: tuple((cell is None, str(cell)) for cell in row))


def test_every_view_has_a_folder_of_cases() -> None:
    views = {
        entry.name.removesuffix(".sql") for entry in (files("sql") / "views").iterdir() if entry.name.endswith(".sql")
    }
    without = sorted(name for name in views | set(STEPS) if not list(CASES.glob(f"{name}/*/expected.csv")))
    assert not without, f"no case in tests/sql for {', '.join(without)}"
    assert {path.name for path in CASES.iterdir()} == views | set(STEPS)


def test_every_view_of_the_store_is_a_file_of_its_own() -> None:
    views = {entry.name for entry in (files("sql") / "views").iterdir() if entry.name.endswith(".sql")}
    assert views == {f"{view.name}.sql" for view in list_stored_views(PACK) if view.name != "reports"}


# ------------------------------------------------- questions over half a year of reports, answered by pandas as well

WEEKS = 26
LATEST = "2026-W47"
# three deliveries by two senders; W32 is delivered by nobody, and nothing of the later file reaches back to it
DELIVERIES = {
    "clinic_a-1": ("2026-W22", "2026-W31"),
    "clinic_b-2": ("2026-W33", "2026-W40"),
    "clinic_a-3": ("2026-W41", LATEST),
}
SETTINGS = "".join(f'[[sources]]\nname = "{name}"\npatterns = ["{name}-*"]\n' for name in ("clinic_a", "clinic_b"))

Ask = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Every row of the delivered CSVs: cells as text, answers as nullable booleans, and its week, file and delay."""
    folder = tmp_path_factory.mktemp("half-a-year")
    weekly = sorted(generate(folder, reports=100_000, weeks=WEEKS, seed=5, end=pd.Timestamp("2026-11-22").date()))
    frames = []
    for name, (first, last) in DELIVERIES.items():
        parts = [pd.read_csv(path, dtype=str, keep_default_na=False) for path in weekly if first <= path.stem <= last]
        frame = pd.concat(parts)
        frame = frame[frame.reported_at.map(_week) >= first]
        frame.to_csv(folder / f"{name}.csv", index=False)
        frames.append(frame.assign(source=name[:8], path=str(folder / f"{name}.csv")))
    return _judged(pd.concat(frames, ignore_index=True))


def _week(moment: str) -> str:
    year, week, _ = pd.Timestamp(moment).isocalendar()
    return f"{year}-W{week:02}"


def _judged(frame: pd.DataFrame) -> pd.DataFrame:
    """Level, ceiling and likely cause of the article, read a second time, in pandas' three-valued logic."""
    asked = list(PACK.field_names)
    frame = frame.assign(**{name: frame[name].map({"yes": True, "no": False}).astype("boolean") for name in asked})
    for name in ("pain_score", "duration_days"):
        frame[name] = pd.to_numeric(frame[name], errors="coerce").astype("Int64")
    for name in ("region", "age_band", "sex"):
        frame[name] = frame[name].replace("", "unknown")
    moment = pd.to_datetime(frame.reported_at, format="ISO8601", utc=True)
    frame["day"] = moment.dt.floor("D")
    iso = moment.dt.isocalendar()
    frame["week"] = iso.year.astype(str) + "-W" + iso.week.astype(str).str.zfill(2)
    frame["delay"] = (frame.groupby("path").day.transform("max") - frame.day).dt.days
    rules = _rules(frame)
    emergency = _any(rules[name] for name in rules if name.startswith("emergency_"))
    anything = _any(rules.values())
    frame["level"] = "unresolved"
    frame.loc[(~anything).fillna(False), "level"] = "self_care"
    frame.loc[anything.fillna(False), "level"] = "contact_doctor"
    frame.loc[emergency.fillna(False), "level"] = "emergency"
    frame["could_be_emergency"] = emergency.fillna(True)
    frame["cause"] = _likely_cause(frame)
    return frame.assign(**{f"rule_{name}": rule.fillna(False) for name, rule in rules.items()})


def _any(rules: Any) -> pd.Series:
    result = None
    for rule in rules:
        result = rule if result is None else result | rule
    assert result is not None
    return result


def _rules(f: pd.DataFrame) -> dict[str, pd.Series]:
    return {
        "emergency_cannot_bear_weight": f.cannot_bear_weight,
        "emergency_red_swollen_warm_with_fever": f.redness & f.calf_swelling & f.warmth & f.fever,
        "emergency_breathless_and_swollen": f.shortness_of_breath & (f.calf_swelling | f.leg_swelling),
        "doctor_pain_after_exertion": f.pain_after_exertion,
        "doctor_cool_and_pale_leg": f.cooler_leg & f.paler_leg,
        "doctor_swollen_warm_tender": f.calf_swelling & f.warmth & f.tenderness,
        "doctor_streaks_with_tenderness_or_lump": f.streaks & (f.tenderness | f.lump),
        "doctor_sensation_loss": f.sensation_loss,
        "doctor_pain_after_sitting": f.pain_after_sitting,
        "doctor_pop_at_onset": f.pop_at_onset,
        "doctor_worse_despite_self_care": f.worse_despite_self_care,
        "doctor_not_improving": f.not_improving,
        "doctor_severe_pain": f.pain_score >= 7,
        "doctor_persistent_pain": f.duration_days >= 14,
        "doctor_other_concerning_symptoms": f.shortness_of_breath
        | f.fever
        | f.streaks
        | (f.redness & f.calf_swelling)
        | (f.redness & f.skin_break),
    }


EMERGENCY, DOCTOR, HARMLESS = 2, 1, 0


def _likely_cause(f: pd.DataFrame) -> pd.Series:
    """The cause of the most urgent evidence, then of the most points, then the one that stands first here.

    Each row of evidence has its points and its urgency: the level that it establishes by itself, read by hand.
    """
    evidence = {
        "deep_vein_thrombosis": [
            (f.shortness_of_breath & (f.calf_swelling | f.leg_swelling), 3, EMERGENCY),
            (f.calf_swelling & f.warmth & f.tenderness, 2, DOCTOR),
            (f.pain_after_sitting, 2, DOCTOR),
        ],
        "cellulitis": [
            (f.skin_break & f.redness, 3, DOCTOR),
            (f.redness & f.calf_swelling, 3, DOCTOR),
            (f.fever & (f.redness | f.calf_swelling | f.warmth), 3, DOCTOR),
            (f.streaks & (f.tenderness | f.lump), 3, DOCTOR),
            (f.streaks, 1, DOCTOR),
            (f.redness, 1, HARMLESS),
        ],
        "peripheral_artery_disease": [
            (f.pain_after_exertion, 2, DOCTOR),
            (f.cooler_leg, 1, HARMLESS),
            (f.paler_leg, 1, HARMLESS),
            (f.cooler_leg & f.paler_leg, 1, DOCTOR),
        ],
        "nerve_condition": [(f.sensation_loss, 3, DOCTOR)],
        "muscle_or_tendon_tear": [(f.pop_at_onset, 3, DOCTOR)],
        "varicose_veins": [(f.visible_veins, 3, HARMLESS)],
        "contusion_or_laceration": [(f.direct_blow, 3, HARMLESS)],
        "muscle_cramp": [(f.cramping, 3, HARMLESS), (f.cramping & f.dehydration, 1, HARMLESS)],
        "overuse_strain": [(f.overuse, 2, HARMLESS)],
    }
    ranks = pd.DataFrame(
        {
            cause: pd.concat([sign.fillna(False).astype(int) * urgency for sign, _, urgency in rows], axis=1).max(
                axis=1
            )
            * 100
            + sum(sign.fillna(False).astype(int) * points for sign, points, _ in rows)
            for cause, rows in evidence.items()
        }
    )
    return ranks.idxmax(axis=1).mask(ranks.max(axis=1) == 0, "undetermined")


@pytest.fixture(scope="module")
def ask(reports: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Rows of a query as the analyst types it: on the published summaries, in the sandbox."""
    home = Home(tmp_path_factory.mktemp("analyst") / "home")
    home.make()
    (home.path / "calfwatch.toml").write_text(SETTINGS)
    settings = load_settings(home.path)
    with home.lock(5), database.open_records(home, settings, PACK) as connection:
        for delivery in find_deliveries(list(reports.path.unique()), settings, None):
            assert ingest_file(connection, delivery, Run(home, settings, PACK)).status == "accepted"
        publish_job.publish(connection, home, settings)

    def rows(sql: str) -> list[tuple[Any, ...]]:
        table = run_query(home.summaries, sql)
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    return rows


def test_emergencies_of_the_latest_week_against_the_week_before(ask: Ask, reports: pd.DataFrame) -> None:
    counts = reports[reports.level == "emergency"].groupby("week").size()
    now, before = counts["2026-W47"], counts["2026-W46"]
    assert ask("""SELECT reports, previous_week, round(100.0 * (reports - previous_week) / previous_week, 1) AS change
                  FROM weekly_triage, about WHERE week = latest_week AND triage_level = 'emergency'""") == [
        (now, before, round(100 * (now - before) / before, 1))
    ]


def test_the_week_with_the_largest_share_of_unresolved_reports(ask: Ask, reports: pd.DataFrame) -> None:
    shares = (reports.level == "unresolved").groupby(reports.week).mean()
    rows = ask("SELECT week, share FROM weekly_triage WHERE triage_level = 'unresolved' ORDER BY share DESC LIMIT 1")
    assert rows == [(shares.idxmax(), pytest.approx(shares.max()))]


def test_reports_that_are_no_emergency_but_could_be_by_month(ask: Ask, reports: pd.DataFrame) -> None:
    monday = reports.day - pd.to_timedelta(reports.day.dt.day_of_week, unit="D")
    open_ones = reports.could_be_emergency & (reports.level != "emergency")
    expected = open_ones.groupby(monday.dt.month).sum()
    assert ask("""SELECT month(week_start) AS month, sum(could_be_emergency) FROM weekly_triage
                  WHERE triage_level <> 'emergency' GROUP BY month ORDER BY month""") == list(expected.items())


def test_a_month_with_a_week_that_nobody_delivered_or_that_goes_on_is_not_complete(ask: Ask) -> None:
    months = ask(
        "SELECT month, bool_and(month_is_complete), count(DISTINCT month_is_complete) FROM calendar GROUP BY 1"
    )
    assert {month for month, is_complete, _ in months if is_complete} == {"2026-06", "2026-07", "2026-09", "2026-10"}
    assert {values for *_, values in months} == {1}
    assert ask("SELECT DISTINCT quarter FROM calendar WHERE quarter_is_complete") == []


def test_the_three_most_common_causes_of_the_half_year(ask: Ask, reports: pd.DataFrame) -> None:
    counts = reports[reports.cause != "undetermined"].cause.value_counts()
    rows = ask("""SELECT likely_cause, sum(reports) AS n FROM weekly_causes WHERE likely_cause <> 'undetermined'
                  GROUP BY ALL ORDER BY n DESC LIMIT 3""")
    assert rows == list(counts.head(3).items())


def test_thrombosis_week_by_week_with_its_share_and_the_week_before(ask: Ask, reports: pd.DataFrame) -> None:
    found = (reports.cause == "deep_vein_thrombosis").groupby(reports.week)
    counts, shares = found.sum(), found.mean()
    rows = ask("""SELECT week, reports, share, previous_week FROM weekly_causes
                  WHERE likely_cause = 'deep_vein_thrombosis' ORDER BY week""")
    assert [row[:2] for row in rows] == list(counts.items())
    assert [row[2] for row in rows] == pytest.approx(list(shares))
    assert len(rows) == WEEKS - 1
    after_gap = {"2026-W22", "2026-W33"}
    before = [None if week in after_gap else counts[f"2026-W{int(week[-2:]) - 1}"] for week in counts.index]
    assert [row[3] for row in rows] == before


def test_regions_by_their_share_of_emergencies(ask: Ask, reports: pd.DataFrame) -> None:
    shares = (reports.level == "emergency").groupby(reports.region).mean().sort_values(ascending=False)
    rows = ask("""SELECT region, sum(emergency) / sum(reports) AS share FROM weekly_regions
                  GROUP BY region ORDER BY share DESC""")
    assert rows == [(region, pytest.approx(share)) for region, share in shares.items()]


def test_severe_pain_by_region_in_the_latest_week(ask: Ask, reports: pd.DataFrame) -> None:
    latest = reports[reports.week == LATEST]
    severe = (
        (latest.pain_score >= 7)
        .fillna(False)
        .groupby(latest.region)
        .sum()
        .reindex(reports.region.unique(), fill_value=0)
    )
    rows = ask("SELECT region, severe_pain FROM weekly_regions WHERE week = (SELECT latest_week FROM about)")
    assert dict(rows) == severe.to_dict()


def test_regions_with_a_falling_count(ask: Ask, reports: pd.DataFrame) -> None:
    counts = reports.groupby(["region", "week"]).size().unstack(fill_value=0)
    falling = counts[counts["2026-W47"] < counts["2026-W46"]].index
    rows = ask(
        "SELECT region FROM weekly_regions, about WHERE week = latest_week AND reports < previous_week ORDER BY 1"
    )
    assert [row[0] for row in rows] == sorted(falling)


def test_who_is_an_emergency_by_age_and_sex(ask: Ask, reports: pd.DataFrame) -> None:
    expected = reports[reports.level == "emergency"].groupby(["age_band", "sex"]).size()
    rows = ask("""SELECT age_band, sex, sum(emergency) FROM weekly_demographics
                  GROUP BY ALL HAVING sum(emergency) > 0 ORDER BY ALL""")
    assert rows == [(band, sex, n) for (band, sex), n in expected.items()]


def test_women_of_75_and_more_as_a_share_of_a_week(ask: Ask, reports: pd.DataFrame) -> None:
    they = (reports.age_band == "75+") & (reports.sex == "female")
    rows = ask("SELECT week, share FROM weekly_demographics WHERE age_band = '75+' AND sex = 'female' ORDER BY week")
    assert rows == [(week, pytest.approx(share)) for week, share in they.groupby(reports.week).mean().items()]


def test_which_rules_fired_most_in_the_latest_week(ask: Ask, reports: pd.DataFrame) -> None:
    latest = reports[reports.week == LATEST]
    rows = ask("SELECT rule_id, reports, share FROM weekly_rules, about WHERE week = latest_week")
    assert {row[0]: row[1] for row in rows} == {rule.id: latest[f"rule_{rule.id}"].sum() for rule in PACK.triage}
    assert {row[0]: row[2] for row in rows} == pytest.approx(
        {rule.id: latest[f"rule_{rule.id}"].mean() for rule in PACK.triage}
    )


def test_how_often_severe_pain_alone_calls_for_a_doctor_rises_or_falls(ask: Ask, reports: pd.DataFrame) -> None:
    counts = reports.groupby("week").rule_doctor_severe_pain.sum()
    rows = ask("""SELECT week, reports - previous_week FROM weekly_rules
                  WHERE rule_id = 'doctor_severe_pain' AND previous_week IS NOT NULL ORDER BY week""")
    differences = counts.diff().drop(["2026-W22", "2026-W33"])
    assert rows == [(week, int(n)) for week, n in differences.items()]


def test_the_question_that_is_open_most_often_for_pain_alone(ask: Ask, reports: pd.DataFrame) -> None:
    """pain_score is in one rule only, of the level contact_doctor: it is missing unless that level is reached."""
    open_ones = reports.pain_score.isna() & reports.level.isin(["unresolved", "self_care"])
    expected = open_ones.groupby(reports.week).sum()
    rows = ask("SELECT week, reports, unresolved FROM weekly_missing_answers WHERE field = 'pain_score' ORDER BY week")
    assert rows == [(week, n, n) for week, n in expected.items()]


def test_asking_about_standing_could_settle_so_many(ask: Ask, reports: pd.DataFrame) -> None:
    missing = reports.cannot_bear_weight.isna() & (reports.level != "emergency")
    unresolved = missing & (reports.level == "unresolved")
    rows = ask(
        """SELECT sum(reports), sum(unresolved) FROM weekly_missing_answers WHERE field = 'cannot_bear_weight'"""
    )
    assert rows == [(missing.sum(), unresolved.sum())]


def test_how_complete_pain_scores_are_by_sender_and_week(ask: Ask, reports: pd.DataFrame) -> None:
    expected = reports.pain_score.notna().groupby([reports.week, reports.source]).mean()
    rows = ask("""SELECT week, source, value FROM weekly_quality
                  WHERE measure = 'completeness' AND item = 'pain_score' ORDER BY ALL""")
    assert rows == [(week, source, pytest.approx(share)) for (week, source), share in expected.items()]


def test_rows_read_and_accepted_by_sender(ask: Ask, reports: pd.DataFrame) -> None:
    rows = ask("""SELECT source, sum(value) FILTER (measure = 'rows_read'),
                    sum(value) FILTER (measure = 'rows_accepted'), sum(value) FILTER (measure = 'files_accepted')
                  FROM weekly_quality GROUP BY source ORDER BY source""")
    sizes = reports.groupby("source").size()
    assert rows == [
        ("clinic_a", sizes["clinic_a"], sizes["clinic_a"], 2),
        ("clinic_b", sizes["clinic_b"], sizes["clinic_b"], 1),
    ]


def test_how_late_reports_are_by_week(ask: Ask, reports: pd.DataFrame) -> None:
    by_week = reports.groupby(["week", "source"]).delay
    rows = ask("""PIVOT (FROM weekly_quality WHERE measure IN ('median_delay_days', 'late_share'))
                  ON measure USING sum(value) GROUP BY week, source ORDER BY week""")
    late = reports.assign(late=reports.delay > 7).groupby(["week", "source"]).late.mean()
    assert rows == [(*key, pytest.approx(late[key]), pytest.approx(median)) for key, median in by_week.median().items()]


# rates have rows only if there are denominators
@pytest.mark.parametrize("view", [v.name for v in WEEKLY_VIEWS if v.name not in (*STORED_WEEKLY, "weekly_rates")])
def test_a_week_that_nobody_delivered_is_in_no_view(view: str, ask: Ask) -> None:
    rows = ask(f"SELECT count(DISTINCT week), count(*) FILTER (week = '2026-W32') FROM {view}")
    assert rows == [(WEEKS - 1, 0)]


@pytest.mark.parametrize("view", ["triage", "causes", "regions", "demographics"])
def test_the_shares_of_a_week_sum_to_one_and_its_counts_to_its_reports(
    view: str, ask: Ask, reports: pd.DataFrame
) -> None:
    rows = ask(f"SELECT week, sum(share), sum(reports) FROM weekly_{view} GROUP BY week ORDER BY week")
    assert rows == [(week, pytest.approx(1), n) for week, n in reports.groupby("week").size().items()]


def test_the_daily_summary_answers_what_the_weekly_views_cannot(ask: Ask, reports: pd.DataFrame) -> None:
    """Cellulitis with a swollen leg is counted on the busiest day of a region: four dimensions at once."""
    chosen = reports[(reports.cause == "cellulitis") & (reports.level == "emergency") & (reports.age_band == "75+")]
    counts = chosen.groupby([chosen.day.dt.date, "region"]).size()
    rows = ask("""SELECT report_date, region, sum(reports) FROM daily_summary WHERE likely_cause = 'cellulitis'
                  AND triage_level = 'emergency' AND age_band = '75+' GROUP BY ALL ORDER BY ALL""")
    assert rows == [(day, region, n) for (day, region), n in counts.items()]
