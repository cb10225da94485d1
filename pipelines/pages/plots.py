"""The data of each kind of chart, as a document carries it, and the function that draws it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.pages import charts, crosstabs

SMALL, WIDE = (270, 112), (560, 140)


@dataclass(frozen=True)
class WeeklyColumns:
    """Stacked columns, one a week."""

    weeks: Sequence[charts.Week]
    series: Sequence[charts.Series]
    size: tuple[int, int] = (560, 230)

    def draw(self, name: str, title: str) -> str:
        """Return the chart as SVG text."""
        return charts.weekly_columns(name, title, self.weeks, self.series, self.size)


@dataclass(frozen=True)
class EpidemicCurve:
    """One series with its expected range and its alarms."""

    weeks: Sequence[charts.Week]
    seen: charts.Series
    expected: charts.Expected

    def draw(self, name: str, title: str) -> str:
        """Return the chart as SVG text."""
        return charts.epidemic_curve(name, title, self.weeks, self.seen, self.expected)


@dataclass(frozen=True)
class Sparkline:
    """A trend the size of a word."""

    paint: str
    counts: Sequence[int | None]

    def draw(self, name: str, title: str) -> str:
        """Return the chart as SVG text."""
        return charts.sparkline(name, title, self.paint, self.counts)


@dataclass(frozen=True)
class Pyramid:
    """Two sets of bars back to back."""

    sides: tuple[str, str]
    rows: Sequence[crosstabs.Pair]
    marked: str

    def draw(self, name: str, title: str) -> str:
        """Return the chart as SVG text."""
        return crosstabs.pyramid(name, title, self.sides, self.rows, self.marked)


@dataclass(frozen=True)
class HeatMap:
    """Rows by weeks."""

    weeks: Sequence[charts.Week]
    rows: Sequence[crosstabs.HeatRow]

    def draw(self, name: str, title: str) -> str:
        """Return the chart as SVG text."""
        return crosstabs.heat_map(name, title, self.weeks, self.rows)
