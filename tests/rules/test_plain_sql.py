"""The printed SQL, run as it stands in a plain DuckDB session, gives the tags that are stored, and the right ones."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings

from pipelines.cli.app import main
from pipelines.rules.plain_sql import plain_sql
from schemas.pack import Pack
from schemas.pack_file import load_pack
from tests.rules.test_cases import CASES
from tests.rules.test_compiler import SHIPPED, packs, random_records, record_lists, thoroughly
from tests.rules.test_own_fields import WRIST, wrist_home  # noqa: F401 - a fixture
from tests.support import kleene
from tests.support.drawing import examples
from tests.support.kleene import Answers, Tags

TAGS = tuple(Tags.__dataclass_fields__)
COLUMNS = ("source", "report_id", *TAGS)


def printed(pack: Pack, records: Sequence[Answers]) -> list[Tags]:
    """Tags by the printed SQL, over a table that is called and typed as the view."""
    types = {"report_id": "INTEGER", "source": "VARCHAR"} | {name: pack.sql_type(name) for name in pack.askable}
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"CREATE TABLE reports ({', '.join(f'{n} {kind}' for n, kind in types.items())})")
        rows = [[place, "clinic", *(record[name] for name in pack.askable)] for place, record in enumerate(records)]
        connection.executemany(f"INSERT INTO reports VALUES ({', '.join('?' * len(types))})", rows)
        found = connection.execute(f"SELECT {', '.join(TAGS)} FROM ({plain_sql(pack)}) ORDER BY report_id").fetchall()
    return [Tags(**dict(zip(TAGS, row, strict=True)) | {"likely_cause": row[5] or ""}) for row in found]


@settings(thoroughly, max_examples=examples(25))
@given(packs(), record_lists)
def test_the_printed_sql_equals_the_slow_evaluator(pack: Pack, records: list[Answers]) -> None:
    assert printed(pack, records) == [kleene.tags(pack, record) for record in records]


def test_the_printed_sql_of_the_shipped_pack_equals_the_slow_evaluator() -> None:
    records = [*(case.answers for case in CASES), *random_records(SHIPPED, 300)]
    assert printed(SHIPPED, records) == [kleene.tags(SHIPPED, record) for record in records]


@pytest.fixture(scope="module")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("demo")
    assert main(["demo", "--home", str(home), "--reports", "3000"]) == 0
    return home


@pytest.mark.parametrize(("name", "pack"), [("demo_home", None), ("wrist_home", WRIST)])
def test_the_printed_sql_gives_the_stored_tags_row_for_row(
    name: str, pack: Path | None, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    home = request.getfixturevalue(name)
    capsys.readouterr()
    assert main(["rules", "sql", *([str(pack)] if pack else [])]) == 0
    sql = capsys.readouterr().out
    stored = f"SELECT {', '.join(COLUMNS)} FROM reports"
    with contextlib.closing(duckdb.connect(str(home / "records.duckdb"), read_only=True)) as connection:
        anew = connection.execute(f"{sql} ORDER BY source, report_id").fetchall()
        assert anew == connection.execute(f"{stored} ORDER BY source, report_id").fetchall()
        assert len(anew) > 1000
        described = [connection.execute(f"DESCRIBE {select}").fetchall() for select in (sql, stored)]
        assert [row[:2] for row in described[0]] == [row[:2] for row in described[1]]


def test_the_printed_sql_needs_nothing_but_the_view(pack: Pack) -> None:
    assert "$" not in plain_sql(pack)
    assert "?" not in plain_sql(pack)
    assert load_pack().version in plain_sql(pack).splitlines()[0]
