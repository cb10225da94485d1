"""Walk the commands in this process, as the command line starts them; write down how each ended.

python -m tests.support.walk COMMANDS RESULTS     both JSON: lists of words; [words, code or what was raised]
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

from pipelines.cli import app


def walk(commands: list[list[str]]) -> list[tuple[list[str], int | str]]:
    """Run each command; an exception that leaves `main` is what a user would see as a traceback."""
    ended: list[tuple[list[str], int | str]] = []
    for words in commands:
        try:
            # as the system hands them over: in the locale of the process
            given = [os.fsdecode(word.encode("utf-8", "surrogateescape")) for word in words]
            ended.append((words, app.main(given)))
        except SystemExit as error:
            ended.append((words, f"exit {error.code}"))
        except Exception as error:
            ended.append((words, f"{type(error).__name__}: {error}"))
        with contextlib.suppress(OSError, ValueError):  # as `cli` does at the end of a process
            sys.stdout.flush()
        sys.stdout = open(1, "w", closefd=False, errors="backslashreplace")  # noqa: SIM115 - each has a fresh one
    return ended


if __name__ == "__main__":
    app.open_standard_streams()
    commands = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8", errors="surrogateescape"))
    Path(sys.argv[2]).write_text(json.dumps(walk(commands)), encoding="utf-8")
