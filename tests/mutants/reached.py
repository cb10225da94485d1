"""Which tests reach a line: measured once by running the everyday suite under coverage, a context a test.

What was measured is kept in build/; of a file that was changed since, every test that reached the file counts.
"""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence

import coverage

from tests.mutants.sample import ROOT

MEASURED, TIMES = ROOT / "build" / "reached.coverage", ROOT / "build" / "reached.xml"
OPTIONS = f"[run]\nsource = pipelines,schemas\ndata_file = {MEASURED}\n"


def measure() -> None:
    """Run the everyday suite, and note which lines each test reaches and how long it takes."""
    options = ROOT / "build" / "reached.cfg"
    options.parent.mkdir(exist_ok=True)
    options.write_text(OPTIONS)
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "--numprocesses", "auto", "--dist", "loadfile"),
            *("-m", "not slow", "--cov", f"--cov-config={options}", "--cov-context=test", "--cov-report="),
            f"--junitxml={TIMES}",
        ],
        cwd=ROOT, check=True,
    )  # fmt: skip


@functools.cache
def _data() -> coverage.CoverageData:
    data = coverage.CoverageData(str(MEASURED))
    data.read()
    return data


@functools.cache
def _times() -> dict[str, float]:
    """Return how many seconds each test took."""
    cases = ElementTree.parse(TIMES).getroot().iter("testcase")
    return {
        f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}": float(case.get("time", 0))
        for case in cases
    }


def find_reaching(path: str, line: int, text: str) -> set[str]:
    """Return the tests that reach a line of a Python file, or a line of its statement, its function, or the file.

    What a fixture of a file of tests reaches is reached by all tests of the file.
    """
    by_line = _data().contexts_by_lineno(str(ROOT / path))
    if (ROOT / path).stat().st_mtime > MEASURED.stat().st_mtime:
        return _name_tests(by_line.values())
    for lines in (*_widen(text, line), range(1, text.count("\n") + 2)):
        if found := _name_tests(by_line.get(each, ()) for each in lines):
            return found
    return set()


def _widen(text: str, line: int) -> list[range]:
    """Return the lines of the nodes that hold a line, from the smallest statement on."""
    held = [
        range(node.lineno, (node.end_lineno or node.lineno) + 1)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return [range(line, line + 1), *sorted(held, key=len)]


def _name_tests(contexts: Iterable[Iterable[str]]) -> set[str]:
    found: set[str] = set()
    files: set[str] = set()
    for name in {name for some in contexts for name in some if "|" in name}:
        test, _, phase = name.rpartition("|")
        (files if phase == "setup" else found).add(test.partition("::")[0] if phase == "setup" else test)
    return (found & _times().keys()) | {test for test in _times() if test.partition("::")[0] in files}


def find_naming_lines(text: str, stem: str) -> list[int]:
    """Return the lines of a module that name a SQL file."""
    return [number for number, line in enumerate(text.splitlines(), 1) if re.search(rf"[\"'/]{stem}[\"'.]", line)]


def choose_tests(reaching: set[str], named_by: Sequence[str], beside: str, seconds: float) -> list[str]:
    """Return the tests to run, for about so many seconds: the quick ones first, those that are further away later.

    Nearest are tests of the files that name the module, then those of its package's folder.
    """

    def dearness(test: str) -> float:
        name = test.partition("::")[0]
        return (0.01 + _times()[test]) * (1 if name in named_by else 3 if name.startswith(beside) else 10)

    chosen, spent = [], 0.0
    for test in sorted(reaching, key=lambda test: (dearness(test), test)):
        if chosen and spent > seconds:
            break
        chosen.append(test)
        spent += _times()[test]
    return chosen


def find_tests_of_files(names: Sequence[str]) -> set[str]:
    """Return all tests of some files."""
    return {test for test in _times() if test.partition("::")[0] in names}


def is_measured() -> bool:
    """Return whether there is something measured."""
    return MEASURED.exists() and TIMES.exists()
