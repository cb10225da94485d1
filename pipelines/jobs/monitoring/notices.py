"""Notices: what happened, told once to the targets of the home, never with a record's data.

Targets are Apprise addresses, from the variable CALFWATCH_NOTIFY and the private file HOME/notify, and the command
`notify_command`. HOME/notices.json keeps what was told; a target that failed is tried again by the next run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import UsageError
from pipelines.jobs.monitoring import status
from pipelines.jobs.monitoring.notice_targets import Target, find_targets
from pipelines.processes import read_json, write_json
from pipelines.settings import Settings
from pipelines.text import escape_unprintable, format_path

if TYPE_CHECKING:
    from pipelines.jobs.monitoring.run import RunRecord

NAME = "notices.json"
COUNT = re.compile(r"(?<![\w.:-])(?<!\d,)\d+(?:,\d{3})*(?!\w|[:.,-]\d)")
MOST_TOLD = 5_000  # keys kept of what was told; older ones are forgotten


@dataclass(frozen=True)
class Event:
    """One thing to tell: `key` says which, `detail` makes it another one when it changes, `report` is its folder."""

    key: str
    text: str
    detail: str = ""
    report: str = ""


def list_run_events(home: Path, record: RunRecord, outcome: str, reason: str, hide_up_to: int) -> list[Event]:
    """Return what a run gives cause to tell: a failure, rejected files, reports, alarms, senders, missed slots.

    Counts up to `hide_up_to` are hidden in all of them.
    """
    events = list_overdue_events(record.missed)
    if outcome in ("failed", "crashed"):
        told = reason if record.is_ours else reason.split(":")[0]  # a library's words may quote a record
        text = f"the {record.job} {outcome}: {hide_counts(told, hide_up_to)}"
        events.append(Event(f"failed:{record.job}", text, _compute_digest(reason)))
    for rejected in record.rejected:
        name = format_path(Path(rejected.path).name)
        told = hide_counts(rejected.reason or "", hide_up_to)
        events.append(Event(f"rejected:{rejected.file_id}", f"{name} was rejected: {told}"))
    events += [
        Event(f"report:{folder.name}", f"the report of {folder.name} is written", report=str(folder))
        for folder in record.reports
    ]
    return events + _list_state_events(home, hide_up_to)


def hide_counts(text: str, most: int) -> str:
    """Hide the numbers up to `most`: a notice leaves the house, and so small a count can be one person.

    Numbers within a word, a date, a time or a fraction are no counts.
    """
    return COUNT.sub(lambda found: "#" if int(found[0].replace(",", "")) <= most else found[0], text)


def _list_state_events(home: Path, hide_up_to: int) -> list[Event]:
    """Return alarms, without their regions and counts, and senders of whom something is missing, or who arrived."""
    facts = read_json(home / status.NAME).get("facts", {})
    series: dict[str, list[str]] = {}
    for alarm in facts.get("alarms", []):
        series.setdefault(alarm["week"], []).append(alarm["series"])
    events = [
        Event(
            f"alarm:{week}",
            f"a new alarm in {week}; `weekly_signals`, or `daily_signals` of a week that still runs, says in what",
            _compute_digest(names),
        )
        for week, names in sorted(series.items())
    ]
    told = [text for name in ("senders_missing", "senders_arrived") for text in facts.get(name, [])]
    hidden = [hide_counts(text, hide_up_to) for text in told]
    return events + [Event(f"sender:{text.split(';')[0]}", text) for text in hidden]


def list_overdue_events(texts: Sequence[str]) -> list[Event]:
    """Return the slots that were missed."""
    return [
        Event(f"overdue:{text.split(' ')[0]}", f"a schedule was missed: {text.split(';')[0]}", text) for text in texts
    ]


def _compute_digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def send_notices(home: Path, settings: Settings, events: Sequence[Event]) -> None:
    """Tell each target what it was not told yet. A target that fails stops nothing, and is tried again."""
    with contextlib.suppress(OSError):
        memory = read_json(home / NAME)
        told, failed = memory.get("told", {}), {}
        _forget_failure(told, events, home)
        waiting = [Event(**event) for event in memory.get("waiting", [])]
        try:
            targets = find_targets(home, settings)
        except UsageError as error:
            targets, failed = [], {"notify": str(error)}
        still_waiting = []
        for event in _drop_repeated([*waiting, *events]):
            problems = _tell(home, targets, event, told)
            failed |= problems
            still_waiting += [event] if problems else []
        if told or failed or memory:
            content = {"told": dict(list(told.items())[-MOST_TOLD:]), "failed": failed}
            write_json(home / NAME, content | {"waiting": [asdict(event) for event in still_waiting]})


def _forget_failure(told: dict[str, Any], events: Sequence[Event], home: Path) -> None:
    """Let a failure be told again after the job has done well, also if its reason is the same."""
    failing = {event.key for event in events}
    runs = read_json(home / status.NAME).get("runs", {})
    for job, run in runs.items():
        if run.get("outcome") in ("done", "rejected") and f"failed:{job}" not in failing:
            told.pop(f"failed:{job}", None)


def _drop_repeated(events: Sequence[Event]) -> list[Event]:
    return list({event.key: event for event in events}.values())


def _tell(home: Path, targets: Sequence[Target], event: Event, told: dict[str, Any]) -> dict[str, str]:
    """Tell one event to the targets that do not know it; return those that failed, with the reason."""
    problems = {}
    mark = _compute_digest([event.text, event.detail])
    known = dict(told.get(event.key, {}))
    for target in targets:
        if known.get(target.identity) == mark:
            continue
        if problem := target.send("calfwatch", f"{home.name}: {escape_unprintable(event.text)}", event.report):
            problems[target.shown] = problem
        else:
            known[target.identity] = mark
    if known:
        told.pop(event.key, None)  # the newest stand last
        told[event.key] = known
    return problems


def send_test(home: Path, settings: Settings) -> list[tuple[str, str]]:
    """Send a test notice to every target; return each one, masked, with what went wrong or nothing.

    Raises UsageError if there is no target.
    """
    targets = find_targets(home, settings)
    if not targets:
        raise UsageError(
            f"no target for notices: set notify_command in calfwatch.toml, or put Apprise addresses into {home}/notify "
            "(mode 600) or CALFWATCH_NOTIFY"
        )
    text = f"{home.name}: this is a test of `calfwatch notify --test`"
    return [(target.shown, target.send("calfwatch", text, "")) for target in targets]
