"""The document model: what a cell says to people and to a CSV, what a form shows, and that no node is forgotten."""

from __future__ import annotations

import csv
import io
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from pipelines.pages import document as model
from pipelines.pages.charts import Series, Week
from pipelines.pages.csv_files import render_csv, render_csvs
from pipelines.pages.document import (
    Beside,
    Callout,
    Chart,
    DataFiles,
    Document,
    Folded,
    Gallery,
    Group,
    Item,
    List,
    Note,
    Row,
    Section,
    Table,
    walk,
)
from pipelines.pages.html import render_html
from pipelines.pages.markdown import render_markdown
from pipelines.pages.paper import build_paper_content
from pipelines.pages.plots import WeeklyColumns
from pipelines.pages.style import render
from pipelines.pages.values import (
    Bars,
    Cell,
    Column,
    Kind,
    Level,
    Share,
    Text,
    ThenNow,
    export_value,
    format_cell,
    make_card,
)
from tests.pages.test_charts import MONDAY

MARKUP = '<b>#x`*|"&'


@pytest.mark.parametrize(
    ("cell", "kind", "words", "value"),
    [
        (1234, Kind.COUNT, "1,234", 1234),
        (0, Kind.COUNT, "0", 0),
        (None, Kind.COUNT, "\N{EN DASH}", None),
        (2.0, Kind.DECIMAL, "2", 2.0),
        (2.0, Kind.TENTHS, "2.0", 2.0),
        (0.123, Kind.PERCENT, "12%", 0.123),
        (("C1", "C2"), Kind.TEXT, "C1, C2", "C1; C2"),
        (Text("a", note="b"), Kind.TEXT, "a", "a"),
        (Level("self_care"), Kind.TEXT, "Self-care", "self_care"),
        (Share(49, 49), Kind.SHARE, "", 1.0),
        (Share(0, 0), Kind.SHARE, "", None),
        (ThenNow(5, None), Kind.TEXT, "5 → \N{EN DASH}", None),
        (Bars([("plain", 3)], 4), Kind.BARS, "", None),
    ],
)
def test_a_cell_reads_rounded_and_is_exact_in_a_csv(cell: Cell, kind: Kind, words: str, value: object) -> None:
    assert format_cell(cell, kind) == words
    assert export_value(cell) == value


def numbers(rows: int, most: int | None = None) -> Table:
    columns = (
        Column("", name="id"),
        Column("Name", name="name"),
        Column("Drawn", Kind.BARS),
        Column("Reports", Kind.COUNT),
    )
    cells = [(i, f"{MARKUP}{i}", Bars([("plain", i)], 9), 1000 + i) for i in range(rows)]
    return Table("numbers", columns, [Row(c) for c in cells], most=most, thing="alarm", empty="None.", exported=True)


@pytest.mark.parametrize(
    ("rows", "said"),
    [(3, ""), (4, "1 more alarm is in the CSV."), (5, "2 more alarms are in the CSV.")],
)
def test_people_see_the_first_rows_and_the_csv_has_all(rows: int, said: str) -> None:
    table = numbers(rows, most=3)
    assert (len(table.shown), table.left_out) == (3, said)
    header, *found = csv.reader(io.StringIO(render_csv(table)))
    assert header == ["id", "name"], "a column without a name there is for people alone"
    assert len(found) == rows


def chart(name: str) -> Chart:
    plot = WeeklyColumns([Week("2026-W21", MONDAY)], [Series("Reports", "plain", [5])])
    folded = Folded("As a table", [Table(f"of-{name}", (Column("Week"),), [Row(("2026-W21",))])])
    return Chart(name, f"Chart {name}", plot, numbers=folded)


BLOCKS: tuple[model.Block, ...] = (
    numbers(4, most=3),
    chart("one"),
    Gallery([chart("two")], caption="On its own scale."),
    Note("Small print."),
    Callout("Look here."),
    List([Item("A point", reference="Section 2")], title="Points"),
    Folded("Opened on paper", [Note("Inside.")], on_paper=True),
    Beside(Note("Left."), Note("Right.")),
    Group("A group", [Note("Grouped.")]),
    DataFiles(("numbers",)),
)


def document(*blocks: model.Block) -> Document:
    section = Section("all", f"All {MARKUP}", blocks, lead="A lead.", brief=True)
    return Document(
        "Calf",
        "week 1",
        "1 Jan",
        "Internal",
        "for staff",
        "now",
        "All calm.",
        [],
        "No advice.",
        [section],
        [],
        [("By", "us")],
    )


def test_every_kind_of_block_is_tried_here() -> None:
    assert {type(block) for block in BLOCKS} == set(get_args(model.Block))


def test_every_form_shows_the_words_of_every_block_that_it_has_room_for() -> None:
    whole = document(*BLOCKS)
    forms = render_html(whole), str(build_paper_content(whole)), render_markdown(whole, "Closing.")
    for words in (
        "Small print.",
        "Look here.",
        "A point",
        "Inside.",
        "Left.",
        "Right.",
        "Grouped.",
        "1,002",
    ):
        assert all(words in form for form in forms), words
    page, paper, mail = forms
    assert "data/numbers.csv" in page
    assert "Chart one" in page
    assert "Chart one" in paper
    assert "As a table" not in paper
    assert "Chart one" not in mail
    assert MARKUP not in page
    assert "1,003" not in page, "the fourth row is in the CSV"


def test_charts_and_exported_tables_are_found_wherever_they_are() -> None:
    hidden = document(Beside(Group("g", [chart("a")]), Folded("f", [Folded("x", [numbers(1)])])))
    assert [found.name for found in hidden.list_charts()] == ["a"]
    assert list(render_csvs(hidden)) == ["numbers"]
    assert len(list(walk(BLOCKS))) > len(BLOCKS)


def test_an_unknown_block_is_an_error_and_no_hole() -> None:
    with pytest.raises(TypeError, match="no macro shows a Row"):
        render_html(document(Row(())))  # type: ignore[arg-type]


def test_a_name_that_the_values_lack_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("report/index.html.jinja")


def test_a_card_needs_words_and_a_count_and_leaves_out_what_is_empty() -> None:
    columns = (Column("", name="id"), Column("a"), Column("b", Kind.COUNT), Column("c"), Column("d", Kind.COUNT))
    card = make_card(("x", Text("Reports", "all"), 1234, Text(""), 7), columns)
    assert (card.title.note, card.count, card.share, card.others) == ("all", 1234, "", [("d", Text("7"))])
    with pytest.raises(ValueError, match=r"not a title and a count"):
        make_card(("x", "no note", 2), columns[:3])


def test_the_columns_of_a_list_are_about_as_long_and_none_of_its_points_is_lost() -> None:
    points = [Item(f"{i} " + "x" * (200 if i == 0 else 40)) for i in range(6)]
    ((found,),) = [section["blocks"] for section in build_paper_content(document(List(points, columns=2)))["sections"]]
    assert [[item["text"][0] for item in column] for column in found["columns"]] == [["0"], list("12345")]
    assert build_paper_content(document(List([], columns=2)))["sections"][0]["blocks"][0]["columns"] == []


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12).filter(any), st.integers(1, 4))
def test_columns_hold_every_point_in_its_order_however_short_it_is(lengths: list[int], columns: int) -> None:
    points = [Item("x" * length) for length in lengths]
    (block,) = build_paper_content(document(List(points, columns=columns)))["sections"][0]["blocks"]
    assert [item["text"] for column in block["columns"] for item in column] == [point.text for point in points]
    assert len(block["columns"]) <= columns
