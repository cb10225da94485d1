"""What the report says of alarms, expected ranges and revisions: it follows from the tables and no further."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pipelines.pages.labels import series_label
from pipelines.report import write_report
from schemas.pack import Pack
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
    assert {cells[-1] for cells in shown_alarms.values()} == {"C1, C2, C3"}
    assert [row["series"] for row in csv_rows(folder / "data/alarms.csv")] == list(shown_alarms)
    assert f"{len(rows)} alarms, of " in page.text


def test_without_signals_the_page_is_complete_and_says_so(database: Path, tmp_path: Path, pack: Pack) -> None:
    summaries = make_summaries(tmp_path / "summaries.duckdb", Made(weeks=3, per_week=300, signals=False))
    folder = write_report(summaries, pack, tmp_path / "reports")
    page = page_of(folder)
    assert "Whether this week is more than expected has not been evaluated yet." in page.text
    assert "Not evaluated yet: no expected ranges are stored for this week." in page.text
    assert "No change of a published week is recorded among the last 26 weeks." in page.text
    assert any("not evaluated yet" in cell for cell in page.numbers["reports"])
    assert 'class="range"' not in page.html
    assert "has not been evaluated yet" in (folder / "report.md").read_text(encoding="utf-8")


def test_a_method_without_a_bound_of_counts_raises_no_alarm_of_its_own(changed: Callable[..., Page]) -> None:
    page = changed(RULED_OUT)
    assert "alarms" not in page.tables
    assert "No alarm: of 41 series judged, none is above its expected range." in page.text


def test_what_cannot_be_judged_is_counted_with_its_reason(changed: Callable[..., Page]) -> None:
    silent = (
        "UPDATE weekly_signals SET status = 'not_evaluable', expected = NULL, upper = NULL, p_value = NULL, rank = NULL"
    )
    some = changed(f"{silent}, reason = 'too few cases' WHERE series LIKE 'region=%,%'")
    assert "28 of 41 series could be judged" in some.text
    assert "Not judged: 13 series, too few cases." in some.text
    none = changed(f"{silent}, reason = 'incomplete reporting'")
    assert "Whether this week is more than expected cannot be judged: incomplete reporting." in none.text
    assert "cannot be judged: incomplete reporting" in " ".join(none.numbers["emergency"])
    assert "None of the 41 series can be judged against its own history." in none.text


@pytest.mark.parametrize(
    ("week", "said"),
    [
        (WEEK, "Not every expected source has reported for this week (b sent nothing): its numbers are not whole"),
        ("2026-W45", "Not every expected source has reported for the week before (b sent nothing): changes against it"),
    ],
)
def test_a_week_that_lacks_a_source_is_not_compared_without_a_word(
    changed: Callable[..., Page], page: Page, week: str, said: str
) -> None:
    assert "Not every expected source" not in page.text
    silent = "INSERT INTO weekly_sources BY NAME SELECT DISTINCT week, week_start, 'b' AS source, 'missing' AS state"
    text = changed(f"{silent} FROM weekly_triage WHERE week = '{week}'").text
    assert said in text
    assert "how many more or fewer cannot be said, as not every expected source has reported" in text
    assert re.search("(more|fewer) than the week before", page.text)
    assert not re.search("(more|fewer) than the week before", text), (
        "the mail and the digest have these sentences alone"
    )


@pytest.mark.parametrize(
    ("series", "said"), [(("all",), "1 is above its"), (("all", "region=harbour"), "2 are above their")]
)
def test_what_is_above_its_bound_without_an_alarm_is_not_said_to_be_within(
    changed: Callable[..., Page], series: tuple[str, ...], said: str
) -> None:
    """The false-discovery rate takes alarms away; the count stays above its bound."""
    names = ", ".join(f"'{name}'" for name in series)
    page = changed(
        "DELETE FROM weekly_signals WHERE method <> 'C1'",
        "UPDATE weekly_signals SET status = 'none', upper = observed, method = 'Farrington flexible, b=3'",
        f"UPDATE weekly_signals SET upper = observed - 1 WHERE week = '{WEEK}' AND series IN ({names})",
    )
    assert f"No alarm: of 41 series judged, {said} expected range, but none stands out among" in page.text
    assert "above its range, but no alarm among so many series" in " ".join(page.numbers["reports"])
    assert "within the expected range" in " ".join(page.numbers["emergency"])


def test_more_alarms_than_fit_are_counted(changed: Callable[..., Page]) -> None:
    page = changed("UPDATE weekly_signals SET status = 'alarm', rank = 1 WHERE week = '2026-W46'")
    assert len(page.tables["alarms"]) == 1 + 15
    assert "26 more alarms are in the CSV." in page.text
    assert page.html.count('id="curve-') == 2 * 6  # a title and a description each


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
        WHERE series = 'triage_level=emergency' AND method = 'C2' AND upper IS NOT NULL ORDER BY ALL""",
    )
    assert [(w, r["expected"], r["upper"]) for w, r in sorted(found.items()) if r["upper"]] == signals
    assert len(rows) == 26 * len({row["series"] for row in rows})


def test_a_curve_shows_the_range_of_the_method_that_alarms(changed: Callable[..., Page], tmp_path: Path) -> None:
    changed(
        "UPDATE weekly_signals SET status = 'none'",
        "UPDATE weekly_signals SET status = 'alarm', upper = 0.5 WHERE series = 'all' AND method = 'C1'",
    )
    rows = [r for r in csv_rows(tmp_path / f"reports/{WEEK}/data/curves.csv") if r["series"] == "all"]
    assert {row["upper"] for row in rows if row["upper"]} == {"0.5"}, "the table of alarms says C1, so does the curve"


def test_it_says_whose_range_is_shown_and_why_weeks_have_none(
    page: Page, folder: Path, changed: Callable[..., Page]
) -> None:
    assert "Range: C2. Without a range: 7 weeks, short history." in page.text
    assert "Farrington flexible needs three whole years of history, which this week does not have." in page.text
    later = changed(
        "UPDATE weekly_signals SET status = 'none' WHERE status = 'alarm'",
        "INSERT INTO weekly_signals BY NAME SELECT week, week_start, series, observed, reports, 11 AS expected, "
        "22 AS upper, 'Farrington flexible, b=3' AS method, 'none' AS status, 0.5 AS p_value "
        "FROM weekly_signals WHERE method = 'C1' AND week >= '2026-W45'",
    )
    assert "Range: Farrington flexible. Without a range: 7 weeks, short history; 6 weeks, judged by C2." in later.text
    assert "Method: Farrington flexible, on the same season of 3 years before." in later.text


def test_alarms_of_a_method_whose_range_is_not_shown_are_told(changed: Callable[..., Page]) -> None:
    page = changed(
        "UPDATE weekly_signals SET status = 'none' WHERE status = 'alarm'",
        """UPDATE weekly_signals SET status = 'alarm'
           WHERE series = 'all' AND method = 'C1' AND week IN ('2026-W44', '2026-W45')""",
    )
    assert "Range: C2. 2 alarms by C1 alone. Without a range: 7 weeks, short history." in page.text


def alarm_of(series: str) -> str:
    """SQL for an alarm this week."""
    return f"""INSERT INTO weekly_signals BY NAME SELECT '{WEEK}' AS week, DATE '2026-11-09' AS week_start,
        '{series}' AS series, 1 AS observed, 0 AS expected, 0.5 AS upper, 'C1' AS method, 'alarm' AS status"""


def test_each_kind_of_series_is_counted_from_its_table(changed: Callable[..., Page], tmp_path: Path) -> None:
    kinds = {
        "cause_category=injury": "sum(reports) FROM weekly_causes WHERE cause_category = 'injury'",
        "likely_cause=cellulitis": "reports FROM weekly_causes WHERE likely_cause = 'cellulitis'",
        "region=harbour": "reports FROM weekly_regions WHERE region = 'harbour'",
        "region=harbour,triage_level=emergency": "emergency FROM weekly_regions WHERE region = 'harbour'",
    }
    changed(
        "UPDATE weekly_signals SET status = 'none'",
        *map(alarm_of, kinds),
    )
    rows = {row["series"]: row for row in csv_rows(tmp_path / f"reports/{WEEK}/data/curves.csv") if row["week"] == WEEK}
    for series, sql in kinds.items():
        ((expected,),) = rows_of(tmp_path / "summaries.duckdb", f"SELECT {sql} AND week = ?", WEEK)
        assert rows[series]["reports"] == str(expected)
        assert rows[series]["alarm"] == "True"


def test_a_series_of_no_known_kind_has_a_curve_without_counts(changed: Callable[..., Page]) -> None:
    page = changed(alarm_of("shoe_size=44"))
    assert "shoe_size=44" in page.tables["alarms"]


def test_farrington_comes_before_ears_whatever_its_years(changed: Callable[..., Page], tmp_path: Path) -> None:
    changed(
        "UPDATE weekly_signals SET status = 'none'",
        "INSERT INTO weekly_signals BY NAME SELECT week, week_start, series, observed, reports, 11 AS expected, "
        "22 AS upper, 'Farrington flexible, b=' || (3 + month(week_start) % 2) AS method, 'none' AS status, "
        "0.5 AS p_value FROM weekly_signals WHERE series = 'all' AND method = 'C1'",
    )
    rows = [r for r in csv_rows(tmp_path / f"reports/{WEEK}/data/curves.csv") if r["series"] == "all" and r["reports"]]
    assert {row["upper"] for row in rows} == {"22.0"}


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
    assert series_label(series, pack) == label


# ------------------------------------------------------------------------------------- regions by week


def test_the_heat_map_marks_the_alarms_and_gaps_of_its_regions(folder: Path, page: Page, database: Path) -> None:
    drawn = (folder / "charts/regions-by-week.svg").read_text(encoding="utf-8")
    (alarms,) = rows_of(
        database,
        """SELECT count(DISTINCT (week, series)) FROM weekly_signals
        WHERE status = 'alarm' AND upper IS NOT NULL AND series LIKE 'region=%' AND series NOT LIKE '%,%'
        AND series <> 'region=unknown'""",
    )[0]
    assert drawn.count('class="alarm"') == alarms > 0
    assert drawn.count('class="gap"') == 12 * 11  # ten weeks before the first and one between
    ranges = {name: cells for name, cells in page.tables["ranges"].items() if name != "0"}
    rows = rows_of(
        database,
        "SELECT region, min(reports), max(reports) FROM weekly_regions WHERE region <> 'unknown' GROUP BY ALL",
    )
    assert {name: (cells[1], cells[3].split()[0]) for name, cells in ranges.items()} == {
        region: (shown(low), shown(high)) for region, low, high in rows
    }


# ----------------------------------------------------------------------------------------------- late data


def test_what_is_usually_late_is_said_of_a_week_that_may_still_grow(changed: Callable[..., Page]) -> None:
    page = changed(
        "UPDATE weekly_quality SET value = 0 WHERE measure = 'late_share' AND week >= '2026-W45'",
        "UPDATE weekly_quality SET value = 0.061 WHERE measure = 'late_share' AND week < '2026-W45'",
    )
    assert "Of an earlier week's reports, 6.1% came over 7 days late: this week may still grow." in page.text
    long_ago = changed(
        "UPDATE weekly_quality SET value = 0.061 WHERE measure = 'late_share'",
        "UPDATE about SET published_at = TIMESTAMPTZ '2026-12-15 06:00:00+00'",
    )
    assert "this week may still grow" not in long_ago.text


@pytest.mark.parametrize("where", ["week > '2026-W43'", "value > 2"])
def test_nothing_is_said_to_come_late_where_it_is_unknown_or_none(changed: Callable[..., Page], where: str) -> None:
    known = f"DELETE FROM weekly_quality WHERE measure = 'late_share' AND NOT ({where})"
    page = changed("UPDATE weekly_quality SET value = 0.061 WHERE measure = 'late_share'", known)
    assert "this week may still grow" not in page.text
    none = changed("UPDATE weekly_quality SET value = 0.004 WHERE measure = 'late_share'")
    assert "this week may still grow" not in none.text


# ----------------------------------------------------------------------------------------------- revisions


def test_revisions_say_which_weeks_moved_by_how_much_and_why(page: Page, database: Path) -> None:
    ((reported, now),) = rows_of(
        database, "SELECT as_reported, as_known_now FROM weekly_revisions WHERE week = '2026-W45' AND series = 'all'"
    )
    cells = page.tables["revisions"]["2026-W45"]
    assert cells[1].endswith(f"{reported:,} → {now:,}")
    assert cells[2].startswith("+7")
    assert cells[3].endswith("as published")
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
    assert cells[3].endswith(NONE), "nothing is known of the emergencies"
    assert cells[4] == NONE
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
    assert "Not evaluated yet: no expected ranges are stored for this week." in page.text
    assert "Whether this week is more than expected has not been evaluated yet." in page.text
    assert not re.search(r"series (could be )?judged|No alarm|as expected", page.text)
