"""A two-way table -> a drawing as SVG text: ages by sex as a pyramid. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from pipelines.pages.svg import make_drawing, make_node, render_drawing


@dataclass(frozen=True)
class Pair:
    """One row of a pyramid: counts to the left and to the right, and the marked part of each."""

    label: str
    left: int
    right: int
    left_marked: int
    right_marked: int


def draw_pyramid(name: str, title: str, sides: tuple[str, str], rows: Sequence[Pair], marked: str) -> str:
    """Two sets of bars back to back, one row per pair, on one scale; the marked part starts at the middle."""
    size = (560, 34 + 30 * len(rows))
    peak = max([1, *(count for row in rows for count in (row.left, row.right))])
    root = make_drawing(name, title, _describe_pyramid(sides, rows, marked), size)
    root.append(make_node("text", sides[0], x=236, y=16, text_anchor="end", class_="strong"))
    root.append(make_node("text", sides[1], x=324, y=16, class_="strong"))
    for i, row in enumerate(rows):
        root.append(_draw_row(row, 28 + 30 * i, 190 / peak, sides, marked))
    return render_drawing(root)


def _describe_pyramid(sides: tuple[str, str], rows: Iterable[Pair], marked: str) -> str:
    left, right = (side.lower() for side in sides)
    return "; ".join(
        f"{row.label}: {row.left:,} {left}, {row.left_marked:,} {marked}, "
        f"{row.right:,} {right}, {row.right_marked:,} {marked}"
        for row in rows
    )


def _draw_row(row: Pair, y: float, scale: float, sides: tuple[str, str], marked: str) -> ElementTree.Element:
    hint = _describe_pyramid(sides, [row], marked)
    middle = make_node("text", row.label, x=280, y=y + 15, text_anchor="middle", class_="strong")
    group = make_node("g", make_node("title", hint), middle)
    left, right = row.left * scale, row.right * scale
    for x, width, paint in (
        (236 - left, left, "plain"),
        (324, right, "plain"),
        (236 - row.left_marked * scale, row.left_marked * scale, "emergency"),
        (324, row.right_marked * scale, "emergency"),
    ):
        group.append(make_node("rect", x=x, y=y, width=width, height=22, class_=paint))
    group.append(make_node("text", f"{row.left:,}", x=232 - left, y=y + 15, text_anchor="end"))
    group.append(make_node("text", f"{row.right:,}", x=328 + right, y=y + 15))
    return group
