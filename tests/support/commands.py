"""The command in a process of its own that is forked, not started.

To start Python and import every library takes longer than most commands, and shows nothing that one start does not
show: what is started for real (`sys.executable`) is so for that. A server that has imported everything, and done
nothing, forks a process for each command; that process sees its own folder, environment, streams and exit code.
"""

from __future__ import annotations

import multiprocessing
import os
import pkgutil
import resource
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pipelines
from tests.support import one_thread

# Prefect reads its environment when it is imported, and starts threads
NOT_IMPORTED = ("__main__", "flows", "prefect_runner", "prefect_server", "supervisor", "tether", "deployment_file")
OURS = [found.name for found in pkgutil.walk_packages(pipelines.__path__, "pipelines.")]
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        *("tests.support.commands", "scipy.stats", "statsmodels.genmod.generalized_linear_model"),
        *(name for name in OURS if not name.endswith(NOT_IMPORTED)),
    ]
)


@dataclass(frozen=True)
class Place:
    """Where a command runs. `largest_file`: no file may grow beyond so many bytes."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    largest_file: int | None = None
    seconds: float = 300


def run_command(words: Sequence[str], place: Place) -> subprocess.CompletedProcess[str]:
    """Run `calfwatch WORDS`, of which every warning is an error, to its end."""
    with tempfile.TemporaryDirectory() as streams:
        out, err = (Path(streams) / name for name in ("out", "err"))
        task = (tuple(words), place, one_thread.is_taken(), out, err)
        process = PROCESSES.Process(target=_be_the_command, args=task)
        process.start()
        process.join(place.seconds)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(list(words), place.seconds)
        told = [_read(path) for path in (out, err)]
    return subprocess.CompletedProcess(list(words), process.exitcode, *told)


def _read(stream: Path) -> str:
    with stream.open(encoding="utf-8", newline=None) as handle:
        return handle.read()


def _be_the_command(words: tuple[str, ...], place: Place, on_one_thread: bool, *streams: Path) -> Any:
    from pipelines.cli.app import cli

    if on_one_thread:
        one_thread.take()
    os.chdir(place.folder)
    os.environ.clear()
    os.environ.update(place.environment)
    for number, path in enumerate(streams, 1):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(handle, number)
        os.close(handle)
    if place.largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (place.largest_file, place.largest_file))
    warnings.simplefilter("error")
    sys.argv = ["calfwatch", *words]
    cli()
