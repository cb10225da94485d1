"""Which files an argument names, in which order, and who sent them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.errors import UsageError
from pipelines.intake.deliveries import Delivery, find_deliveries, find_other_files, has_changed, read_file_identity
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


def test_a_folder_gives_its_csvs_at_any_depth_in_the_natural_order_of_their_paths(tree: Path) -> None:
    assert found(tree) == ["a.csv", "B.csv", "b.csv", "E.CSV", "c.csv.gz", "d.csv.zst", "é.csv"]


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_export_9_comes_before_export_10_whatever_the_case_and_the_arguments(tmp_path: Path) -> None:
    names = ["EXPORT_1.csv", "export_9.CSV", "Export_10.csv", "export_010.csv", "export_100.csv"]
    touched(tmp_path, *names)
    given = [tmp_path / name for name in sorted(names)]
    wanted = ["EXPORT_1.csv", "export_9.CSV", "export_010.csv", "Export_10.csv", "export_100.csv"]
    assert found(tmp_path) == found(*given) == found(*reversed(given)) == wanted
    typed = find_deliveries([str(path) for path in reversed(given)], SETTINGS, None, in_order=True)
    assert [delivery.path for delivery in typed] == given[::-1]


def test_a_folder_is_a_part_of_the_path_and_its_number_counts_as_well(tmp_path: Path) -> None:
    touched(tmp_path, "run_10/a.csv", "run_9/b.csv", "run_9/a.csv")
    assert [d.path.parent.name + d.path.name for d in find_deliveries([str(tmp_path)], SETTINGS, None)] == (
        ["run_9a.csv", "run_9b.csv", "run_10a.csv"]
    )


def test_a_linked_folder_is_looked_into_and_a_circle_of_links_ends(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "linked.csv").touch()
    (tree / "to elsewhere").symlink_to(tmp_path / "elsewhere")
    (tree / "sub" / "round").symlink_to(tree)
    names = ["a.csv", "B.csv", "b.csv", "E.CSV", "c.csv.gz", "d.csv.zst", "linked.csv", "é.csv"]
    assert found(tree) == names
    assert sorted(found(tree / "sub")) == sorted(names), "from inside, the circle is entered once"


def test_all_that_is_given_is_put_in_one_order_and_each_file_comes_once(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(tree / "b.csv", tree / "sub", tree / "*.csv", tree / "a.csv") == (
        ["a.csv", "B.csv", "b.csv", "c.csv.gz", "d.csv.zst", "é.csv"]
    )
    monkeypatch.chdir(tree)
    assert found("a.csv", "./a.csv", tree / "a.csv") == ["a.csv"]


def test_a_glob_may_name_folders_and_reach_any_depth(tree: Path) -> None:
    assert found(tree / "s*") == ["c.csv.gz", "d.csv.zst"]
    assert found(tree / "**" / "*.gz") == ["c.csv.gz"]
    assert found(tree / "*.nothing") == []


def test_a_named_file_is_taken_whatever_it_is_called(tree: Path) -> None:
    assert found(tree / "notes.txt", tree / ".hidden.csv") == [".hidden.csv", "notes.txt"]


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


def by_name(folder: Path, *sources: Source, source: str | None = None) -> dict[str, Delivery]:
    """The deliveries of a folder, by name."""
    found = find_deliveries([str(folder)], Settings(sources=sources), source)
    return {delivery.path.name: delivery for delivery in found}


def senders(folder: Path, *sources: Source, source: str | None = None) -> dict[str, str]:
    return {name: delivery.source.name for name, delivery in by_name(folder, *sources, source=source).items()}


def test_the_source_is_the_named_one_else_that_of_the_pattern(tmp_path: Path) -> None:
    touched(tmp_path, "a.csv", "b.csv")
    sources = (Source("north", patterns=("a*.csv",)), Source("south", patterns=("x*.csv", "b*.csv")))
    assert senders(tmp_path, *sources) == {"a.csv": "north", "b.csv": "south"}
    assert senders(tmp_path, *sources, source="neiss") == {"a.csv": "neiss", "b.csv": "neiss"}
    assert senders(tmp_path) == {"a.csv": "canonical", "b.csv": "canonical"}
    with pytest.raises(UsageError, match="source 'nobody' is not known"):
        senders(tmp_path, *sources, source="nobody")


def test_neither_case_nor_the_form_of_accents_sends_a_file_to_another_source(tmp_path: Path) -> None:
    touched(tmp_path, "l7_w46.csv", "L7_W47.CSV", "re\u0301gulation_1.csv", "r\u00e9gulation_2.csv")
    sources = (Source("line-7", patterns=("L7_w*.csv",)), Source("sud", patterns=("R\u00e9gulation_*.csv",)))
    assert sorted(senders(tmp_path, *sources).values()) == ["line-7", "line-7", "sud", "sud"]
    assert not any(delivery.fault for delivery in by_name(tmp_path, *sources).values())


def test_a_file_that_matches_no_source_or_two_has_a_fault_if_the_home_names_sources(tmp_path: Path) -> None:
    touched(tmp_path, "a.csv", "ab.csv", "c.csv")
    sources = (Source("north", patterns=("a*.csv",)), Source("south", patterns=("ab*.csv",)))
    faults = {name: delivery.fault.split(";")[0] for name, delivery in by_name(tmp_path, *sources).items()}
    assert faults == {
        "a.csv": "",
        "ab.csv": "its name matches the patterns of north and south",
        "c.csv": "its name matches the patterns of no source",
    }
    assert not any(d.fault for d in by_name(tmp_path, *sources, source="south").values()), "a named source decides"


def test_a_source_named_canonical_takes_what_matches_no_other(tmp_path: Path) -> None:
    touched(tmp_path, "a.csv", "c.csv")
    sources = (Source("north", patterns=("a*.csv",)), Source("canonical", time_zone="Europe/Berlin"))
    assert senders(tmp_path, *sources) == {"a.csv": "north", "c.csv": "canonical"}
    assert by_name(tmp_path, *sources)["c.csv"].source.time_zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("name", "pattern", "period"),
    [
        ("l7_2026-11-16.csv", "l7_{date}.csv", "2026-11-16/2026-11-16"),
        ("L7_20261116.CSV", "l7_{date}.csv*", "2026-11-16/2026-11-16"),
        ("l7_2026-W47.csv", "L7_{week}.csv", "2026-11-16/2026-11-22"),
        ("l7_2026-w01_v2.csv", "l7_{week}*.csv", "2025-12-29/2026-01-04"),
        ("l7_2026-MW47.csv", "l7_{week}.csv", "2026-11-22/2026-11-28"),
        ("l7_2026-mw01.csv", "l7_{week}.csv", "2026-01-04/2026-01-10"),
        ("l7_2025-MW53.csv", "l7_{week}.csv", "2025-12-28/2026-01-03"),
        ("20261101-20261130.csv", "{date}-{date}.csv", "2026-11-01/2026-11-30"),
        ("a_b_2026-11-16_c.csv.gz", "*b*{date}*.csv.gz", "2026-11-16/2026-11-16"),
        ("l7_2026-11-31.csv", "l7_{date}.csv", "no match"),
        ("l7_2026-W54.csv", "l7_{week}.csv", "no match"),
        ("l7_2026-MW53.csv", "l7_{week}.csv", "no match"),
        ("l7_2026-W00.csv", "l7_{week}.csv", "no match"),
        ("l7_26-11-16.csv", "l7_{date}.csv", "no match"),
        ("l7_W47.csv", "l7_{week}.csv", "no match"),
        ("l7_any.csv", "l7_*.csv", "none"),
    ],
)
def test_a_date_or_week_in_a_pattern_gives_the_period(tmp_path: Path, name: str, pattern: str, period: str) -> None:
    delivery = by_name(touched(tmp_path, name), Source("line-7", patterns=(pattern,)))[name]
    found = "/".join(map(str, delivery.period)) if delivery.period else "none"
    assert ("no match" if delivery.fault else found) == period


def test_the_period_decides_the_order_before_the_path_does(tmp_path: Path) -> None:
    touched(tmp_path, "1/l7_2026-11-22.csv", "2/l7_2026-11-09.csv", "z_2026-W46.csv", "z_2026-W45.csv", "l8.csv")
    sources = (
        Source("line-7", patterns=("l7_{date}.csv", "l8.csv")),
        Source("z", patterns=("z_{week}.csv",)),
    )
    assert list(by_name(tmp_path, *sources)) == (
        ["l8.csv", "z_2026-W45.csv", "l7_2026-11-09.csv", "z_2026-W46.csv", "l7_2026-11-22.csv"]
    )


def test_what_is_no_csv_in_a_folder_is_found_too(tmp_path: Path) -> None:
    others = ["w47.csv.txt", "w48.zip", "w49.xlsx", "w50.csv.bz2", "w51.tsv", "sub/w9.xls"]
    quiet = [
        "w46.csv",
        "w46.csv.gz",
        "W46.CSV.ZST",
        "w52.csv.part",
        ".hidden.xlsx",
        "w46.csv.sha256",
        "README.txt",
        "readme",
    ]
    touched(tmp_path, *others, *quiet)
    names = {path.relative_to(tmp_path).as_posix() for path in find_other_files([str(tmp_path), str(tmp_path / "*")])}
    assert names == set(others)
    assert find_other_files([str(tmp_path / "w49.xlsx"), ""]) == [], "what is named itself is read as CSV"


def test_a_file_whose_old_time_was_set_back_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("one")
    before, times = read_file_identity(path), path.stat()
    assert not has_changed(path, before)
    while path.stat().st_ctime_ns == times.st_ctime_ns:  # the system's clock of files goes in steps
        path.write_text("two")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_mtime_ns == times.st_mtime_ns
    assert has_changed(path, before)
