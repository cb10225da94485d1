"""Published weekly counts of one series -> a drawing: rounded columns, hidden weeks as a band, gaps as gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from xml.etree import ElementTree

from pipelines.pages.charts import MONTH_WIDTH, SCALE_WIDTH, Week, choose_peak, find_month_starts
from pipelines.pages.svg import MONTHS, format_day, make_drawing, make_node, render_drawing
from pipelines.release.rounding import Cell

WIDTH, HEIGHT, TOP, BOTTOM = 560, 170, 20, 144
WEEKS_SHOWN = 26
SLOT = (WIDTH - SCALE_WIDTH) / WEEKS_SHOWN
LEAST_BAND = 5  # units; a band of 0 to 7 must be seen, also beside thousands
STYLE = """
.chart .band{fill:var(--paper);stroke:var(--ink);stroke-width:1.1;stroke-dasharray:2.5 2}
"""


def draw_curve(name: str, title: str, weeks: Sequence[Week], points: Sequence[Cell | None]) -> str:
    """Draw one column a week; a hidden count is a dashed band from 0 to its limit, an unreleased week a gap.

    name: unique on the page, and the paint of the columns; points: one for each week, None for an unreleased one.
    """
    tops = [point.at_most if point.is_hidden else point.reports or 0 for point in points if point]
    peak = choose_peak(max(tops, default=0))
    root = make_drawing(name, title, describe(weeks, points), (WIDTH, HEIGHT))
    root.extend([*_draw_grid(peak), *_draw_gaps(points), *_draw_months(weeks)])
    root.extend(
        _draw_column(name, week, i, point, peak)
        for i, (week, point) in enumerate(zip(weeks, points, strict=True))
        if point
    )
    root.append(make_node("line", x1=SCALE_WIDTH, x2=WIDTH, y1=BOTTOM, y2=BOTTOM, class_="base"))
    root.append(make_node("rect", x=_left(len(weeks) - 1), y=BOTTOM + 2, width=SLOT * 0.78, height=3, class_="now"))
    return render_drawing(root)


def describe(weeks: Sequence[Week], points: Sequence[Cell | None]) -> str:
    """Return the text alternative: the span, the range of the shown weeks, how many are hidden or not released."""
    shown = [point.reports for point in points if point and point.reports is not None]
    hidden = sum(point is not None and point.is_hidden for point in points)
    gaps = sum(point is None for point in points)
    parts = [f"{len(weeks)} weeks from {format_day(weeks[0].start)} to the week of {format_day(weeks[-1].start)}."]
    parts += [f"About {min(shown):,} to {max(shown):,} reports a week."] if shown else []
    parts += [f"{hidden} hidden because the count is small."] if hidden else []
    parts += [f"{gaps} not released."] if gaps else []
    return " ".join(parts)


def describe_cell(cell: Cell) -> str:
    """Return a disclosed count in words."""
    if cell.is_hidden:
        return f"{cell.at_least:,} to {cell.at_most:,}"
    return f"about {cell.reports:,} ({cell.at_least:,} to {cell.at_most:,})"


def _left(i: int) -> float:
    return SCALE_WIDTH + SLOT * (i + 0.11)


def _draw_column(name: str, week: Week, i: int, point: Cell, peak: int) -> ElementTree.Element:
    """Return one week; pointing at it shows what was published."""
    hint = make_node("title", f"{week.label} (from {format_day(week.start)})\n{describe_cell(point)}")
    unit = (BOTTOM - TOP) / peak
    height = max(point.at_most * unit, LEAST_BAND) if point.is_hidden else (point.reports or 0) * unit
    place = {"x": _left(i), "y": BOTTOM - height, "width": SLOT * 0.78, "height": height}
    bar = make_node("rect", **place, class_="band" if point.is_hidden else name)
    return make_node("g", hint, bar, class_="week", data_week=week.label)


def _draw_grid(peak: int) -> Iterator[ElementTree.Element]:
    for value in (peak // 2, peak):
        y = BOTTOM - (BOTTOM - TOP) * value / peak
        yield make_node("line", x1=SCALE_WIDTH, x2=WIDTH, y1=y, y2=y, class_="grid")
        yield make_node("text", f"{value:,}", x=SCALE_WIDTH - 6, y=y + 4, text_anchor="end")


def _draw_gaps(points: Sequence[Cell | None]) -> Iterator[ElementTree.Element]:
    """Yield one field for each run of weeks that were not released, named if there is room for the words."""
    for is_gap, run in groupby(range(len(points)), key=lambda i: points[i] is None):
        places = list(run)
        if not is_gap:
            continue
        x, width = SCALE_WIDTH + SLOT * places[0], SLOT * len(places)
        group = make_node(
            "g", make_node("title", f"{len(places)} weeks not released" if places[1:] else "Not released")
        )
        group.append(make_node("rect", x=x + 1, y=TOP, width=width - 2, height=BOTTOM - TOP, class_="gap"))
        if width > 130:
            group.append(make_node("text", "not released", x=x + width / 2, y=(TOP + BOTTOM) / 2, text_anchor="middle"))
        yield group


def _draw_months(weeks: Sequence[Week]) -> Iterator[ElementTree.Element]:
    for i in find_month_starts(weeks):
        if WIDTH - _left(i) > MONTH_WIDTH:
            yield make_node("text", MONTHS[weeks[i].start.month - 1], x=_left(i), y=BOTTOM + 18)
