"""Text for people and spreadsheets: no cell becomes a formula, no name commands a terminal or hides on a page."""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

FORMULA_SIGNS = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20")  # the last are the first four in full width


def escape_formula(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula: such a text gets an apostrophe in front."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_SIGNS) else cell


def escape_unprintable(text: str) -> str:
    """Return a text with escapes for every character that a terminal cannot show or would act on."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def is_week(text: str) -> bool:
    """Return whether a text names a week, of ISO or MMWR, and so can name a folder."""
    return re.fullmatch(r"[0-9]{4}-M?W(0[1-9]|[1-4][0-9]|5[0-3])", text) is not None


def say(*lines: str, stream: TextIO | None = None) -> None:
    """Print lines for people, each printable and on one line whatever is in it: nothing else prints."""
    print("\n".join(map(escape_unprintable, lines)), file=stream, flush=stream is not None)


def escape_hidden(text: str) -> str:
    """Return a text for a page: what would be hidden there, or turn the direction of reading, is an escape.

    Line ends, blanks of any width and the places where a word may be parted are left.
    """
    return text if text.isprintable() else "".join(ascii(sign)[1:-1] if is_hidden(sign) else sign for sign in text)


def is_hidden(sign: str) -> bool:
    """Return whether a character shows as nothing, or acts on those around it."""
    return sign not in "\n\N{SOFT HYPHEN}" and (unicodedata.category(sign)[0] == "C" or sign in "\u2028\u2029")


def format_path(path: str) -> str:
    """Return a path with escapes for control characters and for bytes that are no UTF-8."""
    return escape_unprintable(os.fsencode(path).decode("utf-8", "backslashreplace"))


def escape_for_stream(stream: TextIO, cell: object) -> object:
    """Return a cell unchanged for a file or a pipe, printable for a terminal."""
    return escape_unprintable(cell) if isinstance(cell, str) and stream.isatty() else cell


def format_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a header and rows as CSV; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([escape_formula(name) for name in columns])
    writer.writerows([escape_formula(cell) for cell in row] for row in rows)
    return text.getvalue()


def pluralise(number: int, thing: str, things: str = "") -> str:
    """Return a number and its noun, in the plural unless the number is one."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def describe_signatures(rule_pack: str, signatures: Sequence[Mapping[str, object]]) -> str:
    """Return one line for people: who signed a rule pack, or that nobody did."""
    if not signatures:
        return f"Rule pack {rule_pack} is not signed: no clinician has taken responsibility for it here."
    signed = "; ".join(f"{row['name']} ({row['role']}) on {row['signed_on']}" for row in signatures)
    return f"Rule pack {rule_pack} is signed by {signed}."


def describe_sender(source: str, week: str, reports: int | None, usual: float | None) -> str:
    """Return what a sender sent for a week (None: nothing at all, else a part): one wording for every reader."""
    sent = "nothing" if reports is None else pluralise(reports, "report")
    part = "" if reports is None else ", a part"
    usually = "" if usual is None else f"; usual are {usual:,.0f} a week"
    return f"{source} sent {sent} for {week}{part}{usually}"


def describe_arrival(source: str, week: str, reports: int, is_new: bool) -> str:
    """Return what a sender sent that sent next to nothing for eight weeks before: one wording for every reader."""
    since = "it is new" if is_new else "it is back after eight weeks or more"
    return f"{source} sent {pluralise(reports, 'report')} for {week} and hardly any for the weeks before: {since}"
