"""Judge the names of columns: by their words, never by letters that happen to stand together."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipelines.errors import FileRejected
from pipelines.intake.anonymisation.identifiers import find_certain_kind, find_likely_kinds

NAME_WORDS = {
    "name": "a name",
    "names": "a name",
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
# words that stand glued to the ones above, as in PATIENTNAME or PHONENUMBER
GLUE = [
    "patient",
    "number",
    "numbers",
    "no",
    "nr",
    "id",
    "home",
    "work",
    "cell",
    "contact",
    "mother",
    "father",
    "first",
    "last",
    "full",
    "maiden",
    "line",
    "date",
    "of",
    "code",
    "address",
]
SEGMENTS = re.compile(rf"(?:{'|'.join(sorted({*NAME_WORDS, *GLUE}, key=len, reverse=True))})+")
WORD = re.compile("|".join(sorted((word for word in NAME_WORDS if len(word) > 2), key=len, reverse=True)))
# of whom a name is somebody's, whatever else stands beside it
PERSONS = [
    "patient",
    "person",
    "first",
    "last",
    "full",
    "maiden",
    "middle",
    "given",
    "family",
    "contact",
    "mother",
    "father",
    "parent",
    "caller",
    "reporter",
    "doctor",
    "physician",
    "nurse",
    "user",
    "relative",
    "kin",
]
THINGS = [
    "region",
    "site",
    "clinic",
    "hospital",
    "facility",
    "practice",
    "centre",
    "center",
    "ward",
    "unit",
    "county",
    "department",
    "district",
    "city",
    "town",
    "area",
    "state",
    "country",
    "drug",
    "product",
    "file",
    "form",
    "event",
    "instrument",
    "field",
    "variable",
    "column",
    "symptom",
    "study",
    "project",
    "survey",
    "source",
    "pack",
    "rule",
    "group",
    "arm",
    "test",
    "diagnosis",
    "disease",
    "device",
    "organisation",
    "organization",
    "province",
    "municipality",
    "language",
    "week",
    "month",
]
# words beside which a word of that kind identifies nobody
HARMLESS_BESIDE = {
    "a name": THINGS,
    "a date of birth": ["sex", "gender", "weight", "order", "country", "region", "assigned"],
    "a phone number": ["triage", "consultation", "consult", "advice", "interview", "encounter", "visit", "assessment"],
    "a postal code": ["area", "district", "prefix", "outward", "sector"],
    "an insurance number": ["type", "status", "category", "class"],
    "a medical record number": ["region", "trust", "board"],
}
NUMBER_WORDS = ["number", "numbers", "no", "nr", "id", "date", "code"]  # then it is the number itself after all
COARSE_POSTAL = re.compile(r"(?:zip|zip_?code|post_?code|postal_?code)_?3(?:_?code|_?digits?)?", re.IGNORECASE)
PLAUSIBLE = re.compile(r"[^\W\d][\w .:/()\[\]?%-]{0,39}")


def check_names(
    names: Iterable[str], known: frozenset[str] = frozenset(), allowed: frozenset[str] = frozenset()
) -> None:
    """Raise FileRejected for a column that by its name holds a direct identifier, or a name that is one.

    `known` are the fields themselves, which may be called as they like; `allowed` are those that somebody who knows
    the column let in.
    """
    if refused := find_refused_names(names, known | allowed):
        raise FileRejected(refused[0])


def find_refused_names(names: Iterable[str], known: frozenset[str]) -> list[str]:
    """Return why each column is refused that by its name holds a direct identifier, or whose name is one."""
    return [
        reason
        for place, name in enumerate(names, 1)
        if name not in known and (reason := _find_reason(place, name)) is not None
    ]


def _find_reason(place: int, name: str) -> str | None:
    if find_certain_kind(name):
        return f"column {place} of the header is {find_certain_kind(name)}; is the header line missing?"
    kind = find_kind_of_name(name)
    if kind is None:
        return None
    advice = "remove it at the sender, or, if it is none, let the source's adapter `allow` it"
    return f"column {mask_name(place, name)} holds {kind} by its name; {advice}"


def find_kind_of_name(name: str) -> str | None:
    """Return the kind by any run of a name's words, unless another word says that it identifies nobody."""
    if COARSE_POSTAL.fullmatch(name.strip()):
        return None  # the first three digits are a region
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name[:200])
    words = [word for word in re.split(r"[^a-z]+", spaced.lower()) if word]
    runs = ["".join(words[start:end]) for start in range(len(words)) for end in range(start + 1, len(words) + 1)]
    found = [NAME_WORDS[run] for run in runs if run in NAME_WORDS]
    found += [NAME_WORDS[match.group()] for word in words if SEGMENTS.fullmatch(word) and (match := WORD.search(word))]
    return next((kind for kind in found if not _is_harmless(kind, set(words))), None)


def _is_harmless(kind: str, words: set[str]) -> bool:
    refuting = PERSONS if kind == "a name" else NUMBER_WORDS
    return not words.isdisjoint(HARMLESS_BESIDE.get(kind, [])) and words.isdisjoint(refuting)


def mask_name(place: int, name: str) -> str:
    """Return a column's name as a message may tell it: by its place if it could be a value of somebody's report."""
    if PLAUSIBLE.fullmatch(name.strip()[:40]) and not find_likely_kinds(name) and sum(map(str.isdigit, name)) < 5:
        return f"{name[:40]!a}"
    return f"{place} of the header"
