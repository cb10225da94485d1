"""`status`, as text and as JSON, and the first screen of the page say what the tables say, whatever the senders did."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.cli.app import main
from pipelines.store.database import Home
from tests.support.histories import TODAY, monday
from tests.support.pages import Page, page_of

WEEKS = 14
Counts = dict[int, int]  # by weeks back, the last week that is over being 0


def told_by(kind: str, rng: np.random.Generator) -> Counts:
    """Return what a sender of this kind has to tell, week by week."""
    counts = {back: int(rng.poisson(40)) for back in range(WEEKS)}
    gone = {"silent": range(10), "missing": range(1), "restarting": range(2, 7), "joining": range(3, WEEKS)}
    left = {back: number for back, number in counts.items() if back not in gone.get(kind, ())}
    return left | ({0: 6} if kind == "partial" else {})


def write_sender(folder: Path, name: str, kind: str, rng: np.random.Generator, spike: int) -> list[str]:
    """Write a file a week; of a late sender a third of each week's reports comes with the file after."""
    counts, waiting, paths = told_by(kind, rng), [], []  # type: Counts, list[str], list[str]
    for back in sorted(counts, reverse=True):
        emergencies = spike if back == 0 else int(rng.binomial(counts[back], 0.08))
        rows = [
            f"{name}{back}-{number},{monday(back) + timedelta(days=number % 7)},{'north' if number % 3 else 'south'},"
            f"{'yes' if number < emergencies else 'no'},no,{number % 11}"
            for number in range(counts[back])
        ]
        kept = rows[: len(rows) * 2 // 3] if kind == "late" else rows
        path = folder / f"{name}_{WEEKS - back:02}.csv"
        header = "report_id,reported_at,region,cannot_bear_weight,fever,pain_score"
        path.write_text("\n".join([header, *waiting, *kept]) + "\n")
        waiting = rows[len(kept) :]
        paths.append(str(path))
    return paths


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kinds", "spike"),
    [
        (("steady", "late", "partial", "joining"), 3),
        (("steady", "late", "missing", "restarting"), 30),
        (("late", "silent", "steady"), 3),
    ],
)
def test_status_and_the_first_screen_say_what_the_tables_say(
    kinds: tuple[str, ...],
    spike: int,
    home: Home,
    tmp_path: Path,
    set_clock: Callable[[datetime], None],
    ask: Callable[..., list[tuple[Any, ...]]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_clock(datetime.combine(TODAY, time(12), UTC))
    rng = np.random.default_rng(len(kinds) + spike)
    named = {f"{kind}_{place}": kind for place, kind in enumerate(kinds)}
    sources = [f'[[sources]]\nname = "{name}"\npatterns = ["{name}_*.csv"]\n' for name in named]
    (home.path / "calfwatch.toml").write_text("".join(sources))
    paths = [path for name, kind in named.items() for path in write_sender(tmp_path, name, kind, rng, spike)]
    assert main(["ingest", "--home", str(home.path), *paths]) == 0
    assert main(["report", "--home", str(home.path)]) == 0
    capsys.readouterr()
    code = main(["status", "--home", str(home.path)])
    text = capsys.readouterr().out
    main(["status", "--home", str(home.path), "--json"])
    facts = json.loads(capsys.readouterr().out)["facts"]

    def tables(sql: str) -> list[tuple[Any, ...]]:
        return ask(sql, path=home.summaries)

    ((week,),) = tables("SELECT latest_week FROM about")
    assert facts["week"]["week"] == week
    folder = home.reports / week
    page = page_of(folder)

    # who did not report
    lacking = tables(f"""SELECT source, state, reports, usual FROM weekly_sources
        WHERE week = '{week}' AND state IN ('missing', 'partial')""")
    expected = {"partial": "partial", "missing": "missing"}
    assert {name: state for name, state, *_ in lacking} == {
        name: expected[kind] for name, kind in named.items() if kind in expected
    }
    assert len(facts["senders_missing"]) == len(lacking)
    for name, state, reports, usual in lacking:
        said = f"{name} sent {'nothing' if state == 'missing' else f'{reports} reports'} for {week}"
        said += f"{'' if state == 'missing' else ', a part'}; usual are {usual:.0f} a week"
        assert said in facts["senders_missing"]
        assert f"ATTENTION     {said}\n" in text
        assert said in page.text
    assert code == (7 if lacking else 0)
    assert ("every one that was expected has reported" in page.text) == (not lacking)
    others = {
        "silent": "Nothing for more than eight weeks: {} (usual were ",
        "joining": "New, in the first eight weeks: {}",
    }
    for kind, words in others.items():
        names = [name for name, its in named.items() if its == kind]
        assert (words.format(names[0]) in page.text) if names else (words.partition(" {}")[0] not in page.text)
        assert all(any(name in line for line in facts["sender_lines"]) for name in names)

    # emergencies
    ((reports, emergencies),) = tables(f"""SELECT sum(reports)::INTEGER,
        sum(reports) FILTER (triage_level = 'emergency')::INTEGER FROM weekly_triage WHERE week = '{week}'""")
    assert (facts["week"]["reports"], facts["week"]["emergencies"]) == (reports, emergencies)
    assert f"{week}: {emergencies} emergenc" in text
    assert page.numbers["emergency"][1].split()[0] == str(emergencies)
    assert f"Emergencies: {emergencies} of {reports} reports" in page.text

    check_alarms(tables, (week, facts["week"], text), page, folder)

    # what is still to come
    ((so_far, final, lower, upper),) = tables(f"""SELECT reported_so_far, expected_final, lower, upper
        FROM weekly_nowcast WHERE week = '{week}' AND series = 'all' AND is_latest""")
    assert facts["week"]["expected_final"] == final
    assert f"Still to come: {so_far} reports so far" in page.text
    assert (final is None) == ("in the end" not in text)
    if final is not None:
        interval = "" if lower is None else f" ({lower:,.0f} to {upper:,.0f})"
        ended = "no more are expected" if upper is not None and round(upper) == so_far else ""
        assert (ended or f"about {final:,.0f} are expected in the end{interval}") in page.text
        assert f"about {final:,.0f} reports in the end{interval}" in text


def check_alarms(
    tables: Callable[[str], list[tuple[Any, ...]]], status: tuple[str, dict[str, Any], str], page: Page, folder: Path
) -> None:
    """New alarms are those of series that did not alarm in the two judged weeks before."""
    week, facts, text = status
    raised: dict[str, list[str]] = {}
    for series, when in tables("""SELECT DISTINCT series, week FROM weekly_signals WHERE status = 'alarm'"""):
        raised.setdefault(series, []).append(when)
    begun = {series for series, *_ in tables(f"SELECT series FROM alarm_episodes WHERE first_week < '{week}'")}
    now = {series for series, weeks in raised.items() if week in weeks}
    new = now - begun
    assert set(facts["new"]) == new
    assert f"alarms        {week}: {f'{len(new)} new: ' if new else 'none'}" in text
    if now:
        with (folder / "data" / "alarms.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row["series"] for row in rows} == now
        assert {row["series"] for row in rows if row["since"] == "new"} == new
    assert (f"{len(new)} new alarm" in page.text) if new else ("No alarm" in page.text)
