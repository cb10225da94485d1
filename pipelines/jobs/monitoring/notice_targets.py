"""Whom notices go to: Apprise addresses, which hold passwords and are shown masked, and a command."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipelines.errors import UsageError
from pipelines.settings import Settings
from schemas.ordinary_file import read_text_file

VARIABLE = "CALFWATCH_NOTIFY"
FILE = "notify"
COMMAND_SECONDS = 60
SECRETS = ("PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_KEY", VARIABLE)
MAIL = ("mailto://", "mailtos://")


class Target(Protocol):
    """One target. `shown` holds no secret; `identity` knows it again."""

    @property
    def shown(self) -> str:
        """How the target is named."""

    @property
    def identity(self) -> str:
        """What it is known by."""

    def send(self, title: str, text: str, report: str) -> str:
        """Send one notice; return what went wrong, or nothing."""


@dataclass(frozen=True)
class Command:
    """A command that gets the text on its standard input."""

    line: str
    shown: str = "notify_command"

    @property
    def identity(self) -> str:
        """The command, whatever it is at the time."""
        return "command"

    def send(self, title: str, text: str, report: str) -> str:
        """Run the command, without the secrets of our environment."""
        environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
        environment |= {"CALFWATCH_NOTICE": title} | ({"CALFWATCH_REPORT": report} if report else {})
        try:
            done = subprocess.run(
                shlex.split(self.line),
                input=f"{text}\n",
                env=environment,
                text=True,
                timeout=COMMAND_SECONDS,
                check=False,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            return f"it did not end within {COMMAND_SECONDS} s"
        except (OSError, ValueError) as error:
            return f"it cannot be run: {getattr(error, 'strerror', None) or error}"
        return f"it ended with {done.returncode}" if done.returncode else ""


@dataclass(frozen=True)
class Address:
    """An Apprise address."""

    url: str
    shown: str

    @property
    def identity(self) -> str:
        """A hash that tells addresses apart."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:16]

    def send(self, title: str, text: str, report: str) -> str:
        """Send by Apprise; the report goes to mail alone, as PDF, which lists no record."""
        import apprise

        sender = apprise.Apprise()
        if not sender.add(self.url):
            return "it is no address that Apprise knows"
        pdf = Path(report) / "report.pdf"
        attached = str(pdf) if report and pdf.exists() and self.url.startswith(MAIL) else None
        with _caught_log() as log:
            done = sender.notify(title=title, body=text, attach=attached)
        return "" if done else self._find_reason(log.getvalue())

    def _find_reason(self, log: str) -> str:
        """Return the last words of Apprise's log that hold no part of the address."""
        lines = [line for line in log.splitlines() if line.strip()]
        words = [part for part in self.url.replace(":", "/").replace("@", "/").split("/") if len(part) > 3]
        clean = [line for line in lines if not any(word in line for word in words)]
        return clean[-1] if clean else "it was not accepted"


@contextlib.contextmanager
def _caught_log() -> Iterator[io.StringIO]:
    """Keep what Apprise logs: it may quote the address."""
    stream = io.StringIO()
    handler, logger = logging.StreamHandler(stream), logging.getLogger("apprise")
    before = (logger.propagate, logger.level)
    logger.addHandler(handler)
    logger.propagate, logger.level = False, logging.WARNING
    try:
        yield stream
    finally:
        logger.removeHandler(handler)
        logger.propagate, logger.level = before


def find_targets(home: Path, settings: Settings) -> list[Target]:
    """Return the targets of a home. Raises UsageError if HOME/notify may be read by others."""
    targets: list[Target] = [Command(settings.notify_command)] if settings.notify_command else []
    addresses = os.environ.get(VARIABLE, "").split() + _read_addresses(home / FILE)
    return [*targets, *(Address(url, mask_address(url)) for url in dict.fromkeys(addresses))]


def _read_addresses(path: Path) -> list[str]:
    try:
        mode = path.stat().st_mode
        text = read_text_file(path)
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as UTF-8 text, an address a line: {error}") from error
    if mode & 0o077:
        raise UsageError(f"{path}: others may read it, and it holds passwords; chmod 600 it")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def mask_address(url: str) -> str:
    """Return an address without its secrets, as Apprise masks it."""
    import apprise

    found = apprise.Apprise.instantiate(url)
    return str(found.url(privacy=True)).split("?")[0] if found else f"{url.split(':')[0]}://..."
