"""The sections on regions, and on age and sex."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.pages import crosstabs
from pipelines.pages.charts import Series
from pipelines.pages.document import (
    Beside,
    Block,
    Chart,
    DataFiles,
    Gallery,
    Layout,
    LegendEntry,
    Note,
    Row,
    Section,
    Table,
)
from pipelines.pages.labels import LEVELS, UNKNOWN, spell_out
from pipelines.pages.plots import SMALL, Pyramid, WeeklyColumns
from pipelines.pages.values import Bars, Cell, Column, Kind
from pipelines.report.comparisons import make_comparison_cells, make_comparison_columns
from pipelines.report.curves import EMERGENCY_IN, count_series
from pipelines.report.rows import GroupCount, RegionCount
from pipelines.report.sections.key_numbers import LEVEL_LEGEND
from pipelines.report.week import WEEKS_SHOWN, WeekTables
from pipelines.report.wording import RATES_NOTE
from pipelines.text import pluralise
from schemas.fields import AGE_BANDS, SEXES

REGIONS_SHOWN, REGIONS_DRAWN = 20, 10
PYRAMID_LEGEND = (LegendEntry("Reports", "plain"), LegendEntry("of these, emergencies", "emergency"))


def sort_named_regions(tables: WeekTables) -> list[RegionCount]:
    """Return this week's regions, that with most reports first; the one that is not known is none of them."""
    rows = (row for row in tables.now(tables.regions) if row.region != UNKNOWN)
    return sorted(rows, key=lambda row: (-row.reports, row.region))


def make_region_section(tables: WeekTables) -> Section:
    """State the regions: this week as a table, their emergencies over the weeks as small charts."""
    files = DataFiles(("weekly_regions", "weekly_rates") if tables.rates else ("weekly_regions",))
    if not _list_regions(tables):
        empty = Table("regions", (), (), empty="No regions are recorded for this week.")
        return Section("regions", "Regions", [empty, files])
    blocks: list[Block] = [_make_region_table(tables), *_note_regions_left_out(tables)]
    if tables.rates:
        kinds = sorted({row.denominator_kind for row in tables.rates.values()})
        blocks.append(Note(RATES_NOTE.format(of=" or ".join(kinds))))
    drawn = sorted(sort_named_regions(tables), key=lambda row: -row.emergency)[:REGIONS_DRAWN]
    if drawn:
        charts = [_make_emergency_chart(tables, row.region, place) for place, row in enumerate(drawn, 1)]
        caption = f"Emergencies a week over {WEEKS_SHOWN} weeks, each region on its own scale; most emergencies first."
        blocks.append(Gallery(charts, across=5, name="region-curves", caption=caption))
    return Section("regions", "Regions", [*blocks, files], _describe_above(tables))


def _describe_above(tables: WeekTables) -> str:
    """How many regions are above their expected range; empty if none could be judged."""
    regions = [f"region={row.region}" for row in sort_named_regions(tables)]
    reports, emergencies = (_list_levels(tables, [name + part for name in regions]) for part in ("", EMERGENCY_IN))
    if not reports:
        return ""
    above = [sum(level == "above" for level in levels) or "none" for levels in (reports, emergencies)]
    return f"Above their expected range: {above[0]} of {len(reports)} with all reports, {above[1]} with emergencies."


def _list_levels(tables: WeekTables, names: Sequence[str]) -> list[str]:
    """The levels of those that could be judged."""
    rows = [tables.judged_now.get(name) for name in names]
    return [row.level for row in rows if row and row.level]


def _list_regions(tables: WeekTables) -> list[RegionCount]:
    """Return the regions that the table shows; the one not known comes last."""
    unknown = [row for row in tables.now(tables.regions) if row.region == UNKNOWN and row.reports]
    return [*sort_named_regions(tables)[:REGIONS_SHOWN], *unknown]


def _make_emergency_chart(tables: WeekTables, region: str, place: int) -> Chart:
    counts = count_series(tables, f"region={region}{EMERGENCY_IN}")
    plot = WeeklyColumns(tables.axis, [Series("Emergencies", "emergency", counts)], SMALL)
    return Chart(f"region-{place}", f"{region}: emergencies a week", plot, label=f"{region}: {counts[-1] or 0:,}")


def _make_region_table(tables: WeekTables) -> Table:
    rates = (Column("Emergencies per 100,000", Kind.TENTHS), Column("Reports per 100,000", Kind.TENTHS))
    columns = (
        Column("Region"),
        Column("Reports by level", Kind.BARS),
        *(Column(label, Kind.COUNT) for label in LEVELS.values()),
        Column("All reports", Kind.COUNT),
        *make_comparison_columns(tables),
        *(rates if tables.rates else ()),
    )
    longest = max(row.reports for row in tables.now(tables.regions))
    return Table(
        "regions",
        columns,
        [_make_region_row(tables, row, longest) for row in _list_regions(tables)],
        legend=LEVEL_LEGEND,
    )


def _make_region_row(tables: WeekTables, row: RegionCount, longest: int) -> Row:
    rate = tables.rates.get(row.region)
    rates = (rate.emergency_rate, rate.reports_rate) if rate else (None, None)
    cells: tuple[Cell, ...] = (
        row.region if row.region != UNKNOWN else "not known",
        Bars(list(row.by_level.items()), longest),
        *row.by_level.values(),
        row.reports,
        *make_comparison_cells(tables, f"region={row.region}"),
        *(rates if tables.rates else ()),
    )
    return Row(cells, key=row.region)


def _note_regions_left_out(tables: WeekTables) -> list[Block]:
    rest = sort_named_regions(tables)[REGIONS_SHOWN:]
    if not rest:
        return []
    reports = pluralise(sum(row.reports for row in rest), "report")
    verb = "is" if len(rest) == 1 else "are"
    return [Note(f"{pluralise(len(rest), 'more region')} with {reports} together {verb} in the CSV.")]


def make_people_section(tables: WeekTables) -> Section:
    """State age bands by sex, as a pyramid and as a table."""
    pyramid = Chart(
        "age-and-sex",
        "Reports by age and sex",
        Pyramid(("Female", "Male"), [_make_pair(tables, band) for band in _list_age_bands(tables)], "emergencies"),
        caption="Reports of this week; both sides on one scale. Other and unknown sex are in the table alone.",
        legend=PYRAMID_LEGEND,
    )
    known = [row for row in tables.groups if row.reports and (row.age_band, row.sex) != (UNKNOWN, UNKNOWN)]
    is_told = known or not any(row.reports for row in tables.groups)
    shown = Beside(pyramid, _make_people_table(tables)) if is_told else Note("No report of this week tells age or sex.")
    return Section("people", "Age and sex", [shown, DataFiles(("weekly_demographics",))])


def _list_age_bands(tables: WeekTables) -> list[str]:
    """The oldest first, as a pyramid has them."""
    seen = {row.age_band for row in tables.groups}
    return [*reversed(AGE_BANDS), *sorted(seen - {*AGE_BANDS, UNKNOWN}), UNKNOWN]


def _make_pair(tables: WeekTables, band: str) -> crosstabs.Pair:
    nobody = GroupCount(band, "", 0, 0)
    by_sex = {row.sex: row for row in tables.groups if row.age_band == band}
    female, male = by_sex.get("female", nobody), by_sex.get("male", nobody)
    return crosstabs.Pair(band, female.reports, male.reports, female.emergency, male.emergency)


def _make_people_table(tables: WeekTables) -> Table:
    counts = {(row.age_band, row.sex): row.reports for row in tables.groups}
    sexes = [*SEXES, *sorted({row.sex for row in tables.groups} - set(SEXES))]
    bands = _list_age_bands(tables)
    columns = (Column("Age"), *(Column(spell_out(sex), Kind.COUNT) for sex in sexes))
    rows = [Row((band, *(counts.get((band, sex), 0) for sex in sexes))) for band in bands]
    total = Row(("All", *(sum(counts.get((band, sex), 0) for band in bands) for sex in sexes)))
    return Table("people", columns, rows, total, layout=Layout.TIGHT)
