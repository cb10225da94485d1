"""Processes that outlive who started them: recorded in a file, recognised by pid and start time, and ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.errors import UsageError
from pipelines.files import name_temporary, open_private
from schemas.ordinary_file import read_text_file

TERM_SECONDS = 40.0
MOST_JSON = 256 << 20
WRITTEN_KEYS = {
    *("facts", "problem", "runs", "in_work", "told", "failed"),
    *("waiting", "next", "runner", "server", "port", "objects"),
}


def start_time(pid: int) -> str | None:
    """Return when a process was started, in the system's own form, or None if there is no such process."""
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():  # not Linux
        found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return found.stdout.strip() or None
    try:
        fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def describe_process(pid: int) -> dict[str, Any]:
    """Return what a process is recognised by."""
    return {"pid": pid, "started": start_time(pid)}


def is_running(process: Mapping[str, Any]) -> bool:
    """Tell whether a described process still runs; another one with its number does not count."""
    pid, started = process.get("pid"), process.get("started")
    return isinstance(pid, int) and started is not None and start_time(pid) == started


def end_process(process: Mapping[str, Any], seconds: float = TERM_SECONDS) -> bool:
    """Send SIGTERM to a described process, SIGKILL if it stays; return whether there was one."""
    if not is_running(process):
        return False
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 10.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process["pid"], number)
        until = time.monotonic() + patience
        while is_running(process) and time.monotonic() < until:
            time.sleep(0.1)
    return True


def has_socket(pid: int, port: int) -> bool:
    """Tell whether the socket that listens on a loopback port belongs to this process.

    True where the system does not say (no /proc): then only the health of the server speaks for it.
    """
    table = Path("/proc/net/tcp")
    if not table.exists():
        return True
    address = f"0100007F:{port:04X}"
    rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1] == address and row[3] == "0A"}
    return bool(sockets & set(_open_files(pid)))


def _open_files(pid: int) -> list[str]:
    names = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                names.append(os.readlink(entry.path))
    return names


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file, or {} if there is none or it is damaged."""
    try:
        found = json.loads(read_text_file(path, most=MOST_JSON))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a file for its owner alone; a reader meets the old or the new content, never a part.

    Raises UsageError if somebody else's file or a link has the name.
    """
    refuse_foreign_json(path)
    new = name_temporary(path)
    try:
        with open(new, "x", encoding="utf-8", opener=open_private) as handle:
            json.dump(content, handle, indent=1, sort_keys=True)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def refuse_foreign_json(path: Path) -> None:
    """Raise UsageError unless a file is not there, or has a key that calfwatch writes."""
    if not os.path.lexists(path):
        return
    is_plain = path.is_file() and not path.is_symlink()
    if not is_plain or not read_json(path).keys() & WRITTEN_KEYS:
        raise UsageError(f"{path} was not written by calfwatch, and is left as it is; move it away")
