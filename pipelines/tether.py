"""A child process that ends when its parent does, however the parent ended: `python -m pipelines.tether MODULE ...`.

The parent keeps the other end of the child's standard input open; when it is closed, the child's whole process group,
which is its own, gets SIGTERM, and soon SIGKILL.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

GRACE_SECONDS = 10.0


def end_with_parent() -> None:
    """Watch standard input in a thread, and end this process when the parent closes it."""
    threading.Thread(target=_watch, daemon=True, name="tether").start()


def _watch() -> None:
    while os.read(0, 512):
        pass
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Run a module as `python -m` does, tethered."""
    end_with_parent()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
