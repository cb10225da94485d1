"""How well the source `neiss` reads every labelled narrative of tests/neiss: precision and recall of yes, wrong noes.

python -m tests.bench.narratives
"""

from __future__ import annotations

import time

from tests.intake.test_sources_sql import (
    labelled_elsewhere,
    labelled_made_up,
    labelled_real,
    labelled_sixty,
    lower_leg,
    read,
    translate,
)

Labelled = list[tuple[str, set[str], set[str], set[str], set[str]]]


def main() -> None:
    print("| narratives | number | precision of yes | recall of yes | wrong noes |")
    print("|---|---|---|---|---|")
    for name, labelled in (
        ("a public extract, lower legs", labelled_real()),
        ("the same extract, other parts read as lower legs", labelled_elsewhere()),
        ("invented", labelled_made_up()),
    ):
        print_row(name, labelled, sum(len(no_found - no) for _, _, no, _, no_found in labelled))
    sixty = labelled_sixty()
    judged = [(row, yes, either, found - either, no) for row, yes, either, found, no in sixty]
    print_row("60 further public cases", judged, sum(len(no) for *_, no in sixty))
    rows = [lower_leg(str(row["narrative"])) for row in read("made_up.csv")] * 10
    start = time.perf_counter()
    translate("neiss", rows)
    print(f"\n{(time.perf_counter() - start) / len(rows) * 1000:.1f} ms a narrative")


def print_row(name: str, labelled: Labelled, wrong_noes: int) -> None:
    right = sum(len(yes & found) for _, yes, _, found, _ in labelled)
    found = sum(len(yes_found) for _, _, _, yes_found, _ in labelled)
    wanted = sum(len(yes) for _, yes, _, _, _ in labelled)
    print(f"| {name} | {len(labelled)} | {right / found:.3f} | {right / wanted:.3f} | {wrong_noes} |")


if __name__ == "__main__":
    main()
