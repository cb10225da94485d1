"""Guards between the files of a sender: counts of a loaded file -> a rejection, or notes that its line tells.

A file may be sound line by line and yet take other patients' places: its ids restart, or were written anew, or a column
is gone. Each guard is a function over counts, in delivery order; a file that it rejects is rolled back by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from pipelines.settings import Source
from pipelines.statements import rows_by_name, statement
from pipelines.text import many
from schemas.checked_file import CheckedFile, Rejection, RowCounts
from schemas.fields import SEXES
from schemas.pack import LEVELS, Pack
from schemas.record_layout import (
    CODED_CONTEXT,
    UNKNOWN_CODE,
    answer_columns,
    code_of,
    field_bit,
    report_day_sql,
)

FEWEST, SHARE = 3, 1 / 5  # of rows that restart, or are written anew: at least so many, and more than this share
FEWEST_EXCHANGED, SHARE_EXCHANGED = 3, 1 / 2
FEWEST_SAME, SHARE_SAME = 20, 1 / 2
FEWEST_REMOVED, SHARE_REMOVED = 5, 1 / 5
ROW_LIMITS = (65_536, 1_048_576)  # lines of a sheet in a spreadsheet, with the header


@dataclass(frozen=True)
class GuardCounts:
    """How a loaded file stands to what was stored before.

    Of its rows: `moved` replace a record of another day, `exchanged` of them with other answers, too; `lowered` take a
    record down from emergency; `lost` replace a known answer because the file lacks the column; `same_plain_id` and
    `same_content` have a new id, but the plain form or the content of a stored record that the file does not name.
    `removed` records of its `covered` ones are those that a whole list lacks, of which `removed_emergencies` are one.
    `rows_before` and `moved_before` are of the sender's files of the 28 days before.
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


def count(
    connection: duckdb.DuckDBPyConnection, checked: CheckedFile, pack: Pack, delivery_no: int, time_zone: str
) -> dict[str, int]:
    """Count for GuardCounts, once the tables `stored_matches` and `replaced` and the file's records are there."""
    answers = ("region", *CODED_CONTEXT, "pain_score", "duration_days", *answer_columns(pack))
    day = report_day_sql(time_zone)
    words = {
        "day": day,
        "old_day": day.replace("stated_date", "replaced.stated_date").replace("reported_at", "replaced.reported_at"),
        "content": ", ".join(f"'{name}': {name}" for name in answers),
        "old_content": ", ".join(f"'{name}': replaced.{name}" for name in answers),
        "emergency": LEVELS.index("emergency"),
        "lost": _lost_sql(pack, checked.absent),
        "plain_id": statement("store", "plain_id").strip(),
    }
    values = {"source": checked.source, "delivery_no": delivery_no, "last_report": checked.counts.last}
    (row,) = rows_by_name(connection, statement("store", "guard_counts", **words), values)
    return row


def _lost_sql(pack: Pack, absent: Iterable[str]) -> str:
    """Return SQL for whether a replaced record has a known answer in one of these columns."""
    tests = ["FALSE"]
    for name in absent:
        column = f"replaced.{name}"
        if name == "sex":
            tests.append(f"{column} NOT IN ({UNKNOWN_CODE}, {code_of(SEXES, 'unknown')})")
        elif name in CODED_CONTEXT or name in pack.choices:
            tests.append(f"{column} <> {UNKNOWN_CODE}")
        elif name in pack.field_names:
            tests.append(f"(replaced.answered & {field_bit(pack, name)}) <> 0")
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


def find_lost_answers(counts: GuardCounts, checked: CheckedFile, source: Source) -> Rejection | None:
    """Reject a file that would replace known answers because it lacks their column."""
    if not counts.lost or source.missing_columns == "unknown":
        return None
    gone = ", ".join(sorted(checked.columns_gone) or sorted(checked.absent)[:3])
    return Rejection(
        f"column missing: {gone}; known answers of {many(counts.lost, 'stored record')} would become unknown; "
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
        f"{many(counts.moved, 'row')} of {counts.rows:,} would replace a record of another day: ids that restart "
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
        f"{many(number, 'row')} of {counts.rows:,} have a stored record's {found}, and would count patients twice; "
        "export the ids as text, as before, or take the earlier file back first (calfwatch withdraw FILE_ID)"
    )


def find_removed_records(counts: GuardCounts) -> Rejection | None:
    """Reject a whole list that lacks too many of the records of its days."""
    if counts.removed < FEWEST_REMOVED or counts.removed <= counts.covered * SHARE_REMOVED:
        return None
    return Rejection(
        f"it lacks {counts.removed:,} of the {counts.covered:,} stored records of its days: is it cut off, or a part "
        "of the list? Deliver the whole list, or set cumulative = false for this source"
    )


def note(counts: GuardCounts, checked: CheckedFile) -> str | None:
    """Return what is told on the line of a file that is taken, or None."""
    lines = 1 + checked.counts.blank + checked.counts.rows
    notes = [
        checked.note or "",
        warned_words(checked.counts),
        f"{counts.lowered:,} moved down from emergency" if counts.lowered else "",
        f"{counts.moved:,} moved to another day" if counts.moved else "",
        f"{many(counts.removed, 'record')} that it lacks taken out" if counts.removed else "",
        f"emergencies among them: {counts.removed_emergencies:,}" if counts.removed_emergencies else "",
        f"lacks {', '.join(sorted(checked.columns_gone))}, which the last file had" if checked.columns_gone else "",
        f"ends at a spreadsheet's limit of {lines:,} lines: is it cut off?" if lines in ROW_LIMITS else "",
    ]
    return "; ".join(filter(None, notes)) or None


def warned_words(counts: RowCounts) -> str:
    """Return what is told of rows of which the adapter understood a part; nothing where there is none."""
    if not counts.warned:
        return ""
    more = counts.warned - len(counts.warned_lines)
    lines = ", ".join(map(str, counts.warned_lines)) + (f" and {more:,} more" if more else "")
    return f"{many(counts.warned, 'row')} with something not understood, taken as unknown (line {lines})"
