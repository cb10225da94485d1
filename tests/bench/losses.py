"""What common readers lose on damaged files, and this one: prints the table of docs/safety.md.

Run: python -m tests.bench.losses [FILES]. Each file is a good CSV with one to three random damages
(tests/support/damage.py). Every reader reads every column as text, so that only reading is judged: a line is sound
where RFC 4180 gives it the width of the header. A reader that raises an error has refused the file, and loses nothing
silently.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from schemas.pack_file import load_pack
from tests.intake.test_damage import Refused, cells_of, check, names_of, taken_in
from tests.support.damage import damaged

Rows = list[tuple[Any, ...]]
Read = tuple[list[str], Rows]


@dataclass
class Tally:
    """One reader over all files; `lost` and `wrong` are lines of files that it read without an error."""

    refused: int = 0
    taken: int = 0
    lost: int = 0
    wrong: int = 0
    files: set[int] = field(default_factory=set)


def by_duckdb(options: str) -> Callable[[Path], Read]:
    connection = duckdb.connect()

    def read(path: Path) -> Read:
        result = connection.execute(f"FROM read_csv(?, all_varchar = true{options})", [str(path)])
        return [column[0] for column in result.description or ()], result.fetchall()

    return read


def by_pandas(**options: Any) -> Callable[[Path], Read]:
    def read(path: Path) -> Read:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, **options)
        return list(map(str, frame.columns)), [tuple(row) for row in frame.itertuples(index=False)]

    return read


READERS: dict[str, Callable[[Path], Read]] = {
    "DuckDB read_csv": by_duckdb(""),
    "DuckDB read_csv, ignore_errors": by_duckdb(", header = true, ignore_errors = true"),
    "DuckDB read_csv, strict_mode=false": by_duckdb(", header = true, strict_mode = false"),
    "pandas read_csv": by_pandas(),
    "pandas read_csv, on_bad_lines=skip": by_pandas(on_bad_lines="skip"),
}


def sound_lines(content: bytes, fields: tuple[str, ...]) -> tuple[list[str], Counter[tuple[str, ...]]]:
    """The header and the cells of every sound line. Raises Refused where the header is none."""
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    names = names_of(lines[0].rstrip(b"\r"), fields)
    cells = [cells_of(line.removesuffix(b"\r")) for line in lines[1:] if line.removesuffix(b"\r")]
    return names, Counter(tuple(row) for row in cells if row is not None and len(row) == len(names))


def judge(reader: Callable[[Path], Read], path: Path, seed: int, fields: tuple[str, ...], tally: Tally) -> None:
    """Adds one file to a reader's tally; a file that is to be refused whole counts once where it is not."""
    try:
        names, rows = reader(path)
    except Exception:
        tally.refused += 1
        return
    found = Counter(tuple("" if cell is None else str(cell) for cell in row) for row in rows)
    try:
        wanted_names, wanted = sound_lines(path.read_bytes(), fields)
    except Refused:
        tally.taken += bool(rows)
        return
    lost = sum((wanted - found).values()) if names == wanted_names else sum(wanted.values())
    wrong = sum((found - wanted).values()) if names == wanted_names else len(rows)
    tally.lost, tally.wrong = tally.lost + lost, tally.wrong + wrong
    if lost or wrong:
        tally.files.add(seed)


def main(count: int) -> None:
    """Damages `count` files, not archived, and prints one row a reader."""
    pack = load_pack()
    fields = pack.field_names
    seeds = [seed for seed in range(1_000, 1_000 + 2 * count) if damaged(seed, fields).suffix == ".csv"][:count]
    tallies = {name: Tally() for name in READERS}
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.csv"
        for seed in seeds:
            path.write_bytes(damaged(seed, fields).data)
            for name, reader in READERS.items():
                judge(reader, path, seed, fields, tallies[name])
    print(f"{count} damaged files\n")
    print("| reader | refused | read though the header is none | files lost from, silently | lines lost | wrong rows |")
    print("|---|---|---|---|---|---|")
    for name, tally in tallies.items():
        tell(name, tally)
    ours = Tally()
    for start in range(0, count, 250):  # a home for each part: it grows slower as its history does
        with tempfile.TemporaryDirectory() as folder:
            for taken in taken_in(seeds[start : start + 250], Path(folder), pack):
                check(taken, fields)  # raises at the first line that is not where the patient reader has it
                ours.refused += taken.outcome.status == "rejected"
    tell("calfwatch", ours)


def tell(name: str, tally: Tally) -> None:
    """One row of the table."""
    counts = (tally.refused, tally.taken, len(tally.files), tally.lost, tally.wrong)
    print(f"| {name} | {' | '.join(f'{count:,}' for count in counts)} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
