"""Weeks -> columns and trends as SVG text. Pure functions: the same input gives the same bytes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise
from xml.etree import ElementTree

from pipelines.pages.svg import MONTHS, format_day, make_drawing, make_node, render_drawing

NARROW = 400  # units; a drawing up to this width has no room for a scale beside the plot
SCALE_WIDTH = 54
MONTH_WIDTH = 36  # of a month's name in the largest text, the phone's


@dataclass(frozen=True)
class Week:
    """One week on the time axis: its name and its first day."""

    label: str
    start: date


@dataclass(frozen=True)
class Series:
    """One weekly series: a count for each week of the axis, None if the week is not covered."""

    label: str
    paint: str
    counts: Sequence[int | None]


@dataclass(frozen=True)
class Look:
    """How columns are drawn: width and height in units (CSS px), and what a column is."""

    size: tuple[int, int] = (560, 230)
    unit: str = "week"


@dataclass(frozen=True)
class Expected:
    """What the history lets expect of one series: a count and its range a week, and where it alarmed."""

    counts: Sequence[float | None]
    lower: Sequence[float | None]
    upper: Sequence[float | None]
    alarms: Sequence[bool]


@dataclass(frozen=True)
class _Frame:
    """A plot area inside a drawing, in the drawing's units; y grows downward. One slot a week."""

    left: float
    right: float
    top: float
    bottom: float
    slots: int
    peak: int

    @property
    def slot(self) -> float:
        return (self.right - self.left) / self.slots

    def x(self, i: float) -> float:
        return self.left + self.slot * i

    def y(self, value: float) -> float:
        return self.bottom - (self.bottom - self.top) * value / self.peak


def draw_weekly_columns(
    name: str,
    title: str,
    weeks: Sequence[Week],
    series: Sequence[Series],
    look: Look | None = None,
) -> str:
    """Stacked columns, one a week, the first series at the bottom. A week that is not covered is a gap.

    name: unique on the page (ids start with it); series: all of the length of `weeks`.
    """
    look = look or Look()
    width, height = look.size
    totals = _sum_stacks(series)
    peak = choose_peak(max((total for total in totals if total is not None), default=0))
    left = SCALE_WIDTH if width > NARROW else 0
    frame = _Frame(left, width, 20, height - 26, len(weeks), peak)
    root = make_drawing(name, title, describe(weeks, series, look.unit), look.size)
    if any(s.paint == "unresolved" for s in series):
        root.append(_draw_hatching(name))
    root.extend([*_draw_grid(frame), *_draw_gaps(frame, totals), *_draw_month_marks(frame, weeks)])
    root.extend(_draw_column(name, frame, weeks[i], series, i) for i, total in enumerate(totals) if total is not None)
    root.extend(_draw_axis(frame))
    return render_drawing(root)


def draw_epidemic_curve(name: str, title: str, weeks: Sequence[Week], seen: Series, expected: Expected) -> str:
    """One series' columns with its expected range: a solid step line for the expected count, a dashed one for the
    upper end, the range shaded from its lower end, and a triangle over each week with an alarm."""
    size = (560, 200)
    heights = [*seen.counts, *expected.upper, *expected.counts]
    peak = choose_peak(math.ceil(max((height for height in heights if height is not None), default=0)))
    frame = _Frame(SCALE_WIDTH, 560, 24, 174, len(weeks), peak)
    root = make_drawing(name, title, f"{describe(weeks, [seen])} {_describe_expected(weeks, expected)}", size)
    root.extend([*_draw_grid(frame), *_draw_gaps(frame, seen.counts), *_draw_month_marks(frame, weeks)])
    for i, count in enumerate(seen.counts):
        if count is not None:
            root.append(_draw_curve_week(frame, weeks[i], seen, expected, i))
    root.extend([*_draw_ranges(frame, expected), *_draw_axis(frame)])
    root.extend(_draw_alarm_mark(frame, i, seen.counts[i] or 0) for i, alarm in enumerate(expected.alarms) if alarm)
    return render_drawing(root)


def draw_sparkline(name: str, label: str, paint: str, counts: Sequence[int | None]) -> str:
    """Return a trend the size of a word: columns without axes, the last one in full color; gaps stay empty."""
    known = [count for count in counts if count is not None]
    frame = _Frame(0, 130, 1, 27, len(counts), max([1, *known]))
    root = make_drawing(name, label, _describe_range(counts), (130, 28))
    root.set("preserveAspectRatio", "none")  # no text in it: it may take any shape
    root.append(make_node("line", x1=0, x2=130, y1=27.5, y2=27.5, class_="grid"))
    for i, count in enumerate(counts):
        if count is not None:
            paint_class = paint if i == len(counts) - 1 else f"{paint} rest"
            root.append(_draw_bar(frame, i, 0, count, paint_class))
    return render_drawing(root)


def choose_peak(highest: int) -> int:
    """Return the top of an axis: the smallest even one of a few round numbers times a power of ten, 2 at least."""
    if highest <= 2:
        return 2
    power = 10 ** (len(str(highest)) - 1)
    steps = (power * tenths / 10 for tenths in (10, 12, 16, 20, 25, 30, 40, 50, 60, 80, 100))
    return next(int(step) for step in steps if step >= highest and step % 2 == 0)


def describe(weeks: Sequence[Week], series: Sequence[Series], unit: str = "week") -> str:
    """Return the text alternative of a chart of columns: its span, its gaps, and each series' range and last value."""
    missing = sum(total is None for total in _sum_stacks(series))
    gaps = f" {missing} of them without data." if missing else ""
    last = f"{'' if unit == 'day' else f'the {unit} of '}{format_day(weeks[-1].start)}"
    span = f"{len(weeks)} {unit}s from {format_day(weeks[0].start)} to {last}."
    return span + gaps + "".join(f" {s.label}: {_describe_range(s.counts, unit)}" for s in series)


def _describe_expected(weeks: Sequence[Week], expected: Expected) -> str:
    now, upper = expected.counts[-1], expected.upper[-1]
    this_week = "No expected range in the last week."
    if now is not None and upper is not None:
        this_week = f"Expected in the last week {now:,.1f}, at most {upper:,.0f}."
    alarms = [week.label for week, alarm in zip(weeks, expected.alarms, strict=True) if alarm]
    return f"{this_week} {'Alarms: ' + ', '.join(alarms) if alarms else 'No alarm'}."


def _describe_range(counts: Sequence[int | None], unit: str = "week") -> str:
    known = [count for count in counts if count is not None]
    if not known:
        return "no data."
    last = "no data" if counts[-1] is None else f"{counts[-1]:,}"
    return f"{min(known):,} to {max(known):,} a {unit}, {last} in the last {unit}."


def _sum_stacks(series: Sequence[Series]) -> list[int | None]:
    """Return the height of each week's stack; None if no series has a count."""
    stacks = [[s.counts[i] for s in series] for i in range(len(series[0].counts))]
    return [None if all(c is None for c in stack) else sum(c or 0 for c in stack) for stack in stacks]


def _draw_column(name: str, frame: _Frame, week: Week, series: Sequence[Series], i: int) -> ElementTree.Element:
    """Return one week's stack; pointing at it shows the numbers."""
    values = [(s, s.counts[i] or 0) for s in series]
    lines = [f"{week.label} (from {format_day(week.start)})", *(f"{s.label}: {count:,}" for s, count in values)]
    group = make_node("g", make_node("title", "\n".join(lines)), class_="week", data_week=week.label)
    base = 0
    for s, count in values:
        if count:
            group.append(_draw_bar(frame, i, base, count, s.paint))
            if s.paint == "unresolved":
                group.append(_draw_bar(frame, i, base, count, "", fill=f"url(#{name}-hatch)"))
        base += count
    if not base:
        group.append(_draw_zero_mark(frame, i))
    return group


def _draw_curve_week(frame: _Frame, week: Week, seen: Series, expected: Expected, i: int) -> ElementTree.Element:
    """Return one week's column; pointing at it shows its numbers."""
    count = seen.counts[i] or 0
    lines = [f"{week.label} (from {format_day(week.start)})", f"{seen.label}: {count:,}"]
    if expected.upper[i] is not None:
        lines.append(
            f"Expected: {expected.counts[i] or 0:,.1f}, {expected.lower[i] or 0:,.0f} to {expected.upper[i]:,.0f}"
        )
    lines += ["Alarm: more than expected"] if expected.alarms[i] else []
    paint = seen.paint if expected.alarms[i] else f"{seen.paint} rest"  # the lines must stand out from it
    bar = _draw_bar(frame, i, 0, count, paint) if count else _draw_zero_mark(frame, i)
    return make_node("g", make_node("title", "\n".join(lines)), bar, class_="week", data_week=week.label)


def _draw_ranges(frame: _Frame, expected: Expected) -> Iterator[ElementTree.Element]:
    """Yield the expected range, one shape for each run of weeks that have one."""
    known = [None not in pair for pair in zip(expected.counts, expected.upper, strict=True)]
    for is_known, run in groupby(range(len(known)), key=lambda i: known[i]):
        places = list(run)
        if not is_known:
            continue
        low, middle, high = (
            [(x, frame.y(values[i] or 0)) for i in places for x in (frame.x(i), frame.x(i + 1))]
            for values in (expected.lower, expected.counts, expected.upper)
        )
        back = _join_points(reversed(low)).replace("M", "L", 1)
        yield make_node("path", d=f"{_join_points(high)} {back} Z", class_="range")
        yield make_node("path", d=_join_points(middle), class_="expected")
        yield make_node("path", d=_join_points(high), class_="upper")


def _join_points(points: Iterable[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _draw_alarm_mark(frame: _Frame, i: int, count: int) -> ElementTree.Element:
    """Return a triangle that stands on its tip over the week's column."""
    x, y = frame.x(i + 0.5), frame.y(count) - 3
    return make_node("path", d=f"M{x:.1f},{y:.1f} l-6,-10 l12,0 Z", class_="alarm")


def _draw_bar(frame: _Frame, i: int, base: int, count: int, paint: str, fill: str = "") -> ElementTree.Element:
    top, bottom = frame.y(base + count), frame.y(base)
    gap = 0.7 if base else 0  # the paper shows between stacked parts
    width = frame.slot * 0.78
    attributes = {"fill": fill} if fill else {"class_": paint}
    return make_node("rect", x=frame.x(i + 0.11), y=top, width=width, height=max(bottom - top - gap, 0.4), **attributes)


def _draw_zero_mark(frame: _Frame, i: int) -> ElementTree.Element:
    """Return a covered week without any report: a short stroke on the base line, so that it is no gap."""
    x, width = frame.x(i + 0.11), frame.slot * 0.78
    return make_node("rect", x=x, y=frame.bottom - 1.5, width=width, height=1.5, class_="now")


def _draw_grid(frame: _Frame) -> Iterator[ElementTree.Element]:
    """Lines at the half and the top of the scale; a narrow drawing names the top alone, above its line."""
    for value in (frame.peak // 2, frame.peak):
        y = frame.y(value)
        yield make_node("line", x1=frame.left, x2=frame.right, y1=y, y2=y, class_="grid")
        if frame.left:
            yield make_node("text", f"{value:,}", x=frame.left - 6, y=y + 4, text_anchor="end")
        elif value == frame.peak:
            yield make_node("text", f"{value:,}", x=0, y=y - 4)


def _draw_axis(frame: _Frame) -> Iterator[ElementTree.Element]:
    """Yield the base line, and the mark under the last week: the one the report is about."""
    yield make_node("line", x1=frame.left, x2=frame.right, y1=frame.bottom, y2=frame.bottom, class_="base")
    x = frame.x(frame.slots - 0.89)
    yield make_node("rect", x=x, y=frame.bottom + 2, width=frame.slot * 0.78, height=3, class_="now")


def _draw_gaps(frame: _Frame, totals: Sequence[int | None]) -> Iterator[ElementTree.Element]:
    """Yield one field per run of weeks that are not covered, named where there is room for the words."""
    for missing, run in groupby(range(len(totals)), key=lambda i: totals[i] is None):
        places = list(run)
        if not missing:
            continue
        x, width = frame.x(places[0]), frame.slot * len(places)
        height = frame.bottom - frame.top
        group = make_node("g", make_node("title", f"{len(places)} weeks without data" if places[1:] else "No data"))
        group.append(make_node("rect", x=x + 1, y=frame.top, width=width - 2, height=height, class_="gap"))
        if width > 70:
            middle = (frame.top + frame.bottom) / 2
            group.append(make_node("text", "no data", x=x + width / 2, y=middle, text_anchor="middle"))
        yield group


def find_month_starts(weeks: Sequence[Week]) -> list[int]:
    """Return the places of the weeks under which a month's name stands: the first that starts in it."""
    starts = [0, *(i for i, (a, b) in enumerate(pairwise(weeks), 1) if a.start.month != b.start.month)]
    return starts[1:] if len(starts) > 1 and starts[1] < 3 else starts


def _draw_month_marks(frame: _Frame, weeks: Sequence[Week]) -> Iterator[ElementTree.Element]:
    """Yield the months' names, where the next one or the edge leaves room."""
    places = find_month_starts(weeks)
    starts = [frame.x(i + 0.11) for i in places]
    for i, x, end in zip(places, starts, [*starts[1:], frame.right], strict=True):
        if end - x > MONTH_WIDTH:
            yield make_node("text", MONTHS[weeks[i].start.month - 1], x=x, y=frame.bottom + 18)


def _draw_hatching(name: str) -> ElementTree.Element:
    lines = make_node("path", d="M-1,1 l2,-2 M0,5 l5,-5 M4,6 l2,-2", class_="hatch")
    return make_node(
        "defs",
        make_node("pattern", lines, id=f"{name}-hatch", width=5, height=5, patternUnits="userSpaceOnUse"),
    )
