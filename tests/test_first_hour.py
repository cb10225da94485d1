"""docs/first-hour.md: every block runs as it stands, and prints what the page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "first-hour.md"


def steps() -> Iterator[tuple[str, str]]:
    """Each command of the page, with the output that stands below it."""
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for step in re.split(r"(?m)^\$ ", block)[1:]:
            command, _, output = step.partition("\n")
            yield command, output


def pattern_of(output: str) -> str:
    """The output as a pattern, in which ... stands for anything."""
    return ".*".join(re.escape(part) for part in output.strip().split("..."))


def test_every_block_prints_what_the_page_says(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs" / "sample", tmp_path / "docs" / "sample")
    script = tmp_path / "bin" / "calfwatch"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -W error -m pipelines "$@"\n')
    script.chmod(0o755)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("CALFWATCH", "PREFECT"))}
    clean |= {"PATH": f"{script.parent}:{clean['PATH']}", "PYTHONPATH": str(ROOT)}
    commands = list(steps())
    assert len(commands) > 7
    for command, output in commands:
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=clean, text=True, timeout=300, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert re.fullmatch(pattern_of(output), done.stdout.strip(), re.DOTALL), f"{command}\n{done.stdout}"
