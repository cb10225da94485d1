"""Synthetic calf pain reports: a year with its seasons, regions, forms, late post and, if asked, an outbreak.

Nothing in here is measured or clinical: every number below is invented so that the reports look plausible,
and the rules and the signals have something to find. The same arguments give the same bytes.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass
from datetime import date
from importlib.resources import files as package_files
from itertools import accumulate
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

import duckdb

from pipelines.connections import connect
from pipelines.errors import CalfwatchError, UsageError
from schemas.fields import AGE_BANDS

Files = Literal["weekly", "daily", "single"]
Progress = Callable[[int, int], None]

MAX_REPORTS = 1_000_000_000  # numbers are mixed in 32 bits
MAX_WEEKS = 1040
EPOCH = date(1970, 1, 1)
PART_ROWS = 500_000  # a part's numbers are held in memory, 8 bytes each
WHOLE = 65536  # a draw is 0..65535; every probability becomes a share of this


@dataclass(frozen=True)
class Cause:
    """One true cause. Percentages, except the medians: pain in points of 10, duration in days."""

    name: str
    winter: float
    summer: float
    severities: tuple[float, float, float]
    female: float
    ages: tuple[float, float, float, float, float, float]
    pain: float
    duration: float


@dataclass(frozen=True)
class Region:
    """One region: its share of the reports, how slow its post is, and which forms it fills in."""

    name: str
    size: float
    slowness: float
    forms: tuple[float, float, float]


# `winter` and `summer` are reports per day on one scale: their sums make the season of the whole.
CAUSES = (
    #     name, reports in winter and summer, severities, female, ages from 0-17 to 75+, pain, days
    Cause("muscle_cramp", 15, 23, (56, 36, 8), 54, (5, 13, 18, 22, 26, 16), 5.6, 2),
    Cause("overuse_strain", 15, 23, (50, 41, 9), 45, (9, 28, 29, 22, 10, 2), 4.6, 6),
    Cause("contusion_or_laceration", 8, 12, (50, 39, 11), 42, (26, 24, 18, 14, 11, 7), 5.2, 3),
    Cause("muscle_or_tendon_tear", 4.5, 6, (10, 48, 42), 36, (2, 14, 35, 34, 12, 3), 6, 2.5),
    Cause("cellulitis", 4.5, 7.5, (26, 46, 28), 49, (4, 8, 14, 23, 28, 23), 5, 4),
    Cause("deep_vein_thrombosis", 6, 5, (24, 46, 30), 50, (1, 7, 15, 24, 31, 22), 5, 5),
    Cause("peripheral_artery_disease", 8, 6, (36, 45, 19), 40, (0, 1, 4, 20, 43, 32), 4.4, 75),
    Cause("varicose_veins", 8, 10, (56, 37, 7), 68, (0, 5, 18, 29, 31, 17), 3, 60),
    Cause("nerve_condition", 8, 7, (40, 45, 15), 51, (1, 6, 15, 28, 31, 19), 4.6, 45),
    Cause("unspecific", 18, 13, (68, 28, 4), 56, (8, 17, 22, 22, 19, 12), 4.6, 6.5),
)
SEVERITIES = ("mild", "moderate", "severe")
PAIN_SHIFT = (-1.2, 0.0, 2.0)
DURATION_FACTOR = (0.6, 1.0, 1.3)
OTHER_SEX, UNKNOWN_SEX = 0.8, 1.2  # percent; what is left beside `female` is male

# Percent of people with a moderate case who would answer yes, by true cause (same order as CAUSES).
SYMPTOMS = """
                          cramp strain bruise   tear cellul    dvt artery  varic  nerve unspec
cannot_bear_weight          1.2    1.6      6     27      9     10    1.5    0.3    1.5    0.4
redness                       1      2     22      6     88     35      3      8      1      2
calf_swelling                 3      8     30     35     70     75      3     18      3      4
leg_swelling                  1      3     10     14     45     70      4     25      3      4
warmth                        2      4     12      8     80     60      1      6      2      2
fever                       0.5    0.5      1    0.5     45      6    0.5    0.5    0.5      1
shortness_of_breath         0.5    0.5    0.5    0.5      3     16      4      1    0.5      1
tenderness                   25     40     70     65     70     62      6     18     10     15
streaks                     0.3    0.3      4      1     22      3    0.5      3    0.3    0.5
lump                          2      3     10      7      6      6    0.5      8    0.8      2
cooler_leg                  0.5    0.5    0.5      1    0.5    1.5     40      1      4      1
paler_leg                   0.5    0.5    0.5      1    0.5      2     36    0.7      2      1
pain_after_exertion           4     12      4      7      2      5     60      9      7      6
sensation_loss                1      1      2      4      2      2     12      2     60      1
pain_after_sitting            2      2      1      1      1     32      6     14     10      4
pop_at_onset                0.5      4      2     70    0.3    0.3    0.2    0.2    0.5    0.5
worse_despite_self_care       3      7      6     18     27     24     15      9     15      6
not_improving                 5     13      8     27     32     30     26     17     30     13
cramping                     85     12      4      8      2      6     14     14     10     10
dehydration                  30      6      2      2      5      2      2      3      2      4
skin_break                  0.5    0.5     25      2     55      1      2      2    0.5      1
direct_blow                   1      3     88      8     10      2      1      2      1      2
overuse                      25     80      6     30      1      1      3      3      4     10
visible_veins                 1      1      1      1      3      6      4     70      2      3
"""
SEVERITY_ODDS = (0.4, 1.0, 2.6)
# what happened before does not depend on how bad it became
HISTORY = {"dehydration", "skin_break", "direct_blow", "overuse", "visible_veins", "pop_at_onset"}

REGIONS = (
    Region("harbour", 22, 0.8, (54, 31, 15)),
    Region("north", 17, 0.8, (64, 21, 15)),
    Region("riverbend", 14, 1.0, (60, 26, 14)),
    Region("oldtown", 11, 0.7, (70, 20, 10)),
    Region("south", 9, 1.0, (50, 31, 19)),
    Region("east", 8, 1.0, (58, 23, 19)),
    Region("west", 6, 1.3, (63, 25, 12)),
    Region("lakes", 5, 1.5, (46, 23, 31)),
    Region("hills", 3.5, 2.5, (40, 26, 34)),
    Region("moor", 2.2, 3.0, (36, 34, 30)),
    Region("border", 1.5, 2.0, (60, 24, 16)),
    Region("islands", 0.8, 5.0, (30, 24, 46)),
)
# complete: everything is asked; hurried: some answers are skipped; short: some questions are not on the form
FORMS = ("complete", "hurried", "short")
NO_PERSON = (1.0, 7.0, 3.0)  # percent without age band; the same, on its own, without sex
NO_NUMBER = (0.3, 9.0, 4.0)  # percent without pain score; the same, on its own, without duration
NO_ANSWER = 11.0  # percent of a hurried form's answers that are blank
NO_REGION = 0.7  # percent
SHORT_FORM_OMITS = {
    "streaks", "lump", "cooler_leg", "paler_leg", "sensation_loss", "pain_after_sitting",
    "not_improving", "dehydration", "skin_break", "overuse", "visible_veins",
}  # fmt: skip

WEEKDAYS = (1.28, 1.10, 1.03, 1.00, 0.98, 0.72, 0.62)  # Monday first
# reports in each hour of the day (UTC), in parts of 128
HOURS = (1, 1, 1, 1, 1, 2, 4, 7, 10, 11, 10, 9, 8, 8, 8, 8, 7, 7, 6, 6, 5, 4, 2, 1)  # fmt: skip
PEAK_DAY = 196  # day of the year on which the summer mix is strongest
# how far a duration is from its median, in hundredths, at every sixteenth of the reports
STRETCH = (4, 12, 20, 30, 41, 53, 67, 83, 100, 121, 146, 176, 214, 264, 340, 480, 800)
# the choices of a report with a draw of their own; every symptom adds one for its answer, one for its blank
STREAMS = (
    "outbreak", "season", "cause", "region", "severity", "form", "time", "age", "sex", "pain", "duration",
    "no_region", "no_age", "no_sex", "no_pain", "no_duration",
)  # fmt: skip
# delay in delivery files -> percent of a day's reports that come so late
DELAYS: dict[Files, dict[int, float]] = {
    "weekly": {1: 3.0, 2: 1.2, 3: 0.6, 5: 0.2},
    "daily": {1: 3.0, 2: 1.5, 5: 1.0, 9: 0.8, 16: 0.5},
    "single": {},
}


@dataclass(frozen=True)
class Outbreak:
    """More reports of one cause in one region: `factor` times the usual for `weeks` weeks from `week_start`.

    `week_start` is a Monday. Raises UsageError on an unknown cause or region and on numbers without sense.
    """

    cause: str
    region: str
    week_start: date
    weeks: int
    factor: float

    def __post_init__(self) -> None:
        _known("cause", self.cause, [cause.name for cause in CAUSES])
        _known("region", self.region, [region.name for region in REGIONS])
        if self.week_start.isoweekday() != 1:
            raise UsageError(f"--outbreak: the week must start on a Monday, {self.week_start} is none")
        if not 1 <= self.weeks <= MAX_WEEKS:
            raise UsageError(f"--outbreak: weeks must be 1 to {MAX_WEEKS}, not {self.weeks}")
        if not 1 < self.factor <= 1000:
            raise UsageError(f"--outbreak: factor must be above 1 and at most 1000, not {self.factor:g}")

    @classmethod
    def parse(cls, text: str) -> Outbreak:
        """`cause:region:2026-W40:weeks:factor` as an outbreak; raises UsageError on anything else."""
        parts = text.split(":")
        if len(parts) != 5:
            raise UsageError(
                f"--outbreak {text!r}: expected CAUSE:REGION:WEEK:WEEKS:FACTOR, "
                "for example cellulitis:harbour:2026-W40:3:4"
            )
        cause, region, week, weeks, factor = parts
        return cls(cause, region, _monday(week), _whole(weeks), _number(factor))

    def covers(self, day: date) -> bool:
        """Whether the outbreak is on at that day."""
        return 0 <= (day - self.week_start).days < 7 * self.weeks


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


def generate(
    out: Path,
    *,
    reports: int,
    weeks: int,
    seed: int,
    end: date,
    outbreak: Outbreak | None = None,
    files: Files = "weekly",
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Write `reports` reports of `weeks` whole ISO weeks; return the CSVs in delivery order.

    The last week is the latest that is over at the end of the day `end`. The CSVs are `out/reports/*.csv`,
    named so that path order is delivery order; the true causes are in `out/labels/*.tsv`, one file each and
    row for row, out of reach of `calfwatch ingest`. Times are UTC. A delivery without reports is not written.
    `threads` changes the speed alone; `progress` is called with (parts written, parts in all).

    Raises UsageError on values out of range, an outbreak outside the weeks, and a folder that holds files.
    """
    days = _days(weeks, end)
    _check(reports, days, outbreak)
    deliveries = _deliveries(days, files)
    blocks = _blocks(_reports_per_day(reports, days, seed, outbreak), deliveries, seed, files, outbreak)
    # reports of other seeds, sizes or weeks share no ids, so that they can be ingested side by side
    statements = _statements(f"{seed}:{reports}:{days[0]}:{weeks}", outbreak)
    with _staging(out) as staging, _databases(staging, statements, blocks, threads) as databases:
        names = _write_files(databases, staging, blocks, list(dict.fromkeys(deliveries.values())), progress)
        _publish(staging, out)
    return [out / "reports" / f"{name}.csv" for name in names]


def symptom_fields() -> tuple[str, ...]:
    """The yes/no fields of the calf pain pack, in its order. Raises ValueError when SYMPTOMS lacks one."""
    text = (package_files("data.rules") / "calf_pain.toml").read_text(encoding="utf-8")
    names = tuple(field["name"] for field in tomllib.loads(text)["fields"])
    if missing := set(names) - set(_symptom_table()):
        raise ValueError(f"the generator has no probabilities for {', '.join(sorted(missing))}")
    return names


# --- from words to values -------------------------------------------------------------------------


def _known(what: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise UsageError(f"--outbreak: there is no {what} {value!r}; allowed: {', '.join(allowed)}")


def _monday(text: str) -> date:
    """The Monday of an ISO week written `2026-W40`."""
    match = re.fullmatch(r"(\d{4})-W(\d{2})", text)
    try:
        if match:
            return date.fromisocalendar(int(match[1]), int(match[2]), 1)
    except ValueError:
        pass  # the year has no such week: the same message as for any other text
    raise UsageError(f"--outbreak: {text!r} is not an ISO week, such as 2026-W40")


def _whole(text: str) -> int:
    if not re.fullmatch(r"\d{1,4}", text):
        raise UsageError(f"--outbreak: weeks must be a whole number from 1 to {MAX_WEEKS}, not {text!r}")
    return int(text)


def _number(text: str) -> float:
    if not re.fullmatch(r"\d{1,4}(\.\d{1,6})?", text):
        raise UsageError(f"--outbreak: factor must be a number above 1 and at most 1000, not {text!r}")
    return float(text)


def _days(weeks: int, end: date) -> list[date]:
    """Every day of the whole ISO weeks up to the one that is over at the end of `end`."""
    if not 1 <= weeks <= MAX_WEEKS:
        raise UsageError(f"--weeks must be 1 to {MAX_WEEKS}, not {weeks}")
    last_sunday = end.toordinal() - end.isoweekday() % 7
    first_monday = last_sunday - 7 * weeks + 1
    if first_monday < date(2000, 1, 1).toordinal() or last_sunday > date(2099, 12, 31).toordinal():
        raise UsageError(f"{weeks} weeks up to {end} leave the years 2000 to 2099, which reports may carry")
    return [date.fromordinal(day) for day in range(first_monday, last_sunday + 1)]


def _check(reports: int, days: Sequence[date], outbreak: Outbreak | None) -> None:
    if not 1 <= reports <= MAX_REPORTS:
        raise UsageError(f"--reports must be 1 to {MAX_REPORTS}, not {reports}")
    if outbreak and not any(outbreak.covers(day) for day in days):
        raise UsageError(f"--outbreak: its weeks lie outside the reports' {days[0]} to {days[-1]}")


# --- how many reports on which day, in which file -------------------------------------------------


def _key(*words: object) -> int:
    """32 bits that depend on the words alone."""
    return int.from_bytes(hashlib.sha256(":".join(map(str, words)).encode()).digest()[:4], "big")


def _stream(*words: object) -> str:
    """The two odd numbers below 2^31 that tell one choice's draws from another's."""
    return f"{_key('stream', 1, *words) >> 1 | 1}, {_key('stream', 2, *words) >> 1 | 1}"


def _uniform(*words: object) -> float:
    """0 to 1, from the words alone."""
    return (_key(*words) + 0.5) / 2**32


def _normal(*words: object) -> float:
    """Close to a standard normal value, from the words alone: twelve uniform values added."""
    return sum(_uniform(*words, number) for number in range(12)) - 6


def _summer(day: date) -> float:
    """0 at the depth of winter to 1 at the height of summer."""
    return (1 + math.cos(2 * math.pi * (day.timetuple().tm_yday - PEAK_DAY) / 365.25)) / 2


def _cause_weight(cause: Cause, day: date) -> float:
    return cause.winter + (cause.summer - cause.winter) * _summer(day)


def _all_causes(day: date) -> float:
    return sum(_cause_weight(cause, day) for cause in CAUSES)


def _excess(day: date, outbreak: Outbreak | None) -> float:
    """The outbreak's extra reports on that day, as a fraction of all others."""
    if outbreak is None or not outbreak.covers(day):
        return 0.0
    cause = next(cause for cause in CAUSES if cause.name == outbreak.cause)
    size = next(region.size for region in REGIONS if region.name == outbreak.region)
    share = _cause_weight(cause, day) / _all_causes(day) * size / sum(region.size for region in REGIONS)
    return (outbreak.factor - 1) * share


def _reports_per_day(
    reports: int, days: Sequence[date], seed: int, outbreak: Outbreak | None
) -> list[tuple[date, int]]:
    """Season, week-day, outbreak and chance decide each day's part; the parts add up to `reports`."""
    usual = [_all_causes(day) * WEEKDAYS[day.weekday()] * (1 + _excess(day, outbreak)) for day in days]
    mean_of = reports / sum(usual)
    parts = [round(1000 * _with_noise(part * mean_of, day, seed)) for part, day in zip(usual, days, strict=True)]
    return list(zip(days, _split(reports, parts), strict=True))


def _with_noise(mean: float, day: date, seed: int) -> float:
    """Chance as in counts (its square root), and a few percent for whatever makes weeks and days differ."""
    week = 1 + 0.03 * _normal(seed, "week", day.isocalendar()[:2])
    own = 0.03 * mean * _normal(seed, "day", day) + math.sqrt(mean) * _normal(seed, "count", day)
    return max(0.001, mean * week + own)


def _split(total: int, parts: Sequence[int]) -> list[int]:
    """Whole numbers in proportion to the parts that add up to the total (largest remainders)."""
    whole = sum(parts)
    quotas = [divmod(total * part, whole) for part in parts]
    left = total - sum(quota for quota, _ in quotas)
    largest = set(sorted(range(len(parts)), key=lambda place: (-quotas[place][1], place))[:left])
    return [quota + (place in largest) for place, (quota, _) in enumerate(quotas)]


def _deliveries(days: Sequence[date], files: Files) -> dict[date, str]:
    """The name of the file that each day's reports belong in, without its ending."""
    if files == "single":
        return dict.fromkeys(days, "all")
    if files == "daily":
        return {day: day.isoformat() for day in days}
    return {day: "{}-W{:02}".format(*day.isocalendar()) for day in days}


def _blocks(
    counts: Sequence[tuple[date, int]],
    deliveries: dict[date, str],
    seed: int,
    files: Files,
    outbreak: Outbreak | None,
) -> list[Block]:
    """Every day's reports shared out to their delivery files, in the order of file and day."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(deliveries.values()))}
    pieces = []
    for day, count in counts:
        own = numbers[deliveries[day]]
        for number, piece in _delivered(day, count, own, len(numbers) - 1, seed, files).items():
            pieces.append((number, day, piece, number > own))
    return list(_numbered(sorted(pieces), outbreak))


def _delivered(day: date, count: int, own: int, last: int, seed: int, files: Files) -> dict[int, int]:
    """File number -> reports of that day in it. What would come after the last file comes with it."""
    pieces = {own: count}
    for delay, percent in DELAYS[files].items():
        number = min(own + delay, last)
        late = min(int(count * percent / 100 + _uniform(seed, "late", day, delay)), pieces[own])
        pieces[own] -= late
        pieces[number] = pieces.get(number, 0) + late
    return {number: piece for number, piece in pieces.items() if piece}


def _numbered(pieces: Iterable[tuple[int, date, int, bool]], outbreak: Outbreak | None) -> Iterator[Block]:
    """The blocks with consecutive report numbers, in parts that PART_ROWS bounds."""
    part, part_file, part_start, first_row = -1, -1, 0, 0
    for number, day, count, late in pieces:
        if number != part_file or first_row + count - part_start > PART_ROWS:
            part, part_file, part_start = part + 1, number, first_row
        yield Block(part, number, (day - EPOCH).days, first_row, count, late, *_day_shares(day, outbreak))
        first_row += count


def _day_shares(day: date, outbreak: Outbreak | None) -> tuple[int, int]:
    """Of 65536 reports, how many are the outbreak's; of the others, how many follow the summer mix."""
    excess = _excess(day, outbreak)
    summer = _summer(day) * sum(cause.summer for cause in CAUSES) / _all_causes(day)
    return round(WHOLE * excess / (1 + excess)), round(WHOLE * summer)


# --- the tables above as SQL ----------------------------------------------------------------------


def _cuts(weights: Sequence[float]) -> list[int]:
    """Where each weight's part of 0..65535 ends."""
    return [round(WHOLE * end / sum(weights)) for end in accumulate(weights)]


def _share(percent: float) -> int:
    return round(WHOLE * percent / 100)


def _list(values: Iterable[object]) -> str:
    return "[" + ", ".join(repr(value) for value in values) + "]"


def _choice(draw: str, weights: Sequence[float]) -> str:
    """SQL: the number, from 1, of the weight that the draw falls into."""
    whens = (f"WHEN {draw} < {cut} THEN {number}" for number, cut in enumerate(_cuts(weights)[:-1], 1))
    return f"CASE {' '.join(whens)} ELSE {len(weights)} END"


def _age_band() -> str:
    """SQL: the age band by true cause."""
    cuts = list(zip(*(_cuts(cause.ages) for cause in CAUSES), strict=True))
    whens = (
        f"WHEN age_draw < ({_list(cut)})[cause_number] THEN '{band}'" for cut, band in zip(cuts, AGE_BANDS, strict=True)
    )
    return f"CASE {' '.join(whens)} END"


def _sex() -> str:
    """SQL: the sex by true cause, and two small shares that do not depend on it."""
    female = _list(_share(cause.female) for cause in CAUSES)
    male, other = WHOLE - _share(OTHER_SEX + UNKNOWN_SEX), WHOLE - _share(UNKNOWN_SEX)
    return (
        f"CASE WHEN sex_draw < ({female})[cause_number] THEN 'female' WHEN sex_draw < {male} THEN 'male' "
        f"WHEN sex_draw < {other} THEN 'other' ELSE 'unknown' END"
    )


def _symptom_table() -> dict[str, list[float]]:
    """SYMPTOMS as field -> percent by cause."""
    rows = (line.split() for line in SYMPTOMS.strip().splitlines()[1:])
    return {name: [float(percent) for percent in percents] for name, *percents in rows}


def _yes_cuts(field: str) -> list[int]:
    """Below which draw the answer is yes, for every cause and, inside it, severity."""
    odds = (1.0, 1.0, 1.0) if field in HISTORY else SEVERITY_ODDS
    shares = [percent / 100 for percent in _symptom_table()[field]]
    return [round(WHOLE * share * ratio / (1 - share + share * ratio)) for share in shares for ratio in odds]


def _answer(field: str) -> str:
    """SQL: yes, no or blank."""
    skipped = f"form_number = 2 AND draw(key_1, key_2, {_stream('blank', field)}) < {_share(NO_ANSWER)}"
    blank = f"form_number = 3 OR ({skipped})" if field in SHORT_FORM_OMITS else skipped
    yes = f"draw(key_1, key_2, {_stream('answer', field)}) < ({_list(_yes_cuts(field))})[profile]"
    return f"yes_no({blank}, {yes}) AS {field}"


def _slots() -> list[tuple[int, int]]:
    """Start and length, in seconds, of 128 stretches of the day that hold as many reports each."""
    starts = [3600 * hour + 3600 * part // parts for hour, parts in enumerate(HOURS) for part in range(parts)]
    return [(start, after - start) for start, after in zip(starts, [*starts[1:], 86400], strict=True)]


def _profiles(values: Callable[[Cause, int], float]) -> str:
    """SQL: a list of one whole number for every cause and, inside it, severity."""
    return _list(round(values(cause, grade)) for cause in CAUSES for grade in range(len(SEVERITIES)))


def _outbreak_parts(outbreak: Outbreak | None) -> dict[str, int]:
    """The numbers of the outbreak's cause and region; without one they are never used."""
    if outbreak is None:
        return {"outbreak_cause": 1, "outbreak_region": 1}
    causes, regions = [cause.name for cause in CAUSES], [region.name for region in REGIONS]
    return {
        "outbreak_cause": 1 + causes.index(outbreak.cause),
        "outbreak_region": 1 + regions.index(outbreak.region),
    }


def _statements(run: str, outbreak: Outbreak | None) -> str:
    """sql/synthetic/generate.sql with everything filled in."""
    text = (package_files("sql") / "synthetic" / "generate.sql").read_text(encoding="utf-8")
    return text.format(**_sql_parts(run, outbreak))


def _sql_parts(run: str, outbreak: Outbreak | None) -> dict[str, object]:
    """What generate.sql leaves open. Another `run` gives other draws throughout."""
    sizes = [region.size for region in REGIONS]
    slots = _slots()
    return {
        **{f"s_{name}": _stream(name) for name in STREAMS},
        **_outbreak_parts(outbreak),
        "run_1": _key("run", 1, run),
        "run_2": _key("run", 2, run),
        "winter_cause": _choice("cause_draw", [cause.winter for cause in CAUSES]),
        "summer_cause": _choice("cause_draw", [cause.summer for cause in CAUSES]),
        "region": _choice("region_draw", sizes),
        "late_region": _choice("region_draw", [region.size * region.slowness for region in REGIONS]),
        "severity_1": _list(_cuts(cause.severities)[0] for cause in CAUSES),
        "severity_2": _list(_cuts(cause.severities)[1] for cause in CAUSES),
        "form_1": _list(_cuts(region.forms)[0] for region in REGIONS),
        "form_2": _list(_cuts(region.forms)[1] for region in REGIONS),
        "slot_start": _list(start for start, _ in slots),
        "slot_seconds": _list(seconds for _, seconds in slots),
        "no_region": _share(NO_REGION),
        "no_person": _list(map(_share, NO_PERSON)),
        "no_number": _list(map(_share, NO_NUMBER)),
        "age_band": _age_band(),
        "sex": _sex(),
        "pain": _profiles(lambda cause, grade: cause.pain + PAIN_SHIFT[grade]),
        "duration": _profiles(lambda cause, grade: 100 * cause.duration * DURATION_FACTOR[grade]),
        "stretch": _list(STRETCH),
        "answers": ",\n        ".join(map(_answer, symptom_fields())),
        "cause_names": _list(cause.name for cause in CAUSES),
        "region_names": _list(region.name for region in REGIONS),
        "severity_names": _list(SEVERITIES),
        "form_names": _list(FORMS),
    }


# --- writing --------------------------------------------------------------------------------------


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """A private folder inside `out` that is gone afterwards, so that a broken run leaves no half output."""
    with _folder_errors(out):
        staging = _staging_folder(out)
    try:
        yield staging
    except duckdb.IOException as error:  # such as a full disk
        raise CalfwatchError(f"--out {out}: {str(error).splitlines()[0]}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _folder_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror}; name a folder that you may write to") from error


def _staging_folder(out: Path) -> Path:
    _private_folder(out)
    _refuse_files_in(out)
    staging = Path(tempfile.mkdtemp(prefix=".calfwatch-generating-", dir=out))
    for folder in (staging, *(staging / name for name in ("reports", "labels", "spill"))):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)
    return staging


def _private_folder(folder: Path) -> None:
    """Make the folder and what is missing above it for the owner alone; an existing one stays as it is."""
    if not folder.exists():
        _private_folder(folder.parent)
        folder.mkdir()
        folder.chmod(0o700)


def _refuse_files_in(out: Path) -> None:
    for folder in (out / "reports", out / "labels"):
        if folder.exists() and any(folder.iterdir()):
            raise UsageError(f"--out {out}: {folder} holds files already; name another folder or empty that one")


@contextmanager
def _databases(
    staging: Path, statements: str, blocks: Sequence[Block], threads: int | None
) -> Iterator[list[duckdb.DuckDBPyConnection]]:
    """One in-memory database for every thread.

    Each has one DuckDB thread: that writes a file from its first row to its last in little memory, whereas
    several threads on one file collect gigabytes to keep its order. They work on different files instead.
    """
    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": "256MB",
        "temp_directory": str(staging / "spill"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    count = min(threads or os.cpu_count() or 1, blocks[-1].part_number + 1)
    with ExitStack() as stack:
        databases = [stack.enter_context(connect(config=settings)) for _ in range(count)]
        yield [_filled(database, statements, blocks) for database in databases]


def _filled(database: duckdb.DuckDBPyConnection, statements: str, blocks: Sequence[Block]) -> duckdb.DuckDBPyConnection:
    database.execute(statements)
    columns = [list(column) for column in zip(*map(astuple, blocks), strict=True)]
    database.execute(f"INSERT INTO blocks SELECT {', '.join(['unnest(?)'] * len(columns))}", columns)
    return database


def _write_files(
    databases: Sequence[duckdb.DuckDBPyConnection],
    staging: Path,
    blocks: Sequence[Block],
    names: Sequence[str],
    progress: Progress | None,
) -> list[str]:
    """Write every delivery that has reports, with its labels; return their names in delivery order."""
    parts = sorted({(block.part_number, names[block.file_number]) for block in blocks})
    free: SimpleQueue[duckdb.DuckDBPyConnection] = SimpleQueue()
    for database in databases:
        free.put(database)

    def write(part: tuple[int, str]) -> list[tuple[Path, Path]]:
        database = free.get()
        try:
            return _write_part(database, staging, *part)
        finally:
            free.put(database)

    with ThreadPoolExecutor(max_workers=len(databases)) as pool:
        for done, written in enumerate(pool.map(write, parts), 1):
            for path, target in written:
                _append(path, target)
            if progress:
                progress(done, len(parts))
    return list(dict.fromkeys(name for _, name in parts))


def _write_part(database: duckdb.DuckDBPyConnection, staging: Path, number: int, name: str) -> list[tuple[Path, Path]]:
    """Write one part's reports and labels aside; return where they are, and which file they belong in."""
    database.execute(f"CREATE OR REPLACE TABLE cases AS FROM synthetic_cases({number})")
    written = []
    for folder, ending, delimiter in (("reports", "csv", ","), ("labels", "tsv", "\t")):
        path = staging / "spill" / f"{number}.{ending}"
        _copy(database, folder, path, delimiter)
        written.append((path, staging / folder / f"{name}.{ending}"))
    return written


def _copy(database: duckdb.DuckDBPyConnection, table: str, path: Path, delimiter: str) -> None:
    # the file exists, private, before DuckDB fills it: DuckDB would make one that the umask decides about
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    path.chmod(0o600)
    quoted = str(path).replace("'", "''")
    database.execute(
        f"COPY (FROM {table}) TO '{quoted}' (FORMAT csv, HEADER, DELIMITER '{delimiter}', USE_TMP_FILE false)"
    )


def _append(part: Path, target: Path) -> None:
    """Make the part the file, or add it, without its header, to what the file has so far."""
    if not target.exists():
        part.replace(target)
        return
    with part.open("rb") as source, target.open("ab") as file:
        source.readline()
        shutil.copyfileobj(source, file, 1 << 20)
    part.unlink()


def _publish(staging: Path, out: Path) -> None:
    """Move the finished folders into place: the labels first, so that reports never lack them."""
    with _folder_errors(out):
        for name in ("labels", "reports"):
            (staging / name).replace(out / name)
