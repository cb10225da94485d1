"""The anonymisation gate: direct identifiers in a delivered file, by column name and by value.

One e-mail address, phone number or birth date in any cell is enough. Numbers with a check digit and postal
codes look like ordinary numbers (one random ten-digit number in ten passes a check digit), so these need
more than half of a column. One report id alone is no column: a file of a row or two is judged together with the
sender's earlier ids. A finding names column and kind, never a value.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

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
SAMPLE_PER_BLOCK = 256  # report ids that are looked at in each block
REMEMBERED_VALUES = 100_000
LONGEST_REMEMBERED = 1_000  # characters; a file of nothing but long cells would fill the memory
ENOUGH_IDS = 3  # report ids with a good check digit; one random number has one by chance, three hardly
EARLIER_IDS = 16  # of the sender, judged together with fewer than that


def _weighted(digits: str, weights: Iterable[int], modulus: int) -> int:
    return sum(int(d) * w for d, w in zip(digits, weights, strict=False)) % modulus


def _nhs(text: str) -> bool:
    check = 11 - _weighted(text[:9], range(10, 1, -1), 11)
    return text[9] == str(0 if check == 11 else check)


def _pesel(text: str) -> bool:
    return (10 - _weighted(text[:10], (1, 3, 7, 9) * 3, 10)) % 10 == int(text[10])


def _bsn(text: str) -> bool:
    return _weighted(text, (9, 8, 7, 6, 5, 4, 3, 2, -1), 11) == 0


def _luhn(text: str) -> bool:
    doubled = (sum(divmod(2 * int(d), 10)) if place % 2 else int(d) for place, d in enumerate(reversed(text)))
    return sum(doubled) % 10 == 0


def _dni(text: str) -> bool:
    number = int(text[:-1].translate(str.maketrans("XYZ", "012")))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == text[-1]


def _nir(text: str) -> bool:
    body = text[:13].replace("2A", "19").replace("2B", "18")
    return 97 - int(body) % 97 == int(text[13:])


# shape, check digit, name; spaces, hyphens and dots are taken out first
NATIONAL_IDS: tuple[tuple[re.Pattern[str], Callable[[str], bool], str], ...] = (
    (re.compile(r"\d{10}"), _nhs, "a national id (NHS number)"),
    (re.compile(r"\d{11}"), _pesel, "a national id (PESEL)"),
    (re.compile(r"\d{9}"), _bsn, "a national id (BSN)"),
    (re.compile(r"\d{9}"), _luhn, "a national id (SIN)"),
    (re.compile(r"[XYZ\d]\d{7}[A-Z]"), _dni, "a national id (DNI)"),
    (re.compile(r"[12]\d{4}(?:\d\d|2[AB])\d{8}"), _nir, "a national id (NIR)"),
)
CHECKED = frozenset(name for _, _, name in NATIONAL_IDS)
SSN = re.compile(r"(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}")


def check_names(names: Iterable[str], known: frozenset[str] = frozenset()) -> None:
    """Raises FileRejected for a column that by its name holds a direct identifier, or a name that is one.

    `known` are the fields themselves, which may be called as they like.
    """
    for place, name in enumerate(names, 1):
        if name in known:
            continue
        if certain_kind(name):
            raise FileRejected(f"column {place} of the header is {certain_kind(name)}; is the header line missing?")
        kind = _name_kind(name)
        if kind:
            raise FileRejected(f"column {name[:40]!a} holds {kind} by its name; remove it at the sender")


def _name_kind(name: str) -> str | None:
    """The kind by any run of a name's words, and by a long word glued to others, as in PHONENUMBER."""
    words = re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name[:200]).lower())
    runs = ["".join(words[start:end]) for start in range(len(words)) for end in range(start + 1, len(words) + 1)]
    if {"name", "names"} & set(words) and THINGS & set(words):
        runs = [run for run in runs if NAME_WORDS.get(run) != "a name"]  # the name of a region is nobody's
    glued = [word for word in UNMISTAKABLE if word in "".join(words)]
    return next((NAME_WORDS[run] for run in [*runs, *glued] if run in NAME_WORDS), None)


def certain_kind(cell: str) -> str | None:
    """The kind of identifier of which one is enough, or None."""
    if not cell.isascii():
        cell = unicodedata.normalize("NFKC", cell)  # full-width letters and digits are read as plain ones
    if "@" in cell and EMAIL.search(cell):  # looking first makes long cells cheap
        return EMAIL_ADDRESS
    if PHONE.search(cell):
        return PHONE_NUMBER
    return "a birth date" if BIRTH_DATE.fullmatch(cell.strip()) or BIRTH_IN_TEXT.search(cell) else None


def likely_kinds(cell: str) -> set[str]:
    """The kinds a cell could be, of which more than half of a column is needed."""
    kinds = {POSTAL_CODE} if POSTAL.fullmatch(cell.upper()) else set()
    if SSN.fullmatch(cell):
        kinds.add("a national id (SSN)")
    bare = re.sub("[ .-]", "", cell).upper()
    return kinds | {name for shape, check, name in NATIONAL_IDS if shape.fullmatch(bare) and check(bare)}


class Gate:
    """Watches the cells of one file as they are read; `verdict` raises FileRejected.

    `judged_whole` are the columns of which only the share counts: the report id, which may be any number.
    `certain_only` are those in which one value may still be enough, but numbers mean nothing: ignored columns.
    `earlier_ids` gives the sender's last stored ids (EARLIER_IDS), and is asked only where a file has too few.
    """

    def __init__(
        self,
        exempt: frozenset[str],
        judged_whole: frozenset[str],
        certain_only: frozenset[str] = frozenset(),
        earlier_ids: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self.earlier_ids = earlier_ids
        self.exempt = exempt
        self.judged_whole = judged_whole
        self.certain_only = certain_only
        self.cells: Counter[str] = Counter()
        self.kinds: Counter[tuple[str, str]] = Counter()
        self.looked_at: dict[tuple[str, str], frozenset[str]] = {}

    def see(self, column: str, values: Sequence[str], cells: int, counts: Callable[[], Sequence[int]]) -> None:
        """A block's distinct values of a column and its number of filled cells; raises at once where one is enough.

        `counts` gives each value's number of cells, and is asked only where it matters.
        """
        if column in self.exempt:
            return
        self.cells[column] += cells
        kinds = [self._kinds(column, value) for value in values]
        if any(kinds):
            for found, count in zip(kinds, counts(), strict=True):
                for kind in found:
                    self.kinds[column, kind] += count

    def _kinds(self, column: str, value: str) -> frozenset[str]:
        """The kinds that a value could be, found once for each distinct value of the usual length."""
        if len(value) > LONGEST_REMEMBERED:
            return self._look_at(column, value)
        if (column, value) not in self.looked_at:
            if len(self.looked_at) > REMEMBERED_VALUES:
                self.looked_at.clear()
            self.looked_at[column, value] = self._look_at(column, value)
        return self.looked_at[column, value]

    def _look_at(self, column: str, value: str) -> frozenset[str]:
        certain = certain_kind(value)
        if certain and column not in self.judged_whole:
            raise FileRejected(f"column {column[:40]!a} holds {certain}; remove it at the sender")
        likely = set() if column in self.certain_only else likely_kinds(value)
        if column in self.judged_whole:
            likely.discard(POSTAL_CODE)  # reports that are counted from 1 have five digits for a long time
        return frozenset(likely | ({certain} if certain else set()))

    def see_refused(self, column: str, value: str) -> None:
        """An id or a time that is none: one e-mail address is enough there too, and one phone number for an id."""
        kind = certain_kind(value)
        if kind == EMAIL_ADDRESS or (kind == PHONE_NUMBER and column not in self.exempt):
            raise FileRejected(f"column {column[:40]!a} holds {kind}; remove it at the sender")

    def see_line(self, text: str, delimiter: str) -> None:
        """A line that is no row: its cells cannot be told apart by column, and its first dates may be exempt ones."""
        cells = [cell.strip(' "') for cell in text.split(delimiter)]
        dates = [place for place, cell in enumerate(cells) if ISO_TIME.fullmatch(cell) or BIRTH_DATE.fullmatch(cell)]
        for place, cell in enumerate(cells):
            kind = certain_kind(cell)
            if kind and place not in dates[: len(self.exempt)]:
                raise FileRejected(f"a damaged line holds {kind}; remove it at the sender")

    def verdict(self) -> None:
        """Raises FileRejected for a column of which more than half looks like one kind of identifier."""
        for (column, kind), count in sorted(self.kinds.items()):
            if count * 2 > self.cells[column] and self._enough(column, kind, count):
                raise FileRejected(f"column {column[:40]!a} holds {kind} in most rows; remove it at the sender")

    def _enough(self, column: str, kind: str, count: int) -> bool:
        """Whether chance alone does not explain it; a sender of single reports is judged by its earlier ids too."""
        if count >= ENOUGH_IDS or kind not in CHECKED or column not in self.judged_whole:
            return True
        earlier = self.earlier_ids()
        count += sum(kind in likely_kinds(value) for value in earlier)
        return count > 1 and count * 2 > self.cells[column] + len(earlier)
