"""The drawings: what they show is in proportion, every one is described, and the colors can be told apart."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.pages import charts, crosstabs, plots, svg
from pipelines.pages.charts import Expected, Look, Series, Week
from pipelines.pages.crosstabs import Pair
from pipelines.release import curve as release_curve

LEVELS = ("emergency", "contact_doctor", "unresolved", "self_care")
MONDAY = date(2026, 5, 18)


def weeks(number: int) -> list[Week]:
    days = [MONDAY + timedelta(weeks=i) for i in range(number)]
    return [Week(f"{day:%G-W%V}", day) for day in days]


def columns(*counts: int | None, size: tuple[int, int] = (560, 230)) -> ElementTree.Element:
    series = [Series("Reports", "plain", counts)]
    return ElementTree.fromstring(charts.draw_weekly_columns("t", "Reports", weeks(len(counts)), series, Look(size)))


def bars(root: ElementTree.Element, paint: str) -> list[ElementTree.Element]:
    return [node for node in root.iter("rect") if node.get("class") == paint]


def texts(root: ElementTree.Element) -> list[str]:
    return [node.text or "" for node in root.iter("text")]


# -------------------------------------------------------------------------------------- weekly columns


def test_heights_are_in_proportion_to_the_counts() -> None:
    heights = [float(bar.get("height", 0)) for bar in bars(columns(100, 50, 400), "plain")]
    assert heights == pytest.approx([46, 23, 184], abs=0.2)


def test_stacked_parts_stand_on_each_other_the_first_at_the_bottom() -> None:
    series = [Series(level, level, [10]) for level in LEVELS]
    root = ElementTree.fromstring(charts.draw_weekly_columns("t", "Levels", weeks(1), series))
    parts = [bars(root, level)[0] for level in LEVELS]
    tops = [float(part.get("y", 0)) for part in parts]
    bottoms = [top + float(part.get("height", 0)) for top, part in zip(tops, parts, strict=True)]
    assert tops == sorted(tops, reverse=True)
    assert bottoms[1:] == pytest.approx(tops[:-1], abs=1)


def test_a_gap_is_no_column_and_a_zero_is_a_mark() -> None:
    root = columns(5, None, None, 0)
    drawn = [group.get("data-week") for group in root.iter("g") if group.get("class") == "week"]
    assert drawn == ["2026-W21", "2026-W24"]
    assert len(bars(root, "gap")) == 1
    zero_mark, this_week = bars(root, "now")
    assert float(zero_mark.get("y", 0)) < float(this_week.get("y", 0))
    assert "2 weeks without data" in ElementTree.tostring(root, encoding="unicode")


@pytest.mark.parametrize("counts", [[5], [5, 7, None, 9], list(range(1, 27))], ids=len)
def test_the_last_week_is_marked_under_its_column_and_no_other(counts: list[int | None]) -> None:
    root = columns(*counts)
    (mark,) = bars(root, "now")
    last = bars(root, "plain")[-1]
    assert [float(mark.get(name, 0)) for name in ("x", "width")] == pytest.approx(
        [float(last.get(name, 0)) for name in ("x", "width")], abs=0.2
    )


def test_drawings_one_below_the_other_are_as_wide_as_each_other() -> None:
    assert plots.WIDE.size[0] == plots.DAYS.size[0] == release_curve.WIDTH == Look().size[0]


def test_a_long_gap_is_named_and_a_short_one_is_not() -> None:
    assert "no data" in texts(columns(*[None] * 20, *[3] * 6))
    assert "no data" not in texts(columns(*[3] * 25, None))


def test_only_gaps_and_only_zeros_are_drawn_too() -> None:
    assert bars(columns(None, None), "plain") == []
    assert bars(columns(0, 0), "plain") == []
    assert texts(columns(0, 0))[:2] == ["1", "2"]


def test_the_unresolved_part_is_hatched() -> None:
    series = [Series("Unresolved", "unresolved", [4])]
    root = ElementTree.fromstring(charts.draw_weekly_columns("t", "Levels", weeks(1), series))
    assert [bar.get("fill") for bar in root.iter("rect") if bar.get("fill")] == ["url(#t-hatch)"]
    assert [pattern.get("id") for pattern in root.iter("pattern")] == ["t-hatch"]


def test_months_are_named_once_and_never_over_the_edge() -> None:
    root = columns(*[1] * 26)
    marks = [node for node in root.iter("text") if node.text in svg.MONTHS]
    assert [node.text for node in marks] == ["Jun", "Jul", "Aug", "Sep", "Oct", "Nov"]
    assert all(float(node.get("x", 0)) < 560 - 36 for node in marks)


def test_a_narrow_drawing_names_the_top_of_its_scale_alone() -> None:
    assert texts(columns(700, size=(270, 112)))[0] == "800"
    assert texts(columns(700))[:2] == ["400", "800"]


def test_pointing_at_a_week_shows_its_numbers() -> None:
    root = columns(1234)
    assert [title.text for title in root.iter("title")][1] == "2026-W21 (from 18 May 2026)\nReports: 1,234"


@given(st.integers(0, 10**12))
def test_the_scale_ends_at_an_even_number_just_above(highest: int) -> None:
    peak = charts.choose_peak(highest)
    assert peak % 2 == 0
    assert highest <= peak <= max(2, 2 * highest)


# ---------------------------------------------------------------------------------- described in words


def test_the_description_says_span_gaps_range_and_last_value() -> None:
    words = charts.describe(weeks(3), [Series("Emergency", "emergency", [9, None, 1200])])
    assert words == (
        "3 weeks from 18 May 2026 to the week of 1 Jun 2026. 1 of them without data. "
        "Emergency: 9 to 1,200 a week, 1,200 in the last week."
    )


def test_a_series_without_any_count_is_described() -> None:
    assert charts.describe(weeks(1), [Series("x", "plain", [None])]).endswith("x: no data.")


SEEN = Series("Reports", "plain", [40, None, 90, 0])
EXPECTED = Expected(
    [30.0, None, 60.25, None], [10.0, None, 40.0, None], [50.0, None, 80.0, None], [False, False, True, False]
)
ROWS = [Pair("60-74", 40, 20, 8, 0), Pair("unknown", 0, 0, 0, 0)]
DRAWINGS = {
    "columns": charts.draw_weekly_columns("a", "A", weeks(3), [Series("x", "unresolved", [1, None, 3])]),
    "sparkline": charts.draw_sparkline("b", "B", "emergency", [1, None, 3]),
    "epidemic curve": charts.draw_epidemic_curve("d", "D", weeks(4), SEEN, EXPECTED),
    "pyramid": crosstabs.draw_pyramid("c", "C", ("Female", "Male"), ROWS, "emergencies"),
}


@pytest.mark.parametrize("drawn", DRAWINGS.values(), ids=DRAWINGS)
def test_every_drawing_is_named_and_described_for_screen_readers(drawn: str) -> None:
    root = ElementTree.fromstring(drawn)
    title, description = root[0], root[1]
    assert (title.tag, description.tag, root.get("role")) == ("title", "desc", "img")
    assert root.get("aria-labelledby") == title.get("id")
    assert root.get("aria-describedby") == description.get("id")
    assert title.text
    assert description.text


@pytest.mark.parametrize("drawn", DRAWINGS.values(), ids=DRAWINGS)
def test_as_a_file_it_needs_nothing_else(drawn: str) -> None:
    file = svg.render_file(drawn)
    root = ElementTree.fromstring(file)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "var(" not in file
    assert svg.PALETTE["light"]["emergency"] in file
    assert re.findall(r"https?://[^\"]+", file) == ["http://www.w3.org/2000/svg"]


@given(st.text())
def test_any_text_gives_well_formed_xml(text: str) -> None:
    drawn = charts.draw_weekly_columns("t", text, [Week(text, MONDAY)], [Series(text, "plain", [1])])
    ElementTree.fromstring(drawn)
    assert "<script" not in drawn


def test_the_same_numbers_give_the_same_bytes() -> None:
    again = charts.draw_weekly_columns("a", "A", weeks(3), [Series("x", "unresolved", [1, None, 3])])
    assert again == DRAWINGS["columns"]


# ------------------------------------------------------------------------------- sparkline and pyramid


def test_a_sparkline_has_a_column_for_each_known_week_and_the_last_in_full() -> None:
    root = ElementTree.fromstring(charts.draw_sparkline("t", "T", "emergency", [4, None, 2]))
    classes = [bar.get("class") for bar in root.iter("rect")]
    assert classes == ["emergency rest", "emergency"]
    assert "2 to 4 a week, 2 in the last week." in (root[1].text or "")


def test_a_pyramid_has_one_scale_for_both_sides() -> None:
    root = ElementTree.fromstring(DRAWINGS["pyramid"])
    left, right = bars(root, "plain")[:2]
    assert float(left.get("width", 0)) == pytest.approx(2 * float(right.get("width", 0)), abs=0.2)
    marked = bars(root, "emergency")[0]
    assert float(marked.get("width", 0)) == pytest.approx(float(left.get("width", 0)) / 5, abs=0.2)
    assert float(left.get("x", 0)) + float(left.get("width", 0)) == pytest.approx(236, abs=0.2)
    assert "60-74: 40 female, 8 emergencies, 20 male, 0 emergencies" in (root[1].text or "")
    tops = sorted({float(bar.get("y", 0)) for bar in bars(root, "plain")})
    assert len(tops) == len(ROWS)
    assert all(later - top >= 22 for top, later in pairwise(tops)), "no row covers another"
    assert tops[0] >= 16, "below the names of both sides"
    assert tops[-1] + 22 <= float(root.get("viewBox", "").split()[3])


# --------------------------------------------------------------------------- epidemic curve and heat map


def drawn_as(name: str, kind: str, drawing: str) -> list[ElementTree.Element]:
    return [node for node in ElementTree.fromstring(DRAWINGS[drawing]).iter(kind) if node.get("class") == name]


def test_an_alarm_is_a_triangle_over_a_column_in_full_color() -> None:
    (mark,) = drawn_as("alarm", "path", "epidemic curve")
    (full,) = drawn_as("plain", "rect", "epidemic curve")
    tip = re.match(r"M([\d.]+),([\d.]+) ", mark.get("d", ""))
    assert tip
    assert float(tip[1]) == pytest.approx(float(full.get("x", 0)) + float(full.get("width", 0)) / 2, abs=0.2)
    assert float(tip[2]) == pytest.approx(float(full.get("y", 0)) - 3, abs=0.2)
    assert len(drawn_as("plain rest", "rect", "epidemic curve")) == 1


def test_the_expected_range_is_drawn_where_it_is_known_on_the_scale_of_the_columns() -> None:
    lines = [line.get("d", "") for line in drawn_as("upper", "path", "epidemic curve")]
    bottom, top = 174, 24  # of the plot, whose scale ends at 100
    heights = [{float(y) for y in re.findall(r",([\d.]+)", line)} for line in lines]
    assert heights == [{bottom - 0.5 * (bottom - top)}, {bottom - 0.8 * (bottom - top)}]
    assert len(drawn_as("range", "path", "epidemic curve")) == len(drawn_as("expected", "path", "epidemic curve")) == 2


def test_a_curve_is_described_with_its_range_and_alarms() -> None:
    svg_text = DRAWINGS["epidemic curve"]
    assert "No expected range in the last week. Alarms: 2026-W23." in svg_text
    assert "Expected: 60.2, 40 to 80\nAlarm: more than expected" in svg_text
    known = charts.draw_epidemic_curve(
        "f", "F", weeks(1), Series("x", "plain", [3]), Expected([2.0], [0.0], [4.0], [False])
    )
    assert "Expected in the last week 2.0, at most 4. No alarm." in known


def test_a_bound_higher_than_every_count_stays_inside_the_drawing() -> None:
    drawn = charts.draw_epidemic_curve(
        "g", "G", weeks(1), Series("x", "plain", [3]), Expected([2.0], [0.0], [45.5], [True])
    )
    heights = [float(y) for y in re.findall(r"[ML][\d.]+,(-?[\d.]+)", drawn)]
    assert min(heights) >= 24


def test_days_are_told_as_days() -> None:
    drawn = charts.draw_weekly_columns("t", "T", weeks(2), [Series("x", "plain", [1, 3])], Look((560, 200), "day"))
    assert "2 days from 18 May 2026 to 25 May 2026. x: 1 to 3 a day, 3 in the last day." in drawn


# ---------------------------------------------------------------------------------------------- colors

# How each kind of color blindness changes linear RGB: Machado, Oliveira and Fernandes 2009, severity 1.
SEEN_BY = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red cones": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "no green cones": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "no blue cones": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
RGB = tuple[float, float, float]


def linear(color: str) -> RGB:
    r, g, b = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return _linear(r), _linear(g), _linear(b)


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio."""
    lights = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (linear(one), linear(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def oklab(color: str, eye: str) -> RGB:
    """The color as that eye sees it, in a space where distances are differences seen."""
    rgb = linear(color)
    r, g, b = (min(1, max(0, sum(m * c for m, c in zip(row, rgb, strict=True)))) for row in SEEN_BY[eye])
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    medium = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


@pytest.mark.parametrize("scheme", svg.PALETTE)
@pytest.mark.parametrize("eye", SEEN_BY)
def test_any_two_levels_can_be_told_apart(scheme: str, eye: str) -> None:
    for one, other in combinations(LEVELS, 2):
        seen = (oklab(svg.PALETTE[scheme][level], eye) for level in (one, other))
        distance = sum((a - b) ** 2 for a, b in zip(*seen, strict=True)) ** 0.5
        assert distance > 0.12, (one, other)


@pytest.mark.parametrize("scheme", svg.PALETTE)
def test_marks_and_words_stand_out_from_the_paper(scheme: str) -> None:
    colors = svg.PALETTE[scheme]
    assert all(contrast(colors[paint], colors["paper"]) >= 3 for paint in svg.PAINTS)
    assert contrast(colors["ink"], colors["paper"]) >= 12
    assert contrast(colors["soft"], colors["paper"]) >= 7
    assert contrast(colors["soft"], colors["gap"]) >= 4.5
