"""The page's colors and the pieces that every drawing is made of. Pure functions: equal input, equal bytes.

Drawn here and not by a plotting library, because the page needs what those do not give together: marks that
take the page's own colors (light, dark, paper) from style sheet variables, real text that a screen reader
and a search find, a title and a description in each drawing, equal bytes on every machine, and text that
stays readable at the width of a phone. A few kinds of drawing need less code than such a library's settings
would, and nothing has to be installed, or shipped inside the page, for it.
"""

from __future__ import annotations

import math
import re
from datetime import date
from xml.etree import ElementTree

from pipelines.text import escape_hidden

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
.chart .range{fill:var(--soft);opacity:.22}
.chart .expected{fill:none;stroke:var(--ink);stroke-width:1.4}
.chart .upper{fill:none;stroke:var(--ink);stroke-width:1.2;stroke-dasharray:4 2.5}
.chart .alarm{fill:var(--emergency);stroke:var(--paper);stroke-width:1}
.chart .hatch{stroke:var(--paper);stroke-width:1.4;opacity:.75}
"""
_RULES += "".join(f".chart .{paint}{{fill:var(--{paint})}}\n" for paint in PAINTS)


def _list_variables(scheme: str) -> str:
    return ":root{" + ";".join(f"--{name}:{value}" for name, value in PALETTE[scheme].items()) + "}"


# for the page: on paper the light colors hold whatever the screen's scheme is
COLORS = f"{_list_variables('light')}\n@media screen and (prefers-color-scheme:dark){{{_list_variables('dark')}}}"
STYLE = COLORS + _RULES


def _list_literal_styles() -> str:
    """Return the light colors written out: office programs that open an SVG file know no variables."""
    style = re.sub(r"var\(--chart-text,(\w+)\)", r"\1", _RULES)
    return re.sub(r"var\(--(\w+)\)", lambda found: PALETTE["light"][found[1]], style)


def make_drawing(name: str, title: str, description: str, size: tuple[int, int]) -> ElementTree.Element:
    """Return the root, named by its title and described by its description for screen readers."""
    width, height = size
    return make_node(
        "svg",
        make_node("title", title, id=f"{name}-title"),
        make_node("desc", description, id=f"{name}-desc"),
        class_="chart",
        role="img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-desc",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
    )


def render_file(svg: str) -> str:
    """Return a drawing as a file of its own: with its namespace and, written out, its style."""
    own = svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    style = f"<style>{_list_literal_styles()}svg{{background:{PALETTE['light']['paper']}}}</style>"
    return own.replace("</desc>", f"</desc>{style}", 1) + "\n"


def make_node(tag: str, *content: ElementTree.Element | str, **attributes: float | str) -> ElementTree.Element:
    """Return an element; `class_` stands for class, and an underscore in a name for a hyphen."""
    named = {key.rstrip("_").replace("_", "-"): _shorten(value) for key, value in attributes.items()}
    made = ElementTree.Element(tag, named)
    for item in content:
        if isinstance(item, str):
            made.text = escape_hidden(item)
        else:
            made.append(item)
    return made


def _shorten(value: float | str) -> str:
    """Coordinates to a tenth of a unit: nobody sees more, and the page stays small."""
    if isinstance(value, str):
        return escape_hidden(value)
    rounded = round(value, 1)
    return str(int(rounded)) if math.isclose(rounded, int(rounded)) else str(rounded)


def render_drawing(root: ElementTree.Element) -> str:
    return ElementTree.tostring(root, encoding="unicode")


def format_day(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"
