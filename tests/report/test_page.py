"""The weekly report in a real browser. Skipped, and it says so, where there is no Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from pipelines.pages.calls import Call, CallList, WeekCalls
from pipelines.report import write_index, write_report
from schemas.pack_file import load_pack
from tests.support.browser import CHROMIUM, open_browser
from tests.support.invented import Made, make_summaries

OWN = ("/internal.html", "/index.html")
A4_TEXT_WIDTH = 695  # px: 184 mm at 96 px an inch
RECIPES = {
    "usual": Made(per_week=900, skipped=(5, 14, 15, 16)),
    "one report": Made(weeks=1, per_week=1, sources=("canonical",), rejected=0),
    "many and long": Made(
        weeks=3,
        per_week=2000,
        regions=tuple(f"district_{i:03}_" + "w" * 20 for i in range(400)),
        sources=tuple(f"clinic_with_a_rather_long_name_{i}" for i in range(9)),
    ),
}


def call(number: int, ask: tuple[str, ...] = ()) -> Call:
    cause = "Cannot be told apart: Deep vein thrombosis and Cellulitis."
    reason = "Now: contact a doctor." if ask else "The patient can no longer stand or walk on the painful leg."
    when = "2026-11-14 10:00 UTC"
    return Call(f"R{number:012}", "clinic_b", when, reason, ask, cause, "60-74", "north_valley", f"{number:03}-R.html")


ASKED = ("Cannot stand or walk on the leg", "Short of breath and One or both legs swollen")
CALLS = WeekCalls(
    CallList([call(i) for i in range(30)], 214),
    CallList([call(i, ASKED) for i in range(30, 60)], 131),
    pages={"index.html": "", **{f"{i:03}-R.html": "" for i in range(60)}},
)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None,
    reason="NO CHROMIUM HERE: the report was not opened in a browser, its layout is unchecked",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home, pack = tmp_path_factory.mktemp("pages"), load_pack()
    made = {}
    for i, (name, recipe) in enumerate(RECIPES.items()):
        summaries = make_summaries(home / f"{i}.duckdb", recipe, pack)
        made[name] = write_report(summaries, pack, home / str(i), calls=CALLS) / "internal.html"
    made["index"] = write_index(home / "0")
    return made


@pytest.fixture
def opened(browser: Browser, reports: dict[str, Path], request: pytest.FixtureRequest) -> Iterator[Page]:
    """A report opened at a width, in a color scheme, with what it says to the console and asks for."""
    name, width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: complaints.append(asked.url) if not asked.url.endswith(OWN) else None)
    page.goto(reports[name].as_uri())
    yield page
    context.close()
    assert [c for c in complaints if not c.startswith("data:")] == []


def views(*widths: int, names: tuple[str, ...] = tuple(RECIPES), scheme: str = "light") -> pytest.MarkDecorator:
    chosen = [(name, width, scheme) for name in names for width in widths]
    return pytest.mark.parametrize("opened", chosen, indirect=True, ids=lambda v: f"{v[0]}-{v[1]}-{v[2]}")


OUTSIDE = """() => [...document.querySelectorAll('main *, header *, footer *')].filter(node => {
  const box = node.getBoundingClientRect();
  const parent = node.closest('section, .top, header, footer').getBoundingClientRect();
  const shown = box.width > 1 && !node.closest('svg svg, .skip') && !node.closest('thead');
  return shown && (box.right > parent.right + 1 || box.left < parent.left - 1);
}).map(node => node.outerHTML.slice(0, 120))"""


@views(360, 768, 1280)
def test_nothing_scrolls_sideways_or_sticks_out(opened: Page) -> None:
    width = opened.viewport_size["width"] if opened.viewport_size else 0
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    opened.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.evaluate(OUTSIDE) == []


@views(360, 1280)
def test_every_chart_is_drawn_and_seen(opened: Page) -> None:
    charts = opened.locator("svg.chart").all()
    curves = opened.locator("#signals figure").count()
    regions = opened.locator("#region-curves figure").count()
    assert curves >= 2
    assert regions >= 1
    opened.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    said = re.search(r"No report in these 26 weeks: (.*)\.", opened.locator("#causes").inner_text())
    causes = 10 - (said[1].count(",") + 1 if said else 0)
    assert len(charts) == 8 + curves + 1 + causes + regions + 2 + 1
    for chart in charts:
        box = chart.bounding_box()
        assert chart.is_visible()
        assert box is not None
        assert box["width"] > 100
        assert box["height"] > 20
        assert chart.locator("rect, line").count() > 0


@views(360, names=("usual",))
def test_words_in_charts_can_be_read_on_a_phone(opened: Page) -> None:
    """The drawn height of a text is its font's line height: 11 px is a font of about 9 px."""
    heights = opened.evaluate(
        "[...document.querySelectorAll('svg.chart text')].map(t => t.getBoundingClientRect().height)"
    )
    assert min(heights) >= 11


@pytest.mark.parametrize(
    "opened",
    [
        *(("usual", 1280, "light"), ("usual", 360, "dark"), ("index", 360, "light")),
        *(
            pytest.param(view, marks=pytest.mark.slow)
            for view in (("usual", 1280, "dark"), ("one report", 1280, "light"), ("index", 1280, "dark"))
        ),
    ],
    indirect=True,
    ids=lambda v: f"{v[0]}-{v[1]}-{v[2]}",
)
def test_axe_finds_nothing(opened: Page) -> None:
    """Contrast, names, roles, order of headings, tables: what axe-core can check, with every detail open."""
    opened.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    found = Axe().run(opened)
    assert found.violations_count == 0, found.generate_report()


CONTRASTS = """() => {
  const channels = text => text.match(/[\\d.]+/g).map(Number);
  const light = rgb => { const [r, g, b] = rgb.slice(0, 3).map(c => c / 255)
      .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const paper = channels(getComputedStyle(document.body).backgroundColor);
  const worst = {};
  for (const node of document.querySelectorAll('body *')) {
    const words = [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
    if (!words || node.closest('svg, style')) continue;
    const pair = [light(channels(getComputedStyle(node).color)), light(paper)].sort((a, b) => a - b);
    worst[node.tagName + '.' + node.className] = (pair[1] + 0.05) / (pair[0] + 0.05);
  }
  return {paper, worst};
}"""


@pytest.mark.parametrize(
    "opened",
    [("usual", 1280, scheme) for scheme in ("light", "dark")],
    indirect=True,
    ids=("light", "dark"),
)
def test_all_text_has_contrast(opened: Page, request: pytest.FixtureRequest) -> None:
    found = opened.evaluate(CONTRASTS)
    dark = "dark" in request.node.name
    assert (sum(found["paper"][:3]) < 150) is dark
    assert len(found["worst"]) > 20
    assert {name: ratio for name, ratio in found["worst"].items() if ratio < 7} == {}


@views(1280, names=("usual",))
def test_the_keyboard_reaches_the_messages_first_and_opens_details(opened: Page) -> None:
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.getAttribute('href')") == "#messages"
    guide = opened.locator("#method details").first
    assert not guide.locator("li").first.is_visible()
    guide.locator("summary").focus()
    opened.keyboard.press("Enter")
    assert guide.locator("li").first.is_visible()


READING_ORDER = """() => [...document.querySelectorAll('main section')].map(section => [
  section.id, section.getBoundingClientRect().top + scrollY, section.getBoundingClientRect().left])"""


@views(1280, 360, names=("usual",))
def test_sections_are_read_in_the_order_in_which_they_are_seen(opened: Page) -> None:
    seen = opened.evaluate(READING_ORDER)
    assert [name for name, *_ in sorted(seen, key=lambda each: each[1:])] == [name for name, *_ in seen]
    links = opened.locator("nav a").evaluate_all("all => all.map(each => each.hash.slice(1))")
    assert links == [name for name, *_ in seen][2:]


@views(360, names=("usual",))
def test_the_keyboard_reaches_every_link_and_detail_in_order(opened: Page) -> None:
    """What is folded away is reached once its heading has been opened."""
    open_now = "each => !each.closest('details:not([open]) > :not(summary)')"
    expected = opened.evaluate(
        f"[...document.querySelectorAll('a, summary')].filter({open_now}).map(each => each.textContent)"
    )
    reached = []
    for _ in expected:
        opened.keyboard.press("Tab")
        reached.append(opened.evaluate("document.activeElement.textContent"))
    assert reached == expected


@views(1280, 360, names=("index",))
def test_the_index_leads_to_the_week(opened: Page) -> None:
    width = opened.viewport_size["width"] if opened.viewport_size else 0
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    opened.get_by_role("link", name="2026-W46", exact=True).click()
    assert opened.locator("h1").inner_text().split() == ["Calf", "pain:", "week", "2026-W46"]


@views(1280, names=("usual",))
def test_the_headline_the_summary_and_the_emergencies_are_in_the_first_screen(opened: Page) -> None:
    for part in (".headline", "#messages", "#key-emergency", "#key-could_be_emergency", "#key-contact_doctor"):
        box = opened.locator(part).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 900, part


@views(1280, names=("usual",))
def test_neither_list_of_whom_to_phone_is_below_the_others_fold(opened: Page) -> None:
    tops = [opened.locator(f"#table-phone_{kind}").bounding_box() for kind in ("emergencies", "possible")]
    left, right = (box or {} for box in tops)
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    assert max(left["height"], right["height"]) <= 900
    text = opened.locator("#phone").inner_text()
    assert "Emergencies, the latest first: 6 of 214" in text
    assert "Could still be one, fewest questions first: 6 of 131" in text
    assert "Cannot stand or walk on the leg; or Short of breath and One or both legs swollen" in text
    assert opened.locator("#phone a").evaluate_all("all => all.map(each => each.getAttribute('href'))")[:2] == [
        "explain/000-R.html",
        "explain/001-R.html",
    ]


@views(1280, names=("usual",))
def test_a_calm_region_is_drawn_as_columns_of_its_own_scale(opened: Page) -> None:
    """A shade of grey for each cell said nothing in a calm week."""
    for figure in opened.locator("#region-curves figure").all():
        bars = figure.locator("rect.emergency")
        assert bars.count() > 3
        tallest = max((bar.bounding_box() or {"height": 0})["height"] for bar in bars.all())
        plot = figure.locator("svg").bounding_box()
        assert plot is not None
        assert tallest > 0.4 * plot["height"]


@views(1280)
def test_it_prints_on_a4_with_the_guidance_open(opened: Page, tmp_path: Path) -> None:
    opened.emulate_media(media="print")
    assert all(item.is_visible() for item in opened.locator("#guidance li").all())
    assert not opened.locator("#method details").first.is_visible(), "`rules show` prints the notes of the pack"
    pdf = opened.pdf(path=str(tmp_path / "report.pdf"), prefer_css_page_size=True, print_background=True)
    assert pdf.startswith(b"%PDF-")
    assert b"/MediaBox [0 0 595" in pdf or b"/MediaBox [0 0 594" in pdf
    assert len(pdf) > 50_000


@views(A4_TEXT_WIDTH, names=("usual", "many and long"), scheme="dark")
def test_on_paper_nothing_sticks_out_and_the_colors_are_light(opened: Page) -> None:
    opened.emulate_media(media="print", color_scheme="dark")
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert opened.evaluate(OUTSIDE) == []
