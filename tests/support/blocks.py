"""Run the code blocks of a page of the docs, in order, in one folder, and compare what they print.

A `console` block holds commands behind `$ ` (`> ` continues one) and what each prints; `...` stands for anything, and
so does what VOLATILE names. A `python` block is a doctest, a `toml` block a calfwatch.toml. Blocks of other kinds are
refused: nobody would notice that they say what is not.
"""

from __future__ import annotations

import contextlib
import doctest
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipelines.settings import load_settings

ROOT = Path(__file__).parents[2]
KINDS = ("console", "python", "toml")
VOLATILE = {"a moment": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00"}
BESIDE = ("docs", "tests", "data")  # folders of the repository that a page's commands read


class Block(NamedTuple):
    """A fenced block of a page: its kind, its text, and the line that it begins in."""

    kind: str
    text: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found[1], found[2], text.count("\n", 0, found.start()) + 1)
        for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


def steps_of(block: Block) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block, with the output that stands below it."""
    for step in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        lines = step.splitlines()
        more = next((n for n, line in enumerate(lines[1:], 1) if not line.startswith("> ")), len(lines))
        yield "\n".join([lines[0], *(line[2:] for line in lines[1:more])]), "\n".join(lines[more:])


def pattern_of(output: str) -> re.Pattern[str]:
    """Return what a page prints as a pattern."""
    parts = [re.escape(_without_volatile(part)) for part in output.strip().split("...")]
    return re.compile(".*".join(parts), re.DOTALL)


def _without_volatile(text: str) -> str:
    for name, pattern in VOLATILE.items():
        text = re.sub(pattern, f"<{name}>", text)
    return text


class Reader:
    """Somebody who types what a page says, in a folder beside the repository's own; `moment` is when, if not now."""

    def __init__(self, folder: Path, moment: str = "") -> None:
        self.folder = folder
        stopped = f"clock.now = lambda: datetime.fromisoformat({moment!r})\n" if moment else ""
        for name in BESIDE:
            (folder / name).symlink_to(ROOT / name)
        script = folder / "bin" / "calfwatch"
        script.parent.mkdir()
        script.write_text(
            f"#!{sys.executable} -Werror\nfrom datetime import datetime\nfrom pipelines import clock\n{stopped}"
            "from pipelines.cli.app import cli\nif __name__ == '__main__':\n    cli()\n"
        )
        script.chmod(0o755)
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("CALFWATCH", "PREFECT"))}
        self.environment = clean | {
            "PATH": f"{script.parent}:{clean['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(ROOT), clean.get("PYTHONPATH", "")]),
        }

    def read(self, page: Path) -> int:
        """Run every block of a page; return how many were run. Raises AssertionError for what prints something else."""
        blocks = blocks_of(page)
        for block in blocks:
            where = f"{page.name}, block of line {block.line}"
            if block.kind == "console":
                self._type(block, where)
            elif block.kind == "python":
                self._try(block, where)
            elif block.kind == "toml":
                self._set(block)
            else:
                raise AssertionError(f"{where}: a block of kind {block.kind!r} is not run; kinds are {KINDS}")
        return len(blocks)

    def _type(self, block: Block, where: str) -> None:
        for command, output in steps_of(block):
            done = subprocess.run(
                command, shell=True, cwd=self.folder, env=self.environment, text=True, timeout=900, check=False,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            is_said = pattern_of(output).fullmatch(_without_volatile(done.stdout).strip())
            assert is_said, f"{where}: {command}\n{done.stdout}"

    def _try(self, block: Block, where: str) -> None:
        test = doctest.DocTestParser().get_doctest(block.text, {}, where, None, 0)
        assert test.examples, f"{where}: nothing behind >>>"
        told: list[str] = []
        with contextlib.chdir(self.folder):
            doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=told.append)
        assert not told, "".join(told)

    def _set(self, block: Block) -> None:
        with tempfile.TemporaryDirectory(dir=self.folder) as home:
            (Path(home) / "calfwatch.toml").write_text(block.text)
            load_settings(Path(home))
