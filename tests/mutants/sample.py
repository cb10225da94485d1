"""The fixed sample: 200 faults over the packages of the product, the same until the faulty line itself changes.

Faults of Python are made by the operators of cosmic-ray, those of SQL by `sql_faults`. Every fault has a name, a digest
of its file, line and change; of each package those with the lowest names are taken.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tests.mutants.sql_faults import find_faults

ROOT = Path(__file__).parents[2]
# a package -> how many of the sample; `pipelines` alone is the ground below the packages
SHARES = {
    "pipelines": 6,
    "pipelines/cli": 6,
    "pipelines/explain": 10,
    "pipelines/intake": 18,
    "pipelines/jobs": 16,
    "pipelines/pages": 8,
    "pipelines/release": 12,
    "pipelines/report": 12,
    "pipelines/rules": 14,
    "pipelines/signals": 18,
    "pipelines/store": 16,
    "schemas": 6,
    "sql/explain": 2,
    "sql/intake": 2,
    "sql/release": 3,
    "sql/report": 2,
    "sql/signals": 4,
    "sql/sources": 7,
    "sql/store": 24,
    "sql/views": 14,
}
# serving is tried by slow tests alone, inventing reports makes none of anybody, a guessed adapter is only proposed
LEFT_OUT = {
    *("synthetic.py", "flows.py", "prefect_runner.py", "prefect_server.py", "supervisor.py", "tether.py"),
    *("deployment_file.py", "adapter_guess.py"),
}
OPERATORS = (
    "NumberReplacer",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "AddNot",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ZeroIterationForLoop",
    "ReplaceBinaryOperator_Add_Sub",
    "ReplaceBinaryOperator_Sub_Add",
    "ReplaceBinaryOperator_Mul_Div",
    "ReplaceBinaryOperator_Div_Mul",
    "ReplaceBinaryOperator_FloorDiv_Mul",
    "ReplaceUnaryOperator_Delete_Not",
    "ReplaceComparisonOperator_Eq_NotEq",
    "ReplaceComparisonOperator_NotEq_Eq",
    "ReplaceComparisonOperator_Lt_LtE",
    "ReplaceComparisonOperator_LtE_Lt",
    "ReplaceComparisonOperator_Gt_GtE",
    "ReplaceComparisonOperator_GtE_Gt",
    "ReplaceComparisonOperator_Is_IsNot",
    "ReplaceComparisonOperator_IsNot_Is",
)


@dataclass(frozen=True)
class Fault:
    """One fault: `path` is the file in the repository, `line` counts from 1.

    `occurrence` is the place in the file, for SQL of any change, for Python of this one.
    """

    name: str
    package: str
    path: str
    line: int
    change: str
    occurrence: int

    def faulty_text(self) -> str:
        """Return the whole faulty file."""
        text = (ROOT / self.path).read_text()
        if self.path.endswith(".sql"):
            return list(find_faults(text))[self.occurrence][2]
        from cosmic_ray.mutating import mutate_code
        from cosmic_ray.plugins import get_operator

        return str(mutate_code(text, get_operator(f"core/{self.change}")(), self.occurrence))

    def is_a_program(self) -> bool:
        """Return whether the faulty file can be read at all: `not x := y` cannot."""
        try:
            return self.path.endswith(".sql") or bool(compile(self.faulty_text(), self.path, "exec"))
        except SyntaxError:
            return False


def package_of(path: str) -> str:
    """Return the package of SHARES that a file is counted to: the nearest that holds it."""
    return max((package for package in SHARES if path.startswith(f"{package}/")), key=len)


def files_of(package: str) -> list[Path]:
    """Return the files of a package that may get a fault, those of packages within it too."""
    ends = "**/*.sql" if package.startswith("sql/") else "*.py" if package == "pipelines" else "**/*.py"
    return [path for path in sorted((ROOT / package).glob(ends)) if path.name not in LEFT_OUT | {"__init__.py"}]


def faults_of(path: Path) -> Iterator[Fault]:
    """Yield every fault of a file, each with a name that other lines do not change."""
    found = _sql_places(path) if path.suffix == ".sql" else _python_places(path)
    text = path.read_text().splitlines()
    name, seen = str(path.relative_to(ROOT)), Counter[str]()
    for line, change, occurrence in found:
        what = "|".join((name, text[line - 1].strip(), change))
        seen[what] += 1
        digest = hashlib.sha256(f"{what}|{seen[what]}".encode()).hexdigest()[:10]
        yield Fault(digest, package_of(name), name, line, change, occurrence)


def _sql_places(path: Path) -> Iterator[tuple[int, str, int]]:
    text = path.read_text()
    for occurrence, (offset, change, _) in enumerate(find_faults(text)):
        yield text.count("\n", 0, offset) + 1, change, occurrence


def _python_places(path: Path) -> Iterator[tuple[int, str, int]]:
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator

    nodes = list(ast_nodes(get_ast(path.read_text())))
    for name in OPERATORS:
        operator = get_operator(f"core/{name}")()
        places = [place for node in nodes for place in operator.mutation_positions(node)]
        yield from ((start[0], name, occurrence) for occurrence, (start, _) in enumerate(places))


def draw_sample() -> list[Fault]:
    """Return the sample, package by package."""
    drawn = []
    for package, share in SHARES.items():
        found = [fault for path in files_of(package) for fault in faults_of(path)]
        drawn += islice(filter(Fault.is_a_program, sorted(found, key=lambda fault: fault.name)), share)
    return drawn
