"""The data of each kind of chart, as a document carries it, and the function that draws it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipelines.pages import charts, crosstabs

SMALL, WIDE, DAYS = charts.Look((270, 112)), charts.Look((560, 140)), charts.Look((560, 200), "day")


@dataclass(frozen=True)
class WeeklyColumns:
    """Stacked columns, one a week, or a day."""

    weeks: Sequence[charts.Week]
    series: Sequence[charts.Series]
    look: charts.Look = field(default_factory=charts.Look)

    def draw(self, name: str, title: str) -> str:
        """Return the chart as SVG text."""
        return charts.draw_weekly_columns(name, title, self.weeks, self.series, self.look)


@dataclass(frozen=True)
class EpidemicCurve:
    """One series with its expected range and its alarms."""

    weeks: Sequence[charts.Week]
    seen: charts.Series
    expected: charts.Expected

    def draw(self, name: str, title: str) -> str:
        """Return the chart as SVG text."""
        return charts.draw_epidemic_curve(name, title, self.weeks, self.seen, self.expected)


@dataclass(frozen=True)
class Sparkline:
    """A trend the size of a word."""

    paint: str
    counts: Sequence[int | None]

    def draw(self, name: str, title: str) -> str:
        """Return the chart as SVG text."""
        return charts.draw_sparkline(name, title, self.paint, self.counts)


@dataclass(frozen=True)
class Pyramid:
    """Two sets of bars back to back."""

    sides: tuple[str, str]
    rows: Sequence[crosstabs.Pair]
    marked: str

    def draw(self, name: str, title: str) -> str:
        """Return the chart as SVG text."""
        return crosstabs.draw_pyramid(name, title, self.sides, self.rows, self.marked)
