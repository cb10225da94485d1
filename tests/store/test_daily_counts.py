"""Daily counts are kept with every file; whatever was delivered, they equal a rebuild and a count by pandas."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import pytest
from hypothesis import Phase, given
from hypothesis import settings as rules_of_search
from hypothesis import strategies as st

from pipelines.intake.deliveries import Delivery
from pipelines.jobs import publish as publish_job
from pipelines.jobs.ingest import Run, ingest_file
from pipelines.settings import Settings, Source
from pipelines.store import daily_counts, database
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from pipelines.synthetic import generate
from schemas.pack_file import load_pack
from schemas.tables import CALENDAR, DAILY_TABLES, STORED_WEEKLY, WEEKLY_VIEWS, list_published_tables
from tests.support.drawing import examples

PACK = load_pack()
CONTEXT = ("report_id", "reported_at", "region", "age_band", "sex", "pain_score", "duration_days")
HEADER = (*CONTEXT, *PACK.field_names)
COUNTED = tuple(view.name for view in WEEKLY_VIEWS if view.name not in STORED_WEEKLY)
NOT_COUNTED = ("about", "files", "sources", "calendar", "daily_signals", "alarm_episodes", *STORED_WEEKLY)
ZONES = ("UTC", "Europe/Berlin", "Pacific/Auckland", "America/New_York", "Asia/Kolkata")
START = datetime(2026, 10, 18, 9, 30, tzinfo=UTC)  # a few hours and days later, clocks change in three of the zones

# ------------------------------------------------------------------------------------------------ deliveries

moments = st.integers(0, 20 * 24).map(lambda hours: (START + timedelta(hours=hours)).isoformat())


@st.composite
def rows(draw: st.DrawFn) -> tuple[str, ...]:
    """A report with few ids, so that deliveries repeat and correct each other; most answers are alike."""
    most = draw(st.sampled_from(["no", "no", ""]))
    some = draw(st.dictionaries(st.sampled_from(PACK.field_names), st.sampled_from(["yes", "no", ""]), max_size=3))
    context = (
        f"r{draw(st.integers(1, 7))}",
        draw(moments),
        draw(st.sampled_from(["north", "south", "unknown", ""])),
        draw(st.sampled_from(["0-17", "75+", ""])),
        draw(st.sampled_from(["female", "unknown", ""])),
        draw(st.sampled_from(["3", "9", "", "11"])),  # 11 is a bad cell: such a row is quarantined
        draw(st.sampled_from(["1", "14", ""])),
    )
    return (*context, *(some.get(name, most) for name in PACK.field_names))


@dataclass(frozen=True)
class Sent:
    """One delivery: who sent it and its rows."""

    source: str
    rows: tuple[tuple[str, ...], ...]


deliveries = st.lists(
    st.builds(Sent, st.sampled_from(["clinic_a", "clinic_b"]), st.lists(rows(), max_size=6).map(tuple)),
    min_size=2,
    max_size=5,
)


@contextmanager
def store_of(folder: Path, settings: Settings) -> Iterator[tuple[duckdb.DuckDBPyConnection, Run]]:
    home = Home(folder / "home")
    home.make()
    with home.lock(5), database.open_records(home, settings, PACK) as connection:
        yield connection, Run(home, settings, PACK)


def send(connection: duckdb.DuckDBPyConnection, context: Run, sent: Sent, name: str) -> Outcome:
    path = context.home.path / f"{name}.csv"
    path.write_text("\n".join(",".join(row) for row in (HEADER, *sent.rows)) + "\n", encoding="utf-8")
    return ingest_file(connection, Delivery(path, Source(sent.source)), context)


def tables(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> dict[str, list[tuple[Any, ...]]]:
    return {name: connection.execute(f"FROM {name} ORDER BY ALL").fetchall() for name in names}


DAILY_NAMES = tuple(table.name for table in (*DAILY_TABLES, CALENDAR))


# not shrunk: every example is a store of its own, and the failing deliveries are few as they are
@rules_of_search(max_examples=examples(8), deadline=None, database=None, phases=[Phase.generate])
@given(deliveries, st.sampled_from(ZONES), st.sampled_from(["iso", "mmwr"]))
def test_counts_kept_file_by_file_equal_a_rebuild_and_a_count_by_pandas(
    sent: list[Sent], zone: str, weeks: str
) -> None:
    settings = Settings(time_zone=zone, week_system=weeks, max_quarantined_share=1.0, threads=1)
    with tempfile.TemporaryDirectory() as folder, store_of(Path(folder), settings) as (connection, context):
        outcomes = [send(connection, context, delivery, f"d{i}") for i, delivery in enumerate(sent)]
        # ids that restart are drawn now and then, and such a file is rejected: it counts nothing
        assert {outcome.status for outcome in outcomes} <= {"accepted", "known", "rejected"}
        kept = tables(connection, DAILY_NAMES)
        assert kept == naive(connection, settings)
        weekly = tables(connection, COUNTED)
        daily_counts.rebuild(connection, settings, PACK)
        assert tables(connection, DAILY_NAMES) == kept
        database.check_counts(connection)
        assert_every_record_is_in_a_covered_week(connection)
        publish_job.publish(connection, context.home, settings)
        assert published(context.home) == weekly | tables(
            connection, ["daily_summary", "rules", "causes", "fields", "signatures", "assessments", "levels", "regions"]
        )
        with duckdb.connect(str(context.home.summaries), read_only=True) as summaries:
            span = one(summaries, "SELECT first_report, last_report FROM about")
        assert span == one(connection, "SELECT min(reported_at), max(reported_at) FROM records")


def assert_every_record_is_in_a_covered_week(connection: duckdb.DuckDBPyConnection) -> None:
    for view in ("weekly_triage", "weekly_causes", "weekly_regions", "weekly_demographics"):
        (total, records) = one(
            connection, f"SELECT (SELECT coalesce(sum(reports), 0) FROM {view}), count(*) FROM records"
        )
        assert total == records
        shares = connection.execute(f"SELECT sum(reports), sum(share) FROM {view} GROUP BY week").fetchall()
        assert all(share == pytest.approx(1) if reports else share is None for reports, share in shares)


def one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    (row,) = connection.execute(sql).fetchall()
    return row


def published(home: Home) -> dict[str, list[tuple[Any, ...]]]:
    """Every published table but `about`, which tells the time, and those that nothing fills yet."""
    names = [table.name for table in list_published_tables() if table.name not in NOT_COUNTED]
    with duckdb.connect(str(home.summaries), read_only=True) as connection:
        return tables(connection, names)


# --------------------------------------------------------------------- the same counts, from `reports`, by pandas


def naive(connection: duckdb.DuckDBPyConnection, settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    reports, superseded = (
        connection.sql(f"FROM {name}").to_arrow_table().to_pandas() for name in ("reports", "superseded")
    )
    for frame in (reports, superseded):
        frame["report_date"] = frame.reported_at.dt.tz_convert(settings.time_zone).dt.date
    return {
        "daily_summary": _summary(reports),
        "daily_rules": _counted(reports.explode("triage_rules"), ["report_date", "source", "triage_rules"]),
        "daily_fields": _fields(reports),
        "daily_arrivals": _counted(reports, ["report_date", "source", "triage_level", "first_delivery_no"]),
        "daily_numbers": _numbers(reports),
        "daily_rule_sets": _rule_sets(reports),
        "calendar": _calendar({*reports.report_date, *superseded.report_date}, settings),
    }


def _counted(frame: pd.DataFrame, keys: list[str]) -> list[tuple[Any, ...]]:
    return sorted((*key, n) for key, n in frame.groupby(keys, dropna=True).size().items())


def _summary(reports: pd.DataFrame) -> list[tuple[Any, ...]]:
    words = dict.fromkeys(("region", "age_band", "sex"), "unknown") | {"likely_cause": "undetermined"}
    points = reports.cause_scores.map(dict)
    frame = reports.fillna(words).assign(
        severe=reports.pain_score.ge(7),
        close=reports.cause_certainty == "close",
        serious=(reports.triage_level == "self_care") & points.map(lambda named: bool(PACK.serious_causes & {*named})),
    )
    keys = ["report_date", "source", "region", "age_band", "sex", "triage_level", "triage_ceiling", "cause_category"]
    groups = frame.groupby([*keys, "likely_cause"])
    counts = pd.concat([groups.size(), groups[["severe", "close", "serious"]].sum()], axis=1)
    return sorted((*key, *map(int, numbers)) for key, *numbers in counts.itertuples())


def _fields(reports: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Reports; with an answer, missing it, unresolved for it and for it alone; answered yes."""
    made: dict[tuple[Any, ...], list[int]] = {}
    for report in reports.to_dict("records"):
        missing, is_unresolved = list(report["missing_answers"]), report["triage_level"] == "unresolved"
        for field in (*PACK.field_names, "pain_score", "duration_days"):
            is_known, lacks = bool(pd.notna(report[field])), field in missing
            told = [True, is_known, lacks, lacks and is_unresolved, missing == [field] and is_unresolved]
            told.append(is_known and bool(report[field]))
            counts = made.setdefault((report["report_date"], report["source"], field), [0] * len(told))
            counts[:] = [count + one for count, one in zip(counts, told, strict=True)]
    return sorted(
        (*key, *counts[:-1], None if key[2] in ("pain_score", "duration_days") else counts[-1])
        for key, counts in made.items()
    )


def _calendar(brought: set[date], settings: Settings) -> list[tuple[Any, ...]]:
    """The weeks of the days that deliveries brought, replaced records included."""
    starts = {week_of(day, settings.week_system)[1] for day in brought}
    days = {start + timedelta(days=n) for start in starts for n in range(7)}
    quarters = {day: f"{day.year}-Q{(day.month + 2) // 3}" for day in days}
    return sorted((day, *week_of(day, settings.week_system), f"{day:%Y-%m}", quarters[day]) for day in days)


def _numbers(reports: pd.DataFrame) -> list[tuple[Any, ...]]:
    made: Counter[tuple[Any, ...]] = Counter()
    for field in ("duration_days", "pain_score"):
        for day, source, value in reports[["report_date", "source", field]].itertuples(index=False):
            made[day, source, field, None if pd.isna(value) else int(value)] += 1
    rows = ((*key, n) for key, n in made.items())
    return sorted(rows, key=lambda row: (*row[:3], row[3] is None, row[3] or 0))


def _rule_sets(reports: pd.DataFrame) -> list[tuple[Any, ...]]:
    made: Counter[tuple[Any, ...]] = Counter()
    for day, source, rules in reports[["report_date", "source", "triage_rules"]].itertuples(index=False):
        made[day, source, tuple(rules)] += len(rules) > 1
    return sorted((day, source, list(rules), n) for (day, source, rules), n in made.items() if n)


def week_of(day: date, system: str) -> tuple[str, date]:
    """A day's week and that week's first day, by another road than the SQL: counted from week 1 of the year."""
    if system == "iso":
        year, week, number = day.isocalendar()
        return f"{year}-W{week:02}", day - timedelta(days=number - 1)
    start = day - timedelta(days=day.isoweekday() % 7)
    year = next(year for year in (day.year + 1, day.year, day.year - 1) if first_mmwr_day(year) <= day)
    return f"{year}-MW{(start - first_mmwr_day(year)).days // 7 + 1:02}", start


def first_mmwr_day(year: int) -> date:
    """The Sunday that begins MMWR week 1: the first week with at least four days in the year."""
    new_year = date(year, 1, 1)
    after_sunday = new_year.isoweekday() % 7
    return new_year - timedelta(days=after_sunday) if after_sunday <= 3 else new_year + timedelta(days=7 - after_sunday)


# ------------------------------------------------------------------------------------------- deliveries, one by one


def row(report_id: str, reported_at: str = "2026-11-16T10:00:00Z", **cells: str) -> tuple[str, ...]:
    """A row with every answer no, pain 3 and one day: self-care, of no cause."""
    defaults = {
        "report_id": report_id,
        "reported_at": reported_at,
        "region": "north",
        "age_band": "30-44",
        "sex": "male",
    }
    return tuple(({"pain_score": "3", "duration_days": "1"} | defaults | cells).get(name, "no") for name in HEADER)


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty")
    with store_of(folder, Settings(max_quarantined_share=1.0)):
        return folder


@pytest.fixture
def work(tmp_path: Path, empty_home: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, Run]]:
    """A store for one test, copied: to make one takes as long as a test."""
    shutil.copytree(empty_home, tmp_path / "copy")
    with store_of(tmp_path / "copy", Settings(max_quarantined_share=1.0)) as opened:
        yield opened


Work = tuple[duckdb.DuckDBPyConnection, Run]


def test_what_is_unknown_reads_unknown_and_no_cause_reads_undetermined(work: Work) -> None:
    connection, context = work
    blank = row("blank", region="", age_band="", sex="")
    told = row("told", region="unknown", sex="unknown", pop_at_onset="yes")
    assert send(connection, context, Sent("s", (blank, told)), "a").rows_accepted == 2
    assert (
        one(connection, "SELECT region, age_band, sex, likely_cause FROM reports WHERE report_id = 'blank'")
        == (None,) * 4
    )
    cells = "region, age_band, sex, cause_category, likely_cause, reports"
    assert connection.execute(f"SELECT {cells} FROM daily_summary ORDER BY ALL").fetchall() == [
        ("unknown", "30-44", "unknown", "injury", "muscle_or_tendon_tear", 1),
        ("unknown", "unknown", "unknown", "undetermined", "undetermined", 1),
    ]
    assert one(connection, "SELECT region, reports, share FROM weekly_regions") == ("unknown", 2, 1.0)
    found = connection.execute("SELECT age_band, sex, reports FROM weekly_demographics ORDER BY ALL").fetchall()
    assert found == [("30-44", "unknown", 1), ("unknown", "unknown", 1)]


def test_close_causes_and_signs_of_a_serious_one_beside_home_care_are_those_of_the_records(
    tmp_path: Path, home: Home, ingest: Callable[..., Any], ask: Callable[..., Any]
) -> None:
    ingest(*generate(tmp_path / "made", reports=600, weeks=2, seed=8, end=date(2026, 11, 22)))
    counted = ask("SELECT report_date, sum(close_causes), sum(serious_signs) FROM daily_summary GROUP BY 1 ORDER BY 1")
    serious = " OR ".join(f"cause_scores['{cause}'] > 0" for cause in sorted(PACK.serious_causes))
    assert counted == ask(f"""SELECT report_date, count(*) FILTER (cause_certainty = 'close'),
        count(*) FILTER (triage_level = 'self_care' AND ({serious})) FROM reports GROUP BY 1 ORDER BY 1""")
    of_all = ask("SELECT count(*) FILTER (triage_level = 'self_care') FROM reports")
    assert 0 < sum(signs for *_, signs in counted) < of_all[0][0]
    assert ask("SELECT sum(observed) FROM weekly_indicators WHERE indicator = 'serious_signs'") == [
        (sum(signs for *_, signs in counted),)
    ]


def test_a_correction_leaves_the_old_day_and_enters_the_new_one(work: Work) -> None:
    connection, context = work
    send(connection, context, Sent("s", (row("a", region="south"), row("b"))), "first")
    send(connection, context, Sent("s", (row("a", "2026-11-17T10:00:00Z", pain_score="8", region="south"),)), "second")
    days = "SELECT report_date::VARCHAR, region, triage_level, reports, severe_pain FROM daily_summary ORDER BY ALL"
    assert connection.execute(days).fetchall() == [
        ("2026-11-16", "north", "self_care", 1, 0),
        ("2026-11-17", "south", "contact_doctor", 1, 1),
    ]
    assert connection.execute("SELECT report_date::VARCHAR, rule_id, reports FROM daily_rules").fetchall() == [
        ("2026-11-17", "doctor_severe_pain", 1)
    ]
    assert one(
        connection, "SELECT sum(reports), count(DISTINCT report_date) FROM daily_fields WHERE field = 'fever'"
    ) == (2, 2)


def test_a_region_that_was_a_typing_error_leaves_no_row_behind(work: Work) -> None:
    connection, context = work
    send(connection, context, Sent("s", (row("a", region="nroth"),)), "first")
    send(connection, context, Sent("s", (row("a", region="north"),)), "second")
    assert connection.execute("SELECT DISTINCT region FROM weekly_regions").fetchall() == [("north",)]


def test_a_duplicate_and_a_correction_keep_the_first_delivery(work: Work) -> None:
    connection, context = work
    send(connection, context, Sent("s", (row("a"),)), "first")
    outcome = send(connection, context, Sent("s", (row("a"), row("b", "2026-11-30T10:00:00Z"))), "second")
    assert (outcome.rows_duplicate, outcome.rows_accepted) == (1, 1)
    send(connection, context, Sent("s", (row("a", pain_score="5"), row("c", "2026-11-30T10:00:00Z"))), "third")
    arrivals = "SELECT report_date::VARCHAR, first_delivery_no, reports FROM daily_arrivals ORDER BY ALL"
    assert connection.execute(arrivals).fetchall() == [("2026-11-16", 1, 1), ("2026-11-30", 2, 1), ("2026-11-30", 3, 1)]
    assert one(connection, "SELECT first_delivery_no FROM superseded") == (1,)
    brought = connection.execute("SELECT delivery_no, report_date::VARCHAR, reports FROM delivery_days ORDER BY ALL")
    assert brought.fetchall() == [
        (1, "2026-11-16", 1),
        (2, "2026-11-30", 1),
        (3, "2026-11-16", 1),
        (3, "2026-11-30", 1),
    ]


def test_two_senders_may_use_one_number_without_counting_as_one(work: Work) -> None:
    connection, context = work
    for source in ("clinic_a", "clinic_b"):
        send(connection, context, Sent(source, (row("1"), row("2", region=source))), source)
    assert one(connection, "SELECT sum(reports) FROM weekly_triage") == (4,)
    rows = "SELECT source, value FROM weekly_quality WHERE measure = 'rows_accepted' ORDER BY ALL"
    assert connection.execute(rows).fetchall() == [("clinic_a", 2), ("clinic_b", 2)]


def test_a_week_of_which_nobody_reported_is_open_whatever_the_range_of_a_file(work: Work) -> None:
    connection, context = work
    early, late = row("a", "2026-11-02T10:00:00Z"), row("b", "2026-11-18T10:00:00Z")
    send(connection, context, Sent("s", (early,)), "early")
    send(connection, context, Sent("s", (late,)), "late")
    weeks = "SELECT week, sum(reports), sum(previous_week) FROM weekly_triage GROUP BY week ORDER BY week"
    assert connection.execute(weeks).fetchall() == [("2026-W45", 1, None), ("2026-W47", 1, None)]
    send(connection, context, Sent("other", (early, late)), "both")
    assert connection.execute(weeks).fetchall() == [("2026-W45", 2, None), ("2026-W47", 2, None)]


def test_a_row_set_aside_covers_no_week(work: Work) -> None:
    connection, context = work
    bad = row("bad", "2019-01-01", pain_score="eleven")
    send(connection, context, Sent("s", (row("a"), bad)), "one")
    assert connection.execute("SELECT DISTINCT week FROM calendar").fetchall() == [("2026-W47",)]


def test_rows_that_contradict_each_other_within_a_file_cover_no_week(work: Work) -> None:
    connection, context = work
    assert (
        send(connection, context, Sent("s", (row("a"), row("x"), row("x", "2019-01-01"))), "one").rows_quarantined == 2
    )
    assert connection.execute("SELECT DISTINCT week FROM calendar").fetchall() == [("2026-W47",)]
    assert one(connection, "SELECT first_report = last_report FROM files") == (True,)


def test_one_file_from_two_senders_counts_its_bad_cells_once_for_each(work: Work) -> None:
    connection, context = work
    for source in ("clinic_a", "clinic_b"):
        send(connection, context, Sent(source, (row("a"), row("b", pain_score="11"))), "same")
    rows = "SELECT source, item, value FROM weekly_quality WHERE measure = 'quarantine_reason' ORDER BY ALL"
    assert connection.execute(rows).fetchall() == [
        ("clinic_a", "pain_score: whole_number", 1),
        ("clinic_b", "pain_score: whole_number", 1),
    ]


# ------------------------------------------------------------------------------------------------ days and weeks


MIDNIGHTS = {
    "UTC": {"2026-11-15T23:59:59.999999Z": "2026-11-15", "2026-11-16T00:00:00Z": "2026-11-16"},
    "Europe/Berlin": {
        "2026-11-15T22:59:59Z": "2026-11-15",
        "2026-11-15T23:00:00Z": "2026-11-16",
        "2026-07-05T21:59:59Z": "2026-07-05",
        "2026-07-05T22:00:00Z": "2026-07-06",
        "2026-10-25T22:59:59Z": "2026-10-25",  # a day of 25 hours
    },
    "Pacific/Auckland": {"2026-11-15T10:59:59Z": "2026-11-15", "2026-11-15T11:00:00Z": "2026-11-16"},
    "America/New_York": {
        "2026-03-08T04:59:59Z": "2026-03-07",
        "2026-03-09T03:59:59Z": "2026-03-08",  # a day of 23 hours
        "2026-03-09T04:00:00Z": "2026-03-09",
        "2026-11-02T04:59:59Z": "2026-11-01",  # a day of 25 hours
        "2026-11-02T05:00:00Z": "2026-11-02",
    },
}


@pytest.mark.parametrize("zone", MIDNIGHTS)
def test_days_are_cut_in_the_reporting_time_zone(tmp_path: Path, zone: str) -> None:
    expected = MIDNIGHTS[zone]
    assert {m: datetime.fromisoformat(m).astimezone(ZoneInfo(zone)).date().isoformat() for m in expected} == expected
    with store_of(tmp_path, Settings(time_zone=zone)) as (connection, context):
        sent = tuple(row(f"r{i}", moment, region=f"m{i}") for i, moment in enumerate(expected))
        send(connection, context, Sent("s", sent), "a")
        days = dict(connection.execute("SELECT region, report_date::VARCHAR FROM daily_summary").fetchall())
    assert days == {f"m{i}": day for i, day in enumerate(expected.values())}


@pytest.mark.parametrize("system", ["iso", "mmwr"])
def test_every_day_of_half_a_century_is_in_the_right_week(tmp_path: Path, system: str) -> None:
    """A report a week from 2000 to 2050: every day, week and year end against a calendar counted another way."""
    days = [date(2000, 1, 1) + timedelta(weeks=week) for week in range(2662)]
    reports = tuple(row(f"a{number}", day.isoformat()) for number, day in enumerate(days))
    with store_of(tmp_path, Settings(week_system=system)) as (connection, context):
        send(connection, context, Sent("s", reports), "a")
        made = connection.execute("SELECT report_date, week, week_start FROM calendar ORDER BY report_date").fetchall()
    assert [cells for cells in made if cells[1:] != week_of(cells[0], system)] == []
    days = [cells[0] for cells in made]
    assert days == [days[0] + timedelta(days=n) for n in range(len(days))]
    weeks = {cells[1] for cells in made}
    expected = {"2020-W53", "2026-W53", "2027-W01"} if system == "iso" else {"2020-MW53", "2025-MW53", "2026-MW01"}
    absent = {"2021-W53", "2027-W53"} if system == "iso" else {"2021-MW53", "2026-MW53"}
    assert expected <= weeks
    assert not absent & weeks


def test_the_week_before_new_year_is_known_on_both_sides_of_it(work: Work) -> None:
    connection, context = work
    three = Sent("s", (row("a", "2026-12-27"), row("b", "2027-01-03"), row("c", "2027-01-04")))
    send(connection, context, three, "a")
    weeks = "SELECT week, reports, previous_week FROM weekly_triage WHERE triage_level = 'self_care' ORDER BY week"
    assert connection.execute(weeks).fetchall() == [("2026-W52", 1, None), ("2026-W53", 1, 1), ("2027-W01", 1, 1)]


def test_other_settings_rebuild_the_summaries_without_another_delivery(tmp_path: Path) -> None:
    """What a home shows after a change of settings is what it would have shown with them from the start."""
    sent = [
        Sent("s", (row("a", "2026-11-15T23:30:00Z"), row("b", "2026-11-22T03:00:00Z", pain_score="8"))),
        Sent("s", (row("a", "2026-11-14T23:30:00Z"), row("c", "2026-12-31T23:30:00Z"))),
    ]
    choices = [Settings(time_zone=zone, week_system=weeks) for zone, weeks in CHOICES]
    fresh = []
    for number, settings in enumerate(choices):
        with store_of(tmp_path / str(number), settings) as (connection, context):
            for i, delivery in enumerate(sent):
                send(connection, context, delivery, f"d{i}")
            fresh.append(tables(connection, (*DAILY_NAMES, *COUNTED)))
    assert len({str(shown) for shown in fresh}) == len(choices), "every choice cuts these days or weeks another way"
    for settings, expected in zip([*choices[1:], choices[0]], [*fresh[1:], fresh[0]], strict=True):
        with store_of(tmp_path / "0", settings) as (connection, context):
            assert tables(connection, (*DAILY_NAMES, *COUNTED)) == expected


CHOICES = (("UTC", "iso"), ("Pacific/Auckland", "iso"), ("America/New_York", "mmwr"))


def test_settings_are_read_from_the_home_and_followed_at_the_next_batch(home, ingest, write_csv, ask) -> None:
    ingest(write_csv([{"report_id": "a", "reported_at": "2026-11-15T12:00:00Z"}]))
    weeks = "SELECT DISTINCT week, week_start::VARCHAR FROM weekly_quality"
    assert ask(weeks) == ask(weeks, path=home.summaries) == [("2026-W46", "2026-11-09")]
    (home.path / "calfwatch.toml").write_text('time_zone = "Pacific/Auckland"\nweek_system = "iso"\n')
    ingest()
    assert ask(weeks) == ask(weeks, path=home.summaries) == [("2026-W47", "2026-11-16")]
    (home.path / "calfwatch.toml").write_text('time_zone = "Pacific/Auckland"\nweek_system = "mmwr"\n')
    ingest()
    assert ask(weeks) == ask(weeks, path=home.summaries) == [("2026-MW46", "2026-11-15")]


# ------------------------------------------------------------------------------------------------ the snapshot


def independent() -> list[Sent]:
    """Files that name no record of each other, over three weeks, by two senders."""
    made = []
    for number in range(3):
        day = date(2026, 11, 2) + timedelta(days=6 * number)
        cells = [{"region": "south", "pain_score": "9"}, {"sex": "", "cramping": "yes"}, {"pop_at_onset": ""}]
        rows_ = [row(f"r{number}-{i}", f"{day + timedelta(days=i)}T23:30:00Z", **cell) for i, cell in enumerate(cells)]
        made.append(Sent(f"clinic_{'ab'[number % 2]}", (*rows_, row(f"bad{number}", pain_score="11"))))
    return made


def test_the_order_and_the_runs_in_which_independent_files_came_do_not_show(tmp_path: Path) -> None:
    sent = independent()
    settings = Settings(time_zone="Europe/Berlin", max_quarantined_share=1.0)
    shown = []
    for runs in ([[0, 1, 2]], [[2], [1, 0]]):
        home = Home(tmp_path / str(runs) / "home")
        for run in runs:
            with store_of(home.path.parent, settings) as (connection, context):
                for i in run:
                    assert send(connection, context, sent[i], f"f{i}").status == "accepted"
                publish_job.publish(connection, home, settings)
        shown.append(published(home))
        shown[-1].pop("weekly_quality")  # a sender's clock, and with it a delay, goes by the order of its deliveries
    assert shown[0] == shown[1]
    assert sum(cells[3] for cells in shown[0]["weekly_triage"]) == 9


def test_the_published_tables_equal_the_views_and_hold_no_record(home, ingest, write_csv) -> None:
    rows_ = [
        {"report_id": f"r{i}", "reported_at": f"2026-11-{10 + i}", "pain_score": str(i), "fever": ""} for i in range(9)
    ]
    ingest(write_csv(rows_))
    filled = [table.name for table in list_published_tables() if table.name not in NOT_COUNTED]
    with duckdb.connect(str(home.records), read_only=True) as connection:
        assert published(home) == tables(connection, filled)
    with duckdb.connect(str(home.summaries), read_only=True) as connection:
        names = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert names == {table.name for table in list_published_tables()}
    assert not names & {"records", "reports", "superseded", "quarantine"}


def test_a_second_publication_without_news_differs_in_its_time_alone(home, ingest, write_csv, ask) -> None:
    path = write_csv([{"report_id": "a"}, {"report_id": "b", "region": "south"}])
    ingest(path)
    before, about = published(home), ask("SELECT * EXCLUDE published_at FROM about", path=home.summaries)
    ingest(path)
    assert published(home) == before
    assert ask("SELECT * EXCLUDE published_at FROM about", path=home.summaries) == about


@pytest.mark.parametrize("today", [date(2026, 11, 22), date(2026, 11, 23), date(2027, 1, 1), date(2028, 2, 29)])
def test_about_names_the_last_week_that_is_over(today, home, ingest, write_csv, ask, set_clock) -> None:
    set_clock(datetime(today.year, today.month, today.day, 12, tzinfo=UTC))
    monday = today - timedelta(days=today.isoweekday() - 1)
    moments = {"over": monday - timedelta(days=1), "running": today, "ahead": today + timedelta(days=30)}
    ingest(write_csv([{"report_id": name, "reported_at": f"{day}T00:00:00Z"} for name, day in moments.items()]))
    facts = "SELECT latest_week, first_report::DATE, last_report::DATE, time_zone, week_system, complaint FROM about"
    assert ask(facts, path=home.summaries) == [
        (week_of(moments["over"], "iso")[0], moments["over"], moments["ahead"], "UTC", "iso", "calf pain")
    ]


def test_about_is_one_row_of_nothing_in_an_empty_home(home, ingest, ask) -> None:
    ingest()
    assert ask("SELECT latest_week, first_report, last_report FROM about", path=home.summaries) == [(None, None, None)]
    assert all(
        not found for name, found in published(home).items() if name not in ("rules", "causes", "fields", "levels")
    )


def test_what_is_blank_and_what_is_said_to_be_unknown_are_one_key(home, ingest, write_csv, ask) -> None:
    cells = {"region": "north", "age_band": "18-29"}
    alike = [{"report_id": f"{place}", "sex": sex, **cells} for place, sex in enumerate(("", "unknown", "female", ""))]
    ingest(write_csv([*alike, {"report_id": "x", "region": "unknown"}, {"report_id": "y", "region": ""}]))
    assert ask("SELECT region, sex, reports FROM daily_summary ORDER BY ALL") == [
        ("north", "female", 1),
        ("north", "unknown", 3),
        ("unknown", "unknown", 2),
    ]
    assert ask("SELECT week, age_band, sex FROM weekly_demographics GROUP BY ALL HAVING count(*) > 1") == []


def test_an_empty_home_has_had_no_delivery(home, ingest, write_csv, ask) -> None:
    ingest()
    assert ask("SELECT last_delivery FROM about", path=home.summaries) == [(0,)]
    ingest(write_csv([{"report_id": "a"}]))
    assert ask("SELECT last_delivery FROM about", path=home.summaries) == [(1,)]
