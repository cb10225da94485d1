"""Whom to phone in a week: emergencies and what could still be one, in words, each with the page that says why.

records of the week -> lists in the order in which to phone -> index.html, a page a record, a page an alarm
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import duckdb

from pipelines.errors import UsageError
from pipelines.explain.causes import describe_cause
from pipelines.explain.explanation import describe_withdrawn, explain_record
from pipelines.explain.pages import format_moment, render_explanation_page
from pipelines.explain.questions import find_emergency_questions, make_space
from pipelines.pages.calls import DETAILED_ALARMS, Call, CallList, WeekCalls
from pipelines.pages.labels import LEVELS, UNKNOWN, label_fields, label_series, split_series
from pipelines.pages.style import render
from pipelines.rules.formulas import Space
from pipelines.rules.terms import LevelTerms, TooManyTermsError, find_level_terms
from pipelines.statements import Row, fetch_rows, read_statement
from pipelines.store.database import get_state, load_stored_pack
from schemas.pack import LEVELS as LOWEST_FIRST
from schemas.pack import Pack

MOST_PAGES = 200


@dataclass(frozen=True)
class _Reader:
    """A pack that tagged records of the week, ready to read them. terms: None if its rules have too many."""

    pack: Pack
    space: Space
    terms: LevelTerms | None


@dataclass(frozen=True)
class _Found:
    """A record with the groups of questions of which each, answered with yes, makes it an emergency."""

    record: Row
    reader: _Reader
    asked: Sequence[Sequence[str]]


def find_week_calls(connection: duckdb.DuckDBPyConnection, week: str, most: int = MOST_PAGES) -> WeekCalls:
    """Return a week's emergencies, the latest first, and beside them its other records that could still be one, those
    that the fewest questions decide first. `most` of them have a page, half of it for each kind if both have so many;
    `index.html` says how many were left out.

    Raises UsageError for a week that no file covers.
    """
    span = _find_span(connection, week)
    if span["first_day"] is None:
        note = describe_withdrawn(connection)
        raise UsageError(f"week {week} is not covered by any file; the view weekly_triage lists those that are{note}")
    found = _find_records(connection, span, most)
    kinds = [[each for each in found if each.record["is_emergency"] is kind] for kind in (True, False)]
    shares = _share_out(most, len(kinds[0]), len(kinds[1]))
    number, lists = count(1), []
    pages: dict[str, str] = {}
    for rows, share in zip(kinds, shares, strict=True):
        names = [f"{next(number):03}-{each.record['report_id']}.html" for each in rows[:share]]
        pages |= {name: _render_page(connection, each) for name, each in zip(names, rows, strict=False)}
        calls = [_call(each, name) for each, name in zip(rows, names, strict=False)]
        lists.append(CallList(calls, rows[0].record["total"] if rows else 0))
    alarms, alarm_pages = _render_alarm_pages(connection, week, span)
    action = load_stored_pack(connection, str(get_state(connection, "rule_pack"))).actions["emergency"]
    index = render(
        "explain/explain_index.html.jinja", week=week, action=action, emergencies=lists[0], possible=lists[1]
    )
    return WeekCalls(lists[0], lists[1], alarms=alarms, pages={"index.html": index, **alarm_pages, **pages})


def _share_out(most: int, first: int, second: int) -> tuple[int, int]:
    """Half of the places for each kind; what one does not need is the other's."""
    of_first = min(first, max(most - most // 2, most - second))
    return of_first, min(second, most - of_first)


def _find_span(connection: duckdb.DuckDBPyConnection, week: str) -> Row:
    """Return the days of a week, None if it has none, and instants between which its records surely lie.

    With the instants DuckDB reads the blocks of these days alone.
    """
    (span,) = fetch_rows(
        connection,
        """SELECT min(report_date) AS first_day, max(report_date) AS last_day,
             (first_day - 2)::TIMESTAMP AT TIME ZONE 'UTC' AS since,
             (last_day + 3)::TIMESTAMP AT TIME ZONE 'UTC' AS until
           FROM calendar WHERE week = ?""",
        [week],
    )
    return span


def _find_records(connection: duckdb.DuckDBPyConnection, span: Row, most: int) -> list[_Found]:
    rows = fetch_rows(connection, read_statement("explain", "records_to_explain"), span | {"most": most})
    readers = {version: _make_reader(connection, version) for version in sorted({row["rule_pack"] for row in rows})}
    found = [_read(row, readers[row["rule_pack"]]) for row in rows]
    return sorted(found, key=lambda each: len({name for group in each.asked for name in group}))  # stays by time else


def _make_reader(connection: duckdb.DuckDBPyConnection, version: str) -> _Reader:
    pack = load_stored_pack(connection, version)
    space = make_space(pack)
    try:
        return _Reader(pack, space, find_level_terms(pack, space))
    except TooManyTermsError:
        return _Reader(pack, space, None)


def _read(row: Row, reader: _Reader) -> _Found:
    record = dict.fromkeys(reader.pack.askable) | row  # a later pack may have dropped a field, and its column here
    if record["is_emergency"]:
        return _Found(record, reader, ())
    if reader.terms is None:
        return _Found(record, reader, [list(record["missing_answers"] or ())])
    return _Found(record, reader, find_emergency_questions(reader.terms, reader.space, record))


def _render_page(connection: duckdb.DuckDBPyConnection, found: _Found) -> str:
    return render_explanation_page(explain_record(connection, found.reader.pack, found.reader.space, found.record))


def _call(found: _Found, page: str) -> Call:
    pack, record, labels = found.reader.pack, found.record, label_fields(found.reader.pack)
    true = [rule.sentence for rule in pack.triage if rule.level == "emergency" and rule.id in record["triage_rules"]]
    reason = " ".join(true) if record["is_emergency"] else f"Now: {LEVELS[record['triage_level']].lower()}."
    return Call(
        report_id=record["report_id"],
        source=record["source"],
        reported=format_moment(str(record["reported_at"])),
        reason=reason,
        ask=[" and ".join(labels.get(name, name) for name in group) for group in found.asked],
        cause=describe_cause(pack, record["likely_cause"], dict(record["cause_scores"] or {})),
        age_band=record["age_band"] or UNKNOWN,
        region=record["region"] or UNKNOWN,
        page=page,
    )


def _render_alarm_pages(
    connection: duckdb.DuckDBPyConnection, week: str, span: Row
) -> tuple[dict[str, tuple[str, int]], dict[str, str]]:
    """For the first alarms of the week the page of their records, and how many records there are."""
    pack = load_stored_pack(connection, str(get_state(connection, "rule_pack")))
    wanted = {"week": week, "most": DETAILED_ALARMS}
    alarms: dict[str, tuple[str, int]] = {}
    pages: dict[str, str] = {}
    for row in fetch_rows(connection, read_statement("pages", "alarms_of_week"), wanted):
        series, select = row["series"], read_statement("explain", "records_of_series")
        found = fetch_rows(connection, select, span | {"most": MOST_PAGES} | split_series(series))
        name, total = f"alarm-{len(pages) + 1}.html", found[0]["total"] if found else 0
        alarms[series] = name, total
        pages[name] = render(
            "explain/explain_alarm.html.jinja",
            week=week,
            title=label_series(series, pack),
            records=found,
            total=total,
            moment=format_moment,
            actions=_list_actions(found, pack),
            causes={cause.name: cause.label for cause in pack.causes},
        )
    return alarms, pages


def _list_actions(records: Sequence[Row], pack: Pack) -> dict[str, str]:
    """Return what each level among the records asks of a patient, the highest first."""
    met = {row["triage_level"] for row in records}
    return {level: pack.actions[level] for level in reversed(LOWEST_FIRST) if level in met}
