"""The house rules of CONTRIBUTING.md: who imports what, how large a room may be, every SQL file in its place."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import errors

ROOT = Path(__file__).parent.parent
MODULES = {
    path: ast.parse(path.read_text()) for folder in ("pipelines", "schemas") for path in ROOT.glob(f"{folder}/**/*.py")
}
NAMES = {path: str(path.relative_to(ROOT)) for path in MODULES}
SQL_FILES = sorted(ROOT.glob("sql/**/*.sql"))

# a library -> the only modules that import it
FEW_PLACES = {
    "pandera": {"schemas/report_schema.py", "pipelines/intake/validator.py"},  # the schema, and its error
    "prefect": {"pipelines/flows.py", "pipelines/prefect_runner.py"},
    "cyclopts": {"pipelines/cli/"},
    "dask": {"pipelines/jobs/cluster/client.py"},
    "distributed": {"pipelines/jobs/cluster/client.py"},
    "fsspec": {"pipelines/jobs/cluster/parcels.py"},
    "s3fs": {"pipelines/intake/objects/bucket.py"},
    "botocore": {"pipelines/intake/objects/bucket.py"},
    "aiohttp": {"pipelines/intake/objects/bucket.py"},
    "typst": {"pipelines/pages/paper.py"},
    "apprise": {"pipelines/jobs/monitoring/notice_targets.py"},
    "prometheus_client": {"pipelines/jobs/monitoring/metrics.py"},
    "statsmodels": {"pipelines/signals/"},
    "pydantic": {"pipelines/settings_file.py", "schemas/pack_file.py", "schemas/pack_tables.py"},
    "sqlglot": {
        "schemas/conditions.py",
        "pipelines/rules/",  # conditions become SQL, terms and formulas there
        "pipelines/explain/rule_page.py",  # conditions become words
    },
}
LONGEST_MODULE, LONGEST_FUNCTION, MOST_PARAMETERS, LONGEST_CLASS, MOST_MODULES = 300, 30, 5, 120, 20


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


LIBRARIES = {path: {name.split(".")[0] for name in imported(tree)} for path, tree in MODULES.items()}


def test_the_contracts_of_who_imports_whom_are_kept() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("library", FEW_PLACES)
def test_a_library_is_imported_in_the_few_places_named(library: str) -> None:
    found = {NAMES[path] for path, libraries in LIBRARIES.items() if library in libraries}
    assert found, "a rule about nothing"
    assert [name for name in found if not name.startswith(tuple(FEW_PLACES[library]))] == []


def calls(tree: ast.Module, name: str) -> bool:
    return any(isinstance(node, ast.Call) and ast.unparse(node.func) == name for node in ast.walk(tree))


@pytest.mark.parametrize(
    "call, place",
    [
        ("duckdb.connect", "pipelines/connections.py"),
        ("Environment", "pipelines/pages/style.py"),
        ("print", "pipelines/text.py schemas/dictionary.py"),  # the second is a script that writes a page of docs
    ],
)
def test_one_place_opens_databases_one_fills_templates_and_one_prints(call: str, place: str) -> None:
    assert [NAMES[path] for path, tree in MODULES.items() if calls(tree, call)] == place.split()


# the stamps of stored rows are asked for where the row is written; everything else that is no job is told the moment
STAMPS = {f"pipelines/store/{name}.py" for name in ("audit", "ledger", "load", "schema", "signatures", "upgrade")}
MAY_ASK_THE_CLOCK = ("pipelines/cli/", "pipelines/jobs/", "pipelines/prefect_runner.py", "pipelines/flows.py")
READS_A_CLOCK = {
    *(
        "datetime.now",
        "datetime.utcnow",
        "datetime.today",
        "date.today",
        "datetime.datetime.now",
        "datetime.date.today",
    ),
    *("time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.strftime", "time.ctime"),
    *("pd.Timestamp.now", "pd.Timestamp.today", "pd.Timestamp.utcnow"),
}
ASKS_IN_SQL = re.compile(
    r"\b(now|today|get_current_time\w*|transaction_timestamp)\s*\(\s*\)|\bcurrent_(date|time|timestamp)\b|\blocaltime",
    re.IGNORECASE,
)


def texts(tree: ast.Module) -> Iterator[str]:
    """The string constants of a module that hold a statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"\b[A-Z]{4,} ", node.value):
            yield node.value


def imported_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_one_module_reads_the_clock_and_sql_is_told_the_moment() -> None:
    asking = {
        NAMES[path]
        for path, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in READS_A_CLOCK
    }
    assert asking == {"pipelines/clock.py"}
    bare = {NAMES[path] for path, tree in MODULES.items() for name in imported_names(tree) if name.startswith("time.")}
    assert bare == set(), "the reads of `time` are to be seen: import the module"
    assert [path.name for path in SQL_FILES if ASKS_IN_SQL.search(path.read_text())] == []
    assert [NAMES[path] for path, tree in MODULES.items() if any(map(ASKS_IN_SQL.search, texts(tree)))] == []


# tests that need the real day: a slot beside what a run wrote down, and a served home, which runs by its own clock
NEED_THE_DAY = {
    "tests/end_to_end/test_operations_page.py",  # its settings keep the records of three years
    "tests/jobs/test_status.py",
    "tests/support/serving.py",
    "tests/moments.py",
}


def test_a_test_gives_the_same_on_every_day() -> None:
    """It stops the clock by the fixture `set_clock`, or is told the day."""
    reading = set()
    for path in sorted(ROOT.glob("tests/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("datetime.now", "date.today"):
                reading.add(str(path.relative_to(ROOT)))
    assert {name for name in reading if not name.startswith("tests/bench/")} == NEED_THE_DAY


def test_below_the_jobs_the_moment_is_a_parameter() -> None:
    asking = {
        NAMES[path]
        for path, tree in MODULES.items()
        if {"pipelines.clock", "pipelines.clock.now", "pipelines.clock.today"} & {*imported_names(tree)}
        and any(calls(tree, name) for name in ("clock.now", "clock.today", "now", "today"))
    }
    assert {name for name in asking if not name.startswith(MAY_ASK_THE_CLOCK)} == STAMPS


def test_every_module_says_in_a_line_what_it_is() -> None:
    assert [NAMES[path] for path, tree in MODULES.items() if not ast.get_docstring(tree) and tree.body] == []


# larger than the rules say, each with its reason
LARGE_MODULES = {
    "schemas/tables.py": "the declaration of every table: a list, not code",
}
LARGE_CLASSES: dict[str, str] = {}
LONG_FUNCTIONS = {
    "pipelines/synthetic/writing.py:generate": "a signature of one line a parameter",
    "pipelines/synthetic/case_sql.py:_make_sql_parts": "a table of placeholders",
    "pipelines/explain/explanation.py:explain_record": "one dict, a line a key",
    "pipelines/rules/compiler.py:tag_sql": "one SQL text",
    "pipelines/rules/plain_sql.py:plain_sql": "one SQL text",
    "pipelines/signals/farrington.py:farrington_flexible": "public: a signature of one line a parameter",
    "pipelines/cli/clinical.py:explain": "a signature of one line an option",
    "pipelines/cli/engineer.py:run": "a signature of one line an option",
    "pipelines/jobs/ingest.py:ingest_batch": "a signature of one line an option",
}
MANY_PARAMETERS = {
    "pipelines/synthetic/writing.py:generate": "the options of the command",
    "pipelines/synthetic/schedule.py:_assign_to_files": "the columns of a delivery",
    "pipelines/flows.py:ingest_files": "Prefect stores the parameters of a task: plain values, no bundle",
    "pipelines/flows.py:run_batch": "Prefect stores the parameters of a flow: plain values, no bundle",
    "pipelines/jobs/ingest.py:ingest_batch": "the options of the command",
    "pipelines/jobs/scheduled_run.py:run_without_server": "the options of the command",
    "pipelines/jobs/withdraw.py:withdraw_file": "the options of the command",
    "pipelines/signals/farrington.py:farrington_flexible": "public: the settings by their published names",
    "pipelines/signals/daily.py:_make_rows": "the columns of the table",
    "pipelines/pages/charts.py:_draw_bar": "the geometry of a bar",
}


LARGE_PACKAGES: dict[str, str] = {}


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                yield f"{NAMES[path]}:{node.name}", node


def test_modules_classes_and_functions_are_small() -> None:
    lines = {NAMES[path]: len(path.read_text().splitlines()) for path in MODULES}
    classes = {
        f"{NAMES[path]}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    spans = {name: (node.end_lineno or 0) - node.lineno + 1 for name, node in functions()}
    assert {name for name, length in lines.items() if length > LONGEST_MODULE} == set(LARGE_MODULES)
    assert {name for name, length in classes.items() if length > LONGEST_CLASS} == set(LARGE_CLASSES)
    assert {name for name, length in spans.items() if length > LONGEST_FUNCTION} == set(LONG_FUNCTIONS)


def test_functions_have_few_parameters_and_packages_few_modules() -> None:
    found = set()
    for name, node in functions():
        given = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        if len([each for each in given if each not in ("self", "cls")]) > MOST_PARAMETERS:
            found.add(name)
    # a command function has a parameter for each of its options
    assert {name for name in found if not name.startswith("pipelines/cli/")} == set(MANY_PARAMETERS)
    counted = Counter(path.parent for path in MODULES if path.name != "__init__.py")
    assert {str(folder.relative_to(ROOT)) for folder, n in counted.items() if n > MOST_MODULES} == set(LARGE_PACKAGES)


def test_an_error_of_several_lines_has_an_argument_for_each() -> None:
    """A line end within one is printed as an escape: it might come from a file's name."""
    names = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    found = [
        f"{NAMES[path]}:{node.lineno}"
        for path, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names
        for text in (part for argument in node.args for part in ast.walk(argument) if isinstance(part, ast.Constant))
        if isinstance(text.value, str) and "\n" in text.value and text.value != "\n"  # which splits or joins
    ]
    assert found == []


def test_every_sql_file_is_named_by_the_code_and_begins_with_its_grain() -> None:
    text = "\n".join(path.read_text() for path in MODULES)
    views = set(re.findall(r"weekly_\w+", text))
    for path in SQL_FILES:
        folder, name = path.parent.name, path.stem
        is_named = f'"{name}"' in text or f"'{name}'" in text or name in views or f'"{name}.sql"' in text
        assert is_named, f"no code names {folder}/{path.name}"
        assert path.read_text().startswith("-- "), f"{folder}/{path.name} does not begin with its grain"
