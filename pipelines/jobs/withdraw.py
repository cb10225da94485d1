"""A wrong file taken back: the state becomes the one of a home to which it was never delivered.

Its records go, and the records they replaced come back. Rows of later files that were left out because they were
equal to its records are missing in the store, so those files are read again where they lie; where one is gone,
nothing is changed. The ledger keeps the file as `withdrawn`, with all its counts at zero.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from pipelines.errors import FileRejected, UsageError
from pipelines.intake.block_checker import Rules
from pipelines.intake.buffer import BufferedBlocks
from pipelines.intake.deliveries import CHANGED, Delivery, find_deliveries
from pipelines.intake.layouts.adapters import find_answer_columns, load_adapter
from pipelines.intake.lines import hash_content
from pipelines.intake.opening import open_delivery
from pipelines.intake.screening import screen_file
from pipelines.jobs import publish as publish_job
from pipelines.jobs.ingest import Run
from pipelines.settings import Settings, is_address
from pipelines.statements import fetch_first_row
from pipelines.store import audit, daily_counts, database, versions
from pipelines.store.database import Home, check_levels, transaction
from pipelines.store.erasing import erasure
from pipelines.store.ledger import UNREAD, Entry, find_entry, mark_withdrawn
from pipelines.store.packs import load_configured_pack
from pipelines.text import pluralise
from schemas.checked_file import CheckedFile, Rejection

UNDONE = "its withdrawal was undone: deliver the file again; it then counts as the latest delivery"


def withdraw_file(
    home: Home,
    settings: Settings,
    file_id: str,
    source: str | None,
    csvs: Sequence[str],
    is_undone: bool,
    wait_seconds: float,
) -> str:
    """Take a file back, or undo that, and publish the summaries of now; return what was done."""
    configured = load_configured_pack(home, settings)
    with database.writing(home, settings, configured, wait_seconds) as connection:
        if is_undone:
            return undo(connection, file_id, source)
        run = Run(home, settings, database.find_pack_in_use(connection, configured))
        if any(map(is_address, csvs)):
            raise UsageError("--csv takes paths of this machine; copy the objects to a folder, and name that")
        places = find_deliveries(csvs, settings, source, home.leaves_out) if csvs else []
        text = withdraw(connection, run, file_id, source, places)
        publish_job.publish(connection, home, settings)
    return text


def withdraw(
    connection: duckdb.DuckDBPyConnection, run: Run, file_id: str, source: str | None, csvs: Sequence[Delivery]
) -> str:
    """Take a file back in one transaction; return what was done, in one line.

    `csvs` are places to look for later files that must be read again and no longer lie where they did.
    Raises UsageError if the file is not known or such a file is missing; then nothing is changed.
    """
    entry = find_entry(connection, file_id, source)
    if entry.status == "withdrawn":
        return f"{entry.file_id[:12]}: withdrawn before; nothing more to take back"
    if entry.status == "rejected":
        return _close_rejected(connection, entry)
    versions.name_reports(connection, entry)
    _refuse_if_taken_out(connection, entry)
    _refuse_if_erased(connection, entry)
    repeated = versions.find_repeating(connection, entry)
    _read_again(connection, run, repeated, _locate_files(run, repeated, csvs))
    with transaction(connection):
        text = _take_back(connection, run, entry)
        check_levels(connection)
        audit.note(connection, "withdraw", entry.file_id, f"{text}; {len(repeated)} later files read again")
    return text


def _refuse_if_taken_out(connection: duckdb.DuckDBPyConnection, entry: Entry) -> None:
    """Raise UsageError if a later whole list took out a report that the file named: its other versions stay out."""
    if later := versions.find_taken_out(connection, entry):
        raise UsageError(
            f"{ascii(later[1])[1:-1]} (file {later[0][:12]}) took out some of the records that this file names, "
            "as it is a whole list that lacks them",
            "Nothing was changed. Withdraw that one first, then deliver it again.",
        )


def _refuse_if_erased(connection: duckdb.DuckDBPyConnection, entry: Entry) -> None:
    """Raise UsageError if records of the file were erased: what it brought can no longer be told from the rest."""
    if fetch_first_row(connection, "SELECT 1 FROM erased_files WHERE delivery_no = ?", [entry.delivery_no]):
        raise UsageError(
            f"{entry.file_id[:12]}: some of its records were erased, and their counts cannot be taken back",
            "Nothing was changed. Let the sender deliver the right file: its records take the place of those left.",
        )


def undo(connection: duckdb.DuckDBPyConnection, file_id: str, source: str | None) -> str:
    """Let a withdrawn file be taken in again when it is delivered the next time."""
    entry = find_entry(connection, file_id, source)
    if entry.status != "withdrawn":
        raise UsageError(f"{entry.file_id[:12]} is not withdrawn; nothing to undo")
    with transaction(connection):
        values = [UNDONE, entry.delivery_no]
        connection.execute(
            "UPDATE files SET status = 'rejected', reason = ?, tried_with = '' WHERE delivery_no = ?", values
        )
        audit.note(connection, "withdraw", entry.file_id, "undone; it is taken in at its next delivery")
    return f"{entry.file_id[:12]}: {UNDONE}"


def _close_rejected(connection: duckdb.DuckDBPyConnection, entry: Entry) -> str:
    """End the attention that a rejected file asks for; nothing of it is stored.

    One that could not be read is forgotten: it has no content by which it could be known again.
    """
    with transaction(connection):
        if entry.file_id.startswith(UNREAD):
            connection.execute("DELETE FROM files WHERE delivery_no = ?", [entry.delivery_no])
        else:
            mark_withdrawn(connection, entry)
        text = f"{entry.file_id[:12]}: was rejected, so nothing of it is stored; it is no longer waited for"
        audit.note(connection, "withdraw", entry.file_id, text)
    return text


def _locate_files(run: Run, wanted: Sequence[Entry], csvs: Sequence[Delivery]) -> dict[int, Path]:
    """Return the path of each wanted file, found by content. Raises UsageError that names the ones not found."""
    offered: dict[str, Path] = {}
    places = {entry.delivery_no: Path(entry.path) for entry in wanted if _holds_content(run, Path(entry.path), entry)}
    missing = [entry for entry in wanted if entry.delivery_no not in places]
    if missing and csvs:
        for delivery in csvs:
            with contextlib.suppress(FileRejected):  # what cannot be read is none of those that are looked for
                offered[_read_file_id(run, delivery.path)] = delivery.path
    places |= {entry.delivery_no: offered[entry.file_id] for entry in missing if entry.file_id in offered}
    gone = [entry for entry in missing if entry.delivery_no not in places]
    if gone:
        names = ", ".join(ascii(entry.path)[1:-1] for entry in gone[:3]) + (", ..." if len(gone) > 3 else "")
        raise UsageError(
            f"{len(gone)} of {len(wanted)} later files that may repeat its records are not where they were: {names}",
            "Nothing was changed. Put them back, or name where they lie with --csv PATH.",
        )
    return places


def _holds_content(run: Run, path: Path, entry: Entry) -> bool:
    with contextlib.suppress(FileRejected):
        return _read_file_id(run, path) == entry.file_id
    return False


def _read_file_id(run: Run, path: Path) -> str:
    """Return a file's id. Raises FileRejected if it cannot be read, or leads to a file of the home itself."""
    run.home.refuse_as_delivery(path)
    return hash_content(path, run.settings)


def _read_again(
    connection: duckdb.DuckDBPyConnection, run: Run, wanted: Sequence[Entry], places: Mapping[int, Path]
) -> None:
    """Fill the table `repeated` with the rows of later files about reports that the withdrawn file named."""
    versions.start_repeated(connection, run.pack)
    for entry in wanted:
        source = run.settings.source(entry.source)
        rules = Rules(source, load_adapter(source, run.home.path), run.pack, run.settings)
        delivery = Delivery(places[entry.delivery_no], source, name=Path(entry.path).name)
        answers = find_answer_columns(rules.adapter, run.pack)
        with (
            open_delivery(delivery, run.settings, answers) as opened,
            contextlib.closing(BufferedBlocks(run.home.scratch)) as blocks,
        ):
            checked = screen_file(opened, rules, blocks)
            if isinstance(checked, Rejection):
                raise _explain_change(entry, checked.reason)
            kept = erasure.leave_out_erased(connection, checked, run.home)
            _check_same(connection, entry, kept, has_erased=kept is not checked)
            versions.keep_repeated(connection, run.pack, entry, kept)


def _check_same(
    connection: duckdb.DuckDBPyConnection, entry: Entry, checked: CheckedFile, has_erased: bool = False
) -> None:
    """Raise UsageError unless the file reads as it did: settings or an adapter may have changed."""
    row = connection.execute(
        "SELECT rows_read, rows_out_of_scope, first_report, last_report FROM files WHERE delivery_no = ?",
        [entry.delivery_no],
    ).fetchall()[0]
    counts = checked.counts
    if checked.file_id != entry.file_id:
        raise _explain_change(entry, CHANGED)
    found = (counts.rows, counts.out_of_scope, *(row[2:] if has_erased else (counts.first, counts.last)))
    if row != found:
        raise _explain_change(
            entry, f"its {counts.rows} rows or their first and last times are not what the ledger says"
        )


def _explain_change(entry: Entry, why: str) -> UsageError:
    return UsageError(
        f"{ascii(entry.path)[1:-1]} reads differently than when it was taken in: {why}",
        "Nothing was changed. Put the settings and adapters back as they were.",
    )


def _take_back(connection: duckdb.DuckDBPyConnection, run: Run, entry: Entry) -> str:
    """Change everything that changes, inside the caller's transaction; return what was done, in one line."""
    back = versions.put_back(connection, run.pack, entry)
    mark_withdrawn(connection, entry)
    daily_counts.rebuild(connection, run.settings, run.pack)
    place = "its place" if entry.accepted == 1 else "their place"
    taken = f"{entry.file_id[:12]}: {pluralise(entry.accepted, 'record')} taken back"
    return f"{taken}, {pluralise(back, 'other')} in use in {place}"
