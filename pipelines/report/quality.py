"""The week's data quality: by source, in total, why cells were refused, how complete the answers are."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.report.labels import field_labels, plain
from pipelines.report.week import Row, WeekTables
from schemas.pack import Pack

REASONS_SHOWN = 12
LATE_DAYS = 7
ROW_MEASURES = ("rows_accepted", "rows_quarantined", "rows_duplicate", "rows_out_of_scope")
COUNT_MEASURES = ("files_accepted", "files_rejected", "rows_read", *ROW_MEASURES, "rows_superseded")


def quality(tables: WeekTables, pack: Pack) -> Row:
    """Data quality of the week: by source, in total, why cells were refused, how complete the answers are."""
    rows = tables.now("weekly_quality")
    sources = [
        {"source": source} | _measures(row for row in rows if row["source"] == source)
        for source in sorted({row["source"] for row in rows})
    ]
    total = {name: _sum(source[name] for source in sources) for name in COUNT_MEASURES}
    reasons = _reasons(rows)
    return {
        "sources": sources,
        "total": total,
        "late_share": _weighted(tables, [r for r in rows if r["measure"] == "late_share"]),
        "balanced": (total["rows_read"] or 0) == sum(total[name] or 0 for name in ROW_MEASURES),
        "reasons": reasons[:REASONS_SHOWN],
        "reasons_more": len(reasons[REASONS_SHOWN:]),
        "most_cells": max((cells for _, cells in reasons), default=0),
        "completeness": _completeness(tables, pack, rows),
    }


def _measures(rows: Iterable[Row]) -> Row:
    """One source's measures; None where the week has no such row."""
    found = {row["measure"]: row["value"] for row in rows if row["item"] is None}
    counts = {name: _whole(found.get(name)) for name in COUNT_MEASURES}
    return counts | {name: found.get(name) for name in ("median_delay_days", "late_share")}


def _reasons(rows: Iterable[Row]) -> list[tuple[str, int]]:
    cells: dict[str, int] = {}
    for row in rows:
        if row["measure"] == "quarantine_reason":
            cells[row["item"]] = cells.get(row["item"], 0) + round(row["value"])
    return sorted(cells.items(), key=lambda pair: (-pair[1], pair[0]))


def _completeness(tables: WeekTables, pack: Pack, rows: Iterable[Row]) -> list[tuple[str, float]]:
    """Label and share answered of each field over all sources, the least complete first."""
    by_field: dict[str, list[Row]] = {}
    for row in rows:
        if row["measure"] == "completeness":
            by_field.setdefault(row["item"], []).append(row)
    labels = field_labels(pack)
    shares = [(labels.get(name, plain(name)), _weighted(tables, found)) for name, found in by_field.items()]
    known = [(label, value) for label, value in shares if value is not None]
    return sorted(known, key=lambda pair: (pair[1], pair[0]))


def _weighted(tables: WeekTables, rows: Iterable[Row]) -> float | None:
    """A share over all sources: each source's share weighs as many reports as it has this week."""
    known = [(row["value"], tables.reports_by_source.get(row["source"], 0)) for row in rows]
    known = [(value, weight) for value, weight in known if value is not None]
    weights = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / weights if weights else None


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
