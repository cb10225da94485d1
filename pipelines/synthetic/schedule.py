"""How many reports fall on which day, and which delivery file brings them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.errors import UsageError
from pipelines.synthetic.draws import draw_normal, draw_uniform
from pipelines.synthetic.model import CAUSES, MODEL, REGIONS, Cause, Files
from pipelines.synthetic.outbreak import MAX_WEEKS, Outbreak

MAX_REPORTS = 1_000_000_000  # numbers are mixed in 32 bits
EPOCH = date(1970, 1, 1)
PART_ROWS = 500_000  # a part's numbers are held in memory, 8 bytes each
WHOLE = 65536  # a draw is 0..65535; every probability becomes a share of this


@dataclass(frozen=True)
class Block:
    """Reports of one day in one delivery file; shares are of 65536. The columns of the table `blocks`.

    A part is what one thread writes at a time: a file, or so many whole days of it as PART_ROWS allows.
    """

    part_number: int
    file_number: int
    day_number: int
    first_row: int
    row_count: int
    is_late: bool
    outbreak_share: int
    summer_share: int


def list_days(weeks: int, end: date) -> list[date]:
    """Return every day of the whole ISO weeks up to the one that is over at the end of `end`."""
    if not 1 <= weeks <= MAX_WEEKS:
        raise UsageError(f"--weeks must be 1 to {MAX_WEEKS}, not {weeks}")
    last_sunday = end.toordinal() - end.isoweekday() % 7
    first_monday = last_sunday - 7 * weeks + 1
    if first_monday < date(2000, 1, 1).toordinal() or last_sunday > date(2099, 12, 31).toordinal():
        raise UsageError(f"{weeks} weeks up to {end} leave the years 2000 to 2099, which reports may carry")
    return [date.fromordinal(day) for day in range(first_monday, last_sunday + 1)]


def check_sizes(reports: int, days: Sequence[date], outbreak: Outbreak | None) -> None:
    if not 1 <= reports <= MAX_REPORTS:
        raise UsageError(f"--reports must be 1 to {MAX_REPORTS}, not {reports}")
    if outbreak and not any(outbreak.covers(day) for day in days):
        raise UsageError(f"--outbreak: its weeks lie outside the reports' {days[0]} to {days[-1]}")


def _measure_summer(day: date) -> float:
    """0 at the depth of winter to 1 at the height of summer."""
    return (1 + math.cos(2 * math.pi * (day.timetuple().tm_yday - MODEL.peak_day) / 365.25)) / 2


def _weigh_cause(cause: Cause, day: date) -> float:
    return cause.winter + (cause.summer - cause.winter) * _measure_summer(day)


def _weigh_all_causes(day: date) -> float:
    return sum(_weigh_cause(cause, day) for cause in CAUSES)


def _compute_excess(day: date, outbreak: Outbreak | None) -> float:
    """Return the outbreak's extra reports on that day, as a fraction of all others."""
    if outbreak is None or not outbreak.covers(day):
        return 0.0
    cause = next(cause for cause in CAUSES if cause.name == outbreak.cause)
    size = next(region.size for region in REGIONS if region.name == outbreak.region)
    share = _weigh_cause(cause, day) / _weigh_all_causes(day) * size / sum(region.size for region in REGIONS)
    return (outbreak.factor - 1) * share


def count_by_day(reports: int, days: Sequence[date], seed: int, outbreak: Outbreak | None) -> list[tuple[date, int]]:
    """Season, week-day, outbreak and chance decide each day's part; the parts add up to `reports`."""
    usual = [
        _weigh_all_causes(day) * MODEL.weekdays[day.weekday()] * (1 + _compute_excess(day, outbreak)) for day in days
    ]
    mean_of = reports / sum(usual)
    parts = [round(1000 * _add_noise(part * mean_of, day, seed)) for part, day in zip(usual, days, strict=True)]
    return list(zip(days, _split(reports, parts), strict=True))


def _add_noise(mean: float, day: date, seed: int) -> float:
    """Chance as in counts (its square root), and a few percent for whatever makes weeks and days differ."""
    week = 1 + 0.03 * draw_normal(seed, "week", day.isocalendar()[:2])
    own = 0.03 * mean * draw_normal(seed, "day", day) + math.sqrt(mean) * draw_normal(seed, "count", day)
    return max(0.001, mean * week + own)


def _split(total: int, parts: Sequence[int]) -> list[int]:
    """Whole numbers in proportion to the parts that add up to the total (largest remainders)."""
    whole = sum(parts)
    quotas = [divmod(total * part, whole) for part in parts]
    left = total - sum(quota for quota, _ in quotas)
    largest = set(sorted(range(len(parts)), key=lambda place: (-quotas[place][1], place))[:left])
    return [quota + (place in largest) for place, (quota, _) in enumerate(quotas)]


def name_deliveries(days: Sequence[date], files: Files) -> dict[date, str]:
    """Return the name of the file that each day's reports belong in, without its ending."""
    if files == "single":
        return dict.fromkeys(days, "all")
    if files == "daily":
        return {day: day.isoformat() for day in days}
    return {day: "{}-W{:02}".format(*day.isocalendar()) for day in days}


def share_out(
    counts: Sequence[tuple[date, int]],
    deliveries: dict[date, str],
    seed: int,
    files: Files,
    outbreak: Outbreak | None,
) -> list[Block]:
    """Return every day's reports shared out to their delivery files, in the order of file and day."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(deliveries.values()))}
    pieces = []
    for day, count in counts:
        own = numbers[deliveries[day]]
        for number, piece in _assign_to_files(day, count, own, len(numbers) - 1, seed, files).items():
            pieces.append((number, day, piece, number > own))
    return list(_number_blocks(sorted(pieces), outbreak))


def _assign_to_files(day: date, count: int, own: int, last: int, seed: int, files: Files) -> dict[int, int]:
    """File number -> reports of that day in it. What would come after the last file comes with it."""
    pieces = {own: count}
    for delay, percent in MODEL.delays[files].items():
        number = min(own + int(delay), last)
        late = min(int(count * percent / 100 + draw_uniform(seed, "late", day, delay)), pieces[own])
        pieces[own] -= late
        pieces[number] = pieces.get(number, 0) + late
    return {number: piece for number, piece in pieces.items() if piece}


def _number_blocks(pieces: Iterable[tuple[int, date, int, bool]], outbreak: Outbreak | None) -> Iterator[Block]:
    """Yield the blocks with consecutive report numbers, in parts that PART_ROWS bounds."""
    part, part_file, part_start, first_row = -1, -1, 0, 0
    for number, day, count, late in pieces:
        if number != part_file or first_row + count - part_start > PART_ROWS:
            part, part_file, part_start = part + 1, number, first_row
        yield Block(part, number, (day - EPOCH).days, first_row, count, late, *_compute_day_shares(day, outbreak))
        first_row += count


def _compute_day_shares(day: date, outbreak: Outbreak | None) -> tuple[int, int]:
    """Of 65536 reports, how many are the outbreak's; of the others, how many follow the summer mix."""
    excess = _compute_excess(day, outbreak)
    summer = _measure_summer(day) * sum(cause.summer for cause in CAUSES) / _weigh_all_causes(day)
    return round(WHOLE * excess / (1 + excess)), round(WHOLE * summer)
