"""Guards between the files of a sender: counts of a loaded file -> a rejection, or notes that its line tells.

A file may be sound line by line and yet take other patients' places: its ids restart, or were written anew, or a column
is gone. Each guard is a function over counts, in delivery order; a file that it rejects is rolled back by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import duckdb

from pipelines.settings import Source
from pipelines.statements import Row, fetch_first_row, fetch_rows, read_statement
from pipelines.store.clocks import NEAR
from pipelines.store.ledger import Group
from pipelines.text import pluralise
from schemas.checked_file import CheckedFile, Rejection, RowCounts, list_content_columns
from schemas.fields import SEXES
from schemas.pack import LEVELS, Pack
from schemas.record_layout import (
    CODED_CONTEXT,
    UNKNOWN_CODE,
    find_code,
    find_field_bit,
    report_day_sql,
)

FEWEST, SHARE = 3, 1 / 5  # of rows that restart, or are written anew: at least so many, and more than this share
FEWEST_EXCHANGED, SHARE_EXCHANGED = 3, 1 / 2
FEWEST_SAME, SHARE_SAME = 20, 1 / 2
FEWEST_REMOVED, SHARE_REMOVED = 5, 1 / 5
BEFORE = timedelta(days=28)  # in which ids that restart are counted over the sender's files
ROW_LIMITS = (65_536, 1_048_576)  # lines of a sheet in a spreadsheet, with the header


@dataclass(frozen=True)
class GuardCounts:
    """How a loaded file stands to what was stored before.

    Of its rows: `moved` replace a record of another day, `exchanged` of them with other answers, too; `lowered` take a
    record down from emergency; `lost` replace a known answer because the file lacks the column; `same_plain_id` and
    `same_content` have a new id, but the plain form or the content of a stored record that the file does not name.
    `removed` records of its `covered` ones are those that a whole list lacks, of which `removed_emergencies` are one.
    `rows_before` and `moved_before` are of the sender's files of the 28 days before. `implausible` records are of days
    that stand far from the sender's others.
    """

    rows: int = 0
    rows_before: int = 0
    moved_before: int = 0
    moved: int = 0
    exchanged: int = 0
    lowered: int = 0
    lost: int = 0
    same_plain_id: int = 0
    same_content: int = 0
    removed: int = 0
    removed_emergencies: int = 0
    covered: int = 0
    implausible: int = 0


def count_files(connection: duckdb.DuckDBPyConnection, group: Group, time_zone: str) -> dict[int, GuardCounts]:
    """Count per delivery, once `stored_matches`, `replaced` and the group's records are there; removals are 0.

    Of a group of several files, `same_plain_id` and `same_content` are at most so many: a file that they would reject
    is to be counted alone.
    """
    counts = {number: GuardCounts(checked.counts.rows) for number, checked in group.files.items()}
    if not _has_earlier(connection, group):
        return counts
    found = _count_corrections(connection, group, time_zone) + _count_doubles(connection, group, time_zone)
    for row in found:
        number = row.pop("delivery_no")
        counts[number] = replace(counts[number], **row)
    for number, each in counts.items():
        if each.moved:
            counts[number] = replace(each, **_count_before(connection, group, number, counts))
    return counts


def add_removals(counts: GuardCounts, removed: int, emergencies: int, covered: int) -> GuardCounts:
    """Add what a whole list lacks."""
    return replace(counts, removed=removed, removed_emergencies=emergencies, covered=covered)


def _has_earlier(connection: duckdb.DuckDBPyConnection, group: Group) -> bool:
    """Return whether some file of the group is not the first of its source that brings records."""
    earlier = "SELECT 1 FROM records WHERE source = ? AND delivery_no < ? LIMIT 1"
    return bool(fetch_first_row(connection, earlier, [group.source.name, max(group.files)]))


def _count_corrections(connection: duckdb.DuckDBPyConnection, group: Group, time_zone: str) -> list[Row]:
    """Count the replaced records by what the delivery makes of them."""
    if not fetch_first_row(connection, "SELECT 1 FROM replaced LIMIT 1"):
        return []
    day, content = report_day_sql(time_zone), _list_content_columns(group.pack)
    words = {
        "day": day,
        "old_day": day.replace("stated_date", "replaced.stated_date").replace("reported_at", "replaced.reported_at"),
        "content": ", ".join(f"'{name}': {name}" for name in content),
        "old_content": ", ".join(f"'{name}': replaced.{name}" for name in content),
        "emergency": LEVELS.index("emergency"),
        "lost": _lost_of_files_sql(group),
    }
    return fetch_rows(connection, read_statement("store", "guard_corrections", **words), group.numbers)


def _count_doubles(connection: duckdb.DuckDBPyConnection, group: Group, time_zone: str) -> list[Row]:
    """Count the new ids that look like a stored report: exactly for one file, else at most so many."""
    reported = [
        each for checked in group.files.values() for each in (checked.counts.first, checked.counts.last) if each
    ]
    if not reported:
        return []
    words = {
        "day": report_day_sql(time_zone),
        "content": ", ".join(f"'{name}': {name}" for name in _list_content_columns(group.pack)),
        "plain_id": read_statement("store", "plain_id").strip(),
    }
    values = group.numbers | {"source": group.source.name}
    shared = connection.execute(read_statement("store", "shared_days", day=words["day"]), values).fetchall()
    if not (suspects := [number for number, rows in shared if _is_many(rows, group.files[number].counts.rows)]):
        return []
    values |= {"since": min(reported) - NEAR, "until": max(reported) + NEAR}
    if len(group.files) == 1:
        return fetch_rows(connection, read_statement("store", "guard_doubles", **words), values)
    at_most = read_statement("store", "guard_doubles_at_most", **words)
    del values["first"], values["last"]
    return fetch_rows(connection, at_most, values | {"suspects": suspects})


def _is_many(rows: int, of: int) -> bool:
    """Return whether so many rows may be enough for a guard that looks for doubles."""
    return rows >= min(FEWEST, FEWEST_SAME) and rows > of * min(SHARE, SHARE_SAME)


def _list_content_columns(pack: Pack) -> tuple[str, ...]:
    return tuple(name for name in list_content_columns(pack) if name not in ("reported_at", "stated_date"))


def _count_before(
    connection: duckdb.DuckDBPyConnection, group: Group, number: int, counts: Mapping[int, GuardCounts]
) -> dict[str, int]:
    """Count the rows, and the moved ones, of the sender's files of the 28 days before a file's last report."""
    last = group.files[number].counts.last
    if last is None:
        return {}
    since = last - BEFORE
    (row,) = fetch_rows(
        connection, read_statement("store", "guard_rows_before"), {"source": group.source.name, "since": since}
    )
    for earlier, checked in group.files.items():
        if earlier < number and checked.counts.last is not None and checked.counts.last > since:
            row["rows_before"] += counts[earlier].rows
            row["moved_before"] += counts[earlier].moved
    return row


def _lost_of_files_sql(group: Group) -> str:
    """Return SQL for whether a replaced record has a known answer in a column that its delivery lacks."""
    numbers: dict[frozenset[str], list[str]] = {}
    for number, checked in group.files.items():
        numbers.setdefault(checked.absent, []).append(str(number))
    tests = [
        f"(replaced_by IN ({', '.join(each)}) AND {_lost_sql(group.pack, absent)})"
        for absent, each in numbers.items()
        if absent
    ]
    return f"({' OR '.join(tests) or 'FALSE'})"


def _lost_sql(pack: Pack, absent: Iterable[str]) -> str:
    """Return SQL for whether a replaced record has a known answer in one of these columns."""
    tests = ["FALSE"]
    for name in absent:
        column = f"replaced.{name}"
        if name == "sex":
            tests.append(f"{column} NOT IN ({UNKNOWN_CODE}, {find_code(SEXES, 'unknown')})")
        elif name in CODED_CONTEXT or name in pack.choices:
            tests.append(f"{column} <> {UNKNOWN_CODE}")
        elif name in pack.field_names:
            tests.append(f"(replaced.answered & {find_field_bit(pack, name)}) <> 0")
        else:
            tests.append(f"{column} IS NOT NULL")
    return f"({' OR '.join(tests)})"


def judge(counts: GuardCounts, checked: CheckedFile, source: Source) -> Rejection | None:
    """Return why a file must not be stored beside what the sender sent before, or None."""
    return (
        find_lost_answers(counts, checked, source)
        or find_restarted_ids(counts)
        or find_rewritten_ids(counts)
        or find_removed_records(counts)
    )


def is_counted_exactly(counts: GuardCounts, checked: CheckedFile, source: Source) -> bool:
    """Return whether a file of a group is rejected for what is counted exactly: its doubles are at most so many."""
    return judge(replace(counts, same_plain_id=0, same_content=0), checked, source) is not None


def find_lost_answers(counts: GuardCounts, checked: CheckedFile, source: Source) -> Rejection | None:
    """Reject a file that would replace known answers because it lacks their column."""
    if not counts.lost or source.missing_columns == "unknown":
        return None
    gone = ", ".join(sorted(checked.columns_gone) or sorted(checked.absent)[:3])
    return Rejection(
        f"column missing: {gone}; known answers of {pluralise(counts.lost, 'stored record')} would become unknown; "
        'deliver it with the column, or set missing_columns = "unknown" for this source'
    )


def find_restarted_ids(counts: GuardCounts) -> Rejection | None:
    """Reject a file of which the ids were those of other reports: they replace records of another day."""
    rows, moved = counts.rows + counts.rows_before, counts.moved + counts.moved_before
    often = counts.moved and moved >= FEWEST and moved > rows * SHARE
    mostly = counts.exchanged >= FEWEST_EXCHANGED and counts.exchanged > counts.rows * SHARE_EXCHANGED
    if not often and not mostly:
        return None
    return Rejection(
        f"{pluralise(counts.moved, 'row')} of {counts.rows:,} would replace a record of another day: ids that restart "
        'erase other patients; set report_ids = "per_file" for this source if they count from 1 in each file, '
        "or take a wrong file back first (calfwatch withdraw FILE_ID)"
    )


def find_rewritten_ids(counts: GuardCounts) -> Rejection | None:
    """Reject a file that has stored reports once more, under ids that a program wrote another way."""
    plain = counts.same_plain_id >= FEWEST and counts.same_plain_id > counts.rows * SHARE
    content = counts.same_content >= FEWEST_SAME and counts.same_content > counts.rows * SHARE_SAME
    if not plain and not content:
        return None
    found = "id but for how it is written (zeros, .0, a date)" if plain else "content under another id"
    number = counts.same_plain_id if plain else counts.same_content
    return Rejection(
        f"{pluralise(number, 'row')} of {counts.rows:,} have a stored record's {found}, and would count patients "
        "twice; export the ids as text, as before, or take the earlier file back first (calfwatch withdraw FILE_ID)"
    )


def find_removed_records(counts: GuardCounts) -> Rejection | None:
    """Reject a whole list that lacks too many of the records of its days."""
    if counts.removed < FEWEST_REMOVED or counts.removed <= counts.covered * SHARE_REMOVED:
        return None
    return Rejection(
        f"it lacks {counts.removed:,} of the {counts.covered:,} stored records of its days: is it cut off, or a part "
        "of the list? Deliver the whole list, or set cumulative = false for this source"
    )


def describe_file(counts: GuardCounts, checked: CheckedFile) -> str | None:
    """Return what is told on the line of a file that is taken, or None."""
    lines = 1 + checked.counts.blank + checked.counts.rows
    notes = [
        checked.note or "",
        describe_warned_rows(checked.counts),
        f"{counts.lowered:,} moved down from emergency" if counts.lowered else "",
        f"{counts.moved:,} moved to another day" if counts.moved else "",
        f"{pluralise(counts.removed, 'record')} that it lacks taken out" if counts.removed else "",
        f"emergencies among them: {counts.removed_emergencies:,}" if counts.removed_emergencies else "",
        describe_implausible_days(counts),
        f"lacks {', '.join(sorted(checked.columns_gone))}, which the last file had" if checked.columns_gone else "",
        f"ends at a spreadsheet's limit of {lines:,} lines: is it cut off?" if lines in ROW_LIMITS else "",
    ]
    return "; ".join(filter(None, notes)) or None


def describe_implausible_days(counts: GuardCounts) -> str:
    """Return what is told of records that no week counts; nothing where there is none."""
    if not counts.implausible:
        return ""
    records = pluralise(counts.implausible, "record")
    told = f"{records} of days more than 13 weeks from the sender's others, counted in no week"
    return f"{told}: typed wrong? (the table warnings has the lines)"


def describe_warned_rows(counts: RowCounts) -> str:
    """Return what is told of rows of which the adapter understood a part; nothing where there is none."""
    if not counts.warned:
        return ""
    more = counts.warned - len(counts.warned_lines)
    lines = ", ".join(map(str, counts.warned_lines)) + (f" and {more:,} more" if more else "")
    told = f"{pluralise(counts.warned, 'row')} with something not understood, taken as unknown"
    return f"{told} (line {lines}; the table warnings has them)"
