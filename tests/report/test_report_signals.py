"""What the report says of alarms, expected ranges and revisions: it follows from the tables and no further."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

import pytest

from pipelines.pages.labels import label_series, split_series
from pipelines.pages.words import format_decimal
from pipelines.report import write_report
from pipelines.statements import read_statement
from schemas.pack import Pack
from tests.conftest import opened
from tests.support.invented import Made, make_summaries
from tests.support.pages import NONE, Page, changed_page, page_of, rows_of, shown

WEEK = "2026-W46"
RULED_OUT = """UPDATE weekly_signals SET status = 'none', upper = observed
    WHERE status = 'alarm' AND method <> 'C3'"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("signals") / "summaries.duckdb"
    return make_summaries(path, Made(weeks=16, per_week=900, skipped=(4,)))


@pytest.fixture
def changed(database: Path, tmp_path: Path, pack: Pack) -> Callable[..., Page]:
    """The page after changing the summaries with SQL."""

    return partial(changed_page, database, tmp_path, pack)


@pytest.fixture(scope="module")
def folder(database: Path, pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(database, pack, tmp_path_factory.mktemp("home") / "reports")


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return page_of(folder)


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# -------------------------------------------------------------------------------------------------- alarms


def test_alarms_equal_weekly_signals_the_strongest_first(page: Page, folder: Path, database: Path) -> None:
    rows = rows_of(
        database,
        """SELECT series, any_value(observed), any_value(upper) FROM weekly_signals
        WHERE week = ? AND status = 'alarm' AND upper IS NOT NULL GROUP BY ALL ORDER BY min(rank), series""",
        WEEK,
    )
    assert len(rows) > 3
    shown_alarms = {series: cells for series, cells in page.tables["alarms"].items() if series != "0"}
    assert list(shown_alarms) == [row[0] for row in rows]
    assert [cells[1] for cells in shown_alarms.values()] == [shown(row[1]) for row in rows]
    assert [row["series"] for row in csv_rows(folder / "data/alarms.csv")] == list(shown_alarms)
    assert f"{len(rows)} new alarms: " in page.text, "in the headline"
    assert f"Alarms: {len(rows)} new: " in page.text
    assert "closed before" not in page.text


@pytest.mark.parametrize(
    "series",
    [
        *("all", "triage_level=emergency", "cause_category=injury", "likely_cause=muscle_cramp", "region=north_valley"),
        "region=north_valley,triage_level=emergency",
    ],
)
def test_the_days_of_a_series_are_those_of_its_reports_alone(series: str, database: Path) -> None:
    span = {"first": date(2026, 11, 3), "last": date(2026, 11, 15)}
    with opened(database) as connection:
        found = connection.execute(read_statement("report", "series_days"), span | split_series(series)).fetchall()
        every_row = connection.execute(
            """SELECT report_date, region, age_band, triage_level, cause_category, likely_cause, reports
               FROM daily_summary"""
        ).fetchall()
    names = ("region", "age_band", "triage_level", "cause_category", "likely_cause")
    wanted = dict(part.split("=") for part in series.split(",") if "=" in part)
    counts = Counter[tuple[date, str, str]]()
    for day, *parts, reports in every_row:
        row = dict(zip(names, parts, strict=True))
        if span["first"] <= day <= span["last"] and wanted.items() <= row.items():
            counts[day, row["region"], row["age_band"]] += reports
    assert {tuple(key): number for *key, number in found} == counts
    assert counts


def test_an_alarm_has_its_days_its_regions_and_its_ages(page: Page, folder: Path, database: Path) -> None:
    strongest = next(series for series in page.tables["alarms"] if series != "0")
    place = {row["series"]: row for row in csv_rows(folder / "data/curves.csv")}
    number = list(place).index(strongest) + 1
    condition = {"all": "true"}.get(strongest) or "{} = '{}'".format(*strongest.split(",")[0].split("="))
    days = dict(
        rows_of(
            database,
            f"""SELECT report_date, sum(reports) FROM daily_summary
            WHERE {condition} AND report_date >= DATE '2026-09-21' GROUP BY ALL""",
        )
    )
    drawn = (folder / f"charts/curve-{number}-days.svg").read_text(encoding="utf-8")
    hints = re.findall(r'data-week="[^"]+"><title>[^<]*?from (\d+ \w+ \d+)\)\nReports: ([0-9,]+)<', drawn)
    assert [f"{n:,}" for _, n in sorted(days.items())] == [n for _, n in hints if n != "0"]
    ages = {
        name: cells[1]
        for name, cells in ((c[0], c) for c in page.tables[f"curve-{number}-ages"].values())
        if name != "Age"
    }
    rows = rows_of(
        database,
        f"""SELECT age_band, sum(reports) FROM daily_summary
        WHERE {condition} AND report_date >= DATE '2026-11-09' GROUP BY ALL""",
    )
    assert ages == {band: shown(count) for band, count in rows}
    ((weeks,),) = rows_of(
        database,
        "SELECT count(DISTINCT week) FROM weekly_triage WHERE week_start BETWEEN '2026-09-21' AND '2026-11-02'",
    )
    usual = rows_of(
        database,
        f"""SELECT age_band, sum(reports) / {weeks} FROM daily_summary
        WHERE {condition} AND report_date BETWEEN '2026-09-21' AND '2026-11-08' GROUP BY ALL""",
    )
    assert {band: format_decimal(mean) for band, mean in usual}.items() <= {
        (cells[0], cells[2]) for cells in page.tables[f"curve-{number}-ages"].values()
    }


def test_an_alarm_that_goes_on_says_since_when_and_what_was_found_out(changed: Callable[..., Page]) -> None:
    episode = """INSERT INTO alarm_episodes SELECT 'triage_level=emergency', '2026-W45', DATE '2026-11-02',
        '2026-W46', DATE '2026-11-09', 2, 90, 90, '{}', 'the new form', now(), 'me'"""
    calm = "UPDATE weekly_signals SET status = 'none', level = 'within' WHERE status = 'alarm'"
    alarm = f"UPDATE weekly_signals SET status = 'alarm' WHERE series = 'triage_level=emergency' AND week = '{WEEK}'"
    page = changed(calm, alarm, episode.format("continuing"))
    assert "No new alarm, 1 going on: " in page.text
    assert page.tables["alarms"]["triage_level=emergency"][-2:] == ["2026-W45, 2 weeks", "the new form"]
    closed = changed(calm, alarm, episode.format("closed"))
    assert "No alarm: " in closed.text
    assert "1 closed" in closed.text
    assert closed.tables["alarms"]["triage_level=emergency"][-2] == "2026-W45, 2 weeks, closed"
    risen = changed(calm, alarm, episode.format("new"))
    assert "1 new alarm: Emergency (closed before, now twice as many), " in risen.text
    since = risen.tables["alarms"]["triage_level=emergency"][-2]
    assert since == "2026-W45, 2 weeks; closed before, now twice as many"
    quiet = changed(calm, episode.format("continuing"))
    assert "1 going on: Emergency" in quiet.text, "an alarm without one this week goes on until it is over"


def detailed(page: Page) -> list[str]:
    """The alarms that have a part of their own, in the order of the page."""
    return re.findall(r"<h3>([^<]+)</h3>\s*(?:<ul class=\"legend.*?</ul>\s*)?<div class=\"curves\">", page.html)


def test_a_new_alarm_has_its_own_part_before_a_stronger_one_that_goes_on(
    changed: Callable[..., Page], page: Page, database: Path, pack: Pack
) -> None:
    names = [label_series(series, pack) for series in page.tables["alarms"] if series != "0"]
    assert detailed(page)[:3] == names[:3]
    ((strongest,),) = rows_of(
        database,
        "SELECT series FROM weekly_signals WHERE week = ? AND status = 'alarm' ORDER BY rank LIMIT 1",
        WEEK,
    )
    begun = f"""INSERT INTO alarm_episodes SELECT '{strongest}', '2026-W45', DATE '2026-11-02',
        '{WEEK}', DATE '2026-11-09', 2, 90, 90, 'continuing', NULL, NULL, NULL"""
    assert detailed(changed(begun))[:3] == names[1:4]
    assert page.html.count("Upper end of the range") == 1, "the legend stands over the first curves alone"


def test_an_alarm_of_a_week_that_still_runs_is_told_before_it_is_over(changed: Callable[..., Page], page: Page) -> None:
    daily = f"""INSERT INTO daily_signals BY NAME SELECT DATE '2026-11-11' AS report_date, '{WEEK}' AS week,
        DATE '2026-11-09' AS week_start, 'triage_level=emergency' AS series, 64 AS observed, 12.0 AS expected,
        'alarm' AS status, true AS is_first"""
    said = "Before the week is over: Emergency, 64 in the seven days to 2026-11-11 where 12 were expected."
    headline = "1 alarm before the week is over: Emergency, 64 in the seven days to 2026-11-11 where 12 were expected."
    running = "UPDATE about SET latest_week = '2026-W45'"
    not_judged = f"UPDATE weekly_signals SET status = 'not_evaluable', reason = 'running week' WHERE week = '{WEEK}'"
    text = changed(daily, running, not_judged, week=WEEK).text
    assert said in text
    assert headline in text
    assert "2 senders sent something so far; what is due is known when the week is over" in text
    assert "has reported (2)" not in text
    for judged in (changed(daily).text, changed(running, not_judged, week=WEEK).text):
        assert said not in judged, "the week itself is judged, or nothing was found in it"
        assert headline not in judged


def test_without_signals_the_page_is_complete_and_says_so(database: Path, tmp_path: Path, pack: Pack) -> None:
    summaries = make_summaries(tmp_path / "summaries.duckdb", Made(weeks=3, per_week=300, signals=False))
    folder = write_report(summaries, pack, tmp_path / "reports")
    page = page_of(folder)
    assert "whether that is more than expected cannot be judged yet" in page.text
    assert "Not judged yet: no expected numbers are stored for this week." in page.text
    assert "No change of a published week is recorded among the last 26 weeks." in page.text
    assert any("not judged" in cell for cell in page.numbers["reports"])
    assert 'class="range"' not in page.html
    assert "cannot be judged" in (folder / "report.md").read_text(encoding="utf-8")


def test_a_method_without_a_bound_of_counts_raises_no_alarm_of_its_own(changed: Callable[..., Page]) -> None:
    page = changed(RULED_OUT)
    assert "alarms" not in page.tables
    assert "Alarms: no new alarm among 41 counts judged." in page.text


def test_what_cannot_be_judged_is_counted_with_its_reason(changed: Callable[..., Page]) -> None:
    silent = "UPDATE weekly_signals SET status = 'not_evaluable', expected = NULL, upper = NULL, level = NULL"
    some = changed(f"{silent}, reason = 'too few cases' WHERE series LIKE 'region=%,%'")
    assert "28 of 41 counts could be judged" in some.text
    assert "Not judged: 13: too few cases." in some.text
    none = changed(f"{silent}, reason = 'incomplete reporting'")
    assert "whether this week is more than expected cannot be judged, incomplete reporting." in none.text
    assert "not judged" in " ".join(none.numbers["emergency"])
    assert "0 of 41 counts could be judged" in none.text


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("missing", "clinic_c sent nothing for 2026-W46; usual are 120 a week"),
        ("partial", "clinic_c sent 9 reports for 2026-W46, a part; usual are 120 a week"),
    ],
)
def test_who_did_not_report_is_named_with_its_usual_number_and_nothing_is_compared_without_a_word(
    changed: Callable[..., Page], page: Page, state: str, said: str
) -> None:
    assert "Senders: every one that was expected has reported (2)." in page.text
    lacking = f"""INSERT INTO weekly_sources BY NAME SELECT DISTINCT week, week_start, 'clinic_c' AS source,
        '{state}' AS state, 9 AS reports, 120.0 AS usual, false AS joined FROM weekly_triage WHERE week = '{WEEK}'"""
    sign = "UPDATE weekly_nowcast SET change = 'fewer'"
    text = changed(lacking, sign).text
    assert f"Senders: {said}." in text
    assert f"Not every expected sender has reported: {said}." in text
    assert "in the end this week will have fewer" not in text
    assert "in the end this week will have fewer" in changed(sign).text
    week_before = changed(lacking.replace(f"'{WEEK}'", "'2026-W45'"), sign).text
    assert "Not every expected sender has reported" not in week_before
    assert "in the end this week will have fewer" not in week_before, "nor is it compared with a week that lacks one"


@pytest.mark.parametrize(
    ("joined", "since"), [("true", "it is new"), ("false", "it is back after eight weeks or more")]
)
def test_who_arrived_is_named_where_the_total_is_compared(
    changed: Callable[..., Page], page: Page, joined: str, since: str
) -> None:
    arrives = f"""UPDATE weekly_sources
        SET reports = CASE week WHEN '{WEEK}' THEN 40 WHEN '2026-W45' THEN 3 ELSE 0 END, joined = {joined},
        state = CASE WHEN week = '{WEEK}' THEN 'reported' ELSE 'silent' END
        WHERE source = (SELECT max(source) FROM weekly_sources)"""
    found = changed(arrives, "UPDATE weekly_nowcast SET change = 'more'")
    named = re.search(rf"(\S+) sent 40 reports for {WEEK} and hardly any for the weeks before: {since}\.", found.text)
    assert named
    assert f"at the same age. It had hardly any of {named[1]}." in found.text
    assert "in the end this week will have more" not in found.text
    assert "It had hardly any of" not in page.text


def test_what_is_above_its_range_without_an_alarm_is_not_said_to_be_within(changed: Callable[..., Page]) -> None:
    """The false-discovery rate takes alarms away; the count stays above its range."""
    page = changed(
        "DELETE FROM weekly_signals WHERE method <> 'C1'",
        "UPDATE weekly_signals SET status = 'none', level = 'within'",
        f"UPDATE weekly_signals SET level = 'above' WHERE week = '{WEEK}' AND series = 'triage_level=emergency'",
    )
    assert "above the expected range, but no alarm" in page.text
    assert "Expected: above;" in " ".join(page.numbers["emergency"])
    assert "Expected: within;" in " ".join(page.numbers["reports"])


def test_more_alarms_than_fit_are_counted(changed: Callable[..., Page]) -> None:
    page = changed("UPDATE weekly_signals SET status = 'alarm', rank = 1 WHERE week = '2026-W46'")
    assert len(page.tables["alarms"]) == 1 + 15
    assert "26 more alarms are in the CSV." in page.text
    assert page.html.count("-days-title") == 2 * 3, "with the days of the three strongest"


# -------------------------------------------------------------------------------------------------- curves


def test_curves_show_the_counts_of_the_tables_and_one_methods_range(folder: Path, database: Path) -> None:
    rows = csv_rows(folder / "data/curves.csv")
    emergencies = dict(rows_of(database, "SELECT week, reports FROM weekly_triage WHERE triage_level = 'emergency'"))
    found = {row["week"]: row for row in rows if row["series"] == "triage_level=emergency"}
    assert {week: row["reports"] for week, row in found.items() if row["reports"]} == {
        week: str(count) for week, count in emergencies.items()
    }
    signals = rows_of(
        database,
        """SELECT week, expected::VARCHAR, upper::VARCHAR FROM weekly_signals
        WHERE series = 'triage_level=emergency' AND is_primary AND upper IS NOT NULL ORDER BY ALL""",
    )
    assert [(w, r["expected"], r["upper"]) for w, r in sorted(found.items()) if r["upper"]] == signals
    assert len(rows) == 26 * len({row["series"] for row in rows})


WHOSE = "Columns are the reports of senders that can be compared with their past"


def test_where_senders_are_left_out_the_curve_has_the_reports_that_its_range_is_about(
    changed: Callable[..., Page], page: Page, tmp_path: Path
) -> None:
    assert WHOSE not in page.text
    left_out = f"UPDATE weekly_signals SET observed = observed - 7 WHERE week = '{WEEK}' AND series = 'all'"
    assert WHOSE in changed(left_out).text
    (row,) = (
        row
        for row in csv_rows(tmp_path / f"reports/{WEEK}/data/curves.csv")
        if (row["series"], row["week"]) == ("all", WEEK)
    )
    assert int(row["reports"]) - int(row["observed"]) == 7
    not_judged = f"UPDATE weekly_signals SET upper = NULL WHERE week = '{WEEK}'"
    assert WHOSE not in changed(left_out, not_judged).text, "without a range the column is of everybody"


def test_table_and_curve_show_the_range_of_the_row_that_alarms(changed: Callable[..., Page], tmp_path: Path) -> None:
    """The row by which the week is judged, if it alarms too; else the other one: an alarm never lies in its range."""
    calm = "UPDATE weekly_signals SET status = 'none'"
    both = f"""INSERT INTO weekly_signals BY NAME SELECT '{WEEK}' AS week, DATE '2026-11-09' AS week_start,
        'region=harbour' AS series, 90 AS observed, 10 AS expected, {{}} AS upper, 0 AS lower, 'C{{}}' AS method,
        {{}} AS is_primary, '{{}}' AS status, {{}} AS rank"""
    for status, upper in (("alarm", "70.0"), ("none", "20.0")):
        rows = both.format(70, 1, "true", status, 2), both.format(20, 2, "false", "alarm", 1)
        page = changed(calm, "DELETE FROM weekly_signals WHERE series = 'region=harbour'", *rows)
        assert f"0 to {float(upper):.0f}" in page.tables["alarms"]["region=harbour"]
        curves = csv_rows(tmp_path / f"reports/{WEEK}/data/curves.csv")
        (shown_upper,) = (r["upper"] for r in curves if (r["series"], r["week"]) == ("region=harbour", WEEK))
        assert shown_upper == upper


def alarm_of(series: str) -> str:
    """SQL for an alarm this week."""
    return f"""INSERT INTO weekly_signals BY NAME SELECT '{WEEK}' AS week, DATE '2026-11-09' AS week_start,
        '{series}' AS series, 1 AS observed, 0 AS expected, 0.5 AS upper, 'C1' AS method, true AS is_primary,
        'alarm' AS status"""


def test_each_kind_of_series_is_counted_from_its_table(changed: Callable[..., Page], tmp_path: Path) -> None:
    kinds = {
        "cause_category=injury": "sum(reports) FROM weekly_causes WHERE cause_category = 'injury'",
        "likely_cause=cellulitis": "reports FROM weekly_causes WHERE likely_cause = 'cellulitis'",
        "region=harbour": "reports FROM weekly_regions WHERE region = 'harbour'",
        "region=harbour,triage_level=emergency": "emergency FROM weekly_regions WHERE region = 'harbour'",
    }
    rows: dict[str, dict[str, str]] = {}
    for few in (list(kinds)[:2], list(kinds)[2:]):  # three alarms are drawn
        changed("UPDATE weekly_signals SET status = 'none'", *map(alarm_of, few))
        curves = csv_rows(tmp_path / f"reports/{WEEK}/data/curves.csv")
        rows |= {row["series"]: row for row in curves if row["week"] == WEEK}
    for series, sql in kinds.items():
        ((expected,),) = rows_of(tmp_path / "summaries.duckdb", f"SELECT {sql} AND week = ?", WEEK)
        assert rows[series]["reports"] == str(expected)
        assert rows[series]["alarm"] == "True"


def test_a_series_of_no_known_kind_has_a_curve_without_counts(changed: Callable[..., Page]) -> None:
    page = changed(alarm_of("shoe_size=44"))
    assert "shoe_size=44" in page.tables["alarms"]


@pytest.mark.parametrize(
    ("series", "label"),
    [
        ("all", "All reports"),
        ("triage_level=emergency", "Emergency"),
        ("cause_category=injury", "Injury (group of causes)"),
        ("likely_cause=cellulitis", "Cellulitis"),
        ("likely_cause=old_cause", "Old cause"),
        ("likely_cause=undetermined", "Undetermined"),
        ("cause_category=undetermined", "Undetermined (group of causes)"),
        ("region=north", "Region north"),
        ("region=north,triage_level=emergency", "Emergency in region north"),
        ("nonsense", "nonsense"),
    ],
)
def test_series_in_words(series: str, label: str, pack: Pack) -> None:
    assert label_series(series, pack) == label


# ----------------------------------------------------------------------------------------------- revisions


def test_revisions_say_which_weeks_moved_by_how_much_and_why(page: Page, database: Path) -> None:
    ((reported, now),) = rows_of(
        database, "SELECT as_reported, as_known_now FROM weekly_revisions WHERE week = '2026-W45' AND series = 'all'"
    )
    cells = page.tables["revisions"]["2026-W45"]
    assert cells[1].endswith(f"{reported:,} → {now:,}")
    assert cells[2].endswith("as published")
    assert cells[-3] == "14"
    assert cells[-1] == "corrected records; late records"
    assert list(page.tables["revisions"])[1:] == ["2026-W45", "2026-W44"]
    assert (
        f"2 weeks published earlier have changed since, the latest 2026-W45: {reported:,} reports then, {now:,} now."
        in page.text
    )


def test_a_week_that_can_no_longer_be_compared_is_told_with_its_reason(changed: Callable[..., Page]) -> None:
    gone = "UPDATE weekly_revisions SET as_known_now = NULL, difference = NULL, reason = 'withdrawn file'"
    page = changed(f"{gone} WHERE week = '2026-W45'")
    assert "2026-W45: withdrawn file." in page.text


def test_weeks_that_were_cut_otherwise_are_not_said_to_have_changed(changed: Callable[..., Page]) -> None:
    """What weekly_revisions says of a week that was reported in another time zone or week system."""
    otherwise = """UPDATE weekly_revisions SET as_known_now = NULL, difference = NULL,
        reason = 'not compared: reported in mmwr weeks of time zone UTC' WHERE series = 'all'"""
    only_all = "DELETE FROM weekly_revisions WHERE series <> 'all'"
    page = changed(only_all, otherwise)
    assert "2 weeks published earlier were cut otherwise (time zone or week system) and cannot be" in page.text
    assert "changed since, the latest" not in page.text
    cells = page.tables["revisions"]["2026-W45"]
    assert cells[2].endswith(NONE), "nothing is known of the emergencies"
    one = changed(only_all, f"{otherwise} AND week = '2026-W45'")
    assert "1 week published earlier has changed since, the latest 2026-W44:" in one.text


def test_reasons_of_many_series_are_named_once(changed: Callable[..., Page]) -> None:
    page = changed("UPDATE weekly_revisions SET reason = 'late records, corrected records' WHERE series = 'all'")
    assert page.tables["revisions"]["2026-W45"][-1] == "corrected records; late records"


def test_a_revision_without_the_sum_of_all_is_named_without_it(changed: Callable[..., Page]) -> None:
    page = changed("DELETE FROM weekly_revisions WHERE series = 'all' OR series <> 'region=harbour'")
    assert "1 week published earlier has changed since, the latest 2026-W45." in page.text
    assert re.search(r"Region harbour: \d+ → \d+", page.tables["revisions"]["2026-W45"][-2])


def test_many_revised_weeks_are_cut_and_counted(changed: Callable[..., Page]) -> None:
    page = changed(
        "INSERT INTO weekly_revisions SELECT 'week ' || i, DATE '2026-06-01' + 7 * i::INTEGER, 'all', 1, 2, 1, 'late' "
        "FROM range(15) t(i)"
    )
    assert len(page.tables["revisions"]) == 1 + 12
    assert "5 more weeks are in the CSV." in page.text
    assert NONE not in page.tables["revisions"]["2026-W45"]


def test_a_week_without_signal_rows_is_not_said_to_be_judged(changed: Callable[..., Page]) -> None:
    page = changed(f"DELETE FROM weekly_signals WHERE week = '{WEEK}'")
    assert "whether this week is more than expected cannot be judged, no expected numbers are stored." in page.text
    assert "not judged against expected numbers yet" in page.text
    assert not re.search(r"counts? (could be )?judged|No alarm|within the expected", page.text)
