"""What the lead found out about an alarm is kept, audited, published, and found again; who is missing is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.app import main
from pipelines.connections import read_only
from pipelines.jobs.monitoring.sender_status import read_sender_facts
from pipelines.settings import Settings, Source
from pipelines.store.database import Home
from schemas.pack import Pack
from tests.support.histories import TODAY, monday
from tests.support.states import fed

SERIES = "all"


@pytest.fixture(scope="module")
def alarmed_once(tmp_path_factory: pytest.TempPathFactory, pack: Pack) -> Home:
    """A home with an alarm in the last week that is over; never to be changed."""
    folder = tmp_path_factory.mktemp("alarmed")
    days = [monday(back) + timedelta(days=day) for back in range(12) for day in range(7)]
    rows = [f"r{number},{day.isoformat()}" for number, day in enumerate(days)]
    rows += [f"x{number},{monday(0).isoformat()}" for number in range(60)]
    answers = ",no" * len(pack.field_names)
    lines = [",".join(("report_id", "reported_at", *pack.field_names)), *(row + answers for row in rows)]
    (folder / "reports.csv").write_text("\n".join(lines) + "\n")
    home = Home(folder / "home")
    home.make()
    fed(home, pack, [folder / "reports.csv"])
    return home


@pytest.fixture
def alarmed(alarmed_once: Home, tmp_path: Path) -> Home:
    """A copy of it, under the name of the fixture `home`."""
    return Home(Path(shutil.copytree(alarmed_once.path, tmp_path / "home", dirs_exist_ok=True)))


def alarm(home: Any, *words: str) -> int:
    return main(["alarm", *words, "--home", str(home.path)])


def test_an_alarm_is_listed_noted_on_closed_and_reopened(
    home: Any, alarmed: Any, ask: Callable[..., list[tuple[Any, ...]]], capsys: pytest.CaptureFixture[str]
) -> None:
    state = "SELECT state, note FROM alarm_episodes WHERE series = 'all'"
    assert ask(state, path=alarmed.summaries) == [("new", None)]
    assert alarm(alarmed, "note", SERIES, "two lists\x1b of\none day") == 0
    assert ask(state, path=alarmed.summaries) == [("new", "two lists\\x1b of one day")]
    assert alarm(alarmed, "close", SERIES, "looked into") == 0
    assert ask(state, path=alarmed.summaries) == [("closed", "looked into")]
    assert alarm(alarmed, "close", SERIES, "again") == 2
    assert alarm(alarmed, "reopen", SERIES) == 0
    assert ask(state, path=alarmed.summaries) == [("new", "looked into")]
    audited = ask("SELECT action, detail FROM audit WHERE action = 'alarm' ORDER BY happened_at")
    assert [detail.split(":")[0] for _, detail in audited] == ["note", "close", "reopen"]
    capsys.readouterr()
    assert alarm(alarmed, "list") == 0
    assert "looked into" in capsys.readouterr().out


@pytest.mark.parametrize("many", [3, 30])
def test_status_and_notices_tell_an_alarm_of_daily_counts_before_the_week_is_over(
    many: int, home: Home, tmp_path: Path, set_clock: Callable[[datetime], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """On a Wednesday, after 26 weeks of three emergencies a day; the Tuesday had as many, or ten times so many."""
    set_clock(datetime(2026, 11, 25, 12, tzinfo=UTC))
    tuesday = date(2026, 11, 24)
    days = [tuesday - timedelta(days=back) for back in range(7 * 26) for _ in range(3 if back else many)]
    rows = [f"r{number},{day.isoformat()},yes" for number, day in enumerate(days)]
    (tmp_path / "d.csv").write_text("\n".join(("report_id,reported_at,cannot_bear_weight", *rows, "")))
    (home.path / "calfwatch.toml").write_text('[[sources]]\nname = "d"\npatterns = ["d*.csv"]\nrhythm = "daily"\n')
    assert main(["ingest", "--home", str(home.path), str(tmp_path / "d.csv")]) == 0
    capsys.readouterr()
    main(["status", "--home", str(home.path)])
    line = "alarms        before this week is over: 1 new: triage_level=emergency\n"
    assert (line in capsys.readouterr().out) == (many == 30)
    main(["status", "--home", str(home.path), "--json"])
    told = [{"week": "2026-W48", "series": "triage_level=emergency"}]
    assert json.loads(capsys.readouterr().out)["facts"]["alarms"] == (told if many == 30 else []), "what notices tell"


def test_a_home_without_an_alarm_says_whether_there_ever_was_one(
    good_home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert alarm(good_home, "list") == alarm(good_home, "list", "--all") == 0
    assert capsys.readouterr().out.splitlines() == [
        "no alarm goes on; `--all` lists those that are over",
        "no alarm was ever raised",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("note", "region=nowhere", "x"), "there is no alarm of 'region=nowhere'"),
        (("note", SERIES, "x", "--week", "2001-W01"), "there is no alarm of 'all' in 2001-W01"),
        (("note", SERIES, " "), "needs a text"),
        (("note", SERIES, "x" * 2001), "at most 2,000"),
        (("reopen", SERIES), "is new, not closed"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    alarmed: Any, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert alarm(alarmed, *words) == 2
    assert said in capsys.readouterr().err


def test_status_names_who_is_missing_partial_or_new(
    home: Any,
    write_csv: Callable[..., Path],
    ingest: Callable[..., Any],
    set_clock: Callable[[datetime], None],
) -> None:
    set_clock(datetime.combine(TODAY, time(12), UTC))

    def sent(name: str, counts: dict[int, int]) -> Path:
        rows = [
            {"report_id": f"{back}-{number}", "reported_at": _moment(back, number)}
            for back, reports in counts.items()
            for number in range(reports)
        ]
        return write_csv(rows, f"{name}_1.csv")

    usual = dict.fromkeys(range(1, 12), 30)
    gone = {week: reports for week, reports in usual.items() if week > 8} | {0: 30}
    paths = [
        sent("a", usual),
        sent("b", usual | {0: 5}),
        sent("c", {0: 9, 1: 9}),
        sent("d", {0: 11, 1: 1}),
        sent("e", gone),
    ]
    names = tuple(Source(name, patterns=(f"{name}_*",)) for name in "abcde")
    ingest(*paths, settings=Settings(sources=names))
    with read_only(home.records) as connection:
        facts = read_sender_facts(connection)
    week = f"{monday(0).isocalendar().year}-W{monday(0).isocalendar().week:02}"
    assert facts["senders_missing"] == [
        f"a sent nothing for {week}; usual are 30 a week",
        f"b sent 5 reports for {week}, a part; usual are 30 a week",
    ]
    assert facts["senders_arrived"] == [
        f"d sent 11 reports for {week} and hardly any for the weeks before: it is new",
        f"e sent 30 reports for {week} and hardly any for the weeks before: it is back after eight weeks or more",
    ]
    assert facts["sender_lines"] == [
        *(f"arrived       {words}" for words in facts["senders_arrived"]),
        "joined        c, d: in the first eight weeks",
    ]


def _moment(back: int, number: int) -> str:
    day: date = monday(back) + timedelta(days=number % 7)
    return datetime(day.year, day.month, day.day, 10).isoformat() + "Z"
