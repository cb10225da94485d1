"""Bounds of time and memory for SQL that others wrote: an interrupt, the end of the process, the system's own limit."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from pipelines.text import say

GRACE_SECONDS = 5  # for a statement that is over time to stop by itself
_held: list[tuple[int, int]] = []  # the process's own limits, once for each bound that holds
_lock = threading.Lock()


@contextlib.contextmanager
def bounded_time(
    connection: duckdb.DuckDBPyConnection, seconds: float, end_with: str | None = None
) -> Iterator[threading.Event]:
    """Interrupt a statement after some seconds; the event that is given is set by then.

    With `end_with`, a message, the process ends with it and code 2 if the statement goes on GRACE_SECONDS later: a
    function that works on one very long text does not notice an interrupt.
    """
    over = threading.Event()
    timers = [_make_timer(seconds, _interrupt, connection, over)]
    if end_with is not None:
        timers.append(_make_timer(seconds + GRACE_SECONDS, _end_process, end_with))
    try:
        for timer in timers:
            timer.start()
        yield over
    finally:
        for timer in timers:
            timer.cancel()


def _make_timer(seconds: float, function: Callable[..., None], *values: object) -> threading.Timer:
    return threading.Timer(min(seconds, threading.TIMEOUT_MAX), function, values)


def _interrupt(connection: duckdb.DuckDBPyConnection, over: threading.Event) -> None:
    over.set()
    connection.interrupt()


def _end_process(message: str) -> None:
    say(f"calfwatch: {message}", stream=sys.stderr)
    os._exit(2)


@contextlib.contextmanager
def bounded_memory(most: Callable[[], int]) -> Iterator[None]:
    """Let the system refuse the process more data than so many bytes, which DuckDB does not count all; only Linux does.

    The limit is the process's: of bounds that hold at one time, on several threads, the first one's counts.
    """
    with _lock:
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if not _held:
            known = [limit for limit in (soft, hard, most()) if limit != resource.RLIM_INFINITY]
            resource.setrlimit(resource.RLIMIT_DATA, (min(known), hard))
        _held.append(_held[0] if _held else (soft, hard))
    try:
        yield
    finally:
        with _lock:
            before = _held.pop()
            if not _held:
                resource.setrlimit(resource.RLIMIT_DATA, before)


def measure_data_bytes() -> int:
    """Return how much data this process holds, as the system counts it for that limit; 0 where it does not say."""
    with contextlib.suppress(OSError):
        if found := re.search(r"^VmData:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.M):
            return int(found[1]) << 10
    return 0
