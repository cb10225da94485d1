"""Work out the week's data quality: by source, in total, why cells were refused, how complete the answers are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipelines.pages.labels import label_fields, spell_out
from pipelines.report.rows import Measure
from pipelines.report.week import WeekTables
from schemas.pack import Pack

LATE_DAYS = 7
ROW_MEASURES = ("rows_accepted", "rows_quarantined", "rows_duplicate", "rows_out_of_scope")
COUNT_MEASURES = ("files_accepted", "files_rejected", "rows_read", *ROW_MEASURES, "rows_superseded")


@dataclass(frozen=True)
class SourceQuality:
    """What one source delivered. counts: by measure, None if the week has none; late_share: 0 to 1."""

    source: str
    counts: Mapping[str, int | None]
    median_delay_days: float | None
    late_share: float | None


@dataclass(frozen=True)
class Quality:
    """The week's data quality. total: the counts of all sources; reasons: check and cells, the most frequent first;
    completeness: field and share answered (0 to 1), the least complete first."""

    sources: Sequence[SourceQuality]
    total: SourceQuality
    reasons: Sequence[tuple[str, int]]
    completeness: Sequence[tuple[str, float]]

    def count(self, measure: str) -> int:
        """Return a count of all sources; none recorded is 0."""
        return self.total.counts[measure] or 0

    @property
    def is_balanced(self) -> bool:
        """Whether every row read is accounted for."""
        return self.count("rows_read") == sum(map(self.count, ROW_MEASURES))


def find_quality(tables: WeekTables, pack: Pack) -> Quality:
    """Work out the data quality of the week."""
    names = sorted({row.source for row in tables.measures})
    sources = [_make_source(name, [row for row in tables.measures if row.source == name]) for name in names]
    counts = {name: _add_up(source.counts[name] for source in sources) for name in COUNT_MEASURES}
    late = _weigh_share(tables, _choose_measure(tables.measures, "late_share"))
    return Quality(
        sources=sources,
        total=SourceQuality("All sources", counts, None, late),
        reasons=_count_reasons(tables.measures),
        completeness=_find_completeness(tables, pack),
    )


def _make_source(name: str, rows: Iterable[Measure]) -> SourceQuality:
    values = {row.measure: row.value for row in rows if row.item is None}
    counts = {measure: _round_number(values.get(measure)) for measure in COUNT_MEASURES}
    return SourceQuality(name, counts, values.get("median_delay_days"), values.get("late_share"))


def _choose_measure(rows: Iterable[Measure], measure: str) -> list[Measure]:
    return [row for row in rows if row.measure == measure]


def _count_reasons(rows: Iterable[Measure]) -> list[tuple[str, int]]:
    cells: Counter[str] = Counter()
    for row in _choose_measure(rows, "quarantine_reason"):
        cells[row.item or ""] += round(row.value or 0)
    return sorted(cells.items(), key=lambda pair: (-pair[1], pair[0]))


def _find_completeness(tables: WeekTables, pack: Pack) -> list[tuple[str, float]]:
    """Return label and share answered of each field over all sources, the least complete first."""
    by_field: dict[str, list[Measure]] = {}
    for row in _choose_measure(tables.measures, "completeness"):
        by_field.setdefault(row.item or "", []).append(row)
    labels = label_fields(pack)
    shares = [(labels.get(name, spell_out(name)), _weigh_share(tables, found)) for name, found in by_field.items()]
    known = [(label, value) for label, value in shares if value is not None]
    return sorted(known, key=lambda pair: (pair[1], pair[0]))


def _weigh_share(tables: WeekTables, rows: Iterable[Measure]) -> float | None:
    """Return a share over all sources: each source's share weighs as many reports as it has this week."""
    known = [(row.value, tables.reports_by_source.get(row.source, 0)) for row in rows if row.value is not None]
    weights = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / weights if weights else None


def _add_up(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _round_number(value: float | None) -> int | None:
    return None if value is None else round(value)
