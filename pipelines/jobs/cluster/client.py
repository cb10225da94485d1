"""A cluster of Dask: reach its scheduler, see that its workers fit, and have them prepare units.

Whoever reaches a scheduler runs code on its workers, and sees records: an address that is not of this machine is taken
with TLS alone, whose certificates Dask finds by its own settings (`distributed.comm.tls`, or DASK_DISTRIBUTED__...).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import pickle
import secrets
import socket
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, cast

import pyarrow as pa

from pipelines import files
from pipelines.errors import DISK_FAILURES, CalfwatchError, ClusterError, DiskError, UsageError
from pipelines.jobs.cluster.address import LOCAL, Workers
from pipelines.jobs.cluster.handover import Preparer
from pipelines.jobs.cluster.parcels import AGAIN, ParcelError, Parcels, make_key
from pipelines.jobs.cluster.unit import Prepared, Unit, make_stamp
from pipelines.jobs.cluster.worker import look, prepare
from pipelines.store.database import Home
from pipelines.text import format_path

NAME_FILES = (
    "name the files of certificates by the environment: "
    "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ..._TLS__CLIENT__CERT and ..._TLS__CLIENT__KEY"
)
NO_PAGES = "127.0.0.1:0"
CONNECT_SECONDS, LOOK_SECONDS = 30, 2
IDLE_SECONDS = 60  # without any worker, and the run gives up


@contextlib.contextmanager
def open_cluster(place: Workers, home: Home) -> Iterator[Cluster]:
    """The workers of a cluster, as a preparer for runs of a home.

    Raises UsageError if the extra is missing, ClusterError if no scheduler can be reached.
    """
    _import_distributed()
    with contextlib.ExitStack() as held:
        shared = place.shared.rstrip("/") if "://" in place.shared else os.path.abspath(place.shared)
        top = shared if place.shared else str(held.enter_context(files.work_folder(home.scratch, "cluster")))
        client = held.enter_context(_connected(place))
        cluster = Cluster(client, f"{top}/{_name_folder(home)}", place)
        held.callback(cluster.clear)
        yield cluster


def _name_folder(home: Home) -> str:
    """Return the name of a home's own folder in a shared one: there may be others' homes at the same path."""
    name = f"{socket.gethostname()}:{home.path.resolve()}"
    return f"calfwatch-{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"


def _import_distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise UsageError(
            "--cluster needs the extra `dask`: install calfwatch with it (pip install 'calfwatch[dask]')"
        ) from None
    return distributed


@contextlib.contextmanager
def _connected(place: Workers) -> Iterator[Any]:
    distributed = _import_distributed()
    import dask

    local = LOCAL.fullmatch(place.cluster)
    own: dict[str, Any] = {"distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s"}
    own |= {f"distributed.{each}.http.routes": [] for each in ("scheduler", "worker", "nanny")}
    with dask.config.set(own), contextlib.ExitStack() as held:
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # its lines would stand between ours
        try:
            where = held.enter_context(_start_here(distributed, int(local[1]))) if local else place.cluster
            client = distributed.Client(where, security=_security(distributed, where), set_as_default=False)
        except (OSError, TimeoutError, RuntimeError) as error:
            kind = type(error).__name__
            words = f"cannot be reached ({kind}); does its scheduler run, with certificates of the same authority?"
            words = f"cannot be started ({kind})" if local else words
            raise ClusterError(f"--cluster {place.cluster} {words}") from error
        held.callback(_close, client)
        yield client


def _start_here(distributed: Any, workers: int) -> Any:
    """Start workers on this machine, which nobody else reaches: with keys of their own, and without a page to look at.

    Asked for no dashboard, the library serves one to everybody, so it is given a port of this machine and no pages.
    """
    return distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, security=distributed.Security.temporary(), protocol="tls://",
        dashboard_address=NO_PAGES, worker_dashboard_address=NO_PAGES, silence_logs=logging.CRITICAL,
    )  # fmt: skip


def _security(distributed: Any, where: Any) -> Any:
    """Return what a client proves itself with. Raises UsageError if it has no certificates where it needs them."""
    if not isinstance(where, str):
        return where.security
    if not where.startswith("tls://"):
        return None
    security = distributed.Security(require_encryption=True)
    try:
        has_certificates = security.get_connection_args("client").get("ssl_context") is not None
    except OSError as error:  # of the files that are named
        raise UsageError(f"--cluster {where}: {NAME_FILES}; they cannot be read ({type(error).__name__})") from error
    if not has_certificates:
        raise UsageError(f"--cluster {where}: Dask has no certificates for TLS; {NAME_FILES}")
    return security


def _close(client: Any) -> None:
    with contextlib.suppress(Exception):  # of a scheduler that is gone
        client.close(timeout=5)


class Cluster(Preparer):
    """The workers that a client reaches; below `own` lies in the shared folder what is this home's."""

    def __init__(self, client: Any, own: str, place: Workers) -> None:
        self.client, self.own, self.place = client, own, place
        self.parcels = Parcels(f"{own}/{secrets.token_hex(8)}", make_key())

    def prepare(self, units: Iterator[Unit]) -> Iterator[Prepared]:
        """Yield what became of each unit, in order; some are sent ahead. The caller holds the home's lock.

        What killed runs of the home left in the shared folder is removed first.
        """
        try:
            Parcels(self.own, b"").remove()
            self.parcels.make_folder()
            self._check_workers()
            yield from self._prepare(units)
        except ParcelError as error:
            raise _shared_error(self.place, error) from error

    def clear(self) -> None:
        """Remove what the run put into the shared folder; if that is gone, there is nothing to remove."""
        with contextlib.suppress(OSError):
            Parcels(self.own, b"").remove()

    def _prepare(self, units: Iterator[Unit]) -> Iterator[Prepared]:
        waiting: deque[tuple[Unit, Any]] = deque()
        ahead = 1 + 2 * self.count_threads()
        for unit in units:
            future = self.client.submit(prepare, make_stamp(), pickle.dumps(unit), pure=False)
            waiting.append((unit, future))
            if len(waiting) == ahead:
                yield self._take(*waiting.popleft())
        while waiting:
            yield self._take(*waiting.popleft())

    def _check_workers(self) -> None:
        """Raise ClusterError if there is no worker, or one that has another version or does not see the folder."""
        until = time.monotonic() + CONNECT_SECONDS
        while not self.count_threads():
            if time.monotonic() > until:
                raise self._error("has no worker; start `dask worker` there")
            time.sleep(0.2)
        probe = self.parcels.write(pa.table({"seen": [True]}))
        try:
            found = self.client.run(look, self.parcels.address, self.parcels.key, probe, on_error="return")
        except OSError as error:
            raise self._error(f"was lost ({type(error).__name__})") from error
        for worker, answer in found.items():
            self._check_worker(worker, answer)

    def _check_worker(self, worker: str, answer: object) -> None:
        if isinstance(answer, Exception):
            raise self._error(f"worker {worker} cannot load calfwatch ({type(answer).__name__}); install it there")
        stamp, words = cast(tuple[str, str], answer)
        if stamp != make_stamp():
            raise self._other_version(worker, stamp)
        if words:
            raise self._error(f"worker {worker} cannot use the shared folder {self.own}: {words}; see --shared")

    def _take(self, unit: Unit, future: Any) -> Prepared:
        """Wait for a unit; workers that are lost are replaced by others as long as there are some."""
        idle_since: float | None = None
        while True:
            try:
                return self._open(future.result(timeout=LOOK_SECONDS))
            except TimeoutError:
                idle_since = None if self.count_threads() else idle_since or time.monotonic()
                if idle_since and time.monotonic() - idle_since > IDLE_SECONDS:
                    raise self._error(f"has had no worker for {IDLE_SECONDS} s") from None
            except CalfwatchError:
                raise
            except (Exception, asyncio.CancelledError) as error:
                raise self._lost(unit, error) from error

    def _open(self, answer: dict[str, Any]) -> Prepared:
        if "stamp" in answer:
            raise self._other_version("a worker", answer["stamp"])
        if "errno" in answer:
            raise _shared_error(self.place, ParcelError(answer["errno"], answer["error"], answer["where"]))
        return cast(Prepared, pickle.loads(answer["prepared"]))  # noqa: S301 - from a worker of our own version

    def _lost(self, unit: Unit, error: BaseException) -> ClusterError:
        kind = type(error).__name__
        if kind == "KilledWorker":
            name = format_path(unit.deliveries[0].path.name)
            return self._error(
                f"lost one worker after the other over {name} (and {len(unit.deliveries) - 1} more); "
                "give them more memory, or take these files in without --cluster"
            )
        return self._error(f"was lost ({kind})")

    def _other_version(self, worker: str, stamp: str) -> ClusterError:
        return self._error(f"{worker} is another version: {stamp} there, {make_stamp()} here; make them alike")

    def _error(self, words: str) -> ClusterError:
        return ClusterError(f"--cluster {self.place.cluster} {words}", AGAIN)

    def count_threads(self) -> int:
        """Return how many units the workers can prepare at once; 0 if they cannot be asked."""
        with contextlib.suppress(OSError, TimeoutError):
            return sum(self.client.nthreads().values())
        return 0


def _shared_error(place: Workers, error: OSError) -> CalfwatchError:
    """Return what to raise where the shared folder, or a worker's own disk, failed."""
    where = f"{error.filename} (for --cluster {place.cluster})"
    if error.errno in DISK_FAILURES:
        return DiskError(where, str(error.strerror))
    return ClusterError(f"{where} cannot be used: {error.strerror}; see --shared", AGAIN)
