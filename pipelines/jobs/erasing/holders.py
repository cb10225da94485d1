"""Who still holds what is erased: the delivered files where they lie, and the backups and exports that are known of."""

from __future__ import annotations

import contextlib
import csv
from pathlib import Path

import duckdb

from pipelines import clock
from pipelines.errors import FileRejected
from pipelines.files import open_private
from pipelines.intake.lines import read_chunks
from pipelines.settings import Settings, is_address
from pipelines.statements import read_statement
from pipelines.store.home import Home

BACKUPS = "backups.csv"


def find_deliveries_with(connection: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    """List the files of the ledger that brought a report of `going`, or in which its id stands.

    An object of a bucket that may hold one is listed without a look at it.
    """
    found = []
    for path, brought, began_before, source in connection.execute(
        read_statement("store", "deliveries_to_search")
    ).fetchall():
        place = Path(path)
        if is_address(path) and (brought or began_before):
            found.append(path)
        elif place.exists() and (brought or (began_before and _names_one(connection, place, source, settings))):
            found.append(str(place))
    return list(dict.fromkeys(found))


def _names_one(connection: duckdb.DuckDBPyConnection, path: Path, source: str, settings: Settings) -> bool:
    """Tell whether an id stands in a file; one that cannot be read may hold it."""
    rows = connection.execute("SELECT report_id FROM going WHERE source = ? LIMIT 1000", [source]).fetchall()
    ids = [row[0].encode() for row in rows]
    if len(ids) == 1000:  # of so many, any file of the sender may hold one
        return True
    longest, rest = max(map(len, ids), default=1), b""
    with contextlib.suppress(FileRejected, OSError):
        for chunk in read_chunks(path, settings):
            text = rest + chunk
            if any(each in text for each in ids):
                return True
            rest = text[-longest:]
        return False
    return True


def note_copy(home: Path, target: Path) -> None:
    """Remember where a backup or an export was written."""
    path = home / BACKUPS
    with open(path, "a", encoding="utf-8", newline="", opener=open_private) as file:
        csv.writer(file, lineterminator="\n").writerow([clock.now().isoformat(timespec="seconds"), target])


def find_copies(home: Home) -> list[Path]:
    """List the copies of the records that are still where they were made; those in the home lie beside the records."""
    found = sorted([*home.path.glob("records.before-*.duckdb"), *home.path.glob("records.schema-*.duckdb")])
    with contextlib.suppress(FileNotFoundError), open(home.path / BACKUPS, encoding="utf-8", newline="") as file:
        found += [Path(row[1]) for row in csv.reader(file) if len(row) > 1 and Path(row[1]).exists()]
    return list(dict.fromkeys(found))
