"""A document as one self-contained page: no script, no address outside its folder, complete on paper."""

from __future__ import annotations

from pipelines.pages.document import Document
from pipelines.pages.style import render


def render_html(document: Document) -> str:
    """Return the document as HTML."""
    return render("pages/document.html.jinja", document=document)
