"""Which tests reach a line: measured once by running the everyday suite under coverage, a context a test.

What was measured is kept in build/; of a file that was changed since, every test that reached the file counts.
"""

from __future__ import annotations

import ast
import functools
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
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


def find_words_of(path: str, line: int, text: str) -> set[str]:
    """Return the words of a line, of the function that it is in, and of the file's name."""
    inside = [
        node.name
        for node in (ast.walk(ast.parse(text)) if path.endswith(".py") else ())
        if isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return find_words(" ".join([text.splitlines()[line - 1], *inside, path.rpartition("/")[2].partition(".")[0]]))


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


def find_words(text: str) -> set[str]:
    """Return the words of names and texts, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Za-z][a-z]{3,}|[A-Z]{4,}", text)}


@functools.cache
def _words_of_tests() -> dict[str, set[str]]:
    """Return the words of each test function, by the first part of its tests' names."""
    found: dict[str, set[str]] = {}
    for name in {test.partition("::")[0] for test in _times()}:
        lines = (ROOT / name).read_text().splitlines()
        for node in ast.parse("\n".join(lines)).body:
            if isinstance(node, ast.FunctionDef):
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                found[f"{name}::{node.name}"] = find_words("\n".join(lines[first - 1 : node.end_lineno]))
    return found


@functools.cache
def _weights() -> dict[str, float]:
    """Return how much a word says: the more, the fewer tests have it."""
    counts = Counter(word for words in _words_of_tests().values() for word in words)
    return {word: math.log(len(_words_of_tests()) / count) for word, count in counts.items()}


def choose_tests(reaching: set[str], words: set[str], named_by: Sequence[str], seconds: float) -> list[str]:
    """Return the tests to run, for about so many seconds: first those that are quick, and speak of the same things.

    `words` are those of the fault; tests of files that name its module are taken to be nearer.
    """

    def dearness(test: str) -> float:
        own = _words_of_tests().get(test.partition("[")[0], set())
        alike = sum(_weights()[word] for word in words & own)
        near = 3 if test.partition("::")[0] in named_by else 1
        return (0.2 + _times()[test]) / (near * (1 + alike))

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
