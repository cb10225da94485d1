"""A rule pack is its text: whatever is kept under a version is held to it, at every start and by `check --deep`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from pipelines.cli.app import main
from pipelines.errors import StateError
from pipelines.jobs.check import check
from pipelines.settings import Settings
from pipelines.store import database
from pipelines.store.database import Home
from schemas.pack import Pack
from schemas.pack_file import find_default_pack_path, find_earlier_pack, parse_pack
from tests.support.states import old_home

STARTS = [
    ("ingest", "*.nothing"),
    ("status",),
    ("check",),
    ("report", "--week", "2026-W46"),
    ("rules", "show"),
    ("explain", "K3"),
]


def weaker_text() -> str:
    """The shipped pack with its first emergency made a routine visit."""
    text = find_default_pack_path().read_text(encoding="utf-8")
    assert text.count('level = "emergency"') > 1
    return text.replace('level = "emergency"', 'level = "contact_doctor"', 1)


def keep(home: Home, text: str, version: str = "") -> None:
    """Put a text in the place of one that the home keeps."""
    with duckdb.connect(str(home.records)) as connection:
        connection.execute("UPDATE rule_packs SET content = ? WHERE ? IN ('', rule_pack)", [text, version])


def run(home: Home, *words: str) -> int:
    verbs = 2 if words[0] == "rules" else 1
    return main([*words[:verbs], "--home", str(home.path), *words[verbs:]])


@pytest.mark.parametrize("words", STARTS, ids=lambda words: words[0])
@pytest.mark.parametrize("damage", [weaker_text, lambda: "[pack]\n"], ids=["another", "no pack"])
def test_another_text_under_the_version_is_found_at_every_start(
    damage: Callable[[], str], words: tuple[str, ...], fed_home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(fed_home, damage())
    (fed_home.path / "own.toml").write_text(find_default_pack_path().read_text(encoding="utf-8") + "\n# a comment\n")
    (fed_home.path / "calfwatch.toml").write_text('rule_pack = "own.toml"\n')
    assert run(fed_home, *words) == 5
    assert "the text kept of rule pack calf_pain-" in capsys.readouterr().err


def test_a_comment_more_in_the_configured_file_is_no_other_pack(fed_home: Home, pack: Pack) -> None:
    commented = parse_pack(pack.text + "\n# a comment\n")
    assert commented.version == pack.version
    with database.open_records(fed_home, Settings(), commented) as connection:
        used = database.find_pack_in_use(connection, commented)
    assert used.text == pack.text, "the text kept is the one that is used"


def test_a_configured_pack_of_the_same_version_and_another_meaning_is_refused(fed_home: Home, pack: Pack) -> None:
    forged = replace(parse_pack(weaker_text()), digest=pack.digest)
    assert forged.version == pack.version
    with pytest.raises(StateError, match="is not the configured one of this version"):
        check(fed_home, Settings(), forged, deep=False)
    with (
        pytest.raises(StateError, match="is not the configured one of this version"),
        database.open_records(fed_home, Settings(), forged),
    ):
        pass


def test_check_deep_holds_every_text_that_is_kept_and_not_only_the_one_in_use(fed_home: Home, pack: Pack) -> None:
    with duckdb.connect(str(fed_home.records)) as connection:
        earlier = find_earlier_pack("calf_pain-1-69328ac2")
        assert earlier is not None
        values = [earlier.version, weaker_text()]
        connection.execute("INSERT INTO rule_packs (rule_pack, content) VALUES (?, ?)", values)
    check(fed_home, Settings(), pack, deep=False)
    with pytest.raises(StateError, match=f"the text kept of rule pack {earlier.version} is another one"):
        check(fed_home, Settings(), pack, deep=True)


def test_a_snapshot_with_another_text_under_its_version_makes_no_report(
    fed_home: Home, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fed_home.summaries.chmod(0o600)
    with duckdb.connect(str(fed_home.summaries)) as connection:
        connection.execute("UPDATE about SET rule_pack_content = ?", [weaker_text()])
    words = ["report", "--home", str(fed_home.path), "--week", "2026-W46", "--as-known-now", "--out", str(tmp_path)]
    assert main(words) == 5
    assert "`calfwatch run` publishes it anew" in capsys.readouterr().err


def test_an_older_state_is_tagged_by_the_text_it_keeps_and_not_by_a_pack_that_shares_its_short_version(
    tmp_path: Path,
) -> None:
    kept = find_earlier_pack("calf_pain-1-69328ac2")
    assert kept is not None
    weaker = parse_pack(kept.text.replace('level = "emergency"', 'level = "contact_doctor"', 1))
    forged = replace(weaker, digest=kept.digest[:8] + weaker.digest[8:])
    assert forged.short_version == kept.short_version
    old = old_home(tmp_path, 3)
    with old.lock(0), database.open_records(old, Settings(), forged) as connection:
        assert database.find_pack_in_use(connection, forged).version == kept.version
    assert check(old, Settings(), kept, deep=True)
