"""Why a record is tagged so: each rule with its state and the answers it read, in the article's terms."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import duckdb

from pipelines.errors import UsageError
from pipelines.query import read_only
from pipelines.store import stored_pack
from pipelines.tag import condition_sql
from schemas.pack import LEVELS, Pack, condition_fields

STATES = {True: "TRUE", False: "FALSE", None: "UNKNOWN"}
ANSWERS = {True: "yes", False: "no", None: "unknown"}


def explain_report(records: Path, report_id: str, source: str | None) -> dict[str, Any]:
    """Everything behind a record's tags, by the pack that tagged it. Raises UsageError for an id that is not stored,
    or that several sources use (without `source`)."""
    with contextlib.closing(read_only(records)) as connection:
        rows, place = _find(connection, report_id, source)
        if place == "quarantined":
            return {"report_id": report_id, "source": rows[0]["source"], "place": place, "reasons": rows}
        record = rows[-1]
        return _explanation(connection, stored_pack(connection, record["rule_pack"]), record, place)


_PLACES = {
    "stored": "FROM reports WHERE report_id = ? AND source = coalesce(?, source)",
    "superseded": """FROM superseded WHERE report_id = ? AND source = coalesce(?, source)
        ORDER BY superseded_at, file_id, line_number""",
    "quarantined": """SELECT DISTINCT source, path, line_number, column_name, check_name, allowed, value
        FROM quarantine JOIN files USING (delivery_no) WHERE report_id = ? AND source = coalesce(?, source)
        ORDER BY path, line_number, column_name""",
}


def _find(
    connection: duckdb.DuckDBPyConnection, report_id: str, source: str | None
) -> tuple[list[dict[str, Any]], str]:
    """The rows of the first place that knows the id: of a superseded record every version, the latest last."""
    for place, sql in _PLACES.items():
        rows = _rows(connection, sql, report_id, source)
        senders = sorted({row["source"] for row in rows})
        if len(senders) > 1:
            raise UsageError(
                f"'{report_id}' is sent by several sources ({', '.join(senders)}); say which with --source"
            )
        if rows:
            return rows, place
    raise UsageError(f"no record '{report_id}'" + (f" of source '{source}'" if source else "") + " is stored")


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, *values: Any) -> list[dict[str, Any]]:
    result = connection.execute(sql, values)
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _explanation(
    connection: duckdb.DuckDBPyConnection, pack: Pack, record: dict[str, Any], place: str
) -> dict[str, Any]:
    level = record["triage_level"]
    return {
        "report_id": record["report_id"],
        "source": record["source"],
        "place": place,
        "rule_pack": record["rule_pack"],
        "triage_level": level,
        "triage_ceiling": record["triage_ceiling"],
        "missing_answers": record["missing_answers"],
        "rules": [_rule(connection, pack, record, rule) for rule in pack.triage],
        "cause_category": record["cause_category"],
        "likely_cause": record["likely_cause"],
        "cause_scores": record["cause_scores"],
        "evidence": [
            row for row in (_rule(connection, pack, record, e) for e in pack.evidence) if row["state"] == "TRUE"
        ],
        "guidance": [{"kind": g.kind, "text": g.text, "reference": g.reference} for g in _guidance(pack, record)],
        "file_id": record["file_id"],
        "line_number": record["line_number"],
        "notice": pack.disclaimer,
    }


def _rule(connection: duckdb.DuckDBPyConnection, pack: Pack, record: dict[str, Any], rule: Any) -> dict[str, Any]:
    """A rule's state on this record, evaluated by the SQL that tags, and the answers that it read."""
    names = condition_fields(rule.when)
    types = {name: pack.sql_type(name) for name in names}
    values = ", ".join(f'?::{types[name]} AS "{name}"' for name in names)
    row = connection.execute(
        f"SELECT {condition_sql(rule.when)} FROM (SELECT {values})", [record[name] for name in names]
    ).fetchall()[0]
    answers = {name: ANSWERS.get(record[name]) if types[name] == "BOOLEAN" else record[name] for name in names}
    return {
        "id": rule.id,
        "for": getattr(rule, "level", None) or getattr(rule, "cause", None),
        "points": getattr(rule, "points", None),
        "state": STATES[row[0]],
        "answers": answers,
        "sentence": rule.sentence,
        "reference": rule.reference,
        "basis": rule.basis,
    }


def _guidance(pack: Pack, record: dict[str, Any]) -> list[Any]:
    wanted = (record["likely_cause"], "any")
    return [entry for name in wanted for entry in pack.guidance if entry.cause == name and entry.kind != "prevention"]


def explanation_text(found: dict[str, Any]) -> str:
    """The explanation for a terminal."""
    if found["place"] == "quarantined":
        reasons = [
            f"  line {r['line_number']} of {r['path']}: {r['column_name']}: {r['check_name']}; allowed: {r['allowed']}"
            for r in found["reasons"]
        ]
        return "\n".join([f"{found['report_id']} is in the quarantine and not tagged:", *reasons])
    return "\n".join([*_head(found), *_rule_lines(found), *_cause_lines(found), *_guidance_lines(found)])


def _head(found: dict[str, Any]) -> list[str]:
    note = " (superseded by a later delivery)" if found["place"] == "superseded" else ""
    lines = [
        f"{found['report_id']} of {found['source']}{note}, line {found['line_number']} of file {found['file_id'][:12]}",
        f"triage level    {found['triage_level']}",
        f"triage ceiling  {found['triage_ceiling']}{_ceiling_note(found)}",
    ]
    if found["missing_answers"]:
        lines.append(f"ask for         {', '.join(found['missing_answers'])}")
    return [*lines, f"rule pack       {found['rule_pack']}"]


def _ceiling_note(found: dict[str, Any]) -> str:
    higher = LEVELS.index(found["triage_ceiling"]) > LEVELS.index(found["triage_level"])
    return "  (unknown answers could still lead there)" if higher else ""


def _rule_lines(found: dict[str, Any]) -> list[str]:
    order = {"TRUE": 0, "UNKNOWN": 1, "FALSE": 2}
    lines = ["", "triage rules"]
    for rule in sorted(found["rules"], key=lambda rule: order[rule["state"]]):
        answers = ", ".join(
            f"{name} {'unknown' if value is None else value}" for name, value in rule["answers"].items()
        )
        lines.append(f"  {rule['state']:8}{rule['for']:16}{rule['id']}")
        if rule["state"] != "FALSE":
            lines += [f"          {rule['sentence']}", f"          read: {answers}"]
            lines.append(f"          article: {rule['reference']} ({rule['basis']})")
    return lines


def _cause_lines(found: dict[str, Any]) -> list[str]:
    scores = ", ".join(f"{name} {points}" for name, points in found["cause_scores"].items())
    lines = [
        "",
        f"likely cause    {found['likely_cause'] or 'undetermined'} ({found['cause_category']}); points: {scores}",
    ]
    return lines + [
        f"  {row['points']} for {row['for']}: {row['sentence']} ({row['reference']}, {row['basis']})"
        for row in found["evidence"]
    ]


def _guidance_lines(found: dict[str, Any]) -> list[str]:
    lines = [f"  {entry['kind']}: {entry['text']}" for entry in found["guidance"]]
    return ["", "guidance", *lines, "", found["notice"]]
