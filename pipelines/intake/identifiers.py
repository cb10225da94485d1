"""Recognise direct identifiers: by the name of a column, and by what a cell looks like.

One e-mail address, phone number or birth date is certain. Numbers with a check digit and postal codes look like
ordinary numbers (one random ten-digit number in ten passes a check digit), so these are only likely.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from importlib import import_module

from pipelines.errors import FileRejected

NAME_WORDS = {
    "name": "a name",
    "firstname": "a name",
    "lastname": "a name",
    "surname": "a name",
    "forename": "a name",
    "fullname": "a name",
    "fname": "a name",
    "lname": "a name",
    "initials": "a name",
    "nextofkin": "a name",
    "username": "a name",
    "patientname": "a name",
    "email": "an e-mail address",
    "mail": "an e-mail address",
    "phone": "a phone number",
    "telephone": "a phone number",
    "tel": "a phone number",
    "mobile": "a phone number",
    "fax": "a phone number",
    "address": "an address",
    "street": "an address",
    "postcode": "a postal code",
    "postalcode": "a postal code",
    "zip": "a postal code",
    "zipcode": "a postal code",
    "dob": "a date of birth",
    "birth": "a date of birth",
    "birthday": "a date of birth",
    "birthdate": "a date of birth",
    "dateofbirth": "a date of birth",
    "ssn": "a national id",
    "nino": "a national id",
    "passport": "a national id",
    "nationalid": "a national id",
    "bsn": "a national id",
    "pesel": "a national id",
    "dni": "a national id",
    "socialsecurity": "a national id",
    "nhs": "a medical record number",
    "nhsnumber": "a medical record number",
    "mrn": "a medical record number",
    "medicalrecord": "a medical record number",
    "patientid": "a medical record number",
    "insurance": "an insurance number",
    "ip": "a network address",
    "ipaddress": "a network address",
}
UNMISTAKABLE = ("email", "phone", *(word for word in NAME_WORDS if len(word) > 6))  # also glued to another word
THINGS = {"region", "site", "clinic", "hospital", "facility", "practice", "centre", "center", "ward", "unit", "county"}
THINGS |= {"department", "district", "city", "town", "area", "state", "country", "drug", "product", "file", "form"}

EMAIL = re.compile(r"[^@\s,;<>]{1,64}@[^@\s,;<>]{1,255}\.[A-Za-z]{2,}")  # bounded: a cell may be a megabyte
PHONE = re.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}[ ./-]?(?:\(0?\d{1,4}\)[ ./-]?)?\d(?:[ ./-]?\d){6,12}"  # +44 20 7946 0000
    r"|\(0?\d{2,4}\)[ ./-]?\d{3,4}[ ./-]?\d{3,5}"  # (020) 7946 0000
    r"|00[1-9]\d{0,2}(?:[ ./-]\d{1,4}){2,6}|00[1-9]\d{10,12}"  # 0044 20 7946 0000
    r"|0\d{2,4}[ /]\d{3,4}(?:[ /-]?\d{3,5})?|0\d{2,4}-\d{3,4}[ /-]?\d{3,5}"  # 020 7946 0000; not the id 012-0001
    r"|0[1-9](?:[ .-]\d\d){4}"  # 06 12 34 56 78
    r"|0\d \d{4} \d{4}|06-\d{8}"  # 02 9374 4000
    r"|0[1-9]\d{8,9}"  # 02079460000
    r"|(?:1[ .-])?\d{3}[ ./-]\d{3}[ .-]\d{4})(?![\w-])"  # 202-555-0100
)
_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH_NAME = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_MONTH_NAME += r"|mär|mai|okt|dez|mrt|mei|fév|avr|juin|aoû|déc|ene|abr|ago|dic|gen|mag|giu|lug|set|ott|out)[a-zéûç]*"
_DATES = (
    rf"(?:{_YEAR}[-/.]{_MONTH}[-/.]{_DAY}\.?|{_DAY}[-/.] ?{_MONTH}[-/.] ?{_YEAR}|{_MONTH}[-/.]{_DAY}[-/.]{_YEAR}"
    rf"|(?:{_DAY}/{_MONTH}|{_MONTH}/{_DAY})/\d\d|{_DAY}-{_MONTH_NAME}-\d\d"  # 17/05/80, 17-MAY-80
    rf"|{_DAY}(?:st|nd|rd|th|er)?(?: of| de)?[-/. ]{{1,2}}{_MONTH_NAME}(?: de)?[-/., ]{{1,2}}{_YEAR}"  # 17 May 1980
    rf"|{_YEAR}[-/ ]{_MONTH_NAME}[-/ ]{_DAY}"  # 1980-May-17
    rf"|{_MONTH_NAME}[-/. ]{{1,2}}{_DAY}(?:st|nd|rd|th)?[-/, ]{{1,2}}{_YEAR}"  # May 17, 1980
    r"|(?:19\d\d|20[01]\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))"
)
_MIDNIGHT = r"[T ](?:00?:00(?::00(?:\.0+)?)?|12:00(?::00)? ?AM) ?(?:Z|UTC|[+-]\d\d:?\d\d)?"  # exports add it
BIRTH_DATE = re.compile(rf"{_DATES}(?:{_MIDNIGHT})?", re.IGNORECASE)
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


def check_names(names: Iterable[str], known: frozenset[str] = frozenset()) -> None:
    """Raise FileRejected for a column that by its name holds a direct identifier, or a name that is one.

    `known` are the fields themselves, which may be called as they like.
    """
    for place, name in enumerate(names, 1):
        if name in known:
            continue
        if certain_kind(name):
            raise FileRejected(f"column {place} of the header is {certain_kind(name)}; is the header line missing?")
        kind = find_kind_of_name(name)
        if kind:
            raise FileRejected(f"column {name[:40]!a} holds {kind} by its name; remove it at the sender")


def find_kind_of_name(name: str) -> str | None:
    """Return the kind by any run of a name's words, and by a long word glued to others, as in PHONENUMBER."""
    words = re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name[:200]).lower())
    runs = ["".join(words[start:end]) for start in range(len(words)) for end in range(start + 1, len(words) + 1)]
    if {"name", "names"} & set(words) and THINGS & set(words):
        runs = [run for run in runs if NAME_WORDS.get(run) != "a name"]  # the name of a region is nobody's
    glued = [word for word in UNMISTAKABLE if word in "".join(words)]
    return next((NAME_WORDS[run] for run in [*runs, *glued] if run in NAME_WORDS), None)


def certain_kind(cell: str) -> str | None:
    """Return the kind of identifier of which one is enough, or None."""
    if not cell.isascii():
        cell = unicodedata.normalize("NFKC", cell)  # full-width letters and digits are read as plain ones
    if "@" in cell and EMAIL.search(cell):  # looking first makes long cells cheap
        return EMAIL_ADDRESS
    if PHONE.search(cell):
        return PHONE_NUMBER
    return "a birth date" if BIRTH_DATE.fullmatch(cell.strip()) or BIRTH_IN_TEXT.search(cell) else None


def likely_kinds(cell: str) -> set[str]:
    """Return the kinds that a cell could be, of which more than half of a column is needed."""
    kinds = {POSTAL_CODE} if POSTAL.fullmatch(cell.upper()) else set()
    if SSN.fullmatch(cell):
        kinds.add("a national id (SSN)")
    bare = re.sub("[ .-]", "", cell).upper()
    return kinds | {name for shape, module, name in NATIONAL_IDS if shape.fullmatch(bare) and _is_issued(module, bare)}


def _is_issued(module: str, number: str) -> bool:
    """Whether a number could have been issued: its check digit, and what else its issuer promises, such as a date.

    A library's module is loaded for the first number of its shape; few files have any.
    """
    return bool(import_module(module).is_valid(number))
