"""A signature is recorded in the home, published, and shown; an unsigned pack says so."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest

from pipelines.errors import UsageError
from pipelines.jobs.packs.sign import sign_pack
from pipelines.settings import load_settings
from pipelines.store.database import Home
from pipelines.store.packs import read_recorded_signatures
from pipelines.text import describe_signatures
from schemas.pack import Pack

DAY = date(2026, 11, 20)


def sign(home: Home, *signature: object) -> str:
    return sign_pack(home, load_settings(home.path), None, signature, 1)  # type: ignore[arg-type]


def test_a_signature_is_kept_published_and_audited(fed_home: Home, pack: Pack) -> None:
    assert read_recorded_signatures(fed_home.path, pack.version) == []
    text = sign(fed_home, " A. Reader ", "clinical lead", DAY)
    assert text == f"Rule pack {pack.version} is signed by A. Reader (clinical lead) on 2026-11-20."
    (row,) = read_recorded_signatures(fed_home.path, pack.version)
    assert (row["name"], row["role"], row["signed_on"]) == ("A. Reader", "clinical lead", DAY)
    for path, sql in (
        (fed_home.summaries, "SELECT rule_pack FROM signatures"),
        (fed_home.records, "SELECT subject FROM audit WHERE action = 'sign'"),
    ):
        with contextlib.closing(duckdb.connect(str(path), read_only=True)) as connection:
            assert connection.execute(sql).fetchall() == [(pack.version,)]


def test_an_unsigned_pack_says_so() -> None:
    assert "is not signed" in describe_signatures("calf_pain-2-0", [])


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        (("", "lead", DAY), "needs a name and a role"),
        (("A", " ", DAY), "needs a name and a role"),
        (("A\x1bB", "lead", DAY), "printable"),
        (("A", "lead", DAY + timedelta(days=1)), "a day to come"),
    ],
)
def test_a_signature_without_a_name_a_role_or_a_day_that_was_is_refused(
    fed_home: Home, signature: tuple[object, ...], message: str, set_clock: Callable[[datetime], None]
) -> None:
    set_clock(datetime(2026, 11, 20, 23, 59, tzinfo=UTC))
    with pytest.raises(UsageError, match=message):
        sign(fed_home, *signature)
