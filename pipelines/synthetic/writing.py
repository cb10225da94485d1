"""Write synthetic calf pain reports: a year with its seasons, regions, forms, late post and, if asked, an outbreak."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import astuple
from datetime import date
from pathlib import Path
from queue import SimpleQueue

import duckdb

from pipelines.connections import connect
from pipelines.errors import CalfwatchError, DiskError, UsageError, find_disk_failure, write_error
from pipelines.synthetic.case_sql import cases_sql
from pipelines.synthetic.model import Files
from pipelines.synthetic.outbreak import Outbreak
from pipelines.synthetic.schedule import Block, check_sizes, count_by_day, list_days, name_deliveries, share_out

Progress = Callable[[int, int], None]


def generate(
    out: Path,
    *,
    reports: int,
    weeks: int,
    seed: int,
    end: date,
    outbreak: Outbreak | None = None,
    files: Files = "weekly",
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write `reports` reports of `weeks` whole ISO weeks; return the CSVs in delivery order.

    The last week is the latest that is over at the end of the day `end`. The CSVs are `out/reports/*.csv`,
    named so that path order is delivery order; the true causes are in `out/labels/*.tsv`, one file each and
    row for row, out of reach of `calfwatch ingest`. Times are UTC. A delivery without reports is not written.
    `threads` changes the speed alone; `progress` is called with (parts written, parts in all).

    Raises UsageError on values out of range, an outbreak outside the weeks, and a folder that holds files.
    """
    days = list_days(weeks, end)
    check_sizes(reports, days, outbreak)
    deliveries = name_deliveries(days, files)
    blocks = share_out(count_by_day(reports, days, seed, outbreak), deliveries, seed, files, outbreak)
    # reports of other seeds, sizes or weeks share no ids, so that they can be ingested side by side
    statements = cases_sql(f"{seed}:{reports}:{days[0]}:{weeks}", outbreak)
    with _make_staging(out) as staging, _databases(staging, statements, blocks, threads) as databases:
        names = _write_files(databases, staging, blocks, list(dict.fromkeys(deliveries.values())), progress)
        _publish(staging, out)
    return [out / "reports" / f"{name}.csv" for name in names]


@contextmanager
def _make_staging(out: Path) -> Iterator[Path]:
    """Give a private folder inside `out` that is gone afterwards, so that a broken run leaves no half output."""
    with _folder_errors(out):
        staging = _make_staging_folder(out)
    try:
        yield staging
    except duckdb.IOException as error:
        if failure := find_disk_failure(str(error)):
            raise DiskError(f"--out {out}", failure) from error
        raise CalfwatchError(f"--out {out}: {str(error).splitlines()[0]}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _folder_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise write_error(f"--out {out}", error, "; name a folder that you may write to") from error


def _make_staging_folder(out: Path) -> Path:
    _make_private_folder(out)
    _refuse_files_in(out)
    staging = Path(tempfile.mkdtemp(prefix=".calfwatch-generating-", dir=out))
    for folder in (staging, *(staging / name for name in ("reports", "labels", "spill"))):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)
    return staging


def _make_private_folder(folder: Path) -> None:
    """Make the folder and what is missing above it for the owner alone; an existing one stays as it is."""
    if not folder.exists():
        _make_private_folder(folder.parent)
        folder.mkdir()
        folder.chmod(0o700)


def _refuse_files_in(out: Path) -> None:
    for folder in (out / "reports", out / "labels"):
        if folder.exists() and any(folder.iterdir()):
            raise UsageError(f"--out {out}: {folder} holds files already; name another folder or empty that one")


@contextmanager
def _databases(
    staging: Path, statements: str, blocks: Sequence[Block], threads: int | None
) -> Iterator[list[duckdb.DuckDBPyConnection]]:
    """Give an in-memory database for every thread.

    Each has one DuckDB thread: that writes a file from its first row to its last in little memory, whereas
    several threads on one file collect gigabytes to keep its order. They work on different files instead.
    """
    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": "256MB",
        "temp_directory": str(staging / "spill"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    count = min(threads or os.cpu_count() or 1, blocks[-1].part_number + 1)
    with ExitStack() as stack:
        databases = [stack.enter_context(connect(config=settings)) for _ in range(count)]
        yield [_fill_blocks(database, statements, blocks) for database in databases]


def _fill_blocks(
    database: duckdb.DuckDBPyConnection, statements: str, blocks: Sequence[Block]
) -> duckdb.DuckDBPyConnection:
    database.execute(statements)
    columns = [list(column) for column in zip(*map(astuple, blocks), strict=True)]
    database.execute(f"INSERT INTO blocks SELECT {', '.join(['unnest(?)'] * len(columns))}", columns)
    return database


def _write_files(
    databases: Sequence[duckdb.DuckDBPyConnection],
    staging: Path,
    blocks: Sequence[Block],
    names: Sequence[str],
    progress: Progress | None,
) -> list[str]:
    """Write every delivery that has reports, with its labels; return their names in delivery order."""
    parts = sorted({(block.part_number, names[block.file_number]) for block in blocks})
    free: SimpleQueue[duckdb.DuckDBPyConnection] = SimpleQueue()
    for database in databases:
        free.put(database)

    def write(part: tuple[int, str]) -> list[tuple[Path, Path]]:
        database = free.get()
        try:
            return _write_part(database, staging, *part)
        finally:
            free.put(database)

    with ThreadPoolExecutor(max_workers=len(databases)) as pool:
        for done, written in enumerate(pool.map(write, parts), 1):
            for path, target in written:
                _append(path, target)
            if progress:
                progress(done, len(parts))
    return list(dict.fromkeys(name for _, name in parts))


def _write_part(database: duckdb.DuckDBPyConnection, staging: Path, number: int, name: str) -> list[tuple[Path, Path]]:
    """Write one part's reports and labels aside; return where they are, and which file they belong in."""
    database.execute(f"CREATE OR REPLACE TABLE cases AS FROM synthetic_cases({number})")
    written = []
    for folder, ending, delimiter in (("reports", "csv", ","), ("labels", "tsv", "\t")):
        path = staging / "spill" / f"{number}.{ending}"
        _copy(database, folder, path, delimiter)
        written.append((path, staging / folder / f"{name}.{ending}"))
    return written


def _copy(database: duckdb.DuckDBPyConnection, table: str, path: Path, delimiter: str) -> None:
    # the file exists, private, before DuckDB fills it: DuckDB would make one that the umask decides about
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    path.chmod(0o600)
    quoted = str(path).replace("'", "''")
    database.execute(
        f"COPY (FROM {table}) TO '{quoted}' (FORMAT csv, HEADER, DELIMITER '{delimiter}', USE_TMP_FILE false)"
    )


def _append(part: Path, target: Path) -> None:
    """Make the part the file, or add it, without its header, to what the file has so far."""
    if not target.exists():
        part.replace(target)
        return
    with part.open("rb") as source, target.open("ab") as file:
        source.readline()
        shutil.copyfileobj(source, file, 1 << 20)
    part.unlink()


def _publish(staging: Path, out: Path) -> None:
    """Move the finished folders into place: the labels first, so that reports never lack them."""
    with _folder_errors(out):
        for name in ("labels", "reports"):
            (staging / name).replace(out / name)
