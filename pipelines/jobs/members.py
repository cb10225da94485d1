"""The files of a group as its transaction takes them: read and screened, ahead on a thread while another is stored."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Sequence
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
        self.run, self.known = run, known
        self._files = FilesAhead(deliveries, run.settings, run.home.refuse_as_delivery)
        self._pool = ThreadPoolExecutor(1)
        self._members = self._pool.submit(self._screen)

    def take(self) -> list[Member]:
        """Return the members. Raises what went wrong with them."""
        return [_look_again(member, self.run) for member in self._members.result()]

    def close(self) -> None:
        """Stop reading; screening that has begun goes on to its end."""
        self._files.close()
        self._pool.shutdown(cancel_futures=True)

    def _screen(self) -> list[Member]:
        files = [(delivery, self._files.take()) for delivery in self._files.deliveries]
        rules = make_rules(self._files.deliveries[0].source, self.run)
        return screen_members(files, rules, self.run.home.scratch, self.known)


def _look_again(member: Member, run: Run) -> Member:
    if member.small is None or not has_changed(member.delivery.path, member.small.identity):
        return member
    small = read_small_file(member.delivery, run.settings, run.home.refuse_as_delivery)
    return Member(member.delivery, small and small.without_rows(), Alone(needs_earlier=False))


def read_files(
    deliveries: Sequence[Delivery], run: Run, ahead: FilesAhead | None
) -> list[tuple[Delivery, SmallFile | None]]:
    """Read the files of a group; what was read ahead and has changed since is read again."""
    with contextlib.closing(ahead or FilesAhead(deliveries, run.settings, run.home.refuse_as_delivery)) as files:
        return [(delivery, _read_again_if_changed(delivery, files.take(), run)) for delivery in deliveries]


def _read_again_if_changed(delivery: Delivery, small: SmallFile | None, run: Run) -> SmallFile | None:
    """Return a file that was read ahead, or read it again: it may have changed while the run waited for its lock."""
    if small and has_changed(delivery.path, small.identity):
        return read_small_file(delivery, run.settings, run.home.refuse_as_delivery)
    return small


def screen_members(
    files: Sequence[tuple[Delivery, SmallFile | None]], rules: Rules, scratch: Path, known: Container[str]
) -> list[Member]:
    """Screen small files of one source together, those of the same header; what is `known` need not be read again.

    The members have no rows but those that were checked.
    """
    members = [
        Member(delivery, small and small.without_rows(), Alone(needs_earlier=False)) for delivery, small in files
    ]
    alike: dict[tuple[bytes, bool], list[int]] = {}
    for place, (_, small) in enumerate(files):
        if small and small.file_id not in known:
            alike.setdefault((small.header, small.has_quotes), []).append(place)
    for places in alike.values():
        chosen = [small for place in places if (small := files[place][1])]
        for place, verdict in zip(places, screen_batch(chosen, rules, scratch), strict=True):
            members[place] = replace(members[place], verdict=verdict)
    return members
