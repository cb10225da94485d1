"""Say what would happen to a file, without storing anything: a dry run of ingest that goes on after a fault."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute

from pipelines.errors import FileRejected, LockedError, UsageError
from pipelines.intake.anonymisation.column_names import find_refused_names
from pipelines.intake.anonymisation.gate import Gate
from pipelines.intake.anonymisation.identifiers import find_certain_kind, find_likely_kinds
from pipelines.intake.block_checker import BlockChecker, Rules
from pipelines.intake.csv_rows import RawRows
from pipelines.intake.deliveries import Delivery, find_deliveries
from pipelines.intake.duplicates import RepeatedIds
from pipelines.intake.layouts.adapters import find_header_faults, find_known_columns, load_adapter, open_scratch
from pipelines.intake.opening import open_delivery
from pipelines.intake.reader import PrefetchingReader
from pipelines.intake.screening import choose_gate_columns, find_no_postal
from pipelines.jobs.inspecting.dry_run import try_ingest
from pipelines.settings import Settings, is_address
from pipelines.store import guards
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from pipelines.store.packs import load_configured_pack
from pipelines.text import escape_unprintable, format_path, pluralise
from schemas.checked_file import CONFLICT, DUPLICATE, CheckedBlock, RowCounts
from schemas.fields import CONTEXT_NAMES

MOST = " in most rows"  # what the gate says of a share; where one value was refused it says nothing new
FIRST_LINES = 3
SHOWN_VALUES = 3
LONGEST_SHOWN = 30  # characters of a value
ADVICE = {
    "encoding": "export as UTF-8 (in a spreadsheet: save as CSV UTF-8)",
    "quoting": "export without line breaks inside cells, or leave free text out of the export",
    "width": "quote cells that hold the delimiter, or leave the column out",
    CONFLICT: "one row a report; join several rows in the source's adapter, or correct the ids at the sender",
}


@dataclass
class Fault:
    """One kind of bad cell: how often, where first, what is allowed, and some values that identify nobody."""

    allowed: str
    cells: int = 0
    lines: list[int] = field(default_factory=list)
    values: list[str] = field(default_factory=list)

    def add(self, line: int, value: str | None) -> None:
        """Take in a cell."""
        self.cells += 1
        if len(self.lines) < FIRST_LINES:
            self.lines.append(line)
        if value and len(self.values) < SHOWN_VALUES and value not in self.values and _is_harmless(value):
            self.values.append(value)


@dataclass
class Findings:
    """What a look at a whole file found."""

    rejections: list[str] = field(default_factory=list)
    faults: dict[tuple[str, str], Fault] = field(default_factory=dict)
    counts: RowCounts = field(default_factory=RowCounts)
    duplicates: int = 0
    conflicts: int = 0
    blocks: list[CheckedBlock] = field(default_factory=list)
    accepted: list[pa.Table] = field(default_factory=list)

    def add(self, block: CheckedBlock, counts: RowCounts) -> None:
        """Take in a block."""
        self.counts += counts
        self.blocks.append(block)
        for cell in block.bad_cells.to_pylist():
            key = (cell["column_name"] or "the line", cell["check_name"])
            value = cell["value"] if cell["column_name"] else None
            self.faults.setdefault(key, Fault(cell["allowed"])).add(cell["line_number"], value)


class CollectingGate(Gate):
    """A gate that goes on after what it refuses."""

    @cached_property
    def reasons(self) -> dict[str, None]:
        """Return why it refused, each reason once, in order."""
        return {}

    def refuse(self, reason: str) -> None:
        """Note the reason."""
        self.reasons[reason] = None


def inspect_file(home: Home, settings: Settings, given: str, source: str | None) -> tuple[list[str], bool]:
    """Return what would happen to a file, as lines, and whether it would be taken. Raises UsageError."""
    delivery = find_one(given, settings, source)
    pack = load_configured_pack(home, settings)
    rules = Rules(delivery.source, load_adapter(delivery.source, home.path), pack, settings)
    with open_delivery(delivery, settings, frozenset(), refuse=home.refuse_as_delivery) as opened:
        if opened.reader is None:
            reason = opened.rejection.reason if opened.rejection else "cannot be read"
            findings = Findings(rejections=[reason])
        else:
            findings = _look_through(opened.reader, rules)
    outcome = _try_ingest(home, settings, delivery, findings)
    lines = [*_describe_delivery(delivery, source, findings), *_describe_faults(findings)]
    lines += _describe_stored(home, findings, outcome)
    return [escape_unprintable(line) for line in lines], not findings.rejections


def find_one(given: str, settings: Settings, source: str | None) -> Delivery:
    """Find the one file that is named. Raises UsageError if there are none or several."""
    if is_address(given):
        raise UsageError("inspect reads a file of this machine; copy the object to one, and name that")
    deliveries = find_deliveries([given], settings, source)
    if len(deliveries) != 1:
        raise UsageError(f"{given}: {pluralise(len(deliveries), 'CSV file')} there; name one file")
    return deliveries[0]


def _look_through(reader: PrefetchingReader, rules: Rules) -> Findings:
    findings = Findings()
    try:
        names = reader.names()
    except FileRejected as error:
        return Findings(rejections=[error.reason])
    own = frozenset((*CONTEXT_NAMES, *(each.name for each in rules.pack.fields)))
    findings.rejections += find_refused_names(names, own | rules.adapter.allow)
    findings.rejections += find_header_faults(rules.adapter, names, rules.pack)
    has_required = find_known_columns(rules.adapter, rules.pack)[0] <= set(names)
    gate = CollectingGate(*choose_gate_columns(rules), no_postal=find_no_postal(rules))
    try:
        with _checker(reader, rules, gate) as checker:
            for raw in reader:
                _look_at_block(raw, checker, findings, has_required)
            _look_for_repeated(checker, findings)
    except FileRejected as error:
        findings.rejections.append(error.reason)
    gate.decide()
    reasons = list(gate.reasons)
    findings.rejections += [each for each in reasons if not (MOST in each and each.replace(MOST, "") in reasons)]
    _judge_share(rules, findings)
    return findings


@contextlib.contextmanager
def _checker(reader: PrefetchingReader, rules: Rules, gate: Gate) -> Iterator[BlockChecker]:
    """Offer a checker whose scratch lies outside the home, in which nothing is written."""
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(open_scratch(Path(folder))) as work:
        yield BlockChecker(rules, reader.file_id(), gate, RepeatedIds(work, rules.pack))


def _look_at_block(raw: RawRows, checker: BlockChecker, findings: Findings, has_required: bool) -> None:
    if has_required:
        block, counts = checker.check(raw)
        findings.add(block, counts)
    else:
        checker.look_for_identifiers(raw)
        for line in raw.bad_lines:
            findings.faults.setdefault(("the line", line.check), Fault(line.allowed)).add(line.line_number, None)
        findings.counts += RowCounts(rows=raw.table.num_rows + len(raw.bad_lines), blank=raw.blank_lines)


def _look_for_repeated(checker: BlockChecker, findings: Findings) -> None:
    left_out = checker.ids.find_rows_left_out(findings.blocks)
    for row in left_out.to_pylist():
        if row["kind"] == DUPLICATE:
            findings.duplicates += 1
            continue
        findings.conflicts += row["accepted"]
        fault = findings.faults.setdefault(("report_id", CONFLICT), Fault("one content for one report_id"))
        fault.add(row["line_number"], None)
    dropped = left_out.column("line_number").combine_chunks().cast(pa.uint32())
    findings.accepted = [
        table.filter(pyarrow.compute.invert(pyarrow.compute.is_in(table["line_number"], dropped)))
        for table in (block.accepted for block in findings.blocks)
    ]


def _judge_share(rules: Rules, findings: Findings) -> None:
    bad, limit = findings.counts.bad_rows + findings.conflicts, rules.settings.max_quarantined_share
    if findings.counts.rows and bad / findings.counts.rows > limit:
        told = f"{bad} of {findings.counts.rows} rows are bad; at most {limit:.0%} are allowed"
        findings.rejections.append(f"{told} (max_quarantined_share)")


def _describe_delivery(delivery: Delivery, named: str | None, findings: Findings) -> Iterator[str]:
    source = delivery.source
    why = "as named" if named else "by its file name" if source.patterns else "no pattern of a source matches the name"
    yield f"file      {format_path(str(delivery.path))}"
    yield f"source    {source.name} ({why}); adapter {source.adapter}; cells separated by {source.delimiter!r}"
    yield f"time zone {source.time_zone} (of times without an offset)"
    counts = findings.counts
    if days := _list_report_days(findings, ZoneInfo(source.time_zone)):
        yield f"period    first report {min(days)}, last {max(days)}, in that time zone"
    parts = [pluralise(counts.rows, "row"), f"{max(0, counts.bad_rows + findings.conflicts):,} with a fault"]
    parts += [f"{findings.duplicates:,} duplicate"] if findings.duplicates else []
    parts += [f"{counts.out_of_scope:,} out of scope"] if counts.out_of_scope else []
    parts += [warned] if (warned := guards.describe_warned_rows(counts)) else []
    yield f"rows      {', '.join(parts)}"


def _list_report_days(findings: Findings, zone: ZoneInfo) -> set[date]:
    """Return the first and the last days of reports that have a date alone, and of those that have a time."""
    days: set[date] = set()
    for table in findings.accepted:
        timed = table.filter(pyarrow.compute.is_null(table["stated_date"]))
        days |= {day for day in pyarrow.compute.min_max(table["stated_date"]).as_py().values() if day}
        moments = pyarrow.compute.min_max(timed["reported_at"]).as_py().values()
        days |= {moment.astimezone(zone).date() for moment in moments if moment}
    return days


def _describe_faults(findings: Findings) -> Iterator[str]:
    for (column, check), fault in sorted(findings.faults.items(), key=lambda item: -item[1].cells):
        lines = ", ".join(map(str, fault.lines)) + (", ..." if fault.cells > len(fault.lines) else "")
        values = f"; such as {', '.join(map(repr, fault.values))}" if fault.values else ""
        yield f"fault     {column}: {check}, {pluralise(fault.cells, 'cell')} (line {lines}){values}"
        yield f"          allowed: {fault.allowed}"
        yield f"          to do: {ADVICE.get(check, 'correct it at the sender, or translate it in an adapter')}"
    for reason in findings.rejections:
        yield f"rejected  {reason}"
        if "a birth date;" in reason:
            yield "          to do: dates of another kind are listed under `dates` in the head of the source's adapter"
        if "known column (" in reason or reason.startswith("unknown column"):
            yield "          to do: name the source (--source), or write an adapter: `calfwatch inspect FILE --adapter`"
    if findings.rejections:
        yield "verdict   the file would be rejected whole; nothing of it would be stored"
    elif findings.faults:
        yield "verdict   the file would be taken; its rows with a fault would go to the quarantine"
    else:
        yield "verdict   the file would be taken"


def _describe_stored(home: Home, findings: Findings, outcome: Outcome | None) -> Iterator[str]:
    """Tell what the file would do to what is stored, if it would be taken."""
    rows = sum(table.num_rows for table in findings.accepted)
    if findings.rejections or not rows:
        return
    if outcome is None:
        nothing = f"{home.path} holds no records yet; {pluralise(rows, 'record')} would be new"
        yield f"store     {'not looked at: the records are in use by a run' if home.records.exists() else nothing}"
        return
    if outcome.status == "known":
        yield "store     this content came before, and would change nothing" + (
            f": {outcome.reason}" if outcome.reason else ""
        )
        return
    removed = outcome.rows_removed or 0
    replaced = outcome.rows_superseded - removed
    parts = [f"{outcome.rows_accepted - replaced:,} new", f"{replaced:,} would replace a record"]
    parts += [f"{outcome.rows_duplicate - findings.duplicates:,} are stored already"]
    parts += [f"{pluralise(removed, 'stored record')} would be taken out"] if removed else []
    yield f"store     {', '.join(parts)}"
    if outcome.notes:
        yield f"note      {outcome.notes}"


def _try_ingest(home: Home, settings: Settings, delivery: Delivery, findings: Findings) -> Outcome | None:
    """Ingest the file in a dry run, if there are records it can be held against; note why it would be rejected."""
    if findings.rejections or not home.records.exists():
        return None
    try:
        outcome = try_ingest(home, settings, delivery)
    except LockedError:
        return None
    if outcome.status == "rejected":
        findings.rejections.append(outcome.reason or "")
    return outcome


def _is_harmless(value: str) -> bool:
    return len(value) <= LONGEST_SHOWN and not find_certain_kind(value) and not find_likely_kinds(value)
