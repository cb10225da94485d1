"""The public page: its words, and itself in a real browser. The latter is skipped where there is no Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from pipelines.pages.charts import Week
from pipelines.pages.svg import format_day
from pipelines.release.curve import draw_curve
from pipelines.release.public_database import PublicRows, read_public_database, write_public_database
from pipelines.release.public_page import write_public_pages
from pipelines.release.rounding import Cell, disclose
from tests.report.test_page import CONTRASTS
from tests.support.browser import CHROMIUM, open_browser

NAMES = {
    "triage_level": ("emergency", "contact_doctor", "unresolved", "self_care"),
    "likely_cause": ("deep_vein_thrombosis", "muscle_cramp", "undetermined"),
    "age_band": ("0-17", "18-29", "75+", "unknown"),
    "sex": ("female", "male", "other", "unknown"),
    "region": ("north", "south", "a_district_with_a_rather_long_name", "unknown"),
}
LAST = date(2026, 11, 9)


def counts(reports: int) -> dict[str, dict[str, int]]:
    """A week; the first value of each attribute has 2 reports, the others share the rest."""
    found = {}
    for name, values in NAMES.items():
        part, rest = divmod(reports - 2, len(values) - 1)
        found[name] = dict.fromkeys(values, part) | {values[0]: 2, values[1]: part + rest}
    return found


def make_public(folder: Path, sizes: dict[int, int | None]) -> Path:
    """public.duckdb with a week so many weeks back for each size; None is a week held back."""
    rows, releases = [], []
    for back, reports in sorted(sizes.items(), reverse=True):
        start = LAST - timedelta(weeks=back)
        week = f"2026-W{46 - back:02}"
        status = "held_back" if reports is None else "released"
        incomplete = None if reports is None else back == 0
        releases.append((week, start, status, date(2026, 11, 24), "hide up to 7, round to 5", incomplete, None))
        if reports is not None:
            found = disclose(counts(reports), 7, {"north"})
            rows += [(week, start, c.attribute, c.value, c.reports, c.at_least, c.at_most) for c in found.cells]
    about = ("0.2.0", "calf pain", "Numbers are rounded.", "No medical advice.", "Europe/Berlin")
    write_public_database(folder / "public.duckdb", PublicRows(rows, releases, [about]))
    return folder / "public.duckdb"


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sizes: dict[int, int | None] = {back: 300 + 7 * back for back in range(26) if back not in (3, 9, 10, 11, 12)}
    return write_public_pages(make_public(tmp_path_factory.mktemp("page"), sizes | {3: None}))[-1]


@pytest.fixture(scope="module")
def html(page_path: Path) -> str:
    return page_path.read_text(encoding="utf-8")


def keys(html: str, name: str) -> list[str]:
    table = html[html.index(f'id="table-{name}"') :]
    return re.findall(r'data-key="([^"]+)"', table[: table.index("</table>")])


def test_a_total_of_hidden_levels_alone_has_no_middle(tmp_path: Path) -> None:
    """One report would be called about 15."""
    text = write_public_pages(make_public(tmp_path, {0: 2}))[-1].read_text(encoding="utf-8")
    assert "<b>0 to 28</b> reports" in text
    assert "About" not in text


def test_a_changed_time_zone_is_told(tmp_path: Path) -> None:
    path = make_public(tmp_path, {0: 300})
    assert "midnight in the time zone Europe/Berlin." in write_public_pages(path)[-1].read_text(encoding="utf-8")
    rows = read_public_database(path)
    assert rows is not None
    path.unlink()
    about = [(*rows.about[0][:4], "UTC, then Europe/Berlin")]
    write_public_database(path, replace(rows, about=about))
    told = write_public_pages(path)[-1].read_text(encoding="utf-8")
    assert "midnight in the time zone UTC, then Europe/Berlin (it was changed)." in told


def test_bars_stand_in_the_order_of_their_shown_number_then_name(html: str) -> None:
    assert keys(html, "region") == ["a_district_with_a_rather_long_name", "south", "unknown", "north"]
    assert keys(html, "sex") == ["male", "other", "unknown", "female"]


def test_a_level_tells_its_number_and_that_of_the_week_before(html: str) -> None:
    of_level = html[html.index('class="swatch contact_doctor"') :]
    (told,) = re.findall(r'<p class="big">(.*?)</p>', of_level[: of_level.index("<svg")], re.DOTALL)
    words = " ".join(re.sub(r"<[^>]+>", " ", told).split())
    assert re.fullmatch(r"100 .*; the week before about 105", words), words


def test_the_page_says_how_to_read_it(html: str) -> None:
    text = re.sub(r"<[^>]+>", " ", html)
    for words in (
        *("9 to 15 Nov 2026", "rounded to 5", "0 to 7", "Reports are not people", "published once"),
        *("No medical advice.", "This week is incomplete", "Europe/Berlin", "Released on 24 Nov 2026"),
    ):
        assert words in re.sub(r"\s+", " ", text), words
    assert "<script" not in html
    assert "http" not in html.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
    assert "alarm" not in re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)


def test_a_hidden_week_is_a_band_and_an_unreleased_one_a_gap(html: str) -> None:
    emergency = html[html.index('id="emergency-title"') : html.index('id="contact_doctor-title"')]
    assert emergency.count('class="band"') == 21
    assert emergency.count('class="gap"') == 2
    assert "0 to 7" in emergency
    doctor = html[html.index('id="contact_doctor-title"') : html.index('id="unresolved-title"')]
    assert doctor.count('class="contact_doctor"') == 21
    assert 'class="band"' not in doctor


@pytest.mark.parametrize("size", [8, 4000])
def test_a_band_is_seen_beside_any_number_and_never_higher_than_its_limit_looks(size: int) -> None:
    weeks = [Week(f"w{i}", LAST - timedelta(weeks=25 - i)) for i in range(26)]
    shown, hidden = Cell("sex", "male", size, size - 2, size + 2), Cell("sex", "male", None, 0, 7)
    drawn = draw_curve("plain", "t", weeks, [*[None] * 24, shown, hidden])
    heights = re.findall(r'height="([\d.]+)"[^>]* class="(plain|band)"', drawn)
    by_class = {name: float(height) for height, name in heights}
    assert by_class["band"] >= 5
    assert by_class["band"] < by_class["plain"]
    assert "1 hidden because the count is small. 24 not released." in drawn
    (gap,) = re.findall(r'<rect[^>]* y="([\d.]+)"[^>]* height="([\d.]+)"[^>]* class="gap"', drawn)
    (words,) = re.findall(r'<text[^>]* y="([\d.]+)"[^>]*>not released<', drawn)
    assert float(words) == float(gap[0]) + float(gap[1]) / 2


def test_columns_are_in_proportion_and_the_words_tell_first_and_last_week() -> None:
    weeks = [Week(f"w{i}", LAST - timedelta(weeks=2 - i)) for i in range(3)]
    points = [Cell("total", "all", size, size - 2, size + 2) for size in (50, 100, 200)]
    drawn = draw_curve("plain", "t", weeks, points)
    heights = [float(height) for height in re.findall(r'height="([\d.]+)"[^>]* class="plain"', drawn)]
    assert heights == pytest.approx([31, 62, 124], abs=0.2)
    assert (
        f"3 weeks from {format_day(weeks[0].start)} to the week of {format_day(LAST)}. About 50 to 200 reports a week."
        in drawn
    )


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM HERE: the public page was not opened")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(params=[(1280, "light"), (1280, "dark"), (360, "light")], ids=lambda v: f"{v[0]}-{v[1]}")
def opened(browser: Browser, page_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda asked: complaints.append(asked.url) if not asked.url.endswith("/public.html") else None)
    page.goto(page_path.as_uri())
    yield page
    context.close()
    assert [each for each in complaints if not each.startswith("data:")] == []


@needs_browser
def test_axe_finds_nothing_and_nothing_scrolls_sideways(opened: Page) -> None:
    opened.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    found = Axe().run(opened)
    assert found.violations_count == 0, found.generate_report()
    width = opened.viewport_size["width"] if opened.viewport_size else 0
    assert opened.evaluate("document.documentElement.scrollWidth") <= width


@needs_browser
def test_text_has_contrast_and_charts_can_be_read(opened: Page) -> None:
    worst = opened.evaluate(CONTRASTS)["worst"]
    assert len(worst) > 15
    assert {name: ratio for name, ratio in worst.items() if ratio < 7} == {}
    assert opened.locator("svg.chart").count() == 4
    heights = opened.evaluate(
        "[...document.querySelectorAll('svg.chart text')].map(t => t.getBoundingClientRect().height)"
    )
    assert min(heights) >= 9


@needs_browser
def test_on_paper_every_chart_and_table_is_there(browser: Browser, page_path: Path) -> None:
    page = browser.new_page(viewport={"width": 695, "height": 900})
    page.goto(page_path.as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).getPropertyValue('--paper').trim()") == "#ffffff"
    assert page.evaluate("document.documentElement.scrollWidth") <= 695
    assert page.evaluate("getComputedStyle(document.querySelector('.bar i')).printColorAdjust") == "exact"
    for table in page.locator("table").all():
        assert table.is_visible() == (table.get_attribute("id") != "table-weeks")
    page.close()
