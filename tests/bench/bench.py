"""`make bench`: what an ingest costs, as a ratio to the raw DuckDB load of the same file in the same run.

Three ways, each in a process of its own, in turn, and the median of their runs:
  raw       DuckDB's typed read_csv into a table of a new database: no check, no tag, no summary
  calfwatch the whole `calfwatch ingest` into a new home: read strictly, validate, tag, store, summarise, publish
  pandas    a plain pandas + pandera script that does the same job in memory (at most --pandas-limit rows)

usage: bench.py [--reports 1000000 5000000 20000000] [--runs 3] [--pandas-limit 1000000]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

import pipelines

HERE = Path(__file__).parent
END = date(2026, 11, 22)
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
    print(f"{'reports':>10} {'MB':>6}  {'way':10} {'wall s':>8} {'ratio':>6} {'cpu s':>8} {'peak MiB':>9}")
    print(f"medians of {options.runs} runs; duckdb {duckdb.__version__}, {os.cpu_count()} cores")
    try:
        for reports in options.reports:
            measure(folder, reports, options.runs, reports <= options.pandas_limit)
    finally:
        shutil.rmtree(folder)
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=int, nargs="+", default=[1_000_000, 5_000_000, 20_000_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--pandas-limit", type=int, default=5_000_000, help="larger files do not fit in memory there")
    return parser.parse_args()


def measure(folder: Path, reports: int, runs: int, with_pandas: bool) -> None:
    """Prints a line a way; the ways take turns, so that a slow moment of the machine meets all of them."""
    from pipelines.synthetic import generate

    (path,) = generate(folder / "made", reports=reports, weeks=26, seed=1, end=END, files="single")
    path.read_bytes() if path.stat().st_size < 1 << 30 else None  # into the page cache, for every way alike
    ways = {"raw": raw_command, "calfwatch": calfwatch_command} | ({"pandas": pandas_command} if with_pandas else {})
    costs: dict[str, list[Cost]] = {way: [] for way in ways}
    for _ in range(runs):
        for way, command in ways.items():
            work = folder / "work"
            work.mkdir()
            costs[way].append(run(command(path, work)))
            shutil.rmtree(work)
    size = path.stat().st_size / 1e6
    shutil.rmtree(folder / "made")
    report(reports, size, costs)


def report(reports: int, size: float, costs: dict[str, list[Cost]]) -> None:
    for way, runs in costs.items():
        ratio = statistics.median(mine.wall / raw.wall for mine, raw in zip(runs, costs["raw"], strict=True))
        wall, cpu, peak = (statistics.median(getattr(cost, part) for cost in runs) for part in ("wall", "cpu", "peak"))
        print(f"{reports:>10,} {size:>6.0f}  {way:10} {wall:>8.2f} {ratio:>6.2f} {cpu:>8.2f} {peak:>9.0f}", flush=True)


def raw_command(path: Path, work: Path) -> list[str]:
    return script(HERE / "raw_load.py", path, work / "raw.duckdb")


def calfwatch_command(path: Path, work: Path) -> list[str]:
    return script(Path(pipelines.__file__).with_name("__main__.py"), "ingest", "--home", work / "home", path)


def pandas_command(path: Path, work: Path) -> list[str]:
    return script(HERE / "pandas_job.py", path, work / "pandas.duckdb")


def script(*words: str | Path) -> list[str]:
    """A Python script in a process of its own, with its arguments."""
    return [sys.executable, "-c", AS_INSTALLED, *map(str, words)]


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
