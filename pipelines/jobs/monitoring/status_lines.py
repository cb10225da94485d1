"""status.json as one screen of text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from typing import Any

from pipelines.jobs.monitoring.week_facts import describe_week
from pipelines.text import pluralise

Content = Mapping[str, Any]
MOST_LINES = 12  # of one kind: it is one screen


def describe_status(told: Content) -> list[str]:
    """Return the lines that `calfwatch status` prints."""
    facts = told["facts"]
    lines = [
        f"home          {told['home']}",
        *_describe_stored(facts),
        *describe_week(facts.get("week")),
        *_describe_in_no_week(facts),
        _describe_small_groups(facts["small_groups"]),
    ]
    lines += _take_first(f"note          {note['source']}: {note['path']}: {note['notes']}" for note in facts["notes"])
    lines += [f"no CSV        {facts['no_csv']}"] if facts["no_csv"] else []
    lines += [f"other pack    {facts['other_pack']}"] if facts["other_pack"] else []
    lines += facts["sender_lines"]
    lines += _describe_senders(facts["senders"])
    lines += [f"reported      {facts['last_report']} is the latest week"] if facts["last_report"] else []
    lines += [f"released      {facts['released']}"] if facts["released"] else []
    lines += _describe_runs(told)
    lines.append(f"disk          {told['disk_free_bytes'] / 1e9:,.1f} GB free")
    lines.append(f"versions      {', '.join(f'{name} {number}' for name, number in facts['versions'].items())}")
    wanted = [f"ATTENTION     {text}" for text in told["attention"]]
    is_rejected = [text.startswith("rejected ") for text in told["attention"]]
    return [
        *lines,
        *_take_first(compress(wanted, is_rejected)),
        *_take_first(compress(wanted, (not each for each in is_rejected))),
    ]


def _take_first(lines: Iterable[str]) -> list[str]:
    """Return the first lines of a kind, and how many are left out."""
    found = list(lines)
    more = len(found) - MOST_LINES
    return found if more <= 0 else [*found[:MOST_LINES], f"{found[0][:14]}and {more:,} more: `calfwatch status --json`"]


def _describe_stored(facts: Content) -> list[str]:
    files, records = facts["files"], facts["records"]
    withdrawn = f", {files['withdrawn']:,} withdrawn" if files["withdrawn"] else ""
    return [
        f"rule pack     {facts['rule_pack']}",
        f"files         {files['accepted']:,} accepted, {files['rejected']:,} rejected{withdrawn}; "
        f"the last at {_format_moment(files['last'])}",
        f"records       {records['count']:,} from {_format_moment(records['first'])} "
        f"to {_format_moment(records['last'])}",
        f"quarantined   {pluralise(files['rows_quarantined'], 'row')}{_describe_still_open(files)}",
        "state         ledger, records and summaries agree",
    ]


def _describe_still_open(files: Content) -> str:
    """Say how many quarantined rows no later file brought right."""
    count = files.get("rows_open")  # a status.json of an earlier version has none
    return f", {count:,} of them open" if files["rows_quarantined"] and count is not None else ""


def _describe_in_no_week(facts: Content) -> list[str]:
    found = facts["records"].get("in_no_week")  # a status.json of an earlier version has none
    if not found or not found["count"]:
        return []
    days = " to ".join(sorted({found["first"], found["last"]}))
    return [
        f"in no week    {pluralise(found['count'], 'record')}, in the daily counts alone: their days ({days}) "
        "stand more than 13 weeks from their sender's others; typed wrong?"
    ]


def _describe_small_groups(found: Content) -> str:
    """Say how many records could point to a person by region, age band, sex and week alone.

    A warning, and no call for attention: small groups are always there, and nobody could make that light go out.
    """
    if not found["groups"]:
        return f"k-anonymity   no group of region, age band, sex and week is smaller than {found['k']}"
    verb = "is" if found["records"] == 1 else "are"
    return (
        f"k-anonymity   WARNING: {found['records']:,} of {pluralise(found['total'], 'record')} {verb} in "
        f"{pluralise(found['groups'], 'group')} of region, age band, sex and week smaller than {found['k']}; "
        f"the smallest has {found['smallest']}"
    )


def _describe_senders(senders: Sequence[Content]) -> list[str]:
    lines = []
    for sender in senders:
        delivered, reported = _format_moment(sender["last_delivery"]), _format_moment(sender["last_report"])
        last = f"last delivery {delivered}, of reports to {reported}"
        told = last if sender["last_delivery"] else "nothing yet"
        lines.append(f"sender        {sender['source']} ({sender['rhythm']}): {told}")
    return _take_first(lines)


def _describe_runs(told: Content) -> list[str]:
    lines = []
    if told["in_work"]:
        lines.append(f"in work       {told['in_work']['job']} since {_format_moment(told['in_work']['started'])}")
    for job, run in sorted(told["runs"].items()):
        reason = f": {run['reason']}" if run["reason"] else ""
        lines.append(f"{'last ' + job:<13} {run['outcome']} at {_format_moment(run['ended'])}{reason}")
    for job, slot in sorted((told["schedule"].get("next") or {}).items()):
        lines.append(f"{'next ' + job:<13} {_format_moment(slot)}")
    return lines


def _format_moment(text: str | None) -> str:
    return f"{text[:16].replace('T', ' ')} UTC" if text else "-"
