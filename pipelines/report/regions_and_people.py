"""The sections on regions, and on age and sex."""

from __future__ import annotations

from statistics import median

from pipelines.pages import crosstabs
from pipelines.pages.document import (
    Beside,
    Block,
    Chart,
    DataFiles,
    Folded,
    Group,
    Layout,
    LegendEntry,
    Note,
    Row,
    Section,
    Table,
)
from pipelines.pages.labels import LEVELS, UNKNOWN, plain
from pipelines.pages.plots import HeatMap, Pyramid
from pipelines.pages.values import Bars, Cell, Change, Column, Dated, Kind
from pipelines.report.alarms import find_alarm_weeks
from pipelines.report.curves import count_series
from pipelines.report.levels_and_causes import LEVEL_LEGEND
from pipelines.report.rows import GroupCount, RegionCount
from pipelines.report.week import WEEKS_SHOWN, WeekTables
from pipelines.report.wording import HEAT_MAP_CAPTION
from pipelines.text import many
from schemas.fields import AGE_BANDS, SEXES

REGIONS_SHOWN = 20
PYRAMID_LEGEND = (LegendEntry("Reports", "plain"), LegendEntry("of these, emergencies", "emergency"))


def sort_named_regions(tables: WeekTables) -> list[RegionCount]:
    """Return this week's regions, that with most reports first; the one that is not known is none of them."""
    rows = (row for row in tables.now(tables.regions) if row.region != UNKNOWN)
    return sorted(rows, key=lambda row: (-row.reports, row.region))


def region_section(tables: WeekTables) -> Section:
    """State the regions: their weeks as a heat map, this week as a table."""
    if not _all_regions(tables):
        empty = Table("regions", (), (), empty="No regions are recorded for this week.")
        return Section("regions", "Regions", [empty, DataFiles(("weekly_regions",))])
    shown = sort_named_regions(tables)[:REGIONS_SHOWN]
    this_week: list[Block] = [_region_table(tables), *_regions_left_out(tables)]
    if shown:
        ranges = Folded(f"The {WEEKS_SHOWN} weeks of each region as a table", [_range_table(tables, shown)])
        blocks: list[Block] = [_heat_map(tables, shown), ranges, Group("This week", this_week)]
    else:
        blocks = this_week
    return Section("regions", "Regions", [*blocks, DataFiles(("weekly_regions",))])


def _all_regions(tables: WeekTables) -> list[RegionCount]:
    """The regions that the table shows; the one not known comes last."""
    unknown = [row for row in tables.now(tables.regions) if row.region == UNKNOWN and row.reports]
    return [*sort_named_regions(tables)[:REGIONS_SHOWN], *unknown]


def _heat_map(tables: WeekTables, shown: list[RegionCount]) -> Chart:
    series = [(row.region, f"region={row.region}") for row in shown]
    rows = [
        crosstabs.HeatRow(region, count_series(tables, name), find_alarm_weeks(tables, name)) for region, name in series
    ]
    legend = [_step(f"from {multiple:g} times the median", shade) for multiple, shade in crosstabs.STEPS if multiple]
    return Chart(
        "regions-by-week",
        "Reports by region and week",
        HeatMap(tables.axis, rows),
        caption=HEAT_MAP_CAPTION,
        legend=[*legend, _step("less", crosstabs.STEPS[-1][1])],
    )


def _step(words: str, shade: float) -> LegendEntry:
    return LegendEntry(words, opacity=shade)


def _range_table(tables: WeekTables, shown: list[RegionCount]) -> Table:
    """The heat map as numbers: of each region the lowest, middle and highest week and this one."""
    columns = (
        Column("Region"),
        Column("Lowest week", Kind.COUNT),
        Column("Median", Kind.DECIMAL),
        Column("Highest week", Kind.COUNT),
        Column("This week", Kind.COUNT),
        Column("Alarms", Kind.COUNT),
    )
    return Table("ranges", columns, [_range_row(tables, row.region) for row in shown])


def _range_row(tables: WeekTables, region: str) -> Row:
    series = f"region={region}"
    counts = count_series(tables, series)
    known = [(count, week) for count, week in zip(counts, tables.axis, strict=True) if count is not None]
    highest, week = max(known, key=lambda pair: pair[0])
    numbers = [count for count, _ in known]
    cells = (
        region,
        min(numbers),
        median(numbers),
        Dated(highest, week.label),
        counts[-1],
        sum(find_alarm_weeks(tables, series)),
    )
    return Row(cells, key=region)


def _region_table(tables: WeekTables) -> Table:
    columns = (
        Column("Region"),
        Column("Reports by level", Kind.BARS),
        Column("Reports", Kind.COUNT),
        Column("Change", Kind.CHANGE),
        *(Column(label, Kind.COUNT) for label in LEVELS.values()),
        Column("Severe pain", Kind.COUNT),
    )
    longest = max(row.reports for row in tables.now(tables.regions))
    rows = [_region_row(row, longest) for row in _all_regions(tables)]
    return Table("regions", columns, rows, legend=LEVEL_LEGEND)


def _region_row(row: RegionCount, longest: int) -> Row:
    cells: tuple[Cell, ...] = (
        row.region if row.region != UNKNOWN else "not known",
        Bars(list(row.by_level.items()), longest),
        row.reports,
        Change(row.reports, row.previous_week),
        *row.by_level.values(),
        row.severe_pain,
    )
    return Row(cells, key=row.region)


def _regions_left_out(tables: WeekTables) -> list[Block]:
    rest = sort_named_regions(tables)[REGIONS_SHOWN:]
    if not rest:
        return []
    reports = many(sum(row.reports for row in rest), "report")
    verb = "is" if len(rest) == 1 else "are"
    return [Note(f"{many(len(rest), 'more region')} with {reports} together {verb} in the CSV.")]


def people_section(tables: WeekTables) -> Section:
    """State age bands by sex, as a pyramid and as a table."""
    pyramid = Chart(
        "age-and-sex",
        "Reports by age and sex",
        Pyramid(("Female", "Male"), [_pair(tables, band) for band in _age_bands(tables)], "emergencies"),
        caption="Reports of this week; both sides on one scale. Other and unknown sex are in the table alone.",
        legend=PYRAMID_LEGEND,
    )
    blocks: list[Block] = [Beside(pyramid, _people_table(tables)), DataFiles(("weekly_demographics",))]
    return Section("people", "Age and sex", blocks)


def _age_bands(tables: WeekTables) -> list[str]:
    """The oldest first, as a pyramid has them."""
    seen = {row.age_band for row in tables.groups}
    return [*reversed(AGE_BANDS), *sorted(seen - {*AGE_BANDS, UNKNOWN}), UNKNOWN]


def _pair(tables: WeekTables, band: str) -> crosstabs.Pair:
    nobody = GroupCount(band, "", 0, 0)
    by_sex = {row.sex: row for row in tables.groups if row.age_band == band}
    female, male = by_sex.get("female", nobody), by_sex.get("male", nobody)
    return crosstabs.Pair(band, female.reports, male.reports, female.emergency, male.emergency)


def _people_table(tables: WeekTables) -> Table:
    counts = {(row.age_band, row.sex): row.reports for row in tables.groups}
    sexes = [*SEXES, *sorted({row.sex for row in tables.groups} - set(SEXES))]
    bands = _age_bands(tables)
    columns = (Column("Age"), *(Column(plain(sex), Kind.COUNT) for sex in sexes))
    rows = [Row((band, *(counts.get((band, sex), 0) for sex in sexes))) for band in bands]
    total = Row(("All", *(sum(counts.get((band, sex), 0) for band in bands) for sex in sexes)))
    return Table("people", columns, rows, total, layout=Layout.TIGHT)
