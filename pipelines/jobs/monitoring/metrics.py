"""The status as Prometheus metrics, for the text-file collector of a node exporter."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Info, write_to_textfile

OUTCOMES = ("done", "rejected", "failed", "crashed", "stopped")


def write_metrics_file(path: Path, told: Mapping[str, Any]) -> None:
    """Replace the metrics file; it is as readable as it was made, or 0644: it holds no record's data."""
    registry = CollectorRegistry()
    _add_counts(registry, told)
    _tell_runs(registry, told)
    delivered = Gauge("calfwatch_last_delivery_timestamp_seconds", "last delivery", ["source"], registry=registry)
    for sender in told["facts"]["senders"]:
        if sender["last_delivery"]:
            delivered.labels(sender["source"]).set(_parse_seconds(sender["last_delivery"]))
    versions = told["facts"]["versions"] | {"rule_pack": told["facts"]["rule_pack"]}
    Info("calfwatch_version", "versions, and the rule pack in use", registry=registry).info(versions)
    reported = {"week": told["facts"]["last_report"] or ""}
    Info("calfwatch_last_report", "the latest week with a report", registry=registry).info(reported)
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    write_to_textfile(str(path), registry)
    path.chmod(mode)


def _add_counts(registry: CollectorRegistry, told: Mapping[str, Any]) -> None:
    facts = told["facts"]
    for name, meaning, value in (
        ("attention", "things that need attention, as `calfwatch status` lists them", len(told["attention"])),
        ("overdue", "jobs whose slot is over and that have not run", len(told["overdue"])),
        ("rejected_files", "files that are rejected now", len(facts["rejected"])),
        ("senders_missing", "senders of whom something is missing", len(facts["senders_missing"])),
        ("quarantined_rows_open", "quarantined rows that no later file brought right", facts["files"]["rows_open"]),
        ("records", "records stored", facts["records"]["count"]),
        ("disk_free_bytes", "free bytes on the home's disk", told["disk_free_bytes"]),
    ):
        Gauge(f"calfwatch_{name}", meaning, registry=registry).set(value)


def _tell_runs(registry: CollectorRegistry, told: Mapping[str, Any]) -> None:
    ended = Gauge("calfwatch_last_run_timestamp_seconds", "when a job last ended", ["job"], registry=registry)
    outcome = Gauge("calfwatch_last_run_outcome", "1 for how it ended", ["job", "outcome"], registry=registry)
    for job, run in told["runs"].items():
        ended.labels(job).set(_parse_seconds(run["ended"]))
        for name in OUTCOMES:
            outcome.labels(job, name).set(run["outcome"] == name)
    following = Gauge("calfwatch_next_run_timestamp_seconds", "the next slot of `serve`", ["job"], registry=registry)
    for job, slot in (told["schedule"].get("next") or {}).items():
        following.labels(job).set(_parse_seconds(slot))


def _parse_seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
