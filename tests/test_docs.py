"""The docs say what is: every command is documented, the dictionary is the code's, links lead somewhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from schemas.dictionary import render_dictionary
from schemas.pack import Pack
from tests.end_to_end.test_commands import COMMANDS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_data_dictionary_is_what_the_code_declares(pack: Pack) -> None:
    assert (ROOT / "docs" / "data-dictionary.md").read_text() == render_dictionary(pack), "run `make docs`"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_shown(command: str) -> None:
    assert f"calfwatch {command}" in "\n".join(page.read_text() for page in PAGES)


def test_the_page_on_rules_names_every_rule_and_every_cause(pack: Pack) -> None:
    page = (ROOT / "docs" / "rules.md").read_text()
    rows = [re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE) for part in page.split("\n## ")]
    assert [names for names in rows if names] == [
        [rule.id for rule in pack.triage],
        [cause.name for category in pack.categories for cause in pack.list_causes(category.name)],
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_no_registry_host_and_no_machine_path_stands_in_the_repository() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False).stdout
    names = [name for name in listed.decode().split("\0") if name] or [str(p.relative_to(ROOT)) for p in PAGES]
    # written apart, so that this file does not find itself
    banned = re.compile(
        "|".join(
            ("pypi" + r"\.org", "pythonhosted" + r"\.org", "registry.npmjs" + r"\.org", "/ro" + "ot/", "/wo" + "rk/")
        )
    )
    found = []
    for name in names:
        path = ROOT / name
        if path.suffix in (".png", ".gz", ".zst", ".parquet") or not path.is_file():
            continue
        if banned.search(path.read_text(encoding="utf-8", errors="replace")):
            found.append(name)
    assert found == []


def test_the_lock_is_hashed_and_names_no_index() -> None:
    text = (ROOT / "requirements.lock").read_text()
    blocks = re.findall(r"^[a-z0-9._-]+==[^\n]*", text, re.MULTILINE)
    assert len(blocks) > 50
    assert all(block.rstrip().endswith("\\") for block in blocks), "a package without a hash"
    assert "://" not in text
