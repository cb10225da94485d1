"""The report as PDF, set by typst: equal values give equal bytes, with the fonts that typst brings along.

Values reach the template as JSON, so none of them can become markup or code there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree

from pipelines.pages.svg import PALETTE, as_file
from pipelines.report.outline import Part, key_number_grid, parts

FONT = "Libertinus Serif"
TEXT_UNITS = {1: 11, 2: 15, 5: 19}  # of a chart's words when so many stand side by side


def as_pdf(page: dict[str, Any], drawings: Mapping[str, str]) -> bytes:
    """The page's values and its charts as a tagged PDF of A4 pages."""
    import typst  # not needed by any other command, and a tenth of a second to load

    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=True)
    template = (files("pipelines.report.templates") / "report.typ").read_bytes()
    content = {"content": json.dumps(_content(page, drawings), ensure_ascii=False)}
    made = typst.compile(template, format="pdf", font_paths=fonts, ignore_system_fonts=True, sys_inputs=content)
    if not isinstance(made, bytes):
        raise TypeError(f"typst gave {type(made).__name__} where one PDF was expected")
    return made


def _content(page: dict[str, Any], drawings: Mapping[str, str]) -> dict[str, Any]:
    """What the template shows: texts, lists and tables of texts, and charts as SVG."""
    about = page["about"]
    return {
        "title": f"{page['pack'].complaint.capitalize()}: week {page['week']}",
        "dates": page["dates"],
        "as_of": f"{about['published_at'][:16]} ({about['time_zone']})",
        "notices": page["notices"],
        "disclaimer": page["pack"].disclaimer,
        "messages": [{"color": PALETTE["light"][m.paint], "text": m.text} for m in page["messages"]],
        "numbers": asdict(key_number_grid(page["key_numbers"])),
        "parts": [_part(part, drawings) for part in parts(page)],
        "about": f"Rule pack {about['rule_pack']}, article “{page['pack'].article}”, calfwatch {about['version']}.",
        "soft": PALETTE["light"]["soft"],
        "line": PALETTE["light"]["line"],
    }


def _part(part: Part, drawings: Mapping[str, str]) -> dict[str, Any]:
    charts = [_chart(drawings[name], TEXT_UNITS[part.across]) for name in part.charts]
    paints = PALETTE["light"]
    legend = [{"label": label, "color": paints[paint]} for label, paint in part.legend]
    legend += [{"label": label, "color": f"{paints['plain']}{round(255 * shade):02x}"} for label, shade in part.shades]
    return asdict(part) | {"charts": charts, "legend": legend}


def _chart(drawing: str, text_units: int) -> dict[str, str]:
    """A chart as a file in a font that typst has, its title, and the text that stands for it."""
    title, description = list(ElementTree.fromstring(drawing))[:2]  # noqa: S314 - drawn by this program
    svg = re.sub(r"font-family:[^}]*", f"font-family:{FONT}", as_file(drawing))
    svg = svg.replace("font-size:11px", f"font-size:{text_units}px", 1)
    return {"svg": svg, "title": title.text or "", "alt": f"{title.text}. {description.text}"}
