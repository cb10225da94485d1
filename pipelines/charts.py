"""Numbers -> SVG text. Pure functions: no state, no files, the same input gives the same bytes.

Drawn here and not by a plotting library, because the page needs what those do not give together: marks that
take the page's own colors (light, dark, paper) from style sheet variables, real text that a screen reader
and a search find, a title and a description in each drawing, equal bytes on every machine, and text that
stays readable at the width of a phone. Three kinds of drawing need less code than such a library's settings
would, and nothing has to be installed, or shipped inside the page, for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise
from xml.etree import ElementTree

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# Every paint stands out from the paper by 3 to 1 or more, and any two of the levels stay apart for readers
# with each kind of color blindness; tests/test_charts.py works both out. In black and white the hatching
# of `unresolved` and the fixed stacking order tell the levels apart.
PALETTE = {
    "light": {
        "paper": "#ffffff",
        "ink": "#17212b",
        "soft": "#4a5866",
        "line": "#d3dae1",
        "gap": "#eef1f4",
        "emergency": "#a8201a",
        "contact_doctor": "#d9791a",
        "unresolved": "#8b8f9c",
        "self_care": "#1f5f99",
        "plain": "#47657f",
    },
    "dark": {
        "paper": "#12181f",
        "ink": "#e9eef3",
        "soft": "#b0bbc6",
        "line": "#333e49",
        "gap": "#1d252e",
        "emergency": "#ec5750",
        "contact_doctor": "#f5b94e",
        "unresolved": "#a9b1bd",
        "self_care": "#3482c8",
        "plain": "#84a3c0",
    },
}
PAINTS = ("emergency", "contact_doctor", "unresolved", "self_care", "plain")
_RULES = """
.chart{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif}
.chart text{fill:var(--soft);font-size:var(--chart-text,11px)}
.chart .strong{fill:var(--ink)}
.chart .grid{stroke:var(--line);stroke-width:1}
.chart .base{stroke:var(--soft);stroke-width:1}
.chart .gap{fill:var(--gap);stroke:var(--line);stroke-width:1;stroke-dasharray:3 3}
.chart .now{fill:var(--ink)}
.chart .before{opacity:.5}
.chart .rest{opacity:.55}
.chart .hatch{stroke:var(--paper);stroke-width:1.4;opacity:.75}
"""
_RULES += "".join(f".chart .{paint}{{fill:var(--{paint})}}\n" for paint in PAINTS)
NARROW = 400  # units; a drawing up to this width has no room for a scale beside the plot
SCALE_WIDTH = 54
MONTH_WIDTH = 36  # of a month's name in the largest text, the phone's
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _variables(scheme: str) -> str:
    return ":root{" + ";".join(f"--{name}:{value}" for name, value in PALETTE[scheme].items()) + "}"


# for the page: on paper the light colors hold whatever the screen's scheme is
STYLE = f"{_variables('light')}\n@media screen and (prefers-color-scheme:dark){{{_variables('dark')}}}{_RULES}"


def _literal_style() -> str:
    """The light colors written out: office programs that open an SVG file know no variables."""
    style = re.sub(r"var\(--chart-text,(\w+)\)", r"\1", _RULES)
    return re.sub(r"var\(--(\w+)\)", lambda found: PALETTE["light"][found[1]], style)


@dataclass(frozen=True)
class Week:
    """One week on the time axis: its name and its first day."""

    label: str
    start: date


@dataclass(frozen=True)
class Series:
    """One weekly series: a count for each week of the axis, None where the week is not covered."""

    label: str
    paint: str
    counts: Sequence[int | None]


@dataclass(frozen=True)
class Pair:
    """One row of a pyramid: counts to the left and to the right, and the marked part of each."""

    label: str
    left: int
    right: int
    left_marked: int
    right_marked: int


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


def weekly_columns(
    name: str,
    title: str,
    weeks: Sequence[Week],
    series: Sequence[Series],
    size: tuple[int, int] = (560, 230),
) -> str:
    """Stacked columns, one a week, the first series at the bottom. A week that is not covered is a gap.

    name: unique on the page (ids start with it); series: all of the length of `weeks`; size: units = CSS px.
    """
    width, height = size
    totals = _totals(series)
    peak = nice_peak(max((total for total in totals if total is not None), default=0))
    left = SCALE_WIDTH if width > NARROW else 0
    frame = _Frame(left, width, 20, height - 26, len(weeks), peak)
    root = _drawing(name, title, describe(weeks, series), size)
    if any(s.paint == "unresolved" for s in series):
        root.append(_hatching(name))
    root.extend([*_grid(frame), *_gaps(frame, totals), *_month_marks(frame, weeks)])
    root.extend(_column(name, frame, weeks, series, i) for i, total in enumerate(totals) if total is not None)
    root.extend(_axis(frame))
    return _text(root)


def sparkline(name: str, label: str, paint: str, counts: Sequence[int | None]) -> str:
    """A trend the size of a word: columns without axes, the last one in full color; gaps stay empty."""
    known = [count for count in counts if count is not None]
    frame = _Frame(0, 130, 1, 27, len(counts), max([1, *known]))
    root = _drawing(name, label, _range_sentence(counts), (130, 28))
    root.set("preserveAspectRatio", "none")  # no text in it: it may take any shape
    root.append(_node("line", x1=0, x2=130, y1=27.5, y2=27.5, class_="grid"))
    for i, count in enumerate(counts):
        if count is not None:
            paint_class = paint if i == len(counts) - 1 else f"{paint} rest"
            root.append(_bar(frame, i, 0, count, paint_class))
    return _text(root)


def pyramid(name: str, title: str, sides: tuple[str, str], rows: Sequence[Pair], marked: str) -> str:
    """Two sets of bars back to back, one row per pair, on one scale; the marked part starts at the middle."""
    size = (560, 34 + 30 * len(rows))
    peak = max([1, *(count for row in rows for count in (row.left, row.right))])
    root = _drawing(name, title, _pyramid_sentence(sides, rows, marked), size)
    root.append(_node("text", sides[0], x=236, y=16, text_anchor="end", class_="strong"))
    root.append(_node("text", sides[1], x=324, y=16, class_="strong"))
    for i, row in enumerate(rows):
        root.append(_pyramid_row(row, 28 + 30 * i, 190 / peak, sides, marked))
    return _text(root)


def as_file(svg: str) -> str:
    """A drawing as a file of its own: with its namespace and, written out, its style."""
    own = svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    style = f"<style>{_literal_style()}svg{{background:{PALETTE['light']['paper']}}}</style>"
    return own.replace("</desc>", f"</desc>{style}", 1) + "\n"


def nice_peak(highest: int) -> int:
    """The top of an axis: the smallest even one of a few round numbers times a power of ten, 2 at least."""
    if highest <= 2:
        return 2
    power = 10 ** (len(str(highest)) - 1)
    steps = (power * tenths / 10 for tenths in (10, 12, 16, 20, 25, 30, 40, 50, 60, 80, 100))
    return next(int(step) for step in steps if step >= highest and step % 2 == 0)


def describe(weeks: Sequence[Week], series: Sequence[Series]) -> str:
    """The text alternative of a weekly chart: its span, its gaps, and each series' range and last value."""
    missing = sum(total is None for total in _totals(series))
    gaps = f" {missing} of them without data." if missing else ""
    span = f"{len(weeks)} weeks from {_day(weeks[0].start)} to the week of {_day(weeks[-1].start)}."
    return span + gaps + "".join(f" {s.label}: {_range_sentence(s.counts)}" for s in series)


def _range_sentence(counts: Sequence[int | None]) -> str:
    known = [count for count in counts if count is not None]
    if not known:
        return "no data."
    last = "no data" if counts[-1] is None else f"{counts[-1]:,}"
    return f"{min(known):,} to {max(known):,} a week, {last} in the last week."


def _pyramid_sentence(sides: tuple[str, str], rows: Iterable[Pair], marked: str) -> str:
    left, right = (side.lower() for side in sides)
    return "; ".join(
        f"{row.label}: {row.left:,} {left}, {row.left_marked:,} {marked}, "
        f"{row.right:,} {right}, {row.right_marked:,} {marked}"
        for row in rows
    )


def _totals(series: Sequence[Series]) -> list[int | None]:
    """The height of each week's stack; None where no series has a count."""
    stacks = [[s.counts[i] for s in series] for i in range(len(series[0].counts))]
    return [None if all(c is None for c in stack) else sum(c or 0 for c in stack) for stack in stacks]


def _drawing(name: str, title: str, description: str, size: tuple[int, int]) -> ElementTree.Element:
    """The root, named by its title and described by its description for screen readers."""
    width, height = size
    return _node(
        "svg",
        _node("title", title, id=f"{name}-title"),
        _node("desc", description, id=f"{name}-desc"),
        class_="chart",
        role="img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-desc",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
    )


def _column(name: str, frame: _Frame, weeks: Sequence[Week], series: Sequence[Series], i: int) -> ElementTree.Element:
    """One week's stack; pointing at it shows the numbers."""
    week = weeks[i]
    values = [(s, s.counts[i] or 0) for s in series]
    hint = "\n".join([f"{week.label} (from {_day(week.start)})", *(f"{s.label}: {count:,}" for s, count in values)])
    group = _node("g", _node("title", hint), class_="week", data_week=week.label)
    base = 0
    for s, count in values:
        if count:
            group.append(_bar(frame, i, base, count, s.paint))
            if s.paint == "unresolved":
                group.append(_bar(frame, i, base, count, "", fill=f"url(#{name}-hatch)"))
        base += count
    if not base:
        group.append(_zero_mark(frame, i))
    return group


def _bar(frame: _Frame, i: int, base: int, count: int, paint: str, fill: str = "") -> ElementTree.Element:
    top, bottom = frame.y(base + count), frame.y(base)
    gap = 0.7 if base else 0  # the paper shows between stacked parts
    width = frame.slot * 0.78
    attributes = {"fill": fill} if fill else {"class_": paint}
    return _node(
        "rect",
        x=frame.x(i + 0.11),
        y=top,
        width=width,
        height=max(bottom - top - gap, 0.4),
        **attributes,
    )


def _zero_mark(frame: _Frame, i: int) -> ElementTree.Element:
    """A covered week without any report: a short stroke on the base line, so that it is no gap."""
    return _node(
        "rect",
        x=frame.x(i + 0.11),
        y=frame.bottom - 1.5,
        width=frame.slot * 0.78,
        height=1.5,
        class_="now",
    )


def _grid(frame: _Frame) -> Iterator[ElementTree.Element]:
    """Lines at the half and the top of the scale; a narrow drawing names the top alone, above its line."""
    for value in (frame.peak // 2, frame.peak):
        y = frame.y(value)
        yield _node("line", x1=frame.left, x2=frame.right, y1=y, y2=y, class_="grid")
        if frame.left:
            yield _node("text", f"{value:,}", x=frame.left - 6, y=y + 4, text_anchor="end")
        elif value == frame.peak:
            yield _node("text", f"{value:,}", x=0, y=y - 4)


def _axis(frame: _Frame) -> Iterator[ElementTree.Element]:
    """The base line, and the mark under the last week: the one the report is about."""
    yield _node("line", x1=frame.left, x2=frame.right, y1=frame.bottom, y2=frame.bottom, class_="base")
    x = frame.x(frame.slots - 0.89)
    yield _node("rect", x=x, y=frame.bottom + 2, width=frame.slot * 0.78, height=3, class_="now")


def _gaps(frame: _Frame, totals: Sequence[int | None]) -> Iterator[ElementTree.Element]:
    """One field per run of weeks that are not covered, named where there is room for the words."""
    for missing, run in groupby(range(len(totals)), key=lambda i: totals[i] is None):
        places = list(run)
        if not missing:
            continue
        x, width = frame.x(places[0]), frame.slot * len(places)
        height = frame.bottom - frame.top
        group = _node("g", _node("title", f"{len(places)} weeks without data" if places[1:] else "No data"))
        group.append(_node("rect", x=x + 1, y=frame.top, width=width - 2, height=height, class_="gap"))
        if width > 70:
            middle = (frame.top + frame.bottom) / 2
            group.append(_node("text", "no data", x=x + width / 2, y=middle, text_anchor="middle"))
        yield group


def _month_marks(frame: _Frame, weeks: Sequence[Week]) -> Iterator[ElementTree.Element]:
    """A month's name under its first week that starts in it, where the name before leaves room."""
    first_weeks = [0, *(i for i, (a, b) in enumerate(pairwise(weeks), 1) if a.start.month != b.start.month)]
    if len(first_weeks) > 1 and first_weeks[1] < 3:
        first_weeks = first_weeks[1:]
    for i in first_weeks:
        x = frame.x(i + 0.11)
        if frame.right - x > MONTH_WIDTH:
            yield _node("text", MONTHS[weeks[i].start.month - 1], x=x, y=frame.bottom + 18)


def _hatching(name: str) -> ElementTree.Element:
    lines = _node("path", d="M-1,1 l2,-2 M0,5 l5,-5 M4,6 l2,-2", class_="hatch")
    return _node(
        "defs",
        _node("pattern", lines, id=f"{name}-hatch", width=5, height=5, patternUnits="userSpaceOnUse"),
    )


def _pyramid_row(row: Pair, y: float, scale: float, sides: tuple[str, str], marked: str) -> ElementTree.Element:
    hint = _pyramid_sentence(sides, [row], marked)
    middle = _node("text", row.label, x=280, y=y + 15, text_anchor="middle", class_="strong")
    group = _node("g", _node("title", hint), middle)
    left, right = row.left * scale, row.right * scale
    for x, width, paint in (
        (236 - left, left, "plain"),
        (324, right, "plain"),
        (236 - row.left_marked * scale, row.left_marked * scale, "emergency"),
        (324, row.right_marked * scale, "emergency"),
    ):
        group.append(_node("rect", x=x, y=y, width=width, height=22, class_=paint))
    group.append(_node("text", f"{row.left:,}", x=232 - left, y=y + 15, text_anchor="end"))
    group.append(_node("text", f"{row.right:,}", x=328 + right, y=y + 15))
    return group


def _node(tag: str, *content: ElementTree.Element | str, **attributes: float | str) -> ElementTree.Element:
    """An element; `class_` stands for class, and an underscore in a name for a hyphen."""
    named = {key.rstrip("_").replace("_", "-"): _short(value) for key, value in attributes.items()}
    node = ElementTree.Element(tag, named)
    for item in content:
        if isinstance(item, str):
            node.text = _NOT_XML.sub("�", item)
        else:
            node.append(item)
    return node


def _short(value: float | str) -> str:
    """Coordinates to a tenth of a unit: nobody sees more, and the page stays small."""
    if isinstance(value, str):
        return _NOT_XML.sub("�", value)
    rounded = round(value, 1)
    return str(int(rounded)) if math.isclose(rounded, int(rounded)) else str(rounded)


def _text(root: ElementTree.Element) -> str:
    return ElementTree.tostring(root, encoding="unicode")


def _day(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"
