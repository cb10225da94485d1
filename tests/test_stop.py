"""A signal that comes while DuckDB asks Python for rows is a stop, whatever DuckDB or we make of it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import duckdb
import pyarrow as pa
import pytest
from prefect.exceptions import TerminationSignal

from pipelines.cli.app import main
from pipelines.connections import connect, damage_told
from pipelines.errors import StateError, is_stop
from pipelines.jobs import check
from pipelines.jobs.monitoring.run_record import recorded_run

STOPS = [KeyboardInterrupt(), TerminationSignal(signal.SIGTERM)]


class _Interrupted:
    """An object of rows: the signal comes while it is asked for them."""

    def __init__(self, stop: BaseException) -> None:
        self.stop = stop

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        raise self.stop


def _read_rows(stop: BaseException, how: str = "an object") -> None:
    def stream() -> Iterator[pa.RecordBatch]:
        raise stop
        yield

    rows: object = _Interrupted(stop)
    if how == "a stream":
        rows = pa.RecordBatchReader.from_batches(pa.schema([("a", pa.int32())]), stream())
    with connect() as connection:
        connection.register("incoming", rows)
        connection.execute("SELECT * FROM incoming").fetchall()


@pytest.mark.parametrize("how", ["an object", "a stream"])
@pytest.mark.parametrize("stop", STOPS, ids=["Ctrl-C", "Prefect"])
def test_a_signal_that_duckdb_tells_as_its_own_error_is_a_stop(stop: BaseException, how: str) -> None:
    with pytest.raises(BaseException) as raised:  # noqa: PT011 - what kind it is depends on where it came
        _read_rows(stop, how)
    assert is_stop(raised.value)


def test_what_became_of_it_does_not_hide_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(home: str | None) -> Path:
        with damage_told(tmp_path / "records.duckdb"):
            _read_rows(KeyboardInterrupt())
        return tmp_path

    with pytest.raises(StateError) as raised:
        fail(None)
    assert is_stop(raised.value)
    monkeypatch.setattr("pipelines.cli.home.require_home", fail)
    assert main(["status"]) == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.parametrize("stop", STOPS, ids=["Ctrl-C", "Prefect"])
def test_a_run_that_is_stopped_there_is_recorded_as_stopped_and_says_nothing(
    stop: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("CALFWATCH_SERVED_HOME", str(home))
    with pytest.raises(duckdb.InvalidInputException), recorded_run(home, "ingest"):
        _read_rows(stop)
    run = json.loads((home / "status.json").read_text())["runs"]["ingest"]
    assert (run["outcome"], run["reason"], capsys.readouterr().out) == ("stopped", "", "")


@pytest.mark.parametrize("text", ["Query interrupted", "registered as 'x' failed: KeyboardInterrupt"])
def test_words_of_a_user_are_no_stop(text: str) -> None:
    with pytest.raises(duckdb.Error) as raised, connect() as connection:
        connection.execute("SELECT '" + text.replace("'", "''") + "' AS a b c")
    assert text.partition("'")[0] in str(raised.value)
    assert not is_stop(raised.value)
    assert not is_stop(StateError(f"{text}: no such file"))


def test_a_check_that_is_stopped_tells_of_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(look: object) -> list[str]:
        _read_rows(KeyboardInterrupt())
        return []

    monkeypatch.setattr(check, "CHECKS", {"anything": stopped})
    with pytest.raises(duckdb.InvalidInputException):
        list(check._find_problems(cast(check.Look, None), []))
