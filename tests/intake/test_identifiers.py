# ruff: noqa: RUF001 - signs that look like others are what is tested
"""The anonymisation gate: what it must stop, what it must let pass, and that a stopped file leaves nothing behind."""

from __future__ import annotations

import gzip
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.errors import FileRejected
from pipelines.intake.anonymisation.column_names import check_names
from pipelines.intake.anonymisation.gate import Gate, NoPostal
from pipelines.intake.anonymisation.identifiers import find_certain_kind, find_likely_kinds
from pipelines.jobs.outcome import describe
from pipelines.settings import Settings, Source
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome

# --- one value --------------------------------------------------------------------------------------

CERTAIN = {
    "an e-mail address": [
        "jane@example.org",
        "Jane.Doe+calf@mail.example.co.uk",
        "write to jane@example.org please",
        "<jane@example.org>",
        "mailto:jane@example.org",
        "x" * 300 + "@example.org",
        *("иван@почта.рф", "jane@例え.中国", "jane(at)example.org", "ｊａｎｅ＠ｅｘａｍｐｌｅ．ｏｒｇ"),
    ],
    "a phone number": [
        "+44 20 7946 0000",
        "+442079460000",
        "+1-202-555-0100",
        "(020) 7946 0000",
        "020 7946 0000",
        "02079460000",
        "202-555-0100",
        "202.555.0100",
        "030/1234567",
        "0044 20 7946 0000",
        "00442079460000",
        "1-800-555-0100",
        "202/555-0100",
        "06 12 34 56 78",
        "06.12.34.56.78",
        "06-12345678",
        "02 9374 4000",
        "+44 20 7946 0000".translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)}),
        "call 202-555-0100 after six",
        *("Tel.0612345678", "202-555-0100x123", "202-555-0100 ext. 12", "1(202)555-0100", "(+44) 20 7946 0000"),
        *("202–555–0100", "030 - 1234567", "0171 / 1234567", "020.7946.0000", "8 (495) 123-45-67", "202-555-0100-"),
        *("03-1234-5678", "202/555/0100", "٠٢٠ ٧٩٤٦ ٠٠٠٠"),
    ],
    "a birth date": [
        "1980-05-17",
        "17/05/1980",
        "5/17/1980",
        "17.5.1980",
        "17-05-1980",
        "1980/05/17",
        "2011.02.03",
        "19800517",
        " 1980-05-17 ",
        "1980-05-17T00:00:00",
        "1980-05-17 00:00:00.000",
        "17 May 1980",
        "17-MAY-1980",
        "1st june 1980",
        "May 17, 1980",
        "DOB 17/05/1980, limping",
        "D.O.B.: 1980-05-17",
        "born on 17 May 1980",
        "Date of birth=19800517",
        "DOB:17051980",
        "geb. 17.05.1980",
        "17. Mai 1980",
        "17 mai 1980",
        "17 de mayo de 1980",
        "17th of May 1980",
        "1980/May/17",
        "17. 5. 1980",
        "1980.05.17.",
        "17-MAY-80",
        "17/05/80",
        "5/17/1980 0:00",
        "17/05/1980 12:00:00 AM",
        "1980-05-17T00:00:00+02:00",
        *("(17/05/1980)", "17/05/1980.", "17-05-80", "17.05.80", "Sat 17 May 1980", "17 / 05 / 1980", "17 05 1980"),
        *("17MAY1980", "17MAY80", "１７／０５／１９８０"),
    ],
}
CERTAIN["a national id or medical record number"] = ["NHS-9434765919", "SSN078-05-1120", "mrn 1234567"]
NO_IDENTIFIERS = [
    *("12-05-26", "NHS 111", "call 111", "phone 3 times", "1-2-3", "50 - 100", "Zürich", "north–east", "１２"),
    *(
        "012-0001",
        "001-123",
        "0012345678",
        "0000000017",
        "1 2 3",
        "10/11",
        "may",
        "12/2026",
        "17 days",
        "1/2",
        "May 26",
    ),
    *("", "yes", "no", "unknown", "75+", "60-74", "0-17", "7", "3650", "1e5", "-12", "3.14159", "2026", "12/24"),
    *("north", "North-West_3", "DE21A", "UKI31", "E08000003", "SW1A", "K1A", "NY-1", "region 12", "A1", "R.12"),
    *("R7-000123", "20261116-0001", "2026.11.16.5", "2026-11-16_0001", "v1.2.3", "10.11.12", "1.2.3.4", "user@home"),
    *("pain since 3-4 days, 7/10, worse at 18:30", "BP 120/80, T 98.6, HR 72", "swollen @ calf", "36yo m w/ 2 cm cut"),
    *(
        "ran 10 km in 52:10",
        "500-750 mg",
        "2026-11-16T10:00:00Z",
        "seen 07/04/2023 at home",
        "39.2 C on 12.11.",
        "born 2010",
    ),
]


@pytest.mark.parametrize(("kind", "cell"), [(kind, cell) for kind, cells in CERTAIN.items() for cell in cells])
def test_one_such_value_is_enough(kind: str, cell: str) -> None:
    assert find_certain_kind(cell) == kind


@pytest.mark.parametrize("cell", NO_IDENTIFIERS)
def test_an_ordinary_cell_is_no_identifier(cell: str) -> None:
    assert (find_certain_kind(cell), find_likely_kinds(cell)) == (None, set())


# numbers that their issuers publish as examples, or that were made up to carry a right check digit
LIKELY = {
    "a national id (NHS number)": ["943 476 5919", "9434765919", "401-023-2137"],
    "a national id (PESEL)": ["44051401359", "02070803628"],
    "a national id (BSN)": ["111222333", "123456782"],
    "a national id (SIN)": ["130 692 544", "130692544"],
    "a national id (DNI)": ["12345678Z", "12345678z", "X1234567L", "12345678-Z"],
    "a national id (NIR)": ["255081416802538", "2 55 08 14 168 025 38"],
    "a national id (SSN)": ["078-05-1120", "219-09-9999"],
    "a birth date": ["17051980", "05171980", "31122011"],
    "a phone number": ["91-9876543210", "447700900123"],
    "a postal code": ["SW1A 1AA", "sw1a1aa", "M1 1AE", "K1A 0B6", "K1A0B6", "10115", "90210-1234", "1012 AB", "1012AB"],
}
WRONG_CHECK_DIGIT = ["943 476 5918", "44051401358", "111222334", "130692545", "12345678A", "255081416802539"]
NO_SUCH_NUMBER = [
    "000-12-3457",
    "666-12-3456",
    "900-12-3457",
    "123-00-4567",
    "123-45-0000",
    "1234",
    "123456",
    "D1A 1A1",
    "046 454 286",  # no SIN begins with 0, whatever its check digit
    "44991401350",  # a PESEL holds a date of birth; there is no month 99
]


@pytest.mark.parametrize(("kind", "cell"), [(kind, cell) for kind, cells in LIKELY.items() for cell in cells])
def test_a_national_id_or_postal_code_is_known_by_its_shape_and_check_digit(kind: str, cell: str) -> None:
    assert kind in find_likely_kinds(cell)


@pytest.mark.parametrize("cell", [*WRONG_CHECK_DIGIT, *NO_SUCH_NUMBER])
def test_a_number_that_was_never_issued_is_none(cell: str) -> None:
    assert find_likely_kinds(cell) == set()


def test_some_numbers_pass_a_check_digit_by_chance() -> None:
    draw = random.Random(11)
    for digits, low, high in ((10, 0.08, 0.10), (11, 0.015, 0.025), (9, 0.15, 0.18)):
        passed = sum(bool(find_likely_kinds(f"{draw.randrange(10**digits):0{digits}}")) for _ in range(10_000))
        assert low < passed / 10_000 < high


def test_a_very_long_cell_is_judged_at_once() -> None:
    start = time.monotonic()
    for piece in ("x", "1", "a@", "1-", "born ", "@", "a.", "+1 "):
        cell = piece * (100_000 // len(piece))
        find_certain_kind(cell)
        find_likely_kinds(cell)
    assert time.monotonic() - start < 10


# --- names ------------------------------------------------------------------------------------------

NAMED = [
    *(
        "name",
        "Name",
        "patient_name",
        "PatientName",
        "PATIENTNAME",
        "first name",
        "LastName",
        "surname",
        "name_of_patient",
    ),
    *(
        "email",
        "e-mail",
        "E_Mail",
        "EMAILADDRESS",
        "contact.email",
        "phone",
        "Phone No.",
        "PHONENUMBER",
        "home-telephone",
    ),
    *(
        "mobile",
        "fax",
        "address",
        "address_line_1",
        "HomeAddress",
        "street",
        "postcode",
        "Post Code",
        "ZIP",
        "zip_code",
    ),
    *("home_postal_code", "dob", "DOB1", "date_of_birth", "dateOfBirth", "BirthDate", "birthday", "ssn", "passport_no"),
    *("national_id", "social_security_number", "nino", "nhs_number", "NHSNumber", "mrn", "medical_record_number"),
    *("patient_id", "PatientID", "insurance_no", "ip_address", "IPAddress"),
]
INNOCENT = [
    *(
        "report_id",
        "reported_at",
        "region",
        "region_name",
        "clinic name",
        "HospitalName",
        "age_band",
        "sex",
        "unnamed_1",
    ),
    *("renamed", "dominant_leg", "mobility", "tip", "zipper_injury", "streaks", "relief", "PSU", "Incident Locale"),
    *("Treatment_Date", "Narrative", "CPSC_Case_Number", "Body_Part", "Product_1", "shipping", "telling", "dobutamine"),
]


@pytest.mark.parametrize("name", NAMED)
def test_a_column_that_is_called_like_an_identifier_rejects_the_file(name: str) -> None:
    with pytest.raises(FileRejected, match="by its name"):
        check_names(["report_id", name])


@pytest.mark.parametrize("name", INNOCENT)
def test_another_name_is_no_reason(name: str) -> None:
    check_names([name])


def test_no_canonical_column_is_called_like_an_identifier(columns: tuple[str, ...]) -> None:
    check_names(columns)


def test_a_header_of_values_is_refused_without_repeating_them() -> None:
    with pytest.raises(FileRejected) as caught:
        check_names(["7", "jane@example.org"])
    assert caught.value.reason == "column 2 of the header is an e-mail address; is the header line missing?"


def test_a_name_of_a_thousand_words_is_judged_at_once() -> None:
    start = time.monotonic()
    check_names(["a_" * 500_000])
    assert time.monotonic() - start < 2


# --- columns ----------------------------------------------------------------------------------------


def verdict(column: str, cells: Sequence[str], gate: Gate | None = None) -> str:
    """The reason why the gate refuses a column of these cells, or ok. Blank cells are left out, as they are null."""
    gate = gate or Gate(frozenset({"reported_at"}), frozenset({"report_id"}))
    counts = Counter(cell for cell in cells if cell)
    try:
        gate.see(column, list(counts), sum(counts.values()), lambda: list(counts.values()))
        gate.decide()
    except FileRejected as rejection:
        return rejection.reason
    return "ok"


def test_a_check_digit_kind_needs_more_than_half_of_the_filled_cells_of_a_column() -> None:
    nhs = "9434765919"
    assert verdict("region", [nhs] * 5 + ["north"] * 5 + [""] * 20) == "ok"
    assert verdict("region", [nhs] * 6 + ["north"] * 5 + [""] * 20) == (
        "column 'region' holds a national id (NHS number) in most rows; remove it at the sender"
    )


def test_different_kinds_are_not_added_up() -> None:
    assert verdict("region", ["9434765919"] * 4 + ["SW1A 1AA"] * 4 + ["north"]) == "ok"


def test_one_certain_value_among_thousands_is_enough() -> None:
    cells = ["north"] * 9_999
    for kind, values in CERTAIN.items():
        assert verdict("region", [*cells, values[0]]) == f"column 'region' holds {kind}; remove it at the sender"


def test_blocks_of_a_column_are_judged_together() -> None:
    gate = Gate(frozenset(), frozenset())
    gate.see("region", ["SW1A 1AA"], 6, lambda: [6])
    gate.see("region", ["SW1A 1AA", "north"], 5, lambda: [1, 4])
    gate.see("sex", ["male"], 100, lambda: [100])
    with pytest.raises(FileRejected, match="column 'region' holds a postal code in most rows"):
        gate.decide()


def test_long_cells_are_looked_at_each_time_and_not_remembered() -> None:
    gate = Gate(frozenset(), frozenset())
    for number in range(5):
        gate.see("region", [f"{number}" + "x" * 5_000], 1, lambda: [1])
    with pytest.raises(FileRejected, match="e-mail"):
        gate.see("region", ["x " * 5_000 + "jane@example.org"], 1, lambda: [1])
    assert not gate.looked_at


def test_the_time_of_the_report_is_exempt_and_its_id_is_judged_as_a_column() -> None:
    assert verdict("reported_at", ["1980-05-17"] * 10) == "ok"
    assert verdict("report_id", ["20110517", *map(str, range(20110532, 20110541))]) == "ok"
    assert verdict("report_id", [f"202-555-01{i:02}" for i in range(10)]).startswith("column 'report_id' holds a phone")
    nhs = ["9434765919", "4010232137", "7"]
    assert verdict("report_id", nhs).startswith("column 'report_id' holds a national id (NHS number)")


def ids_judged(ids: list[str], earlier: list[str]) -> str:
    return verdict("report_id", ids, Gate(frozenset(), frozenset({"report_id"}), earlier_ids=earlier))


def test_a_few_report_ids_are_judged_with_the_earlier_ones_of_their_sender() -> None:
    ids = ["9434765919", "4010232137", "6056767043", "4386977619"]
    assert {kind for value in ids for kind in find_likely_kinds(value)} == {"a national id (NHS number)"}
    harmless = [f"R-{number}" for number in range(16)]
    assert ids_judged(ids[:1], []) == ids_judged(ids[:1], harmless) == "ok"
    for earlier in (ids[1:2], ids[1:]):
        assert "NHS" in ids_judged(ids[:1], earlier)
    assert "NHS" in ids_judged(ids[:2], [])
    assert ids_judged(ids[:2], harmless) == "ok"
    assert "NHS" in ids_judged(ids[:3], harmless), "three are a column of their own"
    assert "phone" in ids_judged(["202-555-0100"], harmless), "a shape is no matter of chance"
    assert "NHS" in verdict("region", ids[:1])


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"report_id": "jane@example.org"}, "column 'report_id' holds an e-mail address"),
        ({"report_id": "+44 20 7946 0000"}, "column 'report_id' holds a phone number"),
        ({"reported_at": "jane@example.org"}, "column 'reported_at' holds an e-mail address"),
        ({"report_id": "17/05/2026"}, None),
        ({"reported_at": "0116112026"}, None),
        ({"reported_at": "16.11.2026 10:30"}, None),
    ],
)
def test_an_id_or_time_that_is_none_is_kept_as_text_and_may_be_no_address(
    cells: dict[str, str], told: str | None, ingest, ask, write_csv
) -> None:
    (outcome,) = ingest(write_csv([*({"report_id": f"r{i}"} for i in range(9)), {"report_id": "x"} | cells]))
    assert outcome.status == ("rejected" if told else "accepted")
    assert (outcome.reason or "").startswith(told or "")
    assert ask("SELECT count(DISTINCT line_number) FROM quarantine") == [(0 if told else 1,)]


def test_files_of_one_row_are_no_false_alarm_and_a_column_sent_row_by_row_is_still_found(ingest, tmp_path) -> None:
    draw = random.Random(1)
    earlier: list[str] = []
    for number in range(600):
        digits = 9 + number % 3
        report_id = str(draw.randrange(10 ** (digits - 1), 10**digits))
        assert ids_judged([report_id], earlier[-16:]) == "ok"
        earlier.append(report_id)
    paths = []
    for number, report_id in enumerate(("9434765919", "4010232137", "6056767043")):
        paths.append(tmp_path / f"{number}.csv")
        paths[-1].write_text(f"report_id,reported_at,redness\n{report_id},2026-11-16,yes\n")
    assert [outcome.status for outcome in ingest(*paths)] == ["accepted", "rejected", "rejected"]


def test_reports_counted_from_one_are_no_postal_codes_when_they_have_five_digits() -> None:
    assert verdict("report_id", [str(number) for number in range(20_000, 30_000)]) == "ok"
    assert "postal code" in verdict("region", [str(number) for number in range(20_000, 20_100)])


def test_of_an_ignored_column_only_a_certain_value_counts() -> None:
    def gate() -> Gate:
        return Gate(frozenset(), frozenset(), certain_only=frozenset({"row"}))

    assert verdict("row", [str(number) for number in range(20_000, 20_100)], gate()) == "ok"
    assert verdict("row", ["9434765919"] * 10, gate()) == "ok"
    assert verdict("row", ["1", "jane@example.org"], gate()).startswith("column 'row' holds an e-mail address")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("r1,2026-11-16,jane@example.org,yes,yes", "an e-mail address"),
        ('r1,2026-11-16,"north,yes,202-555-0100', "a phone number"),
        ("r1,2026-11-16,north,1980-05-17", "a birth date"),
        ("r1,16.11.2026,north,17.05.1980", "a birth date"),
    ],
)
def test_a_damaged_line_is_looked_at_cell_by_cell(line: str, kind: str) -> None:
    gate = Gate(frozenset({"reported_at"}), frozenset({"report_id"}))
    with pytest.raises(FileRejected, match=f"^a damaged line holds {kind}; remove it at the sender$"):
        gate.see_line(line, ",")


@pytest.mark.parametrize("line", ["r1,2026-11-16", "r1,16.11.2026,x", '"', "", ",,,,"])
def test_the_one_date_of_a_damaged_line_is_that_of_the_report(line: str) -> None:
    Gate(frozenset({"reported_at"}), frozenset({"report_id"})).see_line(line, ",")


# --- false alarms, measured -------------------------------------------------------------------------

DRAW = random.Random(7)
ID_STYLES: dict[str, Callable[[int], str]] = {
    "counted": lambda i: str(i + 1),
    "counted from a hundred million": lambda i: str(100_000_000 + i),
    "padded": lambda i: f"{i:010}",
    "eight random digits": lambda _: f"{DRAW.randrange(10**8):08}",
    "nine random digits": lambda _: f"{DRAW.randrange(10**9):09}",
    "ten random digits": lambda _: f"{DRAW.randrange(10**10):010}",
    "eleven random digits": lambda _: f"{DRAW.randrange(10**11):011}",
    "fifteen random digits": lambda _: f"{DRAW.randrange(10**15):015}",
    "uuid": lambda _: str(uuid.UUID(int=DRAW.getrandbits(128))),
    "hex": lambda _: f"{DRAW.getrandbits(32):08x}",
    "day and number": lambda i: f"20261116-{i:04}",
    "year and number": lambda i: f"C-2026-{i:06}",
    "site and number": lambda i: f"012-{i:04}",
    "two groups": lambda _: f"{DRAW.randrange(1000):03}-{DRAW.randrange(10_000):04}",
}


@pytest.mark.parametrize("style", ID_STYLES)
def test_ids_of_any_common_style_raise_no_alarm_in_files_of_forty_rows_and_more(style: str) -> None:
    for size in (40, 40, 40, 256, 256):
        assert verdict("report_id", [ID_STYLES[style](place) for place in range(size)]) == "ok"


def test_random_clean_columns_raise_no_alarm() -> None:
    draw = random.Random(3)
    pools = [
        ["north", "south", "east", "west", "centre"],
        [f"R{i:02}" for i in range(40)],
        [f"{a}{b}" for a in "ABCDEFGH" for b in range(100)],
        [str(i) for i in range(3651)],
        ["yes", "no", "1", "0", "t", "f", "NA", "unknown"],
    ]
    for _ in range(200):
        assert verdict("region", draw.choices(draw.choice(pools), k=50)) == "ok"


# --- a rejected file leaves nothing -----------------------------------------------------------------

PLANTED = "zebra.fish"  # in every planted value, so that one search finds any of them
SECRETS = {
    "mail.csv": ("region", f"{PLANTED}@example.org", "'region' holds an e-mail address"),
    "phone.csv": ("fever", f"{PLANTED} +44 20 7946 0000", "'fever' holds a phone number"),
    "birth.csv": ("duration_days", f"{PLANTED} born 17.05.1980", "'duration_days' holds a birth date"),
    "packed.csv.gz": ("redness", f"{PLANTED}@example.org", "'redness' holds an e-mail address"),
}


def planted_anywhere(home: Home, word: str) -> list[str]:
    """Where a word stands in the home: in the bytes of a file, or in any row of a database."""
    places = [str(path) for path in home.path.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]
    for path in home.path.glob("*.duckdb"):
        with duckdb.connect(str(path), read_only=True) as connection:
            for (table,) in connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal").fetchall():
                sql = f'SELECT count(*) FROM "{table}" AS record WHERE contains(record::VARCHAR, ?)'
                if connection.execute(sql, [word]).fetchall() != [(0,)]:
                    places.append(f"{path.name}: {table}")
    return places


def test_a_rejected_file_leaves_no_value_anywhere_and_the_message_names_column_and_kind(
    write_csv: Callable[..., Path], ingest: Callable[..., list[Outcome]], home: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [{"report_id": f"r{i}", "sex": "X" if i == 3 else "male"} for i in range(400)]
    paths = []
    for name, (column, value, _) in SECRETS.items():
        path = write_csv([*rows, {"report_id": "last", column: value}], name=name.removesuffix(".gz"))
        paths.append(path if path.name == name else zipped(path))
    damaged = write_csv(rows, name="damaged.csv")
    damaged.write_text(damaged.read_text() + f"r9,2026-11-16T10:00:00Z,{PLANTED}@example.org\n")
    header = write_csv([], name="header.csv", header=["report_id", "reported_at", "redness", f"{PLANTED}@example.org"])
    missing = write_csv([], name="missing.csv", header=["7", "2026-11-16T10:00:00Z", f"{PLANTED}"])
    given = [*paths, damaged, header, missing]
    outcomes = sorted(ingest(*given), key=lambda outcome: given.index(Path(outcome.path)))
    reasons = [reason for _, _, reason in SECRETS.values()]
    reasons += ["a damaged line holds an e-mail address", "column 4 of the header is an e-mail address", "known column"]
    assert [outcome.status for outcome in outcomes] == ["rejected"] * len(reasons)
    for outcome, reason in zip(outcomes, reasons, strict=True):
        assert reason in (outcome.reason or "")
        assert PLANTED not in describe(outcome)
    assert planted_anywhere(home, PLANTED) == []
    assert PLANTED not in "".join(capfd.readouterr())


def zipped(path: Path) -> Path:
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


def test_a_column_of_national_ids_leaves_none_of_them(
    write_csv: Callable[..., Path], ingest: Callable[..., list[Outcome]], ask: Callable[..., Any], home: Home
) -> None:
    numbers = (f"{number:09}" for number in range(111_000_000, 111_005_000))
    ids = [number for number in numbers if "a national id (BSN)" in find_likely_kinds(number)]
    (outcome,) = ingest(write_csv([{"report_id": number} for number in ids[:300]]))
    assert outcome.reason == "column 'report_id' holds a national id (BSN) in most rows; remove it at the sender"
    assert ask("SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM quarantine)") == [(0, 0)]
    assert [number for number in ids[:300:150] if planted_anywhere(home, number)] == []


def test_the_search_finds_what_is_there(
    write_csv: Callable[..., Path], ingest: Callable[..., list[Outcome]], home: Home
) -> None:
    rows = [{"report_id": f"r{i}"} for i in range(9)]
    ingest(write_csv([*rows, {"report_id": "r9", "region": f"{PLANTED}!"}]))
    assert "records.duckdb: quarantine" in planted_anywhere(home, PLANTED)


def test_an_ignored_column_is_looked_at_too_for_quarantined_lines_keep_their_text(
    tmp_path: Path, ingest: Callable[..., list[Outcome]], home: Home
) -> None:
    (home.path / "mine.sql").write_text(
        "-- requires: report_id, reported_at, redness\n-- ignores: notes\n"
        "SELECT line_number, report_id, reported_at, redness FROM raw"
    )
    rows = [f"{i},2026-11-16,{'maybe' if i == 3 else 'no'},{PLANTED}@example.org" for i in range(10)]
    path = tmp_path / "notes.csv"
    path.write_text("\n".join(["report_id,reported_at,redness,notes", *rows]))
    (outcome,) = ingest(path, source="mine", settings=Settings(sources=(Source("mine", adapter="mine.sql"),)))
    assert outcome.status == "rejected"
    assert planted_anywhere(home, PLANTED) == []


# --- damaged lines, lines set aside, what an adapter lets in -----------------------------------------


def test_a_likely_identifier_in_a_damaged_line_counts_for_the_column_at_its_place() -> None:
    hint = ", or list the codes as `regions` of the source if they are regions"
    postal = f"column 'region' holds a postal code in most rows; remove it at the sender{hint}"
    for lines, told in ((2, postal), (1, "ok")):
        gate = Gate(frozenset({"reported_at"}), frozenset({"report_id"}))
        for _ in range(lines):
            gate.see_line("r1,2026-11-16,SW1A 1AA,no,no", ",", ["report_id", "reported_at", "region", "fever"])
        assert verdict("region", ["north"], gate).startswith(told)


def test_declared_regions_and_numbers_are_no_postal_codes() -> None:
    counties = ["01003", "06037", "36061"]
    assert "postal code" in verdict("region", counties)
    declared = NoPostal(frozenset({"steps"}), frozenset(counties))
    assert verdict("region", counties, Gate(frozenset(), frozenset(), no_postal=declared)) == "ok"
    other = verdict("region", ["10115", "20095", "01003"], Gate(frozenset(), frozenset(), no_postal=declared))
    assert "postal code" in other
    assert verdict("steps", ["10115", "20095"], Gate(frozenset(), frozenset(), no_postal=declared)) == "ok"


MINE = "SELECT line_number, report_id, reported_at, region, redness FROM raw"


@pytest.mark.parametrize(
    ("head", "row", "kept"),
    [
        ("", "9,2026-11-16,north,maybe,", "9,2026-11-16,north,maybe,"),
        ("", "9,2026-11-16,SW1A 1AA,no,", "(not kept: it shows what could be a direct identifier)"),
        ("", "9,2026-11-16,north,maybe,private", "(not kept: an ignored column has a value in it)"),
        ("", "9,2026-11-16,north,no,x,y", "(not kept: the line is damaged, and a column of the file is ignored)"),
    ],
)
def test_a_line_set_aside_keeps_its_text_only_if_nothing_in_it_must_go(
    head: str, row: str, kept: str, tmp_path: Path, ingest: Callable[..., list[Outcome]], home: Home, ask
) -> None:
    (home.path / "mine.sql").write_text(
        f"-- t\n-- requires: report_id, reported_at, region, redness\n-- ignores: notes\n{head}{MINE}"
    )
    path = tmp_path / "w.csv"
    good = [f"{place},2026-11-16,north,no,secret" for place in range(8)]
    path.write_text("\n".join(["report_id,reported_at,region,redness,notes", *good, row, ""]))
    (outcome,) = ingest(path, source="mine", settings=Settings(sources=(Source("mine", adapter="mine.sql"),)))
    assert outcome.status == "accepted"
    assert ask("SELECT raw_line FROM quarantine") == [(kept,)]
    for word in ("SW1A", "private"):
        assert planted_anywhere(home, word) == []


def test_an_adapter_lets_a_named_column_in_and_the_ledger_tells_it(
    tmp_path: Path, ingest: Callable[..., list[Outcome]], home: Home, ask
) -> None:
    path = tmp_path / "w.csv"
    path.write_text("report_id,reported_at,region,redness,form_user_name\n1,2026-11-16,north,no,v2\n")
    settings = Settings(sources=(Source("mine", adapter="mine.sql"),))
    head = "-- t\n-- requires: report_id, reported_at, region, redness\n-- ignores: form_user_name\n"
    for allow, status in (("", "rejected"), ("-- allow: form_user_name\n", "accepted")):
        (home.path / "mine.sql").write_text(head + allow + MINE)
        (outcome,) = ingest(path, source="mine", settings=settings)
        assert outcome.status == status
    assert ask("SELECT status, notes FROM files") == [("accepted", "let in by the adapter: form_user_name")]


@pytest.mark.parametrize(
    "name", ["Initial_Symptoms", "telephone_triage", "zip3", "sex_at_birth", "redcap_event_name", "birth_country"]
)
def test_a_word_that_stands_beside_what_it_belongs_to_identifies_nobody(name: str) -> None:
    check_names([name])


@pytest.mark.parametrize(
    "name", ["clinic_contact_name", "phone_triage_number", "zip4", "PATIENTDOB", "birth_date_order"]
)
def test_such_a_word_is_no_excuse_where_the_identifier_itself_is_meant(name: str) -> None:
    with pytest.raises(FileRejected, match="by its name"):
        check_names([name])


@pytest.mark.parametrize(
    ("name", "told"),
    [("comment", "unknown column 'comment'"), ("20 Main Rd", "unknown column 4 of"), ("9434765919", "column 4 of")],
)
def test_an_unknown_name_that_is_no_name_is_told_by_its_place(name: str, told: str, ingest, tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_text(f"report_id,reported_at,fever,{name}\n1,2026-11-16,no,x\n")
    (outcome,) = ingest(path)
    assert told in (outcome.reason or "")
    assert (name in (outcome.reason or "")) == (name == "comment")
