"""Why a record is tagged so: each rule with its state and the answers it read, in the article's terms; what to ask,
how close the likely cause was, and where else the record's id was met."""

from __future__ import annotations

from pathlib import Path

import duckdb

from pipelines.connections import open_for_reading
from pipelines.errors import UsageError
from pipelines.explain.causes import describe_cause, find_near_causes, judge_certainty
from pipelines.explain.guidance import choose_guidance, convert_entry
from pipelines.explain.questions import make_space, plan_questions
from pipelines.rules.condition_sql import condition_sql
from pipelines.rules.formulas import Space
from pipelines.statements import Row, fetch_number, fetch_rows
from pipelines.store import ledger
from pipelines.store.database import check_version, load_stored_pack
from pipelines.text import pluralise
from schemas.conditions import list_condition_fields
from schemas.pack import Evidence, Pack, TriageRule

STATES = {True: "TRUE", False: "FALSE", None: "UNKNOWN"}
ANSWERS = {True: "yes", False: "no", None: "unknown"}
IS_MET = {STATES[state]: word for state, word in ANSWERS.items()}  # a rule's state, for a person
VERSION_COLUMNS = (
    *("triage_level", "triage_ceiling", "cause_category", "likely_cause", "rule_pack"),
    *("file_id", "line_number", "superseded_by", "superseded_at"),
)
REPLACED = ("superseded_by", "superseded_at")


def explain_report(records: Path, report_id: str, source: str | None, file: str | None = None) -> Row:
    """Everything behind a record's tags, by the pack that tagged it. Raises UsageError for an id that is not stored,
    that several sources use (without `source`), or of which `file` delivered no version.

    `place` is stored; superseded, for a version that a later delivery replaced (that of `file`, the first characters of
    whose id are enough; or the latest, where no other is left); or quarantined, where nothing was ever accepted.
    `earlier` are the versions before it, oldest first; `quarantined` are bad cells of deliveries of this id that were
    set aside.
    """
    with open_for_reading(records) as connection:
        check_version(connection, records)
        found = _find(connection, report_id, source)
        versions = [*found["superseded"], *found["stored"]]
        if not versions:
            return _explain_quarantined(report_id, found["quarantined"])
        number = _choose_version(report_id, versions, file)
        record = versions[number]
        pack = load_stored_pack(connection, record["rule_pack"])
        known = dict.fromkeys(pack.askable) | record  # a later pack may have dropped a field, and its column here
        return explain_record(connection, pack, make_space(pack), known) | {
            "place": "stored" if record in found["stored"] else "superseded",
            "replaced": {name: str(record[name]) for name in REPLACED if name in record},
            "earlier": [{name: row[name] for name in VERSION_COLUMNS} for row in versions[:number]],
            "quarantined": found["quarantined"],
        }


def _explain_quarantined(report_id: str, cells: list[Row]) -> Row:
    return {"report_id": report_id, "source": cells[0]["source"], "place": "quarantined", "reasons": cells}


def _choose_version(report_id: str, versions: list[Row], file: str | None) -> int:
    """Return the place of the version to explain: that of a file, else the last."""
    if file is None:
        return len(versions) - 1
    chosen = [number for number, row in enumerate(versions) if file and row["file_id"].startswith(file)]
    if len(chosen) != 1:
        ids = ", ".join(row["file_id"][:12] for row in versions)
        what = f"'{file}' begins more than one of them" if chosen else f"file '{file}' delivered none of them"
        raise UsageError(f"versions of '{report_id}' come from the files {ids}; {what}")
    return chosen[0]


_PLACES = {
    "stored": "FROM reports WHERE report_id = ? AND source = coalesce(?, source)",
    "superseded": """SELECT superseded.* FROM superseded JOIN files USING (file_id, source)
        WHERE report_id = ? AND source = coalesce(?, source) ORDER BY delivery_no""",
    "quarantined": """SELECT DISTINCT source, path, line_number, column_name, check_name, allowed, value
        FROM quarantine JOIN files USING (delivery_no) WHERE report_id = ? AND source = coalesce(?, source)
        ORDER BY path, line_number, column_name""",
}


def _find(connection: duckdb.DuckDBPyConnection, report_id: str, source: str | None) -> dict[str, list[Row]]:
    """The rows of one sender in every place. An id that two senders use, wherever it lies, may mean two persons."""
    found = {place: fetch_rows(connection, sql, [report_id, source]) for place, sql in _PLACES.items()}
    senders = sorted({row["source"] for rows in found.values() for row in rows})
    if len(senders) > 1:
        raise UsageError(f"'{report_id}' is sent by several sources ({', '.join(senders)}); say which with --source")
    if not found["stored"] and not found["superseded"]:
        of = f" of source '{source}'" if source else ""
        hashes = ledger.describe_ids_of_files(connection, report_id, source)
        if hashes or not senders:
            hint = f"; {hashes}" if hashes else describe_withdrawn(connection)
            raise UsageError(f"no record '{report_id}'{of} is stored{hint}")
    return found


def describe_withdrawn(connection: duckdb.DuckDBPyConnection) -> str:
    """A word on withdrawn files for who looks for what is not there; the ledger does not keep what was in them."""
    number = fetch_number(connection, "SELECT count(*) FROM files WHERE status = 'withdrawn'")
    return f"; {pluralise(number, 'file was', 'files were')} withdrawn with all that came in" if number else ""


def explain_record(connection: duckdb.DuckDBPyConnection, pack: Pack, space: Space, record: Row) -> Row:
    """Return one record's tags and their reasons, with no word on other versions of it; `space` is the pack's.

    The action, what the level asks of the patient, comes first wherever a person reads it.
    """
    evidence = [row for row in _explain_rules(connection, pack, record, pack.evidence) if row["state"] == "TRUE"]
    points = _sum_cause_points(pack, evidence)
    serious = [name for name in points if name in pack.serious_causes]
    home_care = record["triage_level"] == "self_care" and not serious
    near = find_near_causes(pack, record["likely_cause"], points)
    return {
        "report_id": record["report_id"],
        "source": record["source"],
        "place": "stored",
        "replaced": {},
        "reported_at": str(record["reported_at"]),
        "action": pack.choose_action(record["triage_level"], record["triage_ceiling"]),
        "open_note": _open_note(record),
        "serious_note": _describe_serious(pack, record, serious),
        "triage_level": record["triage_level"],
        "triage_ceiling": record["triage_ceiling"],
        **plan_questions(pack, space, record, record["missing_answers"]),
        "rules": _explain_rules(connection, pack, record, pack.triage),
        "cause_category": record["cause_category"],
        "likely_cause": record["likely_cause"],
        "cause_certainty": judge_certainty(record["likely_cause"], points),
        "cause_scores": points,
        "cause_words": describe_cause(pack, record["likely_cause"], points),
        "evidence": evidence,
        "guidance": [convert_entry(entry) for entry in choose_guidance(pack, near, home_care)],
        "rule_pack": record["rule_pack"],
        "complaint": pack.complaint,
        "article": pack.article,
        "reviewed": pack.reviewed,
        "file_id": record["file_id"],
        "line_number": record["line_number"],
        "earlier": [],
        "quarantined": [],
        "labels": {field.name: field.label for field in pack.fields},
        "cause_labels": {c.name: c.label for c in pack.categories} | {c.name: c.label for c in pack.causes},
        "notice": pack.disclaimer,
    }


def _open_note(record: Row) -> str:
    """Return a sentence for a record that is one for a doctor and can still be an emergency; empty for every other.

    The action of an unresolved record says it itself.
    """
    if (record["triage_level"], record["triage_ceiling"]) != ("contact_doctor", "emergency"):
        return ""
    return "It could still be an emergency: ask the open questions first."


def _describe_serious(pack: Pack, record: Row, serious: list[str]) -> str:
    """Return a sentence for a self_care record whose signs point to a serious cause; empty for every other one."""
    if record["triage_level"] != "self_care" or not serious:
        return ""
    labels = ", ".join(cause.label for cause in pack.causes if cause.name in serious)
    return f"Some signs can belong to a serious cause ({labels}), so that no home care is shown."


def _explain_rules(
    connection: duckdb.DuckDBPyConnection, pack: Pack, record: Row, rules: tuple[TriageRule | Evidence, ...]
) -> list[Row]:
    """The rules' states on this record, evaluated by the SQL of their conditions, and the answers that they read."""
    values = ", ".join(f'?::{pack.sql_type(name)} AS "{name}"' for name in pack.askable)
    select = f"SELECT {', '.join(condition_sql(rule.when) for rule in rules)} FROM (SELECT {values})"
    (states,) = connection.execute(select, [record[name] for name in pack.askable]).fetchall()
    return [_explain_rule(pack, record, rule, state) for rule, state in zip(rules, states, strict=True)]


def _explain_rule(pack: Pack, record: Row, rule: TriageRule | Evidence, state: bool | None) -> Row:
    answers = {
        name: ANSWERS[record[name]] if name in pack.field_names else record[name]
        for name in list_condition_fields(rule.when)
    }
    return {
        "id": rule.id,
        "for": rule.level if isinstance(rule, TriageRule) else rule.cause,
        "points": rule.points if isinstance(rule, Evidence) else None,
        "state": STATES[state],
        "answers": answers,
        "sentence": rule.sentence,
        "reference": rule.reference,
        "basis": rule.basis,
    }


def _sum_cause_points(pack: Pack, evidence: list[Row]) -> dict[str, int]:
    """Points of every cause that has any, the most dangerous cause first."""
    points = {cause.name: sum(row["points"] for row in evidence if row["for"] == cause.name) for cause in pack.causes}
    return {name: number for name, number in points.items() if number}
