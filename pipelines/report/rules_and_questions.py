"""The sections on the triage rules that fired and on the questions left unanswered."""

from __future__ import annotations

from pipelines.pages.document import Block, DataFiles, Row, Section, Table
from pipelines.pages.labels import LEVELS, field_labels, plain
from pipelines.pages.values import Bars, Change, Column, Kind, Level, Share, Text
from pipelines.report.rows import OpenAnswer, RuleCount
from pipelines.report.week import WeekTables
from pipelines.report.wording import RULES_LEAD, UNANSWERED_LEAD
from schemas.pack import Pack, TriageRule


def sort_rules(tables: WeekTables) -> list[RuleCount]:
    """Return the triage rules by level, then by how often they fired."""
    places = list(LEVELS)
    return sorted(tables.rules, key=lambda row: (places.index(row.triage_level), -row.reports, row.rule_id))


def rule_section(tables: WeekTables, pack: Pack, total: int) -> Section:
    """State how often each triage rule was true."""
    columns = (
        Column("Rule"),
        Column("Level"),
        Column("Reports", Kind.COUNT),
        Column("Share", Kind.SHARE),
        Column("Change", Kind.CHANGE),
    )
    known = {rule.id: rule for rule in pack.triage}
    rows = [_rule_row(row, known.get(row.rule_id), total) for row in sort_rules(tables)]
    table = Table("rules", columns, rows, empty="No rules are recorded for this week.")
    blocks: list[Block] = [table, DataFiles(("weekly_rules",))]
    return Section("rules", "Triage rules that fired", blocks, RULES_LEAD, short="Rules that fired")


def _rule_row(row: RuleCount, rule: TriageRule | None, total: int) -> Row:
    unknown = Text(row.rule_id, note="is not in this rule pack", code=True)
    cells = (
        Text(rule.sentence, rule.reference, tag=rule.basis) if rule else unknown,
        Level(row.triage_level),
        row.reports,
        Share(row.reports, total),
        Change(row.reports, row.previous_week),
    )
    return Row(cells, key=row.rule_id, quiet=not row.reports)


def sort_open_answers(tables: WeekTables) -> list[OpenAnswer]:
    """Return the questions that some record still waits for, that with most unresolved records first."""
    rows = (row for row in tables.open_answers if row.reports)
    return sorted(rows, key=lambda row: (-row.unresolved, -row.reports, row.field))


def question_label(row: OpenAnswer, pack: Pack) -> str:
    """Return what a question is called; one of another pack by its name."""
    return field_labels(pack).get(row.field, plain(row.field))


def unanswered_section(tables: WeekTables, pack: Pack) -> Section:
    """State the questions whose answer could still raise a level."""
    columns = (
        Column("Question"),
        Column("Unresolved reports", Kind.BARS),
        Column("Unresolved", Kind.COUNT),
        Column("Settles", Kind.COUNT),
        Column("All reports", Kind.COUNT),
        Column("Change, all", Kind.CHANGE),
    )
    found = sort_open_answers(tables)
    rows = [
        Row(
            (
                question_label(row, pack),
                Bars([("unresolved", row.unresolved)], found[0].unresolved),
                row.unresolved,
                row.settles,
                row.reports,
                Change(row.reports, row.previous_week),
            ),
            key=row.field,
        )
        for row in found
    ]
    table = Table("unanswered", columns, rows, empty="No open answer could change a level this week.")
    blocks: list[Block] = [table, DataFiles(("weekly_missing_answers",))]
    return Section("unanswered", "What was left unanswered", blocks, UNANSWERED_LEAD, short="Open answers")
