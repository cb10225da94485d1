"""One file, one transaction: the ledger, duplicates, corrections and conflicts."""

from __future__ import annotations


def test_a_clean_file_is_stored_row_for_row(write_csv, ingest, ask) -> None:
    path = write_csv([{"report_id": f"r{i}", "pain_score": "3", "duration_days": "1"} for i in range(5)])
    (outcome,) = ingest(path)
    assert (outcome.status, outcome.rows_read, outcome.rows_accepted) == ("accepted", 5, 5)
    assert ask("SELECT report_id, line_number, triage_level FROM reports ORDER BY 1") == [
        (f"r{i}", i + 2, "self_care") for i in range(5)
    ]
