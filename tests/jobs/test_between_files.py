"""What files of one sender do to each other: the bad file is told, the honest one next to it passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.app import main as command
from pipelines.intake.deliveries import find_deliveries
from pipelines.jobs.check import check
from pipelines.jobs.ingest import Run, ingest_batch, ingest_file
from pipelines.jobs.outcome import Lines, describe
from pipelines.jobs.withdraw import withdraw_file
from pipelines.settings import Settings, Source, load_settings
from pipelines.store import database
from pipelines.store.database import Home
from pipelines.store.ledger import Outcome
from schemas.pack import Pack
from tests.conftest import opened
from tests.support.drawing import spread

Ingest = Callable[..., list[Outcome]]
Ask = Callable[..., list[tuple[Any, ...]]]
Write = Callable[..., Path]
REGIONS = ("north", "south", "east", "west")
BANDS = ("0-17", "18-29", "30-44", "45-59", "60-74", "75+")


def report(number: int, day: int, report_id: str = "", **cells: str) -> dict[str, str]:
    """A report of November: its id is its number, and every answer follows from it."""
    made = {
        "report_id": report_id or str(number),
        "reported_at": f"2026-11-{day:02}",
        "region": REGIONS[number % 4],
        "age_band": BANDS[number // 4 % 6],
        "pain_score": str(number % 11),
        "duration_days": str(number % 97),
    }
    return made | cells


def week(first: int, day: int, size: int = 10) -> list[dict[str, str]]:
    return [report(first + n, day + n % 5) for n in range(size)]


def as_source(**values: Any) -> Settings:
    return Settings(sources=(Source("canonical", **values),))


@pytest.fixture
def ingest(take_in: Ingest) -> Ingest:
    """No test here looks at what is published."""
    return take_in


@pytest.fixture
def deliver(write_csv: Write, ingest: Ingest) -> Callable[..., Outcome]:
    """Writes rows as a file, ingests it, and returns what became of it."""

    def call(rows: Sequence[dict[str, str]], name: str, header: Sequence[str] = (), **source: Any) -> Outcome:
        (outcome,) = ingest(write_csv(rows, name, header), settings=as_source(**source))
        return outcome

    return call


Deliver = Callable[..., Outcome]


def stored(ask: Ask) -> int:
    return int(ask("SELECT count(*) FROM records")[0][0])


# dates


@pytest.mark.parametrize("zone", spread(["America/New_York", "UTC", "Pacific/Kiritimati", "Pacific/Auckland"], 2))
def test_a_date_alone_is_that_day_wherever_the_sender_and_the_reader_sit(
    zone: str, write_csv: Write, ingest: Ingest, ask: Ask
) -> None:
    path = write_csv([report(1, 16), report(2, 16, reported_at="2026-11-16T02:00:00Z")])
    for reporting in (zone, "Asia/Tokyo", "America/Los_Angeles"):
        ingest(path, settings=replace(as_source(time_zone=zone), time_zone=reporting))
        rows = ask("SELECT report_id, report_date::VARCHAR, time_known FROM reports ORDER BY report_id")
        assert rows[0] == ("1", "2026-11-16", False)
        moved = reporting in ("America/New_York", "America/Los_Angeles")
        assert rows[1] == ("2", "2026-11-15" if moved else "2026-11-16", True)
        days = dict(ask("SELECT report_date::VARCHAR, sum(reports)::INTEGER FROM daily_summary GROUP BY 1"))
        assert days == ({"2026-11-16": 1, "2026-11-15": 1} if moved else {"2026-11-16": 2})


def test_a_date_alone_compares_as_a_day(deliver: Deliver, ask: Ask) -> None:
    deliver([report(1, 16)], "1.csv")
    again = deliver([report(1, 16), report(2, 16)], "2.csv", time_zone="Asia/Tokyo")
    assert (again.rows_duplicate, again.rows_superseded) == (1, 0), "another zone of the sender does not matter"
    timed = deliver([report(1, 16, reported_at="2026-11-16T12:00:00Z")], "3.csv")
    assert (timed.rows_duplicate, timed.rows_superseded) == (0, 1), "a time is more than a day"
    assert ask("SELECT report_date::VARCHAR, time_known FROM superseded") == [("2026-11-16", False)]


@pytest.mark.parametrize(("own", "week"), [("", "2026-W46"), ("Europe/Berlin", "2026-W46"), ("UTC", "2026-W47")])
@pytest.mark.parametrize("named", [True, False])
def test_a_sender_without_a_time_zone_writes_times_of_the_reporting_zone(
    own: str, week: str, named: bool, write_csv: Write, ingest: Ingest, ask: Ask
) -> None:
    """Sunday, half an hour before midnight in Berlin; UTC is then still on Sunday, but 23:30 UTC is Berlin's Monday."""
    settings = Settings(time_zone="Europe/Berlin")
    if named or own:
        settings = replace(settings, sources=as_source(time_zone=own).sources)
    ingest(write_csv([report(1, 15, reported_at="2026-11-15T23:30")]), settings=settings)
    assert ask("SELECT week FROM weekly_triage WHERE reports > 0") == [(week,)]


# words


LISTS = {
    "1": "cannot_bear_weight; fever; night sweats",  # what is known counts, and the word hides nothing
    "2": "no fever",  # nothing is guessed
    "3": "fever?; redness",
    "4": "cannot bear weight",
}


def test_a_list_with_a_word_that_is_not_understood_loses_no_emergency(
    write_csv: Write, ingest: Ingest, ask: Ask, home: Home, pack: Pack
) -> None:
    """Each row is taken: what is understood is yes, and nothing else is no, though the sender asks everything."""
    rows = [{"report_id": key, "reported_at": "2026-11-16", "symptoms": text} for key, text in LISTS.items()]
    sender = Source("line", adapter="symptom_list", patterns=("*",), unlisted="no")
    path = write_csv(rows, "lists.csv", header=("report_id", "reported_at", "symptoms"))
    (outcome,) = ingest(path, settings=Settings(sources=(sender,)))
    assert (outcome.rows_accepted, outcome.rows_quarantined) == (4, 0)
    told = "3 rows with something not understood, taken as unknown (line 2, 3, 4; the table warnings has them)"
    assert outcome.notes == told
    tagged = ask("SELECT report_id, triage_level, triage_ceiling, fever, redness, warmth FROM reports ORDER BY 1")
    assert tagged == [
        ("1", "emergency", "emergency", True, None, None),
        ("2", "unresolved", "emergency", None, None, None),
        ("3", "unresolved", "emergency", None, True, None),
        ("4", "emergency", "emergency", False, False, False),
    ]
    assert check(home, Settings(), pack, deep=True)


WARNINGS = "SELECT column_name, kind, value, rows, first_lines FROM warnings ORDER BY ALL"


def _lists(write_csv: Write) -> list[Path]:
    """Two weeks of lists: in the second all of the first come again, one twice, one more, and one that is set aside."""
    long_word, number = "worse at night " * 10, "9434765919"
    first = {**LISTS, "5": "all; fever?", "6": "none; redness", "7": f"all; {long_word}", "8": number, "9": "sore"}
    second = {**first, "10": "all;all", "11": "all"}
    paths = []
    for name, lists in (("l1.csv", first), ("l2.csv", second)):
        rows = [{"report_id": key, "reported_at": "2026-11-16", "symptoms": text} for key, text in lists.items()]
        bad = [{**rows[-1], "reported_at": "yesterday", "report_id": "x"}] if name == "l2.csv" else []
        paths.append(write_csv([*rows, *rows[-1:], *bad], name, ("report_id", "reported_at", "symptoms")))
    return paths


def test_what_was_not_understood_is_told_by_its_words_until_its_file_or_report_goes(
    write_csv: Write, ingest: Ingest, ask: Ask, home: Home, capsys: Any
) -> None:
    (home.path / "calfwatch.toml").write_text(
        "max_quarantined_share = 0.5\n[[sources]]\nname = 'line'\nadapter = 'symptom_list'\npatterns = ['l*']\n"
    )
    settings = load_settings(home.path)
    for path in (paths := _lists(write_csv)):
        ingest(path, settings=settings)
    assert ask(WARNINGS)[:2] == [("symptoms", "none_beside_others", None, 1, [7])] * 2
    of_second = "SELECT value, rows, first_lines FROM warnings WHERE delivery_no = 2"
    assert ask(f"{of_second} AND kind = 'not_understood' ORDER BY 1") == [
        ("all", 4, [6, 8, 11, 12]),
        ("fever?", 2, [4, 6]),
        ("night sweats", 1, [2]),
        ("no fever", 1, [3]),
        ("sore", 1, [10]),
        (("worse at night " * 10)[:80], 1, [8]),
        (None, 1, [9]),  # it has the check digit of a national number
    ]
    one_by_one = ask(WARNINGS)
    fresh = Home(home.path / "fresh")
    fresh.make()
    (fresh.path / "calfwatch.toml").write_text((home.path / "calfwatch.toml").read_text())
    assert command(["ingest", *map(str, paths), "--home", str(fresh.path)]) == 0
    assert ask(WARNINGS, path=fresh.records) == one_by_one, "a group tells the same"
    assert command(["forget", "5", "--yes", "--home", str(fresh.path)]) == 0
    assert command(["check", "--deep", "--home", str(fresh.path)]) == 0
    told = ask(f"{of_second} AND value IN ('all', 'fever?')", path=fresh.records)
    assert sorted(told) == [("all", 3, [8, 11, 12]), ("fever?", 1, [4])]
    (second,) = ask("SELECT file_id FROM files WHERE delivery_no = 2")[0]
    assert command(["withdraw", second, "--home", str(home.path)]) == 0
    assert command(["check", "--deep", "--home", str(home.path)]) == 0
    assert ask("SELECT DISTINCT delivery_no FROM warnings") == [(1,)]
    assert "fever?" not in "".join(capsys.readouterr()), "no word of a record is printed"


def test_r_writes_na_and_it_is_neither_a_region_nor_a_report(deliver: Deliver, ask: Ask) -> None:
    rows = [report(n, 16, region="NA", sex="NA", pain_score="NaN", redness="None") for n in range(9)]
    outcome = deliver([*rows, report(9, 16, "NA", region="North")], "r.csv")
    assert (outcome.status, outcome.rows_accepted, outcome.rows_quarantined) == ("accepted", 9, 1)
    assert ask("SELECT DISTINCT region, sex, pain_score, redness FROM reports") == [(None,) * 4]


def test_two_spellings_of_a_region_are_one(deliver: Deliver, ask: Ask) -> None:
    deliver([report(1, 16, region="North"), report(2, 16, region="north"), report(3, 16, region="NORTH")], "1.csv")
    assert ask("SELECT region, sum(reports)::INTEGER FROM daily_summary GROUP BY 1") == [("north", 3)]


def test_a_region_that_is_not_in_the_source_s_list_is_quarantined(deliver: Deliver, ask: Ask) -> None:
    rows = [report(n, 16, region="North") for n in range(9)]
    outcome = deliver([*rows, report(9, 16, region="nrth")], "1.csv", regions=("north", "south"))
    assert outcome.rows_quarantined == 1
    assert ask("SELECT column_name, allowed, value FROM quarantine") == [("region", "north south", "nrth")]


@pytest.mark.parametrize(
    ("days_before", "stray", "told"), [(91, 1, 0), (92, 1, 1), (92, 2, 2), (92, 3, 0), (-95, 1, 0), (-96, 2, 2)]
)
def test_a_day_that_no_week_counts_is_told_on_the_line_of_its_file(
    days_before: int, stray: int, told: int, deliver: Deliver, ask: Ask
) -> None:
    """Three rows are no slip of the pen, and 91 days no gap: those are counted, and nothing is said."""
    deliver(week(1, 16), "1.csv")
    day = str(date(2026, 11, 16) - timedelta(days_before))
    rows = [*week(101, 16), *(report(200 + n, 16, reported_at=day) for n in range(stray))]
    notes = deliver(rows, "2.csv").notes
    words = f"{told} record{'s' * (told > 1)} of days more than 13 weeks from the sender's others, counted in no week"
    assert words in notes if told else notes is None, notes
    assert ask("SELECT coalesce(sum(rows), 0)::INTEGER FROM warnings WHERE kind = 'implausible_day'") == [(told,)]
    assert deliver(week(301, 16), "3.csv").notes is None, "a file tells of its own"


def test_files_that_are_stored_together_tell_of_the_same_days_as_one_by_one(write_csv: Write, tmp_path: Path) -> None:
    slips = {1: "2006-11-03", 3: "2062-11-03", 4: "2026-01-02"}
    paths = []
    for n in range(1, 7):
        slip = [report(100 * n + 50, 16, reported_at=slips[n])] if n in slips else []
        paths.append(str(write_csv([*week(100 * n, 16), *slip], f"{n}.csv")))
    told = []
    for name, batches in (("together", [paths]), ("apart", [[path] for path in paths])):
        for batch in batches:
            assert command(["ingest", "-q", "--home", str(tmp_path / name), *batch]) == 0
        with opened(tmp_path / name / "records.duckdb") as records:
            told.append(records.execute("SELECT path, notes FROM files ORDER BY delivery_no").fetchall())
    assert told[0] == told[1]
    assert [bool(notes) for _, notes in told[0]] == [n in slips for n in range(1, 7)]


# ids


def test_ids_that_restart_are_told_and_ids_that_go_on_pass(deliver: Deliver, ask: Ask) -> None:
    deliver(week(1, 9), "w46.csv")
    bad = deliver([report(n + 40, 16 + n % 5, str(n)) for n in range(1, 11)], "w47.csv")
    assert bad.status == "rejected"
    assert 'report_ids = "per_file"' in str(bad.reason)
    assert stored(ask) == 10
    assert deliver(week(11, 16), "w47b.csv").status == "accepted"


def test_ids_that_count_from_1_in_each_file_are_told_apart_by_its_name(deliver: Deliver, ask: Ask) -> None:
    for number, name in enumerate(("w46.csv", "w47.csv", "w48.csv")):
        rows = [report(n + 40 * number, 9 + 7 * number + n % 5, str(n)) for n in range(1, 11)]
        assert deliver(rows, name, report_ids="per_file").rows_accepted == 10
    assert stored(ask) == 30
    corrected = deliver([*rows[:-1], rows[-1] | {"redness": "yes"}], "W48.CSV", report_ids="per_file")
    assert (corrected.rows_duplicate, corrected.rows_superseded) == (9, 1), "its name says that it is w48 again"
    assert stored(ask) == 30


def test_a_few_daily_ids_that_restart_are_told_after_some_days_and_noted_at_once(deliver: Deliver) -> None:
    outcomes = [deliver([report(day * 7, day, "1")], f"{day:02}.csv") for day in range(1, 7)]
    assert [outcome.notes for outcome in outcomes[:3]] == [None, *["1 moved to another day"] * 2]
    assert [outcome.status for outcome in outcomes[:3]] == ["accepted"] * 3
    assert outcomes[3].status == "rejected"


@pytest.mark.parametrize(("moved", "verdict"), [(2, "accepted"), (3, "rejected")])
def test_more_than_a_fifth_and_at_least_three_moved_rows_are_ids_that_restart(
    moved: int, verdict: str, deliver: Deliver
) -> None:
    deliver(week(1, 9, 4), "1.csv")
    rows = [row | ({"reported_at": "2026-11-20"} if n < moved else {}) for n, row in enumerate(week(1, 9, 4))]
    assert deliver(rows, "2.csv").status == verdict


def test_a_fifth_is_not_more_than_a_fifth(deliver: Deliver) -> None:
    deliver(week(1, 9, 15), "1.csv")
    rows = week(1, 9, 15)
    moved = [row | ({"reported_at": "2026-11-20"} if n < 6 else {}) for n, row in enumerate(rows)]
    assert deliver(moved, "2.csv").status == "accepted", "6 of 30 rows of the last 28 days"
    moved[6]["reported_at"] = "2026-11-20"
    assert deliver(moved, "3.csv").status == "accepted", "7 of 45"


@pytest.mark.parametrize(("last", "verdict"), [("09:59:59", "accepted"), ("10:00:00", "rejected")])
def test_moved_rows_are_held_against_those_of_less_than_28_days(last: str, verdict: str, deliver: Deliver) -> None:
    deliver([report(n, 1, reported_at="2026-10-05T10:00:00Z") for n in range(15)], "1.csv")
    rows = [report(n, 1, reported_at=f"2026-11-02T{last}Z") for n in range(11, 26)]
    assert deliver(rows, "2.csv").status == verdict, "4 of 30 moved, or 4 of 15"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["0101", "0102", "0103"], ["101", "102", "103"]),
        (["1000000000101", "1000000000102", "1000000000103"],
         ["0001000000000101", "0001000000000102", "0001000000000103"]),
        (["101", "102", "103"], ["101.0", "102.0", "103.0"]),
        (["12-1", "12-2", "3-31"], ["1-Dec", "2-Dec", "31-Mar"]),
        (["20261116000004711", "20261116000014712", "20261116000024713"],
         ["20261116000004700", "20261116000014700", "20261116000024700"]),
    ],
)  # fmt: skip
def test_ids_that_a_program_wrote_anew_are_told(
    before: list[str], after: list[str], deliver: Deliver, ask: Ask
) -> None:
    deliver([report(n, 16, each) for n, each in enumerate(before)], "1.csv")
    bad = deliver([report(n, 16, each) for n, each in enumerate(after)], "2.csv")
    assert bad.status == "rejected"
    assert "count patients twice" in str(bad.reason)
    assert stored(ask) == 3
    assert deliver([report(n, 17, each) for n, each in enumerate(after)], "3.csv").status == "accepted", "another day"


def test_a_sender_that_uses_both_forms_of_an_id_for_two_reports_passes(deliver: Deliver, ask: Ask) -> None:
    short = [report(n, 16, str(n)) for n in (1, 2, 3)]
    deliver(short, "1.csv")
    assert deliver([*short, *(report(n + 9, 16, f"0{n}") for n in (1, 2, 3))], "2.csv").status == "accepted"
    assert stored(ask) == 6


@pytest.mark.parametrize(("size", "verdict"), [(19, "accepted"), (20, "rejected")])
def test_the_same_contents_under_other_ids_are_told(size: int, verdict: str, deliver: Deliver) -> None:
    deliver(week(1, 9, size), "1.csv")
    renamed = [row | {"report_id": f"x{row['report_id']}"} for row in week(1, 9, size)]
    assert deliver(renamed, "2.csv").status == verdict


@pytest.mark.parametrize("hour", ["", "T10:00:00Z"])
def test_the_same_contents_under_other_ids_are_told_in_a_group_of_files(
    hour: str, home: Home, write_csv: Write
) -> None:
    rows = [row | {"reported_at": f"{row['reported_at']}{hour}"} for row in week(1, 9, 20)]
    renamed = [row | {"report_id": f"x{row['report_id']}"} for row in rows]
    paths = [write_csv(each, f"{n}.csv") for n, each in enumerate((rows, week(60, 9, 20), renamed))]
    deliveries = find_deliveries([str(path) for path in paths], as_source(), None)
    outcomes = ingest_batch(home, as_source(), deliveries, 5, Lines(), publish=False)
    assert [outcome.status for outcome in outcomes] == ["accepted", "accepted", "rejected"]


def test_contents_that_are_common_say_nothing(deliver: Deliver, ask: Ask) -> None:
    coarse = [{"report_id": f"a{n}", "reported_at": "2026-11-16"} for n in range(40)]
    deliver(coarse, "1.csv")
    assert deliver([row | {"report_id": f"b{n}"} for n, row in enumerate(coarse)], "2.csv").status == "accepted"
    assert stored(ask) == 80


# columns


def without(columns: Sequence[str], *names: str) -> list[str]:
    return [column for column in columns if column not in names]


def test_an_absent_column_never_replaces_a_known_answer(deliver: Deliver, columns: tuple[str, ...], ask: Ask) -> None:
    rows = [row | {"cannot_bear_weight": "yes"} for row in week(1, 9)]
    deliver(rows, "1.csv")
    header = without(columns, "cannot_bear_weight")
    bad = deliver(rows, "2.csv", header)
    assert bad.status == "rejected"
    assert "column missing: cannot_bear_weight" in str(bad.reason)
    assert 'missing_columns = "unknown"' in str(bad.reason)
    assert ask("SELECT DISTINCT triage_level FROM reports") == [("emergency",)]
    allowed = deliver(rows, "2.csv", header, missing_columns="unknown")
    assert (allowed.status, allowed.rows_superseded) == ("accepted", 10)
    assert "10 moved down from emergency; lacks cannot_bear_weight, which the last file had" in describe(allowed)


@pytest.mark.parametrize("column", ["region", "age_band", "sex", "pain_score", "duration_days"])
def test_a_context_column_is_a_column_too(column: str, deliver: Deliver, columns: tuple[str, ...]) -> None:
    rows = [row | {"sex": "female"} for row in week(1, 9)]
    deliver(rows, "1.csv")
    assert deliver(rows, "2.csv", without(columns, column)).status == "rejected"


def test_a_column_without_any_known_answer_may_go_and_new_reports_lack_what_they_like(
    deliver: Deliver, columns: tuple[str, ...]
) -> None:
    rows = [row | {"sex": "unknown", "fever": "NA"} for row in week(1, 9)]
    deliver(rows, "1.csv")
    header = without(columns, "sex", "fever")
    again = deliver(rows, "2.csv", header)
    assert again.notes == "lacks fever, sex, which the last file had"
    assert deliver(week(20, 16), "3.csv", without(header, "region")).notes == "lacks region, which the last file had"
    assert deliver(week(40, 16), "4.csv", without(header, "region")).notes is None


# uploads and spreadsheets


def test_a_last_line_without_an_end_is_an_unfinished_upload_where_the_sender_ends_them(
    write_csv: Write, ingest: Ingest, home: Home, pack: Pack
) -> None:
    (first,) = ingest(write_csv(week(1, 9), "1.csv"))
    assert first.status == "accepted"
    cut = write_csv(week(11, 16), "2.csv")
    cut.write_text(cut.read_text().rstrip("\n"))
    ((coming,), (final,), (known,)) = (ingest(cut) for _ in range(3))
    assert "tried again" in str(coming.reason)
    assert "ingest --whole" in str(final.reason)
    assert known.reason == final.reason
    with home.lock(5), database.open_records(home, Settings(), pack) as connection:
        (delivery,) = find_deliveries([str(cut)], Settings(), None)
        assert ingest_file(connection, delivery, Run(home, Settings(), pack, whole=True)).status == "accepted"


def test_a_sender_that_never_ends_its_last_line_is_taken(write_csv: Write, ingest: Ingest) -> None:
    for number in (1, 2):
        path = write_csv(week(10 * number, 9), f"{number}.csv")
        path.write_text(path.read_text().rstrip("\n"))
        assert ingest(path)[0].status == "accepted"


@pytest.mark.parametrize(("lines", "told"), [(65_535, False), (65_536, True), (65_537, False)])
def test_a_file_that_ends_at_a_spreadsheet_s_limit_is_told(
    lines: int, told: bool, tmp_path: Path, ingest: Ingest
) -> None:
    path = tmp_path / "sheet.csv"
    path.write_text("report_id,reported_at,redness\n" + "".join(f"{n},2026-11-16,no\n" for n in range(lines - 1)))
    (outcome,) = ingest(path)
    assert (outcome.notes == "ends at a spreadsheet's limit of 65,536 lines: is it cut off?") is told


# whole lists


def test_a_record_that_a_whole_list_lacks_is_taken_out_and_one_that_is_quarantined_stays(
    deliver: Deliver, ask: Ask, home: Home, pack: Pack
) -> None:
    rows = week(1, 9, 20)
    deliver(rows, "1.csv", cumulative=True)
    second = deliver([*rows[1:-1], rows[-1] | {"pain_score": "99"}, *week(30, 16, 5)], "2.csv", cumulative=True)
    assert (second.status, second.rows_superseded, second.rows_removed) == ("accepted", 1, 1)
    assert second.notes == "1 record that it lacks taken out"
    assert ask("SELECT report_id FROM superseded") == [("1",)]
    assert stored(ask) == 24
    assert ask("SELECT sum(reports)::INTEGER FROM daily_summary") == [(24,)]
    check(home, as_source(cumulative=True), pack, deep=True)


def test_emergencies_that_a_whole_list_lacks_are_told(deliver: Deliver, ask: Ask) -> None:
    header = ("report_id", "reported_at", "pain_score", "cannot_bear_weight")
    rows = [report(n, 16, cannot_bear_weight="yes" if n in (1, 2, 5) else "no") for n in range(30)]
    deliver(rows, "1.csv", header=header, cumulative=True)
    corrected = rows[5] | {"cannot_bear_weight": "no"}  # lowered, but not taken out
    second = deliver([*rows[3:5], corrected, *rows[6:]], "2.csv", header=header, cumulative=True)
    told = "1 moved down from emergency; 3 records that it lacks taken out; emergencies among them: 2"
    assert second.notes == told
    assert ask("SELECT count(*) FROM reports WHERE triage_level = 'emergency'") == [(0,)]


def test_a_report_that_a_later_whole_list_brings_back_is_no_late_report(deliver: Deliver, ask: Ask) -> None:
    rows = week(1, 9)
    deliver(rows, "1.csv", cumulative=True)
    deliver([*rows[1:], *week(30, 16)], "2.csv", cumulative=True)
    deliver([*rows, *week(30, 16), *week(50, 23)], "3.csv", cumulative=True)
    firsts = "SELECT first_delivery_no, count(*) FROM reports GROUP BY ALL ORDER BY 1"
    assert ask(firsts) == [(1, 10), (2, 10), (3, 10)]


def test_a_list_that_is_not_whole_takes_nothing_out(deliver: Deliver, ask: Ask) -> None:
    deliver(week(1, 9, 20), "1.csv")
    assert deliver(week(2, 9, 19), "2.csv").rows_superseded == 0
    assert stored(ask) == 20


def test_records_of_days_outside_a_whole_list_stay_and_so_they_do_for_an_older_list(deliver: Deliver, ask: Ask) -> None:
    deliver(week(1, 2, 10), "1.csv", cumulative=True)
    deliver(week(11, 16, 10), "2.csv", cumulative=True)
    assert stored(ask) == 20, "the first list's days are not those of the second"
    older = deliver(week(1, 2, 9), "0.csv", cumulative=True)
    assert (older.rows_removed, stored(ask)) == (0, 20)


@pytest.mark.parametrize(("lacks", "verdict"), [(4, "accepted"), (5, "rejected")])
def test_a_whole_list_that_lacks_many_records_is_told(lacks: int, verdict: str, deliver: Deliver) -> None:
    deliver([report(n, 16) for n in range(19)], "1.csv", cumulative=True)
    assert deliver([report(n, 16) for n in range(lacks, 19)], "2.csv", cumulative=True).status == verdict


def test_a_date_typed_wrong_does_not_stretch_a_whole_list(deliver: Deliver, ask: Ask) -> None:
    deliver(week(1, 1, 10), "1.csv", cumulative=True)
    deliver([*week(11, 9, 10), report(99, 9, reported_at="2025-11-09")], "2.csv", cumulative=True)
    assert stored(ask) == 21


def test_withdrawing_a_whole_list_puts_back_what_it_took_out(
    deliver: Deliver, ask: Ask, home: Home, pack: Pack
) -> None:
    settings = as_source(cumulative=True)
    rows = week(1, 9, 20)
    first = deliver(rows, "1.csv", cumulative=True)
    second = deliver([*rows[1:], *week(30, 16, 5)], "2.csv", cumulative=True)
    with pytest.raises(database.UsageError, match="Withdraw that one first"):
        withdraw_file(home, settings, first.file_id, None, [], False, 5)
    withdraw_file(home, settings, second.file_id, None, [], False, 5)
    assert ask("SELECT count(*) FROM records") == [(20,)]
    assert ask("SELECT count(*) FROM superseded") == [(0,)]
    check(home, settings, pack, deep=True)


# senders


def test_a_file_of_no_source_is_rejected_until_the_settings_know_it(write_csv: Write, ingest: Ingest, ask: Ask) -> None:
    path = write_csv(week(1, 9), "L7_W46.CSV")
    (lost,) = ingest(path, settings=Settings(sources=(Source("line-8", patterns=("l8_*",)),)))
    assert describe(lost).startswith(f"rejected  {path} (unassigned): its name matches the patterns of no source")
    (found,) = ingest(path, settings=Settings(sources=(Source("line-7", patterns=("l7_*",)),)))
    assert describe(found) == f"accepted  {path} (line-7): 10 rows, 10 accepted"


def test_a_file_without_an_accepted_row_is_compared_as_well(deliver: Deliver) -> None:
    deliver(week(1, 9), "1.csv")
    assert deliver([], "2.csv").status == "accepted"
    assert deliver([], "3.csv", ("report_id", "reported_at", "fever"), cumulative=True).status == "accepted"
