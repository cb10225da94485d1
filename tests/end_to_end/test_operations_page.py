"""docs/operations.md: every block of it is run, or checked by the tool that would run it, in the order of the page."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
FOR_ROOT = {"useradd", "groupadd", "usermod", "chown", "install"}  # run where the test may have a root of its own
NOT_RUN = {"systemctl", "python3", "/opt/calfwatch/bin/pip"}  # the wheel is installed by test_packaging.py
FOR_ANYBODY = {"echo", "rm", "tar"}


def blocks(kind: str) -> list[str]:
    return [text for found, text in BLOCKS if found == kind]


def root_lines() -> list[str]:
    return [line[2:] for text in blocks("console") for line in text.splitlines() if line.startswith("# ")]


def cron_lines(text: str) -> list[str]:
    """The commands of a crontab, as cron gives them to the shell."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [line.split(maxsplit=5)[5].replace("\\%", "%") for line in lines]


class Machine:
    """Folders in the place of those of the page, a `calfwatch` that runs this code, and commands that are run there."""

    def __init__(self, folder: Path, hook: int) -> None:
        self.folder, self.hook = folder, hook
        self.places = {
            "/var/lib/calfwatch": folder / "lib",
            "/srv/calfwatch": folder / "srv",
            "/var/backups/calfwatch": folder / "backups",
            "/opt/calfwatch/bin": folder / "opt",
        }
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("CALFWATCH", "PREFECT"))}
        self.environment = clean | {"PATH": f"{folder / 'bin'}:{clean['PATH']}", "PYTHONPATH": str(ROOT)}
        for place in ("bin", "opt"):
            (folder / place).mkdir()
        self.write(folder / "opt" / "calfwatch", f'#!/bin/sh\nexec {sys.executable} -m pipelines "$@"\n')

    def write(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def here(self, text: str) -> str:
        """The text with our folders, an address that answers, and no other user."""
        for name, path in self.places.items():
            text = text.replace(name, str(path))
        text = text.replace(
            "mailtos://robot:password@mail.example.org?to=lead@example.org", f"json://127.0.0.1:{self.hook}"
        )
        return re.sub(r" -o calfwatch -g \w+|runuser -u calfwatch -- ", " ", text)

    def run(self, command: str, allowed: tuple[int, ...] = (0,)) -> str:
        """Runs a command of the page; returns what it printed, in the names of the page."""
        done = subprocess.run(
            self.here(command), shell=True, cwd=self.folder, env=self.environment, text=True, timeout=300, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode in allowed, f"{command}\n{done.stdout}"
        for name, path in self.places.items():
            done.stdout = done.stdout.replace(str(path), name)
        return done.stdout.strip()

    def walk(self, text: str) -> None:
        """Runs a block of commands: root's lines that anybody can run here, and those whose output the page shows."""
        for step in re.split(r"^(?=[#$] )", text, flags=re.MULTILINE)[1:]:
            command, _, output = step[2:].partition("\n")
            if step.startswith("$ "):
                said = self.run(command, (0, 7) if "status" in command else (0,))
                pattern = ".*".join(map(re.escape, output.strip().split("...")))
                assert re.fullmatch(pattern, said, re.DOTALL), f"{command}\n{said}"
            elif command.split()[0] in FOR_ANYBODY | {"install"}:
                self.run(command)


class Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Machine(tmp_path, server.server_port)
    server.shutdown()
    server.server_close()


def deliver(machine: Machine) -> None:
    days = [datetime.now(UTC).date() - timedelta(days=11 + number) for number in range(10)]
    rows = "".join(f"r{place},{day},{place},no\n" for place, day in enumerate(days))
    path = machine.folder / "srv" / "incoming" / "ward7_2026-W46.csv"
    path.write_text(f"report_id,reported_at,pain_score,fever\n{rows}")


@pytest.mark.slow
def test_an_operator_gets_along_with_the_page_from_a_bare_machine_to_the_next_one(machine: Machine) -> None:
    for kind, text in BLOCKS:
        if kind == "sh":
            machine.write(machine.folder / "bin" / "calfwatch", machine.here(text))
        elif kind == "toml":
            (machine.folder / "lib" / "calfwatch.toml").write_text(machine.here(text))
            deliver(machine)
        elif kind == "cron":
            for command in cron_lines(text):
                machine.run(command)
        elif kind == "console":
            if " -xzpf " in text:  # from here on it is the new machine
                machine.places["/var/lib/calfwatch"] = machine.folder / "moved"
                (machine.folder / "moved").mkdir(mode=0o700)
                machine.write(machine.folder / "bin" / "calfwatch", machine.here(blocks("sh")[0]))
            machine.walk(text)
    assert list((machine.folder / "moved" / "reports").glob("*-W*/internal.html"))
    assert list((machine.folder / "srv" / "archive").glob("*/ward7_2026-W46.csv"))


def test_every_block_is_of_a_kind_that_is_run_and_every_line_of_root_s_is_known() -> None:
    assert {kind for kind, _ in BLOCKS} == {"console", "ini", "toml", "sh", "cron"}
    for line in root_lines():
        assert subprocess.run(["sh", "-n", "-c", line], check=False, capture_output=True).returncode == 0, line
        assert line.split()[0] in FOR_ROOT | NOT_RUN | FOR_ANYBODY, line


def test_the_systemd_units_are_sound_and_those_that_are_started_are_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "calfwatch").write_text("#!/bin/sh\n")
    (tmp_path / "calfwatch").chmod(0o755)
    units = {re.search(r"# /etc/systemd/system/(\S+)", text)[1]: text for text in blocks("ini")}
    started = {line.split()[-1] for line in root_lines() if re.match(r"systemctl \w+ .*calfwatch", line)}
    assert started <= set(units) == {"calfwatch.service", "calfwatch-run.service", "calfwatch-run.timer"}
    for name, text in units.items():
        (tmp_path / name).write_text(text.replace("/opt/calfwatch/bin", str(tmp_path)))
    if shutil.which("systemd-analyze"):
        paths = [str(tmp_path / name) for name in units]
        verified = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)
        complaints = [line for line in verified.stderr.splitlines() if "calfwatch" in line]
        assert (verified.returncode, complaints) == (0, []), verified.stderr


@pytest.mark.slow
def test_the_command_of_the_timer_is_run_as_it_stands(machine: Machine) -> None:
    (machine.folder / "srv" / "incoming").mkdir(parents=True)
    (machine.folder / "lib").mkdir()
    (machine.folder / "lib" / "calfwatch.toml").write_text(
        f'settle_seconds = 0\nincoming = ["{machine.folder}/srv/incoming"]\n'
    )
    deliver(machine)
    (text,) = [text for text in blocks("ini") if "calfwatch-run.service" in text]
    machine.run(re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)[1])
    assert list((machine.folder / "lib" / "reports").glob("*-W*/internal.html"))


OWN_ROOT = """
mount -t tmpfs tmpfs /mnt && mkdir /mnt/changes /mnt/scratch /mnt/machine
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/changes,workdir=/mnt/scratch /mnt/machine
mount --rbind /dev /mnt/machine/dev
exec chroot /mnt/machine sh -ec "$1"
"""


def test_root_s_lines_make_users_and_folders_that_are_private_where_they_should_be() -> None:
    """In a root of its own, of which nothing stays."""
    own = ["unshare", "--mount", "sh", "-ec", OWN_ROOT, "sh"]
    if not shutil.which("unshare") or subprocess.run([*own, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this user may have no root of its own")
    lines = [line for line in root_lines() if shlex.split(line)[0] in FOR_ROOT]
    folders = "/var/lib/calfwatch /srv/calfwatch/incoming /srv/calfwatch/archive /srv/calfwatch/metrics"
    look = f"stat -c '%a %U %G' {folders} /var/lib/calfwatch/notify; id -nG calfwatch"
    done = subprocess.run([*own, "\n".join([*lines, look])], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "700 calfwatch calfwatch", "2770 calfwatch clinics", "700 calfwatch calfwatch", "755 calfwatch calfwatch",
        "600 calfwatch calfwatch", "calfwatch clinics analysts",
    ]  # fmt: skip
