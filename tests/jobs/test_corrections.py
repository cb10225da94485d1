"""A quarantined cell is open until its row comes right in a later file of its sender; a withdrawal opens it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.jobs.outcome import describe, describe_totals
from pipelines.jobs.quarantine import describe_reasons
from pipelines.jobs.withdraw import withdraw_file
from pipelines.settings import Settings, Source
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from tests.jobs.test_between_files import Ask, Ingest, Write, report

BAD = {"pain_score": "eleven", "fever": "perhaps"}


def as_sources(**values: Any) -> Settings:
    return Settings(max_quarantined_share=1.0, sources=(Source("a", **values), Source("b", **values)))


@pytest.fixture
def settings() -> Settings:
    return as_sources()


def cells(ask: Ask) -> list[tuple[Any, ...]]:
    """Every bad cell: its id, column, and the name of the file that brought its row right."""
    return ask(
        """SELECT report_id, column_name, parse_filename(later.path)
           FROM quarantine JOIN files USING (delivery_no)
           LEFT JOIN files AS later ON later.file_id = corrected_by AND later.source = files.source ORDER BY ALL"""
    )


def test_a_later_accepted_row_of_the_sender_corrects_every_cell_of_the_row(
    write_csv: Write, ingest: Ingest, ask: Ask, settings: Settings
) -> None:
    rows = [report(1, 16, **BAD), report(2, 16, pain_score="-1"), report(3, 16)]
    ingest(write_csv(rows, "bad.csv"), source="a", settings=settings)
    right = write_csv([report(1, 16), report(4, 16)], "right.csv")
    ingest(right, source="b", settings=settings)
    open_ = [("1", "fever", None), ("1", "pain_score", None), ("2", "pain_score", None)]
    assert cells(ask) == open_, "another sender's report 1 is another report"
    ingest(right, source="a", settings=settings)
    found = [("1", "fever", "right.csv"), ("1", "pain_score", "right.csv"), ("2", "pain_score", None)]
    assert cells(ask) == found
    ingest(write_csv([report(2, 16, pain_score="-2"), report(5, 16)], "bad again.csv"), source="a", settings=settings)
    assert cells(ask) == [*found, ("2", "pain_score", None)], "bad again is not right"


def test_a_row_equal_to_the_stored_record_is_right_as_well(
    write_csv: Write, ingest: Ingest, ask: Ask, settings: Settings
) -> None:
    ingest(write_csv([report(1, 16)], "1.csv"), source="a", settings=settings)
    ingest(write_csv([report(1, 16, pain_score="x"), report(2, 16)], "2.csv"), source="a", settings=settings)
    (outcome,) = ingest(write_csv([report(1, 16), report(3, 16)], "3.csv"), source="a", settings=settings)
    assert outcome.rows_duplicate == 1
    assert cells(ask) == [("1", "pain_score", "3.csv")]


def test_two_contents_of_one_report_in_a_file_correct_nothing(
    write_csv: Write, ingest: Ingest, ask: Ask, settings: Settings
) -> None:
    ingest(write_csv([report(1, 16, pain_score="x"), report(2, 16)], "1.csv"), source="a", settings=settings)
    two = [report(1, 16), report(1, 16, pain_score="4"), report(3, 16)]
    ingest(write_csv(two, "2.csv"), source="a", settings=settings)
    assert {row[2] for row in cells(ask)} == {None}


def test_ids_per_file_are_corrected_by_the_file_of_the_same_name_alone(
    write_csv: Write, ingest: Ingest, ask: Ask
) -> None:
    settings = as_sources(report_ids="per_file")
    ingest(write_csv([report(1, 16, pain_score="x"), report(2, 16)], "w46.csv"), source="a", settings=settings)
    ingest(write_csv([report(1, 17), report(2, 17)], "w47.csv"), source="a", settings=settings)
    assert cells(ask) == [("1", "pain_score", None)]
    ingest(write_csv([report(1, 16), report(2, 16)], "w46.csv"), source="a", settings=settings)
    assert cells(ask) == [("1", "pain_score", "w46.csv")]


@pytest.mark.parametrize(("withdrawn", "left"), [("right.csv", "later.csv"), ("later.csv", "right.csv")])
def test_a_withdrawn_correction_opens_the_cell_again_if_no_other_file_corrected_it(
    withdrawn: str, left: str, home: Home, write_csv: Write, ingest: Ingest, ask: Ask, settings: Settings
) -> None:
    ingest(write_csv([report(1, 16, pain_score="x"), report(2, 16)], "bad.csv"), source="a", settings=settings)
    ingest(write_csv([report(1, 16), report(3, 16)], "right.csv"), source="a", settings=settings)
    ingest(write_csv([report(1, 16, pain_score="9"), report(4, 16)], "later.csv"), source="a", settings=settings)
    ids = dict(ask("SELECT parse_filename(path), file_id FROM files"))
    withdraw_file(home, settings, ids[withdrawn], None, [], False, 5)
    assert cells(ask) == [("1", "pain_score", left)]
    withdraw_file(home, settings, ids[left], None, [], False, 5)
    assert cells(ask) == [("1", "pain_score", None)]
    withdraw_file(home, settings, ids["bad.csv"], None, [], False, 5)
    assert cells(ask) == []


def test_the_list_counts_open_cells_by_reason_over_all_files(
    home: Home, write_csv: Write, ingest: Ingest, settings: Settings, tmp_path: Path
) -> None:
    ingest(write_csv([report(1, 16, **BAD), report(2, 16)], "1.csv"), source="a", settings=settings)
    ingest(write_csv([report(3, 16, pain_score="x"), report(4, 16)], "2.csv"), source="a", settings=settings)
    lines = describe_reasons(home.records)
    assert [line.split("  (")[0].strip() for line in lines[:-1]] == ["2  pain_score: whole_number", "1  fever: answer"]
    assert lines[0].endswith(f"in 2 files, the first {tmp_path / '1.csv'}")
    assert lines[1].endswith(str(tmp_path / "1.csv"))
    assert lines[2] == "3 open cells, 0 corrected by later files"
    ingest(write_csv([report(1, 16), report(5, 16)], "3.csv"), source="a", settings=settings)
    (line, last) = describe_reasons(home.records)
    assert line.endswith(str(tmp_path / "2.csv"))
    assert last == "1 open cell, 2 corrected by later files"


def test_a_row_that_replaces_a_record_is_no_new_one_and_what_is_taken_out_replaces_nothing() -> None:
    counts: dict[str, Any] = {"rows_read": 69, "rows_accepted": 11, "rows_duplicate": 58}
    counts |= {"rows_superseded": 3, "rows_removed": 2}
    list_again = Outcome("a.csv", "a", "accepted", **counts)
    plain = Outcome("b.csv", "b", "accepted", rows_read=5, rows_accepted=5)
    assert describe(list_again) == "accepted  a.csv (a): 69 rows, 11 accepted, 58 duplicate, 1 superseding"
    assert describe(plain) == "accepted  b.csv (b): 5 rows, 5 accepted"
    told = "; 15 new records, 1 replaced, 2 taken out, 0 rows quarantined"
    assert describe_totals([list_again, plain]).endswith(told)
    assert describe_totals([plain]).endswith("; 5 new records, 0 rows quarantined")
