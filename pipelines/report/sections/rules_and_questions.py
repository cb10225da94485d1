"""The sections on the triage criteria that were met and on the questions left unanswered."""

from __future__ import annotations

from pipelines.pages.document import Block, DataFiles, Note, Row, Section, Table
from pipelines.pages.labels import LEVELS, label_fields, spell_out
from pipelines.pages.values import Bars, Column, Kind, Level, Share, Text
from pipelines.report.rows import OpenAnswer, RuleCount
from pipelines.report.week import WeekTables
from pipelines.report.wording import RULES_LEAD, UNANSWERED_LEAD
from pipelines.text import pluralise
from schemas.pack import Pack, TriageRule

QUESTIONS_SHOWN = 8


def sort_rules(tables: WeekTables) -> list[RuleCount]:
    """Return the triage rules by level, then by how often they were true."""
    places = list(LEVELS)
    return sorted(tables.rules, key=lambda row: (places.index(row.triage_level), -row.reports, row.rule_id))


def make_rule_section(tables: WeekTables, pack: Pack, total: int) -> Section:
    """State how often each triage criterion was met."""
    columns = (Column("Criterion"), Column("Level"), Column("Reports", Kind.COUNT), Column("Share", Kind.SHARE))
    known = {rule.id: rule for rule in pack.triage}
    met = [row for row in sort_rules(tables) if row.reports]
    rows = [_make_rule_row(row, known.get(row.rule_id), total) for row in met]
    empty = "No criterion was met this week." if tables.rules else "No criteria are recorded for this week."
    blocks: list[Block] = [Table("rules", columns, rows, empty=empty)]
    if met and len(met) < len(tables.rules):
        blocks.append(
            Note(f"{pluralise(len(tables.rules) - len(met), 'more criterion', 'more criteria')}: met by no report.")
        )
    return Section("rules", "Criteria that were met", [*blocks, DataFiles(("weekly_rules",))], RULES_LEAD)


def _make_rule_row(row: RuleCount, rule: TriageRule | None, total: int) -> Row:
    unknown = Text(row.rule_id, note="is not in this rule pack", code=True)
    cells = (
        Text(rule.sentence, rule.reference, tag=rule.basis) if rule else unknown,
        Level(row.triage_level),
        row.reports,
        Share(row.reports, total),
    )
    return Row(cells, key=row.rule_id)


def sort_open_answers(tables: WeekTables) -> list[OpenAnswer]:
    """Return the questions that some record still waits for, that with most unresolved records first."""
    rows = (row for row in tables.open_answers if row.reports)
    return sorted(rows, key=lambda row: (-row.unresolved, -row.reports, row.field))


def make_unanswered_section(tables: WeekTables, pack: Pack) -> Section:
    """State the questions whose answer could still raise a level."""
    columns = (
        Column("Question"),
        Column("Unresolved reports", Kind.BARS),
        Column("Unresolved", Kind.COUNT),
        Column("Settled by it alone", Kind.COUNT),
        Column("All reports", Kind.COUNT),
    )
    found, labels = sort_open_answers(tables), label_fields(pack)
    rows = [
        Row(
            (
                labels.get(row.field, spell_out(row.field)),
                Bars([("unresolved", row.unresolved)], found[0].unresolved),
                row.unresolved,
                row.settles,
                row.reports,
            ),
            key=row.field,
        )
        for row in found
    ]
    empty = "No open answer could change a level this week."
    table = Table("unanswered", columns, rows, empty=empty, most=QUESTIONS_SHOWN, thing="question")
    blocks: list[Block] = [table, DataFiles(("weekly_missing_answers",))]
    return Section("unanswered", "What was left unanswered", blocks, UNANSWERED_LEAD, short="Open answers")
