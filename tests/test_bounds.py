"""No small input takes the machine: each kind that once did ends in one line, told in docs/safety.md."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.cli.app import main
from pipelines.errors import UsageError
from pipelines.intake.csv_rows import LONGEST_HEADER, MOST_COLUMNS
from pipelines.rules.lint import findings, require_sound
from pipelines.settings import load_settings
from schemas.pack import Pack
from schemas.pack_file import InvalidPack, default_pack_path, load_pack, parse_pack

ROOT = Path(__file__).parent


@pytest.mark.parametrize("columns", [MOST_COLUMNS + 1, 30_000])
def test_a_header_of_too_many_columns_is_refused(columns: int, tmp_path: Path, ingest: Callable[..., Any]) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(",".join(f"c{number}" for number in range(columns)) + "\n")
    (outcome,) = ingest(path)
    assert outcome.status == "rejected"
    words = (
        f"at most {MOST_COLUMNS:,} are read" if path.stat().st_size < LONGEST_HEADER else "the header is longer than"
    )
    assert words in outcome.reason


@pytest.mark.parametrize(
    "line",
    ["threads = 100000000000000000000000", f"k_anonymity = {'9' * 5000}", f"x = {'[' * 100_000}", "threads = 257"],
    ids=["threads", "digits", "deep", "many threads"],
)
def test_settings_beyond_bounds_end_in_one_message(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "calfwatch.toml").write_text(line + "\n")
    assert main(["config", "--home", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("calfwatch: ")


@pytest.mark.parametrize("line", [f"x = {'9' * 5000}", f"x = {'[' * 100_000}"], ids=["digits", "deep"])
def test_packs_beyond_bounds_are_invalid(line: str) -> None:
    with pytest.raises(InvalidPack, match="is not TOML"):
        parse_pack(line)


def test_a_pack_of_conditions_that_nobody_can_decide_is_given_up() -> None:
    """Twelve things in eleven places: no answers fulfil it, and no search finds that out."""
    pack = load_pack(ROOT / "cases" / "attack" / "php12.toml")
    assert [(found.severity, "beyond what can be decided" in found.what) for found in findings(pack)] == [
        ("error", True)
    ]


def test_the_shipped_pack_needs_no_search_at_all(pack: Pack) -> None:
    assert not [found for found in findings(pack) if "beyond" in found.what and found.severity == "error"]
    require_sound(pack)


TOML = st.recursive(
    st.one_of(
        st.integers(), st.text(max_size=9), st.booleans(), st.just("'"), st.sampled_from(["1e400", "nan", "2026-11-28"])
    ).map(lambda value: str(value) if not isinstance(value, bool) else str(value).lower()),
    lambda inner: st.lists(inner, max_size=4).map(lambda parts: f"[{', '.join(parts)}]"),
    max_leaves=8,
)
LINES = st.tuples(st.sampled_from(["threads", "sources", "time_zone", "incoming", "public", "x", "rule_pack"]), TOML)


@pytest.mark.slow
@settings(max_examples=500)
@given(lines=st.lists(LINES.map(" = ".join), max_size=5))
@example(lines=["incoming = [1]"])
def test_invented_settings_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    home = tmp_path_factory.getbasetemp()
    (home / "calfwatch.toml").write_text("\n".join(lines), encoding="utf-8", errors="replace")
    with contextlib.suppress(UsageError):
        load_settings(home)


@pytest.mark.slow
@settings(max_examples=100)
@given(data=st.data())
def test_damaged_packs_are_read_or_refused(data: st.DataObject) -> None:
    lines = default_pack_path().read_text(encoding="utf-8").splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(lines) - 1))
        key = lines[place].partition("=")[0]
        lines[place] = data.draw(st.one_of(TOML.map(lambda value, key=key: f"{key}= {value}"), st.text(max_size=20)))
    with contextlib.suppress(InvalidPack):
        parse_pack("\n".join(lines))
