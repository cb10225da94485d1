"""Objects of a bucket as deliveries: fetched to a temporary place of the home, unless their version was read before.

A file is known by the sha256 of its content, wherever it lies. HOME/objects.json keeps which content each version of
an object had: it spares reading, and decides nothing; without it everything is read again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from pipelines import files
from pipelines.errors import FileRejected
from pipelines.intake.deliveries import Delivery
from pipelines.intake.objects.bucket import StoredObject, fetch_objects
from pipelines.jobs.candidates import Judge, Run, make_rules
from pipelines.processes import read_json, write_json
from pipelines.store import ledger
from pipelines.store.database import Home
from pipelines.store.ledger import UNREAD, Outcome


class Objects:
    """The objects that a home has read: by address, the version and the id of the content that it had."""

    def __init__(self, home: Home) -> None:
        self.home, self.path = home, home.path / "objects.json"

    def find_known(
        self, connection: duckdb.DuckDBPyConnection, deliveries: Sequence[Delivery], run: Run
    ) -> dict[int, Outcome]:
        """Return what the ledger says of objects, by their places, that need not be read: their version was."""
        if not any(each.stored for each in deliveries):
            return {}
        read = self._read()
        by_source: dict[str, dict[int, str]] = {}
        for place, each in enumerate(deliveries):
            if each.stored and (file_id := _find_content_id(read, each.stored)):
                by_source.setdefault(each.source.name, {})[place] = file_id
        known: dict[int, Outcome] = {}
        for ids in by_source.values():
            judge = Judge(make_rules(deliveries[min(ids)].source, run), run, contextlib.ExitStack())
            attempts = [judge.attempt(deliveries[place], file_id) for place, file_id in ids.items()]
            found = zip(ids, ledger.find(connection, attempts), strict=True)
            known |= {place: outcome for place, outcome in found if outcome}
        return known

    @contextlib.contextmanager
    def fetched(self, deliveries: Sequence[Delivery]) -> Iterator[list[Delivery]]:
        """Deliveries with copies of those that lie in a bucket; the copies are gone afterwards."""
        with contextlib.ExitStack() as held:
            copies: Iterator[tuple[Path, StoredObject | FileRejected]] = iter(())
            if stored := [each.stored for each in deliveries if each.stored]:
                folder = held.enter_context(files.work_folder(self.home.scratch, "objects"))
                copies = fetch_objects(stored, folder)
            yield [_point_to_copy(each, *next(copies)) if each.stored else each for each in deliveries]

    def note(self, deliveries: Sequence[Delivery], outcomes: Sequence[Outcome]) -> None:
        """Keep which content the fetched objects had."""
        read = {
            each.address: [each.stored.version, outcome.file_id]
            for each, outcome in zip(deliveries, outcomes, strict=True)
            if each.stored and not each.unread and not outcome.file_id.startswith(UNREAD)
        }
        if read:
            write_json(self.path, {"objects": self._read() | read})

    def _read(self) -> dict[str, list[str]]:
        found = read_json(self.path).get("objects", {})
        return found if isinstance(found, dict) else {}


def _find_content_id(read: dict[str, list[str]], stored: StoredObject) -> str:
    """Return the id of the content that this version of an object had, or nothing."""
    version, file_id = read.get(stored.address, ["", ""])
    return file_id if version and version == stored.version else ""


def _point_to_copy(delivery: Delivery, path: Path, found: StoredObject | FileRejected) -> Delivery:
    """Return a delivery that is read from a copy, under the name that it has in its bucket."""
    name = delivery.path.name
    if isinstance(found, FileRejected):
        return replace(delivery, path=path, name=name, unread=found.reason)
    return replace(delivery, path=path, name=name, stored=found)
