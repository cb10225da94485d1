"""The weekly report: its numbers against the tables, its wording, its files. See also test_report_page."""

from __future__ import annotations

import csv
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pytest

from pipelines import files
from pipelines.errors import StateError, UsageError
from pipelines.pages.labels import LEVELS as LEVEL_LABELS
from pipelines.pages.labels import label_fields
from pipelines.pages.words import change, format_percent, format_share, format_span
from pipelines.report import folder as report_folder
from pipelines.report import write_report
from pipelines.report.quality import COUNT_MEASURES
from pipelines.report.sections.quality import FIELDS_SHOWN, REASONS_SHOWN
from pipelines.report.week import SINGLE_WEEK, TRENDS
from schemas.fields import AGE_BANDS, SEXES
from schemas.pack import Pack
from schemas.pack_file import load_pack
from tests.support.invented import BANDS, Made, make_summaries
from tests.support.pages import MINUS, NONE, Page, changed_page, page_of, rows_of, shown

WEEK, START = "2026-W46", date(2026, 11, 9)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_summaries(tmp_path_factory.mktemp("summaries") / "summaries.duckdb", Made(skipped=(5, 14, 15)))


@pytest.fixture(scope="module")
def folder(database: Path, pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(database, pack, tmp_path_factory.mktemp("home") / "reports")


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return page_of(folder)


@pytest.fixture
def changed_usual(database: Path, tmp_path: Path, pack: Pack) -> Callable[..., Page]:
    """The usual page after changing the summaries with SQL."""
    return partial(changed_page, database, tmp_path, pack)


@pytest.fixture
def made(tmp_path: Path, pack: Pack) -> Callable[[Made], Page]:
    """Makes summaries by a recipe, then the report of the latest week."""

    def make(recipe: Made, week: str = "latest") -> Page:
        summaries = make_summaries(tmp_path / "summaries.duckdb", recipe, pack)
        return page_of(write_report(summaries, pack, tmp_path / "reports", week))

    return make


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_summaries(tmp_path_factory.mktemp("small") / "summaries.duckdb", Made(weeks=3, per_week=300))


@pytest.fixture
def changed(small: Path, tmp_path: Path, pack: Pack) -> Callable[..., Page]:
    """Changes small summaries with SQL, then makes the report."""

    return partial(changed_page, small, tmp_path, pack)


# ------------------------------------------------------------------------------------- numbers equal tables


def test_key_numbers_are_the_sums_of_the_tables(page: Page, database: Path) -> None:
    of_days = "SELECT sum({}) FROM daily_summary WHERE report_date >= $start"
    for name, sql in {
        "reports": "SELECT sum(reports) FROM weekly_triage WHERE week = $week",
        "emergency": "SELECT reports FROM weekly_triage WHERE week = $week AND triage_level = 'emergency'",
        "contact_doctor": f"{of_days.format('reports')} AND triage_level = 'contact_doctor'",
        "unresolved": "SELECT sum(unresolved) FROM weekly_regions WHERE week = $week",
        "self_care": "SELECT sum(self_care) FROM weekly_regions WHERE week = $week",
        "serious_signs": of_days.format("serious_signs"),
        "severe_pain": of_days.format("severe_pain"),
        "could_be_emergency": f"""{of_days.format("reports")}
            AND triage_level <> 'emergency' AND triage_ceiling = 'emergency'""",
    }.items():
        key, value = ("start", START) if "$start" in sql else ("week", WEEK)
        ((now,),) = rows_of(database, sql, **{key: value})
        assert page.numbers[name][1].split()[0] == shown(now), name


def test_each_level_says_first_what_it_asks_of_the_patient(page: Page, folder: Path, pack: Pack) -> None:
    markdown = (folder / "report.md").read_text(encoding="utf-8")
    for level in ("emergency", "contact_doctor", "self_care"):
        assert page.numbers[level][2] == pack.actions[level]
        assert pack.actions[level] in markdown
    assert page.numbers["could_be_emergency"][2].startswith("Ask the open questions first.")
    assert page.numbers["unresolved"][2] == pack.actions["unresolved"].removesuffix(":") + "."


def test_key_numbers_stand_beside_the_week_before_as_it_was_at_the_same_age(page: Page, database: Path) -> None:
    ((before,),) = rows_of(
        database, "SELECT previous_so_far FROM weekly_nowcast WHERE week = ? AND series = 'all'", WEEK
    )
    assert f"Week before: {before:,}" in page.numbers["reports"][-2]
    assert "Week before" not in " ".join(page.numbers["severe_pain"])


@pytest.mark.parametrize(("upper", "said"), [(1.0, "below"), (1.1, "below so far")])
def test_a_week_of_which_reports_are_still_to_come_is_below_so_far(
    changed: Callable[..., Page], upper: float, said: str
) -> None:
    page = changed(
        f"UPDATE weekly_signals SET level = 'below', status = 'none' WHERE week = '{WEEK}'",
        f"UPDATE weekly_nowcast SET upper = reported_so_far * {upper}",
    )
    assert f"Expected: {said};" in " ".join(page.numbers["emergency"])
    assert ("range so far, and more reports are to come" in page.text) == (said == "below so far")


@pytest.mark.parametrize(
    "unlike",
    [
        "UPDATE weekly_nowcast SET reported_so_far = reported_so_far - 1, left_out = 'clinic_b'",
        """INSERT INTO weekly_sources BY NAME SELECT DISTINCT week, week_start, 'clinic_c' AS source,
        'missing' AS state, 0 AS reports, 9.0 AS usual, false AS joined FROM weekly_triage WHERE week = '2026-W45'""",
    ],
)
def test_counts_of_other_senders_do_not_stand_beside_each_other(changed: Callable[..., Page], unlike: str) -> None:
    assert "Week before: " in changed().numbers["reports"][-2]
    assert "Week before: " not in " ".join(changed(unlike).numbers["reports"])


def test_level_trend_and_the_year_before_stand_beside_every_count(pack: Pack, tmp_path: Path) -> None:
    """55 weeks: the week that begins 52 weeks before is covered."""
    summaries = make_summaries(tmp_path / "s.duckdb", Made(weeks=55, per_week=300), pack)
    page = page_of(write_report(summaries, pack, tmp_path / "reports"))
    causes = dict(rows_of(summaries, "SELECT likely_cause, reports FROM weekly_causes WHERE week = '2025-W46'"))
    regions = dict(rows_of(summaries, "SELECT region, reports FROM weekly_regions WHERE week = '2025-W46'"))
    assert {name: cells[-1] for name, cells in page.tables["causes"].items() if name in causes} == {
        name: shown(count) for name, count in causes.items()
    }
    counted = rows_of(summaries, "SELECT indicator, reports FROM weekly_indicators WHERE week = '2025-W46'")
    counted += rows_of(summaries, "SELECT triage_level, reports FROM weekly_triage WHERE week = '2025-W46'")
    counted += rows_of(summaries, "SELECT 'reports', sum(reports)::INT FROM weekly_triage WHERE week = '2025-W46'")
    said = {name: cells[-2] for name, cells in page.numbers.items()}
    assert said.keys() == dict(counted).keys()
    for name, count in counted:
        assert re.search(
            rf"Expected: (below|within|above).*Trend: .*(rising|falling|steady).*Year before: {count:,}\b", said[name]
        )
    assert {name: cells[-1] for name, cells in page.tables["regions"].items() if name in regions} == {
        name: shown(count) for name, count in regions.items()
    }
    judged = rows_of(
        summaries,
        """SELECT series[14:], max(level), max(trend) FILTER (is_primary),
        bool_or(status = 'alarm' AND upper IS NOT NULL) FROM weekly_signals
        WHERE week = ? AND series LIKE 'likely_cause=%' GROUP BY ALL""",
        WEEK,
    )
    assert len(judged) == 10
    for name, level, trend, alarm in judged:
        cells = page.tables["causes"][name]
        assert cells[-3] == ("above, alarm" if alarm else level)
        assert cells[-2].split()[-1] == trend
    without = Made(weeks=52, per_week=300)
    page = page_of(write_report(make_summaries(tmp_path / "t.duckdb", without, pack), pack, tmp_path / "other"))
    assert "Year before" not in page.tables["causes"]["0"], "a column of dashes says nothing"


def test_trend_table_shows_every_week_and_gaps_as_gaps(page: Page, database: Path) -> None:
    counts = dict(
        rows_of(database, "SELECT week, reports FROM weekly_triage WHERE triage_level = 'unresolved' ORDER BY 1")
    )
    rows = [row for row in page.tables["trend"].values() if row[0] != "Week"]
    assert [row[0] for row in rows if row[1] != NONE] == sorted(counts, reverse=True)
    assert {row[0]: row[3] for row in rows if row[1] != NONE} == {w: shown(n) for w, n in counts.items()}
    assert [row for row in rows if row[1] == NONE] == [
        ["31 Aug 2026", NONE, NONE, NONE, NONE],
        ["24 Aug 2026", NONE, NONE, NONE, NONE],
        ["22 Jun 2026", NONE, NONE, NONE, NONE],
    ]
    assert "3 of the 26 weeks are covered by no file" in page.text


def test_causes_equal_their_counts_leading_close_and_emergencies(page: Page, database: Path, pack: Pack) -> None:
    rows = rows_of(
        database,
        """SELECT likely_cause, sum(reports) FILTER (triage_level = 'emergency'), sum(reports),
        sum(reports) - sum(close_causes), sum(close_causes) FROM daily_summary WHERE report_date >= ? GROUP BY ALL""",
        START,
    )
    table = {name: cells for name, cells in page.tables["causes"].items() if name != "0"}
    for name, emergencies, reports, leading, close in rows:
        counts = [shown(emergencies), shown(reports)]
        counts += ["", ""] if name == "undetermined" else [shown(leading), shown(close)]
        assert table[name][1:5] == counts
    assert list(table)[:-1] == [*(cause.name for cause in pack.causes), "undetermined"]
    undetermined = next(row for row in rows if row[0] == "undetermined")
    leading, close = (sum(row[place] for row in rows if row is not undetermined) for place in (3, 4))
    assert list(table.values())[-1][3:5] == [shown(leading), shown(close)]
    assert f"one leads in {leading:,} reports" in page.text
    assert f"in {close:,} it cannot be told apart from another; {undetermined[2]:,} are undetermined" in page.text


def test_regions_equal_weekly_regions(page: Page, database: Path) -> None:
    rows = rows_of(
        database,
        """SELECT region, emergency, contact_doctor, unresolved, self_care, reports
        FROM weekly_regions WHERE week = ? ORDER BY region = 'unknown', reports DESC, region""",
        WEEK,
    )
    table = {name: cells for name, cells in page.tables["regions"].items() if name != "0"}
    assert list(table) == [row[0] for row in rows]
    assert {name: cells[2:7] for name, cells in table.items()} == {row[0]: list(map(shown, row[1:])) for row in rows}


def test_regions_above_their_range_are_counted(page: Page, database: Path) -> None:
    sql = """SELECT count(*) FILTER (level = 'above')::INTEGER, count(*) FROM weekly_signals
        WHERE week = ? AND is_primary AND level IS NOT NULL AND series LIKE 'region=%'
        AND series NOT LIKE 'region=unknown%' AND contains(series, ',') = ?"""
    ((above, judged),), ((urgent, _),) = (rows_of(database, sql, WEEK, narrowed) for narrowed in (False, True))
    said = f"{above or 'none'} of {judged} with all reports, {urgent or 'none'} with emergencies."
    said = f"Above their expected range: {said}"
    assert said in page.text


def test_emergencies_by_region_are_drawn_week_by_week(folder: Path, database: Path) -> None:
    rows = rows_of(
        database,
        """SELECT region FROM weekly_regions WHERE week = ? AND region <> 'unknown'
        ORDER BY emergency DESC, reports DESC, region LIMIT 10""",
        WEEK,
    )
    for place, (region,) in enumerate(rows, 1):
        drawn = (folder / f"charts/region-{place}.svg").read_text(encoding="utf-8")
        assert f">{region}: emergencies a week<" in drawn
        counts = dict(rows_of(database, "SELECT week, emergency FROM weekly_regions WHERE region = ?", region))
        hints = dict(re.findall(r'data-week="([^"]+)"><title>[^<]*?Emergencies: ([0-9,]+)<', drawn))
        assert hints == {week: f"{count:,}" for week, count in counts.items()}


def test_rates_stand_beside_regions_that_have_a_denominator_and_no_other(
    changed_usual: Callable[..., Page],
) -> None:
    page = changed_usual(
        f"""INSERT INTO weekly_rates SELECT week, week_start, region, NULL, true, 'population', 50000, reports,
        emergency, reports * 2.0, emergency * 2.0 FROM weekly_regions WHERE week = '{WEEK}' AND region = 'harbour'"""
    )
    cells = page.tables["regions"]["harbour"]
    emergencies, reports = (float(cells[place].replace(",", "")) for place in (2, 6))
    assert [float(cell.replace(",", "")) for cell in cells[-2:]] == [2 * emergencies, 2 * reports]
    assert page.tables["regions"]["island"][-2:] == [NONE, NONE]
    assert "Rates are per 100,000 of the region's population" in page.text


def test_age_and_sex_equal_weekly_demographics(page: Page, database: Path) -> None:
    rows = rows_of(database, "SELECT age_band, sex, reports FROM weekly_demographics WHERE week = ?", WEEK)
    counts = {(band, sex): shown(n) for band, sex, n in rows}
    table = [row for row in page.tables["people"].values() if row[0] in BANDS]
    assert [row[0] for row in table] == [*reversed(AGE_BANDS), "unknown"]
    assert [row[1:] for row in table] == [[counts[row[0], sex] for sex in SEXES] for row in table]


def test_ages_and_sexes_that_nobody_told_are_one_sentence_and_no_empty_drawing(
    changed: Callable[..., Page], page: Page
) -> None:
    said = "No report of this week tells age or sex."
    assert said not in page.text
    unknown = changed("UPDATE weekly_demographics SET age_band = 'unknown', sex = 'unknown'")
    assert said in unknown.text
    assert "people" not in unknown.tables


def test_a_cause_without_a_report_in_all_weeks_is_named_and_not_drawn(changed: Callable[..., Page], page: Page) -> None:
    assert "No report in these 26 weeks" not in page.text
    never = changed("UPDATE weekly_causes SET reports = 0 WHERE likely_cause = 'varicose_veins'")
    assert "No report in these 26 weeks: Varicose veins." in never.text


def test_rules_equal_weekly_rules_and_say_why(page: Page, database: Path, pack: Pack) -> None:
    fired = dict(rows_of(database, "SELECT rule_id, reports FROM weekly_rules WHERE week = ?", WEEK))
    for rule in pack.triage:
        if not fired[rule.id]:
            assert rule.id not in page.tables["rules"]
            continue
        cells = page.tables["rules"][rule.id]
        assert cells[0] == f"{rule.sentence} {rule.basis} {rule.reference}"
        assert cells[2] == shown(fired[rule.id])
    levels = [cells[1] for cells in page.tables["rules"].values()][1:]
    assert levels == ["Emergency"] * 3 + ["Contact a doctor"] * 12


def test_unanswered_equal_weekly_missing_answers(page: Page, database: Path) -> None:
    rows = rows_of(
        database,
        """SELECT field, unresolved, settles, reports FROM weekly_missing_answers WHERE week = ? AND reports > 0
        ORDER BY unresolved DESC, reports DESC, field""",
        WEEK,
    )
    table = {name: cells[2:5] for name, cells in page.tables["unanswered"].items() if name != "0"}
    assert table == {name: list(map(shown, counts)) for name, *counts in rows[:8]}
    assert list(table) == [row[0] for row in rows[:8]]
    assert f"{len(rows) - 8} more questions are in the CSV." in page.text


def test_quality_equals_weekly_quality(page: Page, database: Path) -> None:
    values = {
        (source, measure): value
        for source, measure, value in rows_of(
            database,
            "SELECT source, measure, value FROM weekly_quality WHERE week = ? AND item IS NULL",
            WEEK,
        )
    }
    for source in ("canonical", "clinic_b"):
        cells = page.tables["quality"][source]
        counts = [shown(int(values[source, name])) for name in COUNT_MEASURES]
        assert cells[3:11] == counts
        assert cells[11:] == [
            f"{values[source, 'median_delay_days']:.1f}",
            format_percent(values[source, "late_share"]),
        ]
    read = sum(value for (_, name), value in values.items() if name == "rows_read")
    assert page.tables["quality"]["3"][5] == shown(int(read))
    assert "Every row read is accounted for" in page.text


def test_completeness_is_weighted_by_the_reports_of_each_source(page: Page, database: Path) -> None:
    rows = rows_of(
        database,
        """SELECT item, sum(value * n) / sum(n) FROM weekly_quality JOIN (SELECT source, sum(reports) AS n
        FROM daily_summary WHERE report_date >= ? GROUP BY 1) USING (source) WHERE week = ? AND measure = 'completeness'
        GROUP BY 1 ORDER BY 2 LIMIT 1""",
        START,
        WEEK,
    )
    ((item, share_answered),) = rows
    label = label_fields(load_pack())[item]
    assert f"{label} {format_percent(share_answered)}" in re.sub(r"\s+", " ", page.text)


def test_a_source_without_reports_this_week_weighs_nothing_in_completeness(
    changed: Callable[..., Page],
) -> None:
    ghost = f"""INSERT INTO weekly_quality SELECT DISTINCT week, week_start, 'ghost' || i, 'completeness', item, 0.0
        FROM weekly_quality, range(300) t(i) WHERE week = '{WEEK}' AND measure = 'completeness'"""
    after = [changed(*some).text.split("the least complete first", 1)[1] for some in ((), (ghost,))]
    told = [re.findall(r"(\d+%)", text)[:FIELDS_SHOWN] for text in after]
    assert len(told[0]) == FIELDS_SHOWN
    assert told[0] == told[1]


def test_the_least_complete_answer_stands_first(page: Page, database: Path) -> None:
    rows = rows_of(
        database,
        """SELECT item, value, n FROM weekly_quality JOIN (SELECT source, sum(reports) AS n FROM daily_summary
        WHERE report_date >= ? GROUP BY 1) USING (source) WHERE week = ? AND measure = 'completeness'""",
        START,
        WEEK,
    )
    weights: dict[str, list[tuple[float, int]]] = {}
    for item, value, reports in rows:
        weights.setdefault(item, []).append((value, reports))
    shares = {item: sum(v * n for v, n in of) / sum(n for _, n in of) for item, of in weights.items()}
    assert len({round(share, 3) for share in shares.values()}) > 5, "an order of equals would prove nothing"
    after = re.sub(r"\s+", " ", page.text).split("the least complete first", 1)[1]
    told = re.findall(r"(\d+%)", after)[:FIELDS_SHOWN]
    assert told == [format_percent(share) for share in sorted(shares.values())[:FIELDS_SHOWN]]


def test_the_quality_trend_ends_with_this_weeks_late_share(page: Page, folder: Path) -> None:
    with (folder / "data/quality_trend.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["week"], row["measure"]): float(row["share"]) for row in csv.DictReader(file)}
    assert format_percent(rows[WEEK, "late_share"]) == page.tables["quality"]["3"][-1]
    assert len(rows) == 2 * 23
    drawn = (folder / "charts/late-reports.svg").read_text(encoding="utf-8")
    assert f"Percent: {round(100 * rows['2026-W21', 'late_share'])}<" in drawn
    given = (folder / "charts/answers-given.svg").read_text(encoding="utf-8")
    assert f"Percent: {round(100 * rows[WEEK, 'completeness'])}<" in given


def test_rows_are_counted_of_the_files_that_end_this_week_and_said_to_be(page: Page, database: Path) -> None:
    """They bring reports of other weeks: without these words, rows and reports of the week contradict each other."""
    ((bad, read),) = rows_of(
        database,
        f"""SELECT sum(value) FILTER (measure = 'rows_quarantined')::INT, sum(value) FILTER (measure = 'rows_read')::INT
        FROM weekly_quality WHERE week = '{WEEK}'""",
    )
    assert f"{bad:,} rows of {read:,} set aside in this week's files" in page.text


def test_quarantine_reasons_are_summed_over_sources(page: Page, database: Path) -> None:
    rows = rows_of(
        database,
        """SELECT item, sum(value)::BIGINT FROM weekly_quality
        WHERE week = ? AND measure = 'quarantine_reason' GROUP BY 1 ORDER BY 2 DESC""",
        WEEK,
    )
    table = {name: cells[2] for name, cells in page.tables["reasons"].items() if name != "0"}
    assert table == {item: shown(cells) for item, cells in rows}


def test_the_charts_draw_the_numbers_of_the_tables(folder: Path, database: Path) -> None:
    """Every week's hint in the SVG carries its counts; uncovered weeks have none."""
    chart = (folder / "charts/triage.svg").read_text(encoding="utf-8")
    hints = re.findall(r'data-week="([^"]+)"><title>([^<]+)</title>', chart)
    rows = rows_of(database, "SELECT week, triage_level, reports FROM weekly_triage")
    assert [week for week, _ in hints] == sorted({week for week, _, _ in rows})
    for week, level, reports in rows:
        assert f"{LEVEL_LABELS[level]}: {reports:,}" in dict(hints)[week]


# --------------------------------------------------------------------------------------------------- files


def test_every_csv_equals_its_table(folder: Path, database: Path) -> None:
    first = START - timedelta(weeks=25)
    for table in (*TRENDS, *SINGLE_WEEK):
        with duckdb.connect(str(database), read_only=True) as db:
            start = first if table in TRENDS else START
            found = db.execute(f"SELECT * FROM {table} WHERE week_start >= ?", [start])
            columns = [column[0] for column in found.description or ()]
            expected = [["" if value is None else str(value) for value in row] for row in found.fetchall()]
        with (folder / f"data/{table}.csv").open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        assert header == columns
        assert sorted(rows) == sorted(expected)
        assert rows or table == "weekly_rates", "there are no denominators"


def test_the_key_numbers_are_a_csv_too(folder: Path, page: Page) -> None:
    with (folder / "data/key_numbers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == list(page.numbers)
    assert [shown(int(row["reports"])) for row in rows] == [cells[1].split()[0] for cells in page.numbers.values()]


def test_svg_files_are_well_formed_and_described(folder: Path) -> None:
    files = sorted((folder / "charts").iterdir())
    with (folder / "data/curves.csv").open(encoding="utf-8", newline="") as file:
        curves = {row["series"] for row in csv.DictReader(file)}
    by_day_of_alarms = 3
    assert len(files) == 8 + len(curves) + by_day_of_alarms + 1 + 10 + 10 + 2 + 1
    for file in files:
        root = ElementTree.fromstring(file.read_text(encoding="utf-8"))
        texts = {child.tag.split("}")[1]: child.text for child in root}
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert texts["title"]
        assert texts["desc"]
        assert "var(" not in (texts["style"] or "")


def test_the_page_is_one_file_without_any_address_or_script(page: Page, folder: Path) -> None:
    assert "://" not in page.html
    assert not re.search(r"<script|@import|url\((?!#)|\bsrc=|javascript:|\son\w+=", page.html, re.IGNORECASE)
    links = set(re.findall(r'href="([^"]+)"', page.html))
    assert links - {"data:,"} == {link for link in links if link.startswith(("#", "data/"))}
    assert all((folder / link).is_file() for link in links if link.startswith("data/"))
    ids = re.findall(r'\sid="([^"]+)"', page.html)
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)


def test_the_same_input_gives_the_same_bytes(database: Path, pack: Pack, folder: Path, tmp_path: Path) -> None:
    again = write_report(database, pack, tmp_path / "reports", WEEK)
    assert _bytes(again) == _bytes(folder)
    assert _bytes(write_report(database, pack, tmp_path / "reports", WEEK)) == _bytes(folder)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_umask")
@pytest.mark.parametrize("_umask", [0, 0o277], indirect=True)
def test_files_are_private_whatever_the_umask(database: Path, pack: Pack, tmp_path: Path) -> None:
    folder = write_report(database, pack, tmp_path / "reports")
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_a_failed_write_leaves_the_old_report(
    database: Path, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "reports"
    before = _bytes(write_report(database, pack, out))

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipelines.files.os.fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_report(database, pack, out)
    monkeypatch.undo()
    assert _bytes(out / WEEK) == before
    assert _bytes(write_report(database, pack, out)) == before
    assert [path.name for path in out.iterdir()] == [WEEK]


def test_a_run_killed_between_the_two_renames_is_mended(
    database: Path, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "reports"
    folder = write_report(database, pack, out)
    before = _bytes(folder)
    folder.rename(files._name_old(folder))
    monkeypatch.setattr(report_folder, "write_private", _raise_disk_error)
    with pytest.raises(OSError, match="disk"):
        write_report(database, pack, out)
    assert _bytes(folder) == before


def _raise_disk_error(*_: object) -> None:
    raise OSError("disk")


def test_a_new_report_replaces_the_folder_as_a_whole(database: Path, pack: Pack, tmp_path: Path) -> None:
    folder = write_report(database, pack, tmp_path / "reports")
    gone = folder / "charts" / "cause-of-an-older-pack.svg"
    gone.write_text("<svg/>")
    files.mark_folder(folder)
    assert not (write_report(database, pack, tmp_path / "reports") / "charts" / gone.name).exists()


def test_a_folder_in_which_somebody_put_a_file_is_left_as_it_is(database: Path, pack: Pack, tmp_path: Path) -> None:
    folder = write_report(database, pack, tmp_path / "reports")
    (folder / "charts" / "mine.svg").write_text("<svg/>")
    before = _bytes(folder)
    with pytest.raises(UsageError, match=r"holds charts/mine\.svg, which calfwatch did not put there"):
        write_report(database, pack, tmp_path / "reports")
    assert _bytes(folder) == before


# ------------------------------------------------------------------------------------------ weeks and gaps


def test_the_first_week_ever_has_nothing_to_compare_with(made: Callable[..., Page]) -> None:
    page = made(Made(weeks=1, per_week=200))
    assert "Week before" not in " ".join(cell for cells in page.numbers.values() for cell in cells)
    assert "The week before" not in page.text.split("Key numbers, and")[0]
    assert "whether that is more than expected cannot be judged yet" in page.text


def test_a_past_week_shows_that_week_and_nothing_later(made: Callable[..., Page], tmp_path: Path) -> None:
    page = made(Made(weeks=4, per_week=200), "2026-W44")
    assert "week 2026-W44 26 Oct to 1 Nov 2026" in page.text
    assert "2026-W45" not in page.html
    (expected,) = rows_of(
        tmp_path / "summaries.duckdb", "SELECT sum(reports) FROM weekly_triage WHERE week = '2026-W44'"
    )
    assert page.numbers["reports"][1] == shown(expected[0])


def test_latest_is_the_last_complete_week_and_a_running_one_says_so(made: Callable[..., Page]) -> None:
    running = Made(weeks=3, per_week=100, complete=False)
    notice = "This week is not complete yet"
    assert "week 2026-W45" in made(running).text
    assert notice not in made(running).text
    assert notice in made(running, "2026-W46").text


def test_a_week_covered_with_no_report_at_all_is_zero_and_no_gap(changed: Callable[..., Page]) -> None:
    page = changed(
        "UPDATE weekly_triage SET reports = 0, share = 0, could_be_emergency = 0 WHERE week = '2026-W46'",
        "UPDATE weekly_indicators SET reports = 0, observed = 0 WHERE week = '2026-W46'",
        "DELETE FROM daily_summary WHERE report_date >= DATE '2026-11-09'",
    )
    assert page.numbers["reports"][1] == "0"
    assert "Emergencies: no report met an emergency criterion." in page.text
    assert "No other report could still turn out to be an emergency." in page.text


def test_empty_tables_do_not_break_the_page(changed: Callable[..., Page]) -> None:
    tables = [*SINGLE_WEEK, "weekly_regions", "weekly_indicators", "weekly_revisions", "weekly_causes", "daily_summary"]
    page = changed(*(f"DELETE FROM {table}" for table in tables))
    for words in ("No regions are", "No criteria are", "No causes are", "No open answer", "Nothing is recorded"):
        assert words in page.text
    assert "whether this week is more than expected cannot be judged" in page.text
    assert "No change of a published week is recorded" in page.text
    assert page.numbers["severe_pain"][1] == "0 0%"


# --------------------------------------------------------------------------------------- sizes and hostility


def test_one_report_makes_no_percentages(made: Callable[..., Page]) -> None:
    page = made(Made(weeks=1, per_week=1, sources=("canonical",), rejected=0))
    assert page.numbers["reports"][1] == "1"
    before_quality = page.text.split("Data quality Files count")[0]
    assert "%" not in before_quality
    assert "Data:" not in page.text, "nothing was rejected or set aside"


def test_of_400_regions_the_largest_are_shown_and_the_rest_counted(made: Callable[..., Page], tmp_path: Path) -> None:
    names = tuple(f"district_{i:03}" for i in range(400))
    page = made(Made(weeks=2, per_week=4000, regions=names))
    rows = rows_of(
        tmp_path / "summaries.duckdb",
        """SELECT region, reports FROM weekly_regions WHERE week = '2026-W46' AND region <> 'unknown'
        ORDER BY reports DESC, region""",
    )
    table = [name for name in page.tables["regions"] if name not in ("0", "unknown")]
    assert table == [region for region, _ in rows[:20]]
    more = sum(n for _, n in rows[20:])
    assert f"{len(rows) - 20} more regions with {more:,} reports together are in the CSV." in page.text
    with (tmp_path / "reports/2026-W46/data/weekly_regions.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) >= len(rows)


EVIL = "<script>alert(1)</script>&\"'"


def test_values_with_markup_are_text(tmp_path: Path, pack: Pack) -> None:
    evil = replace(
        pack,
        disclaimer=f"{EVIL}d",
        notes=(f"{EVIL}n",),
        causes=tuple(replace(cause, label=f"{EVIL}{cause.name}") for cause in pack.causes),
        triage=tuple(replace(rule, sentence=f"{EVIL}{rule.id}") for rule in pack.triage),
        fields=tuple(replace(field, label=f"{EVIL}{field.name}") for field in pack.fields),
    )
    recipe = Made(weeks=2, per_week=300, regions=(EVIL, "x" * 300), sources=(EVIL,))
    summaries = make_summaries(tmp_path / "summaries.duckdb", recipe, evil)
    folder = write_report(summaries, evil, tmp_path / "reports")
    page = page_of(folder)
    assert "<script" not in page.html
    assert EVIL in page.tables["regions"]
    assert EVIL in page.tables["quality"]
    assert page.text.count("alert(1)") > 20
    for file in (folder / "charts").iterdir():
        root = ElementTree.fromstring(file.read_text(encoding="utf-8"))
        assert not [node for node in root.iter() if node.tag.endswith("script")]


def test_a_rule_and_a_cause_of_another_pack_are_shown_by_name(changed: Callable[..., Page]) -> None:
    page = changed(
        "UPDATE weekly_rules SET rule_id = 'doctor_of_old' WHERE rule_id = 'doctor_severe_pain'",
        "UPDATE weekly_rules SET rule_id = 'doctor_of_old' WHERE rule_id LIKE 'doctor%' AND reports = "
        "(SELECT max(reports) FROM weekly_rules)",
        "UPDATE weekly_causes SET likely_cause = 'old_cause' WHERE likely_cause = 'cellulitis'",
        "UPDATE about SET rule_pack = 'calf_pain-0-00000000'",
        "UPDATE weekly_missing_answers SET field = 'old_field', unresolved = 9999 WHERE field = 'fever'",
    )
    assert "doctor_of_old is not in this rule pack" in page.text
    assert "Old cause" in page.text
    assert "Old field" in page.text
    assert "The records were tagged with rule pack calf_pain-0-00000000" in page.text


def test_rows_that_do_not_add_up_are_said(changed: Callable[..., Page]) -> None:
    page = changed("UPDATE weekly_quality SET value = value + 1 WHERE measure = 'rows_read'")
    assert "The rows do not add up" in page.text
    assert "Every row read is accounted for" not in page.text


def test_many_quarantine_reasons_are_cut_and_counted(changed: Callable[..., Page]) -> None:
    page = changed(
        "INSERT INTO weekly_quality SELECT '2026-W46', DATE '2026-11-09', 'canonical', 'quarantine_reason', "
        "'column_' || i || ': check', i FROM range(1, 21) t(i)"
    )
    assert len(page.tables["reasons"]) == 1 + REASONS_SHOWN
    assert re.search(r"\d+ more reasons are in the CSV", page.text)


# -------------------------------------------------------------------------------------------- what is said


def test_home_care_is_in_one_block_for_causes_that_self_care_reports_have(
    changed: Callable[..., Page], pack: Pack
) -> None:
    """None for a cause that no self-care report has, for one that is serious, or where every one has serious signs."""
    page = changed(
        "UPDATE daily_summary SET triage_level = 'contact_doctor' WHERE likely_cause = 'muscle_cramp'",
        "UPDATE daily_summary SET serious_signs = reports WHERE likely_cause = 'varicose_veins'",
    )
    assert page.text.count("Home care: for self-care reports alone") == 1
    home_care = page.text.split("Home care: for self-care reports alone")[1].split("What doctors do")[0]
    before = page.text.split("Home care: for self-care reports alone")[0]
    for entry in pack.guidance:
        if entry.kind != "self_care" or entry.cause == "any":
            continue
        shown_for = entry.cause not in {"muscle_cramp", "varicose_veins", *pack.serious_causes}
        alone = not any(entry.text == other.text for other in pack.guidance if other.cause != entry.cause)
        assert (entry.text in home_care) is shown_for or not alone, entry
        assert entry.text not in before


def test_the_notes_the_disclaimer_and_the_versions_are_on_the_page(page: Page, pack: Pack) -> None:
    assert page.text.count(pack.disclaimer) == 3
    assert all(note in page.text for note in pack.notes)
    for words in (
        pack.version,
        pack.article,
        "calfwatch 0.1.0",
        "2026-11-17 06:30 (Europe/Berlin)",
        "ISO weeks",
    ):
        assert words in page.text


def test_messages_follow_from_the_numbers(page: Page, database: Path) -> None:
    counts = dict(rows_of(database, "SELECT triage_level, reports FROM weekly_triage WHERE week = ?", WEEK))
    could = dict(rows_of(database, "SELECT triage_level, could_be_emergency FROM weekly_triage WHERE week = ?", WEEK))
    assert f"Emergencies: {counts['emergency']:,} of {sum(counts.values()):,} reports" in page.text
    parts = f"{could['contact_doctor']:,} now contact a doctor, {could['unresolved']:,} now unresolved."
    assert f"could still be emergencies, as answers are missing: {parts}" in page.text
    ((so_far, final, lower, upper, before),) = rows_of(
        database,
        """SELECT reported_so_far, expected_final, lower, upper, previous_so_far FROM weekly_nowcast
        WHERE week = ? AND series = 'all'""",
        WEEK,
    )
    assert f"{so_far:,} reports so far; about {final:,.0f} are expected in the end ({lower:,.0f} to {upper:,.0f})" in (
        page.text
    )
    assert f"The week before stood at {before:,} at the same age; which will have more in the end is not clear" in (
        page.text
    )
    ((serious,),) = rows_of(database, "SELECT sum(serious_signs) FROM daily_summary WHERE report_date >= ?", START)
    assert f"{serious} self-care reports have signs that can belong to a serious cause" in page.text
    assert "Data: 2 files rejected;" in page.text


@pytest.mark.parametrize("change", ["more", "fewer", "not clear"])
def test_more_or_fewer_is_said_only_as_the_nowcast_has_it(changed: Callable[..., Page], change: str) -> None:
    page = changed(f"UPDATE weekly_nowcast SET change = '{change}'")
    for word in ("more", "fewer"):
        assert (f"in the end this week will have {word}" in page.text) is (word == change)
    assert ("which will have more in the end is not clear" in page.text) is (change == "not clear")
    short = changed("UPDATE weekly_nowcast SET expected_final = NULL, reason = 'short history'")
    assert "how many more will come cannot be told (short history)" in short.text


def test_the_body_is_in_words_of_the_house_and_not_of_statistics(page: Page) -> None:
    body = page.text.split("Method A blank answer")[0]
    assert len(body) > 5000
    assert re.findall(r"\b(series|C1|C2|EARS|ceiling|Farrington|p-value|primary)\b", body) == []
    assert "EARS C1" in page.text.split("Method A blank answer")[1]


def test_an_assessment_written_before_stands_on_the_page_with_name_and_time(
    changed: Callable[..., Page], page: Page
) -> None:
    assert "None was written before this week was published." in page.text
    written = f"""INSERT INTO assessments VALUES ('{WEEK}', 'A. Example', 'ext. 1', 'It is the heat.',
        TIMESTAMPTZ '2026-11-16 07:00:00+00')"""
    text = changed(written).text
    assert "It is the heat. (A. Example, 2026-11-16 08:00 Europe/Berlin; contact: ext. 1)" in text
    assert "None was written" not in text


def test_a_signature_is_shown_and_an_unsigned_pack_says_so(
    changed: Callable[..., Page], page: Page, pack: Pack
) -> None:
    assert f"Rule pack {pack.version} is not signed" in page.text
    signed = f"INSERT INTO signatures VALUES ('{pack.version}', 'A. Example', 'lead', DATE '2026-11-01', now())"
    assert f"Rule pack {pack.version} is signed by A. Example (lead) on 2026-11-01" in changed(signed).text


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [
        (7, 100, "7.0%"),
        (0, 100, "0%"),
        (100, 100, "100%"),
        (999, 1000, ">99%"),
        (1, 10_000, "<0.1%"),
        (99, 1000, "9.9%"),
        (9949, 100_000, "9.9%"),
        (9951, 100_000, "10%"),
        (1, 3, ""),
        (49, 49, ""),
        (0, 0, ""),
        (None, 100, ""),
    ],
)
def test_shares_are_as_precise_as_they_deserve(part: int | None, whole: int, words: str) -> None:
    assert format_share(part, whole) == words


@pytest.mark.parametrize(
    ("now", "before", "words"),
    [
        (1200, 1000, "+200 (+20%)"),
        (900, 1000, f"{MINUS}100 ({MINUS}10%)"),
        (6, 3, "+3"),
        (0, 49, f"{MINUS}49"),
        (0, 50, f"{MINUS}50 ({MINUS}100%)"),
        (5000, 50, "+4,950 (+9,900%)"),
        (1001, 1000, "+1"),
        (5, 5, "±0"),
        (5, 0, "+5"),
        (5, None, NONE),
    ],
)
def test_changes(now: int, before: int | None, words: str) -> None:
    assert change(now, before) == words


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (date(2026, 11, 9), "9 to 15 Nov 2026"),
        (date(2026, 9, 28), "28 Sep to 4 Oct 2026"),
        (date(2026, 12, 28), "28 Dec 2026 to 3 Jan 2027"),
    ],
)
def test_spans_of_dates(first: date, words: str) -> None:
    assert format_span(first, first + timedelta(days=6)) == words


# ------------------------------------------------------------------------------------------------- mistakes


def test_an_unknown_week_names_the_covered_ones(database: Path, pack: Pack, tmp_path: Path) -> None:
    for week in ("2027-W01", "../../etc", "2026-W26", ""):
        with pytest.raises(UsageError, match=r"23 covered weeks, 2026-W21 to 2026-W46.*--week 2026-W46"):
            write_report(database, pack, tmp_path / "reports", week)
    assert not (tmp_path / "reports").exists()


def test_without_summaries_it_says_how_to_make_them(pack: Pack, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no summaries yet.*calfwatch run"):
        write_report(tmp_path / "none.duckdb", pack, tmp_path / "reports")


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DELETE FROM about", "summaries are empty"),
        ("DELETE FROM weekly_triage", "hold no week yet"),
        ("UPDATE about SET latest_week = NULL", "no week is complete yet.*--week 2026-W46"),
    ],
)
def test_summaries_without_a_week(changed: Callable[..., Page], statement: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        changed(statement)


def test_a_damaged_file_is_no_traceback(pack: Pack, tmp_path: Path) -> None:
    damaged = tmp_path / "summaries.duckdb"
    damaged.write_bytes(b"not a database" * 1000)
    with pytest.raises(StateError, match=r"cannot be opened.*publishes it anew"):
        write_report(damaged, pack, tmp_path / "reports")


def test_reading_changes_nothing(database: Path, pack: Pack, tmp_path: Path) -> None:
    before = database.read_bytes()
    write_report(database, pack, tmp_path / "reports")
    assert database.read_bytes() == before
