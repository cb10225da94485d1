"""Recognise direct identifiers by what a cell looks like.

One e-mail address, phone number or birth date is certain. Numbers with a check digit and postal codes look like
ordinary numbers (one random ten-digit number in ten passes a check digit), so these are only likely.
"""

from __future__ import annotations

import re
import unicodedata
from importlib import import_module

# bounded: a cell may be a megabyte; names and domains may be in any script
EMAIL = re.compile(
    r"[^@\s,;<>]{1,64}@[^@\s,;<>]{1,255}\.[^\W\d_][^\s\d@.,;<>]"
    r"|[\w.+-]{1,64} ?(?:\(at\)|\[at\]) ?[\w.-]{1,255}\.[^\W\d_]{2}",
    re.IGNORECASE,
)
PHONE = re.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}[ ./-]?(?:\(0?\d{1,4}\)[ ./-]?)?\d(?:[ ./-]?\d){6,12}"  # +44 20 7946 0000
    r"|\(\+\d{1,3}\)(?:[ ./-]?\d){6,13}"  # (+44) 20 7946 0000
    r"|(?:\d{1,3}[ ./-]?)?\(0?\d{2,4}\)[ ./-]?\d{3,4}[ ./-]?\d{3,5}"  # (020) 7946 0000, 1(202)555-0100
    r"|\d ?\(\d{3,4}\) ?\d{2,3}-\d\d-\d\d"  # 8 (495) 123-45-67
    r"|00[1-9]\d{0,2}(?:[ ./-]\d{1,4}){2,6}|00[1-9]\d{10,12}"  # 0044 20 7946 0000
    r"|0\d{2,4}[ /]\d{3,4}(?:[ /-]?\d{3,5})?|0\d{2,4}-\d{3,4}[ /-]?\d{3,5}"  # 020 7946 0000; not the id 012-0001
    r"|0\d{2,4} [/-] \d{3,4} ?\d{3,5}|0\d{2,4}\.\d{3,4}\.\d{3,5}"  # 030 - 1234567, 020.7946.0000
    r"|0[1-9](?:[ ./-]\d\d){4}"  # 06 12 34 56 78
    r"|0\d[ -]\d{4}[ -]\d{4}|06-\d{8}"  # 02 9374 4000
    r"|0[1-9]\d{8,9}"  # 02079460000
    r"|(?:1[ .-])?\d{3}[ ./-]\d{3}[ ./-]\d{4})(?: ?(?:x|ext\.?) ?\d{1,6})?(?!\w|-\w)",  # 202-555-0100 x12
    re.IGNORECASE,
)
PHONE_IN_TEXT = re.compile(
    r"\b(?:tel|telephone|phone|mobile|mob|fax|whatsapp)\b\W{0,3}"
    r"(?:(?:no|nr|number)\b\W{0,3})?\d(?:[ ./()-]{0,3}\d){6,14}(?!\d)",
    re.IGNORECASE,
)
BARE_PHONE = re.compile(r"447\d{9}|91[ -][6-9]\d{9}")  # these could be other numbers, so one is not enough
_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH_NAME = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_MONTH_NAME += r"|mär|mai|okt|dez|mrt|mei|fév|avr|juin|aoû|déc|ene|abr|ago|dic|gen|mag|giu|lug|set|ott|out)[a-zéûç]*"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?"
_TWO_DIGITS = r"(?:0[1-9]|1[0-2])"
_DATES = (
    rf"(?:{_YEAR} ?[-/.] ?{_MONTH} ?[-/.] ?{_DAY}\.?|{_DAY} ?[-/.] ?{_MONTH} ?[-/.] ?{_YEAR}"
    rf"|{_MONTH} ?[-/.] ?{_DAY} ?[-/.] ?{_YEAR}|{_YEAR} {_MONTH} {_DAY}|{_DAY} {_MONTH} {_YEAR}|{_MONTH} {_DAY} {_YEAR}"
    rf"|(?:{_DAY} ?/ ?{_MONTH}|{_MONTH} ?/ ?{_DAY}) ?/ ?\d\d|{_DAY}-{_MONTH_NAME}-\d\d"  # 17/05/80, 17-MAY-80
    rf"|(?:[0-3]\d[-.]{_TWO_DIGITS}|{_TWO_DIGITS}[-.][0-3]\d)[-.](?:2[7-9]|[3-9]\d)"  # 17-05-80; 10.11.12 is no date
    rf"|\d\d{_MONTH_NAME}\d\d"  # 17MAY80
    rf"|{_WEEKDAY}{_DAY}(?:st|nd|rd|th|er)?(?: of| de)?[-/. ]{{0,2}}{_MONTH_NAME}(?: de)?[-/., ]{{0,2}}{_YEAR}"
    rf"|{_YEAR}[-/ ]{_MONTH_NAME}[-/ ]{_DAY}"  # 1980-May-17
    rf"|{_WEEKDAY}{_MONTH_NAME}[-/. ]{{1,2}}{_DAY}(?:st|nd|rd|th)?[-/, ]{{1,2}}{_YEAR}"  # May 17, 1980
    r"|(?:19\d\d|20[01]\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))"
)
_MIDNIGHT = r"[T ](?:00?:00(?::00(?:\.0+)?)?|12:00(?::00)? ?AM) ?(?:Z|UTC|[+-]\d\d:?\d\d)?"  # exports add it
BIRTH_DATE = re.compile(rf"{_DATES}(?:{_MIDNIGHT})?", re.IGNORECASE)
_TWO_DIGIT_DAY = r"(?:0[1-9]|[12]\d|3[01])"
# 17051980
BARE_DATE = re.compile(
    rf"(?:{_TWO_DIGIT_DAY}{_TWO_DIGITS}|{_TWO_DIGITS}{_TWO_DIGIT_DAY})(?:19\d\d|20[01]\d)"
)  # 17051980
LABELLED_ID = re.compile(
    r"\b(?:(?:nhs|ssn|bsn|pesel|nino)\W{0,3}(?:(?:no|nr|number)\b\W{0,3})?\d(?:[ -]?\d){6,}"
    r"|mrn\W{0,3}\d{5,})",
    re.IGNORECASE,
)
AROUND = " \t()[]{}.,;:'\"-"  # what may stand around a date in its cell
BIRTH_IN_TEXT = re.compile(
    r"\b(?:dob|d\.o\.b\.?|born|date of birth|birth ?da(?:te|y)|geb(?:oren|\.)?|née? le)(?: on| am)?"
    rf"\W{{0,3}}(?:{_DATES}|\d{{8}}\b)",
    re.IGNORECASE,
)
ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ][\d:.]+(?:Z|[+-][\d:]+)?)?")
POSTAL = re.compile(
    r"[A-Z]{1,2}\d[A-Z\d]?[ -]?\d[A-Z]{2}"  # United Kingdom
    r"|[ABCEGHJ-NPRSTVXY]\d[A-Z][ -]?\d[A-Z]\d"  # Canada
    r"|\d{5}(?:-\d{4})?"  # United States, Germany, France, Spain, Italy
    r"|\d{4} ?[A-Z]{2}"  # Netherlands
)
POSTAL_CODE, EMAIL_ADDRESS, PHONE_NUMBER = "a postal code", "an e-mail address", "a phone number"
A_BIRTH_DATE, LABELLED_NUMBER = "a birth date", "a national id or medical record number"
PLAIN_SIGNS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"), "-") | {0x3002: ".", 0x2044: "/"}
# shape, the module of python-stdnum that knows the number, name; spaces, hyphens and dots are taken out first
NATIONAL_IDS = (
    (re.compile(r"\d{10}"), "stdnum.gb.nhs", "a national id (NHS number)"),
    (re.compile(r"\d{11}"), "stdnum.pl.pesel", "a national id (PESEL)"),
    (re.compile(r"\d{9}"), "stdnum.nl.bsn", "a national id (BSN)"),
    (re.compile(r"\d{9}"), "stdnum.ca.sin", "a national id (SIN)"),
    (re.compile(r"\d{8}[A-Z]"), "stdnum.es.dni", "a national id (DNI)"),
    (re.compile(r"[XYZ]\d{7}[A-Z]"), "stdnum.es.nie", "a national id (DNI)"),
    (re.compile(r"[12]\d{4}(?:\d\d|2[AB])\d{8}"), "stdnum.fr.nir", "a national id (NIR)"),
)
CHECKED = frozenset(name for _, _, name in NATIONAL_IDS)
SSN = re.compile(r"(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}")
LIKELY_SHAPES = (
    (POSTAL, POSTAL_CODE),
    (SSN, "a national id (SSN)"),
    (BARE_DATE, A_BIRTH_DATE),
    (BARE_PHONE, PHONE_NUMBER),
)


def find_certain_kind(cell: str) -> str | None:
    """Return the kind of identifier of which one is enough, or None."""
    cell = normalise_text(cell)
    if ("@" in cell or "at)" in cell or "at]" in cell) and EMAIL.search(cell):  # looking first makes long cells cheap
        return EMAIL_ADDRESS
    if PHONE.search(cell) or PHONE_IN_TEXT.search(cell):
        return PHONE_NUMBER
    if LABELLED_ID.search(cell):
        return LABELLED_NUMBER
    return A_BIRTH_DATE if BIRTH_DATE.fullmatch(cell.strip(AROUND)) or BIRTH_IN_TEXT.search(cell) else None


def find_likely_kinds(cell: str) -> set[str]:
    """Return the kinds that a cell could be, of which more than half of a column is needed."""
    cell = normalise_text(cell)
    kinds = {kind for shape, kind in LIKELY_SHAPES if shape.fullmatch(cell.upper())}
    bare = re.sub("[ .-]", "", cell).upper()
    return kinds | {name for shape, module, name in NATIONAL_IDS if shape.fullmatch(bare) and _is_issued(module, bare)}


def normalise_text(cell: str) -> str:
    """Return a cell with letters, digits, hyphens and blanks of any width and script as the plain ones."""
    if cell.isascii():
        return cell
    plain = unicodedata.normalize("NFKC", cell).translate(PLAIN_SIGNS)
    if plain.isascii():
        return plain
    return "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in plain)


def _is_issued(module: str, number: str) -> bool:
    """Whether a number could have been issued: its check digit, and what else its issuer promises, such as a date.

    A library's module is loaded for the first number of its shape; few files have any.
    """
    return bool(import_module(module).is_valid(number))
