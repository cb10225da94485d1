"""A real scheduler of Dask with TLS and real worker processes on loopback, for tests."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
from distributed import Security

from tests.support.serving import clean_environment, wait_until

ROOT = Path(__file__).parents[2]
START_SECONDS = 120  # on a machine that is busy


class DaskHere:
    """One scheduler and its workers. `environment` is what a client of it needs."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.workers = folder, list[subprocess.Popen[bytes]]()
        security = Security.temporary()
        self.tls = []
        for option, text in {
            "tls-ca-file": security.tls_ca_file,
            "tls-cert": security.tls_client_cert,
            "tls-key": security.tls_client_key,
        }.items():
            (folder / option).write_text(str(text))
            self.tls += [f"--{option}", str(folder / option)]
        place = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--scheduler-file", str(place), "--host", "tls://127.0.0.1:0")
        wait_until(place.exists, START_SECONDS, self.said("scheduler"))
        self.address = str(json.loads(place.read_text())["address"])

    @property
    def environment(self) -> dict[str, str]:
        """What a client in another process needs."""
        begin = "DASK_DISTRIBUTED__COMM__TLS__"
        return {
            f"{begin}CA_FILE": str(self.folder / "tls-ca-file"),
            f"{begin}CLIENT__CERT": str(self.folder / "tls-cert"),
            f"{begin}CLIENT__KEY": str(self.folder / "tls-key"),
        }

    def certificates(self) -> Any:
        """What a client in this process needs, where Dask has read the environment already."""
        begin = "distributed.comm.tls"
        own = {"ca-file": "tls-ca-file", "client.cert": "tls-cert", "client.key": "tls-key"}
        return dask.config.set({f"{begin}.{name}": str(self.folder / file) for name, file in own.items()})

    def _start(
        self,
        kind: str,
        *options: str,
        environment: dict[str, str] | None = None,
        before: Callable[[], object] | None = None,
    ) -> subprocess.Popen[bytes]:
        with open(self.folder / f"{kind}.log", "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_" + kind, "--no-dashboard", *self.tls, *options],
                cwd=self.folder, stdout=log, stderr=log, preexec_fn=before,
                env=clean_environment() | {"PYTHONPATH": str(ROOT)} | (environment or {}),
            )  # fmt: skip

    def start_worker(
        self, environment: dict[str, str] | None = None, before: Callable[[], object] | None = None
    ) -> subprocess.Popen[bytes]:
        """Starts a worker of one thread; `before` runs in its process first."""
        options = (self.address, "--nthreads", "1", "--no-nanny", "--death-timeout", "60", "--host", "127.0.0.1")
        place = self.folder / f"worker-{len(self.workers)}"
        place.mkdir()
        own = {"TMPDIR": str(place)} | (environment or {})
        worker = self._start("worker", *options, "--local-directory", str(place), environment=own, before=before)
        self.workers.append(worker)
        return worker

    def said(self, kind: str) -> str:
        path = self.folder / f"{kind}.log"
        return path.read_text(errors="replace")[-2000:] if path.exists() else ""

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            if process.poll() is None:
                self.kill(process)
