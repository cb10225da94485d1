"""The everyday suite at four moments: `python -m tests.moments [PYTEST ARGUMENTS]`, or `make test-moments`.

Needs libfaketime (the system package `faketime`): every process of the suite, DuckDB within it and what it starts then
see a clock that stands at the moment when the suite begins and runs on from there. Times of files are shifted alike.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

MOMENTS = {
    "a Sunday, 23:59": datetime(2027, 3, 14, 23, 59, tzinfo=UTC),
    "a Monday, 00:01": datetime(2027, 3, 15, 0, 1, tzinfo=UTC),
    "29 February": datetime(2028, 2, 29, 12, tzinfo=UTC),
    "31 December of a year of 53 weeks": datetime(2032, 12, 31, 12, tzinfo=UTC),
}
SLEEP = Path(__file__).parent / "support" / "faked_clock"
EVERYDAY = ["--numprocesses", "auto", "--dist", "loadfile", "-m", "not slow"]


def find_library() -> Path | None:
    """Return libfaketime for threads, where system packages put it."""
    return next(iter(sorted(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"))), None)


def faked(library: Path, moment: datetime) -> Mapping[str, str]:
    """Return the environment in which it is that moment now: a shift, or each process would begin there anew."""
    shift = round((moment - datetime.now(UTC)).total_seconds())
    return {
        **os.environ,
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{shift:+d}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # waiting and timeouts stay real
        "PYTHONPATH": os.pathsep.join([str(SLEEP), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "FAKETIME_DONT_RESET": "1",
        "FAKE_UTIME": "1",
    }


def main(arguments: Sequence[str]) -> int:
    """Run the suite at each moment; return 1 if it failed at any."""
    library = find_library()
    if library is None:
        print("libfaketime is not installed: `apt-get install faketime`, or the like", file=sys.stderr)
        return 2
    failed = []
    for name, moment in MOMENTS.items():
        print(f"--- {name}: {moment:%Y-%m-%d %H:%M} UTC", flush=True)
        command = [sys.executable, "-m", "pytest", "-q", *(arguments or EVERYDAY)]
        if subprocess.run(command, env=faked(library, moment), check=False).returncode:
            failed.append(name)
    print("passed at every moment" if not failed else f"FAILED at: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
