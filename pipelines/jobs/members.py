"""The files of a group as its transaction takes them: read and screened, ahead on a thread while another is stored."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from pipelines.intake.block_checker import Rules
from pipelines.intake.deliveries import Delivery, has_changed
from pipelines.intake.together.screening import Alone, screen_batch
from pipelines.intake.together.small_files import FilesAhead, SmallFile, read_small_file
from pipelines.jobs.candidates import Member, Run, make_rules


class MembersAhead:
    """Files of one source, read and screened on a thread. Close it after use.

    What is `known` need not be screened. A file that changes until it is taken is to be judged alone.
    """

    def __init__(self, deliveries: Sequence[Delivery], run: Run, known: Container[str]) -> None:
        self.run = run
        self._files = FilesAhead(deliveries, run.settings, run.home.refuse_as_delivery)
        self._pool = ThreadPoolExecutor(1)
        self._members = self._pool.submit(_take_and_screen, self._files, run, known)

    def take(self) -> list[Member]:
        """Return the members. Raises what went wrong with them."""
        return [self._look_again(member) for member in self._members.result()]

    def close(self) -> None:
        """Stop reading; screening that has begun goes on to its end."""
        self._files.close()
        self._pool.shutdown(cancel_futures=True)

    def _look_again(self, member: Member) -> Member:
        small = member.small and _read_again_if_changed(member.delivery, member.small, self.run)
        if small is member.small:
            return member
        return Member(member.delivery, small and small.without_rows(), Alone(needs_earlier=False))


def read_members(
    deliveries: Sequence[Delivery], run: Run, known: Container[str], ahead: FilesAhead | None
) -> list[Member]:
    """Read and screen the files of a group, those that were read ahead again if they have changed."""
    with contextlib.closing(ahead or FilesAhead(deliveries, run.settings, run.home.refuse_as_delivery)) as files:
        return _take_and_screen(files, run, known)


def _take_and_screen(files: FilesAhead, run: Run, known: Container[str]) -> list[Member]:
    read = ((each, _read_again_if_changed(each, files.take(), run)) for each in files.deliveries)
    return screen_members(read, make_rules(files.deliveries[0].source, run), run.home.scratch, known)


def _read_again_if_changed(delivery: Delivery, small: SmallFile | None, run: Run) -> SmallFile | None:
    """Return a file that was read ahead, or read it again: it may have changed while the run waited for its lock."""
    if small and has_changed(delivery.path, small.identity):
        return read_small_file(delivery, run.settings, run.home.refuse_as_delivery)
    return small


def screen_members(
    files: Iterable[tuple[Delivery, SmallFile | None]], rules: Rules, scratch: Path, known: Container[str]
) -> list[Member]:
    """Screen small files of one source together, those of the same header; what is `known` need not be read again.

    The members have no rows but those that were checked.
    """
    members: list[Member] = []
    alike: dict[tuple[bytes, bool], dict[int, SmallFile]] = {}
    for place, (delivery, small) in enumerate(files):
        members.append(Member(delivery, small and small.without_rows(), Alone(needs_earlier=False)))
        if small and small.file_id not in known:
            alike.setdefault((small.header, small.has_quotes), {})[place] = small
    while alike:
        places, chosen = map(list, zip(*alike.popitem()[1].items(), strict=True))
        for place, verdict in zip(places, screen_batch(chosen, rules, scratch), strict=True):
            members[place] = replace(members[place], verdict=verdict)
    return members
