"""Which files an argument names, in which order, and who sent them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import UsageError
from pipelines.intake.deliveries import find_deliveries
from pipelines.settings import Settings, Source
from tests.intake.test_lines import BODY, NAMES, SETTINGS, as_nobody, open_folder, scan, written


def found(*paths: Path | str, settings: Settings = SETTINGS, source: str | None = None) -> list[str]:
    return [delivery.path.name for delivery in find_deliveries([str(path) for path in paths], settings, source)]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    inside = ["b.csv", "a.csv", "B.csv", "é.csv", "E.CSV", "sub/c.csv.gz", "sub/d.csv.zst"]
    for name in [*inside, ".hidden.csv", "notes.txt", "f.csv.part", "g.csv.bz2"]:
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "tree"


def test_a_folder_gives_its_csvs_at_any_depth_in_the_byte_order_of_their_paths(tree: Path) -> None:
    assert found(tree) == ["B.csv", "E.CSV", "a.csv", "b.csv", "c.csv.gz", "d.csv.zst", "é.csv"]


def test_a_linked_folder_is_looked_into_and_a_circle_of_links_ends(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "linked.csv").touch()
    (tree / "to elsewhere").symlink_to(tmp_path / "elsewhere")
    (tree / "sub" / "round").symlink_to(tree)
    names = ["B.csv", "E.CSV", "a.csv", "b.csv", "c.csv.gz", "d.csv.zst", "linked.csv", "é.csv"]
    assert found(tree) == names
    assert sorted(found(tree / "sub")) == sorted(names), "from inside, the circle is entered once"


def test_arguments_keep_their_order_and_each_file_comes_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(tree / "b.csv", tree / "sub", tree / "*.csv", tree / "a.csv") == (
        ["b.csv", "c.csv.gz", "d.csv.zst", "B.csv", "a.csv", "é.csv"]
    )
    monkeypatch.chdir(tree)
    assert found("a.csv", "./a.csv", tree / "a.csv") == ["a.csv"]


def test_a_glob_may_name_folders_and_reach_any_depth(tree: Path) -> None:
    assert found(tree / "s*") == ["c.csv.gz", "d.csv.zst"]
    assert found(tree / "**" / "*.gz") == ["c.csv.gz"]
    assert found(tree / "*.nothing") == []


def test_a_named_file_is_taken_whatever_it_is_called(tree: Path) -> None:
    assert found(tree / "notes.txt", tree / ".hidden.csv") == ["notes.txt", ".hidden.csv"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_strange_file_name_is_a_name_like_any_other(tmp_path: Path, name: str) -> None:
    written(tmp_path, BODY, name)
    for given_path in (tmp_path, tmp_path / name):
        (delivery,) = find_deliveries([str(given_path)], SETTINGS, None)
        assert scan(delivery.path)[1] == 501


@pytest.mark.parametrize("path", ["", "/nowhere/at/all.csv", "x" * 5000, "a\0b.csv"])
def test_a_path_that_is_not_there_is_a_wrong_usage(path: str) -> None:
    with pytest.raises(UsageError):
        found(path)


def test_a_folder_that_cannot_be_listed_is_told_not_skipped() -> None:
    with open_folder() as folder:
        locked = folder / "locked"
        locked.mkdir()
        written(locked, BODY)
        locked.chmod(0)
        for path in (folder, locked, locked / "a.csv"):
            with as_nobody(), pytest.raises(UsageError, match="Permission denied"):
                found(path)
        locked.chmod(0o700)


def test_the_source_is_the_named_one_else_that_of_the_first_pattern_else_canonical(tree: Path) -> None:
    settings = Settings(sources=(Source("north", patterns=("a*.csv",)), Source("all", patterns=("*.csv",))))
    by_name = {d.path.name: d.source.name for d in find_deliveries([str(tree)], settings, None)}
    assert (by_name["a.csv"], by_name["b.csv"], by_name["c.csv.gz"]) == ("north", "all", "canonical")
    assert {d.source.name for d in find_deliveries([str(tree)], settings, "neiss")} == {"neiss"}
    with pytest.raises(UsageError, match="source 'nobody' is not known"):
        find_deliveries([str(tree)], settings, "nobody")
