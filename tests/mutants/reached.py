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
OPTIONS = f"[run]\nrelative_files = true\nsource = pipelines,schemas\ndata_file = {MEASURED}\n"


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
    """Return the tests that reach a line of a Python file, or else what uses the name that it defines, or the file.

    What a fixture of a file of tests reaches is reached by all tests of the file.
    """
    by_line = _data().contexts_by_lineno(path)
    if (ROOT / path).stat().st_mtime > MEASURED.stat().st_mtime:
        return _name_tests(by_line.values())
    uses = (number for name in _find_defined(text, line) for number in find_lines(text, rf"\b{name}\b"))
    of_uses = [number for use in uses for lines in _widen(text, use)[:2] for number in lines if number != line]
    for lines in (*_widen(text, line), of_uses, range(1, text.count("\n") + 2)):
        if found := _name_tests(by_line.get(each, ()) for each in lines):
            return found
    return set()


def _find_defined(text: str, line: int) -> list[str]:
    """Return the names that a statement on a line defines, where it runs once, when the module is imported."""
    names: list[str] = []
    tree = ast.parse(text)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    for node in (*tree.body, *(each for of in classes for each in of.body)):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.lineno <= line <= (node.end_lineno or node.lineno):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [each.id for of in targets for each in ast.walk(of) if isinstance(each, ast.Name)]
    return names


def _widen(text: str, line: int) -> list[range]:
    """Return the lines of the statements that hold a line, from the smallest one on; a class is none of them."""
    statements = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)]
    held = [
        range(node.lineno, end + 1)
        for node in statements
        if node.lineno <= line <= (end := node.end_lineno or node.lineno) and not isinstance(node, ast.ClassDef)
    ]
    return [range(line, line + 1), *sorted(held, key=len)]


def _name_tests(contexts: Iterable[Iterable[str]]) -> set[str]:
    found: set[str] = set()
    files: set[str] = set()
    for name in {name for some in contexts for name in some if "|" in name}:
        test, _, phase = name.rpartition("|")
        (files if phase == "setup" else found).add(test.partition("::")[0] if phase == "setup" else test)
    return (found & _times().keys()) | {test for test in _times() if test.partition("::")[0] in files}


def find_lines(text: str, pattern: str) -> list[int]:
    """Return the lines of a module in which a pattern is found."""
    return [number for number, line in enumerate(text.splitlines(), 1) if re.search(pattern, line)]


def find_naming_lines(text: str, stem: str) -> list[int]:
    """Return the lines of a module that name a SQL file."""
    return find_lines(text, rf"[\"'/]{stem}[\"'.]")


def choose_tests(reaching: set[str], named_by: Sequence[str], beside: str, seconds: float) -> list[str]:
    """Return the tests to run, for about so many seconds: the quick ones first, those that are further away later.

    Nearest are tests of the files that name the module, then those of its package's folder.
    """

    def dearness(test: str) -> float:
        name = test.partition("::")[0]
        return (0.01 + _times()[test]) * (1 if name in named_by else 10 if name.startswith(beside) else 50)

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
