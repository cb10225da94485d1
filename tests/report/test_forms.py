"""The report's other forms: Markdown, PDF, CSVs for spreadsheets, the index. No value becomes code in any."""

from __future__ import annotations

import csv
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipelines.pages.document import Document
from pipelines.pages.markdown import escape_markdown
from pipelines.pages.paper import build_paper_content
from pipelines.report import write_index, write_report
from pipelines.report.document import make_weekly_document
from pipelines.report.week import read_week
from pipelines.text import escape_formula, format_csv
from schemas.pack import Pack
from tests.support.invented import Made, make_summaries
from tests.support.pages import NONE, page_of

WEEK = "2026-W46"
# a value that is code in HTML, Markdown, typst and a spreadsheet
EVIL = '=<b onclick="x()">`#panic("no")` $x$ *b* _i_ [l](http://a.b) @all | ~s~ \\ #eval("1")\n# h'
RECIPE = Made(weeks=10, per_week=300, skipped=(4,))


@pytest.fixture(scope="module")
def reports(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two weeks published, with their index."""
    home = tmp_path_factory.mktemp("forms")
    summaries = make_summaries(home / "summaries.duckdb", RECIPE)
    for week in ("2026-W45", WEEK):
        write_report(summaries, pack, home / "reports", week)
    write_index(home / "reports")
    return home / "reports"


@pytest.fixture(scope="module")
def hostile(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in which whatever comes from a file, a setting or a pack is an attack."""
    home = tmp_path_factory.mktemp("hostile")
    evil = replace(
        pack,
        disclaimer=EVIL,
        notes=(EVIL,),
        causes=tuple(replace(cause, label=f"{EVIL}{cause.name}") for cause in pack.causes),
        triage=tuple(replace(rule, sentence=f"{EVIL}{rule.id}") for rule in pack.triage),
        fields=tuple(replace(field, label=f"{EVIL}{field.name}") for field in pack.fields),
    )
    recipe = replace(RECIPE, regions=(EVIL, "@sum", "-1+1"), sources=(EVIL, "+2"))
    return write_report(make_summaries(home / "s.duckdb", recipe, evil), evil, home / "reports")


class Elements(HTMLParser):
    """The elements and the text of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: object) -> None:
        self.names.add(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


def rendered(markdown: str) -> Elements:
    return Elements(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))


# ------------------------------------------------------------------------------------------------ Markdown


def test_markdown_says_what_the_page_says(reports: Path) -> None:
    page, found = page_of(reports / WEEK), rendered((reports / WEEK / "report.md").read_text(encoding="utf-8"))
    listed = page.html.split('<ul class="messages">')[1].split("</ul>")[0]
    messages = Elements(listed).words.strip().splitlines()
    assert len(messages) > 6
    headline = re.search(r'<p class="headline">(.*?)</p>', page.html)
    assert headline
    assert headline[1] in found.words
    assert all(message in found.words for message in messages if message)
    for cells in page.numbers.values():
        assert f"\n{cells[1].split()[0]}\n" in found.words
    assert found.names == {"h1", "h2", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"} | {
        "h3",
        "strong",
    }


def document_of(summaries: Path, pack: Pack) -> Document:
    return make_weekly_document(read_week(summaries, WEEK), pack)


def test_what_a_table_has_no_room_for_is_counted_in_every_form(pack: Pack, tmp_path: Path) -> None:
    summaries = make_summaries(tmp_path / "s.duckdb", RECIPE)
    with duckdb.connect(str(summaries)) as db:
        db.execute(f"UPDATE weekly_signals SET status = 'alarm', rank = 1 WHERE week = '{WEEK}'")
        db.execute("""INSERT INTO weekly_revisions SELECT 'week ' || i, DATE '2026-06-01' + 7 * i::INTEGER,
            'all', 1, 2, 1, 'late' FROM range(11) t(i)""")
        db.execute(f"""INSERT INTO weekly_quality SELECT '{WEEK}', DATE '2026-11-09', 'clinic_b',
            'quarantine_reason', 'field ' || i, 1 FROM range(11) t(i)""")
    folder = write_report(summaries, pack, tmp_path / "reports", WEEK)
    markdown = (folder / "report.md").read_text(encoding="utf-8")
    on_paper = str(build_paper_content(document_of(summaries, pack)))
    page = page_of(folder).text
    for form in (markdown, on_paper, page):
        assert "26 more alarms are in the CSV." in form
        assert "1 more week is in the CSV." in form
    for form in (on_paper, page):
        assert "2 more reasons are in the CSV." in form


def test_no_value_is_markup_in_markdown(hostile: Path) -> None:
    found = rendered((hostile / "report.md").read_text(encoding="utf-8"))
    assert not found.names & {"b", "a", "em", "s", "img", "script"}
    assert found.words.count('#panic("no")') > 3
    assert " ".join(EVIL.split()) in found.words


@given(st.text())
def test_any_text_stays_one_text_in_a_table_cell(text: str) -> None:
    found = rendered(f"| a |\n| --- |\n| x{escape_markdown(text)}x |\n")
    assert found.names == {"table", "thead", "tbody", "tr", "th", "td"}


# ----------------------------------------------------------------------------------------------------- PDF


def test_the_pdf_is_the_same_bytes_again_and_runs_nothing(reports: Path, pack: Pack, tmp_path: Path) -> None:
    made = (reports / WEEK / "report.pdf").read_bytes()
    assert made.startswith(b"%PDF-")
    assert not re.search(rb"/(JavaScript|JS|OpenAction|AA|URI|Launch|EmbeddedFile|CreationDate)\b", made)
    assert b"LibertinusSerif" in made
    again = write_report(reports.parent / "summaries.duckdb", pack, tmp_path / "reports", WEEK)
    assert (again / "report.pdf").read_bytes() == made


def test_no_value_is_markup_in_the_pdf(hostile: Path) -> None:
    """`#panic` ends typst with an error where it is code."""
    assert (hostile / "report.pdf").read_bytes().startswith(b"%PDF-")


def blocks_of(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every block of what the paper's template gets, with those that are beside each other."""
    for section in content["sections"]:
        for block in section["blocks"]:
            yield from [*block["left"], *block["right"]] if block["kind"] == "beside" else [block]


def test_every_chart_and_row_reaches_the_pdf(reports: Path, pack: Pack) -> None:
    folder, content = reports / WEEK, build_paper_content(document_of(reports.parent / "summaries.duckdb", pack))
    blocks = list(blocks_of(content))
    drawn = [chart["alt"] for block in blocks if block["kind"] == "charts" for chart in block["charts"]]
    only_on_the_page = 8 + 2  # trends of key numbers, and of the data quality
    assert len(drawn) == len(set(drawn)) == len(list((folder / "charts").iterdir())) - only_on_the_page
    on_paper = {block["name"]: block for block in blocks if block["kind"] == "table"}
    tables = page_of(folder).tables
    screen_only = {"trend", *(name for name in tables if re.fullmatch(r"curve-\d", name))}
    assert set(on_paper) == set(tables) - screen_only | {"key_numbers", "completeness"}
    for name in set(tables) - screen_only:
        assert len(on_paper[name]["rows"]) == len(tables[name]) - 1, name


def test_a_page_of_paper_has_room_for_two_columns_of_points(reports: Path, pack: Pack) -> None:
    content = build_paper_content(document_of(reports.parent / "summaries.duckdb", pack))
    assert {len(block["columns"]) for block in blocks_of(content) if block["kind"] == "list"} == {1, 2}


def test_every_form_has_the_same_titles_leads_and_column_names(reports: Path, pack: Pack) -> None:
    """Stated once: a form may leave a section out, and none words it otherwise."""
    document = document_of(reports.parent / "summaries.duckdb", pack)
    page, markdown = page_of(reports / WEEK), rendered((reports / WEEK / "report.md").read_text(encoding="utf-8"))
    on_paper = build_paper_content(document)
    sections = [*document.opening, *document.sections]
    assert [(part["title"], part["lead"]) for part in on_paper["sections"]] == [(s.title, s.lead) for s in sections]
    for section in sections:
        assert section.title in page.text
        assert " ".join(section.lead.split()) in page.text
    for section in (*document.opening, *(section for section in document.sections if section.brief)):
        assert section.title in markdown.words
        assert section.lead in markdown.words
    for name in ("alarms", "revisions"):
        (block,) = [block for block in blocks_of(on_paper) if block.get("name") == name]
        assert block["columns"] == page.tables[name]["0"]
        assert all(title in markdown.words for title in block["columns"])


def test_gaps_and_levels_are_explained_on_the_page_and_on_paper(reports: Path, pack: Pack) -> None:
    on_paper = str(build_paper_content(document_of(reports.parent / "summaries.duckdb", pack)))
    for sentence in (
        "A report counts at its highest level that is certain.",
        "of the 26 weeks are covered by no file and shown as dashed gaps; a gap is not a zero.",
        "so rows and this week's reports can differ.",
    ):
        assert sentence in on_paper
        assert sentence in page_of(reports / WEEK).text


def test_ingest_does_not_load_what_only_the_report_needs(write_csv: Callable[..., Path], tmp_path: Path) -> None:
    path = write_csv([{"report_id": "r1"}])
    command = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "pipelines",
        "ingest",
        str(path),
        "--home",
        str(tmp_path / "h"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = set(re.findall(r"\|\s+([\w.]+)$", done.stderr, re.MULTILINE))
    assert "pipelines.jobs.ingest" in loaded
    assert not loaded & {"typst", "jinja2", "pipelines.report"}


# ---------------------------------------------------------------------------------------------------- CSVs


def test_no_cell_of_a_csv_starts_a_formula(hostile: Path) -> None:
    led = 0
    for path in (hostile / "data").iterdir():
        with path.open(encoding="utf-8", newline="") as file:
            for cell in (cell for row in csv.reader(file) for cell in row):
                led += cell.startswith("'")
                assert re.fullmatch(r"-?[\d.e-]+", cell) or not cell.startswith(("=", "+", "-", "@")), (path, cell)
    assert led > 20


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("@x", "'@x"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("\uff1d1", "'\uff1d1"),
        ("a=1", "a=1"),
        (-5, -5),
        (None, None),
    ],
)
def test_formulas_are_led_by_an_apostrophe_and_numbers_stay(cell: object, written: object) -> None:
    assert escape_formula(cell) == written


def test_a_csv_has_a_header_even_without_rows() -> None:
    assert format_csv(("a", "b"), []) == "a,b\n"
    assert format_csv(("a", "=b"), []) == "a,'=b\n"
    assert format_csv(("a", "b"), [(None, 'x"y')]) == 'a,b\n,"x""y"\n'


# --------------------------------------------------------------------------------------------------- index


def cells_of(html: str) -> list[list[str]]:
    rows = re.findall(r'<tr id="[^"]+">(.*?)</tr>', html)
    return [[" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in re.split(r"</t[hd]>", row)] for row in rows]


def test_the_index_lists_the_weeks_of_the_folder_latest_first(reports: Path) -> None:
    html = (reports / "index.html").read_text(encoding="utf-8")
    rows = cells_of(html)
    assert [row[0] for row in rows] == [WEEK, "2026-W45"]
    for row in rows:
        page = page_of(reports / row[0])
        assert row[2].split()[0] == page.numbers["reports"][1]
        assert row[3].split()[0] == page.numbers["emergency"][1].split()[0]
        assert int(row[1]) == len(page.tables.get("alarms", {"": []})) - 1
    links = re.findall(r'href="([^"]+)"', html)
    assert [link for link in links if link != "data:,"]
    assert all((reports / link).is_file() for link in links if link != "data:,")
    assert stat.S_IMODE((reports / "index.html").stat().st_mode) == 0o600
    assert write_index(reports).read_text(encoding="utf-8") == html


def test_damaged_old_and_foreign_folders_do_not_stop_the_index(reports: Path, tmp_path: Path) -> None:
    for name, numbers in {
        "2026-W01": b"\xff\xfe broken",
        "2026-W02": b'name,label,reports\nreports,x,"<b>5"\n',
        "2026-MW03": b"name,reports,previous_week\nreports,1234,1200\n",
        "2026-W04": None,
        "2026-W07": b"name,reports,expectation\nreports,7,cannot be judged: short history\n",
        "2026-W08": b"name,reports,expectation\nreports,8,within the expected range\n",
        "<b>": b"",
        ".2026-W05.new": b"",
    }.items():
        folder = tmp_path / name
        (folder / "data").mkdir(parents=True)
        (folder / "internal.html").write_text("")
        if numbers is not None:
            (folder / "data/key_numbers.csv").write_bytes(numbers)
    (tmp_path / "2026-W06").mkdir()
    html = write_index(tmp_path).read_text(encoding="utf-8")
    assert {row[0]: row[1:3] for row in cells_of(html)} == {
        "2026-W08": ["0", "8"],
        "2026-W07": [NONE, "7"],
        "2026-W04": [NONE, NONE],
        "2026-W02": [NONE, NONE],
        "2026-W01": [NONE, NONE],
        "2026-MW03": [NONE, "1,234 +34 (+3%)"],
    }
    assert [row[0][-2:] for row in cells_of(html)] == ["08", "07", "04", "03", "02", "01"], "of both week systems"
    assert "<b>" not in html


def test_an_empty_index_says_so(tmp_path: Path) -> None:
    assert "No report is published yet." in write_index(tmp_path).read_text(encoding="utf-8")
