"""The status as Prometheus metrics, for the text-file collector of a node exporter."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

OUTCOMES = ("done", "rejected", "failed", "crashed", "stopped")


def write_metrics_file(path: Path, told: Mapping[str, Any]) -> None:
    """Replace the metrics file; it is as readable as it was made, or 0644: it holds no record's data."""
    registry = CollectorRegistry()
    _gauge(
        registry, "attention", "things that need attention, as `calfwatch status` lists them", len(told["attention"])
    )
    _gauge(registry, "overdue", "jobs whose slot is over and that have not run", len(told["overdue"]))
    _gauge(registry, "rejected_files", "files that are rejected now", len(told["facts"]["rejected"]))
    _gauge(registry, "records", "records stored", told["facts"]["records"]["count"])
    _gauge(registry, "disk_free_bytes", "free bytes on the home's disk", told["disk_free_bytes"])
    ended = Gauge("calfwatch_last_run_timestamp_seconds", "when a job last ended", ["job"], registry=registry)
    outcome = Gauge("calfwatch_last_run_outcome", "1 for how it ended", ["job", "outcome"], registry=registry)
    for job, run in told["runs"].items():
        ended.labels(job).set(_seconds(run["ended"]))
        for name in OUTCOMES:
            outcome.labels(job, name).set(run["outcome"] == name)
    delivered = Gauge("calfwatch_last_delivery_timestamp_seconds", "last delivery", ["source"], registry=registry)
    for sender in told["facts"]["senders"]:
        delivered.labels(sender["source"]).set(_seconds(sender["last_delivery"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    write_to_textfile(str(path), registry)
    path.chmod(mode)


def _gauge(registry: CollectorRegistry, name: str, meaning: str, value: float) -> None:
    Gauge(f"calfwatch_{name}", meaning, registry=registry).set(value)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
