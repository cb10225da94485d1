"""Every column on both sides of every boundary; every bad cell reported, and none hides another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import pandera
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from pipelines.intake import lines, reader
from pipelines.intake import validator as validator_module
from pipelines.intake.csv_rows import BadLine, RawRows, parse_block
from pipelines.intake.instants import instant_sql, parse_instants
from pipelines.intake.packing import make_untyped_schema
from pipelines.intake.validator import Validated, Validator
from pipelines.settings import Settings, Source
from pipelines.store.ledger import Outcome
from schemas.checked_file import BAD_CELLS
from schemas.fields import AGE_BANDS, DAY_PATTERN, SEXES, TIMESTAMP_PATTERN
from schemas.pack import Pack
from schemas.pack_file import load_pack
from schemas.report_schema import make_report_schema
from tests.support.drawing import examples as share_of

Row = Mapping[str, str | None]
Typed = Callable[[Sequence[str], str], list[datetime | None]]


def raw(rows: Sequence[Row], first_line: int = 2) -> pa.Table:
    """Canonical rows as they are read: text, null where blank; an id and a time are given where a row has none."""
    names = list(dict.fromkeys(["report_id", "reported_at", *(name for row in rows for name in row)]))
    defaults: Row = {"report_id": "r", "reported_at": "2026-11-16"}
    columns = [pa.array([row.get(name, defaults.get(name)) for row in rows], pa.string()) for name in names]
    numbers = pa.array(range(first_line, first_line + len(rows)), pa.int64())
    return pa.table([*columns, numbers], names=[*names, "line_number"])


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(load_pack())


def accepted(validator: Validator, column: str, values: Sequence[str | None]) -> list[bool]:
    """For each value of a column, all in one block, whether its row is accepted."""
    lines = validator.validate(raw([{column: value} for value in values])).accepted.column("line_number").to_pylist()
    return [line in lines for line in range(2, len(values) + 2)]


# what looks like a value to a person, and is another text: one for each kind of trap
LOOKALIKES = [" 1", "1 ", "1\u200b", "\ufeff1", "\uff11", "\u0661", "²", "\u2160", "1\n", "1\0", "\u00a01"]
UNKNOWN: list[str | None] = ["NA", "na", "N/A", "n/a", "NaN", "nan", "NAN", "None", "none", "NULL", "null", "nUlL"]
UNKNOWN += ["unknown", "Unknown", "UNKNOWN", None]
NEVER = ["-", "?", "''", " ", "NA ", "N.A.", "#N/A", "nil", "unk"]  # look like unknown, and are none of its words

GOOD: dict[str, list[str | None]] = {
    "report_id": ["a", "Z9", "0", "a.b_c-d", ".", "-", "x" * 64, "NAN-1", "na.", "unknown1"],
    "reported_at": ["2026-11-16", "2000-01-01", "2099-12-31", "2024-02-29", "2000-02-29"]
    + [f"2026-11-16{sep}10:00{tail}" for sep, tail in product("T ", ["", ":59", ":00.1", ":00.123456789", "Z", "+01"])]
    + ["2026-11-16T00:00", "2026-11-16T23:59:59.999999", "2026-11-16T10:00+0530", "2026-11-16T10:00:00-14:59"],
    "region": ["a", "A_1-b", "x" * 32, "09162", *UNKNOWN],
    "age_band": [*AGE_BANDS, *UNKNOWN],
    "sex": [*SEXES, *UNKNOWN],
    "pain_score": [*map(str, range(11)), "07", "000000010", *UNKNOWN],
    "duration_days": ["0", "1", "3650", "03650", *UNKNOWN],
    "redness": ["yes", "no", "Y", "n", "TRUE", "False", "t", "F", "1", "0", "YeS", *UNKNOWN],
}
NO_TIMES = (
    "2026-02-29|2100-01-01|1999-12-31|2026-04-31|2026-13-01|2026-00-10|2026-1-1|20261116|2026-W47-1|2026-320|46342|now"
    "|2026-11-16T24:00|2026-11-16T10:60|2026-11-16T10:00:60|2026-11-16T10|2026-11-16T|2026-11-16t10:00|2026-11-16T10:00z"
    "|2026-11-16T10:00+15:00|2026-11-16T10:00+01:60|2026-11-16T10:00 +01:00|2026-11-16T10:00\u221201:00"
    "|2026-11-16T10:00:00,5|2026-11-16T10:00:00.|2026-11-16T10:00:00.1234567890|1763287200|2026-11-16\n"
    "|16/11/2026|11/16/26|16.11.2026|\uff12026-11-16|2026\u201111\u201116| 2026-11-16|2026-11-16 "
)
BAD: dict[str, list[str | None]] = {
    "report_id": ["x" * 65, "a b", "a,b", "a/b", "é", "\u212a", "a\n", *LOOKALIKES, *UNKNOWN],
    "reported_at": [*NO_TIMES.split("|"), *NEVER, *UNKNOWN],
    "region": ["x" * 33, "a b", "a.b", "Zürich", "a/b", *LOOKALIKES],
    "age_band": ["75", "74+", "18-30", "0\u201317", "0 - 17", "18-29 ", "30", "40s", *NEVER],
    "sex": ["Female", "MALE", "f", "m", "woman", "male ", "1", *NEVER],
    "pain_score": [
        "11",
        "-1",
        "+7",
        "-0",
        "7.0",
        "7,0",
        "1e1",
        "0x7",
        "seven",
        "7/10",
        "0000000007",
        *LOOKALIKES,
        *NEVER,
    ],
    "duration_days": ["3651", "-1", "1.0", "1e2", "14 days", "2w", "99999", "4294967296", *LOOKALIKES, *NEVER],
    "redness": ["ye\u017f", "yes.", "yep", "oui", "ja", "si", "2", "10", "-1", "0.0", "ok", "x", *LOOKALIKES, *NEVER],
}


@pytest.mark.parametrize("column", GOOD)
def test_each_column_takes_what_is_allowed(column: str, validator: Validator) -> None:
    verdicts = accepted(validator, column, GOOD[column])
    assert [value for value, good in zip(GOOD[column], verdicts, strict=True) if not good] == []


@pytest.mark.parametrize("column", BAD)
def test_each_column_refuses_everything_else(column: str, validator: Validator) -> None:
    verdicts = accepted(validator, column, BAD[column])
    assert [value for value, good in zip(BAD[column], verdicts, strict=True) if good] == []


def test_words_for_unknown_are_no_value_of_any_context_field(validator: Validator) -> None:
    names = ("region", "age_band", "sex", "pain_score", "duration_days")
    table = validator.validate(raw([dict.fromkeys(names, word) for word in UNKNOWN])).accepted
    blank = {"region": [None], "age_band": [0], "sex": [0, 4], "pain_score": [None], "duration_days": [None]}
    assert {name: sorted(set(table[name].to_pylist()), key=str) for name in names} == blank
    sexes = dict(zip(UNKNOWN, table["sex"].to_pylist(), strict=True))
    assert {word for word, code in sexes.items() if code} == {"unknown", "Unknown", "UNKNOWN"}, "sex has such a value"


def test_a_region_is_kept_in_lower_case_and_may_be_one_of_a_list(validator: Validator) -> None:
    rows = raw([{"region": region} for region in ("North", "NORTH", "south", "East", None, "NA")])
    assert validator.validate(rows).accepted["region"].to_pylist() == ["north", "north", "south", "east", None, None]
    listed = Validator(load_pack(), ("North", "SOUTH")).validate(rows)
    assert listed.accepted["region"].to_pylist() == ["north", "north", "south", None, None]
    (cell,) = listed.bad_cells.to_pylist()
    assert (cell["check_name"], cell["allowed"], cell["value"]) == ("allowed_values", "North SOUTH", "East")


def test_an_answer_is_written_in_plain_letters(validator: Validator) -> None:
    assert accepted(validator, "redness", ["un\u212anown"]) == [False]


def test_every_symptom_field_is_read_alike(validator: Validator, pack: Pack) -> None:
    for name in pack.field_names:
        assert accepted(validator, name, ["YES", "maybe", None, "f"]) == [True, False, True, True]


def test_accepted_cells_are_typed(validator: Validator, pack: Pack) -> None:
    row = {"region": "N", "age_band": "75+", "sex": "other", "pain_score": "07", "duration_days": "3650"}
    answers = {"redness": "T", "fever": "0", "warmth": "NA", "lump": None}
    table = validator.validate(raw([row | answers, {}])).accepted
    assert table.schema == make_untyped_schema(pack)
    full, blank = table.to_pylist()
    bits = {name: 1 << place for place, name in enumerate(pack.field_names)}
    assert full == {
        "line_number": 2,
        "report_id": "r",
        "reported_at": "2026-11-16",
        "region": "n",
        "age_band": len(AGE_BANDS),
        "sex": 1 + SEXES.index("other"),
        "pain_score": 7,
        "duration_days": 3650,
        "answered": bits["redness"] | bits["fever"],
        "yes": bits["redness"],
        "stated_date": None,
    }
    assert {name for name, value in blank.items() if not value} == set(make_untyped_schema(pack).names[3:])


def test_every_answer_has_its_own_bit_and_unknown_is_never_no(validator: Validator, pack: Pack) -> None:
    for place, name in enumerate(pack.field_names):
        table = validator.validate(raw([{name: "yes"}, {name: "no"}, {name: "unknown"}, {name: None}])).accepted
        masks = list(zip(table.column("answered").to_pylist(), table.column("yes").to_pylist(), strict=True))
        assert masks == [(1 << place, 1 << place), (1 << place, 0), (0, 0), (0, 0)]


def test_every_bad_cell_of_a_row_is_reported_with_what_would_be_allowed(validator: Validator) -> None:
    row = {"report_id": "a b", "reported_at": "soon", "sex": "X" * 81, "pain_score": "11", "fever": "hot"}
    found = validator.validate(raw([{}, row, {}]))
    assert found.accepted.column("line_number").to_pylist() == [2, 4]
    assert found.bad_cells.schema == BAD_CELLS
    cells = {cell["column_name"]: cell for cell in found.bad_cells.to_pylist()}
    assert {name: (cell["check_name"], cell["value"], cell["allowed"]) for name, cell in cells.items()} == {
        "report_id": ("pattern", "a b", "1-64 of A-Z a-z 0-9 . _ -, but none of NA, NaN, None, NULL, unknown"),
        "reported_at": ("pattern", "soon", "ISO 8601 date or timestamp, years 2000-2099"),
        "sex": ("allowed_values", "X" * 80, "female male other unknown"),
        "pain_score": ("whole_number", "11", "integer 0-10"),
        "fever": ("answer", "hot", "yes/no, y/n, true/false, t/f, 1/0, NA, unknown or blank"),
    }
    assert {(cell["line_number"], cell["report_id"]) for cell in cells.values()} == {(3, "a b")}


def test_a_required_cell_that_is_blank_is_reported_as_required(validator: Validator) -> None:
    found = validator.validate(raw([{"report_id": None, "reported_at": None}]))
    cells = found.bad_cells.select(["column_name", "check_name", "value", "report_id"]).to_pylist()
    assert cells == [
        {"column_name": name, "check_name": "required", "value": None, "report_id": None}
        for name in ("report_id", "reported_at")
    ]


def test_a_line_that_is_no_row_is_one_bad_cell_without_a_column(validator: Validator) -> None:
    found = validator.validate(raw([{}]), [BadLine(9, "width", "3 cells", "x" * 100)])
    assert found.bad_cells.to_pylist() == [
        {
            "line_number": 9,
            "report_id": None,
            "column_name": None,
            "check_name": "width",
            "allowed": "3 cells",
            "value": "x" * 80,
        }
    ]


def test_what_an_adapter_cannot_translate_is_a_bad_cell(validator: Validator) -> None:
    found = validator.validate(raw([{"adapter_error": "no such word"}, {"adapter_error": None}]))
    assert found.accepted.column("line_number").to_pylist() == [3]
    (cell,) = found.bad_cells.to_pylist()
    assert (cell["column_name"], cell["check_name"], cell["value"]) == ("adapter_error", "adapter", "no such word")


@pytest.mark.parametrize("columns", [["report_id", "reported_at", "redness"], ["redness"], []])
def test_a_block_without_rows_is_no_trouble(validator: Validator, columns: list[str]) -> None:
    table = pa.table({"line_number": pa.array([], pa.int64())} | {name: pa.array([], pa.string()) for name in columns})
    found = validator.validate(table)
    assert (found.accepted.num_rows, found.bad_cells.num_rows) == (0, 0)


# --- all cells at once, against a judge that looks at one cell at a time ----------------------------

COLUMNS = [*GOOD, "fever", "visible_veins"]


def cells_of(column: str) -> st.SearchStrategy[tuple[str | None, bool]]:
    known = column if column in GOOD else "redness"
    good = st.sampled_from(GOOD[known]).map(lambda value: (value, True))
    return good | good | good | st.sampled_from(BAD[known]).map(lambda value: (value, False))


TABLE = st.lists(st.fixed_dictionaries({column: cells_of(column) for column in COLUMNS}), max_size=12)


def bad_places(found: Validated) -> set[tuple[int, str]]:
    cells = found.bad_cells
    return set(zip(cells.column("line_number").to_pylist(), cells.column("column_name").to_pylist(), strict=True))


@given(TABLE, st.integers(0, 12))
@examples(max_examples=share_of(20), deadline=None)
def test_no_bad_cell_hides_another_and_no_row_is_judged_by_its_neighbours(
    table: list[dict[str, tuple[str | None, bool]]], cut: int
) -> None:
    validator = Validator(load_pack())
    rows = [{column: value for column, (value, _) in row.items()} for row in table]
    expected = {(line, column) for line, row in enumerate(table, 2) for column, (_, good) in row.items() if not good}
    parts = [(rows[:cut], 2), (rows[cut:], 2 + len(rows[:cut]))]
    found = [validator.validate(raw(part, first_line)) for part, first_line in parts if part]
    assert set().union(*map(bad_places, found)) == expected
    kept = [line for part in found for line in part.accepted.column("line_number").to_pylist()]
    assert kept == [line for line in range(2, 2 + len(rows)) if line not in {bad for bad, _ in expected}]


def test_forgetting_judged_values_changes_nothing(validator: Validator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validator_module, "REMEMBERED_VALUES", 3)
    for _ in range(3):
        assert accepted(validator, "region", ["a", "b", "c c", "d", "e e"]) == [True, True, False, True, False]


def test_long_cells_are_judged_each_time_and_not_remembered(validator: Validator) -> None:
    long = "x" * 5_000
    for _ in range(2):
        assert accepted(validator, "region", [long, "a", long]) == [False, True, False]
    assert sum(map(len, validator.verdicts["region"])) < 1_000


# --- time -------------------------------------------------------------------------------------------


def test_the_days_that_the_pattern_knows_are_the_days_that_there_are() -> None:
    def exists(text: str) -> bool:
        try:
            return bool(date.fromisoformat(text))
        except ValueError:
            return False

    texts = [f"20{y:02}-{m:02}-{d:02}" for y, m, d in product(range(100), range(14), range(33))]
    assert [text for text in texts if bool(re.fullmatch(DAY_PATTERN, text)) != exists(text)] == []


TIMESTAMP = re.compile(r"(.{10})(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-][\d:]+)?)?")


def instant(text: str, zone: ZoneInfo) -> datetime:
    """What a timestamp says, cut to microseconds, worked out by Python's own calendar."""
    match = TIMESTAMP.fullmatch(text)
    assert match is not None
    day, hour, minute, second, fraction, offset = match.groups()
    micro = int((fraction or "0")[:6].ljust(6, "0"))
    found = datetime.fromisoformat(day).replace(
        hour=int(hour or 0), minute=int(minute or 0), second=int(second or 0), microsecond=micro
    )
    if not offset:
        return found.replace(tzinfo=zone).astimezone(UTC)
    digits = offset.strip("Z+-").replace(":", "").ljust(4, "0")
    shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return found.replace(tzinfo=UTC) - (-shift if offset.startswith("-") else shift)


@pytest.fixture(scope="module")
def typed() -> Iterator[Typed]:
    """reported_at as an ingest types it, in a zone."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")

        def parse(texts: Sequence[str], zone: str) -> list[datetime | None]:
            column = pa.chunked_array([pa.array(texts, pa.string())])
            return parse_instants(connection, column, instant_sql(Source("x", time_zone=zone))).to_pylist()  # type: ignore[no-any-return]

        yield parse


def folded(text: str, zone: ZoneInfo) -> bool:
    """Whether a local time stands in the hour that clocks skip or repeat: examples below say what then holds."""
    local = instant(text, zone).astimezone(zone)
    return any((local + timedelta(hours=h)).utcoffset() != local.utcoffset() for h in (-2, 2))


@given(
    st.lists(st.from_regex(TIMESTAMP_PATTERN, fullmatch=True), min_size=1, max_size=200),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
)
@examples(max_examples=share_of(25), deadline=None)
def test_every_time_that_is_accepted_becomes_the_instant_that_it_says(
    typed: Typed, texts: list[str], zone: str
) -> None:
    place = ZoneInfo(zone)
    texts = [text for text in texts if not folded(text, place)]
    said = [instant(text, place) for text in texts]
    assert typed(texts, zone) == said
    assert [typed([text], zone)[0] for text in texts] == said, "alone, a time with an offset needs no SQL"


SUMMER_TIME = {
    "2026-03-29T01:59:59": "00:59:59",
    "2026-03-29T02:30": "01:30:00",  # a time that clocks skip counts on from the hour before
    "2026-03-29T03:30": "01:30:00",
    "2026-10-25T01:59:59": "23:59:59",
    "2026-10-25T02:30": "01:30:00",  # a time that clocks show twice is the later one
    "2026-10-25T02:30+02:00": "00:30:00",  # an offset settles it
    "2026-10-25T02:30+01:00": "01:30:00",
    "2026-10-25T03:30": "02:30:00",
    "2026-07-01": "12:00:00",  # a date alone is that day everywhere: noon in UTC stands for it
    "2026-12-01": "12:00:00",
}


def test_times_without_offset_are_in_the_source_s_zone_summer_time_and_all(
    write_csv: Callable[..., Path], ingest: Callable[..., list[Outcome]], ask: Callable[..., list[tuple[Any, ...]]]
) -> None:
    path = write_csv([{"report_id": f"r{i:02}", "reported_at": text} for i, text in enumerate(SUMMER_TIME)])
    settings = Settings(sources=(Source("berlin", time_zone="Europe/Berlin"),))
    (outcome,) = ingest(path, source="berlin", settings=settings)
    assert outcome.rows_accepted == len(SUMMER_TIME)
    stored = [row[0] for row in ask("SELECT strftime(reported_at, '%H:%M:%S') FROM reports ORDER BY report_id")]
    assert dict(zip(SUMMER_TIME, stored, strict=True)) == SUMMER_TIME


# ------------------------------------------------------------------------------------------------ read as yes and no

FIELDS = load_pack().field_names
HEADER = ["report_id", "reported_at", *FIELDS[:3]]
PLAIN = ["yes", "no", "", "Y", "FALSE", "1", "0", "True", "N", "t"]
OTHERS = ["YeS", "nO", "NA", "unknown", "maybe", " yes", "yes ", "no\t", "2", "tRUE", "01", "ye", "nan", "\uff11", "é"]


def judged(cells: Sequence[Sequence[str]], answers: frozenset[str]) -> tuple[Any, Any, bool]:
    """Accepted rows and bad cells of answers that lie in a block, and whether they were read as yes and no."""
    rows = [",".join((f"r{number}", "2026-11-16", *row)) for number, row in enumerate(cells)]
    data = "".join(f"{row}\n" for row in rows).encode()
    raw = parse_block(lines.Block(2, data, len(rows)), HEADER, ",", reader.WHOLE_COLUMNS, answers)
    as_answers = all(reader.is_read_answer(raw.table.column(name)) for name in HEADER[2:])
    found = Validator(load_pack()).validate(raw.table, raw.bad_lines)
    return found.accepted.to_pylist(), found.bad_cells.to_pylist(), as_answers


@given(st.lists(st.tuples(*[st.sampled_from(PLAIN)] * 3), min_size=1, max_size=30))
@examples(deadline=None)
def test_plain_answers_are_read_as_yes_and_no_and_mean_the_same(cells: list[tuple[str, ...]]) -> None:
    *as_read, fast = judged(cells, frozenset(FIELDS))
    *as_words, slow = judged(cells, frozenset())
    assert as_read == as_words
    assert (fast, slow) == (True, False)


@given(st.lists(st.tuples(*[st.sampled_from(PLAIN + OTHERS)] * 3), min_size=1, max_size=12), st.sampled_from(OTHERS))
@examples(deadline=None)
def test_one_other_word_and_the_block_is_read_as_words(cells: list[tuple[str, ...]], other: str) -> None:
    *as_read, fast = judged([*cells, (other, "", "")], frozenset(FIELDS))
    *as_words, _ = judged([*cells, (other, "", "")], frozenset())
    assert as_read == as_words
    assert not fast


def test_a_file_of_other_words_is_no_longer_tried_as_yes_and_no(
    write_csv: Callable[..., Path], ingest: Callable[..., list[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[bool] = []
    plainly = parse_block

    def counted(block: lines.Block, names: Any, delimiter: str, whole: Any, answers: frozenset[str]) -> RawRows:
        tried.append(bool(answers))
        return plainly(block, names, delimiter, whole, answers)

    monkeypatch.setattr(lines, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(reader, "parse_block", counted)
    reports = [{"report_id": f"r{number}", "fever": "NA"} for number in range(400)]
    (outcome,) = ingest(write_csv(reports), settings=Settings(threads=1))
    assert outcome.rows_accepted == 400
    assert tried[:3] == [True] * 3
    assert tried[8:] == [False] * len(tried[8:]) != []


def test_a_frame_with_a_column_that_nobody_declared_is_refused(pack: Pack) -> None:
    frame = pd.DataFrame({"report_id": ["a"], "reported_at": ["2026-11-16"]}, dtype=object)
    schema = make_report_schema(pack)
    schema.validate(frame)
    with pytest.raises(pandera.errors.SchemaErrors, match="stranger"):
        schema.validate(frame.assign(stranger="x"))
    twice = pd.DataFrame([["a", "b", "2026-11-16"]], columns=["report_id", "report_id", "reported_at"], dtype=object)
    with pytest.raises(pandera.errors.SchemaError, match="multiple columns"):
        schema.validate(twice)
