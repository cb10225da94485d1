"""A result on a terminal: it fits the width, wraps long texts, and never leaves a column out."""

from __future__ import annotations

import io
import re

import pyarrow as pa
import pytest

from pipelines.cli import output
from pipelines.cli.progress import Bar
from pipelines.jobs.outcome import describe
from pipelines.store.ledger import Outcome

LONG = "a " * 40


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(table: pa.Table, width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a terminal, so many characters wide, shows: without what makes the header bold."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    output._write_table(table, stream)
    return re.sub(r"\x1b\[[01]m", "", stream.getvalue())


TABLE = pa.table(
    {"region": ["north", LONG], "reports": [1_234_567_890_123, None], "note": ["[b]x[/b]\x1b[31m", "日本"]}
)


def test_a_long_text_is_wrapped_into_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(TABLE, 60, monkeypatch).splitlines()
    assert max(map(len, lines)) <= 60
    assert sum(line.count("a ") for line in lines) >= 38, "all of the text, but for spaces at a line's end"
    assert "…" not in "".join(lines)
    assert lines[-1] == "(2 rows)"


def test_a_number_is_never_wrapped_and_an_unknown_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    for width in range(20, 120, 7):
        text = shown(TABLE, width, monkeypatch)
        assert "1234567890123" in text
        assert " -  " in text


def test_a_cell_is_no_markup_and_commands_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(TABLE, 120, monkeypatch)
    assert "[b]x[/b] [31m" in text
    assert "\x1b" not in text


def test_where_the_columns_do_not_fit_none_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    many = pa.table({f"column_{number}": [number] for number in range(30)})
    text = shown(many, 80, monkeypatch)
    assert all(f"column_{number}" in text for number in range(30))


def test_a_terminal_is_not_flooded_and_is_told_how_much_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "SCREEN_ROWS", 2)
    lines = shown(pa.table({"n": [1, 2, 3]}), 80, monkeypatch).splitlines()
    assert lines[-2:] == ["(2 rows)", "and 1 row more; --format csv writes them all"]


@pytest.mark.parametrize(
    ("outcome", "is_told"),
    [
        (Outcome("w47.csv", "north", "accepted", rows_read=9, rows_accepted=9), False),
        (Outcome("w47.csv", "north", "accepted", rows_read=9, rows_accepted=9, notes="1 moved to another day"), True),
        (Outcome("w47.csv", "north", "accepted", rows_read=9, rows_accepted=8, rows_quarantined=1), True),
        (Outcome("w47.csv", "north", "rejected", reason="no header"), True),
        (Outcome("w47.csv", "north", "known"), False),
    ],
)
def test_a_file_that_somebody_should_look_at_stands_above_the_bar(
    outcome: Outcome, is_told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with Bar() as bar:
        bar.start([])
        bar.done(outcome)
    told = " ".join(capsys.readouterr().err.split())
    assert (" ".join(describe(outcome).split()) in told) is is_told
