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
from pipelines.pages.words import change, percent, share, span
from pipelines.report import folder as report_folder
from pipelines.report import write_report
from pipelines.report.quality import COUNT_MEASURES
from pipelines.report.quality_section import REASONS_SHOWN
from pipelines.report.week import SINGLE_WEEK, TRENDS
from schemas.fields import AGE_BANDS, SEXES
from schemas.pack import Pack
from tests.support.invented import BANDS, Made, make_summaries
from tests.support.pages import MINUS, NONE, Page, changed_page, page_of, rows_of, shown, signed

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
    of_week = "FROM weekly_triage WHERE week = $week"
    of_days = "FROM daily_summary WHERE report_date >= $start"
    for name, sql in {
        "reports": f"SELECT sum(reports), sum(previous_week) {of_week}",
        "emergency": f"SELECT reports, previous_week {of_week} AND triage_level = 'emergency'",
        "contact_doctor": f"SELECT sum(reports), NULL {of_days} AND triage_level = 'contact_doctor'",
        "unresolved": "SELECT sum(unresolved), NULL FROM weekly_regions WHERE week = $week",
        "severe_pain": f"SELECT sum(severe_pain), NULL {of_days}",
        "could_be_emergency": f"""SELECT sum(reports), NULL {of_days}
            AND triage_level <> 'emergency' AND triage_ceiling = 'emergency'""",
    }.items():
        key, value = ("start", START) if "$start" in sql else ("week", WEEK)
        now, before = rows_of(database, sql, **{key: value})[0]
        assert page.numbers[name][1].split()[0] == shown(now)
        assert before is None or page.numbers[name][2].split()[1] == signed(now - before)


def test_key_numbers_compare_with_the_week_before(page: Page, database: Path) -> None:
    severe = "SELECT sum(severe_pain) FROM weekly_regions WHERE week = ?"
    now, before = (rows_of(database, severe, week)[0][0] for week in (WEEK, "2026-W45"))
    assert page.numbers["severe_pain"][2].split()[1] == signed(now - before)


def test_triage_table_equals_weekly_triage(page: Page, database: Path) -> None:
    rows = rows_of(database, "SELECT triage_level, reports, share FROM weekly_triage WHERE week = ?", WEEK)
    assert len(rows) == 4
    for level, reports, part in rows:
        cells = page.tables["triage"][level]
        assert cells[1:3] == [shown(reports), percent(part)]


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


def test_causes_equal_weekly_causes(page: Page, database: Path, pack: Pack) -> None:
    rows = rows_of(database, "SELECT likely_cause, reports FROM weekly_causes WHERE week = ?", WEEK)
    assert {name: cells[1].split()[0] for name, cells in page.figures.items()} == {name: shown(n) for name, n in rows}
    ordered = [cause.name for category in pack.categories for cause in pack.causes_of(category.name)]
    assert list(page.figures) == [*ordered, "undetermined"]


def test_regions_equal_weekly_regions(page: Page, database: Path) -> None:
    rows = rows_of(
        database,
        """SELECT region, reports, reports - previous_week, emergency, contact_doctor, unresolved, self_care,
        severe_pain FROM weekly_regions WHERE week = ? ORDER BY region = 'unknown', reports DESC, region""",
        WEEK,
    )
    table = {name: cells for name, cells in page.tables["regions"].items() if name != "0"}
    assert list(table) == [row[0] for row in rows]
    for region, reports, difference, *counts in rows:
        cells = table[region]
        assert [cells[2], *cells[4:]] == [shown(reports), *map(shown, counts)]
        assert cells[3].split()[-2 if "(" in cells[3] else -1] == signed(difference)


def test_age_and_sex_equal_weekly_demographics(page: Page, database: Path) -> None:
    rows = rows_of(database, "SELECT age_band, sex, reports FROM weekly_demographics WHERE week = ?", WEEK)
    counts = {(band, sex): shown(n) for band, sex, n in rows}
    table = [row for row in page.tables["people"].values() if row[0] in BANDS]
    assert [row[0] for row in table] == [*reversed(AGE_BANDS), "unknown"]
    assert [row[1:] for row in table] == [[counts[row[0], sex] for sex in SEXES] for row in table]


def test_rules_equal_weekly_rules_and_say_why(page: Page, database: Path, pack: Pack) -> None:
    fired = dict(rows_of(database, "SELECT rule_id, reports FROM weekly_rules WHERE week = ?", WEEK))
    for rule in pack.triage:
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
    assert table == {name: list(map(shown, counts)) for name, *counts in rows}
    assert list(table) == [row[0] for row in rows]


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
        assert cells[1:9] == counts
        assert cells[9:] == [
            f"{values[source, 'median_delay_days']:.1f}",
            percent(values[source, "late_share"]),
        ]
    read = sum(value for (_, name), value in values.items() if name == "rows_read")
    assert page.tables["quality"]["3"][3] == shown(int(read))
    assert "Every row read is accounted for" in page.text


def test_completeness_is_weighted_by_the_reports_of_each_source(page: Page, database: Path) -> None:
    rows = rows_of(
        database,
        """SELECT value, n FROM weekly_quality JOIN (SELECT source, sum(reports) AS n FROM daily_summary
        WHERE report_date >= ? GROUP BY 1) USING (source) WHERE week = ? AND item = 'fever'""",
        START,
        WEEK,
    )
    expected = sum(value * n for value, n in rows) / sum(n for _, n in rows)
    assert f"Fever {percent(expected)}" in re.sub(r"\s+", " ", page.text)


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
    told = re.findall(r"(\d+%)", after)[: len(shares)]
    assert told == [percent(share) for share in sorted(shares.values())]


def test_the_quality_trend_ends_with_this_weeks_late_share(page: Page, folder: Path) -> None:
    with (folder / "data/quality_trend.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["week"], row["measure"]): float(row["share"]) for row in csv.DictReader(file)}
    assert percent(rows[WEEK, "late_share"]) == page.tables["quality"]["3"][-1]
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
    assert f"{bad:,} rows of {read:,} quarantined in files that end this week" in page.text


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
        assert rows


def test_the_key_numbers_are_a_csv_too(folder: Path, page: Page) -> None:
    with (folder / "data/key_numbers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == list(page.numbers)
    assert [shown(int(row["reports"])) for row in rows] == [cells[1].split()[0] for cells in page.numbers.values()]


def test_svg_files_are_well_formed_and_described(folder: Path) -> None:
    files = sorted((folder / "charts").iterdir())
    assert len(files) == 6 + 6 + 1 + 10 + 1 + 2 + 1
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
    folder.rename(files._old_name(folder))
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
    assert "It is the first week with data, so there is nothing to compare it with." in page.text
    assert "week before" not in " ".join(cell for cells in page.numbers.values() for cell in cells)
    assert {cells[3] for cells in page.tables["triage"].values() if "%" in cells[2]} == {NONE}


def test_after_a_gap_there_is_nothing_to_compare_with(made: Callable[..., Page]) -> None:
    page = made(Made(weeks=4, per_week=200, skipped=(2,)))
    assert "No file covers the week before, so there is nothing to compare it with." in page.text
    assert "▲" not in page.html
    assert "▼" not in page.html


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
        "DELETE FROM daily_summary WHERE report_date >= DATE '2026-11-09'",
    )
    assert page.numbers["reports"][1] == "0"
    assert "No report met an emergency criterion." in page.text
    assert "No other report could still turn out to be an emergency." in page.text
    assert "No report is unresolved." in page.text


def test_empty_tables_do_not_break_the_page(changed: Callable[..., Page]) -> None:
    tables = [*SINGLE_WEEK, "weekly_regions", "weekly_revisions", "weekly_causes", "daily_summary"]
    page = changed(*(f"DELETE FROM {table}" for table in tables))
    for words in ("No regions are", "No rules are", "No causes are", "No open answer", "Nothing is recorded"):
        assert words in page.text
    assert "Whether this week is more than expected has not been evaluated yet." in page.text
    assert "No change of a published week is recorded" in page.text
    assert page.numbers["severe_pain"][1] == "0 0%"


# --------------------------------------------------------------------------------------- sizes and hostility


def test_one_report_makes_no_percentages(made: Callable[..., Page]) -> None:
    page = made(Made(weeks=1, per_week=1, sources=("canonical",), rejected=0))
    assert page.numbers["reports"][1] == "1"
    before_quality = page.text.split("Data quality Files count")[0]
    assert "%" not in before_quality
    assert "1 report this week." in page.text
    said = "Data: no file rejected, no row quarantined in files that end this week, no report over 7 days late."
    assert said in page.text


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
    assert page.text.count("alert(1)") > 30
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
        "UPDATE weekly_missing_answers SET field = 'old_field' WHERE field = 'fever'",
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


def test_guidance_is_shown_for_the_causes_seen_and_no_other(changed: Callable[..., Page], pack: Pack) -> None:
    page = changed("UPDATE weekly_causes SET reports = 0 WHERE likely_cause = 'muscle_cramp'")
    guidance = page.text.split("Guidance for the causes seen this week")[1]
    for entry in pack.guidance:
        alone = not any(entry.text == other.text for other in pack.guidance if other.cause != entry.cause)
        if alone:
            assert (entry.text in guidance) is (entry.cause != "muscle_cramp")


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
    counts = {
        level: (now, before, could)
        for level, now, before, could in rows_of(
            database,
            "SELECT * EXCLUDE (week, week_start, share) FROM weekly_triage WHERE week = ?",
            WEEK,
        )
    }
    now, before, _ = counts["emergency"]
    word = "more" if now > before else "fewer"
    assert f"{now} reports" in page.text
    assert now != before
    assert f"met an emergency criterion, {abs(now - before):,} {word} than the week before" in page.text
    parts = f"{counts['contact_doctor'][2]:,} now contact a doctor, {counts['unresolved'][2]:,} now unresolved."
    assert f"could still be emergencies, as answers are missing: {parts}" in page.text
    region, fell, rose = rows_of(
        database,
        """SELECT region, previous_week, reports FROM weekly_regions WHERE week = ? AND region <> 'unknown'
        ORDER BY reports - previous_week DESC LIMIT 1""",
        WEEK,
    )[0]
    assert f"Largest increase in reports: region {region}, from {fell:,} to {rose:,}." in page.text
    assert "Data: 2 files rejected;" in page.text


def test_the_cause_that_leads_and_rises_is_said_once(changed: Callable[..., Page]) -> None:
    page = changed(
        "UPDATE weekly_causes SET reports = 99, previous_week = 50 WHERE likely_cause = 'cellulitis'",
        "UPDATE weekly_causes SET reports = 60, previous_week = 60 WHERE likely_cause <> 'cellulitis'",
    )
    assert "Most frequent likely cause: cellulitis, 99 reports. It also rose most, from 50 to 99." in page.text


def test_nothing_rose_is_not_said(changed: Callable[..., Page]) -> None:
    page = changed(
        "UPDATE weekly_causes SET previous_week = reports",
        "UPDATE weekly_regions SET previous_week = reports + 1, emergency = 0",
    )
    assert "rose most" not in page.text
    assert "Largest increase" not in page.text


@pytest.mark.parametrize(("now", "before", "said"), [(314, 300, False), (326, 300, True), (3, 0, True), (1, 0, False)])
def test_a_rise_within_the_scatter_of_counts_is_not_worth_a_sentence(
    changed: Callable[..., Page], now: int, before: int, said: bool
) -> None:
    """The difference of two counts scatters by the square root of their sum."""
    page = changed(
        "UPDATE weekly_causes SET previous_week = reports",
        "UPDATE weekly_regions SET previous_week = reports",
        f"UPDATE weekly_regions SET reports = {now}, previous_week = {before} WHERE region = 'harbour'",
    )
    assert (f"Largest increase in reports: region harbour, from {before} to {now}." in page.text) is said


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
    assert share(part, whole) == words


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
    assert span(first, first + timedelta(days=6)) == words


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
