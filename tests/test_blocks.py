"""Every code block of README.md and docs/ does what the page says, in the order in which it stands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import UsageError
from tests.support.blocks import KINDS, ROOT, Block, Reader, blocks_of, pattern_of, steps_of

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ELSEWHERE = {"operations.md": "tests/end_to_end/test_operations_page.py runs it"}
DEMO = ("README.md", "publishing.md")  # of 100,000 reports, one home for both
QUICK = [page for page in PAGES if page.name not in (*DEMO, *ELSEWHERE) and blocks_of(page)]


@pytest.mark.parametrize("page", QUICK, ids=lambda page: page.name)
def test_every_block_of_a_page_does_what_the_page_says(page: Path, tmp_path: Path) -> None:
    assert Reader(tmp_path).read(page)


@pytest.mark.slow
def test_the_demo_prints_what_readme_says_years_later_as_well(tmp_path: Path) -> None:
    reader = Reader(tmp_path, "2031-02-28T23:59:30+00:00")
    assert [reader.read(page) for page in PAGES if page.name in DEMO] > [1, 1]


def test_every_block_is_of_a_kind_that_is_run() -> None:
    kinds = {(page.name, block.kind) for page in PAGES if page.name not in ELSEWHERE for block in blocks_of(page)}
    assert {kind for _, kind in kinds} == set(KINDS)


def test_a_page_that_says_something_else_is_told(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    reader = Reader(tmp_path)
    for fence in (
        "console\n$ echo 7\n8",
        "console\n$ echo 7",
        "python\n>>> 6 + 1\n8",
        "\nls",
        "console\n$ printf '7\n> 8'\n7",
    ):
        page.write_text(f"```{fence}\n```\n")
        with pytest.raises((AssertionError, UsageError)):
            reader.read(page)
    page.write_text("```console\n$ echo '2026-11-28 02:58:14+00:00 7\n> 8'\n2026-11-29 02:58:14+00:00 ...\n8\n```\n")
    assert reader.read(page) == 1


def test_a_command_may_go_on_and_its_output_may_leave_out() -> None:
    block = Block("console", '$ calfwatch query "SELECT 1\n>   FROM x"\nweek\n$ true\n', 1)
    assert list(steps_of(block)) == [('calfwatch query "SELECT 1\n  FROM x"', "week"), ("true", "")]
    assert pattern_of("a\n...\nb (...)").fullmatch("a\n1\n2\nb (c)")
    assert not pattern_of("a\n...\nb").fullmatch("a\nb")
