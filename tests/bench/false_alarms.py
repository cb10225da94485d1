"""How often the identifier gate rejects a clean file: prints the figures of docs/safety.md.

Run: python -m tests.bench.false_alarms [FILES] [CSV...]. The clean files are generated ones with the report ids put in
each of the common styles of tests/intake/test_identifiers.py; a CSV given is judged as it is.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pandas as pd

from pipelines.errors import FileRejected
from pipelines.intake.anonymisation.gate import Gate
from pipelines.intake.deliveries import find_deliveries
from pipelines.settings import Settings
from pipelines.synthetic import generate
from tests.intake.test_identifiers import ID_STYLES

ROWS = 60


def alarm(frame: pd.DataFrame, exempt: frozenset[str]) -> str | None:
    """What the gate finds in a file, every column of it; None for nothing."""
    gate = Gate(exempt, frozenset({"report_id"}), frozenset())
    try:
        for name in frame.columns:
            counts = frame[name][frame[name] != ""].value_counts()
            gate.see(name, list(counts.index), int(counts.sum()), counts.tolist)
        gate.decide()
    except FileRejected as rejection:
        return rejection.reason
    return None


def clean_files(count: int, folder: Path) -> list[pd.DataFrame]:
    """Parts of generated reports, each with report ids of one of the styles."""
    generate(folder, reports=count * ROWS, weeks=4, seed=1, end=pd.Timestamp("2026-11-22").date(), files="single")
    (delivery,) = find_deliveries([str(folder / "reports")], Settings(), None)
    whole = pd.read_csv(delivery.path, dtype=str, keep_default_na=False)
    styles = list(ID_STYLES.values())
    parts = [whole.iloc[start : start + ROWS].copy() for start in range(0, count * ROWS, ROWS)]
    for place, part in enumerate(parts):
        part["report_id"] = [styles[place % len(styles)](place * ROWS + row) for row in range(len(part))]
    return parts


def main(count: int, samples: list[str]) -> None:
    """Judges the clean files, then each sample in parts of ROWS rows and whole."""
    random.seed(1)
    with tempfile.TemporaryDirectory() as folder:
        told = Counter(alarm(part, frozenset({"reported_at"})) for part in clean_files(count, Path(folder)))
    print(f"generated: {count - told[None]} of {count} clean files of {ROWS} rows rejected")
    print(*(f"  {number}  {reason}" for reason, number in told.items() if reason), sep="\n")
    for sample in samples:
        frame = pd.read_csv(sample, dtype=str, keep_default_na=False)
        exempt = frozenset({"Treatment_Date"})
        parts = [frame.iloc[start : start + ROWS] for start in range(0, len(frame), ROWS)]
        found = [reason for reason in (alarm(part, exempt) for part in parts) if reason]
        print(f"{Path(sample).name}: whole: {alarm(frame, exempt) or 'no alarm'}; {len(found)} of {len(parts)} parts")
        print(*(f"  {reason}" for reason in found), sep="\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000, sys.argv[2:])
