"""`make bench`: what a job costs in the shapes that people have, beside the raw DuckDB load of the same files.

Every way is a process of its own; the ways take turns, so that a slow moment of the machine meets all of them; printed
are medians of the runs.
  raw       DuckDB's typed read_csv of all the files into a table of a new database: no check, no tag, no summary
  calfwatch the whole `calfwatch ingest` into a new home: read strictly, validate, tag, store, summarise, publish
  pandas    a plain pandas + pandera script that does the same job in memory (up to 5 million rows)
  polars    the same as a polars script, where polars is installed (one file, and 364 files)
  dbt       the same as a dbt project on DuckDB, where dbt is on the path (one file, and 364 files)
The shapes `history-*` are measured into an empty home and into one of 20 million records; the ratio is that of the two.

usage: bench.py [SHAPE...] [--runs 3] [--history 20000000]     (`make bench BENCH=daily-364`)
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb

import pipelines
from tests.bench.shapes import PANDAS_LIMIT, SHAPES, Shape, make_reports

HERE = Path(__file__).parent
COMMAND = Path(pipelines.__file__).with_name("__main__.py")
OTHERS_SHAPES = ("one-1m", "one-5m", "daily-364")
# as it is installed: hypothesis is there for the tests alone, and pandera would load it
AS_INSTALLED = """
import runpy, sys
sys.modules["hypothesis"] = None
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass(frozen=True)
class Cost:
    """One process: wall seconds, processor seconds, peak memory in MiB."""

    wall: float
    cpu: float
    peak: float


def main() -> int:
    options = parse()
    folder = Path(tempfile.mkdtemp(prefix="calfwatch-bench-"))
    print(f"medians of {options.runs} runs in turn; duckdb {duckdb.__version__}, {os.cpu_count()} cores\n")
    print("| shape | way | wall s | ratio | processor s | peak MiB |\n|---|---|---|---|---|---|")
    try:
        for shape in [shape for shape in SHAPES if shape.name in options.shapes]:
            measure(folder, shape, options.runs, options.history)
    finally:
        shutil.rmtree(folder)
    return 0


def parse() -> argparse.Namespace:
    names = [shape.name for shape in SHAPES]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="*", metavar="SHAPE", help=f"of {', '.join(names)} (default: all)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--history", type=int, default=20_000_000, help="records in the home with a history")
    options = parser.parse_args()
    if unknown := set(options.shapes) - set(names):
        parser.error(f"no such shape: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    options.shapes = options.shapes or names
    return options


def measure(folder: Path, shape: Shape, runs: int, history: int) -> None:
    """Prints a row a way."""
    (folder / "made").mkdir()
    paths = shape.make(folder / "made" / shape.name)
    homes = make_homes(folder, shape, paths, history) if shape.into_history else {}
    ways = list(homes) or ways_of(shape)
    costs: dict[str, list[Cost]] = {way: [] for way in ways}
    for _ in range(runs):
        for way in ways:
            work = folder / "work"
            work.mkdir()
            if way in homes:
                shutil.copytree(homes[way], work / "home")
                os.sync()  # or the run would wait until the copy is on the disk
            costs[way].append(run(command_of(way, shape, paths, work)))
            shutil.rmtree(work)
    shutil.rmtree(folder / "made")
    report(shape, costs)


def ways_of(shape: Shape) -> list[str]:
    ways = ["raw", "calfwatch"]
    ways += ["pandas"] if shape.reports <= PANDAS_LIMIT else []
    others = {"polars": importlib.util.find_spec("polars"), "dbt": shutil.which("dbt")}
    return ways + [name for name, found in others.items() if found and shape.name in OTHERS_SHAPES]


def make_homes(folder: Path, shape: Shape, paths: Path, history: int) -> dict[str, Path]:
    """Two homes to copy: one with next to nothing, and one with a history and published weeks."""
    long, unpublished, empty = folder / "history", folder / "unpublished", folder / "made" / "empty"
    if not long.exists():
        made = make_reports(history, "weekly", 104)(folder / "long")
        run(calfwatch("ingest", "--home", long, made))
        shutil.copytree(long, unpublished)  # a published week is frozen, and costs no report any more
        run(calfwatch("report", "--home", long))
        shutil.rmtree(folder / "long")
    # a few reports, so that there is a week to publish
    run(calfwatch("ingest", "--home", empty, make_reports(1000, weeks=2, seed=9)(folder / "made" / "few")))
    homes = {"empty home": empty, f"{history:,} records": unpublished if shape.name == "history-report" else long}
    if shape.name == "history-known":
        known = folder / "made" / "known"
        shutil.copytree(long, known)
        homes[f"{history:,} records"] = known
        for home in homes.values():
            run(calfwatch("ingest", "--home", home, paths))
    return homes


def command_of(way: str, shape: Shape, paths: Path, work: Path) -> list[str]:
    if way in ("raw", "pandas", "polars", "dbt"):
        name = {"raw": "raw_load.py"}.get(way, f"{way}_job.py")
        return script(HERE / name, work / f"{way}.duckdb", paths)
    given = [] if shape.command == ("report",) else [paths]
    return calfwatch(*shape.command, "--home", work / "home", *given)


def calfwatch(*words: str | Path) -> list[str]:
    return script(COMMAND, *words)


def script(*words: str | Path) -> list[str]:
    """A Python script in a process of its own, with its arguments."""
    return [sys.executable, "-c", AS_INSTALLED, *map(str, words)]


def report(shape: Shape, costs: dict[str, list[Cost]]) -> None:
    first = next(iter(costs))
    for way, runs in costs.items():
        ratio = statistics.median(mine.wall / base.wall for mine, base in zip(runs, costs[first], strict=True))
        wall, cpu, peak = (statistics.median(getattr(cost, part) for cost in runs) for part in ("wall", "cpu", "peak"))
        print(f"| {shape.what} | {way} | {wall:.2f} | {ratio:.2f} | {cpu:.1f} | {peak:.0f} |", flush=True)


def run(command: list[str]) -> Cost:
    """Runs a command to its end and asks the system what that process took."""
    before = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{errors.decode()}")
    return Cost(time.perf_counter() - before, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


if __name__ == "__main__":
    sys.exit(main())
