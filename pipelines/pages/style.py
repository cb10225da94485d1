"""The one template environment and the one style sheet base of every page.

A template is named by its package: `pages/base.html.jinja` lies in pipelines/pages/templates.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import NoReturn

from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from pipelines.pages import svg, words
from pipelines.pages.labels import LEVELS
from pipelines.pages.values import Cell, Kind, format_cell, make_card
from pipelines.text import escape_hidden

PAINT_RULES = "".join(f"i.{paint}{{background-color:var(--{paint})}}\n" for paint in svg.PAINTS)


def render(template: str, **values: object) -> str:
    """Fill a template. Each value shows what would be hidden. HTML escapes it; Markdown (`.md.jinja`) does so itself.

    Raises jinja2.UndefinedError for a name that the values lack: better an error than a hole in what a clinician reads.
    """
    return _make_environment().get_template(template).render(values)


@cache
def _make_environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(read_template),
        autoescape=select_autoescape(disabled_extensions=("md.jinja",), default=True),
        undefined=StrictUndefined,
        finalize=_escape_hidden,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": words.format_count, "share": words.format_share, "change": words.change}
    environment.filters |= {"kind": lambda node: type(node).__name__, "safe_svg": _trust}
    environment.filters |= {"cell_text": _format_cell, "as_card": make_card}
    environment.globals |= {"stylesheet": _join_stylesheets, "level_labels": LEVELS, "fail": _fail}
    return environment


def _escape_hidden(value: object) -> object:
    return escape_hidden(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def read_template(name: str) -> str:
    """Return the text of a template or style sheet, named `package/file`."""
    package, _, file = name.partition("/")
    return (files(f"pipelines.{package}.templates") / file).read_text(encoding="utf-8")


def _join_stylesheets(*names: str) -> Markup:
    """Return the colors, the charts' rules and the named style sheets, for a `style` element."""
    return _trust("\n".join([svg.STYLE, PAINT_RULES, *map(read_template, names)]))


def _format_cell(cell: Cell, kind: Kind | str) -> str:
    return format_cell(cell, Kind(kind))


def _fail(message: str) -> NoReturn:
    raise TypeError(message)


def _trust(text: str) -> Markup:
    # style sheets ship with the program; drawings are built from XML nodes, which escape their values
    return Markup(text)  # noqa: S704
