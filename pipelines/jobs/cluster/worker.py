"""What a worker does with a unit: read, check, tag and count its files, and hand the rows over in parcels.

Rows are written to the shared folder once the file is known to hold no identifier, never before. A worker needs this
package, its extra `dask`, a place for temporaries, the delivered files and the shared folder; nothing of Prefect.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pickle
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from pipelines import files
from pipelines.errors import ClusterError, FileRejected
from pipelines.intake.buffer import BufferedBlocks
from pipelines.intake.deliveries import Delivery, read_file_identity
from pipelines.intake.layouts.adapters import find_answer_columns
from pipelines.intake.opening import open_delivery
from pipelines.intake.screening import screen_file
from pipelines.intake.together.screening import Alone
from pipelines.intake.together.small_files import LARGE_BYTES, read_small_file
from pipelines.jobs.cluster.packing import Packer
from pipelines.jobs.cluster.parcels import Parcels
from pipelines.jobs.cluster.unit import Prepared, ReadFile, Unit, make_stamp
from pipelines.jobs.fetching.objects import Objects
from pipelines.jobs.members import screen_members
from pipelines.store.attachment import private_database
from pipelines.store.database import Home
from schemas.checked_file import ROWS_LEFT_OUT, CheckedFile

SURE_ROWS = 10_000  # of a large file; with fewer, the sender's earlier ids might decide


def prepare(stamp: str, unit: bytes) -> dict[str, object]:
    """Prepare a pickled unit for a process with the same stamp; return it pickled, or the stamp or error in its way.

    This is what the cluster calls: nothing that may differ between versions is unpickled before the stamps agree.
    """
    if stamp != make_stamp():
        return {"stamp": make_stamp()}
    try:
        return {"prepared": pickle.dumps(prepare_unit(pickle.loads(unit)))}  # noqa: S301 - from our own client
    except (duckdb.OutOfMemoryException, MemoryError):
        return {"prepared": pickle.dumps(Prepared({}))}  # then every file is judged by the process that stores
    except OSError as error:
        where = error.filename or "a worker's folder for temporaries"
        return {"errno": error.errno, "error": error.strerror or type(error).__name__, "where": str(where)}


def look(address: str, key: bytes, probe: str) -> tuple[str, str]:
    """Return this worker's stamp, and why it cannot read and write parcels there, if it cannot."""
    parcels = Parcels(address, key)
    try:
        parcels.write(parcels.read(probe))
    except (OSError, ClusterError, ImportError) as error:
        return make_stamp(), str(error)
    return make_stamp(), ""


def prepare_unit(unit: Unit) -> Prepared:
    """Read, check, tag and count the files of a unit. Raises OSError if what they leave cannot be written."""
    started = time.process_time()
    with contextlib.ExitStack() as held:
        scratch = held.enter_context(_work_folder())
        copies = held.enter_context(Objects(Home(scratch)).fetched(unit.deliveries))
        read = _read_files(copies, unit, scratch, held)
        sure = {number: each.checked for number, each in read.items() if each.checked}
        connection = held.enter_context(private_database(Home(scratch), unit.rules.settings))
        packed = Packer(unit, connection).pack(sure)
    found = {number: _without_rows(each) for number, each in read.items()}
    return replace(packed, files=found, seconds=time.process_time() - started)


@contextlib.contextmanager
def _work_folder() -> Iterator[Path]:
    """A private folder for one unit; what killed workers of this account left is removed first.

    Raises OSError if somebody else made the folder that all of them lie in.
    """
    place = Path(tempfile.gettempdir()) / f"calfwatch-workers-{os.geteuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "was made by somebody else", str(place))
    with contextlib.ExitStack() as held:
        with _locked(place):  # a folder that another worker is just making would look abandoned
            files.clear_temporaries(place)
            folder = held.enter_context(files.work_folder(place, "cluster"))
        yield folder


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _read_files(
    copies: Sequence[Delivery], unit: Unit, scratch: Path, held: contextlib.ExitStack
) -> dict[int, ReadFile]:
    """Return what was read, by the places in the unit; what is checked can be read as long as `held` is open."""
    files = ((each, read_small_file(each, unit.rules.settings, lambda _: None)) for each in copies)
    found = {}
    for number, member in enumerate(screen_members(files, unit.rules, scratch, unit.known)):
        delivery, read = member.delivery, member.small
        if read is None:
            if large := _read_large(delivery, unit, scratch, held):
                found[number] = large
            continue
        checked = member.verdict if isinstance(member.verdict, CheckedFile) else None
        needs_earlier = isinstance(member.verdict, Alone) and member.verdict.needs_earlier
        found[number] = ReadFile(
            read.file_id, read.identity, read.is_whole, delivery.stored, checked, needs_earlier=needs_earlier
        )
    return found


def _read_large(delivery: Delivery, unit: Unit, scratch: Path, held: contextlib.ExitStack) -> ReadFile | None:
    """Check a large file; None for what is none, or cannot be read."""
    rules = unit.rules
    with contextlib.suppress(FileRejected):
        if delivery.unread or delivery.fault or read_file_identity(delivery.path)[1] <= LARGE_BYTES:
            return None
        with open_delivery(delivery, rules.settings, find_answer_columns(rules.adapter, rules.pack)) as opened:
            if opened.reader is None or opened.file_id is None or opened.identity is None:
                return None
            read = ReadFile(opened.file_id, opened.identity, True, delivery.stored)
            if opened.file_id in unit.known:
                return read
            blocks = held.enter_context(contextlib.closing(BufferedBlocks(scratch)))
            checked = screen_file(opened, rules, blocks)
            if isinstance(checked, CheckedFile) and checked.counts.rows >= SURE_ROWS and not opened.has_changed():
                return replace(read, checked=checked, is_whole=checked.is_whole)
            return read
    return None


def _without_rows(read: ReadFile) -> ReadFile:
    """Return what is handed over beside the rows, which lie in parcels."""
    if read.checked is None:
        return read
    return replace(
        read, checked=replace(read.checked, blocks=(), rows_left_out=ROWS_LEFT_OUT.empty_table(), is_tagged=True)
    )
