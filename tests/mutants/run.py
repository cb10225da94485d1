"""Put the faults of the sample in, one at a time, and run what concerns each: `make mutants`.

    sample -> a copy of the repository -> one faulty file -> the tests that reach the faulty line -> killed or survived

Which tests reach a line is measured once, by running the everyday tests. SQL is reached where Python names its file.

A fault that changes nothing that can be seen stands in `equivalent.toml` under its name, with its reason. What was
found is kept in build/mutants.jsonl, so that a run that was stopped goes on; `--again` begins anew.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import Phase

from tests.mutants import reached
from tests.mutants.sample import ROOT, Fault, draw_sample, package_of
from tests.mutants.standstill import Watch
from tests.mutants.verdict import is_enough, table
from tests.support.drawing import EVERYDAY

EQUIVALENT = Path(__file__).with_name("equivalent.toml")
KEPT = ROOT / "build" / "mutants.jsonl"
MOST_SECONDS = 600  # of CPU: a fault that makes its tests run for longer is killed by that
LONGEST_WAIT = 3600  # seconds by the clock, which on a busy machine prove nothing
# tests of the whole, and of processes that die: they would see many faults, and take minutes each
TOO_WIDE = (
    *("tests/end_to_end/test_serve", "tests/end_to_end/test_flows", "tests/end_to_end/test_packaging"),
    *("tests/test_house.py", "tests/test_docs.py", "tests/bench/", "tests/mutants/"),
    *("tests/store/test_kill", "tests/store/test_disk", "tests/release/test_release_kill", "tests/intake/test_damage"),
)
LIBRARIES = (
    *("hypothesis", "duckdb", "numpy", "pandas", "pyarrow.compute", "pyarrow.csv", "pandera", "pydantic", "sqlglot"),
    *("scipy.stats", "statsmodels.api", "cyclopts", "jinja2", "cryptography", "stdnum", "playwright.sync_api"),
)
# the first example that fails kills: none is made smaller, and none is kept for the next fault
hypothesis.settings.register_profile(
    "mutants", deadline=None, database=None, phases=(Phase.explicit, Phase.generate), report_multiple_bugs=False,
    max_examples=EVERYDAY,
)  # fmt: skip
BROKEN = 99  # the exit code of a child that did not come to its tests
MOST_FILES = 4  # of tests, where it is not known which of them reach a fault
TEST_SECONDS = 60  # of the tests that are tried on one fault, as long as they took when they were measured
# a package -> where the names of the test files begin that are nearest to it, if not in the folder of its name
BESIDE = {
    "pipelines/cli": "tests/end_to_end/test_commands",
    "schemas": "tests/rules/",
    "sql/sources": "tests/intake/test_sources",
    "sql/views": "tests/store/test_views",
}


@functools.cache
def sources(folder: str) -> Mapping[str, str]:
    """Return the text of every Python file below a folder, by its path in the repository."""
    return {str(path.relative_to(ROOT)): path.read_text() for path in sorted((ROOT / folder).rglob("*.py"))}


def names_module(text: str, path: str) -> bool:
    """Return whether a file's text imports the module at `path`, or names the SQL file."""
    package, stem = str(Path(path).parent).replace("/", "."), Path(path).stem
    if path.endswith(".sql"):
        return bool(re.search(rf"[\"'/\s]{stem}\b", text))
    long = rf"{re.escape(package)}\.{stem}\b"
    short = rf"from {re.escape(package)} import [^\n]*\b{stem}\b|from {re.escape(package)} import \([^)]*\b{stem}\b"
    return bool(re.search(f"{long}|{short}", text))


def users_of(paths: Sequence[str]) -> list[str]:
    """Return the modules that name one of some files, but for these."""
    modules = sources("pipelines").items()
    return [name for name, text in modules if name not in paths and any(names_module(text, path) for path in paths)]


def tests_of(fault: Fault) -> list[str]:
    """Return the tests that concern a fault, those first that are quick and speak of the same things.

    They are those that reach its line, or for SQL the lines that name its file; for a view, and where there are none,
    all tests of the nearest files, and for an adapter these alone.
    """
    package = package_of(fault.path)
    beside = BESIDE.get(package, f"tests/{Path(package).name}/")
    nearest = files_near(fault.path, beside)
    found = reaching(fault)
    found = {test for test in found if not test.startswith(TOO_WIDE)}
    if package == "sql/sources":  # what of it is wrong is seen by the tests that translate rows by it themselves
        found = set()
    if not found or package == "sql/views":  # named where published, asked anywhere
        found |= reached.find_tests_of_files(nearest)
    words = reached.find_words_of(fault.path, fault.line, (ROOT / fault.path).read_text())
    return reached.choose_tests(found, words, nearest, TEST_SECONDS)


def reaching(fault: Fault) -> set[str]:
    """Return the tests that reach a fault."""
    if not fault.path.endswith(".sql"):
        return reached.find_reaching(fault.path, fault.line, (ROOT / fault.path).read_text())
    modules, stem = sources("pipelines"), Path(fault.path).stem
    return {
        test
        for name in users_of([fault.path])
        for line in reached.find_naming_lines(modules[name], stem)
        for test in reached.find_reaching(name, line, modules[name])
    }


def files_near(path: str, beside: str) -> list[str]:
    """Return the test files that are nearest to a file.

    Those that name it and lie in its package's folder, those that name it elsewhere, those that name a module that
    uses it, and the rest of its package's folder.
    """
    tests = {name: text for name, text in sources("tests").items() if Path(name).name.startswith("test_")}
    tests = {name: text for name, text in tests.items() if not name.startswith(TOO_WIDE)}
    users = users_of([path])
    own = [name for name, text in tests.items() if names_module(text, path) or Path(path).stem in Path(name).stem]
    by_users = [name for name, text in tests.items() if any(names_module(text, user) for user in users)]
    rest = [name for name in tests if name.startswith(beside)]
    nearest = [name for name in own if name.startswith(beside)] + own
    nearest += [name for name in by_users if name.startswith(beside)] + by_users + rest
    if "/test_" in beside:
        nearest = rest + nearest
    return list(dict.fromkeys(nearest))[:MOST_FILES]


def copy_repository(to: Path) -> Path:
    """Copy what git knows, and what is new, to a folder of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    shutil.rmtree(to, ignore_errors=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    return to


def start_fault(fault: Fault, tree: Path, seconds: int) -> int:
    """Put a fault in a copy of the repository and run what concerns it in a child, whose id is returned.

    A fork of a process that has the libraries already spares most of the time of a short run.
    """
    (tree / fault.path).write_text(fault.faulty_text())
    names = tests_of(fault)
    child = os.fork()
    if child == 0:
        try:
            os._exit(run_tests(names, tree, seconds))
        except BaseException:
            traceback.print_exc()
            os._exit(BROKEN)
    return child


def run_tests(names: Sequence[str], tree: Path, seconds: int) -> int:
    """Run tests in a copy of the repository, in this process, which is of no use afterwards."""
    signal.alarm(LONGEST_WAIT)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    os.setpgid(0, 0)
    os.chdir(tree)
    os.environ["PYTHONPATH"] = str(tree)
    with open(tree / "told.txt", "w") as told:
        os.dup2(told.fileno(), 1)
        os.dup2(told.fileno(), 2)
    sys.path[:] = [str(tree), *(place for place in sys.path if place not in ("", str(ROOT)))]
    for name in [
        name for name in sys.modules if name.split(".")[0] in ("tests", "pipelines", "schemas", "sql", "data")
    ]:
        del sys.modules[name]
    command = ["-q", "-x", "--no-header", "--tb=no", "-p", "no:cacheprovider", "-m", "not slow", "--hypothesis-seed=0"]
    command += ["--hypothesis-profile=mutants"]
    command += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # the libraries are here already, as they should be
    return int(pytest.main([*command, *names]))


def outcome_of(status: int, tree: Path, seconds: int) -> dict[str, Any]:
    """Say what a child's end means; it had so many seconds of CPU."""
    stopped_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if stopped_by == signal.SIGALRM or (stopped_by == signal.SIGPROF and seconds < MOST_SECONDS):
        return {"outcome": "not tried", "by": "its tests were stopped too early"}
    if stopped_by:
        return {"outcome": "killed", "by": "it waited for ever, ran for too long, or broke down"}
    if os.WEXITSTATUS(status) == 0:
        return {"outcome": "survived", "by": ""}
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", (tree / "told.txt").read_text(errors="replace"), re.MULTILINE)
    if failed is None:  # no test has failed: that is no proof
        return {"outcome": "not tried", "by": f"exit code {os.WEXITSTATUS(status)}"}
    return {"outcome": "killed", "by": failed[1]}


def read_kept() -> dict[str, dict[str, Any]]:
    """Return what was found of each fault, by its name; one that came to no end is to be tried again."""
    lines = KEPT.read_text().splitlines() if KEPT.exists() else []
    known = {found["name"]: found for found in map(json.loads, lines)}
    return {name: found for name, found in known.items() if found["outcome"] != "not tried"}


def try_all(faults: Sequence[Fault], workers: int, seconds: int) -> Iterator[dict[str, Any]]:
    """Yield what was found of each fault, as it is found; each child has a copy of the repository."""
    for library in LIBRARIES:
        importlib.import_module(library)
    trees = [copy_repository(KEPT.parent / f"mutants-{worker}") for worker in range(workers)]
    waiting, running = list(reversed(faults)), dict[int, tuple[Fault, Path]]()
    watch = Watch()
    while waiting or running:
        while waiting and trees:
            fault, tree = waiting.pop(), trees.pop()
            running[start_fault(fault, tree, seconds)] = fault, tree
        child, status = os.waitpid(-1, os.WNOHANG)
        if not child:
            time.sleep(1)
            for each in running:
                watch.look_at(each)
            continue
        watch.seen.pop(child, None)
        fault, tree = running.pop(child)
        told = {key: value for key, value in asdict(fault).items() if key != "occurrence"}
        yield told | outcome_of(status, tree, seconds)
        shutil.copy2(ROOT / fault.path, tree / fault.path)
        trees.append(tree)


def main() -> int:
    parser = argparse.ArgumentParser(description="Put 200 faults in, one at a time, and run what concerns each.")
    parser.add_argument("names", nargs="*", help="only faults of these names or packages, tried again")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=int, default=MOST_SECONDS, help="of CPU for each; few decide the quick ones")
    parser.add_argument("--again", action="store_true", help="try all again")
    parser.add_argument("--show", action="store_true", help="show the chosen faults, and try nothing")
    chosen = parser.parse_args()
    reasons = tomllib.loads(EQUIVALENT.read_text())["equivalent"]
    sample = draw_sample()
    if chosen.again:
        KEPT.unlink(missing_ok=True)
    known = read_kept()
    wanted = [fault for fault in sample if {fault.name, fault.package} & set(chosen.names)] if chosen.names else [
        fault for fault in sample if fault.name not in known and fault.name not in reasons
    ]  # fmt: skip
    if chosen.show:
        for fault in wanted:
            print(f"{fault.name} {fault.path}:{fault.line} {fault.change}")
        return 0
    KEPT.parent.mkdir(exist_ok=True)
    if not reached.is_measured():
        reached.measure()
    wanted.sort(key=lambda fault: fault.name)  # a run that is stopped has tried some of every package
    for found in try_all(wanted, chosen.workers, chosen.seconds):
        with open(KEPT, "a") as kept:
            print(json.dumps(found), file=kept)
        print(f"{found['outcome']:<9} {found['name']} {found['path']}:{found['line']} {found['change']}", flush=True)
    drawn = {fault.name: fault for fault in sample}
    found = {name: each for name, each in read_kept().items() if name in drawn}
    found |= {name: asdict(drawn[name]) | {"outcome": "equivalent"} for name in reasons if name in drawn}
    print("\n".join(table(found, reasons)))
    print(f"{len(drawn) - len(found)} of the sample are not tried yet")
    return 0 if is_enough(found, reasons) else 1


if __name__ == "__main__":
    sys.exit(main())
