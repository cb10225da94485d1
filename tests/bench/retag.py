"""`python -m tests.bench.retag`: what retagging a history costs, against a full scan and write of its table.

Both run on the same home, one after the other, each in a process of its own:
  copy    CREATE TABLE ... AS FROM records in the same database, and a checkpoint
  retag   the whole `calfwatch retag --pack`: tags, ledger, every daily count, signals, snapshot

usage: retag.py [--reports 10000000] [--runs 3]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from datetime import date
from pathlib import Path

from pipelines.synthetic import generate
from schemas.pack_file import load_pack
from tests.bench.bench import Cost, run

COPY = """
import duckdb, sys
with duckdb.connect(sys.argv[1]) as connection:
    connection.execute("SET memory_limit = '320MB'")
    connection.execute("CREATE TABLE copied AS FROM records")
    connection.execute("CHECKPOINT")
    connection.execute("DROP TABLE copied")
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="calfwatch-bench-"))
    try:
        measure(folder, options.reports, options.runs)
    finally:
        shutil.rmtree(folder)
    return 0


def measure(folder: Path, reports: int, runs: int) -> None:
    """Retags to another pack and back, so that every run has the same work."""
    home = folder / "home"
    (made,) = generate(folder / "made", reports=reports, weeks=26, seed=1, end=date(2026, 11, 22), files="single")
    calfwatch = [sys.executable, "-m", "pipelines"]
    run([*calfwatch, "ingest", "--home", str(home), str(made)])
    packs = [folder / "severe_from_8.toml", folder / "shipped.toml"]
    packs[0].write_text(load_pack().text.replace("pain_score >= 7", "pain_score >= 8"))
    packs[1].write_text(load_pack().text)
    copies, retags = [], []
    for number in range(runs):
        copies.append(run([sys.executable, "-c", COPY, str(home / "records.duckdb")]))
        retags.append(run([*calfwatch, "retag", "--home", str(home), "--pack", str(packs[number % 2])]))
    ratio = statistics.median(mine.wall / copy.wall for mine, copy in zip(retags, copies, strict=True))
    for name, costs in (("copy", copies), ("retag", retags)):
        print(f"{reports:>10,}  {name:6} {line(costs)}")
    print(f"retag / copy, median of {runs}: {ratio:.2f}")


def line(costs: list[Cost]) -> str:
    wall, cpu, peak = (statistics.median(getattr(cost, part) for cost in costs) for part in ("wall", "cpu", "peak"))
    return f"{wall:>8.2f} s wall {cpu:>8.2f} s cpu {peak:>6.0f} MiB"


if __name__ == "__main__":
    sys.exit(main())
