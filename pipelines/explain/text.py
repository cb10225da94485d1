"""An explanation as text for a terminal: explain_report(...) -> lines."""

from __future__ import annotations

from pipelines.explain.explanation import IS_MET
from pipelines.statements import Row
from pipelines.text import escape_unprintable, format_path
from schemas.pack import ANY_CAUSE, LEVELS, UNDETERMINED


def render_explanation(found: Row) -> str:
    """Return the explanation for a terminal."""
    if found["place"] == "quarantined":
        title = f"{found['report_id']} is in the quarantine and not tagged:"
        return "\n".join(map(escape_unprintable, [title, *_describe_cells(found["reasons"])]))
    parts = (
        _describe_head,
        _describe_questions,
        _describe_rules,
        _describe_causes,
        _describe_guidance,
        _describe_history,
    )
    return "\n".join(map(escape_unprintable, [*(line for part in parts for line in part(found)), "", found["notice"]]))


def _describe_cells(cells: list[Row]) -> list[str]:
    return [
        f"  line {r['line_number']} of {format_path(r['path'])}: {r['column_name'] or 'line'}: {r['check_name']}; "
        f"allowed: {r['allowed']}; found: {r['value']!r}"
        for r in cells
    ]


def _describe_head(found: Row) -> list[str]:
    by = found["replaced"].get("superseded_by", "")[:12]
    note = f" (superseded: replaced by file {by})" if by else ""
    lines = [
        f"{found['report_id']} of {found['source']}{note}, line {found['line_number']} of file {found['file_id'][:12]}",
        f"what to do      {found['action']}",
        *(f"                {note}" for note in (found["open_note"], found["serious_note"]) if note),
        f"triage level    {found['triage_level']}",
        _describe_still_possible(found),
    ]
    if found["missing_answers"]:
        lines.append(f"ask for         {', '.join(found['missing_answers'])}")
    return [*lines, f"likely cause    {found['cause_words']}", f"rule pack       {found['rule_pack']}"]


def _describe_still_possible(found: Row) -> str:
    if LEVELS.index(found["triage_ceiling"]) > LEVELS.index(found["triage_level"]):
        return f"could still be  {found['triage_ceiling']}, while answers are unknown"
    return "could still be  nothing higher: no unknown answer can change the level"


def _describe_questions(found: Row) -> list[str]:
    """Return what each answer would lead to; `*` marks an answer that settles the level by itself."""
    if not found["questions"]:
        return []
    lines = ["", "what an answer would lead to (* settles the level)"]
    for question in found["questions"]:
        answers = "; ".join(f"{answer['answer']}: {_describe_answer(answer)}" for answer in question["answers"])
        lines.append(f"  {question['field']}  {answers}")
    if out := found["rule_out"]:
        given = ", ".join(f"{name} {answer}" for name, answer in out["answers"].items())
        lines.append(f"  to rule out every level above, ask {out['count']}: {given} ({out['triage_level']})")
    if found["settle_at_once"]:
        single = ", ".join(f"{each['field']} {each['answer']}" for each in found["settle_at_once"])
        lines.append(f"  a single answer settles it: {single}")
    return lines


def _describe_answer(answer: Row) -> str:
    if answer["settles"]:
        return f"{answer['triage_level']} *"
    return f"{answer['triage_level']}, could still be {answer['triage_ceiling']}"


def _describe_rules(found: Row) -> list[str]:
    order = {"TRUE": 0, "UNKNOWN": 1, "FALSE": 2}
    lines = ["", "triage rules: is each met?"]
    for rule in sorted(found["rules"], key=lambda rule: order[rule["state"]]):
        answers = ", ".join(
            f"{name} {'unknown' if value is None else value}" for name, value in rule["answers"].items()
        )
        lines.append(f"  {IS_MET[rule['state']]:8}{rule['for']:16}{rule['id']}")
        lines += [] if rule["state"] == "FALSE" else [f"          {rule['sentence']}"]
        lines += [f"          read: {answers}", f"          article: {rule['reference']} ({rule['basis']})"]
    return lines


def _describe_causes(found: Row) -> list[str]:
    scores = ", ".join(f"{name} {points}" for name, points in found["cause_scores"].items())
    return [
        "",
        f"evidence for causes (certainty: {found['cause_certainty']}; points: {scores or 'none'})",
        *(
            f"  {row['points']} for {row['for']}: {row['sentence']} ({row['reference']}, {row['basis']})"
            for row in found["evidence"]
        ),
    ]


def _describe_guidance(found: Row) -> list[str]:
    return ["", "guidance", *(f"  {entry['kind']}{_name_cause(entry)}: {entry['text']}" for entry in found["guidance"])]


def _name_cause(entry: Row) -> str:
    """Return the cause that an entry is for: without it, one of several near causes would look like the answer."""
    return "" if entry["cause"] == ANY_CAUSE else f" ({entry['cause']})"


def _describe_history(found: Row) -> list[str]:
    """Other versions of the record: replaced ones, and deliveries that were set aside."""
    lines = [
        f"  {row['triage_level']} to {row['triage_ceiling']}, {row['likely_cause'] or UNDETERMINED}: line "
        f"{row['line_number']} of file {row['file_id'][:12]}, replaced by file {row['superseded_by'][:12]}"
        for row in found["earlier"]
    ]
    lines = ["", "earlier versions, replaced (`--file FILE_ID` explains one)", *lines] if lines else []
    cells = _describe_cells(found["quarantined"])
    return [*lines, *(["", "also delivered with bad cells, set aside", *cells] if cells else [])]
