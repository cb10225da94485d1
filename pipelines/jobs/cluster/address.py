"""Where a cluster is: an address that is checked before anything is sent there. This module loads nothing of Dask."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.errors import UsageError
from pipelines.settings import check_address, is_address

if TYPE_CHECKING:
    from pipelines.jobs.cluster.client import Cluster
    from pipelines.store.database import Home

LOCAL = re.compile(r"local:([1-9][0-9]{0,2})")
ADDRESS = re.compile(r"(tls|tcp)://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
ALLOWED = "allowed: tls://HOST:PORT, tcp:// of this machine alone, or local:N for N processes here"


@dataclass(frozen=True)
class Workers:
    """Where a cluster is, and the folder that it shares with this process: a path or an s3:// address."""

    cluster: str
    shared: str = ""

    def __post_init__(self) -> None:
        """Raise UsageError for an address that is none, that others could listen to, or that holds a password."""
        _check_shared(self.shared)
        if LOCAL.fullmatch(self.cluster):
            return
        found = ADDRESS.fullmatch(self.cluster)
        if not found:
            raise UsageError(f"--cluster {ascii(self.cluster)[1:-1]} is no address of a cluster; {ALLOWED}")
        if found[1] != "tls" and not _is_loopback(found[2].strip("[]")):
            raise UsageError(
                f"--cluster {self.cluster}: without TLS whoever reaches it runs code there and sees records; {ALLOWED}"
            )


def _check_shared(shared: str) -> None:
    """Raise UsageError for an address with credentials in it, which Prefect would keep, or of no bucket."""
    if is_address(shared):
        check_address(shared)
    elif "://" in shared and "@" in shared:
        raise UsageError("--shared: credentials stand in the environment, never in an address")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


@contextlib.contextmanager
def prepared_by(workers: Workers | None, home: Home) -> Iterator[Cluster | None]:
    """The cluster's workers as a preparer; None without a cluster, and then nothing of it is imported."""
    if workers is None:
        yield None
        return
    from pipelines.jobs.cluster.client import open_cluster

    with open_cluster(workers, home) as cluster:
        yield cluster
