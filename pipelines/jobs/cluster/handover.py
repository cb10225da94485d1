"""Take over what workers prepared: members of a group, whose rows are read from parcels when they are stored."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import duckdb
import pyarrow as pa
import pyarrow.compute

from pipelines.errors import FileRejected
from pipelines.intake.deliveries import Delivery, FileIdentity, read_file_identity
from pipelines.intake.together.screening import Alone
from pipelines.intake.together.small_files import SmallFile
from pipelines.jobs.candidates import Member, Run, make_rules
from pipelines.jobs.cluster.packing import TABLES
from pipelines.jobs.cluster.parcels import Parcels
from pipelines.jobs.cluster.unit import Prepared, ReadFile, Slice, Unit
from pipelines.jobs.fetching.objects import Objects
from pipelines.jobs.group import ingest_members
from pipelines.store import ledger
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from schemas.checked_file import CELLS, ROWS_LEFT_OUT, CheckedBlock, CheckedFile, DayCounts, make_accepted_schema
from schemas.pack import Pack

KEPT_BYTES = 256 << 20  # of the tables of a unit; what is more is read again whenever it is needed


@dataclass(frozen=True)
class Sent:
    """A group as it was sent: what each file was then; None for one that workers must not read."""

    deliveries: Sequence[Delivery]
    identities: Sequence[FileIdentity | None]
    unit: Unit

    @property
    def places(self) -> list[int]:
        """The places in the group of the deliveries of the unit."""
        return [place for place, each in enumerate(self.deliveries) if each.stored or self.identities[place]]


class Preparer(ABC):
    """Whoever prepares units, in order, some at a time; what they leave lies in `parcels`."""

    parcels: Parcels

    @abstractmethod
    def prepare(self, units: Iterator[Unit]) -> Iterator[Prepared]:
        """Yield what became of each unit. Raises ClusterError, or DiskError if the shared folder is full."""

    def ingest(
        self, connection: duckdb.DuckDBPyConnection, groups: Sequence[Sequence[Delivery]], run: Run, objects: Objects
    ) -> Iterator[tuple[list[Delivery], Iterator[list[Outcome]]]]:
        """Yield each group and what becomes of it; the next ones are prepared meanwhile."""
        sent: list[Sent] = []

        def units() -> Iterator[Unit]:
            for group in groups:
                sent.append(send(connection, group, run, self.parcels))
                yield sent[-1].unit

        for prepared in self.prepare(units()):
            group = sent.pop(0)
            members = take_over(group, prepared, run.pack)
            with _fetched(members, group.unit, objects) as ready:
                yield [each.delivery for each in ready], ingest_members(connection, ready, run)


@contextlib.contextmanager
def _fetched(members: Sequence[Member], unit: Unit, objects: Objects) -> Iterator[list[Member]]:
    """Members with copies of the objects that have to be judged here."""
    wanted = [member.delivery for member in members if _must_fetch(member, unit)]
    with objects.fetched(wanted) as copies:
        left = iter(copies)
        yield [replace(each, delivery=next(left)) if _must_fetch(each, unit) else each for each in members]


def _must_fetch(member: Member, unit: Unit) -> bool:
    """Return whether an object has to be judged here: its content is not known, and no worker was sure of it."""
    is_known = member.small is not None and member.small.file_id in unit.known
    return member.delivery.stored is not None and isinstance(member.verdict, Alone) and not is_known


def send(connection: duckdb.DuckDBPyConnection, group: Sequence[Delivery], run: Run, parcels: Parcels) -> Sent:
    """Return a group as it goes to the workers, each of which has one thread a unit."""
    source = group[0].source
    identities = [_look_at(each, run.home) for each in group]
    rules = make_rules(source, replace(run, settings=replace(run.settings, threads=1)))
    known = ledger.find_known_ids(connection, source.name)
    chosen = tuple(each for each, seen in zip(group, identities, strict=True) if each.stored or seen)
    return Sent(group, identities, Unit(chosen, rules, known, parcels))


def _look_at(delivery: Delivery, home: Home) -> FileIdentity | None:
    """Return what a file is now; nothing of one in a bucket, or that is not there or the home's own."""
    if delivery.stored or delivery.fault:
        return None
    try:
        home.refuse_as_delivery(delivery.path)
        return read_file_identity(delivery.path)
    except FileRejected:
        return None


def take_over(sent: Sent, prepared: Prepared, pack: Pack) -> list[Member]:
    """Return the files of a group as they are to be stored; what no worker could be sure of is to be judged alone."""
    members = [Member(each, None, Alone(needs_earlier=False)) for each in sent.deliveries]
    parts = Parts(sent.unit.parcels, prepared, pack)
    for number, place in enumerate(sent.places):
        read, seen = prepared.files.get(number), sent.identities[place]
        if read and (seen is None or _is_same_file(read, seen)):
            delivery = replace(sent.deliveries[place], stored=read.stored)
            small = SmallFile(delivery, seen, read.file_id, read.is_whole)
            verdict = parts.give_rows(read.checked, number) if read.checked else Alone(read.needs_earlier)
            members[place] = Member(delivery, small, verdict)
    return members


def _is_same_file(read: ReadFile, seen: FileIdentity) -> bool:
    """Return whether a worker read the file that lies here, by its size and time; another machine has other inodes."""
    return read.identity is not None and read.identity[1:3] == seen[1:3]


@dataclass(frozen=True)
class Parts:
    """The parcels of a unit, read when their rows are asked for."""

    parcels: Parcels
    prepared: Prepared
    pack: Pack
    kept: dict[tuple[int, str], pa.Table] = field(default_factory=dict)

    def table(self, part: int, name: str) -> pa.Table:
        """Return a table of a part."""
        if (part, name) in self.kept:
            return self.kept[part, name]
        schema = make_accepted_schema(self.pack, is_tagged=True) if name == "accepted" else CELLS[name]
        parcel = self.prepared.parts[part].get(name)
        table = self.parcels.read(parcel).cast(schema) if parcel else schema.empty_table()
        if table.nbytes + sum(each.nbytes for each in self.kept.values()) <= KEPT_BYTES:
            self.kept[part, name] = table
        return table

    @cached_property
    def left_out(self) -> pa.Table | None:
        """The rows that are left out of all files, each with the place of its file."""
        return self.parcels.read(self.prepared.left_out) if self.prepared.left_out else None

    @cached_property
    def counted(self) -> DayCounts:
        """The daily counts of all files of the unit that are checked."""
        files = {place: each.file_id for place, each in self.prepared.files.items() if each.checked}
        tables = {name: self.parcels.read(parcel) for name, parcel in self.prepared.counts.items()}
        return DayCounts(files, tables)

    @cached_property
    def distinct(self) -> frozenset[str]:
        """The contents of all checked files, if no report stands in two of them."""
        contents = (each.file_id for each in self.prepared.files.values() if each.checked)
        return frozenset(contents if self.prepared.is_distinct else ())

    def give_rows(self, checked: CheckedFile, place: int) -> CheckedFile:
        """Return a checked file with its rows, and the counts of its unit."""
        left_out = ROWS_LEFT_OUT.empty_table()
        if self.left_out is not None:
            own = pyarrow.compute.equal(self.left_out["delivery_no"], place)
            left_out = self.left_out.filter(own).select(ROWS_LEFT_OUT.names).cast(ROWS_LEFT_OUT)
        blocks = SharedBlocks(self, self.prepared.slices[place])
        counted = self.counted if self.prepared.counts else None
        distinct = self.distinct or checked.distinct_among
        return replace(checked, blocks=blocks, rows_left_out=left_out, counted=counted, distinct_among=distinct)


@dataclass(frozen=True)
class SharedBlocks:
    """The checked blocks of a file, read from parcels as often as needed."""

    parts: Parts
    slices: Sequence[Slice]

    def __iter__(self) -> Iterator[CheckedBlock]:
        for each in self.slices:
            tables = (self.parts.table(each.part, name) for name in TABLES)
            yield CheckedBlock(*(table.slice(*ends) for table, ends in zip(tables, each.ends, strict=True)))
